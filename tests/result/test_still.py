"""Pictures: every face in them, whatever form they have; what is damaged is told."""

import cv2
import numpy as np
import pytest
from PIL import Image

from emorec import MediaError
from emorec.avatar.actor import make_actor
from emorec.avatar.expression import EXPRESSIONS, Pose
from emorec.avatar.face import draw_face
from emorec.cli import common, main
from emorec.media.pictures import is_picture, picture_of
from emorec.report.figure import plot_clip
from emorec.result.still import NOTE

SIZE = (640, 360)


def drawn(actor):
    """A made-up face, (360, 320, 3) RGB."""
    picture = draw_face(make_actor(actor), EXPRESSIONS["happy"], Pose(), SIZE)
    return np.ascontiguousarray(picture[:, 160:480, ::-1])


@pytest.fixture(scope="module")
def faces():
    return [drawn(actor) for actor in (3, 5)]


@pytest.fixture(scope="module")
def group(faces, tmp_path_factory):
    """Two faces side by side, the right one smaller."""
    small = cv2.resize(faces[1], (160, 180), interpolation=cv2.INTER_AREA)
    picture = np.full((360, 640, 3), small[0, 0], np.uint8)
    picture[:, :320], picture[90:270, 400:560] = faces[0], small
    path = tmp_path_factory.mktemp("pictures") / "group.png"
    Image.fromarray(picture).save(path)
    return path


def test_every_face_has_a_verdict_and_the_largest_is_the_pictures(recognizer, group):
    result = recognizer.classify(group)
    assert (result.status, result.notes, len(result.people)) == ("ok", [NOTE], 2)
    first, second = result.people
    assert list(result.posteriors) == ["face", "fused"]
    np.testing.assert_allclose(result.posteriors["fused"], first.posteriors["fused"])
    table = result.faces
    assert table["person"].tolist() == [1, 2]
    assert table["x"][0] < 320 < table["x"][1]
    assert 1.5 < table["width"][0] / table["width"][1] < 2.7
    assert table["roll_deg"].abs().max() < 5
    assert (
        table["yaw_deg"][0] > 0 > table["yaw_deg"][1]
    )  # both look into the camera, from the sides
    assert second.track.boxes.shape == (1, 4)
    assert result.segments == [] and result.duration_s == 0
    assert "<img src" in result._repr_html_()


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif", ".gif", ""])
def test_all_forms_of_picture_are_read(recognizer, faces, tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(faces[0]).save(path, format=None if suffix else "PNG")
    assert len(recognizer.classify(path).people) == 1


def test_a_picture_that_was_taken_sideways_is_turned_as_it_says(faces, tmp_path):
    path, tags = tmp_path / "a.jpg", Image.Exif()
    tags[0x112] = 6
    Image.fromarray(faces[0]).rotate(90, expand=True).save(path, exif=tags, quality=95)
    with Image.open(path) as image:
        grey = picture_of(image, path).grey
    upright = cv2.cvtColor(faces[0], cv2.COLOR_RGB2GRAY)
    assert np.abs(grey.astype(int) - upright).mean() < 3


def test_sixteen_bits_and_one_of_pillows_images(recognizer, faces):
    grey = cv2.cvtColor(faces[0], cv2.COLOR_RGB2GRAY)
    deep = Image.fromarray(grey.astype(np.uint16) << 8)
    assert (picture_of(deep, "a").grey == grey).all()
    result = recognizer.classify(Image.fromarray(faces[0]))
    assert (result.name, len(result.people)) == ("clip", 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path, image: path.write_bytes(path.read_bytes()[:3000]), "its end is missing"),
        (
            lambda path, image: Image.new("1", (8_000, 8_000)).save(path, "PNG"),
            "at most 40 million",
        ),
        (lambda path, image: Image.new("I", (9, 9)).save(path, "TIFF"), "white is not known"),
    ],
)
def test_what_cannot_be_read_is_told(recognizer, faces, tmp_path, make, words):
    path = tmp_path / "a.jpg"
    image = Image.fromarray(faces[0])
    image.save(path)
    make(path, image)
    with pytest.raises(MediaError, match=words):
        recognizer.classify(path)


def test_a_picture_without_a_face_and_one_whose_face_is_not_asked_for(recognizer, faces):
    blank = recognizer.classify(Image.new("L", (300, 200), 90))
    assert blank.status == "no verdict" and "no face in this picture" in blank.reason
    with pytest.raises(MediaError, match="only the face is read"):
        recognizer.for_streams("voice").classify(Image.fromarray(faces[0]))


def test_what_moves_is_a_clip(faces, tmp_path):
    images = [Image.fromarray(face) for face in faces]
    for suffix in ("webp", "png", "gif"):
        path = tmp_path / f"a.{suffix}"
        images[0].save(path, save_all=True, append_images=images[1:], duration=200)
        assert not is_picture(path)
    assert not is_picture(tmp_path) and not is_picture(tmp_path / "absent.jpg")


def test_a_picture_is_drawn_without_a_course_and_no_film_is_made_of_it(
    recognizer, group, tmp_path, monkeypatch, capfd
):
    figure = plot_clip(recognizer.classify(group))
    assert len(figure.axes) == 2 + 4  # faces; three streams and all together
    assert not any(" s" in axes.get_xlabel() for axes in figure.axes)
    monkeypatch.setattr(common, "load_recognizer", lambda _: recognizer)
    assert main(["annotate", str(group), "-o", str(tmp_path / "a.mp4")]) == 1
    assert "a single picture, and no film" in capfd.readouterr().out
