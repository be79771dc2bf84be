"""Puts what a wheel carries beside the code into it: the shipped models, cascade, landmark trees.

The repository keeps one copy of each where its readers look for them (`Models/`, `Other/`). All
else about the package stands in pyproject.toml.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MODELS = ("voice_encoder", "face_cnn", "geometry", "fusion")
# What the recogniser loads, and what the page's About tab tells.
MODEL_FILES = ("*.onnx", "*.json", "MODEL_CARD.md", "predictions.csv")
DETECTORS = (
    "haarcascade_frontalface_default.xml",
    "blazeface.onnx",
    "blazeface.LICENSE.txt",
    "usual_look.csv",
    "landmarks.npz",
)


def shipped_files() -> list[tuple[Path, str]]:
    """Return each file to ship, and its place in `emorec/shipped/`."""
    models = ROOT / "Models"
    found = [
        (file, file.relative_to(ROOT).as_posix())
        for name in MODELS
        for pattern in MODEL_FILES
        for file in sorted((models / name).glob(pattern))
    ]
    return [
        *found,
        (ROOT / "LICENSE.md", "LICENSE.md"),
        *((ROOT / "Other" / name, f"Other/{name}") for name in DETECTORS),
    ]


class BuildWithModels(build_py):
    """Copies the shipped files into the built package; an editable install reads the repository."""

    def run(self) -> None:
        """Build the modules, then add the files."""
        if self.editable_mode:
            super().run()
            return
        # What an earlier build left would be shipped too.
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        for source, place in shipped_files():
            target = Path(self.build_lib, "emorec", "shipped", place)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


setup(cmdclass={"build_py": BuildWithModels})
