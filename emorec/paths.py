"""Where things lie: the repository or the installed package, the models, the corpora."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = [
    "ALTERNATIVES",
    "BLAZEFACE_NAME",
    "CASCADE_NAME",
    "COMPARISONS",
    "LANDMARKS_NAME",
    "MODELS",
    "REPOSITORY",
    "SHIPPED",
    "USUAL_LOOK_NAME",
    "blazeface_path",
    "cascade_path",
    "data_folder",
    "default_models_folder",
    "landmarks_path",
    "people_folder",
    "usual_look_path",
]

REPOSITORY = Path(__file__).resolve().parents[1]

MODELS = REPOSITORY / "Models"
"""What the recogniser loads lies at its top."""

ALTERNATIVES = MODELS / "alternatives"
"""Weights that `--voice-model` can choose."""

COMPARISONS = MODELS / "comparisons"
"""Evidence of everything that was trained for comparison, by question."""


SHIPPED = Path(__file__).resolve().parent / "shipped"
"""What the wheel carries beside the code: models, cascade, landmark trees; setup.py fills it."""

BLAZEFACE_NAME = "blazeface.onnx"
USUAL_LOOK_NAME = "usual_look.csv"
CASCADE_NAME = "haarcascade_frontalface_default.xml"
LANDMARKS_NAME = "landmarks.npz"


def data_folder() -> Path:
    """Return where the corpora lie: `EMOREC_DATA`, else the repository's `Datasets/`.

    Without a repository it is `Datasets/` in the working folder.
    """
    beside = REPOSITORY / "Datasets" if _is_repository() else Path("Datasets")
    return Path(os.environ.get("EMOREC_DATA") or beside)


def people_folder() -> Path:
    """Return where people who are known are kept: `EMOREC_PEOPLE`, else in the user's data folder.

    That is `emorec/people` in `XDG_DATA_HOME` or, without it, in `~/.local/share`.
    """
    if named := os.environ.get("EMOREC_PEOPLE"):
        return Path(named)
    home = Path(os.environ.get("XDG_DATA_HOME") or "")
    # A relative one is to be ignored, as its specification says.
    data = home if home.is_absolute() else Path.home() / ".local" / "share"
    return data / "emorec" / "people"


def default_models_folder() -> Path:
    """Return the repository's `Models`, else what the installed package carries."""
    return MODELS if _is_repository() else SHIPPED / "Models"


def cascade_path() -> Path:
    """Return the Haar cascade: the repository's, else the installed package's."""
    return (REPOSITORY if _is_repository() else SHIPPED) / "Other" / CASCADE_NAME


def blazeface_path() -> Path:
    """Return the weights of BlazeFace: the repository's, else the installed package's."""
    return (REPOSITORY if _is_repository() else SHIPPED) / "Other" / BLAZEFACE_NAME


def usual_look_path() -> Path:
    """Return the file of what the usual face looks like; see `emorec.faces.look`."""
    return (REPOSITORY if _is_repository() else SHIPPED) / "Other" / USUAL_LOOK_NAME


def landmarks_path() -> Path:
    """Return the trees that find landmarks: the repository's, else the installed package's."""
    return (REPOSITORY if _is_repository() else SHIPPED) / "Other" / LANDMARKS_NAME


def _is_repository() -> bool:
    """Tell the repository from an installed package, beside which strangers' folders may lie."""
    return not SHIPPED.is_dir() and MODELS.is_dir()
