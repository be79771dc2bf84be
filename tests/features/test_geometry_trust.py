"""When geometry may be believed."""

import json

import numpy as np
import pytest

from emorec.features.geometry import FEATURES, POINTS, WINDOW_FRAMES
from emorec.features.geometry_trust import TypicalShapes, fit_typical_shapes, moves


def window(movement, jitter=0.0, frames=WINDOW_FRAMES, seed=0):
    rng = np.random.default_rng(seed)
    course = movement * np.sin(np.arange(frames) / 6)[:, None]
    shapes = course * rng.normal(size=2 * POINTS) + jitter * rng.normal(size=(frames, 2 * POINTS))
    features = np.zeros((WINDOW_FRAMES, FEATURES), np.float32)
    held = np.minimum(np.arange(WINDOW_FRAMES), frames - 1)
    features[:, : 2 * POINTS] = shapes[held]
    return features


def test_jitter_is_no_movement():
    assert not moves(window(0.0))
    assert not moves(window(0.0, jitter=0.02))
    assert moves(window(0.03, jitter=0.01))


@pytest.mark.parametrize("frames", [12, 20, 45])
def test_a_short_clip_is_judged_by_its_own_frames(frames):
    assert moves(window(0.05, frames=frames))
    assert not moves(window(0.0, frames=frames))


def test_a_single_picture_does_not_move():
    assert not moves(window(0.0, jitter=0.05, frames=1))


def test_an_unlike_face_is_told_from_a_new_person():
    rng = np.random.default_rng(1)
    ways = rng.normal(size=(30, 2 * POINTS))
    people = rng.normal(size=(25, 30))
    who = np.repeat(np.arange(25), 40)
    shapes = (people[who] + 0.3 * rng.normal(size=(1000, 30))) @ ways
    shapes += 0.01 * rng.normal(size=shapes.shape)
    typical, distances = fit_typical_shapes(shapes[who < 24], who[who < 24])
    assert (distances <= typical.limit).mean() == pytest.approx(0.95, abs=0.01)
    assert not typical.are_like(shapes[0] + rng.normal(size=2 * POINTS) * 30)
    again = TypicalShapes.from_json(json.loads(json.dumps(typical.to_json())))
    np.testing.assert_allclose(again.distance(shapes), typical.distance(shapes), rtol=0.05)
