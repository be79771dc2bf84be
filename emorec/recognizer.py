"""The recogniser: a clip goes in, what voice and face say comes out, over time and as one verdict.

The clip is decoded once, on a thread of its own, while the streams judge what was decoded before.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from emorec.emotions import COMMON7, fold
from emorec.engines import Network, load_network
from emorec.faces import FaceTracker
from emorec.landmarks import LandmarkPredictor
from emorec.media import ClipReader, FrameBatch, MediaError
from emorec.result import ClipResult, FaceUsed, Windows
from emorec.speech import VOICE
from emorec.streams import FaceStream, Findings, GeometryStream, VoiceStream

__all__ = ["MODEL_FOLDERS", "Recognizer", "default_models_folder"]

MODEL_FOLDERS = {"voice": "voice_2d_cnn", "face": "face_cnn", "geometry": "geometry"}
"""Which model of the models' folder serves which stream."""

TIMELINE_HOP_S = 0.5

_FRAMES_PER_BATCH = 8
_PIECES_AHEAD = 3

Piece = TypeVar("Piece")


def default_models_folder() -> Path:
    """Return the repository's `Models`, or that of the working folder."""
    own = Path(__file__).resolve().parents[1] / "Models"
    return own if own.is_dir() else Path("Models")


class Recognizer:
    """Reads emotion from clips; `Recognizer.load` makes one.

    Args:
        networks: Stream name -> its network.
        fusion: Joins what the streams say.
        origin: Folder and engine that the networks came from, for worker processes.
    """

    def __init__(self, networks: dict[str, Network], fusion, origin: tuple[str, str]):
        self._networks = networks
        self._fusion = fusion
        self._origin = origin
        self._landmarks = LandmarkPredictor()

    @classmethod
    def load(cls, folder: str | Path = "Models", engine: str = "onnx") -> Recognizer:
        """Load all networks.

        Args:
            folder: The models' folder, which holds one folder for each model.
            engine: "onnx" (starts fast) or "keras" (runs on what the Keras backend uses).

        Raises:
            ModelError: When a model is absent, broken or foreign.
            ValueError: When the engine is unknown.
        """
        folder = Path(folder)
        networks = {
            stream: load_network(folder / name, engine) for stream, name in MODEL_FOLDERS.items()
        }
        return cls(networks, _PlainProduct(), (str(folder), engine))

    def classify(self, path: str | Path) -> ClipResult:
        """Read the emotion of one clip.

        Raises:
            MediaError: When the file cannot be read as a clip.
        """
        reader = ClipReader(
            path, sample_rate_hz=VOICE.sample_rate_hz, frames_per_batch=_FRAMES_PER_BATCH
        )
        voice = VoiceStream(self._networks["voice"])
        picture = _Picture(self._networks, self._landmarks)
        for piece in _read_ahead(reader, _PIECES_AHEAD):
            if isinstance(piece, FrameBatch):
                picture.add(piece)
            else:
                voice.add(piece)
        found = {"voice": voice.finish(), **picture.finish()}
        found = {stream: findings for stream, findings in found.items() if findings is not None}
        notes = [*reader.notes, *voice.notes, *picture.notes(reader.info.has_picture)]
        duration_s = max(voice.end_s, picture.end_s)
        if not found:
            return ClipResult(
                Path(path),
                "no verdict",
                notes=notes,
                reason="there is neither a voice nor a face in it",
                remedy="use a clip in which a person speaks or is seen from the front",
                duration_s=duration_s,
            )
        return ClipResult(
            Path(path),
            "ok",
            posteriors=self._pooled(found),
            windows=self._windows(found, duration_s),
            notes=notes,
            faces_used=picture.faces_used,
            duration_s=duration_s,
        )

    def classify_many(self, paths: Iterable[str | Path], n_jobs: int = 1) -> Iterator[ClipResult]:
        """Read the emotion of many clips, one after the other or several at once.

        A clip that fails gives a result that says so, and the others go on.

        Args:
            paths: The clips.
            n_jobs: Number of processes, -1 for one a core.

        Yields:
            The results in the order of the paths, each as soon as it and those before it are
            there.
        """
        if n_jobs == 1:
            yield from map(self._classify_safely, paths)
            return
        from joblib import Parallel, delayed

        work = (delayed(_classify_in_worker)(*self._origin, str(path)) for path in paths)
        yield from Parallel(n_jobs=n_jobs, return_as="generator")(work)

    def _classify_safely(self, path: str | Path) -> ClipResult:
        try:
            return self.classify(path)
        except MediaError as error:
            return ClipResult.failed(path, error.reason, error.remedy)
        except Exception as error:  # one odd clip must not end the work on a thousand others
            return ClipResult.failed(
                path,
                f"an unforeseen error, {type(error).__name__}: {error}",
                "report it with the clip, if you may share that",
            )

    def _pooled(self, found: dict[str, Findings]) -> dict[str, np.ndarray]:
        posteriors = {
            stream: fold(findings.pooled, findings.classes, COMMON7)
            for stream, findings in found.items()
        }
        return {**posteriors, "fused": self._fusion.fuse(posteriors)}

    def _windows(self, found: dict[str, Findings], duration_s: float) -> dict[str, Windows]:
        """What each stream says over time, and all of them together on an even grid."""
        windows = {
            stream: Windows(
                findings.times_s,
                fold(findings.posteriors, findings.classes, COMMON7),
                findings.window_s,
            )
            for stream, findings in found.items()
        }
        times_s, fused = [], []
        for time_s in np.arange(0, duration_s, TIMELINE_HOP_S) + TIMELINE_HOP_S / 2:
            near = {stream: _nearest(findings, time_s) for stream, findings in found.items()}
            near = {
                stream: fold(posterior, found[stream].classes, COMMON7)
                for stream, posterior in near.items()
                if posterior is not None
            }
            if near:
                times_s.append(time_s)
                fused.append(self._fusion.fuse(near))
        if times_s:
            windows["fused"] = Windows(np.array(times_s), np.stack(fused), TIMELINE_HOP_S)
        return windows


class _Picture:
    """Follows the face through the frames, and has it judged by both streams that look at it."""

    def __init__(self, networks: dict[str, Network], landmarks: LandmarkPredictor):
        self._tracker = FaceTracker()
        self._face = FaceStream(networks["face"])
        self._geometry = GeometryStream(networks["geometry"], landmarks)
        self._has_face = False
        self.end_s = 0.0
        self.faces_used: list[FaceUsed] = []

    def add(self, batch: FrameBatch) -> None:
        for time_s, frame in zip(batch.times_s.tolist(), batch.frames, strict=True):
            box = self._tracker.update(time_s, frame)
            if box is not None:
                self._has_face = True
                self._face.add(time_s, frame, box)
                self._geometry.add(time_s, frame, box)
            self.end_s = time_s

    def finish(self) -> dict[str, Findings | None]:
        face, self.faces_used = self._face.finish()
        return {"face": face, "geometry": self._geometry.finish()}

    def notes(self, has_picture: bool) -> list[str]:
        if not has_picture:
            return ["no picture"]
        if not self._has_face:
            return ["no face"]
        return self._tracker.notes


def _nearest(findings: Findings, time_s: float) -> np.ndarray | None:
    """The posterior of the window nearest to a time, None where none reaches it."""
    distances_s = np.abs(findings.times_s - time_s)
    nearest = int(distances_s.argmin())
    reach_s = findings.window_s / 2 + TIMELINE_HOP_S / 2
    return findings.posteriors[nearest] if distances_s[nearest] <= reach_s else None


class _PlainProduct:
    """Stands in for the calibrated fusion: the normalised product of the posteriors."""

    def fuse(self, posteriors: dict[str, np.ndarray]) -> np.ndarray:
        log_sum = sum(np.log(np.maximum(p, 1e-6)) for p in posteriors.values())
        product = np.exp(log_sum - log_sum.max())
        return (product / product.sum()).astype(np.float32)


def _read_ahead(pieces: Iterable[Piece], depth: int) -> Iterator[Piece]:
    """Draw from an iterable on another thread, at most `depth` pieces ahead.

    What the iterable raises is raised here. The thread ends when the consumer stops.
    """
    ready: queue.Queue = queue.Queue(depth)
    stopped = threading.Event()
    end = object()

    def put(item) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def draw() -> None:
        try:
            for piece in pieces:
                if not put((piece, None)):
                    return
            put((end, None))
        except BaseException as error:  # handed over to the consumer
            put((end, error))

    thread = threading.Thread(target=draw, name="reading ahead", daemon=True)
    thread.start()
    try:
        while True:
            piece, error = ready.get()
            if error is not None:
                raise error
            if piece is end:
                return
            yield piece
    finally:
        stopped.set()
        thread.join()


@lru_cache(maxsize=1)
def _worker_recognizer(folder: str, engine: str) -> Recognizer:
    """Each worker process loads the networks once."""
    import cv2

    cv2.setNumThreads(1)
    return Recognizer.load(folder, engine)


def _classify_in_worker(folder: str, engine: str, path: str) -> ClipResult:
    return _worker_recognizer(folder, engine)._classify_safely(path)
