"""Results for people and programs: terminal table, CSV, JSON, timelines, one picture per clip."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emorec import __version__
from emorec.clip_plot import (
    EMOTION_COLORS,
    LEFT,
    RIGHT,
    draw_bars,
    draw_course,
    draw_face,
    draw_strips,
    draw_title,
)
from emorec.emotions import COMMON7
from emorec.result import STREAMS, ClipResult

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "EMOTION_COLORS",
    "OutputError",
    "ResultWriter",
    "check_writable",
    "plot_clip",
    "print_table",
    "results_table",
    "table_row",
]

TIMELINE_COLUMNS = ("time_s", "stream", *COMMON7)
"""Head of every timeline."""

_ROWS_WITHOUT_TERMINAL = 200  # columns of the printed table when it goes to a file or a pipe
_LONGEST_STEM_BYTES = 200


class OutputError(Exception):
    """A result that cannot be written where it was asked for.

    >>> print(OutputError("a/b.csv", "there is no folder a", "make it"))
    a/b.csv: there is no folder a. Remedy: make it.
    """

    def __init__(self, path: str | Path, reason: str, remedy: str):
        super().__init__(f"{printable(path)}: {reason}. Remedy: {remedy}.")


def printable(name: str | Path) -> str:
    r"""Return a file name as one line of valid text: control and broken characters escaped.

    >>> printable("two\nlines.mp4")
    'two\\nlines.mp4'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(name))


def table_row(result: ClipResult) -> dict:
    """Return what the CSV file says of one clip: column name -> value.

    Columns: file, status, emotion, confidence, each stream's own verdict, the fused
    probability of each emotion, duration_s, notes, reason, remedy.
    """
    fused = result.posteriors.get("fused")
    return {
        "file": str(result.path),
        "status": result.status,
        "emotion": result.emotion,
        "confidence": result.confidence,
        **{stream: result.verdict(stream) for stream in STREAMS},
        **{
            f"p_{name}": None if fused is None else float(fused[i])
            for i, name in enumerate(COMMON7)
        },
        "duration_s": result.duration_s,
        "notes": "; ".join(result.notes),
        "reason": result.reason,
        "remedy": result.remedy,
    }


def results_table(results: Iterable[ClipResult]) -> pd.DataFrame:
    """Join results into one table: `table_row` for each clip, and the truth where it is known."""
    import pandas as pd

    rows = []
    for result in results:
        row = table_row(result)
        # Beside the verdict, where the eye compares them.
        rows.append({"file": row.pop("file"), "truth": result.truth, **row})
    return pd.DataFrame(rows)


def print_table(results: Sequence[ClipResult]) -> None:
    """Print one line for each clip to the standard output."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    table.add_column("clip", overflow="fold")
    table.add_column("verdict", style="bold")
    table.add_column("confidence", justify="right")
    for stream in STREAMS:
        table.add_column(stream)
    table.add_column("notes", overflow="fold")
    for result in results:
        says = [] if result.emotion else [f"{result.reason} - {result.remedy}"]
        table.add_row(
            Text(printable(result.path)),
            result.emotion or Text(result.status, style="red"),
            "" if result.confidence is None else f"{result.confidence:.0%}",
            *(result.verdict(stream) or "-" for stream in STREAMS),
            Text("; ".join([*says, *result.notes])),
        )
    console = Console()
    if not console.is_terminal:
        console.width = _ROWS_WITHOUT_TERMINAL
    console.print(table)


class ResultWriter:
    """Writes results as they come; a context manager.

    Args:
        csv_path: Gets one row per clip, flushed at once.
        json_path: Gets all probabilities, when the work ends or is interrupted.
        timeline_folder: Gets one CSV over time per clip.
        plot_folder: Gets one picture per clip.

    Raises:
        OutputError: At once, when one of them cannot be written.
    """

    def __init__(
        self,
        csv_path: Path | None = None,
        json_path: Path | None = None,
        timeline_folder: Path | None = None,
        plot_folder: Path | None = None,
    ):
        self._json_path, self._clips = json_path, []
        self._timelines = _DistinctNames(timeline_folder)
        self._plots = _DistinctNames(plot_folder)
        for folder in (timeline_folder, plot_folder):
            _check_folder(folder)
        for path in (json_path, csv_path):
            check_writable(path)
        self._csv = None
        if csv_path is not None:
            # Names that are no valid text are written escaped rather than not at all.
            self._csv = csv_path.open("w", newline="", encoding="utf-8", errors="backslashreplace")
            self._rows = csv.DictWriter(self._csv, list(table_row(ClipResult(Path(), ""))))
            self._rows.writeheader()
            self._csv.flush()

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(self, *_) -> None:
        if self._csv is not None:
            self._csv.close()
        if self._json_path is not None:
            content = {"emorec": __version__, "classes": COMMON7, "clips": self._clips}
            _write_json(self._json_path, content)

    def add(self, result: ClipResult) -> None:
        """Write what is asked for of one clip.

        Raises:
            OutputError: When it can no longer be written, for instance on a full disk.
        """
        try:
            if self._csv is not None:
                self._rows.writerow({name: _short(v) for name, v in table_row(result).items()})
                self._csv.flush()
            if self._json_path is not None:
                self._clips.append(_json_entry(result))
            if self._timelines.folder is not None and result.windows:
                write_timeline(result, self._timelines.path_for(result.path, ".csv"))
            if self._plots.folder is not None and result.emotion:
                plot_clip(result).savefig(self._plots.path_for(result.path, ".png"), dpi=120)
        except OSError as error:
            path = error.filename or self._json_path or "the output"
            raise OutputError(path, f"writing failed ({error.strerror})", "make room") from error


def write_timeline(result: ClipResult, path: Path) -> None:
    """Write the timeline of a clip as CSV: time_s, stream, one column per emotion."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(TIMELINE_COLUMNS)
        for stream in (*STREAMS, "fused"):
            windows = result.windows.get(stream)
            if windows is not None:
                for time_s, posterior in zip(windows.times_s, windows.posteriors, strict=True):
                    rows.writerow(timeline_row(time_s, stream, posterior))


def timeline_row(time_s: float, stream: str, posterior: np.ndarray) -> list[str]:
    """Return a row of a timeline below `TIMELINE_COLUMNS`."""
    return [f"{time_s:.3f}", stream, *(f"{probability:.4f}" for probability in posterior)]


def _short(value):
    return f"{value:.4f}" if isinstance(value, float) else value


def _json_entry(result: ClipResult) -> dict:
    entry = {name: v for name, v in table_row(result).items() if not name.startswith("p_")}
    entry["file"] = printable(result.path)
    entry["notes"] = result.notes
    entry["probabilities"] = {
        stream: {name: round(float(p), 5) for name, p in zip(COMMON7, posterior, strict=True)}
        for stream, posterior in result.posteriors.items()
    }
    return entry


def _write_json(path: Path, content: dict) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _check_folder(folder: Path | None) -> None:
    """Make a folder for results and try whether a file can be written there."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = f"no file can be written there ({error.strerror})"
        raise OutputError(folder, reason, "name a folder in which you may write") from error


def check_writable(path: Path | None) -> None:
    """Try whether a file can be written, without touching what it holds.

    Raises:
        OutputError: When it cannot.
    """
    if path is None:
        return
    existed = os.path.lexists(path)
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        reason = f"it cannot be written ({error.strerror})"
        remedy = "name a file in an existing folder in which you may write"
        raise OutputError(path, reason, remedy) from error
    if not existed:
        path.unlink()


class _DistinctNames:
    """Gives each clip's file a name of its own, even where two clips are called the same."""

    def __init__(self, folder: Path | None):
        self.folder = folder
        self._taken: set[str] = set()

    def path_for(self, clip: Path, suffix: str) -> Path:
        stem = printable(clip.stem).replace("\\", "_")
        stem = stem.encode()[:_LONGEST_STEM_BYTES].decode(errors="ignore")
        name, count = stem, 1
        # Some file systems do not tell capitals from small letters.
        while name.casefold() in self._taken:
            count += 1
            name = f"{stem}-{count}"
        self._taken.add(name.casefold())
        return self.folder / f"{name}{suffix}"


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
    rows_in = [1.15, 0.6] * bool(shown) + [2.3, 0.75, 0.75, 0.15, 1.7]
    height_in = sum(rows_in) + 2.0
    figure = Figure(figsize=(11, height_in), facecolor="white")
    margins = {"left": LEFT, "right": RIGHT, "top": 1 - 1.0 / height_in, "bottom": 1.0 / height_in}
    grid = figure.add_gridspec(len(rows_in), 1, height_ratios=rows_in, hspace=0, **margins)
    draw_title(figure, result, printable(result.path.name))
    if shown:
        places = grid[0].subgridspec(1, faces, wspace=0.15)
        for place, face in zip(places, shown, strict=False):
            draw_face(figure.add_subplot(place), face)
    panels = grid[-5].subgridspec(1, len(STREAMS) + 1, wspace=0.18)
    for panel, stream in zip(panels, (*STREAMS, "fused"), strict=True):
        axes = figure.add_subplot(panel)
        draw_bars(axes, result, stream)
        axes.tick_params(labelleft=stream == STREAMS[0])
    course = figure.add_subplot(grid[-1])
    draw_strips(figure.add_subplot(grid[-3], sharex=course), result)
    draw_course(course, result)
    return figure
