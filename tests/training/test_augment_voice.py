import numpy as np
import pandas as pd
import pytest

from emorec.emotions import RAVDESS8
from emorec.features import voice as voice_features
from emorec.training import voice as voice_training
from emorec.training.augment_voice import (
    VoiceAugmenter,
    VoiceStrength,
    as_another_recording,
    as_another_voice,
)
from emorec.training.fit import Cycle

BANDS = 96
STILL = VoiceStrength(other_voice=0, tempo=0, shift_bands=0, microphone=0, noise=0, room=0, codec=0)


def made_takes() -> tuple[list[np.ndarray], pd.DataFrame]:
    """Four speakers, each with a spectrum of his own, three emotions, two takes of each."""
    rng = np.random.default_rng(0)
    spectra = rng.normal(0, 6, (4, BANDS, 1))
    takes, rows = [], []
    for speaker, spectrum in enumerate(spectra):
        for emotion in ("angry", "happy", "sad"):
            for length in (150, 230):
                takes.append((spectrum + rng.normal(-20, 2, (BANDS, length))).astype(np.float32))
                rows.append({"speaker": f"speaker-{speaker}", "emotion": emotion})
    return takes, pd.DataFrame(rows)


@pytest.mark.parametrize("augmentation", [as_another_voice, as_another_recording])
def test_windows_have_their_shape_and_range_and_follow_their_seed(augmentation):
    takes, table = made_takes()
    draw = augmentation(takes, table)
    for take in range(len(takes)):
        first = draw(np.random.default_rng(take), take, 188)
        again = draw(np.random.default_rng(take), take, 188)
        assert first.shape == (BANDS, 188)
        assert np.isfinite(first).all()
        assert first.max() - first.min() <= 80.001
        np.testing.assert_array_equal(first, again)


def test_frames_are_the_take_s_own():
    takes, table = made_takes()
    take = takes[1]
    window = VoiceAugmenter(takes, table, STILL).draw(np.random.default_rng(0), 1, 188)
    starts = [s for s in range(take.shape[1] - 187) if np.array_equal(take[:, s : s + 188], window)]
    assert len(starts) == 1


def test_a_short_take_stands_within_silence():
    takes, table = made_takes()
    window = VoiceAugmenter(takes, table, STILL).draw(np.random.default_rng(0), 0, 188)
    is_silent = (window == takes[0].min()).all(0)
    assert is_silent.sum() == 188 - takes[0].shape[1]


def test_another_voice_no_longer_tells_the_speaker():
    takes, table = made_takes()
    only_voices = VoiceStrength(
        other_voice=1, tempo=0, shift_bands=0, microphone=0, noise=0, room=0, codec=0
    )

    def distance_between_speakers(strength):
        augmenter = VoiceAugmenter(takes, table, strength)
        rng = np.random.default_rng(0)
        drawn = [augmenter.draw(rng, take, 100).mean(1) for take in range(24) for _ in range(60)]
        of_speakers = np.stack(drawn).reshape(4, 6 * 60, BANDS).mean(1)
        of_speakers -= of_speakers.mean(1, keepdims=True)  # the level, which no network sees
        return np.linalg.norm(of_speakers - of_speakers.mean(0))

    assert distance_between_speakers(only_voices) < 0.2 * distance_between_speakers(STILL)


def test_a_network_trains_on_synthetic_voices(tmp_path):
    rng = np.random.default_rng(0)
    seconds = (
        np.arange(2 * voice_features.VOICE.sample_rate_hz) / voice_features.VOICE.sample_rate_hz
    )
    table = pd.DataFrame(
        {"speaker": ["a", "a", "b", "b"], "emotion": [RAVDESS8[0], RAVDESS8[1]] * 2}
    )
    sounds = [
        (np.sin(2 * np.pi * hz * seconds) + rng.normal(0, 0.01, len(seconds))).astype(np.float32)
        for hz in (110, 440, 220, 880)
    ]
    training = voice_training.VoiceTraining(
        cycles=(Cycle(1, 1e-3, 0.3),), augmentation=as_another_voice
    )
    network = voice_training.train_voice_network(table, sounds, tmp_path, training)
    posterior = voice_training.clip_posteriors(network, sounds)
    assert posterior.shape == (4, 8)
    np.testing.assert_allclose(posterior.sum(1), 1, rtol=1e-5)
