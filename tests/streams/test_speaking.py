"""Who speaks: made mouths against made loudness; and whose a window of the voice is."""

import numpy as np
import pytest

from emorec.faces.mouth import MouthTrack
from emorec.features.loudness import MOUTH_RATE_HZ, SILENT_DB, Loudness
from emorec.media.sound import SoundBlock
from emorec.streams.speaking import NOBODY, shares_of_windows, voice_of, who_speaks
from emorec.streams.windows import Findings

SECONDS = 12
TIMES_S = np.arange(SECONDS * 15) / MOUTH_RATE_HZ
SYLLABLES = np.abs(np.sin(2 * np.pi * 2 * TIMES_S))
LEVELS_DB = 20 * np.log10(0.01 + 0.2 * SYLLABLES)


def mouth(speaks: np.ndarray) -> MouthTrack:
    """A mouth that opens with the loudness where it speaks, and trembles else."""
    rng = np.random.default_rng(0)
    openings = np.where(speaks, 0.3 * SYLLABLES, 0.01 * rng.normal(size=TIMES_S.size))
    return MouthTrack(TIMES_S, openings, np.where(speaks, 1.2, 0.1))


def test_two_in_turn_are_told_apart_and_a_picture_never_speaks():
    is_first = TIMES_S < SECONDS / 2
    speakers = who_speaks([mouth(is_first), None, mouth(~is_first)], LEVELS_DB)
    true = np.where(is_first, 0, 2)
    assert (speakers == true).mean() > 0.9


def test_still_mouths_speak_not():
    nobody = np.zeros(TIMES_S.size, bool)
    assert (who_speaks([mouth(nobody)], LEVELS_DB) == NOBODY).all()
    assert (who_speaks([], LEVELS_DB) == NOBODY).all()
    assert len(who_speaks([mouth(nobody)], np.zeros(0))) == 0


def test_who_is_not_seen_does_not_speak():
    track = mouth(np.ones(TIMES_S.size, bool))
    seen = TIMES_S < 6
    part = MouthTrack(track.times_s[seen], track.openings[seen], track.changes[seen])
    speakers = who_speaks([part], LEVELS_DB)
    assert (speakers[:80] == 0).all() and (speakers[-80:] == NOBODY).all()


def test_windows_are_whose_most_of_the_sound_is():
    times_s = np.array([1.5, 4.5, 6.0, 10.5])
    posteriors = np.eye(7)[[0, 1, 2, 3]]
    voice = Findings(tuple("abcdefg"), times_s, posteriors, posteriors.mean(0), 3.0)
    speakers = np.where(TIMES_S < 6, 0, 1)
    shares = shares_of_windows(voice, speakers, LEVELS_DB, 2)
    assert shares[[0, 1, 3]] == pytest.approx(np.array([[1, 0], [1, 0], [0, 1]]))
    assert shares[2] == pytest.approx([0.5, 0.5], abs=0.05)
    second = voice_of(voice, np.ones(4), np.array([0.0, 0.1, 0.4, 1.0]))
    assert second.times_s.tolist() == [10.5] and second.pooled.argmax() == 3
    assert voice_of(voice, np.ones(4), np.zeros(4)) is None


def test_loudness_has_one_clock_whatever_the_blocks_and_silence_in_holes():
    rate_hz, rng = 16_000, np.random.default_rng(0)
    sound = (0.1 * rng.normal(size=2 * rate_hz)).astype(np.float32)
    whole, pieces = Loudness(rate_hz), Loudness(rate_hz)
    whole.add(SoundBlock(0.0, sound))
    for start in range(0, len(sound), 777):
        pieces.add(SoundBlock(start / rate_hz, sound[start : start + 777]))
    assert len(whole.levels_db) == 30
    np.testing.assert_allclose(whole.levels_db, pieces.levels_db, rtol=1e-5)
    assert whole.levels_db.mean() == pytest.approx(-20, abs=0.5)
    whole.add(SoundBlock(4.0, sound))
    levels_db = whole.levels_db
    assert len(levels_db) == 90 and (levels_db[31:59] == SILENT_DB).all()
