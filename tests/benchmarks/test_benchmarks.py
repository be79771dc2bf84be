"""Benchmarks: what they measure is a longer clip, in the repository, written as a whole."""

import json
import sys

import pytest
from helpers import made_frames, made_tone, write_clip

from emorec.benchmarks import clip as clip_benchmark
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
    monkeypatch.setattr(clip_benchmark, "measure", lambda *_: {"clips_per_s": 2.5})
    output = tmp_path / "benchmark.json"
    assert clip_benchmark.main(["any.mp4", "--output", str(output)]) == 0
    assert json.loads(output.read_text()) == json.loads(capsys.readouterr().out)
