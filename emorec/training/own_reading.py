"""Somebody's clips as the recogniser reads them, and what its networks' heads see of them; kept.

A clip goes the way that it goes in `emorec.recognizer`, through the same streams; beside what they
say it is kept what the last layers of voice and face were given. No picture and no sound is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from joblib import effective_n_jobs

from emorec import models, workers
from emorec.emotions import COMMON7, fold
from emorec.errors import EmorecError
from emorec.faces.landmarks import LandmarkPredictor
from emorec.files import UNREADABLE, write_atomically
from emorec.media import storage
from emorec.media.find import check_name
from emorec.media.opening import limit_threads
from emorec.media.reader import ClipReader
from emorec.report.stamp import Stamps
from emorec.streams.clip import read_clip
from emorec.streams.windows import Findings
from emorec.training.own_networks import ObservedNetwork

__all__ = ["Reading", "Unread", "read_clips"]

_FORMAT = 2


def _empty() -> np.ndarray:
    return np.zeros(0, np.float32)


@dataclass(frozen=True)
class Reading:
    """What was read of a clip.

    Attributes:
        duration_s: Its length, () float64.
        voice: float32 (windows, features), what the voice's head reads of each window with speech.
        voice_times_s: (windows,), the middle of each.
        loudness: (windows,), what each weighs in the clip's verdict.
        distances: (windows,), how far each lies from what the voice learned from.
        faces: float32 (faces, features), what the face's head reads of each.
        faces_times_s: (faces,).
        geometry: float32 (windows, 7) over COMMON7, what the geometry says, uncalibrated.
        geometry_times_s: (windows,).
        geometry_pooled: (7,), of the whole clip; empty where it says nothing.
    """

    duration_s: np.ndarray
    voice: np.ndarray = field(default_factory=_empty)
    voice_times_s: np.ndarray = field(default_factory=_empty)
    loudness: np.ndarray = field(default_factory=_empty)
    distances: np.ndarray = field(default_factory=_empty)
    faces: np.ndarray = field(default_factory=_empty)
    faces_times_s: np.ndarray = field(default_factory=_empty)
    geometry: np.ndarray = field(default_factory=_empty)
    geometry_times_s: np.ndarray = field(default_factory=_empty)
    geometry_pooled: np.ndarray = field(default_factory=_empty)


@dataclass(frozen=True)
class Unread:
    """A clip that could not be read: why, and what helps."""

    reason: str
    remedy: str


def read_clips(
    paths: Sequence[Path | str], folder: Path, kept: Path, n_jobs: int = 1
) -> Iterator[Reading | Unread]:
    """Read clips; what was read before, and has not changed, comes from where it is kept.

    Args:
        paths: The clips.
        folder: The models that read them.
        kept: Where readings are kept, a file for each clip.
        n_jobs: Number of processes, -1 for one a core.

    Yields:
        What was read, in the order of the paths, each as soon as it is there.

    Raises:
        ModelError: When a model cannot be read.
    """
    stamps = Stamps(lambda: models.fingerprints(folder, ""))
    files = [kept / f"{_name(path, stamps.of(path))}.npz" for path in paths]
    todo = [path for path, file in zip(paths, files, strict=True) if not file.exists()]
    found = _read(todo, folder, effective_n_jobs(n_jobs))
    with contextlib.closing(found):
        for path, file in zip(paths, files, strict=True):
            earlier = _kept(file) if file.exists() else None
            if earlier is not None:
                yield earlier
                continue
            read = next(found) if not file.exists() else _read_here(folder, 1, str(path))
            if isinstance(read, Reading):
                _keep(file, read)
            yield read


def _name(path: Path | str, stamp: str) -> str:
    return hashlib.sha256(f"{_FORMAT} {path} {stamp}".encode(errors="replace")).hexdigest()[:24]


def _keep(file: Path, reading: Reading) -> None:
    content = {part.name: getattr(reading, part.name) for part in fields(reading)}
    write_atomically(file, lambda name: np.savez(name, **content))


def _kept(file: Path) -> Reading | None:
    """Read what `_keep` wrote; None where it is damaged."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            return Reading(**{part.name: archive[part.name] for part in fields(Reading)})
    except UNREADABLE:
        return None


def _read(paths: Sequence[Path | str], folder: Path, n_jobs: int) -> Iterator[Reading | Unread]:
    threads = workers.threads_each(n_jobs)
    work = partial(_read_here, folder, threads)
    if n_jobs == 1 or not paths:
        yield from map(work, map(str, paths))
    else:
        yield from workers.in_order(work, map(str, paths), n_jobs, _lost)


def _lost(_: str, how: str) -> Unread:
    reason = f"the process that read it was ended ({how}), as a system does that runs out of memory"
    return Unread(reason, "read with --jobs 1")


def _read_here(folder: Path, threads: int, path: str) -> Reading | Unread:
    """Read a clip with what this process has loaded; where that fails, say why."""
    reader = _loaded(folder, threads)
    try:
        if storage.is_address(path):
            with storage.local_copy(path) as copy:
                return reader.read(copy)
        check_name(path)
        return reader.read(Path(path))
    except EmorecError as error:
        return Unread(error.reason, error.remedy)
    except Exception as error:  # one odd clip must not end the work on a thousand others
        reason = f"an unforeseen error, {type(error).__name__}: {error}"
        return Unread(reason, "report it with the clip, if you may share that")


@lru_cache(maxsize=1)
def _loaded(folder: Path, threads: int) -> _Reader:
    """Each process loads the networks once."""
    import cv2

    cv2.setNumThreads(1)
    limit_threads(threads)
    return _Reader(folder)


class _Reader:
    """The networks of a models' folder, two of them observed."""

    def __init__(self, folder: Path):
        places, _, _ = models.places(folder, "")
        self._voice = ObservedNetwork(places["voice"])
        self._face = ObservedNetwork(places["face"])
        self._geometry = models.load_for("geometry", places["geometry"], "onnx")
        self._landmarks = LandmarkPredictor()

    def read(self, path: Path) -> Reading:
        """Read a clip, as `Recognizer.classify` does.

        Raises:
            MediaError: When the file cannot be read as a clip.
        """
        self._voice.taken(), self._face.taken()
        networks = {"voice": self._voice, "face": self._face, "geometry": self._geometry}
        read = read_clip(partial(ClipReader, path), networks, self._landmarks)
        return Reading(
            np.array(read.duration_s),
            **self._of_voice(read.said["voice"], read.voice.loudness),
            **self._of_faces(read.picture.looked_at),
            **_of_geometry(read.said["geometry"]),
        )

    def _of_voice(self, heard: Findings | None, loudness: np.ndarray) -> dict[str, np.ndarray]:
        taken = self._voice.taken()
        if heard is None:
            return {}
        return {
            "voice": np.concatenate([features for features, _ in taken]),
            "voice_times_s": heard.times_s,
            "loudness": loudness,
            "distances": np.concatenate([distances for _, distances in taken]),
        }

    def _of_faces(self, looked_at: Findings | None) -> dict[str, np.ndarray]:
        """Join the faces that were read with their times.

        What was read before a poster gave way to a living face does not count: it came first.
        """
        taken = self._face.taken()
        if looked_at is None:
            return {}
        times_s = looked_at.times_s
        every = np.concatenate([features for features, _ in taken])
        return {"faces": every[len(every) - len(times_s) :], "faces_times_s": times_s}


def _of_geometry(seen: Findings | None) -> dict[str, np.ndarray]:
    if seen is None:
        return {}
    return {
        "geometry": fold(seen.posteriors, seen.classes, COMMON7),
        "geometry_times_s": seen.times_s,
        "geometry_pooled": fold(seen.pooled, seen.classes, COMMON7),
    }
