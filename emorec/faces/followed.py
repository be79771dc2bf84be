"""One face of several, followed from one look at the whole frame to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from emorec.faces.blazeface import Candidate
from emorec.faces.boxes import crop_face, overlap
from emorec.faces.detector import FaceDetector
from emorec.faces.look import Look
from emorec.faces.matching import LOWEST_MATCH, TEMPLATE_PX, best_match
from emorec.faces.stillness import Watched
from emorec.faces.upright import Sighting, Upright, turn_upright

__all__ = ["Followed", "Spot"]

_LARGEST_LEVEL_DEG = 15.0  # up to this roll a face is read in the picture as it is
_ADOPT_S = 0.25  # from one new box to the next; in between the picture is matched
_SAME_BOX_OVERLAP = 0.5
_HIDDEN_OVERLAP = 0.25
_WATCH_S = 0.25
_WIDENED = 0.3  # of a box's side: so near, faces are about to meet
_MEETING_OVERLAP = 0.02
_MOVING = 0.01  # of a box's side from frame to frame
_KEPT_SPEED = 0.7  # of the movement from frame to frame, once more


@dataclass(frozen=True)
class Spot:
    """Where a face is.

    Attributes:
        box: (4,) float64: x, y, width, height in pixels of the picture.
        roll_deg: How far the head is turned clockwise.
    """

    box: np.ndarray
    roll_deg: float

    @classmethod
    def of(cls, seen: Candidate, corner: np.ndarray | None = None) -> Spot:
        """Take what BlazeFace found, in a part of the picture with this corner."""
        box = seen.haar_box
        if corner is not None:
            box = box + np.array([*corner, 0, 0])
        return cls(box, seen.roll_deg)

    @property
    def turn_deg(self) -> float | None:
        """What the picture is turned back by; None for nothing."""
        return None if abs(self.roll_deg) <= _LARGEST_LEVEL_DEG else self.roll_deg

    def is_in(self, frame: np.ndarray) -> bool:
        """Tell whether its middle lies in the frame."""
        middle = self.box[:2] + self.box[2:] / 2
        return bool((middle >= 0).all() and (middle < frame.shape[::-1]).all())


class Followed:
    """A face that is followed.

    Args:
        time_s: Time of the frame in which it was found.
        frame: (height, width) uint8, grey.
        spot: Where in it.
        detector: Says where exactly.

    Attributes:
        number: Of the person; None until it is known who it is.
        spot: Where it is.
        is_matched: Whether its last picture was found again.
        is_missed: Whether the last look did not see it.
        is_hidden: Whether another face is where it should be.
        is_sure: Whether it is known to be a face.
        is_begun: Whether any of its frames was told.
        confirmed_s: When a look saw it last.
        sightings: How often one did.
        looked_s: When its look was last taken.
        looks: How it looks in those of its frames, from the first on, that were looked at.
        waiting: Time, sighting and shape of the frame, of the frames that are not told yet.
    """

    def __init__(self, time_s: float, frame: np.ndarray, spot: Spot, detector: FaceDetector):
        self.number: int | None = None
        self.is_matched, self.is_missed = True, False
        self.is_hidden = self.is_sure = self.is_begun = False
        self.sightings = 0
        self.looked_s = self.confirmed_s = -np.inf
        self.waiting: list[tuple[float, Sighting, tuple[int, ...]]] = []
        self.looks: list[Look] = []
        self.spot = spot
        self._first_roll_deg = spot.turn_deg or 0.0
        self._speed_px = np.zeros(2)
        self._adopted_s = -np.inf
        self._template: np.ndarray | None = None
        self._watched: Watched | None = None
        self.confirm(time_s, frame, spot, detector)

    def meets(self, other: Followed) -> bool:
        """Tell whether another face is at this one, or near it while one of the two moves.

        People who sit side by side are near for long, and hide nothing of each other.
        """
        if overlap(self.spot.box, other.spot.box) > _MEETING_OVERLAP:
            return True
        moved = np.abs(self._speed_px - other._speed_px).max()
        is_moving = moved > _MOVING * min(self.spot.box[2], other.spot.box[2])
        return bool(is_moving and overlap(self._wide_box, other._wide_box) > _MEETING_OVERLAP)

    @property
    def _wide_box(self) -> np.ndarray:
        """Its box with some room around it, in which other faces are near."""
        room = _WIDENED * self.spot.box[2]
        return self.spot.box + np.array([-room, -room, 2 * room, 2 * room])

    @property
    def has_changed(self) -> bool:
        """Whether the face has changed, as that of no picture does."""
        return self._watched is not None and not self._watched.is_unchanged

    def move(self, time_s: float, frame: np.ndarray) -> None:
        """Follow it into the next frame."""
        upright = self._upright(frame, self._expected())
        corner, score = best_match(upright.frame, upright.box, self._template)
        self.is_matched = score >= LOWEST_MATCH
        if not self.is_matched:
            return
        box = upright.in_picture(np.concatenate([corner, upright.box[2:]]))
        self._speed_px = _KEPT_SPEED * (box[:2] - self.spot.box[:2])
        self.spot = replace(self.spot, box=box)

    def show(self, time_s: float, frame: np.ndarray) -> None:
        """Keep how it looks in this frame, which is to be told."""
        if self.is_missed and not self.is_matched:
            return
        upright = self._upright(frame, self.spot)
        sighting = Sighting.of(upright, self.spot.turn_deg, self._first_roll_deg)
        if self._watched is None:
            self._watched = Watched(time_s, upright.frame, upright.box)
        elif time_s >= self._watched.seen_s + _WATCH_S and not self.is_missed:
            self._watched.look(time_s, upright.frame, upright.box)
        self.waiting.append((time_s, sighting, frame.shape))

    def likeness(self, frame: np.ndarray, spot: Spot) -> float:
        """How well its last picture fits what is somewhere else, -1 to 1."""
        upright = self._upright(frame, spot)
        return best_match(upright.frame, upright.box, self._template)[1]

    def confirm(self, time_s: float, frame: np.ndarray, spot: Spot, detector: FaceDetector) -> None:
        """Take over where a look saw it."""
        self.confirmed_s, self.is_missed = time_s, False
        self.sightings += 1
        is_due = time_s >= self._adopted_s + _ADOPT_S
        if is_due or not self.is_matched or not self._is_here(spot):
            self._adopt(time_s, frame, spot, detector)

    def miss(
        self,
        time_s: float,
        frame: np.ndarray,
        others: Sequence[Followed],
        detector: FaceDetector,
    ) -> None:
        """Note that a look did not see it, unless the cascade does; another may be before it."""
        self.is_missed = True
        self.is_hidden = any(
            overlap(self.spot.box, other.spot.box) > _HIDDEN_OVERLAP for other in others
        )
        if self.is_hidden or not self.is_matched:
            return
        upright = self._upright(frame, self.spot)
        found = detector.detect_near(upright.frame, upright.box)
        if found is not None and overlap(found, upright.box) > _SAME_BOX_OVERLAP:
            self.confirm(time_s, frame, replace(self.spot, box=upright.in_picture(found)), detector)

    def _expected(self) -> Spot:
        """Where it is if it moves on as it did."""
        return replace(self.spot, box=self.spot.box + np.array([*self._speed_px, 0, 0]))

    def _upright(self, frame: np.ndarray, spot: Spot) -> Upright:
        return turn_upright(frame, spot.box, spot.turn_deg)

    def _adopt(self, time_s: float, frame: np.ndarray, spot: Spot, detector: FaceDetector) -> None:
        """Take over a box, as the cascade would draw it where it sees the face."""
        upright = self._upright(frame, spot)
        near = detector.detect_near(upright.frame, upright.box)
        if near is not None and overlap(near, upright.box) > _SAME_BOX_OVERLAP:
            upright = replace(upright, box=near)
        elif self._template is not None and self.is_matched and self._is_here(spot):
            return  # the box that the cascade drew last fits better than BlazeFace's
        self._adopted_s, self.is_matched = time_s, True
        self.spot = replace(spot, box=upright.in_picture(upright.box))
        self._template = crop_face(upright.frame, upright.box, TEMPLATE_PX)

    def _is_here(self, spot: Spot) -> bool:
        """Tell whether a spot is where the face is followed, and turned as it is."""
        is_turned = (spot.turn_deg is None) != (self.spot.turn_deg is None)
        return not is_turned and overlap(spot.box, self.spot.box) >= _SAME_BOX_OVERLAP
