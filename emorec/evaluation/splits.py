"""Speaker-disjoint protocols. No speaker is ever on two sides, and that is checked."""

from collections.abc import Iterator, Mapping, Sequence

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

LAST_ACTORS = tuple(range(17, 25))
"""RAVDESS's last eight actors, whom quick comparisons hold out."""

CREMA_D_SIDES = {"test": 20, "validation": 10}
"""How many of CREMA-D's actors are drawn for each side; the others train."""

JAVASED_FOLDS = (("01", "02"), ("03", "04"), ("05", "06"), ("07", "08"))
"""JavaSED's actors, two and two."""

JAVASED_PROTOCOL = (
    "JavaSED, 192 clips of 8 actors, 6 classes, by speaker: four folds of two actors, each judged "
    "by a network trained on {others}; {how}"
)


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
        emorec.evaluation.splits.SpeakerLeakError: on both sides, train and test: b
    """
    names = list(sides)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            shared = sorted(set(sides[first]) & set(sides[second]))
            if shared:
                raise SpeakerLeakError(
                    f"on both sides, {first} and {second}: {', '.join(map(str, shared))}"
                )


class MissingClassError(ValueError):
    """A side of a split has no clip of a class that it has to have."""


def check_classes(classes: Sequence[str], **sides: Sequence[str]) -> None:
    """Raise if a side lacks a class: nothing would be learnt, or measured, of it.

    Args:
        classes: All that each side needs.
        **sides: Name of a side -> emotion of each of its rows.

    Raises:
        MissingClassError: Naming the side and the classes.

    Example:
        >>> check_classes(("happy", "sad"), train=["sad", "sad"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        emorec.evaluation.splits.MissingClassError: train has no clip of: happy. Remedy: ...
    """
    for name, emotions in sides.items():
        absent = [label for label in classes if label not in set(emotions)]
        if absent:
            raise MissingClassError(
                f"{name} has no clip of: {', '.join(absent)}. Remedy: draw the speakers anew, or "
                "leave the class out of all sides"
            )


def draw_sides(speakers: pd.Series, sizes: Mapping[str, int], seed: int) -> dict[str, np.ndarray]:
    """Deal a corpus's speakers out to the sides of a split; what is left over trains.

    The draw depends on the set of speakers and the seed alone, not on the order of the rows.

    Args:
        speakers: Speaker of each row.
        sizes: Name of a side -> number of its speakers.
        seed: Of the draw.

    Returns:
        Name of each side, and `train` -> bool (rows,).

    Raises:
        ValueError: If no speaker would be left to train on.

    Example:
        >>> rows = pd.Series(["a", "a", "b", "c"])
        >>> {side: int(mask.sum()) for side, mask in draw_sides(rows, {"test": 1}, 0).items()}
        {'test': 1, 'train': 3}
    """
    names = np.array(sorted(set(speakers)))
    if sum(sizes.values()) >= len(names):
        raise ValueError(
            f"{sum(sizes.values())} of {len(names)} speakers are to be held out, which leaves none "
            "to train on. Remedy: hold fewer out, or get the whole corpus"
        )
    drawn = np.random.default_rng(seed).permutation(names)
    sides, used = {}, 0
    for side, size in sizes.items():
        sides[side] = speakers.isin(drawn[used : used + size]).to_numpy()
        used += size
    sides["train"] = speakers.isin(drawn[used:]).to_numpy()
    check_disjoint(**{side: speakers[mask] for side, mask in sides.items()})
    return sides


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


def crema_d_sides(
    speakers: Sequence[str], sides: Mapping[str, int] = CREMA_D_SIDES
) -> dict[str, np.ndarray]:
    """Return who of CREMA-D stands on which side: name -> bool (n,); one draw for all networks."""
    return draw_sides(speakers, sides, seed=0)


def javased_folds(speakers: pd.Series) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield (fold number from 1, train rows, test rows), bool masks over JavaSED's clips."""
    for fold, actors in enumerate(JAVASED_FOLDS, 1):
        test = speakers.isin([f"javased-{actor}" for actor in actors]).to_numpy()
        check_disjoint(train=speakers[~test], test=speakers[test])
        yield fold, ~test, test
