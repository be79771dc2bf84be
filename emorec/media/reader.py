"""From a file to streams: grey frames and mono sound, decoded in one pass.

Everything that PyAV (FFmpeg's libraries) can open is read: mp4, mov, mkv, webm, avi, flv, mpg,
wav, flac, mp3, opus, m4a and more. Frames come straight from the luma plane, so that a grey
picture costs little over decoding; sound comes as the equal mix of all channels. Both arrive in
bounded pieces, so that an hour takes no more memory than a minute.

This module opens and decodes; `emorec.media.grey` and `emorec.media.sound` convert what comes out.
None of the three knows of faces, voices or emotions.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from emorec.errors import MediaError
from emorec.media.clock import Clock
from emorec.media.grey import FrameBatch, GreyPicture, upright_size
from emorec.media.sound import MonoSound, SoundBlock
from emorec.media.tracks import absences, first_picture, picture_stream, sound_stream, stated_end_s

__all__ = [
    "MAX_SIDE_PX",
    "SYNTHETIC_COMMENT",
    "ClipInfo",
    "ClipReader",
    "CopyReader",
    "FrameBatch",
    "SoundBlock",
    "probe",
    "read_frames",
    "read_sound",
]

SYNTHETIC_COMMENT = "made up: drawn face, computed voice"
"""Comment that an avatar's clip carries, and note that every result on it shows."""

MAX_SIDE_PX = 1280
"""Longer side of the largest picture that is looked at; larger ones are reduced to it."""

# How far a file is decoded, at most, before its first picture is looked for by itself.
_FRAMES_TO_FIRST_PICTURE = 500
# These state no length; FFmpeg guesses one from the bit rate.
_FORMATS_WITHOUT_LENGTH = {"aac", "ac3", "amr", "h264", "hevc", "m4v", "mp3", "mpeg", "mpegts"}
_SHORTEST_LOSS_S = 0.5
_SLOWEST_RATE_HZ = 1
_MOST_DAMAGE = 1000


@dataclass(frozen=True)
class ClipInfo:
    """What a clip holds.

    Attributes:
        path: The file.
        container: FFmpeg's name of the file format.
        has_picture: Whether a picture can be decoded (a cover picture of a song is none).
        has_sound: Whether there is a sound track that a decoder is at hand for.
        width: Width of the upright picture in square pixels, 0 without a picture.
        height: Its height.
        frame_rate_hz: Mean frame rate, None where the file does not tell.
        duration_s: Length, None where the file does not tell.
        sample_rate_hz: Sample rate of the sound in the file, None without sound.
        channels: Number of its channels, 0 without sound.
        video_codec: Name of the picture's codec, None without a picture.
        audio_codec: Name of the sound's codec, None without sound.
        comment: What the file says of itself, "" where it says nothing.
    """

    path: Path
    container: str
    has_picture: bool
    has_sound: bool
    width: int = 0
    height: int = 0
    frame_rate_hz: float | None = None
    duration_s: float | None = None
    sample_rate_hz: int | None = None
    channels: int = 0
    video_codec: str | None = None
    audio_codec: str | None = None
    comment: str = ""

    @property
    def is_synthetic(self) -> bool:
        """Whether the file says that it is an avatar's clip."""
        return self.comment == SYNTHETIC_COMMENT


def probe(path: str | Path) -> ClipInfo:
    """Tell what a clip holds, decoding only its beginning.

    Raises:
        MediaError: When the file cannot be read as a clip.
    """
    with _Source(path, "video", "audio") as source:
        return source.describe()


class ClipReader:
    """Reads a clip in one pass, picture and sound together.

    Iterating yields `FrameBatch` and `SoundBlock` objects about in the order of the file. It can
    be iterated once.

    Args:
        path: The file.
        sample_rate_hz: Rate at which the sound is wanted.
        frames_per_batch: Largest number of frames in a batch.
        max_side_px: Larger frames are reduced so that their longer side has this many pixels.

    Attributes:
        info: What the clip holds.
        notes: What went wrong on the way; complete after the iteration.

    Raises:
        MediaError: When the file cannot be read as a clip.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        sample_rate_hz: int = 48_000,
        frames_per_batch: int = 16,
        max_side_px: int = MAX_SIDE_PX,
    ):
        self._source = _Source(path, "video", "audio")
        self.info = self._source.describe()
        self.notes = self._source.notes
        self._sound = MonoSound(sample_rate_hz, self._source.start_s)
        self._picture = self._source.picture(frames_per_batch, max_side_px)

    def __iter__(self) -> Iterator[FrameBatch | SoundBlock]:
        with self._source as source:
            for frame in source.frames():
                if isinstance(frame, av.VideoFrame):
                    yield from self._picture.add(frame)
                else:
                    yield from self._sound.add(frame)
            yield from self._picture.finish()
            yield from self._sound.finish()
            source.note_early_end(self.end_s)
            self.notes += self._absences()

    @property
    def end_s(self) -> float:
        """Time at which the clip ended so far."""
        return max(self._picture.end_s, self._sound.end_s)

    def _absences(self) -> list[str]:
        """From when to when one of the tracks is absent."""
        picture, sound = self._picture, self._sound
        return [
            *absences("picture", picture.begin_s, picture.end_s, [], self.end_s),
            *absences("sound", sound.begin_s, sound.end_s, sound.holes_s, self.end_s),
        ]


class CopyReader:
    """Reads a clip that another one is made from: frames decoded, sound as it is stored.

    Iterating yields `av.VideoFrame` and `av.Packet` objects, once. The file is open until the
    iteration ends.

    Attributes:
        info: What the clip holds.
        start_s: Time stamp at which the clip starts.
        video: The stream of the frames, None without a picture.
        audio: The stream of the packets, None without sound.
        pixel_aspect: Width of a stored pixel where its height is one.
        first_frame: The first frame, None without a picture.

    Raises:
        MediaError: When the file cannot be read as a clip.
    """

    def __init__(self, path: str | Path):
        self._source = _SourceOfPackets(path, "video", "audio")
        self.info = self._source.describe()
        self.start_s = self._source.start_s
        self.video = self._source.video if self.info.has_picture else None
        self.audio = self._source.audio
        self.pixel_aspect = self._source.pixel_aspect
        self.first_frame = self._source.first_frame

    def close(self) -> None:
        """Close a file that is not read to its end."""
        self._source.close()

    def __iter__(self) -> Iterator[av.VideoFrame | av.Packet]:
        with self._source as source:
            yield from source.frames()


def read_sound(path: str | Path, sample_rate_hz: int) -> np.ndarray:
    """Read a whole sound track; no picture is decoded.

    Returns:
        (n,) float32, the mean of all channels; empty where the file has no sound.

    Raises:
        MediaError: When the file cannot be read as a clip.
    """
    with _Source(path, "audio") as source:
        sound = MonoSound(sample_rate_hz, source.start_s)
        blocks = [block.samples for frame in source.frames() for block in sound.add(frame)]
        blocks += [block.samples for block in sound.finish()]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def read_frames(
    path: str | Path, *, frames_per_batch: int = 16, max_side_px: int = MAX_SIDE_PX
) -> Iterator[FrameBatch]:
    """Read the picture of a clip; no sound is decoded.

    Args:
        path: The file.
        frames_per_batch: Largest number of frames in a batch.
        max_side_px: Larger frames are reduced so that their longer side has this many pixels.

    Yields:
        The frames in batches; nothing where the file has no picture.

    Raises:
        MediaError: When the file cannot be read as a clip.
    """
    with _Source(path, "video") as source:
        picture = source.picture(frames_per_batch, max_side_px)
        for frame in source.frames():
            yield from picture.add(frame)
        yield from picture.finish()


class _Source:
    """An open file: decoded frames in file order, and what was noticed while decoding."""

    def __init__(self, path: str | Path, *kinds: str):
        self.path = Path(path)
        self.notes: list[str] = []
        self._damaged = 0
        self._container = _open(self.path)
        self.video = picture_stream(self._container) if "video" in kinds else None
        self.audio = sound_stream(self._container) if "audio" in kinds else None
        self._streams = [stream for stream in (self.video, self.audio) if stream is not None]
        self.start_s = (self._container.start_time or 0) / av.time_base
        duration = self._container.duration
        self.duration_s = duration / av.time_base if duration and duration > 0 else None
        self._clock = Clock(self.start_s)
        self._decoding = self._decode()
        # Only a decoded picture tells its size and which way is up.
        self._head = self._decode_to_first_picture()
        frames = (frame for frame in self._head if isinstance(frame, av.VideoFrame))
        self.first_frame = next(frames, None)
        if self.first_frame is None and self.video is not None and self._head:
            with _open(self.path) as container:
                self.first_frame = first_picture(container, self.video.index)

    def __enter__(self) -> _Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._decoding.close()
        self._container.close()

    @property
    def frame_rate_hz(self) -> float | None:
        """Mean frame rate of the picture, where it is known."""
        rates = (self.video.average_rate, self.video.guessed_rate) if self.video else ()
        # The mean of time stamps that jump is a rate at which nothing moves.
        return next((float(rate) for rate in rates if rate and rate >= _SLOWEST_RATE_HZ), None)

    @property
    def pixel_aspect(self) -> float:
        """Width of a stored pixel where its height is one; 1 where the file does not tell."""
        return float((self.video and self.video.sample_aspect_ratio) or 1)

    def picture(self, frames_per_batch: int, max_side_px: int) -> GreyPicture:
        """What turns this file's frames into batches of grey ones."""
        return GreyPicture(
            frames_per_batch, max_side_px, self.start_s, self.frame_rate_hz, self.pixel_aspect
        )

    def describe(self) -> ClipInfo:
        """What the clip holds, as far as the first decoded frames and the header tell."""
        if not self._head:
            self.close()
            raise MediaError(
                self.path,
                "no picture and no sound in it can be decoded",
                "the recording may have been cut off; copy or record it again",
            )
        first = self.first_frame
        audio = self.audio.codec_context if self.audio else None
        width, height = upright_size(first, self.pixel_aspect) if first else (0, 0)
        return ClipInfo(
            path=self.path,
            container=self._container.format.name,
            has_picture=first is not None,
            has_sound=audio is not None,
            width=width,
            height=height,
            frame_rate_hz=self.frame_rate_hz if first else None,
            duration_s=self.duration_s,
            sample_rate_hz=audio.sample_rate if audio else None,
            channels=audio.layout.nb_channels if audio else 0,
            video_codec=self.video.codec_context.name if first else None,
            audio_codec=audio.name if audio else None,
            comment=self._container.metadata.get("comment", ""),
        )

    def frames(self) -> Iterator[av.VideoFrame | av.AudioFrame]:
        """All decoded frames, once."""
        head, self._head = self._head, []
        yield from itertools.chain(head, self._decoding)
        if self._damaged:
            self.notes.append(f"{self._damaged} damaged pieces of the file were skipped")
        self.notes += self._clock.notes

    def note_early_end(self, end_s: float) -> None:
        """Leave a note when the file stops well before the length that it states."""
        formats = set(self._container.format.name.split(","))
        stated_s = stated_end_s(self._streams, self._container)
        if formats & _FORMATS_WITHOUT_LENGTH or stated_s is None:
            return
        # Some formats count from zero, some from the first time stamp; the later end counts.
        read_s = max(end_s, self._clock.stated_end_s or 0.0)
        if read_s < stated_s - _SHORTEST_LOSS_S:
            stated_s -= max(self.start_s, 0.0) if stated_s - self.start_s > end_s else 0.0
            self.notes.append(f"the file ends early, at {end_s:.1f} s of {stated_s:.1f} s")

    def _decode(self) -> Generator[av.VideoFrame | av.AudioFrame]:
        packets = self._packets()
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                self._clock.place(packet)
                frames = self._decoded(packet)
            except av.EOFError:
                continue  # a decoder that was emptied before
            except IndexError:
                # A track has appeared that the library did not count; others go on.
                packets = self._packets()
                continue
            except av.FFmpegError:
                # One bad packet costs little; a file that only fails is left soon.
                self._damaged += 1
                if self._damaged > _MOST_DAMAGE:
                    return
                continue
            yield from frames

    def _packets(self) -> Iterator[av.Packet]:
        """What is left of the tracks that are read."""
        return self._container.demux(*self._streams) if self._streams else iter(())

    def _decoded(self, packet: av.Packet) -> list:
        return packet.decode()

    def _decode_to_first_picture(self) -> list[av.VideoFrame | av.AudioFrame]:
        head: list[av.VideoFrame | av.AudioFrame] = []
        for frame in self._decoding:
            head.append(frame)
            if self.video is None or isinstance(frame, av.VideoFrame):
                break
            if len(head) >= _FRAMES_TO_FIRST_PICTURE:
                break
        return head


class _SourceOfPackets(_Source):
    """An open file whose picture is decoded and whose sound is left as it is stored."""

    def _decoded(self, packet: av.Packet) -> list:
        if packet.stream.type == "audio":
            return [packet] if packet.size else []
        return packet.decode()


def _open(path: Path) -> av.container.InputContainer:
    """Open a file, or say in plain words why that fails."""
    try:
        if path.is_dir():
            raise MediaError(path, "it is a folder, not a clip", "name a file in it")
        if path.stat().st_size == 0 and path.is_file():
            raise MediaError(path, "the file is empty", "copy or record it again")
        if not path.is_file():
            raise MediaError(path, "it is no ordinary file", "name a video or sound file")
        # "file:" keeps FFmpeg from taking a name with a colon for an address, and the whitelist
        # keeps a playlist from fetching anything.
        return av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except av.InvalidDataError as error:
        raise MediaError(
            path,
            "its content is no known video or sound format, or its end is missing",
            "play it in a media player; if that fails too, copy, export or record it again",
        ) from error
    except (OSError, av.FFmpegError, ValueError) as error:
        raise MediaError.because_of(path, error) from error
