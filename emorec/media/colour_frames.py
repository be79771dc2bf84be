"""Chosen frames of a clip in colour.

`emorec.media.reader` decodes grey only, since nothing that reads a clip needs more and colour
nearly doubles the cost of decoding. The frame sets of the reference project are in colour and in
the picture's full size, so this small module opens the file once more and
converts only the frames that are asked for. It is stricter than `emorec.media.reader`: a picture
that breaks off is an error here, for a network should not be trained on what is left of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from emorec.errors import MediaError
from emorec.media.kinds import ENCRYPTED
from emorec.media.opening import limit_pixels, open_clip
from emorec.media.pacing import FALLBACK_FRAME_RATE_HZ
from emorec.media.reader import probe
from emorec.media.tracks import is_encrypted, picture_stream

__all__ = ["ColourFrame", "read_colour_frames"]

# Containers count a few frames that an edit list then hides.
_UNCOUNTED_FRAMES = 5
_REMEDY = "copy, export or record it again"


@dataclass(frozen=True)
class ColourFrame:
    """A frame.

    Attributes:
        number: Its place in the clip; the first frame is 0.
        time_s: Seconds from the start of the clip.
        pixels: (height, width, 3) uint8: blue, green, red, as OpenCV has them; upright.
    """

    number: int
    time_s: float
    pixels: np.ndarray


def read_colour_frames(path: str | Path, *, first: int = 0, step: int = 1) -> Iterator[ColourFrame]:
    """Decode a clip's picture and give every `step`-th frame from frame `first` on.

    Args:
        path: The file.
        first: Number of the first frame that is given; counting starts at 0.
        step: From one given frame to the next.

    Yields:
        The frames; none where the clip is shorter.

    Raises:
        MediaError: When the file cannot be read, has no picture, or its picture breaks off.
    """
    if not probe(path).has_picture:
        raise MediaError(path, "it has no picture", "name a video")
    with open_clip(Path(path)) as container:
        stream = picture_stream(container)
        limit_pixels(stream)
        start_s = (container.start_time or 0) / av.time_base
        rate_hz = float(stream.average_rate or FALLBACK_FRAME_RATE_HZ)
        number = -1
        try:
            for number, frame in enumerate(_decoded(path, container, stream)):
                if number >= first and (number - first) % step == 0:
                    time_s = number / rate_hz if frame.time is None else frame.time - start_s
                    yield ColourFrame(number, time_s, _upright(frame))
        except av.FFmpegError as error:
            reason = f"its picture is damaged after frame {number}"
            raise MediaError(path, reason, _REMEDY) from error
        if number + 1 < stream.frames - _UNCOUNTED_FRAMES:
            reason = f"its picture ends early, after {number + 1} of {stream.frames} frames"
            raise MediaError(path, reason, _REMEDY)


def _decoded(
    path: str | Path, container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    """Decode a picture.

    Raises:
        MediaError: Where it is encrypted: what decodes of that is noise.
    """
    for packet in container.demux(stream):
        if is_encrypted(packet):
            raise MediaError(path, *ENCRYPTED)
        yield from packet.decode()


def _upright(frame: av.VideoFrame) -> np.ndarray:
    """The frame's colours, turned as the file wants it shown."""
    pixels = frame.to_ndarray(format="bgr24")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
