"""The hair of the avatars: outlines of each style, and strands."""

import cv2
import numpy as np

from emorec.avatar.actor import Actor
from emorec.avatar.canvas import GRID_X, GRID_Y, canvas_mask, smooth_curve

# fmt: off
# Lower edge of the front hair, left to right; the symmetric ones up to the middle.
_HAIRLINES = {
    "short": (
        (-162, 8), (-146, -20), (-140, -80), (-118, -122), (-50, -138), (20, -142),
        (80, -136), (120, -118), (140, -80), (146, -20), (162, 8),
    ),
    "crop": ((-162, -6), (-148, -26), (-143, -86), (-116, -132), (-60, -152), (0, -156)),
    "side": (
        (-164, 16), (-147, -16), (-143, -82), (-126, -118), (-84, -150), (-66, -158),
        (0, -128), (80, -112), (126, -96), (142, -60), (147, -16), (164, 16),
    ),
    "long": (
        (-172, 130), (-152, 70), (-148, -10), (-140, -70), (-112, -118), (-40, -160),
        (30, -132), (92, -112), (138, -66), (148, -10), (152, 70), (172, 130),
    ),
    "bob": (
        (-172, 150), (-152, 120), (-149, 40), (-144, -40), (-124, -92), (-60, -116), (0, -120),
    ),
    "bun": ((-163, 2), (-148, -22), (-143, -80), (-116, -130), (-56, -156), (0, -160)),
}
_SYMMETRIC = ("crop", "bob", "bun")
COVERS_EARS = ("long", "bob")
# Height of the hair above the eyes.
_CROWNS = {"short": 236, "crop": 226, "side": 246, "long": 240, "bob": 240, "bun": 230}
# Right half of the outline of the hair behind the head, from the crown down.
_BACKS = {
    "long": (
        (0, -240), (110, -212), (176, -110), (188, 20), (190, 150), (204, 280), (206, 400),
        (150, 440),
    ),
    "bob": ((0, -240), (110, -212), (178, -110), (194, 20), (204, 130), (192, 215), (140, 232)),
    "bun": (
        (0, -286), (44, -274), (60, -240), (52, -214), (110, -196), (164, -100), (166, 0),
        (100, 100),
    ),
}
# fmt: on


def hair_paint(actor: Actor) -> np.ndarray:
    """Paint strands of hair over the whole canvas: float32 (height, width, 3)."""
    rng = np.random.default_rng([actor.number, 5])
    angle = np.arctan2(GRID_X, GRID_Y + 330 + 0 * GRID_X)
    strands = rng.normal(size=(1, 900)).astype(np.float32)
    strands = cv2.GaussianBlur(strands, (0, 0), 2.2)[0]
    strands /= strands.std()
    place = np.clip((angle + np.pi) / (2 * np.pi) * 4200 % 900, 0, 899).astype(int)
    gloss = np.exp(-(((np.hypot(GRID_X * 0.9, GRID_Y + 20) - 172) / 26) ** 2)) * np.clip(
        -GRID_Y / 60 - 0.6, 0, 1
    )
    shade = 0.84 + 0.06 * strands[place] + 0.30 * gloss * (1 + 0.2 * strands[place])
    shade *= 1 - 0.25 * np.clip(np.abs(GRID_X + 60 * actor.light_x) / 230, 0, 1) ** 2
    # Darker towards the neck.
    shade *= 1 - 0.3 * np.clip((GRID_Y + 60) / 260, 0, 1) * np.clip(
        1.7 - np.abs(GRID_X) / 180, 0, 1
    )
    base = np.array(actor.hair, dtype=np.float32)
    return np.clip(base * shade[..., None] + 14 * gloss[..., None], 0, 255)


def _hairline(actor: Actor) -> np.ndarray:
    """Return the lower edge of the hair on the forehead, left to right: float (n, 2)."""
    line = np.array(_HAIRLINES[actor.hair_style], dtype=float)
    if actor.hair_style in _SYMMETRIC:
        line = np.concatenate([line, line[-2::-1] * (-1, 1)])
    return smooth_curve(line * (actor.width, 1))


def hair_front(actor: Actor) -> np.ndarray:
    """Mask of the hair in front of the face: float32, 0 to 1."""
    line = _hairline(actor)
    height, reach = _CROWNS[actor.hair_style], 172 * actor.width
    bottom = line[0, 1]
    arc = np.linspace(0, np.pi, 40)
    crown = np.stack([reach * np.cos(arc), -50 - (height - 50) * np.sin(arc) ** 0.9], 1)
    sides = [(reach, bottom * 0.5 - 20), *crown, (-reach, bottom * 0.5 - 20)]
    outline = np.concatenate([line, np.array(sides)])
    return canvas_mask(outline, blur=1.6)


def hair_back(actor: Actor) -> np.ndarray:
    """Mask of the hair behind the head: float32, 0 to 1."""
    if actor.hair_style not in _BACKS:
        return np.zeros_like(GRID_X)
    half = np.array(_BACKS[actor.hair_style], dtype=float) * (actor.width, 1)
    outline = np.concatenate([half, half[:0:-1] * (-1, 1)])
    mask = canvas_mask(smooth_curve(outline, closed=True), blur=2)
    # Long hair parts at the neck, which is painted with the shoulders.
    neck = np.clip((82 * actor.width - np.abs(GRID_X)) / 10, 0, 1) * (GRID_Y > 120)
    return mask * (1 - neck.astype(np.float32))
