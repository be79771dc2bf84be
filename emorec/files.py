"""Files that are written as a whole or not at all, and caches that know what they hold.

A cache holds arrays that take long to make; it is work in progress (`Models/**/work/`) and never
committed. A damaged one is made again; one that was made by another version, or for other clips,
is refused rather than read wrongly.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import uuid
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from emorec.errors import EmorecError, OutputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "UNREADABLE",
    "StaleCacheError",
    "check_writable",
    "fingerprint",
    "fitting_name",
    "identity",
    "is_standard_output",
    "is_written_through",
    "kept_or_made",
    "open_through",
    "part_for",
    "put_in_place",
    "write_atomically",
    "write_json",
    "write_table",
]

UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
"""What NumPy raises on a damaged archive."""

_OPEN_STREAM = re.compile(r"/dev/(stdout|stderr)|/(?:dev|proc/self)/fd/(\d+)")
_LONGEST_SUFFIX, _LONGEST_NAME_BYTES = 20, 255


def write_atomically(path: Path, write: Callable[[str], object]) -> None:
    """Call `write(temporary_path)`, then rename to `path`: a reader never sees half a file.

    A link stays a link, and its target is written. What is no file of its own, a device, a pipe or
    an open stream of this process, cannot be replaced: what was written is copied into it.
    """
    part = part_for(path)
    try:
        write(str(part))
        put_in_place(part, path)
    finally:
        part.unlink(missing_ok=True)


def part_for(path: Path) -> Path:
    """Make an empty file to write what shall become `path`; `put_in_place` gives it its name.

    It lies beside `path`, where it can be renamed, or in the folder for temporary files. Its own
    name is short, so that every legal name can be written.
    """
    through = is_written_through(path)
    target = Path(os.path.realpath(path))
    folder = Path(tempfile.gettempdir()) if through else target.parent
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".part-{uuid.uuid4().hex}{Path(path).suffix[:_LONGEST_SUFFIX]}"
    rights = 0o600 if through else 0o666  # less what the user keeps from others
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, rights))
    except BaseException:  # Ctrl-C just then
        part.unlink(missing_ok=True)
        raise
    return part


def put_in_place(part: Path, path: Path) -> None:
    """Give a finished file from `part_for` its name; it keeps the rights of what it replaces."""
    target = Path(os.path.realpath(path))
    if not is_written_through(path):
        if target.exists():
            part.chmod(stat.S_IMODE(target.stat().st_mode))
        try:
            part.replace(target)
            return
        except OSError as error:
            if error.errno != errno.EBUSY:  # a file that is mounted by itself
                raise
    with part.open("rb") as source, open_through(path) as sink:
        shutil.copyfileobj(source, sink)
    part.unlink()


def is_written_through(path: Path) -> bool:
    """Tell whether a name stands for what can only be written into, and not be replaced.

    That is a device, a pipe, an open stream of this process (`/dev/stdout`), and a file in a
    folder in which nothing new may be made.
    """
    path = Path(path)
    if _descriptor(path) is not None:
        return True
    if not path.exists():
        return False
    return not path.is_file() or not os.access(Path(os.path.realpath(path)).parent, os.W_OK)


def is_standard_output(path: Path) -> bool:
    """Tell whether a name stands for the standard output of this process."""
    return _descriptor(Path(path)) == 1


def open_through(path: Path, *, append: bool = False) -> BinaryIO:
    """Open what a name stands for, to write bytes into it; an open stream goes on where it is."""
    descriptor = _descriptor(Path(path))
    if descriptor is None:
        return Path(path).open("ab" if append else "wb")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return os.fdopen(os.dup(descriptor), "wb")


def fitting_name(stem: str, ending: str) -> str:
    """Join the two parts of a name, the first shortened so that file systems take the whole.

    >>> len(fitting_name("ü" * 240, "_annotated.mp4").encode())
    254
    """
    room = _LONGEST_NAME_BYTES - len(os.fsencode(ending))
    short = os.fsencode(stem)[:room]
    if len(short) < len(os.fsencode(stem)):
        short = short.decode(errors="ignore").encode()
    return os.fsdecode(short) + ending


def identity(path: Path | str) -> object:
    """Return what two names of one file share, also where they are hard links."""
    try:
        facts = Path(path).stat()
    except OSError:
        return os.path.realpath(path)
    return facts.st_dev, facts.st_ino


def _descriptor(path: Path) -> int | None:
    """Return the number of the open stream that a name stands for, None where it is none."""
    named = _OPEN_STREAM.fullmatch(str(path))
    if named:
        return {"stdout": 1, "stderr": 2}.get(named[1]) or int(named[2])
    for number in (1, 2):
        with contextlib.suppress(OSError):
            stream, file = os.fstat(number), path.stat()
            if stat.S_ISREG(file.st_mode) and os.path.samestat(stream, file):
                return number
    return None


def fingerprint(files: Iterable[Path]) -> str:
    """Return 16 hexadecimal digits that tell what some files hold from anything else.

    Raises:
        OSError: When one cannot be read.
    """
    whole = hashlib.sha256()
    for path in files:
        with Path(path).open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()[:16]


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON file atomically."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_atomically(path, lambda name: Path(name).write_text(text, "utf-8", "backslashreplace"))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV file atomically, numbers with five decimals."""
    write_atomically(path, lambda name: table.to_csv(name, index=False, float_format="%.5f"))


def check_writable(path: Path | None) -> None:
    """Try whether a file can be written, without touching what it holds.

    A pipe is not opened: its reader would take that for the end.

    Raises:
        OutputError: When it cannot.
    """
    if path is None or _descriptor(path) is not None:
        return  # a stream that is open already, even of a file that has lost its name
    target = Path(os.path.realpath(path))
    existed = os.path.lexists(target)
    try:
        if is_written_through(path) and not path.is_file() and not path.is_dir():
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        with path.open("ab"):
            pass
    except OSError as error:
        reason = f"it cannot be written ({error.strerror})"
        remedy = "name a file in an existing folder in which you may write"
        raise OutputError(path, reason, remedy) from error
    if not existed:
        target.unlink()


class StaleCacheError(EmorecError):
    """A cache that was made by another version or for other clips."""

    def __init__(self, file: Path, reason: str, remedy: str = "delete the file; it is made again"):
        super().__init__(file, reason, remedy)


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
