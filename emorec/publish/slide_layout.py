"""How a slide is laid out: one message as its title, text of 18 points and more, notes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from emorec.evaluation import plots

__all__ = ["LEAST_PT", "SIZE_INCHES", "STYLE", "Slide", "Story", "axes_of", "bars", "dots"]

SIZE_INCHES = (13.333, 7.5)
LEAST_PT = 18
_TITLE_PT, _TEXT_PT = 27, 20
_LINE, _GAP = 0.05, 0.03  # of the page's height
_TOP, _TITLE_CHARACTERS = 0.76, 56
_SIZES = ("font.size", "axes.titlesize", "axes.labelsize", "xtick.labelsize", "ytick.labelsize")
STYLE = {
    "pdf.fonttype": 42,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys((*_SIZES, "legend.fontsize", "figure.titlesize"), LEAST_PT),
}


@dataclass(frozen=True)
class Story:
    """What the slides tell from.

    Attributes:
        evidence: Name -> `Evidence` of every model.
        root: The repository.
    """

    evidence: dict
    root: Path

    def percent(self, name: str) -> tuple[float, float, float]:
        """Return a model's accuracy and its interval, in percent."""
        return self.evidence[name].percent()


@dataclass(frozen=True)
class Slide:
    """One page.

    Attributes:
        title: Its message, a sentence.
        notes: What the speaker says.
        figure: The page.
    """

    title: str
    notes: str
    figure: Figure

    @classmethod
    def begin(cls, title: str, notes: str) -> Slide:
        """Open an empty page with its title and a rule below."""
        figure = plt.figure(figsize=SIZE_INCHES)
        text = textwrap.fill(title, _TITLE_CHARACTERS)
        figure.text(
            0.04, 0.95, text, fontsize=_TITLE_PT, weight="bold", va="top", color=plots.COLOURS[0]
        )
        figure.add_artist(plt.Line2D([0.04, 0.96], [0.8, 0.8], color=plots.COLOURS[0], lw=1.5))
        return cls(title, " ".join(notes.split()), figure)

    def points(
        self, points: Sequence[str], *, top: float = _TOP, left: float = 0.04, width: int = 80
    ) -> None:
        """Write points below each other; `width` is the number of characters in a line."""
        at = top
        for point in points:
            lines = textwrap.wrap(point, width)
            style = {"fontsize": _TEXT_PT, "va": "top", "linespacing": 1.25}
            self.figure.text(left, at, "•", color=plots.COLOURS[5], **style)
            self.figure.text(left + 0.02, at, "\n".join(lines), **style)
            at -= _LINE * len(lines) + _GAP
        if at + _GAP < 0.02:
            raise ValueError(f"the text beginning {points[0]!r} does not fit on its slide")

    def remark(self, text: str) -> None:
        """Write a line in grey at the foot."""
        self.figure.text(0.04, 0.03, text, fontsize=LEAST_PT, color="#555555")

    def show(
        self,
        picture: Path,
        place: tuple[float, float, float, float],
        part: tuple[float, float, float, float] = (0, 0, 1, 1),
    ) -> None:
        """Show a picture in a place (left, bottom, width, height), its proportions kept.

        Args:
            picture: The file.
            place: Shares of the page.
            part: What is shown of it: left, top, right, bottom, shares of the picture.
        """
        pixels = imread(picture)
        height, width = pixels.shape[:2]
        left, top, right, bottom = part
        rows = slice(round(top * height), round(bottom * height))
        axes = self.figure.add_axes(place)
        axes.imshow(pixels[rows, round(left * width) : round(right * width)])
        axes.axis("off")

    def table(
        self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]
    ) -> None:
        """Show a table over the page's width; cells may have several lines."""
        bottom = _TOP - 0.085 * (len(rows) + 1)
        axes = self.figure.add_axes((0.04, bottom, 0.92, _TOP - bottom))
        axes.axis("off")
        table = axes.table(
            [list(row) for row in rows], colLabels=list(head), colWidths=list(widths),
            cellLoc="left", bbox=(0, 0, 1, 1),
        )  # fmt: skip
        table.auto_set_font_size(False)
        table.set_fontsize(LEAST_PT)
        for (row, _), cell in table.get_celld().items():
            cell.set_linewidth(0)
            cell.set_facecolor("#dfeaf3" if not row else "#f4f4f4" if row % 2 else "white")
            if not row:
                cell.set_text_props(weight="bold", ha="left")


def axes_of(slide: Slide, place: tuple[float, float, float, float]) -> Axes:
    """Return axes in a place of the page: left, bottom, width, height."""
    return slide.figure.add_axes(place)


def bars(axes: Axes, values: Mapping[str, float], colour: str = plots.COLOURS[0]) -> None:
    """Draw shares in percent as bars with their numbers, the first on top."""
    places = np.arange(len(values))
    drawn = axes.barh(places, list(values.values()), 0.7, color=colour)
    axes.bar_label(drawn, fmt="%.0f", padding=4)
    axes.set_yticks(places, list(values))
    axes.invert_yaxis()


def dots(axes: Axes, rows: Mapping[str, Sequence[float]], colour: str = plots.COLOURS[0]) -> None:
    """Draw values with their intervals, (value, low, high) each, the first on top."""
    places = np.arange(len(rows))
    value, low, high = np.array(list(rows.values())).T
    reach = [value - low, high - value]
    axes.errorbar(value, places, xerr=reach, fmt="o", ms=10, lw=2, capsize=5, color=colour)
    for place, number in zip(places, value, strict=True):
        axes.annotate(f"{number:.0f}", (number, place), (0, 10), textcoords="offset points",
                      ha="center")  # fmt: skip
    axes.set_yticks(places, list(rows))
    axes.set(ylim=(len(rows) - 0.4, -0.7), xlim=(0, 100))
    axes.grid(axis="x", alpha=0.3)
