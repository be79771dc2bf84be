"""A clip's result as HTML: the verdict in words, bars for every stream, the timeline.

Nothing in it comes from outside, and every name is escaped. The style is in `web/page.css`; what
moves in it (the playhead) is in `web/player.js`.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence

import numpy as np

from emorec.confidence import word_for
from emorec.emotions import COMMON7
from emorec.errors import printable
from emorec.result.clip import ClipResult
from emorec.streams.segments import course
from emorec.streams.windows import STREAMS, Windows, at_most, courses, spans
from emorec.style import EMOTION_COLORS, TITLES, Bar, bars_of, readable_on, strength

__all__ = ["bars", "legend", "notes_list", "results_table_html", "timeline", "verdict", "words_for"]

_WIDTH, _COURSE_HEIGHT = 1000, 100
_SAYS = {"voice": "the voice", "face": "the face", "geometry": "how the face moves"}
_MOST_TICKS = 6
_MOST_SPANS = 400  # of a stream: ten minutes have more windows than a screen has room for


def verdict(result: ClipResult) -> str:
    """Return the verdict on its colour, and a sentence on how sure it is and what speaks for it."""
    if result.emotion is None:
        return (
            f'<p class="em-none"><strong>{_sentence(result.reason)}</strong> '
            f"What helps: {html.escape(result.remedy)}.</p>"
        )
    color = EMOTION_COLORS[result.emotion]
    badge = (
        f'<span class="em-badge" style="background:{color};color:{readable_on(color)}">'
        f"{result.emotion} {result.confidence:.0%}</span>"
    )
    return f'<p class="em-verdict">{badge} <span>{html.escape(words_for(result))}</span></p>'


def words_for(result: ClipResult) -> str:
    """Say a verdict in words.

    Example:
        >>> posterior = np.array([0, 0, 0, 0.95, 0, 0, 0.05], np.float32)
        >>> words_for(ClipResult("a", "ok", {"voice": posterior, "fused": posterior}))
        'Very likely happy, next surprise. The voice says happy.'
    """
    fused = result.posteriors["fused"]
    first, second = (COMMON7[i] for i in np.argsort(fused)[::-1][:2])
    word = word_for(float(fused.max()))
    sure = "Unsure, perhaps" if word == "unsure" else word.capitalize()
    says = {stream: result.verdict(stream) for stream in STREAMS if result.verdict(stream)}
    agree = len(set(says.values())) == 1
    if agree and len(says) > 1:
        everyone = "both" if len(says) == 2 else "all"
        common = next(iter(says.values()))
        reasons = f"{_listed([_SAYS[s] for s in says])} {everyone} say {common}"
    else:
        reasons = _listed([f"{_SAYS[stream]} says {said}" for stream, said in says.items()])
    told = course(result.segments)
    over_time = f" Over time: {told}." if told else ""
    return f"{sure} {first}, next {second}. {reasons[:1].upper()}{reasons[1:]}.{over_time}"


def bars(posteriors: Mapping[str, np.ndarray | None], names: Sequence[str] | None = None) -> str:
    """Return bars for each stream.

    Args:
        posteriors: Stream or "fused" -> (7,) over COMMON7; a missing stream is named as such.
        names: Which streams, in which order; voice, face, geometry and fused by default.
    """
    panels = []
    for stream in names or (*STREAMS, "fused"):
        posterior = posteriors.get(stream)
        if posterior is None:
            body = '<p class="em-absent">not there</p>'
        else:
            body = f'<ul class="em-bars">{"".join(map(_bar, bars_of(posterior)))}</ul>'
        panels.append(
            f'<section class="em-panel" data-stream="{stream}"><h4>{TITLES[stream]}</h4>{body}'
            "</section>"
        )
    return f'<div class="em-panels">{"".join(panels)}</div>'


def _bar(bar: Bar) -> str:
    best = ' class="em-best"' if bar.is_best else ""
    return (
        f'<li{best}><span class="em-name">{bar.emotion}</span><span class="em-track">'
        f'<span class="em-fill" style="width:{100 * bar.probability:.1f}%;'
        f'background:{bar.color}"></span></span>'
        f'<span class="em-share">{bar.probability:.0%}</span></li>'
    )


def legend() -> str:
    """Return the colours of the emotions."""
    chips = (
        f'<li><i style="background:{color}"></i>{name}</li>'
        for name, color in EMOTION_COLORS.items()
    )
    return f'<ul class="em-legend" aria-label="Colours">{"".join(chips)}</ul>'


def timeline(result: ClipResult) -> str:
    """Return every stream's likeliest emotion over time, and the course of all together.

    The element moves its playhead with the player before it, and moves the player when it is
    clicked or when its arrow keys are pressed.
    """
    duration_s = max(result.duration_s, 1e-3)
    rows = "".join(_strip(result.windows.get(stream), duration_s, stream) for stream in STREAMS)
    fused = _course(result.windows["fused"], duration_s)
    ticks = "".join(
        f'<span style="left:{100 * at_s / duration_s:.2f}%">{at_s:g} s</span>'
        for at_s in _ticks_s(duration_s)
    )
    said = html.escape(json.dumps(_said(result)), quote=True)
    return (
        f'<emorec-timeline data-duration="{duration_s:.3f}" data-said="{said}">'
        f'<div class="em-tracks" role="slider" tabindex="0" aria-label="Place in the clip" '
        f'aria-valuemin="0" aria-valuemax="{duration_s:.1f}" aria-valuenow="0">{rows}'
        f'<div class="em-row em-course"><span class="em-label">{TITLES["fused"]}</span>'
        f"{fused}</div>"
        '<div class="em-row em-over"><span class="em-label"></span><div class="em-playing">'
        f'<div class="em-head"></div></div></div></div>'
        f'<div class="em-row em-axis"><span class="em-label"></span><div>{ticks}</div></div>'
        f'<p class="em-now" aria-live="off"></p>{legend()}</emorec-timeline>'
    )


def _strip(windows: Windows | None, duration_s: float, stream: str) -> str:
    marks = ""
    if windows is not None:
        scale = _WIDTH / duration_s
        for span in spans(at_most(windows, _MOST_SPANS, duration_s), duration_s):
            width = (span.end_s - span.start_s) * scale
            marks += (
                f'<rect x="{span.start_s * scale:.1f}" width="{width:.1f}" y="0" '
                f'height="10" fill="{EMOTION_COLORS[span.emotion]}" '
                f'fill-opacity="{strength(span.confidence):.2f}"/>'
            )
    return (
        f'<div class="em-row"><span class="em-label">{TITLES[stream]}</span>'
        f'<svg viewBox="0 0 {_WIDTH} 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{marks}</svg></div>"
    )


def _course(windows: Windows, duration_s: float) -> str:
    scale = _WIDTH / duration_s
    areas = ""
    for times_s, posteriors in courses(windows):
        places = [f"{min(at_s, duration_s) * scale:.1f}" for at_s in times_s]
        tops = _COURSE_HEIGHT * (1 - np.cumsum(posteriors, 1))
        floors = np.concatenate([np.full((len(tops), 1), float(_COURSE_HEIGHT)), tops], 1)
        for i, name in enumerate(COMMON7):
            upper = [f"{x},{y:.1f}" for x, y in zip(places, floors[:, i + 1], strict=True)]
            lower = [f"{x},{y:.1f}" for x, y in zip(places, floors[:, i], strict=True)]
            points = " ".join([*upper, *reversed(lower)])
            areas += f'<polygon points="{points}" fill="{EMOTION_COLORS[name]}"/>'
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_COURSE_HEIGHT}" preserveAspectRatio="none" '
        f'aria-hidden="true">{areas}</svg>'
    )


def _ticks_s(duration_s: float) -> np.ndarray:
    steps = (0.5, 1, 2, 5, 10, 20, 30, 60, 120)
    step_s = next((s for s in steps if duration_s / s < _MOST_TICKS), 300)
    # One at the very end would have no room for its number.
    return np.arange(0, 0.96 * duration_s, step_s)


def _said(result: ClipResult) -> dict:
    """Stream -> [[from_s, to_s, emotion, percent], ...], for the line under the timeline."""
    duration_s = result.duration_s
    return {
        TITLES[stream]: [
            [round(s.start_s, 2), round(s.end_s, 2), s.emotion, round(100 * s.confidence)]
            for s in spans(at_most(windows, _MOST_SPANS, duration_s), duration_s)
        ]
        for stream, windows in result.windows.items()
    }


def notes_list(notes: Sequence[str]) -> str:
    """Return the notes on a clip, nothing where there are none."""
    if not notes:
        return ""
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f'<div class="em-notes"><h4>To know</h4><ul>{items}</ul></div>'


def results_table_html(results: Sequence[ClipResult]) -> str:
    """Return one row for each clip, as `emorec.report.terminal.print_table` prints them."""
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("Clip", "Verdict", "Sure", *(TITLES[s] for s in STREAMS), "To know")
    )
    rows = "".join(map(_table_row, results))
    return (
        '<div class="em-table" tabindex="0" role="region" aria-label="All clips">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _table_row(result: ClipResult) -> str:
    cells = [result.verdict(stream) or "–" for stream in STREAMS]
    color = EMOTION_COLORS.get(result.emotion, "transparent")
    sure = f"{result.confidence:.0%}, {result.confidence_word}" if result.emotion else ""
    says = [] if result.emotion else [f"{result.reason}; {result.remedy}"]
    notes = html.escape("; ".join([*says, *result.notes]))
    return (
        f'<tr><th scope="row">{html.escape(printable(result.path))}</th>'
        f'<td><i class="em-dot" style="background:{color}"></i>{result.emotion or "none"}</td>'
        f"<td>{sure}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}<td>{notes}</td></tr>"
    )


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _sentence(reason: str) -> str:
    return html.escape(reason[:1].upper() + reason[1:]) + "."
