import librosa
import numpy as np
import pytest

from emorec.features import voice as voice_features
from emorec.features.voice import REFERENCE_LOG_MEL, VOICE
from emorec.posteriors import log_mean
from emorec.training import augment, augment_voice


def made_voice(sample_rate_hz: int, seconds: float) -> np.ndarray:
    time_s = np.arange(round(sample_rate_hz * seconds)) / sample_rate_hz
    pulses = np.sign(np.sin(2 * np.pi * (120 + 40 * np.sin(3 * time_s)) * time_s))
    noise = np.random.default_rng(0).normal(0, 0.01, len(time_s))
    return (0.2 * pulses * np.sin(4 * time_s) ** 2 + noise).astype(np.float32)


@pytest.mark.parametrize("setting", [REFERENCE_LOG_MEL, VOICE])
@pytest.mark.parametrize("seconds", [3.0, 0.4])
def test_log_mel_equals_librosa(setting, seconds):
    sound = made_voice(setting.sample_rate_hz, seconds)
    power = librosa.feature.melspectrogram(
        y=sound,
        sr=setting.sample_rate_hz,
        n_fft=setting.n_fft,
        hop_length=setting.hop,
        n_mels=setting.bands,
        fmin=setting.low_hz,
        fmax=setting.high_hz,
    )
    np.testing.assert_allclose(
        voice_features.log_mel(sound, setting), librosa.power_to_db(power), rtol=0, atol=1e-4
    )


def test_reference_input_has_the_reference_shape_for_any_length():
    for seconds in (0.2, 2.0, 3.5, 9.0):
        assert voice_features.reference_input(made_voice(48_000, seconds)).shape == (128, 282)


def test_voice_input_ignores_the_recording_level():
    sound = made_voice(16_000, 3.0)
    loud, soft = voice_features.voice_input(sound), voice_features.voice_input(0.1 * sound)
    assert loud.shape == (96, 188, 1)
    np.testing.assert_allclose(loud, soft, atol=1e-2)


def test_windows_do_not_depend_on_how_the_sound_arrives():
    sound = made_voice(16_000, 7.3)

    def cut(block):
        windows = voice_features.SlidingWindows(16_000)
        found = []
        for start in range(0, len(sound), block):
            found += windows.push(sound[start : start + block])
        return found + list(windows.finish())

    whole, pieces = cut(len(sound)), cut(777)
    assert [w.start_s for w in whole] == [w.start_s for w in pieces]
    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
    assert whole[-1].start_s + 3.0 == pytest.approx(7.3)


def test_short_sound_gives_one_short_window():
    windows = voice_features.SlidingWindows(16_000)
    assert list(windows.push(np.ones(8_000, np.float32))) == []
    (only,) = windows.finish()
    assert (only.start_s, len(only.samples)) == (0.0, 8_000)


def test_no_sound_gives_no_window():
    assert list(voice_features.SlidingWindows(16_000).finish()) == []


def test_pooling_weighs_windows_and_survives_zero_weights():
    posteriors = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert log_mean(posteriors, np.array([1.0, 0.0])) == pytest.approx([0.9, 0.1])
    even = log_mean(posteriors, np.zeros(2))
    assert even == pytest.approx(log_mean(posteriors, np.ones(2)))
    assert even.sum() == pytest.approx(1)


def test_augmented_log_mel_keeps_shape_range_and_follows_its_seed():
    decibel = voice_features.log_mel(made_voice(16_000, 4.0), VOICE)
    for seed in range(20):
        first = augment_voice.augment_log_mel(np.random.default_rng(seed), decibel, 188)
        again = augment_voice.augment_log_mel(np.random.default_rng(seed), decibel, 188)
        assert first.shape == (96, 188)
        assert np.isfinite(first).all()
        assert first.max() - first.min() <= 80.001
        np.testing.assert_array_equal(first, again)


def test_mixup_keeps_targets_distributions():
    rng = np.random.default_rng(0)
    inputs, targets = augment.mixup(rng, np.ones((6, 3, 2), np.float32), np.eye(6)[:, :6], 0.4)
    assert inputs.shape == (6, 3, 2)
    np.testing.assert_allclose(targets.sum(1), 1)
