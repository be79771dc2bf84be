"""Files of a Zenodo record: what it holds, and fetching one so that a cut costs little.

The record itself, read through Zenodo's interface, tells name, size and MD5 of each file. pooch
checks and keeps them; since it throws half a file away, `ResumingDownloader` stands in for its
own downloader and goes on where a cut transfer stopped (HTTP Range).
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests
from tqdm import tqdm

from emorec.errors import DataError
from emorec.files import write_json

ZENODO_URL = "https://zenodo.org"
_TIMEOUT_S = 60
# What a cut costs at most.
_CHUNK_BYTES = 1 << 16
_LARGEST_RECORD_BYTES = 10_000_000
# Archives are stored as they are; packing them again would hide their length.
_PLAIN = {"Accept-Encoding": "identity"}
_NO_RECORD = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True)
class RemoteFile:
    """One file of a record.

    Attributes:
        name: Its name in the record.
        url: Where it is fetched.
        size_bytes: Its size.
        md5: Its checksum, hexadecimal.
    """

    name: str
    url: str
    size_bytes: int
    md5: str


def read_record(record: int, cache_folder: Path, base_url: str = ZENODO_URL) -> list[RemoteFile]:
    """List the files of a record, from the copy in the cache folder where there is one.

    A record never changes once it is published, so that the copy never grows old.

    Args:
        record: Number of the record: the last part of its DOI.
        cache_folder: Keeps `zenodo-<record>.json`.
        base_url: Another server that answers like Zenodo.

    Raises:
        DataError: If it can neither be read from the cache nor be fetched.
    """
    cached = Path(cache_folder) / f"zenodo-{record}.json"
    try:
        return _files_of(json.loads(cached.read_text(encoding="utf-8")))
    except (OSError, *_NO_RECORD):
        pass
    url = f"{base_url}/api/records/{record}"
    try:
        content = json.loads(_short_answer(url))
        files = _files_of(content)
    except requests.RequestException as error:
        reason = f"the record cannot be read ({_short(error)})"
        raise DataError(url, reason, "look at the connection and try again") from error
    except _NO_RECORD as error:
        reason = "the answer is no record of files with checksums"
        raise DataError(url, reason, "try again later, or open the address in a browser") from error
    write_json(cached, content)
    return files


def _short_answer(url: str) -> bytes:
    """Return what a server answers, as long as a record may be.

    Raises:
        requests.RequestException: If there is no answer.
        ValueError: If it is packed, or longer than any record.
    """
    with requests.get(url, headers=_PLAIN, stream=True, timeout=_TIMEOUT_S) as answer:
        answer.raise_for_status()
        content = bytearray()
        for piece in _pieces_of(answer):
            content += piece
            if len(content) > _LARGEST_RECORD_BYTES:
                raise ValueError(f"more than {_LARGEST_RECORD_BYTES} bytes")
    return bytes(content)


def _pieces_of(answer: requests.Response) -> Iterator[bytes]:
    """Return the body of an answer, as it was sent, in pieces.

    Raises:
        ValueError: If it is packed, which was not asked for: a little would become a lot.
    """
    if answer.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise ValueError("the answer is packed")
    return answer.iter_content(_CHUNK_BYTES)


def _files_of(content: dict) -> list[RemoteFile]:
    files = []
    for entry in content["files"]:
        name, url, size_bytes = entry["key"], entry["links"]["self"], entry["size"]
        kind, _, digest = entry["checksum"].partition(":")
        if kind != "md5":
            raise ValueError(f"checksum of kind {kind!r}")
        if not isinstance(size_bytes, int) or size_bytes < 0:
            raise ValueError(f"a size of {size_bytes!r}")
        if not isinstance(name, str) or not isinstance(url, str):
            raise TypeError("a name or an address that is no text")
        files.append(RemoteFile(name, url, size_bytes, digest))
    return files


def fetch(file: RemoteFile, folder: Path, retries: int = 3) -> Path:
    """Fetch a file, or return it at once where it lies there whole.

    Args:
        file: What to fetch.
        folder: Where it goes; half a file waits there as `<name>.part`.
        retries: How often a cut or damaged transfer is tried again.

    Returns:
        The path of the file, whose MD5 is that of the record.

    Raises:
        DataError: If it cannot be fetched whole, or the disk is full; half a file is kept.
    """
    folder = Path(folder)
    part = folder / f"{file.name}.part"
    folder.mkdir(parents=True, exist_ok=True)
    left = file.size_bytes - (part.stat().st_size if part.exists() else 0)
    if not (folder / file.name).exists():
        require_space(folder, max(left, 0), file.name)
    keeper = pooch.create(
        path=folder,
        base_url="",
        registry={file.name: f"md5:{file.md5}"},
        urls={file.name: file.url},
        retry_if_failed=retries,
    )
    # It announces every file; the progress bar does that already.
    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(keeper.fetch(file.name, downloader=ResumingDownloader(part, file.size_bytes)))
    except requests.RequestException as error:
        reason = f"the transfer broke off ({_short(error)}); what arrived is kept"
        raise DataError(file.name, reason, "run the same command again; it goes on") from error
    except ValueError as error:
        reason = "what the server sent is damaged (size or checksum differs from the record's)"
        raise DataError(file.name, reason, "run the same command again later") from error
    except OSError as error:
        raise disk_error(error, folder) from error


class ResumingDownloader:
    """A downloader for pooch that keeps half a file and goes on from its end.

    Args:
        part: Where half a file waits.
        size_bytes: How long the whole file is.
    """

    def __init__(self, part: Path, size_bytes: int):
        self._part = part
        self._size_bytes = size_bytes

    def __call__(self, url: str, output_file: str, _pooch: pooch.Pooch | None) -> None:
        """Fetch `url` into `output_file`.

        Raises:
            requests.RequestException: If the transfer is refused or breaks off.
            ValueError: If the server's file is not as long as the record says, or packed.
        """
        have = self._part.stat().st_size if self._part.exists() else 0
        if have > self._size_bytes:
            self._part.unlink()
            have = 0
        if have < self._size_bytes or not self._part.exists():
            self._transfer(url, have)
        # pooch has made an empty file there; it checks this one in its place.
        shutil.move(self._part, output_file)

    def _transfer(self, url: str, have: int) -> None:
        headers = {**_PLAIN, "Range": f"bytes={have}-"} if have else _PLAIN
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                self._part.unlink()
                raise requests.ConnectionError("the server cannot go on there; starting anew")
            answer.raise_for_status()
            if not _goes_on_at(answer, have):
                have = 0
            self._check_length(answer, have)
            self._write(answer, have)
        if self._part.stat().st_size < self._size_bytes:
            raise requests.ConnectionError("the server stopped before the end")

    def _check_length(self, answer: requests.Response, have: int) -> None:
        length = answer.headers.get("Content-Length")
        if length is not None and have + int(length) != self._size_bytes:
            self._part.unlink(missing_ok=True)
            raise ValueError(f"{have + int(length)} bytes where the record has {self._size_bytes}")

    def _write(self, answer: requests.Response, have: int) -> None:
        pieces = _pieces_of(answer)
        bar = tqdm(
            desc=self._part.stem,
            total=self._size_bytes,
            initial=have,
            unit="B",
            unit_scale=True,
            disable=None,
        )
        with bar, self._part.open("ab" if have else "wb") as file:
            for piece in pieces:
                have += len(piece)
                if have > self._size_bytes:
                    self._part.unlink()
                    raise ValueError(f"more than the {self._size_bytes} bytes of the record")
                file.write(piece)
                bar.update(len(piece))


def _goes_on_at(answer: requests.Response, offset: int) -> bool:
    """Tell whether an answer holds the rest from `offset`, and not the whole file."""
    starts = answer.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
    return answer.status_code == requests.codes.partial_content and starts


def require_space(folder: Path, size_bytes: int, what: str) -> None:
    """Raise where a disk cannot hold so much more.

    Raises:
        DataError: Naming what is needed and what is free.
    """
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        reason = f"{what} needs {size_bytes / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free"
        raise DataError(folder, reason, "make room, or choose another disk with --to FOLDER")


def disk_error(error: OSError, folder: Path) -> DataError:
    """Say in words what a disk refused; a full one, or a used-up quota, above all."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DataError(
            folder, "the disk is full; what was finished is kept", "make room and run it again"
        )
    where = error.filename or folder
    reason = f"it cannot be written ({error.strerror})"
    return DataError(where, reason, "look at its rights, or choose --to FOLDER")


def _short(error: Exception) -> str:
    """Return an error in a few words: the type where the text is a whole chain."""
    text = str(error)
    return text if len(text) < 80 else type(error).__name__
