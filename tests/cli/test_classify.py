"""The command line: what it takes, what it prints and writes, and what it never imports."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import made_voice, write_clip

from emorec import __version__
from emorec.cli import main
from emorec.errors import MediaError
from emorec.media import find
from emorec.paths import REPOSITORY

HEAVY = ("keras", "tensorflow", "matplotlib", "librosa", "sklearn", "pandas", "scipy")


@pytest.fixture(scope="module")
def tone(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    return write_clip(path, None, made_voice(1.0), audio_codec="pcm_s16le")


@pytest.fixture
def folder(tone, tmp_path) -> Path:
    """A folder with clips at two depths, and with what is no clip."""
    for name in ("b.WAV", "a.wav", "deep/er/a.wav", ".hidden.wav", ".git/x.wav", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tone, path)
    return tmp_path


def names(found, folder) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in found]


def test_a_folder_is_searched_by_known_suffixes(folder):
    assert names(find.find_clips([str(folder)]), folder) == ["a.wav", "b.WAV", "deep/er/a.wav"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.wav", ["a.wav"]),
        ("**/*.wav", ["a.wav", "deep/er/a.wav"]),
        ("?.[wW]*", ["a.wav", "b.WAV"]),
        ("de*", ["deep/er/a.wav"]),
    ],
)
def test_quoted_patterns_are_understood(folder, pattern, expected):
    assert names(find.find_clips([str(folder / pattern)]), folder) == expected


def test_a_clip_named_twice_is_taken_once(folder, monkeypatch):
    (folder / "link.wav").symlink_to(folder / "a.wav")
    monkeypatch.chdir(folder)
    found = find.find_clips(["a.wav", "./a.wav", str(folder / "a.wav"), "link.wav", "*.wav"])
    assert [str(path) for path in found] == ["a.wav"]


def test_a_file_with_pattern_characters_in_its_name_is_itself(folder):
    odd = folder / "take [1].wav"
    shutil.copy(folder / "a.wav", odd)
    assert find.find_clips([str(odd)]) == [odd]


def test_a_pattern_without_a_match_says_so(folder):
    (error,) = find.find_clips([str(folder / "*.mkv")])
    assert isinstance(error, MediaError)
    assert "no file matches" in error.reason


def test_results_go_where_they_are_asked_for(folder, models, tmp_path, capfd):
    out = tmp_path / "out"
    out.mkdir()
    outputs = ["--csv", out / "rows.csv", "--json", out / "all.json"]
    outputs += ["--timeline", out / "timelines", "--plots", out / "plots"]
    outputs += ["--subtitles", out / "subtitles"]
    code = main(["classify", str(folder), "--models", str(models), *map(str, outputs)])
    printed = capfd.readouterr()
    assert code == 0
    assert printed.err == ""
    assert printed.out.count(".wav") + printed.out.count(".WAV") == 3

    with (out / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["file"]).name for row in rows] == ["a.wav", "b.WAV", "a.wav"]
    assert all(row["status"] == "ok" and row["emotion"] for row in rows)

    entries = json.loads((out / "all.json").read_text())["clips"]
    assert [entry["emotion"] for entry in entries] == [row["emotion"] for row in rows]
    assert set(entries[0]["probabilities"]) == {"voice", "fused"}
    (segment,) = entries[0]["segments"]
    assert segment["start_s"] == 0 and segment["end_s"] == pytest.approx(1, abs=0.05)

    # Two clips are called a.wav; each keeps a file of its own.
    for kind, suffix in (("timelines", ".csv"), ("plots", ".png"), ("subtitles", ".vtt")):
        written = {path.name for path in (out / kind).iterdir()}
        assert written == {f"a{suffix}", f"a-2{suffix}", f"b{suffix}"}


def test_the_csv_file_is_made_anew_where_that_is_asked_for(folder, models, tmp_path):
    table = tmp_path / "rows.csv"
    table.write_text("what stood here before")
    command = ["classify", str(folder / "a.wav"), "--models", str(models), "--csv", str(table)]
    for _ in range(2):
        main([*command, "--overwrite"])
    assert table.read_text().count("\n") == 2


def test_a_name_that_is_no_valid_text(folder, models, tmp_path):
    name = b"caf\xe9.wav"
    odd = tmp_path / name.decode("utf-8", "surrogateescape")
    try:
        shutil.copy(folder / "a.wav", odd)
    except OSError:
        pytest.skip("this file system takes valid names only")
    command = [sys.executable, "-m", "emorec", "classify", odd, "--models", models]
    command += ["--csv", tmp_path / "rows.csv", "--json", tmp_path / "all.json"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "caf" in done.stdout
    assert "caf" in (tmp_path / "rows.csv").read_text(encoding="utf-8")
    assert "caf" in (tmp_path / "all.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify"],
        ["guess", "clip.mp4"],
        ["classify", "clip.mp4", "--jobs", "0"],
        ["classify", "clip.mp4", "--jobs", "many"],
        ["classify", "clip.mp4", "--engine", "steam"],
        ["classify", "clip.mp4", "--color"],
        ["classify", "-clip.mp4"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments, capfd):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: emorec" in capfd.readouterr().err


def test_help_shows_examples_and_exit_codes(capfd):
    with pytest.raises(SystemExit) as stopped:
        main(["classify", "--help"])
    shown = capfd.readouterr().out
    assert stopped.value.code == 0
    assert "emorec classify clip.mp4" in shown
    assert "exit status" in shown


def test_the_version_is_told(capfd):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capfd.readouterr().out == f"emorec {__version__}\n"


def test_classifying_through_onnx_imports_nothing_heavy(tone, models):
    code = (
        "import sys; from emorec.cli import main; "
        "status = main(['classify', sys.argv[1], '--models', sys.argv[2]]); "
        f"print('loaded:', [name for name in {HEAVY} if name in sys.modules]); sys.exit(status)"
    )
    command = [sys.executable, "-c", code, str(tone), str(models)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "loaded: []" in done.stdout


def test_an_output_that_cannot_be_written_is_one_line(folder, models, tmp_path, capsys):
    clip = str(next(folder.glob("*.wav")))
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here, which is a disk without room")
    assert main(["classify", clip, "--models", str(models), "--csv", "/dev/full"]) == 2
    assert "Remedy" in capsys.readouterr().err


def test_two_outputs_of_one_name_are_refused(folder, models, tmp_path, capsys):
    clip, out = str(next(folder.glob("*.wav"))), str(tmp_path / "out")
    command = ["classify", clip, "--models", str(models), "--csv", out, "--json", out]
    assert main(command) == 2
    assert "another output" in capsys.readouterr().err


def test_a_folder_without_models_is_named(folder, tmp_path, capsys):
    clip = str(next(folder.glob("*.wav")))
    assert main(["classify", clip, "--models", str(tmp_path / "none")]) == 2
    assert "no such folder of models" in capsys.readouterr().err


@pytest.mark.parametrize("jobs", ["x", "0", "-2"])
def test_jobs_that_are_no_number_are_refused(jobs, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["classify", "a.mp4", "--jobs", jobs])
    assert "must be" in capsys.readouterr().err
