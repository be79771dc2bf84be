"""Who the avatars are: looks and voice of each made-up actor, drawn from a seed."""

from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]
"""Blue, green, red, each 0-255: OpenCV's order."""

# Light skin to dark skin, then hair, eyes, shirts and walls; all blue, green, red.
_SKINS: tuple[Colour, ...] = (
    (184, 208, 240),
    (160, 190, 230),
    (140, 174, 220),
    (118, 154, 204),
    (98, 132, 184),
    (84, 112, 160),
)
_HAIRS: tuple[Colour, ...] = (
    (28, 26, 30),
    (30, 40, 58),
    (34, 56, 92),
    (52, 98, 150),
    (40, 70, 132),
    (96, 152, 200),
)
_IRISES: tuple[Colour, ...] = ((46, 72, 104), (132, 104, 62), (78, 108, 72), (30, 44, 66))
_SHIRTS: tuple[Colour, ...] = (
    (60, 54, 52),
    (128, 92, 52),
    (84, 110, 62),
    (74, 66, 148),
    (118, 78, 104),
    (150, 136, 70),
)
_WALLS: tuple[Colour, ...] = (
    (236, 234, 230),
    (232, 236, 238),
    (240, 234, 226),
    (230, 236, 230),
    (226, 232, 240),
)
_STYLES_FEMALE = ("long", "bob", "bun")
_STYLES_MALE = ("short", "side", "crop")


@dataclass(frozen=True)
class Actor:
    """One made-up person.

    Attributes:
        number: Actor number as in RAVDESS: odd is male, even is female.
        skin: Skin colour in full light.
        hair: Hair colour.
        iris: Eye colour.
        shirt: Colour of the clothes.
        wall: Colour of the background.
        hair_style: One of ``long``, ``bob``, ``bun``, ``short``, ``side``, ``crop``.
        width: Width of the head, 1 is average.
        jaw: Width of the jaw against the cheeks, 1 is average.
        brow: Thickness of the eyebrows, 1 is average.
        lips: Fullness of the lips, 1 is average.
        light_x: Where the light comes from, -1 (left of the picture) to 1 (right).
        pitch_hz: Habitual pitch of the voice.
        tract: Formant frequencies against those of an average man's vocal tract.
    """

    number: int
    skin: Colour
    hair: Colour
    iris: Colour
    shirt: Colour
    wall: Colour
    hair_style: str
    width: float
    jaw: float
    brow: float
    lips: float
    light_x: float
    pitch_hz: float
    tract: float

    @property
    def female(self) -> bool:
        """Whether the actor is a woman: in RAVDESS even numbers are."""
        return self.number % 2 == 0


def make_actor(number: int) -> Actor:
    """Draw the looks and the voice of one actor; the number is the seed.

    Args:
        number: Actor number, 1 or more.

    Returns:
        The same actor for the same number, always.

    Raises:
        ValueError: If the number is below 1.

    Examples:
        >>> make_actor(7) == make_actor(7)
        True
        >>> make_actor(7).female, make_actor(8).female
        (False, True)
    """
    if number < 1:
        raise ValueError(f"actor {number} does not exist: actors are numbered from 1")
    rng = np.random.default_rng([number, 68])
    female = number % 2 == 0
    # Neighbours differ for certain: skin and style go round, the rest is drawn.
    tone = (number * 5 // 2) % len(_SKINS)
    styles = _STYLES_FEMALE if female else _STYLES_MALE
    dark = tone >= 3
    return Actor(
        number=number,
        skin=_SKINS[tone],
        hair=_HAIRS[rng.integers(0, 3 if dark else len(_HAIRS))],
        iris=_IRISES[3 if dark else rng.integers(0, len(_IRISES))],
        shirt=_SHIRTS[rng.integers(len(_SHIRTS))],
        wall=_WALLS[rng.integers(len(_WALLS))],
        hair_style=styles[number // 2 % len(styles)],
        width=rng.uniform(0.93, 0.98) if female else rng.uniform(0.98, 1.04),
        jaw=rng.uniform(0.93, 0.98) if female else rng.uniform(1.0, 1.06),
        brow=rng.uniform(0.75, 0.9) if female else rng.uniform(1.0, 1.2),
        lips=rng.uniform(1.0, 1.1) if female else rng.uniform(0.88, 0.98),
        light_x=rng.uniform(-0.6, 0.6),
        pitch_hz=rng.uniform(185, 225) if female else rng.uniform(100, 130),
        tract=rng.uniform(1.12, 1.2) if female else rng.uniform(0.96, 1.05),
    )
