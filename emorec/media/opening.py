"""Opens a file that FFmpeg can read, and that file alone.

FFmpeg knows many formats that name other files or addresses: lists, playlists, series of pictures.
Here only formats are opened that hold a recording themselves, whatever a file is called, and only
in sizes that a recording has.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import av

from emorec.errors import MediaError
from emorec.media.kinds import kind_of, list_kind

__all__ = ["MOST_PIXELS", "SAMPLE_RATES_HZ", "limit_pixels", "limit_threads", "open_clip"]

MOST_PIXELS = 40_000_000
"""Largest picture that is decoded; 8K video has 33 million."""

SAMPLE_RATES_HZ = (1_000, 3_000_000)
"""Lowest and highest sample rate of sound that is read."""

# What FFmpeg calls the formats that are read. Not among them are those that open further files
# (concat, hls, dash, imf, sdp, image2, mlv, vobsub, vapoursynth, ...), texts, games' films and
# devices.
# fmt: off
_VIDEO_FORMATS = (
    "3gp", "apng", "asf", "asf_o", "av1", "avi", "cavsvideo", "dhav", "dirac", "dnxhd", "dv",
    "evc", "flv", "gif", "gxf", "h261", "h263", "h264", "hevc", "ingenient", "ipu", "ivf", "ivr",
    "jpegxl_anim", "kux", "live_flv", "lvf", "lxf", "m4v", "matroska", "mjpeg", "mjpeg_2000", "mov",
    "mpeg", "mpegts", "mpegtsraw", "mpegvideo", "mpjpeg", "mtv", "mxf", "mxg", "nsv", "nut", "nuv",
    "obu", "ogg", "pva", "rm", "simbiosis_imx", "smjpeg", "swf", "ty", "vc1", "vc1test", "vivo",
    "vvc", "wtv", "yuv4mpegpipe",
)
_PICTURE_FORMATS = (
    "bmp_pipe", "gif_pipe", "jpeg_pipe", "jpegxl_pipe", "pgm_pipe", "png_pipe", "ppm_pipe",
    "tiff_pipe", "webp_pipe",
)
_SOUND_FORMATS = (
    "aa", "aac", "ac3", "ac4", "act", "aiff", "amr", "amrnb", "amrwb", "ape", "aptx", "au",
    "caf", "codec2", "dsf", "dss", "dts", "dtshd", "eac3", "flac", "g722", "g723_1", "g726",
    "g726le", "g728", "g729", "gsm", "iamf", "iff", "ilbc", "ircam", "lc3", "loas", "mlp", "mmf",
    "mp3", "mpc", "mpc8", "nistsphere", "oma", "osq", "qcp", "qoa", "rka", "rso", "sbc", "sds",
    "shn", "sox", "spdif", "tak", "truehd", "tta", "voc", "w64", "wav", "wsd", "wv", "wve", "xwma",
)
# fmt: on
_OPTIONS = {
    "format_whitelist": ",".join((*_VIDEO_FORMATS, *_PICTURE_FORMATS, *_SOUND_FORMATS)),
    "protocol_whitelist": "file",
    "enable_drefs": "0",
    "max_pixels": str(MOST_PIXELS),
}
_PART_PROTOCOLS = {"protocol_whitelist": "file,subfile"}
_MOST_HELD_PIXELS = 5 * MOST_PIXELS  # of pictures that are decoded at once
_most_threads = os.cpu_count() or 1  # of a decoder
_OGG_PAGE = b"OggS\0"
_OGG_BEGINNINGS = (b"\2", b"\6")  # the kind of a page with which a track begins


def open_clip(path: Path, from_byte: int = 0) -> av.container.InputContainer:
    """Open a file, or say in plain words why that fails.

    Args:
        path: The file.
        from_byte: Where in it to begin, as if nothing stood before.

    Raises:
        MediaError: When it is no recording that can be opened.
    """
    try:
        if path.is_dir():
            raise MediaError(path, "it is a folder, not a clip", "name a file in it")
        if path.stat().st_size == 0 and path.is_file():
            raise MediaError(path, "the file is empty", "copy or record it again")
        if not path.is_file():
            raise MediaError(path, "it is no ordinary file", "name a video or sound file")
        listed = list_kind(path)
        if listed is not None:
            raise MediaError(path, *listed)
        return _opened(path, from_byte)
    except (av.InvalidDataError, av.ArgumentError) as error:
        raise MediaError(path, *kind_of(path)) from error
    except (OSError, av.FFmpegError, ValueError) as error:
        raise MediaError.because_of(path, error) from error


def limit_threads(count: int) -> None:
    """Let each decoder of this process have so many threads at most, where others need the rest."""
    global _most_threads
    _most_threads = max(1, count)


def limit_pixels(stream: av.VideoStream) -> None:
    """Have the decoder of a track refuse pictures that are too large, and hold few large ones."""
    context = stream.codec_context
    context.options = {"max_pixels": str(MOST_PIXELS)}
    # Each thread decodes a frame of its own.
    threads = _MOST_HELD_PIXELS // max(context.width * context.height, 1)
    if min(threads, _most_threads) <= (os.cpu_count() or 1):
        context.thread_count = max(1, min(threads, _most_threads))


def next_recording(path: Path, from_byte: int) -> int | None:
    """Find where the next recording of a chained Ogg file begins; None where none does.

    Args:
        path: The file.
        from_byte: A byte in the recording before, behind its head.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = content.find(_OGG_PAGE, from_byte)
        while place >= 0 and not content[place : place + 6].endswith(_OGG_BEGINNINGS):
            place = content.find(_OGG_PAGE, place + 1)
    return place if place >= 0 else None


def _opened(path: Path, from_byte: int) -> av.container.InputContainer:
    # "file:" keeps FFmpeg from taking a name with a colon for an address. What a file says of
    # itself may be in any encoding, and is not worth refusing it.
    address, options = f"file:{path}", _OPTIONS
    if from_byte:
        address = f"subfile,,start,{from_byte},end,0,,:{address}"
        options = {**_OPTIONS, **_PART_PROTOCOLS}
    return av.open(address, options=options, metadata_errors="replace")
