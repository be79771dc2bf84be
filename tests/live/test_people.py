"""Everybody live: numbers that last, who speaks, and no lag."""

import io
import threading

import numpy as np
import pytest
from faces.scenes import FRAME_S, beside
from helpers import PATIENCE_S, made_frames, made_voice, wait_for
from rich.console import Console

from emorec.cli import main
from emorec.emotions import COMMON7
from emorec.features.loudness import SILENT_DB
from emorec.live.engine import LiveCounts, LiveEngine, LiveVerdict
from emorec.live.people import LivePeople, LivePerson, RecentLoudness
from emorec.live.view import draw, panel, sentence

RATE_HZ = 8_000
STEP = round(FRAME_S * RATE_HZ)
TWO = (
    LivePerson(1, (40, 60, 50), "happy", 0.63, True),
    LivePerson(2, (200, 60, 50), None, 0, False),
)


def syllables(frames: int) -> np.ndarray:
    """Noise as loud as the mouths of the scenes are open, which go round in eleven frames."""
    openings = np.resize([0.0, 5.0, 12.0, 16.0, 11.0, 5.0, 2.0, 9.0, 15.0, 7.0, 1.0], frames)
    noise = np.random.default_rng(0).uniform(-1, 1, frames * STEP)
    return (0.002 + 0.02 * np.repeat(openings, STEP)) * noise


def shown(people, frames, sound):
    """Hand over a scene, each frame after its sound; return who was told of, frame by frame."""
    told = []
    for i, frame in enumerate(frames):
        people.hear(sound[i * STEP : (i + 1) * STEP], RATE_HZ, i * FRAME_S)
        told.append(people.take(i * FRAME_S, frame))
    return told


@pytest.fixture(scope="module")
def talk(recognizer):
    """Two people of whom the right one speaks, and then the left one."""
    right = beside(44, (3, 260, False), (5, 260, True))
    left = beside(60, (3, 260, True), (5, 260, False))
    people = LivePeople(recognizer)
    return shown(people, np.concatenate([right, left]), syllables(104)), people


def test_each_has_a_number_a_box_and_an_emotion(talk):
    told, people = talk
    assert all([one.number for one in moment] == [1, 2] for moment in told[15:])
    for person, middle in zip(told[-1], (140, 460), strict=True):
        x, y, side = person.box
        assert x + side / 2 == pytest.approx(middle, abs=40) and 30 < y < 200 and 100 < side < 260
    left = told[-1][0]
    assert left.emotion in COMMON7 and 1 / 7 <= left.confidence <= 1
    assert all(len(member._mouth) < 95 for member in people._members.values())


def test_who_speaks_is_told_and_changes(talk):
    told, _ = talk
    assert [one.number for one in told[43] if one.speaks] == [2]
    assert [one.number for one in told[-1] if one.speaks] == [1]


def test_in_silence_nobody_speaks_and_a_step_back_begins_anew(recognizer):
    people = LivePeople(recognizer)
    frames = beside(30, (3, 260, False), (5, 260, True))
    told = shown(people, frames, np.zeros(30 * STEP))
    assert len(told[-1]) == 2 and not any(one.speaks for moment in told for one in moment)
    assert people.take(29 * FRAME_S - 0.5, frames[0]) == told[-1], "a little late: passed over"
    assert people.take(0.0, frames[0]) == (), "long before: nobody is known"


def test_loudness_of_the_last_seconds_is_bounded_and_outlives_jumps():
    loudness = RecentLoudness()
    for second in range(20):
        loudness.add(np.full(RATE_HZ, 0.1 if second % 2 else 0.01), RATE_HZ, float(second))
    start_s, levels_db = loudness.until(19.5)
    assert start_s == pytest.approx(14) and len(levels_db) in (82, 83)
    np.testing.assert_allclose(levels_db[[3, 18]], [-40, -20], atol=1e-6)
    loudness.add(np.full(RATE_HZ, 0.1), RATE_HZ, 22.0)
    start_s, levels_db = loudness.until(23.0)
    assert levels_db[round((21 - start_s) * 15)] == SILENT_DB, "a hole is silence"
    for jump_s in (1e9, 3.0, 1e300):
        loudness.add(np.full(RATE_HZ, 0.1), RATE_HZ, jump_s)
        assert len(loudness.until(np.inf)[1]) <= 15


def test_the_engine_tells_of_everybody_where_it_is_asked_to(recognizer):
    before = threading.active_count()
    frames = beside(12, (3, 260, False), (5, 260, True))
    with LiveEngine(recognizer.for_everybody()) as engine:
        for i, frame in enumerate(frames):
            engine.push_frame(frame, i * FRAME_S)
            assert engine.drain(PATIENCE_S)
        engine.push_frame(frames[-1], 12 * FRAME_S)
        wait_for(lambda: len(engine.verdict().people) == 2)
        verdict = engine.verdict()
        assert not any(one.speaks for one in verdict.people), "there is no sound"
        assert "face" in verdict.probabilities and verdict.face_box is not None
    assert threading.active_count() == before


def test_whoever_follows_everybody_too_slowly_holds_nothing_up(recognizer, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(LivePeople, "take", lambda *_: release.wait(PATIENCE_S) and TWO)
    with LiveEngine(recognizer.for_everybody()) as engine:
        for i, frame in enumerate(made_frames(30, 60, 80)):
            engine.push_frame(frame, i * FRAME_S)
            wait_for(lambda: not engine._frames._items)
        engine.push_sound(made_voice(1.0, 16_000), 16_000, 1.0)
        wait_for(lambda: engine.counts.taken + engine.counts.dropped == 30 and engine._heard)
        assert len(engine._people._frames._items) <= 2 and engine.counts.people_dropped >= 27
        release.set()
        moment = iter(range(1_000))

        def push() -> tuple:
            time_s, voice = 1 + next(moment) / 10, made_voice(0.1, 16_000)
            engine.push_sound(voice, 16_000, time_s)
            engine.push_frame(frame, time_s + 1)
            assert engine.drain(PATIENCE_S)
            return engine.verdict().people

        wait_for(lambda: push() == TWO)


def test_without_being_asked_it_follows_one(engine):
    assert engine._people is None
    assert LiveVerdict(0.0, {}).people == () and engine.counts.people_dropped == 0


def test_everybody_is_shown():
    said = np.full(7, 1 / 7, np.float32)
    verdict = LiveVerdict(1.0, {"fused": said}, (0, 0, 9), people=TWO)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(panel(verdict, LiveCounts(9, 0, 1.0, 0.0, 9, 0.1, 0.1, 4), 15.0, 100))
    text = console.export_text()
    assert "1 speaks  happy 63 %" in text and "(4 of everybody)" in text
    assert sentence(verdict).endswith("2 people, 1 speaks")
    picture = draw(np.zeros((240, 320), np.uint8), verdict)
    assert picture[85, 40].tolist() == [8, 200, 240]
    assert picture[85, 200].tolist() == [255, 255, 255], "no emotion: white"
    assert picture[85, 41].any() and not picture[85, 202].any(), "who speaks has the thicker box"
    assert not picture[5, 0].any(), "the main face has no box beside its own"


def test_the_command_asks_for_everybody(models, monkeypatch, capsys):
    asked = []

    def begin(recognizer):
        asked.append(recognizer.purpose.everybody)
        raise KeyboardInterrupt

    monkeypatch.setattr("emorec.live.engine.LiveEngine", begin)
    for options in (["--people"], []):
        main(["live", "--models", str(models), "--no-microphone", *options])
    assert asked == [True, False]
    with pytest.raises(SystemExit):
        main(["live", "--people", "--no-camera"])
    assert "--people needs a picture" in capsys.readouterr().err
