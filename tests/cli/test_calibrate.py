"""`emorec classify --calibrate`: getting to know a person first."""

import csv
import shutil

import numpy as np
import pytest
from helpers import made_voice, write_clip

from emorec.cli import main
from emorec.paths import REPOSITORY
from emorec.recognizer import Recognizer

EXAMPLES = sorted((REPOSITORY / "DEMO" / "Examples").glob("*.mp4"))
KNOWN = EXAMPLES[1:3]
"""Clips of one person, in two moods."""


@pytest.fixture
def person(tmp_path):
    """A folder with clips of one person."""
    folder = tmp_path / "person"
    folder.mkdir()
    for clip in KNOWN:
        shutil.copy(clip, folder)
    return folder


def confidences(file) -> list[float]:
    with file.open(newline="") as rows:
        return [float(row["confidence"]) for row in csv.DictReader(rows)]


@pytest.fixture(scope="module")
def expected() -> tuple[float, float]:
    """The first example's confidence: said by who knows the person, and as shipped."""
    shipped = Recognizer.load()
    plain = shipped.classify(EXAMPLES[0]).confidence
    return shipped.calibrate(KNOWN).classify(EXAMPLES[0]).confidence, plain


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_it_says_what_the_calibrated_recogniser_says(person, expected, tmp_path, capfd, jobs):
    out = tmp_path / "rows.csv"
    options = ["--csv", str(out), "--jobs", jobs]
    assert main(["classify", str(EXAMPLES[0]), "--calibrate", str(person), *options]) == 0
    calibrated, plain = expected
    assert confidences(out) == pytest.approx([calibrated], abs=1e-4)
    assert abs(confidences(out)[0] - plain) > 1e-3


def test_clips_that_look_alike_are_warned_of_on_every_result(person, capfd):
    for clip in list(person.iterdir())[1:]:
        clip.unlink()
    command = ["classify", str(EXAMPLES[0]), "--calibrate", str(person)]
    assert main(command) == 0
    printed = capfd.readouterr()
    assert "calibrated on one clip" in printed.err
    assert "one clip" in " ".join(printed.out.split())


def test_clips_that_cannot_be_read_are_left_out_by_name(person, capfd):
    (person / "broken.mp4").write_bytes(b"no clip")
    command = ["classify", str(EXAMPLES[0]), "--calibrate", str(person)]
    assert main(command) == 0
    assert "broken.mp4" in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["empty", "broken", "silent", "absent"])
def test_a_folder_that_tells_nothing_is_one_line_and_status_2(kind, tmp_path, capfd):
    folder = tmp_path / "person"
    if kind != "absent":
        folder.mkdir()
    if kind == "broken":
        (folder / "broken.wav").write_bytes(b"no clip")
    if kind == "silent":
        silence = np.zeros_like(made_voice(1.0))
        write_clip(folder / "silence.wav", None, silence, audio_codec="pcm_s16le")
    command = ["classify", str(EXAMPLES[0]), "--calibrate", str(folder)]
    assert main(command) == 2
    printed = capfd.readouterr()
    expected = {
        "empty": "there is no clip in this folder",
        "broken": "none of its clips can be read",
        "silent": "neither a voice nor a face",
        "absent": "none of its clips can be read",
    }
    assert expected[kind] in printed.err and "Remedy" in printed.err
    assert "Traceback" not in printed.err and printed.out == ""


def test_a_fusion_that_knows_no_people_says_so(person, models, capfd):
    command = ["classify", str(EXAMPLES[0]), "--models", str(models), "--calibrate", str(person)]
    assert main(command) == 2
    assert "people at large" in capfd.readouterr().err
