"""Where things stand in an annotated video: bars beside the picture, or a strip under it.

The clip's picture keeps its size; the canvas grows by the bars. All lengths follow from the size
of the text, and that from the picture's shorter side, so that everything is as readable at 360
lines as at 1080.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from emorec.emotions import COMMON7
from emorec.report.lettering import line_height, text_width
from emorec.streams.windows import STREAMS
from emorec.style import TITLES

__all__ = ["SIDES", "Layout", "Rect", "layout_for"]

_SMALLEST_TEXT_PX = 12
_ORDER = ("fused", *STREAMS)
_PERCENT = "100%"


class Rect(NamedTuple):
    """A rectangle in pixels; x1 and y1 are just outside."""

    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True)
class Layout:
    """Where everything stands; all places are pixels of the canvas.

    Attributes:
        width: Of the canvas, even.
        height: Of the canvas, even.
        picture: Where the clip's picture goes; its corner is even.
        text_px: Size of the text.
        small_px: Size of the small text.
        caption: Top left of the words over the verdict.
        verdict: The verdict on the whole clip.
        now: Top left of the words that tell that bars are of this moment.
        names: Top left of each emotion's name.
        headings: Stream -> top left of its name.
        bars: Stream -> the seven bars at their full length.
        percents: Top left of the seven percentages of all streams together.
        strips: Stream -> its course over time.
        strip_labels: Stream -> top left of the words beside its course.
        clock: Top right of the time.
        notes: Where notes may be written.
    """

    width: int
    height: int
    picture: Rect
    text_px: int
    small_px: int
    caption: tuple[int, int]
    verdict: Rect
    now: tuple[int, int]
    names: list[tuple[int, int]]
    headings: dict[str, tuple[int, int]]
    bars: dict[str, list[Rect]]
    percents: list[tuple[int, int]]
    strips: dict[str, Rect]
    strip_labels: dict[str, tuple[int, int]]
    clock: tuple[int, int]
    notes: Rect


def layout_for(side: str, width: int, height: int) -> Layout:
    """Lay out the canvas around a picture.

    Args:
        side: One of `SIDES`.
        width: Of the picture; 0 for a clip without one.
        height: Of the picture.

    Raises:
        ValueError: When the side is unknown.

    >>> layout = layout_for("bars", 1280, 720)
    >>> layout.picture, layout.height
    (Rect(x0=0, y0=0, x1=1280, y1=720), 720)
    """
    if side not in SIDES:
        raise ValueError(f"side {side!r} is unknown: choose from {', '.join(SIDES)}")
    return SIDES[side](width, height, text_px_for(min(width, height) or _BLANK_SHORT_SIDE_PX))


def text_px_for(short_side_px: int) -> int:
    """Return the size of text that is readable beside a picture.

    >>> [text_px_for(lines) for lines in (144, 360, 720, 1080)]
    [12, 12, 20, 29]
    """
    return max(_SMALLEST_TEXT_PX, round(3 + short_side_px / 42))


_BLANK_SHORT_SIDE_PX = 720
_BLANK_WIDTH_PX = 1280


def _bars_beside(width: int, height: int, text_px: int) -> Layout:
    """A table beside the picture: rows are emotions, columns streams; time runs below it."""
    unit, small_px = text_px, _small(text_px)
    left = _even(width) + unit
    names_px = max(text_width(name, text_px) for name in COMMON7)
    labels_px = max(text_width(TITLES[stream], small_px) for stream in _ORDER)
    bars_x = left + max(names_px, labels_px) + round(0.7 * unit)
    percents_x = bars_x + 6 * unit + round(0.4 * unit)
    columns = {"fused": (bars_x, bars_x + 6 * unit)}
    x = percents_x + text_width(_PERCENT, text_px) + round(0.8 * unit)
    for stream in STREAMS:
        column_px = max(round(3.2 * unit), text_width(TITLES[stream], small_px))
        columns[stream] = x, x + column_px
        x += column_px + round(0.7 * unit)
    right = x - round(0.7 * unit)
    line, small_line = line_height(text_px), line_height(small_px)
    strip_step, strip_px = _even(max(1.15 * unit, small_line)), _even(0.8 * unit)
    # Heights from top to bottom; the table takes what is left, up to a limit.
    parts = {
        "caption": small_line + unit * 0.3,
        "verdict": unit * 2.5,
        "gap": unit * 1.1,
        "headings": small_line + unit * 0.5,
        "table": 7 * unit * 1.5,
        "gap below": unit * 0.8,
        "clock": line + unit * 0.2,
        "strips": len(_ORDER) * strip_step,
        "gap at notes": unit * 0.5,
        "notes": small_line * 2,
    }
    needed = sum(parts.values()) + 1.6 * unit
    canvas_height = _even(max(height, needed))
    parts["table"] += min(canvas_height - needed, 7 * unit * 0.8)
    top = (canvas_height - sum(parts.values())) / 2
    tops = {}
    for name, part_px in parts.items():
        tops[name] = _even_down(top)
        top += part_px
    row_px = _even_down(parts["table"] / 7)
    rows = [tops["table"] + i * row_px for i in range(7)]
    bar_px = _even(0.58 * row_px)
    centred = _even_near((bar_px - line) / 2)
    strip_rows = [tops["strips"] + i * strip_step for i in range(len(_ORDER))]
    picture_y = _even_down((canvas_height - height) / 2)
    return Layout(
        width=_even(right + unit),
        height=canvas_height,
        picture=Rect(0, picture_y, width, picture_y + height),
        text_px=text_px,
        small_px=small_px,
        caption=(_even(left), tops["caption"]),
        verdict=Rect(_even(left), tops["verdict"], right, _even_down(tops["verdict"] + 2.5 * unit)),
        now=(_even(left), tops["headings"]),
        names=[(_even(left), y + centred) for y in rows],
        headings={s: (_even_down(x0), tops["headings"]) for s, (x0, _) in columns.items()},
        bars={s: [Rect(x0, y, x1, y + bar_px) for y in rows] for s, (x0, x1) in columns.items()},
        percents=[(_even(percents_x), y + centred) for y in rows],
        strips={
            s: Rect(bars_x, y, right, y + strip_px) for s, y in zip(_ORDER, strip_rows, strict=True)
        },
        strip_labels={
            s: (_even(left), y + _even_near((strip_px - small_line) / 2))
            for s, y in zip(_ORDER, strip_rows, strict=True)
        },
        clock=(right, tops["clock"]),
        notes=Rect(_even(left), tops["notes"], right, tops["notes"] + 2 * small_line),
    )


def _strip_under(width: int, height: int, text_px: int) -> Layout:
    """A table under the picture: rows are streams, columns emotions; time runs below it."""
    width = width or _BLANK_WIDTH_PX
    unit, small_px = text_px, _small(text_px)
    line, small_line = line_height(text_px), line_height(small_px)
    labels_px = max(text_width(TITLES[stream], text_px) for stream in _ORDER)
    percent_px = text_width(_PERCENT, text_px) + round(0.3 * unit)
    gap = round(0.8 * unit)
    names_px = max(text_width(name, text_px) for name in COMMON7)
    smallest_cell = max(names_px, percent_px + round(2.2 * unit))
    canvas_width = _even(max(width, 2 * unit + labels_px + 7 * (gap + smallest_cell)))
    cell_px = (canvas_width - 2 * unit - labels_px) // 7 - gap
    left, right = _even(unit), canvas_width - unit
    first_x = unit + labels_px + gap
    cells_x = [_even_down(first_x + i * (cell_px + gap)) for i in range(7)]
    verdict_y = _even(height + 0.7 * unit)
    verdict_px = _even(2.1 * unit)
    names_y = _even(verdict_y + verdict_px + 0.5 * unit)
    row_px = _even(1.4 * unit)
    rows_y = [names_y + line + _even(0.1 * unit) + i * row_px for i in range(len(_ORDER))]
    bar_px = _even(0.85 * unit)
    centred = _even_near((bar_px - line) / 2)
    strip_y = _even(rows_y[-1] + bar_px + 0.9 * unit)
    strip_px = _even(1.1 * unit)
    verdict_right = _even(left + 11 * unit)
    caption_x = _even(verdict_right + gap)
    clock_px = text_width("0:00:00.0 / 0:00:00.0", text_px)
    picture_x = _even_down((canvas_width - width) / 2) if height else 0
    bar_width = cell_px - percent_px
    return Layout(
        width=canvas_width,
        height=_even(strip_y + strip_px + 0.8 * unit),
        picture=Rect(picture_x, 0, picture_x + (width if height else 0), height),
        text_px=text_px,
        small_px=small_px,
        caption=(caption_x, verdict_y),
        verdict=Rect(left, verdict_y, verdict_right, verdict_y + verdict_px),
        now=(left, names_y + _even_down(line - small_line)),
        names=[(x, names_y) for x in cells_x],
        headings={s: (left, y + centred) for s, y in zip(_ORDER, rows_y, strict=True)},
        bars={
            s: [Rect(x, y, x + bar_width, y + bar_px) for x in cells_x]
            for s, y in zip(_ORDER, rows_y, strict=True)
        },
        percents=[(_even(x + bar_width + 0.3 * unit), rows_y[0] + centred) for x in cells_x],
        strips={"fused": Rect(cells_x[0], strip_y, right, strip_y + strip_px)},
        strip_labels={"fused": (left, strip_y + _even_near((strip_px - small_line) / 2))},
        clock=(right, verdict_y),
        notes=Rect(caption_x, verdict_y + small_line, right - clock_px, verdict_y + 2 * small_line),
    )


SIDES = {"bars": _bars_beside, "strip": _strip_under}
"""Where the bars may stand: beside the picture, or in a strip under it."""


def _small(text_px: int) -> int:
    return max(11, round(0.85 * text_px))


def _even(length: float) -> int:
    whole = -int(-length // 1)
    return whole + whole % 2


def _even_down(length: float) -> int:
    whole = int(length // 1)
    return whole - whole % 2


def _even_near(length: float) -> int:
    return 2 * round(length / 2)
