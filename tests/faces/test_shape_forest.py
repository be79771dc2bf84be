"""The trees that find landmarks: against dlib's own answer, against loops, and from dlib's file."""

import cv2
import numpy as np
import pytest

from emorec.avatar import EXPRESSIONS, draw_face, make_actor
from emorec.errors import ModelError
from emorec.faces import landmarks
from emorec.faces.detector import FaceDetector
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.shape_forest import POINTS, ShapeForest
from emorec.training.landmarks import convert, read_trees

# What dlib's predictor says of the drawn face below: x, y of each point in whole pixels.
BY_DLIB = """
489 297 492 337 498 377 506 417 518 455 542 490 572 521 605 544 640 551 675 543 709 521 739 492 764
459 778 421 787 381 794 341 798 301 509 272 528 250 556 240 585 244 612 257 669 258 697 243 727 240
755 251 775 275 638 294 637 320 636 346 635 372 618 398 627 400 636 401 646 399 655 397 548 299 563
288 583 290 598 303 581 309 561 308 680 303 697 289 718 288 733 298 719 308 699 309 585 449 605 438
624 431 639 435 655 431 675 439 694 449 675 465 656 475 638 477 621 475 604 466 595 450 623 448 639
450 655 448 685 450 656 451 639 453 623 450"""


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """A drawn face in a grey frame."""
    return cv2.cvtColor(draw_face(make_actor(5), EXPRESSIONS["neutral"]), cv2.COLOR_BGR2GRAY)


@pytest.fixture(scope="module")
def predictor() -> LandmarkPredictor:
    return LandmarkPredictor()


def test_points_are_where_dlib_finds_them(drawn, predictor):
    expected = np.array(BY_DLIB.split(), float).reshape(POINTS, 2)
    found = predictor.predict(drawn, FaceDetector().detect(drawn)[0])
    eyes = expected[36:42].mean(0) - expected[42:48].mean(0)
    distance = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(eyes)
    assert distance.mean() < 1.5 / 140
    assert distance.max() < 0.05


def test_many_faces_are_found_as_one_is(drawn):
    forest = ShapeForest(landmarks.landmarks_path())
    smaller = cv2.resize(drawn, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    frames, boxes = [drawn, smaller, drawn], np.array([[449, 141, 372, 372]] * 3, float)
    boxes[1] /= 2
    boxes[2] += [5, -3, 8, 8]
    one_by_one = [
        forest.predict([frame], box[None])[0] for frame, box in zip(frames, boxes, strict=True)
    ]
    np.testing.assert_allclose(forest.predict(frames, boxes), one_by_one, atol=1e-3)


def test_beyond_the_frame_all_is_black(drawn):
    forest = ShapeForest(landmarks.landmarks_path())
    part, around = drawn[200:, 520:], np.pad(drawn[200:, 520:], ((0, 400), (300, 0)))
    box = np.array([[449.0 - 520, 141 - 200, 372, 372]])
    around = np.pad(around, ((300, 0), (0, 400)))
    found = forest.predict([part], box)
    np.testing.assert_allclose(
        found, forest.predict([around], box + np.array([300, 300, 0, 0])) - 300, atol=1e-2
    )


def small_trees(trees: int = 7, pixels: int = 20, levels: int = 2) -> dict[str, np.ndarray]:
    """Trees that were drawn by lot."""
    rng = np.random.default_rng(3)
    return {
        "mean_shape": rng.uniform(0, 1, 2 * POINTS),
        "splits": rng.integers(0, pixels, (levels, trees, 15, 2)),
        "thresholds": rng.uniform(-40, 40, (levels, trees, 15)),
        "votes": rng.normal(0, 0.01, (levels, trees, 16, 2 * POINTS)),
        "anchors": rng.integers(0, POINTS, (levels, pixels)),
        "offsets": rng.normal(0, 0.1, (levels, pixels, 2)),
    }


def by_loops(trees: dict[str, np.ndarray], frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The points as the method's paper has them, tree after tree."""
    mean = trees["mean_shape"].reshape(-1, 2) @ [1, 1j]
    shape, centred = mean.copy(), mean - mean.mean()
    for level in range(len(trees["splits"])):
        turn = (np.conj(centred) * (shape - shape.mean())).sum() / (abs(centred) ** 2).sum()
        places = shape[trees["anchors"][level]] + turn * (trees["offsets"][level] @ [1, 1j])
        x = np.floor(places.real * box[2] + box[0] + 0.5).astype(int)
        y = np.floor(places.imag * box[3] + box[1] + 0.5).astype(int)
        inside = (x >= 0) & (y >= 0) & (x < frame.shape[1]) & (y < frame.shape[0])
        shades = [int(frame[j, i]) if ok else 0 for i, j, ok in zip(x, y, inside, strict=True)]
        for splits, thresholds, votes in zip(
            trees["splits"][level], trees["thresholds"][level], trees["votes"][level], strict=True
        ):
            node = 0
            while node < len(splits):
                first, second = splits[node]
                goes_left = shades[first] - shades[second] > thresholds[node]
                node = 2 * node + (1 if goes_left else 2)
            shape = shape + votes[node - len(splits)].reshape(-1, 2) @ [1, 1j]
    return np.stack([shape.real * box[2] + box[0], shape.imag * box[3] + box[1]], 1)


def test_trees_are_walked_as_the_paper_has_it(tmp_path):
    trees = small_trees()
    np.savez(tmp_path / "trees.npz", **convert(trees, components=2 * POINTS))
    lights = np.random.default_rng(1).integers(0, 256, (4, 5)).astype(np.uint8)
    frame = cv2.resize(lights, (120, 90), interpolation=cv2.INTER_CUBIC)
    boxes = np.array([[30.0, 20, 50, 50], [-10, 40, 60, 60], [80.5, 10.25, 31, 31]])
    found = ShapeForest(tmp_path / "trees.npz").predict([frame] * 3, boxes)
    for points, box in zip(found, boxes, strict=True):
        np.testing.assert_allclose(points, by_loops(trees, frame, box), atol=0.01 * box[2])


def in_dlibs_form(trees: dict[str, np.ndarray]) -> bytes:
    """The bytes that dlib writes of a shape predictor."""
    written = bytearray()

    def whole(*numbers: int) -> None:
        for number in map(int, numbers):
            body = abs(number).to_bytes(8, "little").rstrip(b"\0")
            written.append(len(body) | (0x80 if number < 0 else 0))
            written.extend(body)

    def fractions(values: np.ndarray) -> None:
        for value in np.ravel(values):
            mantissa, exponent = np.frexp(np.float32(value))
            whole(round(float(mantissa) * 2**24), exponent - 24)

    def matrix(values: np.ndarray) -> None:
        whole(-values.size, -1)
        fractions(values)

    whole(1)
    matrix(trees["mean_shape"])
    whole(len(trees["splits"]))
    for splits, thresholds, votes in zip(
        trees["splits"], trees["thresholds"], trees["votes"], strict=True
    ):
        whole(len(splits))
        for tree in range(len(splits)):
            whole(len(splits[tree]))
            for pair, threshold in zip(splits[tree], thresholds[tree], strict=True):
                whole(*pair)
                fractions(threshold)
            whole(len(votes[tree]))
            for leaf in votes[tree]:
                matrix(leaf)
    for name in ("anchors", "offsets"):
        whole(len(trees[name]))
        for level in trees[name]:
            whole(len(level))
            whole(*level) if name == "anchors" else fractions(level)
    return bytes(written)


def test_dlibs_file_is_read(tmp_path):
    trees = small_trees()
    file = tmp_path / "trees.dat"
    file.write_bytes(in_dlibs_form(trees))
    found = read_trees(file)
    assert found.keys() == trees.keys()
    for name, expected in trees.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-6, err_msg=name)
    file.write_bytes(b"\x01\x07" + file.read_bytes()[2:])
    with pytest.raises(ValueError, match="known version"):
        read_trees(file)


@pytest.mark.parametrize("content", [None, b"", b"no trees", b"PK\x03\x04 broken"])
def test_a_file_of_trees_that_cannot_be_read_is_named(content, tmp_path, monkeypatch):
    file = tmp_path / "landmarks.npz"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(landmarks, "landmarks_path", lambda: file)
    with pytest.raises(ModelError, match=r"landmarks\.npz"):
        LandmarkPredictor()
