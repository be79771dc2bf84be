"""Finding the clips that a command line means: files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from emorec.errors import MediaError

__all__ = ["SUFFIXES", "find_clips"]

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


def find_clips(names: Iterable[str]) -> list[Path | MediaError]:
    """List the clips behind some names, each clip once.

    Args:
        names: Files (taken whatever their name), folders (searched with all that is in them, by
            `SUFFIXES`, hidden files left out) and patterns with `*`, `?`, `[...]` or `**`.

    Returns:
        In the order of the names, sorted within a folder or pattern: a path, or the error that
        stands for a name with no clip behind it.
    """
    found: list[Path | MediaError] = []
    seen: set[str] = set()
    for name in names:
        for clip in _behind(name):
            if isinstance(clip, Path):
                key = os.path.realpath(clip)
                if key in seen:
                    continue
                seen.add(key)
            found.append(clip)
    return found


def _behind(name: str) -> list[Path | MediaError]:
    path = Path(name)
    if path.is_dir():
        return _in_folder(path)
    if os.path.lexists(path) or not glob.has_magic(name):
        return [path]
    # pathlib refuses patterns that begin at the root.
    matches = sorted(Path(match) for match in glob.glob(name, recursive=True))  # noqa: PTH207
    if not matches:
        return [MediaError(name, "no file matches this pattern", "check the name and the folder")]
    # A pattern that matches folders as well as files means the clips, not what is in all folders.
    files: list[Path | MediaError] = [match for match in matches if not match.is_dir()]
    return files or [clip for match in matches for clip in _in_folder(match)]


def _in_folder(folder: Path) -> list[Path | MediaError]:
    unreadable: list[Path | MediaError] = []

    def note(error: OSError) -> None:
        reason = f"this folder cannot be read ({error.strerror})"
        unreadable.append(MediaError(error.filename, reason, "give yourself the right to read it"))

    clips: list[Path | MediaError] = []
    for parent, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = sorted(name for name in files if not name.startswith("."))
        clips += [Path(parent, name) for name in names if Path(name).suffix.lower() in SUFFIXES]
    if clips or unreadable:
        return clips + unreadable
    reason = "there is no clip in this folder"
    remedy = f"put files in it that end in one of: {' '.join(sorted(SUFFIXES))}"
    return [MediaError(folder, reason, remedy)]
