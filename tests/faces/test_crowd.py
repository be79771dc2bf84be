"""All faces followed: numbers that last, pictures told from the living, a bound, and nobody."""

import numpy as np
import pytest
from faces.scenes import FRAME_S, HEIGHT, WIDTH, beside, head

from emorec.analysis.people_clips import Performer, Take
from emorec.corpora import javased
from emorec.faces.crowd import MOST_FOLLOWED, Crowd
from emorec.faces.detector import FAST, FaceDetector
from emorec.faces.followed import Followed, Spot
from emorec.faces.landmarks import LandmarkPredictor


@pytest.fixture(scope="module")
def landmarks():
    return LandmarkPredictor()


def followed(landmarks, frames):
    """The crowd after some frames, and number -> its faces."""
    crowd, faces = Crowd(landmarks), {}
    for index, frame in enumerate(frames):
        for face in crowd.take(index * FRAME_S, frame):
            faces.setdefault(face.number, []).append(face)
    for face in crowd.finish():
        faces.setdefault(face.number, []).append(face)
    return crowd, faces


def test_two_are_numbered_from_the_left_and_a_still_one_is_a_picture(landmarks):
    _, faces = followed(landmarks, beside(24, (3, 300, True), (5, 300, False)))
    assert sorted(faces) == [1, 2]
    for number, left in ((1, 10), (2, 330)):
        times_s = [face.time_s for face in faces[number]]
        assert times_s == sorted(times_s) and len(times_s) >= 22
        middles = [face.sighting.box[0] + face.sighting.box[2] / 2 for face in faces[number]]
        assert all(left < middle < left + 300 for middle in middles)
    assert not faces[1][-1].is_picture and faces[2][-1].is_picture


def test_who_comes_back_elsewhere_bears_the_same_number(landmarks):
    both = beside(12, (3, 300, True), (5, 300, True))
    left_gone = both.copy()
    left_gone[:, :, :320] = 128
    swapped = beside(12, (5, 300, True), (3, 300, True), seed=1)
    _, faces = followed(landmarks, [*both, *left_gone, *swapped])
    assert sorted(faces) == [1, 2]
    assert faces[1][-1].sighting.box[0] > 320 > faces[2][-1].sighting.box[0]


def test_of_a_crowd_some_are_followed_and_all_are_counted(landmarks):
    frame = np.full((HEIGHT, WIDTH), 128, np.uint8)
    for row in range(3):
        for column in range(4):
            picture = head(3, 116)
            frame[120 * row + 2 : 120 * row + 118, 160 * column + 22 : 160 * column + 138] = picture
    crowd, faces = followed(landmarks, [frame] * 4)
    assert len(faces) == MOST_FOLLOWED < crowd.most_faces


def test_nobody_is_seen_where_nobody_is(landmarks):
    noise = np.random.default_rng(0).integers(0, 256, (8, HEIGHT, WIDTH)).astype(np.uint8)
    crowd, faces = followed(landmarks, noise)
    assert not faces and crowd.most_faces <= 1


def test_whose_picture_jumps_beside_one_that_goes_on_keeps_the_number(landmarks, emorec_data):
    """A jump in one half of the picture is no other shot; the place still tells who it is."""
    folder = emorec_data / "JavaSED"
    paths = [folder / f"{who}-{take}_01.mp4" for who, take in (("07", "01-03"), ("08", "01-03"))]
    if not all(path.exists() for path in paths):
        pytest.skip("EMOREC_DATA holds no JavaSED")
    jumping, going_on = (Take.read(path, javased.PIXEL_ASPECT) for path in paths)
    listening = Performer("somebody", [jumping]).listening(20)
    right = np.concatenate([listening[::2], jumping.frames[:20:2]])
    _, faces = followed(landmarks, np.concatenate([going_on.frames[:40:2], right], axis=2))
    assert sorted(faces) == [1, 2]
    assert [face[-1].time_s for face in faces.values()] == pytest.approx([19 * FRAME_S] * 2)


def walked(steps_px):
    """Two faces side by side, after the right one has moved to the left by some steps."""
    detector, frame = FaceDetector(FAST), np.full((HEIGHT, WIDTH), 128, np.uint8)
    found = []
    for index, x in enumerate((340, *np.subtract(340, np.cumsum(steps_px)))):
        now = frame.copy()
        now[100:260, 60:220], now[100:260, x : x + 160] = head(3, 160), head(5, 160)
        if not found:
            boxes = (np.array([60.0, 100, 160, 160]), np.array([x, 100.0, 160, 160]))
            found = [Followed(0.0, now, Spot(box, 0.0), detector) for box in boxes]
        for face in found:
            face.move(index * FRAME_S, now)
    return found


@pytest.mark.parametrize(
    ("steps_px", "do_meet"),
    [((0, 0), False), ((12,) * 6, True), ((12,) * 6 + (0,) * 3, False)],
    ids=["far apart", "coming near", "side by side"],
)
def test_who_sits_side_by_side_does_not_meet_as_who_comes_near_does(steps_px, do_meet):
    left, right = walked(steps_px)
    assert left.meets(right) is do_meet and right.meets(left) is do_meet
