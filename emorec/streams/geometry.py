"""The geometry stream: the movement of 68 landmarks in sliding windows, for a clip and live."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from emorec.engines import Network
from emorec.faces.landmarks import LandmarkPredictor
from emorec.features import geometry as geometry_features
from emorec.posteriors import Pooled, log_mean
from emorec.streams.windows import Findings, within

__all__ = ["GeometryStream"]


_STEP_FRAMES = 2  # of the even track, from one window of landmarks to the next


_POOLED_STEP_FRAMES = round(geometry_features.HOP_S * geometry_features.FRAME_RATE_HZ)


class LiveGeometry:
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
        recent = within(self._recent, now_s)
        return log_mean(np.stack(recent)) if recent else None

    def pooled(self) -> np.ndarray | None:
        """As `emorec.streams.geometry.GeometryStream` says it of a clip of up to a minute."""
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
        frames = geometry_features.frames_between(self._origin_s, self._times_s[-1])
        return frames - geometry_features.WINDOW_FRAMES

    def _due(self, last: int, before_s: float) -> Iterator[int]:
        """Starts of the windows that are complete now, without those in which nobody is seen."""
        starts = range(self._next, last + 1, _STEP_FRAMES)
        if not starts:
            return
        self._next = starts[-1] + _STEP_FRAMES
        for start in starts:
            start_s = self._origin_s + start / geometry_features.FRAME_RATE_HZ
            is_empty = start_s > before_s + geometry_features.NEAR_S and (
                start_s + geometry_features.WINDOW_S < self._seen_s - geometry_features.NEAR_S
            )
            is_pooled = start % _POOLED_STEP_FRAMES == 0
            if (is_pooled and not is_empty) or start == starts[-1]:
                yield start

    def _posterior(self, start: int) -> np.ndarray | None:
        start_s = self._origin_s + start / geometry_features.FRAME_RATE_HZ
        features = geometry_features.cut_window(self._times_s, np.stack(self._points), start_s)
        return None if features is None else self._network.predict(features[np.newaxis])[0]

    def _forget(self) -> None:
        """Let go of frames that no window to come needs."""
        needed_s = self._origin_s + (self._next - _STEP_FRAMES) / geometry_features.FRAME_RATE_HZ
        first = int(np.searchsorted(self._times_s, needed_s - geometry_features.NEAR_S)) - 1
        if first > 0:
            del self._times_s[:first], self._points[:first]


_TRACK_CHUNK_S = 60.0


class GeometryStream:
    """Judges the movement of 68 landmarks in sliding windows.

    Args:
        network: The geometry network; see `emorec.features.geometry` for what it reads.
        predictor: Finds the landmarks.
    """

    @staticmethod
    def accepts(network: Network) -> bool:
        """Tell whether a network with this input can serve."""
        return network.input_shape == (geometry_features.WINDOW_FRAMES, geometry_features.FEATURES)

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
            log_mean(posteriors),
            geometry_features.WINDOW_S,
        )

    def _judge(self) -> None:
        """Judge the windows of the track so far, and keep only what the next one needs."""
        times_s = np.array(self._track_s)
        windows = geometry_features.cut_windows(times_s, np.stack(self._track))
        if len(windows.time_s):
            self._times_s.append(windows.time_s)
            self._posteriors.append(self._network.predict(windows.features))
        next_start_s = times_s[-1] - geometry_features.WINDOW_S + geometry_features.HOP_S
        done = int(np.searchsorted(times_s, next_start_s))
        self._track_s, self._track = self._track_s[done:], self._track[done:]
