"""Results of many clips as Parquet: a table of clips and one of the timeline, in parts.

A part is written as a whole; a reader that opens the folder while it grows sees whole rows only,
and of every clip that it sees the whole timeline.
"""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emorec import __version__
from emorec.emotions import COMMON7
from emorec.errors import OTHER_FORM, OutputError, printable, require
from emorec.media.storage import Folder
from emorec.report.earlier import place
from emorec.report.table import TABLE_COLUMNS
from emorec.result.clip import ClipResult
from emorec.streams.windows import STREAMS

if TYPE_CHECKING:
    import pyarrow

__all__ = ["CLIPS", "TIMELINE", "ParquetWriter"]

CLIPS, TIMELINE = "clips", "timeline"
"""The two tables: folders in the folder of results."""

CLIPS_PER_PART = 1000
TIMELINE_ROWS_PER_PART = 200_000
WRITTEN_EVERY_S = 20.0
"""No more than this, and a clip, is lost when a run is killed."""

_RUN = "run.json"
_PART = re.compile(r"part-(\d{5,})\.parquet")
_REMEDY = "name an empty folder, or give --overwrite, or --resume, which goes on with it"
_OTHER = "name the folder of the earlier run, or an empty one"
_NUMBERS = ("confidence", "duration_s", *(f"p_{name}" for name in COMMON7))


class ParquetWriter:
    """Writes the two tables as results come; `close` writes what is left.

    Args:
        address: The folder, a path or an address (see `emorec.media.storage`).
        overwrite: Whether what an earlier run wrote is removed.
        resume: Whether it is gone on with.

    Attributes:
        earlier: Where a clip lies (`report.earlier.place`) -> status and stamp of its row in an
            earlier run; failed clips are not among them.

    Raises:
        MissingPartError: When pyarrow, or what an address needs, is not installed.
        OutputError: At once, when the folder cannot be written, or holds another thing than it may.
    """

    def __init__(self, address: str | Path, *, overwrite: bool = False, resume: bool = False):
        require("cluster", "pyarrow")
        self._folder = Folder(address)
        self._rows: list[dict] = []
        self._timeline: dict[str, list] = {name: [] for name in timeline_schema().names}
        self._written_s = time.monotonic()
        self.earlier: dict[str, tuple[str, str]] = {}
        parts = self._checked_parts(may_be_there=overwrite or resume)
        self._folder.check_writable()
        self._written_over = parts if overwrite else []
        parts = [] if overwrite else parts
        self._part = max(parts, default=-1) + 1
        for part in parts:
            rows = self._read(CLIPS, part, ["file", "status", "stamp"]).to_pylist()
            self.earlier |= {
                place(row["file"]): (row["status"], row["stamp"])
                for row in rows
                if row["status"] != "failed"
            }

    def begin(self) -> None:
        """Remove what is written over, and write down whose the folder is."""
        for part in self._written_over:
            self._remove(part)
        content = {"emorec": __version__, **_columns()}
        self._folder.write(_RUN, (json.dumps(content, indent=2) + "\n").encode())

    def known(self, clips: Iterable[Path | str]) -> int:
        """Return of how many clips there is a row, whatever it was made with."""
        return sum(place(printable(clip)) in self.earlier for clip in clips)

    def left_of(self, clips: Iterable, stamp_of: Callable[[Any], str]) -> list:
        """Return the clips of which there is no row, or one with another stamp."""
        found = ((clip, self.earlier.get(place(printable(clip)))) for clip in clips)
        return [clip for clip, row in found if row is None or row[1] != stamp_of(clip)]

    def keep_all_but(self, clips: Iterable[Path | str]) -> None:
        """Take the rows of clips that are read anew out of the parts, and all of failed ones."""
        anew = {place(printable(clip)) for clip in clips}
        self.earlier = {name: row for name, row in self.earlier.items() if name not in anew}
        for part in self._numbers(CLIPS):
            self._filter(CLIPS, part)
        # Also what a run wrote that was killed between the two tables.
        for part in self._numbers(TIMELINE):
            self._filter(TIMELINE, part)

    def add(self, result: ClipResult, row: Mapping[str, object]) -> None:
        """Take a result in, and write a part where it is time for it.

        Args:
            result: What was found of a clip.
            row: `report.table.table_row` of it, and its stamp.

        Raises:
            OutputError: When a part cannot be written.
        """
        name = printable(result.name)
        cells = {key: printable(v) if isinstance(v, str) else v for key, v in row.items()}
        self._rows.append(cells)
        for stream in (*STREAMS, "fused"):
            windows = result.windows.get(stream)
            if windows is not None:
                count = len(windows.times_s)
                self._timeline["file"] += [name] * count
                self._timeline["stream"] += [stream] * count
                self._timeline["time_s"] += windows.times_s.tolist()
                for emotion, said in zip(COMMON7, windows.posteriors.T, strict=True):
                    self._timeline[emotion] += said.tolist()
        is_full = (
            len(self._rows) >= CLIPS_PER_PART
            or len(self._timeline["file"]) >= TIMELINE_ROWS_PER_PART
        )
        if is_full or time.monotonic() - self._written_s >= WRITTEN_EVERY_S:
            self._write()
        if is_full:
            self._part += 1
            self._rows.clear()
            for column in self._timeline.values():
                column.clear()

    def close(self) -> None:
        """Write what is left."""
        if self._rows:
            self._write()

    def _write(self) -> None:
        """Write the part so far; it grows under its name until it is full."""
        import pyarrow

        # Whoever reads the clips meanwhile finds the whole timeline of each.
        timeline = pyarrow.table(self._timeline, timeline_schema())
        self._put(TIMELINE, self._part, timeline)
        self._put(CLIPS, self._part, pyarrow.Table.from_pylist(self._rows, clips_schema()))
        self._written_s = time.monotonic()

    def _checked_parts(self, *, may_be_there: bool) -> list[int]:
        """Return the numbers of the parts that are there.

        Raises:
            OutputError: When something is there that may not.
        """
        there = [name for name in self._folder.names() if not name.startswith(".")]
        if not there:
            return []
        where = printable(self._folder.name)
        if _RUN not in there:
            raise OutputError(where, "it holds other than results of clips", _OTHER)
        try:
            run = json.loads(self._folder.read(_RUN))
            is_alike = {name: run[name] for name in (CLIPS, TIMELINE)} == _columns()
        except OTHER_FORM as error:
            raise OutputError(where, "it holds other than results of clips", _OTHER) from error
        if not is_alike:
            reason = f"its tables have other columns, of emorec {run.get('emorec')}"
            raise OutputError(where, reason, _OTHER)
        names = [name for table in (CLIPS, TIMELINE) for name in self._folder.names(table)]
        if names and not may_be_there:
            raise OutputError(where, "it holds something already", _REMEDY)
        for name in names:
            if not (_PART.fullmatch(name) or name.startswith(".")):
                reason = f"there is something beside the results of clips, {printable(name)}"
                raise OutputError(where, reason, _OTHER)
        return sorted({*self._numbers(CLIPS), *self._numbers(TIMELINE)})

    def _numbers(self, table: str) -> list[int]:
        found = (_PART.fullmatch(name) for name in self._folder.names(table))
        return sorted(int(name[1]) for name in found if name)

    def _filter(self, table: str, part: int) -> None:
        """Leave in a part only the clips of `earlier`."""
        import pyarrow

        names = self._read(table, part, ["file"])["file"].to_pylist()
        known = {name: place(name) in self.earlier for name in set(names)}
        if all(known.values()) and known:
            return
        if any(known.values()):
            is_kept = pyarrow.array([known[name] for name in names])
            self._put(table, part, self._read(table, part).filter(is_kept))
        else:
            self._folder.remove(_name_of(table, part))

    def _remove(self, part: int) -> None:
        for table in (CLIPS, TIMELINE):
            if part in self._numbers(table):
                self._folder.remove(_name_of(table, part))

    def _read(self, table: str, part: int, columns: Sequence[str] | None = None) -> pyarrow.Table:
        import pyarrow
        from pyarrow import parquet

        schema = clips_schema() if table == CLIPS else timeline_schema()
        if part not in self._numbers(table):
            return schema.empty_table()
        name = _name_of(table, part)
        try:
            found = parquet.ParquetFile(pyarrow.BufferReader(self._folder.read(name)))
            if found.schema_arrow.names != schema.names:
                reason = "it has other columns"
                raise OutputError(f"{self._folder.name}/{name}", reason, _OTHER)
            return found.read(columns)
        except pyarrow.ArrowException as error:
            reason = f"it is damaged ({str(error).splitlines()[0]})"
            remedy = "remove this part of both tables; its clips are then read again"
            raise OutputError(f"{self._folder.name}/{name}", reason, remedy) from error

    def _put(self, table: str, part: int, content: pyarrow.Table) -> None:
        from pyarrow import parquet

        whole = io.BytesIO()
        parquet.write_table(content, whole)
        self._folder.write(_name_of(table, part), whole.getvalue())


def _name_of(table: str, part: int) -> str:
    return f"{table}/part-{part:05d}.parquet"


def _columns() -> dict[str, list[str]]:
    return {CLIPS: clips_schema().names, TIMELINE: timeline_schema().names}


@cache
def clips_schema() -> pyarrow.Schema:
    """Columns of the table of clips: those of the CSV file, numbers as 64-bit floats."""
    import pyarrow

    kinds = {name: pyarrow.float64() for name in _NUMBERS}
    return pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in TABLE_COLUMNS])


@cache
def timeline_schema() -> pyarrow.Schema:
    """Columns of the timeline: file, time_s, stream, and the probability of each emotion."""
    import pyarrow

    said = [(name, pyarrow.float32()) for name in COMMON7]
    head = [("file", pyarrow.string()), ("time_s", pyarrow.float64())]
    return pyarrow.schema([*head, ("stream", pyarrow.string()), *said])
