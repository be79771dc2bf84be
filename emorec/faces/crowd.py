"""All faces of a film followed, each with a number that lasts.

From frame to frame a face is followed by its last picture, as `FaceTracker` does; BlazeFace looks
at the whole frame five times a second, and at every frame where faces meet or one is lost. A face
that is new, or that comes back after a loss, a crossing or a cut, is looked at for a few frames
before it gets a number: that of the person whose look it has, or the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from emorec.faces.blazeface import BlazeFace
from emorec.faces.boxes import overlap
from emorec.faces.cuts import CutFinder, Passage
from emorec.faces.detector import FAST, FaceDetector
from emorec.faces.followed import Followed, Spot
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.look import SAME, Look, joined
from emorec.faces.second_look import SecondLook
from emorec.faces.upright import Sighting, turn_upright

__all__ = ["MOST_FOLLOWED", "Crowd", "Face"]

MOST_FOLLOWED = 8
"""So many faces are followed at once at most: the largest."""

_LEAST_SCORE = 0.5
_LOOK_S, _CLOSE_LOOK_S = 0.2, 2.0  # from one look at the whole frame to the next; at its parts
_VAIN_LOOKS, _VAIN_LOOK_S = 20, 0.5  # after so many in vain, they are rarer
_PARTS = 2  # a close look is at so many parts across and down, which overlap by half their size
_LARGEST_SMALL = 0.12  # of the frame's longer side: larger faces are seen in the whole frame
_SAME_FACE_OVERLAP = 0.3
_LEAST_OVERLAP = 0.1  # of a face that is followed, for the look that finds it again
_SIGHTINGS = 3  # before a face gets a number
_LATEST_SIGHTINGS = 12  # then it is given up where nothing says that it is a face
_HOLD_S = 1.0  # how long a face is followed by its picture alone
_NEAR_S, _NEAR_REACH, _NEAR_LIKENESS = 1.0, 1.0, 0.3  # coming back at once to the same place
_DOUBT_S = 1.5  # how long a face is looked at before it is somebody new, where others are away
_RECENT = 4  # frames whose look counts alone, too
_MOST_LOOKS, _SAME_LOOK = 6, 0.75
_GOES_ON = 0.9  # correlation of a face's picture before and after a cut, which was none for it
_LOOKED_AT_S = 0.5  # from one look at a known face to the next


@dataclass(frozen=True)
class Face:
    """A person's face in one frame.

    Attributes:
        number: The person's, from 1.
        time_s: Time of the frame.
        shape: Height and width of the frame.
        sighting: The face.
        is_anew: Whether the person comes back here, or another shot begins.
        is_picture: Whether the face has not changed yet, as a poster's.
    """

    number: int
    time_s: float
    shape: tuple[int, ...]
    sighting: Sighting
    is_anew: bool
    is_picture: bool


@dataclass
class _Person:
    """Somebody who was seen: how they look, now and then, and where they were last."""

    number: int
    looks: list[Look]
    seen_s: float = -np.inf
    box: np.ndarray = field(default_factory=lambda: np.zeros(4))
    has_changed: bool = False

    def likeness(self, look: Look) -> float:
        """How alike a face is to how this person ever looked."""
        return max(own.likeness(look) for own in self.looks)

    def learn(self, look: Look) -> None:
        """Add how the person looks now."""
        likest = max(self.looks, key=lambda own: own.likeness(look))
        if len(self.looks) == _MOST_LOOKS or likest.likeness(look) > _SAME_LOOK:
            likest.join(look)
        else:
            self.looks.append(look)


class Crowd:
    """Follows all faces of a film.

    Args:
        landmarks: Finds the points by which a face is looked at.

    Attributes:
        most_faces: Largest number of faces seen at once, those that are not followed too.
        cuts: What the cuts' finder found.
    """

    def __init__(self, landmarks: LandmarkPredictor):
        self.most_faces = 0
        self.cuts = CutFinder()
        self._landmarks = landmarks
        self._finder, self._detector = BlazeFace(), FaceDetector(FAST)
        self._second = SecondLook()
        self._people: list[_Person] = []
        self._followed: list[Followed] = []
        self._held: tuple[float, np.ndarray] | None = None
        self._shape: tuple[int, ...] | None = None
        self._looked_s = self._closely_s = -np.inf
        self._in_vain = 0
        self._anew_s = -np.inf  # since when the shot lasts

    def take(self, time_s: float, frame: np.ndarray) -> Iterator[Face]:
        """Take the next frame; yield the faces that are known by now, of a few frames before too.

        Each person's come in the order of time.

        Args:
            time_s: Its time.
            frame: (height, width) uint8, grey; it must not be changed.
        """
        if self._shape not in (None, frame.shape):
            yield from self.finish()
            self._begin_anew(time_s, [])
            self.cuts.begin_anew()
        self._shape = frame.shape
        passage = self.cuts.take(time_s, frame, None)
        if passage is Passage.UNDECIDED:
            self._held = (time_s, frame)
            return
        if passage is Passage.CUT and self._held is not None:
            after_s, after = self._held
            going_on = [f for f in self._followed if f.likeness(after, f.spot) >= _GOES_ON]
            self._begin_anew(after_s, going_on)
        yield from self.finish()
        yield from self._follow(time_s, frame)

    def finish(self) -> Iterator[Face]:
        """Yield the faces of a last frame that no other followed."""
        held, self._held = self._held, None
        if held is not None:
            yield from self._follow(*held)

    def _begin_anew(self, time_s: float, going_on: list[Followed]) -> None:
        """Let go of the other faces, after a cut; who they are stays known.

        Where one goes on the shot does: the others are still to be expected where they were.
        """
        if not going_on:
            self._anew_s = time_s
        self._followed = going_on
        self._looked_s = self._closely_s = -np.inf
        self._in_vain = 0

    def _follow(self, time_s: float, frame: np.ndarray) -> Iterator[Face]:
        for face in self._followed:
            face.move(time_s, frame)
        if time_s >= self._looked_s + self._pause_s():
            self._look(time_s, frame)
        self._followed = [face for face in self._followed if not self._is_lost(time_s, face)]
        for face in self._followed:
            face.show(time_s, frame)
        for face in sorted(self._followed, key=lambda one: one.spot.box[0]):
            if face.number is None and face.sightings >= _SIGHTINGS:
                self._name(time_s, frame, face)
        for face in self._followed:
            if face.number is not None:
                yield from self._told(face)

    def _pause_s(self) -> float:
        """How long to wait from one look to the next."""
        if any(not f.is_matched or f.number is None for f in self._followed) or self._do_meet():
            return 0.0
        return _VAIN_LOOK_S if self._in_vain >= _VAIN_LOOKS else _LOOK_S

    def _do_meet(self) -> bool:
        """Tell whether faces are at each other, or near and moving against each other."""
        return any(
            face.meets(other)
            for i, face in enumerate(self._followed)
            for other in self._followed[:i]
        )

    def _look(self, time_s: float, frame: np.ndarray) -> None:
        """Find all faces of a frame; tell those that are followed from new ones."""
        self._looked_s = time_s
        spots = self._find(time_s, frame)
        self._in_vain = 0 if spots or self._followed else self._in_vain + 1
        pairs = _paired(frame, self._followed, spots)
        for face, spot in pairs:
            face.confirm(time_s, frame, spot, self._detector)
        seen = {id(face) for face, _ in pairs}
        for face in self._followed:
            if id(face) not in seen:
                face.miss(time_s, frame, [other for other, _ in pairs], self._detector)
        taken = {id(spot) for _, spot in pairs}
        new = [spot for spot in spots if id(spot) not in taken and self._is_free(spot)]
        self.most_faces = max(self.most_faces, len(self._followed) + len(new))
        for spot in new[: max(0, MOST_FOLLOWED - len(self._followed))]:
            self._followed.append(Followed(time_s, frame, spot, self._detector))

    def _find(self, time_s: float, frame: np.ndarray) -> list[Spot]:
        """Where faces are, the largest first; now and then small ones are looked for too."""
        spots = [Spot.of(one) for one in self._finder.find(frame, _LEAST_SCORE)]
        spots = [spot for spot in spots if spot.is_in(frame)]
        if time_s >= self._closely_s + _CLOSE_LOOK_S:
            self._closely_s = time_s
            largest_px = _LARGEST_SMALL * max(frame.shape)
            for part, corner in _parts(frame):
                for one in self._finder.find(part, _LEAST_SCORE):
                    spot = Spot.of(one, corner)
                    is_small = spot.box[2] <= largest_px and spot.is_in(frame)
                    if is_small and _are_apart(spot, spots):
                        spots.append(spot)
        return sorted(spots, key=lambda one: -one.box[2])

    def _is_free(self, spot: Spot) -> bool:
        return _are_apart(spot, [face.spot for face in self._followed])

    def _is_lost(self, time_s: float, face: Followed) -> bool:
        """Tell whether a face is followed no more: gone, hidden, or never one."""
        is_none = not face.is_sure and face.sightings > _LATEST_SIGHTINGS
        is_held_too_long = not face.is_matched or time_s > face.confirmed_s + _HOLD_S
        return face.is_hidden or is_none or (face.is_missed and is_held_too_long)

    def _name(self, time_s: float, frame: np.ndarray, face: Followed) -> None:
        """Give a face that has been seen for a few frames the number of the person it is."""
        face.is_sure = face.is_sure or self._is_face(frame, face.spot)
        if not face.is_sure:
            return
        while len(face.looks) < len(face.waiting):
            face.looks.append(self._look_of(face.waiting[len(face.looks)][1]))
        look, recent = joined(face.looks), joined(face.looks[-_RECENT:])
        person = self._known(face, (look, recent))
        if person is None:
            taken = {other.number for other in self._followed}
            are_away = any(person.number not in taken for person in self._people)
            if are_away and time_s < face.waiting[0][0] + _DOUBT_S:
                return
            person = _Person(len(self._people) + 1, [look])
            self._people.append(person)
        face.number, face.looked_s, face.looks = person.number, time_s, []

    def _is_face(self, frame: np.ndarray, spot: Spot) -> bool:
        """Tell what is a face from what only looks like one to BlazeFace."""
        upright = turn_upright(frame, spot.box, spot.turn_deg)
        if self._detector.detect_near(upright.frame, upright.box) is not None:
            return True
        return self._second.look_closer(frame, spot.box, spot.roll_deg) is not None

    def _known(self, face: Followed, looks: Sequence[Look]) -> _Person | None:
        """The person whose face this is, None for somebody new."""
        taken = {other.number for other in self._followed}
        absent = [person for person in self._people if person.number not in taken]
        if not absent:
            return None
        began_s, sighting, _ = face.waiting[0]

        def likeness(person: _Person) -> float:
            reach = np.abs(sighting.box[:2] - person.box[:2]).max() / max(sighting.box[2], 1)
            is_late = began_s - person.seen_s > _NEAR_S or person.seen_s < self._anew_s
            is_near = not is_late and reach < _NEAR_REACH
            alike = max(map(person.likeness, looks))
            return alike + (SAME - _NEAR_LIKENESS) * is_near

        best = max(absent, key=likeness)
        return best if likeness(best) >= SAME else None

    def _look_of(self, sighting: Sighting) -> Look:
        points = self._landmarks.predict(sighting.frame, sighting.upright_box)
        return Look.of(sighting.frame, points)

    def _told(self, face: Followed) -> Iterator[Face]:
        """What is to be told of a face with a number: its frames since the last time."""
        person = self._people[face.number - 1]
        for time_s, sighting, shape in face.waiting:
            if time_s <= person.seen_s:
                continue
            person.has_changed |= face.has_changed
            is_anew, face.is_begun = not face.is_begun, True
            yield Face(person.number, time_s, shape, sighting, is_anew, not person.has_changed)
            person.seen_s, person.box = time_s, sighting.box
            if time_s >= face.looked_s + _LOOKED_AT_S and not self._do_meet():
                face.looked_s = time_s
                person.learn(self._look_of(sighting))
        face.waiting = []


def _are_apart(spot: Spot, others: Sequence[Spot]) -> bool:
    """Tell whether a face is none of others."""
    return all(overlap(spot.box, other.box) < _SAME_FACE_OVERLAP for other in others)


def _parts(frame: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Overlapping parts of a frame, and the x, y of their corners."""
    height, width = frame.shape
    rows, columns = -(-2 * height // (_PARTS + 1)), -(-2 * width // (_PARTS + 1))
    for top in np.linspace(0, height - rows, _PARTS).astype(int):
        for left in np.linspace(0, width - columns, _PARTS).astype(int):
            yield frame[top : top + rows, left : left + columns], np.array([left, top])


def _paired(
    frame: np.ndarray, followed: Sequence[Followed], spots: Sequence[Spot]
) -> list[tuple[Followed, Spot]]:
    """Pair faces that are followed with those that were found: the likest first."""
    fits = []
    for i, face in enumerate(followed):
        near = [j for j, s in enumerate(spots) if overlap(face.spot.box, s.box) > _LEAST_OVERLAP]
        for j in near:
            shared = overlap(face.spot.box, spots[j].box)
            rivals = sum(overlap(f.spot.box, spots[j].box) > _LEAST_OVERLAP for f in followed)
            # Where one place could be two people's, or one of two, the picture counts as well.
            alike = face.likeness(frame, spots[j]) if rivals > 1 or len(near) > 1 else 1.0
            fits.append((shared + alike, i, j))
    pairs, done_faces, done_spots = [], set(), set()
    for _, i, j in sorted(fits, reverse=True):
        if i not in done_faces and j not in done_spots:
            done_faces.add(i)
            done_spots.add(j)
            pairs.append((followed[i], spots[j]))
    return pairs
