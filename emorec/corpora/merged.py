"""Several corpora's sound as one table, in classes that they share."""

from collections.abc import Mapping, Sequence

import pandas as pd

from emorec.emotions import VOCABULARIES

COLUMNS = ("path", "clip_id", "corpus", "emotion", "speaker")
"""Columns of a merged table; `corpus` is the key that the table came in under."""

KNOWN = tuple(sorted({name for classes in VOCABULARIES.values() for name in classes}))
"""Every emotion that any vocabulary of the project has."""


class MergeError(ValueError):
    """Tables that cannot stand in one; the message names the rows and the remedy."""


def merge_sound_tables(
    tables: Mapping[str, pd.DataFrame], known: Sequence[str] = KNOWN
) -> pd.DataFrame:
    """Put several corpora's tables under each other.

    Args:
        tables: Corpus -> its table, with `path`, `clip_id`, `emotion` and `speaker`.
        known: Emotions that may occur.

    Returns:
        All rows in the order given, with `COLUMNS`.

    Raises:
        MergeError: If an emotion is unknown, or a speaker or a clip stands under two corpora:
            a split by speaker would then hold somebody out under one name and train on them
            under the other.

    Example:
        >>> one = pd.DataFrame([["a.wav", "a", "sad", "x-1"]],
        ...     columns=["path", "clip_id", "emotion", "speaker"])
        >>> merge_sound_tables({"X": one})["corpus"].tolist()
        ['X']
    """
    parts = [table.assign(corpus=corpus)[list(COLUMNS)] for corpus, table in tables.items()]
    merged = pd.concat(parts, ignore_index=True)
    _check_emotions(merged, known)
    _check_under_one_corpus(merged, "speaker", "give each corpus's speakers names of their own")
    _check_under_one_corpus(merged, "clip_id", "read each corpus from its own folder only")
    return merged


def _check_emotions(merged: pd.DataFrame, known: Sequence[str]) -> None:
    unknown = merged[~merged["emotion"].isin(known)]
    if len(unknown):
        first = unknown.iloc[0]
        raise MergeError(
            f"{first['path']}: {first['corpus']} calls it {first['emotion']!r}, which is none of "
            f"{', '.join(known)} ({len(unknown)} such clips). Remedy: name it in "
            "emorec/emotions.py, or leave these clips out"
        )


def _check_under_one_corpus(merged: pd.DataFrame, column: str, remedy: str) -> None:
    corpora = merged.groupby(column)["corpus"].unique()
    twice = corpora[corpora.str.len() > 1]
    if len(twice):
        raise MergeError(
            f"{column} {twice.index[0]!r} stands under {' and '.join(twice.iloc[0])} "
            f"({len(twice)} such). Remedy: {remedy}"
        )
