"""The posteriors that the fusion is fitted on, beside the networks' own evidence: numbers only.

python -m emorec.training.fusion --predict runs the shipped face network (both of its heads) and the
shipped geometry over actor 05's pictures and videos, JavaSED, and still faces of three corpora,
and measures how far every RAVDESS take's face lies from those of the other actors.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from emorec import files
from emorec.corpora import cfee, ck_plus, javased, ravdess, sfew
from emorec.emotions import COMMON7, FERPLUS8, fold
from emorec.engines import Network, OnnxNetwork, read_model_spec
from emorec.faces.landmarks import LandmarkPredictor
from emorec.features.face import FACE_SIZE_PX
from emorec.media.grey import FrameBatch
from emorec.media.reader import ClipReader
from emorec.paths import MODELS, data_folder
from emorec.streams.face import predict_faces
from emorec.streams.picture import PictureStream
from emorec.training.fusion_groups import FOLDER, PICTURES, STILLS, VIDEOS
from emorec.training.geometry import typical_shapes

HEADS = {"fer": COMMON7, "ferplus": FERPLUS8}


def predict_tables(models: Path = MODELS) -> None:
    """Write `faces.csv` and `shapes.csv` into the folder of this evidence."""
    heads = {
        head: OnnxNetwork(
            models / "face_cnn",
            replace(read_model_spec(models / "face_cnn"), output=head, classes=classes),
        )
        for head, classes in HEADS.items()
    }
    faces = pd.concat([_pictures(heads), _videos(heads, models), _stills(heads)])
    files.write_table(models / FOLDER / "faces.csv", faces)
    takes, tracks = ravdess.load_landmarks()
    shapes = takes[["clip_id", "speaker"]].assign(distance=typical_shapes(takes, tracks)[1])
    files.write_table(models / FOLDER / "shapes.csv", shapes.round(4))


def _row(corpus: str, clip, posteriors: dict[str, np.ndarray]) -> dict:
    """One row of `faces.csv`: posteriors by head, over COMMON7."""
    row = {"corpus": corpus, "clip_id": clip.clip_id, "speaker": clip.speaker}
    row["truth"] = "neutral" if clip.emotion == "calm" else clip.emotion
    for head, posterior in posteriors.items():
        folded = fold(posterior, HEADS[head], COMMON7)
        row |= {
            f"{head}.{name}": round(float(p), 5) for name, p in zip(COMMON7, folded, strict=True)
        }
    return row


def _read(heads: dict[str, Network], faces: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    size = (FACE_SIZE_PX, FACE_SIZE_PX)
    small = np.stack([cv2.resize(face, size, interpolation=cv2.INTER_AREA) for face in faces])
    return {head: predict_faces(network.predict, small) for head, network in heads.items()}


def _pictures(heads: dict[str, Network]) -> pd.DataFrame:
    """Actor 05's takes as pictures, pooled as the face stream does; black ones are padding."""
    rows = []
    with np.load(data_folder() / "RAVDESS_face" / "actor_05_crops.npz") as takes:
        for name in takes.files:
            faces = [face for face in takes[name] if face.any()]
            clip = pd.Series(ravdess.parse_name(f"{name}.mp4"))
            means = {head: p.mean(0) for head, p in _read(heads, faces).items()}
            rows.append(_row(PICTURES, clip, means))
    return pd.DataFrame(rows)


def _videos(heads: dict[str, Network], models: Path) -> pd.DataFrame:
    """Actor 05's videos and JavaSED through the recogniser's own face stream."""
    geometry = OnnxNetwork(models / "geometry", read_model_spec(models / "geometry"))
    landmarks = LandmarkPredictor()
    data, rows = data_folder(), []
    files_05 = [
        *sorted((data / "RAVDESS_360p" / "Actor_05").glob("*.mp4")),
        *sorted((data / "RAVDESS" / "Actor_05").glob("01-*.mp4")),
    ]
    clips = [(VIDEOS, str(f), pd.Series(ravdess.parse_name(f))) for f in files_05]
    table = javased.load_video_table()
    clips += [("javased", clip.path, clip) for clip in table.itertuples()]
    for corpus, path, clip in clips:
        seen = {}
        for head, network in heads.items():
            with ThreadPoolExecutor(1) as beside:
                networks = {"face": network, "geometry": geometry}
                picture = PictureStream(networks, landmarks, beside)
                for piece in ClipReader(path, sample_rate_hz=16_000, frames_per_batch=8):
                    if isinstance(piece, FrameBatch):
                        picture.add(piece)
                found = picture.finish()[0]["face"]
            if found is not None:
                seen[head] = found.pooled
        if seen:
            rows.append(_row(corpus, clip, seen))
    return pd.DataFrame(rows)


def _stills(heads: dict[str, Network]) -> pd.DataFrame:
    """Single pictures of faces, basic emotions and neutral."""
    rows = []
    for corpus, module in zip(STILLS, (cfee, sfew, ck_plus), strict=True):
        table = module.load_picture_table()
        table = table[table["emotion"].isin(COMMON7)]
        faces = [cv2.imread(path, cv2.IMREAD_GRAYSCALE) for path in table["path"]]
        posteriors = _read(heads, faces)
        for number, clip in enumerate(table.itertuples()):
            of_clip = {head: p[number] for head, p in posteriors.items()}
            rows.append(_row(corpus, clip, of_clip))
    return pd.DataFrame(rows)
