"""Pipes, pictures and streams from the command line."""

import csv
import io
import json
import sys

import pytest
from PIL import Image

from emorec.cli import main


@pytest.fixture
def pipe(monkeypatch):
    def fill(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return fill


def test_a_clip_comes_through_a_pipe(ready, sound, pipe, capfd):
    pipe(sound.read_bytes())
    assert main(["classify", "-", "--json", "-", "--quiet"]) == 0
    printed = capfd.readouterr()
    (clip,) = json.loads(printed.out)["clips"]
    assert (clip["file"], clip["status"], printed.err) == ("-", "ok", "")


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "the file is empty"), (b"a text", "it is a text")]
)
def test_a_pipe_that_holds_no_clip_is_a_row(ready, content, words, pipe, capfd):
    pipe(content)
    assert main(["classify", "-", "--csv", "-"]) == 1
    printed = capfd.readouterr()
    (row,) = csv.DictReader(io.StringIO(printed.out))
    assert row["file"] in ("-", "'-") and words in row["reason"]
    assert words in printed.err


def test_what_does_not_go_with_a_pipe(ready, pipe, monkeypatch, tmp_path, capfd):
    with pytest.raises(SystemExit):
        main(["classify", "-", "--csv", str(tmp_path / "a.csv"), "--resume"])
    assert "--resume does not go on with what comes through a pipe" in capfd.readouterr().err
    pipe(b"")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert main(["classify", "-"]) == 2
    assert "emorec classify - < clip.mp4" in capfd.readouterr().err


def test_pictures_in_a_folder_are_told_of_and_read_where_they_are_asked_for(
    ready, sound, tmp_path, capfd
):
    folder = tmp_path / "clips"
    (folder / "more").mkdir(parents=True)
    (folder / "a.wav").write_bytes(sound.read_bytes())
    for name in ("b.png", "more/c.JPG", ".hidden.png"):
        Image.new("L", (64, 64), 90).save(folder / name, "PNG")
    assert main(["classify", str(folder)]) == 0
    assert "2 pictures in folders are left out; --pictures reads" in capfd.readouterr().err
    assert main(["classify", str(folder), "--quiet", "--csv", "-"]) == 0
    assert "pictures" not in capfd.readouterr().err
    assert main(["classify", str(folder), "--pictures", "--csv", "-", "--quiet"]) == 1
    rows = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    assert [row["status"] for row in rows] == ["ok", "no verdict", "no verdict"]


def test_streams_are_named_with_commas(ready, sound, capfd):
    assert main(["classify", str(sound), "--streams", "voice, face", "--json", "-", "--quiet"]) == 0
    (clip,) = json.loads(capfd.readouterr().out)["clips"]
    assert list(clip["probabilities"]) == ["voice", "fused"]
    with pytest.raises(SystemExit):
        main(["classify", str(sound), "--streams", "voice,mouth"])
    assert "'mouth' is no stream: choose from voice, face, geometry" in capfd.readouterr().err
