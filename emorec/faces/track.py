"""Where the followed face was, over time."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np

__all__ = ["LONGEST_REACH_S", "FaceTrack", "FaceTrackRecorder"]

LONGEST_REACH_S = 0.25
"""Between two frames so near the box moves evenly; further away nothing is known of it."""

_SMOOTHING = (1, 2, 3, 2, 1)  # weights of a frame and its neighbours


@dataclass(frozen=True)
class FaceTrack:
    """The box of the followed face in every frame that was looked at.

    Attributes:
        times_s: (n,) float64, seconds from the start of the clip.
        boxes: (n, 4) float32: x, y, width, height as shares of the upright picture's width and
            height; NaN where no face was seen.
        begins_s: (m,) float64, times from which on another shot or another face is seen.
    """

    times_s: np.ndarray
    boxes: np.ndarray
    begins_s: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __repr__(self) -> str:
        seen = np.isfinite(self.boxes).all(1).sum()
        return f"<FaceTrack: a face in {seen} of {len(self.times_s)} frames>"

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
        is_cut = self._shot_at(self.times_s[before]) != self._shot_at(self.times_s[after])
        if is_cut or between_s > LONGEST_REACH_S or np.isnan(box).any():
            box = self.boxes[nearest]
        is_far = abs(time_s - self.times_s[nearest]) > LONGEST_REACH_S
        return None if is_far or np.isnan(box).any() else box

    def smoothed(self) -> FaceTrack:
        """Return the track without the small jumps from one detection to the next, for the eye."""
        there = np.isfinite(self.boxes).all(1)
        reach = len(_SMOOTHING) // 2
        boxes = np.pad(np.where(there[:, np.newaxis], self.boxes, 0), ((reach, reach), (0, 0)))
        counted = np.pad(there.astype(np.float32), reach)[:, np.newaxis]
        shots = np.pad(self._shot_at(self.times_s), reach)[:, np.newaxis]
        sums, weights = np.zeros_like(self.boxes), np.zeros((len(there), 1), np.float32)
        for i, weight in enumerate(_SMOOTHING):
            near, here = slice(i, i + len(there)), slice(reach, reach + len(there))
            shared = weight * counted[near] * (shots[near] == shots[here])
            sums, weights = sums + shared * boxes[near], weights + shared
        nothing = np.full_like(self.boxes, np.nan)
        is_known = np.broadcast_to(there[:, np.newaxis], self.boxes.shape)
        boxes = np.divide(sums, weights, out=nothing, where=is_known)
        return FaceTrack(self.times_s, boxes, self.begins_s)

    def _shot_at(self, time_s: np.ndarray | float) -> np.ndarray:
        """Number of the shot, or of the followed face, at each time."""
        return np.searchsorted(self.begins_s, time_s, side="right")


class FaceTrackRecorder:
    """Gathers a `FaceTrack`, 24 bytes for each frame that was looked at."""

    def __init__(self):
        self._times_s, self._boxes, self._begins_s = array("d"), array("f"), array("d")

    def add(
        self,
        time_s: float,
        box: np.ndarray | None,
        shape: tuple[int, ...],
        *,
        is_anew: bool = False,
    ) -> None:
        """Take what was found in a frame.

        Args:
            time_s: Its time.
            box: x, y, width, height in pixels, None for no face.
            shape: Height and width of the frame.
            is_anew: Whether another shot or another face begins here.
        """
        height, width = shape
        if is_anew:
            self._begins_s.append(time_s)
        self._times_s.append(time_s)
        if box is None:
            self._boxes.extend([np.nan] * 4)
        else:
            x, y, box_width, box_height = box.tolist()
            self._boxes.extend((x / width, y / height, box_width / width, box_height / height))

    def finish(self) -> FaceTrack:
        """Return what was gathered."""
        boxes = np.array(self._boxes, np.float32).reshape(-1, 4)
        return FaceTrack(np.array(self._times_s), boxes, np.array(self._begins_s))
