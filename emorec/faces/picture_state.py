"""Whether a picture can show a face at all, and whether it is large enough to be read well."""

from __future__ import annotations

import cv2
import numpy as np

__all__ = ["PictureState"]

_LOOK_PX = 128  # of the middle of the picture
_PAUSE_S = 0.5
_LEAST_CONTRAST = 2.0  # grey levels
_BLACK, _WHITE = 24, 232
# Correlation of a pixel with the one beside it: 0 for noise, 0.3 where it was compressed, above 0.8
# for what a camera sees.
_LEAST_SMOOTHNESS = 0.5


class PictureState:
    """Keeps an account of what a film's pictures were like where they showed no face.

    Args:
        read_px: Side of a face's picture as the network reads it.
    """

    def __init__(self, read_px: int):
        self._read_px = read_px
        self._seen: dict[str, int] = {}
        self._due_s = -np.inf
        self._widest_px = 0

    def see(self, time_s: float, frame: np.ndarray, box: np.ndarray | None) -> None:
        """Take the next frame and the face in it.

        Args:
            time_s: Its time.
            frame: (height, width) uint8, grey.
            box: x, y, width, height of the face, or None.
        """
        if box is not None:
            self._widest_px = max(self._widest_px, int(box[2]))
        elif not self._widest_px and time_s >= self._due_s:
            self._due_s = time_s + _PAUSE_S
            state = _state(frame, self._read_px)
            self._seen[state] = self._seen.get(state, 0) + 1

    @property
    def lack(self) -> str:
        """Why there is no face, in plain words."""
        state = next(iter(self._seen)) if len(self._seen) == 1 else ""
        return f"no face: the picture {state}" if state else "no face"

    @property
    def notes(self) -> list[str]:
        """What a reader should know of how well the face can be read."""
        if not 0 < self._widest_px < self._read_px:
            return []
        return [f"the face is small, {self._widest_px} pixels wide, and is read coarsely"]


def _state(frame: np.ndarray, read_px: int) -> str:
    """What is wrong with a picture; empty where nothing is."""
    height, width = frame.shape
    if min(height, width) < read_px:
        return f"may be too small for one, {width}x{height} pixels"
    (mean,), (contrast,) = (value.ravel() for value in cv2.meanStdDev(frame))
    if contrast < _LEAST_CONTRAST:
        return "is black" if mean < _BLACK else "is white" if mean > _WHITE else "is blank"
    top, left = max(height - _LOOK_PX, 0) // 2, max(width - _LOOK_PX, 0) // 2
    middle = frame[top : top + _LOOK_PX, left : left + _LOOK_PX].astype(np.float32)
    if middle.std() < _LEAST_CONTRAST:
        return ""
    beside = np.corrcoef(middle[:, 1:].ravel(), middle[:, :-1].ravel())[0, 1]
    return "is noise" if beside < _LEAST_SMOOTHNESS else ""
