"""From decoded frames to upright planes of brightness and colour (4:2:0), and colours in them.

H.264 stores Y'CbCr with colour at half the resolution. A frame that comes so is taken as it is:
turning it into red, green and blue and back would cost more than all the rest and shift colours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from emorec.media.view import View

__all__ = ["ColourPicture", "ColourSpace", "Planes"]

_DIRECT_FORMATS = ("yuv420p", "yuvj420p")
# FFmpeg's AVCOL_SPC: share of red and blue in the brightness (ITU-R BT.709, 601 and 2020).
_BT709, _BT601, _BT2020 = 1, 6, 9
_WEIGHTS = {_BT709: (0.2126, 0.0722), _BT601: (0.299, 0.114), _BT2020: (0.2627, 0.0593)}
_SAME_WEIGHTS = {5: _BT601, 4: _BT601, 10: _BT2020}
_SWSCALE_NAMES = {
    _BT709: Colorspace.ITU709,
    _BT601: Colorspace.ITU601,
    _BT2020: Colorspace.BT2020,
}
_NARROWEST_BAR_PX = 4  # of both bars together
_HD_WIDTH, _HD_HEIGHT = 1280, 576  # players take larger pictures for BT.709 where none is named


@dataclass(frozen=True)
class ColourSpace:
    """How red, green and blue become Y'CbCr.

    Attributes:
        matrix: FFmpeg's number of the matrix: 1 (BT.709), 6 (BT.601) or 9 (BT.2020).
        is_full_range: Whether brightness spans 0-255 and not 16-235.
        primaries: FFmpeg's number of the primaries; 2 where they are not known.
        trc: FFmpeg's number of the transfer function; 2 where it is not known.

    >>> ColourSpace(1, False).yuv("#ffffff")
    (235, 128, 128)
    """

    matrix: int = _BT709
    is_full_range: bool = False
    primaries: int = 1
    trc: int = 1

    def yuv(self, color: str) -> tuple[int, int, int]:
        """Convert a colour such as "#d55e00"."""
        rgb = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)]], np.float64)
        y, u, v = self.convert(rgb)[0].tolist()
        return y, u, v

    def convert(self, rgb: np.ndarray) -> np.ndarray:
        """Convert (..., 3) red, green, blue of 0-255 to (..., 3) uint8 Y', Cb, Cr."""
        return np.clip(rgb @ self._factors.T + self._offsets, 0, 255).round().astype(np.uint8)

    @cached_property
    def _factors(self) -> np.ndarray:
        red, blue = _WEIGHTS[self.matrix]
        luma = np.array([red, 1 - red - blue, blue])
        difference_blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
        difference_red = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
        spans = (1, 1, 1) if self.is_full_range else (219 / 255, 224 / 255, 224 / 255)
        return np.stack([luma, difference_blue, difference_red]) * np.array(spans)[:, np.newaxis]

    @cached_property
    def _offsets(self) -> np.ndarray:
        return np.array([0 if self.is_full_range else 16, 128, 128])


@dataclass(frozen=True)
class Planes:
    """A picture in 4:2:0.

    Attributes:
        luma: (height, width) uint8.
        blue: (ceil(height / 2), ceil(width / 2)) uint8, the difference to blue.
        red: The same for red.
    """

    luma: np.ndarray
    blue: np.ndarray
    red: np.ndarray

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Planes:
        """Give access to a frame's own memory; it must be yuv420p or yuvj420p."""
        planes = []
        for plane in frame.planes:
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            planes.append(rows[: plane.height, : plane.width])
        return cls(*planes)

    @classmethod
    def filled(cls, width: int, height: int, yuv: tuple[int, int, int]) -> Planes:
        """Make a picture of one colour."""
        half = (height + 1) // 2, (width + 1) // 2
        luma = np.full((height, width), yuv[0], np.uint8)
        return cls(luma, *(np.full(half, level, np.uint8) for level in yuv[1:]))

    def fill(self, x0: int, y0: int, x1: int, y1: int, yuv: tuple[int, int, int]) -> None:
        """Fill a rectangle, as far as it lies within; coordinates may be odd."""
        x0, y0 = max(x0, 0), max(y0, 0)
        if x1 <= x0 or y1 <= y0:
            return
        self.luma[y0:y1, x0:x1] = yuv[0]
        half = slice(y0 // 2, (y1 + 1) // 2), slice(x0 // 2, (x1 + 1) // 2)
        self.blue[half] = yuv[1]
        self.red[half] = yuv[2]

    def paste(self, other: Planes, x: int, y: int) -> None:
        """Put another picture here, as far as it fits; x and y must be even and not negative."""
        for own, its, step in self._pairs(other):
            room = own[y // step :, x // step :]
            height, width = min(len(its), len(room)), min(its.shape[1], room.shape[1])
            room[:height, :width] = its[:height, :width]

    def copy_from(self, other: Planes) -> None:
        """Take over a picture of the same size."""
        for own, its, _ in self._pairs(other):
            np.copyto(own, its)

    def _pairs(self, other: Planes) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        yield self.luma, other.luma, 1
        yield self.blue, other.blue, 2
        yield self.red, other.red, 2


class ColourPicture:
    """Turns decoded frames into upright planes of one size, of square pixels.

    A frame of other proportions than the first's stands in the middle, between black bars.

    Args:
        first: The first frame; it decides on size and colours.
        view: How it is to be shown.

    Attributes:
        space: The colours' meaning.
        width: Width of the upright picture.
        height: Its height.
    """

    def __init__(self, first: av.VideoFrame, view: View):
        self.width, self.height = view.size(first)
        is_direct = first.format.name in _DIRECT_FORMATS
        self.space = ColourSpace(
            _matrix(first),
            is_direct and _spans_all(first),
            int(first.color_primaries),
            int(first.color_trc),
        )

    def planes(self, frame: av.VideoFrame, view: View) -> Planes:
        """Return a frame's planes, turned upright; they may share its memory."""
        x, y, width, height = self.place(frame, view)
        stored = (height, width) if view.is_lying else (width, height)
        if frame.format.name not in _DIRECT_FORMATS or (frame.width, frame.height) != stored:
            frame = self._converted(frame, *stored)
        planes = Planes.of(frame)
        planes = Planes(*map(view.turned, (planes.luma, planes.blue, planes.red)))
        if (width, height) == (self.width, self.height):
            return planes
        framed = Planes.filled(self.width, self.height, self.space.yuv("#000000"))
        framed.paste(planes, x, y)
        return framed

    def place(self, frame: av.VideoFrame, view: View) -> tuple[int, int, int, int]:
        """Tell where a frame stands in the picture: x and y, even, and its width and height."""
        width, height = view.size(frame)
        scale = min(self.width / width, self.height / height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        if self.width - width < _NARROWEST_BAR_PX:
            width = self.width
        if self.height - height < _NARROWEST_BAR_PX:
            height = self.height
        x, y = (self.width - width) // 2, (self.height - height) // 2
        return x - x % 2, y - y % 2, width, height

    def _converted(self, frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
        return frame.reformat(
            width,
            height,
            "yuv420p",
            dst_colorspace=_SWSCALE_NAMES[self.space.matrix],
            src_color_range=ColorRange.JPEG if _spans_all(frame) else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG if self.space.is_full_range else ColorRange.MPEG,
        )


def _matrix(frame: av.VideoFrame) -> int:
    """The matrix that the frame names, or that players assume for its size."""
    stated = _SAME_WEIGHTS.get(int(frame.colorspace), int(frame.colorspace))
    if stated in _WEIGHTS:
        return stated
    return _BT709 if frame.width >= _HD_WIDTH or frame.height > _HD_HEIGHT else _BT601


def _spans_all(frame: av.VideoFrame) -> bool:
    """Whether a frame's brightness spans 0-255, as it says or as its format implies."""
    if frame.color_range == ColorRange.UNSPECIFIED:
        return frame.format.name.startswith(("yuvj", "gray", "rgb", "bgr", "gbr", "pal"))
    return frame.color_range == ColorRange.JPEG
