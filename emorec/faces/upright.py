"""A turned face shown upright: what networks, landmarks and the cascade read of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from emorec.faces.boxes import halved

__all__ = ["Sighting", "Upright", "turn_upright"]

_REACH = 1.0  # of the box's side, from its centre to each border of the upright picture
# A larger face is reduced before it is turned; a smaller one is enlarged.
_LARGEST_FACE_PX, _SMALLEST_FACE_PX = 224, 96


@dataclass(frozen=True)
class Upright:
    """A part of a frame, turned so that a face in it stands upright.

    Attributes:
        frame: (height, width) uint8, grey; the whole frame itself where nothing is to be turned.
        box: (4,) float64: x, y, width, height of the face in pixels of `frame`.
        to_picture: (2, 3) float64, from pixels of `frame` to those of the picture that it was cut
            from; None where they are the same.
    """

    frame: np.ndarray
    box: np.ndarray
    to_picture: np.ndarray | None = None

    def in_picture(self, box: np.ndarray) -> np.ndarray:
        """Tell where in the picture the face of a box of `frame` is.

        Args:
            box: x, y, width, height in pixels of `frame`.

        Returns:
            (4,) float64: a level box about the same centre, of the same size in the picture.
        """
        if self.to_picture is None:
            return np.asarray(box, float)
        centre = self.points_in_picture(box[:2] + np.divide(box[2:], 2))
        size = np.asarray(box[2:]) * np.hypot(*self.to_picture[:, 0])
        return np.concatenate([centre - size / 2, size])

    def points_in_picture(self, points: np.ndarray) -> np.ndarray:
        """Tell where in the picture points (..., 2) of `frame` are."""
        if self.to_picture is None:
            return points
        return points @ self.to_picture[:, :2].T + self.to_picture[:, 2]


@dataclass(frozen=True)
class Sighting:
    """The followed face in one frame.

    Attributes:
        box: (4,) int32: x, y, width, height in pixels of the picture; a turned face has a level
            box about its centre.
        roll_deg: How far the head is turned clockwise in the picture, -180 to 180; 0 for all that
            the cascade finds in the picture as it is.
        frame: (height, width) uint8, grey, in which the face stands upright: the picture itself
            where the roll is 0.
        upright_box: (4,) int32, the face in pixels of `frame`.
        to_picture: (2, 3) float64, from pixels of `frame` to the picture's; None where they are
            the same.
        first_roll_deg: How far the head was turned when it was first seen.
    """

    box: np.ndarray
    roll_deg: float
    frame: np.ndarray
    upright_box: np.ndarray
    to_picture: np.ndarray | None = None
    first_roll_deg: float = 0.0

    @classmethod
    def of(cls, upright: Upright, roll_deg: float | None, first_roll_deg: float) -> Sighting:
        """Tell of a face in a picture that was turned by `roll_deg`, None for not at all."""
        return cls(
            box=np.rint(upright.in_picture(upright.box)).astype(np.int32),
            roll_deg=roll_deg or 0.0,
            frame=upright.frame,
            upright_box=np.rint(upright.box).astype(np.int32),
            to_picture=upright.to_picture,
            first_roll_deg=first_roll_deg,
        )

    def in_picture(self, points: np.ndarray) -> np.ndarray:
        """Tell where in the picture points (n, 2) of `frame` are, in their own type."""
        return _moved(points, self.to_picture)

    def levelled(self, points: np.ndarray) -> np.ndarray:
        """Tell where points (n, 2) of `frame` are in the picture turned by the first roll.

        There they move evenly from frame to frame, and the face is upright but for what it was
        turned by since.
        """
        points = self.in_picture(points)
        if self.first_roll_deg == 0:
            return points
        turn = np.radians(-self.first_roll_deg)
        cosine, sine = np.cos(turn), np.sin(turn)
        return _moved(points, np.array([[cosine, -sine, 0], [sine, cosine, 0]]))

    def unlevelled(self, points: np.ndarray) -> np.ndarray:
        """Tell where in the picture points (n, 2) are that `levelled` gave."""
        if self.first_roll_deg == 0:
            return points
        turn = np.radians(self.first_roll_deg)
        cosine, sine = np.cos(turn), np.sin(turn)
        return _moved(points, np.array([[cosine, -sine, 0], [sine, cosine, 0]]))


def turn_upright(picture: np.ndarray, box: np.ndarray, roll_deg: float | None) -> Upright:
    """Show a face upright, with about half its size around it.

    Args:
        picture: (height, width) uint8, grey.
        box: x, y, width, height of the face in pixels of it.
        roll_deg: How far the head is turned clockwise; None gives the picture as it is.

    Returns:
        The upright face; beyond the picture its border is repeated.
    """
    box = np.asarray(box, float)
    if roll_deg is None:
        return Upright(picture, box)
    side = max(box[2], 1.0)
    centre = box[:2] + box[2:] / 2
    corner = np.maximum((centre - 1.5 * _REACH * side).astype(int), 0)
    end = np.maximum(np.ceil(centre + 1.5 * _REACH * side).astype(int), corner + 1)
    part = picture[corner[1] : end[1], corner[0] : end[0]]
    if not part.size:
        part, corner = picture[:1, :1], np.zeros(2, int)
    small = part
    if side > 2 * _LARGEST_FACE_PX:
        small = halved(part, int(min(part.shape) * _LARGEST_FACE_PX / side))
    halving = part.shape[0] // small.shape[0]
    scale = float(np.clip(side, _SMALLEST_FACE_PX, _LARGEST_FACE_PX)) / side
    size = max(round(2 * _REACH * side * scale), 1)
    # From pixels of the upright picture to those of the picture, then of the reduced part.
    turn = np.radians(roll_deg)
    cosine, sine = np.cos(turn) / scale, np.sin(turn) / scale
    linear = np.array([[cosine, -sine], [sine, cosine]])
    to_picture = np.column_stack([linear, centre - linear @ np.full(2, size / 2)])
    # Centres of pixels stand at whole numbers where OpenCV reads, at halves where boxes count.
    to_part = to_picture / halving
    to_part[:, 2] = (to_picture[:, 2] - corner + linear @ np.full(2, 0.5)) / halving - 0.5
    frame = cv2.warpAffine(
        small,
        to_part,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    side_px = side * scale
    face = np.array([(size - side_px) / 2, (size - side_px) / 2, side_px, side_px])
    return Upright(frame, face, to_picture)


def _moved(points: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    if matrix is None:
        return points
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(points.dtype)
