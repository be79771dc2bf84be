"""Several heads that judge together: the geometric mean of their posteriors."""

import hashlib
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from emorec.files import write_atomically
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


    def save(self, file: Path) -> None:
        """Write all weights, `.npz`."""
        members = (self.linear, *self.perceptrons)
        arrays = {
            f"member_{n}_{i}": array
            for n, member in enumerate(members)
            for i, array in enumerate(astuple(member))
        }
        write_atomically(Path(file), lambda name: np.savez(name, **arrays))

    @classmethod
    def load(cls, file: Path) -> "Committee":
        """Read what `save` wrote."""
        members: dict[int, list[np.ndarray]] = {}
        with np.load(file) as arrays:
            for key in arrays.files:
                members.setdefault(int(key.split("_")[1]), []).append(arrays[key])
        linear, *bent = members.values()
        return cls(LinearHead(*linear), tuple(Perceptron(*weights) for weights in bent))


def kept_committee(train: Heard, classes: tuple[str, ...], folder: Path) -> Committee:
    """Return the committee that was fitted on exactly these clips, or fit it and keep it.

    Args:
        train: The clips to train on.
        classes: What to tell apart.
        folder: Keeps one file for each set of clips.
    """
    every = train.with_copies()
    names = [*classes, *every.table["corpus"], *every.table["clip_id"]]
    file = Path(folder) / f"{hashlib.sha256(' '.join(names).encode()).hexdigest()[:16]}.npz"
    if not file.exists():
        fit_committee(train, classes).save(file)
    return Committee.load(file)


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
