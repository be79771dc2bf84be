"""Makes a clip's annotated video: face box, verdict and moving bars, its own sound.

First the clip is classified, then it is decoded once more and drawn. Nothing of it is kept, so that
an hour takes no more memory than a minute.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path

import av

from emorec.errors import MediaError, OutputError
from emorec.files import check_writable, fitting_name
from emorec.media.colour import ColourPicture, ColourSpace, Planes
from emorec.media.pacing import FALLBACK_FRAME_RATE_HZ, read_ahead
from emorec.media.pictures import is_picture
from emorec.media.reader import CopiedFrame, CopyReader
from emorec.media.sound import NOTED_S
from emorec.media.writer import CONTAINERS, VideoWriter, fits, suffix_for
from emorec.recognizer import Recognizer
from emorec.report.overlay import Overlay
from emorec.report.overlay_layout import SIDES, layout_for
from emorec.result.clip import ClipResult

__all__ = ["annotate", "output_path", "write_annotated"]

_BLANK_FRAME = 1000  # in units of the time base
_BLANK_TIME_BASE = Fraction(1, _BLANK_FRAME * FALLBACK_FRAME_RATE_HZ)
_PIECES_AHEAD = 8


def annotate(
    path: str | Path,
    out: str | Path,
    recognizer: Recognizer,
    side: str = "bars",
    on_progress: Callable[[float], None] | None = None,
) -> ClipResult:
    """Classify a clip and write its annotated video.

    Args:
        path: The clip.
        out: The video to write (.mp4, .m4v, .mov or .mkv), or a folder for it.
        recognizer: What classifies it.
        side: "bars" beside the picture, or "strip" under it.
        on_progress: Is told the share of the drawing that is done, 0 to 1.

    Returns:
        The result. Without a verdict no video is written, and its `reason` says why.

    Raises:
        MediaError: When the clip cannot be read.
        OutputError: When the video cannot be written there.
        ValueError: When the side is unknown.

    Example:
        >>> annotate("a.mp4", "b.mp4", Recognizer.load("Models"))  # doctest: +SKIP
    """
    output_path(path, out, side)
    result = recognizer.classify(path)
    if result.emotion is not None:
        write_annotated(result, out, side, on_progress)
    return result


def output_path(path: str | Path, out: str | Path, side: str = "bars") -> Path:
    """Return where the annotated video of a clip goes, having checked that it can go there.

    Args:
        path: The clip.
        out: The video to write, or a folder for it.
        side: "bars" or "strip".

    Raises:
        MediaError: When the clip cannot be read.
        OutputError: When the name does not end in a video's suffix, is the clip's own, cannot
            hold the clip's sound, or lies where nothing can be written.
        ValueError: When the side is unknown.
    """
    if side not in SIDES:
        raise ValueError(f"side {side!r} is unknown: choose from {', '.join(SIDES)}")
    if is_picture(path):
        raise _no_film(path)
    reader = CopyReader(path)
    sound, out = reader.audio, Path(out)
    # The codec's own name; a decoder may be called otherwise.
    codec = sound.codec_context.codec.canonical_name if sound is not None else None
    reader.close()
    best = suffix_for(codec)
    if best is None:
        remedy = "convert the clip's sound first, to aac for instance"
        raise OutputError(out, f"no kind of video can hold the clip's sound ({codec})", remedy)
    if out.is_dir():
        out = out / fitting_name(Path(path).stem, f"_annotated{best}")
    suffix = out.suffix.lower()
    if suffix not in CONTAINERS:
        known = ", ".join(CONTAINERS)
        raise OutputError(out, "its name does not say which kind of video", f"end it in {known}")
    if os.path.realpath(out) == os.path.realpath(path) or (out.exists() and out.samefile(path)):
        raise OutputError(out, "it is the clip itself", "choose another name")
    if not fits(suffix, codec):
        reason = f"the clip's sound ({codec}), which is copied as it is, does not fit into {suffix}"
        raise OutputError(out, reason, f"name it {out.stem}{best}")
    if not out.parent.is_dir():
        raise OutputError(out, "there is no such folder", f"make the folder {out.parent} first")
    check_writable(out)
    return out


def _no_film(clip: str | Path) -> MediaError:
    remedy = "emorec classify reads it, and --plots draws what it finds"
    return MediaError(clip, "it is a single picture, and no film", remedy)


def write_annotated(
    result: ClipResult,
    out: str | Path,
    side: str = "bars",
    on_progress: Callable[[float], None] | None = None,
) -> Path:
    """Write the annotated video of a clip that has been classified.

    Args:
        result: What was found; its `path` is read once more.
        out: The video to write, or a folder for it.
        side: "bars" beside the picture, or "strip" under it.
        on_progress: Is told the share that is done, 0 to 1.

    Returns:
        The video.

    Raises:
        MediaError: When the clip cannot be read.
        OutputError: When the video cannot be written there.
        ValueError: When there is no verdict to draw, or the side is unknown.
    """
    if result.emotion is None:
        raise ValueError(f"{result.path} has no verdict to draw: {result.reason}")
    if not result.duration_s:
        raise _no_film(result.name)
    out = output_path(result.path, out, side)
    reader = CopyReader(result.path)
    draw = _draw_over_picture if reader.video is not None else _draw_without_picture
    # Closed at once on Ctrl-C too, so that nothing unfinished is left behind.
    with contextlib.closing(draw(reader, result, out, side)) as times_s:
        for time_s in times_s:
            if on_progress is not None:
                on_progress(min(max(time_s / max(result.duration_s, 1e-3), 0.0), 1.0))
    return out


def _draw_over_picture(
    reader: CopyReader, result: ClipResult, out: Path, side: str
) -> Generator[float]:
    """Draw around each frame and copy the sound; yields the time reached."""
    first, video = reader.first_frame, reader.video
    picture = ColourPicture(first.frame, first.view)
    layout = layout_for(side, picture.width, picture.height)
    overlay = Overlay(result, layout, picture.space)
    time_base = first.frame.time_base or video.time_base
    rate_hz = reader.info.frame_rate_hz
    usual = max(1, round(1 / ((rate_hz or FALLBACK_FRAME_RATE_HZ) * time_base)))
    pts = round(Fraction(reader.start_s) / time_base) - usual
    with VideoWriter(
        out,
        (layout.width, layout.height),
        picture.space,
        time_base,
        rate_hz,
        reader.audio,
        reader.start_s,
        reader.info.comment,
    ) as writer:

        def draw(planes: Planes, pts: int, duration: int, place=None) -> float:
            time_s = float(pts * time_base) - reader.start_s
            frame, canvas = writer.new_frame()
            overlay.draw(canvas, planes, time_s, place)
            writer.add_frame(frame, pts, duration)
            return time_s

        def draw_black(first: int, end: int) -> Generator[float]:
            """Bridge the time in which there is no picture, if it is worth that."""
            if (end - first) * time_base >= NOTED_S:
                step = max(1, round(1 / (FALLBACK_FRAME_RATE_HZ * time_base)))
                black = Planes.filled(picture.width, picture.height, picture.space.yuv("#000000"))
                yield from (draw(black, pts, step) for pts in range(first, end, step))

        start = end = pts + usual
        is_first = True
        for piece in read_ahead(reader, _PIECES_AHEAD):
            if isinstance(piece, av.Packet):
                writer.add_sound(piece)
                continue
            frame, view = piece.frame, piece.view
            pts = pts + usual if frame.pts is None else frame.pts
            if is_first:
                yield from draw_black(start, pts)
                is_first = False
            duration = frame.duration or usual
            end = pts + duration
            yield draw(picture.planes(frame, view), pts, duration, picture.place(frame, view))
        yield from draw_black(end, start + round(Fraction(result.duration_s) / time_base))


def _draw_without_picture(
    reader: CopyReader, result: ClipResult, out: Path, side: str
) -> Generator[float]:
    """Draw bars and timeline alone, at an even rate, beside the copied sound."""
    space = ColourSpace()
    layout = layout_for(side, 0, 0)
    overlay = Overlay(result, layout, space)
    count, done = max(1, round(result.duration_s * FALLBACK_FRAME_RATE_HZ)), 0
    start = round(Fraction(reader.start_s) / _BLANK_TIME_BASE)
    with VideoWriter(
        out,
        (layout.width, layout.height),
        space,
        _BLANK_TIME_BASE,
        FALLBACK_FRAME_RATE_HZ,
        reader.audio,
        reader.start_s,
        reader.info.comment,
    ) as writer:

        def draw_until(end_s: float) -> None:
            nonlocal done
            while done < count and done / FALLBACK_FRAME_RATE_HZ <= end_s:
                frame, canvas = writer.new_frame()
                overlay.draw(canvas, None, done / FALLBACK_FRAME_RATE_HZ)
                writer.add_frame(frame, start + done * _BLANK_FRAME, _BLANK_FRAME)
                done += 1

        for packet in read_ahead(reader, _PIECES_AHEAD):
            if isinstance(packet, CopiedFrame):
                continue
            if packet.pts is not None:
                time_s = float(packet.pts * packet.time_base) - reader.start_s
                draw_until(time_s)
                yield time_s
            writer.add_sound(packet)
        draw_until(result.duration_s)
