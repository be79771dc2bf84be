"""A softmax on features, and what brings features to one scale; imports no Keras."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emorec.posteriors import softmax

__all__ = ["LinearHead", "Scaling"]


@dataclass(frozen=True)
class LinearHead:
    """A softmax on weighted features.

    Attributes:
        kernel: float32 (features, classes).
        bias: float32 (classes,).
    """

    kernel: np.ndarray
    bias: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return posteriors, float (n, classes), of features (n, features)."""
        return softmax(features @ self.kernel + self.bias)


@dataclass(frozen=True)
class Scaling:
    """What gives features zero mean and unit variance.

    Attributes:
        centre: float32 (features,).
        scale: float32 (features,).
    """

    centre: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Scaling:
        """Measure features (n, features)."""
        return cls(features.mean(0), features.std(0) + 1e-3)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return standardised features, float32 (n, features)."""
        return (features - self.centre) / self.scale

    def folded(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return kernel and bias on the features as they are, from those on standardised ones."""
        kernel = kernel / self.scale[:, None]
        return kernel.astype(np.float32), (bias - self.centre @ kernel).astype(np.float32)
