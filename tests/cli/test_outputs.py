"""What ``emorec classify`` writes: nothing is lost, whatever the names, and whatever is full."""

import csv
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers import made_voice, write_clip

from emorec.cli import main
from emorec.paths import REPOSITORY
from emorec.report.cells import cell

ODD_NAMES = [
    "$x_{$.wav",
    "costs $5 and $6.wav",
    "=1+1.wav",
    "+49 170.wav",
    "-2.wav",
    "@SUM(A1).wav",
    "\x1b[31mred.wav",
    "two\nlines.wav",
    "\N{FULLWIDTH EQUALS SIGN}1.wav",
    "n" * 251 + ".wav",
    "\N{SLIGHTLY SMILING FACE}" * 62 + ".wav",
    "[red]rich[bold].wav",
    "100%d.wav",
    "语音.wav",
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "a.wav"
    return write_clip(path, None, made_voice(1.0), audio_codec="pcm_s16le")


@pytest.fixture
def run(models, capfd):
    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["classify", "--models", str(models), *map(str, arguments)])
        return code, *capfd.readouterr()

    return run


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def folder(clip, tmp_path) -> Path:
    (tmp_path / "clips").mkdir()
    for name in ("a.wav", "b.wav"):
        shutil.copy(clip, tmp_path / "clips" / name)
    return tmp_path / "clips"


def test_every_name_gets_its_row_and_its_files(clip, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ODD_NAMES:
        shutil.copy(clip, name)
    out = tmp_path / "out"
    outputs = ["--csv", "rows.csv", "--json", "all.json", "--timeline", out, "--plots", out / "p"]
    code, printed, said = run(*outputs, "--", *ODD_NAMES)
    assert (code, said) == (0, "")
    assert "\x1b" not in printed
    rows = rows_of(tmp_path / "rows.csv")
    assert len(rows) == len(ODD_NAMES)
    for name, row in zip(ODD_NAMES, rows, strict=True):
        assert row["status"] == "ok"
        assert row["notes"] == rows[0]["notes"]  # nothing is said of an output
        assert row["file"] == cell(name)
        assert row["file"][0] not in "=+-@"
        assert row["file"].isprintable()
    assert rows[0]["file"] == "$x_{$.wav"
    assert rows[2]["file"] == "'=1+1.wav"
    assert rows[6]["file"] == "\\x1b[31mred.wav"
    assert len(list(out.glob("*.csv"))) == len(list((out / "p").glob("*.png"))) == len(ODD_NAMES)
    assert json.loads((tmp_path / "all.json").read_text("utf-8"))["clips"][2]["file"] == "=1+1.wav"
    # A second time, going on: every name is found again in its row.
    code, _, said = run("--csv", "rows.csv", "--json", "all.json", "--resume", "--", *ODD_NAMES)
    assert code == 0
    assert f"{len(ODD_NAMES)} clips are in rows.csv already" in said
    assert rows_of(tmp_path / "rows.csv") == rows


@pytest.mark.parametrize("option", ["--csv", "--json"])
@pytest.mark.parametrize("link", ["hard", "soft"])
def test_a_link_to_a_clip_is_no_output(clip, run, tmp_path, option, link):
    path = Path(shutil.copy(clip, tmp_path / "clip.wav"))
    other = tmp_path / "results"
    other.hardlink_to(path) if link == "hard" else other.symlink_to(path)
    code, _, said = run(path, option, other, "--overwrite")
    assert code == 2
    assert "it is a clip" in said
    assert path.read_bytes() == clip.read_bytes()


def test_two_names_of_one_output_are_refused(clip, run, tmp_path):
    first, second = tmp_path / "one", tmp_path / "two"
    first.touch()
    second.hardlink_to(first)
    code, _, said = run(clip, "--csv", first, "--json", second)
    assert code == 2
    assert "another output" in said


@pytest.mark.parametrize(
    ("option", "name", "held"),
    [
        ("--csv", "rows.csv", "rows.csv"),
        ("--json", "all.json", "all.json"),
        ("--timeline", "folder", "folder/a.csv"),
        ("--plots", "folder", "folder/a.png"),
    ],
)
def test_what_an_earlier_run_wrote_is_not_lost(clip, run, tmp_path, option, name, held):
    file = tmp_path / held
    file.parent.mkdir(exist_ok=True)
    file.write_text("earlier")
    code, _, said = run(clip, option, tmp_path / name)
    assert code == 2
    assert "already" in said
    assert "--overwrite" in said
    assert file.read_text() == "earlier"
    assert run(clip, option, tmp_path / name, "--overwrite")[0] == 0


def test_an_empty_file_may_be_written(clip, run, tmp_path):
    (tmp_path / "rows.csv").touch()
    assert run(clip, "--csv", tmp_path / "rows.csv")[0] == 0
    assert len(rows_of(tmp_path / "rows.csv")) == 1


def test_a_timeline_does_not_take_the_name_of_another_output(clip, run, tmp_path):
    table, entries = tmp_path / "a.csv", tmp_path / "a.png"
    code, *_ = run(
        clip, "--csv", table, "--json", entries, "--timeline", tmp_path, "--plots", tmp_path / "."
    )
    assert code == 2  # one folder for both
    (tmp_path / "p").mkdir()
    entries = tmp_path / "p" / "a.png"
    outputs = ["--csv", table, "--json", entries, "--timeline", tmp_path, "--plots", tmp_path / "p"]
    assert run(clip, *outputs)[0] == 0
    assert len(rows_of(table)) == 1
    assert len(json.loads(entries.read_text())["clips"]) == 1
    assert (tmp_path / "a-2.csv").exists()
    assert (tmp_path / "p" / "a-2.png").exists()


def test_a_run_goes_on_where_it_was_ended(folder, clip, run, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (folder / "c.wav").write_bytes(b"")
    outputs = ["--csv", out / "r.csv", "--json", out / "r.json", "--timeline", out / "t"]
    assert run(folder, *outputs)[0] == 1
    before = rows_of(out / "r.csv")
    # Killed while it wrote the row of b: half of it is there, and no JSON file of it.
    text = (out / "r.csv").read_text()
    (out / "r.csv").write_text(text[: text.index("b.wav") + 20])
    shutil.copy(clip, folder / "c.wav")
    shutil.copy(clip, folder / "d.wav")
    code, printed, said = run(folder, *outputs, "--resume")
    assert code == 0
    assert "1 clips are in" in said
    assert "a.wav" not in printed
    after = rows_of(out / "r.csv")
    assert [Path(row["file"]).name for row in after] == ["a.wav", "b.wav", "c.wav", "d.wav"]
    assert after[:2] == before[:2]
    entries = json.loads((out / "r.json").read_text())["clips"]
    assert [entry["file"] for entry in entries] == [row["file"] for row in after]
    assert {path.name for path in (out / "t").iterdir()} == {"a.csv", "b.csv", "c.csv", "d.csv"}


def test_what_goes_on_spares_files_of_clips_of_the_same_name(folder, clip, run, tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    other.mkdir()
    shutil.copy(clip, other / "a.wav")
    outputs = ["--csv", tmp_path / "r.csv", "--timeline", out, "--resume"]
    assert run(folder / "a.wav", *outputs)[0] == 0
    (out / "a.csv").write_text("of the first")
    assert run(other, *outputs)[0] == 0
    assert (out / "a.csv").read_text() == "of the first"
    assert (out / "a-2.csv").exists()


def test_going_on_tells_linked_clips_by_the_names_of_their_links(clip, run, tmp_path):
    out = tmp_path / "out"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(clip, tmp_path / f"of_{folder}.wav")
        (tmp_path / folder / "x.wav").symlink_to(tmp_path / f"of_{folder}.wav")
    outputs = ["--csv", tmp_path / "r.csv", "--timeline", out, "--resume"]
    assert run(tmp_path / "a", *outputs)[0] == 0
    (out / "x.csv").write_text("of the first")
    assert run(tmp_path / "a", tmp_path / "b", *outputs)[0] == 0
    assert (out / "x.csv").read_text() == "of the first"
    assert (out / "x-2.csv").exists()


def test_files_that_going_on_does_not_make_up_for_are_told(folder, run, tmp_path):
    table = tmp_path / "r.csv"
    assert run(folder, "--csv", table)[0] == 0
    code, _, said = run(folder, "--csv", table, "--resume", "--plots", tmp_path / "p")
    assert code == 0
    assert "--plots: clips that were read get none here, only without --resume" in said


@pytest.mark.parametrize("wrong", [["--models", "none"], ["--calibrate", "none"]], ids=str)
def test_a_run_that_is_refused_leaves_what_is_there(clip, tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    asked = ["classify", str(clip), *wrong, "--csv", "r.csv", "--people-csv", "p.csv"]
    assert main(asked) == 2
    assert not Path("r.csv").exists() and not Path("p.csv").exists(), "which bars the next try"
    for name in ("r.csv", "p.csv"):
        Path(name).write_text("an earlier one")
    assert main([*asked, "--overwrite"]) == 2
    assert [Path(name).read_text() for name in ("r.csv", "p.csv")] == ["an earlier one"] * 2


def test_a_refused_evaluation_leaves_what_is_there(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("labels.csv").write_text(f"file,emotion\n{clip},happy\n")
    Path("r.csv").write_text("an earlier one")
    asked = ["evaluate", "labels.csv", "--csv", "r.csv", "--overwrite", "--models", "none"]
    assert main(asked) == 2
    assert Path("r.csv").read_text() == "an earlier one"


def test_a_live_view_of_no_source_leaves_what_is_recorded(models, tmp_path):
    record = tmp_path / "t.csv"
    record.write_text("an earlier one")
    asked = ["live", "--file", str(tmp_path / "none.mp4"), "--record", str(record)]
    assert main([*asked, "--overwrite", "--models", str(models)]) == 2
    assert record.read_text() == "an earlier one"


def test_what_is_in_one_of_two_files_is_read_again(folder, run, tmp_path):
    table, entries = tmp_path / "r.csv", tmp_path / "r.json"
    assert run(folder, "--csv", table)[0] == 0
    assert run(folder, "--csv", table, "--json", entries, "--resume")[0] == 0
    assert len(rows_of(table)) == len(json.loads(entries.read_text())["clips"]) == 2


def test_what_the_json_file_has_of_an_earlier_clip_is_not_kept(folder, run, tmp_path):
    table, entries = tmp_path / "r.csv", tmp_path / "r.json"
    assert run(folder, "--csv", table, "--json", entries)[0] == 0
    write_clip(folder / "a.wav", None, made_voice(1.5), audio_codec="pcm_s16le")
    assert run(folder, "--csv", table, "--resume")[0] == 0
    code, _, said = run(folder, "--csv", table, "--json", entries, "--resume")
    assert code == 0
    assert "1 more are not in" in said and "other models" not in said
    told = {entry["file"]: entry for entry in json.loads(entries.read_text())["clips"]}
    for row in rows_of(table):
        assert told[row["file"]]["stamp"] == row["stamp"]
        assert told[row["file"]]["duration_s"] == float(row["duration_s"])


def test_going_on_with_nothing_is_beginning(folder, run, tmp_path):
    assert run(folder, "--csv", tmp_path / "r.csv", "--resume")[0] == 0
    assert len(rows_of(tmp_path / "r.csv")) == 2


@pytest.mark.parametrize(("command", "option"), [("annotate", "-o"), ("live", "--record")])
def test_every_command_asks_before_it_writes_over_a_file(clip, tmp_path, capfd, command, option):
    out = tmp_path / "out.mkv"
    out.write_text("an earlier one")
    source = ["--file", str(clip)] if command == "live" else [str(clip)]
    asked = [command, *source, option, str(out), "--models", str(tmp_path / "none")]
    assert main(asked) == 2
    assert "holds something already. Remedy: name another, or give --overwrite." in (
        capfd.readouterr().err
    )
    assert out.read_text() == "an earlier one"
    assert main([*asked, "--overwrite"]) == 2
    assert "model" in capfd.readouterr().err
    out.write_text("")  # empty, nothing is lost
    assert main(asked) == 2
    assert "model" in capfd.readouterr().err


def test_an_earlier_clip_without_a_verdict_still_counts(run, tmp_path):
    import numpy as np

    write_clip(tmp_path / "still.wav", None, np.zeros(48_000, np.float32), audio_codec="pcm_s16le")
    arguments = [tmp_path / "still.wav", "--csv", tmp_path / "r.csv"]
    assert run(*arguments)[0] == 1
    assert run(*arguments, "--resume")[0] == 1


@pytest.mark.parametrize("content", [b"name,age\nada,36\n", b"\xff\xfe\x00", b'{"clips": 3}'])
@pytest.mark.parametrize("option", ["--csv", "--json"])
def test_a_foreign_file_is_not_gone_on_with(clip, run, tmp_path, content, option):
    foreign = tmp_path / "foreign"
    foreign.write_bytes(content)
    other = [] if option == "--csv" else ["--csv", tmp_path / "r.csv"]
    code, _, said = run(clip, option, foreign, *other, "--resume")
    assert code == 2
    assert "other than results" in said
    assert foreign.read_bytes() == content


def test_resume_and_overwrite_need_their_place(clip, run, capfd):
    for wrong in (["--resume"], ["--csv", "r.csv", "--resume", "--overwrite"]):
        with pytest.raises(SystemExit, match="2"):
            run(clip, *wrong)
        assert "usage" in capfd.readouterr().err


def emorec(*arguments: object, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "emorec", "classify", *map(str, arguments)]
    return subprocess.run(
        command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, check=False, **options
    )


@pytest.fixture
def full() -> Path:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here, which is a disk without room")
    return Path("/dev/full")


@pytest.mark.parametrize("option", ["--csv", "--json"])
def test_a_full_disk_still_prints_the_table(clip, models, full, tmp_path, option):
    other = "--json" if option == "--csv" else "--csv"
    (tmp_path / "link").symlink_to(full)
    done = emorec(
        *(clip, "--models", models, option, tmp_path / "link", other, tmp_path / "other"),
        stdout=subprocess.PIPE,
    )
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert full.is_char_device()
    if option == "--json":
        assert "a.wav" in done.stdout
        assert len(rows_of(tmp_path / "other")) == 1


def test_a_disk_that_fills_up_prints_what_was_done(folder, run, tmp_path, monkeypatch):
    from emorec.report import table

    real, room = table.begun_csv, [2]

    def begun(*arguments):
        file = real(*arguments)
        flush = file.flush

        def fill():
            room[0] -= 1
            if room[0] < 1:
                raise OSError(28, "No space left on device")
            flush()

        file.flush = fill
        return file

    monkeypatch.setattr(table, "begun_csv", begun)
    code, printed, said = run(folder, "--csv", tmp_path / "r.csv", "--json", tmp_path / "r.json")
    assert code == 2
    assert "r.csv: writing failed (No space left on device). Remedy: make room" in said
    assert "a.wav" in printed
    assert json.loads((tmp_path / "r.json").read_text())["clips"]


def test_a_full_standard_output_is_one_line(clip, models, full, tmp_path):
    with full.open("w") as sink:
        done = emorec(clip, "--models", models, "--csv", tmp_path / "r.csv", stdout=sink)
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert len(rows_of(tmp_path / "r.csv")) == 1


@pytest.mark.parametrize("kind", ["file", "pipe"])
@pytest.mark.parametrize("option", ["--csv", "--json"])
def test_results_go_down_a_pipe_and_the_table_beside(clip, models, tmp_path, option, kind):
    if not Path("/dev/stdout").exists():
        pytest.skip("there is no /dev/stdout here")
    with (tmp_path / "out").open("w") as file:
        sink = file if kind == "file" else subprocess.PIPE
        done = emorec(clip, "--models", models, option, "/dev/stdout", stdout=sink)
    said = (tmp_path / "out").read_text() if kind == "file" else done.stdout
    assert done.returncode == 0
    assert "a.wav" in done.stderr
    if option == "--json":
        assert len(json.loads(said)["clips"]) == 1
    else:
        assert len(list(csv.DictReader(said.splitlines()))) == 1


def test_a_named_pipe_gets_the_rows(clip, run, tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no named pipes here")
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as beside:
        read = beside.submit((tmp_path / "pipe").read_text)
        assert run(clip, "--json", tmp_path / "pipe")[0] == 0
        assert len(json.loads(read.result(timeout=30))["clips"]) == 1
    assert (tmp_path / "pipe").is_fifo()


def test_an_output_of_one_clip_that_fails_is_a_note_on_it(folder, run, tmp_path, monkeypatch):
    from emorec.report import table

    real = table.plot_clip

    def plot(result):
        if result.path.name == "a.wav":
            raise ValueError("a picture that cannot be drawn")
        return real(result)

    monkeypatch.setattr(table, "plot_clip", plot)
    table_file, plots = tmp_path / "r.csv", tmp_path / "plots"
    code, printed, said = run(folder, "--csv", table_file, "--plots", plots)
    assert code == 2
    assert "1 files of single clips could not be written" in said
    assert "picture" in printed
    first, second = rows_of(table_file)
    assert first["emotion"] and second["emotion"]
    assert "its picture is not written: a picture that cannot be drawn" in first["notes"]
    assert "its picture" not in second["notes"]
    assert [path.name for path in plots.iterdir()] == ["b.png"]


def test_a_folder_that_goes_away_costs_the_timelines_alone(folder, run, tmp_path, monkeypatch):
    from emorec.report import table

    def write(result, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table, "_write_timeline", write)
    code, _, _ = run(folder, "--csv", tmp_path / "r.csv", "--timeline", tmp_path / "t")
    assert code == 2
    notes = [row["notes"] for row in rows_of(tmp_path / "r.csv")]
    assert all("its timeline is not written: writing failed (No space" in note for note in notes)
    assert list((tmp_path / "t").iterdir()) == []


def test_a_dash_is_the_standard_output_and_quiet_leaves_the_rest_out(clip, run):
    code, printed, said = run(clip, "--json", "-", "--quiet")
    assert (code, said) == (0, "")
    (entry,) = json.loads(printed)["clips"]
    assert entry["status"] == "ok"
    code, printed, said = run(clip, "--csv", "-")
    assert code == 0 and len(list(csv.DictReader(printed.splitlines()))) == 1
    assert "how sure" in said


def test_a_folder_may_hold_what_is_of_other_clips(clip, run, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "other.vtt").write_text("mine")
    assert run(clip, "--subtitles", folder)[0] == 0
    assert {file.name for file in folder.iterdir()} == {"a.vtt", "other.vtt"}
    code, _, said = run(clip, "--subtitles", folder)
    assert code == 2 and "a.vtt: it holds something already" in said
    assert run(clip, "--subtitles", folder, "--overwrite")[0] == 0
    assert (folder / "other.vtt").read_text() == "mine"
