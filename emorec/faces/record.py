"""Every face that the streams looked at: where it was, and its landmarks."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["FaceRecord", "FaceRecorder"]

_PARTS = 16  # of a pixel
_LARGEST = 2**15 - 1
_LANDMARKS = 68


@dataclass(frozen=True)
class FaceRecord:
    """The faces that were looked at, in order of time.

    Attributes:
        times_s: (n,) float64, seconds from the start of the clip.
        places: (n, 6) int16: width and height of the frame that was looked at, in pixels; then x,
            y, width, height of the face in sixteenths of them.
        points_s: (m,) float64, times of those whose landmarks were found.
        landmarks: (m, 136) int16: x and y of each, in sixteenths of a pixel.
        scales: Height and width of such a frame -> how many times larger the picture itself is.
    """

    times_s: np.ndarray
    places: np.ndarray
    points_s: np.ndarray
    landmarks: np.ndarray
    scales: Mapping[tuple[int, ...], float]

    @property
    def sizes(self) -> np.ndarray:
        """(n, 2) float32: width and height of the upright picture."""
        return self.places[:, :2] * self._scale

    @property
    def boxes(self) -> np.ndarray:
        """(n, 4) float32: x, y, width, height in pixels of the upright picture."""
        return self.places[:, 2:] / np.float32(_PARTS) * self._scale

    @property
    def points(self) -> np.ndarray:
        """(n, 68, 2) float32: x and y in pixels of the upright picture; NaN where none are."""
        rows = self.rows_at(self.points_s)
        points = np.full((len(self.times_s), 2 * _LANDMARKS), np.nan, np.float32)
        points[rows] = self.landmarks / np.float32(_PARTS)
        return (points * self._scale).reshape(-1, _LANDMARKS, 2)

    def rows_at(self, times_s: np.ndarray) -> list[int]:
        """Return which faces are those of some of the times."""
        places = {time_s: i for i, time_s in enumerate(self.times_s.tolist())}
        return [places[time_s] for time_s in times_s.tolist()]

    @property
    def _scale(self) -> np.ndarray:
        """(n, 1) float32."""
        scale = np.ones((len(self.places), 1), np.float32)
        for (height, width), larger in self.scales.items():
            scale[(self.places[:, 0] == width) & (self.places[:, 1] == height)] = larger
        return scale


class FaceRecorder:
    """Gathers a `FaceRecord`: 300 bytes a face, 16 MB for a face that is seen for an hour.

    Args:
        scales: As `FaceRecord` has them; complete at the end.
    """

    def __init__(self, scales: Mapping[tuple[int, ...], float]):
        self._times_s, self._places = array("d"), array("h")
        self._points_s, self._landmarks = array("d"), array("h")
        self._scales = scales

    def add(self, time_s: float, shape: tuple[int, ...], box: np.ndarray) -> None:
        """Take a face.

        Args:
            time_s: Time of the frame.
            shape: Height and width of the frame.
            box: x, y, width, height in pixels of it.
        """
        self._times_s.append(time_s)
        self._places.append(shape[1])
        self._places.append(shape[0])
        self._places.frombytes(_small(box))

    def add_points(self, time_s: float, points: np.ndarray) -> None:
        """Take the landmarks (68, 2) of a face that was added, in pixels of the frame."""
        self._points_s.append(time_s)
        self._landmarks.frombytes(_small(points))

    def finish(self) -> FaceRecord:
        """Return what was gathered."""
        return FaceRecord(
            np.array(self._times_s),
            np.array(self._places, np.int16).reshape(-1, 6),
            np.array(self._points_s),
            np.array(self._landmarks, np.int16).reshape(-1, 2 * _LANDMARKS),
            self._scales,
        )


def _small(pixels: np.ndarray) -> bytes:
    return np.rint(pixels * float(_PARTS)).clip(-_LARGEST, _LARGEST).astype(np.int16).tobytes()
