"""What is opened and what is refused: lists, other files, encryption, bombs; and odd tags."""

import gzip
import os
import struct
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers import made_frames, made_tone, write_clip

from emorec.errors import MediaError
from emorec.media import colour_frames, opening
from emorec.media.colour_frames import read_colour_frames
from emorec.media.opening import MOST_PIXELS, open_clip
from emorec.media.reader import ClipReader, CopyReader, probe, read_frames, read_sound
from emorec.media.sound import SoundBlock


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """A small clip with picture and sound, beside which the lists lie."""
    path = tmp_path_factory.mktemp("opening") / "clip.mp4"
    options = {"movflags": "faststart"}
    return write_clip(path, made_frames(10, 48, 64), made_tone(0.4), options=options)


def refused(path: Path) -> MediaError:
    """The error with which a file is refused."""
    for read in (ClipReader, CopyReader):
        with pytest.raises(MediaError):
            read(path)
    with pytest.raises(MediaError) as caught:
        probe(path)
    assert caught.value.remedy
    assert str(caught.value).count("\n") == 0
    return caught.value


# Lists and playlists.

LISTS = {
    "ffconcat": "ffconcat version 1.0\nfile clip.mp4\n",
    "ffconcat of itself": "ffconcat version 1.0\nfile 'list.mp4'\n",
    "blank lines first": "\n\n  ffconcat version 1.0\nfile clip.mp4\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nclip.mp4\n#EXT-X-ENDLIST\n",
    "m3u8 without an end": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nclip.mp4\n",
    "m3u8 of itself": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlist.mp4\n",
    "m3u8 with a mark": "\ufeff#EXTM3U\n#EXTINF:2,\nclip.mp4\n#EXT-X-ENDLIST\n",
    "pls": "[playlist]\nFile1=clip.mp4\nNumberOfEntries=1\n",
    "asx": '<ASX version="3.0"><Entry><Ref href="clip.mp4"/></Entry></ASX>',
    "asf redirection": "[Reference]\nRef1=http://127.0.0.1/clip.mp4\n",
    "xspf": '<?xml version="1.0"?>\n<playlist version="1"><location>clip.mp4</location></playlist>',
    "wpl": '<?wpl version="1.0"?><smil><body><seq><media src="clip.mp4"/></seq></body></smil>',
    "smil": '<smil><body><video src="clip.mp4"/></body></smil>',
    "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<Period><AdaptationSet><Representation><BaseURL>clip.mp4</BaseURL></Representation>"
    "</AdaptationSet></Period></MPD>",
    "imf": '<?xml version="1.0"?><CompositionPlaylist '
    'xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"></CompositionPlaylist>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    "rtsp": "RTSPtext\nrtsp://127.0.0.1/clip\n",
    "vobsub": "# VobSub index file, v7\nid: en, index: 0\n",
    "link": "[InternetShortcut]\nURL=file:///clip.mp4\n",
}
TEXTS = {
    "paths": "clip.mp4\n/home/clip.mp4\n",
    "avisynth": 'DirectShowSource("clip.mp4")\n',
    "cue sheet": 'FILE "clip.wav" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "subtitles": "1\n00:00:00,000 --> 00:00:02,000\nhello\n",
    "latin letters": "Gespr\u00e4ch: clip.mp4\n",
    "json": '{"clip": "clip.mp4"}',
}


@pytest.mark.parametrize("suffix", ["mp4", "txt", "wav"])
@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_refused_by_its_content(clip, name, suffix):
    path = clip.with_name(f"list.{suffix}")
    path.write_text(LISTS[name], encoding="utf-8")
    error = refused(path)
    assert "it is a list or playlist" in error.reason
    assert "name the recordings themselves" in error.remedy
    with pytest.raises(MediaError):
        read_sound(path, 16_000)
    with pytest.raises(MediaError):
        list(read_frames(path))


@pytest.mark.parametrize("name", [*LISTS, *TEXTS])
def test_no_list_is_followed_even_if_it_is_not_known_for_one(clip, monkeypatch, name):
    monkeypatch.setattr(opening, "list_kind", lambda path: None)
    path = clip.with_name("list.mp4")
    path.write_text({**LISTS, **TEXTS}[name], encoding="utf-8")
    with pytest.raises(MediaError):
        open_clip(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_called_one(clip, name, encoding):
    path = clip.with_name("text.mp4")
    path.write_text(TEXTS[name] * 3, encoding=encoding)
    assert "it is a text" in refused(path).reason


def test_a_name_that_is_a_pattern_opens_no_series_of_pictures(tmp_path):
    picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), "rgb24")
    for number in range(3):
        with av.open(str(tmp_path / f"face{number:03d}.png"), "w", format="image2") as container:
            stream = container.add_stream("png", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
            container.mux([*stream.encode(picture), *stream.encode(None)])
    alone = sum(len(batch.frames) for batch in read_frames(tmp_path / "face000.png"))
    assert alone == 1
    pattern = tmp_path / "face%03d.png"
    pattern.write_text("no picture\n")
    refused(pattern)


def test_sound_that_a_mov_file_keeps_elsewhere_is_not_fetched(tmp_path):
    whole = write_clip(tmp_path / "whole.mov", None, made_tone(1.0), audio_codec="pcm_s16le")
    content = bytearray(whole.read_bytes())
    place = content.index(b"dref")
    assert content[place + 16 : place + 20] in (b"url ", b"alis")
    record = bytes(150)
    entry = struct.pack(">I4sI", 12 + len(record), b"alis", 0) + record
    with_path = entry[:-40] + struct.pack(">HH", 2, 20) + b"/whole.mov".ljust(36, b"\0")
    grown = len(with_path) - 12
    content[place + 12 : place + 24] = with_path
    for box in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        at = content.index(box) - 4
        size = int.from_bytes(content[at : at + 4], "big")
        content[at : at + 4] = (size + grown).to_bytes(4, "big")
    path = tmp_path / "elsewhere.mov"
    path.write_bytes(content)
    whole.unlink()
    assert np.isfinite(read_sound(path, 16_000)).all()


# Other kinds of files.


def other_file(kind: str, path: Path, clip: Path) -> Path:
    """A file that is called a clip and is none."""
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(clip)
        return path
    whole = clip.read_bytes()
    contents = {
        "gzip": gzip.compress(whole),
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(range(256)),
        "midi": b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0",
        "program": b"\x7fELF" + bytes(200),
        "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "page": b"<!DOCTYPE html><html><body>404 not found</body></html>",
        "page with a remark": b"\n<!-- saved -->\n<html><body>log in</body></html>",
        "zeros": bytes(len(whole)),
        "no index": whole[: whole.index(b"moov") - 4] + whole[whole.index(b"mdat") - 4 :],
        "noise": np.random.default_rng(0).bytes(4000),
        "subtitles": b"",
    }
    path.write_bytes(contents[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "reason", "remedy"),
    [
        ("zip", "a ZIP archive", "unpack it"),
        ("gzip", "it is packed", "unpack it"),
        ("pdf", "a PDF document", "the recording itself"),
        ("midi", "holds notes", "record the sound"),
        ("program", "a program", "the recording itself"),
        ("pointer", "Git LFS", "git lfs pull"),
        ("page", "a web page", "download the recording again"),
        ("page with a remark", "a web page", "download the recording again"),
        ("zeros", "nothing but zeros", "copy or download it again"),
        ("no index", "its end is missing, and with it the index", "copy it again"),
        ("noise", "no known video or sound format", "convert it to mp4 or wav"),
    ],
)
def test_what_is_no_recording_is_called_by_its_name(tmp_path, clip, kind, reason, remedy):
    error = refused(other_file(kind, tmp_path / "clip.mp4", clip))
    assert reason in error.reason
    assert remedy in error.remedy


def test_a_file_without_picture_and_sound_says_what_it_holds(tmp_path):
    path, texts = tmp_path / "texts.mkv", tmp_path / "texts.srt"
    texts.write_text("1\n00:00:00,000 --> 00:00:02,000\nhello\n\n")
    with av.open(str(texts)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams[0])
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    error = refused(path)
    assert "it holds no picture and no sound, only subtitle" in error.reason


def test_a_codec_without_a_decoder_is_named_as_the_cause(tmp_path):
    path = write_clip(tmp_path / "clip.mkv", made_frames(5, 48, 64), None, video_codec="ffv1")
    path.write_bytes(path.read_bytes().replace(b"V_FFV1", b"V_XXXX"))
    error = refused(path)
    assert "no decoder is at hand" in error.reason
    assert "convert it to mp4" in error.remedy


def test_a_picture_that_is_damaged_from_its_beginning(tmp_path):
    options = {"movflags": "faststart"}
    path = write_clip(tmp_path / "damaged.mp4", made_frames(10, 48, 64), options=options)
    content = path.read_bytes()
    begin = content.index(b"mdat") + 4
    path.write_bytes(content[:begin] + bytes(len(content) - begin))
    error = refused(path)
    assert "no picture and no sound in it (h264) can be decoded" in error.reason
    assert "copy it again" in error.remedy


# Encryption.


ENCRYPTION = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
    "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
}


@pytest.mark.parametrize("kind", ["both", "picture", "sound"])
def test_an_encrypted_clip_is_called_so(tmp_path, kind):
    frames = None if kind == "sound" else made_frames(10, 48, 64)
    sound = None if kind == "picture" else made_tone(0.4)
    error = refused(write_clip(tmp_path / "clip.mp4", frames, sound, options=ENCRYPTION))
    assert "it is encrypted" in error.reason
    assert "without protection" in error.remedy
    assert "record it again" not in error.remedy


@pytest.mark.parametrize("samples", ["encrypted", "such as decode by chance"])
def test_a_clip_with_an_encrypted_picture_is_read_by_its_sound(tmp_path, samples):
    frames, sound = made_frames(25, 48, 64), made_tone(1.0)
    options = {"movflags": "faststart"}
    path = write_clip(
        tmp_path / "half.mp4",
        frames,
        sound,
        audio_codec="pcm_s16le",
        options={**ENCRYPTION, **options},
    )
    content = path.read_bytes()
    track = content.rindex(b"trak")
    end = content.index(b"mdat")
    # Noise, as its samples remain encrypted, yet said to be plain.
    plain = content[track:end].replace(b"enca", b"ipcm")
    for box in (b"sinf", b"senc", b"saio", b"saiz"):
        plain = plain.replace(box, b"free")
    held = content[end:]
    if samples != "encrypted":
        # One clip in twenty-five has them: here all, as they are those of the clip in the clear.
        clear = tmp_path / "clear.mp4"
        write_clip(clear, frames, sound, audio_codec="pcm_s16le", options=options)
        clear_content = clear.read_bytes()
        clear_held = clear_content[clear_content.index(b"mdat") :]
        assert len(clear_held) == len(held)
        held = clear_held
    path.write_bytes(content[:track] + plain + held)
    reader = ClipReader(path)
    assert (reader.info.has_picture, reader.info.has_sound) == (False, True)
    pieces = list(reader)
    assert all(isinstance(piece, SoundBlock) for piece in pieces)
    assert sum(piece.samples.size for piece in pieces) == sound.size
    assert reader.notes == ["the picture is encrypted and was not read"]


def test_colour_frames_end_in_words_where_the_picture_is_encrypted(clip, monkeypatch):
    answers = iter([False] * 4 + [True])
    monkeypatch.setattr(colour_frames, "is_encrypted", lambda packet: next(answers))
    with pytest.raises(MediaError, match="it is encrypted"):
        list(read_colour_frames(clip))


def test_a_scrambled_broadcast_is_called_encrypted(tmp_path):
    path = write_clip(
        tmp_path / "broadcast.ts",
        made_frames(25, 48, 64),
        made_tone(1.0),
        video_codec="mpeg2video",
        audio_codec="mp2",
    )
    content = bytearray(path.read_bytes())
    for at in range(0, len(content), 188):
        number = int.from_bytes(content[at + 1 : at + 3], "big") & 0x1FFF
        if number >= 0x100 and number != 0x1000:
            begin = at + 5 + content[at + 4] if content[at + 3] & 0x20 else at + 4
            content[at + 3] |= 0x80
            content[begin : at + 188] = np.random.default_rng(at).bytes(at + 188 - begin)
    path.write_bytes(content)
    assert "it is encrypted" in refused(path).reason


def test_songs_and_books_of_shops_are_called_encrypted(tmp_path):
    path = write_clip(tmp_path / "song.m4a", None, made_tone(0.5))
    content = path.read_bytes()
    noise = np.random.default_rng(0).bytes(len(content))
    at, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    song = content[:at] + noise[at:end] + content[end:].replace(b"mp4a", b"drms", 1)
    path.write_bytes(song)
    assert "it is encrypted" in refused(path).reason
    book = tmp_path / "book.aax"
    book.write_bytes(content[:8] + b"aax " + content[12:40] + bytes(100))
    assert "it is encrypted" in refused(book).reason


# Bombs.


def gif_of(path: Path, width: int, height: int) -> Path:
    """A few bytes that claim two pictures of any size."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x21\xf9\x04\0\x0a\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0)
    path.write_bytes(screen + 2 * (frame + b"\x02\x02\x4c\x01\0") + b"\x3b")
    return path


def peak_kb() -> int:
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="needs Linux's /proc")
@pytest.mark.parametrize(("width", "height"), [(16_000, 16_000), (65_535, 65_535), (8_000, 6_000)])
def test_pictures_that_are_too_large_are_refused_before_they_cost_memory(tmp_path, width, height):
    path = gif_of(tmp_path / "bomb.gif", width, height)
    Path("/proc/self/clear_refs").write_text("5")
    before_kb = peak_kb()
    error = refused(path)
    assert peak_kb() - before_kb < 60_000
    assert f"{width} x {height} pixels" in error.reason
    assert "40 million" in error.reason
    assert "smaller" in error.remedy
    with pytest.raises(MediaError, match="40 million"):
        list(read_colour_frames(path))


def test_pictures_of_8k_pass(tmp_path):
    path = gif_of(tmp_path / "8k.gif", 8192, 4320)
    assert MOST_PIXELS >= 8192 * 4320
    (batch,) = read_frames(path)
    assert batch.frames.shape == (2, 675, 1280)


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "1 damaged piece of the file was"), (3, "3 damaged pieces of the file were")],
)
def test_a_picture_that_grows_too_large_on_the_way_is_left_out(tmp_path, count, said):
    small, large = (
        write_clip(
            tmp_path / "small.mjpeg",
            made_frames(number, 48, 64),
            video_codec="mjpeg",
            pixel_format="yuvj420p",
        ).read_bytes()
        for number in (3, count)
    )
    large = bytearray(large)
    at = -1
    while (at := large.find(b"\xff\xc0", at + 1)) >= 0:
        large[at + 5 : at + 9] = struct.pack(">HH", 20_000, 20_000)
    path = tmp_path / "grows.mjpeg"
    path.write_bytes(small + large + small)
    reader = ClipReader(path)
    assert sum(len(piece.frames) for piece in reader) == 6
    assert f"{said} skipped" in reader.notes


@pytest.mark.parametrize("rate_hz", [1, 200, 999, 3_000_001, 2**31 - 1])
@pytest.mark.parametrize("suffix", ["wav", "au", "w64"])
def test_sound_at_a_rate_that_no_sound_has_is_refused(tmp_path, rate_hz, suffix):
    path = write_clip(
        tmp_path / f"clip.{suffix}",
        None,
        made_tone(0.2, 16_000),
        audio_codec="pcm_s16be" if suffix == "au" else "pcm_s16le",
        sample_rate_hz=16_000,
    )
    order = ">" if suffix == "au" else "<"
    usual, strange = struct.pack(f"{order}I", 16_000), struct.pack(f"{order}I", rate_hz)
    path.write_bytes(path.read_bytes().replace(usual, strange, 1))
    error = refused(path)
    assert f"{rate_hz:,} samples a second" in error.reason
    assert "convert" in error.remedy


@pytest.mark.parametrize("rate_hz", [1_000, 4_000, 192_000])
def test_sound_at_an_unusual_rate_is_read(tmp_path, rate_hz):
    path = write_clip(
        tmp_path / "clip.wav",
        None,
        made_tone(1.0, rate_hz, 40.0),
        audio_codec="pcm_s16le",
        sample_rate_hz=rate_hz,
    )
    sound = read_sound(path, 16_000)
    assert sound.size == pytest.approx(16_000, abs=100)
    assert np.abs(sound).max() == pytest.approx(0.5, abs=0.02)


# Tags.

TAGGED = {
    "mp4": ("libx264", "aac"),
    "mov": ("libx264", "aac"),
    "mkv": ("mpeg4", "flac"),
    "avi": ("mpeg4", "mp3"),
    "flv": ("flv", "libmp3lame"),
    "ogg": (None, "flac"),
    "opus": (None, "libopus"),
    "flac": (None, "flac"),
    "mp3": (None, "libmp3lame"),
    "wav": (None, "pcm_s16le"),
    "aiff": (None, "pcm_s16be"),
    "wma": (None, "libmp3lame"),
    "wmv": ("wmv2", "libmp3lame"),
    "m4a": (None, "aac"),
}


def with_sums(content: bytes) -> bytes:
    """An Ogg file whose pages have the sums that belong to them."""
    pages = content.split(b"OggS")
    for number, page in enumerate(pages[1:], 1):
        whole = bytearray(b"OggS" + page)
        whole[22:26] = bytes(4)
        rest = 0
        for byte in whole:
            rest ^= byte << 24
            for _ in range(8):
                rest = (rest << 1 ^ (0x04C11DB7 if rest & 0x80000000 else 0)) & 0xFFFFFFFF
        whole[22:26] = rest.to_bytes(4, "little")
        pages[number] = bytes(whole[4:])
    return b"OggS".join(pages)


@pytest.mark.parametrize("suffix", TAGGED)
def test_tags_in_any_encoding_are_no_reason_to_refuse_a_clip(tmp_path, suffix):
    video_codec, audio_codec = TAGGED[suffix]
    plain = write_clip(
        tmp_path / f"plain.{suffix}",
        None if video_codec is None else made_frames(10, 48, 64),
        made_tone(0.4, 44_100),
        video_codec=video_codec or "",
        audio_codec=audio_codec,
        sample_rate_hz=48_000 if suffix == "opus" else 44_100,
    )
    tagged = tmp_path / f"tagged.{suffix}"
    with av.open(str(plain)) as old, av.open(str(tagged), "w") as new:
        streams = {s.index: new.add_stream_from_template(s) for s in old.streams}
        for stream in streams.values():
            stream.metadata["title"] = stream.metadata["language"] = "QQQ"
        new.metadata["title"] = new.metadata["comment"] = "GesprQch QQQ"
        chapter = {"id": 1, "start": 0, "end": 1, "time_base": Fraction(1, 1)}
        new.set_chapters([{**chapter, "metadata": {"title": "QQQ"}}])
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    content = tagged.read_bytes()
    assert b"QQQ" in content or b"Q\0Q\0Q" in content
    content = content.replace(b"QQQ", b"\xe4\xf6\xfc").replace(b"GesprQch", b"Gespr\xe4ch")
    tagged.write_bytes(with_sums(content) if suffix in ("ogg", "opus") else content)
    reader = ClipReader(tagged)
    assert probe(plain).has_picture == reader.info.has_picture
    assert sum(1 for _ in reader) > 0
    assert CopyReader(tagged).info.has_sound
    assert not reader.info.is_synthetic
