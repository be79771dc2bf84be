"""Calibration on a speaker: what a face looks like at rest is no emotion.

A face with a drooping mouth looks sad in every frame. A few clips of the same person, of any
emotion and without labels, show what is the person's own; it is taken out of the landmarks and the
mean shape of the training speakers put in its place. Only the geometry stream is calibrated.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emorec import geometry
from emorec.faces import FaceTracker
from emorec.landmarks import LandmarkPredictor
from emorec.media import ClipReader, FrameBatch
from emorec.streams import Pace


def mean_shape_of_clip(path: str | Path, predictor: LandmarkPredictor) -> np.ndarray | None:
    """Return a clip's mean aligned shape, float32 (68, 2), in eye distances; None without a face.

    Raises:
        MediaError: When the file cannot be read as a clip.
    """
    tracker, points, pace = FaceTracker(), [], Pace(geometry.FRAME_RATE_HZ)
    for piece in ClipReader(path):
        if not isinstance(piece, FrameBatch):
            continue
        for time_s, frame in zip(piece.times_s.tolist(), piece.frames, strict=True):
            box = tracker.update(time_s, frame)
            if box is not None and pace.is_due(time_s):
                points.append(predictor.predict(frame, box))
    return geometry.align(np.stack(points))[0].mean(0) if points else None


def speaker_offset(shapes: Sequence[np.ndarray], mean_shape: np.ndarray) -> np.ndarray:
    """Estimate how a speaker's face differs from the training speakers' mean.

    Few clips say as much about their emotions as about the person, so that the estimate is
    drawn towards none: by half for one clip, by a ninth for eight.

    Args:
        shapes: Mean aligned shape (68, 2) of each clip of the speaker; at least one.
        mean_shape: (68, 2), the training speakers'.

    Returns:
        float32 (68, 2), in eye distances.

    Example:
        >>> shape = np.zeros((68, 2))
        >>> float(speaker_offset([shape + 1], shape)[0, 0])
        0.5
    """
    trust = len(shapes) / (len(shapes) + 1)
    return (trust * (np.mean(shapes, axis=0) - mean_shape)).astype(np.float32)
