"""Everybody in the live picture: each face with a number, what it says now, and who speaks.

They are followed on a thread of their own, which the main verdict does not wait for. What waits
for it is bounded: where it falls behind, the oldest frames go and are counted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emorec.emotions import COMMON7
from emorec.faces.boxes import crop_face
from emorec.faces.crowd import Crowd, Face
from emorec.faces.mouth import Mouth, MouthTrack
from emorec.features.face import standardize_faces
from emorec.features.loudness import MOUTH_RATE_HZ, SILENT_DB
from emorec.live.waiting import Waiting
from emorec.media.pacing import Pace
from emorec.streams.face import FACES_PER_S
from emorec.streams.picture import LONGEST_STEP_BACK_S, reduced
from emorec.streams.speaking import LOUD_DB, NOBODY, who_speaks
from emorec.streams.windows import within

if TYPE_CHECKING:
    from emorec.recognizer import Recognizer

__all__ = ["LivePeople", "LivePerson", "PeopleWorker", "RecentLoudness"]

_HEARD_S = 6.0  # how much of sound and mouths tells who speaks
_SHORTEST_HEARD_S = 1.0
_LISTENED_PER_S = 2.0  # how often it is told anew
_QUIET_S = 1.0  # so long after the last sound nobody speaks
_HERE_S = 0.35  # a face that was not seen for so long is not here
_STILL_S = 2.0  # a face that has not changed for so long is a picture
_LONGEST_PAUSE_S = 60.0  # after a longer one everybody is new
_FRAMES_WAITING = 2
_TICK_S = 0.05


@dataclass(frozen=True)
class LivePerson:
    """One of the people as they are now.

    Attributes:
        number: From 1; whoever comes back has the same.
        box: x, y and side of the face in pixels of the frame pushed.
        emotion: The likeliest of COMMON7 over the last second, by the face; None for a picture
            on a wall, and before the first look.
        confidence: Its probability, 0 to 1; 0 without one.
        speaks: Whether it is they who speak.
    """

    number: int
    box: tuple[int, int, int]
    emotion: str | None
    confidence: float
    speaks: bool


class LivePeople:
    """Follows everybody through the frames, and holds the mouths against the sound.

    It is to be used on one thread, `hear` excepted, which may be called on another one.

    Args:
        recognizer: Whose networks read the faces.
    """

    def __init__(self, recognizer: Recognizer):
        self._recognizer = recognizer
        self._loudness = RecentLoudness()
        self._end_s = -np.inf
        self._members: dict[int, _Member] = {}
        self._speaker: int | None = None
        self._reading, self._listening = Pace(FACES_PER_S), Pace(_LISTENED_PER_S)

    def hear(self, samples: np.ndarray, sample_rate_hz: int, time_s: float) -> None:
        """Take the next stretch of sound, as `LiveEngine.push_sound` does."""
        self._loudness.add(samples, sample_rate_hz, time_s)

    def take(self, time_s: float, frame: np.ndarray) -> tuple[LivePerson, ...]:
        """Take the next frame; return who is there, by number.

        Args:
            time_s: Its time; about `MOUTH_RATE_HZ` frames a second are enough. A frame from a
                little before the last one is passed over; one from long before, or long after,
                begins anew.
            frame: (height, width) uint8, grey; it must not be changed.
        """
        step_s = time_s - self._end_s
        if not -LONGEST_STEP_BACK_S < step_s <= _LONGEST_PAUSE_S:
            self._begin()
        elif step_s < 0:
            return self._people()
        self._end_s = time_s
        frame, scale = reduced(frame)
        for face in self._crowd.take(time_s, frame):
            if face.number not in self._members:
                self._members[face.number] = _Member(face.time_s)
            member = self._members[face.number]
            member.add(face, scale, self._points(face))
        for number in [n for n, m in self._members.items() if m.seen_s < time_s - _HEARD_S]:
            del self._members[number]
        if self._reading.is_due(time_s):
            self._read()
        if self._listening.is_due(time_s):
            self._speaker = self._listen()
        return self._people()

    def _begin(self) -> None:
        """Know nobody; here and not above, for a cascade belongs to the thread that searches."""
        self._crowd = Crowd(self._recognizer.landmarks)
        self._members, self._speaker = {}, None
        self._reading, self._listening = Pace(FACES_PER_S), Pace(_LISTENED_PER_S)

    def _points(self, face: Face) -> np.ndarray:
        sighting = face.sighting
        return self._recognizer.landmarks.predict(sighting.frame, sighting.upright_box)

    def _here(self) -> list[_Member]:
        return [m for _, m in sorted(self._members.items()) if m.seen_s >= self._end_s - _HERE_S]

    def _people(self) -> tuple[LivePerson, ...]:
        return tuple(member.told(member.number == self._speaker) for member in self._here())

    def _read(self) -> None:
        """Have the faces of all who are here read at once."""
        here = [member for member in self._here() if not member.is_picture]
        if not here:
            return
        network = self._recognizer.networks["face"]
        size_px = network.input_shape[0]
        faces = [crop_face(m.sighting.frame, m.sighting.upright_box, size_px) for m in here]
        for member, posterior in zip(
            here, network.predict(standardize_faces(np.stack(faces))), strict=True
        ):
            member.recent.append((self._end_s, posterior))
            lately = np.mean(within(member.recent, self._end_s), axis=0)
            member.said = self._recognizer.combine({"face": lately})["fused"]

    def _listen(self) -> int | None:
        """Tell who speaks now; None for nobody who is seen."""
        start_s, levels_db = self._loudness.until(self._end_s)
        if len(levels_db) < _SHORTEST_HEARD_S * MOUTH_RATE_HZ:
            return None
        loudest_db = np.percentile(levels_db, 95)
        lately_db = levels_db[-round(_QUIET_S * MOUTH_RATE_HZ) :].max()
        if lately_db < max(loudest_db - LOUD_DB, SILENT_DB + 1):
            return None
        members = list(self._members.values())
        speaker = who_speaks([member.mouth_since(start_s) for member in members], levels_db)[-1]
        return None if speaker == NOBODY else members[speaker].number


class _Member:
    """One of the people: the last seconds of the mouth, the last second of the face."""

    def __init__(self, began_s: float):
        self.recent: deque[tuple[float, np.ndarray]] = deque()
        self.said: np.ndarray | None = None
        self._began_s = began_s
        self._mouth = Mouth()

    def add(self, face: Face, scale: float, points: np.ndarray) -> None:
        """Take the person's face in one more frame, which was made smaller by `scale`."""
        if face.is_anew:
            self._mouth.restart()
            self.recent.clear()
        self.number, self.seen_s, self.sighting = face.number, face.time_s, face.sighting
        x, y, width, _ = (round(float(value) * scale) for value in face.sighting.box)
        self.box = x, y, width
        self.is_unchanged = face.is_picture
        self._mouth.add(face.time_s, face.sighting.frame, points)
        self._mouth.forget(face.time_s - _HEARD_S)

    @property
    def is_picture(self) -> bool:
        """Whether the face has not changed for so long that it is none of a living person."""
        return self.is_unchanged and self.seen_s - self._began_s > _STILL_S

    def mouth_since(self, start_s: float) -> MouthTrack | None:
        """How the mouth moved, in seconds from a time on; None for what does not speak."""
        if self.is_unchanged:
            return None
        mouth = self._mouth.finish()
        return MouthTrack(mouth.times_s - start_s, mouth.openings, mouth.changes)

    def told(self, speaks: bool) -> LivePerson:
        """What is told of the person."""
        if self.said is None or self.is_picture:
            return LivePerson(self.number, self.box, None, 0.0, speaks)
        best = int(self.said.argmax())
        return LivePerson(self.number, self.box, COMMON7[best], float(self.said[best]), speaks)


class RecentLoudness:
    """How loud the last seconds were, `MOUTH_RATE_HZ` values a second."""

    def __init__(self) -> None:
        self._heard = 0.0, 0.0, np.zeros(0), np.zeros(0)  # replaced as a whole

    def add(self, samples: np.ndarray, sample_rate_hz: int, time_s: float) -> None:
        """Take the next stretch of sound.

        Args:
            samples: (n,) float32, mono.
            sample_rate_hz: Its rate.
            time_s: Time of its first sample; after a long hole, or a step back, all begins anew.
        """
        start_s, end_s, powers, counts = self._heard
        if not -LONGEST_STEP_BACK_S < time_s - end_s < _HEARD_S or time_s < start_s:
            start_s, end_s, powers, counts = time_s, time_s, np.zeros(0), np.zeros(0)
        moments_s = time_s - start_s + np.arange(len(samples)) / sample_rate_hz
        frames = (moments_s * MOUTH_RATE_HZ).astype(int)
        length = max(len(powers), int(frames[-1]) + 1)
        missing = (0, length - len(powers))
        powers = np.pad(powers, missing) + np.bincount(frames, samples.astype(float) ** 2, length)
        counts = np.pad(counts, missing) + np.bincount(frames, minlength=length)
        old = max(0, length - round(_HEARD_S * MOUTH_RATE_HZ))
        end_s = max(end_s, time_s + len(samples) / sample_rate_hz)
        self._heard = start_s + old / MOUTH_RATE_HZ, end_s, powers[old:], counts[old:]

    def until(self, time_s: float) -> tuple[float, np.ndarray]:
        """Return when the first value begins, and the values (n,) in dB up to a time."""
        start_s, end_s, powers, counts = self._heard
        heard_s = min(time_s, end_s) - start_s
        frames = int(np.clip(heard_s * MOUTH_RATE_HZ, 0, len(powers)))
        levels_db = 10 * np.log10(powers[:frames] / np.maximum(counts[:frames], 1) + 1e-12)
        return start_s, np.maximum(levels_db, SILENT_DB)


class PeopleWorker:
    """Has everybody followed on a thread of its own.

    Args:
        recognizer: Whose networks read the faces.
        tell: Takes the name of a source and what happened to it, as `LiveEngine.tell` does.

    Attributes:
        people: Who was there in the last frame that was taken.
        dropped: Frames that came too fast, or were damaged.
    """

    def __init__(self, recognizer: Recognizer, tell: Callable[[str, str], None]):
        self.people: tuple[LivePerson, ...] = ()
        self.dropped = 0
        self._tell = tell
        self._followed = LivePeople(recognizer)
        self._frames = Waiting(_FRAMES_WAITING)
        self._pace, self._pushed_s = Pace(MOUTH_RATE_HZ), -np.inf
        self._thread = threading.Thread(target=self._work, name="live people", daemon=True)
        self._thread.start()

    def push_frame(self, grey: np.ndarray, time_s: float) -> None:
        """Hand over a frame, which must not be changed any more; returns at once."""
        if time_s < self._pushed_s - LONGEST_STEP_BACK_S:
            self._pace = Pace(MOUTH_RATE_HZ)
        self._pushed_s = time_s
        if self._pace.is_due(time_s):
            self.dropped += int(self._frames.put((time_s, grey), 1))

    def push_sound(self, samples: np.ndarray, sample_rate_hz: int, time_s: float) -> None:
        """Hand over a stretch of sound; returns at once."""
        self._followed.hear(samples, sample_rate_hz, time_s)

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until all frames are taken; False where that takes too long."""
        return self._frames.wait_until_idle(timeout_s)

    def close(self) -> None:
        """End the thread; what is pushed afterwards is ignored."""
        self._frames.close()
        self._thread.join()

    def _work(self) -> None:
        while not self._frames.is_closed:
            item = self._frames.get(_TICK_S)
            if item is None:
                continue
            try:
                self.people = self._followed.take(*item)
            except Exception as error:  # one odd frame must not end the work on all others
                self.dropped += 1
                self._tell("people", f"a frame was passed over ({type(error).__name__}: {error})")
