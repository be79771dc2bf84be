"""The people of clips as a CSV file, a row for each, as the clips are finished."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Self, TextIO

from emorec.errors import OutputError
from emorec.files import check_writable
from emorec.report.people_table import PEOPLE_COLUMNS, people_rows
from emorec.report.table import begun_csv, short
from emorec.result.clip import ClipResult

__all__ = ["PeopleWriter"]


class PeopleWriter:
    """Writes the people of clips as the clips are finished; a context manager.

    Args:
        path: The CSV file, None for none.

    Raises:
        OutputError: At once, when it cannot be written.
    """

    def __init__(self, path: Path | None):
        self._path = path
        self._file: TextIO | None = None
        check_writable(path)

    def __enter__(self) -> Self:
        """Begin the file: what is written over goes now, not where a run is refused."""
        if self._path is not None:
            try:
                self._file = begun_csv(self._path, PEOPLE_COLUMNS, [])
            except OSError as error:
                raise OutputError.because_of(self._path, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, result: ClipResult) -> None:
        """Write a row for each person of a clip.

        Raises:
            OutputError: When that cannot be done, for instance on a full disk.
        """
        if self._file is None:
            return
        try:
            for row in people_rows(result):
                csv.writer(self._file).writerow(map(short, row.values()))
            self._file.flush()
        except OSError as error:
            raise OutputError.because_of(self._path, error) from error
