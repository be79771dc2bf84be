"""CREMA-D (Cao et al. 2014): 91 actors, twelve sentences, six emotions."""

from pathlib import Path

import pandas as pd

from emorec.errors import CorpusMissingError
from emorec.paths import data_folder

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
_SEXES = {"Male": "male", "Female": "female"}

DEMOGRAPHICS = "VideoDemographics.csv"
"""The corpus's own file on its actors."""


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
    folder = Path(folder or data_folder() / "CREMA-D")
    genders = _genders(folder / DEMOGRAPHICS)
    rows = []
    for file in sorted(folder.glob("AudioWAV/[0-9]*_*_*_*.*")):
        actor, sentence, code, level = file.stem.split("_")
        if code not in _EMOTION_CODES:
            raise ValueError(f"{file}: unknown emotion code {code!r}; is it from CREMA-D?")
        rows.append(
            {
                "path": str(file),
                "clip_id": file.stem,
                "emotion": _EMOTION_CODES[code],
                "speaker": f"crema-d-{actor}",
                "gender": genders.get(actor),
                "intensity": _INTENSITIES.get(level),
                "statement": sentence,
            }
        )
    if not rows:
        raise CorpusMissingError("CREMA-D", folder)
    return pd.DataFrame(rows)


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
    if not file.exists():
        return {}
    table = pd.read_csv(file, dtype=str)
    return dict(zip(table["ActorID"], table["Sex"].map(_SEXES), strict=True))
