"""Why nothing in a file can be decoded although FFmpeg opens it, and what can be done."""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
from pathlib import Path

import av

from emorec.media.kinds import ENCRYPTED, Cause
from emorec.media.opening import MOST_PIXELS, SAMPLE_RATES_HZ, limit_pixels, open_clip
from emorec.media.tracks import picture_stream

__all__ = ["why_not_rate", "why_not_size", "why_nothing"]

_TOO_LARGE = re.compile(r"Picture size (\d+)x(\d+) (?:exceeds|is invalid)")
_PACKETS_LOOKED_AT = 5
_LOGGING = threading.Lock()  # FFmpeg has one log for all threads
_CONVERT = "convert it to mp4 (H.264 and AAC) with the program that made it, or with another player"

_COPY = (
    "the recording may have been cut off or damaged; copy it again, and if that fails too record "
    f"it again, or {_CONVERT}"
)


def why_not_size(width: int, height: int) -> Cause | None:
    """Say that a picture is too large to be decoded; None where it is not."""
    if width * height <= MOST_PIXELS:
        return None
    return (
        f"its picture has {width} x {height} pixels, and at most {MOST_PIXELS / 1e6:.0f} million "
        "are read",
        "make the picture smaller, to 1920 x 1080 for instance",
    )


def why_not_rate(audio: av.AudioStream | None) -> Cause | None:
    """Say that no sound has a track's sample rate; None where it may."""
    rate_hz = audio.codec_context.sample_rate if audio is not None else 0
    least_hz, most_hz = SAMPLE_RATES_HZ
    if not rate_hz or least_hz <= rate_hz <= most_hz:
        return None
    return (
        f"its sound has {rate_hz:,} samples a second, and {least_hz:,} to {most_hz:,} are read",
        "check with which rate it was recorded, and convert it to 16,000 or 48,000",
    )


def why_nothing(
    path: Path, container: av.container.InputContainer, encrypted_kinds: set[str]
) -> Cause:
    """Say why a file gave neither picture nor sound.

    Args:
        path: The file.
        container: The same, open and read to its end.
        encrypted_kinds: Of which packets said that they are encrypted.
    """
    tracks = [stream for stream in container.streams if stream.type in ("video", "audio")]
    if encrypted_kinds:
        return ENCRYPTED
    if not tracks:
        kinds = sorted({stream.type for stream in container.streams})
        held = f", only {' and '.join(kinds)}" if kinds else ""
        return f"it holds no picture and no sound{held}", "name the recording itself"
    pictures = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    if all(stream.type == "video" and stream.disposition & pictures for stream in tracks):
        return "it holds a cover picture and no sound", "name the recording itself"
    if all(stream.codec_context is None for stream in tracks):
        return "no decoder is at hand for what it holds", _CONVERT
    too_large = _why_refused(path)
    if too_large is not None:
        return too_large
    names = " and ".join(s.codec_context.name for s in tracks if s.codec_context is not None)
    return f"no picture and no sound in it ({names}) can be decoded", _COPY


def _why_refused(path: Path) -> Cause | None:
    """Say that the decoder finds a picture too large; None where it does not.

    Many formats leave it to the decoder to find the size out, and only its log tells it.
    """
    with _LOGGING, contextlib.ExitStack() as stack:
        for restore, value in (
            (av.logging.set_level, av.logging.get_level()),
            (av.logging.set_skip_repeated, av.logging.get_skip_repeated()),
        ):
            stack.callback(restore, value)
        av.logging.set_level(av.logging.ERROR)
        av.logging.set_skip_repeated(False)
        with av.logging.Capture(local=False) as logs, open_clip(path) as container:
            video = picture_stream(container)
            if video is None:
                return None
            limit_pixels(video)
            video.thread_type = "NONE"  # a thread that logs could wait for this one for ever
            for packet in itertools.islice(container.demux(video), _PACKETS_LOOKED_AT):
                with contextlib.suppress(av.FFmpegError):
                    packet.decode()
    sizes = (_TOO_LARGE.search(text) for _, _, text in logs)
    causes = (why_not_size(int(size[1]), int(size[2])) for size in sizes if size)
    return next(filter(None, causes), None)
