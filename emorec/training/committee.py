"""Several heads that judge together: the geometric mean of their posteriors."""

from dataclasses import dataclass

import numpy as np

from emorec.posteriors import floored_log, softmax
from emorec.training.heard import Heard
from emorec.training.masked_heads import (
    LinearHead,
    Perceptron,
    fit_logistic,
    fit_perceptron,
)

SEEDS = (1, 2, 3)
LINEAR_SHARE = 0.3


@dataclass(frozen=True)
class Committee:
    """A logistic regression, and perceptrons that count twice as much together.

    Attributes:
        linear: Holds where many clips agree.
        perceptrons: Bend where it cannot, each in its own way.
    """

    linear: LinearHead
    perceptrons: tuple[Perceptron, ...]

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return posteriors, float (n, classes), of features (n, features)."""
        bent = np.mean([floored_log(head.predict(features)) for head in self.perceptrons], axis=0)
        straight = floored_log(self.linear.predict(features))
        return softmax(LINEAR_SHARE * straight + (1 - LINEAR_SHARE) * bent)


def fit_committee(
    train: Heard, classes: tuple[str, ...], seeds: tuple[int, ...] = SEEDS
) -> Committee:
    """Fit all members.

    Args:
        train: The clips to train on.
        classes: What to tell apart.
        seeds: One perceptron each.
    """
    linear = fit_logistic(train.statistics, train.table, classes)
    # Altered copies help these, and not the regression, which is held more strongly.
    every = train.with_copies()
    clips = (every.statistics, every.table, classes)
    bent = [fit_perceptron(*clips, seed=seed) for seed in seeds]
    return Committee(linear, tuple(bent))
