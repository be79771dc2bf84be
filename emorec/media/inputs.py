"""What may be given as a clip: a path, an address, bytes, an open file, a recording, an image."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from emorec.errors import EmorecError, MediaError, ModelError
from emorec.media import storage
from emorec.media.find import check_name
from emorec.media.pictures import Picture, is_picture, is_pillow, picture_of, read_picture
from emorec.media.reader import ClipReader
from emorec.media.recording import Recording, RecordingReader

__all__ = ["MOST_BYTES", "Given", "given", "name_of", "sendable", "spooled"]

MOST_BYTES = 8_000_000_000
"""Largest clip that is taken from a pipe or an open file."""

_SPARE_BYTES = 100_000_000  # that a copy leaves free
_CHUNK_BYTES = 1_000_000


@dataclass(frozen=True)
class Given:
    """A clip as it was given, ready to be read.

    Attributes:
        path: Where it lies, or what it is called.
        named: What it was called, where that is no path; else "".
        recording: The recording, where it lies in memory.
        picture: The picture, where it is a single one.
    """

    path: Path
    named: str = ""
    recording: Recording | None = None
    picture: Picture | None = None

    def reader(self, **how: Any) -> ClipReader | RecordingReader:
        """Open it; `how` is as for `ClipReader`."""
        if self.recording is not None:
            return RecordingReader(self.recording, **how)
        return ClipReader(self.path, **how)


@contextlib.contextmanager
def given(source: Any) -> Iterator[Given]:
    """Make ready for reading what was given as a clip, for as long as it is read.

    Args:
        source: A path; an address of `emorec.media.storage`, of which a copy is read; bytes or a
            file opened for reading bytes, of which a copy is made; a `Recording`; an image of
            Pillow.

    Raises:
        MediaError: When it is none of these, or cannot be read.
    """
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        if storage.is_address(name):
            with _called(name), storage.local_copy(name) as copy:
                yield _at(copy, name)
            return
        check_name(name)
        yield _at(Path(source))
    elif isinstance(source, Recording):
        yield Given(Path(source.name), source.name, recording=source)
    elif is_pillow(source):
        name = name_of(source)
        yield Given(Path(name), name, picture=picture_of(source, name))
    elif isinstance(source, bytes | bytearray | memoryview):
        name = name_of(source)
        with _called(name), spooled(io.BytesIO(source), name) as copy:
            yield _at(copy, name)
    elif hasattr(source, "read"):
        name = name_of(source)
        with _called(name), spooled(source, name) as copy:
            yield _at(copy, name)
    else:
        raise _no_clip(source)


def name_of(source: object) -> str:
    """Tell what a clip is called, however it is given."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return f"{len(source):,} bytes"
    names = (getattr(source, name, None) for name in ("filename", "name"))
    return next((name for name in names if name and isinstance(name, str)), "clip")


def sendable(source: object) -> object:
    """Return a clip in a form that another process can be sent; a path as text.

    An open file is read. A path loses a stroke of an address, and a text does not.
    """
    if isinstance(source, os.PathLike):
        return os.fspath(source)
    if isinstance(source, str | Recording) or not hasattr(source, "read"):
        return source
    return source.read(MOST_BYTES)


@contextlib.contextmanager
def spooled(stream: BinaryIO, name: str) -> Iterator[Path]:
    """Keep what a stream gives as a file, for as long as it is read.

    Args:
        stream: Gives bytes, from where it stands.
        name: What it is called; the copy's name ends as this does.

    Raises:
        MediaError: When there is no room for it, more than `MOST_BYTES` come, or texts come.
    """
    with tempfile.TemporaryDirectory(prefix="emorec-") as folder:
        path = Path(folder, f"clip{Path(name).suffix[:8]}")
        room = shutil.disk_usage(folder).free - _SPARE_BYTES
        left = min(MOST_BYTES, room)
        try:
            with path.open("wb") as file:
                while chunk := stream.read(_CHUNK_BYTES):
                    left -= len(chunk)
                    if left < 0:
                        raise _too_much(name, room)
                    file.write(chunk)
        except TypeError as error:
            reason = "it gives text, and no bytes"
            raise MediaError(name, reason, 'open it by open(name, "rb")') from error
        except (OSError, ValueError) as error:
            reason = f"it cannot be read ({getattr(error, 'strerror', None) or error})"
            raise MediaError(name, reason, "name the file itself") from error
        yield path


def _at(path: Path, named: str = "") -> Given:
    return Given(path, named, picture=read_picture(path) if is_picture(path) else None)


def _too_much(name: str, room: int) -> MediaError:
    if room < MOST_BYTES:
        reason = f"there is no room for a copy of more than {max(room, 0) / 1e6:.0f} MB"
        return MediaError(name, reason, "make room, or let TMPDIR name a larger folder")
    reason = f"more than {MOST_BYTES / 1e9:.0f} GB come"
    return MediaError(name, reason, "write it to a file first, and name that")


@contextlib.contextmanager
def _called(name: str) -> Iterator[None]:
    """Say of an error about a copy what the copy is of."""
    try:
        yield
    except ModelError:
        raise
    except EmorecError as error:
        raise MediaError(name, error.reason, error.remedy) from error


def _no_clip(source: object) -> MediaError:
    if isinstance(source, np.ndarray):
        remedy = (
            "say what it is: emorec.Recording(frames, frame_rate_hz=25) or "
            "emorec.Recording(sound=sound, sample_rate_hz=16000); a picture: PIL.Image.fromarray"
        )
        return MediaError("array", f"it is an array of {source.shape} without times", remedy)
    if isinstance(source, list | tuple | set):
        return MediaError("clips", "they are several", "give them to classify_many")
    reason = f"it is of the kind {type(source).__name__}"
    remedy = "give a path, bytes, a file opened for bytes, an emorec.Recording or an image"
    return MediaError("clip", reason, remedy)
