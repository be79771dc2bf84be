"""Draw a talking face: the still portrait, bent and painted by expression and pose."""

from functools import lru_cache

import cv2
import numpy as np

from emorec.avatar.actor import Actor
from emorec.avatar.canvas import (
    GRID_X,
    GRID_Y,
    ORIGIN_X,
    ORIGIN_Y,
    fill_mask,
    fixed_point,
    painted,
    smooth_curve,
)
from emorec.avatar.expression import Expression, Pose
from emorec.avatar.portrait import Portrait, make_portrait

REFERENCE_SIZE = (1280, 720)
_HEAD_CENTRE = (640, 300)  # where the point between the eyes stands in the picture

# Features at rest, right half of the face, head coordinates; the left half mirrors them.
_BROW = ((34, -40), (60, -49), (87, -51), (113, -43), (133, -25))
_BROW_THICKNESS = (8.0, 9.0, 8.0, 6.0, 2.5)
_EYE_INNER, _EYE_OUTER = (44, 3.0), (101, 0.5)
_LID_UPPER = ((62, -12.0), (84, -12.0))
_LID_LOWER = ((64, 9.0), (84, 9.5))
_MOUTH_CORNER = (60, 147)
_LIP_UPPER = ((0, 134), (14.5, 130.5), (36, 137), (51, 143.5))
_LIP_LOWER = ((0, 174), (18, 172.5), (38, 164.5), (52, 155))
_SEAM = 149.0  # where the closed lips meet

_FACE = (slice(150, 600), slice(110, 490))  # the rows and columns that creases can reach
_FACE_ORIGIN = (ORIGIN_X - 110, ORIGIN_Y - 150)


@lru_cache(maxsize=4)
def _portrait(actor: Actor) -> Portrait:
    return make_portrait(actor)


def _ramp(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """Rise smoothly from 0 at start to 1 at end."""
    t = np.clip((values - start) / (end - start), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


# How much of the skin follows the jaw and the nose, on the canvas.
_JAW_FIELD = (
    _ramp(GRID_Y, 120, 195) * (1 - _ramp(GRID_Y, 258, 330)) * (1 - _ramp(np.abs(GRID_X), 135, 185))
)
_NOSE_FIELD = np.exp(-((GRID_X / 34) ** 2) - ((GRID_Y - 84) / 34) ** 2).astype(np.float32)


def _bend(portrait: Portrait, jaw_down: float, nose_up: float) -> np.ndarray:
    """Move the skin of jaw and nose: uint8 (CANVAS_HEIGHT, CANVAS_WIDTH, 4)."""
    canvas = portrait.head.copy()
    rows = slice(ORIGIN_Y + 40, ORIGIN_Y + 340)
    map_x = GRID_X[rows] + ORIGIN_X
    map_y = GRID_Y[rows] + (ORIGIN_Y - jaw_down * _JAW_FIELD[rows]) + nose_up * _NOSE_FIELD[rows]
    cv2.remap(portrait.head, map_x, map_y, cv2.INTER_LINEAR, canvas[rows], cv2.BORDER_REPLICATE)
    return canvas


def _blend(canvas: np.ndarray, colour: np.ndarray, mask: np.ndarray) -> None:
    """Lay a colour (a triple or an image) over a canvas in place; mask is uint8."""
    # Most of a mask is empty, and there nothing changes.
    where = painted(mask)
    opacity = (mask[where].astype(np.float32) / 255)[..., None]
    window = canvas[where][..., :3]
    below = window.astype(np.float32)
    colour = colour if colour.ndim == 1 else colour[where]
    window[:] = (below + (colour - below) * opacity + 0.5).astype(np.uint8)


def _mirror(points: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(points, dtype=float) * (side, 1)


def _crease_lines(face: Expression, pose: Pose) -> list[tuple[np.ndarray, float, int]]:
    """List the creases of an expression as curve, depth (0-1) and line width."""
    lines = []
    brow = -face.brow_inner_up
    corner_x = _MOUTH_CORNER[0] + face.corner_out
    corner_y = _MOUTH_CORNER[1] - face.corner_up
    jaw = face.jaw_down + pose.speech_open
    for side in (-1, 1):
        top, end = (30, 87 - face.nose_up), (corner_x + 13, corner_y - 12)
        cheek = [top, (0.55 * (top[0] + end[0]), 0.5 * (top[1] + end[1]) - 2), end]
        cheek.append((corner_x + 16, corner_y + 3 + 0.15 * jaw))
        upright = [(11, -62 + brow * 0.5), (9, -42 + brow * 0.5), (12, -22 + brow * 0.4)]
        crow = [[(112, -6), (128, -14)], [(113, 2), (131, 2)], [(111, 9), (127, 17)]]
        bag = [(44, 20 - face.lower_lid_up), (68, 27 - face.lower_lid_up), (98, 20)]
        wrinkle = [(7, 8), (15, 15), (21, 25)]
        lines.append((_mirror(cheek, side), 0.7 * face.crease_cheek, 5))
        lines.append((_mirror(upright, side), face.crease_brow, 4))
        lines += [(_mirror(line, side), 0.55 * face.crease_eye, 3) for line in crow]
        lines.append((_mirror(bag, side), 0.55 * face.crease_eye, 4))
        lines.append((_mirror(wrinkle, side), 0.8 * face.crease_nose, 4))
        lines.append((np.add(_mirror(wrinkle, side), (2 * side, 12)), 0.8 * face.crease_nose, 4))
    lines.append((np.array([(-14, -10), (0, -13), (14, -10)]), 0.6 * face.crease_nose, 4))
    for level in (-84, -100, -116):
        bow = 0.3 * (face.brow_inner_up - face.brow_outer_up)
        line = [(-84, level + 5), (-40, level - bow), (40, level - bow), (84, level + 5)]
        lines.append((np.array(line, dtype=float), 0.34 * face.crease_forehead, 4))
    return [line for line in lines if line[1] > 0.02]


def _draw_creases(canvas: np.ndarray, face: Expression, pose: Pose) -> None:
    """Darken the creases of an expression, and light the skin that it raises."""
    window = canvas[_FACE]
    dark = np.zeros(window.shape[:2], np.uint8)
    for curve, depth, width in _crease_lines(face, pose):
        layer = fixed_point(smooth_curve(curve), _FACE_ORIGIN)
        cv2.polylines(dark, [layer], False, int(200 * min(depth, 1)), width, cv2.LINE_AA, 4)
    dark = cv2.GaussianBlur(dark, (0, 0), 2.6)
    if face.crease_eye <= 0.02:
        where = painted(dark)
        window, dark = window[where], dark[where]
    shadow = dark.astype(np.float32) / 255
    light = np.zeros_like(shadow)
    if face.crease_eye > 0.02:  # cheeks pushed up by a smile
        x, y = GRID_X[_FACE], GRID_Y[_FACE]
        for side in (-1, 1):
            light += np.exp(-(((x - side * 88) / 26) ** 2) - ((y - 62) / 22) ** 2)
        light *= 0.10 * face.crease_eye
    factor = 1 - 0.55 * shadow[..., None] * np.array([1.0, 0.95, 0.8], np.float32)
    lit = window[..., :3].astype(np.float32) * factor * (1 + light[..., None])
    window[..., :3] = np.minimum(lit, 255).astype(np.uint8)


def _draw_brow(canvas: np.ndarray, actor: Actor, face: Expression, side: int) -> None:
    """Paint one eyebrow."""
    points = np.array(_BROW, dtype=float)
    inner = np.array([1.0, 0.85, 0.45, 0.12, 0.0])
    outer = np.array([0.0, 0.15, 0.65, 1.0, 0.8])
    points[:, 1] -= inner * face.brow_inner_up + outer * face.brow_outer_up
    points[:, 0] -= face.brow_together * np.array([1.0, 0.75, 0.5, 0.3, 0.15])
    half = 0.5 * actor.brow * np.array(_BROW_THICKNESS)[:, None] * (0, 1.6)
    outline = smooth_curve(
        np.concatenate([points - half * 0.9, (points + half)[::-1]]), closed=True
    )
    window = canvas[ORIGIN_Y - 110 : ORIGIN_Y + 20, ORIGIN_X - 170 : ORIGIN_X + 170]
    mask = fill_mask(_mirror(outline, side), window.shape[:2], (170, 110))
    mask = cv2.GaussianBlur(mask, (0, 0), 1.5)
    colour = 0.5 * np.array(actor.hair, np.float32) + 0.06 * np.array(actor.skin, np.float32)
    _blend(window, colour, (mask * 0.92).astype(np.uint8))


def _lids(face: Expression, blink: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the curves of the upper and the lower lid of the right eye, inner end first."""
    lower = np.array([_EYE_INNER, *_LID_LOWER, _EYE_OUTER], dtype=float)
    upper = np.array([_EYE_INNER, *_LID_UPPER, _EYE_OUTER], dtype=float)
    lower[1:3, 1] -= face.lower_lid_up
    upper[1:3, 1] -= face.upper_lid_up
    # Sad and frowning brows press the lid down at one end.
    upper[1, 1] += 0.12 * max(-face.brow_inner_up, 0)
    upper[2, 1] += 0.12 * max(-face.brow_outer_up, 0)
    upper[1:3] += blink * (lower[1:3] - (0, 1.5) - upper[1:3])
    return smooth_curve(upper, steps=6), smooth_curve(lower, steps=6)


def _draw_eye(canvas: np.ndarray, actor: Actor, face: Expression, pose: Pose, side: int) -> None:
    """Paint one eye between its lids."""
    upper, lower = (_mirror(curve, side) for curve in _lids(face, pose.blink))
    left, top = round(ORIGIN_X + 72 * side) - 50, ORIGIN_Y - 45
    window = canvas[top : top + 80, left : left + 100]
    origin = (ORIGIN_X - left, ORIGIN_Y - top)
    ball = np.empty((80, 100, 3), np.float32)
    ball[:] = (226, 230, 236)
    image = ball.astype(np.uint8)
    centre = tuple(int(16 * v) for v in (origin[0] + 72 * side + pose.gaze, origin[1] - 2.0))
    iris = np.array(actor.iris, float)
    for radius, colour in (
        (14.0, iris * 0.45),
        (12.6, iris),
        (8.0, iris * 1.25),
        (6.0, (14, 12, 12)),
    ):
        cv2.circle(image, centre, int(16 * radius), tuple(map(float, colour)), -1, cv2.LINE_AA, 4)
    glint = (centre[0] + int(16 * (4 * np.sign(actor.light_x or 1))), centre[1] - 16 * 4)
    cv2.circle(image, glint, 16 * 2 + 8, (255, 255, 255), -1, cv2.LINE_AA, 4)
    # The upper lid throws a shadow on the eyeball.
    shadow = np.zeros((80, 100), np.uint8)
    cv2.polylines(shadow, [fixed_point(upper, origin)], False, 150, 9, cv2.LINE_AA, 4)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 3)
    _blend(image, np.array((50, 50, 60), np.float32), shadow)

    lids = np.concatenate([upper, lower[::-1]])
    _blend(window, image.astype(np.float32), fill_mask(lids, (80, 100), origin))
    skin = np.array(actor.skin, np.float32)
    crease = np.zeros((80, 100), np.uint8)
    fold = upper - np.array([0, 7 + 0.3 * max(face.upper_lid_up, 0)])
    cv2.polylines(crease, [fixed_point(fold, origin)], False, 95, 2, cv2.LINE_AA, 4)
    _blend(window, skin * (0.35, 0.4, 0.5), cv2.GaussianBlur(crease, (0, 0), 1.2))
    rim = np.zeros((80, 100), np.uint8)
    cv2.polylines(rim, [fixed_point(lower, origin)], False, 120, 2, cv2.LINE_AA, 4)
    _blend(window, skin * (0.3, 0.35, 0.5), cv2.GaussianBlur(rim, (0, 0), 0.8))
    lash = np.zeros((80, 100), np.uint8)
    thick = 3.6 if actor.female else 2.6
    weight = np.linspace(0.35, 1, len(upper))[:, None]
    band = np.concatenate([upper, (upper - (0, thick) * weight)[::-1]])
    if actor.female:
        band[len(upper) - 1] += (4 * side, -3)
    cv2.fillPoly(lash, [fixed_point(band, origin)], 245, cv2.LINE_AA, 4)
    _blend(window, np.array((26, 24, 30), np.float32), cv2.GaussianBlur(lash, (0, 0), 0.6))


def _lip_curves(actor: Actor, face: Expression, pose: Pose) -> dict[str, np.ndarray]:
    """Return the four edges of the lips, left corner to right corner.

    Returns:
        ``upper`` and ``lower`` are the outer edges, ``inner_upper`` and ``inner_lower``
        the edges of the opening: float (n, 2) each.
    """
    jaw = face.jaw_down + pose.speech_open
    out = face.corner_out - pose.speech_round
    corner = np.array([_MOUTH_CORNER[0] + out, _MOUTH_CORNER[1] - face.corner_up + 0.22 * jaw])
    stretch = corner[0] / _MOUTH_CORNER[0]
    # Stretched lips are thin, rounded lips full.
    fullness = actor.lips * (1 - 0.5 * (stretch - 1))
    follow = np.array([0.0, 0.13, 0.5, 0.85])  # how far each point follows its mouth corner
    lift = follow * (corner[1] - _MOUTH_CORNER[1])

    def edge(points: tuple, move: float) -> np.ndarray:
        half = np.array(points, dtype=float)
        half[:, 0] *= stretch
        half[:, 1] = _SEAM + (half[:, 1] - _SEAM) * fullness + move * (1 - 0.55 * follow) + lift
        return half

    raised = -face.upper_lip_up - 0.10 * jaw
    dropped = jaw + face.lower_lip_down
    upper = edge(_LIP_UPPER, raised + face.lip_press)
    lower = edge(_LIP_LOWER, dropped - face.lip_press)
    inner_upper = edge(
        ((0, _SEAM - 0.3), (16, _SEAM - 1), (36, _SEAM - 0.6), (48, _SEAM - 1.2)), raised
    )
    inner_lower = edge(
        ((0, _SEAM + 0.4), (16, _SEAM), (36, _SEAM - 0.2), (48, _SEAM - 1.0)), dropped
    )
    inner_corner = corner - (5, 0)

    def whole(half: np.ndarray, end: np.ndarray) -> np.ndarray:
        right = np.concatenate([half, end[None]])
        return smooth_curve(np.concatenate([right[:0:-1] * (-1, 1), right]), steps=6)

    return {
        "upper": whole(upper, corner),
        "lower": whole(lower, corner),
        "inner_upper": whole(inner_upper, inner_corner),
        "inner_lower": whole(inner_lower, inner_corner),
    }


def _mouth_inside(curves: dict[str, np.ndarray], face: Expression, shape: tuple, origin: tuple):
    """Paint what an open mouth shows: float32 image of the given shape."""
    image = np.empty((*shape, 3), np.float32)
    image[:] = (42, 30, 70)
    top, bottom = curves["inner_upper"], curves["inner_lower"]
    gap = float(bottom[len(bottom) // 2, 1] - top[len(top) // 2, 1])
    tongue = np.zeros(shape, np.uint8)
    centre = (origin[0], round(origin[1] + bottom[:, 1].max() + 4))
    cv2.ellipse(tongue, centre, (30, max(int(gap * 0.42), 1)), 0, 0, 360, 255, -1)
    _blend(image, np.array((96, 88, 176), np.float32), cv2.GaussianBlur(tongue, (0, 0), 3))
    ivory = np.array((226, 236, 240), np.float32)
    width = np.abs(top[:, 0]).max()
    fade = np.sqrt(np.clip(1 - (top[:, :1] / (width * 0.98)) ** 2, 0, 1))
    # Rounded lips hide most of the teeth.
    tall = min(16.0, gap * 0.8) * np.clip(width / 45 - 0.2, 0.3, 1)
    teeth = np.concatenate([top - (0, 3), (top + (0, 1) * (tall * fade))[::-1]])
    _blend(image, ivory, cv2.GaussianBlur(fill_mask(teeth, shape, origin), (0, 0), 0.8))
    if face.teeth_lower > 0.05:
        tall = min(9.0, gap * 0.4) * face.teeth_lower
        fade = np.sqrt(np.clip(1 - (bottom[:, :1] / (width * 0.85)) ** 2, 0, 1))
        teeth = np.concatenate([np.add(bottom, (0, 3)), (bottom - (0, 1) * (tall * fade))[::-1]])
        _blend(image, ivory * 0.9, cv2.GaussianBlur(fill_mask(teeth, shape, origin), (0, 0), 0.8))
    return image


def _draw_mouth(canvas: np.ndarray, actor: Actor, face: Expression, pose: Pose) -> None:
    """Paint the lips and what they show."""
    shape, origin = (190, 240), (120, -90)
    window = canvas[ORIGIN_Y + 90 : ORIGIN_Y + 280, ORIGIN_X - 120 : ORIGIN_X + 120]
    curves = _lip_curves(actor, face, pose)
    skin = np.array(actor.skin, np.float32)
    red = skin * (0.70, 0.66, 0.90) if actor.female else skin * (0.72, 0.72, 0.88)
    if actor.female:
        red = 0.88 * red + 0.12 * np.array((90, 70, 190), np.float32)

    def fill(top: str, bottom: str, blur: float) -> np.ndarray:
        mask = fill_mask(np.concatenate([curves[top], curves[bottom][::-1]]), shape, origin)
        return cv2.GaussianBlur(mask, (0, 0), blur)

    below = curves["lower"] + (0, 7)
    shade = np.zeros(shape, np.uint8)
    cv2.polylines(shade, [fixed_point(below[10:-10], origin)], False, 110, 6, cv2.LINE_AA, 4)
    _blend(window, skin * (0.45, 0.5, 0.6), cv2.GaussianBlur(shade, (0, 0), 4))
    _blend(window, red * 0.80, fill("upper", "inner_lower", 1.1))
    _blend(window, red * 1.0, fill("inner_lower", "lower", 1.1))
    shine = np.zeros(shape, np.uint8)
    middle = 0.5 * (curves["inner_lower"] + curves["lower"])
    cv2.polylines(shine, [fixed_point(middle[14:-14], origin)], False, 110, 5, cv2.LINE_AA, 4)
    _blend(window, np.minimum(red * 1.25 + 18, 255), cv2.GaussianBlur(shine, (0, 0), 3))
    inside = _mouth_inside(curves, face, shape, origin)
    opening = fill_mask(
        np.concatenate([curves["inner_upper"], curves["inner_lower"][::-1]]), shape, origin
    )
    _blend(window, inside, opening)
    seam = np.zeros(shape, np.uint8)
    cv2.polylines(seam, [fixed_point(curves["inner_upper"], origin)], False, 210, 2, cv2.LINE_AA, 4)
    _blend(window, red * 0.42, cv2.GaussianBlur(seam, (0, 0), 0.9))


def draw_face(
    actor: Actor,
    expression: Expression,
    pose: Pose = Pose(),  # noqa: B008 - frozen, so sharing it is safe
    size: tuple[int, int] = REFERENCE_SIZE,
) -> np.ndarray:
    """Draw one frame.

    Args:
        actor: Who is seen. The still layers of the last few actors are kept, so that
            only the first frame of an actor is slow.
        expression: What the face expresses.
        pose: How the head is held and what the mouth says.
        size: Width and height of the picture in pixels.

    Returns:
        uint8 (height, width, 3), blue, green, red.
    """
    portrait = _portrait(actor)
    canvas = _bend(portrait, expression.jaw_down + pose.speech_open, expression.nose_up)
    _draw_creases(canvas, expression, pose)
    for side in (-1, 1):
        _draw_eye(canvas, actor, expression, pose, side)
        _draw_brow(canvas, actor, expression, side)
    _draw_mouth(canvas, actor, expression, pose)
    return _compose(portrait, canvas, expression, pose, size)


def _compose(
    portrait: Portrait, canvas: np.ndarray, face: Expression, pose: Pose, size: tuple[int, int]
) -> np.ndarray:
    """Turn the head and lay it over the backdrop."""
    width, height = size
    scale = min(width / REFERENCE_SIZE[0], height / REFERENCE_SIZE[1])
    frame = portrait.backdrop
    if (width, height) != REFERENCE_SIZE:
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    # Turning the head moves what stands out: the nose more than the ears.
    map_x = GRID_X + (ORIGIN_X - float(pose.yaw) * portrait.relief)
    nod = float(pose.pitch + face.head_down)
    map_y = GRID_Y + (ORIGIN_Y - nod * portrait.relief)
    turned = cv2.remap(canvas, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    angle = np.deg2rad(pose.roll_deg + face.head_tilt)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    # The head turns about the neck, which lies below the chin.
    pivot_y = 260.0
    target_x = width / 2 + scale * pose.x
    target_y = scale * (_HEAD_CENTRE[1] + pivot_y + pose.y)
    px, py = ORIGIN_X, ORIGIN_Y + pivot_y
    matrix = np.array(
        [[cos, -sin, target_x - cos * px + sin * py], [sin, cos, target_y - sin * px - cos * py]]
    )
    x0 = int(np.clip(target_x - 360 * scale, 0, width - 1))
    x1 = int(np.clip(target_x + 360 * scale, 1, width))
    matrix[0, 2] -= x0
    head = cv2.warpAffine(turned, matrix, (x1 - x0, height), flags=cv2.INTER_LINEAR)
    opacity = cv2.cvtColor(head[..., 3], cv2.COLOR_GRAY2BGR)
    frame = frame.copy()
    window = frame[:, x0:x1]
    back = cv2.multiply(window, 255 - opacity, scale=1 / 255)
    frame[:, x0:x1] = cv2.add(np.ascontiguousarray(head[..., :3]), back)
    return frame
