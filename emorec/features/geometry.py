"""Landmark tracks as the geometry network reads them: even in time, aligned, cut in windows.

Points are numbered as in iBUG 300-W: 0-16 jaw, 17-26 brows, 27-35 nose, 36-41 the eye on the
left of the picture, 42-47 the other one, 48-67 mouth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "FEATURES",
    "FRAME_RATE_HZ",
    "HEAD_CHANNELS",
    "HOP_S",
    "LONGEST_GAP_S",
    "MIRROR",
    "NEAR_S",
    "POINTS",
    "WINDOW_FRAMES",
    "WINDOW_S",
    "LandmarkWindows",
    "align",
    "cut_window",
    "cut_windows",
    "frames_between",
    "join_features",
    "relative_head",
    "resample",
    "window_starts",
]

POINTS = 68
FRAME_RATE_HZ = 10.0
WINDOW_S = 3.0
HOP_S = 0.5
WINDOW_FRAMES = round(WINDOW_S * FRAME_RATE_HZ)

HEAD_CHANNELS = ("roll_rad", "x_eye_distances", "y_eye_distances", "log_scale")
FEATURES = 2 * POINTS + len(HEAD_CHANNELS)

NEAR_S = 0.25
"""How far from a frame with a face the face still counts as seen."""

LONGEST_GAP_S = 60.0
"""After a longer gap a new track begins: no even one is laid across it."""

_LEFT_EYE, _RIGHT_EYE = slice(36, 42), slice(42, 48)
# A window is cut when at least this share of it lies near frames where the face was found.
_LEAST_SEEN = 0.5

MIRROR = np.concatenate(
    [
        np.arange(16, -1, -1),
        np.arange(26, 16, -1),
        [27, 28, 29, 30, 35, 34, 33, 32, 31],
        [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40],
        [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65],
    ]
)
"""Number of the point that takes each point's place when the face is mirrored."""


@dataclass(frozen=True)
class LandmarkWindows:
    """What the geometry network reads of one clip.

    Attributes:
        time_s: float64 (windows,), centre of each window.
        features: float32 (windows, WINDOW_FRAMES, FEATURES).
    """

    time_s: np.ndarray
    features: np.ndarray


def resample(
    times_s: Sequence[float] | np.ndarray, points: np.ndarray, frame_rate_hz: float = FRAME_RATE_HZ
) -> tuple[np.ndarray, np.ndarray]:
    """Bring a track to an even frame rate; gaps are bridged linearly.

    Args:
        times_s: (frames,) seconds, ascending, at any spacing.
        points: (frames, 68, 2) pixels; NaN in the rows where no face was found.
        frame_rate_hz: Frame rate wanted.

    Returns:
        float64 (n,) seconds from the first to the last frame with a face, and float32
        (n, 68, 2). Both are empty when no frame has one.

    Raises:
        ValueError: If the two differ in length, or the points are not (frames, 68, 2).
    """
    track_s = np.asarray(times_s, float)
    points = np.asarray(points, np.float32)
    if points.shape != (len(track_s), POINTS, 2):
        raise ValueError(
            f"a track of {len(track_s)} times needs points of shape ({len(track_s)}, 68, 2), "
            f"not {points.shape}"
        )
    seen = np.isfinite(points).all((1, 2))
    track_s, points = track_s[seen], points[seen]
    if not len(track_s):
        return track_s, points
    frames = frames_between(track_s[0], track_s[-1], frame_rate_hz)
    even_s = track_s[0] + np.arange(frames) / frame_rate_hz
    return even_s, _interpolate(track_s, points, even_s)


def frames_between(first_s: float, last_s: float, frame_rate_hz: float = FRAME_RATE_HZ) -> int:
    """Return how many even frames there are from one time to another, both included.

    >>> frames_between(0.0, 0.2), frames_between(0.0, 0.19)
    (3, 2)
    """
    return int((last_s - first_s) * frame_rate_hz + 1e-6) + 1


def _interpolate(times_s: np.ndarray, points: np.ndarray, even_s: np.ndarray) -> np.ndarray:
    """Points at other times, linearly between those that are there; float32 (n, 68, 2)."""
    after = np.clip(np.searchsorted(times_s, even_s), 1, max(1, len(times_s) - 1))
    before = after - 1
    after = np.minimum(after, len(times_s) - 1)
    span_s = np.maximum(times_s[after] - times_s[before], 1e-9)
    share = np.clip((even_s - times_s[before]) / span_s, 0, 1)[:, None, None]
    even = points[before] * (1 - share) + points[after] * share
    return even.astype(np.float32)


def align(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn, shift and scale each face so that its eyes rest at (-0.5, 0) and (0.5, 0).

    Args:
        points: (..., 68, 2) pixels, y downwards.

    Returns:
        Shapes, float32 (..., 68, 2), in eye distances, and what was taken out, float32
        (..., 4): roll in radians, x and y of the point between the eyes in pixels, natural
        logarithm of the eye distance in pixels.
    """
    points = np.asarray(points, np.float32)
    left = points[..., _LEFT_EYE, :].mean(-2)
    right = points[..., _RIGHT_EYE, :].mean(-2)
    centre = (left + right) / 2
    across_x, across_y = np.moveaxis(right - left, -1, 0)
    scale = np.maximum(np.hypot(across_x, across_y), 1e-6)
    roll = np.arctan2(across_y, across_x)
    cosine, sine = (across_x / scale)[..., None], (across_y / scale)[..., None]
    x, y = np.moveaxis(points - centre[..., None, :], -1, 0)
    shape = np.stack([x * cosine + y * sine, y * cosine - x * sine], -1)
    head = np.concatenate([roll[..., None], centre, np.log(scale)[..., None]], -1)
    return shape / scale[..., None, None], head


def relative_head(head: np.ndarray) -> np.ndarray:
    """Describe the head's movement within a window, whatever the camera.

    Args:
        head: (..., frames, 4) as `align` returns it.

    Returns:
        float32 (..., frames, 4), each channel of HEAD_CHANNELS less its median over the
        frames; positions in eye distances.
    """
    moved = head - np.median(head, axis=-2, keepdims=True)
    eye_distance_px = np.exp(np.median(head[..., 3], axis=-1))[..., None, None]
    unit = np.where(np.isin(np.arange(4), (1, 2)), eye_distance_px, 1.0)
    return (moved / unit).astype(np.float32)


def join_features(shape: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Put shapes (..., frames, 68, 2) and relative head movement (..., frames, 4) in one array.

    Returns:
        float32 (..., frames, FEATURES).
    """
    flat = shape.reshape(*shape.shape[:-2], 2 * POINTS)
    return np.concatenate([flat, head], -1).astype(np.float32)


def window_starts(frames: int, window: int, hop: int) -> np.ndarray:
    """Return the first frame of each window; the last window ends with the last frame.

    Example:
        >>> window_starts(110, 90, 15).tolist()
        [0, 15, 20]
        >>> window_starts(10, 90, 15).tolist()
        [0]
    """
    last = max(0, frames - window)
    return np.unique(np.append(np.arange(0, last + 1, hop), last))


def cut_windows(
    times_s: Sequence[float] | np.ndarray,
    points: np.ndarray,
    *,
    window_s: float = WINDOW_S,
    hop_s: float = HOP_S,
    frame_rate_hz: float = FRAME_RATE_HZ,
) -> LandmarkWindows:
    """Resample a track, align it and cut it into windows.

    A clip shorter than a window is padded with its last frame. A window is left out when
    for most of it no face was found.

    Args:
        times_s: (frames,) seconds, ascending.
        points: (frames, 68, 2) pixels; NaN where no face was found.
        window_s: Length of a window.
        hop_s: Time from one window to the next.
        frame_rate_hz: Frame rate of the windows.

    Returns:
        The windows; none when no face was found.
    """
    window, hop = round(window_s * frame_rate_hz), max(1, round(hop_s * frame_rate_hz))
    even_s, even = resample(times_s, points, frame_rate_hz)
    if not len(even_s):
        return LandmarkWindows(np.empty(0), np.empty((0, window, FEATURES), np.float32))
    near = _near_a_face(even_s, np.asarray(times_s, float), np.asarray(points))
    shape, head = align(even)
    features, centres_s = [], []
    for start in window_starts(len(even_s), window, hop):
        frames = np.minimum(np.arange(start, start + window), len(even_s) - 1)
        last = frames[-1]
        if near[start : last + 1].mean() < _LEAST_SEEN:
            continue
        features.append(join_features(shape[frames], relative_head(head[frames])))
        centres_s.append((even_s[start] + even_s[last]) / 2)
    if not features:
        return LandmarkWindows(np.empty(0), np.empty((0, window, FEATURES), np.float32))
    return LandmarkWindows(np.array(centres_s), np.stack(features))


def cut_window(
    times_s: Sequence[float] | np.ndarray, points: np.ndarray, start_s: float
) -> np.ndarray | None:
    """Cut one window out of a track that is still growing, as `cut_windows` cuts them all.

    Args:
        times_s: (frames,) seconds, ascending, of frames with a face.
        points: (frames, 68, 2) pixels.
        start_s: Where the window starts; not after the last frame. Where the track ends too
            early, its last frame is repeated.

    Returns:
        float32 (WINDOW_FRAMES, FEATURES); None when for most of it no face was found.
    """
    times_s, points = np.asarray(times_s, float), np.asarray(points, np.float32)
    frames = min(WINDOW_FRAMES, frames_between(start_s, times_s[-1]))
    even_s = start_s + np.arange(frames) / FRAME_RATE_HZ
    if _near_a_face(even_s, times_s, points).mean() < _LEAST_SEEN:
        return None
    shape, head = align(_interpolate(times_s, points, even_s))
    held = np.minimum(np.arange(WINDOW_FRAMES), frames - 1)
    return join_features(shape[held], relative_head(head[held]))


def _near_a_face(even_s: np.ndarray, times_s: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Tell for each even time whether a frame with a face is close, bool (n,)."""
    found_s = times_s[np.isfinite(points).all((1, 2))]
    after = np.clip(np.searchsorted(found_s, even_s), 0, len(found_s) - 1)
    before = np.maximum(after - 1, 0)
    gap_s = np.minimum(np.abs(found_s[after] - even_s), np.abs(even_s - found_s[before]))
    return gap_s <= NEAR_S
