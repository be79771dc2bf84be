"""Addresses of files that lie elsewhere, such as ``s3://bucket/clip.mp4``, by way of fsspec.

Local paths know nothing of this, and need no fsspec. Credentials are those that fsspec finds (its
own configuration, the environment); none stands in an address.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from emorec.errors import EmorecError, MediaError, OutputError, require
from emorec.files import write_atomically

__all__ = ["Address", "Folder", "facts", "find", "is_address", "local_copy", "local_path"]

_SCHEME = re.compile(r"([a-z][a-z0-9]*)://", re.IGNORECASE)
# What holds files. Not among them: the web, whose pages are not to be fetched.
# fmt: off
_SCHEMES = frozenset((
    "abfs", "abfss", "adl", "az", "file", "gcs", "gs", "hdfs", "memory", "oss", "s3", "s3a",
    "sftp", "smb", "ssh", "webhdfs",
))
# fmt: on
_CHECK = "check the address, and the credentials that fsspec is given"
_SPARE_BYTES = 100_000_000  # that a local copy leaves free


class Address(str):
    """The address of a clip that lies elsewhere."""


def is_address(name: object) -> bool:
    """Tell an address of stored files from a path, and from what is not fetched.

    >>> is_address("s3://bucket/a.mp4"), is_address("a.mp4"), is_address("https://example.org/a.mp4")
    (True, False, False)
    """
    scheme = _SCHEME.match(str(name))
    return scheme is not None and scheme[1].lower() in _SCHEMES


def local_path(address: str) -> Path | None:
    """Return the path that a ``file://`` address stands for, None of any other.

    >>> local_path("file:///home/me/my%20clip.mp4").as_posix()
    '/home/me/my clip.mp4'
    """
    parts = urlsplit(str(address))
    if parts.scheme.lower() != "file":
        return None
    path = unquote(parts.path)
    return Path(path[1:] if re.match(r"/[A-Za-z]:", path) else path)


def find(address: str, suffixes: Iterable[str]) -> Iterator[Address]:
    """List the clips at an address: the one that it names, those of a pattern, or of a folder.

    Args:
        address: Of a file (taken whatever its name), a folder, or with `*`, `?` or `[...]`.
        suffixes: What a file in a folder ends in, in small letters.

    Raises:
        EmorecError: When fsspec or what it needs for this address is not installed, or the address
            cannot be looked into.
    """
    files, path = _files_at(address)
    wanted = frozenset(suffixes)
    with _told(address, MediaError):
        found: Iterable[str]
        if any(sign in path for sign in "*?["):
            found = [one for one in files.glob(path) if not files.isdir(one)]
        elif files.isdir(path):
            # Level by level: a bucket of a hundred thousand names is not held at once.
            found = (
                f"{parent}/{name}" if parent else name
                for parent, folders, names in files.walk(path)
                for name in sorted(names)
                if not folders.sort() and PurePosixPath(name).suffix.lower() in wanted
            )
        else:
            found = [path]
        for one in found:
            yield Address(files.unstrip_protocol(one))


def facts(clip: str | Path) -> str:
    """Return what tells whether a clip was changed: its size, and when or how; "" of none there.

    >>> facts("there is no such clip")
    ''
    """
    if not is_address(clip):
        try:
            status = Path(clip).stat()
        except (OSError, ValueError):
            return ""
        return f"{status.st_size}-{status.st_mtime_ns}"
    try:
        files, path = _files_at(str(clip))
        info = files.info(path)
    except Exception:  # whatever a store raises; reading the clip says it
        return ""
    known = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")
    changed = next((str(info[name]) for name in known if info.get(name)), "")
    return f"{info.get('size')}-{changed}"


@contextlib.contextmanager
def local_copy(address: str) -> Iterator[Path]:
    """Give a clip that lies elsewhere as a file, for as long as it is read.

    Raises:
        EmorecError: When it cannot be fetched, or there is no room for it.
    """
    if path := local_path(address):
        yield path
        return
    files, remote = _files_at(address)
    with tempfile.TemporaryDirectory(prefix="emorec-") as folder:
        copy = Path(folder, PurePosixPath(remote).name or "clip")
        with _told(address, MediaError):
            size = files.info(remote).get("size") or 0
            if size + _SPARE_BYTES > shutil.disk_usage(folder).free:
                reason = f"there is no room for a local copy of {size / 1e6:.0f} MB"
                raise MediaError(address, reason, "make room, or let TMPDIR name a larger folder")
            files.get_file(remote, str(copy))
        yield copy


class Folder:
    """A folder of results, local or at an address; files are written as a whole or not at all.

    A store of objects shows none before it is whole; what is local is renamed.

    Args:
        name: Path or address.
    """

    def __init__(self, name: str | Path):
        self.name = str(name)
        self._local: Path | None = Path(name)
        self._files: Any = None
        if is_address(name):
            self._local = local_path(self.name)
            if self._local is None:
                self._files, self._root = _files_at(self.name)
                self._root = self._root.rstrip("/")

    def check_writable(self) -> None:
        """Make the folder, and try whether a file can be written there.

        Raises:
            OutputError: When it cannot.
        """
        probe = ".emorec-probe"
        try:
            self.write(probe, b"emorec")
            self.remove(probe)
        except OutputError as error:
            reason = f"no file can be written there: {error.reason}"
            raise OutputError(self.name, reason, "name a folder in which you may write") from error

    def names(self, folder: str = "") -> list[str]:
        """List what lies in it, or in a folder of it; nothing where it is not there."""
        with _told(self.name, OutputError):
            try:
                if self._local is not None:
                    return sorted(path.name for path in (self._local / folder).iterdir())
                path = f"{self._root}/{folder}".rstrip("/")
                self._files.invalidate_cache(path)
                listed = self._files.ls(path, detail=False)
                return sorted(PurePosixPath(name).name for name in listed)
            except FileNotFoundError:
                return []

    def read(self, name: str) -> bytes:
        """Return what a file holds."""
        with _told(f"{self.name}/{name}", OutputError):
            if self._local is not None:
                return (self._local / name).read_bytes()
            return self._files.cat_file(f"{self._root}/{name}")

    def write(self, name: str, content: bytes) -> None:
        """Write a file, over what is there."""
        with _told(f"{self.name}/{name}", OutputError):
            if self._local is not None:
                path = self._local / name
                write_atomically(path, lambda part: Path(part).write_bytes(content))
                return
            target = f"{self._root}/{name}"
            self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(target, content)

    def remove(self, name: str) -> None:
        """Remove a file."""
        with _told(f"{self.name}/{name}", OutputError):
            if self._local is not None:
                (self._local / name).unlink(missing_ok=True)
            else:
                self._files.rm_file(f"{self._root}/{name}")


def _files_at(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path on it."""
    require("cluster", "fsspec")
    import fsspec

    try:
        return fsspec.core.url_to_fs(address)
    except ImportError as error:  # each store is a package of its own
        remedy = "install the package that is named, beside emorec[cluster]"
        raise EmorecError(address, str(error).rstrip("."), remedy) from error
    except Exception as error:  # credentials that are absent, addresses that are none
        raise EmorecError(address, _reason(error), _CHECK) from error


@contextlib.contextmanager
def _told(what: str, kind: type[MediaError] | type[OutputError]) -> Iterator[None]:
    """Say of whatever a store raises which file it is about."""
    try:
        yield
    except EmorecError:
        raise
    except FileNotFoundError as error:
        raise kind(what, "there is no such file", "check the name and the folder") from error
    except Exception as error:
        remedy = _CHECK if kind is MediaError or "://" in what else "name another folder"
        raise kind(what, _reason(error), remedy) from error


def _reason(error: Exception) -> str:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"it cannot be reached ({said.splitlines()[0]})"
