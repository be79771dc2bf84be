"""Parquet in parts: whole rows, refusals before any work, and what is gone on with."""

import shutil

import numpy as np
import pandas as pd
import pytest
from helpers import made_voice, write_clip
from made_results import ALL, VOICE_ONLY, made_result

from emorec.cli import main
from emorec.errors import MissingPartError, OutputError
from emorec.recognizer import Recognizer
from emorec.report import parquet
from emorec.report.parquet import ParquetWriter
from emorec.report.stamp import Stamps
from emorec.report.table import ResultWriter, table_row
from emorec.result.clip import ClipResult
from emorec.speaker.calibration import Speaker

pytest.importorskip("pyarrow")


@pytest.fixture
def run(recognizer, models, monkeypatch, capfd):
    """Run a command with the recogniser that is loaded already."""
    monkeypatch.setattr(Recognizer, "load", classmethod(lambda *_: recognizer))

    def run(*arguments: object) -> tuple[int, str]:
        code = main([*map(str, arguments), "--models", str(models)])
        return code, capfd.readouterr().err

    return run


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    clip = write_clip(folder / "a.wav", None, made_voice(1.0), audio_codec="pcm_s16le")
    shutil.copy(clip, folder / "b.wav")
    return folder


def table_of(out, name="clips") -> pd.DataFrame:
    return pd.read_parquet(out / name)


def write(out, results, **how) -> None:
    with ResultWriter(parquet=ParquetWriter(out, **how), stamp_of=lambda clip: f"of {clip}") as to:
        for result in results:
            to.add(result)


def test_both_tables_hold_what_was_found(tmp_path):
    results = [made_result(ALL, "a.mp4"), made_result(VOICE_ONLY, "\udcffb\n.mp4")]
    results.append(ClipResult.failed("s3://bucket/c.mp4", "why", "what helps"))
    write(tmp_path / "out", results)
    rows, timeline = table_of(tmp_path / "out"), table_of(tmp_path / "out", "timeline")
    assert list(rows["file"]) == ["a.mp4", "\\udcffb\\n.mp4", "s3://bucket/c.mp4"]
    assert list(rows["stamp"]) == ["of a.mp4", "of \\udcffb\\n.mp4", ""]
    assert list(rows.columns) == [*table_row(results[0]), "stamp"]
    assert rows["confidence"][0] == pytest.approx(results[0].confidence)
    assert rows["face"].isna().tolist() == [False, True, True]
    of_first = timeline[timeline["file"] == "a.mp4"]
    assert list(of_first["stream"].unique()) == [*ALL]
    expected = results[0].windows["voice"].posteriors
    said = of_first[of_first["stream"] == "voice"].iloc[:, 3:].to_numpy()
    np.testing.assert_array_equal(said, expected)


def test_parts_are_bounded_and_each_clip_of_a_part_has_its_timeline(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "CLIPS_PER_PART", 3)
    out = tmp_path / "out"
    writer = ParquetWriter(out)
    for index in range(7):
        result = made_result(VOICE_ONLY, f"{index}.mp4")
        writer.add(result, {**table_row(result), "stamp": ""})
        # Whatever a reader sees is whole.
        if index >= 2:
            rows = table_of(out)
            assert len(rows) == 3 * ((index + 1) // 3)
            assert set(table_of(out, "timeline")["file"]) == set(rows["file"])
    writer.close()
    parts = sorted((out / "clips").iterdir())
    assert [len(pd.read_parquet(part)) for part in parts] == [3, 3, 1]
    assert len(table_of(out, "timeline")) == 7 * 2 * 8
    monkeypatch.setattr(parquet, "WRITTEN_EVERY_S", 0.0)
    write(tmp_path / "slow", [made_result(VOICE_ONLY, f"{index}.mp4") for index in range(5)])
    assert [len(pd.read_parquet(p)) for p in sorted((tmp_path / "slow/clips").iterdir())] == [3, 2]


def test_what_is_to_be_written_over_stays_until_work_begins(tmp_path):
    out = tmp_path / "out"
    write(out, [made_result(VOICE_ONLY, "earlier.mp4")])
    writer = ParquetWriter(out, overwrite=True)
    assert list(table_of(out)["file"]) == ["earlier.mp4"]
    writer.begin()
    assert not [*(out / "clips").iterdir(), *(out / "timeline").iterdir()]


def test_another_run_or_another_table_is_refused_before_any_work(tmp_path):
    out = tmp_path / "out"
    write(out, [made_result(VOICE_ONLY)])
    with pytest.raises(OutputError, match="holds something already"):
        ParquetWriter(out)
    (out / "clips" / "mine.parquet").write_bytes(b"mine")
    for how in ({"resume": True}, {"overwrite": True}):
        with pytest.raises(OutputError, match=r"beside the results of clips, mine\.parquet"):
            ParquetWriter(out, **how)
    (out / "clips" / "mine.parquet").unlink()
    run = (out / "run.json").read_text()
    (out / "run.json").write_text(run.replace('"reason"', '"why"'))
    with pytest.raises(OutputError, match="other columns"):
        ParquetWriter(out, resume=True)
    (out / "run.json").write_text(run)
    part = out / "clips" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(OutputError, match="damaged"):
        ParquetWriter(out, resume=True)
    write(out, [made_result(VOICE_ONLY, "anew.mp4")], overwrite=True)
    assert list(table_of(out)["file"]) == ["anew.mp4"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    for how in ({}, {"overwrite": True}):
        with pytest.raises(OutputError, match="other than results"):
            ParquetWriter(tmp_path / "mine", **how)
    (tmp_path / "file").write_text("a file")
    with pytest.raises(OutputError):
        ParquetWriter(tmp_path / "file")


def test_what_a_killed_run_left_half_is_taken_out(tmp_path):
    out = tmp_path / "out"
    write(out, [made_result(VOICE_ONLY, f"{name}.mp4") for name in "abc"])
    write(out, [made_result(VOICE_ONLY, "d.mp4")], resume=True)
    (out / "clips" / "part-00001.parquet").unlink()  # killed between the two tables
    writer = ParquetWriter(out, resume=True)
    assert len(writer.earlier) == 3
    writer.keep_all_but(["b.mp4"])
    assert list(table_of(out)["file"]) == ["a.mp4", "c.mp4"]
    assert set(table_of(out, "timeline")["file"]) == {"a.mp4", "c.mp4"}


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("emorec.errors.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPartError, match=r"pyarrow: not installed.*emorec\[cluster\]"):
        ParquetWriter(tmp_path / "out")


def test_a_run_goes_on_from_parquet_and_csv_and_reads_what_changed(run, clips, tmp_path):
    out, rows = tmp_path / "out", tmp_path / "rows.csv"
    (clips / "c.wav").write_bytes(b"")
    outputs = ["classify", clips, "--quiet", "--parquet", out]
    assert run(*outputs)[0] == 1
    before = table_of(out).set_index("file")
    assert run(*outputs)[0] == 2
    assert run(*outputs, "--resume", "--csv", rows) == (1, "")  # the CSV file had none
    shutil.copy(clips / "a.wav", clips / "c.wav")
    (clips / "b.wav").touch()
    code, said = run(*outputs, "--resume", "--csv", rows)
    assert code == 0
    assert "1 clips are in" in said and "1 more were read with other models" in said
    after = table_of(out).set_index("file")
    assert len(after) == 3 and after.index.is_unique
    a, b, _ = (str(clips / f"{name}.wav") for name in "abc")
    assert after["stamp"][a] == before["stamp"][a]
    assert after["stamp"][b] != before["stamp"][b]


@pytest.mark.parametrize("change", ["models", "version"])
def test_another_model_or_version_reads_again(run, clips, tmp_path, monkeypatch, change):
    rows = tmp_path / "rows.csv"
    labels = clips / "labels.csv"
    labels.write_text("path,emotion\na.wav,sad\nb.wav,happy\n")
    commands = ["classify", clips / "a.wav", "--quiet"], ["evaluate", labels]
    for command in commands:
        assert run(*command, "--csv", rows, "--overwrite")[0] == 0
        assert "already" in run(*command, "--csv", rows, "--resume")[1]
        with monkeypatch.context() as patch:
            if change == "models":
                patch.setattr("emorec.models.fingerprints", lambda *_: {"voice": "another"})
            else:
                patch.setattr("emorec.report.stamp.__version__", "9")
            code, said = run(*command, "--csv", rows, "--resume")
            assert code == 0 and "already" not in said


def test_a_stamp_tells_persons_and_clips_apart(tmp_path):
    clip = tmp_path / "a.wav"
    known = Speaker({"voice": np.array([0.1, -0.1])})
    stamps = [Stamps(dict), Stamps(dict, known), Stamps(dict, None, [tmp_path / "b.wav"])]
    stamps.append(Stamps(dict, streams=["voice"]))
    clip.write_bytes(b"1")
    before = [of.of(clip) for of in stamps]
    assert len(set(before)) == 4 and before == [of.of(clip) for of in stamps]
    clip.write_bytes(b"12")
    assert not set(before) & {of.of(clip) for of in stamps}


def test_resume_needs_something_to_go_on_with(run, capfd):
    for wrong in (["--resume"], ["--scheduler", "tcp://a:1", "--plots", "p"], ["--jobs", "0"]):
        with pytest.raises(SystemExit):
            run("classify", "a.wav", *wrong)
