"""Channels that cancel each other, offsets and levels: what is heard is what was said."""

import numpy as np
import pytest
from helpers import made_tone, made_voice, write_clip

from emorec.media.reader import ClipReader, read_sound
from emorec.media.sound import Mixer

RATE_HZ = 48_000


def read(tmp_path, sound, layout="stereo", codec="pcm_f32le", suffix="wav"):
    path = tmp_path / f"clip.{suffix}"
    write_clip(path, sound=sound, audio_codec=codec, layout=layout)
    return read_sound(path, RATE_HZ)[: sound.shape[-1]]


def noise(count: int, seed: int, level: float = 0.02) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, count).astype(np.float32)


@pytest.mark.parametrize(
    ("codec", "suffix"), [("pcm_f32le", "wav"), ("pcm_s16le", "wav"), ("flac", "flac")]
)
def test_an_inverted_channel_is_turned_back(tmp_path, codec, suffix):
    voice = made_voice(2.0)
    heard = read(tmp_path, np.stack([voice, -voice]), codec=codec, suffix=suffix)
    np.testing.assert_allclose(np.abs(heard), np.abs(voice), atol=1e-4)
    # One polarity throughout: it never jumps.
    loud = np.abs(voice) > 0.01
    assert len(set(np.sign(heard[loud] * voice[loud]))) == 1


def test_an_inverted_channel_that_was_compressed(tmp_path):
    voice = made_voice(2.0)
    heard = read(tmp_path, np.stack([voice, -voice]), codec="aac", suffix="mp4")
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(np.sqrt(np.mean(voice**2)), rel=0.05)


@pytest.mark.parametrize("gain", [0.5, 0.8, 1.0])
def test_an_inverted_channel_may_be_quieter_and_noisy(tmp_path, gain):
    voice = made_voice(2.0)
    left, right = voice + noise(voice.size, 1, 0.001), -gain * voice + noise(voice.size, 2, 0.001)
    heard = read(tmp_path, np.stack([left, right]))
    share = np.abs(np.corrcoef(heard, voice)[0, 1])
    assert share > 0.999
    assert np.sqrt(np.mean(heard**2)) >= 0.25 * np.sqrt(np.mean(voice**2))


def test_a_channel_of_six_may_be_inverted(tmp_path):
    voice = made_voice(1.0)
    sound = np.zeros((6, voice.size), np.float32)
    sound[0], sound[1] = voice, -voice
    heard = read(tmp_path, sound, layout="5.1")
    np.testing.assert_allclose(np.abs(heard), np.abs(voice) / 3, atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda v: np.stack([v, v]),
        lambda v: np.stack([v, np.zeros_like(v)]),
        lambda v: np.stack([v, 0.3 * np.roll(v, 900)]),
        lambda v: np.stack([v + noise(v.size, 1), v + noise(v.size, 2)]),
        lambda v: np.stack([v + noise(v.size, 1), v - noise(v.size, 1)]),
        lambda v: np.stack([noise(v.size, 1), noise(v.size, 2)]),
        lambda v: np.stack(
            [made_tone(v.size / RATE_HZ), made_tone(v.size / RATE_HZ, frequency_hz=441)]
        ),
        lambda v: np.stack([1e-4 * v, -1e-4 * v]),
        lambda v: np.zeros((2, v.size), np.float32),
    ],
    ids=[
        "same",
        "one",
        "echo",
        "noise",
        "far-off noise",
        "apart",
        "beating",
        "too quiet",
        "silent",
    ],
)
def test_every_other_recording_is_mixed_as_it_is(tmp_path, make):
    sound = make(made_voice(1.5))
    np.testing.assert_array_equal(read(tmp_path, sound), sound.mean(0, dtype=np.float32))


def test_a_voice_that_follows_an_inverted_hum_is_whole():
    voice, hum = made_voice(2.0), 0.1 * made_tone(2.0, frequency_hz=50)
    sound = np.concatenate([np.stack([hum, -hum]), np.stack([voice, voice])], axis=1)
    mixer = Mixer()
    heard = np.concatenate([mixer.mix(part) for part in np.array_split(sound, 200, axis=1)])
    late = slice(hum.size + RATE_HZ // 4, None)
    np.testing.assert_allclose(np.abs(heard[late]), np.abs(sound.mean(0)[late]), atol=1e-6)


def test_samples_that_are_no_numbers_do_not_turn_anything():
    mixer, voice = Mixer(), made_voice(0.5)
    broken = np.stack([voice, voice])
    broken[0, :100] = np.nan
    assert np.isfinite(mixer.mix(broken)).all()
    np.testing.assert_array_equal(mixer.mix(np.stack([voice, voice])), voice)


@pytest.mark.parametrize("loud", [1e30, -3e38, np.inf, -np.inf, np.nan])
def test_samples_that_no_sound_has_are_bounded(loud):
    voice = made_voice(0.5)
    broken = np.stack([voice, voice])
    broken[:, 100] = loud
    with np.errstate(all="raise"):
        mono = Mixer().mix(broken)
        assert np.isfinite(mono**2 * mono.size).all()
    rest = np.arange(voice.size) != 100
    np.testing.assert_array_equal(mono[rest], voice[rest])


@pytest.mark.parametrize(
    ("codec", "has_limit"),
    [
        ("pcm_f32le", False),
        ("pcm_f64le", False),
        ("pcm_s16le", True),
        ("pcm_u8", True),
        ("pcm_s32le", True),
    ],
)
def test_only_whole_numbers_have_a_limit(tmp_path, codec, has_limit):
    write_clip(tmp_path / "a.wav", sound=made_voice(1.0), audio_codec=codec)
    blocks = list(ClipReader(tmp_path / "a.wav"))
    assert blocks
    assert {block.has_limit for block in blocks} == {has_limit}
