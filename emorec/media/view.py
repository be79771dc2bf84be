"""How stored frames are to be shown: which way is up, and which shape their pixels have."""

from __future__ import annotations

from dataclasses import dataclass

import av
import av.sidedata.sidedata
import cv2
import numpy as np

__all__ = ["Turning", "View"]

_DISPLAY_MATRIX = av.sidedata.sidedata.Type.DISPLAYMATRIX
_LARGEST_PIXEL_ASPECT = 4.0
_AS_STORED = (1, 0, 0, 1)


@dataclass(frozen=True)
class View:
    """How a stored frame is to be shown.

    Attributes:
        pixel_aspect: Width of a stored pixel where its height is one.
        matrix: a, b, c, d, signs of x' = ax + cy and y' = bx + dy; only quarter turns and
            mirrorings are told apart.
    """

    pixel_aspect: float = 1.0
    matrix: tuple[int, int, int, int] = _AS_STORED

    @property
    def is_lying(self) -> bool:
        """Whether rows become columns."""
        return not self.matrix[0]

    def size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Width and height of a frame as it is shown, with square pixels.

        >>> View(16 / 15).size(av.VideoFrame(720, 576, "gray"))
        (768, 576)
        """
        aspect = self.pixel_aspect
        if not 1 / _LARGEST_PIXEL_ASPECT <= aspect <= _LARGEST_PIXEL_ASPECT:
            aspect = 1.0  # a header that lies
        width, height = max(1, round(frame.width * aspect)), frame.height
        return (height, width) if self.is_lying else (width, height)

    def turned(self, plane: np.ndarray) -> np.ndarray:
        """Turn a plane (height, width) upright."""
        a, b, c, d = self.matrix
        if self.is_lying:
            plane = cv2.transpose(plane)
        flip_x, flip_y = a + c < 0, b + d < 0
        if flip_x or flip_y:
            plane = cv2.flip(plane, -1 if flip_x and flip_y else int(flip_x))
        return plane


class Turning:
    """Follows which way is up through the frames of a film.

    Some films say it with a key frame only, and mean all up to the next one.

    Attributes:
        matrix: What holds for the last frame, see `View`.
    """

    def __init__(self) -> None:
        self.matrix = _AS_STORED

    def follow(self, frame: av.VideoFrame) -> None:
        """Take the next frame."""
        stated = _stated_matrix(frame)
        if stated is not None or frame.key_frame:
            self.matrix = stated or _AS_STORED


def _stated_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int] | None:
    # Not `frame.side_data`, after which the frame refers to itself, and keeps its megabytes until
    # Python collects cycles.
    side_data = av.sidedata.sidedata.SideDataContainer(frame).get(_DISPLAY_MATRIX)
    if side_data is None:
        return None
    a, b, _, c, d = np.frombuffer(side_data, np.int32)[:5].tolist()
    if abs(b) > abs(a):
        return 0, 1 if b > 0 else -1, 1 if c > 0 else -1, 0
    return -1 if a < 0 else 1, 0, 0, -1 if d < 0 else 1
