"""What a speaker's takes have in common, and speakers who do not exist.

Voices and faces differ more between persons than between emotions. As each speaker of an acted
corpus acts every emotion alike, the mean over the takes is the person; taking it away and adding
a made-up one's teaches a network to look past identity.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["made_up_means", "speaker_means"]


def speaker_means(
    take_means: Sequence[np.ndarray], takes: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Return each speaker's mean, every emotion counting alike, and whose each take is.

    Args:
        take_means: The mean of each take, all of one shape.
        takes: Their table, with `speaker` and `emotion`.

    Returns:
        float32 (speakers, ...), speakers by name; int (takes,), each take's row of it.

    Example:
        >>> takes = pd.DataFrame({"speaker": ["b", "a", "a"], "emotion": ["sad", "sad", "happy"]})
        >>> means, speaker = speaker_means(np.array([[4.0], [1.0], [3.0]]), takes)
        >>> means.tolist(), speaker.tolist()
        ([[2.0], [4.0]], [1, 0, 0])
    """
    values, emotions = np.stack(take_means), takes["emotion"].to_numpy()
    names, speaker = np.unique(takes["speaker"].to_numpy(str), return_inverse=True)

    def mean_of(own):
        return np.mean([values[own & (emotions == e)].mean(0) for e in np.unique(emotions[own])], 0)

    means = [mean_of(speaker == row) for row in range(len(names))]
    return np.stack(means).astype(np.float32), speaker


def made_up_means(
    rng: np.random.Generator, means: np.ndarray, count: int, spread: float = 1.0
) -> np.ndarray:
    """Draw speakers' means from the normal distribution of those that are known.

    Args:
        rng: Source of chance.
        means: (speakers, ...) the known ones.
        count: How many to draw.
        spread: Of the drawn ones, 1 for that of the known.

    Returns:
        float32 (count, ...): mixtures of the known ones' differences from their mean.
    """
    speakers, mean = len(means), means.mean(0)
    scale = spread / np.sqrt(max(1, speakers - 1))
    mix = rng.normal(0, scale, (count, speakers)).astype(np.float32)
    return mean + np.tensordot(mix, means - mean, 1)
