"""Benchmarks: what they measure is a longer clip, in the repository, written as a whole."""

import contextlib
import json
import sys

import numpy as np
import pandas as pd
import pytest
from helpers import made_frames, made_tone, write_clip

from emorec.benchmarks import clip as clip_benchmark
from emorec.benchmarks import peers, soak
from emorec.benchmarks.visitor import DEEDS
from emorec.emotions import COMMON7
from emorec.media.reader import probe


def test_a_looped_clip_is_as_long_as_asked_for(tmp_path):
    short = write_clip(tmp_path / "short.mp4", made_frames(25), made_tone(1.0))
    clip_benchmark.loop_clip(short, tmp_path / "long.mkv", 5)
    assert 5 <= probe(tmp_path / "long.mkv").duration_s < 6.5


def test_measured_processes_run_where_models_and_examples_lie():
    look = "from pathlib import Path; print(Path('Models').is_dir(), Path('DEMO').is_dir())"
    assert clip_benchmark._quietly([sys.executable, "-c", look]) == "True True\n"


def test_a_measured_process_that_fails_ends_the_measurement():
    with pytest.raises(RuntimeError, match="no clip"):
        clip_benchmark._quietly([sys.executable, "-c", "raise SystemExit('no clip')"])


def test_what_was_measured_is_written_and_printed(tmp_path, monkeypatch, capsys):
    committed = tmp_path / "benchmark.json"
    known = json.loads(clip_benchmark.COMMITTED.read_text(encoding="utf-8"))
    known["classify_to_bare_decoding"]["clip"]["ratio"] = 2.12
    known["classify_to_bare_decoding"]["one_minute"]["ratio"] = 2.06
    before = json.dumps(known)
    committed.write_text(before, encoding="utf-8")
    monkeypatch.setattr(clip_benchmark, "COMMITTED", committed)
    slower = json.loads(before)
    slower["classify_to_bare_decoding"]["clip"]["ratio"] *= 1.3
    monkeypatch.setattr(clip_benchmark, "measure", lambda *_: slower)
    assert clip_benchmark.main(["any.mp4"]) == 0
    printed = capsys.readouterr()
    (new,) = tmp_path.glob("benchmark-*.json")
    assert json.loads(new.read_text()) == json.loads(printed.out) == slower
    assert committed.read_text(encoding="utf-8") == before
    assert "a clip to bare decoding: 2.76, 1.30 times the committed 2.12, WORSE" in printed.err
    assert "a minute to bare decoding: 2.06, 1.00 times the committed 2.06\n" in printed.err
    assert clip_benchmark.main(["any.mp4", "--check"]) == 1
    assert clip_benchmark.main(["any.mp4", "--replace"]) == 0
    assert json.loads(committed.read_text()) == slower
    assert clip_benchmark.main(["any.mp4", "--check"]) == 0  # as the committed ones are now


def test_the_soak_tells_growth_from_noise(tmp_path, monkeypatch, capsys):
    before = {"memory_mb": 700.0, "open_files": 10, "threads": 9, "temporary_files": 1}
    after = {"memory_mb": 800.0, "open_files": 18, "threads": 5, "temporary_files": 2}
    assert soak.grown(before, before) == {}
    assert soak.grown(before, after) == {"temporary_files": 1}
    states = iter([before, after])
    monkeypatch.setattr(soak, "_server", lambda *_: contextlib.nullcontext(StillServer()))
    monkeypatch.setattr(soak, "_settled", lambda _: next(states))
    monkeypatch.setattr(soak, "Visitor", QuickVisitor)
    output = tmp_path / "soak.json"
    arguments = ["--minutes", "0.001", "--clients", "2", "--output", str(output)]
    assert soak.main(arguments) == 1
    written = json.loads(output.read_text())
    assert written == json.loads(capsys.readouterr().out)
    assert written["grown"] == {"temporary_files": 1}
    assert set(written["deeds"]) <= {f"{deed}: done" for deed in DEEDS}
    assert {"read: RuntimeError: 500", "Traceback (most recent call last):"} <= set(
        written["problems"]
    )


class StillServer:
    place, said = "nowhere:1", ["Traceback (most recent call last):\n"]

    def state(self):
        return {"memory_mb": 900.0, "open_files": 20, "threads": 30, "temporary_files": 5}


class QuickVisitor:
    """Does everything but read, which fails."""

    def __init__(self, *_):
        pass

    def __getattr__(self, deed):
        if deed not in DEEDS:
            raise AttributeError(deed)
        return self._fail if deed == "read" else lambda: "done"

    def _fail(self):
        raise RuntimeError("500")


def _faces_of(mood):
    """What a detector like `fer`'s says of a frame: a small face, and a larger one."""
    others = dict.fromkeys(COMMON7, 0.0) | {"sad": 1.0}
    small = {"box": np.array([0, 0, 20, 20]), "emotions": others}
    return [small, {"box": np.array([30, 0, 40, 40]), "emotions": mood}]


def test_a_peers_verdict_is_the_mean_over_the_frames_with_a_face(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", made_frames(4))
    sure, less = ({e: float(e == "happy") * p for e in COMMON7} for p in (1.0, 0.5))
    said = iter([_faces_of(sure), [], _faces_of(less), []])
    posterior = peers.mean_over_frames(clip, lambda _: next(said))
    assert posterior[COMMON7.index("happy")] == 0.75 and posterior.sum() == 0.75
    assert np.ptp(peers.mean_over_frames(clip, lambda _: [])) == 0


def test_both_read_each_clip_in_turn(tmp_path):
    paths = [str(write_clip(tmp_path / f"{n}.mp4", made_frames(2))) for n in range(2)]
    clips = pd.DataFrame({"path": paths, "clip_id": ["a", "b"]})
    turns = []
    posteriors, seconds = peers.measure(
        clips, lambda _: turns.append("peer") or [], lambda path: turns.append(path)
    )
    assert turns == ["peer", "peer", paths[0], "peer", "peer", paths[1]]
    assert posteriors.shape == (2, 7) and list(seconds["clip_id"]) == ["a", "b"]
