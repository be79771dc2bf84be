"""Arrays that are dear to make, made once and kept in a file with a stamp of what they hold.

A cache is work in progress (`Models/*/work/`): it is never committed. A damaged one is made again;
one that was made by another version, or for other clips, is refused rather than read wrongly.
"""

import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from emorec.model_folder import write_atomically

__all__ = ["UNREADABLE", "StaleCacheError", "kept_or_made"]

UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
"""What NumPy raises on a damaged archive."""


class StaleCacheError(Exception):
    """A cache that was made by another version or for other clips; the message says what to do."""

    def __init__(self, file: Path, reason: str):
        super().__init__(f"{file}: {reason}. Remedy: delete the file; it is made again.")


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
