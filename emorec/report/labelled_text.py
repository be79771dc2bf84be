"""An evaluation in a terminal of 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from emorec.emotions import COMMON7
from emorec.errors import printable
from emorec.report.labelled import WORST_SHOWN, Evaluation
from emorec.style import TITLES

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

__all__ = ["SCORES", "between", "in_percent", "print_evaluation"]

SCORES = {
    "accuracy": "right %",
    "unweighted_average_recall": "recall %",
    "macro_f1": "F1 %",
    "auc": "AUC %",
    "expected_calibration_error": "cal. err.",
}
"""Score -> heading, in the order of every table; the calibration error is in points."""

_COLUMNS = 80
_MOST_SPEAKERS = 60
_MOST_NOT_JUDGED = 10


def in_percent(value: float) -> str:
    """Return a share of one in percent, "-" where there is none.

    >>> in_percent(0.525), in_percent(float("nan"))
    ('52.5', '-')
    """
    return f"{100 * value:.1f}" if value == value else "-"


def between(low: float, high: float) -> str:
    """Return an interval in whole percent.

    >>> between(0.451, 0.6)
    '45–60'
    """
    return f"{100 * low:.0f}–{100 * high:.0f}" if low == low else "-"


def print_evaluation(
    evaluation: Evaluation, *, by_speaker: bool = False, file: TextIO | None = None
) -> None:
    """Print an evaluation: figures, confusion, speakers where asked for, worst clips, notes."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(file=file, width=_COLUMNS)
    judged, rows = len(evaluation.judged), len(evaluation.judgements)
    console.print(Text(f"{judged} of {rows} rows of {printable(evaluation.labels.name)} judged"))
    console.print(_scores(evaluation))
    across = f"Labels down, verdicts across ({evaluation.counted}), and of each label how many %"
    console.print(Text(f"{across} right:"))
    console.print(_confusion(evaluation))
    if by_speaker:
        console.print(Text("By speaker, the least right first:"))
        console.print(_speakers(evaluation))
    if evaluation.worst:
        console.print(Text("Wrong and surest:"))
        console.print(_worst(evaluation))
    said = [f"{one.where}: {one.reason}. Remedy: {one.remedy}." for one in evaluation.not_judged]
    if said:
        more = len(said) - _MOST_NOT_JUDGED
        console.print(Text("Not judged:"))
        said = said[:_MOST_NOT_JUDGED] + ([f"and {more} more"] if more > 0 else [])
        for line in said:
            console.print(Padding(Text(printable(line), style="red"), (0, 0, 0, 2)))
    console.print(Text("Notes:"))
    for note in evaluation.notes:
        console.print(Padding(Text(f"- {printable(note)}"), (0, 0, 0, 2)))


def _table(*columns: str) -> Table:
    """Make a table: its first column is text, the others stand at the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(columns[0], overflow="fold")
    for name in columns[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _scores(evaluation: Evaluation) -> Table:
    table = _table("", evaluation.counted, *SCORES.values())
    for stream, found in evaluation.streams.items():
        values = [in_percent(found.scores[name]) for name in SCORES]
        style = "bold" if stream == "fused" else ""
        table.add_row(TITLES[stream], str(found.clips), *values, style=style)
        if found.intervals_95:
            bounds = [found.intervals_95[name] for name in SCORES]
            table.add_row("  95 %", "", *(between(*bound) for bound in bounds))
    return table


def _confusion(evaluation: Evaluation) -> Table:
    table = _table("", *COMMON7, "right")
    counts = evaluation.confusion.to_numpy()
    for i, name in enumerate(COMMON7):
        total = int(counts[i].sum())
        cells = [str(n) if n else "." for n in counts[i]]
        table.add_row(name, *cells, f"{100 * counts[i, i] / total:.0f} %" if total else "-")
    return table


def _speakers(evaluation: Evaluation) -> Table:
    table = _table("speaker", evaluation.counted, "right %", "95 %", "recall %")
    found = evaluation.by_speaker
    for one in found[:_MOST_SPEAKERS]:
        name = printable(one.speaker) or "(not named)"
        shares = in_percent(one.accuracy), between(one.low, one.high), in_percent(one.recall)
        table.add_row(_text(name), str(one.clips), *shares)
    if len(found) > _MOST_SPEAKERS:
        table.add_row(f"and {len(found) - _MOST_SPEAKERS} more", *[""] * 4)
    return table


def _worst(evaluation: Evaluation) -> Table:
    table = _table("clip", "labelled", "verdict", "sure")
    table.columns[1].justify = table.columns[2].justify = "left"
    for one in evaluation.worst[:WORST_SHOWN]:
        sure = f"{one.confidence or 0:.0%}"
        table.add_row(_text(printable(one.where)), one.label.emotion, one.emotion, sure)
    return table


def _text(text: str) -> Text:
    """Return a text in which nothing is taken for a style."""
    from rich.text import Text

    return Text(text)
