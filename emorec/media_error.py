"""What is wrong with a file that cannot be read as a clip, in plain words."""

from __future__ import annotations

import errno
from pathlib import Path

__all__ = ["MediaError"]


class MediaError(Exception):
    """A file that cannot be read as a clip.

    Attributes:
        path: The file.
        reason: What is wrong with it.
        remedy: What its owner can do.

    >>> print(MediaError("a.mp4", "the file is empty", "copy or record it again"))
    a.mp4: the file is empty. Remedy: copy or record it again.
    """

    def __init__(self, path: str | Path, reason: str, remedy: str):
        # All three go to Exception, so that the error survives pickling between processes.
        super().__init__(str(path), reason, remedy)
        self.path = Path(path)
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}. Remedy: {self.remedy}."

    @classmethod
    def because_of(cls, path: str | Path, error: Exception) -> MediaError:
        """Say in plain words why a file could not be opened."""
        return cls(path, *_REASONS.get(getattr(error, "errno", None), _unknown_failure(error)))


_REASONS = {
    errno.ENOENT: ("there is no such file", "check the name and the folder"),
    errno.ENOTDIR: ("there is no such file", "check the name and the folder"),
    errno.ELOOP: (
        "it is a symbolic link that leads back to itself",
        "remove the link and name the clip itself",
    ),
    errno.EACCES: ("you are not allowed to read it", "give yourself the right to read it"),
    errno.EPERM: ("you are not allowed to read it", "give yourself the right to read it"),
    errno.ENAMETOOLONG: ("its name is too long", "rename it"),
}


def _unknown_failure(error: Exception) -> tuple[str, str]:
    reason = getattr(error, "strerror", None) or str(error)
    return f"it cannot be opened ({reason})", "check that it plays in a media player"
