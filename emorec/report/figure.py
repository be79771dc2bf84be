"""One picture of a clip's result: its faces, every stream's bars, and the course over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emorec.emotions import COMMON7
from emorec.errors import printable
from emorec.result.clip import ClipResult
from emorec.streams.face import FaceUsed
from emorec.streams.windows import STREAMS, courses, spans
from emorec.style import EMOTION_COLORS, TITLES, bars_of, readable_on, strength

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_clip"]

_LEFT, _RIGHT = 0.09, 0.975  # margins of everything, as shares of the figure's width
_INK, _SOFT, _FAINT = "#222222", "#666666", "#ececec"
_LONGEST_NAME, _LONGEST_FACTS = 60, 125
_AS_IT_IS: dict[str, Any] = {
    "parse_math": False,
    "usetex": False,
}  # a dollar in a name begins no formula


def plot_clip(result: ClipResult, *, faces: int = 8) -> Figure:
    """Draw a clip's result: the faces it rests on, every stream's bars, and the course in time.

    Args:
        result: The result of a clip with a verdict.
        faces: How many of the faces used are shown at most.

    Returns:
        A figure of its own, known to no graphical window.

    Raises:
        ValueError: When the clip has no verdict.
    """
    from matplotlib.figure import Figure

    if result.emotion is None:
        raise ValueError(f"{printable(result.path)} has no verdict to draw: {result.reason}")
    shown = result.faces_used[:faces]
    # Rows of the page, in inches; empty ones keep their neighbours apart.
    rows_in = [1.15, 0.6] * bool(shown) + [2.3]
    panels_at, lasts = len(rows_in) - 1, result.duration_s > 0
    rows_in += [0.75, 0.75, 0.15, 1.7] * lasts
    height_in = sum(rows_in) + 2.0
    figure = Figure(figsize=(11, height_in), facecolor="white")
    margins = {
        "left": _LEFT,
        "right": _RIGHT,
        "top": 1 - 1.0 / height_in,
        "bottom": 1.0 / height_in,
    }
    grid = figure.add_gridspec(len(rows_in), 1, height_ratios=rows_in, hspace=0, **margins)
    _draw_title(figure, result, printable(result.path.name))
    if shown:
        places = grid[0].subgridspec(1, faces, wspace=0.15)
        for i, face in enumerate(shown[:faces]):
            time = f"{face.time_s:.1f} s  " if lasts else ""
            _draw_face(figure.add_subplot(places[i]), face, time)
    panels = grid[panels_at].subgridspec(1, len(STREAMS) + 1, wspace=0.18)
    for i, stream in enumerate((*STREAMS, "fused")):
        axes = figure.add_subplot(panels[i])
        _draw_bars(axes, result, stream)
        axes.tick_params(labelleft=stream == STREAMS[0])
    if not lasts:
        return figure
    course = figure.add_subplot(grid[-1])
    _draw_strips(figure.add_subplot(grid[-3], sharex=course), result)
    _draw_course(course, result)
    return figure


def _draw_title(figure: Figure, result: ClipResult, name: str) -> None:
    """Write the clip's name, what is to know about it, and the verdict on its colour."""
    inch = 1 / figure.get_figheight()
    color = EMOTION_COLORS[result.emotion]
    figure.text(
        _LEFT, 1 - 0.36 * inch, _shortened(name, _LONGEST_NAME), size=15, color=_INK, **_AS_IT_IS
    )
    figure.text(
        _RIGHT - 0.008,
        1 - 0.42 * inch,
        f"{result.emotion}  {result.confidence:.0%}",
        size=17,
        weight="bold",
        ha="right",
        va="center",
        color=readable_on(color),
        bbox={"boxstyle": "round,pad=0.45", "facecolor": color, "edgecolor": "none"},
    )
    word = result.confidence_word
    figure.text(_RIGHT, 1 - 0.78 * inch, word, size=10, ha="right", color=_SOFT)
    facts = [f"{result.duration_s:.1f} s"] if result.duration_s else []
    if result.truth:
        facts.append(f"acted: {result.truth}")
    line = _shortened("  ·  ".join(facts + result.notes), _LONGEST_FACTS)
    figure.text(_LEFT, 1 - 0.62 * inch, line, size=10, color=_SOFT, **_AS_IT_IS)


def _draw_face(axes: Axes, face: FaceUsed, time: str) -> None:
    """Show one of the faces, framed in the colour of what was read from it."""
    axes.imshow(face.picture, cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=EMOTION_COLORS[face.emotion], linewidth=3)
    axes.set_xlabel(f"{time}{face.emotion}", size=9, color=_SOFT, labelpad=3)


def _draw_bars(axes: Axes, result: ClipResult, stream: str) -> None:
    """Draw one stream's probabilities as horizontal bars, the likeliest emphasised."""
    posterior = result.posteriors.get(stream)
    axes.set_title(TITLES[stream], size=11, loc="left", weight="bold", color=_INK, pad=6)
    axes.set(xlim=(0, 1), ylim=(len(COMMON7) - 0.5, -0.5), xticks=[0, 0.5, 1])
    axes.set_xticklabels(["0", "50", "100 %"], size=8, color=_SOFT)
    axes.set_yticks(range(len(COMMON7)), COMMON7, size=10, color=_INK)
    axes.tick_params(length=0)
    axes.grid(axis="x", color=_FAINT)
    axes.set_axisbelow(True)
    _hide_spines(axes)
    if posterior is None:
        axes.text(0.5, 3, "not there", size=10, style="italic", ha="center", color=_SOFT)
        return
    for row, bar in enumerate(bars_of(posterior)):
        axes.barh(row, bar.probability, height=0.72, color=bar.color)
        fits_inside = bar.probability > 0.72
        axes.text(
            bar.probability + (-0.02 if fits_inside else 0.02),
            row,
            f"{bar.probability:.0%}",
            size=9,
            va="center",
            ha="right" if fits_inside else "left",
            weight="bold" if bar.is_best else "normal",
            color=readable_on(bar.color) if fits_inside else (_INK if bar.is_best else _SOFT),
        )


def _draw_strips(axes: Axes, result: ClipResult) -> None:
    """Draw one strip per stream: its likeliest emotion over time, the surer the stronger."""
    axes.set(ylim=(len(STREAMS) - 0.5, -0.5))
    axes.set_yticks(range(len(STREAMS)), [TITLES[name] for name in STREAMS], size=10, color=_INK)
    axes.tick_params(length=0, labelbottom=False)
    _hide_spines(axes)
    for row, stream in enumerate(STREAMS):
        axes.barh(row, result.duration_s, height=0.62, color=_FAINT)
        if stream not in result.windows:
            continue
        for span in spans(result.windows[stream], result.duration_s):
            axes.barh(
                row,
                span.end_s - span.start_s,
                left=span.start_s,
                height=0.62,
                color=EMOTION_COLORS[span.emotion],
                alpha=strength(span.confidence),
                linewidth=0,
            )


def _draw_course(axes: Axes, result: ClipResult) -> None:
    """Draw the fused probabilities over time as stacked areas."""
    colors = [EMOTION_COLORS[name] for name in COMMON7]
    for times_s, posteriors in courses(result.windows["fused"]):
        axes.stackplot(times_s, posteriors.T, colors=colors, edgecolor="white", linewidth=0.6)
    axes.set(xlim=(0, max(result.duration_s, 1e-3)), ylim=(0, 1), yticks=[0, 0.5, 1])
    axes.set_yticklabels(["0", "50", "100 %"], size=9, color=_SOFT)
    axes.set_xlabel("time [s]", size=10, color=_INK)
    axes.tick_params(axis="x", labelsize=9, colors=_SOFT)
    axes.tick_params(axis="y", length=0)
    axes.set_ylabel("All together", size=10, color=_INK)
    _hide_spines(axes)
    handles = [
        axes.fill_between([], [], color=color, label=name)
        for name, color in zip(COMMON7, colors, strict=True)
    ]
    axes.figure.legend(
        handles=handles,
        ncols=len(COMMON7),
        loc="lower center",
        frameon=False,
        fontsize=10,
        handlelength=1.1,
        columnspacing=1.8,
    )


def _hide_spines(axes: Axes) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
