"""Fitting the fusion, and the plain rules that it is compared with."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np

from emorec.calibration import mean_log
from emorec.fusion import LogLinearFusion, Posteriors
from emorec.posteriors import FLOOR, floored_log, softmax

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
    usual = {s: mean_log(np.asarray(posteriors[s])[rows]) for s, rows in present.items()}
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
            exponents = _fit_exponents(
                np.stack([logs[s][rows] for s in streams]), truth[rows], counts[rows]
            )
            if size == 1:
                temperatures[streams[0]] = float(1 / exponents[0])
            weights[frozenset(streams)] = {
                s: float(e * temperatures[s]) for s, e in zip(streams, exponents, strict=True)
            }
    return LogLinearFusion(tuple(classes), temperatures, weights, usual)


def _fit_exponents(logs: np.ndarray, truth: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the exponents (streams,) of least negative log-likelihood; a convex problem."""
    # Imported here, for the recogniser applies and never fits, and starts faster without it.
    from scipy.optimize import minimize

    clips = np.arange(len(truth))
    share = counts / counts.sum()

    def loss_and_gradient(exponents):
        joint = np.tensordot(exponents, logs, 1)
        posterior = softmax(joint)
        loss = -(share * np.log(np.maximum(posterior[clips, truth], 1e-300))).sum()
        expected = (posterior * logs).sum(2)
        return loss, ((expected - logs[:, clips, truth]) * share).sum(1)

    start = np.full(len(logs), 1 / len(logs))
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
