"""Speech corpora as the frozen encoder hears them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd

from emorec.errors import CorpusMissingError
from emorec.training.encoder_features import as_copy, clip_features

LOADERS = {
    "ravdess": "load_sound_table",
    "crema_d": "load_sound_table",
    "savee": "load_sound_table",
    "javased": "load_video_table",
    "nemo": "load_sound_table",
    "emovo": "load_sound_table",
}
"""Corpus -> what lists its clips in its module."""


@dataclass(frozen=True)
class Heard:
    """Clips as the encoder hears them.

    Attributes:
        table: `clip_id`, `corpus`, `speaker`, `emotion`.
        statistics: float32 (clips, 3072).
        segments: float16 (clips, 8, 1536).
        copies: Altered copies of the same clips, or of some of them.
    """

    table: pd.DataFrame
    statistics: np.ndarray
    segments: np.ndarray
    copies: tuple[Heard, ...] = ()

    def of(self, rows: np.ndarray) -> Heard:
        """Return the clips that a bool mask (clips,) chooses, and their copies."""
        table = self.table[rows].reset_index(drop=True)
        chosen = set(zip(table["corpus"], table["clip_id"], strict=True))
        copies = tuple(copy.of(copy.is_among(chosen)) for copy in self.copies)
        return Heard(table, self.statistics[rows], self.segments[rows], copies)

    def is_among(self, clips: set[tuple[str, str]]) -> np.ndarray:
        """Return bool (clips,): which are among these pairs of corpus and clip."""
        own = zip(self.table["corpus"], self.table["clip_id"], strict=True)
        return np.array([clip in clips for clip in own], bool)

    def with_copies(self) -> Heard:
        """Return clips and copies as one, to train on."""
        every = (self, *self.copies)
        return Heard(
            pd.concat([h.table for h in every], ignore_index=True),
            np.concatenate([h.statistics for h in every]),
            np.concatenate([h.segments for h in every]),
        )


def load_table(corpus: str) -> pd.DataFrame:
    """List a corpus's clips: path, clip_id, emotion, speaker, corpus.

    Raises:
        CorpusMissingError: If it is not there.
    """
    load = getattr(import_module(f"emorec.corpora.{corpus}"), LOADERS[corpus])
    table = load()[["path", "clip_id", "emotion", "speaker"]].assign(corpus=corpus)
    return table.reset_index(drop=True)


def hear(corpora: Sequence[str], work: Path, copies: int = 1) -> Heard:
    """Return what the encoder hears in all corpora that are there; the others are named."""
    found = []
    for corpus in corpora:
        try:
            table = load_table(corpus)
        except CorpusMissingError as error:
            print(f"left out of everything: {error}", flush=True)
            continue
        plain = Heard(table, *clip_features(table, work / f"{corpus}_plain"))
        some = table[_is_copied(corpus, len(table))].reset_index(drop=True)
        altered = [
            Heard(some, *clip_features(some, work / f"{corpus}_copy_{n}", as_copy(n)))
            for n in range(1, copies + 1)
        ]
        found.append(Heard(table, plain.statistics, plain.segments, tuple(altered)))
    return together(found)


def _is_copied(corpus: str, clips: int) -> np.ndarray:
    """Return which clips get copies, bool (clips,): all, of the two large corpora one half."""
    if corpus not in ("crema_d", "nemo"):
        return np.ones(clips, bool)
    return np.random.default_rng(0).permutation(clips) % 6 < 3


def together(parts: Sequence[Heard]) -> Heard:
    """Return several corpora as one."""
    return Heard(
        pd.concat([part.table for part in parts], ignore_index=True),
        np.concatenate([part.statistics for part in parts]),
        np.concatenate([part.segments for part in parts]),
        tuple(together(copies) for copies in zip(*(part.copies for part in parts), strict=True)),
    )
