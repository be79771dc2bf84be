"""The stretches of a clip as WebVTT subtitles, which players show below the picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emorec.files import write_atomically
from emorec.streams.windows import Span

__all__ = ["subtitles", "write_subtitles"]


def subtitles(segments: Sequence[Span]) -> str:
    """Return WebVTT text (W3C), one cue for each stretch.

    >>> print(subtitles([Span(0.0, 64.5, "happy", 0.8)]))
    WEBVTT
    <BLANKLINE>
    00:00:00.000 --> 00:01:04.500
    happy 80%
    <BLANKLINE>
    """
    cues = [
        f"{_time(s.start_s)} --> {_time(s.end_s)}\n{s.emotion} {s.confidence:.0%}\n"
        for s in segments
    ]
    return "\n".join(["WEBVTT\n", *cues])


def write_subtitles(segments: Sequence[Span], path: Path) -> None:
    """Write `subtitles` to a file."""
    text = subtitles(segments)
    write_atomically(path, lambda name: Path(name).write_text(text, encoding="utf-8"))


def _time(time_s: float) -> str:
    milliseconds = round(time_s * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
