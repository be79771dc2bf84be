"""The three frame sets on drawn faces and real clips: content, resuming, broken clips, files."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from helpers import made_frames, write_clip

from emorec.avatar import EXPRESSIONS, draw_face, make_actor
from emorec.corpora import javased
from emorec.corpora.frame_sets import extract_frames, load_frames, main, problems_path
from emorec.errors import MediaError, OutputError
from emorec.media.colour_frames import read_colour_frames
from emorec.media.reader import read_frames

KINDS = ("frames", "frames_black", "frames_face_BW")


@pytest.fixture(scope="session")
def drawn_face() -> np.ndarray:
    """A drawn face, (360, 640, 3) uint8: red, green, blue."""
    drawn = draw_face(make_actor(2), EXPRESSIONS["happy"], size=(640, 360))
    return np.ascontiguousarray(drawn[..., ::-1])


@pytest.fixture(scope="session")
def face_clip(drawn_face, tmp_path_factory) -> Path:
    """30 frames of a drawn face, with a light wall behind its top corners."""
    frames = np.repeat(drawn_face[np.newaxis], 30, axis=0)
    frames[:, :40, :300] = 250
    return write_clip(tmp_path_factory.mktemp("face") / "face.mp4", frames)


def table_of(**paths: Path) -> pd.DataFrame:
    return pd.DataFrame({"path": list(map(str, paths.values())), "clip_id": list(paths)})


def pictures_of(folder: Path, clip_id: str) -> dict[str, list[Path]]:
    return {k: sorted((folder / f"RAVDESS_{k}" / clip_id).glob("*.png")) for k in KINDS}


def times_of(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}


def parts_in(folder: Path) -> list[Path]:
    return list(folder.rglob(".part*"))


def test_numbers_sizes_and_colours(face_clip, tmp_path):
    summary = extract_frames(table_of(a=face_clip), tmp_path, 1)
    assert summary.loc[0, ["status", "frames", "faces", "is_new"]].tolist() == ["done", 3, 3, True]
    pictures = pictures_of(tmp_path, "a")
    shapes = {"frames": (224, 398, 3), "frames_black": (224, 224, 3), "frames_face_BW": (224, 224)}
    for kind, shape in shapes.items():
        assert [path.name for path in pictures[kind]] == ["0021.png", "0024.png", "0027.png"]
        assert cv2.imread(str(pictures[kind][0]), cv2.IMREAD_UNCHANGED).shape == shape
    frame, black = (cv2.imread(str(pictures[kind][0])) for kind in KINDS[:2])
    assert frame[:20, :180].min() > 230
    assert black[:20, :90].max() == 0
    # In the face hardly anything is light: there, black is the middle of the frame.
    assert np.mean(black[90:150, 90:130] == frame[90:150, 177:217]) > 0.8
    assert parts_in(tmp_path) == []


def test_the_pictures_are_those_of_the_reference_project(face_clip, tmp_path):
    """Its steps, done once more by OpenCV's own reader."""
    extract_frames(table_of(a=face_clip), tmp_path, 1)
    reader = cv2.VideoCapture(str(face_clip))
    for _ in range(22):
        _, frame = reader.read()
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    cascade = cv2.CascadeClassifier("Other/haarcascade_frontalface_default.xml")
    ((x, y, width, height),) = cascade.detectMultiScale(grey, scaleFactor=1.12, minNeighbors=9)
    face = cv2.resize(grey[y : y + height, x : x + width], (234, 234))[5:-5, 5:-5]
    frame[grey > 220] = 0
    black = cv2.resize(frame, (398, 224))[:, 87:311]
    for expected, kind, flag in ((face, KINDS[2], cv2.IMREAD_GRAYSCALE), (black, KINDS[1], 1)):
        made = cv2.imread(str(pictures_of(tmp_path, "a")[kind][0]), flag)
        assert np.abs(made.astype(int) - expected).mean() < 1


def test_arrays_for_networks(face_clip, tmp_path):
    table = table_of(b=face_clip, a=face_clip)
    frames = load_frames(table, tmp_path, "face", 1)
    assert frames.pixels.shape == (6, 112, 112)
    assert frames.pixels.dtype == np.uint8
    assert frames.clip_id.tolist() == ["b"] * 3 + ["a"] * 3
    assert frames.frame_number.tolist() == [21, 24, 27] * 2
    np.testing.assert_allclose(frames.time_s, np.array([21, 24, 27] * 2) / 25, atol=1e-3)
    scaled = frames.scaled()
    assert scaled.shape == (6, 112, 112, 1)
    assert scaled.dtype == np.float32
    assert 0 <= scaled.min() < scaled.max() <= 1
    chosen = frames.where(frames.clip_id == "a")
    assert len(chosen) == 3
    np.testing.assert_array_equal(chosen.pixels, frames.pixels[3:])
    for kind in ("black", "frame"):
        assert load_frames(table, tmp_path, kind).pixels.shape == (6, 112, 112)
    with pytest.raises(ValueError, match="choose from frame, black, face"):
        load_frames(table, tmp_path, "nose")


def test_the_arrays_follow_the_table(face_clip, tmp_path):
    assert len(load_frames(table_of(a=face_clip), tmp_path, jobs=1)) == 3
    assert len(load_frames(table_of(a=face_clip, b=face_clip), tmp_path, jobs=1)) == 6
    assert set(load_frames(table_of(b=face_clip), tmp_path, jobs=1).clip_id) == {"b"}


def test_a_second_run_makes_nothing_again(face_clip, tmp_path):
    table = table_of(a=face_clip)
    extract_frames(table, tmp_path, 1)
    before = times_of(tmp_path)
    assert not extract_frames(table, tmp_path, 1)["is_new"].any()
    assert times_of(tmp_path) == before


def test_frames_outlive_their_clip(face_clip, tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(face_clip.read_bytes())
    extract_frames(table_of(a=clip), tmp_path, 1)
    clip.unlink()
    assert len(load_frames(table_of(a=clip), tmp_path, jobs=1)) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_with_missing_files_is_made_again(kind, face_clip, tmp_path):
    table = table_of(a=face_clip)
    extract_frames(table, tmp_path, 1)
    lost = pictures_of(tmp_path, "a")[kind][1]
    lost.unlink()
    assert extract_frames(table, tmp_path, 1)["is_new"].all()
    assert lost.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"recipe": "reference-frames-1"}'])
def test_a_clip_with_a_broken_record_is_made_again(content, face_clip, tmp_path):
    table = table_of(a=face_clip)
    extract_frames(table, tmp_path, 1)
    (tmp_path / "RAVDESS_frames" / "a" / "record.json").write_text(content)
    assert extract_frames(table, tmp_path, 1)["is_new"].all()


def test_frames_of_another_recipe_are_made_again(face_clip, tmp_path):
    table = table_of(a=face_clip)
    expected = load_frames(table, tmp_path, jobs=1).pixels
    record = tmp_path / "RAVDESS_frames" / "a" / "record.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"recipe": "an older one"}))
    picture = pictures_of(tmp_path, "a")["frames_face_BW"][0]
    cv2.imwrite(str(picture), np.zeros((224, 224), np.uint8))
    np.testing.assert_array_equal(load_frames(table, tmp_path, jobs=1).pixels, expected)


def test_corrupt_files_are_made_again_and_not_used(face_clip, tmp_path):
    table = table_of(a=face_clip)
    expected = load_frames(table, tmp_path, jobs=1).pixels
    arrays = tmp_path / "RAVDESS_frames_face_BW" / "pixels_112.npz"
    content = arrays.read_bytes()
    broken = bytearray(content)
    broken[len(broken) // 2] ^= 0xFF
    for bad in (b"", b"no archive", content[: len(content) // 2], bytes(broken)):
        arrays.write_bytes(bad)
        np.testing.assert_array_equal(load_frames(table, tmp_path, jobs=1).pixels, expected)
        assert arrays.read_bytes()[:2] == b"PK"
    picture = pictures_of(tmp_path, "a")["frames_face_BW"][1]
    for bad in (b"", picture.read_bytes()[:-3000]):
        arrays.unlink()
        picture.write_bytes(bad)
        np.testing.assert_array_equal(load_frames(table, tmp_path, jobs=1).pixels, expected)
        assert cv2.imread(str(picture)).shape == (224, 224, 3)


def test_odd_clips_are_listed_and_the_others_go_on(face_clip, drawn_face, tmp_path):
    frames = np.repeat(drawn_face[np.newaxis], 60, axis=0)
    noise = np.random.default_rng(1).integers(0, 60, frames.shape, np.uint8)  # a long file
    options = {"movflags": "+faststart"}
    whole = write_clip(tmp_path / "whole.mp4", frames // 2 + noise, options=options)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    text = tmp_path / "text.mp4"
    text.write_text("no clip")
    table = table_of(
        a_cut=cut,
        b_text=text,
        c_missing=tmp_path / "missing.mp4",
        d_short=write_clip(tmp_path / "short.mp4", made_frames(21)),
        e_faceless=write_clip(tmp_path / "faceless.mp4", made_frames(30)),
        f_good=face_clip,
    )
    summary = extract_frames(table, tmp_path / "out", 2).set_index("clip_id")
    statuses = ["damaged"] * 3 + ["too short", "no face", "done"]
    assert summary["status"].tolist() == statuses
    assert "picture" in summary.loc["a_cut", "reason"]
    listed = pd.read_csv(problems_path(tmp_path / "out"))
    assert listed["clip_id"].tolist() == table["clip_id"].tolist()[:-1]
    assert (listed["reason"].str.len() > 10).all()
    assert (listed["remedy"].str.len() > 5).all()
    assert not (tmp_path / "out" / "RAVDESS_frames" / "a_cut").exists()
    assert set(load_frames(table, tmp_path / "out", jobs=1).clip_id) == {"f_good"}
    assert set(load_frames(table, tmp_path / "out", "black", 1).clip_id) == {
        "e_faceless",
        "f_good",
    }
    # A later run of one clip leaves the others in the listing.
    extract_frames(table_of(d_short=face_clip), tmp_path / "out", 1)
    assert "d_short" not in pd.read_csv(problems_path(tmp_path / "out"))["clip_id"].tolist()
    assert len(pd.read_csv(problems_path(tmp_path / "out"))) == 4


def test_a_killed_run_goes_on_where_it_stopped(face_clip, tmp_path):
    clips, out = tmp_path / "clips" / "Actor_01", tmp_path / "out"
    clips.mkdir(parents=True)
    for repetition in range(1, 7):
        name = f"01-01-03-01-01-{repetition:02d}-01.mp4"
        (clips / name).write_bytes(face_clip.read_bytes())
    command = [sys.executable, "-m", "emorec.corpora.frame_sets", "RAVDESS", "--jobs", "1"]
    command += ["--clips", str(clips.parent), "--folder", str(out)]
    records = f"RAVDESS_{KINDS[0]}/[!.]*/record.json"  # parts begin with a dot
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as run:
        deadline_s = time.monotonic() + 120
        while not list(out.glob(records)) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        run.kill()
    finished = {path.parent.name for path in out.glob(records)}
    assert 0 < len(finished) < 6
    before = {path: when for path, when in times_of(out).items() if path.parent.name in finished}
    for part in parts_in(out):
        os.utime(part, (0, 0))
    assert main(command[3:]) == 0
    after = times_of(out)
    assert all(after[path] == when for path, when in before.items())
    assert len(after) == 6 * 3 * 3
    assert parts_in(out) == []


def test_a_folder_that_cannot_be_written_is_said_before_any_work(face_clip, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"no frames can be written there .* Remedy"):
        extract_frames(table_of(a=face_clip), tmp_path / "file", 1)


def test_a_full_disk_stops_with_one_line_and_keeps_what_is_finished(face_clip, tmp_path):
    """The limit on the length of a file stands in for the disk: writing fails in the same way."""
    clips, out = tmp_path / "clips" / "Actor_01", tmp_path / "out"
    clips.mkdir(parents=True)
    first = clips / "01-01-03-01-01-01-01.mp4"
    first.write_bytes(face_clip.read_bytes())
    arguments = ["RAVDESS", "--jobs", "1", "--clips", str(clips.parent), "--folder", str(out)]
    assert main(arguments) == 0
    before = times_of(out)
    (clips / "01-01-04-01-01-01-01.mp4").write_bytes(face_clip.read_bytes())
    run = subprocess.run(
        [sys.executable, "-m", "emorec.corpora.frame_sets", *arguments],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert run.returncode == 2
    last = run.stderr.strip().splitlines()[-1]
    assert "frames cannot be written there" in last
    assert "Remedy: make room" in last
    assert times_of(out) == before
    assert parts_in(out) == []


def test_a_table_with_one_clip_twice_is_refused(face_clip, tmp_path):
    table = pd.concat([table_of(a=face_clip)] * 2)
    with pytest.raises(ValueError, match="twice"):
        extract_frames(table, tmp_path, 1)


def test_a_missing_corpus_is_one_line(tmp_path, capsys):
    (tmp_path / "clips").mkdir()
    assert main(["JavaSED", "--clips", str(tmp_path / "clips"), "--folder", str(tmp_path)]) == 2
    assert "JavaSED: it is not at" in capsys.readouterr().err


@pytest.mark.parametrize("turn_deg", [0, 90, 180, -90])
def test_colour_and_grey_are_turned_alike(turn_deg, tmp_path):
    clip = write_clip(tmp_path / "turned.mp4", made_frames(3), turn_deg=turn_deg)
    grey = np.concatenate([batch.frames for batch in read_frames(clip)])
    colour = [frame.pixels[..., 1] for frame in read_colour_frames(clip)]
    assert np.abs(np.stack(colour).astype(int) - grey).mean() < 2


def test_a_narrow_picture_gets_black_borders(tmp_path):
    clip = write_clip(tmp_path / "tall.mp4", np.full((25, 320, 160), 150, np.uint8))
    frames = load_frames(table_of(a=clip), tmp_path, "black", 1)
    assert frames.pixels[:, :, :27].max() == 0
    assert frames.pixels[:, :, 30:82].min() > 130


def test_a_sound_has_no_frames(tmp_path):
    clip = write_clip(
        tmp_path / "sound.wav", sound=np.zeros(9600, np.float32), audio_codec="pcm_s16le"
    )
    with pytest.raises(MediaError, match="no picture"):
        list(read_colour_frames(clip))


def test_real_clips(emorec_data, tmp_path):
    if not (emorec_data / "JavaSED").is_dir():
        pytest.skip("no JavaSED under EMOREC_DATA")
    table = javased.load_video_table(emorec_data / "JavaSED").iloc[::96]
    summary = extract_frames(table, tmp_path, 2, corpus="JavaSED")
    assert (summary["status"] == "done").all()
    assert summary["faces"].sum() >= 0.95 * summary["frames"].sum()
    assert summary["frames"].min() >= 10
    assert len(load_frames(table, tmp_path, corpus="JavaSED")) == summary["faces"].sum()
