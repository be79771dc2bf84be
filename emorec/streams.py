"""The three streams of a clip: each takes what is decoded, piece by piece, and judges windows.

Only posteriors, landmarks and a handful of small pictures are kept, so that an hour takes hardly
more memory than a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from emorec import geometry, speech
from emorec.crops import crop_face
from emorec.emotions import COMMON7, fold
from emorec.engines import Network
from emorec.face_track import FaceTrackRecorder
from emorec.faces import FaceTracker
from emorec.landmarks import LandmarkPredictor
from emorec.media import FrameBatch, SoundBlock
from emorec.pace import Pace
from emorec.result import FaceUsed

__all__ = ["FaceStream", "Findings", "GeometryStream", "PictureStream", "VoiceStream", "is_silent"]

SILENCE_DBFS = -60.0
SHORTEST_SOUND_S = 0.25
FACES_PER_S = 4.0
FACE_WINDOW_S = 0.5
FALLBACK_FRAME_RATE_HZ = 25.0

_LEVEL_BLOCK_S = 0.05
_CLIPPED_LEVEL, _CLIPPED_SHARE = 0.999, 0.001
_WINDOWS_PER_BATCH = 8
_FACES_PER_BATCH = 4
_PICTURES_KEPT = 8
_PICTURE_PX = 112
_TRACK_CHUNK_S = 60.0

# The engines let go of Python's lock while they compute, so that faces are judged on this thread
# while the next frames are searched.
_beside = ThreadPoolExecutor(1, "judging faces")


@dataclass(frozen=True)
class Findings:
    """What a stream found, over its network's own classes.

    Attributes:
        classes: The classes.
        times_s: (n,) float64, the middle of each window.
        posteriors: (n, classes) float, one for each window.
        pooled: (classes,) float, the whole clip's.
        window_s: Length of a window.
    """

    classes: tuple[str, ...]
    times_s: np.ndarray
    posteriors: np.ndarray
    pooled: np.ndarray
    window_s: float


class VoiceStream:
    """Judges the voice in sliding windows.

    Args:
        network: The voice network; see `emorec.speech.voice_input` for what it reads.

    Attributes:
        notes: What a reader of the result should know.
    """

    @staticmethod
    def accepts(input_shape: tuple[int, ...]) -> bool:
        """Tell whether a network with this input, without the batch, can serve."""
        samples = round(speech.WINDOW_S * speech.VOICE.sample_rate_hz)
        return input_shape == (speech.VOICE.bands, speech.VOICE.frames(samples), 1)

    def __init__(self, network: Network):
        self.notes: list[str] = []
        self._network = network
        self._rate_hz = speech.VOICE.sample_rate_hz
        self._cutter = speech.SlidingWindows(self._rate_hz)
        self._start_s: float | None = None
        self._heard = self._clipped = 0
        self._pending: list[np.ndarray] = []
        self._times_s: list[float] = []
        self._loudness: list[float] = []
        self._posteriors: list[np.ndarray] = []

    @property
    def end_s(self) -> float:
        """Time at which the sound ended so far."""
        return (self._start_s or 0.0) + self._heard / self._rate_hz

    def add(self, block: SoundBlock) -> None:
        """Take the next stretch of sound, at the rate of `speech.VOICE`."""
        if self._start_s is None:
            self._start_s = block.start_s
        self._heard += block.samples.size
        self._clipped += int(np.count_nonzero(np.abs(block.samples) >= _CLIPPED_LEVEL))
        self._judge(self._cutter.push(block.samples))

    def finish(self) -> Findings | None:
        """Judge what is left; None where no voice was heard, and a note says why."""
        if self._start_s is None:
            self.notes.append("no sound")
            return None
        if self._heard < SHORTEST_SOUND_S * self._rate_hz:
            self.notes.append(f"only {self._heard / self._rate_hz:.2f} s of sound: too short")
            return None
        self._judge(self._cutter.finish())
        self._predict()
        if not self._times_s:
            self.notes.append("the sound is silent")
            return None
        if self._clipped > _CLIPPED_SHARE * self._heard:
            share = self._clipped / self._heard
            self.notes.append(f"the sound is clipped ({share:.1%} of it at full scale)")
        posteriors = np.concatenate(self._posteriors)
        return Findings(
            self._network.spec.classes,
            np.array(self._times_s),
            posteriors,
            speech.pool_log_posteriors(posteriors, np.array(self._loudness)),
            speech.WINDOW_S,
        )

    def _judge(self, windows: Iterator[speech.Window]) -> None:
        for window in windows:
            if is_silent(window.samples, self._rate_hz):
                continue
            middle_s = window.start_s + window.samples.size / self._rate_hz / 2
            self._times_s.append(self._start_s + middle_s)
            self._loudness.append(speech.loudness(window.samples))
            self._pending.append(speech.voice_input(window.samples))
            if len(self._pending) == _WINDOWS_PER_BATCH:
                self._predict()

    def _predict(self) -> None:
        if self._pending:
            batch = np.stack(self._pending).astype(np.float32)
            self._posteriors.append(self._network.predict(batch))
        self._pending = []


class FaceStream:
    """Judges single pictures of the face.

    Args:
        network: The face network; see `emorec.networks.face`.
    """

    @staticmethod
    def accepts(input_shape: tuple[int, ...]) -> bool:
        """Tell whether a network with this input, without the batch, can serve."""
        return len(input_shape) == 3 and input_shape[0] == input_shape[1] and input_shape[2] == 1

    def __init__(self, network: Network):
        self._network = network
        self._size_px = network.input_shape[0]
        self._pace = Pace(FACES_PER_S)
        self._pending: list[tuple[float, np.ndarray, np.ndarray]] = []
        self._judging: tuple[Future, tuple, tuple] | None = None
        self._times_s: list[float] = []
        self._posteriors: list[np.ndarray] = []
        self._pictures: list[FaceUsed] = []

    def add(self, time_s: float, frame: np.ndarray, box: np.ndarray) -> None:
        """Take a frame with a face; about `FACES_PER_S` of them are looked at.

        Args:
            time_s: Its time.
            frame: (height, width) uint8, grey.
            box: x, y, width, height of the face.
        """
        if not self._pace.is_due(time_s):
            return
        crop = crop_face(frame, box, self._size_px)
        self._pending.append((time_s, crop, crop_face(frame, box, _PICTURE_PX)))
        if len(self._pending) == _FACES_PER_BATCH:
            self._predict()

    def finish(self) -> tuple[Findings | None, list[FaceUsed]]:
        """Judge what is left; None where no face was seen."""
        self._predict()
        self._collect()
        if not self._times_s:
            return None, []
        times_s, posteriors = np.array(self._times_s), np.concatenate(self._posteriors)
        windows = np.floor(times_s / FACE_WINDOW_S).astype(int)
        kept = np.unique(windows)
        pooled = [posteriors[windows == window].mean(0) for window in kept]
        findings = Findings(
            self._network.spec.classes,
            (kept + 0.5) * FACE_WINDOW_S,
            np.stack(pooled),
            posteriors.mean(0),
            FACE_WINDOW_S,
        )
        return findings, self._pictures

    def _predict(self) -> None:
        """Have the faces so far judged beside the work on the next frames."""
        if not self._pending:
            return
        times_s, crops, pictures = zip(*self._pending, strict=True)
        self._pending = []
        self._collect()
        judging = _beside.submit(judge_faces, self._network.predict, np.stack(crops))
        self._judging = judging, times_s, pictures

    def _collect(self) -> None:
        """Take what was found of the faces that were handed over last."""
        if self._judging is None:
            return
        judging, times_s, pictures = self._judging
        self._judging = None
        posteriors = judging.result()
        self._times_s.extend(times_s)
        self._posteriors.append(posteriors)
        folded = fold(posteriors, self._network.spec.classes, COMMON7)
        for time_s, picture, posterior in zip(times_s, pictures, folded, strict=True):
            best = int(posterior.argmax())
            self._keep(FaceUsed(time_s, picture, COMMON7[best], float(posterior[best])))

    def _keep(self, face: FaceUsed) -> None:
        """Keep the most certain faces, spread over the clip: of two close ones, one goes."""
        self._pictures.append(face)
        if len(self._pictures) > _PICTURES_KEPT:
            gaps_s = np.diff([kept.time_s for kept in self._pictures])
            first = int(gaps_s.argmin())
            pair = self._pictures[first : first + 2]
            self._pictures[first : first + 2] = [max(pair, key=lambda kept: kept.confidence)]


class GeometryStream:
    """Judges the movement of 68 landmarks in sliding windows.

    Args:
        network: The geometry network; see `emorec.geometry` for what it reads.
        predictor: Finds the landmarks.
    """

    @staticmethod
    def accepts(input_shape: tuple[int, ...]) -> bool:
        """Tell whether a network with this input, without the batch, can serve."""
        return input_shape == (geometry.WINDOW_FRAMES, geometry.FEATURES)

    def __init__(self, network: Network, predictor: LandmarkPredictor):
        self._network, self._predictor = network, predictor
        self._track_s: list[float] = []
        self._track: list[np.ndarray] = []
        self._times_s: list[np.ndarray] = []
        self._posteriors: list[np.ndarray] = []

    def add(self, time_s: float, frame: np.ndarray, box: np.ndarray) -> None:
        """Take a frame with a face; about `geometry.FRAME_RATE_HZ` a second are enough.

        Args:
            time_s: Its time.
            frame: (height, width) uint8, grey.
            box: x, y, width, height of the face.
        """
        self._track_s.append(time_s)
        self._track.append(self._predictor.predict(frame, box))
        if time_s - self._track_s[0] >= _TRACK_CHUNK_S:
            self._judge()

    def finish(self) -> Findings | None:
        """Judge what is left; None where no face was seen for long enough."""
        if self._track_s:
            self._judge()
        if not self._times_s:
            return None
        posteriors = np.concatenate(self._posteriors)
        return Findings(
            self._network.spec.classes,
            np.concatenate(self._times_s),
            posteriors,
            geometry.average_log(posteriors),
            geometry.WINDOW_S,
        )

    def _judge(self) -> None:
        """Judge the windows of the track so far, and keep only what the next one needs."""
        times_s = np.array(self._track_s)
        windows = geometry.cut_windows(times_s, np.stack(self._track))
        if len(windows.time_s):
            self._times_s.append(windows.time_s)
            self._posteriors.append(self._network.predict(windows.features))
        next_start_s = times_s[-1] - geometry.WINDOW_S + geometry.HOP_S
        done = int(np.searchsorted(times_s, next_start_s))
        self._track_s, self._track = self._track_s[done:], self._track[done:]


class PictureStream:
    """Follows the face through the frames and has it judged by both streams that look at it.

    About `geometry.FRAME_RATE_HZ` frames a second are looked at: all that the streams need.

    Args:
        networks: Stream name -> its network; "face" and "geometry" are used.
        landmarks: Finds the landmarks.
        frame_rate_hz: Mean frame rate, for the length of the last frame.

    Attributes:
        end_s: Time at which the picture ended so far.
        track: Where the face was.
    """

    def __init__(
        self,
        networks: dict[str, Network],
        landmarks: LandmarkPredictor,
        frame_rate_hz: float,
    ):
        self.end_s, self.track = 0.0, FaceTrackRecorder()
        self._frame_s = 1 / frame_rate_hz
        self._tracker = FaceTracker()
        self._pace = Pace(geometry.FRAME_RATE_HZ)
        self._face = FaceStream(networks["face"])
        self._geometry = GeometryStream(networks["geometry"], landmarks)
        self._has_face = False

    def add(self, batch: FrameBatch) -> None:
        """Take the next frames."""
        for time_s, frame in zip(batch.times_s.tolist(), batch.frames, strict=True):
            self.end_s = time_s + self._frame_s
            if not self._pace.is_due(time_s):
                continue
            box = self._tracker.update(time_s, frame)
            self.track.add(time_s, box, frame.shape)
            if box is not None:
                self._has_face = True
                self._face.add(time_s, frame, box)
                self._geometry.add(time_s, frame, box)

    def finish(self) -> tuple[dict[str, Findings | None], list[FaceUsed]]:
        """Judge what is left: findings by stream, None where no face was seen; faces used."""
        face, faces_used = self._face.finish()
        return {"face": face, "geometry": self._geometry.finish()}, faces_used

    @property
    def notes(self) -> list[str]:
        """What a reader of the result should know."""
        if not self.end_s:
            return ["no picture"]
        return self._tracker.notes if self._has_face else ["no face"]


def judge_faces(predict: Callable[[np.ndarray], np.ndarray], faces: np.ndarray) -> np.ndarray:
    """Judge each face and its mirror image, which shows the same emotion; return their mean.

    Args:
        predict: From (m, size, size, 1) standardised faces to posteriors (m, classes).
        faces: (n, size, size) uint8.

    Returns:
        (n, classes).
    """
    both = predict(standardize(np.concatenate([faces, faces[:, :, ::-1]])))
    return (both[: len(faces)] + both[len(faces) :]) / 2


def is_silent(samples: np.ndarray, sample_rate_hz: int) -> bool:
    """Tell whether sound stays below `SILENCE_DBFS` throughout.

    Args:
        samples: (n,) float32, mono.
        sample_rate_hz: Its rate.

    >>> is_silent(np.zeros(16_000, np.float32), 16_000)
    True
    """
    block = max(1, round(_LEVEL_BLOCK_S * sample_rate_hz))
    padded = np.pad(samples, (0, -len(samples) % block))
    powers = np.square(padded.reshape(-1, block), dtype=np.float64).mean(1)
    return bool(powers.max(initial=0.0) < 10 ** (SILENCE_DBFS / 10))


def standardize(faces: np.ndarray) -> np.ndarray:
    """Give each face zero mean and about unit variance, as the face network was trained.

    Args:
        faces: (n, size, size) uint8.

    Returns:
        (n, size, size, 1) float32.
    """
    faces = np.asarray(faces, np.float32)
    mean = faces.mean((1, 2), keepdims=True)
    deviation = faces.std((1, 2), keepdims=True)
    return ((faces - mean) / (deviation + 5.0))[..., None]
