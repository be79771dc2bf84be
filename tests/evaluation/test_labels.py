"""Somebody's own labels: what is understood, and what is said of the rest."""

import pandas as pd
import pytest

from emorec.emotions import COMMON7
from emorec.evaluation.labels import WORDS, LabelsError, labels_of_table, read_labels


def labels_in(folder, text, encoding="utf-8", name="labels.csv"):
    (folder / name).write_bytes(text.encode(encoding))
    return read_labels(folder / name)


def test_words_are_those_of_the_table_and_lie_under_the_seven():
    assert tuple(WORDS) == COMMON7
    words = [word for of in WORDS.values() for word in of]
    assert len(words) == len(set(words))
    assert all(len(word) > 2 for word in words)


def test_paths_are_taken_from_the_files_folder_and_words_are_mapped(tmp_path):
    found = labels_in(
        tmp_path,
        "path,emotion,speaker\na.mp4,Happiness,ann\nsub/b.mp4,calm,bob\n/c.wav,PLEASANT_SURPRISE,\n",
    )
    assert [row.path for row in found.rows[:2]] == [tmp_path / "a.mp4", tmp_path / "sub" / "b.mp4"]
    assert str(found.rows[2].path) == "/c.wav"
    assert [row.emotion for row in found.rows] == ["happy", "neutral", "surprise"]
    assert [row.speaker for row in found.rows] == ["ann", "bob", ""]
    assert "happiness for happy (1)" in found.notes[0] and found.has_speakers


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_dialect_is_found(tmp_path, delimiter, encoding):
    lines = ["Emotion;Path;Start;End;Remark", 'anger;"ä 1.mp4";0.5;2;x', "sad;b.mp4;;;"]
    text = "\r\n".join(line.replace(";", delimiter) for line in lines)
    found = labels_in(tmp_path, text, encoding)
    assert [row.named for row in found.rows] == ["ä 1.mp4", "b.mp4"]
    assert (found.rows[0].start_s, found.rows[0].end_s) == (0.5, 2.0)
    assert not found.rows[1].is_part


def test_what_spreadsheets_write_is_read(tmp_path):
    found = labels_in(tmp_path, "sep=;\n\npath;emotion;start;end\na.mp4;joy;0,5;1,25\n;;;\n")
    assert (found.rows[0].start_s, found.rows[0].end_s, len(found.rows)) == (0.5, 1.25, 1)
    latin = labels_in(tmp_path, "path,emotion\ncaf\xe9.mp4,sad\n", "latin-1")
    assert latin.rows[0].named == "café.mp4" and "Windows-1252" in latin.notes[0]
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(b"")
    windows = labels_in(tmp_path, "path,emotion\nclips\\a.mp4,sad\n")
    assert windows.rows[0].path == tmp_path / "clips" / "a.mp4"


def test_an_address_stays_whole(tmp_path):
    (row,) = labels_in(tmp_path, "path,emotion\nhttps://x.org/a.mp4,sad\n").rows
    assert row.path == "https://x.org/a.mp4"


def test_unknown_emotions_are_listed_with_their_counts(tmp_path):
    with pytest.raises(LabelsError) as error:
        labels_in(tmp_path, "path,emotion\na,bored\nb,HA\nc,bored\nd,sad\ne,03\n")
    assert "'bored' (2), 'HA' (1), '03' (1)" in str(error.value)
    assert "angry, disgust" in error.value.remedy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("\n \n", "it is empty"),
        ("path,emotion\n", "no row below its head"),
        ("file,label\na,sad\n", "no column path and none emotion, but file, label"),
        ("path,emotion,path\na,sad,b\n", "column path more than once"),
        ("path,emotion\n,sad\n", "line 2: it names no path"),
        ("path,emotion\na,\n", "line 2: it names no emotion"),
        ("path,emotion,start,end\na,sad,2,1\n", "line 2: its end, 1 s, is not after its start"),
        ("path,emotion,start,end\na,sad,1,1\n", "is not after its start"),
        ("path,emotion,start\n\na,sad,soon\n", "line 3: its start is 'soon'"),
        ("path,emotion,start\na,sad,-1\n", "its start is '-1'"),
        ("path,emotion,end\na,sad,nan\n", "its end is 'nan'"),
        ("path,emotion\na,b.mp4,sad\n", "line 2 has 3 cells, the head 2"),
        ("path,emotion\na,sad\na,happy\n", "line 3: a has another label above"),
        ("path,emotion\na,sad\0\n", "it is no text"),
    ],
)
def test_what_makes_no_sense_is_named_with_its_line(tmp_path, text, said):
    with pytest.raises(LabelsError) as error:
        labels_in(tmp_path, text)
    assert said in str(error.value) and "Remedy" in str(error.value)
    assert str(error.value).count("\n") == 0


def test_many_bad_rows_are_counted(tmp_path):
    with pytest.raises(LabelsError, match=r"line 9: .*; and 12 more"):
        labels_in(tmp_path, "path,emotion\n" + ",sad\n" * 20)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(LabelsError, match=r"cannot be read.*Remedy"):
        read_labels(tmp_path / "none.csv")
    with pytest.raises(LabelsError, match="cannot be read"):
        read_labels(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"\xff\x00\xfe\x80")
    with pytest.raises(LabelsError, match="no text"):
        read_labels(tmp_path / "a.mp4")


def test_repeated_rows_count_once(tmp_path):
    found = labels_in(tmp_path, "path,emotion\na,sad\n./a,sadness\nb,sad\n")
    assert len(found.rows) == 2 and "1 left out" in found.notes[-1]


def test_tables_and_dictionaries_are_read_from_the_working_folder():
    table = pd.DataFrame({"path": ["a", "b"], "emotion": ["joy", "sad"], "start": [0.5, None],
                          "speaker": [pd.NA, "b"], "end": [pd.NaT, None]})  # fmt: skip
    rows = labels_of_table(table).rows
    assert [row.start_s for row in rows] == [0.5, None]
    assert [row.speaker for row in rows] == ["", "b"]
    assert str(rows[0].path) == "a"
    assert labels_of_table([{"path": "a", "emotion": "sad", "speaker": 7}]).rows[0].speaker == "7"
    with pytest.raises(LabelsError, match="row 2: it names no emotion"):
        labels_of_table([{"path": "a", "emotion": "sad"}, {"path": "b"}])
    with pytest.raises(LabelsError, match="no column path"):
        labels_of_table([])
