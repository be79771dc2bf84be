"""A face followed through a film: anew after each cut, and never a poster's for a living one.

The parts are each their own: `FaceTracker` follows within a shot, `CutFinder` tells shots apart,
`PictureState` says why there is no face at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from emorec.faces.cuts import CutFinder, Passage
from emorec.faces.picture_state import PictureState
from emorec.faces.tracker import FaceTracker
from emorec.faces.upright import Sighting

__all__ = ["FaceFollower", "Seen"]


@dataclass(frozen=True)
class Seen:
    """What was found in a frame.

    Attributes:
        time_s: Time of the frame.
        shape: Height and width of the frame.
        sighting: The face, None for no face.
        is_anew: Whether another shot or another face begins here.
        was_picture: Whether all faces up to here were a still one's, which is not to be read.
    """

    time_s: float
    shape: tuple[int, ...]
    sighting: Sighting | None
    is_anew: bool = False
    was_picture: bool = False


class FaceFollower:
    """Follows one face through all shots of a film.

    Args:
        read_px: Side of a face's picture as the network reads it.
    """

    def __init__(self, read_px: int):
        self._tracker, self._cuts = FaceTracker(), CutFinder()
        self._state = PictureState(read_px)
        self._held: tuple[float, np.ndarray] | None = None
        self._is_told_early = False  # whether the held frame was asked for before all was known
        self._box: np.ndarray | None = None
        self._shape: tuple[int, ...] | None = None

    def take(self, time_s: float, frame: np.ndarray) -> Iterator[Seen]:
        """Take the next frame; yield what is known now: of none, of it, or of the last one too.

        Where a frame may follow a cut, the next one tells. Where the picture changes its shape,
        the face is looked for anew.
        """
        if self._shape not in (None, frame.shape):
            yield from self._begin_anew(time_s, frame)
            return
        self._shape = frame.shape
        passage = self._cuts.take(time_s, frame, self._box)
        if passage is Passage.UNDECIDED and self._tracker.most_faces:
            self._held = (time_s, frame)
            return
        is_cut = passage is Passage.CUT and (self._held is not None or self._is_told_early)
        self._is_told_early = False
        if is_cut:
            self._tracker.begin_anew()
        if self._held is not None:
            held, self._held = self._held, None
            yield self._follow(*held, is_cut)
            is_cut = False
        yield self._follow(time_s, frame, is_cut)

    def finish(self) -> Iterator[Seen]:
        """Yield what is known of a last frame that no other followed."""
        if self._held is not None:
            held, self._held = self._held, None
            self._is_told_early = True
            yield self._follow(*held, False)

    def look(self, frame: np.ndarray) -> Sighting | None:
        """Tell where the face is, as `FaceTracker.look` does."""
        return self._tracker.look(frame)

    @property
    def lack(self) -> list[str]:
        """Why no face is there to be read at all, in plain words."""
        return [self._state.lack, *self._tracker.notes[1:]]

    @property
    def notes(self) -> list[str]:
        """What a reader of the result should know, in plain words."""
        return [*self._cuts.notes, *self._tracker.notes, *self._state.notes]

    def _begin_anew(self, time_s: float, frame: np.ndarray) -> Iterator[Seen]:
        """Follow the face in a picture of another shape."""
        yield from self.finish()
        self._shape, self._is_told_early = frame.shape, False
        self._tracker.begin_anew()
        self._cuts.begin_anew()
        self._cuts.take(time_s, frame, None)
        yield self._follow(time_s, frame, True)

    def _follow(self, time_s: float, frame: np.ndarray, is_cut: bool) -> Seen:
        sighting = self._tracker.update(time_s, frame)
        self._box = None if sighting is None else sighting.box
        self._state.see(time_s, frame, self._box)
        was_picture = self._tracker.has_left_a_picture()
        is_anew = self._tracker.has_begun_anew() or is_cut
        return Seen(time_s, frame.shape, sighting, is_anew, was_picture)
