"""The geometry stream: the movement of 68 landmarks in sliding windows, for a clip and live."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from emorec.engines import Network
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.record import FaceRecorder
from emorec.faces.upright import Sighting
from emorec.features.geometry import (
    FEATURES,
    FRAME_RATE_HZ,
    HOP_S,
    LONGEST_GAP_S,
    NEAR_S,
    WINDOW_FRAMES,
    WINDOW_S,
    cut_window,
    cut_windows,
    frames_between,
)
from emorec.features.geometry_trust import MeanShape, TypicalShapes, moves
from emorec.posteriors import Pooled, log_mean
from emorec.streams.windows import Findings, within

__all__ = ["LANDMARKS_PER_BATCH", "GeometryStream", "LiveGeometry"]

LANDMARKS_PER_BATCH = 8

_TRACK_CHUNK_S = 60.0  # of a clip; so long a track is kept and cut at once
_POOLED_STEP_FRAMES = round(HOP_S * FRAME_RATE_HZ)  # of the even track, between a clip's windows
_SHOWN_STEP_FRAMES = 1  # between those that are looked at live
_STILL = "the face does not move: no geometry"
_UNLIKE = "the face is unlike those that the geometry learned from: no geometry"


class _Trust:
    """Whether what is seen of a face may be read: it moves, and is like those learned from."""

    def __init__(self, network: Network):
        self._typical = TypicalShapes.from_json(network.spec.inputs.get("typical_shapes"))
        self._mean = MeanShape()
        self.has_window = self.has_movement = False

    def see(self, points: np.ndarray) -> None:
        """Take the landmarks of a frame."""
        self._mean.add(points)

    def moves(self, window: np.ndarray) -> bool:
        """Tell whether a window's face moves, and remember it."""
        found = moves(window)
        self.has_window, self.has_movement = True, self.has_movement or found
        return found

    @property
    def is_like(self) -> bool:
        """Whether the face, over all that was seen of it, is like those learned from."""
        return self._typical is None or self._typical.are_like(self._mean.shape)

    @property
    def notes(self) -> list[str]:
        """Why there is no geometry although there is a face."""
        if not self.has_window:
            return []
        if not self.has_movement:
            return [_STILL]
        return [] if self.is_like else [_UNLIKE]


class GeometryStream:
    """Reads the movement of 68 landmarks in a clip in sliding windows.

    Args:
        network: The geometry network; see `emorec.features.geometry` for what it reads.
        predictor: Finds the landmarks.
        record: Is told of them.
    """

    @staticmethod
    def accepts(network: Network) -> bool:
        """Tell whether a network with this input can serve."""
        return network.input_shape == (WINDOW_FRAMES, FEATURES)

    def __init__(
        self, network: Network, predictor: LandmarkPredictor, record: FaceRecorder | None = None
    ):
        self._network, self._predictor, self._record = network, predictor, record
        self._trust = _Trust(network)
        self._track_s: list[float] = []
        self._track: list[np.ndarray] = []
        self._waiting: list[tuple[float, Sighting]] = []  # for their landmarks
        self._times_s: list[np.ndarray] = []
        self._posteriors: list[np.ndarray] = []

    def add(self, time_s: float, sighting: Sighting) -> None:
        """Take a frame with a face; about `FRAME_RATE_HZ` a second are enough.

        Args:
            time_s: Its time.
            sighting: The face in it.
        """
        if self._track_s and not 0 <= time_s - self._track_s[-1] <= LONGEST_GAP_S:
            self.restart()
        self._track_s.append(time_s)
        self._waiting.append((time_s, sighting))
        if len(self._waiting) == LANDMARKS_PER_BATCH:
            self._find_landmarks()
        if time_s - self._track_s[0] >= _TRACK_CHUNK_S:
            self._predict()

    def restart(self) -> None:
        """Begin a new track, which no window of the old one reaches into."""
        if self._track_s:
            self._predict()
        self._track_s, self._track = [], []

    def finish(self) -> Findings | None:
        """Read what is left; None where no face was seen for long enough, or see `notes`."""
        if self._track_s:
            self._predict()
        if not self._times_s or not self._trust.is_like:
            return None
        posteriors = np.concatenate(self._posteriors)
        return Findings(
            self._network.spec.classes,
            np.concatenate(self._times_s),
            posteriors,
            log_mean(posteriors),
            WINDOW_S,
        )

    @property
    def notes(self) -> list[str]:
        """Why a face that was seen has no geometry."""
        return self._trust.notes

    def _find_landmarks(self) -> None:
        """Find the landmarks of the faces that wait for it."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        found = self._predictor.follow_many([sighting for _, sighting in waiting])
        for (time_s, sighting), points in zip(waiting, found, strict=True):
            self._track.append(points)
            self._trust.see(points)
            if self._record is not None:
                self._record.add_points(time_s, sighting.unlevelled(points))

    def _predict(self) -> None:
        """Read the windows of the track so far, and keep only what the next one needs."""
        self._find_landmarks()
        times_s = np.array(self._track_s)
        windows = cut_windows(times_s, np.stack(self._track))
        moving = np.array([self._trust.moves(window) for window in windows.features], bool)
        if moving.any():
            self._times_s.append(windows.time_s[moving])
            self._posteriors.append(self._network.predict(windows.features[moving]))
        done = int(np.searchsorted(times_s, times_s[-1] - WINDOW_S + HOP_S))
        self._track_s, self._track = self._track_s[done:], self._track[done:]


class LiveGeometry:
    """Reads the landmarks of the last three seconds, on the even track that a clip's are on.

    Args:
        network: The geometry network, as for `GeometryStream`.
        predictor: Finds the landmarks.
    """

    def __init__(self, network: Network, predictor: LandmarkPredictor):
        self._network, self._predictor = network, predictor
        self._recent: deque[tuple[float, np.ndarray]] = deque()
        self._pooled, self._trust = Pooled(), _Trust(network)
        self._begin()

    def _begin(self) -> None:
        """Begin with no frame seen."""
        self._times_s: list[float] = []
        self._points: list[np.ndarray] = []
        self._origin_s: float | None = None
        self._next = 0  # even frame that the next window starts with
        self._seen_s = -np.inf

    def restart(self) -> None:
        """Begin a new track; what was pooled stays."""
        self._pooled = self._pooled_to_the_end()
        self._begin()
        self._recent.clear()

    def add(self, time_s: float, sighting: Sighting) -> None:
        """Take a frame with a face, as `GeometryStream.add` does."""
        if self._times_s and not 0 <= time_s - self._times_s[-1] <= LONGEST_GAP_S:
            self.restart()
        if self._origin_s is None:
            self._origin_s = time_s
        before_s, self._seen_s = self._seen_s, time_s
        self._times_s.append(time_s)
        self._points.append(self._predictor.follow(sighting))
        self._trust.see(self._points[-1])
        last = self._last_start()
        for start in self._due(last, before_s):
            posterior = self._posterior(start)
            if posterior is None:
                continue
            self._recent.append((time_s, posterior))
            if start % _POOLED_STEP_FRAMES == 0:
                self._pooled = self._pooled.joined(posterior)
        if last < 0 and last % _SHOWN_STEP_FRAMES == 0:
            posterior = self._posterior(0)
            if posterior is not None:
                self._recent.append((time_s, posterior))
        self._forget()

    def posterior(self, now_s: float) -> np.ndarray | None:
        """Return what the geometry says now, (classes,), None where no face was seen lately."""
        recent = within(self._recent, now_s)
        return log_mean(np.stack(recent)) if recent and self._trust.is_like else None

    def pooled(self) -> np.ndarray | None:
        """Return what was read of all that was seen, (classes,), None where there is none.

        It is what `GeometryStream` says of a clip of up to a minute.
        """
        pooled = self._pooled_to_the_end().posterior
        return pooled if pooled is not None and self._trust.is_like else None

    @property
    def notes(self) -> list[str]:
        """Why a face that was seen has no geometry, as `GeometryStream.notes`."""
        return self._trust.notes

    def _pooled_to_the_end(self) -> Pooled:
        """What was pooled, joined with a clip's last window, which ends with its last frame."""
        if self._origin_s is None:
            return self._pooled
        last = self._last_start()
        if last < 0 or last % _POOLED_STEP_FRAMES:
            posterior = self._posterior(max(last, 0))
            if posterior is not None:
                return self._pooled.joined(posterior)
        return self._pooled

    def _last_start(self) -> int:
        """First even frame of the window that ends now; negative while it is not yet full."""
        return frames_between(self._even_s(0), self._times_s[-1]) - WINDOW_FRAMES

    def _even_s(self, frame: int) -> float:
        """Time of a frame of the even track."""
        return (self._origin_s or 0.0) + frame / FRAME_RATE_HZ

    def _due(self, last: int, before_s: float) -> Iterator[int]:
        """Starts of the windows that are complete now, without those in which nobody is seen."""
        starts = range(self._next, last + 1, _SHOWN_STEP_FRAMES)
        if not starts:
            return
        self._next = starts[-1] + _SHOWN_STEP_FRAMES
        for start in starts:
            start_s = self._even_s(start)
            is_empty = before_s + NEAR_S < start_s < self._seen_s - NEAR_S - WINDOW_S
            is_pooled = start % _POOLED_STEP_FRAMES == 0
            if (is_pooled and not is_empty) or start == starts[-1]:
                yield start

    def _posterior(self, start: int) -> np.ndarray | None:
        features = cut_window(self._times_s, np.stack(self._points), self._even_s(start))
        if features is None or not self._trust.moves(features):
            return None
        return self._network.predict(features[np.newaxis])[0]

    def _forget(self) -> None:
        """Let go of frames that no window to come needs."""
        needed_s = self._even_s(self._next - _SHOWN_STEP_FRAMES)
        first = int(np.searchsorted(self._times_s, needed_s - NEAR_S)) - 1
        if first > 0:
            del self._times_s[:first], self._points[:first]
