"""A second look where the cascade sees nobody: at any roll, smaller, and in odd light.

BlazeFace looks at the whole frame. What it takes for a face is turned upright and looked at once
more, closely: only what is an upright face there too is one.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import dlib
import numpy as np

from emorec.faces.blazeface import BlazeFace, Candidate
from emorec.faces.boxes import overlap
from emorec.faces.upright import Upright, turn_upright

__all__ = ["Found", "SecondLook"]

_LEAST_SCORE = 0.3
_MOST_CANDIDATES, _MOST_TURNS = 2, 3
_LARGEST_ROLL_LEFT_DEG = 15.0
_LEAST_OVERLAP = 0.3
_HOG_SIDE_PX, _LEAST_HOG_SCORE = 200, -1.0
_ANY_ROLL_DEG = 1e-3  # cut the face out even where there is nothing to turn


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
    """

    def __init__(self, least_evidence: float = 1.0):
        self.least_evidence = least_evidence
        self._finder = BlazeFace()

    def find(self, frame: np.ndarray, is_upside_down: bool = False) -> Found | None:
        """Search a whole frame.

        Args:
            frame: (height, width) uint8, grey.
            is_upside_down: See the frame turned by half a turn.

        Returns:
            The largest of the surest faces, or None.
        """
        candidates = self._finder.find(frame, _LEAST_SCORE, is_upside_down)[:_MOST_CANDIDATES]
        looked_at = [self.look_closer(frame, one.box, one.roll_deg) for one in candidates]
        found = [one for one in looked_at if one is not None]
        return max(found, key=lambda one: one.box[2], default=None)

    def look_closer(self, frame: np.ndarray, box: np.ndarray, roll_deg: float) -> Found | None:
        """Turn what may be a face upright, until it is; tell where exactly it is, if it is one.

        Args:
            frame: (height, width) uint8, grey.
            box: About where: x, y, width, height in pixels of it.
            roll_deg: About how far it is turned.
        """
        for _ in range(_MOST_TURNS):
            upright = turn_upright(frame, box, roll_deg or _ANY_ROLL_DEG)
            seen = self._nearest(upright) or self._nearest(upright, is_upside_down=True)
            if seen is None:
                return None
            if abs(seen.roll_deg) <= _LARGEST_ROLL_LEFT_DEG:
                return self._judged(upright, seen, roll_deg)
            box, roll_deg = upright.in_picture(seen.haar_box), _turned(roll_deg, seen.roll_deg)
        return None

    def roll_left(self, upright: Upright) -> float | None:
        """Tell how far a face that was turned upright is still turned; None when it is not seen."""
        seen = self._nearest(upright)
        return None if seen is None else seen.roll_deg

    def _judged(self, upright: Upright, seen: Candidate, roll_deg: float) -> Found | None:
        """Tell head from chin, and a face from what only looks like one, by both detectors."""
        hanging = self._nearest(upright, is_upside_down=True)
        sure = _logit(seen) + _hog_score(upright.frame)
        if hanging is not None:
            sure_hanging = _logit(hanging) + _hog_score(upright.frame[::-1, ::-1])
            if sure_hanging > sure:
                seen, sure = hanging, sure_hanging
        if sure < self.least_evidence:
            return None
        return Found(upright.in_picture(seen.haar_box), _turned(roll_deg, seen.roll_deg), sure)

    def _nearest(self, upright: Upright, is_upside_down: bool = False) -> Candidate | None:
        """The surest face that is where one is expected."""
        seen = self._finder.find(upright.frame, _LEAST_SCORE, is_upside_down)
        return next((one for one in seen if overlap(one.box, upright.box) >= _LEAST_OVERLAP), None)


def _turned(roll_deg: float, by_deg: float) -> float:
    """The sum of two angles, -180 to 180."""
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
