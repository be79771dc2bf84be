"""Where labels of several faces go in a picture: never over one another, never out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from emorec.report.overlay_layout import Rect

__all__ = ["place_labels"]


def place_labels(
    frames: Sequence[Rect], sizes: Sequence[Sequence[tuple[int, int]]], area: Rect
) -> list[tuple[int, Rect] | None]:
    """Find a place for the label of each face.

    Faces that come first are served first. A place that covers nobody's face is preferred to a
    longer label.

    Args:
        frames: Each face's box.
        sizes: Of each face, the sizes (width, height) of its possible labels, the best first.
        area: The picture; all lengths and corners are taken as even.

    Returns:
        Of each face the number of its label and where that goes; None where there is room for none.

    >>> place_labels([Rect(20, 20, 60, 60)], [[(30, 10)]], Rect(0, 0, 100, 100))
    [(0, Rect(x0=20, y0=10, x1=50, y1=20))]
    """
    taken: list[Rect] = []
    found: list[tuple[int, Rect] | None] = []
    for own, frame in enumerate(frames):
        others = [other for number, other in enumerate(frames) if number != own]
        place = _place(frame, sizes[own], area, [*taken, *others]) or _place(
            frame, sizes[own], area, taken
        )
        found.append(place)
        if place is not None:
            taken.append(place[1])
    return found


def _place(
    frame: Rect, sizes: Sequence[tuple[int, int]], area: Rect, taken: Sequence[Rect]
) -> tuple[int, Rect] | None:
    for number, (width, height) in enumerate(sizes):
        if width > area.x1 - area.x0 or height > area.y1 - area.y0:
            continue
        for x, y in _corners(frame, width, height):
            x = min(max(x, area.x0), area.x1 - width)
            y = min(max(y, area.y0), area.y1 - height)
            x, y = x - (x - area.x0) % 2, y - (y - area.y0) % 2
            place = Rect(x, y, x + width, y + height)
            if not any(_overlap(place, other) for other in taken):
                return number, place
    return None


def _corners(frame: Rect, width: int, height: int) -> Iterator[tuple[int, int]]:
    """Places for a label, the best first: over the box, under it, beside it, in it."""
    left, right = frame.x0, frame.x1 - width
    for y in (frame.y0 - height, frame.y1):
        yield left, y
        yield right, y
    for x in (frame.x1, frame.x0 - width):
        yield x, frame.y0
        yield x, frame.y1 - height
    for y in (frame.y0, frame.y1 - height):
        yield left, y
        yield right, y


def _overlap(one: Rect, other: Rect) -> bool:
    is_beside = one.x1 <= other.x0 or other.x1 <= one.x0
    return not (is_beside or one.y1 <= other.y0 or other.y1 <= one.y0)
