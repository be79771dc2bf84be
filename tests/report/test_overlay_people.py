"""Everybody in an annotated video: numbers, the speaker, labels that never collide."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from made_results import ALL, made_result, posterior

from emorec.faces.track import FaceTrack
from emorec.media.colour import ColourSpace, Planes
from emorec.report.overlay import Overlay
from emorec.report.overlay_labels import place_labels
from emorec.report.overlay_layout import Rect, layout_for
from emorec.report.overlay_people import PeopleShown
from emorec.result.clip import Person
from emorec.streams.windows import Windows


def person(number, emotion, box, speaks=(), **more) -> Person:
    times_s = np.arange(0, 4, 1 / 15)
    track = FaceTrack(times_s, np.tile(np.array(box, np.float32), (len(times_s), 1)))
    windows = Windows(np.arange(0.25, 4, 0.5), np.tile(posterior(emotion), (8, 1)), 0.5)
    return Person(
        number,
        track,
        windows={"fused": windows},
        speaks=np.array(speaks, float).reshape(-1, 2),
        **more,
    )


TWO = (
    person(1, "sad", (0.1, 0.3, 0.2, 0.4)),
    person(2, "happy", (0.6, 0.3, 0.2, 0.4), [(1.0, 2.0)]),
)


def size_of(text):
    return 8 * len(text), 16


def shown(people, time_s, area):
    return PeopleShown(people, size_of).at(time_s, area, area)


def test_who_speaks_is_said_while_they_do():
    area = Rect(0, 0, 640, 360)
    before, while_, after = (shown(TWO, time_s, area) for time_s in (0.5, 1.5, 2.5))
    assert [one.text for one in before] == [one.text for one in after]
    assert {one.text[:2] for one in before} == {"1:", "2:"} and not any(o.speaks for o in before)
    assert while_[0].text.startswith("2 speaks: happy") and while_[0].speaks
    assert while_[1].text.startswith("1: sad") and not while_[1].speaks


def test_a_picture_on_a_wall_is_called_one_and_who_is_away_is_not_shown():
    poster = person(3, "happy", (0.4, 0.1, 0.1, 0.2), is_picture=True)
    assert shown([*TWO, poster], 0.5, Rect(0, 0, 640, 360))[-1].text == "3 picture"
    assert shown([*TWO, poster], 99.0, Rect(0, 0, 640, 360)) == []


@pytest.mark.parametrize("size", [(640, 360), (200, 144), (96, 720), (60, 40)])
def test_labels_never_collide_nor_leave_the_picture(size):
    rng = np.random.default_rng(0)
    area = Rect(10, 20, 10 + size[0], 20 + size[1])
    for _ in range(150):
        count = rng.integers(1, 9)
        corners = rng.integers(-40, max(size), (count, 2))
        sides = rng.integers(4, max(size), (count, 2))
        frames = [Rect(x, y, x + w, y + h) for (x, y), (w, h) in zip(corners, sides, strict=True)]
        sizes = [[(120, 16), (60, 16), (14, 16)]] * count
        found = [place[1] for place in place_labels(frames, sizes, area) if place]
        assert all(
            area.x0 <= p.x0 and p.x1 <= area.x1 and area.y0 <= p.y0 and p.y1 <= area.y1
            for p in found
        )
        assert all((p.x0 - area.x0) % 2 == (p.y0 - area.y0) % 2 == 0 for p in found)
        for one, other in itertools.combinations(found, 2):
            is_beside = one.x1 <= other.x0 or other.x1 <= one.x0
            assert is_beside or one.y1 <= other.y0 or other.y1 <= one.y0
        assert found or size == (60, 40) or count > 1


def test_a_label_that_has_no_room_is_shorter_and_covers_no_face_where_it_can():
    frames = [Rect(0, 20, 50, 70), Rect(50, 20, 100, 70)]
    sizes = [[(90, 16), (40, 16)]] * 2
    (first, at), (second, other) = place_labels(frames, sizes, Rect(0, 0, 100, 100))
    assert (first, at) == (0, Rect(0, 4, 90, 20))
    assert (second, other) == (0, Rect(10, 70, 100, 86))


def drawn(people, time_s, side="bars"):
    layout = layout_for(side, 320, 180)
    result = replace(made_result(ALL), people=people)
    canvas = Planes.filled(layout.width, layout.height, (16, 128, 128))
    picture = Planes.filled(320, 180, (120, 128, 128))
    Overlay(result, layout, ColourSpace()).draw(canvas, picture, time_s)
    x0, y0, x1, y1 = layout.picture
    return canvas.luma[y0:y1, x0:x1]


@pytest.mark.parametrize("side", ["bars", "strip"])
def test_boxes_of_all_are_drawn_and_the_speakers_is_thicker(side):
    quiet, loud = drawn(TWO, 0.5, side), drawn(TWO, 1.5, side)
    middle = slice(100, 120)  # beside the faces' middles, where no label is
    marked = [(frame[middle] != 120).all(0) for frame in (quiet, loud)]
    first, second = slice(0, 160), slice(160, 320)
    assert marked[0][first].sum() == marked[1][first].sum() > 0
    assert marked[1][second].sum() > marked[0][second].sum() > 0


def test_one_person_is_drawn_as_ever():
    np.testing.assert_array_equal(drawn((), 1.5), drawn(TWO[:1], 1.5))
