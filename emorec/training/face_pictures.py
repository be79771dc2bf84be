"""The faces that the face network learns from: FER-2013's, and people and films beside it.

FER-2013 shows what a search finds: strong, single expressions. CFEE adds compound ones (an open
mouth that is no surprise), SFEW faces from films, many in mid-speech and in odd light. A quarter of
CFEE's people and of SFEW's films never train: on them the network is judged.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pandas as pd

from emorec.corpora import cfee, fer2013, sfew
from emorec.emotions import COMMON7, FERPLUS8
from emorec.errors import CorpusMissingError
from emorec.faces.boxes import crop_face
from emorec.features.face import FACE_SIZE_PX
from emorec.training.fit import one_hot

__all__ = [
    "OTHERS",
    "FacePictures",
    "is_held_out",
    "judged_others",
    "largest_square",
    "load_others",
    "of_fer2013",
    "small_faces",
]

OTHERS = {"cfee": (cfee, 3), "sfew": (sfew, 4)}
"""Further corpora of faces, and how often each of their faces is shown in an epoch."""

# CFEE's words: what of the two parts is named by form, and what three have names of their own for.
_EMOTION_OF = {
    "angry": ("angrily", "angry"),
    "disgust": ("disgustedly", "disgusted"),
    "fear": ("fearfully", "fearful"),
    "happy": ("happily", "happy"),
    "sad": ("sadly", "sad"),
    "surprise": ("surprised",),
}
_OWN_NAMES = {
    "appalled": ("angry", "disgust"),
    "hatred": ("angry", "disgust"),
    "awed": ("fear", "surprise"),
}


class FacePictures(NamedTuple):
    """Faces to learn from.

    Attributes:
        pixels: (n, 48, 48) uint8.
        labels: (n, 7) float32, over COMMON7.
        votes: (n, 8) float32, over FERPLUS8.
        trust: (n,) float32, 0 where nobody voted.
    """

    pixels: np.ndarray
    labels: np.ndarray
    votes: np.ndarray
    trust: np.ndarray

    def targets(self) -> np.ndarray:
        """Return labels, votes and trust side by side, (n, 16)."""
        return np.concatenate([self.labels, self.votes, self.trust[:, None]], axis=1)


def of_fer2013(table: pd.DataFrame, pixels: np.ndarray, rows: np.ndarray) -> FacePictures:
    """Return some of FER-2013's pictures, with the votes of FER+.

    Args:
        table: As `fer2013.load_fer2013` gives it.
        pixels: Likewise.
        rows: bool (n,), which.
    """
    votes, trust = fer2013.vote_targets(table)
    return FacePictures(pixels[rows], fer2013.label_targets(table)[rows], votes[rows], trust[rows])


def load_others() -> FacePictures:
    """Return the faces of CFEE and SFEW that train, each as often as it is shown in an epoch.

    A corpus that is not there is named and left away. Nobody voted for these faces.
    """
    pixels, labels = [np.empty((0, FACE_SIZE_PX, FACE_SIZE_PX), np.uint8)], [np.empty((0, 7))]
    for key, (corpus, times) in OTHERS.items():
        table = _table_of(corpus)
        if table is None:
            continue
        table = table[~is_held_out(table["speaker"])].reset_index(drop=True)
        words = table["expression"] if key == "cfee" else table["emotion"]
        found = np.stack([expression_target(word) for word in words])
        pixels.append(np.tile(small_faces(corpus.load_pictures(table)), (times, 1, 1)))
        labels.append(np.tile(found, (times, 1)))
    count = sum(map(len, pixels))
    return FacePictures(
        np.concatenate(pixels),
        np.concatenate(labels).astype(np.float32),
        np.full((count, len(FERPLUS8)), 1 / len(FERPLUS8), np.float32),
        np.zeros(count, np.float32),
    )


def judged_others() -> dict[str, tuple[pd.DataFrame, np.ndarray]]:
    """Return the basic expressions of CFEE and SFEW that never train: corpus -> table, faces."""
    found = {}
    for key, (corpus, _) in OTHERS.items():
        table = _table_of(corpus)
        if table is None:
            continue
        is_basic = table["emotion"].isin(COMMON7).to_numpy()
        table = table[is_held_out(table["speaker"]) & is_basic].reset_index(drop=True)
        found[key] = table, small_faces(corpus.load_pictures(table))
    return found


def _table_of(corpus: ModuleType) -> pd.DataFrame | None:
    """List a corpus's pictures; None, said so, where it is not there."""
    try:
        return corpus.load_picture_table()
    except CorpusMissingError as error:
        print(f"left away: {error}", flush=True)
        return None


def is_held_out(speakers: Sequence[str] | pd.Series) -> np.ndarray:
    """Tell which people or films never train: a quarter, by their names. Returns bool (n,).

    Films of one series, which share their actors, stay together.

    >>> is_held_out(["cfee-173", "cfee-114", "sfew-LittleManhattan", "sfew-AlexEmma"]).tolist()
    [True, False, True, False]
    """
    people = [name.split("_")[0] for name in speakers]
    return np.array([zlib.crc32(name.encode()) % 4 == 0 for name in people], bool)


def expression_target(expression: str) -> np.ndarray:
    """Return what an expression shows, (7,) over COMMON7: a compound one half of each.

    >>> dict(zip(COMMON7, expression_target("happily surprised").tolist()))["surprise"]
    0.5
    """
    if expression in COMMON7:
        return one_hot([expression], COMMON7)[0]
    parts = _OWN_NAMES.get(expression) or [
        emotion
        for emotion, forms in _EMOTION_OF.items()
        if any(word in forms for word in expression.split())
    ]
    if not parts:
        raise ValueError(f"{expression!r}: no expression of CFEE")
    return one_hot(parts, COMMON7).mean(0)


def small_faces(faces: Sequence[np.ndarray]) -> np.ndarray:
    """Bring pictures that show a face and little else to the network's size, (n, 48, 48) uint8.

    Args:
        faces: (height, width) uint8 each; of oblong ones the middle square is taken.
    """
    return np.stack([crop_face(face, largest_square(face), FACE_SIZE_PX) for face in faces])


def largest_square(face: np.ndarray) -> np.ndarray:
    """Return the box of the square in a picture's middle: x, y, width, height."""
    height, width = face.shape
    side = min(height, width)
    return np.array([(width - side) // 2, (height - side) // 2, side, side])
