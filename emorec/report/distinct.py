"""Files in a folder of results: one for each clip, none over another."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Set
from pathlib import Path

from emorec.errors import OutputError, printable
from emorec.files import identity
from emorec.report.earlier import place

__all__ = ["DistinctNames", "check_folder", "of_others", "stem_for"]

_LONGEST_STEM_BYTES = 200


def check_folder(folder: Path | None) -> None:
    """Make a folder for results and try whether a file can be written there."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = f"no file can be written there ({error.strerror})"
        raise OutputError(folder, reason, "name a folder in which you may write") from error


def stem_for(clip: Path) -> str:
    """Return what a clip's file in a folder of results is called, without its ending."""
    stem = printable(clip.stem).replace("\\", "_")
    return stem.encode()[:_LONGEST_STEM_BYTES].decode(errors="ignore")


def of_others(files: Iterable[Path], read: Iterable[object], known: Iterable[object]) -> list[Path]:
    """Leave out of an earlier run's files those of clips that are read anew, and alone so called.

    Args:
        files: Each of one clip.
        read: Clips that are read anew.
        known: These and all others; of several names of one clip the last counts.
    """
    stems = Counter({place(str(clip)): _told(clip) for clip in known}.values())
    own = {stem for stem in map(_told, read) if stems[stem] == 1}
    return [file for file in files if _told(file) not in own]


def _told(clip: object) -> str:
    # Some file systems do not tell capitals from small letters.
    return stem_for(Path(str(clip))).casefold()


class DistinctNames:
    """Gives each clip's file a name of its own, even where two clips are called the same.

    Args:
        folder: Where the files go, None where none are asked for.
        kept: `emorec.files.identity` of files that are not to be written over.
    """

    def __init__(self, folder: Path | None, kept: Set[object]):
        self.folder = folder
        self._kept = kept
        self._taken: set[str] = set()

    def path_for(self, clip: Path, suffix: str) -> Path:
        """Return the file of a clip."""
        name = stem = stem_for(clip)
        count = 1
        # Some file systems do not tell capitals from small letters.
        while name.casefold() in self._taken or self._is_kept(name + suffix):
            count += 1
            name = f"{stem}-{count}"
        self._taken.add(name.casefold())
        return self.folder / f"{name}{suffix}"

    def _is_kept(self, name: str) -> bool:
        return identity(self.folder / name) in self._kept
