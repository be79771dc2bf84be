"""Text for moving pictures: drawn once by Pillow with its built-in font, then only copied."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emorec.media.colour import ColourSpace, Planes

__all__ = ["Lettering", "line_height", "text_width"]

_TEXTS_KEPT = 1000


def text_width(text: str, size_px: int) -> int:
    """Return the width of a text in pixels."""
    return round(_font(size_px).getlength(text))


def line_height(size_px: int) -> int:
    """Return the height of a line in pixels, even."""
    height = sum(_font(size_px).getmetrics())
    return height + height % 2


class Lettering:
    """Draws texts for pictures of one colour space and keeps the latest of them.

    Args:
        space: What the colours of the picture mean.
    """

    def __init__(self, space: ColourSpace):
        self._space = space
        self.text = lru_cache(_TEXTS_KEPT)(self._text)

    def _text(self, text: str, size_px: int, ink: str, ground: str) -> Planes:
        """Draw one line on a ground of one colour; width and height come out even."""
        size = text_width(text, size_px), line_height(size_px)
        return self.on_plate(text, size_px, ink, ground, size)

    def on_plate(
        self, text: str, size_px: int, ink: str, ground: str, size: tuple[int, int]
    ) -> Planes:
        """Draw one line in the middle of a plate of (width, height), made even."""
        width, height = (side + side % 2 for side in size)
        image = Image.new("RGB", (width, height), ground)
        font = _font(size_px)
        middle = width // 2, (height - sum(font.getmetrics())) // 2
        ImageDraw.Draw(image).text(middle, text, font=font, fill=ink, anchor="ma")
        yuv = self._space.convert(np.asarray(image, np.float64))
        # The mean of each two by two pixels.
        halves = yuv[..., 1:].reshape(height // 2, 2, width // 2, 2, 2).mean((1, 3)).round()
        blue, red = halves.astype(np.uint8).transpose(2, 0, 1)
        return Planes(np.ascontiguousarray(yuv[..., 0]), blue, red)


@lru_cache
def _font(size_px: int) -> Any:  # a FreeTypeFont, wherever Pillow has FreeType
    return ImageFont.load_default(size_px)
