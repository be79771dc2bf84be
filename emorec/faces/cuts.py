"""Cuts: where a film goes on with another shot, so that what was known of the face counts no more.

A cut is a step: the whole small picture changes at once, much more than just before and just after,
and stays changed. Brightness and contrast are evened out first, so that a fade or a lamp is none;
a flash is none because it passes. Where the face itself goes on, as beside a slide that is turned,
there is none either.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

import cv2
import numpy as np

from emorec.faces.boxes import crop_face

__all__ = ["CutFinder", "Passage"]

_SIZE = (32, 18)  # of the small picture: width, height
_FINE = 3  # pixels that are read for each of its pixels, across and down
_LOWEST_CONTRAST = 4.0  # standard deviation of grey levels, below which a picture is blank
_USUAL_CONTRAST = 20.0  # darker pictures are brought up to it before they are compared
_MOST_GAIN = 4.0
# Tried on 239 clips (no cut found where there is none) and on joined, compressed takes: 49 of 50
# cuts to another person found, 45 of 50 to another take of the same one. The joins were tried with
# `_SAME_FACE` at 0.85; a higher one can only find more.
_LEAST_CHANGE = 3.0  # grey levels, mean of the small picture
_LEAST_STEP = 2.5  # times the changes just before and after
_CHANGE_OF_REST = 0.5  # grey levels: codecs' noise
_FRAMES_BEFORE = 6
_LONGEST_STEP_S = 0.25  # further apart two frames may differ without a cut
_FACE_PX = 32
_FACE_MOVES_PX = 3  # from frame to frame, of _FACE_PX
_FACE_DETAIL_PX = 9
_SAME_FACE = 0.9  # correlation of the face's details before and after
_MOST_CUTS_NAMED = 1


class Passage(Enum):
    """How a frame goes on from those before it."""

    GOES_ON = "goes on"
    UNDECIDED = "undecided"
    CUT = "cut"


class CutFinder:
    """Finds cuts while frames come; a cut is known one frame late.

    Attributes:
        cuts_s: Times of the first frames after the cuts.
    """

    def __init__(self):
        self.cuts_s: list[float] = []
        self._changes: deque[float] = deque(maxlen=_FRAMES_BEFORE)
        self._last_s = -np.inf
        self._before: _Shown | None = None
        self._step: _Shown | None = None  # the frame that may be the first after a cut

    def take(self, time_s: float, frame: np.ndarray, box: np.ndarray | None) -> Passage:
        """Take the next frame.

        Args:
            time_s: Its time.
            frame: (height, width) uint8, grey; it must not be changed until the next one.
            box: x, y, width, height of the face in the frame before, None where it had none.

        Returns:
            UNDECIDED: the next frame will tell whether this one follows a cut. CUT: the last one,
            which was undecided, did.
        """
        now, pause_s = _Shown(time_s, frame), time_s - self._last_s
        self._last_s = time_s
        if now.contrast < _LOWEST_CONTRAST:
            self._step = None
            return Passage.GOES_ON
        if self._step is not None:
            return self._decide(now, box)
        before, self._before = self._before, now
        if before is None or before.frame.shape != frame.shape:
            return Passage.GOES_ON
        change = before.change_to(now)
        if self._is_step(change) and pause_s < _LONGEST_STEP_S:
            self._before, self._step = before, now
            return Passage.UNDECIDED
        self._changes.append(change)
        return Passage.GOES_ON

    def begin_anew(self) -> None:
        """Compare no more with what came before."""
        self._before = self._step = None
        self._changes.clear()

    @property
    def notes(self) -> list[str]:
        """What a reader of the result should know, in plain words."""
        if not self.cuts_s:
            return []
        more = len(self.cuts_s) - _MOST_CUTS_NAMED
        further = f"; and {more} more cut{'s' * (more > 1)}" if more else ""
        return [f"a cut at {self.cuts_s[0]:.1f} s: the face is read anew from there{further}"]

    def _is_step(self, change: float) -> bool:
        beside = max(self._changes, default=np.inf)
        return change >= max(_LEAST_CHANGE, _LEAST_STEP * max(beside, _CHANGE_OF_REST))

    def _decide(self, now: _Shown, box: np.ndarray | None) -> Passage:
        """Tell, one frame after a step, whether it lasts and the face does not go on."""
        before, step = self._before, self._step
        self._before, self._step = now, None
        after = step.change_to(now)
        is_lasting = self._is_step(before.change_to(now))
        is_sudden = before.change_to(step) >= _LEAST_STEP * max(after, _CHANGE_OF_REST)
        if is_lasting and is_sudden and not _goes_on(before, (step, now), box):
            self.cuts_s.append(step.time_s)
            self._changes.clear()
            self._changes.append(after)
            return Passage.CUT
        self._changes.extend((before.change_to(step), after))
        return Passage.GOES_ON


class _Shown:
    """A frame, and its small picture."""

    def __init__(self, time_s: float, frame: np.ndarray):
        self.time_s, self.frame = time_s, frame
        # Few pixels are read, which is fast, and averaged, so that noise does not count.
        fine = (_FINE * _SIZE[0], _FINE * _SIZE[1])
        sampled = cv2.resize(frame, fine, interpolation=cv2.INTER_NEAREST)
        small = cv2.resize(sampled, _SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
        (mean,), (deviation,) = cv2.meanStdDev(small)
        self.contrast = float(deviation[0])
        self._even = small - np.float32(mean[0])

    def change_to(self, other: _Shown) -> float:
        """Mean difference in grey levels, with brightness and contrast evened out."""
        gain = np.clip((other.contrast + 2) / (self.contrast + 2), 0.5, 2)
        usual = np.clip(2 * _USUAL_CONTRAST / (self.contrast + other.contrast), 1, _MOST_GAIN)
        difference = cv2.norm(other._even, self._even * np.float32(gain), cv2.NORM_L1)
        return float(usual * difference / self._even.size)


def _goes_on(before: _Shown, after: tuple[_Shown, ...], box: np.ndarray | None) -> bool:
    """Tell whether a face looks as before, whatever its light, in one of the frames after."""
    if box is None:
        return False
    inner = slice(_FACE_MOVES_PX, -_FACE_MOVES_PX)
    picture = _details(before.frame, box)[inner, inner]
    return any(
        cv2.matchTemplate(_details(shown.frame, box), picture, cv2.TM_CCOEFF_NORMED).max()
        >= _SAME_FACE
        for shown in after
    )


def _details(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """What a face shows beside light and shade: each pixel less those around, (32, 32) float32."""
    face = crop_face(frame, box, _FACE_PX).astype(np.float32)
    around = (_FACE_DETAIL_PX, _FACE_DETAIL_PX)
    details = face - cv2.blur(face, around)
    return details / (cv2.sqrt(cv2.blur(details * details, around)) + 3)
