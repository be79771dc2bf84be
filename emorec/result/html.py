"""A result as a piece of HTML: player, bars, timeline, notes; what Jupyter shows of it.

No script and no font is loaded, and colours follow the page's own ink, so that it reads in light
and dark notebooks and with no internet.
"""

from __future__ import annotations

import base64
import io
import mimetypes
import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from emorec.errors import printable
from emorec.streams.face import FaceUsed
from emorec.streams.segments import course
from emorec.streams.windows import STREAMS, Span, at_most, spans
from emorec.style import EMOTION_COLORS, TITLES, Bar, bars_of, readable_on, strength

if TYPE_CHECKING:
    from emorec.result.clip import ClipResult

__all__ = ["EMBED_AT_MOST_BYTES", "render"]

EMBED_AT_MOST_BYTES = 64_000
"""Larger clips are linked and not put into the page: a notebook of ten would weigh megabytes."""

_ORDER = ("fused", *STREAMS)
_JPEG_QUALITY = 80
_MOST_SEGMENTS = 240  # of a strip: an hour has thousands of windows
_NAMES_PX = 72  # what the names at the left of bars and strips take
_STYLE = """
.emorec{font:14px/1.4 system-ui,sans-serif;max-width:60em;margin:.4em 0 1.6em}
.emorec .top{display:flex;flex-wrap:wrap;gap:1.2em;align-items:flex-start}
.emorec .media{width:280px;max-width:100%}
.emorec .media video,.emorec .media audio{width:100%;border-radius:4px}
.emorec .facts{flex:1;min-width:20em}
.emorec .verdict{display:inline-block;padding:.15em .7em;border-radius:4px;font-weight:700}
.emorec .soft{opacity:.7}
.emorec table.bars{border-collapse:collapse;width:100%;margin:.5em 0 0;font-size:13px}
.emorec table.bars th,.emorec table.bars td{border:0;padding:1px 8px 1px 0;text-align:left;
 background:none;font-weight:400;white-space:nowrap}
.emorec table.bars{table-layout:fixed}
.emorec table.bars th.soft{white-space:normal;vertical-align:bottom}
.emorec .track{display:inline-block;width:calc(100% - 3.2em);height:.8em;vertical-align:middle;
 background:rgba(128,128,128,.22)}
.emorec .fill{display:block;height:100%}
.emorec .percent{display:inline-block;width:2.9em;text-align:right}
.emorec .faces{display:flex;flex-wrap:wrap;gap:4px;margin-top:.6em}
.emorec .faces img{width:56px;height:56px;display:block;border-bottom:4px solid}
.emorec svg{display:block;width:100%;height:7.4em;margin-top:.6em}
.emorec svg text{fill:currentColor;font-size:11px}
.emorec ul{margin:.4em 0 0;padding-left:1.2em}
"""


def render(result: ClipResult, embed_at_most_bytes: int = EMBED_AT_MOST_BYTES) -> str:
    """Return a result as HTML that can stand in any page.

    Args:
        result: What was found, or why nothing was.
        embed_at_most_bytes: Larger clips are linked, by their path from the working folder.

    Returns:
        One `<div>`; file names and notes are escaped.

    >>> from emorec.result.clip import ClipResult
    >>> "&lt;b&gt;.mp4" in render(ClipResult.failed("<b>.mp4", "the file is empty", "record it"))
    True
    """
    name = escape(printable(result.path.name))
    head = f"<style>{_STYLE}</style><div class='emorec'><div><b>{name}</b>"
    if result.emotion is None:
        why = escape(f"{result.status}: {result.reason}. Remedy: {result.remedy}.")
        return f"{head}</div><div>{why}</div>{_notes(result)}</div>"
    color = EMOTION_COLORS[result.emotion]
    truth = f" · acted: {escape(result.truth)}" if result.truth else ""
    facts = (
        f"<span class='verdict' style='background:{color};color:{readable_on(color)}'>"
        f"{result.emotion} {result.confidence:.0%}</span> {result.confidence_word} "
        f"<span class='soft'>{result.duration_s:.1f} s{truth}</span>"
    )
    return (
        f"{head}</div><div class='top'>{_media(result, embed_at_most_bytes)}"
        f"<div class='facts'>{facts}{_bars(result)}</div></div>"
        f"{_timeline(result)}{_course(result)}{_notes(result)}</div>"
    )


def _media(result: ClipResult, embed_at_most_bytes: int) -> str:
    """The player, and the faces that the verdict rests on."""
    faces = "".join(_face(face) for face in result.faces_used)
    faces = f"<div class='faces'>{faces}</div>" if faces else ""
    source = _source(result.path, embed_at_most_bytes)
    if source is None:
        return f"<div class='media'><span class='soft'>the file is gone</span>{faces}</div>"
    if source.startswith("data:image/") or (mimetypes.guess_type(result.path)[0] or "").startswith(
        "image/"
    ):
        return f"<div class='media'><img src=\"{source}\" alt='the picture'>{faces}</div>"
    element = "audio" if "no picture" in result.notes else "video"
    return (
        f"<div class='media'><{element} controls preload='metadata' src=\"{source}\"></{element}>"
        f"{faces}</div>"
    )


def _source(path: Path, embed_at_most_bytes: int) -> str | None:
    """The clip as a data address or a relative link, None where it is not there."""
    try:
        if path.stat().st_size <= embed_at_most_bytes:
            kind = mimetypes.guess_type(path.name)[0] or "video/mp4"
            return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    except OSError:
        return None
    # Bytes, since a file name need not be valid text; "./" keeps a colon from making a scheme.
    link = quote(os.fsencode(os.path.relpath(path)))
    return escape(link if link.startswith(".") else f"./{link}")


def _face(face: FaceUsed) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(face.picture).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    data = base64.b64encode(buffer.getvalue()).decode()
    text = f"{face.time_s:.1f} s: {face.emotion} {face.confidence:.0%}"
    return (
        f"<img style='border-color:{EMOTION_COLORS[face.emotion]}' title='{text}' alt='{text}' "
        f"src='data:image/jpeg;base64,{data}'>"
    )


def _bars(result: ClipResult) -> str:
    """A table: rows are emotions, columns streams."""
    streams = [stream for stream in _ORDER if stream in result.posteriors]
    headings = "".join(f"<th class='soft'>{TITLES[stream]}</th>" for stream in streams)
    rows = "".join(
        f"<tr><th>{row[0].emotion}</th>{''.join(map(_bar, row))}</tr>"
        for row in zip(*(bars_of(result.posteriors[stream]) for stream in streams), strict=True)
    )
    # The names of the emotions take what they need, on a phone too.
    columns = f"<col style='width:{_NAMES_PX}px'>" + len(streams) * "<col>"
    return f"<table class='bars'>{columns}<tr><th></th>{headings}</tr>{rows}</table>"


def _bar(bar: Bar) -> str:
    text = f"{bar.probability:.0%}"
    text = f"<b>{text}</b>" if bar.is_best else text
    return (
        f"<td><span class='track'><span class='fill' style='width:{100 * bar.probability:.1f}%;"
        f"background:{bar.color}'></span></span><span class='percent'>{text}</span></td>"
    )


def _timeline(result: ClipResult) -> str:
    """One strip per stream: its likeliest emotion over time, the surer the stronger."""
    duration_s = max(result.duration_s, 1e-3)
    parts = []
    for row, stream in enumerate(_ORDER):
        top = 21 * row
        parts.append(
            f"<text x='0' y='{top + 12}'>{TITLES[stream]}</text>"
            f"<svg x='{_NAMES_PX}' y='{top}' width='90%' height='16' "
            f"style='width:calc(100% - {_NAMES_PX}px)'>"
            "<rect width='100%' height='16' fill='rgba(128,128,128,.22)'/>"
        )
        windows = result.windows.get(stream)
        if windows is not None:
            windows = at_most(windows, _MOST_SEGMENTS, result.duration_s)
            parts += [_segment(span, duration_s) for span in spans(windows, result.duration_s)]
        parts.append("</svg>")
    parts.append(
        f"<text x='{_NAMES_PX}' y='98'>0 s</text>"
        f"<text x='100%' y='98' text-anchor='end'>{result.duration_s:.1f} s</text>"
    )
    return f"<svg role='img' aria-label='over time'>{''.join(parts)}</svg>"


def _course(result: ClipResult) -> str:
    """The clip's emotions one after the other, where there are several."""
    told = course(result.segments)
    return f"<div>{told}</div>" if told else ""


def _segment(span: Span, duration_s: float) -> str:
    text = f"{span.start_s:.1f}–{span.end_s:.1f} s: {span.emotion} {span.confidence:.0%}"
    return (
        f"<rect x='{100 * span.start_s / duration_s:.2f}%' "
        f"width='{100 * (span.end_s - span.start_s) / duration_s:.2f}%' height='16' "
        f"fill='{EMOTION_COLORS[span.emotion]}' fill-opacity='{strength(span.confidence):.2f}'>"
        f"<title>{text}</title></rect>"
    )


def _notes(result: ClipResult) -> str:
    notes = "".join(f"<li>{escape(printable(note))}</li>" for note in result.notes)
    return f"<ul class='soft'>{notes}</ul>" if notes else ""
