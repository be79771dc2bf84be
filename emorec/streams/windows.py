"""What a stream says over time: its windows, and what lies at, between and around them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from emorec.emotions import COMMON7

__all__ = [
    "STREAMS",
    "TIMELINE_HOP_S",
    "Findings",
    "Span",
    "Windows",
    "at_most",
    "courses",
    "grid",
    "means_over",
    "on_grid",
    "posteriors_at",
    "spans",
    "within",
]

STREAMS = ("voice", "face", "geometry")
"""The streams, in the order in which every table and plot lists them."""

SMOOTHED_S = 1.0
"""Over how long the face and its geometry are averaged live."""

TIMELINE_HOP_S = 0.5
"""Step of the timeline on which all streams are fused."""

_MOMENTS = 4  # that are looked at in each part of a clip
_GAP = 1.5  # of the window's length: so far apart, two windows have nothing between them


@dataclass(frozen=True)
class Findings:
    """What a stream found, over its network's own classes.

    Attributes:
        classes: The classes.
        times_s: (n,) float64, the middle of each window.
        posteriors: (n, classes) float, one for each window.
        pooled: (classes,) float, the whole clip's.
        window_s: Length of a window.
        embeddings: (n, d) float32, of the face network where they were asked for, else d is 0.
    """

    classes: tuple[str, ...]
    times_s: np.ndarray
    posteriors: np.ndarray
    pooled: np.ndarray
    window_s: float
    embeddings: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))


@dataclass(frozen=True)
class Windows:
    """What one stream says over time.

    Attributes:
        times_s: (n,) float64, the middle of each window, seconds from the start of the clip.
        posteriors: (n, 7) float32 over COMMON7.
        window_s: Length of a window.
    """

    times_s: np.ndarray
    posteriors: np.ndarray
    window_s: float

    def __repr__(self) -> str:
        return f"<{len(self.times_s)} windows of {self.window_s:g} s>"


@dataclass(frozen=True)
class Span:
    """A stretch of a clip: what was likeliest there.

    Attributes:
        start_s: Where it begins, seconds from the start of the clip.
        end_s: Where it ends.
        emotion: One of COMMON7.
        confidence: Probability of that emotion, 0 to 1; its mean where it holds for longer.
    """

    start_s: float
    end_s: float
    emotion: str
    confidence: float


def _reach_s(findings: Findings) -> float:
    """How far from a window's middle the timeline still shows it."""
    return (findings.window_s + TIMELINE_HOP_S) / 2


def grid(found: Sequence[Findings], duration_s: float) -> np.ndarray:
    """Middles (n,) of the timeline's steps where there is anything to show; not between."""
    near = [np.zeros(0, np.int64)]
    for findings in found:
        reach = int(np.ceil(_reach_s(findings) / TIMELINE_HOP_S))
        steps = np.floor(findings.times_s / TIMELINE_HOP_S).astype(np.int64)
        near.append((steps[:, np.newaxis] + np.arange(-reach, reach + 1)).ravel())
    steps = np.unique(np.concatenate(near))
    steps = steps[(steps >= 0) & (steps * TIMELINE_HOP_S < duration_s)]
    return steps * TIMELINE_HOP_S + TIMELINE_HOP_S / 2


def on_grid(findings: Findings, times_s: np.ndarray) -> np.ndarray:
    """Return the posterior of the window nearest to each time, (n, classes); NaN where none is."""
    between_s = (findings.times_s[1:] + findings.times_s[:-1]) / 2
    nearest = np.searchsorted(between_s, times_s)
    posteriors = findings.posteriors[nearest]
    reach_s = _reach_s(findings)
    posteriors[np.abs(findings.times_s[nearest] - times_s) > reach_s] = np.nan
    return posteriors


def posteriors_at(windows: Windows, times_s: np.ndarray) -> np.ndarray:
    """Return the posterior at each of some times: even change from window to window.

    Args:
        windows: What a stream says over time.
        times_s: (n,) times.

    Returns:
        (n, 7) float64, NaN where no window is near.

    >>> ends = Windows(np.array([1.0, 2.0]), np.eye(7, dtype=np.float32)[:2], 1.0)
    >>> posteriors_at(ends, np.array([1.25, 9.0]))[:, :2].tolist()
    [[0.75, 0.25], [nan, nan]]
    """
    times_s, middles_s = np.asarray(times_s, np.float64), windows.times_s
    if not len(middles_s):
        return np.full((len(times_s), len(COMMON7)), np.nan)
    after = np.searchsorted(middles_s, times_s).clip(max=len(middles_s) - 1)
    before = np.maximum(after - 1, 0)
    between_s = middles_s[after] - middles_s[before]
    share = (times_s - middles_s[before]) / np.where(between_s > 0, between_s, 1)
    share = np.where(between_s > 0, share, 1).clip(0, 1)
    nearest = np.where(share >= 0.5, after, before)
    is_inside = (share > 0) & (share < 1) & (between_s <= _GAP * windows.window_s)
    share = np.where(is_inside, share, nearest == after)[:, np.newaxis]
    values = (1 - share) * windows.posteriors[before] + share * windows.posteriors[after]
    is_near = np.abs(times_s - middles_s[nearest]) <= windows.window_s / 2 + 1e-6
    values[~(is_inside | is_near)] = np.nan
    return values


def means_over(windows: Windows, duration_s: float, columns: int) -> np.ndarray:
    """Return the mean posterior in each of some equal parts of a clip.

    Args:
        windows: What a stream says over time.
        duration_s: Length of the clip.
        columns: Number of parts.

    Returns:
        (columns, 7) float64, NaN where there is nothing.
    """
    moments = (np.arange(columns * _MOMENTS) + 0.5) / (columns * _MOMENTS)
    posteriors = posteriors_at(windows, moments * duration_s).reshape(columns, _MOMENTS, -1)
    counts = np.isfinite(posteriors[..., :1]).sum(1)
    sums = np.nansum(posteriors, 1)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def at_most(windows: Windows, count: int, duration_s: float) -> Windows:
    """Return the windows as they are, or, where there are too many, means over fewer, longer ones.

    >>> hour = Windows(np.arange(7200) / 2, np.full((7200, 7), 1 / 7), 0.5)
    >>> fewer = at_most(hour, 240, 3600.0)
    >>> len(fewer.times_s), fewer.window_s
    (240, 15.0)
    """
    if len(windows.times_s) <= count:
        return windows
    means, part_s = means_over(windows, duration_s, count), duration_s / count
    there = np.isfinite(means[:, 0])
    return Windows((np.flatnonzero(there) + 0.5) * part_s, means[there], part_s)


def spans(windows: Windows, duration_s: float) -> list[Span]:
    """Return the likeliest emotion over time, one span for each window.

    Overlapping windows share the time evenly; the first and the last reach as far as they heard
    or saw.

    >>> two = Windows(np.array([1.0, 2.0]), np.eye(7, dtype=np.float32)[:2], 3.0)
    >>> [(span.start_s, span.end_s, span.emotion) for span in spans(two, 3.0)]
    [(0.0, 1.5, 'angry'), (1.5, 3.0, 'disgust')]
    """
    middles_s = windows.times_s
    between_s = (middles_s[1:] + middles_s[:-1]) / 2
    half_s = windows.window_s / 2
    starts_s = np.maximum(middles_s - half_s, [0, *between_s][: len(middles_s)])
    ends_s = np.minimum(middles_s + half_s, [*between_s, duration_s][: len(middles_s)])
    return [
        Span(float(start_s), float(max(start_s, end_s)), COMMON7[best], float(posterior[best]))
        for start_s, end_s, posterior in zip(starts_s, ends_s, windows.posteriors, strict=True)
        for best in [int(posterior.argmax())]
    ]


def courses(windows: Windows) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield times (n,) and posteriors (n, 7) of each stretch in which no window is missing.

    Both ends are held level for half a window: a lone window would have no width otherwise.
    """
    breaks = np.flatnonzero(np.diff(windows.times_s) > _GAP * windows.window_s) + 1
    for stretch in np.split(np.arange(len(windows.times_s)), breaks):
        if not len(stretch):
            return
        times_s, half_s = windows.times_s[stretch], windows.window_s / 2
        held_s = np.concatenate([[max(0.0, times_s[0] - half_s)], times_s, [times_s[-1] + half_s]])
        yield held_s, windows.posteriors[[stretch[0], *stretch, stretch[-1]]]


def within(recent: deque[tuple[float, np.ndarray]], now_s: float) -> list[np.ndarray]:
    """Drop what is older than `SMOOTHED_S`; return the rest."""
    while recent and recent[0][0] < now_s - SMOOTHED_S:
        recent.popleft()
    return [posterior for _, posterior in recent]
