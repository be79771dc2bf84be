"""The wheel: installed alone, it reads, plots and annotates clips from any folder."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from emorec import Recognizer
from emorec.emotions import COMMON7
from emorec.paths import MODELS, REPOSITORY

NOT_NEEDED = (
    "face_recognition_models",
    "jupyter_core",
    "keras",
    "librosa",
    "onnx",
    "optuna",
    "pooch",
    "scipy",
    "skl2onnx",
    "sklearn",
    "sounddevice",
    "starlette",
    "tensorflow",
    "tf2onnx",
    "torch",
)
OFFLINE = ("error sending request", "dns error", "name resolution", "Connection", "NewConnection")
UV = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from the source archive, so that this is known to be whole too."""
    folder = tmp_path_factory.mktemp("dist")
    if UV:
        options = ["--no-build-isolation", "--python", sys.executable, "--out-dir", folder]
        _run([UV, "build", "--quiet", *options, REPOSITORY])
    else:
        options = ["--no-deps", "--no-build-isolation", "--wheel-dir", folder]
        _run([sys.executable, "-m", "pip", "wheel", "--quiet", *options, REPOSITORY])
    return next(folder.glob("emorec-*.whl"))


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory) -> Path:
    """The folder of programs of a fresh environment that holds the wheel and what it needs."""
    place = tmp_path_factory.mktemp("environment")
    python = place / "bin" / "python"
    locked = ["--constraint", REPOSITORY / "requirements.txt"]
    if UV:
        _run([UV, "venv", "--quiet", "--clear", "--python", sys.executable, place])
        install = [UV, "pip", "install", "--quiet", "--python", python, *locked, wheel]
    else:
        _run([sys.executable, "-m", "venv", place])
        # pip takes hashes in a constraint file for a demand on every package.
        install = [python, "-m", "pip", "install", "--quiet", wheel]
    _run(install)
    return python.parent


def _run(command: list, folder: Path | None = None, status: int = 0) -> subprocess.CompletedProcess:
    """Run a program that knows nothing of this repository."""
    hidden = ("PYTHONPATH", "EMOREC_DATA", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != status and any(sign in done.stderr for sign in OFFLINE):
        pytest.skip(f"no package could be fetched: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == status, done.stderr
    return done


def test_it_reads_a_clip_as_the_repository_does(programs, example, tmp_path):
    shutil.copy(example, tmp_path / "clip.mp4")
    outputs = ["--csv", "rows.csv", "--json", "all.json"]
    outputs += ["--timeline", "timelines", "--plots", "plots"]
    done = _run([programs / "emorec", "classify", "clip.mp4", *outputs], tmp_path)
    assert "clip.mp4" in done.stdout
    assert done.stderr == ""
    expected = Recognizer.load(MODELS).classify(example)
    (found,) = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))["clips"]
    for stream, posterior in expected.posteriors.items():
        read = [found["probabilities"][stream][name] for name in COMMON7]
        np.testing.assert_allclose(read, posterior, atol=1e-5)  # five decimals are written
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["emotion"] == expected.emotion
    timeline = (tmp_path / "timelines" / "clip.csv").read_text(encoding="utf-8")
    assert {line.split(",")[1] for line in timeline.splitlines()[1:]} == set(expected.windows)
    assert (tmp_path / "plots" / "clip.png").read_bytes().startswith(b"\x89PNG")


def test_it_annotates_a_clip(programs, example, tmp_path):
    _run([programs / "emorec", "annotate", example, "-o", "annotated.mp4"], tmp_path)
    with av.open(str(tmp_path / "annotated.mp4")) as video, av.open(str(example)) as clip:
        assert video.streams.video[0].width > clip.streams.video[0].width
        assert len(video.streams.audio) == 1


def test_python_finds_models_tables_and_what_the_page_tells_of_them(programs, example, tmp_path):
    code = """
import json
import sys
from pathlib import Path
import emorec
from emorec.app.about_tab import cards, licence_markdown
from emorec.paths import (
    blazeface_path, cascade_path, data_folder, default_models_folder, landmarks_path,
    usual_look_path,
)

models = default_models_folder()
here = Path(emorec.__file__).parent
carried = models, blazeface_path(), cascade_path(), landmarks_path(), usual_look_path()
assert all(path.exists() and here in path.parents for path in carried)
assert data_folder() == Path("Datasets")
assert [card.stream for card in cards(models)] == ["voice", "face", "geometry", "fused"]
assert "Weights" in licence_markdown(models.parent)
recognizer = emorec.Recognizer.load()
assert len(recognizer.calibrate([sys.argv[1]]).classify(sys.argv[1]).timeline) > 10
probabilities = recognizer.classify(sys.argv[1]).probabilities
assert list(probabilities.index) == ["voice", "face", "geometry", "fused"]
print(json.dumps(probabilities.to_numpy().tolist()))
"""
    found = json.loads(_run([programs / "python", "-c", code, example], tmp_path).stdout)
    expected = Recognizer.load().classify(example).probabilities
    np.testing.assert_allclose(found, expected.to_numpy(), atol=1e-6)


def test_nothing_comes_along_that_reading_does_not_need(programs, tmp_path):
    code = (
        "import importlib.util as u, sys; "
        "print([name for name in sys.argv[1:] if u.find_spec(name)])"
    )
    assert _run([programs / "python", "-c", code, *NOT_NEEDED], tmp_path).stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["app"], "app"),
        (["data", "ravdess"], "train"),
        (["classify", "CLIP", "--engine", "keras"], "train"),
        (["classify", "CLIP", "--voice-model", "FOREST"], "train"),
        (["live", "--no-camera"], "live"),
    ],
)
def test_a_missing_part_is_one_line_that_names_the_extra(
    programs, arguments, extra, example, tmp_path
):
    names = {"CLIP": example, "FOREST": MODELS / "alternatives" / "voice_random_forest"}
    command = [programs / "emorec", *(names.get(word, word) for word in arguments)]
    said = _run(command, tmp_path, status=2).stderr
    assert said.count("\n") == 1
    assert f"pip install 'emorec[{extra}]'" in said
