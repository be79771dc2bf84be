"""Keeps what a live view finds, as a CSV file that is whole at every moment."""

from __future__ import annotations

import contextlib
import csv
import io
from pathlib import Path

from emorec.errors import OutputError
from emorec.files import check_writable, open_through
from emorec.live.engine import LiveVerdict
from emorec.report.table import TIMELINE_COLUMNS, timeline_row
from emorec.streams.windows import STREAMS

__all__ = ["Recorder"]


class Recorder:
    """Writes the timeline of a live view as it comes; a context manager.

    Each moment is written whole and at once, so that a process that is ended leaves a whole file.

    Args:
        path: The CSV file, `emorec.report.table.TIMELINE_COLUMNS`; None records nothing.

    Raises:
        OutputError: When it cannot be written.
    """

    def __init__(self, path: Path | None):
        self._path = path
        self._file: io.TextIOWrapper | None = None
        self._newest_s = float("-inf")
        check_writable(path)

    def __enter__(self) -> Recorder:
        """Begin the file: what is written over goes now, not where nothing is there to be seen."""
        if self._path is not None:
            try:
                file = open_through(self._path)
            except OSError as error:
                raise OutputError.because_of(self._path, error) from error
            self._file = io.TextIOWrapper(file, encoding="utf-8", newline="")
            self._write([TIMELINE_COLUMNS])
        return self

    def __exit__(self, *_) -> None:
        # What could not be written was told when it was flushed.
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()

    def add(self, verdict: LiveVerdict | None) -> None:
        """Write a verdict, unless it is the one that was written last."""
        if self._file is None or verdict is None or verdict.time_s == self._newest_s:
            return
        self._newest_s = verdict.time_s
        self._write(
            timeline_row(verdict.time_s, stream, verdict.probabilities[stream])
            for stream in (*STREAMS, "fused")
            if stream in verdict.probabilities
        )

    def _write(self, rows) -> None:
        try:
            csv.writer(self._file).writerows(rows)
            self._file.flush()
        except OSError as error:
            raise OutputError.because_of(self._path, error) from error
