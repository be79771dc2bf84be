"""Detection, following, crops and landmarks, on drawn faces and on real clips."""

import functools

import cv2
import numpy as np
import pandas as pd
import pytest

from emorec.avatar import EXPRESSIONS, draw_face, make_actor
from emorec.faces.boxes import crop_face, overlap
from emorec.faces.detector import REFERENCE, FaceDetector
from emorec.faces.landmarks import LandmarkPredictor, from_haar_box, to_haar_box
from emorec.faces.tracker import FaceTracker
from emorec.media.reader import read_frames

FRAME_S = 1 / 25
EMPTY = np.full((360, 640), 128, np.uint8)


@functools.cache
def head(actor: int, size_px: int) -> np.ndarray:
    """A square picture of a drawn head, grey."""
    frame = draw_face(make_actor(actor), EXPRESSIONS["neutral"])
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)[20:700, 300:980]
    return cv2.resize(grey, (size_px, size_px), interpolation=cv2.INTER_AREA)


def scene(*heads: tuple[int, int, int, int]) -> np.ndarray:
    """A frame with heads, each given as actor, size, left and top."""
    frame = EMPTY.copy()
    for actor, size_px, left, top in heads:
        frame[top : top + size_px, left : left + size_px] = head(actor, size_px)
    return frame


def true_box(size_px: int, left: int, top: int) -> np.ndarray:
    """Where the face of a head of a scene is: x, y, width, height."""
    # In the square that `head` cuts out, 680 pixels wide, the eyes are drawn at 340 - 72 and
    # 340 + 72, 278. A Haar box is 2.6 times as wide as the eyes are apart, and has them 42 % down.
    side = 2.6 * 144
    drawn = np.array([340 - side / 2, 278 - 0.42 * side, side, side])
    return drawn * size_px / 680 + [left, top, 0, 0]


def follow(frames, tracker=None):
    """The tracker after all frames, and its boxes."""
    tracker = tracker or FaceTracker()
    sightings = [tracker.update(i * FRAME_S, frame) for i, frame in enumerate(frames)]
    return tracker, [sighting and sighting.box for sighting in sightings]


def test_overlap():
    box = np.array([0, 0, 10, 10])
    assert overlap(box, box) == 1
    assert overlap(box, np.array([20, 0, 10, 10])) == 0
    assert overlap(box, np.array([0, 5, 10, 10])) == pytest.approx(1 / 3)


def test_crops_are_square_and_repeat_the_border():
    frame = np.tile(np.arange(200, dtype=np.uint8), (100, 1))
    inside = crop_face(frame, np.array([50, 20, 40, 40]), 40)
    np.testing.assert_array_equal(inside, frame[20:60, 50:90])
    outside = crop_face(frame, np.array([-20, -30, 40, 60]), 30)
    assert outside.shape == (30, 30)
    assert outside.dtype == np.uint8
    assert (outside[:, :14] == 0).all()  # left of the frame its first column goes on
    assert crop_face(frame, np.array([180, 80, 60, 60]), 96).shape == (96, 96)
    with pytest.raises(ValueError, match="outside"):
        crop_face(frame, np.array([300, 10, 20, 20]), 48)


def test_no_face_is_found_where_none_is():
    assert FaceDetector().detect(EMPTY).shape == (0, 4)
    tracker, boxes = follow([EMPTY] * 30)
    assert boxes == [None] * 30
    assert tracker.notes == ["no face was found"]


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (40, 2000), (361, 241)])
def test_frames_of_any_size_are_taken(shape):
    assert follow([np.zeros(shape, np.uint8)] * 2)[1] == [None, None]


def test_the_largest_face_comes_first():
    boxes = FaceDetector(REFERENCE).detect(scene((1, 150, 40, 100), (2, 250, 350, 60)))
    assert len(boxes) == 2
    assert boxes[0, 0] > 320 > boxes[1, 0]
    assert boxes[0, 2] > boxes[1, 2]


def test_a_moving_face_is_followed():
    lefts = 100 + np.round(100 * np.sin(np.arange(75) / 12)).astype(int)
    tracker, boxes = follow([scene((3, 240, left, 60)) for left in lefts])
    overlaps = [
        overlap(box, true_box(240, left, 60)) for box, left in zip(boxes, lefts, strict=True)
    ]
    assert min(overlaps) > 0.75
    positions = np.array([box[0] for box in boxes])
    assert np.abs(positions - lefts - np.median(positions - lefts)).max() < 15
    assert tracker.notes == []
    assert tracker.most_faces == 1


def test_looking_between_two_updates_changes_nothing():
    tracker, boxes = follow([scene((1, 200, 200, 80))] * 2)
    moved = tracker.look(scene((1, 200, 212, 75))).box
    np.testing.assert_allclose(moved[:2] - boxes[-1][:2], [12, -5], atol=2)
    assert tracker.look(EMPTY).box.tolist() == boxes[-1].tolist()
    again = tracker.update(2 * FRAME_S, scene((1, 200, 200, 80)))
    np.testing.assert_array_equal(again.box, boxes[-1])
    assert FaceTracker().look(EMPTY) is None


def test_a_small_face_is_followed():
    _, boxes = follow([scene((3, 100, 200, 100))] * 10)
    assert min(overlap(box, true_box(100, 200, 100)) for box in boxes) > 0.75


def test_a_face_for_part_of_the_time_leaves_a_gap():
    face = scene((4, 240, 150, 60))
    tracker, boxes = follow([face] * 25 + [EMPTY] * 25 + [face] * 25)
    found = np.array([box is not None for box in boxes])
    assert found[:25].all()
    assert not found[26:50].any()
    assert found[55:].all()
    assert min(overlap(box, true_box(240, 150, 60)) for box in boxes[:25] + boxes[55:]) > 0.75
    assert len(tracker.gaps) == 1
    start_s, end_s = tracker.gaps[0]
    assert start_s == pytest.approx(1.0, abs=0.1)
    assert end_s == pytest.approx(2.0, abs=0.2)
    assert tracker.notes == [f"no face from {start_s:.1f} to {end_s:.1f} s"]


def test_of_two_faces_the_larger_is_followed_and_the_other_noted():
    frame = scene((1, 200, 40, 100), (2, 270, 330, 60))
    tracker, boxes = follow([frame] * 50)
    assert min(overlap(box, true_box(270, 330, 60)) for box in boxes) > 0.75
    assert tracker.most_faces == 2
    assert tracker.notes == ["2 faces; the largest was followed"]


def test_a_clearly_larger_face_takes_over_once_it_lasts():
    alone = scene((1, 160, 40, 100))
    joined = scene((1, 160, 40, 100), (2, 300, 320, 40))
    _, boxes = follow([alone] * 25 + [joined] * 5 + [alone] * 25)
    assert all(box[0] < 200 for box in boxes)
    _, boxes = follow([alone] * 25 + [joined] * 75)
    assert boxes[24][0] < 200
    assert boxes[-1][0] > 320


def real_clips(emorec_data):
    """The real clips at hand with a picture; of JavaSED every 24th."""
    actor = sorted((emorec_data / "RAVDESS" / "Actor_05").glob("01-01-*.mp4"))
    java = sorted((emorec_data / "JavaSED").glob("*.mp4"))[::24]
    paths = [*actor, *sorted((emorec_data / "clips").glob("*")), *java]
    if not paths:
        pytest.skip("no clips with a picture under EMOREC_DATA")
    return paths


def test_following_loses_hardly_a_face_of_the_reference_setting(emorec_data):
    reference = FaceDetector(REFERENCE)
    overlaps, lost = [], 0
    for path in real_clips(emorec_data):
        tracker, count = FaceTracker(), 0
        for batch in read_frames(path):
            for time_s, frame in zip(batch.times_s, batch.frames, strict=True):
                sighting = tracker.update(time_s, frame)
                count += 1
                if count % 20:  # the reference is slow: one frame in twenty is compared
                    continue
                faces = reference.detect(frame)
                if len(faces) and sighting is None:
                    lost += 1
                elif len(faces):
                    overlaps.append(overlap(sighting.box, faces[0]))
    assert len(overlaps) > 50
    assert lost < 0.01 * (lost + len(overlaps))
    assert np.mean(overlaps) > 0.85


def test_landmarks_agree_with_the_published_ones(emorec_data):
    table_path = emorec_data / "RAVDESS_landmarks" / "Actor_05_landmarks.csv.xz"
    paths = sorted((emorec_data / "RAVDESS" / "Actor_05").glob("01-01-*.mp4"))
    if not (table_path.is_file() and paths):
        pytest.skip("no landmarks or no takes of actor 05 under EMOREC_DATA")
    table = pd.read_csv(table_path)
    columns = [[f"pt{i}.{axis}" for i in range(1, 69)] for axis in "xy"]
    predictor = LandmarkPredictor()
    for path in paths:
        take = table[table.fname == f"02{path.name[2:]}"].sort_values("frame_ct")
        published = np.stack([take[names].to_numpy() for names in columns], axis=-1)
        tracker, distances_px, number = FaceTracker(), [], 0
        for batch in read_frames(path):
            for time_s, frame in zip(batch.times_s, batch.frames, strict=True):
                sighting = tracker.update(time_s, frame)
                if number % 4 == 0:
                    offset_px = predictor.follow(sighting) - published[number]
                    distances_px.append(np.linalg.norm(offset_px, axis=1).mean())
                number += 1
        assert number == len(published)
        assert np.mean(distances_px) < 1.5, path.name


@pytest.mark.parametrize("box", [(100, 80, 200, 200), (13, 7, 91, 91), (-20, 300, 333, 333)])
def test_a_haar_box_survives_the_way_to_dlibs_and_back(box):
    x, y, width, height = from_haar_box(np.array(box))
    assert width < box[2] and y + height / 2 > box[1] + box[3] / 2, "smaller and lower"
    np.testing.assert_allclose(to_haar_box(np.array([x, y, width, height])), box, atol=1e-9)


def test_landmarks_are_where_a_drawn_face_has_them():
    frame = draw_face(make_actor(5), EXPRESSIONS["neutral"])
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    points = LandmarkPredictor().predict(grey, FaceDetector().detect(grey)[0])
    assert points.shape == (68, 2)
    assert points.dtype == np.float32
    right_eye, left_eye = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    mouth = points[48:68].mean(axis=0)
    assert right_eye[0] < mouth[0] < left_eye[0]
    assert mouth[1] > max(right_eye[1], left_eye[1])
