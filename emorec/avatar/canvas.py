"""The canvas that heads are painted on, and the tools to paint with.

Head coordinates: the origin lies between the eyes, x to the right, y down, one unit is one
pixel at an eye distance of 140 pixels.
"""

import cv2
import numpy as np

CANVAS_WIDTH, CANVAS_HEIGHT = 600, 800
ORIGIN_X, ORIGIN_Y = 300, 310
"""Where the head's origin lies on the canvas."""

GRID_X, GRID_Y = np.meshgrid(
    np.arange(CANVAS_WIDTH, dtype=np.float32) - ORIGIN_X,
    np.arange(CANVAS_HEIGHT, dtype=np.float32) - ORIGIN_Y,
)
"""Head coordinates of every canvas pixel, float32 (CANVAS_HEIGHT, CANVAS_WIDTH)."""

_SHIFT_BITS = 4  # OpenCV draws with fractions of a pixel: here sixteenths.


def smooth_curve(points: np.ndarray, closed: bool = False, steps: int = 8) -> np.ndarray:
    """Lay a Catmull-Rom spline through points.

    Args:
        points: float (n, 2).
        closed: Whether the last point joins the first.
        steps: Curve points for each given point.

    Returns:
        float (m, 2), through every given point.
    """
    points = np.asarray(points, dtype=float)
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([points[:1], points, points[-1:]])
    t = (np.arange(steps) / steps)[:, None]
    before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    before, start, end, after = (p[:, None, :] for p in (before, start, end, after))
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    ).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def fixed_point(points: np.ndarray, origin: tuple[float, float] = (0, 0)) -> np.ndarray:
    """Turn points into the fixed-point integers that OpenCV draws with sub-pixel care.

    Args:
        points: float (n, 2).
        origin: Where the point (0, 0) lies on the image.

    Returns:
        int32 (n, 1, 2), in sixteenths of a pixel; draw with ``shift=4``.
    """
    scaled = (np.asarray(points, dtype=float) + origin) * (1 << _SHIFT_BITS)
    return np.round(scaled).astype(np.int32)[:, None, :]


def fill_mask(
    points: np.ndarray, shape: tuple[int, int], origin: tuple[float, float]
) -> np.ndarray:
    """Fill a polygon with smooth edges.

    Args:
        points: float (n, 2), the polygon.
        shape: Height and width of the mask.
        origin: Where the point (0, 0) lies on the mask.

    Returns:
        uint8 of the given shape, 255 inside.
    """
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [fixed_point(points, origin)], 255, cv2.LINE_AA, _SHIFT_BITS)
    return mask


def canvas_mask(points: np.ndarray, blur: float = 0) -> np.ndarray:
    """Fill a polygon in head coordinates on the canvas: float32, 0 to 1."""
    mask = fill_mask(points, GRID_X.shape, (ORIGIN_X, ORIGIN_Y)).astype(np.float32) / 255
    return cv2.GaussianBlur(mask, (0, 0), blur) if blur else mask


def painted(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns in which a mask is not all zero: uint8, or float32 of 0 to 1."""
    x, y, width, height = cv2.boundingRect(mask if mask.dtype == np.uint8 else np.uint8(mask > 0))
    return slice(y, y + height), slice(x, x + width)


def blob(x: float, y: float, width: float, height: float) -> np.ndarray:
    """Return a Gaussian bump of height 1 on the canvas."""
    return np.exp(-(((GRID_X - x) / width) ** 2) - ((GRID_Y - y) / height) ** 2)


def pair(x: float, y: float, width: float, height: float) -> np.ndarray:
    """Return the same bump on both sides of the face."""
    return blob(-x, y, width, height) + blob(x, y, width, height)


def over(below: np.ndarray, above: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Lay a colour or a colour image over another."""
    return below + (above - below) * opacity[..., None]
