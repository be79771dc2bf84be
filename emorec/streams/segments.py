"""Stretches of one emotion in a clip: the timeline, smoothed so that nothing flickers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emorec.emotions import COMMON7
from emorec.streams.windows import Span, Windows

__all__ = ["SHORTEST_S", "clock", "course", "segments"]

SHORTEST_S = 1.0
"""No stretch is shorter, unless the timeline itself is."""

_TYPICAL_S = 3.0  # how long one emotion is taken to last
_FLOOR = 1e-4  # below it a probability is not believed
_MOST_TOLD = 12


def segments(windows: Windows, duration_s: float) -> list[Span]:
    """Cut an even timeline into stretches of one emotion.

    The stretches are the likeliest course of a hidden semi-Markov chain: its states are the
    emotions, each lasts at least `SHORTEST_S`, changes are as frequent as if an emotion lasted
    three seconds, and the timeline's posteriors are what is seen (found exactly, by dynamic
    programming; Rabiner 1989, section IV.D). Where the timeline has a hole, a stretch ends.

    Args:
        windows: The fused timeline: even steps of `window_s`, or holes between them.
        duration_s: Length of the clip.

    Returns:
        The stretches in order of time.

    >>> times_s = np.arange(12) / 2 + 0.25
    >>> sure = np.full((12, 7), 0.02) + 0.86 * np.eye(7)[[3] * 3 + [0] + [3] * 2 + [6] * 6]
    >>> [(s.start_s, s.end_s, s.emotion) for s in segments(Windows(times_s, sure, 0.5), 6.0)]
    [(0.0, 3.0, 'happy'), (3.0, 6.0, 'surprise')]
    """
    step_s = windows.window_s
    holes = np.flatnonzero(np.diff(windows.times_s) > 1.5 * step_s) + 1
    found: list[Span] = []
    for part in np.split(np.arange(len(windows.times_s)), holes):
        posteriors, times_s = windows.posteriors[part], windows.times_s[part]
        shortest = max(1, round(SHORTEST_S / step_s))
        for first, last, emotion in _likeliest_course(posteriors, shortest, step_s):
            found.append(
                Span(
                    max(0.0, float(times_s[first] - step_s / 2)),
                    min(float(times_s[last] + step_s / 2), duration_s),
                    COMMON7[emotion],
                    float(posteriors[first : last + 1, emotion].mean()),
                )
            )
    return found


def _likeliest_course(
    posteriors: np.ndarray, shortest: int, step_s: float
) -> Sequence[tuple[int, int, int]]:
    """The best course over the steps: (first, last, class) of each stretch, both ends included.

    Two neighbouring stretches are of different classes, for a change costs and gains nothing else.
    """
    steps, classes = posteriors.shape
    if not steps:
        return []
    shortest = min(shortest, steps)
    evidence = np.log(np.maximum(posteriors, _FLOOR))
    total = np.concatenate([np.zeros((1, classes)), np.cumsum(evidence, 0)])
    change = np.log(step_s / _TYPICAL_S / (classes - 1))
    # best[n, c]: of all courses over the first n steps whose last stretch is of class c.
    best = np.full((steps + 1, classes), -np.inf)
    begun = np.zeros((steps + 1, classes), int)
    before = np.full(steps + 1, -np.inf)
    before[0] = 0.0
    for n in range(shortest, steps + 1):
        start = n - shortest
        enters = before[start] + (change if start else 0.0) + total[n] - total[start]
        stays = best[n - 1] + evidence[n - 1]
        best[n] = np.maximum(enters, stays)
        begun[n] = np.where(enters > stays, start, begun[n - 1])
        before[n] = best[n].max()
    course, end = [], steps
    while end:
        emotion = int(best[end].argmax())
        start = int(begun[end, emotion])
        course.append((start, end - 1, emotion))
        end = start
    return course[::-1]


def course(segments: Sequence[Span]) -> str:
    """Say in a line how one emotion follows another; nothing where there is only one.

    >>> course([Span(0, 64.5, "happy", 0.8), Span(64.5, 70, "sad", 0.6)])
    'happy 0:00-1:04, sad 1:04-1:10'
    """
    if len({segment.emotion for segment in segments}) < 2:
        return ""
    shown = segments[:_MOST_TOLD]
    said = [f"{s.emotion} {clock(s.start_s)}-{clock(s.end_s)}" for s in shown]
    left = len(segments) - len(shown)
    return ", ".join(said) + (f" and {left} more" if left else "")


def clock(time_s: float) -> str:
    """Write a time as minutes and seconds, or with hours.

    >>> clock(64.6), clock(3700)
    ('1:04', '1:01:40')
    """
    minutes, seconds = divmod(int(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
