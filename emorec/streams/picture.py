"""The picture: one face is followed, and the two streams that look at it are fed, clip or live.

The live form looks at the same frames as the clip form, so that both pool the same; in between it
looks more often, for the moment alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor

import cv2
import numpy as np

from emorec.engines import Network
from emorec.faces.follower import FaceFollower, Seen
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.record import FaceRecorder
from emorec.faces.track import FaceTrackRecorder
from emorec.faces.upright import Sighting
from emorec.features.geometry import FRAME_RATE_HZ, LONGEST_GAP_S
from emorec.media.grey import FrameBatch
from emorec.media.pacing import FALLBACK_FRAME_RATE_HZ, Pace
from emorec.media.reader import MAX_SIDE_PX
from emorec.streams.face import FaceStream, FaceUsed, LiveFace
from emorec.streams.geometry import GeometryStream, LiveGeometry
from emorec.streams.windows import Findings

__all__ = ["LONGEST_STEP_BACK_S", "LivePicture", "PictureStream", "reduced"]

LONGEST_STEP_BACK_S = 1.0
"""A frame from so long before the last one begins a new recording."""


class PictureStream:
    """Follows the face through a clip's frames and feeds both streams that look at it.

    About `FRAME_RATE_HZ` frames a second are looked at: all that the streams need.

    Args:
        networks: Stream name -> its network; "face" and "geometry" are used.
        landmarks: Finds the landmarks.
        beside: Where the face network runs; see `FaceStream`.
        frame_rate_hz: Mean frame rate, for the length of the last frame; None: not known.

    Attributes:
        end_s: Time at which the picture ended so far.
        track: Where the face was.
        record: Every face that the streams looked at.
    """

    def __init__(
        self,
        networks: Mapping[str, Network],
        landmarks: LandmarkPredictor,
        beside: Executor,
        frame_rate_hz: float | None = None,
    ):
        self.end_s, self.track = 0.0, FaceTrackRecorder()
        self._frame_s = 1 / (frame_rate_hz or FALLBACK_FRAME_RATE_HZ)
        self._scales: dict[tuple[int, ...], float] = {}

        def begin() -> tuple[FaceStream, GeometryStream, FaceRecorder]:
            record = FaceRecorder(self._scales)
            geometry = GeometryStream(networks["geometry"], landmarks, record)
            return FaceStream(networks["face"], beside), geometry, record

        self._begin_streams = begin
        self._face, self._geometry, self.record = begin()
        self._follower = FaceFollower(networks["face"].input_shape[0])
        self._pace = Pace(FRAME_RATE_HZ)
        self._has_face = False

    def add(self, batch: FrameBatch) -> None:
        """Take the next frames."""
        self._scales[batch.frames.shape[1:]] = batch.reduced_by
        for time_s, frame in zip(batch.times_s.tolist(), batch.frames, strict=True):
            self.end_s = time_s + self._frame_s
            if self._pace.is_due(time_s):
                self._read(self._follower.take(time_s, frame))

    def finish(self) -> tuple[dict[str, Findings | None], list[FaceUsed]]:
        """Read what is left: findings by stream, None where no face was seen; faces used."""
        self._read(self._follower.finish())
        face, faces_used = self._face.finish()
        return {"face": face, "geometry": self._geometry.finish()}, faces_used

    @property
    def looked_at(self) -> Findings | None:
        """What the face network said of each face that it looked at; after `finish`."""
        return self._face.looked_at

    @property
    def notes(self) -> list[str]:
        """What a reader of the result should know."""
        if not self.end_s:
            return ["no picture"]
        if not self._has_face:
            return self._follower.lack
        return [*self._follower.notes, *self._geometry.notes]

    def notes_for(self, streams: Sequence[str]) -> list[str]:
        """What a reader should know who asked for some streams alone."""
        left_out = [] if "geometry" in streams else self._geometry.notes
        return [note for note in self.notes if note not in left_out]

    def _read(self, frames: Iterable[Seen]) -> None:
        for seen in frames:
            sighting = seen.sighting
            box = None if sighting is None else sighting.box
            self.track.add(seen.time_s, box, seen.shape, is_anew=seen.is_anew)
            if seen.was_picture:
                self._face, self._geometry, self.record = self._begin_streams()
            elif seen.is_anew:
                self._geometry.restart()
            if sighting is not None:
                self._has_face = True
                self._face.add(seen.time_s, sighting)
                self._geometry.add(seen.time_s, sighting)
                self.record.add(seen.time_s, seen.shape, sighting.box)


class LivePicture:
    """Follows the face through every frame and has it read as often as the networks need it.

    It is to be made on the thread that calls `take`: cascades are not shared between threads.

    Args:
        networks: Stream name -> its network; "face" and "geometry" are used.
        landmarks: Finds the landmarks.

    Attributes:
        end_s: Time of the last frame.
    """

    def __init__(self, networks: Mapping[str, Network], landmarks: LandmarkPredictor):
        self.end_s = -np.inf
        self._begin_streams = lambda: (
            LiveFace(networks["face"]),
            LiveGeometry(networks["geometry"], landmarks),
        )
        self._face, self._geometry = self._begin_streams()
        self._begin_following = lambda: FaceFollower(networks["face"].input_shape[0])
        self._follower, self._pace = self._begin_following(), Pace(FRAME_RATE_HZ)
        self._shape: tuple[int, ...] | None = None

    def take(self, time_s: float, frame: np.ndarray) -> tuple[int, int, int] | None:
        """Take the next frame.

        Args:
            time_s: Its time. A frame from a little before the last one is passed over; one from
                long before, or long after, begins a new recording.
            frame: (height, width) uint8, grey.

        Returns:
            x, y and side of the face in pixels of the frame, None where there is none.
        """
        if self.end_s - LONGEST_STEP_BACK_S < time_s < self.end_s:
            return None
        frame, scale = reduced(frame)
        if frame.shape != self._shape or not 0 <= time_s - self.end_s <= LONGEST_GAP_S:
            self._begin(frame.shape)
        self.end_s = time_s
        sighting = self._follow(time_s, frame)
        if sighting is None:
            return None
        x, y, width, _ = (round(float(value) * scale) for value in sighting.box)
        return x, y, width

    def posteriors(self) -> dict[str, np.ndarray]:
        """Return what face and geometry say now: stream -> (classes,), where there is a face."""
        return _present(self._face.posterior(self.end_s), self._geometry.posterior(self.end_s))

    def pooled(self) -> dict[str, np.ndarray]:
        """Return what they say of all that was seen, as `PictureStream` does of a clip."""
        self._read(self._follower.finish())
        return _present(self._face.pooled(), self._geometry.pooled())

    @property
    def notes(self) -> list[str]:
        """What is to be said of the whole picture."""
        if self._face.pooled() is None:
            return self.lack
        return [*self._follower.notes, *self._geometry.notes]

    @property
    def lack(self) -> list[str]:
        """Why there is no face now, for all that is known."""
        return self._follower.lack if self._face.pooled() is None else ["no face"]

    def _begin(self, shape: tuple[int, ...]) -> None:
        """Look for the face anew; what was pooled stays."""
        if self._shape is not None:
            self._follower, self._pace = self._begin_following(), Pace(FRAME_RATE_HZ)
            self._face.restart()
            self._geometry.restart()
        self._shape = shape

    def _follow(self, time_s: float, frame: np.ndarray) -> Sighting | None:
        """Find the face; on the frames that a clip's verdict would rest on, have it read."""
        if not self._pace.is_due(time_s):
            return self._follower.look(frame)
        known = self._read(self._follower.take(time_s, frame))
        return known.sighting if known is not None else self._follower.look(frame)

    def _read(self, frames: Iterable[Seen]) -> Seen | None:
        """Have the face read where there is one; return the last of the frames."""
        seen = None
        for seen in frames:
            if seen.was_picture:
                self._face, self._geometry = self._begin_streams()
            elif seen.is_anew:
                self._face.forget()
                self._geometry.restart()
            if seen.sighting is not None:
                self._face.add(seen.time_s, seen.sighting)
                self._geometry.add(seen.time_s, seen.sighting)
        return seen


def reduced(frame: np.ndarray) -> tuple[np.ndarray, float]:
    """Return a frame (height, width) no larger than is looked at, and by what it was divided."""
    scale = max(1.0, max(frame.shape) / MAX_SIDE_PX)
    if scale == 1:
        return frame, scale
    size = (round(frame.shape[1] / scale), round(frame.shape[0] / scale))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA), scale


def _present(face: np.ndarray | None, geometry: np.ndarray | None) -> dict[str, np.ndarray]:
    found = {"face": face, "geometry": geometry}
    return {stream: posterior for stream, posterior in found.items() if posterior is not None}
