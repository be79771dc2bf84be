"""Synthetic tables in the corpora's own forms: sounds, pictures, landmark tracks, posteriors.

Code runs on them where no corpus is at hand (`emorec.avatar.stand_ins` decides). Nothing that is
measured on them says anything about people.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from emorec import avatar
from emorec.avatar import Take
from emorec.corpora import ravdess
from emorec.corpora.fer2013 import SIZE_PX
from emorec.corpora.frame_sets import FrameSet
from emorec.corpora.ravdess import speaker_name
from emorec.emotions import BASIC6, COMMON7, CREMA_D6, FERPLUS8, JAVASED6, RAVDESS8
from emorec.evaluation import scores as evaluation

__all__ = [
    "synthetic_ck_plus",
    "synthetic_faces",
    "synthetic_frame_predictions",
    "synthetic_frames",
    "synthetic_landmarks",
    "synthetic_predictions",
    "synthetic_sounds",
    "synthetic_speech",
    "synthetic_videos",
]

_EYE_DISTANCE_PX = 140.0
_FRAME_RATE_HZ = 30.0
_FACES_OF_AN_AVATAR = 10


def synthetic_landmarks(
    actors: Sequence[int] = tuple(range(1, 25)), takes_per_emotion: int = 4, seed: int = 0
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Make tracks in the form of `emorec.corpora.ravdess.load_landmarks`.

    Each actor has a face, each emotion shifts it and moves the mouth at its own pace, and
    each take adds noise.

    Args:
        actors: Numbers of the actors.
        takes_per_emotion: Takes of each actor and emotion.
        seed: Of all of it.

    Returns:
        Table with `clip_id`, `emotion`, `speaker`; tracks float32 (frames, 68, 2) in pixels.
    """
    rng = np.random.default_rng(seed)
    base = _base_shape()
    mouth = np.arange(68)[:, None] >= 48
    shifts = rng.normal(0, 0.03, (len(RAVDESS8), 68, 2))
    paces_hz = np.linspace(1, 4, len(RAVDESS8))
    rows, tracks = [], []
    for actor in actors:
        face = base + rng.normal(0, 0.03, base.shape)
        for code, emotion in enumerate(RAVDESS8):
            for take in range(takes_per_emotion):
                time_s = np.arange(rng.integers(90, 120))[:, None, None] / _FRAME_RATE_HZ
                talk = 0.06 * np.abs(np.sin(np.pi * paces_hz[code] * time_s)) * mouth * [0, 1]
                strength = rng.normal(1, 0.4)
                track = face + strength * shifts[code] + talk
                track = track + rng.normal(0, 0.01, (1, 68, 2))
                track = track + rng.normal(0, 0.004, (len(time_s), 68, 2))
                tracks.append((track * _EYE_DISTANCE_PX + [640, 300]).astype(np.float32))
                rows.append((f"made-up-{actor:02d}-{code}-{take}", emotion, speaker_name(actor)))
    return pd.DataFrame(rows, columns=["clip_id", "emotion", "speaker"]), tracks


def synthetic_predictions(
    like: pd.DataFrame, accuracy_logit: float = 2.0, seed: int = 0
) -> pd.DataFrame:
    """Make the predictions of another stream for the clips of a prediction table.

    Args:
        like: Prediction table whose clips, truths and classes are kept.
        accuracy_logit: How far the truth stands out; 2 is right about half the time.
        seed: Of the noise.
    """
    rng = np.random.default_rng(seed)
    classes = evaluation.classes_of(like)
    truth = np.array([classes.index(name) for name in like["truth"]])
    scores = rng.normal(0, 1.5, (len(like), len(classes)))
    scores[np.arange(len(like)), truth] += accuracy_logit
    posterior = np.exp(scores)
    clips = like.rename(columns={"truth": "emotion"})
    posterior /= posterior.sum(1, keepdims=True)
    return evaluation.prediction_table(clips, posterior, classes, like["fold"].to_numpy())


def synthetic_frames(
    actor_count: int = 8, frames_per_clip: int = 3, is_cropped: bool = True, seed: int = 0
) -> tuple[pd.DataFrame, FrameSet]:
    """Draw avatars in the form of JavaSED's table and `emorec.corpora.frame_sets.load_frames`.

    Args:
        actor_count: How many, with a clip of each of the six emotions.
        frames_per_clip: Frames of each.
        is_cropped: Whether only the face is shown, or the middle of the whole frame.
        seed: Of actors and expressions.

    Returns:
        Table with `clip_id`, `emotion`, `speaker`; the frames.
    """
    rng = np.random.default_rng(seed)
    rows, pixels = [], []
    top, left, side = (20, 90, 140) if is_cropped else (0, 70, 180)
    for number in range(1, actor_count + 1):
        actor = avatar.make_actor(int(rng.integers(1, 1000)))
        for emotion in JAVASED6:
            rows.append((f"made-up-{number:02d}-{emotion}-0", emotion, number))
            for _ in range(frames_per_clip):
                expression = avatar.EXPRESSIONS[emotion].scaled(rng.uniform(0.6, 1.1))
                grey = _drawn_grey(actor, expression)[top : top + side, left : left + side]
                pixels.append(cv2.resize(grey, (112, 112), interpolation=cv2.INTER_AREA))
    table = pd.DataFrame(rows, columns=["clip_id", "emotion", "speaker"])
    table["speaker"] = [f"javased-{number:02d}" for number in table["speaker"]]
    numbers = np.tile(21 + 3 * np.arange(frames_per_clip), len(table))
    clip_ids = np.repeat(table["clip_id"].to_numpy(str), frames_per_clip)
    return table, FrameSet(np.stack(pixels), clip_ids, numbers, numbers / _FRAME_RATE_HZ)


@lru_cache(maxsize=256)
def _drawn_grey(actor: avatar.Actor, expression: avatar.Expression) -> np.ndarray:
    """A drawn face, grey uint8 (180, 320); the face alone is cut out of the same as the frame."""
    colour = avatar.draw_face(actor, expression, size=(320, 180))
    return cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)


def synthetic_frame_predictions(frames_per_clip: int = 12, seed: int = 0) -> pd.DataFrame:
    """Make posteriors of single frames in the form of `predictions_frames.csv` over JAVASED6."""
    rows = [
        (f"made-up-{number:02d}-{emotion}-{clip}", f"javased-{number:02d}", 1, emotion, frame)
        for number in range(1, 9)
        for emotion in JAVASED6
        for clip in range(2)
        for frame in range(frames_per_clip)
    ]
    table = pd.DataFrame(rows, columns=["clip_id", "speaker", "fold", "truth", "frame_number"])
    blank = pd.DataFrame(np.zeros((len(table), len(JAVASED6))), columns=list(JAVASED6))
    found = synthetic_predictions(table.drop(columns="frame_number").join(blank), 1.0, seed)
    found.insert(4, "frame_number", table["frame_number"])
    return found


def synthetic_sounds(
    folder: str | Path, actors: Sequence[int], takes: Sequence[Take]
) -> pd.DataFrame:
    """Have avatars speak in RAVDESS's layout; returns what `ravdess.load_sound_table` makes of it.

    Args:
        folder: Where the sound goes.
        actors: Numbers of the avatars.
        takes: What each of them says, and how.
    """
    avatar.make_sound_corpus(Path(folder), actors=actors, takes=takes)
    return ravdess.load_sound_table(Path(folder))


def synthetic_speech(
    folder: Path, actors: Sequence[int] = (1, 2, 3, 17, 18), seed: int = 0
) -> dict[str, pd.DataFrame]:
    """Have avatars speak, and file their voices as if under four corpora.

    One voice may stand under several names: enough to see code run, not to learn from.

    Args:
        folder: Where the sound goes.
        actors: Numbers of the avatars.
        seed: Of who lends whom a voice.

    Returns:
        RAVDESS, CREMA-D, SAVEE and JavaSED -> table with `path`, `clip_id`, `emotion`, `speaker`.
    """
    voices = synthetic_sounds(folder, actors, [Take(name, intensity=1) for name in RAVDESS8])
    speakers = {
        "CREMA-D": ([f"crema-d-{number}" for number in range(1001, 1037)], CREMA_D6),
        "SAVEE": (["savee-DC", "savee-JE"], COMMON7),
        "JavaSED": ([f"javased-{number:02d}" for number in range(1, 9)], JAVASED6),
    }
    rng = np.random.default_rng(seed)
    tables = {"RAVDESS": voices[["path", "clip_id", "emotion", "speaker"]]}
    for corpus, (names, classes) in speakers.items():
        rows = []
        for name in names:
            voice = voices[voices["speaker"] == speaker_name(int(rng.choice(actors)))]
            path_of = voice.set_index("emotion")["path"]
            rows += [(path_of[label], f"{name}-{label}", label, name) for label in classes]
        tables[corpus] = pd.DataFrame(rows, columns=["path", "clip_id", "emotion", "speaker"])
    return tables


def synthetic_ck_plus(count: int = 120, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw avatars in the form of CK+ without contempt.

    Args:
        count: Pictures drawn; those of neutral are left out.
        seed: Of actors and emotions.

    Returns:
        Table with `clip_id`, `emotion`, `speaker`, and faces uint8 (n, 48, 48).
    """
    drawn, faces = synthetic_faces(count, seed)
    table = pd.DataFrame({"clip_id": drawn["clip_id"], "emotion": drawn["label"]})
    # Ten pictures in a row show the same avatar.
    table["speaker"] = [f"made-up-S{index // 10:03d}" for index in range(count)]
    kept = table["emotion"].isin(BASIC6).to_numpy()
    return table[kept].reset_index(drop=True), faces[kept]


def synthetic_faces(count: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw avatars in the corpus's format, for runs without it; results on them mean nothing.

    Args:
        count: Number of pictures; one in five is `PublicTest`.
        seed: Of actors and emotions.

    Returns:
        Table and pictures as `load_fer2013` gives them.
    """
    rng = np.random.default_rng(seed)
    labels = [COMMON7[i] for i in rng.integers(0, len(COMMON7), count)]
    first_actor = int(rng.integers(1, 1000))
    pictures = []
    for index, name in enumerate(labels):
        # Several in a row of the same actor: a new one takes four times as long to draw.
        actor = avatar.make_actor(first_actor + index // _FACES_OF_AN_AVATAR)
        expression = avatar.EXPRESSIONS[name].scaled(rng.uniform(0.6, 1.1))
        pose = avatar.Pose(*rng.normal(0, 4, 2))
        colour = avatar.draw_face(actor, expression, pose, size=(320, 180))
        grey = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)[20:160, 90:230]
        pictures.append(cv2.resize(grey, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA))
    usage = np.where(np.arange(count) % 5 == 4, "PublicTest", "Training")
    table = pd.DataFrame({"clip_id": [f"made_{i:05d}" for i in range(count)], "usage": usage})
    table["label"] = labels
    for name in FERPLUS8:
        table[f"votes_{name}"] = 10 * (table["label"] == name).astype(int)
    table["ferplus_label"] = labels
    return table, np.stack(pictures)


def synthetic_videos(
    folder: str | Path,
    actors: Sequence[int],
    takes: Sequence[Take],
    *,
    size: tuple[int, int] = (640, 360),
    jobs: int = 2,
) -> pd.DataFrame:
    """Draw small clips of avatars in RAVDESS's layout, those that are missing, and list them.

    Args:
        folder: Where they go.
        actors: Numbers of the avatars.
        takes: What each of them plays.
        size: Width and height of the picture.
        jobs: Processes.

    Returns:
        The table that `ravdess.load_video_table` makes of the folder.
    """
    plan = [(Path(folder) / avatar.take_path(a, t), a, t) for a in actors for t in takes]
    missing = [step for step in plan if not step[0].exists()]
    Parallel(n_jobs=jobs)(delayed(avatar.write_clip)(*step, size) for step in missing)
    return ravdess.load_video_table(Path(folder))


def _base_shape() -> np.ndarray:
    """A schematic face of 68 points in eye distances, eyes at (-0.5, 0) and (0.5, 0)."""
    jaw = np.linspace(np.pi, 0, 17)
    brow = np.linspace(-0.25, 0.25, 5)
    lips = np.linspace(0, 2 * np.pi, 13)[:12] + np.pi
    inner = np.linspace(0, 2 * np.pi, 9)[:8] + np.pi
    eye = np.linspace(0, 2 * np.pi, 7)[:6] + np.pi
    ring = np.stack([0.2 * np.cos(eye), 0.08 * np.sin(eye)], 1)
    parts = [
        np.stack([1.1 * np.cos(jaw), 1.9 * np.sin(jaw)], 1),
        np.stack([brow - 0.55, -0.35 + brow**2], 1),
        np.stack([brow + 0.55, -0.35 + brow**2], 1),
        np.stack([np.zeros(4), np.linspace(0, 0.6, 4)], 1),
        np.stack([np.linspace(-0.25, 0.25, 5), np.full(5, 0.75)], 1),
        ring - np.array([0.5, 0]),
        ring + np.array([0.5, 0]),
        np.stack([0.45 * np.cos(lips), 1.2 + 0.15 * np.sin(lips)], 1),
        np.stack([0.35 * np.cos(inner), 1.2 + 0.05 * np.sin(inner)], 1),
    ]
    return np.concatenate(parts)
