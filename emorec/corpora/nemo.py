"""nEMO (Christop 2024): Polish speech of nine actors, 90 sentences, six emotions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.errors import CorpusMissingError
from emorec.paths import data_folder

if TYPE_CHECKING:
    import pandas as pd

CLASSES = ("angry", "fear", "happy", "neutral", "sad", "surprise")
"""The six acted emotions of nEMO."""

# Second field of a file name -> class.
_EMOTION_CODES = {
    "anger": "angry",
    "fear": "fear",
    "happiness": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprised": "surprise",
}
_SOUND_SUFFIXES = {".wav", ".flac", ".opus", ".mp3", ".m4a"}
_NAME = re.compile(r"([A-Z]{2}\d)_([a-z]+)_(\d+)$")
_FACTS = "data.tsv"
_UNKNOWN = {"gender": None, "age": None}


def parse_name(path: str | Path) -> dict | None:
    """Read what a nEMO file name says, or None if the name is not nEMO's.

    Example:
        >>> parse_name("WR0_surprised_64.wav")["emotion"]
        'surprise'
        >>> parse_name("holiday.wav") is None
        True
    """
    match = _NAME.match(Path(path).stem)
    if match is None or match[2] not in _EMOTION_CODES:
        return None
    actor, code, sentence = match.groups()
    return {
        "clip_id": match[0],
        "emotion": _EMOTION_CODES[code],
        "speaker": f"nemo-{actor}",
        "statement": int(sentence),
    }


def load_sound_table(folder: Path | None = None) -> pd.DataFrame:
    """List the recordings, one row each, by name.

    Args:
        folder: Holds `samples/WR0_surprised_64.wav` ... (compressed copies under the same names
            are read too); by default `nEMO` in the data folder. Genders and ages come from the
            corpus's own `data.tsv`, where it lies there.

    Returns:
        path, clip_id, emotion, speaker, statement (number of the sentence), gender and age in
        years (None where unknown).

    Raises:
        CorpusMissingError: If there is none.
        ValueError: If a name carries an unknown emotion.
    """
    import pandas as pd

    folder = Path(folder or data_folder() / "nEMO")
    files = [f for f in (folder / "samples").glob("*") if f.suffix.lower() in _SOUND_SUFFIXES]
    people = _people(folder / _FACTS)
    rows = []
    for file in sorted(files):
        _check_code(file)
        if facts := parse_name(file):
            actor = facts["speaker"].removeprefix("nemo-")
            rows.append({"path": str(file)} | facts | people.get(actor, _UNKNOWN))
    if not rows:
        raise CorpusMissingError("nEMO", folder)
    return pd.DataFrame(rows)


def _check_code(file: Path) -> None:
    """Raise on a name that has nEMO's form but an emotion that nEMO does not know."""
    match = _NAME.match(file.stem)
    if match and match[2] not in _EMOTION_CODES:
        raise ValueError(f"{file}: unknown emotion {match[2]!r}; is it from nEMO?")


def _people(file: Path) -> dict[str, dict]:
    """Read each actor's gender and age; empty without the file."""
    import pandas as pd

    if not file.exists():
        return {}
    table = pd.read_csv(file, sep="\t", dtype=str, usecols=["speaker_id", "gender", "age"])
    # Some rows of the published table are padded with blanks.
    table = table.apply(lambda column: column.str.strip()).drop_duplicates("speaker_id")
    return {
        row.speaker_id: {"gender": row.gender, "age": int(row.age)} for row in table.itertuples()
    }
