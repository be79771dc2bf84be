"""The label vocabularies, and how one folds into another.

Every order of labels in the project comes from here. A vocabulary is a tuple of class
names; a posterior over one vocabulary folds into another by summing (`fold`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The command line lists the corpora, and so imports this module, without needing arrays.
    import numpy as np

RAVDESS8 = ("angry", "calm", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""The eight acted emotions of RAVDESS speech (Livingstone & Russo 2018)."""

RAVDESS7 = ("angry", "calm", "disgust", "fear", "happy", "sad", "surprise")
"""RAVDESS without neutral, as the two-stream reference project uses it."""

COMMON7 = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""What the recogniser reports: six basic emotions and neutral."""

JAVASED6 = ("angry", "fear", "happy", "neutral", "sad", "surprise")
"""The six acted emotions of JavaSED."""

CREMA_D6 = ("angry", "disgust", "fear", "happy", "neutral", "sad")
"""The six acted emotions of CREMA-D."""

SHARED5 = ("angry", "fear", "happy", "neutral", "sad")
"""What RAVDESS, CREMA-D, SAVEE and JavaSED all have (RAVDESS's calm folds into neutral)."""

BASIC6 = ("angry", "disgust", "fear", "happy", "sad", "surprise")
"""The six basic emotions (Ekman 1992): CK+ without contempt, whose 48x48 set has no neutral."""

FER2013_6 = ("angry", "fear", "happy", "neutral", "sad", "surprise")
"""FER-2013 without its rarest class, disgust."""

FERPLUS8 = ("angry", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""The eight emotions that the raters of FER+ could vote for (Barsoum et al. 2016)."""

VOCABULARIES = {
    "ravdess8": RAVDESS8,
    "ravdess7": RAVDESS7,
    "common7": COMMON7,
    "javased6": JAVASED6,
    "crema_d6": CREMA_D6,
    "shared5": SHARED5,
    "basic6": BASIC6,
    "fer2013_6": FER2013_6,
    "ferplus8": FERPLUS8,
}

WORDS: dict[str, tuple[str, ...]] = {
    "angry": ("angry", "anger"),
    "disgust": ("disgust", "disgusted"),
    "fear": ("fear", "fearful", "afraid", "scared"),
    "happy": ("happy", "happiness", "joy", "joyful"),
    "neutral": ("neutral", "calm"),
    "sad": ("sad", "sadness"),
    "surprise": ("surprise", "surprised", "pleasant surprise", "pleasant surprised"),
}
"""Emotion of COMMON7 -> the words that are taken for it. Codes such as HA or 03 are not guessed."""

# Where a class goes when the target vocabulary lacks it.
_NEAREST = {"calm": "neutral"}


def nearest(name: str, target: Sequence[str]) -> str | None:
    """Return where a class goes in a vocabulary: to its namesake, else to its nearest relative.

    Example:
        >>> nearest("calm", COMMON7), nearest("contempt", COMMON7)
        ('neutral', None)
    """
    destination = name if name in target else _NEAREST.get(name)
    return destination if destination in target else None


def fold_matrix(source: Sequence[str], target: Sequence[str]) -> np.ndarray:
    """Return the 0/1 matrix that sums a posterior over `source` into one over `target`.

    A class goes where `nearest` says, else nowhere: its share is dropped.

    Returns:
        float32 array, shape (len(source), len(target)).

    Raises:
        ValueError: If no class of `source` has a place in `target`.
    """
    import numpy as np

    matrix = np.zeros((len(source), len(target)), np.float32)
    for row, name in enumerate(source):
        if destination := nearest(name, target):
            matrix[row, list(target).index(destination)] = 1.0
    if not matrix.any():
        raise ValueError(f"no class of {tuple(source)} has a place in {tuple(target)}")
    return matrix


def fold(posterior: np.ndarray, source: Sequence[str], target: Sequence[str]) -> np.ndarray:
    """Fold posteriors over one vocabulary into another.

    Args:
        posterior: Array of shape (..., len(source)), each last axis summing to 1.
        source: Vocabulary of the posterior.
        target: Vocabulary wanted.

    Returns:
        float array of shape (..., len(target)), normalised to sum to 1.

    Example:
        >>> fold([[0.1, 0.5, 0.0, 0.0, 0.2, 0.2, 0.0, 0.0]], RAVDESS8, COMMON7).round(1).tolist()
        [[0.1, 0.0, 0.0, 0.2, 0.7, 0.0, 0.0]]
    """
    import numpy as np

    folded = np.asarray(posterior) @ fold_matrix(source, target)
    return folded / np.maximum(folded.sum(-1, keepdims=True), 1e-12)
