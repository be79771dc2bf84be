"""Sound as another microphone, room, line or mouth would have given it.

A corpus has one microphone, one room and often one codec. A network that trains on few corpora
must not take these for the emotion, nor for the corpus.
"""

import numpy as np
import scipy.fft
import scipy.signal

from emorec.features.whisper_mel import WHISPER, trim_silence

RATE_HZ = WHISPER.sample_rate_hz
LONGEST_S = 4.0


def as_elsewhere(rng: np.random.Generator, samples: np.ndarray) -> np.ndarray:
    """Return a stretch of a clip as it might have been recorded elsewhere.

    Args:
        rng: Source of chance.
        samples: float32 mono at 16 kHz, (n,): the whole clip.

    Returns:
        float32 mono at 16 kHz, at most `LONGEST_S` long; of no set level.
    """
    sound = trim_silence(samples, below_peak_db=rng.uniform(28, 42), margin_s=rng.uniform(0, 0.25))
    if rng.random() < 0.5:
        sound = _stretch_of(rng, sound, rng.uniform(1.8, 3.5))
    sound = _stretch_of(rng, sound, LONGEST_S)
    if rng.random() < 0.7:
        sound = at_another_pitch(sound, rng.uniform(-2, 2))
    if rng.random() < 0.35:
        sound = in_a_room(rng, sound)
    if rng.random() < 0.5:
        sound = with_noise(rng, sound, snr_db=rng.uniform(10, 35))
    sound = over_another_line(rng, sound)
    if rng.random() < 0.12:
        sound = clipped(sound, rng.uniform(0.3, 0.8))
    if rng.random() < 0.12:
        sound = companded(sound)
    return sound.astype(np.float32)


def _stretch_of(rng, sound, seconds):
    """Cut so many seconds out, from a place that is drawn; shorter sound is left whole."""
    length = round(seconds * RATE_HZ)
    start = rng.integers(0, max(0, len(sound) - length) + 1)
    return sound[start : start + length]


def at_another_pitch(sound: np.ndarray, semitones: float) -> np.ndarray:
    """Play sound faster and higher, or slower and deeper."""
    import soxr

    factor = 2 ** (semitones / 12)
    return soxr.resample(sound, RATE_HZ * factor, RATE_HZ, quality="QQ")


def in_a_room(rng: np.random.Generator, sound: np.ndarray) -> np.ndarray:
    """Add the decaying echo of a small or middling room."""
    length = round(rng.uniform(0.12, 0.7) * RATE_HZ)
    echo = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    echo = scipy.signal.lfilter([1], [1, -rng.uniform(0, 0.6)], echo)
    echo = (echo / np.sqrt(np.square(echo).sum())).astype(np.float32)
    wet = scipy.signal.fftconvolve(sound, echo)[: len(sound)]
    return sound + wet * 10 ** (rng.uniform(-14, 0) / 20)


def with_noise(rng: np.random.Generator, sound: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise between white and pink."""
    length = scipy.fft.next_fast_len(len(sound), real=True)
    spectrum = scipy.fft.rfft(rng.standard_normal(length, np.float32))
    hz = np.maximum(np.fft.rfftfreq(length, 1 / RATE_HZ), 30)
    noise = scipy.fft.irfft(spectrum * hz ** -rng.uniform(0, 1), length)[: len(sound)]
    gain = np.sqrt(np.square(sound).mean() / np.square(noise).mean()) * 10 ** (-snr_db / 20)
    return sound + gain * noise


def over_another_line(rng: np.random.Generator, sound: np.ndarray) -> np.ndarray:
    """Limit the band as codecs and telephones do, and colour it as microphones do."""
    length = scipy.fft.next_fast_len(len(sound), real=True)
    hz = np.fft.rfftfreq(length, 1 / RATE_HZ)
    gain_db = np.zeros(len(hz))
    if rng.random() < 0.6:
        steepness = rng.choice([8, 16, 48])
        gain_db -= 10 * np.log10(1 + (hz / rng.uniform(3400, 8000)) ** steepness)
    if rng.random() < 0.25:
        gain_db -= 10 * np.log10(1 + (rng.uniform(60, 300) / np.maximum(hz, 1)) ** 6)
    if rng.random() < 0.6:
        points_hz = np.concatenate([[0], np.geomspace(100, 8000, 7)])
        gain_db += np.interp(hz, points_hz, rng.normal(0, rng.uniform(0, 4), len(points_hz)))
    gain = 10 ** (np.maximum(gain_db, -90) / 20)
    return scipy.fft.irfft(scipy.fft.rfft(sound, length) * gain, length)[: len(sound)]


def clipped(sound: np.ndarray, share: float) -> np.ndarray:
    """Cut the peaks off at a share of the highest."""
    limit = np.abs(sound).max() * share
    return np.clip(sound, -limit, limit)


def companded(sound: np.ndarray) -> np.ndarray:
    """Round sound to seven bits on a telephone's logarithmic scale."""
    peak = np.abs(sound).max() + 1e-9
    steps = np.round(np.log1p(255 * np.abs(sound) / peak) / np.log(256) * 64) / 64
    return np.sign(sound) * peak * np.expm1(steps * np.log(256)) / 255
