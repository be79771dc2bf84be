"""Clips as they come in a request: several files in one body, each straight to its place.

Nothing of a file is held in memory, and nothing is taken beyond what the store has room for.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from emorec.app.files import clip_name
from emorec.app.store import LARGEST_BYTES, MOST_CLIPS, NO_ROOM, Store, Stored, StoreError
from emorec.errors import EmorecError

__all__ = ["LARGEST_REQUEST_BYTES", "Received", "RefusedError", "receive_clips"]

LARGEST_REQUEST_BYTES = 1_000_000_000
_CHECKED_EVERY_BYTES = 8_000_000
# What is wrong with a form is answered, and not logged.
logging.getLogger("python_multipart").setLevel(logging.ERROR)
_FORM = "send files as multipart/form-data, as in: curl -F file=@clip.mp4"


class RefusedError(EmorecError):
    """A request that cannot be served.

    Attributes:
        status: Of the answer.
    """

    def __init__(self, status: int, reason: str, remedy: str):
        super().__init__("the request", reason, remedy)
        self.status = status

    def __reduce__(self) -> tuple:
        return type(self), (self.status, self.reason, self.remedy)


@dataclass
class Received:
    """A file that was sent.

    Attributes:
        stored: Where it lies, and what its owner calls it.
        size: Its length in bytes, also of what was not kept.
    """

    stored: Stored
    size: int = 0

    @property
    def is_too_large(self) -> bool:
        """Whether it has more than a clip may have; it is not kept then."""
        return self.size > LARGEST_BYTES


async def receive_clips(request: Request, store: Store, page: str) -> list[Received]:
    """Write the files of a request to where they belong.

    Args:
        request: Of which nothing was read yet.
        store: Gives the places.
        page: Whose files they are.

    Returns:
        The files in the order in which they came.

    Raises:
        RefusedError: When it is no form with files, or too large.
        StoreError: When there is no room.
        ClientDisconnect: When it is broken off.
    """
    kind, settings = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        raise RefusedError(415, "it is no form with files", _FORM)
    length = request.headers.get("content-length", "")
    _check_size(int(length) if length.isdigit() else 0)
    form = _Form(settings.get(b"boundary", b""), store, page)
    size = checked = 0
    try:
        async for piece in request.stream():
            size += len(piece)
            _check_size(size)
            if size - checked >= _CHECKED_EVERY_BYTES:
                checked = size
                await asyncio.to_thread(store.room_for, page, 0)
            await asyncio.to_thread(form.write, piece)
    except FormParserError as error:
        raise RefusedError(400, f"the form cannot be read ({error})", _FORM) from error
    except OSError as error:
        raise StoreError(NO_ROOM) from error
    finally:
        form.close()
    if not form.is_whole:
        raise RefusedError(400, "the form breaks off", "send all of it")
    if not form.received:
        raise RefusedError(400, "there is no file in it", _FORM)
    return form.received


def _check_size(size: int) -> None:
    if size > LARGEST_REQUEST_BYTES:
        reason = f"these are more than {LARGEST_REQUEST_BYTES / 1e6:,.0f} MB"
        raise RefusedError(413, reason, "send fewer files at once")


class _Form:
    """Takes a form apart as it comes."""

    def __init__(self, boundary: bytes, store: Store, page: str):
        self.received: list[Received] = []
        self.is_whole = False
        self._store, self._page = store, page
        self._file: BinaryIO | None = None
        self._name = self._value = b""
        self._disposition = b""
        if not boundary:
            raise RefusedError(400, "the form names no boundary", _FORM)
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._add_to_name,
                "on_header_value": self._add_to_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._open,
                "on_part_data": self._add,
                "on_part_end": self.close,
                "on_end": self._end,
            },
        )

    def write(self, piece: bytes) -> None:
        self._parser.write(piece)

    def close(self) -> None:
        """Close the file that is being written, if any."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        self._disposition = b""

    def _add_to_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def _open(self) -> None:
        _, settings = parse_options_header(self._disposition)
        if b"filename" not in settings:
            raise RefusedError(400, "a part of the form is no file", _FORM)
        if len(self.received) == MOST_CLIPS:
            reason = f"more than {MOST_CLIPS} files are sent at once"
            raise RefusedError(400, reason, "send the others in another request")
        name = clip_name(quote(settings[b"filename"]))
        stored = self._store.new(self._page, name)
        self._file = stored.path.open("xb")
        self.received.append(Received(stored))

    def _add(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            return
        received = self.received[-1]
        received.size += end - start
        if not received.is_too_large:
            self._file.write(data[start:end])
        elif self._file.tell():
            self._file.seek(0)
            self._file.truncate()

    def _end(self) -> None:
        self.is_whole = True
