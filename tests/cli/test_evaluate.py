"""``emorec evaluate``: from labels to scores, whatever is wrong with them."""

import csv
import json
import shutil

import pytest
from helpers import made_voice, write_clip

from emorec.cli import main
from emorec.recognizer import Recognizer


@pytest.fixture(scope="module")
def tone(tmp_path_factory):
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    return write_clip(path, None, made_voice(1.0), audio_codec="pcm_s16le")


@pytest.fixture(autouse=True)
def shared(recognizer, monkeypatch):
    """Every command of these tests uses the one recogniser that is loaded already."""
    monkeypatch.setattr(Recognizer, "load", classmethod(lambda *_: recognizer))


@pytest.fixture
def labels(tone, tmp_path):
    for name in ("a.wav", "b.wav", "c.wav"):
        shutil.copy(tone, tmp_path / name)
    file = tmp_path / "labels.csv"
    file.write_text("path,emotion,speaker\na.wav,joy,ann\nb.wav,sad,bob\nc.wav,anger,bob\n")
    return file


def run(*arguments) -> int:
    return main(["evaluate", *map(str, arguments)])


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_everything_that_is_asked_for_is_written(labels, tmp_path, capfd):
    out = [tmp_path / name for name in ("p.csv", "s.json", "r.html")]
    options = ["--csv", out[0], "--json", out[1], "--html", out[2], "--by", "speaker"]
    assert run(labels, *options) == 0
    printed = capfd.readouterr()
    assert printed.err == "" and "ann" in printed.out and "3 of 3 rows" in printed.out
    rows = rows_of(out[0])
    assert [(row["file"], row["truth"]) for row in rows] == [
        ("a.wav", "happy"),
        ("b.wav", "sad"),
        ("c.wav", "angry"),
    ]
    assert sum(float(v) for k, v in rows[0].items() if k.startswith("voice_")) == pytest.approx(1)
    assert rows[0]["face_sad"] == ""
    assert json.loads(out[1].read_text())["streams"]["voice"]["clips"] == 3
    assert 'src="./b.wav"' in out[2].read_text() or 'src="./a.wav"' in out[2].read_text()
    assert run(labels, *options) == 2
    assert "holds something already" in capfd.readouterr().err


def test_clips_that_are_not_there_are_listed_and_the_others_go_on(labels, capfd):
    with labels.open("a") as file:
        file.write("gone.wav,sad,bob\nlabels.csv,sad,bob\n")
    assert run(labels) == 1
    shown = capfd.readouterr().out
    assert "3 of 5 rows" in shown and "gone.wav: there is no such file" in shown
    assert "labels.csv: " in shown


def test_none_there_is_one_line_and_status_2(tmp_path, capfd):
    (tmp_path / "l.csv").write_text("path,emotion\ngone.wav,sad\n")
    assert run(tmp_path / "l.csv", "--csv", tmp_path / "p.csv") == 2
    printed = capfd.readouterr()
    assert "none of its 1 rows gets a verdict" in printed.err and printed.err.count("\n") == 1
    assert rows_of(tmp_path / "p.csv")[0]["status"] == "failed"


def test_an_ended_run_goes_on_and_reads_nothing_twice(labels, tmp_path, monkeypatch, capfd):
    out, read = tmp_path / "p.csv", []
    classify = Recognizer.classify

    def ended(self, path, watch=None):
        read.append(path.name)
        if read[-1] == "c.wav":
            raise KeyboardInterrupt
        return classify(self, path, watch)

    monkeypatch.setattr(Recognizer, "classify", ended)
    assert run(labels, "--csv", out) == 130
    assert "2 rows are judged, their rows are in" in capfd.readouterr().err
    assert len(rows_of(out)) == 2
    with out.open("a") as file:
        file.write("c.wav,,,bob,ang")  # cut off in the middle of a row
    monkeypatch.setattr(Recognizer, "classify", classify)
    monkeypatch.setattr(
        Recognizer,
        "classify_safely",
        lambda self, p, w=None: read.append(p.name) or self.classify(p),
    )
    assert run(labels, "--csv", out, "--resume") == 0
    assert read == ["a.wav", "b.wav", "c.wav", "c.wav"]
    assert [row["file"] for row in rows_of(out)] == ["a.wav", "b.wav", "c.wav"]
    printed = capfd.readouterr()
    assert "2 rows are in" in printed.err and "3 of 3 rows" in printed.out
    # Nothing is left, and no model is needed: the same scores once more.
    monkeypatch.setattr(Recognizer, "load", None)
    assert run(labels, "--csv", out, "--resume") == 0
    assert capfd.readouterr().out == printed.out


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("path,emotion\na.wav,bored\n", [], "'bored' (1)"),
        ("path,emotion\na.wav,sad\n", ["--by", "speaker"], "it names no speaker"),
        ("file,emotion\na.wav,sad\n", [], "no column path"),
        ("path,emotion\na.wav,sad\n", ["--csv", "a.wav"], "a clip or another output"),
        ("path,emotion\na.wav,sad\n", ["--html", "l.csv"], "the file of labels"),
        ("path,emotion\na.wav,sad\n", ["--json", "none/s.json"], "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_line(labels, text, options, said, monkeypatch, capfd):
    monkeypatch.chdir(labels.parent)
    labels.with_name("l.csv").write_text(text)
    before = labels.with_name("a.wav").read_bytes()
    assert run("l.csv", *options, *(["--overwrite"] if options else [])) == 2
    printed = capfd.readouterr()
    assert said in printed.err and "Remedy" in printed.err and printed.err.count("\n") == 1
    assert labels.with_name("a.wav").read_bytes() == before


def test_the_table_of_words_stands_in_the_help(capfd):
    with pytest.raises(SystemExit):
        run("--help")
    shown = capfd.readouterr().out
    assert "happiness, joy, joyful" in shown and "  neutral   calm" in shown
