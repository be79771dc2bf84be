"""The posteriors that the fusion is fitted on, beside the networks' own evidence: numbers only.

python -m emorec.training.fusion --predict runs the shipped face network (both of its heads) over
actor 05's pictures and videos, JavaSED, and still faces of three corpora, all networks over JavaSED
(the voice being one that was not trained on it), and measures how far every RAVDESS take's face
lies from those of the other actors.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd

from emorec import files
from emorec.corpora import javased, ravdess
from emorec.emotions import COMMON7, FERPLUS8, fold
from emorec.engines import Network, OnnxNetwork, load_network, read_model_spec
from emorec.faces.landmarks import LandmarkPredictor
from emorec.fusion import Calibration, LogLinearFusion
from emorec.media.grey import FrameBatch
from emorec.media.reader import ClipReader
from emorec.models import MODEL_FOLDERS
from emorec.paths import MODELS, data_folder
from emorec.recognizer import Recognizer
from emorec.streams.face import pool_faces, predict_faces
from emorec.streams.picture import PictureStream
from emorec.training.face_pictures import OTHERS, is_held_out, small_faces
from emorec.training.fusion_groups import AUDIOVISUAL, FOLDER, PICTURES, STILLS, VIDEOS
from emorec.training.geometry import typical_shapes

HEADS = {"fer": COMMON7, "ferplus": FERPLUS8}


def predict_tables(models: Path = MODELS) -> None:
    """Write `faces.csv`, `shapes.csv` and JavaSED's `audiovisual.csv`."""
    heads = load_heads(models)
    pictures, stills = _pictures(heads), [_stills(heads, corpus) for corpus in STILLS]
    videos = [read_videos(heads, models, videos_of_actor_05(), VIDEOS)]
    with TemporaryDirectory() as folder:
        javased_clips = javased.as_filmed(javased.load_video_table(), Path(folder))
        videos.append(read_videos(heads, models, javased_clips, "javased"))
        files.write_table(models / AUDIOVISUAL, uncalibrated(javased_clips, models))
    faces = pd.concat([pictures, *videos, *stills], ignore_index=True)
    files.write_table(models / FOLDER / "faces.csv", faces)
    takes, tracks = ravdess.load_landmarks()
    shapes = takes[["clip_id", "speaker"]].assign(distance=typical_shapes(takes, tracks)[1])
    files.write_table(models / FOLDER / "shapes.csv", shapes.round(4))


def load_heads(models: Path) -> dict[str, Network]:
    """Load the shipped face network once for each of its outputs."""
    spec = read_model_spec(models / "face_cnn")
    return {
        head: OnnxNetwork(models / "face_cnn", replace(spec, output=head, classes=classes))
        for head, classes in HEADS.items()
    }


def uncalibrated(clips: pd.DataFrame, models: Path) -> pd.DataFrame:
    """Run the networks over labelled clips, the voice being the 2D CNN.

    Args:
        clips: `path`, `clip_id`, `speaker`, `emotion` (in common7).
        models: The models' folder.

    Returns:
        `clip_id`, `speaker`, `truth` and columns `stream.class`, NaN where a stream is missing.
    """
    loaded = Recognizer.load(models, voice_model="voice_2d_cnn")
    plain = LogLinearFusion(COMMON7, dict.fromkeys(MODEL_FOLDERS, Calibration()), {})
    recognizer = Recognizer(loaded.networks, plain, loaded.landmarks, ())
    rows = []
    for clip in clips.itertuples():
        said = recognizer.classify(clip.path).posteriors
        row = {"clip_id": clip.clip_id, "speaker": clip.speaker, "truth": clip.emotion}
        for stream in MODEL_FOLDERS:
            posterior = said.get(stream, np.full(len(COMMON7), np.nan))
            row |= _columns(stream, posterior)
        rows.append(row)
    return pd.DataFrame(rows)


def _columns(prefix: str, posterior: np.ndarray) -> dict[str, float]:
    named = zip(COMMON7, posterior, strict=True)
    return {f"{prefix}.{name}": round(float(p), 5) for name, p in named}


def _row(corpus: str, clip, posteriors: dict[str, np.ndarray]) -> dict:
    """One row of `faces.csv`: posteriors by head, over COMMON7."""
    row = {"corpus": corpus, "clip_id": clip.clip_id, "speaker": clip.speaker}
    row["truth"] = "neutral" if clip.emotion == "calm" else clip.emotion
    for head, posterior in posteriors.items():
        row |= _columns(head, fold(posterior, HEADS[head], COMMON7))
    return row


def _read(heads: dict[str, Network], faces: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Read pictures that show a face and little else; oblong ones are cut to a square."""
    small = small_faces(faces)
    return {head: predict_faces(network.predict, small) for head, network in heads.items()}


def _pictures(heads: dict[str, Network]) -> pd.DataFrame:
    """Actor 05's takes as pictures, pooled as the face stream does; black ones are padding."""
    rows = []
    with np.load(data_folder() / "RAVDESS_face" / "actor_05_crops.npz") as takes:
        for name in takes.files:
            faces = [face for face in takes[name] if face.any()]
            clip = pd.Series(ravdess.parse_name(f"{name}.mp4"))
            found = _read(heads, faces).items()
            pooled = {head: pool_faces(p, HEADS[head]) for head, p in found}
            rows.append(_row(PICTURES, clip, pooled))
    return pd.DataFrame(rows)


def videos_of_actor_05() -> pd.DataFrame:
    """List the actor's takes that are there as videos."""
    data = data_folder()
    paths = [
        *sorted((data / "RAVDESS_360p" / "Actor_05").glob("*.mp4")),
        *sorted((data / "RAVDESS" / "Actor_05").glob("01-*.mp4")),
    ]
    return pd.DataFrame([{"path": str(path), **ravdess.parse_name(path)} for path in paths])


def read_videos(
    heads: dict[str, Network], models: Path, clips: pd.DataFrame, corpus: str
) -> pd.DataFrame:
    """Read videos through the recogniser's own face stream; a clip without a face is left out."""
    geometry = load_network(models / "geometry")
    landmarks = LandmarkPredictor()
    rows = []
    for clip in clips.itertuples():
        with ThreadPoolExecutor(1) as beside:
            pictures = {
                head: PictureStream({"face": network, "geometry": geometry}, landmarks, beside)
                for head, network in heads.items()
            }
            for piece in ClipReader(clip.path, sample_rate_hz=16_000, frames_per_batch=8):
                if isinstance(piece, FrameBatch):
                    for picture in pictures.values():
                        picture.add(piece)
            found = {head: picture.finish()[0]["face"] for head, picture in pictures.items()}
        seen = {head: faces.pooled for head, faces in found.items() if faces is not None}
        if seen:
            rows.append(_row(corpus, clip, seen))
    return pd.DataFrame(rows)


def _stills(heads: dict[str, Network], corpus: str) -> pd.DataFrame:
    """Single pictures of faces that never trained the network, basic emotions and neutral."""
    table = import_module(f"emorec.corpora.{corpus}").load_picture_table()
    table = table[table["emotion"].isin(COMMON7)]
    if corpus in OTHERS:
        table = table[is_held_out(table["speaker"])]
    faces = [cv2.imread(path, cv2.IMREAD_GRAYSCALE) for path in table["path"]]
    posteriors = _read(heads, faces)
    return pd.DataFrame(
        [
            _row(corpus, clip, {head: p[number] for head, p in posteriors.items()})
            for number, clip in enumerate(table.itertuples())
        ]
    )
