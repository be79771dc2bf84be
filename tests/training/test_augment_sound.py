import numpy as np
import pytest

from emorec.training import augment_sound as augment


def voice(seconds=3.0):
    time_s = np.arange(round(seconds * augment.RATE_HZ)) / augment.RATE_HZ
    rng = np.random.default_rng(0)
    return (np.sin(2 * np.pi * 200 * time_s) + rng.normal(0, 0.2, len(time_s))).astype(np.float32)


@pytest.mark.parametrize("seed", range(12))
def test_a_copy_is_finite_sound_of_its_own_and_always_the_same(seed):
    sound = voice(5.0)
    first, again = (augment.as_elsewhere(np.random.default_rng(seed), sound) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert 0.5 < len(first) / augment.RATE_HZ < augment.LONGEST_S * 1.13


def test_noise_stands_where_it_was_asked_for():
    sound = voice()
    noise = augment.with_noise(np.random.default_rng(0), sound, snr_db=20) - sound
    snr_db = 10 * np.log10(np.square(sound).mean() / np.square(noise).mean())
    assert snr_db == pytest.approx(20, abs=0.5)


def test_a_higher_pitch_is_a_shorter_sound():
    assert len(augment.at_another_pitch(voice(), 2)) < len(voice()) * 0.9


def test_a_room_rings_after_the_sound():
    click = np.zeros(16_000, np.float32)
    click[100] = 1
    assert np.abs(augment.in_a_room(np.random.default_rng(0), click)[200:]).max() > 0
