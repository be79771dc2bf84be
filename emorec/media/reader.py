"""From a file to streams: grey frames and mono sound, decoded in one pass.

What PyAV (FFmpeg's libraries) can open and `emorec.media.opening` lists is read: mp4, mov, mkv,
webm, avi, flv, mpg, wav, flac, mp3, opus, m4a and more. Frames come straight from the luma plane,
so that a grey picture costs little over decoding; sound comes as the equal mix of all channels.
Both arrive in bounded pieces, so that an hour takes no more memory than a minute.

`emorec.media.source` opens and decodes; `emorec.media.grey` and `emorec.media.sound` convert what
comes out. None of them knows of faces, voices or emotions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from emorec.media.grey import FrameBatch, GreyPicture
from emorec.media.sound import MonoSound, SoundBlock
from emorec.media.source import Source, SourceOfPackets
from emorec.media.tracks import absences
from emorec.media.view import View

__all__ = [
    "MAX_SIDE_PX",
    "SYNTHETIC_COMMENT",
    "ClipInfo",
    "ClipReader",
    "CopiedFrame",
    "CopyReader",
    "FrameBatch",
    "SoundBlock",
    "probe",
    "read_frames",
    "read_sound",
    "sound_blocks",
]

SYNTHETIC_COMMENT = "made up: drawn face, computed voice"
"""Comment that an avatar's clip carries, and note that every result on it shows."""

BOTH_KINDS = ("video", "audio")

MAX_SIDE_PX = 1280
"""Longer side of the largest picture that is looked at; larger ones are reduced to it."""


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
    with Source(path, "video", "audio") as source:
        return _describe(source)


class ClipReader:
    """Reads a clip in one pass, picture and sound together.

    Iterating yields `FrameBatch` and `SoundBlock` objects about in the order of the file. It can
    be iterated once.

    Args:
        path: The file.
        sample_rate_hz: Rate at which the sound is wanted.
        frames_per_batch: Largest number of frames in a batch.
        max_side_px: Larger frames are reduced so that their longer side has this many pixels.
        pictures_per_s: How many frames are wanted a second, see `Pace`; by default all.
        kinds: "video", "audio": what is decoded; both where there is nothing of what is asked for.

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
        pictures_per_s: float = math.inf,
        kinds: Sequence[str] = BOTH_KINDS,
    ):
        self._source = Source(path, *kinds)
        if not self._source.holds_anything:
            self._source.close()
            self._source = Source(path, *BOTH_KINDS)
        self.info = _describe(self._source)
        self.notes = self._source.notes
        self._sound = MonoSound(sample_rate_hz, self._source.start_s)
        self._picture = _grey_picture(self._source, frames_per_batch, max_side_px, pictures_per_s)

    def __iter__(self) -> Iterator[FrameBatch | SoundBlock]:
        with self._source as source:
            for frame in source.frames():
                if isinstance(frame, av.VideoFrame):
                    yield from self._picture.add(frame, source.view)
                else:
                    yield from self._sound.add(frame)
            yield from self._picture.finish()
            yield from self._sound.finish()
            source.note_early_end(self.end_s)
            self.notes += self._absences()

    @property
    def picture_end_s(self) -> float:
        """Time at which the picture ended so far."""
        return self._picture.end_s

    @property
    def end_s(self) -> float:
        """Time at which the clip ended so far."""
        return max(self._picture.end_s, self._sound.end_s)

    def _absences(self) -> list[str]:
        """From when to when one of the tracks is absent."""
        picture, sound = self._picture, self._sound
        end_s = max(self.end_s, self._source.reached_s)
        return [
            *absences("picture", picture.begin_s, picture.end_s, picture.holes_s, end_s),
            *absences("sound", sound.begin_s, sound.end_s, sound.holes_s, end_s),
        ]


@dataclass(frozen=True)
class CopiedFrame:
    """A decoded frame.

    Attributes:
        frame: The frame as it is stored.
        view: How it is to be shown.
    """

    frame: av.VideoFrame
    view: View


class CopyReader:
    """Reads a clip that another one is made from: frames decoded, sound as it is stored.

    Iterating yields `CopiedFrame` and `av.Packet` objects, once. The file is open until the
    iteration ends.

    Attributes:
        info: What the clip holds.
        start_s: Time stamp at which the clip starts.
        video: The stream of the frames, None without a picture.
        audio: The stream of the packets, None without sound.
        first_frame: The first frame, None without a picture.

    Raises:
        MediaError: When the file cannot be read as a clip.
    """

    def __init__(self, path: str | Path):
        self._source = SourceOfPackets(path, "video", "audio")
        self.info = _describe(self._source)
        self.start_s = self._source.start_s
        self.video = self._source.video if self.info.has_picture else None
        self.audio = self._source.audio
        first = self._source.first_frame
        self.first_frame = CopiedFrame(first, self._source.view) if first else None

    def close(self) -> None:
        """Close a file that is not read to its end."""
        self._source.close()

    def __iter__(self) -> Iterator[CopiedFrame | av.Packet]:
        with self._source as source:
            for piece in source.frames():
                is_sound = isinstance(piece, av.Packet)
                yield piece if is_sound else CopiedFrame(piece, source.view)


def read_sound(path: str | Path, sample_rate_hz: int) -> np.ndarray:
    """Read a whole sound track; no picture is decoded.

    Returns:
        (n,) float32, the mean of all channels; empty where the file has no sound.

    Raises:
        MediaError: When the file cannot be read as a clip.
    """
    blocks = [block.samples for block in sound_blocks(path, sample_rate_hz)]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def sound_blocks(path: str | Path, sample_rate_hz: int) -> Iterator[SoundBlock]:
    """Read a sound track piece by piece; no picture is decoded.

    Args:
        path: The file.
        sample_rate_hz: Rate at which the sound is wanted.

    Yields:
        The sound in order; nothing where the file has none.

    Raises:
        MediaError: When the file cannot be read as a clip.
    """
    with Source(path, "audio") as source:
        sound = MonoSound(sample_rate_hz, source.start_s)
        for frame in source.frames():
            yield from sound.add(frame)
        yield from sound.finish()


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
    with Source(path, "video") as source:
        picture = _grey_picture(source, frames_per_batch, max_side_px)
        for frame in source.frames():
            yield from picture.add(frame, source.view)
        yield from picture.finish()


def _grey_picture(
    source: Source, frames_per_batch: int, max_side_px: int, pictures_per_s: float = math.inf
) -> GreyPicture:
    rate_hz = source.frame_rate_hz
    return GreyPicture(frames_per_batch, max_side_px, source.start_s, rate_hz, pictures_per_s)


def _describe(source: Source) -> ClipInfo:
    """What a clip holds, as far as its first decoded frames and its header tell.

    Raises:
        MediaError: When nothing in it can be decoded.
    """
    source.check()
    first = source.first_frame
    audio = source.audio.codec_context if source.audio else None
    width, height = source.view.size(first) if first else (0, 0)
    return ClipInfo(
        path=source.path,
        container=source.container.format.name,
        has_picture=first is not None,
        has_sound=audio is not None,
        width=width,
        height=height,
        frame_rate_hz=source.frame_rate_hz if first else None,
        duration_s=source.duration_s,
        sample_rate_hz=audio.sample_rate if audio else None,
        channels=audio.layout.nb_channels if audio else 0,
        video_codec=source.video.codec_context.name if first else None,
        audio_codec=audio.name if audio else None,
        comment=source.container.metadata.get("comment", ""),
    )
