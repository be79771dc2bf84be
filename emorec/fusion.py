"""Late fusion: one posterior from those of several streams, any of which may be missing.

Each stream is calibrated first: what its network's training taught it to expect is taken out in
part, and a temperature makes it as sure as it is right on people it never met (Guo et al. 2017,
"On calibration of modern neural networks"): p is proportional to exp((log p - a log prior) / T).
The calibrated posteriors are joined log-linearly: the product over streams of p_s^w_s, where the
weights w_s say how much each stream adds beside those that are there too (a logarithmic opinion
pool, Genest & Zidek 1986). `emorec.training.fusion_rules` fits it, beside the plain rules that the
literature uses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emorec.errors import OTHER_FORM, ModelError
from emorec.files import write_json
from emorec.posteriors import floored_log, softmax

__all__ = ["Calibration", "LogLinearFusion", "Posteriors"]

_LARGEST_PARAMETER = 1e6

Posteriors = Mapping[str, np.ndarray]
"""Stream name -> posteriors (..., classes), or (classes,) for one clip; NaN where missing."""


@dataclass(frozen=True)
class Calibration:
    """Makes a stream's posterior honest: as sure as it is right on strangers.

    Attributes:
        temperature: What the log posterior is divided by.
        log_prior: (classes,) logarithm of how often each class was there in training; empty where
            nothing is taken out.
        prior_share: How much of it is taken out, 0 to 1.

    >>> Calibration(1.0, np.log([0.8, 0.2]), 1.0).apply(np.array([0.8, 0.2])).round(2).tolist()
    [0.5, 0.5]
    """

    temperature: float = 1.0
    log_prior: np.ndarray = field(default_factory=lambda: np.zeros(0))
    prior_share: float = 0.0

    def log(self, posteriors: np.ndarray) -> np.ndarray:
        """Return calibrated log posteriors (..., classes), not normalised."""
        logs = floored_log(posteriors)
        if self.prior_share:
            logs = logs - self.prior_share * self.log_prior
        return logs / self.temperature

    def apply(self, posteriors: np.ndarray) -> np.ndarray:
        """Return calibrated posteriors (..., classes) in the dtype that was given."""
        if self.temperature == 1 and not self.prior_share:
            return posteriors
        return softmax(self.log(posteriors)).astype(np.asarray(posteriors).dtype)


@dataclass(frozen=True)
class LogLinearFusion:
    """Calibrated log-linear fusion; `emorec.training.fusion_rules` makes one.

    Attributes:
        classes: Vocabulary of all posteriors.
        calibrations: Stream -> how its posterior is calibrated.
        weights: For each set of streams that can be present together, stream -> weight of its
            calibrated posterior.
        usual: Stream -> (classes,) what it says of people at large, the mean of its calibrated log
            posteriors; for `emorec.speaker.calibration`.
    """

    classes: tuple[str, ...]
    calibrations: dict[str, Calibration]
    weights: dict[frozenset[str], dict[str, float]]
    usual: dict[str, np.ndarray] = field(default_factory=dict)

    def calibrated(self, posteriors: Posteriors) -> dict[str, np.ndarray]:
        """Return each stream's posteriors, calibrated: what is shown of a stream alone."""
        return {s: self.calibrations[s].apply(p) for s, p in posteriors.items()}

    def fuse(self, calibrated: Posteriors) -> np.ndarray:
        """Fuse posteriors that `calibrated` returned; see `apply`."""
        self._check(calibrated)
        return self._join({s: floored_log(p) for s, p in calibrated.items()})

    def apply(self, posteriors: Posteriors) -> np.ndarray:
        """Calibrate and fuse posteriors.

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
        return self._join({s: self.calibrations[s].log(p) for s, p in posteriors.items()})

    def weights_of(self, streams: Sequence[str]) -> dict[str, float]:
        """Return the weight of each stream when exactly these are present.

        A set that no clip was fitted for weighs each stream by 1 / sqrt(number of streams):
        between wholly redundant streams (1 / number) and wholly independent ones (1).
        """
        default = dict.fromkeys(streams, 1 / np.sqrt(len(streams)))
        weights = self.weights.get(frozenset(streams), default)
        return {s: weights[s] for s in streams}

    def exponents(self, streams: Sequence[str]) -> dict[str, float]:
        """Return w_s / T_s: what the uncalibrated posterior of each stream is raised to."""
        weights = self.weights_of(streams)
        return {s: w / self.calibrations[s].temperature for s, w in weights.items()}

    def _join(self, logs: Posteriors) -> np.ndarray:
        shape = np.shape(next(iter(logs.values())))
        rows = {s: np.reshape(log, (-1, shape[-1])) for s, log in logs.items()}
        present = np.stack([np.isfinite(log).all(1) for log in rows.values()], 1)
        fused = np.full((len(present), shape[-1]), np.nan)
        for pattern in np.unique(present[present.any(1)], axis=0):
            streams = [s for s, there in zip(rows, pattern, strict=True) if there]
            chosen = (present == pattern).all(1)
            weights = self.weights_of(streams)
            fused[chosen] = softmax(
                sum((weights[s] * rows[s][chosen] for s in streams), np.zeros(()))
            )
        return fused.reshape(shape)

    def _check(self, posteriors: Posteriors) -> None:
        unknown = sorted(set(posteriors) - set(self.calibrations))
        if unknown or not posteriors:
            raise ValueError(
                f"streams {unknown} are unknown: fitted were {sorted(self.calibrations)}"
                if unknown
                else "there is no stream to fuse"
            )
        shapes = {s: np.shape(p) for s, p in posteriors.items()}
        if len(set(shapes.values())) > 1 or next(iter(shapes.values()))[-1] != len(self.classes):
            raise ValueError(
                f"posteriors must share one shape (..., {len(self.classes)}), not {shapes}"
            )

    def check_finite(self) -> None:
        """Make sure that all parameters are numbers with which a posterior can be computed.

        Raises:
            ValueError: When one is not finite, or a temperature is not above zero.
        """
        numbers = [w for of in self.weights.values() for w in of.values()]
        for calibration in self.calibrations.values():
            numbers += [calibration.temperature, calibration.prior_share, *calibration.log_prior]
            if not calibration.temperature >= 1 / _LARGEST_PARAMETER:
                raise ValueError("a temperature is not above zero")
        for log in self.usual.values():
            numbers += [*log]
        # What is finite and larger overflows with the first posterior that is sure.
        if not (np.abs(np.asarray(numbers, float)) <= _LARGEST_PARAMETER).all():
            raise ValueError(f"a parameter is not finite, or beyond {_LARGEST_PARAMETER:,.0f}")

    def check_usable(self) -> None:
        """Make sure that each stream alone and each set of streams can be fused.

        Raises:
            ValueError: When the parameters belong to other classes or streams, or overflow.
        """
        even = np.full(len(self.classes), 1 / len(self.classes))
        alone = [frozenset([stream]) for stream in self.calibrations]
        with np.errstate(all="ignore"):
            for streams in (*self.weights, *alone):
                calibrated = self.calibrated(dict.fromkeys(streams, even))
                found = [*calibrated.values(), self.fuse(calibrated)]
                if not all(f.shape == even.shape and np.isfinite(f).all() for f in found):
                    raise ValueError("what it gives is no posterior")
        if any(log.shape != even.shape for log in self.usual.values()):
            raise ValueError("what is usual is told of other classes")

    def to_json(self, path: str | Path) -> None:
        """Write the parameters to a file."""
        content = {
            "classes": list(self.classes),
            "streams": {
                s: {
                    "temperature": c.temperature,
                    "prior_share": c.prior_share,
                    "log_prior": np.round(c.log_prior, 4).tolist(),
                }
                for s, c in self.calibrations.items()
            },
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

        A file with `temperatures` and no `streams` was fitted for posteriors that are shown as the
        networks give them: its temperatures go into the weights alone.

        Raises:
            OSError: If the file cannot be read.
            ModelError: If it holds no fusion.
        """
        text = Path(path).read_text(encoding="utf-8")
        try:
            content = json.loads(text)
            weights = {frozenset(w["streams"]): dict(w["weights"]) for w in content["weights"]}
            usual = {s: np.array(log) for s, log in content["usual_log_posteriors"].items()}
            if "streams" in content:
                calibrations = {s: _read(facts) for s, facts in content["streams"].items()}
            else:
                temperatures = content["temperatures"]
                calibrations = {s: Calibration() for s in temperatures}
                weights = {
                    streams: {s: w / temperatures[s] for s, w in of.items()}
                    for streams, of in weights.items()
                }
            fusion = cls(tuple(content["classes"]), calibrations, weights, usual)
            fusion.check_finite()
            fusion.check_usable()
            return fusion
        except OTHER_FORM as error:
            remedy = "fetch it from the repository again, or run python -m emorec.training.fusion"
            raise ModelError(path, "it does not hold a fusion of this project", remedy) from error


def _read(facts: Mapping) -> Calibration:
    return Calibration(
        float(facts["temperature"]), np.array(facts["log_prior"]), float(facts["prior_share"])
    )
