"""CREMA-D (Cao et al. 2014): 91 actors, twelve sentences, six emotions."""

from pathlib import Path

import pandas as pd

from emorec.corpora import CorpusMissingError, data_folder

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


def load_sound_table(folder: Path | None = None) -> pd.DataFrame:
    """List the recordings, one row each, by name: path, clip_id, emotion, speaker.

    Recordings that stand under two emotions are left out.

    Raises:
        CorpusMissingError: If there is none.
        ValueError: If a name carries an unknown emotion code.
    """
    folder = Path(folder or data_folder() / "CREMA-D")
    rows = []
    for file in sorted(folder.glob("AudioWAV/[0-9]*_*_*_*.*")):
        speaker, _, code, _ = file.stem.split("_")
        if code not in _EMOTION_CODES:
            raise ValueError(f"{file}: unknown emotion code {code!r}; is it from CREMA-D?")
        if file.stem not in _TWO_LABELS:
            rows.append((str(file), file.stem, _EMOTION_CODES[code], f"crema-d-{speaker}"))
    if not rows:
        raise CorpusMissingError("CREMA-D", folder)
    return pd.DataFrame(rows, columns=["path", "clip_id", "emotion", "speaker"])
