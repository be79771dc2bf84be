"""The fusion fitted on somebody's clips, drawn towards the one that ships."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np

from emorec.fusion import LogLinearFusion
from emorec.speaker.calibration import mean_log
from emorec.training.fusion_rules import fit_exponents

__all__ = ["fit_own_fusion"]

_LEAST_CLIPS = 20
_WORTH_CLIPS = 30
"""What ships counts like so many clips, whose squared distance is a loss of one nat each."""


def fit_own_fusion(
    before: LogLinearFusion,
    shipped: Mapping[str, np.ndarray],
    posteriors: Mapping[str, np.ndarray],
    truth: np.ndarray,
) -> LogLinearFusion:
    """Fit temperatures and weights, each held to what it was by a penalty that few clips feel most.

    A stream, or a set of streams, that fewer than 20 clips have stays as it was.

    Args:
        before: The fusion that ships.
        shipped: Stream -> what its shipped network says, uncalibrated, (clips, 7); NaN where
            nothing.
        posteriors: Stream -> what its new network says of speakers that it did not meet.
        truth: int (clips,).
    """
    calibrations, usual = dict(before.calibrations), dict(before.usual)
    for stream, posterior in posteriors.items():
        there = np.isfinite(posterior).all(1)
        old = before.calibrations[stream]
        if there.sum() >= _LEAST_CLIPS:
            logs = old.log(posterior[there])[np.newaxis]
            exponent = _fitted(logs, truth[there], np.ones(1))[0]
            calibrations[stream] = replace(old, temperature=old.temperature / exponent)
        if there.any() and stream in usual:
            # What is said of people at large moves as it does on these clips, whatever they show.
            now = mean_log(calibrations[stream].apply(posterior[there]))
            usual[stream] = usual[stream] + now - mean_log(old.apply(shipped[stream][there]))
    weights = dict(before.weights)
    for size in range(2, len(posteriors) + 1):
        for streams in combinations(posteriors, size):
            expected = before.weights_of(streams)
            logs = np.stack([calibrations[s].log(posteriors[s]) for s in streams])
            there = np.isfinite(logs).all((0, 2))
            if there.sum() >= _LEAST_CLIPS:
                centre = np.array([expected[s] for s in streams])
                found = _fitted(logs[:, there], truth[there], centre)
                weights[frozenset(streams)] = dict(zip(streams, found.tolist(), strict=True))
    return LogLinearFusion(before.classes, calibrations, weights, usual)


def _fitted(logs: np.ndarray, truth: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return exponents (streams,) near `centre`."""
    strength = _WORTH_CLIPS / len(truth)
    return fit_exponents(logs, truth, np.ones(len(truth)), centre, strength)
