"""RAVDESS speech (Livingstone & Russo 2018): names, tables, landmark tracks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emorec.corpora.corpus import Companion, Corpus, sound_files
from emorec.emotions import RAVDESS8
from emorec.errors import CorpusMissingError
from emorec.paths import data_folder

if TYPE_CHECKING:
    import pandas as pd

FRAME_RATE_HZ = 30_000 / 1001
"""Frames a second of the clips, and so of the landmark tracks that were measured in them."""

EMOTION_CODES = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
"""Third field of a file name -> class."""
_RECORD = 1188976
_LANDMARKS_RECORD = 3255102
_ACTORS = tuple(range(1, 25))


def parse_name(path: str | Path) -> dict | None:
    """Read what a RAVDESS file name says, or None if the name is not RAVDESS's.

    Modality is left out of `clip_id`, so that the sound, the video and the landmarks of one
    take share it.

    Example:
        >>> parse_name("03-01-06-02-01-01-12.wav")["emotion"]
        'fear'
        >>> parse_name("holiday.mp4") is None
        True
    """
    fields = Path(path).stem.split("-")
    if not _is_well_formed(fields) or fields[2] not in EMOTION_CODES:
        return None
    _, channel, emotion, intensity, statement, repetition, actor = fields
    return {
        "clip_id": "-".join(fields[1:]),
        "emotion": EMOTION_CODES[emotion],
        "speaker": speaker_name(int(actor)),
        "gender": "female" if int(actor) % 2 == 0 else "male",
        "intensity": "strong" if intensity == "02" else "normal",
        "statement": int(statement),
        "repetition": int(repetition),
        "channel": "speech" if channel == "01" else "song",
    }


def _is_well_formed(fields: list[str]) -> bool:
    return len(fields) == 7 and all(len(f) == 2 and f.isdigit() for f in fields)


def planned_clip_ids() -> list[str]:
    """List the 1,440 speech takes: 24 actors, 60 each; neutral has no strong intensity.

    Example:
        >>> len(planned_clip_ids())
        1440
    """
    takes = itertools.product(_ACTORS, EMOTION_CODES, (1, 2), (1, 2), (1, 2))
    return [
        f"01-{emotion}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor:02d}"
        for actor, emotion, intensity, statement, repetition in takes
        if not (emotion == "01" and intensity == 2)
    ]


def speaker_name(actor: int) -> str:
    """Return the speaker's name in every table: `ravdess-05`."""
    return f"ravdess-{actor:02d}"


def _check_code(file: Path) -> None:
    """Raise on a name that has RAVDESS's form but an emotion that RAVDESS does not know."""
    fields = file.stem.split("-")
    if _is_well_formed(fields) and fields[2] not in EMOTION_CODES:
        raise ValueError(f"{file}: unknown emotion code {fields[2]!r}; is it from RAVDESS?")


def _speech_table(files) -> pd.DataFrame:
    import pandas as pd

    for file in files:
        _check_code(file)
    rows = [{"path": str(f)} | (parse_name(f) or {}) for f in sorted(files)]
    table = pd.DataFrame(rows).dropna(subset=["clip_id"])
    return table[table["channel"] == "speech"].reset_index(drop=True)


def load_sound_table(folder: Path | None = None) -> pd.DataFrame:
    """List the sound-only speech takes (`03-01-...`), one row each, by name.

    Raises:
        CorpusMissingError: If there is none.
        ValueError: If a name carries an unknown emotion code.
    """
    folder = Path(folder or data_folder() / "RAVDESS")
    files = sound_files(folder, "Actor_*/03-01-*")
    if not files:
        raise CorpusMissingError("RAVDESS speech (sound)", folder)
    return _speech_table(files)


def load_video_table(folder: Path | None = None) -> pd.DataFrame:
    """List the audio-visual speech takes (`01-01-...mp4`), one row each, by name.

    Raises:
        CorpusMissingError: If there is none.
        ValueError: If a name carries an unknown emotion code.
    """
    folder = Path(folder or data_folder() / "RAVDESS")
    files = list(folder.glob("Actor_*/01-01-*.mp4"))
    if not files:
        raise CorpusMissingError("RAVDESS speech (video)", folder)
    return _speech_table(files)


def load_landmarks(
    folder: Path | None = None, actors: Sequence[int] = _ACTORS
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Read the landmark tracks of all speech takes.

    Args:
        folder: Holds `Actor_NN_landmarks.csv` (or `.csv.xz`).
        actors: Whose; a file takes a second to read.

    Returns:
        A table like the sound's without `path`, and for each row the track, float32,
        shape (frames, 68, 2): x and y in pixels of the 1280x720 frame, iBUG order,
        29.97 frames a second.

    Raises:
        CorpusMissingError: If there is none.
    """
    import pandas as pd

    rows, tracks = [], []
    columns = [f"pt{i}.{axis}" for i in range(1, 69) for axis in "xy"]
    of_actors = tuple(f"Actor_{number:02d}_" for number in actors)
    for file in _landmark_files(folder):
        if not file.name.startswith(of_actors):
            continue
        frames = pd.read_csv(file, usecols=["fname", "frame_ct", *columns])
        for name, take in frames.sort_values("frame_ct").groupby("fname", sort=True):
            _check_code(file.parent / name)
            rows.append(parse_name(name))
            tracks.append(take[columns].to_numpy(np.float32).reshape(-1, 68, 2))
    return pd.DataFrame(rows), tracks


def list_landmarks(folder: Path | None = None) -> pd.DataFrame:
    """List the takes of the landmark tracks without reading these: one row each.

    Args:
        folder: As for `load_landmarks`.

    Returns:
        A table like the sound's; `path` is the file with all of an actor's tracks, `duration_s`
        follows from the number of frames.

    Raises:
        CorpusMissingError: If there is none.
    """
    import pandas as pd

    files = _landmark_files(folder)
    with ThreadPoolExecutor() as pool:
        counts = list(pool.map(_frames_by_take, files))
    rows = [
        {"path": str(file), "duration_s": frames / FRAME_RATE_HZ} | facts
        for file, frames_by_take in zip(files, counts, strict=True)
        for name, frames in frames_by_take.items()
        if (facts := parse_name(name))
    ]
    return pd.DataFrame(rows)


def _landmark_files(folder: Path | None) -> list[Path]:
    folder = Path(folder or data_folder() / "RAVDESS_landmarks")
    files = sorted(folder.glob("Actor_*_landmarks.csv*"))
    if not files:
        raise CorpusMissingError("RAVDESS landmarks", folder)
    return files


def _frames_by_take(file: Path) -> dict[str, int]:
    import pandas as pd

    names = pd.read_csv(file, usecols=["fname"])["fname"]
    return names.value_counts().sort_index().to_dict()


def load_action_units(file: Path | None = None) -> tuple[pd.DataFrame, np.ndarray]:
    """Read each speech take's mean facial action units, measured with OpenFace.

    Args:
        file: `;`-separated, one row a take: `name` and a column for each unit, `AU01_r` (how
            strong, 0 to 5) or `AU01_c` (share of the frames that show it).

    Returns:
        A table like the sound's without `path`, by name, and float32 (takes, units).

    Raises:
        CorpusMissingError: If the file is not there.
    """
    import pandas as pd

    file = Path(file or data_folder() / "RAVDESS_face" / "openface_au_mean.csv")
    if not file.is_file():
        raise CorpusMissingError("RAVDESS action units (OpenFace)", file)
    rows = pd.read_csv(file, sep=";").sort_values("name", ignore_index=True)
    for name in rows["name"]:
        _check_code(file.parent / name)
    units = rows.filter(regex=r"^AU\d\d_[rc]$").to_numpy(np.float32)
    return pd.DataFrame([parse_name(name) for name in rows["name"]]), units


def archives(part: str, actors: tuple[int, ...] = _ACTORS) -> list[tuple[int, str]]:
    """List the official archives of a part: number of the Zenodo record, name.

    Args:
        part: "sound", "video" or "landmarks".
        actors: Whose clips are wanted; sound and landmarks come for all actors at once.

    Example:
        >>> archives("video", (5,))
        [(1188976, 'Video_Speech_Actor_05.zip')]
    """
    if part == "sound":
        return [(_RECORD, "Audio_Speech_Actors_01-24.zip")]
    if part == "landmarks":
        return [(_LANDMARKS_RECORD, "FacialTracking_Actors_01-24.zip")]
    return [(_RECORD, f"Video_Speech_Actor_{actor:02d}.zip") for actor in actors]


CORPUS = Corpus(
    key="ravdess",
    part="sound",
    name="RAVDESS sound",
    folder="RAVDESS",
    medium="sound",
    load=load_sound_table,
    classes=RAVDESS8,
    planned=planned_clip_ids,
    planned_count=1440,
    speaker_field=-1,
    parse_name=parse_name,
    is_name_telling=True,
    layout="Actor_*/03-01-*",
    example="Actor_01/03-01-01-01-01-01-01.wav",
    archive_sign="audio_speech",
    holds="acted English speech of 24 actors: sound alone",
    citation="Livingstone & Russo 2018",
    source="Zenodo: `Audio_Speech_Actors_01-24.zip`, one `Video_Speech_Actor_NN.zip` an actor",
    url=f"https://doi.org/10.5281/zenodo.{_RECORD}",
    terms="CC BY-NC-SA 4.0",
)

_VIDEO = replace(
    CORPUS,
    part="video",
    name="RAVDESS video",
    medium="audio-visual",
    load=load_video_table,
    layout="Actor_*/01-01-*.mp4",
    example="Actor_01/01-01-01-01-01-01-01.mp4",
    archive_sign="video_speech",
    holds="the takes of RAVDESS sound, with the picture",
)

_LANDMARKS = replace(
    CORPUS,
    part="landmarks",
    name="RAVDESS landmarks",
    folder="RAVDESS_landmarks",
    medium="landmarks",
    load=list_landmarks,
    layout="Actor_*_landmarks.csv*",
    example="Actor_01_landmarks.csv",
    archive_sign="facialtracking",
    holds=(
        "68 facial landmarks of each frame of the takes: `fname`, `frame_ct`, `pt1.x`-`pt68.x`, "
        "`pt1.y`-`pt68.y` (or `.csv.xz`)"
    ),
    citation="Swanson, Livingstone & Russo 2019",
    source="Zenodo: `FacialTracking_Actors_01-24.zip`",
    url=f"https://doi.org/10.5281/zenodo.{_LANDMARKS_RECORD}",
    companions=(
        Companion(
            file="RAVDESS_face/openface_au_mean.csv",
            holds="mean facial action units of each take, measured with OpenFace",
            name="RAVDESS's mean action units",
            citation="measured with OpenFace: Baltrusaitis et al. 2018, for research",
            source="measured from the clips",
            terms="CC BY-NC-SA 4.0",
        ),
    ),
)

PARTS = (CORPUS, _VIDEO, _LANDMARKS)
