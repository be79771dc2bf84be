"""Moving made-up faces, grey, for tests of what follows faces."""

import functools

import cv2
import numpy as np

from emorec.avatar import EXPRESSIONS, Pose, draw_face, make_actor

FRAME_S = 1 / 15
HEIGHT, WIDTH = 360, 640
_MOUTHS = (0.0, 5.0, 12.0, 16.0, 11.0, 5.0, 2.0, 9.0, 15.0, 7.0, 1.0)


@functools.cache
def _drawn(actor: int, opening: float) -> np.ndarray:
    pose = Pose(speech_open=opening)
    frame = draw_face(make_actor(actor), EXPRESSIONS["neutral"], pose, (WIDTH, HEIGHT))
    return cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)


def speaking(actor: int, count: int) -> np.ndarray:
    """A shot of a face that speaks, (count, HEIGHT, WIDTH) uint8, with a camera's noise."""
    noise = np.random.default_rng(actor).integers(-2, 3, (count, HEIGHT, WIDTH))
    frames = np.stack([_drawn(actor, _MOUTHS[i % len(_MOUTHS)]) for i in range(count)])
    return np.clip(frames + noise, 0, 255).astype(np.uint8)


def head(actor: int, size_px: int, opening: float = 0.0) -> np.ndarray:
    """A square picture of a head."""
    square = _drawn(actor, opening)[10:350, 150:490]
    return cv2.resize(square, (size_px, size_px), interpolation=cv2.INTER_AREA)


def beside(
    count: int, left: tuple[int, int, bool], right: tuple[int, int, bool], seed: int = 0
) -> np.ndarray:
    """Two heads side by side, each given as actor, size and whether it speaks."""
    rng = np.random.default_rng(seed)
    frames = np.full((count, HEIGHT, WIDTH), 128, np.int16)
    for index, frame in enumerate(frames):
        for (actor, size_px, speaks), x in ((left, 10), (right, 330)):
            opening = _MOUTHS[index % len(_MOUTHS)] if speaks else 0.0
            frame[30 : 30 + size_px, x : x + size_px] = head(actor, size_px, opening)
    frames += rng.integers(-2, 3, frames.shape, dtype=np.int16)
    return np.clip(frames, 0, 255).astype(np.uint8)
