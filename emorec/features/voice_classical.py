"""Classical features of a voice: means over time of what one spectrogram and the samples tell.

Two sets, as two published projects use them: 26 means over a take without its silences
(op2adi/Saumya_Btp_work) and 162 means over 2.5 seconds from 0.6 s on (Ouma487/Emotion-recognition
and Emotion-Recognition-using-Facial-and-Speech-Features). Both are made from one short-time
Fourier transform and kept filter banks; a test holds every column to librosa's own function.
librosa's own are compiled when first called, and two processes that do so at once crash.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import fft

from emorec.features.voice import LogMelSetting, mel_filter_bank

__all__ = [
    "MEANS_26",
    "MEANS_162",
    "SAMPLE_RATE_HZ",
    "VERSION",
    "excerpt",
    "frames_162",
    "means_26",
    "means_162",
    "remove_silence",
    "stft",
]

VERSION = "voice-features-1"
"""Raised whenever a column changes its meaning; stamped on caches and on models."""

SAMPLE_RATE_HZ = 22_050
N_FFT = 2048
HOP = 512
BANDS = 128
COEFFICIENTS = 20
SILENCE_DB = 20.0
EXCERPT_START_S, EXCERPT_S = 0.6, 2.5
MEL = LogMelSetting(SAMPLE_RATE_HZ, N_FFT, HOP, BANDS, 0, SAMPLE_RATE_HZ / 2)
EXCERPT_FRAMES = 1 + round(EXCERPT_S * SAMPLE_RATE_HZ) // HOP

_MFCC_NAMES = tuple(f"mfcc_{i}" for i in range(1, COEFFICIENTS + 1))
_CHROMA_NAMES = tuple(f"chroma_{i}" for i in range(1, 13))
_MEL_NAMES = tuple(f"mel_{i}" for i in range(1, BANDS + 1))

MEANS_26 = ("chroma", "rms", "centroid", "bandwidth", "rolloff", "zero_crossing", *_MFCC_NAMES)
"""Columns of `means_26`; centroid, bandwidth and rolloff are in Hz, the others have no unit."""

MEANS_162 = ("zero_crossing", *_CHROMA_NAMES, *_MFCC_NAMES, "rms", *_MEL_NAMES)
"""Columns of `means_162` and of `frames_162`."""

_ROLLOFF_SHARE = 0.85
_SMALLEST_POWER, _DYNAMIC_RANGE_DB = 1e-10, 80.0
# Where librosa looks for the tuning of the chroma bins, and how finely.
_TUNING_LOW_HZ, _TUNING_HIGH_HZ, _TUNING_STEPS, _TUNING_FLOOR = 150.0, 4000.0, 100, 0.1
_BINS_HZ = np.arange(1 + N_FFT // 2) * SAMPLE_RATE_HZ / N_FFT


@lru_cache(maxsize=1)
def hann_window() -> np.ndarray:
    """Return the window of the transform, (2048,) float32."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype(np.float32)


@lru_cache(maxsize=1)
def _mel_bank() -> np.ndarray:
    return mel_filter_bank(MEL).T.copy()


@lru_cache(maxsize=_TUNING_STEPS + 1)
def _chroma_bank(tuning: float) -> np.ndarray:
    import librosa

    return librosa.filters.chroma(sr=SAMPLE_RATE_HZ, n_fft=N_FFT, tuning=tuning).T.copy()


def _framed(samples: np.ndarray, pad_mode: Literal["constant", "reflect"]) -> np.ndarray:
    padded = np.pad(samples, N_FFT // 2, mode=pad_mode)
    return np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]


def stft(samples: np.ndarray) -> np.ndarray:
    """Return the short-time Fourier transform.

    Args:
        samples: (n,) float32, mono, 22,050 Hz; frames are centred, with silence beyond both ends.

    Returns:
        complex64 array, shape (1 + n // 512, 1025).
    """
    return fft.rfft(_framed(np.asarray(samples, np.float32), "constant") * hann_window(), axis=1)


def _root_mean_square(samples: np.ndarray) -> np.ndarray:
    """Return the level of each frame, (frames,) float64."""
    squares = np.pad(np.square(samples, dtype=np.float64), N_FFT // 2)
    sums = np.concatenate([[0.0], np.cumsum(squares)])
    starts = np.arange(0, len(squares) - N_FFT + 1, HOP)
    return np.sqrt(np.maximum(sums[starts + N_FFT] - sums[starts], 0) / N_FFT)


def _zero_crossing_rate(samples: np.ndarray) -> np.ndarray:
    """Return the share of samples at which the sign changes, (frames,) float64."""
    padded = np.pad(samples, N_FFT // 2, mode="edge")
    negative = np.where(np.abs(padded) <= 1e-10, 0, padded) < 0
    crossed = np.concatenate([[0], np.cumsum(negative[1:] != negative[:-1])])
    starts = np.arange(0, len(padded) - N_FFT + 1, HOP)
    return (crossed[starts + N_FFT - 1] - crossed[starts]) / N_FFT


def _tuning(power: np.ndarray) -> float:
    """Estimate how far the tones lie from those of a piano, in shares of a semitone.

    Speech has no tuning; librosa's chroma turns its bins by this estimate all the same, and
    columns that are called librosa's have to do so. As `librosa.estimate_tuning`: the most
    frequent deviation among the louder half of the spectral peaks.
    """
    low, high = np.searchsorted(_BINS_HZ, (_TUNING_LOW_HZ, _TUNING_HIGH_HZ))
    middle, below, above = (power[:, low + i : high + i] for i in (0, -1, 1))
    floor = _TUNING_FLOOR * power.max(axis=1, keepdims=True)
    heard = np.where(power[:, low - 1 : high + 1] > floor, power[:, low - 1 : high + 1], 0)
    is_peak = (heard[:, 1:-1] > heard[:, :-2]) & (heard[:, 1:-1] >= heard[:, 2:])
    rows, columns = np.nonzero(is_peak)
    if not len(rows):
        return 0.0
    at, left, right = (x[rows, columns] for x in (middle, below, above))
    slope, bend = (right - left) / 2, right + left - 2 * at
    shift = np.where(np.abs(slope) < np.abs(bend), -slope / np.where(bend == 0, 1, bend), 0)
    height = at + slope * shift / 2
    pitch_hz = (columns + low + shift) * SAMPLE_RATE_HZ / N_FFT
    pitch_hz = pitch_hz[height >= np.median(height)]
    deviation = np.mod(12 * np.log2(pitch_hz / 27.5), 1.0)
    deviation[deviation >= 0.5] -= 1.0
    edges = np.linspace(-0.5, 0.5, _TUNING_STEPS + 1)
    return float(edges[np.histogram(deviation, edges)[0].argmax()])


def _chroma(power: np.ndarray) -> np.ndarray:
    """Return the share of each of twelve tones, (frames, 12), the strongest of a frame being 1."""
    raw = power @ _chroma_bank(_tuning(power))
    strongest = raw.max(axis=1, keepdims=True)
    return raw / np.where(strongest < np.finfo(np.float32).tiny, 1, strongest)


def _decibel(power: np.ndarray) -> np.ndarray:
    decibel = 10 * np.log10(np.maximum(power, _SMALLEST_POWER))
    return np.maximum(decibel, decibel.max() - _DYNAMIC_RANGE_DB)


def _mfcc(decibel: np.ndarray) -> np.ndarray:
    return fft.dct(decibel, type=2, norm="ortho", axis=-1)[..., :COEFFICIENTS]


def _spectral_shape(magnitude: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return centroid, bandwidth and 85 % rolloff of each frame, (frames,) float64, in Hz."""
    total = magnitude.sum(1, dtype=np.float64)
    share = np.where(total < np.finfo(np.float32).tiny, 1, total)
    moments = magnitude.astype(np.float64) @ np.stack([_BINS_HZ, _BINS_HZ**2], 1) / share[:, None]
    centroid = moments[:, 0]
    # The weights of a silent frame sum to zero, not to one: so does its variance.
    variance = moments[:, 1] - (2 - total / share) * centroid**2
    energy = np.cumsum(magnitude, axis=1)
    rolloff = _BINS_HZ[(energy < _ROLLOFF_SHARE * energy[:, -1:]).sum(1)]
    return centroid, np.sqrt(np.maximum(variance, 0)), rolloff


def _check(samples: np.ndarray) -> np.ndarray:
    samples = np.asarray(samples, np.float32)
    if samples.ndim != 1 or not samples.size:
        raise ValueError(
            f"features need mono sound with at least one sample, not shape {samples.shape}. "
            "Remedy: leave out clips without sound."
        )
    return samples


def means_26(samples: np.ndarray) -> np.ndarray:
    """Return the 26 means; remove silence before with `remove_silence`.

    Args:
        samples: (n,) float32, mono, 22,050 Hz.

    Returns:
        float32 array, shape (26,), columns `MEANS_26`.

    Raises:
        ValueError: If there is no sound.

    Example:
        >>> means_26(np.zeros(22_050, np.float32))[1:6].tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    samples = _check(samples)
    magnitude = np.abs(stft(samples))
    power = magnitude**2
    centroid, bandwidth, rolloff = _spectral_shape(magnitude)
    first = [
        _chroma(power).mean(),
        _root_mean_square(samples).mean(),
        centroid.mean(),
        bandwidth.mean(),
        rolloff.mean(),
        _zero_crossing_rate(samples).mean(),
    ]
    # The cosine transform is linear: that of the mean is the mean of the frames' transforms.
    mfcc = _mfcc(_decibel(power @ _mel_bank()).mean(0))
    return np.concatenate([first, mfcc]).astype(np.float32)


@dataclass(frozen=True)
class _Frames:
    """The five kinds of features of each frame; arrays (frames, ...)."""

    zero_crossing: np.ndarray
    chroma: np.ndarray
    mfcc: np.ndarray
    rms: np.ndarray
    mel: np.ndarray
    mel_db: np.ndarray


def _frames(samples: np.ndarray) -> _Frames:
    samples = _check(samples)
    spectrum = stft(samples)
    power = spectrum.real**2 + spectrum.imag**2
    mel = power @ _mel_bank()
    decibel = _decibel(mel)
    return _Frames(
        _zero_crossing_rate(samples)[:, None],
        _chroma(power),
        _mfcc(decibel),
        _root_mean_square(samples)[:, None],
        mel,
        decibel,
    )


def _joined(found: _Frames, mel: np.ndarray) -> np.ndarray:
    parts = (found.zero_crossing, found.chroma, found.mfcc, found.rms, mel)
    return np.concatenate(parts, axis=1).astype(np.float32)


def means_162(samples: np.ndarray) -> np.ndarray:
    """Return the 162 means of an excerpt (see `excerpt`); the mel bands are powers, not dB.

    Args:
        samples: (n,) float32, mono, 22,050 Hz.

    Returns:
        float32 array, shape (162,), columns `MEANS_162`.

    Raises:
        ValueError: If there is no sound.
    """
    found = _frames(samples)
    return _joined(found, found.mel).mean(0)


def frames_162(samples: np.ndarray) -> np.ndarray:
    """Return the same 162 features frame by frame, unaveraged, the mel bands in dB.

    What a network that reads time should read: here the first axis is time.

    Args:
        samples: (n,) float32, mono, 22,050 Hz.

    Returns:
        float32 array, shape (1 + n // 512, 162), columns `MEANS_162`.

    Raises:
        ValueError: If there is no sound.
    """
    found = _frames(samples)
    return _joined(found, found.mel_db)


def both_162(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `means_162` and `frames_162`, whose spectrogram is then made only once."""
    found = _frames(samples)
    return _joined(found, found.mel).mean(0), _joined(found, found.mel_db)


def excerpt(samples: np.ndarray) -> np.ndarray:
    """Cut out 0.6 s to 3.1 s, or what there is of it.

    Args:
        samples: (n,) float32, mono, 22,050 Hz.

    Raises:
        ValueError: If the sound ends before 0.6 s.
    """
    start = round(EXCERPT_START_S * SAMPLE_RATE_HZ)
    if len(samples) <= start:
        raise ValueError(
            f"the sound lasts {len(samples) / SAMPLE_RATE_HZ:.2f} s and the features begin at "
            f"{EXCERPT_START_S} s. Remedy: leave this clip out, or use `means_26`."
        )
    return samples[start : start + round(EXCERPT_S * SAMPLE_RATE_HZ)]


def remove_silence(samples: np.ndarray, top_db: float = SILENCE_DB) -> np.ndarray:
    """Join the stretches that are less than `top_db` below the loudest frame.

    As `librosa.effects.split`, whose intervals are laid end to end. Sound of one level
    throughout, silence included, stays as it is.

    Args:
        samples: (n,) float32, mono, 22,050 Hz.
        top_db: Depth below the loudest frame, in dB.

    Returns:
        float32 array, shape (m,), m <= n.

    Raises:
        ValueError: If there is no sound.
    """
    samples = _check(samples)
    level = np.maximum(_root_mean_square(samples), 1e-5)
    is_loud = 20 * np.log10(level / level.max()) > -top_db
    # Frame i begins interval [i * HOP, (i + 1) * HOP), and the last one reaches to the end.
    return samples[np.repeat(is_loud, HOP)[: len(samples)]]
