"""The corpus where it is at hand, and synthetic data in its place where it is not.

Each function returns what was asked for and a `Source` that tells which of the two it is. A quick
run gets a small part, enough to see every cell of a notebook run.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from emorec.avatar import Take, all_takes
from emorec.avatar.synthetic import (
    synthetic_ck_plus,
    synthetic_faces,
    synthetic_frame_predictions,
    synthetic_frames,
    synthetic_landmarks,
    synthetic_predictions,
    synthetic_sounds,
    synthetic_speech,
    synthetic_videos,
)
from emorec.corpora import ck_plus, fer2013, javased, ravdess, registry
from emorec.corpora.corpus import Corpus
from emorec.corpora.frame_sets import OUTPUT_FOLDER, FrameSet, load_frames
from emorec.emotions import RAVDESS8
from emorec.errors import CorpusMissingError
from emorec.evaluation.evidence import read_predictions
from emorec.evaluation.splits import is_actor
from emorec.paths import MODELS

__all__ = [
    "AVATARS",
    "Source",
    "ck_plus_faces",
    "clip_table",
    "corpus_videos",
    "fer2013_faces",
    "frame_predictions",
    "javased_frames",
    "labelled_clips",
    "landmark_tracks",
    "sound_table",
    "speech_tables",
    "videos",
    "voice_predictions",
]

AVATARS = "Avatars"
"""The name that stands for a corpus of avatars on every plot and in every table."""

_ACTORS = tuple(range(1, 25))
_FIRST_EIGHT = tuple(range(1, 9))
_ONE_OF_EACH = tuple(Take(emotion, intensity=1) for emotion in RAVDESS8)
_QUICK_CLIP_STEP = 7
_QUICK_FRAME_STEP = 12  # every clip of JavaSED has more
_QUICK_STEPS = {"RAVDESS": 19, "CREMA-D": 43, "SAVEE": 6, "JavaSED": 5}
_QUICK_JAVASED_STEP = 25  # one clip of each actor, and each of the emotions


@dataclass(frozen=True)
class Source:
    """Where a notebook's data come from.

    Attributes:
        name: As plots and tables name it: the corpus, or what stands in for it.
        is_real: Whether people stand behind it.
        is_quick: Whether only a small part of it is used.
    """

    name: str
    is_real: bool = True
    is_quick: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def is_trial(self) -> bool:
        """Whether its figures are no result: a quick run, or synthetic data."""
        return self.is_quick or not self.is_real

    def results_folder(self, folder: Path = MODELS) -> Path:
        """Return the given folder for a whole run on the corpus itself, else a temporary one."""
        return Path(tempfile.mkdtemp()) if self.is_trial else Path(folder)

    @property
    def caveat(self) -> str:
        """What has to stand behind a figure; empty for a whole run on the corpus itself.

        Example:
            >>> Source("made-up voices", is_real=False, is_quick=True).caveat
            '; MADE-UP VOICES: this says nothing about people - a quick run, no result'
        """
        drawn = "" if self.is_real else f"; {self.name.upper()}: this says nothing about people"
        return drawn + (" - a quick run, no result" if self.is_quick else "")


class SpeechCorpus(Protocol):
    """A corpus of sound: its name, and how its table is read."""

    name: str

    def load(self) -> pd.DataFrame:
        """Return a table with `path`, `clip_id`, `emotion`, `speaker`."""


def clip_table(quick: bool, corpora: Sequence[Corpus]) -> tuple[pd.DataFrame, Source]:
    """Return the clips of several corpora in one table, or avatars' under RAVDESS's names.

    Args:
        quick: Every so many clips only.
        corpora: Those that are wanted, as far as they are there.
    """
    try:
        table = registry.list_corpora(wanted=corpora)
    except CorpusMissingError:
        folder = Path(tempfile.mkdtemp())
        synthetic_sounds(folder / "RAVDESS", (1, 2) if quick else (1, 2, 3, 4), all_takes()[::6])
        return registry.list_corpora(folder), Source("made-up voices", False, quick)
    if quick:
        table = table.iloc[::_QUICK_CLIP_STEP].reset_index(drop=True)
    return table, Source("the corpora", is_quick=quick)


def sound_table(
    quick: bool, quick_actors: Sequence[int] = _FIRST_EIGHT
) -> tuple[pd.DataFrame, Source]:
    """Return RAVDESS's speech takes, or avatars' in their place.

    Args:
        quick: One take of each emotion by each of the `quick_actors`, instead of all.
        quick_actors: Numbers of actors.

    Returns:
        Table with `path`, `clip_id`, `emotion`, `speaker` and RAVDESS's other columns; its source.
    """
    try:
        table = ravdess.load_sound_table()
    except CorpusMissingError:
        actors, takes = (quick_actors, _ONE_OF_EACH) if quick else (_ACTORS, all_takes()[::4])
        table = synthetic_sounds(tempfile.mkdtemp(), actors, takes)
        return table, Source("made-up voices", False, quick)
    if quick:
        known = table[is_actor(table["speaker"], quick_actors)]
        table = known.groupby(["speaker", "emotion"]).head(1).reset_index(drop=True)
    return table, Source("RAVDESS", is_quick=quick)


def speech_tables(
    quick: bool, corpora: Iterable[SpeechCorpus]
) -> tuple[dict[str, pd.DataFrame], Source]:
    """Return the sound of RAVDESS, CREMA-D, SAVEE and JavaSED, or avatars' for all four.

    Args:
        quick: Every so many clips only.
        corpora: The four.

    Returns:
        Name -> table with `path`, `clip_id`, `emotion`, `speaker`; their source.
    """
    try:
        tables = {corpus.name: corpus.load() for corpus in corpora}
    except CorpusMissingError:
        tables = synthetic_speech(Path(tempfile.mkdtemp()))
        return tables, Source("made-up voices", False, quick)
    if quick:
        steps = _QUICK_STEPS
        tables = {name: t.iloc[:: steps[name]].reset_index(drop=True) for name, t in tables.items()}
    return tables, Source("real voices", is_quick=quick)


def corpus_videos(quick: bool) -> dict[str, pd.DataFrame]:
    """List the video clips of the corpora at hand: RAVDESS and JavaSED, or one or none of them.

    Args:
        quick: One clip of each.
    """
    tables = {}
    for name, corpus in (("RAVDESS", ravdess), ("JavaSED", javased)):
        try:
            table = corpus.load_video_table()
        except CorpusMissingError:
            continue
        tables[name] = table.head(1) if quick else table
    return tables


def videos(quick: bool) -> tuple[dict[str, pd.DataFrame], Source]:
    """Return `corpus_videos`, or clips of two avatars where there are none.

    Args:
        quick: One clip of each corpus.
    """
    tables = corpus_videos(quick)
    if tables:
        return tables, Source(" and ".join(tables), is_quick=quick)
    takes = (Take("happy"), Take("sad"))[: 1 if quick else 2]
    drawn = synthetic_videos(tempfile.mkdtemp(), (1, 2), takes)
    return {AVATARS: drawn}, Source(AVATARS, False, quick)


def labelled_clips(folder: Path, quick: bool) -> tuple[pd.DataFrame, Source]:
    """Return clips as somebody may have labelled them: a quarter of JavaSED, or made-up voices.

    Args:
        folder: Where the clips are put.
        quick: Whether it is a quick run: made-up voices, for they are read soonest.

    Returns:
        Table with `path` (from the folder), `emotion`, `speaker`; its source.
    """
    table, source = None, Source("JavaSED")
    if not quick:
        with contextlib.suppress(CorpusMissingError):
            table = javased.load_video_table()
    if table is None:
        actors, takes = (
            (_FIRST_EIGHT[:3], _ONE_OF_EACH[2:]) if quick else (_FIRST_EIGHT, _ONE_OF_EACH)
        )
        table = synthetic_sounds(folder / "clips", actors, takes)
        source = Source("made-up voices", False, quick)
    else:
        some = table[table["sentence"] == "01"].reset_index(drop=True)
        table = javased.as_filmed(some, folder / "clips")
    paths = [Path(path).relative_to(folder).as_posix() for path in table["path"]]
    return table.assign(path=paths)[["path", "emotion", "speaker"]], source


def javased_frames(
    quick: bool, frame_sets: Iterable[str]
) -> tuple[pd.DataFrame, dict[str, FrameSet], Source]:
    """Return JavaSED's clips and their frames, or drawn faces in their place.

    Args:
        quick: A few frames of one clip of each actor, kept in a temporary folder.
        frame_sets: "frame", "black" or "face"; see `emorec.corpora.frame_clip`.

    Returns:
        Table with `clip_id`, `emotion`, `speaker`; frame set -> frames; their source.
    """
    try:
        table = javased.load_video_table()
    except CorpusMissingError:
        drawn = {n: synthetic_frames(is_cropped=n == "face") for n in dict.fromkeys(frame_sets)}
        table = next(iter(drawn.values()))[0]
        source = Source("made-up faces", False, quick)
        return table, {name: frames for name, (_, frames) in drawn.items()}, source
    folder, jobs = OUTPUT_FOLDER, 2
    if quick:
        table = table.iloc[::_QUICK_JAVASED_STEP].reset_index(drop=True)
        folder, jobs = Path(tempfile.mkdtemp()), 1  # processes would take longer to start
    frames = {
        name: load_frames(table, folder, name, jobs, corpus="JavaSED") for name in set(frame_sets)
    }
    if quick:
        frames = {
            name: f.where(np.arange(len(f)) % _QUICK_FRAME_STEP == 0) for name, f in frames.items()
        }
    return table, frames, Source("JavaSED", is_quick=quick)


def fer2013_faces(quick: bool, quick_count: int = 128) -> tuple[pd.DataFrame, np.ndarray, Source]:
    """Return FER-2013, or drawn faces in its place.

    Args:
        quick: The first pictures of each of the corpus's three parts, instead of all.
        quick_count: How many of them.

    Returns:
        Table and pictures as `fer2013.load_fer2013` gives them; their source.
    """
    try:
        table, pixels = fer2013.load_fer2013()
    except CorpusMissingError:
        drawn = synthetic_faces(quick_count if quick else 600)
        return *drawn, Source("made-up faces", False, quick)
    if quick:
        few = (table.groupby("usage").cumcount() < quick_count).to_numpy()
        table, pixels = table[few].reset_index(drop=True), pixels[few]
    return table, pixels, Source("FER-2013", is_quick=quick)


def ck_plus_faces(quick: bool) -> tuple[pd.DataFrame, np.ndarray, Source]:
    """Return CK+ without contempt, or drawn faces in its place; small enough to be whole always.

    Args:
        quick: Whether it is a quick run.

    Returns:
        Table with `clip_id`, `emotion`, `speaker`, and faces uint8 (n, 48, 48); their source.
    """
    try:
        return *ck_plus.load_six(), Source("CK+", is_quick=quick)
    except CorpusMissingError:
        return *synthetic_ck_plus(), Source("made-up faces", False, quick)


def landmark_tracks(
    quick: bool, quick_actors: Sequence[int] = _FIRST_EIGHT
) -> tuple[pd.DataFrame, list[np.ndarray], Source]:
    """Return RAVDESS's landmarks, or tracks of schematic faces in their place.

    Args:
        quick: The `quick_actors` alone, instead of all 24.
        quick_actors: Numbers of actors.

    Returns:
        Table with `clip_id`, `emotion`, `speaker`; tracks float32 (frames, 68, 2) in pixels; their
        source.
    """
    actors = quick_actors if quick else _ACTORS
    try:
        takes, tracks = ravdess.load_landmarks(actors=actors)
    except CorpusMissingError:
        return *synthetic_landmarks(actors), Source("made-up tracks", False, quick)
    return takes, tracks, Source("RAVDESS landmarks", is_quick=quick)


def frame_predictions(folder: Path, quick: bool) -> tuple[pd.DataFrame, Source]:
    """Return a model's committed posteriors of JavaSED's single frames, or synthetic ones.

    Args:
        folder: The model's folder.
        quick: Whether it is a quick run.
    """
    name = "predictions_frames.csv"
    if (folder / name).exists():
        return read_predictions(folder, name), Source("JavaSED", is_quick=quick)
    return synthetic_frame_predictions(), Source("made-up posteriors", False, quick)


def voice_predictions(folder: Path, like: pd.DataFrame, quick: bool) -> tuple[pd.DataFrame, Source]:
    """Return a voice network's committed posteriors, or synthetic ones of the same takes.

    Args:
        folder: The network's folder.
        like: Prediction table of another stream, whose takes and truths a synthetic one keeps.
        quick: Whether it is a quick run.
    """
    if (folder / "predictions.csv").exists():
        return read_predictions(folder), Source("RAVDESS", is_quick=quick)
    return synthetic_predictions(like), Source("made-up posteriors", False, quick)
