"""Decoding: real and made clips, every kind of bad file, and memory that stays flat."""

import gc
import itertools
import os
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers import made_frames, made_tone, write_clip

from emorec.errors import MediaError
from emorec.media.grey import FrameBatch
from emorec.media.reader import ClipReader, probe, read_frames, read_sound
from emorec.media.sound import SoundBlock
from emorec.paths import REPOSITORY


def read_all(path, **options):
    """Times, frames, sound, start of the sound and the reader of a clip."""
    reader = ClipReader(path, **options)
    items = list(reader)
    batches = [item for item in items if isinstance(item, FrameBatch)]
    blocks = [item for item in items if isinstance(item, SoundBlock)]
    times_s = np.concatenate([batch.times_s for batch in batches]) if batches else np.zeros(0)
    frames = np.concatenate([batch.frames for batch in batches]) if batches else np.zeros(0)
    sound = np.concatenate([block.samples for block in blocks]) if blocks else np.zeros(0)
    return times_s, frames, sound, [block.start_s for block in blocks], reader


def bright_corner(frame) -> str:
    """Which quarter of the frame is brightest."""
    height, width = frame.shape
    halves = frame[: height // 2 * 2, : width // 2 * 2].reshape(2, height // 2, 2, width // 2)
    row, column = np.unravel_index(halves.mean(axis=(1, 3)).argmax(), (2, 2))
    return ("top", "bottom")[row] + " " + ("left", "right")[column]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    return write_clip(path, made_frames(50), made_tone(2.0))


def test_a_clip_gives_frames_and_sound_that_start_together(clip):
    times_s, frames, sound, starts_s, reader = read_all(clip, frames_per_batch=7)
    assert frames.shape == (50, 120, 160)
    assert frames.dtype == np.uint8
    np.testing.assert_allclose(times_s, np.arange(50) / 25, atol=1e-6)
    assert sound.dtype == np.float32
    assert abs(sound.size - 96_000) <= 2048
    assert abs(starts_s[0]) < 0.05
    assert reader.notes == []


def test_blocks_of_sound_follow_each_other_without_a_hole(clip):
    blocks = [item for item in ClipReader(clip, sample_rate_hz=16_000) if hasattr(item, "samples")]
    for before, after in itertools.pairwise(blocks):
        assert after.start_s == pytest.approx(before.start_s + before.samples.size / 16_000)


def test_probe_describes_a_clip(clip):
    info = probe(clip)
    assert (info.has_picture, info.has_sound) == (True, True)
    assert (info.width, info.height, info.channels) == (160, 120, 1)
    assert (info.frame_rate_hz, info.sample_rate_hz) == (25, 48_000)
    assert (info.video_codec, info.audio_codec) == ("h264", "aac")
    assert info.duration_s == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize(
    ("codec", "pixel_format"),
    [
        ("ffv1", "yuv420p"),
        ("mjpeg", "yuvj420p"),
        ("ffv1", "yuv444p10le"),
        ("ffv1", "gray"),
        ("libx264rgb", "rgb24"),
        ("png", "rgb24"),
    ],
)
def test_black_and_white_span_the_full_range(tmp_path, codec, pixel_format):
    frames = np.zeros((5, 64, 64), np.uint8)
    frames[:, :, 32:] = 255
    path = tmp_path / f"black and white.{'mov' if codec == 'png' else 'mkv'}"
    write_clip(path, frames, video_codec=codec, pixel_format=pixel_format)
    _, decoded, *_ = read_all(path)
    assert decoded[:, :, :30].max() <= 2
    assert decoded[:, :, 34:].min() >= 253


@pytest.mark.parametrize(("turn_deg", "shape"), [(0, (120, 240)), (90, (240, 120))])
def test_oblong_pixels_are_made_square(tmp_path, turn_deg, shape):
    path = write_clip(
        tmp_path / "oblong.mp4", made_frames(3), turn_deg=turn_deg, pixel_aspect=Fraction(3, 2)
    )
    _, frames, _, _, reader = read_all(path)
    assert frames.shape == (3, *shape)
    assert (reader.info.height, reader.info.width) == shape
    assert next(read_frames(path)).frames.shape[1:] == shape


def test_a_pixel_aspect_that_cannot_be_is_not_believed(tmp_path):
    path = write_clip(tmp_path / "lie.mp4", made_frames(3), pixel_aspect=Fraction(20, 1))
    assert read_all(path)[1].shape == (3, 120, 160)


@pytest.mark.parametrize(
    ("turn_deg", "corner"),
    [(0, "top left"), (90, "bottom left"), (180, "bottom right"), (-90, "top right")],
)
def test_frames_are_turned_upright(tmp_path, turn_deg, corner):
    path = write_clip(tmp_path / "turned.mp4", made_frames(3), turn_deg=turn_deg)
    _, frames, *_ = read_all(path)
    shape = (160, 120) if turn_deg in (90, -90) else (120, 160)
    assert frames.shape[1:] == shape
    assert (probe(path).height, probe(path).width) == shape
    assert bright_corner(frames[0]) == corner


def test_an_odd_width_is_not_sheared(tmp_path):
    frames = np.zeros((3, 75, 101), np.uint8)
    frames[:, :, 50] = 255
    path = write_clip(tmp_path / "odd.mkv", frames, video_codec="ffv1", pixel_format="yuv444p")
    _, decoded, *_ = read_all(path)
    assert decoded.shape == (3, 75, 101)
    assert (decoded.argmax(axis=2) == 50).all()


def test_large_frames_are_reduced_and_small_ones_are_not(tmp_path):
    path = write_clip(tmp_path / "uhd.mp4", made_frames(2, 2160, 3840))
    _, frames, *_ = read_all(path)
    assert frames.shape == (2, 720, 1280)
    assert bright_corner(frames[0]) == "top left"
    assert (probe(path).width, probe(path).height) == (3840, 2160)


def test_times_of_a_variable_frame_rate_are_kept(tmp_path):
    times_s = [0.0, 0.04, 0.4, 0.44, 1.0]
    path = write_clip(tmp_path / "vfr.mkv", made_frames(5), frame_times_s=times_s)
    decoded_s, *_ = read_all(path)
    np.testing.assert_allclose(decoded_s, times_s, atol=0.002)


@pytest.mark.parametrize("source_rate_hz", [8_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_resampling_keeps_level_phase_and_length(tmp_path, source_rate_hz, rate_hz):
    path = tmp_path / "tone.wav"
    tone = made_tone(1.5, source_rate_hz)
    write_clip(path, sound=tone, audio_codec="pcm_f32le", sample_rate_hz=source_rate_hz)
    sound = read_sound(path, rate_hz)
    assert abs(sound.size - 1.5 * rate_hz) <= rate_hz // 500
    middle = slice(rate_hz // 10, -rate_hz // 10)
    expected = made_tone(1.5, rate_hz)[: sound.size]
    assert np.abs(sound[: expected.size] - expected)[middle].max() < 5e-3
    assert abs(sound.mean()) < 1e-3


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        ("pcm_u8", "wav"),
        ("pcm_s16le", "wav"),
        ("pcm_s24le", "wav"),
        ("pcm_s32le", "wav"),
        ("pcm_f64le", "wav"),
        ("flac", "flac"),
        ("libmp3lame", "mp3"),
        ("libopus", "opus"),
        ("aac", "m4a"),
    ],
)
def test_sample_formats_and_codecs_keep_the_level(tmp_path, codec, suffix):
    path = write_clip(tmp_path / f"tone.{suffix}", sound=made_tone(1.0), audio_codec=codec)
    info = probe(path)
    assert (info.has_picture, info.has_sound) == (False, True)
    sound = read_sound(path, 48_000)
    level = 0.5 * (0.95 if codec == "libmp3lame" else 1)  # LAME lowers what it encodes
    assert sound[12_000:36_000].std() == pytest.approx(level / np.sqrt(2), rel=0.02)
    assert abs(sound.mean()) < 0.01


@pytest.mark.parametrize("layout", ["stereo", "5.1"])
@pytest.mark.parametrize("codec", ["pcm_f32le", "flac"])
def test_channels_are_mixed_equally(tmp_path, layout, codec):
    channels = {"stereo": 2, "5.1": 6}[layout]
    sound = np.zeros((channels, 24_000), np.float32)
    for loud in range(channels):
        sound[:] = 0
        sound[loud] = 0.6
        path = tmp_path / f"{loud}.mkv"
        write_clip(path, sound=sound, audio_codec=codec, layout=layout)
        mixed = read_sound(path, 48_000)
        np.testing.assert_allclose(mixed, 0.6 / channels, atol=1e-3)


def test_clipped_sound_and_digital_silence_are_read_as_they_are(tmp_path):
    clipped = np.clip(20 * made_tone(1.0), -1, 1)
    path = write_clip(tmp_path / "clipped.wav", sound=clipped, audio_codec="pcm_s16le")
    assert np.abs(read_sound(path, 48_000)).max() == pytest.approx(1.0, abs=1e-3)
    silence = np.zeros(48_000, np.float32)
    path = write_clip(tmp_path / "silence.wav", sound=silence, audio_codec="pcm_s16le")
    assert not read_sound(path, 16_000).any()


def test_sound_that_is_not_a_number_becomes_silence(tmp_path):
    sound = made_tone(1.0)
    sound[1000:1100] = np.nan
    path = write_clip(tmp_path / "nan.wav", sound=sound, audio_codec="pcm_f32le")
    assert np.isfinite(read_sound(path, 16_000)).all()


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "mpg", "webm", "flv"])
def test_containers(tmp_path, suffix):
    video_codec, audio_codec = {
        "avi": ("mpeg4", "libmp3lame"),
        "mpg": ("mpeg2video", "mp2"),
        "webm": ("libvpx", "libopus"),
        "flv": ("flv", "libmp3lame"),
    }.get(suffix, ("libx264", "aac"))
    sample_rate_hz = 44_100 if suffix == "flv" else 48_000
    path = write_clip(
        tmp_path / f"clip.{suffix}",
        made_frames(25),
        made_tone(1.0, sample_rate_hz),
        video_codec=video_codec,
        audio_codec=audio_codec,
        sample_rate_hz=sample_rate_hz,
    )
    times_s, frames, sound, _, reader = read_all(path)
    assert frames.shape == (25, 120, 160)
    assert bright_corner(frames[0]) == "top left"
    assert np.all(np.diff(times_s) > 0.03)
    assert 0.9 < sound.size / 48_000 < 1.2
    assert reader.notes == []


def test_one_stream_alone(tmp_path):
    picture = write_clip(tmp_path / "picture.mp4", made_frames(5))
    _, frames, sound, _, reader = read_all(picture)
    assert (len(frames), sound.size, reader.info.has_sound) == (5, 0, False)
    assert read_sound(picture, 16_000).shape == (0,)
    voice = write_clip(tmp_path / "voice.m4a", sound=made_tone(0.5))
    _, frames, sound, _, reader = read_all(voice)
    assert (len(frames), reader.info.has_picture) == (0, False)
    assert sound.size > 0.4 * 48_000
    assert list(read_frames(voice)) == []


def test_very_short_clips(tmp_path):
    one_frame = write_clip(tmp_path / "frame.mp4", made_frames(1))
    assert [batch.frames.shape for batch in read_frames(one_frame)] == [(1, 120, 160)]
    blip = write_clip(tmp_path / "blip.wav", sound=made_tone(0.2), audio_codec="pcm_s16le")
    assert read_sound(blip, 48_000).size == pytest.approx(9600, abs=50)


def test_odd_names(tmp_path, clip):
    for name in ("a clip (1).mp4", "ein Äußerung – 情感.mp4", "with:colon.mp4", "100%d.mp4"):
        path = tmp_path / name
        path.write_bytes(clip.read_bytes())
        assert probe(path).has_picture, name


def make_bad_file(kind: str, folder: Path, clip: Path) -> Path:
    """One of the files that cannot be read."""
    path = folder / "bad.mp4"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("This is no film.\n" * 100)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "cut off":
        path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    elif kind == "header only":
        whole = write_clip(
            folder / "whole.mp4", made_frames(25), options={"movflags": "faststart"}
        ).read_bytes()
        path.write_bytes(whole[: whole.index(b"mdat") + 8])
    elif kind == "playlist":
        path.write_text(f"#EXTM3U\n#EXTINF:2,\n{clip}\n#EXT-X-ENDLIST\n")
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "no such file"),
        ("empty", "empty"),
        ("text", "no known video or sound format"),
        ("folder", "folder"),
        ("loop", "symbolic link"),
        ("cut off", "its end is missing, and with it the index"),
        ("header only", "can be decoded"),
        ("playlist", "it is a list or playlist"),
    ],
)
@pytest.mark.parametrize("read", [probe, ClipReader])
def test_bad_files_say_what_is_wrong_and_what_to_do(tmp_path, clip, kind, reason, read):
    path = make_bad_file(kind, tmp_path, clip)
    with pytest.raises(MediaError) as caught:
        read(path)
    error = caught.value
    assert error.path == path
    assert reason in error.reason
    assert error.remedy
    assert str(error).count("\n") == 0
    assert error.path.name in str(error)


def test_a_file_that_may_not_be_read(tmp_path, clip):
    path = tmp_path / "locked.mp4"
    path.write_bytes(clip.read_bytes())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything, whatever the file's mode")
    with pytest.raises(MediaError, match="not allowed"):
        probe(path)


def test_the_error_survives_pickling():
    error = pickle.loads(pickle.dumps(MediaError("a.mp4", "reason", "remedy")))
    assert str(error) == "a.mp4: reason. Remedy: remedy."


def test_a_truncated_clip_gives_what_there_is_and_a_note(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (100, 120, 160), np.uint8)
    whole = write_clip(
        tmp_path / "whole.mp4", noise, made_tone(4.0), options={"movflags": "faststart"}
    )
    path = tmp_path / "truncated.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    _, frames, sound, _, reader = read_all(path)
    assert 20 < len(frames) < 80
    assert sound.size > 0
    assert any("ends early" in note for note in reader.notes)


def test_damaged_parts_are_skipped(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (50, 120, 160), np.uint8)
    whole = write_clip(tmp_path / "whole.mp4", noise, made_tone(2.0))
    content = bytearray(whole.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(4000)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    _, frames, sound, _, _ = read_all(path)
    assert len(frames) > 20
    assert np.isfinite(sound).all()


MEMORY_PROGRAM = """
import sys
from fractions import Fraction
from pathlib import Path
from emorec.media.reader import ClipReader
reader = ClipReader(sys.argv[1], frames_per_batch=4)
count = sum(len(getattr(item, "frames", ())) for item in reader)
status = Path("/proc/self/status").read_text()
print(count, status.split("VmHWM:")[1].split()[0])
"""


def peak_memory_kb(path: Path) -> tuple[int, int]:
    """Frames and peak resident memory of a fresh process that reads a clip."""
    # getrusage would not do: it hands the peak of the parent down to the child.
    output = subprocess.run(
        [sys.executable, "-c", MEMORY_PROGRAM, str(path)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    ).stdout.split()
    return int(output[0]), int(output[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_ten_minutes_take_no_more_memory_than_one(tmp_path):
    peaks_kb = {}
    for minutes in (1, 10):
        frames = np.broadcast_to(made_frames(1, 240, 320), (minutes * 60 * 4, 240, 320))
        path = write_clip(
            tmp_path / f"{minutes}.mkv",
            frames,
            made_tone(minutes * 60, 16_000),
            video_codec="mpeg4",
            audio_codec="pcm_s16le",
            frame_rate_hz=4,
            sample_rate_hz=16_000,
        )
        count, peaks_kb[minutes] = peak_memory_kb(path)
        assert count == minutes * 60 * 4
    assert peaks_kb[10] < 1.1 * peaks_kb[1]


def test_real_takes_keep_picture_and_sound_together(emorec_data):
    paths = sorted((emorec_data / "RAVDESS" / "Actor_05").glob("01-01-*.mp4"))
    if not paths:
        pytest.skip("no audio-visual takes of actor 05 under EMOREC_DATA")
    for path in paths:
        times_s, frames, sound, starts_s, reader = read_all(path)
        assert frames.shape[1:] == (720, 1280)
        assert len(frames) == pytest.approx(reader.info.duration_s * 29.97, abs=1)
        assert abs(starts_s[0] - times_s[0]) < 0.05
        assert sound.size / 48_000 == pytest.approx(reader.info.duration_s, abs=0.05)
        assert reader.notes == []


def test_odd_real_clips(emorec_data):
    paths = sorted((emorec_data / "clips").glob("*"))
    if not paths:
        pytest.skip("no folder clips under EMOREC_DATA")
    for path in paths:
        times_s, frames, sound, _, reader = read_all(path)
        assert np.all(np.diff(times_s) > 0), path.name
        assert frames.max() > 200, path.name
        assert sound.std() > 1e-3, path.name
        assert reader.notes == [], path.name


def test_decoded_frames_are_let_go_at_once(tmp_path):
    """A frame that refers to itself would keep its megabytes until Python collects cycles."""
    path = write_clip(tmp_path / "clip.mp4", made_frames(50), None, turn_deg=90)
    gc.collect()
    gc.disable()
    try:
        for _ in read_frames(path):
            pass
        # The type and not isinstance, which asks weak proxies too, even of what is gone.
        assert not [thing for thing in gc.get_objects() if type(thing) is av.VideoFrame]
    finally:
        gc.enable()
