"""Tells whether a file is whole without decoding it: thousands in seconds."""

from __future__ import annotations

import lzma
import struct
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2

from emorec.errors import MediaError
from emorec.media import reader as media_reader

_LFS_POINTER = b"version https://git-lfs"
_BOXED = {".mp4", ".m4a", ".m4v", ".mov"}
_CHUNK_BYTES = 1 << 20


def find_damaged(paths: Iterable[Path]) -> dict[Path, str]:
    """Look at files, many at once.

    Args:
        paths: Clips, pictures and tables.

    Returns:
        File -> what is wrong with it; whole files are left out.
    """
    paths = list(dict.fromkeys(map(Path, paths)))
    with ThreadPoolExecutor() as pool:
        return {
            path: reason
            for path, reason in zip(paths, pool.map(damage_of, paths), strict=True)
            if reason
        }


def damage_of(path: Path) -> str | None:
    """Return what is wrong with a file, or None where nothing shows."""
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(len(_LFS_POINTER))
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if not size_bytes:
        return "it is empty"
    if head == _LFS_POINTER:
        return "it is a pointer of Git LFS, not the file (run: git lfs pull)"
    suffix = path.suffix.lower()
    if suffix == ".xz":
        return _damage_of_xz(path)
    if suffix == ".csv":
        return None
    if suffix in (".png", ".jpg"):
        return None if cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) is not None else "no picture"
    if stated_size_bytes(path) > size_bytes:
        return f"it is cut off: {size_bytes:,} of {stated_size_bytes(path):,} bytes"
    try:
        media_reader.probe(path)
    except MediaError as error:
        return error.reason
    return None


def stated_size_bytes(path: Path) -> int:
    """Return how long a WAV or MP4 file says it is; 0 for other kinds."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and len(head) == 12:
            return struct.unpack("<I", head[4:8])[0] + 8
        if path.suffix.lower() in _BOXED:
            return _end_of_boxes(file, path.stat().st_size)
    return 0


def _end_of_boxes(file, size_bytes: int) -> int:
    """Walk over the outer boxes of an MP4 file and return where the last one ends."""
    end = 0
    while end < size_bytes:
        file.seek(end)
        head = file.read(16)
        if len(head) < 8:
            return end + 8
        length = struct.unpack(">I", head[:4])[0]
        if length == 1 and len(head) == 16:
            length = struct.unpack(">Q", head[8:])[0]
        if length < 8:  # 0: to the end of the file; anything else is no box
            return end
        end += length
    return end


def _damage_of_xz(path: Path) -> str | None:
    """Unpack a file to nowhere: xz carries its own checksums."""
    try:
        with lzma.open(path) as file:
            while file.read(_CHUNK_BYTES):
                pass
    except (lzma.LZMAError, EOFError):
        return "it is cut off or damaged"
    return None
