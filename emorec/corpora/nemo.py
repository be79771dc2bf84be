"""nEMO (Christop 2024): Polish speech of nine actors, 90 sentences, six emotions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.corpora.corpus import Companion, Corpus, sound_files
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
_NAME = re.compile(r"([A-Z]{2}\d)_([a-z]+)_(\d+)$")
_FACTS = "data.tsv"
_UNKNOWN = {"gender": None, "age": None}


def parse_name(path: str | Path) -> dict | None:
    """Read what a nEMO file name says, or None if the name is not nEMO's.

    Raises:
        ValueError: If the name has nEMO's form and an unknown emotion.

    Example:
        >>> parse_name("WR0_surprised_64.wav")["emotion"]
        'surprise'
        >>> parse_name("holiday.wav") is None
        True
    """
    match = _NAME.match(Path(path).stem)
    if match is None:
        return None
    actor, code, sentence = match.groups()
    if code not in _EMOTION_CODES:
        raise ValueError(f"{path}: unknown emotion {code!r}; is it from nEMO?")
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
    people = _people(folder / _FACTS)
    rows = []
    for file in sound_files(folder, "samples/*"):
        if facts := parse_name(file):
            actor = facts["speaker"].removeprefix("nemo-")
            rows.append({"path": str(file)} | facts | people.get(actor, _UNKNOWN))
    if not rows:
        raise CorpusMissingError("nEMO", folder)
    return pd.DataFrame(rows)


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


CORPUS = Corpus(
    key="nemo",
    name="nEMO",
    folder="nEMO",
    medium="sound",
    load=load_sound_table,
    classes=CLASSES,
    # Not every actor says every sentence in every emotion; only `data.tsv` knows which.
    planned_count=4481,
    parse_name=parse_name,
    is_name_telling=True,
    layout="samples/*_*_*.*",
    example="samples/WR0_surprised_64.wav",
    holds="acted Polish speech of 9 actors: sound",
    companions=(Companion(file=f"nEMO/{_FACTS}", holds="the actors' genders and ages"),),
    citation="Christop 2024",
    source="GitHub",
    url="https://github.com/amu-cai/nEMO",
    terms="CC BY-NC-SA 4.0",
    how=(
        "nEMO (CC BY-NC-SA 4.0) lies on GitHub:",
        "  git clone https://github.com/amu-cai/nEMO",
        "Put its folder samples, and data.tsv for genders and ages, into {folder}:",
        "{folder}/samples/WR0_surprised_64.wav ...",
    ),
)
