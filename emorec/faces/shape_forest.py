"""Where 68 points of a face lie: an ensemble of regression trees, for many faces at a time.

Kazemi and Sullivan, One millisecond face alignment with an ensemble of regression trees (CVPR
2014): the mean shape is laid into the face's box and moved in fifteen steps; in each, five hundred
trees compare pixels beside the points found so far and vote on how they move.

The trees are those of dlib's predictor (Davis King, trained on iBUG 300-W).
`emorec.training.landmarks` tells how they are kept: each level's votes as `COMPONENTS` principal
components in whole numbers, an eleventh of the size, which are summed before they are unfolded.
Points come between pixels, where dlib rounds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["COMPONENTS", "POINTS", "ShapeForest"]

POINTS = 68
COMPONENTS = 64
_DEPTH = 4
_LEAVES = 2**_DEPTH


@dataclass(frozen=True)
class _Level:
    """One step: its pixels, and its trees as flat tables with `_LEAVES` rows for each tree.

    A tree's first split stands in its row 1, and those below row r in 2 r and 2 r + 1.

    Attributes:
        anchors: intp (2 p,): of each pixel's x, then of each one's y, the coordinate in a flat
            shape that it is counted from.
        offsets: float64 (2, 2 p), from a shape's turn and scale to the pixels' way from there.
        first, second: intp: which two pixels a split compares.
        threshold: int16: the first one has to be lighter by more than this to go on at 2 r.
        votes: int8 (rows, COMPONENTS) of each leaf.
        unit: float32 (rows,): what a vote's whole numbers are multiplied by.
        basis: float64 (COMPONENTS, 2 POINTS): the components.
    """

    anchors: np.ndarray
    offsets: np.ndarray
    first: np.ndarray
    second: np.ndarray
    threshold: np.ndarray
    votes: np.ndarray
    unit: np.ndarray
    basis: np.ndarray


class ShapeForest:
    """Finds the points of faces whose boxes are known.

    Args:
        path: The trees, as `emorec.training.landmarks` writes them.

    Raises:
        OSError: When the file cannot be read.
        ValueError: When it holds something else.
        KeyError: When a part of it is missing.
    """

    def __init__(self, path: str | Path):
        with np.load(path, allow_pickle=False) as file:
            kept = {name: file[name] for name in file.files}
        self._mean = kept["mean_shape"].astype(float)
        self._turn = _turn_and_scale(self._mean)
        self._levels = [
            _level(*parts)
            for parts in zip(
                *(kept[name] for name in ("anchors", "offsets", "splits", "thresholds")),
                *(kept[name] for name in ("votes", "units", "bases")),
                strict=True,
            )
        ]
        trees = self._levels[0].first.size // _LEAVES
        self._trees = _LEAVES * np.arange(trees)

    def predict(self, frames: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        """Find the points of one face in each frame.

        Args:
            frames: (height, width) uint8 each, grey; the same one may come many times.
            boxes: (n, 4): x, y, width, height, as dlib's detector sees faces.

        Returns:
            (n, POINTS, 2) float32: x, y in pixels of the frame.
        """
        # In double precision, so that a face alone and one of many fall on the same pixels.
        boxes = np.asarray(boxes, float)
        pixels = self._levels[0].anchors.size // 2
        size, corner = np.repeat(boxes[:, 2:], pixels, 1), np.repeat(boxes[:, :2], pixels, 1)
        shapes = np.repeat(self._mean[None], len(boxes), 0)
        for level in self._levels:
            places = shapes @ self._turn @ level.offsets + shapes[:, level.anchors]
            shades = _shades(frames, places * size + corner)
            shapes = shapes + self._votes(level, shades)
        points = shapes.reshape(-1, POINTS, 2) * boxes[:, None, 2:] + boxes[:, None, :2]
        return points.astype(np.float32)

    def _votes(self, level: _Level, shades: np.ndarray) -> np.ndarray:
        """What all trees of a level say, (n, 2 POINTS), of faces with pixels of these shades."""
        own = shades.shape[1] * np.arange(len(shades))[:, None]
        shades = shades.ravel()
        row = np.ones((len(own), self._trees.size), np.intp)
        for _ in range(_DEPTH):
            split = row + self._trees
            lighter = shades.take(level.first.take(split) + own)
            lighter -= shades.take(level.second.take(split) + own)
            row += row
            row += lighter <= level.threshold.take(split)
        leaf = row - _LEAVES + self._trees
        votes = level.votes.take(leaf, 0).astype(np.float32)
        return (level.unit.take(leaf)[:, None] @ votes)[:, 0] @ level.basis


def _level(
    anchors: np.ndarray,
    offsets: np.ndarray,
    splits: np.ndarray,
    thresholds: np.ndarray,
    votes: np.ndarray,
    units: np.ndarray,
    basis: np.ndarray,
) -> _Level:
    """A level as it is used: tables flat, indices in the type that indexing wants."""
    anchors, x, y = anchors.astype(np.intp), *offsets.T
    rows = np.zeros((2, len(splits), _LEAVES), np.intp)
    rows[:, :, 1:] = np.moveaxis(splits, -1, 0)
    threshold = np.zeros((len(splits), _LEAVES), np.int16)
    threshold[:, 1:] = thresholds
    return _Level(
        np.concatenate([2 * anchors, 2 * anchors + 1]),
        np.stack([np.concatenate([x, y]), np.concatenate([-y, x])]).astype(float),
        rows[0].ravel(),
        rows[1].ravel(),
        threshold.ravel(),
        votes.reshape(-1, votes.shape[-1]),
        units.ravel().astype(np.float32),
        basis.astype(float),
    )


def _turn_and_scale(mean: np.ndarray) -> np.ndarray:
    """(2 POINTS, 2): from a flat shape to how it is turned and scaled against the mean one.

    The two are the real and the imaginary part of the factor that brings the mean shape closest
    to it, points taken as complex numbers.
    """
    x, y = (mean.reshape(-1, 2) - mean.reshape(-1, 2).mean(0)).T
    matrix = np.stack([np.stack([x, y], 1).ravel(), np.stack([-y, x], 1).ravel()], 1)
    return matrix / (np.square(x) + np.square(y)).sum()


def _shades(frames: Sequence[np.ndarray], places: np.ndarray) -> np.ndarray:
    """The pixels at places (n, 2 p), all x before all y; int16 (n, p), 0 beyond the frame."""
    x, y = np.split(np.floor(places + 0.5).astype(np.intp), 2, axis=1)
    shades = np.empty(x.shape, np.int16)
    for row, (frame, column, line) in enumerate(zip(frames, x, y, strict=True)):
        height, width = frame.shape
        shades[row] = frame.ravel().take(line * width + column, mode="clip")
        if min(column.min(), line.min()) < 0 or column.max() >= width or line.max() >= height:
            inside = (column >= 0) & (column < width) & (line >= 0) & (line < height)
            shades[row] *= inside
    return shades
