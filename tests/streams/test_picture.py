"""The picture, clip and live: both begin anew at a cut, and neither reads a picture's face."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from faces.scenes import FRAME_S, HEIGHT, WIDTH, beside, speaking

from emorec.features.geometry import WINDOW_S
from emorec.media.grey import FrameBatch
from emorec.streams.picture import LivePicture, PictureStream


def read_clip(recognizer, frames: np.ndarray):
    """The findings, and the stream, of a clip."""
    with ThreadPoolExecutor(1) as beside_it:
        stream = PictureStream(recognizer.networks, recognizer.landmarks, beside_it)
        for start in range(0, len(frames), 8):
            part = frames[start : start + 8]
            stream.add(FrameBatch((start + np.arange(len(part))) * FRAME_S, part))
        findings, _ = stream.finish()
    return findings, stream


def read_live(recognizer, frames: np.ndarray) -> LivePicture:
    picture = LivePicture(recognizer.networks, recognizer.landmarks)
    for number, frame in enumerate(frames):
        picture.take(number * FRAME_S, frame)
    return picture


def cut_at_the_end() -> np.ndarray:
    return np.concatenate([speaking(1, 60), speaking(4, 1)])


SCENES = {
    "cut": lambda: np.concatenate([speaking(1, 60), speaking(4, 60)]),
    "cut at the end": cut_at_the_end,
    "no cut": lambda: speaking(1, 60),
    "picture beside": lambda: beside(90, (1, 290, False), (2, 200, True)),
    "gap": lambda: np.concatenate(
        [speaking(1, 45), np.zeros((20, HEIGHT, WIDTH), np.uint8), speaking(1, 45)]
    ),
}


@pytest.mark.parametrize("scene", SCENES)
def test_clip_and_live_say_the_same(recognizer, scene):
    frames = SCENES[scene]()
    findings, stream = read_clip(recognizer, frames)
    picture = read_live(recognizer, frames)
    pooled = picture.pooled()
    assert set(pooled) == {name for name, found in findings.items() if found is not None}
    for name, posterior in pooled.items():
        np.testing.assert_allclose(posterior, findings[name].pooled, atol=1e-4)
    assert picture.notes == stream.notes


def test_no_window_of_landmarks_runs_across_a_cut(recognizer):
    first, second = speaking(1, 75), speaking(4, 75)
    together, stream = read_clip(recognizer, np.concatenate([first, second]))
    apart = [read_clip(recognizer, shot)[0]["geometry"] for shot in (first, second)]
    assert stream.notes[0] == "a cut at 5.0 s: the face is read anew from there"
    expected = np.concatenate([found.posteriors for found in apart])
    np.testing.assert_allclose(together["geometry"].posteriors, expected, atol=1e-3)
    cut_s = 75 * FRAME_S
    assert (np.abs(together["geometry"].times_s - cut_s) >= WINDOW_S / 2 - FRAME_S).all()


def test_of_a_picture_that_was_passed_over_nothing_is_read(recognizer):
    findings, stream = read_clip(recognizer, beside(90, (1, 290, False), (2, 200, True)))
    frames = beside(90, (1, 290, False), (2, 200, True))
    frames[:, :, :320] = 128
    alone, _ = read_clip(recognizer, frames)
    assert "a still face (a picture?) was passed over" in stream.notes
    assert findings["face"].times_s[0] > 1
    np.testing.assert_allclose(findings["face"].pooled, alone["face"].pooled, atol=0.06)


@pytest.mark.parametrize(
    ("frames", "lack"),
    [
        (np.zeros((20, 90, 160), np.uint8), "no face: the picture is black"),
        (np.full((20, 90, 160), 128, np.uint8), "no face: the picture is blank"),
        (np.full((20, 90, 160), 255, np.uint8), "no face: the picture is white"),
        (
            np.random.default_rng(0).integers(0, 256, (20, 180, 320), dtype=np.uint8),
            "no face: the picture is noise",
        ),
        (
            np.full((20, 30, 40), 128, np.uint8),
            "no face: the picture may be too small for one, 40x30 pixels",
        ),
    ],
)
def test_why_there_is_no_face_is_said(recognizer, frames, lack):
    assert read_clip(recognizer, frames)[1].notes == [lack]
    assert read_live(recognizer, frames).notes == [lack]
