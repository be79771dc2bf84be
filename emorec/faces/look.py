"""How a face looks, as numbers that tell people in one film apart.

Local ternary patterns: which of each pixel's eight neighbours are clearly lighter, and which
clearly darker, counted in each cell of a grid over the aligned face (Tan and Triggs, Enhanced
local texture feature sets for face recognition under difficult lighting conditions, 2010), as
square roots, less the usual face's. They tell the people of one film apart, not one person from
all others. Of JavaSED's eight people, with means over three pictures of each clip and the limit
`SAME`, 8 % of the pairs of one person's clips, where another emotion is acted, are taken for two
people's, and 4 % of those of two people for one's: most of them of two who look alike. With binary
patterns (Ahonen et al. 2006) these are 10 and 9 %. The patterns were chosen with these people in
view.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from emorec.faces.alignment import align_face
from emorec.paths import usual_look_path

__all__ = ["CELLS", "PATTERNS", "SAME", "Look", "joined", "patterns_of"]

_GRID = 6
CELLS, PATTERNS = 2 * _GRID**2, 59
"""Cells of both grids, of lighter and of darker neighbours, and patterns told apart in each."""

SAME = 0.52
"""So alike, two faces of one film are one person's."""

_FACE_PX, _BORDER_PX = 64, 4
_BLUR_PX = 1.0
_CLEARLY = 0.15  # of the face's contrast (standard deviation): by so much a neighbour differs
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


class Look:
    """The mean look of a face, over the frames in which it was looked at."""

    def __init__(self) -> None:
        self._sum, self.count = np.zeros(CELLS * PATTERNS), 0

    def add(self, frame: np.ndarray, points: np.ndarray) -> None:
        """Look at a face.

        Args:
            frame: (height, width) uint8, grey.
            points: (68, 2) its landmarks in pixels of the frame.
        """
        self._sum += patterns_of(align_face(frame, points, _FACE_PX)).ravel()
        self.count += 1

    def join(self, other: Look) -> None:
        """Add what was seen of the same face elsewhere."""
        self._sum, self.count = self._sum + other._sum, self.count + other.count

    @classmethod
    def of(cls, frame: np.ndarray, points: np.ndarray) -> Look:
        """Look at a face once; see `add`."""
        look = cls()
        look.add(frame, points)
        return look

    def likeness(self, other: Look) -> float:
        """How alike two faces look: 1 for the same picture, about 0 for strangers."""
        mine, theirs = self._away(), other._away()
        return float(mine @ theirs / (np.linalg.norm(mine) * np.linalg.norm(theirs) + 1e-9))

    def _away(self) -> np.ndarray:
        return self._sum / self.count - _usual()


def joined(looks: Sequence[Look]) -> Look:
    """Return the mean of several looks at one face."""
    found = Look()
    for look in looks:
        found.join(look)
    return found


def patterns_of(face: np.ndarray) -> np.ndarray:
    """Count the patterns of an aligned face.

    Args:
        face: (64, 64) uint8, as `align_face` cuts it.

    Returns:
        (CELLS, PATTERNS) float64: the square root of each pattern's share of each cell.
    """
    soft = cv2.GaussianBlur(face.astype(np.float32), (0, 0), _BLUR_PX)
    padded, clearly = np.pad(soft, 1, mode="edge"), _CLEARLY * (soft.std() + 1)
    codes = np.zeros((2, *face.shape), np.uint8)
    for bit, (down, right) in enumerate(_NEIGHBOURS):
        there = padded[1 + down : 1 + down + _FACE_PX, 1 + right : 1 + right + _FACE_PX] - soft
        codes[0] |= (there > clearly).astype(np.uint8) << bit
        codes[1] |= (there < -clearly).astype(np.uint8) << bit
    edges = np.linspace(_BORDER_PX, _FACE_PX - _BORDER_PX, _GRID + 1).astype(int)
    cells = [
        kinds[top:bottom, left:right].ravel()
        for kinds in _kinds()[codes]
        for top, bottom in pairwise(edges)
        for left, right in pairwise(edges)
    ]
    shares = [np.bincount(cell, minlength=PATTERNS) / len(cell) for cell in cells]
    return np.sqrt(np.array(shares))


@functools.cache
def _kinds() -> np.ndarray:
    """Kind of each of the 256 codes: those that change at most twice around are kept apart."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, np.newaxis], axis=1)
    is_even = (bits != np.roll(bits, 1, axis=1)).sum(1) <= 2
    kinds = np.full(256, PATTERNS - 1)
    kinds[is_even] = np.arange(np.count_nonzero(is_even))
    return kinds


@functools.cache
def _usual() -> np.ndarray:
    """Patterns of the usual face, (CELLS * PATTERNS,); `emorec.training.usual_look` made them."""
    return np.loadtxt(usual_look_path(), delimiter=",").ravel()
