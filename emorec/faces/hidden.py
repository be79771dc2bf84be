"""Faces that cannot be read, and why: turned away, or half out of the picture.

They are looked for where no face is followed, now and then, so that a reader is told more than that
there is none.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from emorec.faces.boxes import overlap, resized
from emorec.paths import cascade_path

__all__ = ["HiddenFaces"]

_HALF_OUT, _TURNED_AWAY = "half out of the picture", "turned away"
_SHORTEST_GAP_S, _MOST_GAPS = 0.2, 4  # what the notes mention
_SEARCHED_PX = 72  # the picture's shorter side is brought to this length
_SMALLEST_FACE_PX = 24
_SCALE_FACTOR, _MIN_NEIGHBORS = 1.2, 4
_BORDER_SHARE = 0.4  # of the shorter side
_LEAST_OUTSIDE = 0.1  # of a face's width or height, beyond the picture
_SAME_FACE_OVERLAP = 0.3
_LEAST_SIGHTINGS = 3
# Seconds into a gap, and the pause between two looks up to then: after a face, and where none has
# been seen yet, for a faceless clip must not cost too much.
_PAUSES_S = ((2.0, 0.2), (np.inf, 1.0))
_FACELESS_PAUSES_S = ((4.0, 0.8), (np.inf, 1.5))
_LONGEST_BETWEEN_S = 3.5
_NEAR_EDGE_S = 1.0  # so close to a stretch's end, the face was there up to it


@dataclass
class _Stretch:
    """A face of one kind at one place, and when it was first and last seen there."""

    kind: str
    start_s: float
    end_s: float
    box: np.ndarray
    sightings: int = 1


class HiddenFaces:
    """Looks for faces that the frontal cascade cannot see."""

    def __init__(self):
        self._stretches: list[_Stretch] = []
        self._gap_s: float | None = None
        self._due_s = -np.inf
        self._looks = 0
        self._pauses_s = _FACELESS_PAUSES_S

    def look(self, time_s: float, frame: np.ndarray, has_face: bool) -> None:
        """Take the next frame.

        Args:
            time_s: Its time.
            frame: (height, width) uint8, grey.
            has_face: Whether a face is followed in it; then there is nothing to look for.
        """
        if has_face:
            self._gap_s, self._pauses_s = None, _PAUSES_S
            return
        if self._gap_s is None:
            self._gap_s = self._due_s = time_s
        if time_s < self._due_s or min(frame.shape) < _SEARCHED_PX:
            return
        into_s = time_s - self._gap_s
        self._due_s = time_s + next(pause for most_s, pause in self._pauses_s if into_s < most_s)
        kind, find = ((_HALF_OUT, _half_out), (_TURNED_AWAY, _turned_away))[self._looks % 2]
        self._looks += 1
        scale = _SEARCHED_PX / min(frame.shape)
        height, width = (round(side * scale) for side in frame.shape)
        for box in find(resized(frame, width, height)):
            self._see(time_s, kind, box / scale)

    def notes(self, gaps: Sequence[Sequence[float]], *, is_ever_seen: bool) -> list[str]:
        """Say in plain words where there was no face, and where one that could not be read.

        Args:
            gaps: Start and end of each stretch without a followed face, in seconds.
            is_ever_seen: Whether a face was followed at all.
        """
        long_gaps = [gap for gap in gaps if gap[1] - gap[0] >= _SHORTEST_GAP_S]
        notes = [] if is_ever_seen or not gaps else ["no face was found"]
        for start_s, end_s in long_gaps[:_MOST_GAPS]:
            for kind, from_s, to_s in self._told(start_s, end_s):
                if kind or is_ever_seen:
                    face = f"a face, {kind}," if kind else "no face"
                    notes.append(f"{face} from {from_s:.1f} to {to_s:.1f} s")
        if len(long_gaps) > _MOST_GAPS:
            notes.append(f"{len(long_gaps) - _MOST_GAPS} more stretches without a face")
        return notes

    def _told(self, start_s: float, end_s: float) -> list[tuple[str, float, float]]:
        """Divide a gap: kind of the hidden face, empty for none, start and end in seconds."""
        told: list[tuple[str, float, float]] = []
        reached_s = start_s
        for stretch in self._stretches:
            if stretch.sightings < _LEAST_SIGHTINGS or not reached_s <= stretch.start_s < end_s:
                continue
            from_s = stretch.start_s if stretch.start_s - reached_s > _NEAR_EDGE_S else reached_s
            to_s = stretch.end_s if end_s - stretch.end_s > _NEAR_EDGE_S else end_s
            told += [("", reached_s, from_s)] if from_s > reached_s else []
            told.append((stretch.kind, from_s, to_s))
            reached_s = to_s
        return [*told, ("", reached_s, end_s)] if reached_s < end_s else told

    def _see(self, time_s: float, kind: str, box: np.ndarray) -> None:
        for stretch in reversed(self._stretches):
            if time_s - stretch.end_s > _LONGEST_BETWEEN_S or stretch.kind != kind:
                continue
            is_in_gap = stretch.start_s >= self._gap_s
            if is_in_gap and overlap(stretch.box, box) > _SAME_FACE_OVERLAP:
                stretch.sightings += stretch.end_s < time_s
                stretch.end_s, stretch.box = time_s, box
                return
        self._stretches.append(_Stretch(kind, time_s, time_s, box))


def _half_out(picture: np.ndarray) -> np.ndarray:
    """Find faces that the picture's border cuts: its mirror image makes them whole.

    Returns:
        (n, 4) x, y, width, height in pixels of the picture, partly beyond it.
    """
    rows, columns = picture.shape
    border = round(_BORDER_SHARE * min(picture.shape))
    mirrored = cv2.copyMakeBorder(picture, border, border, border, border, cv2.BORDER_REFLECT)
    boxes = _found(_cascades().frontal, mirrored, picture.shape) - [border, border, 0, 0]
    x, y, width, height = boxes.T
    beyond = np.max([-x, x + width - columns, -y, y + height - rows], axis=0) / width
    return boxes[beyond >= _LEAST_OUTSIDE]


def _turned_away(picture: np.ndarray) -> np.ndarray:
    """Find faces in profile, looking left or right: (n, 4) x, y, width, height."""
    cascade = _cascades().profile
    left = _found(cascade, picture, picture.shape)
    right = _found(cascade, np.ascontiguousarray(picture[:, ::-1]), picture.shape)
    right[:, 0] = picture.shape[1] - right[:, 0] - right[:, 2]
    return np.concatenate([left, right])


def _found(
    cascade: cv2.CascadeClassifier, picture: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    found = cascade.detectMultiScale(
        picture,
        scaleFactor=_SCALE_FACTOR,
        minNeighbors=_MIN_NEIGHBORS,
        minSize=(_SMALLEST_FACE_PX, _SMALLEST_FACE_PX),
        maxSize=(min(shape), min(shape)),
    )
    return np.asarray(found, np.int32).reshape(-1, 4)


class _Cascades(threading.local):
    """Read once for each thread: a cascade must not search two frames at a time."""

    def __init__(self):
        self.frontal = cv2.CascadeClassifier(str(cascade_path()))
        profile = Path(cv2.data.haarcascades) / "haarcascade_profileface.xml"
        self.profile = cv2.CascadeClassifier(str(profile))


@functools.cache
def _cascades() -> _Cascades:
    return _Cascades()
