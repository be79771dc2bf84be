"""CK+ (Lucey et al. 2010) as 48x48 grey faces: the last three frames of each posed sequence."""

from pathlib import Path

import pandas as pd

from emorec.corpora import CorpusMissingError, data_folder

PLANNED_PICTURES = 981
"""Pictures of the complete set: three of each of the 327 sequences that carry a label."""

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
    """
    folder = Path(folder or data_folder() / "CKplus")
    files = sorted(folder.glob("CK+48/*/*.png"))
    rows = [{"path": str(f)} | facts for f in files if (facts := parse_name(f))]
    if not rows:
        raise CorpusMissingError("CK+", folder)
    return pd.DataFrame(rows)
