"""Where the web page keeps what people send it: one private folder, gone when it is done with.

Every page in a browser has an identity that it drew itself; every file belongs to a page and is
known by a token that nobody can guess. No name from outside ever becomes part of a path.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from emorec.errors import EmorecError, MediaError
from emorec.media.reader import probe

__all__ = [
    "KEPT_S",
    "LARGEST_BYTES",
    "LONGEST_S",
    "MOST_CLIPS",
    "NO_ROOM",
    "Store",
    "StoreError",
    "Stored",
    "check_clip",
    "too_long",
]

LARGEST_BYTES = 200_000_000
LONGEST_S = 600.0
MOST_CLIPS = 40
"""At once, of one page."""
KEPT_S = 40.0
"""A connection that dies without a word is missed after at most 15 s more: a minute in all."""
NO_ROOM = "There is no room for it at the moment. Try again in a few minutes."
_MOST_PAGES = 500
_MOST_BYTES_IN_ALL = 4_000_000_000
_LEAST_FREE_BYTES = 500_000_000

_PREFIX = "emorec-app-"
_IDENTITY = re.compile(r"[0-9a-f]{32}")
# Files that begin like this name other files or addresses, which FFmpeg would go and open.
_LISTS = (b"#extm3u", b"ffconcat", b"<", b"v=0", b"[playlist]", b"[reference]")
_HEAD_BYTES = 65_536


class StoreError(EmorecError):
    """Something that is not taken.

    Args:
        words: What is wrong in a sentence, and what helps in those that follow, for the person who
            sent it; they are the message.
    """

    def __init__(self, words: str):
        reason, _, remedy = words.rstrip(".").partition(". ")
        super().__init__("what was sent", _phrase(reason), _phrase(remedy))
        self.words = words

    def __str__(self) -> str:
        return self.words

    def __reduce__(self) -> tuple:
        return type(self), (self.words,)


@dataclass(frozen=True)
class Stored:
    """A file of a page.

    Attributes:
        token: What it is known by.
        path: Where it lies.
        name: What its owner calls it.
        media_type: What a browser is told that it is.
        duration_s: Length of a clip, None where the file does not tell.
    """

    token: str
    path: Path
    name: str
    media_type: str = "application/octet-stream"
    duration_s: float | None = None


class Store:
    """The private folder, and what belongs to which page.

    Args:
        keep_s: How long a page's files outlive its last connection.

    Attributes:
        root: The folder; only its owner may look into it.
    """

    def __init__(self, keep_s: float = KEPT_S):
        _remove_left_behind()
        self.root = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock_file = (self.root / "lock").open("w")
        fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._keep_s = keep_s
        self._lock = threading.Lock()
        # Nothing is deleted while somebody writes, or it would come into being again.
        self._writing = threading.RLock()
        self._is_ended = False
        self._pages: dict[str, dict[str, Stored]] = {}
        self._connections: dict[str, int] = {}
        self._left_at_s: dict[str, float] = {}

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def end(self) -> None:
        """Take no page as open any more, so that all work for them ends."""
        with self._lock:
            self._is_ended = True

    def close(self) -> None:
        """Delete everything."""
        self.end()
        with self._writing:
            shutil.rmtree(self.root, ignore_errors=True)
        self._lock_file.close()

    def connect(self, page: str) -> None:
        """Note that a page is open.

        Raises:
            StoreError: When that is no identity of a page, or too many are open.
        """
        self._check(page)
        with self._lock:
            known = {*self._connections, *self._left_at_s}
            if page not in known and len(known) >= _MOST_PAGES:
                raise StoreError("Too many pages are open here. Try again later.")
            self._connections[page] = self._connections.get(page, 0) + 1
            self._left_at_s.pop(page, None)

    def disconnect(self, page: str) -> None:
        """Note that a page was closed, or lost its connection; `sweep` deletes its files."""
        with self._lock:
            self._connections[page] -= 1
            if not self._connections[page]:
                del self._connections[page]
                self._left_at_s[page] = time.monotonic()

    def is_open(self, page: str) -> bool:
        """Whether the page is there, or left so recently that it may come back."""
        with self._lock:
            return self._is_open(page)

    def _is_open(self, page: str) -> bool:
        return not self._is_ended and (page in self._connections or page in self._left_at_s)

    @contextlib.contextmanager
    def writing(self, page: str) -> Iterator[None]:
        """Have nothing deleted while a page's files are written; it must not take long.

        Raises:
            StoreError: When the page is gone.
        """
        with self._writing:
            self._check_open(page)
            yield

    def sweep(self) -> bool:
        """Delete the files of pages that are gone; tells whether there were such pages."""
        now_s = time.monotonic()
        with self._writing:
            with self._lock:
                gone = [p for p, at_s in self._left_at_s.items() if now_s - at_s >= self._keep_s]
                for page in gone:
                    del self._left_at_s[page]
                for page in [page for page in self._pages if not self._is_open(page)]:
                    del self._pages[page]
                left = [f for f in self._folders() if not self._is_open(f.name)]
            for folder in left:
                shutil.rmtree(folder, ignore_errors=True)
        return bool(gone or left)

    def _folders(self) -> list[Path]:
        """Return the folders of pages, also of such as are long gone."""
        return [f for f in self.root.glob("*") if _IDENTITY.fullmatch(f.name)]

    def room_for(self, page: str, size: int) -> None:
        """Make sure that a page may send another file.

        Args:
            page: Identity of the page.
            size: What the sender says of the file's size, or what is still to come of it, in bytes.

        Raises:
            StoreError: When it may not.
        """
        self._check(page)
        if size > LARGEST_BYTES:
            raise StoreError(_too_large(size))
        self._check_open(page)
        with self._lock:
            clips = len(self._pages.get(page, {}))
        free = shutil.disk_usage(self.root).free - _LEAST_FREE_BYTES
        if size > min(free, _MOST_BYTES_IN_ALL - self._bytes_in_all()):
            raise StoreError(NO_ROOM)
        if clips >= 4 * MOST_CLIPS:
            raise StoreError("That is enough for one page. Reload it to begin afresh.")

    def new(self, page: str, name: str, media_type: str = "application/octet-stream") -> Stored:
        """Return a place for a file that is to be written; `keep` makes it known.

        Args:
            page: Identity of the page.
            name: What its owner calls it, of any form.
            media_type: What a browser is told that it is.

        Raises:
            StoreError: When that is no identity of a page, or the page is gone.
        """
        self._check(page)
        folder = self.root / page
        with self.writing(page):
            folder.mkdir(mode=0o700, exist_ok=True)
        token = secrets.token_urlsafe(24)
        return Stored(token, folder / token, name, media_type)

    def keep(self, page: str, stored: Stored) -> None:
        """Make a written file known.

        Raises:
            StoreError: When the page is gone; the file goes with it.
        """
        try:
            with self.writing(page), self._lock:
                self._pages.setdefault(page, {})[stored.token] = stored
        except StoreError:
            stored.path.unlink(missing_ok=True)
            raise

    def find(self, page: str, token: str) -> Stored | None:
        """Return a file of a page, None where there is none."""
        with self._lock:
            return self._pages.get(page, {}).get(token)

    def _bytes_in_all(self) -> int:
        sizes = []
        for parent, _, names in os.walk(self.root):
            for name in names:
                try:
                    sizes.append((Path(parent) / name).stat().st_size)
                except FileNotFoundError:  # deleted meanwhile
                    continue
        return sum(sizes)

    def _check_open(self, page: str) -> None:
        if not self.is_open(page):
            raise StoreError(
                "This page is no longer known here. Reload it, and send the file again."
            )

    @staticmethod
    def _check(page: str) -> None:
        if not _IDENTITY.fullmatch(page):
            raise StoreError("This page is not known here. Reload it.")


def check_clip(stored: Stored) -> Stored:
    """Look into a file and return it with its media type, whatever its name says.

    Raises:
        StoreError: When it is no clip, or too long; the message is for its owner.
    """
    with stored.path.open("rb") as file:
        head = file.read(_HEAD_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(_LISTS) or b"<mpd" in head or _is_text(head):
        raise StoreError("It is a text or a list, not a recording. Send a video or sound file.")
    try:
        info = probe(stored.path)
    except MediaError as error:
        raise StoreError(f"{_sentence(error.reason)} {_sentence(error.remedy)}") from error
    if info.duration_s is not None and info.duration_s > LONGEST_S:
        raise StoreError(too_long(info.duration_s))
    media_type = _media_type(info.container, info.has_picture)
    return replace(stored, media_type=media_type, duration_s=info.duration_s)


def too_long(duration_s: float | None = None) -> str:
    """Say that a clip is too long; its length where it is known."""
    length = "" if duration_s is None else f" ({duration_s / 60:.1f} minutes)"
    return (
        f"It is too long{length}: a clip may take {LONGEST_S / 60:.0f} minutes. Cut out the part "
        "that matters, or use the command line, which has no such limit: emorec classify."
    )


def _too_large(size: int) -> str:
    return (
        f"It is too large ({size / 1e6:,.0f} MB): a clip may have {LARGEST_BYTES / 1e6:.0f} MB. "
        "Cut it or save it smaller, or use the command line, which has no such limit: emorec "
        "classify."
    )


def _sentence(reason: str) -> str:
    return reason[:1].upper() + reason[1:] + "."


def _phrase(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _is_text(head: bytes) -> bool:
    """Whether a file begins with nothing but text; no recording does."""
    try:
        text = head[:2048].decode()
    except UnicodeDecodeError:
        return False
    return bool(text) and all(c.isprintable() or c in "\t\r\n\f" for c in text)


_MEDIA_TYPES = {
    "mp4": ("video/mp4", "audio/mp4"),
    "webm": ("video/webm", "audio/webm"),
    "ogg": ("video/ogg", "audio/ogg"),
    "wav": ("", "audio/wav"),
    "mp3": ("", "audio/mpeg"),
    "flac": ("", "audio/flac"),
    "aac": ("", "audio/aac"),
}


def _media_type(container: str, has_picture: bool) -> str:
    """What a browser is told; for a format that no browser plays, nothing in particular."""
    for name in container.split(","):
        if name in _MEDIA_TYPES:
            return _MEDIA_TYPES[name][not has_picture] or "application/octet-stream"
    return "application/octet-stream"


def _remove_left_behind() -> None:
    """Delete the folders of servers that were killed: those whose lock nobody holds."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with (folder / "lock").open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # it is in use, or another server was quicker
            continue
