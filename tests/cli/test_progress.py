"""How far a batch is, where no terminal is."""

from pathlib import Path

import pytest

from emorec.cli import progress
from emorec.cli.progress import BatchProgress
from emorec.result.clip import ClipResult


@pytest.fixture(autouse=True)
def every_ten_seconds(monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY_S", 10.0)


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def test_a_line_every_ten_seconds_inside_a_clip_too(capsys):
    clock = Clock()
    with BatchProgress("Classifying", 4, now=clock) as told:
        for clock.now_s in (1.0, 9.0, 11.0, 12.0):
            told.watch(clock.now_s * 6)
        assert capsys.readouterr().err == (
            "emorec: 0 of 4 clips, 1:06 read (1:06 of this clip), 6.0 s/s\n"
        )
        told.finished(ClipResult(Path("a.mp4"), "ok", duration_s=100.0))
        clock.now_s = 22.0
        told.finished(ClipResult.failed("b.mp4", "it is empty", "record it"))
    assert capsys.readouterr().err == (
        "emorec: 2 of 4 clips, 1:40 read, 4.5 s/s, 2 without a verdict, about 0:22 left\n"
    )


def test_a_short_batch_says_nothing(capsys):
    with BatchProgress("Classifying", 1) as told:
        told.watch(3.0)
        told.finished(ClipResult(Path("a.mp4"), "ok", duration_s=3.0))
    assert capsys.readouterr().err == ""


def test_a_quiet_one_says_nothing(capsys):
    clock = Clock()
    with BatchProgress("Classifying", 1, is_quiet=True, now=clock) as told:
        clock.now_s = 30.0
        told.watch(3.0)
    assert capsys.readouterr().err == ""
