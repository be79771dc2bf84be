"""Who speaks: the movement of each mouth held against the loudness of the sound.

For each person who is seen, evidence is gathered: how much more the picture of the mouth changes
than the rest of the face and how much the lips open and close, over a second, and how well that
goes with the loudness, over three. The likeliest course of speakers over time is that of
a hidden Markov chain (Rabiner 1989): nobody who is seen, or one of them; changes cost.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emorec.faces.mouth import MouthTrack
from emorec.features.geometry import NEAR_S
from emorec.features.loudness import MOUTH_RATE_HZ
from emorec.posteriors import log_mean
from emorec.streams.windows import Findings

__all__ = ["LOUD_DB", "NOBODY", "shares_of_windows", "stretches_of", "voice_of", "who_speaks"]

NOBODY = -1
"""Speaks where nobody who is seen does."""

LOUD_DB = 25.0
"""So far below the loudest, sound is no evidence."""

_MOVEMENT_FRAMES, _ALIKE_FRAMES = 15, 45
_LEAST_MOVEMENT = 0.002  # eye distances, below which lips that move more count no more
_OPENING_WEIGHT, _ALIKE_WEIGHT = 0.6, 0.5
_THRESHOLD = -1.4  # evidence below which nobody speaks
_MOST_EVIDENCE = 1.0  # of a frame
_CHANGE = 4.5  # evidence that a change of speaker costs
_FLOOR_DB = 60.0  # below the loudest: no loudness
_LEAST_SHARE = 0.5  # of a window's sound, for the window to be a person's


def who_speaks(mouths: Sequence[MouthTrack | None], levels_db: np.ndarray) -> np.ndarray:
    """Tell who speaks over time.

    Args:
        mouths: Of everybody who is seen; None for a picture, which does not speak.
        levels_db: (n,) loudness, `MOUTH_RATE_HZ` values a second; see `Loudness`.

    Returns:
        (n,) int: index of the person, `NOBODY` where none of them speaks.
    """
    if not len(mouths) or not len(levels_db):
        return np.full(len(levels_db), NOBODY)
    loudest_db = float(np.percentile(levels_db, 95))
    loudness = np.maximum(levels_db - loudest_db, -_FLOOR_DB)
    evidence = np.stack([_evidence(mouth, loudness) for mouth in mouths], axis=1)
    evidence = np.clip(evidence - _THRESHOLD, -_MOST_EVIDENCE, _MOST_EVIDENCE)
    evidence[loudness < -LOUD_DB] = 0
    return _course(evidence)


def stretches_of(person: int, speakers: np.ndarray) -> np.ndarray:
    """Return from when to when a person speaks, (n, 2) float64 in seconds.

    Args:
        person: Index.
        speakers: (n,) as `who_speaks` returns it.

    >>> stretches_of(0, np.array([NOBODY, 0, 0, 1, 0])) * MOUTH_RATE_HZ
    array([[1., 3.],
           [4., 5.]])
    """
    edges = np.diff(np.concatenate([[False], speakers == person, [False]]).astype(int))
    return np.stack([np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)], 1) / MOUTH_RATE_HZ


def shares_of_windows(
    findings: Findings, speakers: np.ndarray, levels_db: np.ndarray, people: int
) -> np.ndarray:
    """Tell how much of what is heard in each window of the voice is whose.

    Args:
        findings: The voice's.
        speakers: (n,) as `who_speaks` returns it.
        levels_db: (n,) loudness.
        people: How many are seen.

    Returns:
        (windows, people) float64, 0 to 1.
    """
    amplitudes = 10 ** (levels_db / 20.0)
    own = amplitudes[:, np.newaxis] * (speakers[:, np.newaxis] == np.arange(people))
    sums = np.concatenate([np.zeros((1, people)), np.cumsum(own, axis=0)])
    total = np.concatenate([[0.0], np.cumsum(amplitudes)])
    half_s, last = findings.window_s / 2, len(levels_db)
    starts = ((findings.times_s - half_s) * MOUTH_RATE_HZ).round().astype(int).clip(0, last)
    ends = ((findings.times_s + half_s) * MOUTH_RATE_HZ).round().astype(int).clip(0, last)
    return (sums[ends] - sums[starts]) / np.maximum(total[ends] - total[starts], 1e-12)[:, None]


def voice_of(findings: Findings, loudness: np.ndarray, shares: np.ndarray) -> Findings | None:
    """Return what the voice says of one person, from the windows that are mostly theirs.

    Args:
        findings: The clip's.
        loudness: (windows,) what each weighs in the clip's verdict.
        shares: (windows,) how much of each is the person's voice.

    Returns:
        None where no window is.
    """
    own = shares >= _LEAST_SHARE
    if not own.any():
        return None
    posteriors = findings.posteriors[own]
    return Findings(
        findings.classes,
        findings.times_s[own],
        posteriors,
        log_mean(posteriors, loudness[own] * shares[own]),
        findings.window_s,
    )


def _evidence(mouth: MouthTrack | None, loudness: np.ndarray) -> np.ndarray:
    """How much speaks for the person at each moment, (n,); little where they are not seen."""
    if mouth is None:
        return np.full(len(loudness), -np.inf)
    moments_s = (np.arange(len(loudness)) + 0.5) / MOUTH_RATE_HZ
    opening = np.interp(moments_s, mouth.times_s, mouth.openings)
    after = np.searchsorted(mouth.times_s, moments_s).clip(max=len(mouth.times_s) - 1)
    before = np.maximum(after - 1, 0)
    after_s = np.abs(mouth.times_s[after] - moments_s)
    before_s = np.abs(mouth.times_s[before] - moments_s)
    there = np.minimum(after_s, before_s) <= NEAR_S
    moved = opening - _mean(opening, there, _ALIKE_FRAMES)
    louder = loudness - _mean(loudness, there, _ALIKE_FRAMES)
    movement = np.sqrt(_mean(moved**2, there, _MOVEMENT_FRAMES))
    together = _mean(moved * louder, there, _ALIKE_FRAMES)
    spread = _mean(moved**2, there, _ALIKE_FRAMES) * _mean(louder**2, there, _ALIKE_FRAMES)
    alike = together / np.sqrt(spread + 1e-9)
    changes = np.nan_to_num(mouth.changes[np.where(after_s < before_s, after, before)])
    change = _mean(changes, there, _MOVEMENT_FRAMES)
    evidence = change + _OPENING_WEIGHT * np.log(movement + _LEAST_MOVEMENT) + _ALIKE_WEIGHT * alike
    return np.where(there, evidence, -np.inf)


def _mean(values: np.ndarray, there: np.ndarray, frames: int) -> np.ndarray:
    """Mean over so many frames around each, of those that are there."""
    kernel = np.ones(frames)
    sums = np.convolve(np.where(there, values, 0.0), kernel)
    counts = np.convolve(there, kernel)
    middle = slice(frames // 2, frames // 2 + len(values))
    return sums[middle] / np.maximum(counts[middle], 1)


def _course(evidence: np.ndarray) -> np.ndarray:
    """The likeliest course of speakers, (n,), for the evidence (n, people) of each."""
    steps, people = evidence.shape
    seen = np.concatenate([np.zeros((steps, 1)), evidence], axis=1)  # nobody, and each
    total, came_from = seen[0].copy(), np.zeros((steps, people + 1), int)
    for step in range(1, steps):
        best = int(total.argmax())
        changes = total[best] - _CHANGE > total
        came_from[step] = np.where(changes, best, np.arange(people + 1))
        total = np.where(changes, total[best] - _CHANGE, total) + seen[step]
    course = np.empty(steps, int)
    course[-1] = total.argmax()
    for step in range(steps - 1, 0, -1):
        course[step - 1] = came_from[step, course[step]]
    return course - 1
