"""SFEW 2.0 (Dhall et al. 2011, 2015): faces from films, many in mid-speech and in odd light."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emorec.corpora.corpus import Companion, Corpus, read_labels, read_pictures
from emorec.emotions import COMMON7
from emorec.paths import data_folder

if TYPE_CHECKING:
    import pandas as pd

WIDTH_PX, HEIGHT_PX = 96, 122


def load_picture_table(folder: Path | None = None) -> pd.DataFrame:
    """List the pictures, one row each; some hold no face.

    Args:
        folder: Holds `faces/*.jpg` and `labels.csv` with the columns file, emotion, film; by
            default `SFEW` in the data folder.

    Returns:
        path, clip_id, emotion, speaker. Who is seen is not told: `speaker` is the film, all of
        whose people a split keeps on one side.

    Raises:
        CorpusMissingError: If there is none.
        ValueError: If the table lacks a column or names an unknown emotion.
    """
    folder = Path(folder or data_folder() / "SFEW")
    table = read_labels("SFEW", folder, ("film",))
    table["speaker"] = "sfew-" + table["film"]
    return table[["path", "clip_id", "emotion", "speaker"]]


def load_pictures(table: pd.DataFrame) -> np.ndarray:
    """Read the pictures of a table, uint8 (n, 122, 96), grey: from the forehead to the chin.

    Raises:
        ValueError: If one cannot be read or has another size.
    """
    return read_pictures(table["path"], (HEIGHT_PX, WIDTH_PX))


CORPUS = Corpus(
    key="sfew",
    name="SFEW",
    folder="SFEW",
    medium="pictures",
    load=load_picture_table,
    classes=COMMON7,
    planned_count=958,
    layout="faces/*.jpg",
    example="faces/Train_Angry_Airheads_000519240_00000005.jpg",
    holds="aligned faces from films (the training part of SFEW 2.0), 96x122, grey",
    companions=(
        Companion(file="SFEW/labels.csv", holds="of each face: `file`, `emotion`, `film`"),
    ),
    citation="Dhall et al. 2011, 2015",
    source="Australian National University, on a signed agreement",
    url="https://users.cecs.anu.edu.au/~few_group/AFEW.html",
    terms="research only, on agreement",
    how=(
        "SFEW is given out for research by its authors, on a signed agreement:",
        "  https://users.cecs.anu.edu.au/~few_group/AFEW.html",
        "Put the aligned faces of its training part, 96 wide, 122 high and grey, into {folder}:",
        "{folder}/faces/Train_Angry_Airheads_000519240_00000005.jpg ..., and beside them",
        "labels.csv with the columns file, emotion, film.",
    ),
)
