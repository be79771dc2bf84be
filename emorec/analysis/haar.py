"""What the parameters of the Haar cascade do: faces found and missed, false ones, and time.

The truth comes from another detector: dlib's (histograms of oriented gradients; Dalal and Triggs
2005, King 2015) finds the face, and the 68 landmarks are placed in its box. A Haar box is right
when it holds nearly all of the inner 51 landmarks (brows, eyes, nose, mouth) and is not much wider
than a face. Frames in which dlib finds no face, or several, are left out.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import dlib
import numpy as np
import pandas as pd

from emorec.faces.alignment import eye_centres
from emorec.faces.detector import FaceDetector, HaarSetting
from emorec.faces.landmarks import LandmarkPredictor, to_haar_box
from emorec.faces.tracker import FaceTracker
from emorec.media.reader import read_frames

__all__ = [
    "Sample",
    "collect_samples",
    "compare_settings",
    "eye_wander",
    "find_landmarks",
    "is_face",
    "tracker_row",
]

_INNER = slice(17, 68)
_LEAST_INSIDE = 0.9
_WIDEST_EYE_DISTANCES = 4.0  # a Haar box measures about 2.6


@dataclass(frozen=True)
class Sample:
    """A frame whose face is known.

    Attributes:
        clip: The clip that it is from.
        frame: (height, width) uint8, grey.
        points: (68, 2) float32, landmarks in pixels of the frame.
        tracked_box: (4,) int32, where `FaceTracker` had the face when it came to this frame, or
            None.
        tracker_ms: Mean processor time that the tracker took for a frame of this clip.
    """

    clip: str
    frame: np.ndarray
    points: np.ndarray
    tracked_box: np.ndarray | None
    tracker_ms: float


def collect_samples(paths: Iterable[str | Path], every: int = 30) -> list[Sample]:
    """Follow the face through clips, and keep frames at equal distances with their landmarks.

    Args:
        paths: The clips.
        every: From one kept frame to the next.

    Raises:
        MediaError: When a clip cannot be read.
    """
    return [sample for path in paths for sample in _of_clip(str(path), every)]


def compare_settings(
    samples: list[Sample], settings: Mapping[str, HaarSetting], rounds: int = 1
) -> pd.DataFrame:
    """Compare settings on the same frames.

    Every frame is searched with all settings in turn, so that whatever else the machine does
    strikes all of them alike.

    Args:
        samples: The frames.
        settings: Name -> setting; the first is what times are related to.
        rounds: Searches of each frame; the quickest counts.

    Returns:
        One row for each setting, indexed by its name: `found` and `missed` (percent of the
        frames), `false_boxes` (per 100 frames), `ms` (processor time of a frame) and `time_ratio`
        to the first setting.
    """
    cv2.setNumThreads(1)
    detectors = {name: FaceDetector(setting) for name, setting in settings.items()}
    rows = []
    for sample in samples:
        for name, detector in detectors.items():
            boxes, ms = _timed(detector, sample.frame, rounds)
            right = [is_face(box, sample.points) for box in boxes]
            rows.append((name, any(right), len(right) - sum(right), ms))
    table = pd.DataFrame(rows, columns=["setting", "found", "false_boxes", "ms"])
    return _summed_up(table.groupby("setting", sort=False).mean())


def tracker_row(samples: list[Sample]) -> pd.Series:
    """The same figures for `FaceTracker`, which was handed every frame of the clips."""
    boxes = [s.tracked_box for s in samples]
    right = [b is not None and is_face(b, s.points) for b, s in zip(boxes, samples, strict=True)]
    false = sum(b is not None for b in boxes) - sum(right)
    found = 100 * np.mean(right)
    return pd.Series(
        {
            "found": found,
            "missed": 100 - found,
            "false_boxes": 100 * false / len(samples),
            "ms": np.mean([s.tracker_ms for s in samples]),
        }
    )


def is_face(box: np.ndarray, points: np.ndarray) -> bool:
    """Tell whether a box is that of the face with these landmarks.

    Args:
        box: x, y, width, height in pixels.
        points: (68, 2) landmarks in pixels.

    >>> points = np.tile([[50.0, 50.0]], (68, 1))
    >>> points[42:48, 0] = 70
    >>> is_face(np.array([30, 30, 60, 60]), points)
    True
    >>> is_face(np.array([30, 30, 100, 100]), points)
    False
    """
    x, y, width, height = (float(value) for value in box)
    inner = points[_INNER] - (x, y)
    inside = ((inner >= 0) & (inner <= (width, height))).all(axis=1).mean()
    left, right = eye_centres(points)
    widest = _WIDEST_EYE_DISTANCES * float(np.hypot(*(right - left)))
    return bool(inside >= _LEAST_INSIDE and width <= widest)


def eye_wander(samples: list[Sample]) -> pd.Series:
    """Tell how much the eyes move within the tracker's box, and how far the head is turned.

    Returns:
        `eyes across` and `eyes down`: standard deviation around each clip's mean, percent of the
        box's side; `roll`: root mean square of the head's tilt, degrees.
    """
    known = [sample for sample in samples if sample.tracked_box is not None]
    eyes = eye_centres(np.stack([sample.points for sample in known]))
    boxes = np.stack([sample.tracked_box for sample in known]).astype(float)
    middle = pd.DataFrame(100 * (eyes.mean(axis=1) - boxes[:, :2]) / boxes[:, 2:3])
    off = middle - middle.groupby([sample.clip for sample in known]).transform("mean")
    across = eyes[:, 1] - eyes[:, 0]
    roll_deg = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    spread = np.sqrt((off**2).mean())
    return pd.Series(
        {
            "eyes across (% of side)": spread[0],
            "eyes down (% of side)": spread[1],
            "roll (degrees)": np.sqrt(np.mean(roll_deg**2)),
        }
    )


def find_landmarks(frame: np.ndarray) -> np.ndarray | None:
    """Find the landmarks of a frame's one face without Haar.

    Args:
        frame: (height, width) uint8, grey.

    Returns:
        (68, 2) float32: x, y in pixels; None where dlib finds no face or several.
    """
    detector, predictor = _dlib()
    faces = detector(frame)
    if len(faces) != 1:
        return None
    face = faces[0]
    box = np.array([face.left(), face.top(), face.width(), face.height()])
    return predictor.predict(frame, to_haar_box(box))


@functools.cache
def _dlib() -> tuple[dlib.fhog_object_detector, LandmarkPredictor]:
    return dlib.get_frontal_face_detector(), LandmarkPredictor()


def _of_clip(path: str, every: int) -> list[Sample]:
    tracker, kept, spent_s, number = FaceTracker(), [], 0.0, 0
    for batch in read_frames(path):
        for time_s, frame in zip(batch.times_s, batch.frames, strict=True):
            start_s = time.thread_time()
            sighting = tracker.update(time_s, frame)
            spent_s += time.thread_time() - start_s
            if number % every == every // 2:
                kept.append((frame.copy(), sighting and sighting.box))
            number += 1
    tracker_ms = 1000 * spent_s / max(number, 1)
    known = [(frame, find_landmarks(frame), box) for frame, box in kept]
    return [Sample(path, f, points, b, tracker_ms) for f, points, b in known if points is not None]


def _timed(detector: FaceDetector, frame: np.ndarray, rounds: int) -> tuple[np.ndarray, float]:
    """The boxes of a frame, and the processor time of the quickest search in milliseconds."""
    spent_s = []
    for _ in range(rounds):
        start_s = time.thread_time()
        boxes = detector.detect(frame)
        spent_s.append(time.thread_time() - start_s)
    return boxes, 1000 * min(spent_s)


def _summed_up(means: pd.DataFrame) -> pd.DataFrame:
    found = 100 * means["found"].astype(float)
    return pd.DataFrame(
        {
            "found": found,
            "missed": 100 - found,
            "false_boxes": 100 * means["false_boxes"],
            "ms": means["ms"],
            "time_ratio": means["ms"] / means["ms"].iloc[0],
        }
    )
