"""Everybody in a picture: each face followed and read by its own streams, with its mouth."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from emorec.engines import Network
from emorec.faces.crowd import MOST_FOLLOWED, Crowd, Face
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.mouth import Mouth, MouthTrack
from emorec.faces.record import FaceRecord, FaceRecorder
from emorec.faces.track import FaceTrack, FaceTrackRecorder
from emorec.faces.upright import Sighting
from emorec.features.geometry import FRAME_RATE_HZ
from emorec.features.loudness import MOUTH_RATE_HZ
from emorec.media.grey import FrameBatch
from emorec.media.pacing import Pace
from emorec.streams.face import FaceStream
from emorec.streams.geometry import GeometryStream
from emorec.streams.windows import Findings

__all__ = ["PeopleStream", "Seen"]

_FACES_PER_BATCH = 32
_SHORTEST_S = 0.5  # somebody who is seen for less is not told of


@dataclass(frozen=True)
class Seen:
    """What was seen of a person.

    Attributes:
        mouth: How the mouth moves; None for a face that never moved, as a poster's.
        track: Where it was.
        record: Every face that the streams looked at.
        looked_at: What the face network said of each that it looked at.
        findings: "face" and "geometry" -> what they say; only what there is.
        notes: What a reader should know.
    """

    mouth: MouthTrack | None
    track: FaceTrack
    record: FaceRecord
    looked_at: Findings | None
    findings: dict[str, Findings]
    notes: list[str]


class PeopleStream:
    """Follows all faces through a clip's frames, and feeds each person's streams.

    Args:
        networks: Stream name -> its network; "face" and "geometry" are used.
        landmarks: Finds the landmarks.
        beside: Where the face network runs; see `FaceStream`.
    """

    def __init__(
        self, networks: Mapping[str, Network], landmarks: LandmarkPredictor, beside: Executor
    ):
        self._scales: dict[tuple[int, ...], float] = {}
        self._begin = lambda: _Member(networks, beside, FaceRecorder(self._scales))
        self._crowd, self._pace = Crowd(landmarks), Pace(MOUTH_RATE_HZ)
        self._landmarks = landmarks
        self._members: dict[int, _Member] = {}

    def add(self, batch: FrameBatch) -> None:
        """Take the next frames."""
        self._scales[batch.frames.shape[1:]] = batch.reduced_by
        self._read(
            face
            for time_s, frame in zip(batch.times_s.tolist(), batch.frames, strict=True)
            if self._pace.is_due(time_s)
            for face in self._crowd.take(time_s, frame)
        )

    def finish(self) -> list[Seen]:
        """Read what is left; return the people in the order in which they were first seen."""
        self._read(self._crowd.finish())
        lasting = [m for m in self._members.values() if m.seen_s >= _SHORTEST_S]
        return [member.finish() for member in sorted(lasting, key=lambda one: one.first)]

    @property
    def notes(self) -> list[str]:
        """What a reader of the result should know."""
        most = self._crowd.most_faces
        if most <= MOST_FOLLOWED:
            return []
        return [f"{most} faces at once: {MOST_FOLLOWED} of them were followed"]

    def _read(self, faces: Iterable[Face]) -> None:
        """Hand faces on to whom they belong to, with landmarks that are found for many at once."""
        waiting = list(faces)
        for first in range(0, len(waiting), _FACES_PER_BATCH):
            some = waiting[first : first + _FACES_PER_BATCH]
            found = self._landmarks.predict_many([face.sighting for face in some])
            for face, points in zip(some, found, strict=True):
                if face.number not in self._members:
                    self._members[face.number] = self._begin()
                self._members[face.number].add(face, points)


class _Member:
    """One of the people: their streams, and what is kept of each frame."""

    def __init__(
        self,
        networks: Mapping[str, Network],
        beside: Executor,
        record: FaceRecorder,
    ):
        self._record = record
        self._landmarks = _Known()
        self._face = FaceStream(networks["face"], beside)
        self._geometry = GeometryStream(networks["geometry"], self._landmarks, record)
        self._pace = Pace(FRAME_RATE_HZ)  # of the geometry; mouths are looked at more often
        self._track = FaceTrackRecorder()
        self._mouth = Mouth()
        self._is_picture = True
        self.first: tuple[float, float] = (np.inf, np.inf)

    @property
    def seen_s(self) -> float:
        """For how long the face was seen."""
        return len(self._mouth) / MOUTH_RATE_HZ

    def add(self, face: Face, points: np.ndarray) -> None:
        """Take the person's face in one more frame, with its landmarks in pixels of that frame."""
        if not len(self._mouth):
            self.first = (face.time_s, float(face.sighting.box[0]))
        self._track.add(face.time_s, face.sighting.box, face.shape, is_anew=face.is_anew)
        if face.is_anew:
            self._geometry.restart()
            self._mouth.restart()
        self._face.add(face.time_s, face.sighting)
        if self._pace.is_due(face.time_s):
            self._landmarks.points.append(points)
            self._geometry.add(face.time_s, face.sighting)
        self._mouth.add(face.time_s, face.sighting.frame, points)
        self._record.add(face.time_s, face.shape, face.sighting.box)
        self._is_picture = face.is_picture

    def finish(self) -> Seen:
        found = {"face": self._face.finish()[0], "geometry": self._geometry.finish()}
        return Seen(
            None if self._is_picture else self._mouth.finish(),
            self._track.finish(),
            self._record.finish(),
            self._face.looked_at,
            {stream: findings for stream, findings in found.items() if findings},
            self._geometry.notes,
        )


class _Known(LandmarkPredictor):
    """Hands out landmarks that are found already, in the order in which they are asked for.

    Attributes:
        points: (68, 2) each, in pixels of the sighting's own frame, of the faces to come.
    """

    def __init__(self):
        self.points: deque[np.ndarray] = deque()

    def follow_many(self, sightings: Sequence[Sighting]) -> list[np.ndarray]:
        """Say where the landmarks lie, as `LandmarkPredictor.follow_many` does."""
        return [sighting.levelled(self.points.popleft()) for sighting in sightings]
