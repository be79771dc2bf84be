"""Late fusion: one posterior from those of several streams, any of which may be missing.

The shipped rule is log-linear: p is proportional to the product over streams of
p_s^(w_s / T_s). The temperature T_s calibrates a stream alone (Guo et al. 2017, "On
calibration of modern neural networks"); the weights w_s say how much each stream adds
beside those that are there too (a logarithmic opinion pool, Genest & Zidek 1986).
`emorec.training.fusion_rules` fits it, beside the plain rules that the literature uses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emorec.errors import ModelError
from emorec.files import write_json
from emorec.posteriors import floored_log, softmax

__all__ = ["LogLinearFusion", "Posteriors"]

Posteriors = Mapping[str, np.ndarray]
"""Stream name -> posteriors (..., classes), or (classes,) for one clip; NaN where missing."""


@dataclass(frozen=True)
class LogLinearFusion:
    """Calibrated log-linear fusion; `emorec.training.fusion_rules.fit_log_linear` makes one.

    Attributes:
        classes: Vocabulary of all posteriors.
        temperatures: Stream -> its temperature.
        weights: For each set of streams that can be present together, stream -> weight.
        usual: Stream -> (classes,) what it says of people at large, the mean of its log
            posteriors; for `emorec.calibration`.
    """

    classes: tuple[str, ...]
    temperatures: dict[str, float]
    weights: dict[frozenset[str], dict[str, float]]
    usual: dict[str, np.ndarray] = field(default_factory=dict)

    def apply(self, posteriors: Posteriors) -> np.ndarray:
        """Fuse posteriors.

        A stream that is absent, or NaN for a clip, is left out, and the weights are those
        that were fitted for the streams that remain.

        Args:
            posteriors: Stream -> posteriors, all of one shape (..., classes).

        Returns:
            float64 (..., classes), normalised; NaN where no stream has anything to say.

        Raises:
            ValueError: If a stream is unknown, or a shape does not fit the classes.
        """
        self._check(posteriors)
        shape = np.shape(next(iter(posteriors.values())))
        rows = {s: np.reshape(np.asarray(p, float), (-1, shape[-1])) for s, p in posteriors.items()}
        present = np.stack([np.isfinite(p).all(1) for p in rows.values()], 1)
        fused = np.full((len(present), shape[-1]), np.nan)
        for pattern in np.unique(present[present.any(1)], axis=0):
            streams = [s for s, there in zip(rows, pattern, strict=True) if there]
            chosen = (present == pattern).all(1)
            exponents = self.exponents(streams)
            fused[chosen] = softmax(
                sum((exponents[s] * floored_log(rows[s][chosen]) for s in streams), np.zeros(()))
            )
        return fused.reshape(shape)

    def exponents(self, streams: Sequence[str]) -> dict[str, float]:
        """Return w_s / T_s of each stream when exactly these are present.

        A set that no clip was fitted for weighs each stream by 1 / sqrt(number of streams):
        between wholly redundant streams (1 / number) and wholly independent ones (1).
        """
        default = dict.fromkeys(streams, 1 / np.sqrt(len(streams)))
        weights = self.weights.get(frozenset(streams), default)
        return {s: weights[s] / self.temperatures[s] for s in streams}

    def _check(self, posteriors: Posteriors) -> None:
        unknown = sorted(set(posteriors) - set(self.temperatures))
        if unknown or not posteriors:
            raise ValueError(
                f"streams {unknown} are unknown: fitted were {sorted(self.temperatures)}"
                if unknown
                else "there is no stream to fuse"
            )
        shapes = {s: np.shape(p) for s, p in posteriors.items()}
        if len(set(shapes.values())) > 1 or next(iter(shapes.values()))[-1] != len(self.classes):
            raise ValueError(
                f"posteriors must share one shape (..., {len(self.classes)}), not {shapes}"
            )

    def to_json(self, path: str | Path) -> None:
        """Write the parameters to a file."""
        content = {
            "classes": list(self.classes),
            "temperatures": self.temperatures,
            "usual_log_posteriors": {s: np.round(log, 4).tolist() for s, log in self.usual.items()},
            "weights": [
                {"streams": sorted(streams), "weights": weights}
                for streams, weights in self.weights.items()
            ],
        }
        write_json(Path(path), content)

    @classmethod
    def from_json(cls, path: str | Path) -> LogLinearFusion:
        """Read the parameters from a file.

        Raises:
            OSError: If the file cannot be read.
            ModelError: If it holds no fusion.
        """
        text = Path(path).read_text(encoding="utf-8")
        try:
            content = json.loads(text)
            weights = {frozenset(w["streams"]): dict(w["weights"]) for w in content["weights"]}
            usual = {s: np.array(log) for s, log in content["usual_log_posteriors"].items()}
            return cls(tuple(content["classes"]), dict(content["temperatures"]), weights, usual)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            remedy = "fetch it from the repository again, or run python -m emorec.training.fusion"
            raise ModelError(path, "it does not hold a fusion of this project", remedy) from error
