"""Arithmetic of posteriors: floors, logarithms, softmax, and the one geometric mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["FLOOR", "Pooled", "floored_log", "log_mean", "softmax"]

FLOOR = 1e-9
"""Smallest probability that is taken at its word where windows are pooled."""


def floored_log(posterior: np.ndarray, floor: float = FLOOR) -> np.ndarray:
    """Return logarithms, smaller probabilities than `floor` taken for `floor`."""
    return np.log(np.maximum(np.asarray(posterior, float), floor))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return (..., classes) posteriors for (..., classes) scores."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def log_mean(
    posteriors: np.ndarray, weights: np.ndarray | None = None, floor: float = FLOOR
) -> np.ndarray:
    """Pool posteriors into one: their weighted geometric mean, normalised.

    It takes them for independent witnesses of one truth; every pooling of windows, models or
    takes goes through it.

    Args:
        posteriors: (n, ..., classes).
        weights: (n,), not negative; None, or all zero, means all equal.
        floor: Smaller probabilities are taken for this.

    Returns:
        float64 (..., classes).

    Raises:
        ValueError: If there is nothing to pool.

    Example:
        >>> log_mean([[0.9, 0.1], [0.5, 0.5]]).round(2).tolist()
        [0.75, 0.25]
    """
    logs = floored_log(posteriors, floor)
    if not len(logs):
        raise ValueError("there is no posterior to pool")
    if weights is not None and np.sum(weights) <= 0:
        weights = None
    return softmax(np.average(logs, axis=0, weights=weights))


@dataclass(frozen=True)
class Pooled:
    """The `log_mean` of posteriors that come one by one.

    Attributes:
        posterior: (classes,), None before the first.
        weight: Sum of their weights.

    >>> pooled = Pooled().joined(np.array([0.9, 0.1])).joined(np.array([0.5, 0.5]))
    >>> pooled.posterior.round(2).tolist()
    [0.75, 0.25]
    """

    posterior: np.ndarray | None = None
    weight: float = 0.0

    def joined(self, posterior: np.ndarray, weight: float = 1.0) -> Pooled:
        """Return the mean with one more posterior."""
        if self.posterior is None:
            return Pooled(posterior, weight)
        both = np.stack([self.posterior, posterior])
        return Pooled(log_mean(both, np.array([self.weight, weight])), self.weight + weight)
