"""Where things lie: the repository, its models, the corpora."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["ALTERNATIVES", "COMPARISONS", "MODELS", "REPOSITORY", "data_folder"]

REPOSITORY = Path(__file__).resolve().parents[1]

MODELS = REPOSITORY / "Models"
"""What the recogniser loads lies at its top."""

ALTERNATIVES = MODELS / "alternatives"
"""Weights that `--voice-model` can choose."""

COMPARISONS = MODELS / "comparisons"
"""Evidence of everything that was trained for comparison, by question."""


def data_folder() -> Path:
    """Return where the corpora lie: the variable `EMOREC_DATA`, else `Datasets/`."""
    return Path(os.environ.get("EMOREC_DATA") or REPOSITORY / "Datasets")


def default_models_folder() -> Path:
    """Return the repository's `Models`, or that of the working folder."""
    return MODELS if MODELS.is_dir() else Path("Models")
