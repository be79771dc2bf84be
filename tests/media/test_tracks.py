"""Tracks that begin late, break off, jump in time or are not the ones meant, on made clips."""

import io
import struct
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from helpers import made_frames, made_tone, rewrite, write_clip

from emorec.media.clock import Clock
from emorec.media.grey import FrameBatch
from emorec.media.reader import ClipReader, CopyReader, probe, read_frames, read_sound

RATE_HZ = 16_000


def read(path: Path):
    """Times of the frames, (start, end, samples) of each block of sound, and the reader."""
    reader = ClipReader(path, sample_rate_hz=RATE_HZ)
    times_s, blocks = [], []
    for piece in reader:
        if isinstance(piece, FrameBatch):
            times_s += piece.times_s.tolist()
        else:
            blocks.append((piece.start_s, piece.start_s + piece.samples.size / RATE_HZ, piece))
    return np.array(times_s), blocks, reader


def heard_at(blocks, from_s: float, to_s: float) -> float:
    """Share of the loud samples between two times."""
    loud = total = 0
    for start_s, _, block in blocks:
        times_s = start_s + np.arange(block.samples.size) / RATE_HZ
        inside = (times_s >= from_s) & (times_s < to_s)
        loud += int((np.abs(block.samples[inside]) > 0.02).sum())
        total += int(inside.sum())
    return loud / max(total, 1)


def made_packet(time_s: float, track: int = 0):
    """A packet of 40 ms, as the clock sees it."""
    ticks = round(1000 * time_s)
    return SimpleNamespace(
        pts=ticks, dts=ticks, duration=40, time_base=Fraction(1, 1000), stream_index=track
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """Two seconds of picture and sound in a container that stores any time stamp."""
    path = tmp_path_factory.mktemp("tracks") / "plain.mkv"
    return write_clip(path, made_frames(50), made_tone(2.0), video_codec="mpeg4")


def only_note(reader, words: str) -> None:
    assert len(reader.notes) == 1, reader.notes
    assert words in reader.notes[0]


# Time stamps that jump or lie.


@pytest.mark.parametrize("jump_s", [1e3, 1e5])
@pytest.mark.parametrize("first", [0, 1, 25, 49])
@pytest.mark.parametrize("suffix", ["mkv", "mov"])
def test_pictures_that_jump_ahead_stay_at_their_place(tmp_path, plain, jump_s, first, suffix):
    path = rewrite(
        plain,
        tmp_path / f"jump.{suffix}",
        shift_s=lambda kind, t: jump_s if kind == "video" and t > first / 25 - 0.01 else 0.0,
    )
    times_s, blocks, reader = read(path)
    np.testing.assert_allclose(times_s, np.arange(50) / 25, atol=0.08)
    assert blocks[-1][1] == pytest.approx(2.0, abs=0.1)
    only_note(reader, f"jump ahead by {jump_s:,.0f} s at {first / 25:.1f} s")
    assert reader.end_s == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("at", [0, 1, 30, 49])
@pytest.mark.parametrize("lie_s", [-1e5, -20.0, 700.0, 1e5, 1e9])
def test_one_time_stamp_that_lies_moves_no_other(at, lie_s):
    clock, times_s = Clock(0.0), []
    for number in range(100):
        packet = made_packet(number // 2 / 25, number % 2)
        if number // 2 == at and number % 2:
            packet.dts = packet.pts = packet.pts + round(1000 * lie_s)
        clock.place(packet)
        times_s.append(packet.pts / 1000)
    np.testing.assert_allclose(times_s, np.arange(100) // 2 / 25, atol=0.05)


def test_all_tracks_that_jump_together_stay_together(tmp_path, plain):
    path = rewrite(plain, tmp_path / "both.mkv", shift_s=lambda _, t: 1e5 if t > 0.99 else 0.0)
    times_s, blocks, reader = read(path)
    np.testing.assert_allclose(times_s, np.arange(50) / 25, atol=0.05)
    assert blocks[-1][1] == pytest.approx(2.0, abs=0.1)
    only_note(reader, "jump ahead by 100,000 s")


def test_sound_that_jumps_ahead_stays_at_its_place(tmp_path, plain):
    path = rewrite(
        plain,
        tmp_path / "sound.mkv",
        shift_s=lambda kind, t: 1e6 if kind == "audio" and t > 1 else 0.0,
    )
    _, blocks, reader = read(path)
    assert blocks[-1][1] == pytest.approx(2.0, abs=0.1)
    only_note(reader, "jump ahead by")


def test_a_first_frame_that_lies_alone_shifts_nothing():
    clock, times_s = Clock(1e5), []
    for number in range(50):
        packet = made_packet(number / 25 + (0 if number else 1e5))
        clock.place(packet)
        times_s.append(packet.pts / 1000)
    np.testing.assert_allclose(times_s, 1e5 + np.arange(50) / 25, atol=0.01)


@pytest.mark.parametrize("start_s", [0.0, 7.0])
def test_a_track_that_lies_seconds_behind_the_other_in_the_file_keeps_its_time(start_s):
    clock = Clock(start_s)
    for second in range(3):
        for track in (0, 1):
            for number in range(25):
                packet = made_packet(start_s + second + number / 25, track)
                before = packet.pts
                clock.place(packet)
                assert packet.pts == before
    assert clock.notes == []


def test_a_frame_that_is_shown_a_day_after_it_is_decoded_is_not_believed():
    clock, packet = Clock(0.0), made_packet(0.0)
    packet.pts = 86_400_000
    clock.place(packet)
    assert packet.pts == 0
    assert clock.notes == ["1 time stamps cannot be and were not believed"]


def test_a_pause_of_minutes_is_believed(tmp_path, plain):
    path = rewrite(plain, tmp_path / "pause.mkv", shift_s=lambda _, t: 300.0 if t > 0.99 else 0.0)
    times_s, blocks, reader = read(path)
    assert times_s[-1] == pytest.approx(301.96, abs=0.05)
    assert blocks[-1][1] == pytest.approx(302.0, abs=0.1)
    assert heard_at(blocks, 301.1, 301.9) > 0.9
    assert all(note.startswith(("no sound from", "no picture from")) for note in reader.notes)


def test_a_clip_whose_time_is_right_keeps_every_stamp(tmp_path, plain):
    with av.open(str(plain)) as container:
        clock = Clock(0.0)
        for packet in container.demux():
            before = packet.pts, packet.dts, packet.duration
            clock.place(packet)
            assert (packet.pts, packet.dts, packet.duration) == before
    assert clock.notes == []


# Recordings that were joined.


def joined(folder: Path, suffix: str, parts: int, picture=True, sound=True) -> Path:
    codecs = {
        "ts": ("mpeg2video", "mp2"),
        "mpg": ("mpeg2video", "mp2"),
        "mkv": ("mpeg4", "aac"),
    }[suffix]
    part = write_clip(
        folder / f"part.{suffix}",
        made_frames(50) if picture else None,
        made_tone(2.0) if sound else None,
        video_codec=codecs[0],
        audio_codec=codecs[1],
    )
    path = folder / f"joined.{suffix}"
    path.write_bytes(part.read_bytes() * parts)
    return path


@pytest.mark.parametrize(
    ("suffix", "parts"), [("ts", 2), ("ts", 3), ("mpg", 2), ("mpg", 3), ("mkv", 2)]
)
def test_joined_recordings_lie_one_behind_the_other(tmp_path, suffix, parts):
    times_s, blocks, reader = read(joined(tmp_path, suffix, parts))
    assert len(times_s) >= 50 * parts - parts
    assert (np.diff(times_s) > -0.1).all()
    assert times_s[-1] == pytest.approx(2.0 * parts, abs=0.3)
    assert blocks[-1][1] == pytest.approx(2.0 * parts, abs=0.4)
    assert sum("the time starts again" in note for note in reader.notes) == parts - 1


@pytest.mark.parametrize("kind", ["picture", "sound"])
def test_joined_recordings_of_one_track(tmp_path, kind):
    path = joined(tmp_path, "ts", 2, kind == "picture", kind == "sound")
    times_s, blocks, _ = read(path)
    end_s = times_s[-1] if kind == "picture" else blocks[-1][1]
    assert end_s == pytest.approx(4.0, abs=0.2)


# Tracks that begin late, break off or appear.


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_track_that_begins_or_ends_within_the_clip_is_told(tmp_path, kind):
    whole = write_clip(
        tmp_path / "whole.mkv", made_frames(100), made_tone(4.0), video_codec="mpeg4"
    )
    name = {"video": "picture", "audio": "sound"}[kind]
    late = rewrite(whole, tmp_path / "late.mkv", lambda k, t: k != kind or t >= 2.5)
    times_s, blocks, reader = read(late)
    begin_s = times_s[0] if kind == "video" else blocks[0][0]
    assert begin_s == pytest.approx(2.5, abs=0.5)
    only_note(reader, f"no {name} until {begin_s:.1f} s")
    short = rewrite(whole, tmp_path / "short.mkv", lambda k, t: k != kind or t < 1.5)
    only_note(read(short)[2], f"no {name} from 1.5 s on")


@pytest.mark.parametrize("late_s", [14.0, 90.0])
def test_a_picture_that_begins_long_after_the_sound_is_there(tmp_path, late_s):
    path = write_clip(
        tmp_path / "late.mkv",
        made_frames(25),
        made_tone(late_s + 1),
        video_codec="mpeg4",
        frame_times_s=(late_s + np.arange(25) / 25).tolist(),
    )
    info = probe(path)
    assert (info.has_picture, info.width, info.height) == (True, 160, 120)
    times_s, _, reader = read(path)
    np.testing.assert_allclose(times_s, late_s + np.arange(25) / 25, atol=0.01)
    only_note(reader, f"no picture until {late_s:.1f} s")
    copy = CopyReader(path)
    assert copy.first_frame.frame.width == 160
    copy.close()


@pytest.mark.parametrize("hole_s", [(0.5, 4.0), (3.0, 15.0), (3.0, 95.0)])
@pytest.mark.parametrize("suffix", ["mkv", "mov", "ts"])
def test_sound_after_a_hole_stands_at_its_own_time(tmp_path, hole_s, suffix):
    end_s = hole_s[1] + 2
    frames = np.broadcast_to(made_frames(1, 48, 64), (round(end_s * 5), 48, 64))
    codecs = ("mpeg2video", "mp2") if suffix == "ts" else ("mpeg4", "aac")
    rate = 25 if suffix == "ts" else 5
    if suffix == "ts":
        frames = np.broadcast_to(frames[:1], (round(end_s * 25), 48, 64))
    whole = write_clip(
        tmp_path / f"whole.{suffix}",
        frames,
        made_tone(end_s),
        frame_rate_hz=rate,
        video_codec=codecs[0],
        audio_codec=codecs[1],
    )
    path = rewrite(
        whole,
        tmp_path / f"hole.{suffix}",
        lambda kind, t: kind == "video" or not hole_s[0] <= t < hole_s[1],
    )
    _, blocks, reader = read(path)
    assert blocks[-1][1] == pytest.approx(end_s, abs=0.4)
    assert heard_at(blocks, hole_s[0] + 0.5, hole_s[1] - 0.5) == 0
    assert heard_at(blocks, hole_s[1] + 0.5, end_s - 0.5) > 0.9
    assert any(note.startswith("no sound from") for note in reader.notes)


def script_tag(name: bytes, time_ms: int) -> bytes:
    """A tag of an FLV file that holds a text and no picture or sound."""
    text = b"\x00\x04text\x02\x00\x05hello"
    body = b"\x02" + struct.pack(">H", len(name)) + name + b"\x08\0\0\0\1" + text + b"\0\0\x09"
    head = bytes([0x12]) + struct.pack(">I", len(body))[1:] + struct.pack(">I", time_ms)[1:]
    tag = head + bytes(4) + body
    return tag + struct.pack(">I", len(tag))


@pytest.mark.parametrize("name", [b"onTextData", b"onCaption", b"onCuePoint"])
@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_a_text_that_appears_in_an_flv_changes_nothing(tmp_path, name, share):
    noise = np.random.default_rng(0).integers(0, 255, (100, 120, 160), np.uint8)
    whole = write_clip(
        tmp_path / "whole.flv",
        noise,
        made_tone(4.0, 44_100),
        video_codec="flv",
        audio_codec="libmp3lame",
        sample_rate_hz=44_100,
    )
    content = whole.read_bytes()
    ends = [13]
    while ends[-1] < len(content):
        size = int.from_bytes(content[ends[-1] + 1 : ends[-1] + 4], "big")
        ends.append(ends[-1] + size + 15)
    middle = ends[round(share * (len(ends) - 1))]
    path = tmp_path / "text.flv"
    path.write_bytes(content[:middle] + 3 * script_tag(name, 2000) + content[middle:])
    before, after = read(whole), read(path)
    np.testing.assert_array_equal(before[0], after[0])
    for (_, _, old), (_, _, new) in zip(before[1], after[1], strict=True):
        np.testing.assert_array_equal(old.samples, new.samples)
    assert after[2].notes == []


# Which track.


def two_tracks(path: Path, kind: str, default: int | None) -> Path:
    """A clip with two tracks of a kind: dark and bright, or quiet and loud."""
    with av.open(str(path), "w") as container:
        streams = []
        for number in range(2):
            if kind == "video":
                stream = container.add_stream("mpeg4", rate=25)
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            else:
                stream = container.add_stream("flac", rate=16_000, layout="mono")
            flag = av.stream.Disposition.default
            stream.disposition = flag if number == default else av.stream.Disposition(0)
            streams.append(stream)
        for number, stream in enumerate(streams):
            if kind == "video":
                picture = np.full((48, 64, 3), (40, 200)[number], np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            else:
                tone = (2e4 * (0.1, 1.0)[number] * made_tone(0.2, 16_000)).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(tone[np.newaxis], "s16", "mono")
                frame.sample_rate = 16_000
            frame.pts = 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


@pytest.mark.parametrize(("default", "chosen"), [(0, 0), (1, 1), (None, 0)])
def test_the_default_track_is_read_and_else_the_first(tmp_path, default, chosen):
    path = two_tracks(tmp_path / "pictures.mkv", "video", default)
    (batch,) = read_frames(path)
    assert (batch.frames.mean() > 100) == bool(chosen)
    sound = read_sound(two_tracks(tmp_path / "sounds.mkv", "audio", default), 16_000)
    assert (np.abs(sound).max() > 0.1) == bool(chosen)


# What is stated and what is read.


def with_subtitles(source: Path, out: Path, end_s: float) -> Path:
    """Copy a clip and add a line of text that stays until a time, in seconds below 60."""
    srt = f"1\n00:00:00,500 --> 00:00:{end_s:02.0f},000\nhello\n\n".encode()
    with av.open(str(source)) as old, av.open(str(out), "w") as new:
        streams = {s.index: new.add_stream_from_template(s) for s in old.streams}
        with av.open(io.BytesIO(srt), format="srt") as texts:
            text = new.add_stream_from_template(texts.streams[0])
            lines = list(texts.demux())
        for packet in [*old.demux(), *lines]:
            if packet.dts is not None:
                packet.stream = text if packet in lines else streams[packet.stream.index]
                new.mux(packet)
    return out


def test_subtitles_that_go_on_do_not_make_the_clip_end_early(tmp_path, plain):
    assert read(with_subtitles(plain, tmp_path / "subtitles.mkv", 59.0))[2].notes == []


@pytest.mark.parametrize("start_s", [-0.5, 3.0, 3600.0, 90_000.0])
def test_time_that_starts_anywhere_does_not_make_the_clip_end_early(tmp_path, plain, start_s):
    path = rewrite(plain, tmp_path / "later.mkv", shift_s=lambda *_: start_s)
    times_s, _, reader = read(path)
    assert reader.notes == []
    assert times_s[0] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("start_s", [0.0, 3600.0])
def test_a_file_that_is_cut_keeps_its_note(tmp_path, start_s):
    noise = np.random.default_rng(0).integers(0, 255, (100, 120, 160), np.uint8)
    whole = write_clip(tmp_path / "noise.mkv", noise, made_tone(4.0), video_codec="mpeg4")
    whole = rewrite(whole, tmp_path / "whole.mkv", shift_s=lambda *_: start_s)
    if not start_s:
        whole = with_subtitles(whole, tmp_path / "subtitles.mkv", 59.0)
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    reader = read(path)[2]
    (note,) = [note for note in reader.notes if "ends early" in note]
    assert note.endswith("of 4.0 s")


def test_a_last_frame_that_is_held_counts_for_its_length(tmp_path):
    path = tmp_path / "held.gif"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb8"
        for number in range(10):
            picture = np.full((48, 64, 3), 20 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="rgb8")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = bytearray(path.read_bytes())
    last = content.rindex(b"\x21\xf9\x04")
    content[last + 4 : last + 6] = struct.pack("<H", 500)
    path.write_bytes(content)
    times_s, _, reader = read(path)
    assert len(times_s) == 10
    assert reader.notes == []
    assert reader.end_s == pytest.approx(times_s[-1] + 5.0, abs=0.05)
