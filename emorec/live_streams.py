"""What each stream says now, and of all it has taken so far, in memory that does not grow.

The parts, rates and windows are those of `emorec.streams`, so that the same weights give the same
answer; only the pooling is kept up from window to window instead of at the end of a clip. In
between, faces and windows are judged more often than a clip's are, for the moment alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from emorec import geometry, speech
from emorec.crops import crop_face
from emorec.engines import Network
from emorec.faces import FaceTracker
from emorec.landmarks import LandmarkPredictor
from emorec.mono_sound import Resampler
from emorec.pace import Pace
from emorec.streams import FACES_PER_S, SHORTEST_SOUND_S, is_silent, judge_faces
from emorec.voice_inputs import input_of

__all__ = ["LivePicture", "LiveVoice", "Pooled"]

SMOOTHED_S = 1.0
"""Over how long the face and its geometry are averaged."""

VOICE_HOP_S = 0.25
SHOWN_FACES_PER_S = 8.0
MAX_SIDE_PX = 1280

_STEP_FRAMES = 2  # of the even track, from one window of landmarks to the next
_POOLED_STEP_FRAMES = round(geometry.HOP_S * geometry.FRAME_RATE_HZ)
# A hole in the sound up to a window long is filled with silence; after a longer one, and when
# time runs backwards, it begins anew. Less is the jitter of arrival.
_SHORTEST_HOLE_S, _LONGEST_HOLE_S = 0.5, speech.WINDOW_S
_LONGEST_STEP_BACK_S = 1.0


@dataclass(frozen=True)
class Pooled:
    """Weighted geometric mean of posteriors, kept up from one to the next.

    Attributes:
        posterior: (classes,), None before the first.
        weight: Sum of their weights.

    >>> pooled = Pooled().joined(np.array([0.9, 0.1])).joined(np.array([0.5, 0.5]))
    >>> pooled.posterior.round(2).tolist()
    [0.75, 0.25]
    """

    posterior: np.ndarray | None = None
    weight: float = 0.0

    def joined(self, posterior: np.ndarray, weight: float = 1.0) -> Pooled:
        """Return the mean with one more posterior."""
        if self.posterior is None:
            return Pooled(posterior, weight)
        both = np.stack([self.posterior, posterior])
        pooled = speech.pool_log_posteriors(both, np.array([self.weight, weight]))
        return Pooled(pooled, self.weight + weight)


class LiveVoice:
    """Judges the last three seconds of the sound, four times a second.

    Args:
        network: The voice network.

    Attributes:
        posterior: (classes,) of the last window; None before the first and in silence.
        is_silent: Whether the last window was silent.
        end_s: Time at which the sound ended so far.
        sample_rate_hz: Rate at which it judges; sound may come at any.
    """

    def __init__(self, network: Network):
        self.posterior: np.ndarray | None = None
        self.is_silent = False
        self.end_s = 0.0
        self._network = network
        heard = input_of(network.spec)
        self.sample_rate_hz, self._make_input = heard.sample_rate_hz, heard.make
        self._pooled = Pooled()
        self._begin(0.0)

    def _begin(self, start_s: float) -> None:
        """Begin at a time, with nothing heard."""
        self._cutter = speech.SlidingWindows(self.sample_rate_hz, hop_s=VOICE_HOP_S)
        self._resampler = Resampler(self.sample_rate_hz)
        self._waiting: list[speech.Window] = []
        self._start_s, self._heard = start_s, 0
        self._judged = self._covered = 0  # where the last window ended, and the last pooled one

    def push(self, samples: np.ndarray, sample_rate_hz: int, time_s: float) -> None:
        """Take the next stretch of sound; it is judged by the next `judge`.

        Args:
            samples: (n,) float32, mono.
            sample_rate_hz: Its rate.
            time_s: Time of its first sample.
        """
        hole_s = time_s - (self._start_s + self._heard / self.sample_rate_hz)
        if not self._heard or hole_s > _LONGEST_HOLE_S or hole_s < -_SHORTEST_HOLE_S:
            self.judge()
            self._pooled = self._pooled_to_the_end()
            self._begin(time_s)
        elif hole_s > _SHORTEST_HOLE_S:
            self._hear(np.zeros(round(hole_s * self.sample_rate_hz), np.float32))
        self._hear(self._resampler.push(samples, sample_rate_hz))

    def _hear(self, samples: np.ndarray) -> None:
        self._heard += samples.size
        self.end_s = self._start_s + self._heard / self.sample_rate_hz
        self._waiting.extend(self._cutter.push(samples))

    def judge(self) -> None:
        """Judge the windows that a clip's verdict rests on, and the newest."""
        waiting, self._waiting = self._waiting, []
        for window in waiting:
            if _is_pooled(window):
                self._pool(window)
        if waiting and not _is_pooled(waiting[-1]):
            self._judge(waiting[-1])
        is_short = self._heard < speech.WINDOW_S * self.sample_rate_hz
        if is_short and self._heard >= self._judged + VOICE_HOP_S * self.sample_rate_hz:
            self._judged = self._heard
            self._judge(self._cutter.last())

    def pooled(self) -> np.ndarray | None:
        """Return what the voice says of all that was heard, (classes,), None where there is none.

        It is what `emorec.streams.VoiceStream` says of a clip with this sound.
        """
        return self._pooled_to_the_end().posterior

    def _pooled_to_the_end(self) -> Pooled:
        """What was pooled, joined with what is heard since: the last window of a clip."""
        if self._heard < max(SHORTEST_SOUND_S * self.sample_rate_hz, self._covered + 1):
            return self._pooled
        window = self._cutter.last()
        posterior = self._posterior(window)
        if posterior is None:
            return self._pooled
        return self._pooled.joined(posterior, speech.loudness(window.samples))

    def _pool(self, window: speech.Window) -> None:
        self._judge(window)
        self._covered = round(window.start_s * self.sample_rate_hz) + window.samples.size
        if self.posterior is not None:
            self._pooled = self._pooled.joined(self.posterior, speech.loudness(window.samples))

    def _judge(self, window: speech.Window) -> None:
        self.posterior = self._posterior(window)
        self.is_silent = self.posterior is None

    def _posterior(self, window: speech.Window) -> np.ndarray | None:
        if is_silent(window.samples, self.sample_rate_hz):
            return None
        batch = self._make_input(window.samples)[np.newaxis].astype(np.float32)
        return self._network.predict(batch)[0]


def _is_pooled(window: speech.Window) -> bool:
    """Tell whether a clip's verdict rests on this window, of those that are cut for the moment."""
    return round(window.start_s / VOICE_HOP_S) % round(speech.WINDOW_HOP_S / VOICE_HOP_S) == 0


class _LiveFace:
    """Judges single pictures of the face: those that a clip's verdict rests on, and more."""

    def __init__(self, network: Network):
        self._network = network
        self._shown, self._pooled = Pace(SHOWN_FACES_PER_S), Pace(FACES_PER_S)
        self._recent: deque[tuple[float, np.ndarray]] = deque()
        self._sum, self._count = 0.0, 0

    def add(self, time_s: float, frame: np.ndarray, box: np.ndarray) -> None:
        is_shown, is_pooled = self._shown.is_due(time_s), self._pooled.is_due(time_s)
        if not (is_shown or is_pooled):
            return
        crop = crop_face(frame, box, self._network.input_shape[0])
        posterior = judge_faces(self._network.predict, crop[np.newaxis])[0]
        self._recent.append((time_s, posterior))
        if is_pooled:
            self._sum, self._count = self._sum + posterior, self._count + 1

    def posterior(self, now_s: float) -> np.ndarray | None:
        recent = _within(self._recent, now_s)
        return np.mean(recent, axis=0) if recent else None

    def pooled(self) -> np.ndarray | None:
        return self._sum / self._count if self._count else None

    def restart(self) -> None:
        """Begin anew in time."""
        self._shown, self._pooled = Pace(SHOWN_FACES_PER_S), Pace(FACES_PER_S)
        self._recent.clear()


class _LiveGeometry:
    """Judges the landmarks of the last three seconds, on the even track that a clip's are on."""

    def __init__(self, network: Network, predictor: LandmarkPredictor):
        self._network, self._predictor = network, predictor
        self._times_s: list[float] = []
        self._points: list[np.ndarray] = []
        self._origin_s: float | None = None
        self._next = 0  # even frame that the next window starts with
        self._seen_s = -np.inf
        self._recent: deque[tuple[float, np.ndarray]] = deque()
        self._pooled = Pooled()

    def add(self, time_s: float, frame: np.ndarray, box: np.ndarray) -> None:
        if self._origin_s is None:
            self._origin_s = time_s
        before_s, self._seen_s = self._seen_s, time_s
        self._times_s.append(time_s)
        self._points.append(self._predictor.predict(frame, box))
        last = self._last_start()
        for start in self._due(last, before_s):
            posterior = self._posterior(start)
            if posterior is None:
                continue
            self._recent.append((time_s, posterior))
            if start % _POOLED_STEP_FRAMES == 0:
                self._pooled = self._pooled.joined(posterior)
        if last < 0 and last % _STEP_FRAMES == 0:
            posterior = self._posterior(0)
            if posterior is not None:
                self._recent.append((time_s, posterior))
        self._forget()

    def posterior(self, now_s: float) -> np.ndarray | None:
        recent = _within(self._recent, now_s)
        return geometry.average_log(recent) if recent else None

    def pooled(self) -> np.ndarray | None:
        """As `emorec.streams.GeometryStream` says it of a clip of up to a minute."""
        return self._pooled_to_the_end().posterior

    def restart(self) -> None:
        """Begin a new track."""
        self._pooled = self._pooled_to_the_end()
        self._times_s, self._points, self._origin_s = [], [], None
        self._next, self._seen_s = 0, -np.inf
        self._recent.clear()

    def _pooled_to_the_end(self) -> Pooled:
        if self._origin_s is None:
            return self._pooled
        last = self._last_start()
        # The last window of a clip ends with its last frame.
        if last < 0 or last % _POOLED_STEP_FRAMES:
            posterior = self._posterior(max(last, 0))
            if posterior is not None:
                return self._pooled.joined(posterior)
        return self._pooled

    def _last_start(self) -> int:
        """First even frame of the window that ends now; negative while it is not yet full."""
        frames = geometry.frames_between(self._origin_s, self._times_s[-1])
        return frames - geometry.WINDOW_FRAMES

    def _due(self, last: int, before_s: float) -> Iterator[int]:
        """Starts of the windows that are complete now, without those in which nobody is seen."""
        starts = range(self._next, last + 1, _STEP_FRAMES)
        if not starts:
            return
        self._next = starts[-1] + _STEP_FRAMES
        for start in starts:
            start_s = self._origin_s + start / geometry.FRAME_RATE_HZ
            is_empty = start_s > before_s + geometry.NEAR_S and (
                start_s + geometry.WINDOW_S < self._seen_s - geometry.NEAR_S
            )
            is_pooled = start % _POOLED_STEP_FRAMES == 0
            if (is_pooled and not is_empty) or start == starts[-1]:
                yield start

    def _posterior(self, start: int) -> np.ndarray | None:
        start_s = self._origin_s + start / geometry.FRAME_RATE_HZ
        features = geometry.cut_window(self._times_s, np.stack(self._points), start_s)
        return None if features is None else self._network.predict(features[np.newaxis])[0]

    def _forget(self) -> None:
        """Let go of frames that no window to come needs."""
        needed_s = self._origin_s + (self._next - _STEP_FRAMES) / geometry.FRAME_RATE_HZ
        first = int(np.searchsorted(self._times_s, needed_s - geometry.NEAR_S)) - 1
        if first > 0:
            del self._times_s[:first], self._points[:first]


class LivePicture:
    """Follows the face through every frame and has it judged as often as the networks need it.

    It is to be made on the thread that calls `take`: cascades are not shared between threads.

    Args:
        networks: Stream name -> its network; "face" and "geometry" are used.
        landmarks: Finds the landmarks.

    Attributes:
        end_s: Time of the last frame.
    """

    def __init__(self, networks: Mapping[str, Network], landmarks: LandmarkPredictor):
        self.end_s = -np.inf
        self._face = _LiveFace(networks["face"])
        self._networks, self._landmarks = networks, landmarks
        self._geometry = _LiveGeometry(networks["geometry"], landmarks)
        self._tracker, self._pace = FaceTracker(), Pace(geometry.FRAME_RATE_HZ)
        self._shape: tuple[int, int] | None = None

    def take(self, time_s: float, frame: np.ndarray) -> tuple[int, int, int] | None:
        """Take the next frame.

        Args:
            time_s: Its time. A frame from a little before the last one is passed over; one from
                long before begins a new recording.
            frame: (height, width) uint8, grey.

        Returns:
            x, y and side of the face in pixels of the frame, None where there is none.
        """
        if self.end_s - _LONGEST_STEP_BACK_S < time_s < self.end_s:
            return None
        scale = max(1.0, max(frame.shape) / MAX_SIDE_PX)
        if scale > 1:
            size = (round(frame.shape[1] / scale), round(frame.shape[0] / scale))
            frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        if frame.shape != self._shape or time_s < self.end_s:
            self._begin(frame.shape)
        self.end_s = time_s
        box = self._follow(time_s, frame)
        if box is None:
            return None
        x, y, width, _ = (round(float(value) * scale) for value in box)
        return x, y, width

    def posteriors(self) -> dict[str, np.ndarray]:
        """Return what face and geometry say now: stream -> (classes,), where there is a face."""
        found = {
            "face": self._face.posterior(self.end_s),
            "geometry": self._geometry.posterior(self.end_s),
        }
        return {stream: posterior for stream, posterior in found.items() if posterior is not None}

    def pooled(self) -> dict[str, np.ndarray]:
        """Return what they say of all that was seen, as `PictureStream` does of a clip."""
        found = {"face": self._face.pooled(), "geometry": self._geometry.pooled()}
        return {stream: posterior for stream, posterior in found.items() if posterior is not None}

    @property
    def notes(self) -> list[str]:
        """What is to be said of the whole picture."""
        return self._tracker.notes if self._face.pooled() is not None else ["no face"]

    def _begin(self, shape: tuple[int, int]) -> None:
        """Look for the face anew; what was pooled stays."""
        if self._shape is not None:
            self._tracker, self._pace = FaceTracker(), Pace(geometry.FRAME_RATE_HZ)
            self._face.restart()
            self._geometry.restart()
        self._shape = shape

    def _follow(self, time_s: float, frame: np.ndarray) -> np.ndarray | None:
        """Find the face; on the frames that a clip's verdict would rest on, have it judged."""
        if not self._pace.is_due(time_s):
            return self._tracker.look(frame)
        box = self._tracker.update(time_s, frame)
        if box is not None:
            self._face.add(time_s, frame, box)
            self._geometry.add(time_s, frame, box)
        return box


def _within(recent: deque[tuple[float, np.ndarray]], now_s: float) -> list[np.ndarray]:
    """Drop what is older than `SMOOTHED_S`; return the rest."""
    while recent and recent[0][0] < now_s - SMOOTHED_S:
        recent.popleft()
    return [posterior for _, posterior in recent]
