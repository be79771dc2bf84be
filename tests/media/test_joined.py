"""A second recording behind the first, of which FFmpeg reads nothing, is laid behind it."""

import av
import pytest
from helpers import made_frames, made_voice, write_clip

from emorec.media.joined import recording_behind
from emorec.media.reader import ClipReader
from emorec.media.source import SourceOfPackets

PICTURE = {"frames": made_frames(30, 48, 64)}
SOUND = {"sound": made_voice(1.5)}
KINDS = [
    ("a.wav", SOUND, {"audio_codec": "pcm_s16le"}),
    ("a.mp4", PICTURE, {}),
    ("a.m4a", SOUND, {"audio_codec": "aac"}),
    ("a.flv", PICTURE, {"video_codec": "flv"}),
]


def read(path):
    """How many frames a clip has, how many seconds of sound, and the notes."""
    reader = ClipReader(path, sample_rate_hz=16_000)
    frames, samples = 0, 0
    for piece in reader:
        frames += len(getattr(piece, "frames", ()))
        samples += len(getattr(piece, "samples", ()))
    return frames, samples / 16_000, reader.notes


@pytest.mark.parametrize(("name", "content", "codecs"), KINDS)
def test_the_second_is_laid_behind(tmp_path, name, content, codecs):
    path = write_clip(tmp_path / name, **content, **codecs)
    alone = path.read_bytes()
    frames, sound_s, _ = read(path)
    path.write_bytes(alone * 3)
    found = read(path)
    assert found[0] == 3 * frames
    assert found[1] == pytest.approx(3 * sound_s, abs=0.1)
    assert sum("the time starts again" in note for note in found[2]) == 2


@pytest.mark.parametrize(("name", "content", "codecs"), KINDS)
def test_other_bytes_behind_the_end_are_no_recording(tmp_path, name, content, codecs):
    path = write_clip(tmp_path / name, **content, **codecs)
    whole = path.read_bytes()
    format_names = {"wav": "wav", "flv": "flv"}.get(path.suffix[1:], "mov,mp4,m4a")
    for damaged in (whole + b"\0" * 5_000, whole + b"\xff" * 50, whole[:100], whole[:5], b""):
        path.write_bytes(damaged)
        assert recording_behind(path, 0, format_names) is None


def test_a_file_of_thousands_of_recordings_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("emorec.media.source._MOST_RECORDINGS", 3)
    path = write_clip(tmp_path / "a.wav", sound=made_voice(0.5), audio_codec="pcm_s16le")
    path.write_bytes(path.read_bytes() * 5)
    _, sound_s, notes = read(path)
    assert sound_s == pytest.approx(1.5, abs=0.1)
    assert any("nothing could be read from 1.5 s on" in note for note in notes)


@pytest.mark.parametrize(("rate_hz", "count"), [(48_000, 60), (16_000, 30)])
def test_what_is_copied_goes_on_where_it_is_stored_alike(tmp_path, rate_hz, count):
    first = write_clip(tmp_path / "a.mp4", **PICTURE, **SOUND)
    second = write_clip(tmp_path / "b.mp4", **PICTURE, **SOUND, sample_rate_hz=rate_hz)
    path = tmp_path / "both.mp4"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    with SourceOfPackets(path, "video", "audio") as source:
        pictures = [frame for frame in source.frames() if isinstance(frame, av.VideoFrame)]
    assert len(pictures) == count


def test_a_second_that_is_broken_ends_the_copy(tmp_path):
    path = write_clip(tmp_path / "a.mp4", **PICTURE, **SOUND)
    whole = path.read_bytes()
    hollow = b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x08moov"
    path.write_bytes(whole + hollow)
    with SourceOfPackets(path, "video", "audio") as source:
        assert sum(isinstance(frame, av.VideoFrame) for frame in source.frames()) == 30
    assert read(path)[0] == 30
