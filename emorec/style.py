"""Colours and headings that every plot, page and terminal shares."""

from __future__ import annotations

__all__ = ["EMOTION_COLORS", "TITLES", "readable_on"]


EMOTION_COLORS = {
    "angry": "#d55e00",
    "disgust": "#009e73",
    "fear": "#8f5aa8",
    "happy": "#f0c808",
    "neutral": "#a8a8a8",
    "sad": "#0072b2",
    "surprise": "#6ec5f0",
}
"""One colour per emotion in every plot, after the colour-blind-safe set of Okabe and Ito."""


TITLES = {"voice": "Voice", "face": "Face", "geometry": "Geometry", "fused": "All together"}
"""Headings of the streams."""


def readable_on(color: str) -> str:
    """Return the hex code of black or white, whichever stands out from a colour by its luminance.

    >>> readable_on("#f0c808"), readable_on("#0072b2")
    ('#000000', '#ffffff')
    """
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "#ffffff"
