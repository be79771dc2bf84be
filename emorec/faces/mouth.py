"""How a mouth moves: how far the lips are apart, and how its picture changes."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from emorec.faces.alignment import align_face, eye_centres

__all__ = ["Mouth", "MouthTrack", "mouth_opening"]

_UPPER_LIP, _LOWER_LIP = slice(61, 64), [67, 66, 65]  # the inner borders

_FACE_PX = 96
# Rows and columns of an aligned face: the mouth; eyes and nose, which speech moves little.
_MOUTH, _REST = (slice(60, 90), slice(26, 70)), (slice(24, 54), slice(20, 76))
_REACH_PX = 4  # how far the same part is looked for in the picture before
_FRAMES_APART, _LONGEST_APART_S = 2, 0.3
_LEAST_CONTRAST, _LEAST_CHANGE = 8.0, 0.01


@dataclass(frozen=True)
class MouthTrack:
    """How a person's mouth moves.

    Attributes:
        times_s: (n,) float64, of the frames in which the face was seen.
        openings: (n,) float32, how far the lips are apart, in eye distances.
        changes: (n,) float32, logarithm of how much more the picture of the mouth changes from
            frame to frame than that of eyes and nose; NaN where there is no frame before.
    """

    times_s: np.ndarray
    openings: np.ndarray
    changes: np.ndarray


class Mouth:
    """Gathers a `MouthTrack`, 16 bytes a frame."""

    def __init__(self) -> None:
        self._times_s, self._openings, self._changes = array("d"), array("f"), array("f")
        self._before: deque[tuple[float, np.ndarray]] = deque(maxlen=_FRAMES_APART)

    def __len__(self) -> int:
        return len(self._times_s)

    def restart(self) -> None:
        """Compare no more with the frames before."""
        self._before.clear()

    def add(self, time_s: float, frame: np.ndarray, points: np.ndarray) -> None:
        """Take a frame.

        Args:
            time_s: Its time.
            frame: (height, width) uint8, grey.
            points: (68, 2) landmarks in pixels of it.
        """
        face = cv2.GaussianBlur(align_face(frame, points, _FACE_PX), (0, 0), 1)
        change = np.nan
        if len(self._before) == _FRAMES_APART:
            before_s, before = self._before[0]
            if time_s - before_s <= _LONGEST_APART_S:
                mouth, rest = (_change(before, face, part) for part in (_MOUTH, _REST))
                change = np.log((mouth + _LEAST_CHANGE) / (rest + _LEAST_CHANGE))
        self._before.append((time_s, face))
        self._times_s.append(time_s)
        self._openings.append(mouth_opening(points))
        self._changes.append(change)

    def forget(self, before_s: float) -> None:
        """Let go of the frames before a time."""
        old = bisect_left(self._times_s, before_s)
        for values in (self._times_s, self._openings, self._changes):
            del values[:old]

    def finish(self) -> MouthTrack:
        """Return what was gathered."""
        found = (np.array(values) for values in (self._times_s, self._openings, self._changes))
        return MouthTrack(*found)


def _change(before: np.ndarray, face: np.ndarray, part: tuple[slice, slice]) -> float:
    """How much a part of a face has changed, whatever its place and light; 0 for not at all."""
    rows, columns = part
    now = face[part]
    reach = _REACH_PX
    around = before[
        rows.start - reach : rows.stop + reach, columns.start - reach : columns.stop + reach
    ]
    scores = cv2.matchTemplate(around, now, cv2.TM_SQDIFF)
    _, _, (column, row), _ = cv2.minMaxLoc(scores)
    was = around[row : row + now.shape[0], column : column + now.shape[1]].astype(float)
    difference = (now - now.mean()) - (was - was.mean())
    return float(np.abs(difference).mean() / (now.std() + _LEAST_CONTRAST))


def mouth_opening(points: np.ndarray) -> float:
    """Return how far the lips are apart, in eye distances.

    Args:
        points: (68, 2) landmarks.
    """
    left, right = eye_centres(points)
    apart_px = np.linalg.norm(points[_LOWER_LIP] - points[_UPPER_LIP], axis=1).mean()
    return float(apart_px / max(float(np.hypot(*(right - left))), 1e-6))
