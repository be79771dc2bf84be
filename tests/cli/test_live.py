"""`emorec live` and its sources: files, cameras and microphones that come, go and come back."""

import csv
import io
import signal
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest
from helpers import PATIENCE_S, made_frames, made_voice, wait_for, write_clip
from rich.console import Console

from emorec.cli import main
from emorec.emotions import COMMON7
from emorec.errors import MediaError, OutputError
from emorec.live import sources
from emorec.live import view as view_live
from emorec.live.engine import LiveCounts, LiveVerdict
from emorec.live.recorder import Recorder
from emorec.live.sources import CameraSource, FileSource, MicrophoneSource, in_order
from emorec.live.view import PictureWindow, TerminalView, draw, has_window, panel
from emorec.media.grey import FrameBatch
from emorec.media.reader import ClipReader, read_sound
from emorec.media.sound import SoundBlock
from emorec.paths import REPOSITORY
from emorec.style import EMOTION_COLORS


def test_a_files_pieces_come_in_the_order_in_which_they_are_due(example):
    reader = ClipReader(example, sample_rate_hz=16_000)
    due = list(in_order(reader, True, True, 16_000))
    times_s = [due_s for due_s, _ in due]
    assert times_s == sorted(times_s)
    assert {len(p.frames) for _, p in due if isinstance(p, FrameBatch)} == {1}
    sound = np.concatenate([p.samples for _, p in due if isinstance(p, SoundBlock)])
    np.testing.assert_array_equal(sound, read_sound(example, 16_000))


@pytest.mark.parametrize(("frames", "sound_s"), [(None, 0.6), (15, None), (30, 0.2)])
def test_files_with_little_or_one_kind_are_played_to_the_end(engine, tmp_path, frames, sound_s):
    pictures = None if frames is None else made_frames(frames)
    sound = None if sound_s is None else made_voice(sound_s)
    path = write_clip(tmp_path / "clip.mkv", pictures, sound)
    with FileSource(engine, path) as source:
        wait_for(lambda: source.has_ended)
        assert engine.drain(PATIENCE_S)
    counts = engine.counts
    assert counts.taken + counts.dropped == (frames or 0)
    assert counts.sound_taken_s == pytest.approx(sound_s or 0, abs=0.1)


def test_a_looped_file_goes_on_in_time(engine, tmp_path):
    path = write_clip(tmp_path / "clip.mkv", made_frames(10), made_voice(0.4))
    with FileSource(engine, path, times=3) as source:
        wait_for(lambda: source.has_ended)
        assert engine.drain(PATIENCE_S)
    assert engine.verdict().time_s == pytest.approx(1.2, abs=0.15)
    counts = engine.counts
    assert counts.taken + counts.dropped == 30


def test_an_unknown_file_is_refused_at_once(engine, tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        FileSource(engine, tmp_path / "nothing.mp4")


def test_a_camera_that_is_unplugged_is_said_and_comes_back(engine, example, monkeypatch):
    """OpenCV reads a clip here: it ends, as a camera does that is unplugged."""
    opened = []
    real = cv2.VideoCapture

    def open_capture(number):
        opened.append(number)
        return real(str(example) if len(opened) != 2 else "there is no such file")

    monkeypatch.setattr(sources.cv2, "VideoCapture", open_capture)
    monkeypatch.setattr(sources, "RETRY_S", 0.2)
    problems = []
    with CameraSource(engine, 7) as camera:
        assert camera.wait_until_tried(PATIENCE_S)
        assert camera.problem is None
        while len(opened) < 4:
            if camera.problem and camera.problem not in problems:
                problems.append(camera.problem)
                assert camera.problem in engine.notes
            time.sleep(0.005)
        wait_for(lambda: camera.problem is None)
    assert problems[0].startswith("camera 7: it stopped. Remedy: plug it in again")
    assert "there is no such camera" in problems[1]
    assert opened == [7] * len(opened)
    assert engine.counts.taken > 0


def test_an_absent_camera_is_a_clear_line(engine):
    with CameraSource(engine, 97) as camera:
        assert camera.wait_until_tried(PATIENCE_S)
        assert camera.problem.startswith("camera 97: there is no such camera")


class FakeSound:
    """Stands in for sounddevice, since no test machine has a microphone."""

    class PortAudioError(Exception):
        pass

    def __init__(self):
        self.is_there = True
        self.callback = None

    def query_devices(self, device, kind):
        if not self.is_there:
            raise ValueError("No input device matching")
        return {"index": 3, "default_samplerate": 44_100.0, "max_input_channels": 2}

    def InputStream(self, callback, **_):  # noqa: N802
        self.callback = callback
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.callback = None

    def _terminate(self):
        pass

    _initialize = _terminate


def test_a_microphone_is_heard_lost_and_heard_again(engine, monkeypatch):
    sound = FakeSound()
    monkeypatch.setitem(sys.modules, "sounddevice", sound)
    monkeypatch.setattr(sources, "RETRY_S", 0.1)
    monkeypatch.setattr(sources, "_LONGEST_PAUSE_S", 0.5)
    stereo = np.repeat(made_voice(0.5, 44_100)[:, np.newaxis], 2, axis=1)

    def speak() -> None:
        callback = sound.callback
        if callback:
            callback(stereo[:22_050], 22_050, None, None)
        time.sleep(0.01)

    with MicrophoneSource(engine, "USB") as microphone:
        wait_for(lambda: speak() or engine.verdict() is not None)
        assert microphone.problem is None
        sound.is_there = False
        wait_for(lambda: microphone.problem is not None and "none was found" in microphone.problem)
        sound.is_there = True
        wait_for(lambda: speak() or microphone.problem is None)
    assert "voice" in engine.summary().probabilities


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            ImportError("no module"),
            "sounddevice is not installed. Remedy: pip install 'emorec[live]'.",
        ),
        (OSError("PortAudio library not found"), "the PortAudio library is missing. Remedy:"),
    ],
)
def test_a_missing_library_is_a_clear_line(engine, monkeypatch, error, line):
    import builtins

    real = builtins.__import__

    def absent(name, *rest, **more):
        if name == "sounddevice":
            raise error
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with MicrophoneSource(engine) as microphone:
        assert microphone.wait_until_tried(PATIENCE_S)
        assert line in microphone.problem


def test_a_record_is_whole_after_every_moment(tmp_path):
    path = tmp_path / "timeline.csv"
    happy = np.eye(7, dtype=np.float32)[3]
    with Recorder(path) as recorder:
        for time_s in (0.5, 0.5, 0.6):
            recorder.add(LiveVerdict(time_s, {"voice": happy, "fused": happy}))
            assert path.read_text().endswith("\n")
        recorder.add(LiveVerdict(0.7, {}))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["time_s"], row["stream"]) for row in rows] == [
        ("0.500", "voice"),
        ("0.500", "fused"),
        ("0.600", "voice"),
        ("0.600", "fused"),
    ]
    assert rows[0]["happy"] == "1.0000"
    with pytest.raises(OutputError, match="cannot be written"):
        Recorder(tmp_path / "no folder" / "timeline.csv")


def test_the_command_plays_an_avatar_and_records_it(example, recognizer, tmp_path, capfd):
    record = tmp_path / "timeline.csv"
    models = recognizer.origin[0]
    command = ["live", "--file", str(example), "--models", models, "--record", str(record)]
    before = threading.active_count()
    assert main(command) == 0
    assert threading.active_count() == before
    printed = capfd.readouterr()
    lines = printed.out.splitlines()
    assert any("made up: drawn face, computed voice" in line for line in lines)
    assert lines[-2].startswith("in all: ")
    assert "frames taken" in lines[-1]
    with record.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["stream"] for row in rows} >= {"voice", "face", "fused"}
    times_s = [float(row["time_s"]) for row in rows]
    assert times_s == sorted(times_s)
    assert sum(float(rows[0][name]) for name in COMMON7) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_a_summary_and_a_whole_record(example, recognizer, tmp_path, ending):
    record = tmp_path / "timeline.csv"
    command = [sys.executable, "-m", "emorec", "live", "--file", example, "--loop"]
    command += ["--models", recognizer.origin[0], "--record", record]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: record.exists() and record.read_text().count("fused") >= 3)
        process.send_signal(ending)
        printed, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 0
    assert printed.splitlines()[-2].startswith("in all: ")
    with record.open(newline="") as file:
        assert all(len(row) == 9 for row in csv.reader(file))
    assert record.read_text().endswith("\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--file", "nothing.mp4"], "there is no such file"),
        (["--camera", "97", "--no-microphone"], "camera 97: there is no such camera"),
        (["--file", "README.md", "--record", "README.md"], "it is the clip"),
    ],
)
def test_what_cannot_be_opened_is_a_clear_line(
    arguments, line, recognizer, capfd, monkeypatch, request
):
    monkeypatch.chdir(REPOSITORY)
    assert main(["live", *arguments, "--models", recognizer.origin[0]]) == 2
    printed = capfd.readouterr()
    assert line in printed.err
    assert "Traceback" not in printed.err
    assert "# Reading emotion" in (REPOSITORY / "README.md").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--camera", "-1"],
        ["--camera", "front"],
        ["--loop"],
        ["--file", "a.mp4", "--camera", "1"],
        ["--file", "a.mp4", "--microphone", "USB"],
        ["--no-camera", "--no-microphone"],
        ["--microphone", "a", "--no-microphone"],
    ],
)
def test_wrong_usage_of_live_is_exit_code_2(arguments, capfd):
    with pytest.raises(SystemExit) as stopped:
        main(["live", *arguments])
    assert stopped.value.code == 2
    assert "usage: emorec live" in capfd.readouterr().err


def test_help_on_live_shows_examples(capfd):
    with pytest.raises(SystemExit) as stopped:
        main(["live", "--help"])
    shown = capfd.readouterr().out
    assert stopped.value.code == 0
    assert "emorec live --file clip.mp4 --record timeline.csv" in shown
    assert "exit status" in shown


HAPPY = np.array([0.02, 0.01, 0.03, 0.9, 0.02, 0.01, 0.01], np.float32)
MOMENT = LiveVerdict(12.3, {"voice": HAPPY, "fused": HAPPY}, (20, 30, 40), ["no picture"], 0.012)
COUNTS = LiveCounts(300, 7, 10.0, 0.0, 400, 0.01, 0.03)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_terminal_view_fits_its_terminal(width):
    console = Console(width=width, file=io.StringIO())
    console.print(panel(MOMENT, COUNTS, 29.7, width))
    text = console.file.getvalue()
    assert all(len(line) <= width for line in text.splitlines())
    if width >= 80:
        assert "12.3 s" in text
        assert "happy   90 %" in text
        assert "30 frames a second · 7 dropped · 12 ms from frame to verdict" in text
        assert "no picture" in text
        assert text.count("–") == 2 * len(COMMON7)  # face and geometry are absent
        for emotion in COMMON7:
            assert emotion in text
    console.print(panel(None, COUNTS, 0.0, width))
    assert "waiting for picture and sound" in console.file.getvalue()


def test_the_terminal_view_moves_and_leaves_nothing_behind(engine):
    console = Console(width=80, file=io.StringIO(), force_terminal=True)
    with TerminalView(console) as view:
        view.show(engine)
        engine.push_sound(made_voice(1.0, 16_000), 16_000, 0.0)
        wait_for(lambda: engine.verdict() is not None)
        view.show(engine)
    assert "All together" in console.file.getvalue()


def test_the_window_shows_the_face_and_the_verdict():
    frame = np.full((120, 160), 90, np.uint8)
    picture = draw(frame, MOMENT)
    assert picture.shape == (120, 160, 3)
    yellow = tuple(int(EMOTION_COLORS["happy"][i : i + 2], 16) for i in (5, 3, 1))
    assert tuple(picture[30, 40]) == yellow
    assert tuple(picture[50, 40]) == (90, 90, 90)
    assert (draw(frame, LiveVerdict(0.0, {})) != picture).any()


@pytest.mark.parametrize(("gui", "screen", "there"), [("QT5", ":0", True), ("NONE", ":0", False)])
def test_a_window_is_shown_where_opencv_has_one(engine, monkeypatch, gui, screen, there):
    """No test machine has a screen: that OpenCV draws on it is taken for granted."""
    monkeypatch.setenv("DISPLAY", screen)
    monkeypatch.setattr(view_live.cv2, "getBuildInformation", lambda: f"  GUI:      {gui}\n")
    assert has_window() == there
    shown = []
    for name in ("namedWindow", "destroyWindow", "waitKey"):
        monkeypatch.setattr(view_live.cv2, name, lambda *_: None, raising=False)
    monkeypatch.setattr(view_live.cv2, "imshow", lambda _, picture: shown.append(picture))
    engine.push_frame(made_frames(1)[0], 0.0)
    wait_for(lambda: engine.verdict() is not None)
    with PictureWindow() as window:
        window.show(engine)
    assert [picture.shape for picture in shown] == [(120, 160, 3)]
