"""The voice stream hears speech alone, as a clip and live alike, and says what it left out."""

import numpy as np
import pytest
from helpers import made_voice

from emorec.media.sound import SoundBlock
from emorec.streams.voice import NO_SPEECH, SILENT, LiveVoice, VoiceStream

RATE_HZ = 16_000


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.003, round(seconds * RATE_HZ)).astype(np.float32)


def clip_and_live(network, sound: np.ndarray):
    """What both forms make of a sound at 16 kHz that comes in blocks of half a second."""
    clip, live = VoiceStream(network), LiveVoice(network)
    for start in range(0, sound.size, 8_000):
        block = sound[start : start + 8_000]
        clip.add(SoundBlock(start / RATE_HZ, block))
        live.push(block, RATE_HZ, start / RATE_HZ)
        live.predict()
    return clip, clip.finish(), live


@pytest.fixture(scope="module")
def network(recognizer):
    return recognizer.networks["voice"]


def test_noise_is_no_voice(network):
    clip, found, live = clip_and_live(network, noise(5.0))
    assert found is None
    assert clip.notes == [NO_SPEECH]
    assert (live.posterior, live.pooled(), live.lack) == (None, None, NO_SPEECH)
    assert live.has_sounded


def test_silence_is_called_silence(network):
    clip, found, live = clip_and_live(network, np.zeros(5 * RATE_HZ, np.float32))
    assert found is None
    assert clip.notes == [SILENT]
    assert (live.pooled(), live.lack, live.has_sounded) == (None, SILENT, False)


@pytest.mark.parametrize(("before_s", "after_s"), [(0.0, 9.0), (6.0, 0.0), (6.3, 7.7)])
def test_windows_without_speech_are_left_out_of_both_and_counted(network, before_s, after_s):
    sound = np.concatenate([noise(before_s), made_voice(4.0, RATE_HZ), noise(after_s)])
    clip, found, live = clip_and_live(network, sound)
    assert found.times_s.min() > before_s - 1.5
    assert found.times_s.max() < before_s + 4.0 + 1.5
    np.testing.assert_allclose(live.pooled(), found.pooled, atol=1e-4)
    (note,) = clip.notes
    left_out_s, of_s = (float(word) for word in note.split() if word[0].isdigit())
    assert note.startswith("no speech in ")
    assert of_s == pytest.approx(sound.size / RATE_HZ, abs=0.06)
    # At either side a window reaches about two seconds out of the speech.
    reach_s = min(before_s, 2.2) + min(after_s, 2.2)
    assert left_out_s == pytest.approx(before_s + after_s - reach_s, abs=0.8)


def test_a_voice_throughout_has_no_note(network):
    clip, found, _ = clip_and_live(network, made_voice(5.0, RATE_HZ))
    assert clip.notes == []
    assert len(found.times_s) == 3  # one a second


@pytest.mark.parametrize("offset", [0.002, 0.02, -0.02, 0.5, 1.0])
def test_a_constant_offset_is_silence(network, offset):
    clip, found, live = clip_and_live(network, np.full(5 * RATE_HZ, offset, np.float32))
    assert found is None
    assert clip.notes == [SILENT]
    assert (live.pooled(), live.lack, live.has_sounded) == (None, SILENT, False)


def test_a_short_offset_is_silence_too(network):
    clip, found, live = clip_and_live(network, np.full(RATE_HZ // 2 + 333, 0.3, np.float32))
    assert (found, clip.notes) == (None, [SILENT])
    assert (live.pooled(), live.has_sounded) == (None, False)


@pytest.mark.parametrize("offset", [0.02, -0.2])
def test_an_offset_changes_nothing_of_a_voice(network, offset):
    voice = made_voice(4.0, RATE_HZ)
    _, plain, _ = clip_and_live(network, voice)
    _, found, live = clip_and_live(network, voice + np.float32(offset))
    np.testing.assert_allclose(found.pooled, plain.pooled, atol=1e-3)
    np.testing.assert_allclose(live.pooled(), found.pooled, atol=1e-4)


def test_noise_on_an_offset_is_no_voice(network):
    clip, found, _ = clip_and_live(network, noise(5.0) + np.float32(0.02))
    assert (found, clip.notes) == (None, [NO_SPEECH])


@pytest.mark.parametrize("has_limit", [True, False])
def test_only_what_has_a_limit_is_clipped(network, has_limit):
    sound = np.clip(10 * made_voice(4.0, RATE_HZ), -1, 1)
    clip = VoiceStream(network)
    for start in range(0, sound.size, 8_000):
        clip.add(SoundBlock(start / RATE_HZ, sound[start : start + 8_000], has_limit))
    clip.finish()
    assert any("clipped" in note for note in clip.notes) == has_limit
