"""What was seen and heard in clips as tables: faces, windows of the voice; their embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from emorec.errors import MediaError, OutputError, printable, require
from emorec.files import check_writable, part_for, put_in_place
from emorec.report.cells import cell
from emorec.report.distinct import DistinctNames, check_folder, stem_for
from emorec.report.earlier import refuse_earlier
from emorec.result.clip import ClipResult
from emorec.streams.details import FACE_COLUMNS, VOICE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMATS", "TABLES", "FeatureWriter", "feature_files"]

FORMATS = (".csv", ".parquet")
TABLES = ("faces", "voice")
EMBEDDINGS = ("face_embeddings", "voice_embeddings")

_PITCH_AT = VOICE_COLUMNS.index("loudness_db") + 1
_COLUMNS = {
    "faces": ("file", *FACE_COLUMNS),
    "voice": ("file", *VOICE_COLUMNS[:_PITCH_AT], "pitch_hz", *VOICE_COLUMNS[_PITCH_AT:]),
    "face_embeddings": ("file", "time_s", "person"),
    "voice_embeddings": ("file", "start_s", "end_s"),
}
_DIGITS = "%.6g"


def feature_files(path: Path, tables: Sequence[str] = TABLES) -> dict[str, Path]:
    """Return table -> its file, of what was named.

    >>> feature_files(Path("out/features.csv"))["faces"].as_posix()
    'out/features_faces.csv'
    """
    return {table: path.with_name(f"{path.stem}_{table}{path.suffix}") for table in tables}


class FeatureWriter:
    """Writes tables of clips as they are read; a context manager.

    Args:
        path: A file that ends in one of `FORMATS`, for all clips, or a folder, for CSV files of
            each clip.
        clips: The clips, none of whose files is written over.
        overwrite: Whether earlier files are.
        tables: Which: `TABLES`, and `EMBEDDINGS` where the results have them.

    Raises:
        MissingPartError: When a format needs a package that is not installed.
        OutputError: At once, when a file cannot be written, or would write over what is there.
    """

    def __init__(
        self,
        path: Path,
        clips: Iterable[Path] = (),
        *,
        overwrite: bool = False,
        tables: Sequence[str] = TABLES,
    ):
        self._tables = tables
        is_file, self._has_rows = path.suffix.lower() in FORMATS, False
        if path.suffix.lower() == ".parquet":
            require("cluster", "pyarrow")
        if is_file:
            if not overwrite:
                refuse_earlier(list(feature_files(path, tables).values()))
            self._files: _Files | None = _Files(feature_files(path, tables))
            return
        if path.suffix and not path.is_dir():
            reason = f"nothing is written in the form of {path.suffix}"
            raise OutputError(path, reason, f"name a folder, or a file in {' or '.join(FORMATS)}")
        self._files = None
        check_folder(path)
        self._names = DistinctNames(path, set())
        if not overwrite:
            own = [feature_files(path / f"{stem_for(clip)}.csv", tables) for clip in clips]
            refuse_earlier([file for files in own for file in files.values()])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish the files; where an error came before the first clip, leave what was there."""
        if self._files is not None:
            self._files.close(is_kept=kind is None or self._has_rows)

    def add(self, result: ClipResult) -> str:
        """Write the rows of a clip.

        Returns:
            What a reader should know: that its sound is there no longer, for instance; or "".

        Raises:
            OutputError: When they cannot be written.
        """
        problem, self._has_rows = "", True
        try:
            voice = result.voice_with_pitch()
        except MediaError as error:
            voice, problem = result.voice.assign(pitch_hz=float("nan")), f"no pitch: {error.reason}"
        tables = {"faces": result.faces, "voice": voice}
        tables |= {table: getattr(result, table) for table in self._tables if table not in tables}
        if self._files is not None:
            self._files.write(result, tables)
        elif result.status != "failed":
            path = self._names.path_for(result.path, ".csv")
            files = _Files(feature_files(path, self._tables))
            files.write(result, tables)
            files.close()
        return problem


class _Files:
    """The files of some clips, one a table, which are there when they are whole."""

    def __init__(self, files: dict[str, Path]):
        self._files = files
        for file in files.values():
            check_writable(file)
        self._parts = {table: part_for(file) for table, file in files.items()}
        self._make = _Parquet if self._files["faces"].suffix.lower() == ".parquet" else _Csv
        self._sinks: dict[str, _Csv | _Parquet] = {}
        for table in TABLES:
            self._sinks[table] = self._begun(table, _COLUMNS[table])

    def _begun(self, table: str, columns: Sequence[str]) -> _Csv | _Parquet:
        return self._make(self._parts[table], tuple(columns))

    def write(self, result: ClipResult, tables: dict[str, pd.DataFrame]) -> None:
        for table, rows in tables.items():
            rows.insert(0, "file", printable(result.name))
            try:
                # How long an embedding is, the network decides: the first row tells.
                if table not in self._sinks and len(rows):
                    self._sinks[table] = self._begun(table, rows.columns)
                if table in self._sinks:
                    self._sinks[table].write(rows[list(self._sinks[table].columns)])
            except OSError as error:
                raise OutputError.because_of(self._files[table], error) from error

    def close(self, *, is_kept: bool = True) -> None:
        """Give all files their names, or remove them."""
        for table, part in self._parts.items():
            try:
                (self._sinks.get(table) or self._begun(table, _COLUMNS[table])).close()
                if is_kept:
                    put_in_place(part, self._files[table])
            except OSError as error:
                raise OutputError.because_of(self._files[table], error) from error
            finally:
                part.unlink(missing_ok=True)


class _Csv:
    def __init__(self, path: Path, columns: tuple[str, ...]):
        self.columns = columns
        self._file = path.open("w", newline="", encoding="utf-8")
        self._file.write(",".join(columns) + "\n")

    def write(self, rows: pd.DataFrame) -> None:
        rows = rows.assign(file=rows["file"].map(cell))
        rows.to_csv(
            self._file, header=False, index=False, float_format=_DIGITS, lineterminator="\n"
        )

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path, columns: tuple[str, ...]):
        import pyarrow
        from pyarrow import parquet

        kinds = {"file": pyarrow.string(), "person": pyarrow.int64()}
        kinds |= dict.fromkeys(("time_s", "start_s", "end_s"), pyarrow.float64())
        of_float = pyarrow.float32()
        self.columns = columns
        self._schema = pyarrow.schema([(name, kinds.get(name, of_float)) for name in columns])
        self._writer = parquet.ParquetWriter(str(path), self._schema)

    def write(self, rows: pd.DataFrame) -> None:
        import pyarrow

        if len(rows):
            whole = pyarrow.Table.from_pandas(rows, self._schema, preserve_index=False)
            self._writer.write_table(whole)

    def close(self) -> None:
        self._writer.close()
