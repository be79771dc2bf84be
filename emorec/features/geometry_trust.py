"""When the geometry network may be believed: the face moves, and is like those it learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emorec.features.geometry import POINTS, align

__all__ = ["MeanShape", "TypicalShapes", "fit_typical_shapes", "moves"]

_LAG_FRAMES = 6
# Eye distances. Of windows of RAVDESS and JavaSED one in a thousand moves less; of still pictures
# shown for three seconds, with noise or a codec's blocks, about four in five do (landmarks
# jump when the box around a small face does).
_LEAST_MOVEMENT = 0.0065

DIRECTIONS = 20
"""In which RAVDESS's faces differ; so many tell the shapes of left-out actors likeliest."""


def moves(window: np.ndarray) -> bool:
    """Tell whether the face moves in a window, beyond the jitter of its landmarks.

    Jitter differs from frame to frame as much as over half a second; movement does not.

    Args:
        window: (frames, FEATURES), from `emorec.features.geometry.cut_window`; repetitions of the
            last frame at its end do not count.
    """
    shapes = window[:, : 2 * POINTS]
    differs = np.flatnonzero((shapes != shapes[-1]).any(1))
    if not len(differs):
        return False
    shapes = shapes[: differs[-1] + 2]
    lag = min(_LAG_FRAMES, len(shapes) - 1)
    moved, jitter = (np.median(((shapes[n:] - shapes[:-n]) ** 2).mean(1)) for n in (lag, 1))
    # Two frames apart tell movement from jitter no better than one.
    excess = moved if lag == 1 else moved - jitter
    return bool(excess > _LEAST_MOVEMENT**2)


class MeanShape:
    """The mean over frames of a face's aligned landmarks."""

    def __init__(self):
        self._sum, self._count = np.zeros(2 * POINTS), 0

    def add(self, points: np.ndarray) -> None:
        """Take the landmarks of a frame, (68, 2) pixels."""
        self._sum += align(points)[0].ravel()
        self._count += 1

    @property
    def shape(self) -> np.ndarray:
        """(136,) eye distances; needs a frame."""
        return self._sum / self._count


@dataclass(frozen=True)
class TypicalShapes:
    """The distribution of a training corpus's mean shapes (probabilistic PCA).

    Attributes:
        mean: (136,) eye distances.
        directions: (DIRECTIONS, 136), orthonormal.
        deviations: (DIRECTIONS,) along them.
        rest: Deviation in every other direction.
        limit: Distance within which 19 of 20 clips of actors lie who were left out.
    """

    mean: np.ndarray
    directions: np.ndarray
    deviations: np.ndarray
    rest: float
    limit: float = np.inf

    def distance(self, shapes: np.ndarray) -> np.ndarray:
        """Return how far shapes (..., 136) lie from the mean, in deviations, (...)."""
        away = np.asarray(shapes, float) - self.mean
        along = away @ self.directions.T
        rest = (away**2).sum(-1) - (along**2).sum(-1)
        squares = ((along / self.deviations) ** 2).sum(-1) + rest / self.rest**2
        return np.sqrt(squares / len(self.mean))

    def are_like(self, shape: np.ndarray) -> bool:
        """Tell whether a clip's mean shape (136,) lies within the limit."""
        return bool(self.distance(shape) <= self.limit)

    def to_json(self) -> dict:
        """Return what `from_json` reads; four digits are enough."""
        return {
            "mean": self.mean.round(5).tolist(),
            "directions": self.directions.round(4).tolist(),
            "deviations": self.deviations.round(6).tolist(),
            "rest": round(self.rest, 7),
            "limit": round(self.limit, 3),
        }

    @classmethod
    def from_json(cls, content: Mapping | None) -> TypicalShapes | None:
        """Read what `to_json` returned; None for None: of such a network nothing is known."""
        if content is None:
            return None
        mean, directions, deviations = (
            np.array(content[key], float) for key in ("mean", "directions", "deviations")
        )
        return cls(mean, directions, deviations, float(content["rest"]), float(content["limit"]))


def fit_typical_shapes(
    shapes: np.ndarray, speakers: Sequence[str] | np.ndarray
) -> tuple[TypicalShapes, np.ndarray]:
    """Fit the distribution of clips' mean shapes.

    Args:
        shapes: (clips, 136).
        speakers: (clips,) who is seen; each is left out in turn to set the limit.

    Returns:
        The distribution, and each clip's distance when its speaker is left out (clips,).
    """
    speakers, distances = np.asarray(speakers), np.zeros(len(shapes))
    for speaker in np.unique(speakers):
        left_out = speakers == speaker
        distances[left_out] = _fit(shapes[~left_out]).distance(shapes[left_out])
    return _fit(shapes, float(np.percentile(distances, 95))), distances


def _fit(shapes: np.ndarray, limit: float = np.inf) -> TypicalShapes:
    mean = shapes.mean(0)
    _, scales, directions = np.linalg.svd(shapes - mean, full_matrices=False)
    deviations = scales / np.sqrt(len(shapes))
    others = (deviations[DIRECTIONS:] ** 2).sum() / (shapes.shape[1] - DIRECTIONS)
    return TypicalShapes(
        mean, directions[:DIRECTIONS], deviations[:DIRECTIONS], float(np.sqrt(others)), limit
    )
