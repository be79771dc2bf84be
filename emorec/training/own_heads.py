"""A new head for voice or face, drawn towards the one that ships; how strongly, its clips tell.

The head that ships is where the fit starts and what it is held to: what is learned is a difference,
with a penalty on its size. Of emotions that the labels lack nothing is learned; their weights stay,
and what they are weighed against, the others together, stays too.

A head is trained through the stream's calibration: what is as right as before is as sure as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from emorec.emotions import COMMON7
from emorec.fusion import Calibration
from emorec.posteriors import FLOOR, floored_log, softmax
from emorec.training.linear_head import LinearHead, Scaling
from emorec.training.own_clips import Rows

__all__ = ["STRENGTHS", "Teacher", "heads_of", "log_loss"]

STRENGTHS = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
"""How strongly the difference is held, as a share of the number of features, strongest first."""

_MOST_STEPS = 60
_LARGEST_WEIGHT = 4.0  # of a clip, where its emotion is rare


class Teacher(NamedTuple):
    """What a head is to learn.

    Attributes:
        rows: What it reads.
        truth: int (clips,), codes in COMMON7.
        before: The head that is there.
        classes: Of the network.
        calibration: Of the stream, over COMMON7.
    """

    rows: Rows
    truth: np.ndarray
    before: LinearHead
    classes: tuple[str, ...]
    calibration: Calibration

    def of(self, clips: np.ndarray) -> Teacher:
        """Return what the clips teach that a bool mask (clips,) chooses."""
        chosen = clips[self.rows.clip]
        return self._replace(rows=Rows(*(part[chosen] for part in self.rows)))


def log_loss(truth: np.ndarray, posteriors: np.ndarray) -> np.ndarray:
    """Return each clip's negative log-likelihood (clips,), NaN where nothing is said."""
    return -floored_log(posteriors)[np.arange(len(truth)), truth]


def heads_of(teacher: Teacher, strengths: Sequence[float]) -> Iterator[LinearHead]:
    """Yield a head for each strength, each fit starting from the one before.

    Each emotion counts alike, but no clip more than four times as much as the mean.
    """
    from scipy.optimize import minimize

    scaling = Scaling.of(teacher.rows.features)
    problem = _Problem(teacher, scaling)
    found = np.zeros(problem.size)
    for strength in strengths:
        l2 = strength * teacher.rows.features.shape[1]
        options = {"maxiter": _MOST_STEPS}
        found = minimize(problem.loss, found, (l2,), jac=True, method="L-BFGS-B", options=options).x
        yield problem.head(found)


class _Problem:
    """The loss of a difference to the head that is there."""

    def __init__(self, teacher: Teacher, scaling: Scaling):
        rows = teacher.rows
        clips, self._clip = np.unique(rows.clip, return_inverse=True)
        truth = teacher.truth[clips]
        emotions = [i for i, name in enumerate(COMMON7) if (truth == i).any()]
        # A network may have classes beyond the seven, and lack none of them.
        self._columns = np.array([teacher.classes.index(COMMON7[i]) for i in emotions])
        self._target = np.searchsorted(emotions, truth)
        counts = np.bincount(self._target)
        weight = np.minimum(len(truth) / len(counts) / counts, _LARGEST_WEIGHT)[self._target]
        self._weight = weight / weight.sum()
        calibration = teacher.calibration
        self._temperature = calibration.temperature
        self._prior = np.zeros(len(emotions))
        if calibration.prior_share:
            self._prior = calibration.prior_share * calibration.log_prior[emotions]
        self._before, self._scaling, self._share = teacher.before, scaling, rows.weight
        self._inputs = scaling(rows.features).astype(np.float32)
        self._scores = rows.features @ teacher.before.kernel + teacher.before.bias
        self._shape = (self._inputs.shape[1], len(emotions))

    @property
    def size(self) -> int:
        """Number of parameters: a kernel and a bias for the emotions that occur."""
        return (self._shape[0] + 1) * self._shape[1]

    def loss(self, flat: np.ndarray, l2: float) -> tuple[float, np.ndarray]:
        """Return loss and gradient."""
        kernel, bias = self._split(flat)
        scores = self._scores.astype(float)
        scores[:, self._columns] += self._inputs @ kernel.astype(np.float32) + bias
        row = softmax(scores)
        clips = len(self._target)
        pooled = np.zeros((clips, scores.shape[1]))
        np.add.at(pooled, self._clip, self._share[:, None] * row)
        likely = np.maximum(pooled[:, self._columns], FLOOR)
        said = softmax((np.log(likely) - self._prior) / self._temperature)
        there = np.arange(clips), self._target
        fit = -(self._weight * np.log(np.maximum(said[there], 1e-30))).sum()
        error = said.copy()
        error[there] -= 1
        of_pooled = self._weight[:, None] * error / (self._temperature * likely)
        slope = np.zeros_like(row)
        slope[:, self._columns] = self._share[:, None] * of_pooled[self._clip]
        slope = row * (slope - (row * slope).sum(1, keepdims=True))
        slope = slope[:, self._columns].astype(np.float32)
        # Transposed twice: the product of a wide matrix with a tall narrow one is slow.
        of_kernel = (slope.T @ self._inputs).T + l2 * kernel
        of_bias = slope.sum(0) + l2 * bias
        penalty = l2 / 2 * (np.square(kernel).sum() + np.square(bias).sum())
        return fit + penalty, np.concatenate([of_kernel.ravel(), of_bias])

    def head(self, flat: np.ndarray) -> LinearHead:
        """Return the head that a difference makes of the one that is there."""
        change = self._scaling.folded(*self._split(flat))
        kernel, bias = self._before.kernel.copy(), self._before.bias.copy()
        kernel[:, self._columns] += change[0]
        bias[self._columns] += change[1]
        return LinearHead(kernel, bias)

    def _split(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return flat[: -self._shape[1]].reshape(self._shape), flat[-self._shape[1] :]
