"""Head pose: a generic face, turned in space and seen through a camera, is read back."""

import numpy as np
import pytest

from emorec.faces.pose import GENERIC_FACE, head_pose

SIZE = np.array([[1280, 720]])


def seen(yaw_deg, pitch_deg, roll_deg, far_mm=900.0, x_mm=0.0):
    """Landmarks (1, 68, 2) of the generic face; it nods, then turns, then leans."""
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    nod = [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
    turn = [[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]]
    lean = [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    face = np.array(list(GENERIC_FACE.values()), float)
    place = face @ (np.array(lean) @ turn @ nod).T + [x_mm, 0, far_mm]
    points = np.zeros((1, 68, 2))
    points[0, list(GENERIC_FACE)] = place[:, :2] / place[:, 2:] * 1280 + SIZE[0] / 2
    return points


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (30, 0, 0), (0, 20, 0), (0, 0, 30), (25, -15, 40), (-40, 10, 170)]
)
def test_a_turned_face_is_read_back(angles):
    assert head_pose(seen(*angles), SIZE)[0] == pytest.approx(angles, abs=0.1)


def test_right_in_the_picture_up_and_clockwise_are_above_nought():
    level, right, up = (seen(*a)[0] for a in ((0, 0, 0), (30, 0, 0), (0, 30, 0)))
    assert right[30, 0] > level[30, 0] + 10  # the tip of the nose goes to the right
    assert up[30, 1] < level[30, 1] - 10
    leaning = seen(0, 0, 20)[0]
    assert leaning[45, 1] > leaning[36, 1]  # the eye on the right of the picture goes down


@pytest.mark.parametrize("points", [np.zeros((1, 68, 2)), np.full((1, 68, 2), np.nan)])
def test_what_is_no_face_has_no_pose_and_no_error(points):
    assert head_pose(points, SIZE).shape == (1, 3)


def test_no_face_gives_no_row():
    assert head_pose(np.zeros((0, 68, 2)), np.zeros((0, 2))).shape == (0, 3)
