"""Calibration on a speaker: what a person always seems to say is no emotion.

A face with a drooping mouth looks sad in every clip, and a sharp voice sounds angry. A few clips of
the same person, without labels, show what each stream says of that person whatever happens; how far
that lies from what it says of people at large is taken out of its log posteriors.

To take the person's mean out of the voice network's features instead was tried and is no better:
with heads that never met the corpus, eight clips lift RAVDESS to 63 % this way and to 62 % that
way, CREMA-D to 48 and 49 %.

What it gains on corpora that the voice never met, `Models/comparisons/strangers/calibration.csv`
tells (made by `emorec.analysis.calibration_of_strangers`; notebook 12 shows it). Clips that all
show one emotion mislead: what they have in common is that emotion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from emorec.posteriors import floored_log

__all__ = [
    "ALIKE_NATS",
    "TRUST_CLIPS",
    "Speaker",
    "get_to_know",
    "look_alike",
    "mean_log",
    "personal_bias",
    "personal_biases",
    "spread",
    "without_bias",
]

TRUST_CLIPS = 4
"""So many clips of a person are trusted half: they tell as much of their emotions as of the person.

On RAVDESS 2 to 8 do about as well; without it, a few clips of one emotion do harm (notebook 12)."""

ALIKE_NATS = 0.25
"""Clips whose posteriors have less `spread` are taken to show one emotion.

Of eight clips drawn from left-out corpora that finds most of one emotion and few mixed ones
(`Models/comparisons/strangers/calibration.csv`, notebook 12)."""

FLOOR = 1e-4
"""Smaller probabilities are taken for this, so that no single clip decides."""


def mean_log(posteriors: np.ndarray) -> np.ndarray:
    """Return the mean over clips of log posteriors (clips, classes), float64 (classes,)."""
    return floored_log(posteriors, FLOOR).mean(0)


def personal_bias(posteriors: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Estimate how far what a stream says of a person lies from what it says of all.

    Args:
        posteriors: (clips, classes) of the person's clips; at least one.
        usual: (classes,), `mean_log` over clips of other people.

    Returns:
        float64 (classes,), in logarithms; drawn towards none the fewer the clips.

    Example:
        >>> personal_bias(np.array([[0.6, 0.4]] * 4), np.log([0.3, 0.4])).round(3)
        array([0.347, 0.   ])
    """
    trust = len(posteriors) / (len(posteriors) + TRUST_CLIPS)
    return trust * (mean_log(posteriors) - usual)


def without_bias(posteriors: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Take a person's bias out of posteriors.

    Args:
        posteriors: (..., classes).
        bias: (classes,), from `personal_bias`.

    Returns:
        The same shape and dtype, normalised.
    """
    scaled = np.maximum(posteriors, np.finfo(np.float32).tiny) * np.exp(-bias)
    return (scaled / scaled.sum(-1, keepdims=True)).astype(np.asarray(posteriors).dtype)


def personal_biases(
    clips: Sequence[Mapping[str, np.ndarray]], usual: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Estimate the bias of every stream that says something of any clip.

    Args:
        clips: For each clip, stream -> posterior (classes,).
        usual: Stream -> `mean_log` over clips of other people.
    """
    said = {stream: [clip[stream] for clip in clips if stream in clip] for stream in usual}
    return {s: personal_bias(np.stack(found), usual[s]) for s, found in said.items() if found}


def spread(posteriors: np.ndarray) -> float:
    """Return how far clips differ in what is said of them, in nats: 0 where all say the same.

    It is the Jensen-Shannon divergence of their posteriors (the entropy of the mean less the mean
    entropy) times n / (n - 1), as for a variance: two clips tell little less than many.

    Args:
        posteriors: (clips, classes); at least two.

    Example:
        >>> spread(np.array([[0.9, 0.1], [0.9, 0.1]])), round(spread(np.eye(2)), 3)
        (0.0, 1.386)
    """
    said = np.asarray(posteriors, float)
    gain = _entropy(said.mean(0)) - _entropy(said).mean()
    return float(gain * len(said) / (len(said) - 1))


def look_alike(posteriors: np.ndarray) -> bool:
    """Tell whether clips (clips, classes) may all show one emotion; a single one always may."""
    return len(posteriors) < 2 or spread(posteriors) < ALIKE_NATS


def _entropy(posteriors: np.ndarray) -> np.ndarray:
    return -(posteriors * floored_log(posteriors)).sum(-1)


@dataclass(frozen=True)
class Speaker:
    """What is known of the person whose clips are judged.

    Attributes:
        biases: Stream -> the person's bias (classes,), from `personal_bias`.
        notes: What a reader of every result should know of how it was learned.
        clips: From how many clips that said something.
    """

    biases: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    clips: int = 0


def get_to_know(
    clips: Sequence[Mapping[str, np.ndarray]], usual: Mapping[str, np.ndarray]
) -> Speaker:
    """Learn a person's biases from clips, and whether these serve for it.

    Args:
        clips: For each clip, stream or "fused" -> posterior (classes,).
        usual: Stream -> `mean_log` over clips of other people.

    Returns:
        Without any bias where no clip has a voice or a face.
    """
    fused = [clip["fused"] for clip in clips if "fused" in clip]
    notes = (_warning(len(fused)),) if fused and look_alike(np.stack(fused)) else ()
    return Speaker(personal_biases(clips, usual), notes, sum(map(bool, clips)))


def _warning(clips: int) -> str:
    which = "one clip" if clips == 1 else f"{clips} clips that look alike"
    return (
        f"calibrated on {which}: an emotion that is always shown is taken for the person's own and "
        "missed later; clips of mixed emotions serve better"
    )
