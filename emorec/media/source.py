"""An open file: decoded frames in file order, and what was noticed while decoding."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from pathlib import Path

import av

from emorec.errors import MediaError
from emorec.media.clock import Clock
from emorec.media.joined import recording_behind
from emorec.media.kinds import ENCRYPTED, Cause, is_scrambled
from emorec.media.opening import SAMPLE_RATES_HZ, limit_pixels, next_recording, open_clip
from emorec.media.tracks import (
    first_picture,
    is_encrypted,
    is_protected,
    picture_stream,
    sound_stream,
    stated_end_s,
)
from emorec.media.unreadable import why_not_rate, why_not_size, why_nothing
from emorec.media.view import Turning, View

__all__ = ["Source", "SourceOfPackets"]

# How far a file is decoded, at most, before its first picture is looked for by itself.
_FRAMES_TO_FIRST_PICTURE = 500
# These state no length; FFmpeg guesses one from the bit rate.
_MOST_RECORDINGS = 1000  # chained in one file; each takes milliseconds to open
_FORMATS_WITHOUT_LENGTH = {"aac", "ac3", "amr", "h264", "hevc", "m4v", "mp3", "mpeg", "mpegts"}
_SHORTEST_LOSS_S = 0.5
_SLOWEST_RATE_HZ = 1
_MOST_DAMAGE = 1000
_MOST_STUMBLES = 50  # in a row, over which reading goes on
_SCRAMBLED_FORMATS = {"asf", "mpegts"}  # what they encrypt, they hand out as if it were not
_NAMES = {"video": "picture", "audio": "sound"}


class Source:
    """An open file: decoded frames in file order, and what was noticed while decoding.

    Args:
        path: The file.
        kinds: "video", "audio": what is decoded.

    Attributes:
        path: The file.
        notes: What went wrong on the way; complete when all frames were taken.
        container: The open file; another one where several recordings are chained in it.
        video: The picture that is read, None without one.
        audio: The sound that is read, None without one.
        start_s: Time stamp at which the clip starts.
        duration_s: Length, None where the file does not tell.
        first_frame: The first picture, None where none is decoded.
        reached_s: Where reading has got to, whether or not that was decoded; seconds from the
            start of the clip.

    Raises:
        MediaError: When the file cannot be read as a clip, or states what is not decoded.
    """

    def __init__(self, path: str | Path, *kinds: str):
        self.path, self._kinds = Path(path), kinds
        self.notes: list[str] = []
        self._damaged = 0
        self._has_broken_off = False
        self._encrypted: set[str] = set()
        self._turning = Turning()
        self._recordings = 1  # that are chained in this file, so far
        self._begun_at = 0  # byte at which the recording begins that is read now
        self._take_over(open_clip(self.path))
        self.start_s = (self.container.start_time or 0) / av.time_base
        duration = self.container.duration
        self.duration_s = duration / av.time_base if duration and duration > 0 else None
        self.reached_s = 0.0
        self._clock = Clock(self.start_s)
        self._decoding = self._decode()
        # Only a decoded picture tells its size and which way is up.
        self._head = self._decode_to_first_picture()
        frames = (frame for frame in self._head if isinstance(frame, av.VideoFrame))
        self.first_frame = next(frames, None)
        if self.first_frame is None and self.video is not None and self._head:
            with open_clip(self.path) as container:
                self.first_frame = first_picture(container, self.video.index)
            if self.first_frame is not None:
                self._turning.follow(self.first_frame)
        self._first_aspect = self._coded_aspect()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._decoding.close()
        self.container.close()

    @property
    def frame_rate_hz(self) -> float | None:
        """Mean frame rate of the picture, where it is known."""
        rates = (self.video.average_rate, self.video.guessed_rate) if self.video else ()
        # The mean of time stamps that jump is a rate at which nothing moves.
        return next((float(rate) for rate in rates if rate and rate >= _SLOWEST_RATE_HZ), None)

    @property
    def view(self) -> View:
        """How the last frame is to be shown."""
        return View(self._pixel_aspect(), self._turning.matrix)

    @property
    def holds_anything(self) -> bool:
        """Whether something can be decoded; before `frames` is called."""
        return bool(self._head)

    def check(self) -> None:
        """Make sure that something can be decoded.

        Raises:
            MediaError: When nothing can be; it says why.
        """
        if not self._head:
            cause = why_nothing(self.path, self.container, self._encrypted)
            self.close()
            raise MediaError(self.path, *cause)

    def frames(self) -> Iterator[av.VideoFrame | av.AudioFrame]:
        """All decoded frames, once."""
        head, self._head = self._head, []
        yield from itertools.chain(head, self._decoding)
        if self._damaged:
            pieces = "1 damaged piece" if self._damaged == 1 else f"{self._damaged} damaged pieces"
            verb = "was" if self._damaged == 1 else "were"
            self.notes.append(f"{pieces} of the file {verb} skipped")
        for kind in sorted(self._encrypted):
            self.notes.append(f"the {_NAMES[kind]} is encrypted and was not read")
        self.notes += self._clock.notes

    def note_early_end(self, end_s: float) -> None:
        """Leave a note when the file stops well before its end, or the length that it states."""
        stated_s = self._stated_end_s()
        # Some formats count from zero, some from the first time stamp; the later end counts.
        read_s = max(end_s, self._clock.stated_end_s or 0.0)
        if stated_s is not None and read_s < stated_s - _SHORTEST_LOSS_S:
            stated_s -= max(self.start_s, 0.0) if stated_s - self.start_s > end_s else 0.0
            self.notes.append(f"the file ends early, at {end_s:.1f} s of {stated_s:.1f} s")
        elif self._has_broken_off:
            told = f"nothing could be read from {end_s:.1f} s on, where the file is damaged"
            self.notes.append(told)

    def _stated_end_s(self) -> float | None:
        """Time stamp at which the file says that it ends, as far as that can be believed."""
        if self._begun_at or set(self.container.format.name.split(",")) & _FORMATS_WITHOUT_LENGTH:
            return None
        return stated_end_s(self._streams, self.container)

    def _take_over(self, container: av.container.InputContainer) -> None:
        """Read on from a container.

        Raises:
            MediaError: When it states what is not decoded: too large a picture, a strange rate.
        """
        video = picture_stream(container) if "video" in self._kinds else None
        audio = sound_stream(container) if "audio" in self._kinds else None
        cause = self._why_not(container, video, audio)
        if cause:
            container.close()
            raise MediaError(self.path, *cause)
        self._encrypted |= {s.type for s in (video, audio) if is_protected(s)}
        video = None if is_protected(video) else video
        audio = None if is_protected(audio) else audio
        if video is not None:
            limit_pixels(video)
        self.container, self.video, self.audio = container, video, audio
        self._streams = [stream for stream in (video, audio) if stream is not None]

    def _why_not(
        self,
        container: av.container.InputContainer,
        video: av.VideoStream | None,
        audio: av.AudioStream | None,
    ) -> Cause | None:
        """Say why tracks are not decoded, as far as their headers tell it."""
        if container.format.name in _SCRAMBLED_FORMATS and is_scrambled(self.path):
            return ENCRYPTED
        context = video.codec_context if video is not None else None
        size = (context.width, context.height) if context is not None else (0, 0)
        return why_not_size(*size) or why_not_rate(audio)

    def _decode(self) -> Generator[av.VideoFrame | av.AudioFrame]:
        for packet in self._packets():
            self._clock.place(packet)
            self._note_reach(packet)
            if is_encrypted(packet):
                self._encrypted.add(packet.stream.type)
                continue
            try:
                frames = self._decoded(packet)
            except av.EOFError:
                continue  # a decoder that was emptied before
            except av.FFmpegError:
                # One bad packet costs little; a file that only fails is left soon.
                self._damaged += 1
                if self._damaged > _MOST_DAMAGE:
                    return
                continue
            for frame in frames:
                if isinstance(frame, av.VideoFrame):
                    self._turning.follow(frame)
                if self._has_usual_rate(frame):
                    yield frame

    def _packets(self) -> Iterator[av.Packet]:
        """All packets of the tracks that are read, whatever reading stumbles over."""
        stumbles, position = 0, 0
        packets = self._packets_left()
        while True:
            try:
                packet = next(packets, None)
            except IndexError:
                # A track has appeared that the library did not count; others go on.
                packets = self._packets_left()
                continue
            except av.FFmpegError:
                if position and self._has_next_recording(position):
                    stumbles, position = 0, 0
                elif stumbles < _MOST_STUMBLES and not self._has_broken_off:
                    stumbles += 1
                else:
                    self._has_broken_off = True
                    return
                packets = self._packets_left()
                continue
            if packet is None:
                if position and self._has_next_recording(position):
                    stumbles, position, packets = 0, 0, self._packets_left()
                    continue
                self._has_broken_off |= stumbles > 0
                return
            if packet.size:
                self._damaged += stumbles > 0
                stumbles, position = 0, max(position, packet.pos or 0)
            yield packet

    def _packets_left(self) -> Iterator[av.Packet]:
        """What is left of the tracks that are read."""
        return self.container.demux(*self._streams) if self._streams else iter(())

    def _has_next_recording(self, position: int) -> bool:
        """Go on with the recording that is chained behind this one, if there is one.

        Args:
            position: Byte of the last packet, counted from where this recording begins.
        """
        begins_at = self._recording_behind(self._begun_at + position + 1)
        self._recordings += 1
        if begins_at is not None and self._recordings > _MOST_RECORDINGS:
            self._has_broken_off = True
            return False
        while begins_at is not None:
            try:
                read = self.container
                self._take_over(open_clip(self.path, begins_at))
                read.close()
            except MediaError:
                self._has_broken_off = True
                begins_at = self._recording_behind(begins_at + 1)
                continue
            self._begun_at, self._has_broken_off = begins_at, False
            return True
        return False

    def _decoded(self, packet: av.Packet) -> list:
        return packet.decode()

    def _recording_behind(self, from_byte: int) -> int | None:
        """At which byte the next recording begins, behind a byte of the one that is read."""
        format_names = self.container.format.name
        if format_names == "ogg":
            return next_recording(self.path, from_byte)
        begins_at = recording_behind(self.path, self._begun_at, format_names)
        return begins_at if begins_at is not None and begins_at >= from_byte else None

    def _note_reach(self, packet: av.Packet) -> None:
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None and not packet.is_discard:
            end_s = float((stamp + (packet.duration or 0)) * packet.time_base) - self.start_s
            self.reached_s = max(self.reached_s, end_s)

    def _has_usual_rate(self, frame: av.VideoFrame | av.AudioFrame) -> bool:
        """Tell whether sound comes at a rate that can be; it may change on the way."""
        if not isinstance(frame, av.AudioFrame):
            return True
        least_hz, most_hz = SAMPLE_RATES_HZ
        is_usual = least_hz <= frame.sample_rate <= most_hz
        self._damaged += not is_usual
        return is_usual

    def _pixel_aspect(self) -> float:
        """What the file states, 1 where it does not, until the picture itself says otherwise."""
        now = self._coded_aspect()
        if now and now != self._first_aspect:
            return now
        return float((self.video and self.video.sample_aspect_ratio) or 1)

    def _coded_aspect(self) -> float | None:
        """The shape of pixels as the picture's decoder has it now."""
        aspect = self.video.codec_context.sample_aspect_ratio if self.video else None
        return float(aspect) if aspect else None

    def _decode_to_first_picture(self) -> list[av.VideoFrame | av.AudioFrame]:
        head: list[av.VideoFrame | av.AudioFrame] = []
        for frame in self._decoding:
            head.append(frame)
            if self.video is None or isinstance(frame, av.VideoFrame):
                break
            if len(head) >= _FRAMES_TO_FIRST_PICTURE:
                break
        return head


class SourceOfPackets(Source):
    """An open file whose picture is decoded and whose sound is left as it is stored."""

    def _decoded(self, packet: av.Packet) -> list:
        if packet.stream.type == "audio":
            return [packet] if packet.size else []
        return packet.decode()

    def _recording_behind(self, from_byte: int) -> int | None:
        # Sound that is stored in another way cannot be copied into one track with it.
        begins_at = super()._recording_behind(from_byte)
        if begins_at is None:
            return None
        try:
            with open_clip(self.path, begins_at) as container:
                is_alike = _stored(sound_stream(container)) == _stored(self.audio)
        except MediaError:
            is_alike = False
        return begins_at if is_alike else None


def _stored(sound: av.AudioStream | None) -> tuple:
    """What has to be the same of two tracks whose packets are to stand in one."""
    if sound is None:
        return ()
    context = sound.codec_context
    return context.name, context.sample_rate, context.layout.name, context.extradata
