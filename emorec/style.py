"""Colours, headings, bars and strips: the look that every plot, page and terminal shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emorec.emotions import COMMON7

__all__ = ["EMOTION_COLORS", "TITLES", "Bar", "bars_of", "readable_on", "strength"]

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


@dataclass(frozen=True)
class Bar:
    """One emotion's bar.

    Attributes:
        emotion: One of COMMON7.
        probability: Its length, 0 to 1.
        color: Hex code.
        is_best: Whether no other is longer.
    """

    emotion: str
    probability: float
    color: str
    is_best: bool


def bars_of(posterior: np.ndarray) -> list[Bar]:
    """Return the bars of a posterior (7,) over COMMON7.

    >>> bars_of(np.array([0, 0, 0, 0.9, 0.1, 0, 0]))[3]
    Bar(emotion='happy', probability=0.9, color='#f0c808', is_best=True)
    """
    best = int(posterior.argmax())
    return [
        Bar(name, float(probability), EMOTION_COLORS[name], i == best)
        for i, (name, probability) in enumerate(zip(COMMON7, posterior, strict=True))
    ]


def strength(probability: float) -> float:
    """Return the opacity of a strip: the surer, the stronger, and never invisible.

    >>> strength(0.0), strength(1.0)
    (0.25, 1.0)
    """
    return 0.25 + 0.75 * probability


def readable_on(color: str) -> str:
    """Return the hex code of black or white, whichever stands out more on a colour (by WCAG 2).

    >>> readable_on("#f0c808"), readable_on("#0072b2")
    ('#000000', '#ffffff')
    """
    parts = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    # Black has (luminance + 0.05) / 0.05, white 1.05 / (luminance + 0.05).
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"
