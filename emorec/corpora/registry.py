"""Every corpus as rows of one tidy table, and what a complete corpus would hold.

File names are still read by each corpus's own module; this one brings their tables together.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from emorec.corpora import ck_plus, crema_d, fer2013, javased, ravdess, savee
from emorec.errors import CorpusMissingError
from emorec.paths import data_folder

COLUMNS = (
    "path",
    "clip_id",
    "corpus",
    "emotion",
    "speaker",
    "gender",
    "intensity",
    "statement",
    "duration_s",
    "channels",
    "sample_rate_hz",
    "status",
)
"""Columns of the tidy table; what a corpus does not tell is missing in its rows."""

LANDMARK_RATE_HZ = 30_000 / 1001
"""Frames a second of the landmark tracks: those of the clips they were measured in."""

FER_SPLITS = {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589}
"""Pictures of the complete FER-2013."""


@dataclass(frozen=True)
class Corpus:
    """One corpus, or one part of it, as the tables know it.

    Attributes:
        name: Its name in the column `corpus`.
        folder: Where it lies in the data folder.
        medium: "sound", "video", "landmarks" or "picture".
        load: Lists its clips, given its folder.
        planned: Lists the clip ids of the complete corpus; None where only counts are known.
        planned_count: Number of clips of the complete corpus.
        speaker_field: Which field of a planned clip id names the speaker.
    """

    name: str
    folder: str
    medium: str
    load: Callable[[Path], pd.DataFrame]
    planned: Callable[[], list[str]] | None
    planned_count: int
    speaker_field: int = 0

    def speaker_code(self, clip_id: str) -> str:
        """Return what a planned clip id says of its speaker.

        Example:
            >>> CORPORA[0].speaker_code("01-03-01-01-02-01-12")
            '12'
        """
        return re.split("[-_]", clip_id)[self.speaker_field]

    @property
    def is_played(self) -> bool:
        """Whether its clips have sound to be measured."""
        return self.medium in ("sound", "video")


def list_corpus(corpus: Corpus, folder: Path | None = None) -> pd.DataFrame:
    """List the clips of one corpus without opening their sound.

    Args:
        corpus: One of `CORPORA`.
        folder: The data folder; by default where the corpora lie.

    Returns:
        Rows with `COLUMNS`, and `split` and `digest` where pictures are repeated in a corpus.
        `status` is "listed".

    Raises:
        CorpusMissingError: If it has no clip there.
    """
    table = corpus.load(Path(folder or data_folder()) / corpus.folder)
    table = table.rename(columns={"sentence": "statement"})
    table["corpus"] = corpus.name
    table["status"] = "listed"
    extra = [name for name in ("split", "digest") if name in table]
    return table.reindex(columns=[*COLUMNS, *extra])


def list_corpora(
    folder: Path | None = None, corpora: Iterable[Corpus] | None = None
) -> pd.DataFrame:
    """List the clips of all corpora that are there; see `list_corpus`.

    Args:
        folder: The data folder; by default where the corpora lie.
        corpora: Which ones; by default all of `CORPORA`.

    Raises:
        CorpusMissingError: If none is there.
    """
    tables = []
    for corpus in CORPORA if corpora is None else corpora:
        try:
            tables.append(list_corpus(corpus, folder))
        except CorpusMissingError:
            continue
    if not tables:
        raise CorpusMissingError("no corpus: anything", Path(folder or data_folder()))
    # Object columns, so that a corpus without genders or rates changes no other's type.
    return pd.concat([table.astype(object) for table in tables], ignore_index=True)


def _landmark_takes(folder: Path) -> pd.DataFrame:
    """List the takes of the landmark tracks: one row each, length from the number of frames."""
    files = sorted(folder.glob("Actor_*_landmarks.csv*"))
    if not files:
        raise CorpusMissingError("RAVDESS landmarks", folder)
    with ThreadPoolExecutor() as pool:
        counts = list(pool.map(_frames_by_take, files))
    rows = [
        {"path": str(file), "duration_s": frames / LANDMARK_RATE_HZ} | facts
        for file, frames_by_take in zip(files, counts, strict=True)
        for name, frames in frames_by_take.items()
        if (facts := ravdess.parse_name(name))
    ]
    return pd.DataFrame(rows)


def _frames_by_take(file: Path) -> dict[str, int]:
    names = pd.read_csv(file, usecols=["fname"])["fname"]
    return names.value_counts().sort_index().to_dict()


def _pictures(folder: Path) -> pd.DataFrame:
    """List FER-2013's pictures with their split and a digest of their pixels."""
    table, pixels = fer2013.load_fer2013(folder)
    file = next(folder.glob("fer2013.csv*"))
    return pd.DataFrame(
        {
            "path": str(file),
            "clip_id": table["clip_id"],
            "emotion": table["label"],
            "split": table["usage"],
            "digest": [hashlib.sha1(picture.tobytes()).hexdigest() for picture in pixels],
        }
    )


CORPORA = (
    Corpus(
        "RAVDESS sound",
        "RAVDESS",
        "sound",
        ravdess.load_sound_table,
        ravdess.planned_clip_ids,
        1440,
        -1,
    ),
    Corpus(
        "RAVDESS video",
        "RAVDESS",
        "video",
        ravdess.load_video_table,
        ravdess.planned_clip_ids,
        1440,
        -1,
    ),
    Corpus(
        "RAVDESS landmarks",
        "RAVDESS_landmarks",
        "landmarks",
        _landmark_takes,
        ravdess.planned_clip_ids,
        1440,
        -1,
    ),
    Corpus("JavaSED", "JavaSED", "video", javased.load_video_table, javased.planned_clip_ids, 240),
    Corpus(
        "CREMA-D",
        "CREMA-D",
        "sound",
        crema_d.load_all_recordings,
        crema_d.planned_clip_ids,
        7442,
    ),
    Corpus("SAVEE", "SAVEE", "sound", savee.load_sound_table, savee.planned_clip_ids, 480),
    Corpus("FER-2013", "FER2013", "picture", _pictures, None, sum(FER_SPLITS.values())),
    Corpus("CK+", "CKplus", "picture", ck_plus.load_picture_table, None, ck_plus.PLANNED_PICTURES),
)
"""All corpora, in the order of the tables."""
