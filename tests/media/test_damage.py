"""Recordings chained in one Ogg file, and garbage in the middle of a file, on made clips."""

from pathlib import Path

import numpy as np
import pytest
from helpers import made_frames, made_tone, rewrite, write_clip

from emorec.media.grey import FrameBatch
from emorec.media.reader import ClipReader, CopyReader

RATE_HZ = 16_000


def read(path: Path):
    """Times of the frames, the whole sound as it lies in time, and the reader."""
    reader = ClipReader(path, sample_rate_hz=RATE_HZ)
    times_s, sound = [], np.zeros(0, np.float32)
    for piece in reader:
        if isinstance(piece, FrameBatch):
            times_s += piece.times_s.tolist()
        else:
            begin = max(round(piece.start_s * RATE_HZ), 0)
            sound = np.pad(sound, (0, max(0, begin + piece.samples.size - sound.size)))
            sound[begin : begin + piece.samples.size] = piece.samples[-sound.size :]
    return np.array(times_s), sound, reader


def loud(sound: np.ndarray, from_s: float, to_s: float) -> float:
    """Share of the samples between two times that are loud."""
    part = sound[round(from_s * RATE_HZ) : round(to_s * RATE_HZ)]
    return float((np.abs(part) > 0.02).mean()) if part.size else 0.0


# Chained Ogg files.

LINKS = {
    "mono": ("libopus", "mono"),
    "stereo": ("libopus", "stereo"),
    "six": ("libopus", "5.1"),
    "flac": ("flac", "mono"),
    "wide": ("flac", "stereo"),
    "speex": ("libspeex", "mono"),
}


def link(folder: Path, kind: str, seconds: float = 1.0) -> bytes:
    """An Ogg file with a tone."""
    codec, layout = LINKS[kind]
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    sound = np.stack([made_tone(seconds)] * channels)
    path = folder / f"{kind}.ogg"
    return write_clip(path, None, sound, audio_codec=codec, layout=layout).read_bytes()


@pytest.mark.parametrize(
    "kinds",
    [
        ("mono", "mono"),
        ("mono", "stereo"),
        ("stereo", "mono"),
        ("mono", "six"),
        ("mono", "flac"),
        ("flac", "mono"),
        ("flac", "wide"),
        ("mono", "stereo", "flac", "mono"),
    ],
)
def test_all_recordings_of_a_chained_ogg_are_read(tmp_path, kinds):
    path = tmp_path / "chained.ogg"
    path.write_bytes(b"".join(link(tmp_path, kind) for kind in kinds))
    _, sound, reader = read(path)
    assert reader.end_s == pytest.approx(len(kinds), abs=0.15)
    for number in range(len(kinds)):
        assert loud(sound, number + 0.1, number + 0.9) > 0.9
    assert all("the time starts again" in note for note in reader.notes)


def test_what_cannot_be_read_of_a_chain_is_told(tmp_path):
    path = tmp_path / "chained.ogg"
    second = bytearray(link(tmp_path, "stereo"))
    second[40:] = np.random.default_rng(0).bytes(len(second) - 40)
    path.write_bytes(link(tmp_path, "mono") + second)
    _, sound, reader = read(path)
    assert loud(sound, 0.1, 0.9) > 0.9
    (note,) = reader.notes
    assert note == f"nothing could be read from {reader.end_s:.1f} s on, where the file is damaged"


def test_a_chain_is_copied_as_far_as_one_track_goes(tmp_path):
    path = tmp_path / "chained.ogg"
    path.write_bytes(link(tmp_path, "mono") + link(tmp_path, "stereo"))
    packets = list(CopyReader(path))
    assert 0.9 < sum(p.duration * float(p.time_base) for p in packets) < 1.2


# Garbage.

GARBAGE = {
    "mkv": ("mpeg4", "mp3"),
    "webm": ("libvpx", "libopus"),
    "ts": ("mpeg2video", "mp2"),
    "mpg": ("mpeg2video", "mp2"),
    "flv": ("flv", "libmp3lame"),
    "avi": ("mpeg4", "mp3"),
    "ogv": ("libvpx", "libopus"),
    "asf": ("wmv2", "mp3"),
    "nut": ("mpeg4", "mp3"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Makes a clip of 4 s in a container, whose pictures do not compress well."""
    folder, made = tmp_path_factory.mktemp("whole"), {}
    noise = np.random.default_rng(0).integers(0, 255, (100, 32, 32), np.uint8)

    def make(suffix: str) -> bytes:
        if suffix not in made:
            video_codec, audio_codec = GARBAGE[suffix]
            path = write_clip(
                folder / f"whole.{suffix}",
                noise,
                made_tone(4.0, 44_100 if suffix == "flv" else 48_000),
                sample_rate_hz=44_100 if suffix == "flv" else 48_000,
                video_codec=video_codec,
                audio_codec=audio_codec,
            )
            made[suffix] = path.read_bytes()
        return made[suffix]

    return make


@pytest.mark.parametrize("share", [0.15, 0.3])
@pytest.mark.parametrize("suffix", GARBAGE)
def test_garbage_in_the_middle_is_told(tmp_path, whole, suffix, share):
    content = bytearray(whole(suffix))
    begin, length = len(content) // 3, round(share * len(content))
    content[begin : begin + length] = np.random.default_rng(1).bytes(length)
    path = tmp_path / f"garbage.{suffix}"
    path.write_bytes(content)
    times_s, _, reader = read(path)
    assert 25 < len(times_s) < 95
    # An AVI file counts its frames, so that what follows moves up.
    told = "no picture from", "the file ends early"
    assert any(note.startswith(told) for note in reader.notes)
    holes = [float(note.split()[3]) for note in reader.notes if note.startswith("no picture from")]
    assert all(1.0 < hole_s < 2.5 for hole_s in holes)


@pytest.mark.parametrize("suffix", GARBAGE)
def test_of_a_whole_file_nothing_is_told(tmp_path, whole, suffix):
    path = tmp_path / f"whole.{suffix}"
    path.write_bytes(whole(suffix))
    times_s, _, reader = read(path)
    assert len(times_s) == 100
    assert reader.notes == []


@pytest.mark.parametrize("missing", [8, 14, 40])
def test_frames_that_are_missing_are_told(tmp_path, missing):
    path = write_clip(tmp_path / "clip.mkv", made_frames(100, 48, 64), video_codec="mjpeg",
                      pixel_format="yuvj420p")  # fmt: skip
    lost = rewrite(path, tmp_path / "lost.mkv", lambda kind, t: not 1.99 < t < 1.99 + missing / 25)
    assert read(lost)[2].notes == [f"no picture from 2.0 to {2 + missing / 25:.1f} s"]


@pytest.mark.parametrize("seed", range(4))
def test_frames_that_come_unevenly_are_none_that_are_missing(tmp_path, seed):
    steps_s = np.random.default_rng(seed).choice([0.03, 0.1, 0.4, 0.7], 40)
    steps_s[:8] = 0.03, 0.4, 0.1, 0.7, 0.03, 0.4, 0.1, 0.7
    times_s = np.cumsum(steps_s).round(3).tolist()
    path = write_clip(
        tmp_path / "uneven.mkv",
        made_frames(40, 48, 64),
        video_codec="mpeg4",
        frame_times_s=times_s,
    )
    assert read(path)[2].notes == []
