"""Fitting the fusion, and the plain rules that it is compared with.

`fit_log_linear` fits one corpus freely; `fit_for_strangers` is what ships: calibrations fitted on
corpora that the networks never met, and weights that are drawn towards what is known beforehand.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from emorec.fusion import Calibration, LogLinearFusion, Posteriors
from emorec.posteriors import FLOOR, floored_log, softmax
from emorec.speaker.calibration import mean_log

_LARGEST_EXPONENT = 10.0


_LEAST_CLIPS = 50


def fit_log_linear(
    posteriors: Posteriors,
    truth: Sequence[int],
    classes: Sequence[str],
    clip_weights: Sequence[float] | None = None,
) -> LogLinearFusion:
    """Fit temperatures and weights by least negative log-likelihood, for every subset.

    Each subset is fitted on the clips that have all its streams; one with fewer than 50 such
    clips gets no weights of its own (see `LogLinearFusion.exponents`).

    Args:
        posteriors: Stream -> posteriors (n, classes) of speakers that the stream's network
            never met; rows of NaN where the stream is missing.
        truth: (n,) index of each clip's class.
        classes: Vocabulary of the posteriors.
        clip_weights: (n,) how much each clip counts; all alike when None.

    Raises:
        ValueError: If a stream has fewer than 50 clips.
    """
    truth = np.asarray(truth)
    counts = np.ones(len(truth)) if clip_weights is None else np.asarray(clip_weights, float)
    logs = {s: floored_log(np.asarray(p, float)) for s, p in posteriors.items()}
    present = {s: np.isfinite(log).all(1) for s, log in logs.items()}
    temperatures, weights = {}, {}
    for size in range(1, len(logs) + 1):
        for streams in combinations(logs, size):
            rows = np.logical_and.reduce([present[s] for s in streams])
            if rows.sum() < _LEAST_CLIPS:
                if size == 1:
                    raise ValueError(
                        f"{rows.sum()} clips with {streams[0]} are too few to calibrate it: "
                        f"{_LEAST_CLIPS} are needed"
                    )
                continue
            exponents = fit_exponents(
                np.stack([logs[s][rows] for s in streams]), truth[rows], counts[rows]
            )
            if size == 1:
                temperatures[streams[0]] = float(1 / exponents[0])
            weights[frozenset(streams)] = {
                s: float(e * temperatures[s]) for s, e in zip(streams, exponents, strict=True)
            }
    calibrations = {s: Calibration(t) for s, t in temperatures.items()}
    usual = {
        s: mean_log(calibrations[s].apply(np.asarray(posteriors[s])[rows]))
        for s, rows in present.items()
    }
    return LogLinearFusion(tuple(classes), calibrations, weights, usual)


@dataclass(frozen=True)
class Group:
    """Clips of one corpus that count together: people who may be left out as one.

    Attributes:
        name: Of the corpus.
        posteriors: Stream -> (n, classes), uncalibrated, of networks that met none of these
            people; rows of NaN where the stream is missing.
        truth: (n,) index of each clip's class.
        joins: Whether its clips have several streams; else it serves to calibrate alone.
        speakers: (n,) who is heard or seen, for intervals.
        not_for: Streams whose temperature is not to be fitted on it: their networks learned from
            other people of the same recordings.
    """

    name: str
    posteriors: Posteriors
    truth: np.ndarray
    joins: bool = True
    speakers: np.ndarray | None = None
    not_for: tuple[str, ...] = ()

    def of(self, rows: np.ndarray) -> "Group":
        """Return the clips that a bool mask (n,) chooses."""
        return replace(
            self,
            posteriors={stream: p[rows] for stream, p in self.posteriors.items()},
            truth=self.truth[rows],
            speakers=None if self.speakers is None else self.speakers[rows],
        )


EXPECTED_WEIGHTS = {"voice": 1.0, "geometry": 0.7, "face": 0.6}
"""What a calibrated stream is taken to add before any clip with several streams is seen.

Were their errors independent, each would count in full (a plain product). Face and geometry look at
one movement. Chosen among nine pairs with JavaSED and RAVDESS in view."""

STRENGTH = 3.0
"""How far the weights are held to that: nats of loss for a squared distance of 1."""


def fit_for_strangers(
    groups: Sequence[Group],
    classes: Sequence[str],
    priors: Mapping[str, Calibration],
    strength: float = STRENGTH,
) -> LogLinearFusion:
    """Fit calibrations and weights so that they hold on people never seen; corpora count alike.

    Each stream's temperature is that of least negative log-likelihood, averaged over the groups
    that have it. For each set of streams the weights minimise the negative log-likelihood,
    averaged over the groups that have all of them, plus `strength` times the squared distance to
    `EXPECTED_WEIGHTS` (for all streams: to the weights without the face); none is negative. With
    few people the expectation decides, with many the data.

    Args:
        groups: What to fit on.
        classes: Vocabulary of the posteriors.
        priors: Stream -> what is taken out of it; temperatures are ignored.
        strength: See `STRENGTH`.
    """
    calibrations, usual = {}, {}
    for stream, prior in priors.items():
        plain = replace(prior, temperature=1.0)
        fit_on = [group for group in groups if stream not in group.not_for]
        parts = _complete(fit_on, [stream], {stream: plain})
        exponent = fit_exponents(*_even(parts))[0]
        calibrations[stream] = replace(prior, temperature=float(1 / exponent))
        usual[stream] = np.mean(
            [mean_log(softmax(logs[0] * exponent)) for logs, _ in parts], axis=0
        )
    weights = {frozenset([stream]): {stream: 1.0} for stream in priors}
    joined = [group for group in groups if group.joins]
    for size in range(2, len(priors) + 1):
        for streams in combinations(priors, size):
            # With the face, the others are expected to count as they do without it.
            known = EXPECTED_WEIGHTS | weights.get(frozenset(streams) - {"face"}, {})
            expected = np.array([known[s] for s in streams])
            parts = _complete(joined, streams, calibrations)
            found = fit_exponents(*_even(parts), expected, strength) if parts else expected
            weights[frozenset(streams)] = dict(zip(streams, found.tolist(), strict=True))
    return LogLinearFusion(tuple(classes), calibrations, weights, usual)


def _complete(
    groups: Sequence[Group], streams: Sequence[str], calibrations: Mapping[str, Calibration]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Calibrated logs (streams, n, classes) and truth of the groups' clips with all streams."""
    parts = []
    for group in groups:
        if not set(streams) <= set(group.posteriors):
            continue
        logs = np.stack([calibrations[s].log(group.posteriors[s]) for s in streams])
        rows = np.isfinite(logs).all((0, 2))
        if rows.sum() >= _LEAST_CLIPS:
            parts.append((logs[:, rows], np.asarray(group.truth)[rows]))
    return parts


def _even(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, ...]:
    """Join the parts, each counting alike: logs, truth, how much each clip counts."""
    logs, truths = zip(*parts, strict=True)
    counts = [np.full(len(truth), 1 / len(truth)) for truth in truths]
    return np.concatenate(logs, 1), np.concatenate(truths), np.concatenate(counts)


def fit_exponents(
    logs: np.ndarray,
    truth: np.ndarray,
    counts: np.ndarray,
    expected: np.ndarray | None = None,
    strength: float = 0.0,
) -> np.ndarray:
    """Return the exponents (streams,) of least negative log-likelihood; a convex problem.

    With `strength`, a squared distance to `expected` is a loss too.
    """
    # Imported here, for the recogniser applies and never fits, and starts faster without it.
    from scipy.optimize import minimize

    clips = np.arange(len(truth))
    share = counts / counts.sum()

    def loss_and_gradient(exponents):
        joint = np.tensordot(exponents, logs, 1)
        posterior = softmax(joint)
        loss = -(share * np.log(np.maximum(posterior[clips, truth], 1e-300))).sum()
        mean = (posterior * logs).sum(2)
        gradient = ((mean - logs[:, clips, truth]) * share).sum(1)
        away = exponents - centre
        return loss + strength * away @ away, gradient + 2 * strength * away

    start = np.full(len(logs), 1 / len(logs))
    centre = np.zeros(len(logs)) if expected is None else expected
    bounds = [(0.01 if len(logs) == 1 else 0.0, _LARGEST_EXPONENT)] * len(logs)
    return minimize(loss_and_gradient, start, jac=True, bounds=bounds).x


def mean(posteriors: Posteriors) -> np.ndarray:
    """Average the posteriors; the verdict equals that of their sum, the reference's rule."""
    return np.mean([np.asarray(p, float) for p in posteriors.values()], 0)


def weighted_mean(posteriors: Posteriors, weights: Mapping[str, float]) -> np.ndarray:
    """Average the posteriors, each stream counting as much as its weight.

    Example:
        >>> weighted_mean({"a": np.array([1.0, 0.0]), "b": np.array([0.0, 1.0])},
        ...     {"a": 3, "b": 1}).tolist()
        [0.75, 0.25]
    """
    total = sum(weights[s] for s in posteriors)
    return sum(weights[s] / total * np.asarray(p, float) for s, p in posteriors.items())


def maximum(posteriors: Posteriors) -> np.ndarray:
    """Take each class's highest probability over the streams, normalised."""
    highest = np.max([np.asarray(p, float) for p in posteriors.values()], 0)
    return highest / highest.sum(-1, keepdims=True)


def product(posteriors: Posteriors) -> np.ndarray:
    """Multiply the posteriors and normalise: streams taken as independent, as they are."""
    return softmax(sum(floored_log(np.asarray(p, float)) for p in posteriors.values()))


def majority(posteriors: Posteriors) -> np.ndarray:
    """Let each stream cast one vote; a tie goes to the class of the highest mean."""
    votes = sum(
        np.asarray(p) == np.max(p, axis=-1, keepdims=True) for p in posteriors.values()
    ).astype(float)
    # The mean is too small to outweigh a vote, and enough to break a tie.
    votes += 1e-3 * mean(posteriors)
    return votes / votes.sum(-1, keepdims=True)


RULES: dict[str, Callable[[Posteriors], np.ndarray]] = {
    "mean": mean,
    "maximum": maximum,
    "product": product,
    "majority": majority,
}
"""The rules without parameters."""


def fit_mean_weights(posteriors: Posteriors, truth: Sequence[int]) -> dict[str, float]:
    """Fit the weights of `weighted_mean`, which sum to 1, by least negative log-likelihood."""
    from scipy.optimize import minimize

    of_truth = np.stack([np.asarray(p)[np.arange(len(truth)), truth] for p in posteriors.values()])

    def loss(scores):
        return -np.log(np.maximum(softmax(scores) @ of_truth, FLOOR)).mean()

    best = minimize(loss, np.zeros(len(of_truth))).x
    return dict(zip(posteriors, softmax(best).tolist(), strict=True))


def fit_stacking(posteriors: Posteriors, truth: Sequence[int]) -> Callable[..., np.ndarray]:
    """Fit a logistic regression on all streams' log posteriors (stacking, Wolpert 1992).

    It may learn that one stream is right where another errs, at the price of a weight for
    every pair of classes in every stream.

    Args:
        posteriors: Stream -> posteriors (n, classes) of speakers that no network met.
        truth: (n,) index of each clip's class; every class must occur.

    Returns:
        A rule: posteriors of the same streams -> (m, classes).
    """
    from sklearn.linear_model import LogisticRegression

    def features(given: Posteriors) -> np.ndarray:
        return np.concatenate(
            [floored_log(np.asarray(given[s], float)) for s in posteriors], axis=1
        )

    fitted = LogisticRegression(C=0.05, max_iter=1000).fit(features(posteriors), truth)
    return lambda given: fitted.predict_proba(features(given))
