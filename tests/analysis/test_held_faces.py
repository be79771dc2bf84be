"""The study of faces as people hold them, on a drawn clip."""

import numpy as np
import pandas as pd
import pytest

from emorec.analysis import held_faces
from emorec.analysis.held_clips import CHANGES, KnownClip
from emorec.faces.tracker import FaceTracker


@pytest.fixture(scope="module")
def known(example) -> KnownClip:
    return KnownClip.read(example, FaceTracker(second_look=held_faces.CascadeAlone()))


def test_what_the_cascade_misses_the_second_look_finds(known, recognizer, example):
    chosen = [one for one in CHANGES if one.name in ("as it is", "turned by 90 degrees")]
    voice = held_faces.hear(example, recognizer)
    rows = pd.DataFrame(held_faces.measure_clip(known, chosen, recognizer, voice))
    table = held_faces.summed_up(rows)
    upright, turned = (table.loc[one.name] for one in chosen)
    assert upright["found", "before"] == upright["found", "after"] == 1
    assert upright["same_verdict", "before"] == upright["same_verdict_with_sound", "before"] == 1
    assert upright["landmark_error", "before"] < 0.05
    assert turned["found", "before"] == 0
    assert turned["found", "after"] > 0.95
    assert turned["overlap", "after"] > 0.6
    assert turned["landmark_error", "after"] < 0.15


def test_a_face_from_a_film_is_looked_for_in_a_wider_frame(known):
    x, y, side, _ = known.boxes[0].astype(int)
    picture = known.frames[0][y : y + side, x : x + side][::4, ::4]
    found = held_faces.measure_films([picture, np.full((96, 96), 90, np.uint8)])
    assert found["after"] == 0.5
