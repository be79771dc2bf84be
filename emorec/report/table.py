"""Results for people and programs: CSV, JSON, timelines, subtitles, pictures as they come."""

from __future__ import annotations

import contextlib
import csv
import io
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from emorec import __version__
from emorec.emotions import COMMON7
from emorec.errors import OutputError, printable
from emorec.files import check_writable, identity, open_through, write_atomically, write_json
from emorec.report.annotations import check_installed, write_elan, write_textgrid
from emorec.report.cells import cell
from emorec.report.distinct import DistinctNames, check_folder
from emorec.report.earlier import Earlier
from emorec.report.figure import plot_clip
from emorec.report.people_table import (
    person_entry,
    probabilities,
    probability_columns,
    verdict_columns,
)
from emorec.report.subtitles import write_subtitles
from emorec.result.clip import ClipResult
from emorec.streams.windows import STREAMS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from emorec.report.parquet import ParquetWriter

__all__ = [
    "JSON_VERSION",
    "PER_CLIP",
    "TABLE_COLUMNS",
    "TIMELINE_COLUMNS",
    "ResultWriter",
    "begun_csv",
    "json_content",
    "json_entry",
    "short",
    "table_row",
    "timeline_row",
    "to_table",
    "write_plot",
    "write_timeline",
]

JSON_VERSION = 1
"""Of the form of the JSON file, which `result.schema.json` beside this module describes."""

TIMELINE_COLUMNS = ("time_s", "stream", *COMMON7)
"""Head of every timeline."""


def table_row(result: ClipResult) -> dict:
    """Return what the CSV file says of one clip: column name -> value.

    Columns: file, status, emotion, confidence (0 to 1), confidence_word (see
    `emorec.confidence`), each stream's own verdict, the fused probability of each emotion,
    duration_s, notes, reason, remedy.
    """
    return {
        "file": result.name,
        "status": result.status,
        **verdict_columns(result),
        **probability_columns(result),
        "duration_s": result.duration_s,
        "notes": "; ".join(result.notes),
        "reason": result.reason,
        "remedy": result.remedy,
    }


TABLE_COLUMNS = (*table_row(ClipResult(Path(), "")), "stamp")
"""Head of the CSV file of results; the stamp tells what a row was read with, see `report.stamp`."""


def to_table(results: Iterable[ClipResult]) -> pd.DataFrame:
    """Join results into one table: `table_row` for each clip, and the truth where it is known."""
    import pandas as pd

    rows = []
    for result in results:
        row = table_row(result)
        # Beside the verdict, where the eye compares them.
        rows.append({"file": row.pop("file"), "truth": result.truth, **row})
    return pd.DataFrame(rows)


@contextlib.contextmanager
def _as_output_errors(path: Path | str) -> Iterator[None]:
    """Say of an error while writing which output it spoils."""
    try:
        yield
    except OSError as error:
        raise OutputError.because_of(path, error) from error


class ResultWriter:
    """Writes results as they come; a context manager, before whose beginning nothing is touched.

    Args:
        csv_path: Gets one row per clip, flushed at once.
        json_path: Gets all probabilities, when the work ends or is interrupted.
        folders: Name in `PER_CLIP` -> folder that gets one such file per clip.
        earlier: Results of an earlier run, which come first in both files.
        kept: Files over which none of these is written.
        parquet: Gets one row per clip and its timeline, in parts.
        stamp_of: Tells of a clip what it is read with.

    Attributes:
        spoiled: How many of these files could not be written.

    Raises:
        OutputError: At once, when one of them cannot be written.
    """

    def __init__(
        self,
        csv_path: Path | None = None,
        json_path: Path | None = None,
        folders: Mapping[str, Path | None] | None = None,
        earlier: Earlier | None = None,
        kept: Iterable[Path | str] = (),
        parquet: ParquetWriter | None = None,
        stamp_of: Callable[[Path | str], str] = lambda _: "",
    ):
        earlier = earlier or Earlier()
        self.spoiled = 0
        self._csv_path, self._json_path = csv_path, json_path
        self._csv: TextIO | None = None
        self._earlier_rows = earlier.rows
        self._clips = list(earlier.entries or [])
        self._parquet, self._stamp_of = parquet, stamp_of
        folders = {kind: folder for kind, folder in (folders or {}).items() if folder}
        for kind, folder in folders.items():
            PER_CLIP[kind].check()
            check_folder(folder)
        for path in (json_path, csv_path):
            check_writable(path)
        self._spared = [path for path in (*kept, csv_path, json_path) if path is not None]
        self._in_folders, self._folders = folders, dict[str, DistinctNames]()

    def __enter__(self) -> ResultWriter:
        """Begin the files: what is written over goes now, not where a run is refused."""
        if self._csv_path is not None:
            with _as_output_errors(self._csv_path):
                self._csv = begun_csv(self._csv_path, TABLE_COLUMNS, self._earlier_rows)
        if self._parquet is not None:
            self._parquet.begin()
        spared = {identity(path) for path in self._spared}  # that of a file that is there now
        self._folders = {kind: DistinctNames(at, spared) for kind, at in self._in_folders.items()}
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish both files; what fails is raised unless another error is on its way."""
        problems = []
        try:
            if self._parquet is not None:
                self._parquet.close()
        except OutputError as error:
            problems.append(error)
        try:
            if self._csv is not None:
                self._csv.close()
        except OSError as error:
            problems.append(OutputError.because_of(self._csv_path, error))
        try:
            if self._json_path is not None:
                write_json(self._json_path, json_content(self._clips))
        except OSError as error:
            problems.append(OutputError.because_of(self._json_path, error))
        if problems and (kind is None or not issubclass(kind, OutputError)):
            raise problems[0]

    def add(self, result: ClipResult) -> None:
        """Write what is asked for of one clip.

        A file for the clip alone that cannot be written becomes a note on it.

        Raises:
            OutputError: When its row can no longer be written, for instance on a full disk.
        """
        for kind, names in self._folders.items():
            file = PER_CLIP[kind]
            if file.is_there(result):
                self._try(file, result, names.path_for(result.path, file.suffix))
        row = {**table_row(result), "stamp": ""}
        if result.status != "failed" and (self._csv or self._json_path or self._parquet):
            row["stamp"] = self._stamp_of(result.named or result.path)
        if self._json_path is not None:
            stamp = {"stamp": row["stamp"]} if row["stamp"] else {}
            self._clips.append({**json_entry(result), **stamp})
        if self._parquet is not None:
            self._parquet.add(result, row)
        if self._csv is not None:
            with _as_output_errors(self._csv_path):
                csv.writer(self._csv).writerow(map(short, row.values()))
                self._csv.flush()

    def _try(self, file: PerClip, result: ClipResult, path: Path) -> None:
        try:
            file.write(result, path)
        except Exception as error:  # one odd clip must not end the work on a thousand others
            reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
            result.notes.append(f"its {file.what} is not written: {reason}")
            self.spoiled += 1


def begun_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> TextIO:
    """Begin a CSV file with its head and the rows that are there already; it stays open."""

    def begin(file: TextIO) -> None:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
        file.flush()

    if rows:
        # What an earlier run found is never gone, not even for a moment.
        def write(name: str) -> None:
            with Path(name).open("w", newline="", encoding="utf-8") as file:
                begin(file)

        write_atomically(path, write)
        return path.open("a", newline="", encoding="utf-8")
    file = io.TextIOWrapper(open_through(path), encoding="utf-8", newline="")
    begin(file)
    return file


def write_plot(result: ClipResult, path: Path) -> None:
    """Write the picture of a result, PNG."""
    figure = plot_clip(result)
    with warnings.catch_warnings():
        # A name may hold letters that the font lacks; it shows boxes for them.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        write_atomically(path, lambda name: figure.savefig(name, dpi=120))


def write_timeline(result: ClipResult, path: Path) -> None:
    """Write the timeline of a clip as CSV: time_s, stream, one column per emotion.

    Raises:
        OutputError: When it cannot be written.
    """
    with _as_output_errors(path):
        write_atomically(path, lambda name: _write_timeline(result, Path(name)))


def _write_timeline(result: ClipResult, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(TIMELINE_COLUMNS)
        for stream in (*STREAMS, "fused"):
            windows = result.windows.get(stream)
            if windows is not None:
                for time_s, posterior in zip(windows.times_s, windows.posteriors, strict=True):
                    rows.writerow(timeline_row(time_s, stream, posterior))


@dataclass(frozen=True)
class PerClip:
    """A kind of file that each clip with a verdict may have for itself.

    Attributes:
        what: What it is called.
        suffix: How its name ends.
        write: Writes it.
        check: Makes sure that it can be made, or raises MissingPartError.
        is_there: Whether there is anything to write; nothing lasts in a single picture.
    """

    what: str
    suffix: str
    write: Callable[[ClipResult, Path], None]
    check: Callable[[], None] = lambda: None
    is_there: Callable[[ClipResult], object] = lambda result: result.segments


PER_CLIP = {
    "timeline": PerClip("timeline", ".csv", write_timeline),
    "plots": PerClip("picture", ".png", write_plot, is_there=lambda result: result.emotion),
    "subtitles": PerClip(
        "subtitle", ".vtt", lambda result, path: write_subtitles(result.segments, path)
    ),
    "textgrid": PerClip("TextGrid", ".TextGrid", write_textgrid, check_installed),
    "elan": PerClip("ELAN file", ".eaf", write_elan, check_installed),
}
"""Kinds of files for a clip alone, by the option that asks for them."""


def timeline_row(time_s: float, stream: str, posterior: np.ndarray) -> list[str]:
    """Return a row of a timeline below `TIMELINE_COLUMNS`."""
    return [f"{time_s:.3f}", stream, *(f"{probability:.4f}" for probability in posterior)]


def short(value: object) -> object:
    """Return what of a value goes into a cell of a CSV file."""
    if isinstance(value, float):
        return f"{value:.4f}"
    return cell(value) if isinstance(value, str) else value


def json_content(entries: Sequence[Mapping]) -> dict:
    """Return what the JSON file says; `result.schema.json` describes its form.

    Args:
        entries: Of each clip, as `json_entry` makes them.
    """
    return {
        "version": JSON_VERSION,
        "emorec": __version__,
        "classes": list(COMMON7),
        "clips": list(entries),
    }


def json_entry(result: ClipResult) -> dict:
    """Return what the JSON file says of one clip."""
    entry = {name: v for name, v in table_row(result).items() if not name.startswith("p_")}
    entry["file"] = printable(result.name)
    entry["notes"] = result.notes
    entry["probabilities"] = probabilities(result)
    entry["segments"] = [
        {
            "start_s": round(segment.start_s, 3),
            "end_s": round(segment.end_s, 3),
            "emotion": segment.emotion,
            "confidence": round(segment.confidence, 5),
        }
        for segment in result.segments
    ]
    if result.people:
        entry["people"] = [person_entry(person) for person in result.people]
    return entry
