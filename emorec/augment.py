"""What speakers, rooms and cameras do to a recording, as batch augmentations in NumPy."""

import cv2
import numpy as np


def augment_faces(rng: np.random.Generator, faces: np.ndarray) -> np.ndarray:
    """Flip, turn, shift, scale, relight, blur and pixelate a batch of faces.

    Args:
        rng: Source of randomness.
        faces: uint8, shape (n, size, size).

    Returns:
        uint8 array of the same shape.
    """
    return np.stack([_augment_face(rng, face) for face in faces])


def _augment_face(rng: np.random.Generator, face: np.ndarray) -> np.ndarray:
    size = face.shape[0]
    centre = (size - 1) / 2
    matrix = cv2.getRotationMatrix2D(
        (centre, centre), rng.uniform(-15, 15), np.exp(rng.uniform(-0.16, 0.16))
    )
    matrix[:, 2] += rng.uniform(-0.08, 0.08, 2) * size
    if rng.random() < 0.5:
        mirror = np.array([[-1, 0, size - 1], [0, 1, 0], [0, 0, 1]], float)
        matrix = matrix @ mirror
    face = cv2.warpAffine(face, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    face = cv2.convertScaleAbs(face, alpha=rng.uniform(0.7, 1.3), beta=rng.uniform(-25, 25))
    draw = rng.random()
    if draw < 0.15:
        face = cv2.GaussianBlur(face, (0, 0), rng.uniform(0.4, 1.3))
    elif draw < 0.3:
        small = int(size * rng.uniform(0.4, 0.8))
        face = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
        face = cv2.resize(face, (size, size), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        side = int(size * rng.uniform(0.15, 0.35))
        top, left = rng.integers(0, size - side, 2)
        face[top : top + side, left : left + side] = rng.integers(0, 256)
    return face
