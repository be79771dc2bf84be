"""A second look where the cascade sees nobody: at any roll, smaller, and in odd light.

BlazeFace looks at the whole frame. What it takes for a face is turned upright and looked at once
more, closely: only what is an upright face there too is one.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import cv2
import dlib
import numpy as np

from emorec.faces.blazeface import BlazeFace, Candidate
from emorec.faces.boxes import overlap
from emorec.faces.upright import Upright, turn_upright

__all__ = ["Found", "SecondLook", "turned"]

_LEAST_SCORE, _LEAST_SCORE_AGAIN = 0.3, 0.5
_MOST_CANDIDATES, _MOST_TURNS = 2, 3
_LARGEST_ROLL_LEFT_DEG = 15.0
_LEAST_OVERLAP = 0.3
_HOG_SIDE_PX, _LEAST_HOG_SCORE = 200, -1.0
# Of 150 pictures of soft noise BlazeFace takes seven for a face, dlib's detector none of these.
_LEAST_AGREEMENT = -0.5
# Looks in vain, and from then on the pause to the next one: a faceless clip must not cost too much.
_PAUSES_S = ((2, 0.0), (3, 0.25), (4, 0.5), (6, 1.0), (np.inf, 2.0))
# An upright face has a logit of 2.4 in the middle, a hanging one 0.8.
_UPRIGHT_LOGIT, _LEAST_UPENDED_DEG = 1.5, 60.0
_SMALLEST_FACE_PX = 20  # a smaller one has too few pixels to be read
_SURE_EVIDENCE = 1.0  # of one look; with less another one has to agree


@dataclass(frozen=True)
class Found:
    """A face that the second look found.

    Attributes:
        box: (4,) float64: x, y, width, height in pixels of the picture, about as the cascade
            would draw it.
        roll_deg: How far the head is turned clockwise in the picture.
        evidence: What both detectors say of the upright face: BlazeFace's logit, 0.8 for a score
            of 0.7, and dlib's score, 0 where it would just call it a face and -1 at the least.
    """

    box: np.ndarray
    roll_deg: float
    evidence: float


class SecondLook:
    """Finds a face that the cascade does not see.

    Args:
        least_evidence: Of the closest look, for a face to be taken for one; see `Found`.

    Attributes:
        looks: How often a whole frame was looked at.
    """

    def __init__(self, least_evidence: float = 0.8):
        self.least_evidence = least_evidence
        self.looks = 0
        self._finder = BlazeFace()
        self._in_vain, self._next_s, self._is_middle_next = 0, -np.inf, False
        self._doubtful: Found | None = None

    def restart(self) -> None:
        """Look again at once: there was a face until now."""
        self._in_vain, self._next_s, self._is_middle_next = 0, -np.inf, False

    def find_at(self, time_s: float, frame: np.ndarray) -> Found | None:
        """Search a frame in which the cascade saw nobody, unless too many were searched in vain.

        Args:
            time_s: Its time.
            frame: (height, width) uint8, grey.

        Returns:
            A face that is there beyond doubt, or was seen there by the look before too; or None.
        """
        if time_s < self._next_s:
            return None
        found = self._find_middle(frame) if self._is_middle_next else self.find(frame)
        self.looks, before, self._doubtful = self.looks + 1, self._doubtful, found
        if found is not None:
            is_seen_twice = before is not None and overlap(found.box, before.box) > _LEAST_OVERLAP
            if found.evidence >= _SURE_EVIDENCE or is_seen_twice:
                self.restart()
                return found
        else:
            self._is_middle_next = not self._is_middle_next
        self._in_vain += 1
        pause_s = next(pause_s for most, pause_s in _PAUSES_S if self._in_vain < most)
        self._next_s = time_s + (0.0 if found is not None and before is None else pause_s)
        return None

    def find(self, frame: np.ndarray) -> Found | None:
        """Search a whole frame.

        Args:
            frame: (height, width) uint8, grey.

        Returns:
            The largest of the surest faces, or None.
        """
        candidates = self._finder.find(frame, _LEAST_SCORE)[:_MOST_CANDIDATES]
        looked_at = [self.look_closer(frame, one.box, one.roll_deg) for one in candidates]
        found = [one for one in looked_at if one is not None]
        return max(found, key=lambda one: one.box[2], default=None)

    def _find_middle(self, frame: np.ndarray) -> Found | None:
        """Search the middle quarter of a frame, in which a face may be half as large."""
        height, width = frame.shape
        top, left = height // 4, width // 4
        middle = frame[top : top + (height + 1) // 2, left : left + (width + 1) // 2]
        found = self.find(middle)
        return found and replace(found, box=found.box + np.array([left, top, 0, 0]))

    def look_closer(self, frame: np.ndarray, box: np.ndarray, roll_deg: float) -> Found | None:
        """Turn what may be a face upright, until it is; tell where exactly it is, if it is one.

        Args:
            frame: (height, width) uint8, grey.
            box: About where: x, y, width, height in pixels of it.
            roll_deg: About how far it is turned.
        """
        for _ in range(_MOST_TURNS):
            upright = turn_upright(frame, box, roll_deg)
            seen = self._nearest(upright) or self._nearest(upright, is_upside_down=True)
            if seen is None:
                return None
            if abs(seen.roll_deg) <= _LARGEST_ROLL_LEFT_DEG:
                return self._judged(upright, seen, roll_deg)
            box, roll_deg = upright.in_picture(seen.haar_box), turned(roll_deg, seen.roll_deg)
        return None

    def find_again(self, upright: Upright) -> Candidate | None:
        """Find a face that is followed and was turned upright; its roll is what is left of it."""
        seen = self._nearest(upright)
        return seen if seen is not None and seen.score >= _LEAST_SCORE_AGAIN else None

    def righted(self, frame: np.ndarray, box: np.ndarray) -> Found | None:
        """Tell whether the cascade took a hanging or lying head for an upright one.

        Args:
            frame: (height, width) uint8, grey.
            box: x, y, width, height of the cascade's face.

        Returns:
            The face as it really is turned; None where it is upright, for all that is seen.
        """
        seen = self._nearest(turn_upright(frame, box, 0.0))
        if seen is not None and _logit(seen) >= _UPRIGHT_LOGIT:
            return None
        found = self.look_closer(frame, box, 0.0)
        is_sure = found is not None and found.evidence >= _SURE_EVIDENCE
        return found if is_sure and abs(found.roll_deg) > _LEAST_UPENDED_DEG else None

    def _judged(self, upright: Upright, seen: Candidate, roll_deg: float) -> Found | None:
        """Tell head from chin, and a face from what only looks like one, by both detectors."""
        hog = _hog_score(upright.frame)
        hanging = self._nearest(upright, is_upside_down=True)
        if hanging is not None:
            hog_hanging = _hog_score(upright.frame[::-1, ::-1])
            if _logit(hanging) + hog_hanging > _logit(seen) + hog:
                seen, hog = hanging, hog_hanging
        evidence, box = _logit(seen) + hog, upright.in_picture(seen.haar_box)
        is_sure = evidence >= self.least_evidence and hog >= _LEAST_AGREEMENT
        if not is_sure or box[2] < _SMALLEST_FACE_PX:
            return None
        return Found(box, turned(roll_deg, seen.roll_deg), evidence)

    def _nearest(self, upright: Upright, is_upside_down: bool = False) -> Candidate | None:
        """The surest face that is where one is expected."""
        seen = self._finder.find(upright.frame, _LEAST_SCORE, is_upside_down)
        return next((one for one in seen if overlap(one.box, upright.box) >= _LEAST_OVERLAP), None)


def turned(roll_deg: float, by_deg: float) -> float:
    """Return the sum of two angles, -180 to 180.

    >>> turned(170.0, 30.0)
    -160.0
    """
    return (roll_deg + by_deg + 180) % 360 - 180


def _logit(seen: Candidate) -> float:
    return float(np.log(seen.score / max(1 - seen.score, 1e-6)))


def _hog_score(frame: np.ndarray) -> float:
    """How sure dlib's detector (histograms of oriented gradients) is of a face, from -1 up."""
    small = cv2.resize(frame, (_HOG_SIDE_PX, _HOG_SIDE_PX), interpolation=cv2.INTER_AREA)
    _, scores, _ = _hog().run(small, 0, _LEAST_HOG_SCORE)
    return max(scores, default=_LEAST_HOG_SCORE)


@functools.cache
def _hog() -> dlib.fhog_object_detector:
    return dlib.get_frontal_face_detector()
