"""Every kind of bad input: one row with status, reason and remedy, and the other clips go on."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import made_voice, write_clip
from made_models import make_models, write_network

from emorec.avatar import EXPRESSIONS, Pose, draw_face, make_actor
from emorec.cli import main
from emorec.live.engine import LiveEngine
from emorec.media.reader import read_frames
from emorec.models import MODEL_FOLDERS
from emorec.recognizer import Recognizer
from emorec.report.video import annotate

WIDTH, HEIGHT = 640, 360
STREAMS = ("voice", "face", "geometry")


def face_frames(count: int, actor: int = 4) -> np.ndarray:
    """Frames of a made-up face that opens and shuts its mouth, (count, height, width, 3) RGB."""
    person, smile = make_actor(actor), EXPRESSIONS["happy"]
    poses = [Pose(speech_open=opening) for opening in (0.0, 8.0)]
    drawn = [draw_face(person, smile, pose, (WIDTH, HEIGHT))[..., ::-1] for pose in poses]
    return np.stack([drawn[index // 15 % 2] for index in range(count)])


def blank_frames(count: int) -> np.ndarray:
    return np.full((count, HEIGHT, WIDTH), 128, np.uint8)


def two_faces(count: int) -> np.ndarray:
    """Two faces side by side, the one on the left larger."""
    large, small = face_frames(count, 4), face_frames(count, 7)[:, 50:310, 180:460]
    canvas = np.full((count, HEIGHT, 2 * WIDTH, 3), 120, np.uint8)
    canvas[:, :, :WIDTH] = large
    canvas[:, 50:310, 800:1080] = small
    return canvas


def resized(frames: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.stack([cv2.resize(frame, (width, height)) for frame in frames])


def make_clips(folder: Path) -> Path:
    """Make a folder with one clip of each kind."""
    seconds, face, voice = 1.6, face_frames(40), made_voice(1.6)
    whole = write_clip(folder / "good.mp4", face, voice, options={"movflags": "faststart"})
    content = whole.read_bytes()
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("this is no film\n" * 200)
    (folder / "truncated.mp4").write_bytes(content[: len(content) * 2 // 3])
    (folder / "header_only.mp4").write_bytes(content[:300])
    (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
    (folder / "twin of good.mp4").symlink_to(whole)
    for name in ("ä b ß 笑.mp4", "[brackets].mp4", "two\nlines.mp4", "-dash.mp4"):
        shutil.copy(whole, folder / name)
    write_clip(folder / "sound_only.wav", None, voice, audio_codec="pcm_s16le")
    write_clip(folder / "picture_only.mp4", face, None)
    write_clip(folder / "no_face.mp4", blank_frames(40), voice)
    write_clip(folder / "neither.mp4", blank_frames(10), None)
    write_clip(
        folder / "partly.mp4", np.concatenate([blank_frames(40)[..., None].repeat(3, 3), face])
    )
    random = np.random.default_rng(0)
    write_clip(folder / "random.mp4", random.integers(0, 256, (10, 180, 320), dtype=np.uint8))
    write_clip(folder / "black.mp4", np.zeros((10, 180, 320), np.uint8))
    write_clip(folder / "tiny.mp4", resized(face[:10], 40, 30))
    close = face[:, 20:300, 190:450]
    write_clip(folder / "small_face.mp4", resized(close, 46, 46))
    write_clip(folder / "filling.mp4", resized(close[:, 40:260, 40:220], 360, 360))
    write_clip(folder / "two_faces.mp4", two_faces(40), voice)
    write_clip(folder / "short_sound.wav", None, made_voice(0.2), audio_codec="pcm_s16le")
    write_clip(folder / "one_frame.mp4", face[:1], None)
    write_clip(folder / "silence.mp4", face, 0 * voice)
    write_clip(folder / "silence.wav", None, 0 * voice, audio_codec="pcm_s16le")
    noise = np.random.default_rng(0).normal(0, 0.003, voice.size).astype(np.float32)
    write_clip(folder / "noise.mp4", face, noise)
    write_clip(folder / "noise.wav", None, noise, audio_codec="pcm_s16le")
    clipped = np.clip(10 * voice, -1, 1)
    write_clip(folder / "clipped.wav", None, clipped, audio_codec="pcm_s16le")
    for rate_hz in (8_000, 96_000):
        sound = made_voice(seconds, rate_hz)
        write_clip(
            folder / f"{rate_hz}_hz.wav", None, sound, sample_rate_hz=rate_hz,
            audio_codec="pcm_s16le",
        )  # fmt: skip
    write_clip(folder / "surround.mp4", face, np.stack([voice] * 6), layout="5.1")
    times_s = np.cumsum(np.where(np.arange(40) % 3, 0.02, 0.08)).tolist()
    write_clip(folder / "variable_rate.mp4", face, voice, frame_times_s=times_s)
    write_clip(folder / "turned.mp4", np.rot90(face, axes=(1, 2)), voice, turn_deg=-90)
    write_clip(folder / "4k.mp4", resized(face[12:18], 3840, 2160), voice)
    write_clip(folder / "odd.mp4", resized(face, 641, 361), voice, pixel_format="yuv444p")
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    return make_clips(tmp_path_factory.mktemp("odd clips"))


@pytest.fixture(scope="module")
def outcome(clips, models, tmp_path_factory):
    """Exit code and rows, by name, of one run over everything."""
    table = tmp_path_factory.mktemp("out") / "rows.csv"
    missing, empty_folder = str(clips / "missing.mp4"), clips / "nothing here"
    empty_folder.mkdir()
    names = sorted(str(path) for path in clips.iterdir())
    code = main(["classify", "--models", str(models), "--csv", str(table), missing, *names])
    with table.open(newline="", encoding="utf-8") as file:
        rows = {Path(row["file"]).name: row for row in csv.DictReader(file)}
    return code, rows


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.mp4", "no such file"),
        ("empty.mp4", "empty"),
        ("text.mp4", "no known video or sound format"),
        ("header_only.mp4", ""),
        ("loop.mp4", "leads back to itself"),
        ("nothing here", "no clip in this folder"),
    ],
)
def test_what_cannot_be_read_fails_with_reason_and_remedy(outcome, name, reason):
    row = outcome[1][name]
    assert row["status"] == "failed"
    assert reason in row["reason"]
    assert row["reason"]
    assert row["remedy"]
    assert not row["emotion"]


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("neither.mp4", "no face: the picture is blank"),
        ("random.mp4", "no face: the picture is noise"),
        ("black.mp4", "no face: the picture is black"),
        ("tiny.mp4", "no face: the picture may be too small for one, 40x30 pixels"),
        ("short_sound.wav", "too short"),
        ("silence.wav", "silent"),
        ("noise.wav", "there is sound, and no speech in it"),
    ],
)
def test_without_voice_and_face_there_is_no_verdict(outcome, name, note):
    row = outcome[1][name]
    assert row["status"] == "no verdict"
    assert "neither a voice nor a face" in row["reason"]
    assert row["remedy"]
    assert note in row["notes"]
    assert not any(row[stream] for stream in STREAMS)


@pytest.mark.parametrize(
    ("name", "streams", "note"),
    [
        ("good.mp4", STREAMS, ""),
        ("truncated.mp4", STREAMS, "ends early"),
        ("sound_only.wav", ("voice",), "no picture"),
        ("picture_only.mp4", ("face", "geometry"), "no sound"),
        ("no_face.mp4", ("voice",), "no face"),
        ("partly.mp4", ("face", "geometry"), "no face from 0.0 to"),
        ("two_faces.mp4", STREAMS, "2 faces"),
        ("small_face.mp4", ("face", "geometry"), "the face is small, 32 pixels wide"),
        ("filling.mp4", ("face", "geometry"), ""),
        ("one_frame.mp4", ("face",), "the face does not move: no geometry"),
        ("silence.mp4", ("face", "geometry"), "silent"),
        ("noise.mp4", ("face", "geometry"), "there is sound, and no speech in it"),
        ("clipped.wav", ("voice",), "clipped"),
        ("8000_hz.wav", ("voice",), "no picture"),
        ("96000_hz.wav", ("voice",), "no picture"),
        ("surround.mp4", STREAMS, ""),
        ("variable_rate.mp4", STREAMS, ""),
        ("turned.mp4", STREAMS, ""),
        ("4k.mp4", STREAMS, ""),
        ("odd.mp4", STREAMS, ""),
        ("ä b ß 笑.mp4", STREAMS, ""),
        ("[brackets].mp4", STREAMS, ""),
        # In a cell a line's end is escaped.
        (r"two\nlines.mp4", STREAMS, ""),
        ("-dash.mp4", STREAMS, ""),
    ],
)
def test_odd_clips_are_judged_by_what_they_have(outcome, name, streams, note):
    row = outcome[1][name]
    assert row["status"] == "ok"
    assert row["emotion"]
    assert {stream for stream in STREAMS if row[stream]} == set(streams)
    assert note in row["notes"]
    assert not row["reason"]
    assert sum(float(value) for key, value in row.items() if key.startswith("p_")) == (
        pytest.approx(1, abs=1e-3)
    )


def test_quiet_noise_beside_a_silent_face_leaves_the_verdict_as_it_is(outcome):
    alone, beside_noise = outcome[1]["picture_only.mp4"], outcome[1]["noise.mp4"]
    for key in (key for key in alone if key.startswith("p_")):
        assert float(beside_noise[key]) == pytest.approx(float(alone[key]), abs=1e-5)


@pytest.mark.parametrize("name", ["random.mp4", "black.mp4", "tiny.mp4", "neither.mp4"])
def test_where_there_is_no_verdict_no_video_is_made_and_live_says_why(
    clips, models, outcome, tmp_path, name
):
    recognizer = Recognizer.load(models)
    out = tmp_path / "out.mp4"
    assert annotate(clips / name, out, recognizer).emotion is None
    assert not out.exists()
    lack = next(n for n in outcome[1][name]["notes"].split("; ") if n.startswith("no face"))
    with LiveEngine(recognizer) as engine:
        for batch in read_frames(clips / name):
            for time_s, frame in zip(batch.times_s.tolist(), batch.frames, strict=True):
                engine.push_frame(frame, time_s)
                assert engine.drain()
        assert lack in engine.notes


def test_some_clips_without_a_verdict_make_exit_code_1(outcome):
    assert outcome[0] == 1


def test_two_names_of_one_file_give_one_row(outcome):
    rows = outcome[1]
    assert "good.mp4" in rows
    assert "twin of good.mp4" not in rows


@contextmanager
def ordinary_user():
    """Lay down the rights of root for a while, who may read everything."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_a_clip_that_may_not_be_read(clips, models):
    recognizer = Recognizer.load(models)
    # Not in pytest's own folder, which other users may not enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        locked, good = Path(folder, "locked.mp4"), Path(folder, "good.mp4")
        for path in (locked, good):
            shutil.copy(clips / "good.mp4", path)
        locked.chmod(0)
        with ordinary_user():
            first, second = recognizer.classify_many([locked, good])
    assert first.status == "failed"
    assert "not allowed to read" in first.reason
    assert first.remedy
    assert second.status == "ok"


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--csv", "no folder/rows.csv"),
        ("--json", "no folder/rows.json"),
        ("--csv", "folder"),
        ("--timeline", "file"),
        ("--plots", "file/deeper"),
        ("--csv", "clip.wav"),
    ],
)
def test_an_output_that_cannot_be_written_is_said_before_any_work(
    clips, models, tmp_path, capfd, option, name
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("something else")
    clip = Path(shutil.copy(clips / "sound_only.wav", tmp_path / "clip.wav"))
    content = clip.read_bytes()
    output = tmp_path / name
    code = main(["classify", "--models", str(models), str(clip), option, str(output)])
    said = capfd.readouterr()
    assert code == 2
    assert output.name in said.err
    assert "Remedy" in said.err
    assert not said.out
    assert clip.read_bytes() == content
    assert (tmp_path / "file").read_text() == "something else"


def break_model(folder: Path, kind: str) -> Path:
    """Spoil one file of a models' folder and return it."""
    network = folder / MODEL_FOLDERS["voice"] / "model.onnx"
    spec = folder / MODEL_FOLDERS["geometry"] / "model.json"
    fusion = folder / "fusion" / "fusion.json"
    if kind == "missing":
        network.unlink()
        return network
    if kind == "broken":
        network.write_bytes(network.read_bytes()[:1000])
        return network
    if kind == "foreign":
        network.write_text("this is a poem")
        return network
    if kind == "other classes":
        write_network(network, (96, 188, 1), 5)
        return network
    if kind == "other input":
        write_network(network, (40, 100), 8)
        return network.parent
    if kind == "no description":
        spec.unlink()
        return spec
    if kind == "strange description":
        spec.write_text('["a", "b"]')
        return spec
    fusion.write_text("{}")
    return fusion


@pytest.mark.parametrize(
    "kind",
    [
        "missing",
        "broken",
        "foreign",
        "other classes",
        "other input",
        "no description",
        "strange description",
        "strange fusion",
    ],
)
def test_a_bad_model_file_is_named_with_a_remedy(clips, tmp_path, capfd, kind):
    folder = make_models(tmp_path / "models")
    blamed = break_model(folder, kind)
    code = main(["classify", "--models", str(folder), str(clips / "good.mp4")])
    said = capfd.readouterr()
    assert code == 2
    assert str(blamed) in said.err
    assert "Remedy" in said.err
    assert not said.out


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_the_finished_rows(clips, models, tmp_path, jobs):
    table = tmp_path / "rows.csv"
    for index in range(200):
        shutil.copy(clips / "good.mp4", tmp_path / f"{index:03d}.mp4")
    command = [sys.executable, "-m", "emorec", "classify", str(tmp_path), "--csv", str(table)]
    command += ["--models", str(models), "--jobs", str(jobs)]
    # A group of its own, for a terminal sends Ctrl-C to the workers as well.
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not table.exists() or table.read_text().count("\n") < 3:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert process.returncode == 130
    assert 2 <= len(rows) < 200
    assert all(row["emotion"] for row in rows)
    assert f"{len(rows)} clips are finished" in said
    assert f"{200 - len(rows)} are left" in said
    assert "Traceback" not in said
