"""The tables of the clips that a pixel notebook runs on: the corpora at hand, or avatars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed

from emorec import avatar
from emorec.avatar import Take
from emorec.corpora import CorpusMissingError, javased, ravdess

__all__ = ["AVATARS", "made_up_video_table", "video_tables"]

AVATARS = "Avatars"
"""The name that stands for a corpus of avatars on every plot and in every table."""


def video_tables() -> dict[str, pd.DataFrame]:
    """List the clips of the corpora at hand.

    Returns:
        "RAVDESS" and "JavaSED", as far as there are clips of theirs -> table; empty without any.
    """
    tables = {}
    for name, corpus in (("RAVDESS", ravdess), ("JavaSED", javased)):
        try:
            tables[name] = corpus.load_video_table()
        except CorpusMissingError:
            continue
    return tables


def made_up_video_table(
    folder: str | Path,
    actors: Sequence[int],
    takes: Sequence[Take],
    *,
    size: tuple[int, int] = (640, 360),
    jobs: int = 2,
) -> pd.DataFrame:
    """Draw small clips of avatars in RAVDESS's layout, those that are missing, and list them.

    Args:
        folder: Where they go.
        actors: Numbers of the avatars.
        takes: What each of them plays.
        size: Width and height of the picture.
        jobs: Processes.

    Returns:
        The table that `ravdess.load_video_table` makes of the folder.
    """
    plan = [(Path(folder) / avatar.take_path(a, t), a, t) for a in actors for t in takes]
    missing = [step for step in plan if not step[0].exists()]
    Parallel(n_jobs=jobs)(delayed(avatar.write_clip)(*step, size) for step in missing)
    return ravdess.load_video_table(Path(folder))
