"""Says in a video's header how wide its pixels are, where a corpus's files do not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext

from emorec.files import write_atomically

__all__ = ["write_with_pixel_aspect"]


def write_with_pixel_aspect(source: str | Path, target: str | Path, aspect: Fraction) -> None:
    """Copy H.264 video and its sound packet by packet; players and readers then show it so wide.

    Args:
        source: The clip.
        target: Where to, an MP4 file; what lies there is replaced.
        aspect: Width of a pixel where its height is one.
    """
    write_atomically(Path(target), lambda part: _copy(source, part, aspect))


def _copy(source: str | Path, target: str, aspect: Fraction) -> None:
    with av.open(str(source)) as clip, av.open(target, "w", format="mp4") as copy:
        tracks = [*clip.streams.video[:1], *clip.streams.audio[:1]]
        copied = {track: copy.add_stream_from_template(track) for track in tracks}
        video = tracks[0]
        say = f"h264_metadata=sample_aspect_ratio={aspect.numerator}/{aspect.denominator}"
        header = BitStreamFilterContext(say, video, copied[video])
        for packet in clip.demux(tracks):
            if packet.dts is None:
                continue
            changed = header.filter(packet) if packet.stream is video else [packet]
            for piece in changed:
                piece.stream = copied[packet.stream]
                copy.mux(piece)
        for piece in header.filter(None):
            piece.stream = copied[video]
            copy.mux(piece)
