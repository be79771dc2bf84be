"""Every face that the streams looked at: where it was, and its landmarks."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["FaceRecord", "FaceRecorder"]

_PARTS = 16  # of a pixel; boxes and most landmarks are whole pixels anyway
_LARGEST = 2**15 - 1
_LANDMARKS = 68
_VALUES = 2 + 4 + 2 * _LANDMARKS


@dataclass(frozen=True)
class FaceRecord:
    """The faces that were looked at, in order of time.

    Attributes:
        times_s: (n,) float64, seconds from the start of the clip.
        values: (n, 142) int16, sixteenths of a pixel of the frame that was looked at, but for the
            first two: its width and height; then x, y, width, height of the face, and 68 landmarks.
        scales: Height and width of such a frame -> how many times larger the picture itself is.
    """

    times_s: np.ndarray
    values: np.ndarray
    scales: Mapping[tuple[int, ...], float]

    @property
    def sizes(self) -> np.ndarray:
        """(n, 2) float32: width and height of the upright picture."""
        return self.values[:, :2] * self._scale

    @property
    def boxes(self) -> np.ndarray:
        """(n, 4) float32: x, y, width, height in pixels of the upright picture."""
        return self.values[:, 2:6] / np.float32(_PARTS) * self._scale

    @property
    def points(self) -> np.ndarray:
        """(n, 68, 2) float32: landmarks, x and y in pixels of the upright picture."""
        points = self.values[:, 6:] / np.float32(_PARTS) * self._scale
        return points.reshape(-1, _LANDMARKS, 2)

    @property
    def _scale(self) -> np.ndarray:
        """(n, 1) float32."""
        scale = np.ones((len(self.values), 1), np.float32)
        for (height, width), larger in self.scales.items():
            scale[(self.values[:, 0] == width) & (self.values[:, 1] == height)] = larger
        return scale


class FaceRecorder:
    """Gathers a `FaceRecord`: 292 bytes a face, 16 MB for a face that is seen for an hour.

    Args:
        scales: As `FaceRecord` has them; complete at the end.
    """

    def __init__(self, scales: Mapping[tuple[int, ...], float]):
        self._times_s, self._values, self._scales = array("d"), array("h"), scales

    def add(
        self, time_s: float, shape: tuple[int, ...], box: np.ndarray, points: np.ndarray
    ) -> None:
        """Take a face.

        Args:
            time_s: Time of the frame.
            shape: Height and width of the frame.
            box: x, y, width, height in pixels of it.
            points: (68, 2) landmarks, x and y in pixels of it.
        """
        self._times_s.append(time_s)
        self._values.append(shape[1])
        self._values.append(shape[0])
        values = np.concatenate((box, points.ravel())) * _PARTS
        self._values.frombytes(np.rint(values).clip(-_LARGEST, _LARGEST).astype(np.int16).tobytes())

    def finish(self) -> FaceRecord:
        """Return what was gathered."""
        values = np.frombuffer(self._values, np.int16).reshape(-1, _VALUES)
        return FaceRecord(np.array(self._times_s), values, self._scales)
