"""Where a second recording hangs behind a first in one file, and FFmpeg reads the first alone.

Files that `cat` joins are read on in formats that go on packet by packet. A WAV, an mp4, an FLV
and an Ogg tell at their begin what they hold, and FFmpeg ends, or stumbles, where that ends.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["recording_behind"]

_MOST_PARTS = 200_000  # boxes or tags that are looked at; a damaged file may hold any number
_FLV_HEAD, _FLV_KINDS = 9, (8, 9, 18)


def recording_behind(path: Path, begun_at: int, format_names: str) -> int | None:
    """Return at which byte a recording begins behind another; None where there is none.

    Args:
        path: The file.
        begun_at: Byte at which the other begins.
        format_names: FFmpeg's name of its format, such as "mov,mp4,m4a,3gp,3g2,mj2".

    Raises:
        OSError: When the file cannot be read.
    """
    looks = {"wav": _second_riff, "mp4": _second_movie, "flv": _second_flv}
    for name in format_names.split(","):
        if name in looks and path.is_file():
            with path.open("rb") as file:
                return looks[name](file, begun_at)
    return None


def _second_riff(file: BinaryIO, begin: int) -> int | None:
    file.seek(begin)
    end = begin + 8 + int.from_bytes(file.read(8)[4:], "little")
    end += (end - begin) % 2
    file.seek(end)
    head = file.read(12)
    return end if head[:4] == b"RIFF" and head[8:] == b"WAVE" else None


def _second_movie(file: BinaryIO, begun_at: int) -> int | None:
    """Where a file type box stands again and an index of its own follows, but no fragments."""
    begin, again, total = begun_at, None, os.fstat(file.fileno()).st_size
    for _ in range(_MOST_PARTS):
        file.seek(begin)
        head = file.read(16)
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if kind == b"ftyp" and begin > begun_at and again is None:
            again = begin
        elif kind == b"moof":
            return None
        elif kind == b"moov" and again is not None:
            return again
        size = int.from_bytes(head[8:], "big") if size == 1 else size
        begin += size
        if size < 8 or begin >= total:
            break
    return None


def _second_flv(file: BinaryIO, begun_at: int) -> int | None:
    begin = begun_at + _FLV_HEAD + 4
    for _ in range(_MOST_PARTS):
        file.seek(begin)
        head = file.read(11)
        if head[:4] == b"FLV\x01":
            return begin
        if len(head) < 11 or head[0] & 31 not in _FLV_KINDS:
            break
        begin += 11 + int.from_bytes(head[1:4], "big") + 4
    return None
