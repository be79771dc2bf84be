"""Clips as people hold them, made from upright ones: turned, far away, half out, dark, too bright.

Where the face is in a made clip is known from the clip that it was made from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from emorec.analysis.degradation import darken
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.tracker import FaceTracker
from emorec.media.pacing import Pace
from emorec.media.reader import read_frames
from emorec.paths import data_folder

__all__ = [
    "CHANGES",
    "FRAME_RATE_HZ",
    "Change",
    "KnownClip",
    "faceless_frames",
    "made_frames",
    "write_frames",
]

FRAME_RATE_HZ = 15.0
"""Of the made clips."""

_HD = (1280, 720)
_ROTATIONS_DEG = (15, 30, 45, 60, 90, 180)
_HELD_DEG = (90, 180, 270)
_SHARES = (0.20, 0.10, 0.08, 0.05)
_TURNED_SHARE = 0.5  # of the picture's height, at most: so a turned face stays in the picture
_CODING = {"crf": "18", "preset": "ultrafast", "threads": "1"}
_LIGHT_LEFT, _OVEREXPOSURE = 0.1, 3.0


@dataclass(frozen=True)
class KnownClip:
    """An upright clip in which the plain cascade finds the face.

    Attributes:
        path: Where it lies.
        frames: Its frames with the face, (height, width) uint8, grey, `FRAME_RATE_HZ` a
            second.
        boxes: (n, 4) float64, the face in each.
        points: (n, 68, 2) float32, its landmarks.
    """

    path: str
    frames: list[np.ndarray]
    boxes: np.ndarray
    points: np.ndarray

    @classmethod
    def read(cls, path: str | Path, tracker: FaceTracker) -> KnownClip:
        """Follow the face through a clip with the plain cascade; frames without one are left out.

        Raises:
            MediaError: When the clip cannot be read.
        """
        predictor, pace, kept = LandmarkPredictor(), Pace(FRAME_RATE_HZ), []
        for batch in read_frames(path):
            for time_s, frame in zip(batch.times_s.tolist(), batch.frames, strict=True):
                sighting = tracker.update(time_s, frame) if pace.is_due(time_s) else None
                if sighting is not None:
                    kept.append((frame.copy(), sighting.box, predictor.follow(sighting)))
        frames, boxes, points = zip(*kept, strict=True)
        return cls(str(path), list(frames), np.array(boxes, float), np.stack(points))

    @property
    def name(self) -> str:
        """Its corpus and file, which no other clip has."""
        path, data = Path(self.path).with_suffix(""), data_folder()
        return (path.relative_to(data) if path.is_relative_to(data) else path).as_posix()

    @property
    def height(self) -> int:
        """Of its frames, in pixels."""
        return self.frames[0].shape[0]

    @property
    def face(self) -> tuple[np.ndarray, float]:
        """Where the face is on the whole: its centre, x and y, and its side."""
        side = float(np.median(self.boxes[:, 2]))
        return np.median(self.boxes[:, :2] + self.boxes[:, 2:] / 2, axis=0), side


@dataclass(frozen=True)
class Change:
    """One way in which a clip is held.

    Attributes:
        name: Of the row in the table.
        matrix: From a clip to the (2, 3) matrix that brings its pixels to the made picture's, and
            that picture's width and height.
        tone: What is done to each frame's light.
    """

    name: str
    matrix: Callable[[KnownClip], tuple[np.ndarray, tuple[int, int]]]
    tone: Callable[[np.ndarray], np.ndarray] = np.asarray


def _placed(
    clip: KnownClip, turn_deg: float, scale: float, size: tuple[int, int], at: np.ndarray
) -> tuple[np.ndarray, tuple[int, int]]:
    """Turn the picture clockwise about the face, scale it, and put the face somewhere."""
    centre, _ = clip.face
    matrix = cv2.getRotationMatrix2D(tuple(centre), -turn_deg, scale)
    matrix[:, 2] += at - centre
    return matrix, size


def _turned(clip: KnownClip, turn_deg: float) -> tuple[np.ndarray, tuple[int, int]]:
    size = clip.frames[0].shape[1] // 2 * 2, clip.height // 2 * 2
    scale = min(1.0, _TURNED_SHARE * clip.height / clip.face[1])
    return _placed(clip, turn_deg, scale, size, np.divide(size, 2))


def _held(clip: KnownClip, turn_deg: float) -> tuple[np.ndarray, tuple[int, int]]:
    """Turn the whole frame by quarters, as a phone does."""
    height, width = clip.frames[0].shape
    size = (width, height) if turn_deg == 180 else (height, width)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -turn_deg, 1.0)
    matrix[:, 2] += np.divide(size, 2) - (width / 2, height / 2)
    return matrix, (size[0] // 2 * 2, size[1] // 2 * 2)


def _reduced(clip: KnownClip, share: float) -> tuple[np.ndarray, tuple[int, int]]:
    return _placed(clip, 0, share * _HD[1] / clip.face[1], _HD, np.divide(_HD, 2))


def _half_out(clip: KnownClip) -> tuple[np.ndarray, tuple[int, int]]:
    size = clip.frames[0].shape[1] // 2 * 2, clip.height // 2 * 2
    return _placed(clip, 0, 1.0, size, np.array([0.0, clip.face[0][1]]))


def _as_it_is(clip: KnownClip) -> tuple[np.ndarray, tuple[int, int]]:
    return np.eye(2, 3), (clip.frames[0].shape[1] // 2 * 2, clip.height // 2 * 2)


def _dark(frame: np.ndarray) -> np.ndarray:
    return darken(frame, _LIGHT_LEFT)


def _overexposed(frame: np.ndarray) -> np.ndarray:
    return cv2.convertScaleAbs(frame, alpha=_OVEREXPOSURE)


CHANGES = (
    Change("as it is", _as_it_is),
    *(Change(f"turned by {d} degrees", lambda c, d=d: _turned(c, d)) for d in _ROTATIONS_DEG),
    *(Change(f"held turned by {d} degrees", lambda c, d=d: _held(c, d)) for d in _HELD_DEG),
    *(Change(f"face {100 * s:.0f} % of 720 lines", lambda c, s=s: _reduced(c, s)) for s in _SHARES),
    Change("half out", _half_out),
    Change("a tenth of the light", _as_it_is, _dark),
    Change("three times the light", _as_it_is, _overexposed),
)


def made_frames(clip: KnownClip, change: Change) -> Iterator[np.ndarray]:
    """Change a clip's frames; beyond the picture its border is repeated."""
    matrix, size = change.matrix(clip)
    scale = float(np.hypot(*matrix[:, 0]))
    for frame in clip.frames:
        if scale < 0.5:  # the warp reads four pixels only
            frame = cv2.blur(frame, (round(1 / scale),) * 2)
        moved = cv2.warpAffine(
            frame, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        yield change.tone(moved)


def write_frames(path: Path, frames: Iterator[np.ndarray]) -> None:
    """Write grey frames of even sides as a silent H.264 video of `FRAME_RATE_HZ`."""
    with av.open(str(path), "w") as container:
        stream = None
        for number, frame in enumerate(frames):
            if stream is None:
                rate = Fraction(FRAME_RATE_HZ)
                stream = container.add_stream("libx264", rate=rate, options=_CODING)
                stream.height, stream.width = frame.shape
                stream.pix_fmt = "yuv420p"
            picture = av.VideoFrame.from_ndarray(frame, "gray").reformat(format="yuv420p")
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def faceless_frames(seed: int = 0) -> dict[str, list[np.ndarray]]:
    """Make clips without a face, about two seconds each, 640x360: name -> grey frames."""
    from sklearn.datasets import load_sample_images

    rng, size = np.random.default_rng(seed), (360, 640)
    coarse = [rng.normal(size=(9 * k, 16 * k)).astype(np.float32) for k in (1, 2, 5)]
    blobs = [cv2.resize(c, size[::-1], interpolation=cv2.INTER_CUBIC) for c in coarse]
    clips = {
        "grey": [np.full(size, 128, np.uint8)] * 50,
        "noise": [rng.integers(0, 256, size).astype(np.uint8) for _ in range(50)],
        "blobs": [np.clip(128 + 60 * b, 0, 255).astype(np.uint8) for b in blobs for _ in range(17)],
        "text": [_page(rows) for rows in range(50)],
    }
    for name, picture in zip(("temple", "flower"), load_sample_images().images, strict=True):
        grey = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (960, 640))
        clips[name] = [grey[5 * i : 5 * i + 360, 6 * i : 6 * i + 640] for i in range(50)]
        clips[f"{name} turned"] = [np.rot90(frame).copy() for frame in clips[name]]
    return clips


def _page(first_row: int) -> np.ndarray:
    """A page of text that scrolls."""
    page = np.full((360, 640), 250, np.uint8)
    for row in range(14):
        words = f"{first_row + row:03d}  What was said, and what the face said of it."
        cv2.putText(page, words, (20, 30 + 25 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 20, 1)
    return page
