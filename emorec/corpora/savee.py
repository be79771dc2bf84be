"""SAVEE (Haq & Jackson 2009): four British men, 15 sentences for each of seven emotions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.corpora.corpus import Corpus, sound_files
from emorec.emotions import COMMON7
from emorec.errors import CorpusMissingError
from emorec.paths import data_folder

if TYPE_CHECKING:
    import pandas as pd

SPEAKERS = ("DC", "JE", "JK", "KL")
"""Initials of the four men."""

# Letters of a file name -> class.
_EMOTION_CODES = {
    "a": "angry",
    "d": "disgust",
    "f": "fear",
    "h": "happy",
    "n": "neutral",
    "sa": "sad",
    "su": "surprise",
}
# `DC_a01` as everybody shares it, and `DC/a01` as the university unpacks it.
_NAME = re.compile(r"(?:^|/)([A-Z]{2})[_/]([a-z]+)(\d{2})$")


def parse_name(path: str | Path) -> dict | None:
    """Read what a SAVEE file name says, or None if the name is not SAVEE's.

    Raises:
        ValueError: If the name is one of SAVEE's speakers' with an unknown emotion code.

    Example:
        >>> parse_name("DC_sa03.wav")["clip_id"], parse_name("AudioData/DC/sa03.wav")["emotion"]
        ('DC_sa03', 'sad')
    """
    match = _NAME.search(Path(path).with_suffix("").as_posix())
    if match is None or match[1] not in SPEAKERS:
        return None
    speaker, code, number = match.groups()
    if code not in _EMOTION_CODES:
        raise ValueError(f"{path}: unknown emotion code {code!r}; is it from SAVEE?")
    return {
        "clip_id": f"{speaker}_{code}{number}",
        "emotion": _EMOTION_CODES[code],
        "speaker": f"savee-{speaker}",
        "gender": "male",
        "statement": f"{code}{number}",
    }


def load_sound_table(folder: Path | None = None) -> pd.DataFrame:
    """List the recordings, one row each: path, clip_id, emotion, speaker, gender, statement.

    Args:
        folder: Holds `DC_a01.wav` ..., or the university's `AudioData/DC/a01.wav` ...; by
            default `SAVEE` in the data folder.

    Raises:
        CorpusMissingError: If there is none.
        ValueError: If a name carries an unknown emotion code.
    """
    import pandas as pd

    folder = Path(folder or data_folder() / "SAVEE")
    files = sorted(sound_files(folder, "**/*"))
    rows = [{"path": str(f)} | facts for f in files if (facts := parse_name(f))]
    if not rows:
        raise CorpusMissingError("SAVEE", folder)
    return pd.DataFrame(rows)


def planned_clip_ids() -> list[str]:
    """List the 480 recordings of the complete corpus: neutral 30 times, the others 15 times.

    Example:
        >>> len(planned_clip_ids())
        480
    """
    return [
        f"{speaker}_{code}{number:02d}"
        for speaker in SPEAKERS
        for code in _EMOTION_CODES
        for number in range(1, 31 if code == "n" else 16)
    ]


CORPUS = Corpus(
    key="savee",
    name="SAVEE",
    folder="SAVEE",
    medium="sound",
    load=load_sound_table,
    classes=COMMON7,
    planned=planned_clip_ids,
    planned_count=480,
    parse_name=parse_name,
    layout="**/*.*",
    example="DC_a01.wav",
    holds="acted English speech of 4 men; the name gives speaker, emotion, sentence",
    citation="Haq & Jackson 2009",
    source="University of Surrey, on registration",
    url="http://kahlan.eps.surrey.ac.uk/savee/",
    terms="research only, on registration",
    how=(
        "SAVEE is given out for research by the University of Surrey, on registration:",
        "  http://kahlan.eps.surrey.ac.uk/savee/",
        "Put the sound files into {folder}: {folder}/DC_a01.wav ..., or the university's",
        "{folder}/AudioData/DC/a01.wav ...; both are read.",
    ),
)
