"""``emorec train``: new heads and a new fusion from somebody's own labelled clips."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from emorec.cli import common
from emorec.errors import EmorecError, printable, require
from emorec.evaluation.labels import words_in_lines

if TYPE_CHECKING:
    from rich.progress import Progress

    from emorec.training.own_data import Trained

EXAMPLES = f"""examples:
  emorec evaluate labels.csv                  first: how often what ships is right on your clips
  emorec train labels.csv --out mymodel
  emorec classify CLIP --models mymodel       evaluate, annotate, live and app take --models, too

labels.csv is as for emorec evaluate: columns path (from its own folder) and emotion, and if you can
speaker, start and end. Name speakers: only then can it be told what people gain whom nobody
labelled. Ten clips of each emotion by five people are a beginning.

What is trained: the last layers of voice and face, on their frozen networks, and how sure each
stream is and how much it counts. All of it begins at what ships, is held to it, and is taken only
where folds within your clips say that it is better by more than a standard error: of few clips
comes what ships. Emotions that the labels lack stay as they are, and verdicts may still name them.

What is written, into a new folder: models, a card, every prediction (each by models that met
neither the speaker's clips nor labels) and scores beside those of what ships on the same clips.
What was read of the clips, no picture and no sound, is kept in OUT.work: a run that was ended goes
on there, and one with more labels reads only the new clips. Remove it when you are done.

Emotions are these seven, or words that are taken for them:
{words_in_lines()}

exit status:
  0  trained on every row
  1  trained; clips that could not be read are listed
  2  wrong usage, labels of which nothing can be learned, clips that are not there, a folder that is
     there already, a model or a package that is missing
"""

_LINE_EVERY_S = 10.0
_MOST_UNREAD = 10
_SCORES = {
    "accuracy": "right %",
    "unweighted_average_recall": "recall %",
    "macro_f1": "F1 %",
    "expected_calibration_error": "cal. err.",
}


def add_to(commands) -> None:
    """Add the command and its arguments."""
    train = common.add_command(
        commands,
        "train",
        help="fit it to your own labelled clips",
        description="Trains new heads and a new fusion on your own labelled clips (extra train).",
        examples=EXAMPLES,
    )
    add = train.add_argument
    add("labels", type=common.path, metavar="LABELS", help="a CSV file: path, emotion, ...")
    add("--out", "-o", type=common.path, metavar="FOLDER", required=True, help="a new folder")
    common.add_jobs(train)
    text = "the models to begin with (those that come with it)"
    add("--models", type=common.path, metavar="FOLDER", help=text)
    train.set_defaults(run=run, parser=train)


def run(options: argparse.Namespace) -> int:
    """Train; see ``emorec train --help``."""
    from emorec.evaluation.labels import read_labels
    from emorec.workers import fitting_jobs

    try:
        labels = read_labels(options.labels)
        require("train", "h5py", "onnx", "scipy")
    except EmorecError as error:
        return common.refuse(error)
    from emorec.training.own_data import train, work_folder

    out, work = printable(options.out), printable(work_folder(options.out))
    n_jobs = options.jobs or fitting_jobs(len({str(row.path) for row in labels.rows}))
    try:
        with common.progress_bar() as bar:
            stage = _stages(bar)
            trained = train(labels, options.out, options.models, n_jobs, stage, _command(options))
    except EmorecError as error:
        return common.refuse(error)
    except KeyboardInterrupt:
        common.say(f"interrupted: what was read is in {work}, and the same command goes on there")
        return common.EXIT_INTERRUPTED
    _tell(trained)
    common.say(f"{out} is written: emorec classify CLIP --models {out}")
    common.say(f"{work} holds what was read of the clips, for when there are more labels")
    return common.EXIT_NOT_ALL if trained.unread else common.EXIT_OK


def _command(options: argparse.Namespace) -> str:
    words = ["emorec", "train", options.labels.name, "--out", options.out.name]
    if options.models:
        words += ["--models", options.models.name]
    return shlex.join(printable(word) for word in words)


def _stages(bar: Progress) -> Callable[[str, int], Callable[[], None]]:
    """Return what tells how far it is: bars in a terminal, a line every ten seconds elsewhere."""

    def begin(what: str, steps: int) -> Callable[[], None]:
        task = bar.add_task(what, total=steps)
        done, told_s = 0, time.monotonic()

        def step() -> None:
            nonlocal done, told_s
            done += 1
            bar.advance(task)
            if bar.disable and time.monotonic() - told_s >= _LINE_EVERY_S:
                told_s = time.monotonic()
                common.say(f"{what}: {done} of {steps}")

        return step

    return begin


def _tell(trained: Trained) -> None:
    """Print scores before and now, speakers, what could not be read, and warnings."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(width=80)
    comparison = trained.comparison
    console.print(Text(f"{len(comparison.clips.labels)} of {trained.rows} rows trained and judged"))
    console.print(Text(f"{comparison.protocol}:"))
    console.print(_scores(trained))
    if comparison.by_speaker:
        console.print(_speakers(trained))
    if trained.unread:
        console.print(Text("Not read:"))
    for label, why in trained.unread[:_MOST_UNREAD]:
        line = f"{label.named}: {why.reason}. Remedy: {why.remedy}."
        console.print(Padding(Text(printable(line), style="red"), (0, 0, 0, 2)))
    if len(trained.unread) > _MOST_UNREAD:
        console.print(Text(f"  and {len(trained.unread) - _MOST_UNREAD} more"))
    new = [f"the head of the {stream}" for stream in trained.own.strengths]
    new += ["the fusion"] * trained.own.has_own_fusion
    console.print(Text(f"New: {', '.join(new) or 'nothing'}"))
    for warning in trained.warnings:
        console.print(Padding(Text(f"- {printable(warning)}", style="yellow"), (0, 0, 0, 2)))


def _scores(trained: Trained):
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from emorec.style import TITLES

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for title in ("before", "now", "difference", "95 %"):
        table.add_column(title, justify="right", no_wrap=True)
    comparison = trained.comparison
    for stream in comparison.streams:
        for score, title in _SCORES.items():
            before, now = (100 * value for value in comparison.scores(stream, score))
            gain, low, high = (100 * value for value in comparison.gains[stream][score])
            table.add_row(
                f"{TITLES[stream]}, {title}",
                f"{before:.1f}",
                f"{now:.1f}",
                f"{gain:+.1f}",
                f"{low:+.1f} – {high:+.1f}",
                style="bold" if stream == "fused" and score == "accuracy" else "",
            )
    return table


def _speakers(trained: Trained):
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("speaker", overflow="fold")
    for title in ("clips", "right %, before", "now"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in trained.comparison.by_speaker:
        shares = (f"{100 * float(str(one[key])):.0f}" for key in ("shipped", "own"))
        table.add_row(Text(str(one["speaker"])), str(one["clips"]), *shares)
    return table
