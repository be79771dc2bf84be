"""What a speaker's takes have in common, and speakers who do not exist.

Voices and faces differ more between persons than between emotions. As each speaker of an acted
corpus acts every emotion alike, the mean over the takes is the person; taking it away and adding
a made-up one's teaches a network to look past identity.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["made_up_means", "speaker_means"]


def speaker_means(take_means: Sequence[np.ndarray], takes: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return each speaker's mean, every emotion counting alike.

    Args:
        take_means: The mean of each take, all of one shape.
        takes: Their table, with `speaker` and `emotion`.

    Returns:
        Speaker -> float32 array of that shape.
    """
    means = np.stack(take_means)
    speakers, emotions = takes["speaker"].to_numpy(), takes["emotion"].to_numpy()
    return {
        str(name): np.mean(
            [
                means[(speakers == name) & (emotions == emotion)].mean(0)
                for emotion in np.unique(emotions[speakers == name])
            ],
            0,
        ).astype(np.float32)
        for name in np.unique(speakers)
    }


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
