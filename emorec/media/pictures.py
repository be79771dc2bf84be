"""Single pictures: what is one, and its grey values upright."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emorec.errors import MediaError
from emorec.media.unreadable import why_not_size

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["SUFFIXES", "Picture", "is_picture", "is_pillow", "picture_of", "read_picture"]

SUFFIXES = frozenset((".bmp", ".gif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
"""What a picture in a folder ends in, also one that moves."""

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_FILMS = (".mjpeg", ".mjpg", ".mjpe")  # that begin as a picture does
_HEAD_BYTES = 16
_REDUCED_PX = 1920  # longer side of what is looked at: small faces in large pictures stay
_DAMAGED = "copy or save it again"


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        grey: (height, width) uint8, upright.
        reduced_by: How many times larger the picture itself is.
    """

    grey: np.ndarray
    reduced_by: float


def is_picture(path: str | Path) -> bool:
    """Tell whether a file begins as a single picture does; animated ones are clips."""
    path = Path(path)
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    if head[:3] == b"\xff\xd8\xff":
        return path.suffix.lower() not in _FILMS
    is_one = head[:8] == b"\x89PNG\r\n\x1a\n" or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
    is_one = is_one or head[:4] in (b"II*\0", b"MM\0*", b"GIF8")
    is_one = is_one or (head[:2] == b"BM" and path.suffix.lower() == ".bmp")
    return is_one and not _is_animated(path)


def read_picture(path: Path) -> Picture:
    """Read a picture file.

    Raises:
        MediaError: When it is damaged or too large.
    """
    from PIL import Image

    try:
        with _without_warnings(), Image.open(path, formats=_FORMATS) as image:
            return picture_of(image, path)
    except MediaError:
        raise
    except Image.DecompressionBombError as error:
        raise MediaError(path, "it has too many pixels", "make it smaller") from error
    except Exception as error:  # decoders raise whatever they stumble on
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        said = "its end is missing" if "truncated" in said else said
        raise MediaError(path, f"this picture is damaged ({said})", _DAMAGED) from error


def picture_of(image: Image, name: str | Path) -> Picture:
    """Return a Pillow image as it is looked at: grey, upright, reduced where it is large.

    Raises:
        MediaError: When it is too large, or holds nothing.
    """
    from PIL import Image, ImageOps

    cause = why_not_size(*image.size)
    if cause:
        raise MediaError(name, *cause)
    if not all(image.size):
        raise MediaError(name, "it has no pixels", _DAMAGED)
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
        upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    elif upright.mode in ("I", "F"):
        reason = f"its pixels are of the kind {upright.mode}, whose white is not known"
        raise MediaError(name, reason, "convert it to 8 bits: image.convert('L')")
    grey = upright.convert("L")
    longer = max(grey.size)
    if longer > _REDUCED_PX:
        scale = _REDUCED_PX / longer
        grey = grey.resize(
            [max(1, round(side * scale)) for side in grey.size], Image.Resampling.BOX
        )
    return Picture(np.asarray(grey, np.uint8), longer / max(grey.size))


def is_pillow(source: object) -> bool:
    """Tell whether something is an image of Pillow, which is imported then."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(source, pillow.Image)


def _is_animated(path: Path) -> bool:
    from PIL import Image

    try:
        with _without_warnings(), Image.open(path, formats=_FORMATS) as image:
            # Pages of a TIFF are no film.
            return image.format != "TIFF" and getattr(image, "n_frames", 1) > 1
    except Exception:  # a damaged one is told of when it is read
        return False


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep Pillow from warning of odd tags, and of sizes that are checked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
