"""Verdicts as a terminal shows them: one line a clip, and below it what a reader should know."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from emorec.errors import printable
from emorec.result import ClipResult
from emorec.streams.segments import Segment
from emorec.streams.windows import STREAMS

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["course", "middle_cut", "print_table"]

_COLUMNS_WITHOUT_TERMINAL = 200  # of what goes to a file or a pipe
_NARROW = 76  # columns below which the streams' verdicts are left out
_FEWEST_COLUMNS = 40
_HEADS = ("verdict", "", "how sure", *STREAMS)
_WIDTHS = (8, 4, 11, 8, 8, 8)
_GAP = "  "
_ALL_JUDGED = "all clips with a verdict"
_MOST_SEGMENTS = 12  # that are printed of a clip


def print_table(results: Sequence[ClipResult], file: TextIO | None = None) -> None:
    """Print one line for each clip, its notes below, and once what holds for all clips.

    The folder that all clips share is named in the head alone, and long names lose their middle,
    so that a line fits.

    Args:
        results: What was found.
        file: Where to, by default the standard output.
    """
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    if not results:
        return
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console.width = _COLUMNS_WITHOUT_TERMINAL
    folder, names = _without_common_folder([printable(result.name) for result in results])
    columns = 3 if console.width < _NARROW else len(_HEADS)
    taken = sum(width + len(_GAP) for width in _WIDTHS[:columns])
    left = max(console.width, _FEWEST_COLUMNS) - taken
    head = f"clip (in {middle_cut(folder, left - 10)})" if folder and left > 24 else "clip"
    longest = max(_cells(name) for name in [head, *names])
    width = min(longest, left)
    common = _common_notes(results)

    console.print(
        _line(head, _HEADS[:columns], width), style="dim", no_wrap=True, overflow="ignore"
    )
    for name, result in zip(names, results, strict=True):
        line = _line(_fitting(name, width), _cells_of(result)[:columns], width)
        console.print(line, no_wrap=True, overflow="ignore", crop=False)
        for note in _notes(result):
            if result.emotion is None or note not in common:
                text = Text(printable(note), "red" if result.emotion is None else "dim")
                console.print(Padding(text, (0, 0, 0, 4)))
    whose = "all clips" if all(result.emotion for result in results) else _ALL_JUDGED
    for note in common:
        console.print(Text(f"{whose}: {printable(note)}", "dim"))


def course(segments: Sequence[Segment]) -> str:
    """Say in a line how an emotion follows another.

    >>> course([Segment(0, 64.5, "happy", 0.8), Segment(64.5, 70, "sad", 0.6)])
    'happy 0:00-1:04, sad 1:04-1:10'
    """
    shown = segments[:_MOST_SEGMENTS]
    said = [f"{s.emotion} {_clock(s.start_s)}-{_clock(s.end_s)}" for s in shown]
    left = len(segments) - len(shown)
    return ", ".join(said) + (f" and {left} more" if left else "")


def middle_cut(text: str, columns: int) -> str:
    """Shorten a text to some columns; both its ends stay.

    >>> middle_cut("interview_with_the_director_take_12.mp4", 21)
    'interview_…ake_12.mp4'
    """
    from rich.cells import cell_len

    if cell_len(text) <= columns:
        return text
    begin, end = "", ""
    # A letter at a time, for some are two columns wide.
    for i in range(len(text)):
        longer = begin + text[i], text[-1 - i] + end
        if cell_len(longer[0]) + cell_len(end) + 1 > columns:
            break
        begin = longer[0]
        if cell_len(begin) + cell_len(longer[1]) + 1 > columns:
            break
        end = longer[1]
    return f"{begin}…{end}"


def _without_common_folder(names: Sequence[str]) -> tuple[str, list[str]]:
    """The folder that all names share, and the names without it."""
    if any("://" in name for name in names):
        return "", list(names)
    folders = [Path(name).parent for name in names]
    is_absolute = {folder.is_absolute() for folder in folders}
    folder = os.path.commonpath(folders) if len(is_absolute) == 1 else ""
    if folder in ("", ".", os.sep):
        return "", list(names)
    return folder, [os.path.relpath(name, folder) for name in names]


def _fitting(name: str, columns: int) -> str:
    """Shorten a path to some columns: its folders go first."""
    if _cells(name) <= columns or os.sep not in name:
        return middle_cut(name, columns)
    return "…/" + middle_cut(Path(name).name, columns - 2)


def _line(name: str, cells: Sequence[str], width: int) -> Text:
    """One line: the name, and what stands in the columns after it."""
    from rich.text import Text

    line = Text(name + " " * (width - _cells(name)))
    for i, (cell, columns) in enumerate(zip(cells, _WIDTHS, strict=False)):
        padded = cell.rjust(columns) if _HEADS[i] == "" else cell.ljust(columns)
        line.append(_GAP if i != 1 else " ")
        line.append(padded, "bold" if i == 0 else "")
    line.rstrip()
    return line


def _cells_of(result: ClipResult) -> list[str]:
    """What stands in a clip's columns."""
    if result.emotion is None:
        return [result.status, *([""] * (len(_HEADS) - 1))]
    streams = [result.verdict(stream) or "-" for stream in STREAMS]
    return [result.emotion, f"{result.confidence:.0%}", result.confidence_word or "", *streams]


def _notes(result: ClipResult) -> list[str]:
    """What is to be said of a clip, the most telling first."""
    said = [] if result.emotion else [f"{result.reason}. Remedy: {result.remedy}."]
    if len(result.segments) > 1:
        said.append(course(result.segments))
    return [*said, *result.notes]


def _common_notes(results: Sequence[ClipResult]) -> list[str]:
    """Notes that every clip with a verdict bears, where there are several."""
    judged = [result.notes for result in results if result.emotion]
    if len(judged) < 2:
        return []
    return [note for note in judged[0] if all(note in notes for notes in judged)]


def _cells(text: str) -> int:
    """How many columns a text takes."""
    from rich.cells import cell_len

    return cell_len(text)


def _clock(time_s: float) -> str:
    return f"{int(time_s) // 60}:{int(time_s) % 60:02d}"
