"""CFEE (Du, Tao & Martinez 2014): posed faces in seven basic and fifteen compound expressions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emorec.corpora.corpus import Companion, Corpus, read_labels, read_pictures
from emorec.emotions import COMMON7
from emorec.paths import data_folder

if TYPE_CHECKING:
    import pandas as pd

SIZE_PX = 96


def load_picture_table(folder: Path | None = None) -> pd.DataFrame:
    """List the pictures, one row each.

    Args:
        folder: Holds `faces/*.jpg` and `labels.csv` with the columns file, label, emotion,
            person; by default `CFEE` in the data folder.

    Returns:
        path, clip_id, emotion (None for a compound expression), speaker, expression (one of 22,
        "happily surprised" among them).

    Raises:
        CorpusMissingError: If there is none.
        ValueError: If the table lacks a column or names an unknown emotion.
    """
    folder = Path(folder or data_folder() / "CFEE")
    table = read_labels("CFEE", folder, ("label", "person"))
    table["speaker"] = "cfee-" + table["person"]
    table["expression"] = table["label"].str.lower()
    return table[["path", "clip_id", "emotion", "speaker", "expression"]]


def load_pictures(table: pd.DataFrame) -> np.ndarray:
    """Read the pictures of a table, uint8 (n, 96, 96), grey.

    Raises:
        ValueError: If one cannot be read or has another size.
    """
    return read_pictures(table["path"], (SIZE_PX, SIZE_PX))


CORPUS = Corpus(
    key="cfee",
    name="CFEE",
    folder="CFEE",
    medium="pictures",
    load=load_picture_table,
    classes=COMMON7,
    # 230 people in 22 expressions.
    planned_count=5060,
    layout="faces/*.jpg",
    example="faces/0001.jpg",
    holds="posed faces of 230 people in 22 basic and compound expressions, cut to 96x96, grey",
    companions=(
        Companion(
            file="CFEE/labels.csv",
            holds="of each face: `file`, `label`, `emotion` (empty for a compound one), `person`",
        ),
    ),
    citation="Du, Tao & Martinez 2014",
    source="Ohio State University, on request",
    url="https://cbcsl.ece.ohio-state.edu/compound.html",
    terms="research",
    how=(
        "CFEE is given out for research by the Ohio State University, on request:",
        "  https://cbcsl.ece.ohio-state.edu/compound.html",
        "Cut the faces to 96x96, grey, and put them into {folder}: {folder}/faces/0001.jpg ...,",
        "and beside them labels.csv with the columns file, label, emotion, person.",
    ),
)
