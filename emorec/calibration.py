"""Calibration on a speaker: what a person always seems to say is no emotion.

A face with a drooping mouth looks sad in every clip, and a sharp voice sounds angry. A few clips of
the same person, without labels, show what each stream says of that person whatever happens; how far
that lies from what it says of people at large is taken out of its log posteriors.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from emorec.posteriors import floored_log

TRUST_CLIPS = 4
"""So many clips of a person are trusted half: they tell as much of their emotions as of the person.

On RAVDESS 2 to 8 do about as well; without it, a few clips of one emotion do harm (notebook 12)."""

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
