"""What the face network reads: grey crops of zero mean and unit variance."""

from __future__ import annotations

import numpy as np

__all__ = ["FACE_SIZE_PX", "standardize_faces"]

FACE_SIZE_PX = 48
"""Side of the crop that the shipped face network reads."""


def standardize_faces(faces: np.ndarray) -> np.ndarray:
    """Give each face zero mean and about unit variance, as the face network was trained.

    Args:
        faces: (n, size, size) uint8.

    Returns:
        (n, size, size, 1) float32.
    """
    faces = np.asarray(faces, np.float32)
    mean = faces.mean((1, 2), keepdims=True)
    deviation = faces.std((1, 2), keepdims=True)
    return ((faces - mean) / (deviation + 5.0))[..., None]
