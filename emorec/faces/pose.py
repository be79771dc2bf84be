"""Which way a head is turned, from the landmarks in a picture.

The points of a generic face in space are laid over those in the picture by OpenCV's `solvePnP`
(Levenberg and Marquardt's method). No camera is known: it is taken to look through the middle of
the picture, with a focal length of the picture's longer side, as a webcam or a phone about has.
"""

from __future__ import annotations

import cv2
import numpy as np

__all__ = ["GENERIC_FACE", "head_pose"]

GENERIC_FACE = {
    36: (-45, 0, 20),
    39: (-18, 1, 12),
    42: (18, 1, 12),
    45: (45, 0, 20),
    27: (0, -3, 2),
    28: (0, 10, -5),
    29: (0, 22, -12),
    30: (0, 34, -18),
    31: (-13, 43, 4),
    33: (0, 48, -1),
    35: (13, 43, 4),
    48: (-27, 70, 10),
    54: (27, 70, 10),
    8: (0, 118, 14),
}
"""Landmark (see `emorec.features.geometry`) -> x to the right, y down and z away from the camera,
in mm of a grown-up's face that looks into it: corners of the eyes, nose, corners of the mouth,
chin.

Round numbers about the means of anthropometry: 90 mm from one outer corner of the eyes to the
other, a nose that stands out by 19 mm, a mouth 54 mm wide.
"""

_POINTS = list(GENERIC_FACE)
_FACE = np.array(list(GENERIC_FACE.values()), np.float64)


def head_pose(points: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Tell which way a head is turned in each of some frames.

    Args:
        points: (n, 68, 2) landmarks, x and y in pixels of the upright picture.
        sizes: (n, 2) width and height of the picture.

    Returns:
        (n, 3) float32, degrees: yaw, above 0 where the face turns to the right of the picture;
        pitch, above 0 where it looks up; roll, above 0 where the head leans clockwise. NaN where
        no position of a face fits.
    """
    found = np.full((len(points), 3), np.nan, np.float32)
    for i, (seen, (width, height)) in enumerate(zip(points, sizes, strict=True)):
        focal_px = max(width, height)
        camera = np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1]])
        picked = np.ascontiguousarray(seen[_POINTS], np.float64)
        if not np.isfinite(picked).all():
            continue
        is_found, turn, place = cv2.solvePnP(_FACE, picked, camera, None, *_guess(picked, camera))
        if is_found and place[2, 0] > 0:
            found[i] = _angles(cv2.Rodrigues(turn)[0])
    return found


def _guess(picked: np.ndarray, camera: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Begin with a face that looks into the camera and leans as the eyes do; far as it is small."""
    across = picked[3] - picked[0]
    roll = np.arctan2(across[1], across[0])
    size_px = max(
        np.hypot(*across), np.hypot(*(picked[-1] - (picked[0] + picked[3]) / 2)) * 0.76, 1
    )
    far = camera[0, 0] * 90 / size_px
    middle = picked[:4].mean(0)
    place = np.array([*((middle - camera[:2, 2]) * far / camera[0, 0]), far])
    return np.array([[0.0], [0.0], [roll]]), place.reshape(3, 1), True


def _angles(turn: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch and roll of a rotation: the head nods, then turns, and at last leans."""
    yaw = np.arcsin(np.clip(turn[2, 0], -1, 1))
    pitch = -np.arctan2(turn[2, 1], turn[2, 2])
    roll = np.arctan2(turn[1, 0], turn[0, 0])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
