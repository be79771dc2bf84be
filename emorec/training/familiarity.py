"""How far a clip lies from those that trained, as the frozen encoder hears them."""

from dataclasses import dataclass

import numpy as np

from emorec.emotions import COMMON7
from emorec.training.corpus_weights import clip_weights
from emorec.training.heard import Heard
from emorec.training.linear_head import Scaling

COMPONENTS = 64


@dataclass(frozen=True)
class Familiarity:
    """Whitened principal components: of clips like those that trained each has variance one.

    Attributes:
        kernel: float32 (3072, 64), on the statistics as they are.
        bias: float32 (64,).
    """

    kernel: np.ndarray
    bias: np.ndarray

    def distance(self, statistics: np.ndarray) -> np.ndarray:
        """Return the root mean square of the components, float (clips,): about 1 where familiar."""
        return np.sqrt(np.square(statistics @ self.kernel + self.bias).mean(1))


def fit_familiarity(train: Heard) -> Familiarity:
    """Fit it to clips as they were recorded, each corpus counting as it does in training."""
    scaling = Scaling.of(train.statistics)
    inputs = scaling(train.statistics)
    weights = (clip_weights(train.table, COMMON7) / len(inputs)).astype(np.float32)
    centre = weights @ inputs
    about = inputs - centre
    values, vectors = np.linalg.eigh((about * weights[:, None]).T @ about)
    kernel = vectors[:, -COMPONENTS:] / np.sqrt(values[-COMPONENTS:])
    return Familiarity(*scaling.folded(kernel, -centre @ kernel))
