"""CK+ (Lucey et al. 2010) as 48x48 grey faces: the last three frames of each posed sequence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emorec.corpora.corpus import Corpus, read_pictures
from emorec.emotions import BASIC6
from emorec.errors import CorpusMissingError
from emorec.paths import data_folder

if TYPE_CHECKING:
    import pandas as pd

SIZE_PX = 48

# Folder -> class.
_EMOTION_FOLDERS = {
    "anger": "angry",
    "contempt": "contempt",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happy",
    "sadness": "sad",
    "surprise": "surprise",
}


def parse_name(path: str | Path) -> dict | None:
    """Read what folder and name of a picture say, or None if they are not CK+'s.

    Example:
        >>> parse_name("CK+48/anger/S010_004_00000017.png")["speaker"]
        'ck-plus-S010'
    """
    path = Path(path)
    fields = path.stem.split("_")
    if len(fields) != 3 or not fields[0].startswith("S") or path.suffix.lower() != ".png":
        return None
    if path.parent.name not in _EMOTION_FOLDERS:
        return None
    return {
        "clip_id": path.stem,
        "emotion": _EMOTION_FOLDERS[path.parent.name],
        "speaker": f"ck-plus-{fields[0]}",
        "sequence": "_".join(fields[:2]),
    }


def load_picture_table(folder: Path | None = None) -> pd.DataFrame:
    """List the pictures, one row each: path, clip_id, emotion, speaker, sequence.

    Args:
        folder: Holds `CK+48/<emotion>/*.png`; by default `CKplus` in the data folder.

    Raises:
        CorpusMissingError: If there is none.
        ValueError: If a folder names no emotion of CK+.
    """
    import pandas as pd

    folder = Path(folder or data_folder() / "CKplus")
    files = sorted(folder.glob("CK+48/*/*.png"))
    unknown = sorted({str(file.parent) for file in files} - _known_folders(folder))
    if unknown:
        raise ValueError(
            f"{unknown[0]}: no emotion of CK+. Remedy: name it as one of "
            f"{', '.join(_EMOTION_FOLDERS)}, or move it out of CK+48."
        )
    rows = [{"path": str(f)} | facts for f in files if (facts := parse_name(f))]
    if not rows:
        raise CorpusMissingError("CK+", folder)
    return pd.DataFrame(rows)


def _known_folders(folder: Path) -> set[str]:
    return {str(folder / "CK+48" / name) for name in _EMOTION_FOLDERS}


def load_pictures(table: pd.DataFrame) -> np.ndarray:
    """Read the pictures of a table, uint8 (n, 48, 48).

    Raises:
        ValueError: If one cannot be read or has another size.
    """
    return read_pictures(table["path"], (SIZE_PX, SIZE_PX))


def load_six() -> tuple[pd.DataFrame, np.ndarray]:
    """Return table and faces of CK+ without contempt.

    Raises:
        CorpusMissingError: If CK+ is absent.
    """
    table = load_picture_table()
    table = table[table["emotion"].isin(BASIC6)].reset_index(drop=True)
    return table, load_pictures(table)


CORPUS = Corpus(
    key="ck-plus",
    name="CK+",
    folder="CKplus",
    medium="pictures",
    load=load_picture_table,
    classes=tuple(sorted(_EMOTION_FOLDERS.values())),
    # Three of each of the 327 sequences that carry a label.
    planned_count=981,
    parse_name=parse_name,
    layout="CK+48/*/*.png",
    example="CK+48/anger/S010_004_00000017.png",
    holds="48x48 grey posed faces: folders name emotions, names begin with the subject",
    citation="Lucey et al. 2010",
    source=(
        "University of Pittsburgh, on a signed agreement; the 48x48 version holds the last three "
        "frames of each sequence"
    ),
    url="https://www.jeffcohn.net/Resources/",
    terms="research only, on agreement",
    how=(
        "CK+ is given out for research by the University of Pittsburgh, on a signed form:",
        "  https://www.jeffcohn.net/Resources/",
        "The 48x48 version holds the last three frames of each sequence, cut to the face.",
        "Put it into {folder}: {folder}/CK+48/<emotion>/S010_004_00000017.png ...",
    ),
)
