"""Everybody's box in an annotated video: a number, who speaks, and what each face says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emorec.emotions import COMMON7
from emorec.faces.track import FaceTrack
from emorec.report.overlay_labels import place_labels
from emorec.report.overlay_layout import Rect
from emorec.result.clip import Person
from emorec.streams.windows import posteriors_at

__all__ = ["PeopleShown", "ShownPerson"]


@dataclass(frozen=True)
class ShownPerson:
    """One of the people as they are at a moment.

    Attributes:
        frame: Their box, in pixels.
        speaks: Whether it is they who speak.
        emotion: Index of what is likeliest, None where nothing is said of them.
        text: What stands at the box.
        label: Where that stands, None where there is no room.
    """

    frame: Rect
    speaks: bool
    emotion: int | None
    text: str
    label: Rect | None


class PeopleShown:
    """Tells where everybody is.

    Args:
        people: Who is in the clip.
        size_of: Width and height of the plate of a text, in pixels, both even.
    """

    def __init__(self, people: Sequence[Person], size_of):
        self._people = [(person, person.track.smoothed()) for person in people]
        self._size_of = size_of

    def at(self, time_s: float, area: Rect, within: Rect) -> list[ShownPerson]:
        """Return who is seen at a time; who speaks comes first, then whoever is larger.

        Args:
            time_s: The time.
            area: Where on the canvas the picture is, without bars beside it.
            within: What labels may not leave.
        """
        there = [
            (person, frame)
            for person, track in self._people
            if (frame := _frame(track, time_s, area)) is not None
        ]
        there.sort(key=lambda pair: (not pair[0].speaks_at(time_s), pair[1].x0 - pair[1].x1))
        texts = [_texts(person, time_s) for person, _ in there]
        sizes = [[self._size_of(text) for text in of] for of in texts]
        places = place_labels([frame for _, frame in there], sizes, within)
        return [
            ShownPerson(
                frame,
                person.speaks_at(time_s),
                _emotion(person, time_s)[0],
                of[0] if place is None else of[place[0]],
                None if place is None else place[1],
            )
            for (person, frame), of, place in zip(there, texts, places, strict=True)
        ]


def _texts(person: Person, time_s: float) -> list[str]:
    """What may stand at a box, the longest first."""
    number = str(person.number)
    if person.is_picture:
        return [f"{number} picture", number]
    emotion, share = _emotion(person, time_s)
    who = f"{number} speaks" if person.speaks_at(time_s) else number
    if emotion is None:
        return [who] if who == number else [who, number]
    return list(dict.fromkeys([f"{who}: {COMMON7[emotion]} {share:.0%}", who, number]))


def _emotion(person: Person, time_s: float) -> tuple[int | None, float]:
    """Return what is likeliest of a person now, and how likely."""
    fused = person.windows.get("fused")
    if fused is None:
        return None, 0.0
    posterior = posteriors_at(fused, np.array([time_s]))[0]
    if not np.isfinite(posterior[0]):
        return None, 0.0
    best = int(posterior.argmax())
    return best, float(posterior[best])


def _frame(track: FaceTrack, time_s: float, area: Rect) -> Rect | None:
    box = track.at(time_s)
    if box is None:
        return None
    scale = np.tile((area.x1 - area.x0, area.y1 - area.y0), 2)
    x, y, width, height = (box * scale).round().astype(int).tolist()
    return Rect(area.x0 + x, area.y0 + y, area.x0 + x + width, area.y0 + y + height)
