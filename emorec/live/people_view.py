"""How everybody is shown live: a line each, a few words for all, and boxes in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from emorec.live.people import LivePerson
from emorec.style import EMOTION_COLORS, readable_on

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["color_of", "draw_people", "in_short", "line_of"]


def in_short(people: Sequence[LivePerson]) -> str:
    """Put everybody into a few words; nothing for nobody.

    >>> box = (0, 0, 9)
    >>> in_short([LivePerson(1, box, "happy", 0.63, True), LivePerson(2, box, "sad", 0.4, False)])
    '2 people, 1 speaks'
    """
    if not people:
        return ""
    count = "1 person" if len(people) == 1 else f"{len(people)} people"
    return ", ".join([count, *(f"{one.number} speaks" for one in people if one.speaks)])


def line_of(person: LivePerson) -> Text:
    """Return a person's line for a terminal, as "1 speaks  happy 63 %"."""
    from rich.text import Text

    line = Text(f"{person.number:2d} ").append(f"{'speaks' if person.speaks else '':8}", "bold")
    if person.emotion is None:
        return line.append("–", "dim")
    line.append(person.emotion, EMOTION_COLORS[person.emotion])
    return line.append(f" {100 * person.confidence:.0f} %")


def draw_people(picture: np.ndarray, people: Sequence[LivePerson]) -> None:
    """Draw everybody's box, number and emotion; who speaks has a thicker one, and comes last.

    Args:
        picture: (height, width, 3) uint8, BGR; it is drawn on.
        people: Who is there.
    """
    thick = max(1, picture.shape[0] // 240)
    for person in sorted(people, key=lambda one: one.speaks):
        color = color_of(person.emotion)
        x, y, side = person.box
        width = 3 * thick if person.speaks else thick
        cv2.rectangle(picture, (x, y), (x + side, y + side), color, width)
        text = f"{person.number} speaks" if person.speaks else str(person.number)
        if person.emotion:
            text += f": {person.emotion} {100 * person.confidence:.0f} %"
        _label(picture, text, (x, y), person.emotion)


def _label(picture: np.ndarray, text: str, place: tuple[int, int], emotion: str | None) -> None:
    """Write on a plate above a place, or below the picture's upper edge."""
    font, scale, thick = cv2.FONT_HERSHEY_SIMPLEX, picture.shape[0] / 800, picture.shape[0] // 480
    (width, height), below = cv2.getTextSize(text, font, scale, max(1, thick))
    x, y = place[0], max(place[1] - below, height + below)
    ink = (0, 0, 0) if emotion is None else _blue_green_red(readable_on(EMOTION_COLORS[emotion]))
    plate = (x, y - height - below), (x + width + below, y + below)
    cv2.rectangle(picture, *plate, color_of(emotion), cv2.FILLED)
    cv2.putText(picture, text, (x, y), font, scale, ink, max(1, thick), cv2.LINE_AA)


def color_of(emotion: str | None) -> tuple[int, ...]:
    """Return an emotion's colour as blue, green, red; white without one."""
    return (255, 255, 255) if emotion is None else _blue_green_red(EMOTION_COLORS[emotion])


def _blue_green_red(code: str) -> tuple[int, ...]:
    return tuple(int(code[i : i + 2], 16) for i in (5, 3, 1))
