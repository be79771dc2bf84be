"""The live view: bars in a terminal, lines in a pipe, and a window where OpenCV has one."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import deque
from typing import TYPE_CHECKING

import cv2
import numpy as np

from emorec.confidence import word_for
from emorec.emotions import COMMON7
from emorec.live.engine import LiveCounts, LiveEngine, LiveVerdict
from emorec.live.people_view import color_of, draw_people, in_short, line_of
from emorec.streams.windows import STREAMS
from emorec.style import EMOTION_COLORS, TITLES, readable_on

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

__all__ = [
    "FrameRate",
    "LineView",
    "PictureWindow",
    "TerminalView",
    "has_window",
    "panel",
    "sentence",
]

_COLUMNS = ("fused", *STREAMS)
_WIDEST_BAR, _NARROWEST_BAR = 24, 5
_NUMBER, _GAP = 4, 2
# What all but the bars take of a terminal: the frame, the emotions' names, numbers and gaps.
_BESIDE_BARS = 4 + 8 + _GAP + len(_COLUMNS) * (_NUMBER + _GAP)


class FrameRate:
    """Frames a second over the last two seconds.

    >>> rate = FrameRate()
    >>> [rate.update(0, 10.0), rate.update(30, 11.0), rate.update(45, 11.5)]
    [0.0, 30.0, 30.0]
    """

    def __init__(self) -> None:
        self._counted: deque[tuple[float, int]] = deque(maxlen=20)

    def update(self, taken: int, now_s: float) -> float:
        """Take the count of frames at a time; return the rate."""
        self._counted.append((now_s, taken))
        while now_s - self._counted[0][0] > 2 and len(self._counted) > 2:
            self._counted.popleft()
        first_s, first = self._counted[0]
        return (taken - first) / (now_s - first_s) if now_s > first_s else 0.0


def strongest(probabilities: np.ndarray) -> tuple[str, float]:
    """Return the likeliest emotion and its probability.

    >>> strongest(np.array([0.1, 0, 0, 0.9, 0, 0, 0]))
    ('happy', 0.9)
    """
    best = int(np.argmax(probabilities))
    return COMMON7[best], float(probabilities[best])


def sentence(verdict: LiveVerdict) -> str:
    """Put a verdict into one line.

    >>> happy = np.array([0.1, 0, 0, 0.9, 0, 0, 0], np.float32)
    >>> sentence(LiveVerdict(12.0, {"voice": happy, "fused": happy}, notes=["no picture"]))
    'happy 90 %, very likely  (voice happy 90 %)  no picture'
    """
    if "fused" not in verdict.probabilities:
        return _joined("no verdict", in_short(verdict.people), "; ".join(verdict.notes))
    emotion, confidence = strongest(verdict.probabilities["fused"])
    parts = []
    for stream in STREAMS:
        if stream in verdict.probabilities:
            name, probability = strongest(verdict.probabilities[stream])
            parts.append(f"{stream} {name} {100 * probability:.0f} %")
    text = f"{emotion} {100 * confidence:.0f} %, {word_for(confidence)}  ({', '.join(parts)})"
    return _joined(text, in_short(verdict.people), "; ".join(verdict.notes))


def _joined(*parts: str) -> str:
    return "  ".join(filter(None, parts))


def panel(
    verdict: LiveVerdict | None, counts: LiveCounts, frames_per_s: float, width: int
) -> RenderableType:
    """Draw the terminal view.

    Args:
        verdict: What is shown; None before anything has arrived.
        counts: What is told below it.
        frames_per_s: Rate at which frames are taken now.
        width: Columns of the terminal.
    """
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    if verdict is None:
        return Panel(Text("waiting for picture and sound ...", style="dim"), title="emorec live")
    rows: list[RenderableType] = [_headline(verdict), Text(), _bars(verdict, width), Text()]
    if verdict.people:
        rows += [*map(line_of, verdict.people), Text()]
    facts = f"{frames_per_s:.0f} frames a second · {counts.dropped} dropped"
    if counts.people_dropped:
        facts += f" ({counts.people_dropped} of everybody)"
    if np.isfinite(verdict.latency_s):
        facts += f" · {1000 * verdict.latency_s:.0f} ms from frame to verdict"
    rows.append(Text(facts, style="dim"))
    rows.append(Text("; ".join(verdict.notes) or " ", style="yellow"))
    return Panel(Group(*rows), title="emorec live", subtitle="Ctrl-C ends", border_style="dim")


def _headline(verdict: LiveVerdict) -> Text:
    from rich.text import Text

    line = Text().append(f"{verdict.time_s:7.1f} s   ", style="dim")
    if "fused" not in verdict.probabilities:
        return line.append("no verdict", style="dim")
    emotion, confidence = strongest(verdict.probabilities["fused"])
    color = EMOTION_COLORS[emotion]
    line.append(f" {emotion} ", style=f"bold {readable_on(color)} on {color}")
    line.append(f"  {100 * confidence:.0f} %", style="bold")
    return line.append(f", {word_for(confidence)}")


def _bars(verdict: LiveVerdict, width: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    room = (width - _BESIDE_BARS) // len(_COLUMNS)
    bar_width = min(max(room, _NARROWEST_BAR), _WIDEST_BAR)
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    table.add_column("", no_wrap=True)
    for stream in _COLUMNS:
        is_there = stream in verdict.probabilities
        style = "bold" if stream == "fused" and is_there else "" if is_there else "dim"
        title = TITLES[stream] if len(TITLES[stream]) <= bar_width + _NUMBER else stream
        table.add_column(Text(title, style), no_wrap=True, width=bar_width + _NUMBER)
    for i, emotion in enumerate(COMMON7):
        cells = []
        for stream in _COLUMNS:
            if stream not in verdict.probabilities:
                cells.append(Text("–", style="dim"))
                continue
            posterior = verdict.probabilities[stream]
            cell = Text(bar(posterior[i], bar_width), style=EMOTION_COLORS[emotion])
            style = "bold" if i == int(posterior.argmax()) else "dim"
            cells.append(
                cell.append(f"{100 * posterior[i]:{_NUMBER}.0f}", style=f"default {style}")
            )
        table.add_row(emotion, *cells)
    return table


def bar(share: float, width: int) -> str:
    """Draw a bar of block characters, eighths of a column fine.

    >>> bar(0.5, 4), bar(1.0, 4), bar(0.03125, 4)
    ('██  ', '████', '▏   ')
    """
    eighths = round(8 * width * float(np.clip(share, 0, 1)))
    full, rest = divmod(eighths, 8)
    return ("█" * full + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")).ljust(width)


class TerminalView:
    """Shows verdicts as moving bars in a terminal; a context manager."""

    def __init__(self, console: Console):
        from rich.live import Live

        self._console, self._rate = console, FrameRate()
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> TerminalView:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, engine: LiveEngine) -> None:
        """Draw what the engine says now."""
        counts = engine.counts
        rate = self._rate.update(counts.taken, time.monotonic())
        view = panel(engine.verdict(), counts, rate, self._console.width)
        self._live.update(view, refresh=True)


class LineView:
    """Prints a line each second, for pipes and files; a context manager."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def __enter__(self) -> LineView:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, engine: LiveEngine) -> None:
        """Print what the engine says, if a second is over."""
        verdict = engine.verdict()
        if verdict is not None and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + 1
            print(f"{verdict.time_s:7.1f} s  {sentence(verdict)}", flush=True)


def has_window() -> bool:
    """Tell whether the installed OpenCV can open a window here; the headless one cannot."""
    has_screen = any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not has_screen:
        return False
    line = re.search(r"GUI:\s*(\S+)", cv2.getBuildInformation())
    return line is not None and line.group(1) != "NONE"


class PictureWindow:
    """Shows the picture with face and verdict in a window of OpenCV; a context manager."""

    _NAME = "emorec live"

    def __enter__(self) -> PictureWindow:
        cv2.namedWindow(self._NAME, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        return self

    def __exit__(self, *_: object) -> None:
        cv2.destroyWindow(self._NAME)

    def show(self, engine: LiveEngine) -> None:
        """Draw the newest frame and what is said of it."""
        frame, verdict = engine.newest_frame, engine.verdict()
        if frame is not None and verdict is not None:
            cv2.imshow(self._NAME, draw(frame, verdict))
        cv2.waitKey(1)


def draw(frame: np.ndarray, verdict: LiveVerdict) -> np.ndarray:
    """Draw the face's box, or everybody's, and the verdict on a frame.

    Args:
        frame: (height, width) uint8, grey.
        verdict: What is said of it.

    Returns:
        (height, width, 3) uint8, BGR.
    """
    picture = cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    color, text = color_of(None), "no verdict"
    if "fused" in verdict.probabilities:
        emotion, confidence = strongest(verdict.probabilities["fused"])
        color = color_of(emotion)
        text = f"{emotion} {100 * confidence:.0f} %"
    thick = max(1, frame.shape[0] // 240)
    if verdict.people:
        draw_people(picture, verdict.people)
    elif verdict.face_box is not None:
        x, y, side = verdict.face_box
        cv2.rectangle(picture, (x, y), (x + side, y + side), color, thick)
    scale, place = frame.shape[0] / 480, (4 * thick, frame.shape[0] // 12)
    # A dark edge around the letters, for faces and walls are often as bright as they are.
    for ink, width in (((0, 0, 0), 4 * thick), (color, thick)):
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, width, cv2.LINE_AA)
    return picture
