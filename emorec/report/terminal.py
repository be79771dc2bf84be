"""Verdicts as a terminal shows them: one line a clip, and below it what a reader should know."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from emorec.errors import printable
from emorec.report.people_table import verdict_columns
from emorec.result.clip import ClipResult, Person
from emorec.streams.segments import course
from emorec.streams.windows import STREAMS

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["Line", "middle_cut", "print_lines", "print_table"]

_COLUMNS_WITHOUT_TERMINAL = 200  # of what goes to a file or a pipe
_NARROW = 76  # columns below which the streams' verdicts are left out
_FEWEST_COLUMNS = 40
_HEADS = ("verdict", "", "how sure", *STREAMS)
_WIDTHS = (8, 4, 11, 8, 8, 8)
_GAP = "  "
_ALL_JUDGED = "all clips with a verdict"


@dataclass(frozen=True)
class Line:
    """What is shown of a clip.

    Attributes:
        name: Its name.
        cells: What stands under the heads; the status alone where there is no verdict.
        notes: What a reader should know, the most telling first.
        has_verdict: Whether there is one.
        people: The lines of the people in it, where they were asked for.
    """

    name: str
    cells: list[str]
    notes: list[str]
    has_verdict: bool
    people: tuple[Line, ...] = ()

    @classmethod
    def of(cls, result: ClipResult) -> Line:
        """Make the line of a result."""
        row = {"file": result.name, "status": result.status, **verdict_columns(result)}
        told = course(result.segments)
        notes = [told, *result.notes] if told else result.notes
        line = cls._of(row, notes, result.reason, result.remedy)
        if result.duration_s:
            return replace(line, people=tuple(map(cls._of_person, result.people)))
        faces = result.people if len(result.people) > 1 else ()
        return replace(line, people=tuple(map(cls._of_face, faces)))

    @classmethod
    def of_row(cls, row: Mapping[str, str]) -> Line:
        """Make the line of a row of the CSV file of results."""
        notes = [note for note in row["notes"].split("; ") if note]
        return cls._of(row, notes, row["reason"], row["remedy"])

    @classmethod
    def _of_person(cls, person: Person) -> Line:
        row = {
            "file": f"  person {person.number}",
            "status": "no verdict",
            **verdict_columns(person),
        }
        seen = f"seen for {person.seen_s:.1f} s"
        if person.is_picture:
            seen += ", a picture?"
        elif person.speech_share is not None:
            share = person.speech_share
            seen += f", {share:.0%} of the speech" if share else ", no speech"
        if not person.emotion:
            return cls(row["file"], [row["status"]], [seen, *person.notes], True)
        return cls._of(row, [seen, course(person.segments), *person.notes], "", "")

    @classmethod
    def _of_face(cls, person: Person) -> Line:
        """Make the line of a face in a picture: where it is stands in the place of its notes."""
        row = {"file": f"  face {person.number}", **verdict_columns(person)}
        x, y, width, _ = person.seen.record.boxes[0]
        return cls._of(row, [f"at {x:.0f}, {y:.0f}, {width:.0f} pixels wide"], "", "")

    @classmethod
    def _of(cls, row: Mapping, notes: list[str], reason: str, remedy: str) -> Line:
        name = printable(row["file"])
        if not row["emotion"]:
            return cls(name, [row["status"]], [f"{reason}. Remedy: {remedy}.", *notes], False)
        confidence = f"{float(row['confidence']):.0%}"
        streams = [row[stream] or "-" for stream in STREAMS]
        cells = [row["emotion"], confidence, row["confidence_word"] or "", *streams]
        return cls(name, cells, notes, True)


def print_table(results: Sequence[ClipResult], file: TextIO | None = None) -> None:
    """Print one line for each clip, its notes below, and once what holds for all clips.

    Args:
        results: What was found.
        file: Where to, by default the standard output.
    """
    print_lines([Line.of(result) for result in results], file)


def print_lines(lines: Sequence[Line], file: TextIO | None = None) -> None:
    """Print lines below their heads, as `print_table` does.

    The folder that all clips share is named in the head alone, and long names lose their middle,
    so that a line fits.
    """
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    if not lines:
        return
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console.width = _COLUMNS_WITHOUT_TERMINAL
    folder, names = _without_common_folder([line.name for line in lines])
    columns = 3 if console.width < _NARROW else len(_HEADS)
    taken = sum(width + len(_GAP) for width in _WIDTHS[:columns])
    left = max(console.width, _FEWEST_COLUMNS) - taken
    head = f"clip (in {middle_cut(folder, left - 10)})" if folder and left > 24 else "clip"
    people = [person.name for line in lines for person in line.people]
    width = min(left, max(_cells(name) for name in [head, *names, *people]))
    common = _common_notes(lines)

    console.print(_line(head, _HEADS[:columns], width), style="dim", no_wrap=True, crop=False)
    for name, line in zip(names, lines, strict=True):
        shown = _line(_fitting(name, width), line.cells[:columns], width)
        console.print(shown, no_wrap=True, crop=False)
        for note in line.notes:
            if not line.has_verdict or note not in common:
                text = Text(printable(note), "dim" if line.has_verdict else "red")
                console.print(Padding(text, (0, 0, 0, 4), expand=False))
        for person in line.people:
            shown = _line(person.name, person.cells[:columns], width)
            console.print(shown, no_wrap=True, crop=False)
            for note in filter(None, person.notes):
                console.print(Padding(Text(printable(note), "dim"), (0, 0, 0, 6), expand=False))
    whose = "all clips" if all(line.has_verdict for line in lines) else _ALL_JUDGED
    for note in common:
        console.print(Text(f"{whose}: {printable(note)}", "dim"))


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


def _common_notes(lines: Sequence[Line]) -> list[str]:
    """Notes that every clip with a verdict bears, where there are several."""
    judged = [line.notes for line in lines if line.has_verdict]
    if len(judged) < 2:
        return []
    return [note for note in judged[0] if all(note in notes for notes in judged)]


def _cells(text: str) -> int:
    """How many columns a text takes."""
    from rich.cells import cell_len

    return cell_len(text)
