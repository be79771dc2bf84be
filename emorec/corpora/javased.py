"""JavaSED: acted emotion in Javanese, sound and picture, ten actors."""

from pathlib import Path

import pandas as pd

from emorec.errors import CorpusMissingError
from emorec.paths import data_folder

PIXEL_ASPECT = 4 / 3
"""Width of a pixel where its height is one. The files say nothing of it: 360x270 of what a camera
took as 16:9. Squeezed, the faces' nose and open eyes are a quarter and a third longer beside the
distance of the eyes than RAVDESS's; shown 4:3 wider, they are alike (0.75 and 0.30 against 0.77
and 0.28)."""

# Third field of a file name -> class.
_EMOTION_CODES = {
    "01": "neutral",
    "02": "sad",
    "03": "happy",
    "04": "surprise",
    "05": "fear",
    "06": "angry",
}


def load_video_table(folder: Path | None = None) -> pd.DataFrame:
    """List the clips (`actor-sentence-emotion_01.mp4`), one row each, by name.

    Raises:
        CorpusMissingError: If there is none.
        ValueError: If a name carries an unknown emotion code.
    """
    folder = Path(folder or data_folder() / "JavaSED")
    rows = []
    for file in sorted(folder.glob("[0-9][0-9]-[0-9][0-9]-[0-9][0-9]_*.mp4")):
        actor, sentence, code = file.stem.split("_")[0].split("-")
        if code not in _EMOTION_CODES:
            raise ValueError(f"{file}: unknown emotion code {code!r}; is it from JavaSED?")
        rows.append((str(file), file.stem, _EMOTION_CODES[code], f"javased-{actor}", sentence))
    if not rows:
        raise CorpusMissingError("JavaSED", folder)
    return pd.DataFrame(rows, columns=["path", "clip_id", "emotion", "speaker", "sentence"])


def planned_clip_ids() -> list[str]:
    """List the 240 clips: ten actors, four sentences, six emotions.

    Example:
        >>> len(planned_clip_ids())
        240
    """
    return [
        f"{actor:02d}-{sentence:02d}-{code}_01"
        for actor in range(1, 11)
        for sentence in range(1, 5)
        for code in _EMOTION_CODES
    ]
