"""Help and wrong usage come at once: the commands' modules import nothing that reads clips."""

import subprocess
import sys

import pytest

from emorec.cli import main
from emorec.errors import MissingPartError
from emorec.paths import REPOSITORY

READS_CLIPS = ("numpy", "cv2", "av", "dlib", "onnxruntime", "pandas", "rich")
COMMANDS = (
    "classify",
    "annotate",
    "live",
    "calibrate",
    "evaluate",
    "data",
    "app",
    "try",
    "features",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples_and_exit_codes(command, capfd):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    shown = capfd.readouterr().out
    assert stopped.value.code == 0
    assert f"  emorec {command}" in shown
    assert "exit status" in shown
    # Of an item that goes on over a line, the next stands below its words.
    after = shown[shown.index("exit status") :].splitlines()[1:]
    assert all(line.startswith(("  0  ", "  1  ", "  2  ", "  130", "     ")) for line in after)


def test_without_a_command_it_shows_the_help(capfd):
    assert main([]) == 0
    assert "emorec classify clip.mp4" in capfd.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_completes_commands_options_and_files(shell, capfd):
    pytest.importorskip("shtab")
    with pytest.raises(SystemExit) as stopped:
        main(["--print-completion", shell])
    script = capfd.readouterr().out
    assert stopped.value.code == 0
    assert all(word in script for word in (*COMMANDS, "--subtitles", "print-completion"))
    assert "compgen_files" in script or "_files" in script


def test_completion_without_its_package_says_what_to_install(monkeypatch, capfd):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda n: None if n == "shtab" else real(n))
    with pytest.raises(SystemExit) as stopped:
        main(["--print-completion", "bash"])
    assert stopped.value.code == 2
    assert "pip install 'emorec[completion]'" in capfd.readouterr().err


def test_help_imports_nothing_that_reads_clips():
    code = (
        "import contextlib, sys; from emorec.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        f"print('loaded:', [name for name in {READS_CLIPS} if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "loaded: []" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "absent", "extra"),
    [
        (["app"], "starlette", "app"),
        (["data", "ravdess"], "pooch", "train"),
        (["classify", "CLIP", "--engine", "keras"], "keras", "train"),
        (["classify", "CLIP", "--voice-model", "voice_random_forest"], "librosa", "train"),
    ],
)
def test_a_missing_part_is_one_line_that_names_the_extra(
    arguments, absent, extra, example, monkeypatch, capfd
):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *more: None if name == absent else real(name, *more),
    )
    arguments = [str(example) if argument == "CLIP" else argument for argument in arguments]
    assert main(arguments) == 2
    printed = capfd.readouterr()
    line = f"{absent}: not installed. Remedy: pip install 'emorec[{extra}]'."
    assert printed.err == f"emorec: {line}\n"
    assert printed.out == ""


def test_a_missing_part_is_an_import_error_too():
    import pickle

    error = pickle.loads(pickle.dumps(MissingPartError("keras", "train")))
    assert isinstance(error, ImportError)
    assert "emorec[train]" in str(error)
