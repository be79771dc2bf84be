"""Boxes on grey frames, and what is cut out of a frame with them.

A box is x, y, width, height in pixels of the frame.
"""

from __future__ import annotations

import cv2
import numpy as np

__all__ = [
    "crop_face",
    "cut_out",
    "halved",
    "overlap",
    "peak_offset",
    "resized",
    "warped",
    "widened",
]


def crop_face(frame: np.ndarray, box: np.ndarray, size_px: int) -> np.ndarray:
    """Cut a face out as a square; the frame's border is repeated where the box leaves it.

    Args:
        frame: (height, width) uint8, grey.
        box: x, y, width, height in pixels of the frame; an oblong box is widened to a square.
        size_px: Side of the crop.

    Returns:
        (size_px, size_px) uint8.

    >>> frame = np.tile(np.arange(100, dtype=np.uint8), (80, 1))
    >>> crop_face(frame, np.array([90, 0, 20, 20]), 2)
    array([[95, 99],
           [95, 99]], dtype=uint8)
    """
    x, y, width, height = (int(value) for value in box)
    side = max(width, height, 1)
    x, y = x - (side - width) // 2, y - (side - height) // 2
    rows, columns = frame.shape
    left, top = max(-x, 0), max(-y, 0)
    right, bottom = max(x + side - columns, 0), max(y + side - rows, 0)
    patch = frame[max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)]
    if left or top or right or bottom:
        if not patch.size:
            raise ValueError(f"the box {list(box)} lies outside the frame of {columns}x{rows}")
        patch = cv2.copyMakeBorder(patch, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return resized(patch, size_px, size_px)


def overlap(box: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes (x, y, width, height).

    >>> overlap(np.array([0, 0, 10, 10]), np.array([5, 0, 10, 10]))
    0.3333333333333333
    """
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    common = max(width, 0) * max(height, 0)
    return float(common / (box[2] * box[3] + other[2] * other[3] - common))


def cut_out(frame: np.ndarray, box: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut out a box and what lies around it.

    Args:
        frame: (height, width) uint8, grey.
        box: x, y, width, height.
        margin: How far to go beyond the box on each side, as a share of its size.

    Returns:
        The part of that within the frame, a view, and the x, y of its corner.
    """
    x, y, width, height = box
    x0, y0 = max(int(x - margin * width), 0), max(int(y - margin * height), 0)
    x1 = max(int(x + (1 + margin) * width), 0)
    y1 = max(int(y + (1 + margin) * height), 0)
    return frame[y0:y1, x0:x1], np.array([x0, y0])


def resized(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bring a picture to another size in pixels: exact halves first, which are fast."""
    picture = halved(picture, min(2 * width, 2 * height))
    shrinks = picture.shape[0] > height
    return cv2.resize(
        picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )


def warped(frame: np.ndarray, matrix: np.ndarray, size_px: int, blur_px: int) -> np.ndarray:
    """Turn, scale and cut a frame, averaged before where it shrinks much.

    Only what is cut out is averaged, which in a large frame takes a tenth of the time.

    Args:
        frame: (height, width) uint8, grey.
        matrix: (2, 3), from the frame to the picture.
        size_px: Side of the picture.
        blur_px: Over how many pixels to average; 1 for not at all. The warp itself reads four.

    Returns:
        (size_px, size_px) uint8; beyond the frame its border is repeated.
    """
    matrix = np.array(matrix, float)
    if blur_px > 1:
        corners = np.array([[0, 0], [0, size_px], [size_px, 0], [size_px, size_px]])
        seen = np.linalg.solve(matrix[:, :2], (corners - matrix[:, 2]).T)
        first = np.maximum(np.floor(seen.min(1)).astype(int) - blur_px - 2, 0)
        last = np.maximum(np.ceil(seen.max(1)).astype(int) + blur_px + 2, 0)
        # At least a strip, of which the border is repeated, where all lies beyond the frame.
        first = np.minimum(first, np.array(frame.shape[::-1]) - 2 * blur_px).clip(min=0)
        last = np.maximum(last, 2 * blur_px)
        frame = cv2.blur(frame[first[1] : last[1], first[0] : last[0]], (blur_px, blur_px))
        matrix[:, 2] += matrix[:, :2] @ first
    return cv2.warpAffine(
        frame,
        matrix,
        (size_px, size_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def halved(picture: np.ndarray, shorter_side_px: int) -> np.ndarray:
    """Halve a picture as often as its shorter side stays at least this long."""
    while min(picture.shape) // 2 >= shorter_side_px:
        height, width = picture.shape
        # An even crop, since only exact halves are averaged fast.
        picture = cv2.resize(
            picture[: height // 2 * 2, : width // 2 * 2],
            (width // 2, height // 2),
            interpolation=cv2.INTER_AREA,
        )
    return picture


def widened(
    frame: np.ndarray, box: np.ndarray, pixel_aspect: float
) -> tuple[np.ndarray, np.ndarray]:
    """Show a frame that was stored squeezed in its true proportions, with a face's box in it.

    Args:
        frame: (height, width) uint8, grey.
        box: x, y, width, height of the face in the stored frame.
        pixel_aspect: Width of a stored pixel where its height is one.

    Returns:
        The frame, `pixel_aspect` times as wide, and the square box (4,) int32 about the same
        place in it, whose area grows as the picture's.

    >>> frame, box = widened(np.zeros((90, 120), np.uint8), np.array([50, 30, 20, 20]), 4 / 3)
    >>> frame.shape, box.tolist()
    ((90, 160), [68, 28, 23, 23])
    """
    height, width = frame.shape
    shown = cv2.resize(frame, (round(width * pixel_aspect), height), interpolation=cv2.INTER_LINEAR)
    side = box[2] * np.sqrt(pixel_aspect)
    x, y = (box[0] + box[2] / 2) * pixel_aspect - side / 2, box[1] + (box[3] - side) / 2
    return shown, np.rint([x, y, side, side]).astype(np.int32)


def peak_offset(scores: np.ndarray, index: int) -> float:
    """Where between samples a peak lies, by the parabola through three of them."""
    if not 0 < index < len(scores) - 1:
        return 0.0
    before, peak, after = (float(score) for score in scores[index - 1 : index + 2])
    curvature = before - 2 * peak + after
    return 0.5 * (before - after) / curvature if curvature < 0 else 0.0
