"""Faces laid over each other: turned and scaled by the eyes, their mean, and what is left of each.

Subtracting the mean face of the training speakers is what the reference project
(gianscuri/Emotion-Recognition_SER-FER_RAVDESS) does before its best face network; turning by the
eyes is the usual step before (Turk and Pentland, Eigenfaces for recognition, 1991).
"""

from __future__ import annotations

import cv2
import numpy as np

from emorec.faces.boxes import warped

__all__ = ["align_face", "eye_centres", "less_mean", "mean_face"]

# Where the eyes come to rest in an aligned face, as a share of its side: about where the mean Haar
# box has them, so that aligned faces and crops show the same part of the head.
_EYE_LEVEL, _EYE_DISTANCE = 0.39, 0.38


def eye_centres(points: np.ndarray) -> np.ndarray:
    """Give the centres of the eyes on the left and on the right of the picture.

    Args:
        points: (..., 68, 2) iBUG landmarks.

    Returns:
        (..., 2, 2) float32: x, y of the left one, then of the right one.
    """
    points = np.asarray(points, np.float32)
    return np.stack([points[..., 36:42, :].mean(-2), points[..., 42:48, :].mean(-2)], axis=-2)


def align_face(frame: np.ndarray, points: np.ndarray, size_px: int = 112) -> np.ndarray:
    """Cut a face out so that its eyes lie level and always at the same place.

    Args:
        frame: (height, width) uint8, grey.
        points: (68, 2) landmarks in pixels of the frame.
        size_px: Side of the picture.

    Returns:
        (size_px, size_px) uint8; beyond the frame its border is repeated.
    """
    left, right = eye_centres(points).astype(float)
    across = right - left
    scale = _EYE_DISTANCE * size_px / max(float(np.hypot(*across)), 1e-6)
    angle_deg = np.degrees(np.arctan2(across[1], across[0]))
    middle = (left + right) / 2
    matrix = cv2.getRotationMatrix2D(tuple(middle), angle_deg, scale)
    # Centres of pixels stand at whole numbers, so the middle of the picture is half a pixel less.
    matrix[:, 2] += np.array([size_px / 2, _EYE_LEVEL * size_px]) - 0.5 - middle
    return warped(frame, matrix, size_px, round(1 / scale) if scale < 0.5 else 1)


def mean_face(pixels: np.ndarray, clip_id: np.ndarray) -> np.ndarray:
    """Average faces so that every clip counts alike, however long it is.

    Take the training speakers' faces only: the mean is part of what is learned.

    Args:
        pixels: (n, height, width) uint8.
        clip_id: (n,) the clip of each.

    Returns:
        (height, width) float32 in [0, 1].

    Raises:
        ValueError: When there is no face.
    """
    if not len(pixels):
        raise ValueError("there is no face to average; extract frames first")
    clips = np.unique(clip_id)
    total = sum(pixels[clip_id == clip].mean(axis=0, dtype=np.float64) for clip in clips)
    return (total / len(clips) / 255).astype(np.float32)


def less_mean(pixels: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Subtract the mean face.

    Args:
        pixels: (n, height, width) uint8.
        mean: (height, width) float32 in [0, 1].

    Returns:
        (n, height, width, 1) float32 in [-1, 1], as networks read it.
    """
    return (pixels.astype(np.float32) / 255 - mean)[..., np.newaxis]
