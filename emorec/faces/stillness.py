"""Faces on posters and slides: a face whose picture does not change gives way to one that lives.

A face's picture is compared with itself over a second or more, after it was brought to the same
place. Of 187 still faces, filmed and compressed again, none differed by more than 0.0003 from its
first picture, with the camera shaken by some pixels most by less than 0.0015; of 180 living ones,
all differed by more within two seconds, half of them by more than 0.03.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import cv2
import numpy as np

from emorec.faces.boxes import overlap, peak_offset, warped

__all__ = ["LivingFirst", "Watched"]

_FACE_PX = 48
_REACHES_PX = (10, 3)  # how far the same picture is looked for, first and then again
_MOST_OF_A_STILL, _LEAST_OF_A_MOVING = 0.0015, 0.005  # one less the correlation
_STILL_S = 1.2  # how long a face has to be seen unchanged to be called still
_PERIOD_S = 4.0  # then its picture is taken anew
_FORGOTTEN_S = 3.0
_SAME_FACE_OVERLAP = 0.3
_MOST_OF_THE_SAME_PICTURE = 0.03  # one less the correlation, seen again later or after a cut
_CLEARLY_LARGER = 1.25


class LivingFirst:
    """Watches the faces of a picture, and says when another one than the followed is better.

    Attributes:
        has_followed_living: Whether a face that was followed has ever moved.
    """

    def __init__(self):
        self.has_followed_living = False
        self._watched: list[Watched] = []
        self._pictures: list[Watched] = []  # still faces that were passed over

    def watch(self, time_s: float, frame: np.ndarray, box: np.ndarray) -> bool:
        """Look at the followed face; tell whether it is still, so far as is known.

        Args:
            time_s: Time of the frame.
            frame: (height, width) uint8, grey.
            box: x, y, width, height.
        """
        face = self._look(time_s, frame, box)
        self.has_followed_living |= face.has_moved
        return face.is_still

    def choose(
        self, time_s: float, frame: np.ndarray, box: np.ndarray, others: Sequence[np.ndarray]
    ) -> np.ndarray | None:
        """Return the box of the face to follow instead, None where there is none.

        A clearly larger face is, unless it is a picture and the followed one moves; where the
        followed one is a picture, any that moves.

        Args:
            time_s: Time of the frame.
            frame: (height, width) uint8, grey.
            box: The followed face, which `watch` has seen.
            others: Boxes of other faces that last, largest first.
        """
        followed = self._look(time_s, frame, box)
        faces = [self._look(time_s, frame, other) for other in others]
        if followed.is_still:
            living = [face for face in faces if face.has_moved]
            if living:
                self._pass_over(frame, followed)
                return living[0].box
        for face in faces:
            if face.box[2] <= _CLEARLY_LARGER * box[2]:
                break
            if not (followed.has_moved and face.is_unchanged):
                return face.box
            if face.is_still:
                self._pass_over(frame, face)
        return None

    def without_pictures(self, frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Return those of a frame's faces (n, 4) that were not passed over."""
        kept = [box for box in boxes if not self._is_picture(frame, box)]
        return np.array(kept).reshape(-1, 4)

    @property
    def notes(self) -> list[str]:
        """What a reader of the result should know, in plain words."""
        count = len(self._pictures)
        if count < 2:
            return ["a still face (a picture?) was passed over"] * count
        return [f"{count} still faces (pictures?) were passed over"]

    def begin_anew(self) -> None:
        """Forget the faces after a cut."""
        self._watched = []

    def expect(self, time_s: float, frame: np.ndarray, boxes: np.ndarray) -> None:
        """Take the faces of a frame in which none was followed yet."""
        for box in boxes:
            self._look(time_s, frame, box)

    def _look(self, time_s: float, frame: np.ndarray, box: np.ndarray) -> Watched:
        """Find the face among those that are watched, and look how it has changed."""
        self._watched = [f for f in self._watched if time_s - f.seen_s < _FORGOTTEN_S]
        likest = max(self._watched, key=lambda face: overlap(face.box, box), default=None)
        if likest is None or overlap(likest.box, box) < _SAME_FACE_OVERLAP:
            likest = Watched(time_s, frame, box)
            self._watched.append(likest)
        elif likest.seen_s < time_s:
            likest.look(time_s, frame, box)
        return likest

    def _pass_over(self, frame: np.ndarray, face: Watched) -> None:
        if not self._is_picture(frame, face.box):
            self._pictures.append(copy(face))

    def _is_picture(self, frame: np.ndarray, box: np.ndarray) -> bool:
        """Tell whether a known picture is here: a living face may come to its place."""
        return any(
            overlap(picture.box, box) > _SAME_FACE_OVERLAP
            and picture.difference(frame, box) < _MOST_OF_THE_SAME_PICTURE
            for picture in self._pictures
        )


class Watched:
    """A face, its picture when it was first seen, and how much that has changed since."""

    def __init__(self, time_s: float, frame: np.ndarray, box: np.ndarray):
        self._changed_before: float | None = None
        self._begin(time_s, frame, box)

    def _begin(self, time_s: float, frame: np.ndarray, box: np.ndarray) -> None:
        self.box, self.seen_s, self._since_s = np.asarray(box), time_s, time_s
        self._size = float(box[2])
        self._picture = _cut(frame, np.asarray(box, float), 0)
        self._change = 0.0

    def look(self, time_s: float, frame: np.ndarray, box: np.ndarray) -> None:
        """See the face again."""
        self.box, self.seen_s = np.asarray(box), time_s
        if self._change < _LEAST_OF_A_MOVING:  # else all is known that is asked for
            self._change = max(self._change, self.difference(frame, self.box))
        if time_s - self._since_s > _PERIOD_S:
            self._changed_before = self._change
            self._begin(time_s, frame, box)

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing of it has changed yet."""
        return max(self._change, self._changed_before or 0.0) <= _MOST_OF_A_STILL

    @property
    def is_still(self) -> bool:
        """Whether nothing of it has changed for long."""
        has_lasted = self.seen_s - self._since_s >= _STILL_S or self._changed_before is not None
        return has_lasted and self.is_unchanged

    @property
    def has_moved(self) -> bool:
        """Whether it has clearly changed."""
        return max(self._change, self._changed_before or 0.0) >= _LEAST_OF_A_MOVING

    def difference(self, frame: np.ndarray, box: np.ndarray) -> float:
        """One less the correlation of the face with its first picture, where that fits best."""
        centre, size = box[:2] + box[2:] / 2, np.full(2, self._size)
        place = np.concatenate([centre - size / 2, size])
        best = -1.0
        for reach_px in (*_REACHES_PX, 0):
            around = _cut(frame, place, reach_px)
            scores = cv2.matchTemplate(around, self._picture, cv2.TM_CCOEFF_NORMED)
            _, score, _, (column, row) = cv2.minMaxLoc(scores)
            best = max(best, score)
            offset_px = (
                column + peak_offset(scores[row], column),
                row + peak_offset(scores[:, column], row),
            )
            place[:2] += (np.array(offset_px) - reach_px) * self._size / _FACE_PX
        return 1 - best


def _cut(frame: np.ndarray, box: np.ndarray, reach_px: int) -> np.ndarray:
    """Cut a face out at fractions of a pixel, softly, with so much of what lies around it."""
    scale, side = _FACE_PX / box[2], _FACE_PX + 2 * reach_px
    matrix = np.array(
        [[scale, 0, reach_px - box[0] * scale], [0, scale, reach_px - box[1] * scale]]
    )
    cut = warped(frame, matrix, side, round(1 / scale) if scale < 0.7 else 1)
    return cv2.GaussianBlur(cut, (0, 0), 1)
