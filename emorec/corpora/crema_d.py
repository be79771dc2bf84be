"""CREMA-D (Cao et al. 2014): 91 actors, twelve sentences, six emotions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.corpora.corpus import Companion, Corpus
from emorec.emotions import CREMA_D6
from emorec.errors import CorpusMissingError
from emorec.paths import data_folder

if TYPE_CHECKING:
    import pandas as pd

# Third field of a file name -> class.
_EMOTION_CODES = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}

# Byte-identical recordings that the corpus files under two emotions.
_TWO_LABELS = {
    "1006_TIE_HAP_XX",
    "1006_TIE_NEU_XX",
    "1013_WSI_DIS_XX",
    "1013_WSI_SAD_XX",
    "1017_IWW_ANG_XX",
    "1017_IWW_FEA_XX",
}

_INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high"}
_SENTENCES = ("DFA", "IEO", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")
# The one sentence that is acted in three intensities.
_GRADED_SENTENCE = "IEO"
_NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{1,2})$")
_SEXES = {"Male": "male", "Female": "female"}

DEMOGRAPHICS = "VideoDemographics.csv"
"""The corpus's own file on its actors."""


def parse_name(path: str | Path) -> dict | None:
    """Read what a CREMA-D file name says, or None if the name is not CREMA-D's.

    Raises:
        ValueError: If the name has CREMA-D's form and an unknown emotion code.

    Example:
        >>> parse_name("1001_IEO_HAP_HI.wav")["intensity"]
        'high'
    """
    match = _NAME.match(Path(path).stem)
    if match is None:
        return None
    actor, sentence, code, level = match.groups()
    if code not in _EMOTION_CODES:
        raise ValueError(f"{path}: unknown emotion code {code!r}; is it from CREMA-D?")
    return {
        "clip_id": match[0],
        "emotion": _EMOTION_CODES[code],
        "speaker": f"crema-d-{actor}",
        "intensity": _INTENSITIES.get(level),
        "statement": sentence,
    }


def load_all_recordings(folder: Path | None = None) -> pd.DataFrame:
    """List all recordings, those that stand under two emotions included.

    Args:
        folder: Holds `AudioWAV/`; by default `CREMA-D` in the data folder. The genders come
            from the corpus's own `VideoDemographics.csv`, where it lies there.

    Returns:
        One row each, by name: path, clip_id, emotion, speaker, gender (None where unknown),
        intensity (None where the name gives none), statement (the sentence's code).

    Raises:
        CorpusMissingError: If there is none.
        ValueError: If a name carries an unknown emotion code.
    """
    import pandas as pd

    folder = Path(folder or data_folder() / "CREMA-D")
    files = sorted(folder.glob("AudioWAV/*_*_*_*.*"))
    rows = [{"path": str(f)} | facts for f in files if (facts := parse_name(f))]
    if not rows:
        raise CorpusMissingError("CREMA-D", folder)
    table = pd.DataFrame(rows)
    genders = _genders(folder / DEMOGRAPHICS)
    found = [genders.get(speaker.removeprefix("crema-d-")) for speaker in table["speaker"]]
    table.insert(table.columns.get_loc("intensity"), "gender", pd.Series(found, dtype=object))
    return table


def load_sound_table(folder: Path | None = None) -> pd.DataFrame:
    """List the recordings, one row each, by name: path, clip_id, emotion, speaker.

    Recordings that stand under two emotions are left out.

    Raises:
        CorpusMissingError: If there is none.
        ValueError: If a name carries an unknown emotion code.
    """
    table = load_all_recordings(folder)
    table = table[~table["clip_id"].isin(_TWO_LABELS)].reset_index(drop=True)
    return table[["path", "clip_id", "emotion", "speaker"]]


def planned_clip_ids() -> list[str]:
    """List 82 recordings of each of the 91 actors; the published corpus lacks 20 of them.

    Example:
        >>> len(planned_clip_ids())
        7462
    """
    takes = [(s, c, "XX") for s in _SENTENCES for c in _EMOTION_CODES if s != _GRADED_SENTENCE]
    takes += [
        (_GRADED_SENTENCE, code, level)
        for code in _EMOTION_CODES
        for level in (("XX",) if code == "NEU" else _INTENSITIES)
    ]
    return [f"{actor}_{'_'.join(take)}" for actor in range(1001, 1092) for take in takes]


def _genders(file: Path) -> dict[str, str]:
    """Read the actors' genders: actor number -> gender; empty without the file."""
    import pandas as pd

    if not file.exists():
        return {}
    table = pd.read_csv(file, dtype=str)
    return dict(zip(table["ActorID"], table["Sex"].map(_SEXES), strict=True))


CORPUS = Corpus(
    key="crema-d",
    name="CREMA-D",
    folder="CREMA-D",
    medium="sound",
    load=load_all_recordings,
    classes=CREMA_D6,
    planned=planned_clip_ids,
    planned_count=7442,
    parse_name=parse_name,
    is_name_telling=True,
    layout="AudioWAV/*_*_*_*.*",
    example="AudioWAV/1001_DFA_ANG_XX.wav",
    # A clone brings much that nobody reads.
    only_below="AudioWAV",
    holds="acted English speech of 91 actors: sound",
    companions=(Companion(file=f"CREMA-D/{DEMOGRAPHICS}", holds="the actors' genders and ages"),),
    citation="Cao et al. 2014",
    source="GitHub (Git LFS), folder `AudioWAV`",
    url="https://github.com/CheyneyComputerScience/CREMA-D",
    terms="ODbL 1.0, contents DbCL 1.0",
    how=(
        "CREMA-D (ODbL 1.0) lies in a Git LFS repository, which checks its files itself:",
        "  git lfs install",
        "  git clone https://github.com/CheyneyComputerScience/CREMA-D",
        "Put its folder AudioWAV, and VideoDemographics.csv for the genders, into {folder}:",
        "{folder}/AudioWAV/1001_DFA_ANG_XX.wav ...",
    ),
)
