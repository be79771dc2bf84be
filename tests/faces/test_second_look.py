"""Faces that the cascade does not see: turned, small, and where there is none; on drawn faces."""

import cv2
import numpy as np
import pytest

from emorec.analysis.held_faces import CascadeAlone
from emorec.avatar import EXPRESSIONS, draw_face, make_actor
from emorec.faces.alignment import eye_centres
from emorec.faces.boxes import overlap
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.second_look import SecondLook
from emorec.faces.tracker import FaceTracker
from emorec.faces.upright import turn_upright
from emorec.media.reader import read_frames

FRAME_S = 1 / 15


def upright_face(actor: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A drawn face, grey, (720, 1280), and the cascade's box of it."""
    frame = cv2.cvtColor(draw_face(make_actor(actor), EXPRESSIONS["neutral"]), cv2.COLOR_BGR2GRAY)
    return frame, FaceTracker(second_look=CascadeAlone()).update(0.0, frame).box


def turned_face(turn_deg: float, side_px: float = 200.0) -> tuple[np.ndarray, np.ndarray]:
    """A drawn face turned clockwise in the middle of a 640x480 frame, and its true box."""
    frame, box = upright_face()
    centre = box[:2] + box[2:] / 2
    matrix = cv2.getRotationMatrix2D(centre.tolist(), -turn_deg, side_px / box[2])
    matrix[:, 2] += (320, 240) - centre
    made = cv2.warpAffine(
        cv2.blur(frame, (3, 3)), matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE
    )
    return made, np.array([320 - side_px / 2, 240 - side_px / 2, side_px, side_px])


def follow(frames, tracker: FaceTracker):
    return [tracker.update(i * FRAME_S, frame) for i, frame in enumerate(frames)]


@pytest.mark.parametrize("turn_deg", [45, 60, 75, 90, 135, 180, -60, -90])
def test_a_turned_face_is_found_where_it_is_and_shown_upright(turn_deg):
    frame, true_box = turned_face(turn_deg)
    tracker, predictor = FaceTracker(), LandmarkPredictor()
    sightings = follow([frame] * 20, tracker)
    assert all(sightings[2:])
    for sighting in sightings[2:]:
        assert overlap(sighting.box, true_box) > 0.6
        assert abs((sighting.roll_deg - turn_deg + 180) % 360 - 180) < 15
        points = predictor.predict(sighting.frame, sighting.upright_box)
        left, right = eye_centres(sighting.in_picture(points))
        seen_deg = np.degrees(np.arctan2(*(right - left)[::-1]))
        assert abs((seen_deg - turn_deg + 180) % 360 - 180) < 15
        level = eye_centres(predictor.follow(sighting))
        assert abs(np.degrees(np.arctan2(*(level[1] - level[0])[::-1]))) < 20
    assert any("turned" in note for note in tracker.notes)


@pytest.mark.parametrize("side_px", [24, 40])
def test_a_small_face_is_found(side_px):
    frame, true_box = turned_face(0, side_px)
    sightings = follow([frame] * 10, FaceTracker())
    assert overlap(sightings[-1].box, true_box) > 0.5


def test_a_head_that_turns_slowly_is_followed_all_the_way():
    turns_deg = np.arange(0, 150, 1.5)
    tracker = FaceTracker()
    sightings = follow([turned_face(turn)[0] for turn in turns_deg], tracker)
    lost = sum(sighting is None for sighting in sightings)
    assert lost <= 5
    last = sightings[-1]
    assert abs(last.roll_deg - turns_deg[-1]) < 20
    assert overlap(last.box, turned_face(0)[1]) > 0.6


def test_a_turned_face_that_is_often_hidden_comes_back_soon():
    face, empty = turned_face(90)[0], np.full((480, 640), 128, np.uint8)
    sightings = follow([face] * 10 + ([empty] * 3 + [face] * 12) * 25, FaceTracker())
    for begin in range(13, len(sightings), 15):
        assert any(sightings[begin : begin + 8]), begin


@pytest.mark.parametrize(("before_deg", "after_deg"), [(0, 90), (90, 0), (90, -90)])
def test_a_face_that_comes_back_turned_otherwise_is_levelled_anew(before_deg, after_deg):
    tracker, empty = FaceTracker(), np.full((480, 640), 128, np.uint8)
    before, after = turned_face(before_deg)[0], turned_face(after_deg)[0]
    first = follow([before] * 10 + [empty] * 20, tracker)[0]
    assert abs(first.first_roll_deg - before_deg) < 10
    assert not tracker.has_begun_anew()
    last = [tracker.update(2 + i * FRAME_S, after) for i in range(30)][-1]
    assert abs(last.first_roll_deg - after_deg) < 10
    assert tracker.has_begun_anew()
    assert not tracker.has_begun_anew()


def test_landmarks_move_evenly_while_a_turned_face_moves():
    frame, _ = turned_face(90)
    moved = [np.roll(frame, shift, axis=1) for shift in range(0, 60, 3)]
    predictor, tracker = LandmarkPredictor(), FaceTracker()
    sightings = follow(moved, tracker)
    eyes = np.array([eye_centres(predictor.follow(one)).mean(axis=0) for one in sightings[3:]])
    across, down = np.diff(eyes, axis=0).T
    # The picture is turned back by 90 degrees, so that what moves right in it moves up.
    np.testing.assert_allclose(down.mean(), -3, atol=0.5)
    assert abs(across.mean()) < 0.7
    assert np.abs(np.diff(eyes, axis=0) - [0, -3]).max() < 8


def test_what_is_shown_upright_lies_where_the_matrix_says():
    picture = np.zeros((300, 400), np.uint8)
    cv2.circle(picture, (250, 120), 4, 255, -1)
    upright = turn_upright(picture, np.array([180, 60, 120, 120]), 40.0)
    row, column = np.unravel_index(int(upright.frame.argmax()), upright.frame.shape)
    spot = upright.frame > 128
    middle = np.argwhere(spot).mean(axis=0)[::-1]
    np.testing.assert_allclose(upright.points_in_picture(middle + 0.5), [250.5, 120.5], atol=0.7)
    assert spot[row, column]
    np.testing.assert_allclose(upright.in_picture(upright.box), [180, 60, 120, 120], atol=1e-6)
    assert turn_upright(picture, np.array([1, 2, 30, 30]), None).frame is picture


def test_a_face_that_the_cascade_sees_is_left_to_it(example):
    """The second look neither runs on an ordinary clip nor changes a number."""
    second = SecondLook()
    plain, tracker = FaceTracker(second_look=CascadeAlone()), FaceTracker(second_look=second)
    for batch in read_frames(example):
        for time_s, frame in zip(batch.times_s, batch.frames, strict=True):
            before, after = plain.update(time_s, frame), tracker.update(time_s, frame)
            np.testing.assert_array_equal(before.box, after.box)
            assert after.frame is frame
    assert second.looks == 0


def test_real_clips_keep_their_boxes(emorec_data):
    paths = sorted((emorec_data / "RAVDESS" / "Actor_05").glob("01-*.mp4"))
    paths += sorted((emorec_data / "JavaSED").glob("*.mp4"))[::48]
    if not paths:
        pytest.skip("no clips with a picture under EMOREC_DATA")
    for path in paths:
        plain, tracker = FaceTracker(second_look=CascadeAlone()), FaceTracker()
        for batch in read_frames(path):
            for time_s, frame in zip(batch.times_s, batch.frames, strict=True):
                before, after = plain.update(time_s, frame), tracker.update(time_s, frame)
                if before is not None:
                    np.testing.assert_array_equal(before.box, after.box)
                    assert after.roll_deg == 0


def test_where_nobody_is_few_looks_are_taken_and_no_face_is_seen():
    rng = np.random.default_rng(0)
    blobs = cv2.resize(rng.normal(size=(9, 16)).astype(np.float32), (640, 360))
    still = np.clip(128 + 60 * blobs, 0, 255).astype(np.uint8)
    for frames in ([still] * 450, [np.roll(still, 3 * i, axis=1) for i in range(450)]):
        second = SecondLook()
        tracker = FaceTracker(second_look=second)
        assert follow(frames, tracker) == [None] * 450
        assert second.looks <= 22, "in 30 seconds"
        assert tracker.notes == ["no face was found"]
