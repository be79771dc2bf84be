"""The look that plots, page, terminal and annotated video share."""

import pytest

from emorec.emotions import COMMON7
from emorec.style import EMOTION_COLORS, readable_on


def luminance(color):
    """As WCAG 2 defines it for sRGB."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("emotion", COMMON7)
def test_every_emotion_is_read_well_on_its_colour(emotion):
    """4.5 to 1 at least, as WCAG (AA) asks of small letters."""
    color = EMOTION_COLORS[emotion]
    darker, lighter = sorted(map(luminance, (color, readable_on(color))))
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5
