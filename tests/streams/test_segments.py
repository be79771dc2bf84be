"""Stretches of one emotion: no flicker, no hole bridged, and the best course of all."""

from itertools import pairwise, product

import numpy as np
import pytest

from emorec.emotions import COMMON7
from emorec.streams.segments import SHORTEST_S, segments
from emorec.streams.windows import Windows

HAPPY, SAD = COMMON7.index("happy"), COMMON7.index("sad")


def timeline(classes, sure=0.86, step_s=0.5):
    rest = (1 - sure) / 6
    posteriors = np.full((len(classes), 7), rest) + (sure - rest) * np.eye(7)[list(classes)]
    return Windows((np.arange(len(classes)) + 0.5) * step_s, posteriors, step_s)


def test_five_emotions_are_five_segments():
    found = segments(timeline(np.repeat([0, 3, 4, 5, 6], 6)), 15.0)
    assert [s.emotion for s in found] == [COMMON7[c] for c in (0, 3, 4, 5, 6)]
    assert [s.start_s for s in found] == [0, 3, 6, 9, 12] and found[-1].end_s == 15.0


def test_they_lie_side_by_side_and_none_is_shorter_than_a_second():
    rng = np.random.default_rng(1)
    windows = Windows((np.arange(200) + 0.5) / 2, rng.dirichlet(np.ones(7), 200), 0.5)
    found = segments(windows, 99.7)
    assert found[0].start_s == 0 and found[-1].end_s == 99.7
    assert all(a.end_s == b.start_s for a, b in pairwise(found))
    assert all(a.emotion != b.emotion for a, b in pairwise(found))
    assert min(s.end_s - s.start_s for s in found[:-1]) >= SHORTEST_S


def test_a_flicker_is_not_followed():
    assert [s.emotion for s in segments(timeline([HAPPY] * 5 + [SAD] + [HAPPY] * 5), 5.5)] == [
        "happy"
    ]


def test_a_hole_ends_a_segment():
    windows = timeline([HAPPY] * 8)
    windows = Windows(windows.times_s + np.repeat([0, 3], 4), windows.posteriors, 0.5)
    found = segments(windows, 7.0)
    assert [(s.start_s, s.end_s) for s in found] == [(0.0, 2.0), (5.0, 7.0)]


def test_confidence_is_the_mean_within_it():
    (found,) = segments(timeline([HAPPY] * 4, sure=0.7), 2.0)
    assert found.confidence == pytest.approx(0.7)


@pytest.mark.parametrize("count", [0, 1])
def test_a_timeline_without_or_with_one_step(count):
    assert len(segments(timeline([HAPPY] * count), 0.4)) == count


def test_the_course_is_the_likeliest_of_all():
    """Against every course of three classes over seven steps, counted out."""
    rng = np.random.default_rng(3)
    for _ in range(5):
        few = rng.dirichlet(np.full(3, 0.4), 7)
        posteriors = np.zeros((7, 7))
        posteriors[:, :3] = few

        def value(course, posteriors=posteriors):
            seen = np.log(np.maximum(posteriors[np.arange(7), list(course)], 1e-4)).sum()
            cuts = np.flatnonzero(np.diff(course)) + 1
            lengths = np.diff([0, *cuts, 7])
            return seen + len(cuts) * np.log(0.5 / 3 / 6) if lengths.min() >= 2 else -np.inf

        best = max(product(range(3), repeat=7), key=value)
        found = segments(Windows((np.arange(7) + 0.5) / 2, posteriors, 0.5), 3.5)
        course = np.repeat(
            [COMMON7.index(s.emotion) for s in found],
            [round((s.end_s - s.start_s) * 2) for s in found],
        )
        assert value(tuple(course)) == pytest.approx(value(best))
