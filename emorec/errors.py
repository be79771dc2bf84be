"""What is wrong and what its owner can do, in plain words: every error that a user may see."""

from __future__ import annotations

import errno
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = [
    "OTHER_FORM",
    "CalibrationError",
    "CorpusMissingError",
    "DataError",
    "EmorecError",
    "MediaError",
    "MissingPartError",
    "ModelError",
    "OutputError",
    "SourceError",
    "printable",
    "require",
    "run_main",
]


OTHER_FORM = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What reading a file raises that holds another thing than it should, whatever that is."""


def printable(name: str | Path) -> str:
    r"""Return a file name as one line of valid text: control and broken characters escaped.

    >>> printable("two\nlines.mp4")
    'two\\nlines.mp4'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(name))


class EmorecError(Exception):
    """Something that its owner can mend.

    Attributes:
        what: The file, device or option that is to blame.
        reason: What is wrong with it.
        remedy: What its owner can do.

    >>> print(EmorecError("a.mp4", "the file is empty", "copy or record it again"))
    a.mp4: the file is empty. Remedy: copy or record it again.
    """

    def __init__(self, what: object, reason: str, remedy: str):
        # All three go to Exception, so that the error survives pickling between processes.
        super().__init__(str(what), reason, remedy)
        self.what, self.reason, self.remedy = str(what), reason, remedy

    def __str__(self) -> str:
        return printable(f"{self.what}: {self.reason}. Remedy: {self.remedy}.")


class CalibrationError(EmorecError, ValueError):
    """Clips from which nothing can be learned of a person."""


class MediaError(EmorecError):
    """A file that cannot be read as a clip."""

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.what)

    @classmethod
    def because_of(cls, path: str | Path, error: Exception) -> MediaError:
        """Say in plain words why a file could not be opened."""
        return cls(path, *_REASONS.get(getattr(error, "errno", 0), _unknown_failure(error)))


class ModelError(EmorecError):
    """A model that cannot be used."""

    def __init__(self, path: str | Path, reason: str, remedy: str = ""):
        super().__init__(path, reason, remedy or _FETCH_OR_TRAIN)

    @property
    def path(self) -> Path:
        """The file that is to blame."""
        return Path(self.what)


class OutputError(EmorecError):
    """A result that cannot be written where it was asked for."""

    @classmethod
    def because_of(cls, path: str | Path, error: Exception) -> OutputError:
        """Say in plain words why writing failed."""
        number = getattr(error, "errno", 0)
        reason = getattr(error, "strerror", None) or str(error)
        is_full = number in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room, or name another file" if is_full else "name another file"
        return cls(path, f"writing failed ({reason})", remedy)


class SourceError(EmorecError):
    """A device that gives nothing."""


class DataError(EmorecError):
    """Something about a corpus that its owner has to mend."""


class CorpusMissingError(EmorecError, FileNotFoundError):
    """A corpus that is not where it should be."""

    def __new__(cls, *_: object) -> CorpusMissingError:
        """Make an error without a number: OSError takes two arguments for number and text."""
        return super().__new__(cls)

    def __init__(self, name: str, looked_for: str | Path):
        super().__init__(name, f"it is not at {looked_for}", _PUT_IT_THERE)
        self.name, self.looked_for = name, looked_for

    def __reduce__(self) -> tuple:
        return type(self), (self.name, self.looked_for)


class MissingPartError(EmorecError, ImportError):
    """An optional part of the package that is not installed.

    >>> print(MissingPartError("Keras", "train"))
    Keras: not installed. Remedy: pip install 'emorec[train]'.
    """

    def __init__(self, what: str, extra: str):
        super().__init__(what, "not installed", f"pip install 'emorec[{extra}]'")
        self.extra = extra

    def __reduce__(self) -> tuple:
        return type(self), (self.what, self.extra)


def require(extra: str, *modules: str) -> None:
    """Make sure that optional packages are installed, without importing them.

    Args:
        extra: The extra of this package that brings them.
        modules: What is imported from them.

    Raises:
        MissingPartError: If one is missing; it names all that are.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPartError(", ".join(missing), extra)


def run_main(main: Callable[[], object]) -> None:
    """Run what a module does when it is started; what its owner has to mend is one line."""
    try:
        main()
    except EmorecError as error:
        sys.exit(f"emorec: {error}")


_FETCH_OR_TRAIN = "fetch the file from the repository again, or train the network with its notebook"
_PUT_IT_THERE = (
    "put it there (Datasets/README.md says where it comes from), or set EMOREC_DATA to the folder "
    "that holds the corpora"
)
_CHECK_THE_NAME = ("there is no such file", "check the name and the folder")
_GET_THE_RIGHT = ("you are not allowed to read it", "give yourself the right to read it")
_REASONS = {
    errno.ENOENT: _CHECK_THE_NAME,
    errno.ENOTDIR: _CHECK_THE_NAME,
    errno.ELOOP: (
        "it is a symbolic link that leads back to itself",
        "remove the link and name the clip itself",
    ),
    errno.EACCES: _GET_THE_RIGHT,
    errno.EPERM: _GET_THE_RIGHT,
    errno.ENAMETOOLONG: ("its name is too long", "rename it"),
}


def _unknown_failure(error: Exception) -> tuple[str, str]:
    reason = getattr(error, "strerror", None) or str(error)
    return f"it cannot be opened ({reason})", "check that it plays in a media player"
