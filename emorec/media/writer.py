"""Writes a video whose sound is another file's, copied packet by packet.

The picture is H.264 (libx264) in 4:2:0, which every browser and player shows. Time stamps are the
source's, moved so that the clip starts at 0: whatever the frame rate does, picture and sound stay
in step.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av

from emorec.errors import OutputError
from emorec.files import part_for, put_in_place
from emorec.media.colour import ColourSpace, Planes
from emorec.media.pacing import FALLBACK_FRAME_RATE_HZ

__all__ = ["CONTAINERS", "VideoWriter", "fits", "suffix_for"]

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""What the name of an output may end in, and the format that it stands for."""

# Sound that browsers and players take from an mp4 file.
_USUAL_IN_MP4 = {"aac", "mp3", "opus", "flac", "alac", "ac3", "eac3"}
# A constant quality at which flat panels and faces look clean; fast enough for live rates.
_ENCODER_OPTIONS = {"preset": "superfast", "crf": "21"}
_KEY_FRAME_EVERY_S = 2
_SLOWEST_RATE, _FASTEST_RATE = Fraction(1), Fraction(240)


def fits(suffix: str, audio_codec: str | None) -> bool:
    """Tell whether a container can hold a sound track.

    Args:
        suffix: One of `CONTAINERS`.
        audio_codec: FFmpeg's name of the codec, None for no sound.

    >>> fits(".mp4", "aac"), fits(".mp4", "wmav2"), fits(".mkv", "cook")
    (True, False, True)
    """
    if audio_codec is None:
        return True
    with av.open(os.devnull, "w", format=CONTAINERS[suffix]) as container:
        return audio_codec in container.supported_codecs


def suffix_for(audio_codec: str | None) -> str | None:
    """Choose the container that holds a sound track best, None where none does.

    >>> suffix_for("opus"), suffix_for("wmav2"), suffix_for("pcm_mulaw"), suffix_for("cook")
    ('.mp4', None, '.mov', '.mkv')
    """
    if audio_codec is None or audio_codec in _USUAL_IN_MP4:
        return ".mp4"
    return next((suffix for suffix in (".mkv", ".mov") if fits(suffix, audio_codec)), None)


class VideoWriter:
    """Writes one video; a context manager.

    The file is written under another name and gets its own when it is complete; what is
    interrupted leaves nothing behind.

    Args:
        path: The file; its suffix is one of `CONTAINERS`.
        size: Width and height of the picture, both even.
        space: What the picture's colours mean.
        time_base: Unit of the frames' time stamps.
        frame_rate_hz: Mean frame rate, None where it is not known.
        sound: The stream whose packets are copied, None for no sound.
        start_s: Time stamp of the source that becomes 0.
        comment: What the file says of itself.

    Raises:
        OutputError: When the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        space: ColourSpace,
        time_base: Fraction,
        frame_rate_hz: float | None,
        sound: av.AudioStream | None,
        start_s: float,
        comment: str = "",
    ):
        self._path = path
        self._size, self._time_base = size, time_base
        self._start = round(Fraction(start_s) / time_base)
        self._durations: dict[int, int] = {}  # of the frames in the encoder, by time stamp
        self._last_pts: int | None = None
        self._last_dts: int | None = None
        form = CONTAINERS[path.suffix.lower()]
        # The index goes to the front, so that a browser plays before all is there.
        options = {"movflags": "+faststart"} if form in ("mp4", "mov") else {}
        try:
            self._unfinished = part_for(path)
        except OSError as error:
            raise OutputError.because_of(path, error) from error
        try:  # whatever ends it from here on, Ctrl-C too, leaves no part behind
            try:
                where = f"file:{self._unfinished}"
                self._container = av.open(where, "w", format=form, options=options)
            except (OSError, av.FFmpegError) as error:
                raise OutputError.because_of(path, error) from error
            if comment:
                self._container.metadata["comment"] = comment
            self._video = self._add_video(space, frame_rate_hz)
            self._sound = self._add_sound(sound, start_s)
        except BaseException:
            if hasattr(self, "_container"):
                self._remove()
            self._unfinished.unlink(missing_ok=True)
            raise

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        try:
            if kind is None:
                self._mux(self._video.encode(None))
                self._container.close()
                put_in_place(self._unfinished, self._path)
        except (OSError, av.FFmpegError) as failure:
            raise OutputError.because_of(self._path, failure) from failure
        finally:
            self._remove()
        if isinstance(error, av.FFmpegError):
            raise OutputError.because_of(self._path, error) from error

    def new_frame(self) -> tuple[av.VideoFrame, Planes]:
        """Return an empty frame and access to its planes."""
        frame = av.VideoFrame(*self._size, "yuv420p")
        return frame, Planes.of(frame)

    def add_frame(self, frame: av.VideoFrame, pts: int, duration: int = 0) -> None:
        """Write a frame.

        Args:
            frame: From `new_frame`, drawn.
            pts: The source's time stamp, in units of `time_base`.
            duration: How long it is shown at least, in the same unit; 0 for not known.
        """
        pts -= self._start
        if self._last_pts is not None and pts <= self._last_pts:
            # Two frames at one time cannot be stored; broken files have such.
            pts = self._last_pts + 1
        self._last_pts = pts
        frame.pts, frame.time_base = pts, self._time_base
        self._durations[pts] = duration
        self._mux(self._video.encode(frame))

    def add_sound(self, packet: av.Packet) -> None:
        """Copy a packet of the source's sound."""
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None:
            if self._last_dts is None:
                return
            dts = self._last_dts + max(packet.duration or 0, 1)
        else:
            dts -= self._sound_start
        lag = 0 if packet.pts is None or packet.dts is None else packet.pts - packet.dts
        if self._last_dts is not None:
            dts = max(dts, self._last_dts + 1)
        packet.dts, packet.pts = dts, dts + max(lag, 0)
        self._last_dts = dts
        packet.stream = self._sound
        self._container.mux(packet)

    def _mux(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            # The encoder forgets it, and of the last frame nothing else tells the length.
            packet.duration = self._durations.pop(packet.pts, 0)
            self._container.mux(packet)

    def _add_video(self, space: ColourSpace, frame_rate_hz: float | None) -> av.VideoStream:
        rate = Fraction(frame_rate_hz or FALLBACK_FRAME_RATE_HZ).limit_denominator(1001)
        rate = min(max(rate, _SLOWEST_RATE), _FASTEST_RATE)
        video = self._container.add_stream("libx264", rate=rate, options=_ENCODER_OPTIONS)
        video.width, video.height = self._size
        video.pix_fmt = "yuv420p"
        context = video.codec_context
        context.time_base = self._time_base
        # Frames are stored in the order in which they are shown, so that the first time is 0.
        context.max_b_frames = 0
        context.gop_size = max(1, round(_KEY_FRAME_EVERY_S * rate))
        context.colorspace = space.matrix
        context.color_range = 2 if space.is_full_range else 1
        context.color_primaries, context.color_trc = space.primaries, space.trc
        return video

    def _add_sound(self, sound: av.AudioStream | None, start_s: float) -> av.AudioStream | None:
        if sound is None:
            return None
        self._sound_start = round(Fraction(start_s) / sound.time_base)
        return self._container.add_stream_from_template(sound)

    def _remove(self) -> None:
        try:
            self._container.close()
        except (OSError, av.FFmpegError, ValueError):
            pass  # the file goes anyway
        finally:
            self._unfinished.unlink(missing_ok=True)
