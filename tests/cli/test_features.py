"""``emorec features``: faces and windows of the voice as tables."""

import pandas as pd
import pytest

from emorec.cli import main
from emorec.emotions import COMMON7


def test_both_tables_of_all_clips(ready, example, sound, tmp_path, capfd):
    out = tmp_path / "features.csv"
    assert main(["features", str(example), str(sound), "-o", str(out), "--quiet"]) == 0
    faces, voice = (pd.read_csv(out.with_name(f"features_{t}.csv")) for t in ("faces", "voice"))
    assert set(faces["file"]) == {str(example)}
    assert set(voice["file"]) == {str(example), str(sound)}
    assert faces["x67"].notna().all() and faces["yaw_deg"].abs().max() < 30
    assert voice[list(COMMON7)].sum(axis=1).tolist() == pytest.approx([1] * len(voice), abs=1e-3)
    assert voice["pitch_hz"].between(60, 500).all()
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")
    # What is there is not written over without a word.
    assert main(["features", str(sound), "-o", str(out)]) == 2
    assert "holds something already" in capfd.readouterr().err
    assert main(["features", str(sound), "-o", str(out), "--overwrite", "--quiet"]) == 0
    assert len(pd.read_csv(out.with_name("features_faces.csv"))) == 0


def test_parquet_has_the_same_columns_and_small_numbers(ready, sound, tmp_path):
    pytest.importorskip("pyarrow")
    for name in ("a.csv", "a.parquet"):
        assert main(["features", str(sound), "-o", str(tmp_path / name), "--quiet"]) == 0
    for table in ("faces", "voice"):
        text, binary = (
            pd.read_csv(tmp_path / f"a_{table}.csv"),
            pd.read_parquet(tmp_path / f"a_{table}.parquet"),
        )
        assert list(text.columns) == list(binary.columns)
        assert len(text) == len(binary)
        assert str(binary["happy"].dtype) == "float32"


def test_a_folder_gets_two_files_a_clip_and_a_broken_clip_is_a_line(ready, sound, tmp_path, capfd):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    out = tmp_path / "tables.v2"
    out.mkdir()
    assert main(["features", str(sound), str(broken), "-o", str(out), "--quiet"]) == 1
    assert sorted(p.name for p in out.iterdir()) == ["a_faces.csv", "a_voice.csv"]
    assert "broken.mp4: it is a text" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("output", "words"),
    [("a.xlsx", "nothing is written in the form of .xlsx"), ("/dev/null/a.csv", "a_faces.csv")],
)
def test_outputs_that_cannot_be_are_refused_at_once(output, words, sound, tmp_path, capfd):
    assert main(["features", str(sound), "-o", str(tmp_path / output)]) == 2
    assert words in capfd.readouterr().err
    assert list(tmp_path.glob("*")) == []


def test_what_was_there_stays_where_no_clip_was_read(sound, tmp_path, capfd):
    earlier = tmp_path / "a_faces.csv"
    earlier.write_text("earlier")
    command = ["features", str(sound), "-o", str(tmp_path / "a.csv"), "--overwrite"]
    assert main([*command, "--models", str(tmp_path)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a_faces.csv"]
    assert earlier.read_text() == "earlier"
    assert "there is no such file" in capfd.readouterr().err
