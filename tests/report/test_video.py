"""The annotated video: the same pictures, times and sound as the clip, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from helpers import made_frames, made_voice, write_clip

from emorec import MediaError
from emorec.cli import main
from emorec.errors import OutputError
from emorec.faces.track import FaceTrack, FaceTrackRecorder
from emorec.faces.tracker import FaceTracker
from emorec.media.colour import ColourPicture, ColourSpace
from emorec.media.grey import FrameBatch
from emorec.media.reader import ClipReader, probe, read_frames
from emorec.media.view import View
from emorec.report.overlay_layout import layout_for
from emorec.report.video import annotate, output_path, write_annotated
from emorec.streams.windows import posteriors_at

UNEVEN_S = [0.0, 0.033, 0.1, 0.134, 0.3, 0.5, 0.533, 0.9, 1.2, 1.24]
FRAME_S = 0.04


def clip_of(path: Path, seconds: float = 1.2, width: int = 320, height: int = 180, **options):
    """A clip of brightening frames, 25 a second, and a tone."""
    frames = made_frames(round(seconds * 25), height, width)
    return write_clip(path, frames, made_voice(seconds), **options)


def packets_of(path: Path) -> list[bytes]:
    """The sound as it is stored."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def times_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times of all frames, and of the first and last bit of sound, as the recogniser sees them."""
    reader = ClipReader(path)
    times_s, sound_s = [], []
    for piece in reader:
        if isinstance(piece, FrameBatch):
            times_s.extend(piece.times_s)
        else:
            end_s = piece.start_s + piece.samples.size / 48_000
            sound_s.extend([piece.start_s, end_s])
    return np.array(times_s), np.array([min(sound_s), max(sound_s)] if sound_s else [])


def first_grey(path: Path) -> np.ndarray:
    pieces = ClipReader(path, max_side_px=9999)
    batch = next(piece for piece in pieces if isinstance(piece, FrameBatch))
    return batch.frames[0].astype(int)


CLIPS = {
    "plain.mp4": {},
    "uneven.mp4": {"frame_times_s": UNEVEN_S},
    "uneven.mkv": {"frame_times_s": UNEVEN_S},
    "broadcast.ts": {"video_codec": "mpeg2video", "audio_codec": "mp2"},
    "old.avi": {"video_codec": "mpeg4", "audio_codec": "mp3"},
    "browser.webm": {"video_codec": "libvpx", "audio_codec": "libopus"},
    "lossless.mkv": {"video_codec": "ffv1", "audio_codec": "flac"},
    "turned.mp4": {"turn_deg": 90},
    "phone.mov": {"turn_deg": -90},
}


@pytest.mark.parametrize("name", CLIPS)
def test_times_and_sound_are_the_clips_own(recognizer, tmp_path, name):
    options = CLIPS[name]
    if "frame_times_s" in options:
        frames = made_frames(len(UNEVEN_S), 180, 320)
        clip = write_clip(tmp_path / name, frames, made_voice(1.3), **options)
    else:
        clip = clip_of(tmp_path / name, **options)
    out = tmp_path / "out.mp4"
    annotate(clip, out, recognizer)
    frames_s, sound_s = times_of(clip)
    new_frames_s, new_sound_s = times_of(out)
    np.testing.assert_allclose(new_frames_s, frames_s, atol=0.0011)
    np.testing.assert_allclose(new_sound_s, sound_s, atol=0.025)
    before, after = probe(clip), probe(out)
    assert after.duration_s == pytest.approx(before.duration_s, abs=FRAME_S)
    if "frame_times_s" not in options:
        assert after.frame_rate_hz == pytest.approx(before.frame_rate_hz, rel=0.05)
    assert packets_of(out) == packets_of(clip)


@pytest.mark.parametrize("side", ["bars", "strip"])
@pytest.mark.parametrize(
    ("width", "height", "options"),
    [
        (321, 179, {"pixel_format": "yuv444p"}),
        (180, 320, {}),
        (320, 180, {"turn_deg": 90}),
        (64, 48, {}),
        (640, 360, {}),
        (1920, 1080, {}),
    ],
)
def test_the_picture_keeps_its_size(recognizer, tmp_path, width, height, options, side):
    clip = clip_of(tmp_path / "clip.mp4", 0.4, width, height, **options)
    annotate(clip, tmp_path / "out.mp4", recognizer, side)
    before, after = first_grey(clip), first_grey(tmp_path / "out.mp4")
    assert not any(length % 2 for length in after.shape)
    rows, columns = before.shape
    layout = layout_for(side, columns, rows)
    x, y, x1, y1 = layout.picture
    assert (x1 - x, y1 - y) == (columns, rows)
    assert after.shape == (layout.height, layout.width)
    assert np.abs(after[y:y1, x:x1] - before).mean() < 2
    if side == "bars" and rows >= 360:
        assert after.shape[0] == rows  # only the width grows


def first_rgb(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("usual.mp4", {}),
        ("fine.mkv", {"video_codec": "ffv1", "pixel_format": "yuv444p10le"}),
        ("colours.mkv", {"video_codec": "ffv1", "pixel_format": "bgr0"}),
        ("full.avi", {"video_codec": "mjpeg", "pixel_format": "yuvj420p"}),
        ("wide.avi", {"video_codec": "mjpeg", "pixel_format": "yuvj422p"}),
        ("grey.mkv", {"video_codec": "ffv1", "pixel_format": "gray"}),
    ],
)
def test_colours_stay(recognizer, tmp_path, name, options):
    picture = np.zeros((180, 320, 3), np.uint8)
    for i, color in enumerate([(255, 255, 255), (220, 30, 30), (30, 160, 60), (40, 60, 200)]):
        picture[:, 80 * i : 80 * (i + 1)] = color
    clip = write_clip(tmp_path / name, np.stack([picture] * 10), made_voice(0.5), **options)
    annotate(clip, tmp_path / "out.mkv", recognizer)
    area = layout_for("bars", 320, 180).picture
    before = first_rgb(clip)
    after = first_rgb(tmp_path / "out.mkv")[area.y0 : area.y1, area.x0 : area.x1]
    for column in (40, 120, 200, 280):
        np.testing.assert_allclose(after[90, column], before[90, column], atol=6)


def test_wide_pixels_are_made_square(tmp_path):
    with av.open(str(clip_of(tmp_path / "clip.mp4", 0.1))) as container:
        frame = next(container.decode(video=0))
    view = View(16 / 11)
    picture = ColourPicture(frame, view)
    assert (picture.width, picture.height) == (465, 180)
    assert picture.planes(frame, view).luma.shape == (180, 465)


def test_where_no_face_was_seen_there_is_no_box():
    boxes = np.array([[0.1, 0.1, 0.2, 0.2], [0.2, 0.1, 0.2, 0.2], [np.nan] * 4], np.float32)
    track = FaceTrack(np.array([0.0, 0.1, 0.2]), boxes)
    np.testing.assert_allclose(track.at(0.05), [0.15, 0.1, 0.2, 0.2], rtol=1e-5)
    assert track.at(0.2) is None
    assert track.at(0.16) is None
    np.testing.assert_allclose(track.at(0.12), boxes[1])
    assert FaceTrack(np.zeros(0), np.zeros((0, 4))).at(0.0) is None


def test_the_drawn_box_jumps_less_and_keeps_its_gaps():
    boxes = np.full((12, 4), 0.3, np.float32)
    boxes[4:, 2] = 0.4
    boxes[8] = np.nan
    track = FaceTrack(np.arange(12) / 15, boxes)
    smooth = track.smoothed().boxes
    assert np.isnan(smooth[8]).all()
    assert np.isfinite(np.delete(smooth, 8, 0)).all()
    steps = np.abs(np.diff(smooth[:8, 2]))
    assert steps.max() < 0.04
    np.testing.assert_allclose(smooth[[0, 11], 2], [0.3, 0.4], atol=1e-6)
    empty = FaceTrack(np.zeros(0), np.zeros((0, 4), np.float32)).smoothed()
    assert empty.boxes.shape == (0, 4)


def test_the_drawn_box_does_not_glide_over_a_cut():
    recorder = FaceTrackRecorder()
    for number in range(12):
        box = np.array([10, 10, 20, 20] if number < 6 else [70, 30, 40, 40])
        recorder.add(number / 15, box, (100, 100), is_anew=number == 6)
    track = recorder.finish()
    smooth = track.smoothed()
    np.testing.assert_allclose(smooth.boxes, track.boxes)
    for time_s in np.arange(0, 11 / 15, 0.01):
        assert np.isclose(smooth.at(time_s)[0], track.boxes[[0, 6], 0]).any()


@pytest.mark.parametrize("side", ["bars", "strip"])
@pytest.mark.parametrize(("width", "height"), [(64, 48), (640, 360), (720, 1280), (1920, 1080)])
def test_nothing_overlaps_and_nothing_is_cut_off(side, width, height):
    layout = layout_for(side, width, height)
    table = [layout.verdict, *(bar for bars in layout.bars.values() for bar in bars)]
    areas = [layout.picture, *table, *layout.strips.values()]
    for area in areas:
        assert 0 <= area.x0 < area.x1 <= layout.width
        assert 0 <= area.y0 < area.y1 <= layout.height
    for i, one in enumerate(areas):
        for other in areas[i + 1 :]:
            apart = one.x1 <= other.x0 or other.x1 <= one.x0
            assert apart or one.y1 <= other.y0 or other.y1 <= one.y0
    assert layout.notes.y1 <= layout.height
    assert layout.text_px >= 12


def test_bars_show_what_the_streams_say_and_the_playhead_moves(recognizer, example, tmp_path):
    result = recognizer.classify(example)
    out = write_annotated(result, tmp_path / "out.mp4")
    layout = layout_for("bars", 1280, 720)
    frames = [
        f for p in ClipReader(out, max_side_px=9999) if isinstance(p, FrameBatch) for f in p.frames
    ]
    times_s, _ = times_of(out)
    grounds = frames[0][0, -1]
    strip = layout.strips["geometry"]
    row = strip.y1 + 1  # only the playhead reaches below the strips
    heads = [int(frame[row, strip.x0 - 2 : strip.x1 + 2].argmax()) for frame in frames]
    assert heads == sorted(heads)
    assert heads[0] < 8
    assert heads[-1] > 0.95 * (strip.x1 - strip.x0)
    middle = len(frames) // 2
    posterior = posteriors_at(result.windows["fused"], times_s[[middle]])[0]
    for bar, probability in zip(layout.bars["fused"], posterior, strict=True):
        line = frames[middle][(bar.y0 + bar.y1) // 2, bar.x0 : bar.x1]
        track = int(ColourSpace().yuv("#2b2f36")[0])
        filled = int((line > (track - 16) * 255 / 219 + 12).sum())
        assert filled == pytest.approx(probability * (bar.x1 - bar.x0), abs=4)
    assert grounds < 60


def test_the_face_box_is_the_trackers_own(recognizer, example):
    result = recognizer.classify(example)
    track = result.face_track
    assert track.boxes.shape == (len(track.times_s), 4)
    assert np.isfinite(track.boxes).all()
    tracker, boxes = FaceTracker(), []
    for batch in read_frames(example):
        for time_s, frame in zip(batch.times_s, batch.frames, strict=True):
            if time_s in track.times_s:
                box = tracker.update(time_s, frame).box
                boxes.append(box / np.tile(frame.shape[::-1], 2))
    np.testing.assert_allclose(track.boxes, boxes, atol=1e-5)
    assert track.at(result.duration_s + 5) is None


@pytest.mark.parametrize("side", ["bars", "strip"])
def test_sound_alone_gets_a_canvas_of_its_length(recognizer, tmp_path, side):
    clip = write_clip(tmp_path / "song.wav", None, made_voice(1.5), audio_codec="pcm_s16le")
    result = annotate(clip, tmp_path / "out.mkv", recognizer, side)
    assert "no picture" in result.notes
    assert probe(tmp_path / "out.mkv").duration_s == pytest.approx(1.5, abs=FRAME_S)
    times_s, sound_s = times_of(tmp_path / "out.mkv")
    assert len(times_s) == 38
    np.testing.assert_allclose(sound_s, [0, 1.5], atol=0.01)
    assert packets_of(tmp_path / "out.mkv") == packets_of(clip)


def test_a_face_without_sound_gets_a_silent_video(recognizer, example, tmp_path):
    silent = tmp_path / "silent.mp4"
    frames = np.concatenate([batch.frames.copy() for batch in read_frames(example)])
    write_clip(silent, frames[:40, ::2, ::2], frame_rate_hz=30)
    result = annotate(silent, tmp_path / "out.mp4", recognizer)
    assert "no sound" in result.notes
    assert not probe(tmp_path / "out.mp4").has_sound
    assert len(times_of(tmp_path / "out.mp4")[0]) == 40


def test_without_voice_and_face_no_video_is_written(recognizer, tmp_path):
    clip = write_clip(tmp_path / "empty.mp4", made_frames(25))
    assert annotate(clip, tmp_path / "out.mp4", recognizer).emotion is None
    assert [path.name for path in tmp_path.iterdir()] == ["empty.mp4"]


def test_late_sound_stays_late(recognizer, tmp_path):
    """The sound begins half a second after the picture, and the file's clock at seven."""
    late = tmp_path / "late.ts"
    plain = clip_of(tmp_path / "plain.mkv", 2.0, video_codec="mpeg2video", audio_codec="mp2")
    with av.open(str(plain)) as source, av.open(str(late), "w") as target:
        streams = [target.add_stream_from_template(stream) for stream in source.streams]
        for packet in source.demux():
            if packet.dts is not None:
                offset = 7.5 if packet.stream.type == "audio" else 7.0
                packet.pts += round(offset / packet.time_base)
                packet.dts += round(offset / packet.time_base)
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    annotate(late, tmp_path / "out.mp4", recognizer)
    (frames_s, sound_s), (new_frames_s, new_sound_s) = (
        times_of(late),
        times_of(tmp_path / "out.mp4"),
    )
    assert sound_s[0] - frames_s[0] > 0.4
    np.testing.assert_allclose(new_frames_s, frames_s, atol=0.0011)
    np.testing.assert_allclose(new_sound_s, sound_s, atol=0.025)


def test_a_clip_cut_off_gets_a_video_of_what_is_there(recognizer, tmp_path):
    whole = clip_of(tmp_path / "whole.ts", 2.0, video_codec="mpeg2video", audio_codec="mp2")
    broken = tmp_path / "broken.ts"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    annotate(broken, tmp_path / "out.mp4", recognizer)
    np.testing.assert_allclose(times_of(tmp_path / "out.mp4")[0], times_of(broken)[0], atol=0.0011)


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("clip.mp4", "it is the clip itself"),
        ("link.mp4", "it is the clip itself"),
        ("nowhere/out.mp4", "make the folder"),
        ("out.txt", "end it in .mp4"),
        ("out", "end it in .mp4"),
    ],
)
def test_an_output_that_cannot_be_is_refused_in_words(tmp_path, out, says):
    clip = clip_of(tmp_path / "clip.mp4", 0.2)
    (tmp_path / "link.mp4").hardlink_to(clip)
    before = clip.read_bytes()
    with pytest.raises(OutputError, match=says):
        output_path(clip, tmp_path / out)
    assert clip.read_bytes() == before


def test_sound_that_mp4_cannot_hold_asks_for_another_container(recognizer, tmp_path):
    clip = clip_of(tmp_path / "old.avi", video_codec="mpeg4", audio_codec="pcm_mulaw")
    with pytest.raises(OutputError, match=r"pcm_mulaw.*does not fit into .mp4.*name it out.mov"):
        annotate(clip, tmp_path / "out.mp4", recognizer)
    annotate(clip, tmp_path, recognizer)
    assert packets_of(tmp_path / "old_annotated.mov") == packets_of(clip)


def test_an_unknown_side_is_refused(tmp_path):
    with pytest.raises(ValueError, match="choose from bars, strip"):
        output_path(clip_of(tmp_path / "clip.mp4", 0.2), tmp_path / "out.mp4", "left")


def test_the_command_says_what_it_did(models, tmp_path, capsys):
    clip = clip_of(tmp_path / "a clip.mp4", 0.5)
    assert main(["annotate", str(clip), "-o", str(tmp_path), "--models", str(models)]) == 0
    assert "a clip_annotated.mp4" in capsys.readouterr().out
    made = probe(tmp_path / "a clip_annotated.mp4")
    assert (made.video_codec, made.audio_codec) == ("h264", "aac")


@pytest.mark.parametrize(("content", "says"), [(b"", "empty"), (b"no clip at all" * 50, "a text")])
def test_a_broken_clip_gets_a_line(models, tmp_path, capsys, content, says):
    clip = tmp_path / "broken.mp4"
    clip.write_bytes(content)
    out = tmp_path / "out.mp4"
    assert main(["annotate", str(clip), "-o", str(out), "--models", str(models)]) == 1
    assert says in capsys.readouterr().out
    assert not out.exists()


def test_an_impossible_output_is_wrong_usage(models, tmp_path, capsys):
    clip = clip_of(tmp_path / "clip.mp4", 0.2)
    assert main(["annotate", str(clip), "-o", str(clip), "--models", str(models)]) == 2
    assert "it is the clip itself" in capsys.readouterr().err


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_end_leaves_nothing_and_keeps_what_was_there(models, tmp_path, ending):
    clip = clip_of(tmp_path / "long.mp4", 12.0, 640, 360)
    out = tmp_path / "out" / "video.mp4"
    out.parent.mkdir()
    out.write_text("an earlier one")
    command = [sys.executable, "-m", "emorec", "annotate", str(clip), "-o", str(out)]
    command += ["--overwrite", "--models", str(models)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE)
    while running.poll() is None and len(list(out.parent.iterdir())) < 2:
        time.sleep(0.02)
    os.kill(running.pid, ending)
    said = running.communicate(timeout=60)[1].decode()
    assert running.returncode == 130
    assert "interrupted: no video is written" in said
    assert [path.read_text() for path in out.parent.iterdir()] == ["an earlier one"]


def test_an_end_while_the_file_is_opened_leaves_nothing(recognizer, tmp_path, monkeypatch):
    clip = clip_of(tmp_path / "clip.mp4", 0.5)
    opened = av.open

    def ended(name, mode="r", **options):
        container = opened(name, mode, **options)
        if ".part-" in str(name):
            raise KeyboardInterrupt
        return container

    monkeypatch.setattr("emorec.media.writer.av.open", ended)
    with pytest.raises(KeyboardInterrupt):
        annotate(clip, tmp_path / "out.mp4", recognizer)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_failing_listener_leaves_nothing(recognizer, tmp_path):
    clip = clip_of(tmp_path / "clip.mp4", 0.5)

    def fail(share):
        raise RuntimeError("the page was closed")

    with pytest.raises(RuntimeError, match="closed"):
        annotate(clip, tmp_path / "out.mp4", recognizer, on_progress=fail)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_missing_clip_is_a_media_error(recognizer, tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        annotate(tmp_path / "none.mp4", tmp_path / "out.mp4", recognizer)


@pytest.mark.parametrize("stem", ["n" * 240, "ü" * 120, "🙂" * 62])
def test_a_clip_of_any_legal_name_gets_its_video(recognizer, tmp_path, stem):
    clip = clip_of(tmp_path / f"{stem}.mp4", 0.4)
    out = tmp_path / "out"
    out.mkdir()
    annotate(clip, out, recognizer)
    annotate(clip, out / clip.name, recognizer)
    assert len(list(out.iterdir())) == 2
    assert all(probe(path).has_picture for path in out.iterdir())


def test_a_link_stays_a_link_and_a_pipe_a_pipe(recognizer, tmp_path):
    clip = clip_of(tmp_path / "clip.mp4", 0.4)
    target, link, pipe = (tmp_path / f"{name}.mp4" for name in ("target", "link", "pipe"))
    target.write_text("an earlier one")
    link.symlink_to(target)
    annotate(clip, link, recognizer)
    assert link.is_symlink()
    assert probe(target).video_codec == "h264"
    if not hasattr(os, "mkfifo"):
        return
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as beside:
        read = beside.submit(pipe.read_bytes)
        annotate(clip, pipe, recognizer)
        (tmp_path / "read.mp4").write_bytes(read.result(timeout=60))
    assert pipe.is_fifo()
    assert probe(tmp_path / "read.mp4").video_codec == "h264"
