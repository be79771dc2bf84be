"""Where the followed face was, over time."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np

__all__ = ["FaceTrack", "FaceTrackRecorder"]

# Between two looked-at frames the box moves evenly; further away nothing is known of it.
_LONGEST_REACH_S = 0.25
_SMOOTHING = (1, 2, 3, 2, 1)  # weights of a frame and its neighbours


@dataclass(frozen=True)
class FaceTrack:
    """The box of the followed face in every frame that was looked at.

    Attributes:
        times_s: (n,) float64, seconds from the start of the clip.
        boxes: (n, 4) float32: x, y, width, height as shares of the upright picture's width and
            height; NaN where no face was seen.
    """

    times_s: np.ndarray
    boxes: np.ndarray

    def at(self, time_s: float) -> np.ndarray | None:
        """Return the box (4,) at any time, None where there was no face.

        >>> boxes = np.array([[0, 0, 0.2, 0.2], [0.1, 0, 0.2, 0.2]])
        >>> track = FaceTrack(np.array([0.0, 0.1]), boxes)
        >>> track.at(0.05).round(3).tolist(), track.at(2.0)
        ([0.05, 0.0, 0.2, 0.2], None)
        """
        if not len(self.times_s):
            return None
        after = min(int(np.searchsorted(self.times_s, time_s)), len(self.times_s) - 1)
        before = max(after - 1, 0)
        between_s = self.times_s[after] - self.times_s[before]
        share = 1.0
        if between_s > 0:
            share = float(np.clip((time_s - self.times_s[before]) / between_s, 0, 1))
        nearest = after if share >= 0.5 else before
        box = (1 - share) * self.boxes[before] + share * self.boxes[after]
        if between_s > _LONGEST_REACH_S or np.isnan(box).any():
            box = self.boxes[nearest]
        is_far = abs(time_s - self.times_s[nearest]) > _LONGEST_REACH_S
        return None if is_far or np.isnan(box).any() else box

    def smoothed(self) -> FaceTrack:
        """Return the track without the small jumps from one detection to the next, for the eye."""
        there = np.isfinite(self.boxes).all(1)
        reach = len(_SMOOTHING) // 2
        boxes = np.pad(np.where(there[:, np.newaxis], self.boxes, 0), ((reach, reach), (0, 0)))
        counted = np.pad(there.astype(np.float32), reach)[:, np.newaxis]
        sums = sum(w * boxes[i : i + len(there)] for i, w in enumerate(_SMOOTHING))
        weights = sum(w * counted[i : i + len(there)] for i, w in enumerate(_SMOOTHING))
        nothing = np.full_like(self.boxes, np.nan)
        is_known = np.broadcast_to(there[:, np.newaxis], self.boxes.shape)
        return FaceTrack(self.times_s, np.divide(sums, weights, out=nothing, where=is_known))


class FaceTrackRecorder:
    """Gathers a `FaceTrack`, 24 bytes for each frame that was looked at."""

    def __init__(self):
        self._times_s, self._boxes = array("d"), array("f")

    def add(self, time_s: float, box: np.ndarray | None, shape: tuple[int, ...]) -> None:
        """Take what was found in a frame.

        Args:
            time_s: Its time.
            box: x, y, width, height in pixels, None for no face.
            shape: Height and width of the frame.
        """
        height, width = shape
        self._times_s.append(time_s)
        if box is None:
            self._boxes.extend([np.nan] * 4)
        else:
            x, y, box_width, box_height = box.tolist()
            self._boxes.extend((x / width, y / height, box_width / width, box_height / height))

    def finish(self) -> FaceTrack:
        """Return what was gathered."""
        return FaceTrack(np.array(self._times_s), np.array(self._boxes, np.float32).reshape(-1, 4))
