"""Files that are written as a whole or not at all, and caches that know what they hold.

A cache holds arrays that take long to make; it is work in progress (`Models/**/work/`) and never
committed. A damaged one is made again; one that was made by another version, or for other clips,
is refused rather than read wrongly.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emorec.errors import EmorecError, OutputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "UNREADABLE",
    "StaleCacheError",
    "check_writable",
    "kept_or_made",
    "write_atomically",
    "write_json",
    "write_table",
]

UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
"""What NumPy raises on a damaged archive."""


def write_atomically(path: Path, write: Callable[[str], object]) -> None:
    """Call `write(temporary_path)`, then rename to `path`: a reader never sees half a file.

    A link stays a link, and its target is written. What is no file, a device or a pipe, cannot be
    replaced and is written directly.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        write(str(path))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=path.suffix)
    os.close(handle)
    try:
        write(name)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON file atomically."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_atomically(path, lambda name: Path(name).write_text(text, encoding="utf-8"))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV file atomically, numbers with five decimals."""
    write_atomically(path, lambda name: table.to_csv(name, index=False, float_format="%.5f"))


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


class StaleCacheError(EmorecError):
    """A cache that was made by another version or for other clips."""

    def __init__(self, file: Path, reason: str):
        super().__init__(file, reason, "delete the file; it is made again")

    def __reduce__(self) -> tuple:
        return type(self), (self.what, self.reason)


def kept_or_made(
    file: Path, stamp: Mapping[str, object], make: Callable[[], Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Return the arrays kept in a file; make and keep them where there is none.

    Args:
        file: The cache, `.npz`.
        stamp: What the arrays were made by and of: texts, numbers, or lists of either.
        make: Makes the arrays, by name.

    Raises:
        StaleCacheError: If the file's stamp is another one.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "kept.npz")
        >>> kept_or_made(file, {"version": 1}, lambda: {"x": np.arange(3)})["x"].tolist()
        [0, 1, 2]
        >>> kept_or_made(file, {"version": 1}, dict)["x"].tolist()
        [0, 1, 2]
    """
    file = Path(file)
    try:
        with np.load(file, allow_pickle=False) as archive:
            kept = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        kept = None
    except UNREADABLE as error:
        warnings.warn(f"{file} is damaged ({error}) and is made again", stacklevel=2)
        kept = None
    if kept is None:
        kept = {**make(), **{name: np.array(value) for name, value in stamp.items()}}
        write_atomically(file, lambda name: np.savez(name, **kept))
    for name, expected in stamp.items():
        found = kept.pop(name).tolist() if name in kept else None
        if found != expected:
            raise StaleCacheError(file, _difference(name, found, expected))
    return kept


def _difference(name: str, found: object, expected: object) -> str:
    if isinstance(found, list) and isinstance(expected, list):
        return f"it holds {len(found)} {name}, which are not the {len(expected)} asked for"
    return f"it was made with {name} {found!r}, and {name} {expected!r} is asked for"
