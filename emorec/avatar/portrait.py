"""The parts of an avatar that never move by themselves: skin, hair, clothes, background.

Everything is drawn on one canvas in head coordinates: the origin lies between the eyes,
x to the right, y down, one unit is one pixel at an eye distance of 140 pixels. A height
map of the face, made of an ellipsoid and a few bumps, is lit by a lamp, so that noses,
eye sockets and cheeks get the light and dark that face detectors look for.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from emorec.avatar.actor import Actor
from emorec.avatar.canvas import (
    GRID_X,
    GRID_Y,
    ORIGIN_X,
    ORIGIN_Y,
    blob,
    canvas_mask,
    fill_mask,
    over,
    painted,
    pair,
    smooth_curve,
)
from emorec.avatar.hair import COVERS_EARS, hair_back, hair_front, hair_paint

# Right half of the outline of the head from the chin to the crown: x, y.
_OUTLINE = (
    (0, 253),
    (38, 246),
    (72, 225),
    (103, 194),
    (125, 162),
    (138, 124),
    (147, 84),
    (154, 44),
    (158, 0),
    (159, -55),
    (150, -112),
    (122, -165),
    (70, -200),
    (0, -212),
)


@dataclass(frozen=True)
class Portrait:
    """The still layers of one actor.

    Attributes:
        actor: Whose layers they are.
        head: uint8 (CANVAS_HEIGHT, CANVAS_WIDTH, 4), blue, green and red multiplied
            by the opacity, so that edges stay clean when the head is moved, and opacity.
        relief: float32 (CANVAS_HEIGHT, CANVAS_WIDTH), how far each point of the head
            stands out against the eyes: -1 at the ears, 0 at the eyes, 1 at the nose.
        backdrop: uint8 (720, 1280, 3), wall, neck and shoulders.
    """

    actor: Actor
    head: np.ndarray
    relief: np.ndarray
    backdrop: np.ndarray


def _head_outline(actor: Actor) -> np.ndarray:
    """Return the outline of the actor's head, float (n, 2)."""
    right = np.array(_OUTLINE, dtype=float)
    below = np.clip((right[:, 1] - 60) / 120, 0, 1)
    right[:, 0] *= actor.width * (1 + (actor.jaw - 1) * below)
    left = right[-2:0:-1] * (-1, 1)
    return smooth_curve(np.concatenate([right, left]), closed=True)


def _height_map(actor: Actor, half_width: np.ndarray) -> np.ndarray:
    """Model the surface of the face.

    Args:
        actor: Whose face.
        half_width: float32 (CANVAS_HEIGHT, 1), half the width of the head at each row.

    Returns:
        float32 (CANVAS_HEIGHT, CANVAS_WIDTH), towards the viewer, in head units.
    """
    u = np.clip(np.abs(GRID_X) / half_width, 0, 1)
    v = np.clip(np.abs(GRID_Y - 20) / 250, 0, 1)
    height = 150 * np.sqrt(1 - 0.96 * u**2.6) * np.sqrt(1 - 0.8 * v**3)
    # The ridge of the nose gets higher and wider towards the tip.
    along = np.clip((GRID_Y + 22) / 95, 0, 1)
    ridge = np.where(GRID_Y < 74, along, np.exp(-(((GRID_Y - 74) / 15) ** 2)))
    height += (30 * ridge**1.2) * np.exp(-((GRID_X / (11 + 7 * along)) ** 2))
    height += 13 * blob(0, 78, 17, 15) + 11 * pair(20, 88, 10, 10)
    height += 8 * pair(72, -40, 50, 13) - 13 * pair(68, -4, 38, 20)
    height += 8 * pair(66, 0, 30, 13) - 4 * pair(62, 24, 30, 7)
    height += 12 * pair(92, 72, 40, 36) - 5 * pair(40, 118, 10, 22)
    height += 12 * blob(0, 148, 52, 38) - 2.5 * blob(0, 120, 6, 12)
    height -= 8 * blob(0, 199, 36, 10)
    height += 13 * blob(0, 228, 32 * actor.jaw, 20)
    return cv2.GaussianBlur(height.astype(np.float32), (0, 0), 2.0)


def _shade(height: np.ndarray, light_x: float) -> np.ndarray:
    """Light a surface from the front, above and one side: float32, 1 is full light."""
    slope_y, slope_x = np.gradient(height)
    length = np.sqrt(slope_x**2 + slope_y**2 + 1)
    lamp = np.array([light_x * 0.75, -0.55, 1.0])
    lamp /= np.linalg.norm(lamp)
    cosine = (-slope_x * lamp[0] - slope_y * lamp[1] + lamp[2]) / length
    return (0.60 + 0.49 * np.clip(cosine, 0, None)).astype(np.float32)


def _relief(half_width: np.ndarray) -> np.ndarray:
    """Return how far each point stands out against the eyes; see Portrait."""
    chin = np.clip((GRID_Y - 130) / 120, 0, 1)
    crown = np.clip((-GRID_Y - 20) / 130, 0, 1)
    outline = np.clip(np.abs(GRID_X) / half_width, 0, 1) ** 3
    relief = blob(0, 84, 34, 46) + 0.4 * blob(0, 150, 60, 40) - (1 - chin) * (1 - crown) * outline
    return cv2.GaussianBlur(relief, (0, 0), 5).astype(np.float32)


def _tint(colour: tuple[int, int, int], shade: np.ndarray) -> np.ndarray:
    """Colour a shaded surface: shadows turn warmer, as they do on skin."""
    base = np.array(colour, dtype=np.float32)
    # Exponents above 1 darken blue and green sooner than red.
    power = np.array([1.30, 1.15, 0.9], dtype=np.float32)
    return base * np.clip(shade, 0.05, 1.2)[..., None] ** power


def _skin(actor: Actor, height: np.ndarray, half_width: np.ndarray) -> np.ndarray:
    """Paint the skin of the whole canvas: float32 (height, width, 3)."""
    shade = _shade(height, actor.light_x)
    u = np.clip(np.abs(GRID_X) / half_width, 0, 1)
    shade *= 1 - 0.22 * u**7
    shade *= 1 - 0.14 * pair(66, -8, 36, 16) - 0.10 * pair(38, -6, 12, 20)
    shade *= 1 - 0.10 * pair(64, 22, 28, 7) - 0.22 * blob(0, 109, 26, 8)
    shade *= 1 - 0.10 * blob(0, 199, 32, 8) - 0.06 * blob(0, 122, 6, 10)
    shade *= 1 - 0.30 * pair(29, 90, 4, 9) - 0.10 * pair(17, 50, 7, 36)
    shade += 0.05 * blob(0, 40, 6, 34) + 0.10 * blob(-3, 73, 8, 7) + 0.03 * blob(0, -90, 70, 40)
    skin = _tint(actor.skin, shade)
    blush = 0.20 * pair(92, 82, 36, 28) + 0.14 * blob(0, 80, 22, 16)
    skin = over(skin, skin * np.array([0.84, 0.86, 1.0], np.float32), np.clip(blush * 2, 0, 1))
    nostrils = pair(13, 97, 8, 4.2)
    skin = over(skin, skin * np.array([0.2, 0.22, 0.3], np.float32), np.clip(nostrils**1.5, 0, 1))
    grain = np.random.default_rng(actor.number).normal(size=height.shape).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 1.2)
    return skin * (1 + 0.012 * grain / grain.std())[..., None]


def _ears(actor: Actor) -> np.ndarray:
    """Mask of both ears: float32, 0 to 1."""
    mask = np.zeros(GRID_X.shape, np.uint8)
    for side in (-1, 1):
        centre = (round(ORIGIN_X + side * 161 * actor.width), ORIGIN_Y + 26)
        cv2.ellipse(mask, centre, (17, 40), 8 * side, 0, 360, 255, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 1)


def _symmetric_mask(right: np.ndarray) -> np.ndarray:
    """Fill the outline given by its right half on the backdrop: float32 (720, 1280), 0 to 1."""
    outline = np.concatenate([right, right[::-1] * (-1, 1)])
    filled = fill_mask(outline, (720, 1280), (640, 300)).astype(np.float32) / 255
    return cv2.GaussianBlur(filled, (0, 0), 1.2)


def _backdrop(actor: Actor) -> np.ndarray:
    """Paint wall, neck and shoulders: uint8 (720, 1280, 3); the origin is at (640, 300)."""
    y, x = np.mgrid[0:720, 0:1280].astype(np.float32)
    x, y = x - 640, y - 300
    glow = 1.02 - 0.10 * np.clip(np.hypot(x - 250 * actor.light_x, y + 60) / 800, 0, 1.2) ** 1.5
    image = np.array(actor.wall, np.float32) * glow[..., None]

    neck = (88 if actor.female else 106) * actor.width
    wide = 300 if actor.female else 350
    skin_shade = 0.86 - 0.30 * np.exp(-(((y - 235) / 60) ** 2)) - 0.25 * np.abs(x / 150) ** 3
    neck_line = [(neck, 120), (neck * 0.97, 240), (neck * 1.05, 300), (neck * 1.5, 400)]
    neck_mask = _symmetric_mask(smooth_curve(np.array(neck_line, dtype=float)))
    bare = painted(neck_mask)
    tint = _tint(actor.skin, np.clip(skin_shade[bare], 0.3, 1))
    image[bare] = over(image[bare], tint, neck_mask[bare])
    edge = neck * 1.16
    collar = np.array([(0, 372), (0.5 * edge, 357), (0.85 * edge, 334), (edge, 312)], dtype=float)
    shoulder = np.array(
        [(edge, 312), (edge + 50, 325), (wide - 70, 352), (wide, 396), (wide + 40, 520)]
    )
    shirt = _symmetric_mask(np.concatenate([smooth_curve(collar), smooth_curve(shoulder)]))
    fold = 1.0 - 0.35 * np.clip(np.abs(x + 60 * actor.light_x) / wide, 0, 1) ** 3
    dressed = painted(shirt)
    cloth = np.array(actor.shirt, np.float32) * fold[dressed][..., None]
    image[dressed] = over(image[dressed], cloth, shirt[dressed])
    return np.clip(image, 0, 255).astype(np.uint8)


def _lay(below, below_opacity, above, above_opacity) -> tuple[np.ndarray, np.ndarray]:
    """Lay one transparent picture over another: colour and opacity of both together."""
    rest = below_opacity * (1 - above_opacity)
    opacity = above_opacity + rest
    mixed = above * above_opacity[..., None] + below * rest[..., None]
    return mixed / np.maximum(opacity, 1e-3)[..., None], opacity


def make_portrait(actor: Actor) -> Portrait:
    """Paint everything of an actor that stays the same from frame to frame.

    Args:
        actor: Whom to paint.

    Returns:
        The layers; painting takes some tenths of a second, so keep them.
    """
    outline = _head_outline(actor)
    head_mask = canvas_mask(outline)
    half_width = np.maximum(head_mask.sum(1, keepdims=True) / 2, 40).astype(np.float32)
    half_width = cv2.GaussianBlur(half_width, (1, 31), 0)
    height = _height_map(actor, half_width)
    skin = _skin(actor, height, half_width)
    hair = hair_paint(actor)

    front = hair_front(actor)
    soft = cv2.GaussianBlur(head_mask, (0, 0), 0.8)
    # Hair throws a soft shadow on the forehead.
    shadow = np.roll(cv2.GaussianBlur(front, (0, 0), 7), 7, axis=0) * (1 - front)
    skin = skin * (1 - 0.30 * shadow[..., None])
    ear_shade = 0.84 - 0.22 * pair(160 * actor.width, 26, 9, 24)
    colour, opacity = hair, hair_back(actor)
    if actor.hair_style not in COVERS_EARS:
        colour, opacity = _lay(colour, opacity, _tint(actor.skin, ear_shade), _ears(actor))
    colour, opacity = _lay(colour, opacity, skin, soft)
    colour, opacity = _lay(colour, opacity, hair, front)

    head = np.dstack([np.clip(colour, 0, 255) * opacity[..., None], opacity * 255]).astype(np.uint8)
    return Portrait(actor, head, _relief(half_width), _backdrop(actor))
