"""Keeps two trainings out of one folder; imports no Keras."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from emorec.errors import OutputError

__all__ = ["own_folder"]

_held: Counter[str] = Counter()


@contextlib.contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Keep every other process from training in a folder; the hold ends with this process.

    It may be taken again inside.

    Raises:
        OutputError: When another training is at work there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    place = os.path.realpath(folder)
    with contextlib.ExitStack() as stack:
        if not _held[place]:
            # The folder itself is locked: a file would have to be removed afterwards.
            descriptor = os.open(place, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                reason = "another training is at work in this folder"
                remedy = "wait for its end, or end it; what it has reached is gone on with"
                raise OutputError(folder, reason, remedy) from error
            except OSError:
                pass  # some network drives know no locks
        _held[place] += 1
        try:
            yield
        finally:
            _held[place] -= 1
