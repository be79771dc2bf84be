"""Clips put together of one person's takes: who is where, and who speaks when."""

import numpy as np

from emorec.analysis.people_clips import Performer, Take, gathered

RATE_HZ, FRAMES = 48_000, 12


def performer(name: str, shade: int) -> Performer:
    """Somebody of one shade, who speaks in the second half of each take."""
    pattern = 20 * (np.indices((360, 320)).sum(0) // 8 % 2 * 2 - 1)
    frames = np.tile((shade + pattern).astype(np.uint8), (FRAMES, 1, 1))
    sound = np.full(FRAMES * RATE_HZ // 30, 0.1, np.float32)
    take = Take(frames, sound, np.arange(FRAMES) >= FRAMES // 2)
    return Performer(name, [take] * 3)


def test_a_meeting_shows_everybody_in_a_place_of_their_own():
    shades = {"a": 30, "b": 60, "c": 120, "d": 180, "e": 220}
    people = [performer(name, shade) for name, shade in shades.items()]
    made = gathered(people, np.random.default_rng(0))
    assert len(made.frames) == len(made.speakers) == 5 * 2 * FRAMES
    assert {frame.shape for frame in made.frames} == {(720, 1280)}
    for name, shade in shades.items():
        x, y, width, height = made.boxes[name][0].astype(int)
        head = made.frames[0][y : y + height, x : x + width]
        assert abs(float(head.mean()) - shade) < 2
    spoken = [who for who in made.speakers if who]
    assert list(dict.fromkeys(spoken)) == list(shades)
    assert len(spoken) == len(made.speakers) // 2
