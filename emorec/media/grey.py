"""From decoded frames to grey pictures: upright, full range, of one size, in batches.

Pixels that a file states to be oblong, as old camcorders' are, are made square.

Where the pixel format has a plane of 8-bit luma, it is taken as it is; all other formats go
through FFmpeg's swscale.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import av
import cv2
import numpy as np

from emorec.media.pacing import FALLBACK_FRAME_RATE_HZ, Pace
from emorec.media.view import View

__all__ = [
    "NOTED_HOLE_S",
    "FrameBatch",
    "GreyPicture",
]

# Pixel formats whose first plane is 8-bit luma; all others go through swscale.
_HAS_LUMA_PLANE = re.compile(r"yuvj?a?4\d\dp|nv\d\d|gray")
_FULL_RANGE, _LIMITED_RANGE = 2, 1  # FFmpeg's AVCOL_RANGE_JPEG and AVCOL_RANGE_MPEG
# Full-range value of each limited-range one.
_FULL_RANGE_OF = np.clip((np.arange(256) - 16) * 255 / 219, 0, 255).round().astype(np.uint8)
_SHORTEST_HELD_S = 1.0
# Where frames come unevenly, a long step is none that is missing.
_STEPS_LOOKED_AT, _LEAST_STEPS, _LONG = 16, 8, 4

NOTED_HOLE_S = 0.25
"""For so long frames have to be missing for that to be worth a note."""


@dataclass(frozen=True)
class FrameBatch:
    """Some consecutive frames.

    Attributes:
        times_s: (n,) float64, seconds from the start of the clip.
        frames: (n, height, width) uint8, grey, full range (0 black, 255 white), upright.
        reduced_by: How many times larger the picture itself is.
    """

    times_s: np.ndarray
    frames: np.ndarray
    reduced_by: float = 1.0


class GreyPicture:
    """Turns decoded frames into batches of upright grey ones, of one size within a batch.

    Where the picture changes its shape, as when a phone is turned, a new batch begins.

    Args:
        frames_per_batch: Largest number of frames in a batch.
        max_side_px: Larger frames are reduced so that their longer side has this many pixels.
        start_s: Time stamp at which the clip starts.
        frame_rate_hz: Mean frame rate, None where it is not known.
        pictures_per_s: How many frames are wanted a second; all where it is infinite.

    Attributes:
        begin_s: Time of the first frame, seconds from the start of the clip; None before it.
        holes_s: From when to when frames are missing in between, for `NOTED_HOLE_S` or longer.
        end_s: Time at which the picture ended so far; a frame that is held counts for its length.
    """

    def __init__(
        self,
        frames_per_batch: int,
        max_side_px: int,
        start_s: float,
        frame_rate_hz: float | None,
        pictures_per_s: float = math.inf,
    ):
        self._pace = Pace(pictures_per_s)
        self._frames_per_batch = frames_per_batch
        self._max_side_px = max_side_px
        self._start_s = start_s
        self._frame_s = 1 / (frame_rate_hz or FALLBACK_FRAME_RATE_HZ)
        self._steps_s: deque[float] = deque(maxlen=_STEPS_LOOKED_AT)
        self._shape: tuple[int, int] | None = None
        self._reduced_by = 1.0
        self._times_s: list[float] = []
        self._frames: np.ndarray | None = None
        self.begin_s: float | None = None
        self.end_s = 0.0
        self._last_s: float | None = None
        self._due_s = 0.0  # when the next frame is to be expected at the latest
        self.holes_s: list[tuple[float, float]] = []

    def add(self, frame: av.VideoFrame, view: View) -> Iterator[FrameBatch]:
        """Take one frame; yield the batches that it completes.

        Args:
            frame: The frame.
            view: How it is to be shown.
        """
        time_s = self.end_s if frame.time is None else frame.time - self._start_s
        self._look_for_hole(time_s)
        self._last_s = time_s
        self.begin_s = time_s if self.begin_s is None else self.begin_s
        self.end_s = time_s + max(self._frame_s, _held_s(frame))
        self._due_s = time_s + max(self._frame_s, _shown_s(frame))
        if self._pace.is_due(time_s):
            yield from self._keep(time_s, frame, view)

    def _keep(self, time_s: float, frame: av.VideoFrame, view: View) -> Iterator[FrameBatch]:
        """Put a frame into the batch, and yield what that completes."""
        size = view.size(frame)
        shape = self._reduced(*size)
        if shape != self._shape:
            yield from self.finish()
            self._shape, self._reduced_by = shape, max(size) / max(shape)
        if self._frames is None:
            self._frames = np.empty((self._frames_per_batch, *shape), np.uint8)
        _upright_grey(frame, view, out=self._frames[len(self._times_s)])
        self._times_s.append(time_s)
        if len(self._times_s) == self._frames_per_batch:
            yield from self.finish()

    def finish(self) -> Iterator[FrameBatch]:
        """Yield what is left."""
        if self._times_s:
            count = len(self._times_s)
            times_s = np.array(self._times_s, np.float64)
            yield FrameBatch(times_s, self._frames[:count], self._reduced_by)
        self._times_s, self._frames = [], None

    def _look_for_hole(self, time_s: float) -> None:
        """Note where frames are missing: a step that is much longer than those before."""
        if self._last_s is None:
            return
        step_s = time_s - self._last_s
        usual_s = max(self._steps_s) if len(self._steps_s) >= _LEAST_STEPS else np.inf
        if step_s >= _LONG * usual_s and time_s - self._due_s >= NOTED_HOLE_S:
            self.holes_s.append((self._due_s, time_s))
        self._steps_s.append(step_s)

    def _reduced(self, width: int, height: int) -> tuple[int, int]:
        scale = min(1.0, self._max_side_px / max(width, height))
        return max(1, round(height * scale)), max(1, round(width * scale))


def _held_s(frame: av.VideoFrame) -> float:
    """How long a frame is shown where that is long, as at the end of an animated GIF; else 0."""
    held_s = _shown_s(frame)
    return held_s if held_s >= _SHORTEST_HELD_S else 0.0


def _shown_s(frame: av.VideoFrame) -> float:
    """How long a frame is shown as its file has it; 0 where that is not known."""
    return float(frame.duration * frame.time_base) if frame.time_base else 0.0


def _upright_grey(frame: av.VideoFrame, view: View, out: np.ndarray) -> None:
    """Write the full-range luma of a frame, turned upright, into `out` (height, width) uint8."""
    luma, is_limited = _luma(frame)
    stored_shape = out.shape[::-1] if view.is_lying else out.shape
    if luma.shape != stored_shape:
        luma = cv2.resize(luma, stored_shape[::-1], interpolation=cv2.INTER_AREA)
    luma = view.turned(luma)
    if is_limited:
        cv2.LUT(luma, _FULL_RANGE_OF, dst=out)
    else:
        np.copyto(out, luma)


def _luma(frame: av.VideoFrame) -> tuple[np.ndarray, bool]:
    """The stored luma (height, width) uint8 and whether it spans 16-235 only."""
    name = frame.format.name
    if not _HAS_LUMA_PLANE.fullmatch(name):
        frame, name = frame.reformat(format="gray"), "gray"  # swscale's gray is full range
        is_limited = False
    else:
        stated_full = frame.color_range == _FULL_RANGE or name.startswith("yuvj")
        assumed_full = name == "gray" and frame.color_range != _LIMITED_RANGE
        is_limited = not (stated_full or assumed_full)
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width], is_limited
