"""An evaluation as one page: tables, plots and players.

Nothing is loaded but the clips, which lie where they lay and are linked by their way from the
page's folder; no script, no font. Colours follow the page's own ink, in light and in dark.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from emorec.emotions import COMMON7
from emorec.errors import printable
from emorec.files import write_atomically
from emorec.report.judgement import Judgement
from emorec.report.labelled import WORST_SHOWN, Evaluation, SpeakerScores
from emorec.report.labelled_text import SCORES, in_percent
from emorec.style import EMOTION_COLORS, TITLES, readable_on

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["body", "link_to", "write_page"]

_MOST_ROWS, _LONGEST_NAME = 1000, 22
_BINS, _FEWEST_IN_BIN, _MANY = 10, 5, 50
_INK, _FAINT = "#0072b2", "rgba(128,128,128,.35)"
_STYLE = """
.evaluation{font:15px/1.45 system-ui,sans-serif;max-width:64em;margin:auto;padding:0 1em 3em}
.evaluation h2{font-size:1.15em;margin:1.8em 0 .4em}
.evaluation table{border-collapse:collapse}
.evaluation th,.evaluation td{border:0;padding:2px 10px;text-align:right;background:none}
.evaluation th{font-weight:600}
.evaluation th:first-child,.evaluation td:first-child{text-align:left}
.evaluation .text th,.evaluation .text td{text-align:left}
.evaluation .scores td{white-space:nowrap;vertical-align:top}
.evaluation .soft{opacity:.7}
.evaluation .confusion td{min-width:3.2em;text-align:center}
.evaluation .plots{display:flex;flex-wrap:wrap;gap:0 3em}
.evaluation .wide{overflow-x:auto}
.evaluation svg{display:block;max-width:100%;overflow:visible}
.evaluation svg text{fill:currentColor;font-size:12px}
.evaluation .clips{display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));gap:1.2em}
.evaluation video,.evaluation audio{width:100%;max-height:220px;border-radius:4px}
.evaluation .tag{padding:.05em .5em;border-radius:4px}
.evaluation .name{overflow-wrap:anywhere}
"""


def write_page(evaluation: Evaluation, path: Path) -> None:
    """Write an evaluation as one HTML file.

    Args:
        evaluation: What is told.
        path: The file; clips are linked from its folder.

    Raises:
        OSError: When it cannot be written.
    """
    folder = Path(os.path.realpath(path)).parent
    name = escape(printable(Path(evaluation.labels.name).name))
    text = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        "<meta name='color-scheme' content='light dark'>"
        f"<title>{name}: how often emorec is right</title></head><body>"
        f"{body(evaluation, folder)}</body></html>\n"
    )
    write_atomically(path, lambda part: Path(part).write_text(text, "utf-8", "backslashreplace"))


def body(evaluation: Evaluation, folder: Path) -> str:
    """Return an evaluation as one `<div>`, its clips linked from a folder; names are escaped."""
    found, rows = evaluation.streams["fused"], len(evaluation.judgements)
    name = escape(printable(Path(evaluation.labels.name).name))
    notes = "".join(f"<li>{escape(printable(note))}</li>" for note in evaluation.notes)
    table = evaluation.predictions("fused")
    sections = [
        f"<h1>{in_percent(evaluation.accuracy)} % of {found.clips} {evaluation.counted} are named "
        "rightly</h1>",
        f"<p>{found.clips} of {rows} rows of {name} judged, among {len(COMMON7)} emotions "
        f"(guessing: {in_percent(1 / len(COMMON7))} %).</p>",
        _scores(evaluation),
        f"<ul class='soft'>{notes}</ul>",
        "<h2>Confusion</h2><p class='soft'>Labels down, verdicts across: "
        f"{evaluation.counted}, the deeper the larger their share of the label.</p>",
        _confusion(evaluation),
        "<div class='plots'>",
        f"<div><h2>Right of each label</h2>{_recall(evaluation)}</div>",
        f"<div><h2>Sure and right</h2>{_reliability(table)}</div></div>",
        _speakers(evaluation.by_speaker),
        _worst(evaluation, folder),
        _not_judged(evaluation.not_judged),
        _all(evaluation.judged, folder),
    ]
    return f"<div class='evaluation'><style>{_STYLE}</style>{''.join(sections)}</div>"


def link_to(path: Path | str, folder: Path) -> str:
    """Return a clip's relative address from a folder, quoted and escaped.

    >>> link_to("clips/a b.mp4", Path("."))
    './clips/a%20b.mp4'
    """
    try:
        way = os.path.relpath(path, folder)
    except ValueError:  # another drive
        way = os.path.abspath(path)  # noqa: PTH100 a path need not exist
    # Bytes, since a file name need not be valid text; "./" keeps a colon from making a scheme.
    link = quote(os.fsencode(way.replace(os.sep, "/")))
    return escape(link if link.startswith(".") else f"./{link}")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]], kind: str = "") -> str:
    """Return a table of cells that are HTML already."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table class='{kind}'><tr>{top}</tr>{lines}</table></div>"


def _scores(evaluation: Evaluation) -> str:
    rows = []
    for stream, found in evaluation.streams.items():
        cells = [TITLES[stream], str(found.clips)]
        for score in SCORES:
            cell = in_percent(found.scores[score])
            if found.intervals_95:
                low, high = map(in_percent, found.intervals_95[score])
                cell = f"<b>{cell}</b><br><span class='soft'>{low} – {high}</span>"
            cells.append(cell)
        rows.append(cells)
    return _table(["", evaluation.counted, *SCORES.values()], rows, "scores")


def _confusion(evaluation: Evaluation) -> str:
    counts = evaluation.confusion.to_numpy()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    head = "".join(f"<th>{name}</th>" for name in ("", *COMMON7))
    lines = [
        f"<tr><th>{COMMON7[i]}</th>" + "".join(map(_confusion_cell, counts[i], shares[i])) + "</tr>"
        for i in range(len(COMMON7))
    ]
    table = f"<table class='confusion'><tr>{head}</tr>{''.join(lines)}</table>"
    return f"<div class='wide'>{table}</div>"


def _confusion_cell(count: int, share: float) -> str:
    style = f"background:rgba(0,114,178,{0.75 * share:.2f})"
    return f"<td style='{style}' title='{share:.0%} of the label'>{count or ''}</td>"


def _recall(evaluation: Evaluation) -> str:
    """Bars of the share that is right of each label, in the emotions' colours."""
    counts = evaluation.confusion.to_numpy()
    bars = []
    for i, name in enumerate(COMMON7):
        total = int(counts[i].sum())
        share = counts[i, i] / total if total else 0.0
        text = f"{share:.0%} of {total}" if total else "none"
        bars.append(_bar(i, name, share, EMOTION_COLORS[name], text))
    return _svg(400, 26 * len(COMMON7), "share that is right of each label", bars)


def _bar(row: int, name: str, share: float, color: str, text: str) -> str:
    top = 26 * row
    return (
        f"<text x='0' y='{top + 16}'>{name}</text>"
        f"<rect x='80' y='{top + 3}' width='200' height='18' fill='{_FAINT}'/>"
        f"<rect x='80' y='{top + 3}' width='{200 * share:.1f}' height='18' fill='{color}'/>"
        f"<text x='288' y='{top + 16}'>{text}</text>"
    )


def _reliability(table: pd.DataFrame) -> str:
    """How often verdicts of a confidence are right; the larger a point, the more of them."""
    posterior = table[list(COMMON7)].to_numpy(float)
    confidence = posterior.max(1)
    is_right = np.array(COMMON7)[posterior.argmax(1)] == table["truth"].to_numpy()
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    side, left, top = 220, 40, 10

    def place(x: float, y: float) -> tuple[float, float]:
        return left + side * x, top + side * (1 - y)

    parts = [
        f"<rect x='{left}' y='{top}' width='{side}' height='{side}' fill='none' "
        f"stroke='{_FAINT}'/>",
        f"<line x1='{left}' y1='{top + side}' x2='{left + side}' y2='{top}' stroke='{_FAINT}' "
        "stroke-dasharray='4'/>",
    ]
    points = []
    for number in np.unique(bins):
        inside = bins == number
        if inside.sum() < (_FEWEST_IN_BIN if len(table) >= _MANY else 1):
            continue
        sure, right = float(confidence[inside].mean()), float(is_right[inside].mean())
        x, y = place(sure, right)
        radius = 3 + 9 * np.sqrt(inside.sum() / len(table))
        points.append(f"{x:.1f},{y:.1f}")
        parts.append(
            f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius:.1f}' fill='{_INK}' fill-opacity='.75'>"
            f"<title>{inside.sum()} verdicts: says {sure:.0%}, is right in {right:.0%}</title>"
            "</circle>"
        )
    parts.append(f"<polyline points='{' '.join(points)}' fill='none' stroke='{_INK}'/>")
    for share in (0, 0.5, 1):
        x, y = place(share, share)
        parts.append(
            f"<text x='{x:.0f}' y='{top + side + 16}' text-anchor='middle'>{share:.0%}</text>"
            f"<text x='{left - 6}' y='{y + 4:.0f}' text-anchor='end'>{share:.0%}</text>"
        )
    middle = left + side / 2
    parts.append(
        f"<text x='{middle}' y='{top + side + 34}' text-anchor='middle'>how sure it says it is "
        "(up: how often it is right)</text>"
    )
    return _svg(left + side + 20, top + side + 40, "calibration", parts)


def _speakers(speakers: Sequence[SpeakerScores]) -> str:
    """Each speaker's share that is right, with its interval."""
    if not speakers:
        return ""
    parts = []
    for row, one in enumerate(speakers):
        y = 12 + 22 * row
        name = escape(printable(one.speaker)[:_LONGEST_NAME]) or "(not named)"
        low, high, at = (170 + 300 * value for value in (one.low, one.high, one.accuracy))
        parts.append(
            f"<text x='0' y='{y + 4}'>{name}</text>"
            f"<line x1='{low:.1f}' x2='{high:.1f}' y1='{y}' y2='{y}' stroke='{_INK}' "
            "stroke-width='3' stroke-opacity='.45'/>"
            f"<circle cx='{at:.1f}' cy='{y}' r='5' fill='{_INK}'/>"
            f"<text x='482' y='{y + 4}'>{in_percent(one.accuracy)} % of {one.clips}, recall "
            f"{in_percent(one.recall)} %</text>"
        )
    bottom = 12 + 22 * len(speakers)
    for share in (0, 0.5, 1):
        x = 170 + 300 * share
        parts.append(
            f"<line x1='{x}' x2='{x}' y1='0' y2='{bottom}' stroke='{_FAINT}'/>"
            f"<text x='{x}' y='{bottom + 14}' text-anchor='middle'>{share:.0%}</text>"
        )
    head = (
        "<h2>By speaker</h2><p class='soft'>Share that is right, the least first; lines are 95 % "
        "intervals over each speaker's verdicts (Wilson).</p>"
    )
    return head + _svg(690, bottom + 20, "by speaker", parts)


def _svg(width: float, height: float, label: str, parts: Iterable[str]) -> str:
    return (
        f"<svg role='img' aria-label='{label}' width='{width}' viewBox='0 0 {width} {height}'>"
        f"{''.join(parts)}</svg>"
    )


def _worst(evaluation: Evaluation, folder: Path) -> str:
    worst = evaluation.worst[:WORST_SHOWN]
    if not worst:
        return "<h2>Wrong and surest</h2><p>No verdict is wrong.</p>"
    cards = "".join(_card(one, folder) for one in worst)
    wrong = len(evaluation.worst)
    head = f"<h2>Wrong and surest</h2><p class='soft'>{len(worst)} of {wrong} wrong verdicts.</p>"
    return f"{head}<div class='clips'>{cards}</div>"


def _card(one: Judgement, folder: Path) -> str:
    label = one.label
    kind = mimetypes.guess_type(str(label.path))[0] or "video"
    element = "audio" if kind.startswith("audio") else "video"
    stretch = ""
    if label.is_part:
        end = "" if label.end_s is None else f",{label.end_s:g}"
        stretch = f"#t={label.start_s or 0:g}{end}"
    link = f"{link_to(label.path, folder)}{stretch}"
    return (
        f"<div><{element} controls preload='metadata' src=\"{link}\"></{element}>"
        f"<div class='name'>{escape(printable(one.where))}</div>"
        f"labelled {_tag(label.emotion)}, verdict {_tag(one.emotion or '')} "
        f"{one.confidence:.0%}</div>"
    )


def _tag(emotion: str) -> str:
    color = EMOTION_COLORS[emotion]
    return (
        f"<span class='tag' style='background:{color};color:{readable_on(color)}'>{emotion}</span>"
    )


def _not_judged(judgements: Sequence[Judgement]) -> str:
    if not judgements:
        return ""
    lines = [
        [escape(printable(text)) for text in (one.where, one.reason, one.remedy)]
        for one in judgements[:_MOST_ROWS]
    ]
    return f"<h2>Not judged: {len(judgements)}</h2>" + _table(
        ["clip", "why", "what helps"], lines, "text"
    )


def _all(judgements: Sequence[Judgement], folder: Path) -> str:
    """Every verdict in a table that is folded up."""
    rows = [
        [
            f'<a href="{link_to(one.label.path, folder)}">{escape(printable(one.where))}</a>',
            escape(printable(one.label.speaker)),
            one.label.emotion,
            f"<b>{one.emotion}</b>" if one.is_right else str(one.emotion),
            f"{one.confidence:.0%}",
        ]
        for one in judgements[:_MOST_ROWS]
    ]
    more = len(judgements) - len(rows)
    rest = f"<p class='soft'>and {more} more, which the CSV file has</p>" if more else ""
    table = _table(["clip", "speaker", "labelled", "verdict (bold: right)", "sure"], rows, "text")
    return f"<details><summary>All {len(judgements)} verdicts</summary>{table}{rest}</details>"
