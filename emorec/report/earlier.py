"""What an earlier run has written: kept from being lost, and gone on with."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emorec.errors import OTHER_FORM, OutputError, printable
from emorec.files import is_written_through
from emorec.media.storage import Address
from emorec.report.cells import cell

__all__ = [
    "OVERWRITE",
    "OVERWRITE_OR_RESUME",
    "Earlier",
    "place",
    "read_earlier",
    "refuse_earlier",
]

OVERWRITE = "name another, or give --overwrite"
"""Remedy of `refuse_earlier`."""
OVERWRITE_OR_RESUME = f"{OVERWRITE}, or --resume, which goes on with the file of --csv"
_OTHER_FILE = "name the file that the earlier run wrote, or give --overwrite instead of --resume"


@dataclass
class Earlier:
    """Results of an earlier run.

    Attributes:
        rows: Of its CSV file, as they stand there; without those of clips that failed.
        entries: The same of its JSON file; None where no JSON file is asked for.
    """

    rows: list[dict[str, str]] = field(default_factory=list)
    entries: list[dict] | None = None

    def without(self, clips: Sequence[Path | str]) -> Earlier:
        """Leave out what was found of clips that are read anew."""
        rows = {place(cell(clip)) for clip in clips}
        entries = {place(printable(clip)) for clip in clips}
        kept = [entry for entry in self.entries or [] if place(entry["file"]) not in entries]
        return Earlier(
            [row for row in self.rows if place(row["file"]) not in rows],
            None if self.entries is None else kept,
        )

    def known(self, clips: Sequence[Path | str]) -> int:
        """Return of how many clips there is a row, whatever it was made with."""
        there = {place(row["file"]) for row in self.rows}
        return sum(place(cell(clip)) in there for clip in clips)

    def left_of(
        self, clips: Sequence[Path | Address], stamp_of: Callable[[Path | Address], str]
    ) -> list[Path | Address]:
        """Return the clips of which nothing is there, not everywhere, or with another stamp."""
        stamps = {place(row["file"]): row["stamp"] for row in self.rows}
        entries = {place(entry["file"]): entry.get("stamp") for entry in self.entries or []}
        return [
            clip
            for clip in clips
            if stamps.get(place(cell(clip))) is None
            or stamps[place(cell(clip))] != stamp_of(clip)
            or (self.entries is not None and entries.get(place(printable(clip))) != stamp_of(clip))
        ]


def read_earlier(csv_path: Path, json_path: Path | None, columns: Sequence[str]) -> Earlier:
    """Read what an earlier run wrote, however it ended.

    Args:
        csv_path: Its rows; an absent or empty file holds none.
        json_path: Its probabilities, where they are asked for.
        columns: What the CSV file must begin with.

    Raises:
        OutputError: When a file is none of this program, or cannot be read.
    """
    text = _text_of(csv_path)
    # A row that was cut off by a full disk or a killed process lacks its end.
    lines = text[: text.rfind("\n") + 1].splitlines(keepends=True)
    if text and lines[:1] != [",".join(columns) + "\n"]:
        raise OutputError(csv_path, "it holds other than results of clips", _OTHER_FILE)
    rows = [row for row in csv.DictReader(lines) if None not in row and None not in row.values()]
    found = Earlier([row for row in rows if row["status"] != "failed"])
    if json_path is not None:
        found.entries = _entries_of(json_path)
    return found


def refuse_earlier(files: Sequence[Path | None], remedy: str = OVERWRITE) -> None:
    """Refuse to write over what is there.

    Args:
        files: Outputs, None where none is asked for.
        remedy: What can be done about it.

    Raises:
        OutputError: When one of them holds something.
    """
    for path in files:
        if path is None or is_written_through(path) or not path.is_file():
            continue
        if path.stat().st_size:
            raise OutputError(path, "it holds something already", remedy)


def place(name: str | Path) -> str:
    """Return what all ways to name a file from this folder share."""
    return os.path.realpath(name)


def _text_of(path: Path) -> str:
    if is_written_through(path):
        raise OutputError(path, "nothing can be read back from it", _OTHER_FILE)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return file.read().replace("\r\n", "\n")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise OutputError(path, "it holds other than results of clips", _OTHER_FILE) from error
    except OSError as error:
        raise OutputError(path, f"it cannot be read ({error.strerror})", _OTHER_FILE) from error


def _entries_of(path: Path) -> list[dict]:
    text = _text_of(path)
    try:
        entries = json.loads(text)["clips"] if text else []
        return [entry for entry in entries if entry["status"] != "failed" and entry["file"]]
    except OTHER_FORM as error:
        raise OutputError(path, "it holds other than results of clips", _OTHER_FILE) from error
