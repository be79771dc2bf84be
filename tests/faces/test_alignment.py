"""Alignment by the eyes, the mean face, and the figures of the Haar study."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from helpers import write_clip

from emorec.analysis.haar import (
    Sample,
    collect_samples,
    compare_settings,
    eye_wander,
    find_landmarks,
    is_face,
    tracker_row,
)
from emorec.avatar import EXPRESSIONS, draw_face, make_actor
from emorec.faces.alignment import align_face, eye_centres, less_mean, mean_face
from emorec.faces.boxes import warped
from emorec.faces.detector import FAST, REFERENCE, FaceDetector
from emorec.faces.landmarks import LandmarkPredictor


@pytest.fixture(scope="module")
def sample() -> Sample:
    """A drawn face with its landmarks and the box that a tracker might have."""
    frame = draw_face(make_actor(1), EXPRESSIONS["neutral"], size=(640, 360))
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    box = FaceDetector(REFERENCE).detect(grey)[0]
    return Sample("a", grey, LandmarkPredictor().predict(grey, box), box, 1.0)


def turned(sample: Sample, angle_deg: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The frame turned and scaled about its middle, and its landmarks."""
    matrix = cv2.getRotationMatrix2D((320, 180), angle_deg, scale)
    frame = cv2.warpAffine(sample.frame, matrix, (640, 360), borderMode=cv2.BORDER_REPLICATE)
    return frame, (sample.points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


@pytest.mark.parametrize(("angle_deg", "scale"), [(20, 1.0), (-15, 0.8), (0, 1.1)])
def test_an_aligned_face_is_the_same_however_it_was_turned(sample, angle_deg, scale):
    straight = align_face(sample.frame, sample.points).astype(int)
    other = align_face(*turned(sample, angle_deg, scale)).astype(int)
    assert straight.shape == (112, 112)
    assert np.abs(straight - other)[15:-15, 15:-15].mean() < 4


def test_the_eyes_come_to_rest_where_they_should():
    frame = np.zeros((200, 200), np.uint8)
    points = np.full((68, 2), 100.0)
    points[36:42], points[42:48] = (80, 90), (120, 110)
    for x, y in ((80, 90), (120, 110)):
        frame[y - 3 : y + 4, x - 3 : x + 4] = 255
    aligned = align_face(frame, points, 100)
    np.testing.assert_allclose(eye_centres(points), [[80, 90], [120, 110]])
    half = aligned.copy()
    half[:, 50:] = 0
    moments = cv2.moments(half, binaryImage=True)
    left = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    np.testing.assert_allclose(left, (50 - 19, 39), atol=1)
    np.testing.assert_array_less(np.abs(aligned.astype(int) - aligned[:, ::-1]).mean(), 6)


def test_every_clip_counts_alike_in_the_mean():
    pixels = np.zeros((4, 2, 2), np.uint8)
    pixels[3] = 200
    mean = mean_face(pixels, np.array(["a", "a", "a", "b"]))
    np.testing.assert_allclose(mean, 100 / 255, rtol=1e-6)
    left = less_mean(pixels, mean)
    assert left.shape == (4, 2, 2, 1)
    assert left.dtype == np.float32
    np.testing.assert_allclose(left[[0, 3], 0, 0, 0], [-100 / 255, 100 / 255], rtol=1e-5)
    with pytest.raises(ValueError, match="no face"):
        mean_face(pixels[:0], np.array([]))


def test_a_box_is_right_when_it_holds_the_face_and_little_more(sample):
    x, y, width, height = sample.tracked_box
    assert is_face(sample.tracked_box, sample.points)
    assert not is_face((x + width, y, width, height), sample.points)
    assert not is_face((x + width // 3, y, width, height), sample.points)
    assert not is_face((0, -140, 640, 640), sample.points)


def test_settings_are_judged_on_the_same_frames(sample):
    empty = replace(sample, frame=np.full((360, 640), 128, np.uint8), tracked_box=None)
    settings = {
        "reference": replace(REFERENCE, retry_scale_factor=None),
        "fast": FAST,
        "blind": replace(FAST, min_size_share=0.95),
    }
    table = compare_settings([sample, empty], settings)
    assert table.index.tolist() == list(settings)
    assert table["found"].tolist() == [50, 50, 0]
    assert table["missed"].tolist() == [50, 50, 100]
    assert (table["false_boxes"] == 0).all()
    assert table["time_ratio"].iloc[0] == 1
    assert (table["time_ratio"].iloc[1:] < 1).all()
    tracked = tracker_row([sample, empty, replace(sample, tracked_box=np.array([0, 0, 50, 50]))])
    assert tracked["found"] == pytest.approx(100 / 3)
    assert tracked["false_boxes"] == pytest.approx(100 / 3)


def test_landmarks_are_found_without_haar(sample):
    assert np.abs(find_landmarks(sample.frame) - sample.points).mean() < 3
    assert find_landmarks(np.full((200, 200), 128, np.uint8)) is None


def test_eyes_that_keep_their_place_do_not_wander(sample):
    moved = replace(
        sample, tracked_box=np.add(sample.tracked_box, (20, 20, 0, 0)), points=sample.points + 20
    )
    still = eye_wander([sample, moved])
    np.testing.assert_allclose(still.iloc[:2], 0, atol=1e-3)
    side = sample.tracked_box[2]
    wandering = eye_wander([sample, replace(sample, points=np.add(sample.points, (0.1 * side, 0)))])
    np.testing.assert_allclose(wandering.iloc[:2], [5, 0], atol=1e-3)


def test_samples_of_a_clip(sample, tmp_path):
    clip = write_clip(tmp_path / "a.mp4", np.repeat(sample.frame[np.newaxis], 20, axis=0))
    samples = collect_samples([clip], every=10)
    assert len(samples) == 2
    assert all(is_face(s.tracked_box, s.points) for s in samples)
    assert samples[0].tracker_ms > 0


def test_a_part_is_averaged_as_if_the_whole_frame_were():
    rng = np.random.default_rng(0)
    whole = cv2.GaussianBlur(rng.integers(0, 256, (240, 320), np.uint8), (0, 0), 2)
    for _ in range(60):
        frame = whole[: rng.integers(8, 241), : rng.integers(8, 321)]
        scale, size_px = rng.uniform(0.05, 0.7), int(rng.integers(20, 60))
        centre = rng.uniform(-80, 400, 2)  # beyond the frame, too
        matrix = cv2.getRotationMatrix2D(tuple(centre), rng.uniform(-180, 180), scale)
        matrix[:, 2] += size_px / 2 - centre
        blur = (round(1 / scale),) * 2
        expected = cv2.warpAffine(
            cv2.blur(frame, blur), matrix, (size_px, size_px), borderMode=cv2.BORDER_REPLICATE
        )
        np.testing.assert_array_equal(warped(frame, matrix, size_px, blur[0]), expected)
