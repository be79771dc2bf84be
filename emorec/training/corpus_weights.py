"""How much each clip counts, and which classes it can teach, where corpora train together."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from emorec.emotions import fold_matrix


def class_codes(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Return the code of each clip's emotion, int (n,); calm is neutral where `classes` lacks it.

    Raises:
        ValueError: If an emotion has no place in the classes.
    """
    names = sorted(set(table["emotion"]))
    place = fold_matrix(names, classes)
    lost = [name for name, row in zip(names, place, strict=True) if not row.any()]
    if lost:
        raise ValueError(f"{', '.join(lost)}: no place among {', '.join(classes)}")
    code = dict(zip(names, place.argmax(1).tolist(), strict=True))
    return table["emotion"].map(code).to_numpy()


def known_classes(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Return which classes a clip's corpus has, bool (n, classes).

    A corpus without an emotion says nothing about it: that its clips are not of that emotion is
    the corpus's making, and must not be taught.

    Args:
        table: Clips, with `corpus` and `emotion`.
        classes: The classes.

    Example:
        >>> clips = pd.DataFrame({"corpus": ["a", "a", "b"], "emotion": ["sad", "happy", "sad"]})
        >>> known_classes(clips, ("happy", "sad")).astype(int).tolist()
        [[1, 1], [1, 1], [0, 1]]
    """
    one_hot = np.eye(len(classes), dtype=bool)[class_codes(table, classes)]
    corpus = table["corpus"].to_numpy()
    known = np.zeros_like(one_hot)
    for name in set(corpus):
        known[corpus == name] = one_hot[corpus == name].any(0)
    return known


def clip_weights(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Return each clip's weight, float (n,), with mean 1.

    A corpus counts with the square root of its number of speakers, and each of its classes alike.

    Args:
        table: Clips, with `corpus`, `speaker` and `emotion`.
        classes: The classes.

    Example:
        >>> emotions = ["sad", "sad", "sad", "happy"]
        >>> clips = pd.DataFrame({"corpus": "a", "speaker": "x", "emotion": emotions})
        >>> clip_weights(clips, ("happy", "sad")).round(2).tolist()
        [0.67, 0.67, 0.67, 2.0]
    """
    codes, weights = class_codes(table, classes), np.zeros(len(table))
    corpus = table["corpus"].to_numpy()
    for name in set(corpus):
        rows = np.flatnonzero(corpus == name)
        clips = np.bincount(codes[rows], minlength=len(classes))
        speakers = table["speaker"].iloc[rows].nunique()
        weights[rows] = np.sqrt(speakers) / np.count_nonzero(clips) / clips[codes[rows]]
    return weights / weights.mean()
