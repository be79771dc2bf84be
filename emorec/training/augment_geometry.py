"""Augmented landmark windows: the same expression on another person, seen by another camera."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from emorec.corpora import ravdess
from emorec.features.geometry import (
    FRAME_RATE_HZ,
    MIRROR,
    POINTS,
    WINDOW_FRAMES,
    align,
    join_features,
    relative_head,
)
from emorec.training.augment import speaker_means, synthetic_speaker_means

_MIRROR_SHAPE = np.array([-1, 1], np.float32)
_MIRROR_HEAD = np.array([-1, -1, 1, 1], np.float32)


@dataclass(frozen=True)
class GeometryStrength:
    """How far augmentation goes; lengths in eye distances.

    Attributes:
        other_person: Share of the windows that get another person's neutral shape.
        person_spread: Spread of synthetic speakers, 1 for that of the training speakers.
        own_shape: Deviation of a constant offset per point.
        head_turn: Deviation of the shift that a turn of the head gives the nearest point.
        expression: The deviation from neutral is scaled by up to 1 plus or minus this.
        tempo: The tempo is scaled by up to 1 plus or minus this.
        jitter: Largest deviation of noise from frame to frame.
        drift: Deviation of noise that changes within about a second.
    """

    other_person: float = 0.8
    person_spread: float = 1.0
    own_shape: float = 0.01
    head_turn: float = 0.08
    expression: float = 0.2
    tempo: float = 0.15
    jitter: float = 0.02
    drift: float = 0.016


class WindowAugmenter:
    """Draws augmented windows of training takes.

    Faces differ more between persons than between emotions. As each speaker acts all
    emotions, a speaker's mean shape is known; subtracting it and adding that of a synthetic
    person, drawn from the normal distribution of the training speakers' mean shapes, leaves
    the expression alone and teaches the network to look past identity.

    Args:
        tracks: Takes, each (frames, 68, 2) pixels at RAVDESS's frame rate.
        takes: Their table, with `speaker` and `emotion`.
        strength: How far augmentation goes.
    """

    def __init__(
        self,
        tracks: Sequence[np.ndarray],
        takes: pd.DataFrame,
        strength: GeometryStrength | None = None,
    ):
        self._strength = strength or GeometryStrength()
        aligned = [align(track) for track in tracks]
        self._last = np.array([len(track) - 1 for track in tracks])
        self._shapes = _pad([shape for shape, _ in aligned])
        self._heads = _pad([head for _, head in aligned])
        means = [shape.mean(0) for shape, _ in aligned]
        self._neutral, self._speaker = speaker_means(means, takes)
        self._depth = _depth(self._neutral.mean(0))

    def draw(self, rng: np.random.Generator, takes: np.ndarray) -> np.ndarray:
        """Draw one window of each take.

        Args:
            rng: Source of chance.
            takes: (n,) row of each take.

        Returns:
            float32 (n, WINDOW_FRAMES, FEATURES).
        """
        strength = self._strength
        frames = self._draw_frames(rng, takes)
        shape, head = self._shapes[takes[:, None], frames], self._heads[takes[:, None], frames]
        gain = _uniform_about_one(rng, strength.expression, len(takes))[:, None, None]
        neutral = self._draw_neutral(rng, takes)
        offset = neutral - gain * self._neutral[self._speaker[takes]]
        shape = shape * gain[:, None] + offset[:, None] + self._draw_noise(rng, len(takes))
        head = relative_head(head)
        flip = np.flatnonzero(rng.random(len(takes)) < 0.5)
        shape[flip] = shape[flip][:, :, MIRROR] * _MIRROR_SHAPE
        head[flip] *= _MIRROR_HEAD
        return join_features(shape, head)

    def _draw_frames(self, rng, takes):
        """Frame numbers (n, WINDOW_FRAMES) of a stretch at a tempo near the natural one."""
        natural = ravdess.FRAME_RATE_HZ / FRAME_RATE_HZ
        step = natural * _uniform_about_one(rng, self._strength.tempo, len(takes))
        last = self._last[takes]
        start = rng.random(len(takes)) * np.maximum(last - step * (WINDOW_FRAMES - 1), 0)
        # The nearest frame, not an interpolated one: like cameras that drop frames.
        frames = np.rint(start[:, None] + step[:, None] * np.arange(WINDOW_FRAMES))
        return np.minimum(frames.astype(int), last[:, None])

    def _draw_neutral(self, rng, takes):
        """Neutral shapes (n, 68, 2) of the persons whom the windows show."""
        strength = self._strength
        drawn = synthetic_speaker_means(rng, self._neutral, len(takes), strength.person_spread)
        other = rng.random(len(takes)) < strength.other_person
        shape = np.where(other[:, None, None], drawn, self._neutral[self._speaker[takes]])
        turn = rng.normal(0, strength.head_turn, (len(takes), 1, 2))
        shape = shape + turn * self._depth[:, None]
        shape = shape + rng.normal(0, strength.own_shape, shape.shape)
        return align(shape)[0]

    def _draw_noise(self, rng, count):
        """Errors of a landmark predictor (n, WINDOW_FRAMES, 68, 2)."""
        strength = self._strength
        size = (count, WINDOW_FRAMES, POINTS, 2)
        level = rng.uniform(0, strength.jitter, (count, 1, 1, 1)).astype(np.float32)
        jitter = rng.standard_normal(size, np.float32) * level
        knots = rng.normal(0, strength.drift, (count, 4, POINTS, 2)).astype(np.float32)
        place = np.linspace(0, 3, WINDOW_FRAMES, dtype=np.float32)
        before = np.minimum(place.astype(int), 2)
        share = (place - before)[:, None, None]
        return jitter + knots[:, before] * (1 - share) + knots[:, before + 1] * share


def draw_rounds(
    augmenter: WindowAugmenter, takes: int, rounds: int, seed: int, batch_size: int = 64
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (rows of the takes, windows) in batches, each take once in each round."""
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        for first in range(0, takes, batch_size):
            rows = np.arange(first, min(first + batch_size, takes))
            yield rows, augmenter.draw(rng, rows)


def _depth(shape: np.ndarray) -> np.ndarray:
    """Guess how far each point (68, 2) stands out: an egg about the middle of the face."""
    height = 0.9 - (shape[:, 0] / 1.1) ** 2 - ((shape[:, 1] - 0.4) / 1.6) ** 2
    return (height - height[36:48].mean()).astype(np.float32)


def _uniform_about_one(rng, reach, count):
    return rng.uniform(1 - reach, 1 + reach, count).astype(np.float32)


def _pad(arrays):
    """Stack arrays of unequal length, each continued by its last frame."""
    longest = max(map(len, arrays))
    return np.stack([a[np.minimum(np.arange(longest), len(a) - 1)] for a in arrays])
