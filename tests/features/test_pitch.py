"""Pitch: of buzzes of known pitch, of noise, across blocks and holes."""

import numpy as np
import pytest

from emorec.features.pitch import SAMPLE_RATE_HZ, PitchTrack, track_pitch
from emorec.media.sound import SoundBlock


def buzz(hz, seconds=1.0):
    times_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return sum(0.2 / n * np.sin(2 * np.pi * hz * n * times_s) for n in range(1, 7)).astype("f4")


@pytest.mark.parametrize("hz", [75, 120, 210, 333, 450])
def test_a_buzz_has_its_pitch(hz):
    track = track_pitch([SoundBlock(0.0, buzz(hz))])
    assert np.isfinite(track.hz).all()
    assert track.hz == pytest.approx(hz, rel=0.01)


@pytest.mark.parametrize("sound", [np.zeros(8000), np.random.default_rng(0).normal(0, 0.1, 8000)])
def test_silence_and_noise_have_none(sound):
    assert np.isfinite(track_pitch([SoundBlock(0.0, sound.astype("f4"))]).hz).mean() < 0.05


def test_blocks_change_nothing_and_a_hole_keeps_its_length():
    sound = buzz(150, 2.0)
    whole = track_pitch([SoundBlock(0.0, sound)])
    pieces = track_pitch(SoundBlock(i / 8000, sound[i : i + 700]) for i in range(0, 16_000, 700))
    assert pieces.times_s == pytest.approx(whole.times_s)
    assert pieces.hz == pytest.approx(whole.hz, abs=1e-3)
    torn = track_pitch([SoundBlock(0.0, sound[:8000]), SoundBlock(9.0, sound[:8000])])
    assert torn.times_s[-1] > 9.9
    assert not ((torn.times_s > 1.0) & (torn.times_s < 9.0)).any()


def test_a_stretch_without_a_voice_has_no_median():
    track = PitchTrack(np.array([0.1, 0.2, 1.1]), np.array([100, 120, np.nan], "f4"))
    assert track.medians([0, 1, 5], [1, 2, 6])[0] == pytest.approx(110)
    assert np.isnan(track.medians([1, 5], [2, 6])).all()


def test_no_sound_has_no_track():
    assert len(track_pitch([]).hz) == 0
