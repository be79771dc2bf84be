"""From the posteriors of single frames to one posterior for the clip: the rules compared.

Each rule takes (frames, classes) posteriors of one clip and returns (classes,), normalised.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from emorec.evaluation.scores import KEYS, intervals, scores
from emorec.posteriors import log_mean

_FLOOR = 1e-6


def mean(posteriors: np.ndarray) -> np.ndarray:
    """Average: the reference project's rule."""
    return posteriors.mean(0)


def median(posteriors: np.ndarray) -> np.ndarray:
    """Take each class's median, which a few odd frames do not move."""
    return _normalised(np.median(posteriors, axis=0))


def mode(posteriors: np.ndarray) -> np.ndarray:
    """Count the frames' verdicts; the mean breaks ties.

    Example:
        >>> mode(np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])).argmax()
        np.int64(1)
    """
    votes = np.bincount(posteriors.argmax(1), minlength=posteriors.shape[1])
    return _normalised(votes + 1e-3 * posteriors.mean(0))


def confidence_weighted_mean(posteriors: np.ndarray) -> np.ndarray:
    """Average, each frame counting as much as its highest probability stands above chance."""
    chance = 1 / posteriors.shape[1]
    weights = posteriors.max(1) - chance + _FLOOR
    return _normalised(weights @ posteriors)


RULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": mean,
    "median": median,
    "mode": mode,
    "confidence-weighted mean": confidence_weighted_mean,
    # Frames taken as independent witnesses of equal weight.
    "log-mean": partial(log_mean, floor=_FLOOR),
}


def pool(of_frames: pd.DataFrame, rule: str, frames_per_clip: int | None = None) -> pd.DataFrame:
    """Pool a prediction table of frames to one of clips.

    Args:
        of_frames: Prediction table with one row per frame and `frame_number`.
        rule: One of RULES.
        frames_per_clip: Use this many frames, evenly spread over the clip; None for all.

    Returns:
        Prediction table, one row per clip.

    Raises:
        KeyError: If there is no such rule.
    """
    classes = [c for c in of_frames.columns if c not in [*KEYS, "frame_number"]]
    rows = []
    for keys, part in of_frames.sort_values("frame_number").groupby(KEYS, sort=True):
        posteriors = part[classes].to_numpy(float)
        if frames_per_clip is not None:
            posteriors = posteriors[_spread(len(posteriors), frames_per_clip)]
        rows.append((*keys, *RULES[rule](posteriors)))
    return pd.DataFrame(rows, columns=[*KEYS, *classes])


def compare(of_frames: pd.DataFrame, others: dict[str, pd.DataFrame] | None = None):
    """Score a single frame, every rule, and other clip tables: one row each.

    Args:
        of_frames: Prediction table of frames.
        others: Name -> prediction table of clips, from other methods.
    """
    tables = {"one frame": of_frames.drop(columns="frame_number")}
    tables |= {rule: pool(of_frames, rule) for rule in RULES} | (others or {})
    rows = []
    for name, table in tables.items():
        low, high = intervals(table)["accuracy"]
        found = scores(table)
        rows.append((name, found["accuracy"], low, high, found["top3_accuracy"]))
    return pd.DataFrame(rows, columns=["rule", "top-1", "from", "to", "top-3"]).set_index("rule")


def by_frames(
    of_frames: pd.DataFrame, counts: Sequence[int], rules: Sequence[str] = ("mean", "log-mean")
) -> pd.DataFrame:
    """Score rules with few frames per clip: a row for each count, a column for each rule."""
    found = {
        rule: [scores(pool(of_frames, rule, count))["accuracy"] for count in counts]
        for rule in rules
    }
    return pd.DataFrame(found, index=pd.Index(counts, name="frames per clip"))


def _spread(length: int, count: int) -> np.ndarray:
    """Choose `count` of `length` places, in the middles of equal parts; all if there are fewer."""
    if count >= length:
        return np.arange(length)
    return ((np.arange(count) + 0.5) * length / count).astype(int)


def _normalised(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum()
