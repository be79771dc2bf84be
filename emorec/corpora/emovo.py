"""EMOVO (Costantini et al. 2014): Italian speech of six actors, 14 sentences, seven emotions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.corpora.corpus import Corpus, sound_files
from emorec.errors import CorpusMissingError
from emorec.paths import data_folder

if TYPE_CHECKING:
    import pandas as pd

SPEAKERS = ("f1", "f2", "f3", "m1", "m2", "m3")
SENTENCES = (
    *("b1", "b2", "b3", "d1", "d2", "l1", "l2", "l3", "l4"),
    *("n1", "n2", "n3", "n4", "n5"),
)

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""The seven acted emotions of EMOVO."""

# First field of a file name, an Italian word's beginning -> class.
_EMOTION_CODES = {
    "dis": "disgust",
    "gio": "happy",
    "neu": "neutral",
    "pau": "fear",
    "rab": "angry",
    "sor": "surprise",
    "tri": "sad",
}
_NAME = re.compile(r"([a-z]{3})-([fm][123])-([bdln]\d)$")


def parse_name(path: str | Path) -> dict | None:
    """Read what an EMOVO file name says, or None if the name is not EMOVO's.

    Raises:
        ValueError: If the name has EMOVO's form and an unknown emotion code.

    Example:
        >>> parse_name("gio-f1-b1.wav")["emotion"]
        'happy'
        >>> parse_name("holiday.wav") is None
        True
    """
    match = _NAME.match(Path(path).stem)
    if match is None:
        return None
    code, actor, sentence = match.groups()
    if code not in _EMOTION_CODES:
        raise ValueError(f"{path}: unknown emotion code {code!r}; is it from EMOVO?")
    return {
        "clip_id": match[0],
        "emotion": _EMOTION_CODES[code],
        "speaker": f"emovo-{actor}",
        "gender": "female" if actor.startswith("f") else "male",
        "statement": sentence,
    }


def load_sound_table(folder: Path | None = None) -> pd.DataFrame:
    """List the recordings, one row each: path, clip_id, emotion, speaker, gender, statement.

    Args:
        folder: Holds `f1/dis-f1-b1.wav` ..., as the corpus is given out, or all of them side by
            side; by default `EMOVO` in the data folder.

    Raises:
        CorpusMissingError: If there is none.
        ValueError: If a name carries an unknown emotion code.
    """
    import pandas as pd

    folder = Path(folder or data_folder() / "EMOVO")
    files = sound_files(folder, "**/*-*-*.*")
    rows = [{"path": str(f)} | facts for f in files if (facts := parse_name(f))]
    if not rows:
        raise CorpusMissingError("EMOVO", folder)
    return pd.DataFrame(rows)


def planned_clip_ids() -> list[str]:
    """List the 588 recordings: six actors, 14 sentences, seven emotions.

    Example:
        >>> len(planned_clip_ids())
        588
    """
    return [
        f"{code}-{speaker}-{sentence}"
        for speaker in SPEAKERS
        for code in _EMOTION_CODES
        for sentence in SENTENCES
    ]


CORPUS = Corpus(
    key="emovo",
    name="EMOVO",
    folder="EMOVO",
    medium="sound",
    load=load_sound_table,
    classes=CLASSES,
    planned=planned_clip_ids,
    planned_count=588,
    speaker_field=1,
    parse_name=parse_name,
    is_name_telling=True,
    layout="**/*-*-*.*",
    example="f1/dis-f1-b1.wav",
    holds="acted Italian speech of 6 actors: sound; the name gives emotion, speaker, sentence",
    citation="Costantini et al. 2014",
    source="Fondazione Ugo Bordoni",
    url="http://voice.fub.it/activities/corpora/emovo/index.html",
    terms="research",
    how=(
        "EMOVO is given out for research by the Fondazione Ugo Bordoni:",
        "  http://voice.fub.it/activities/corpora/emovo/index.html",
        "Put its six folders, or the sound files alone, into {folder}:",
        "{folder}/f1/dis-f1-b1.wav ...",
    ),
)
