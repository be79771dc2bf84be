"""Finding the clips that a command line means: files, folders and patterns."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from pathlib import Path
from urllib.parse import unquote, urlsplit

from emorec.errors import EmorecError, MediaError
from emorec.media import storage
from emorec.media.pictures import SUFFIXES as PICTURES
from emorec.media.storage import Address

__all__ = ["SUFFIXES", "check_name", "count_pictures", "find_clips"]

# fmt: off
_VIDEO = (
    ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
    ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
)
_SOUND = (
    ".aac", ".ac3", ".aiff", ".amr", ".caf", ".flac", ".m4a", ".mka", ".mp3", ".oga", ".ogg",
    ".opus", ".wav", ".wma",
)
# fmt: on
SUFFIXES = frozenset(_VIDEO + _SOUND)
"""What a file in a folder has to end in to be taken for a clip."""

_STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
# With a scheme, or as it stands in a browser's line. One letter is a drive of Windows, and names
# that were made a path before have one stroke left.
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]+:/{1,2}[^/]|magnet:\?|data:[a-z]+/|(www\.|([a-z0-9-]+\.)?(youtube|vimeo|tiktok)\.com/|youtu\.be/)",
    re.IGNORECASE,
)


def check_name(name: str | Path) -> None:
    """Refuse a name that cannot be a file's: an address, the standard input, none at all.

    Raises:
        MediaError: When it is one of these, and no file is called so.

    >>> check_name("clip.mp4")
    """
    text = str(name)
    if not text:
        reason = "the name is empty, perhaps a variable of a script that was not set"
        raise MediaError(text, reason, "name a clip; the current folder is .")
    if not _can_be_a_name(text):
        reason = "it holds characters that no file's name can hold"
        raise MediaError(text, reason, "check the name and the folder")
    if os.path.lexists(text) and text not in _STANDARD_INPUT:
        return
    if text in _STANDARD_INPUT:
        reason = "it stands for the standard input, and a clip is read from a file alone"
        remedy = "write it to a file first, and name that; emorec classify reads it as -"
        raise MediaError(text, reason, remedy)
    if text.lower().startswith("file:"):
        reason = "it is an address, and not the name of a file"
        raise MediaError(text, reason, f"name the file: {_path_of(text)}")
    if _ADDRESS.match(text):
        reason = "it is an address, and nothing is fetched from the network"
        remedy = (
            "save the recording as a file first, where its owner allows that, and name the file, "
            "or pipe it: curl -L ADDRESS | emorec classify -"
        )
        raise MediaError(text, reason, remedy)


def _can_be_a_name(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _path_of(address: str) -> str:
    path = unquote(urlsplit(address).path)
    return path[1:] if re.match(r"/[A-Za-z]:", path) else path


def count_pictures(names: Iterable[str]) -> int:
    """Count the pictures in those names that are folders, which are not taken for clips."""
    folders = {os.path.realpath(name) for name in names if Path(name).is_dir()}
    return sum(
        Path(name).suffix.lower() in PICTURES
        for folder in folders
        for _, names_in_it in _walk(folder)
        for name in names_in_it
    )


def find_clips(
    names: Iterable[str], suffixes: Set[str] = SUFFIXES
) -> list[Path | Address | MediaError]:
    """List the clips behind some names, each clip once.

    Args:
        names: Files (taken whatever their name), folders (searched with all that is in them,
            hidden files left out) and patterns with `*`, `?`, `[...]` or `**`; and addresses of
            such that fsspec knows, as s3://bucket/folder.
        suffixes: What a file in a folder ends in, in small letters.

    Returns:
        In the order of the names, sorted within a folder or pattern: a path, an address, or the
        error that stands for a name with no clip behind it.
    """
    found: list[Path | Address | MediaError] = []
    seen: set[str] = set()
    for name in names:
        for clip in _behind(name, suffixes):
            if not isinstance(clip, MediaError):
                key = os.path.realpath(clip) if isinstance(clip, Path) else clip
                if key in seen:
                    continue
                seen.add(key)
            found.append(clip)
    return found


def _behind(name: str, suffixes: Set[str]) -> Sequence[Path | Address | MediaError]:
    if storage.is_address(name) and not os.path.lexists(name):
        path = storage.local_path(name)
        if path is None:
            return _at_address(name, suffixes)
        name = str(path)
    try:
        check_name(name)
    except MediaError as error:
        return [error]
    path = Path(name)
    if path.is_dir():
        return _in_folder(path, suffixes)
    if os.path.lexists(path) or not glob.has_magic(name):
        return [path]
    # pathlib refuses patterns that begin at the root.
    matches = sorted(Path(match) for match in glob.glob(name, recursive=True))  # noqa: PTH207
    if not matches:
        return [MediaError(name, "no file matches this pattern", "check the name and the folder")]
    # A pattern that matches folders as well as files means the clips, not what is in all folders.
    files: list[Path | MediaError] = [match for match in matches if not match.is_dir()]
    return files or [clip for match in matches for clip in _in_folder(match, suffixes)]


def _at_address(name: str, suffixes: Set[str]) -> Sequence[Address | MediaError]:
    try:
        clips = list(storage.find(name, suffixes))
    except EmorecError as error:
        return [MediaError(name, error.reason, error.remedy)]
    if clips:
        return clips
    return [MediaError(name, "there is no clip at this address", "check the address")]


def _in_folder(folder: Path, suffixes: Set[str]) -> list[Path | MediaError]:
    unreadable: list[Path | MediaError] = []

    def note(error: OSError) -> None:
        reason = f"this folder cannot be read ({error.strerror})"
        unreadable.append(MediaError(error.filename, reason, "give yourself the right to read it"))

    clips: list[Path | MediaError] = []
    for parent, names in _walk(folder, note):
        clips += [Path(parent, name) for name in names if Path(name).suffix.lower() in suffixes]
    if clips or unreadable:
        return clips + unreadable
    reason = "there is no clip in this folder"
    remedy = f"put files in it that end in one of: {' '.join(sorted(suffixes))}"
    return [MediaError(folder, reason, remedy)]


def _walk(
    folder: str | Path, note: Callable[[OSError], None] | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Each folder in a folder, linked ones too, and the names of its files; no hidden ones."""
    seen = {os.path.realpath(folder)}
    for parent, folders, files in os.walk(folder, onerror=note, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders.copy():
            where = os.path.realpath(Path(parent, name))
            if where in seen:  # a link may lead back to where it lies
                folders.remove(name)
            seen.add(where)
        yield parent, sorted(name for name in files if not name.startswith("."))
