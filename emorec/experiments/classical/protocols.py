"""Who trains and who is judged: as the published projects split takes and copies, or by speaker.

A *row* is a take and a kind of copy, two indices into the arrays of `VoiceFeatures`. The published
projects made copies first and split rows at random afterwards, so that a take trains and its own
copy is judged. By speaker, copies are made of training takes alone and only takes are judged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from emorec.evaluation.splits import (
    RAVDESS_BLOCKS,
    check_classes,
    check_disjoint,
    is_actor,
    speaker_folds,
)
from emorec.experiments.classical.features import KINDS

__all__ = ["Split", "by_speaker", "random_split", "rows_with_copies"]

VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class Split:
    """Rows (n, 2) int, take and kind, of three sides, and the fold's name."""

    fold: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def rows_with_copies(
    codes: np.ndarray,
    takes: np.ndarray,
    copies: Sequence[str],
    *,
    per_class: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Return takes and their copies.

    Args:
        codes: (n,) class of every take of the corpus.
        takes: (m,) which of them are wanted.
        copies: Kinds of copies to add, of `voice_copies.COPY_KINDS`.
        per_class: Rows of each class: copies are drawn until there are so many (class balance
            by augmentation); all copies where None.
        seed: Of the drawing.

    Returns:
        (rows, 2) int: take, kind.

    Example:
        >>> rows_with_copies(np.array([0, 1, 1]), np.arange(3), ["noise"], per_class=2).tolist()
        [[0, 0], [1, 0], [2, 0], [0, 1]]
    """
    kinds = [KINDS.index(kind) for kind in copies]
    plain = np.stack([takes, np.zeros_like(takes)], 1)
    added = np.array([(take, kind) for take in takes for kind in kinds], int).reshape(-1, 2)
    if per_class is None:
        return np.concatenate([plain, added])
    added = np.random.default_rng(seed).permutation(added)
    parts = [plain]
    for code in np.unique(codes[takes]):
        missing = max(0, per_class - int((codes[takes] == code).sum()))
        parts.append(added[codes[added[:, 0]] == code][:missing])
    return np.concatenate(parts)


def random_split(codes: np.ndarray, rows: np.ndarray, test_share: float, seed: int = 0) -> Split:
    """Split rows at random, class by class. LEAKS: siblings and speakers stand on every side.

    Args:
        codes: (n,) class of every take.
        rows: (m, 2), from `rows_with_copies`.
        test_share: Of the rows.
        seed: Of the order.
    """
    rng = np.random.default_rng(seed)
    train, validation, test = [], [], []
    for code in np.unique(codes):
        mixed = rng.permutation(rows[codes[rows[:, 0]] == code])
        tested = round(test_share * len(mixed))
        watched = tested + round(VALIDATION_SHARE * (len(mixed) - tested))
        test.append(mixed[:tested])
        validation.append(mixed[tested:watched])
        train.append(mixed[watched:])
    return Split("random", *(np.concatenate(side) for side in (train, validation, test)))


def by_speaker(
    table: pd.DataFrame,
    codes: np.ndarray,
    copies: Sequence[str],
    *,
    is_balanced: bool,
    blocks: Sequence[Sequence[int]] = RAVDESS_BLOCKS,
    seed: int = 0,
) -> Iterator[Split]:
    """Yield one split per block: its actors are judged, the next block's are watched.

    Args:
        table: All takes.
        codes: (n,) their classes.
        copies: Kinds of copies of the training takes; judged and watched takes have none.
        is_balanced: Whether copies bring each class to twice the largest class of the training
            side; else every training take gets all of them.
        blocks: Actors of each block.
        seed: Of the drawing of copies.

    Raises:
        SpeakerLeakError: If a speaker stood on two sides.
        MissingClassError: If a class has no take on a training side.
    """
    blocks = list(blocks)
    for fold, known, test in speaker_folds(table["speaker"], blocks):
        watched = is_actor(table["speaker"], blocks[fold % len(blocks)])
        train = known & ~watched
        speakers = table["speaker"]
        check_disjoint(train=speakers[train], validation=speakers[watched], test=speakers[test])
        emotions = table["emotion"]
        check_classes(sorted(set(emotions)), **{f"training side {fold}": emotions[train]})
        takes = np.flatnonzero(train)
        per_class = 2 * int(np.bincount(codes[takes]).max()) if is_balanced else None
        rows = rows_with_copies(codes, takes, copies, per_class=per_class, seed=seed + fold)
        yield Split(str(fold), rows, _plain(watched), _plain(test))


def _plain(mask: np.ndarray) -> np.ndarray:
    takes = np.flatnonzero(mask)
    return np.stack([takes, np.zeros_like(takes)], 1)
