"""Which tracks of a file are read, and what is told of them: protection, length, absence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import av

from emorec.media.sound import NOTED_S

__all__ = [
    "absences",
    "first_picture",
    "is_encrypted",
    "is_protected",
    "picture_stream",
    "sound_stream",
    "stated_end_s",
]

_PROTECTED_TAGS = {"drms", "drmi", "aavd"}  # of shops' songs, films and books
_MOST_HOLES = 3
_MOST_DAMAGE = 1000
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")

AnyStream = TypeVar("AnyStream", bound=av.stream.Stream)


def picture_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The default moving picture that a decoder is at hand for, the first where none is."""
    pictures = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    moving = [stream for stream in container.streams.video if not stream.disposition & pictures]
    stream = _default(moving)
    if stream is not None:
        # Several frames are then decoded at once, while Python works on earlier ones.
        stream.thread_type = "AUTO"
    return stream


def sound_stream(container: av.container.InputContainer) -> av.AudioStream | None:
    """The default sound track that a decoder is at hand for, the first where none is."""
    return _default(container.streams.audio)


def _default(streams: Sequence[AnyStream]) -> AnyStream | None:
    usable = [stream for stream in streams if stream.codec_context is not None]
    default = av.stream.Disposition.default
    chosen = [stream for stream in usable if stream.disposition & default] or usable
    return chosen[0] if chosen else None


def is_encrypted(packet: av.Packet) -> bool:
    """Tell whether a packet is encrypted, as its container says."""
    return packet.has_sidedata("encryption_info")


def is_protected(stream: av.stream.Stream | None) -> bool:
    """Tell whether all of a track is encrypted, as its header says."""
    if stream is None:
        return False
    return _tag(stream) in _PROTECTED_TAGS or "enc_key_id" in stream.metadata


def _tag(stream: av.stream.Stream) -> str:
    """The four letters by which a container names a codec; some are none."""
    try:
        return stream.codec_context.codec_tag if stream.codec_context is not None else ""
    except UnicodeDecodeError:
        return ""


def first_picture(container: av.container.InputContainer, index: int) -> av.VideoFrame | None:
    """Find the first picture of a track, however late it begins; None where none is decoded.

    What is encrypted is passed over: some of it decodes by chance, to noise.

    Args:
        container: A file from which nothing has been read yet.
        index: Number of the track; all others are passed over undecoded.
    """
    packets = container.demux(container.streams[index])
    for _ in range(_MOST_DAMAGE):
        try:
            for packet in packets:
                frames = [] if is_encrypted(packet) else packet.decode()
                if frames:
                    return frames[0]
            return None
        except (IndexError, EOFError):
            return None
        except av.FFmpegError:
            continue
    return None


def stated_end_s(
    streams: Sequence[av.stream.Stream], container: av.container.InputContainer
) -> float | None:
    """Return the time stamp at which a file states that some of its tracks end; None: not known.

    The length of the whole file counts only where the tracks' own are not stated: subtitles may go
    on for longer.
    """
    ends_s = [_stated_end_s(stream) for stream in streams]
    if ends_s and None not in ends_s:
        return max(ends_s)
    duration = container.duration
    return duration / av.time_base if duration and duration > 0 else None


def _stated_end_s(stream: av.stream.Stream) -> float | None:
    if stream.duration and stream.duration > 0:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    # Matroska's own; it counts from zero, wherever the first time stamp stands.
    stated = _CLOCK.fullmatch(stream.metadata.get("DURATION", ""))
    if not stated:
        return None
    hours, minutes, seconds = stated.groups()
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def absences(
    kind: str,
    begin_s: float | None,
    end_s: float,
    holes_s: Sequence[tuple[float, float]],
    clip_end_s: float,
) -> list[str]:
    """Say when a track is absent although another one is there.

    Args:
        kind: What the track holds.
        begin_s: When it begins; None where there is none at all, which others tell.
        end_s: When it ends.
        holes_s: From when to when it is absent in between.
        clip_end_s: When all tracks have ended.

    >>> absences("picture", 0.0, 3.1, [], 12.4)
    ['no picture from 3.1 s on']
    >>> absences("sound", 14.0, 20.0, [(15.0, 18.0)], 20.2)
    ['no sound until 14.0 s', 'no sound from 15.0 to 18.0 s']
    """
    if begin_s is None:
        return []
    notes = [f"no {kind} until {begin_s:.1f} s"] if begin_s >= NOTED_S else []
    notes += [f"no {kind} from {a:.1f} to {b:.1f} s" for a, b in holes_s[:_MOST_HOLES]]
    if len(holes_s) > _MOST_HOLES:
        more_s = sum(b - a for a, b in holes_s[_MOST_HOLES:])
        notes.append(f"no {kind} for {more_s:.1f} s more, in {len(holes_s) - _MOST_HOLES} places")
    if clip_end_s - end_s >= NOTED_S:
        notes.append(f"no {kind} from {end_s:.1f} s on")
    return notes
