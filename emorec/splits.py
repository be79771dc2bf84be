"""Speaker-disjoint protocols. No speaker is ever on two sides, and that is checked."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from emorec.corpora.ravdess import speaker_name

RAVDESS_BLOCKS = tuple(tuple(range(first, first + 4)) for first in range(1, 25, 4))
"""Six blocks of four actors: (1-4), (5-8), ... (21-24), as HiCMAE's evaluation uses."""

LUNA_FOLDS = (
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)
"""The five folds of Luna-Jimenez et al. 2022."""

REFERENCE_TEST_ACTORS = (21, 22, 23, 24)
"""The test actors of the two-stream reference project."""


class SpeakerLeakError(ValueError):
    """A speaker stands on two sides of a split."""


def check_disjoint(**sides: Sequence[str]) -> None:
    """Raise if two sides share a speaker.

    Args:
        **sides: Name of a side -> speaker of each of its rows.

    Raises:
        SpeakerLeakError: Naming the speakers and the sides.

    Example:
        >>> check_disjoint(train=["a", "b"], test=["b"])
        Traceback (most recent call last):
        ...
        emorec.splits.SpeakerLeakError: on both sides, train and test: b
    """
    names = list(sides)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            shared = sorted(set(sides[first]) & set(sides[second]))
            if shared:
                raise SpeakerLeakError(
                    f"on both sides, {first} and {second}: {', '.join(map(str, shared))}"
                )


def is_actor(speakers: pd.Series, actors: Sequence[int]) -> np.ndarray:
    """Return bool (n,): which rows are takes of these RAVDESS actors."""
    return speakers.isin([speaker_name(actor) for actor in actors]).to_numpy()


def speaker_folds(
    speakers: pd.Series, blocks: Sequence[Sequence[int]] = RAVDESS_BLOCKS
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield (fold number from 1, train rows, test rows), bool masks; each block tests once.

    Raises:
        SpeakerLeakError: If a speaker is in two blocks.
    """
    check_disjoint(
        **{f"block {i}": [speaker_name(a) for a in block] for i, block in enumerate(blocks, 1)}
    )
    for fold, block in enumerate(blocks, 1):
        test = is_actor(speakers, block)
        check_disjoint(train=speakers[~test], test=speakers[test])
        yield fold, ~test, test
