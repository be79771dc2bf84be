"""JavaSED: acted emotion in Javanese, sound and picture, ten actors."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.corpora.corpus import Corpus
from emorec.emotions import JAVASED6
from emorec.errors import CorpusMissingError
from emorec.paths import data_folder

if TYPE_CHECKING:
    import pandas as pd

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
_NAME = re.compile(r"(0[1-9]|10)-(0[1-4])-(\d\d)_\d\d$")


def parse_name(path: str | Path) -> dict | None:
    """Read what a JavaSED file name says, or None if the name is not JavaSED's.

    Raises:
        ValueError: If the name has JavaSED's form and an unknown emotion code.

    Example:
        >>> parse_name("01-04-06_01.mp4")["emotion"]
        'angry'
    """
    match = _NAME.match(Path(path).stem)
    if match is None:
        return None
    actor, sentence, code = match.groups()
    if code not in _EMOTION_CODES:
        raise ValueError(f"{path}: unknown emotion code {code!r}; is it from JavaSED?")
    return {
        "clip_id": match[0],
        "emotion": _EMOTION_CODES[code],
        "speaker": f"javased-{actor}",
        "sentence": sentence,
    }


def load_video_table(folder: Path | None = None) -> pd.DataFrame:
    """List the clips (`actor-sentence-emotion_01.mp4`), one row each, by name.

    Raises:
        CorpusMissingError: If there is none.
        ValueError: If a name carries an unknown emotion code.
    """
    import pandas as pd

    folder = Path(folder or data_folder() / "JavaSED")
    files = sorted(folder.glob("*-*-*_*.mp4"))
    rows = [{"path": str(f)} | facts for f in files if (facts := parse_name(f))]
    if not rows:
        raise CorpusMissingError("JavaSED", folder)
    return pd.DataFrame(rows)


def as_filmed(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Copy clips with `PIXEL_ASPECT` in their headers; copies that are there are kept.

    Args:
        table: With `path`.
        folder: Where to.

    Returns:
        The table with the copies' paths.
    """
    from emorec.media.pixel_shape import write_with_pixel_aspect

    folder.mkdir(parents=True, exist_ok=True)
    aspect, paths = Fraction(PIXEL_ASPECT).limit_denominator(100), []
    for source in map(Path, table["path"]):
        paths.append(folder / source.name)
        if not paths[-1].exists():
            write_with_pixel_aspect(source, paths[-1], aspect)
    return table.assign(path=[str(path) for path in paths])


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


CORPUS = Corpus(
    key="javased",
    name="JavaSED",
    folder="JavaSED",
    medium="audio-visual",
    load=load_video_table,
    classes=JAVASED6,
    planned=planned_clip_ids,
    planned_count=240,
    parse_name=parse_name,
    layout="[0-9][0-9]-[0-9][0-9]-[0-9][0-9]_*.mp4",
    example="01-01-01_01.mp4",
    holds="acted Javanese speech of 10 actors, picture and sound: actor, sentence, emotion",
    citation="",
    source="its authors' repository on GitHub",
    terms="no licence stated for the corpus; its authors' sibling repositories are MIT; ask them",
    how=(
        "JavaSED lies in its authors' repository on GitHub (search there for JavaSED).",
        "They state no licence: ask them. No checksums are published.",
        "Put the clips straight into {folder}: {folder}/01-01-01_01.mp4 ...",
    ),
)
