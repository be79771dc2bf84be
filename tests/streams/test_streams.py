"""Streams: clip and live pool the same; what a strip shows of windows."""

import numpy as np
import pytest

from emorec.engines import ModelSpec
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.upright import Sighting
from emorec.features.geometry import FEATURES, WINDOW_FRAMES
from emorec.media.reader import read_frames
from emorec.posteriors import softmax
from emorec.streams.geometry import GeometryStream, LiveGeometry
from emorec.streams.windows import Windows, courses, spans


class CertainNetwork:
    """Reads a window of landmarks into posteriors that nearly rule most classes out."""

    spec = ModelSpec("geometry", tuple("abcdefgh"))
    input_shape = (WINDOW_FRAMES, FEATURES)

    def __init__(self):
        self._weights = np.random.default_rng(0).normal(0, 8, (FEATURES, len(self.spec.classes)))

    def predict(self, batch: np.ndarray) -> np.ndarray:
        return softmax(batch.std(1) @ self._weights * 40).astype(np.float32)


@pytest.mark.parametrize("seconds", [2.0, 3.0, 3.4, 12.0])
def test_geometry_is_pooled_live_as_in_a_clip_even_where_it_rules_emotions_out(example, seconds):
    frames = np.concatenate([batch.frames for batch in read_frames(example)])
    network, predictor = CertainNetwork(), LandmarkPredictor()
    clip, live = GeometryStream(network, predictor), LiveGeometry(network, predictor)
    box = np.array([440, 160, 400, 400])
    for i, time_s in enumerate(np.arange(0, seconds, 1 / 15).tolist()):
        for stream in (clip, live):
            stream.add(time_s, Sighting(box, 0.0, frames[2 * i % len(frames)], box))
    found = clip.finish()
    assert (found.posteriors < 1e-9).any()
    np.testing.assert_allclose(live.pooled(), found.pooled, atol=1e-4)
    live.restart()
    np.testing.assert_allclose(live.pooled(), found.pooled, atol=1e-4)


@pytest.mark.parametrize("gap_s", [61.0, 1e5, 1e9, -3.0])
def test_no_track_of_landmarks_is_laid_across_a_long_gap(example, gap_s):
    frames = np.concatenate([batch.frames for batch in read_frames(example)])
    network, predictor = CertainNetwork(), LandmarkPredictor()
    clip, live = GeometryStream(network, predictor), LiveGeometry(network, predictor)
    box = np.array([440, 160, 400, 400])
    moments_s = np.arange(0, 3.5, 1 / 10)
    for i, time_s in enumerate(np.concatenate([moments_s, moments_s + 3.5 + gap_s]).tolist()):
        for stream in (clip, live):
            stream.add(time_s, Sighting(box, 0.0, frames[2 * i % len(frames)], box))
    found = clip.finish()
    np.testing.assert_allclose(found.times_s[: len(found.times_s) // 2], [1.5, 2.0], atol=0.1)
    np.testing.assert_allclose(np.diff(found.times_s)[1], 3.0 + gap_s, atol=0.2)
    np.testing.assert_allclose(live.pooled(), found.pooled, atol=1e-4)


def windows_at(*times_s: float) -> Windows:
    posteriors = np.random.default_rng(0).dirichlet(np.ones(7), len(times_s)).astype(np.float32)
    return Windows(np.array(times_s), posteriors, 1.0)


def test_a_course_breaks_where_windows_are_missing_and_is_held_at_its_ends():
    first, lone = courses(windows_at(0.25, 1.25, 4.0))
    assert first[0].tolist() == [0.0, 0.25, 1.25, 1.75]
    assert lone[0].tolist() == [3.5, 4.0, 4.5]
    assert [len(posteriors) for _, posteriors in (first, lone)] == [4, 3]


def test_nothing_to_show_is_shown_as_nothing():
    assert list(courses(windows_at())) == []
    assert spans(windows_at(), 3.0) == []


def test_spans_share_the_time_and_name_the_likeliest():
    windows = windows_at(0.5, 1.0, 3.0)
    found = spans(windows, 3.2)
    assert [(s.start_s, s.end_s) for s in found] == [(0.0, 0.75), (0.75, 1.5), (2.5, 3.2)]
    for span, posterior in zip(found, windows.posteriors, strict=True):
        assert span.confidence == pytest.approx(posterior.max())
