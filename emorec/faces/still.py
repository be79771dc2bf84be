"""All faces of a single picture: BlazeFace looks at it whole and in ever smaller parts.

What it takes for a face is looked at once more, as `Crowd` does with those of a film.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from emorec.faces.blazeface import BlazeFace
from emorec.faces.boxes import overlap
from emorec.faces.detector import FAST, FaceDetector
from emorec.faces.followed import Spot
from emorec.faces.second_look import SecondLook
from emorec.faces.upright import Sighting, turn_upright

__all__ = ["SMALLEST_PX", "find_faces"]

SMALLEST_PX = 20
"""A smaller face has too few pixels to be read."""

_LEAST_SCORE = 0.5
_SAME_FACE_OVERLAP = 0.3
_SMALLEST_PART_PX = 128  # what BlazeFace reads; a face in it is a tenth of that or more
_PARTS_ACROSS = (1, 2, 4, 8)
_LARGEST_SHARE = 0.5  # of a part's side; larger faces are seen in larger parts


def find_faces(grey: np.ndarray) -> list[Sighting]:
    """Find all faces of a picture, the largest first.

    Args:
        grey: (height, width) uint8.
    """
    finder, detector, second = BlazeFace(), FaceDetector(FAST), SecondLook()
    spots: list[Spot] = []
    for part, corner, is_whole in _parts(grey):
        for one in finder.find(part, _LEAST_SCORE):
            spot = Spot.of(one, corner)
            fits = is_whole or spot.box[2] <= _LARGEST_SHARE * max(part.shape)
            if fits and spot.box[2] >= SMALLEST_PX and spot.is_in(grey) and _is_new(spot, spots):
                spots.append(spot)
    cascade = [Spot(box.astype(float), 0.0) for box in detector.detect(grey)]
    spots += [spot for spot in cascade if _is_new(spot, spots)]
    found: list[Sighting] = []
    for spot in sorted(spots, key=lambda one: -one.box[2]):
        sighting = _looked_closer(grey, spot, detector, second)
        if sighting is not None and all(
            overlap(sighting.box, other.box) < _SAME_FACE_OVERLAP for other in found
        ):
            found.append(sighting)
    return found


def _looked_closer(
    grey: np.ndarray, spot: Spot, detector: FaceDetector, second: SecondLook
) -> Sighting | None:
    """Tell a face from what only looks like one; its box is the cascade's where that sees it."""
    upright = turn_upright(grey, spot.box, spot.turn_deg)
    near = detector.detect_near(upright.frame, upright.box)
    if near is not None:
        upright = replace(upright, box=near)
    else:
        found = second.look_closer(grey, spot.box, spot.roll_deg)
        if found is None:
            return None
        spot = Spot(found.box, found.roll_deg)
        upright = turn_upright(grey, spot.box, spot.turn_deg)
    return Sighting.of(upright, spot.turn_deg, spot.turn_deg or 0.0)


def _is_new(spot: Spot, others: list[Spot]) -> bool:
    return all(overlap(spot.box, other.box) < _SAME_FACE_OVERLAP for other in others)


def _parts(grey: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
    """The picture, and overlapping parts of it with the x, y of their corners."""
    height, width = grey.shape
    for across in _PARTS_ACROSS:
        side = max(height, width) if across == 1 else -(-2 * max(height, width) // (across + 1))
        if across > 1 and side < _SMALLEST_PART_PX:
            return
        for top in _starts(height, side):
            for left in _starts(width, side):
                part = grey[top : top + side, left : left + side]
                yield part, np.array([left, top]), across == 1


def _starts(length: int, side: int) -> list[int]:
    """Where parts of a side begin that cover a length, each half over the one before."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side / 2))) + 1
    return np.linspace(0, length - side, count).astype(int).tolist()
