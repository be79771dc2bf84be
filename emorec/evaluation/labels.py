"""Somebody's own labels: which clips there are, what is shown in them, and by whom.

Light to import: the command line prints `words_in_lines` in its help.
"""

from __future__ import annotations

import csv
import io
import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.emotions import WORDS
from emorec.errors import EmorecError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Label",
    "Labels",
    "LabelsError",
    "labels_of_table",
    "read_labels",
    "words_in_lines",
]

NEEDED = ("path", "emotion")
OPTIONAL = ("speaker", "start", "end")

_DELIMITERS = (",", ";", "\t", "|")
_EMOTION_OF = {word: emotion for emotion, words in WORDS.items() for word in words}
_MOST_LISTED = 8
_HEAD = "give it the head path,emotion or path,emotion,speaker,start,end"


class LabelsError(EmorecError, ValueError):
    """Labels that cannot be understood."""


@dataclass(frozen=True)
class Label:
    """What somebody says of a clip, or of some seconds of it.

    Attributes:
        named: The clip as the labels name it.
        path: Where it lies; an address stays text, of which a path would lose a stroke.
        emotion: One of COMMON7.
        speaker: Who speaks, "" where that is not told.
        start_s: From when the label holds, seconds from the start of the clip; None: from there.
        end_s: Until when; None: to the clip's end.
    """

    named: str
    path: Path | str
    emotion: str
    speaker: str = ""
    start_s: float | None = None
    end_s: float | None = None

    @property
    def is_part(self) -> bool:
        """Whether it is about some seconds of the clip only."""
        return self.start_s is not None or self.end_s is not None

    @property
    def key(self) -> tuple[str, float | None, float | None]:
        """What is labelled."""
        return self.named, self.start_s, self.end_s


@dataclass(frozen=True)
class Labels:
    """All labels of a file or a table.

    Attributes:
        name: What the file is called.
        rows: The labels, in its order.
        notes: What a reader of every figure should know of how they were read.
    """

    name: str
    rows: tuple[Label, ...]
    notes: tuple[str, ...] = ()

    @property
    def has_speakers(self) -> bool:
        """Whether it is told who speaks, of any row."""
        return any(row.speaker for row in self.rows)

    def __repr__(self) -> str:
        speakers = len({row.speaker for row in self.rows if row.speaker})
        return f"<Labels {self.name!r}: {len(self.rows)} rows, {speakers} speakers>"


def words_in_lines() -> str:
    """Return the table of words, one emotion a line.

    >>> print(words_in_lines().splitlines()[0])
      angry     anger
    """
    return "\n".join(
        f"  {emotion:<9} {', '.join(word for word in words if word != emotion)}"
        for emotion, words in WORDS.items()
    )


def read_labels(path: str | Path) -> Labels:
    """Read labels from a CSV file.

    Columns: path (from the file's own folder), emotion, and where there are any speaker, start and
    end (seconds); others are left alone. Commas, semicolons, tabs and bars separate; a byte order
    mark and decimal commas are understood.

    Raises:
        LabelsError: When the file cannot be read, lacks a column, or has rows that make no sense,
            which it names.
    """
    path = Path(path)
    text, notes = _text_of(path)
    rows = _records(text, path)
    return _understood(rows, path.parent, str(path), notes)


def labels_of_table(table: pd.DataFrame | Iterable[Mapping[str, object]]) -> Labels:
    """Read labels from a table, or from dictionaries; paths are taken from the working folder.

    Raises:
        LabelsError: As `read_labels`.
    """
    to_dict = getattr(table, "to_dict", None)
    records = to_dict("records") if to_dict else [dict(row) for row in table]  # type: ignore[union-attr]
    columns = [str(name) for row in records[:1] for name in row]
    _check_columns(columns, "the table of labels")
    rows = [
        (f"row {number}", {_plain(str(name)): _text(value) for name, value in row.items()})
        for number, row in enumerate(records, 1)
    ]
    return _understood(rows, Path(), "the table of labels", [])


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    # What pandas has where a cell is empty: NaN, NaT, NA.
    return "" if text in ("nan", "NaT", "<NA>") else text


def _plain(text: str) -> str:
    """Return a word as it is looked up: small letters, blanks for what joins words."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(text.replace("_", " ").replace("-", " ").split())


def _text_of(path: Path) -> tuple[str, list[str]]:
    """Return a file's text, and what is to be said of how it was read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = f"it cannot be read ({error.strerror})"
        raise LabelsError(path, reason, "name a CSV file with your labels") from error
    is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if is_wide else "utf-8-sig"), []
    except UnicodeDecodeError as error:
        if b"\0" in content:
            reason = "it is no text"
            raise LabelsError(path, reason, "save the labels as a CSV file in UTF-8") from error
        note = "the labels are no UTF-8 and were read as Windows-1252"
        return content.decode("cp1252", "replace"), [note]


def _records(text: str, path: Path) -> list[tuple[str, dict[str, str]]]:
    """Split a CSV file into rows by the name of the column, each with its line's number."""
    if "\0" in text:
        raise LabelsError(path, "it is no text", "save the labels as a CSV file in UTF-8")
    lines = io.StringIO(text, newline="").readlines()
    # Spreadsheets tell each other what separates the columns in a line above the head.
    above = (i for i, line in enumerate(lines) if line.strip() and not line.startswith("sep="))
    skipped = next(above, None)
    if skipped is None:
        raise LabelsError(path, "it is empty", _HEAD)
    delimiter = _delimiter_of(lines[skipped])
    reader = csv.reader(lines[skipped:], delimiter=delimiter)
    try:
        columns = [name.strip() for name in next(reader)]
        _check_columns(columns, path)
        names, found, odd = [_plain(name) for name in columns], [], []
        line = reader.line_num + 1
        for cells in reader:
            where, line = f"line {line + skipped}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if any(cell.strip() for cell in cells[len(names) :]):
                odd.append(f"{where} has {len(cells)} cells, the head {len(names)}")
            found.append((where, dict(zip(names, cells, strict=False))))
    except csv.Error as error:
        reason = f"line {reader.line_num}: {error}"
        raise LabelsError(path, reason, "save the labels as a CSV file again") from error
    if odd:
        remedy = f'put a cell that holds "{delimiter}" into double quotes'
        raise LabelsError(path, _listed(odd), remedy)
    return found


def _delimiter_of(head: str) -> str:
    """Return what separates the columns of a head: the one that gives most of those asked for."""

    def known(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([head], delimiter=delimiter), [])
        names = {_plain(cell) for cell in cells}
        return len(names & {*NEEDED, *OPTIONAL}), len(cells)

    return max(_DELIMITERS, key=known)


def _check_columns(columns: Sequence[str], what: object) -> None:
    names = [_plain(name) for name in columns]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        reason = (
            f"it has no column {' and none '.join(missing)}, but {', '.join(columns) or 'none'}"
        )
        raise LabelsError(what, reason, _HEAD)
    twice = [name for name in (*NEEDED, *OPTIONAL) if names.count(name) > 1]
    if twice:
        reason = f"it has the column {', '.join(twice)} more than once"
        raise LabelsError(what, reason, "rename all but one")


def _understood(
    rows: Sequence[tuple[str, dict[str, str]]], folder: Path, name: str, notes: list[str]
) -> Labels:
    """Turn rows of text into labels; all that is wrong is said at once.

    Raises:
        LabelsError: When a row makes no sense, or there is none.
    """
    if not rows:
        raise LabelsError(name, "it has no row below its head", "add one row for each clip")
    problems: list[str] = []
    unknown: Counter[str] = Counter()
    other_words: Counter[tuple[str, str]] = Counter()
    labels: dict[tuple, Label] = {}  # by place and seconds: a.mp4 and ./a.mp4 are one clip
    repeated = 0
    for where, row in rows:
        said = {column: row.get(column, "").strip() for column in (*NEEDED, *OPTIONAL)}
        try:
            times = _times(said["start"], said["end"])
            if not said["path"]:
                raise ValueError("it names no path")
            if not said["emotion"]:
                raise ValueError("it names no emotion")
        except ValueError as error:
            problems.append(f"{where}: {error}")
            continue
        emotion = _EMOTION_OF.get(_plain(said["emotion"]))
        if emotion is None:
            unknown[said["emotion"]] += 1
            continue
        if _plain(said["emotion"]) != emotion:
            other_words[_plain(said["emotion"]), emotion] += 1
        label = Label(said["path"], _place(said["path"], folder), emotion, said["speaker"], *times)
        before = labels.setdefault((str(label.path), *times), label)
        if (before.emotion, before.speaker) != (label.emotion, label.speaker):
            problems.append(f"{where}: {label.named} has another label above")
        elif before is not label:
            repeated += 1
    if problems:
        remedy = "mend these rows: one for each clip or stretch of it, seconds as numbers"
        raise LabelsError(name, _listed(problems), remedy)
    if unknown:
        words = ", ".join(f"{word!r} ({count})" for word, count in unknown.most_common())
        remedy = f"rename them to {', '.join(WORDS)}, or take these rows out"
        raise LabelsError(name, f"emotions that are not known, with their rows: {words}", remedy)
    if other_words:
        taken = (f"{word} for {to} ({n})" for (word, to), n in sorted(other_words.items()))
        notes = [*notes, f"words that are taken for emotions: {', '.join(taken)}"]
    if repeated:
        notes = [*notes, f"rows that stand there more than once count once ({repeated} left out)"]
    return Labels(name, tuple(labels.values()), tuple(notes))


def _times(start: str, end: str) -> tuple[float | None, float | None]:
    """Return two moments in seconds, None where a cell is empty.

    Raises:
        ValueError: When one is no time, or the second is not after the first.
    """
    start_s, end_s = _seconds(start, "start"), _seconds(end, "end")
    if end_s is not None and end_s <= (start_s or 0.0):
        raise ValueError(f"its end, {end_s:g} s, is not after its start, {start_s or 0:g} s")
    return start_s, end_s


def _seconds(text: str, column: str) -> float | None:
    if not text:
        return None
    try:
        value_s = float(text.replace(",", "."))
    except ValueError:
        value_s = math.nan
    if not (math.isfinite(value_s) and value_s >= 0):
        raise ValueError(f"its {column} is {text!r}, which is no number of seconds")
    return value_s


def _place(named: str, folder: Path) -> Path | str:
    """Return where a clip lies; a path of Windows is understood where that finds a file."""
    if "://" in named:
        return named
    path = folder / named
    turned = folder / named.replace("\\", "/")
    try:
        return turned if not path.exists() and turned.exists() else path
    except OSError:  # a name that no system takes; reading it says so
        return path


def _listed(problems: Sequence[str]) -> str:
    more = len(problems) - _MOST_LISTED
    return "; ".join([*problems[:_MOST_LISTED], *([f"and {more} more"] if more > 0 else [])])
