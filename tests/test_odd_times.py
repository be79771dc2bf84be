"""Clips whose tracks begin late or whose time stamps jump: classified, annotated, played live."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import PATIENCE_S, made_voice, rewrite, wait_for, write_clip
from test_bad_input import face_frames

from emorec.emotions import COMMON7
from emorec.live.engine import LiveEngine
from emorec.live.sources import FileSource
from emorec.media.reader import probe, read_frames
from emorec.paths import REPOSITORY
from emorec.report.video import annotate
from emorec.streams.windows import Findings


def lying_clip(path: Path, first: int, jump_s: float) -> Path:
    """A face of 1.6 s whose frames from one on are stamped far ahead."""
    honest = write_clip(
        path.with_name("honest.mkv"), face_frames(40), made_voice(1.6), video_codec="mpeg4"
    )
    return rewrite(
        honest,
        path,
        shift_s=lambda kind, t: jump_s if kind == "video" and t > first / 25 - 0.01 else 0.0,
    )


@pytest.fixture(scope="module")
def plain(recognizer, tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "plain.mkv"
    return recognizer.classify(lying_clip(path, 40, 0.0))


@pytest.mark.parametrize("first", [25, 39])
@pytest.mark.parametrize("jump_s", [1e5, 1e6])
def test_frames_stamped_days_ahead_leave_the_verdict_as_it_is(
    recognizer, plain, tmp_path, first, jump_s
):
    path, out = lying_clip(tmp_path / "lie.mkv", first, jump_s), tmp_path / "out.mp4"
    result = annotate(path, out, recognizer)
    assert result.duration_s == pytest.approx(plain.duration_s, abs=0.1)
    for stream, posterior in plain.posteriors.items():
        np.testing.assert_allclose(result.posteriors[stream], posterior, atol=1e-4)
        assert len(result.windows[stream].times_s) == len(plain.windows[stream].times_s)
    assert any("jump ahead" in note for note in result.notes)
    assert probe(out).duration_s == pytest.approx(1.6, abs=0.3)


MEMORY_PROGRAM = """
import sys
from pathlib import Path
from emorec import Recognizer
result = Recognizer.load(sys.argv[1]).classify(sys.argv[2])
status = Path("/proc/self/status").read_text()
print(result.emotion is not None, status.split("VmHWM:")[1].split()[0])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_clip_that_claims_days_takes_under_400_mb(models, tmp_path):
    path = lying_clip(tmp_path / "lie.mkv", 25, 1e6)
    command = [sys.executable, "-c", MEMORY_PROGRAM, str(models), str(path)]
    output = subprocess.run(
        command, cwd=REPOSITORY, check=True, capture_output=True, timeout=PATIENCE_S
    ).stdout.split()
    assert output[0] == b"True"
    assert int(output[1]) < 400_000


def test_the_timeline_has_steps_only_where_something_was_found(recognizer):
    classes = recognizer.networks["face"].spec.classes
    shares = np.full((2, len(classes)), 1 / len(classes), np.float32)
    found = Findings(classes, np.array([0.25, 1e9 + 0.25]), shares, shares[0], 0.5)
    fused = recognizer.judge.of_clip({"face": found}, 1e9 + 1.0)["windows"]["fused"]
    np.testing.assert_array_equal(fused.times_s, [0.25, 0.75, 1e9 - 0.25, 1e9 + 0.25, 1e9 + 0.75])


@pytest.fixture(scope="module")
def joined(tmp_path_factory) -> Path:
    """Two recordings of 1.6 s in one transport stream, each with a clock of its own."""
    folder = tmp_path_factory.mktemp("joined")
    part = write_clip(
        folder / "part.ts",
        face_frames(40),
        made_voice(1.6),
        video_codec="mpeg2video",
        audio_codec="mp2",
    )
    path = folder / "joined.ts"
    path.write_bytes(2 * part.read_bytes())
    return path


def test_of_joined_recordings_both_faces_are_judged(recognizer, joined, tmp_path):
    out = tmp_path / "out.mp4"
    result = annotate(joined, out, recognizer)
    assert result.windows["face"].times_s[-1] > 2.7
    assert result.duration_s == pytest.approx(3.2, abs=0.2)
    assert any("starts again" in note for note in result.notes)
    assert probe(out).duration_s == pytest.approx(3.2, abs=0.3)
    assert sum(len(batch.frames) for batch in read_frames(out)) >= 78


def test_joined_recordings_are_played_one_after_the_other(recognizer, joined):
    with LiveEngine(recognizer) as engine, FileSource(engine, joined) as source:
        wait_for(lambda: source.has_ended)
        assert engine.drain(PATIENCE_S)
        assert engine.verdict().time_s == pytest.approx(3.2, abs=0.3)
        assert engine.counts.taken + engine.counts.dropped >= 78
        assert "starts again" in source.problem


def brightness(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times of a video's frames, and the mean brightness of the middle of its left part."""
    times_s, levels = [], []
    for batch in read_frames(path, max_side_px=9999):
        times_s += batch.times_s.tolist()
        levels += batch.frames[:, 40:320, 40:300].mean((1, 2)).tolist()
    return np.array(times_s), np.array(levels)


@pytest.mark.parametrize("late_s", [3.0, 14.0])
def test_a_picture_that_begins_late_is_drawn_where_it_belongs(recognizer, tmp_path, late_s):
    path, out = tmp_path / "late.mkv", tmp_path / "out.mp4"
    write_clip(
        path,
        face_frames(25),
        made_voice(late_s + 1),
        video_codec="mpeg4",
        frame_times_s=(late_s + np.arange(25) / 25).tolist(),
    )
    result = annotate(path, out, recognizer)
    assert result.windows["face"].times_s[0] >= late_s
    assert f"no picture until {late_s:.1f} s" in result.notes
    times_s, levels = brightness(out)
    assert times_s[0] == pytest.approx(0, abs=0.05)
    assert times_s[-1] == pytest.approx(late_s + 1, abs=0.2)
    assert np.diff(times_s).max() < 0.1
    assert levels[times_s < late_s - 0.1].max() < 5
    assert levels[times_s > late_s + 0.1].min() > 40


def test_a_picture_that_breaks_off_is_followed_by_black(recognizer, tmp_path):
    path, out = tmp_path / "short.mkv", tmp_path / "out.mp4"
    write_clip(path, face_frames(40), made_voice(5.0), video_codec="mpeg4")
    result = annotate(path, out, recognizer)
    assert "no picture from 1.6 s on" in result.notes
    times_s, levels = brightness(out)
    assert times_s[-1] == pytest.approx(5.0, abs=0.2)
    assert levels[times_s < 1.5].min() > 40
    assert levels[times_s > 1.7].max() < 5


def test_a_voice_after_a_hole_is_judged_at_its_own_time(recognizer, tmp_path):
    path = tmp_path / "hole.mkv"
    frames = np.broadcast_to(face_frames(1), (18 * 5, 360, 640, 3))
    whole = write_clip(
        tmp_path / "whole.mkv", frames, made_voice(18.0), video_codec="mpeg4", frame_rate_hz=5
    )
    rewrite(whole, path, lambda kind, t: kind == "video" or not 3 <= t < 15)
    result = recognizer.classify(path)
    times_s = result.windows["voice"].times_s
    assert times_s[-1] == pytest.approx(16.5, abs=0.1)
    assert not ((times_s > 3) & (times_s < 15)).any()
    assert "no sound from 3.0 to 15.0 s" in result.notes
    assert set(COMMON7) == set(result.probabilities.columns)
