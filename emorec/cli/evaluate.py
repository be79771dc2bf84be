"""``emorec evaluate``: how often the recogniser is right on somebody's own labelled clips."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.cli import common
from emorec.errors import EmorecError, OutputError, printable
from emorec.evaluation.labels import LabelsError, words_in_lines

if TYPE_CHECKING:
    from emorec.evaluation.labels import Labels
    from emorec.report.judgement import Judgement, JudgementWriter
    from emorec.report.labelled import Evaluation

EXAMPLES = f"""examples:
  emorec evaluate labels.csv
  emorec evaluate labels.csv --by speaker --csv predictions.csv --json scores.json
  emorec evaluate labels.csv --html report.html     one page with plots and players
  emorec evaluate labels.csv --csv predictions.csv --resume      goes on where it was ended

labels.csv has the columns path (from its own folder) and emotion, and if you like speaker, start
and end. A row with start or end (seconds) is judged from the fused timeline within them (log mean
of its steps of half a second). A clip that several rows name is read once.

Emotions are these seven, or words that are taken for them; codes such as HA or 03 are not guessed:
{words_in_lines()}

Scores: share that is right, recall (mean over the emotions that occur), F1 (the same), AUC (each of
these emotions against the rest, mean) and calibration error (points), with 95 % intervals
bootstrapped over speakers, or over clips where fewer than two are named. Of corpora that trained it
(RAVDESS, CREMA-D, SAVEE, JavaSED, nEMO, EMOVO; FER-2013) they are too high for strangers. Clips
that are not there or get no verdict are listed, and the others go on. Outputs are written over with
--overwrite only.

exit status:
  0  every row got a verdict
  1  some got none; they are listed
  2  wrong usage, labels that cannot be understood, none that gets a verdict, a model that cannot be
     loaded, or an output that cannot be written
"""


def add_to(commands) -> None:
    """Add the command and its arguments."""
    evaluate = common.add_command(
        commands,
        "evaluate",
        help="measure it on your own labelled clips",
        description="Measures how often the recogniser is right on your own labelled clips.",
        examples=EXAMPLES,
    )
    add = evaluate.add_argument
    add("labels", type=common.path, metavar="LABELS", help="a CSV file: path, emotion, ...")
    add("--by", choices=("speaker",), help="show each speaker, too")
    add("--csv", type=common.output, metavar="FILE", help="write each prediction, as it is made")
    add("--json", type=common.output, metavar="FILE", help="write all scores")
    add("--html", type=common.output, metavar="FILE", help="write one page with plots and players")
    earlier = evaluate.add_mutually_exclusive_group()
    earlier.add_argument("--resume", action="store_true", help="go on with the file of --csv")
    common.add_overwrite(earlier)
    common.add_jobs(evaluate)
    common.add_models(evaluate)
    evaluate.set_defaults(run=run, parser=evaluate)


def run(options: argparse.Namespace) -> int:
    """Evaluate; see ``emorec evaluate --help``."""
    from emorec.evaluation.labels import read_labels

    if options.resume and not options.csv:
        options.parser.error("--resume goes with --csv")
    done: list[Judgement] = []
    try:
        labels = read_labels(options.labels)
        if options.by and not labels.has_speakers:
            remedy = "add a column speaker, or leave --by speaker out"
            raise LabelsError(options.labels, "it names no speaker", remedy)
        writer, todo = _opened(labels, options, done)
        _judge(todo, writer, options, done)
        return _report(labels, done, options)
    except EmorecError as error:
        return common.refuse(error)
    except KeyboardInterrupt:
        where = f", their rows are in {printable(options.csv)}" if options.csv else ""
        common.say(f"interrupted: {len(done)} rows are judged{where}")
        return common.EXIT_INTERRUPTED


def _opened(
    labels: Labels, options: argparse.Namespace, done: list[Judgement]
) -> tuple[JudgementWriter, list]:
    """Open the outputs; what an earlier run found goes to `done`, what is left is returned.

    Raises:
        OutputError: When an output cannot be written, or would write over what is there.
    """
    from emorec.files import check_writable
    from emorec.report.earlier import OVERWRITE_OR_RESUME, refuse_earlier
    from emorec.report.judgement import JudgementWriter, read_judgements

    outputs = (options.csv, options.json, options.html)
    _refuse_to_overwrite(labels, options.labels, outputs)
    if not (options.resume or options.overwrite):
        refuse_earlier(outputs, remedy=OVERWRITE_OR_RESUME)
    stamp_of = common.stamps(options).of
    found = read_judgements(options.csv, labels, stamp_of) if options.resume else {}
    done += found.values()
    if found:
        common.say(f"{len(found)} rows are in {printable(options.csv)} already")
    for path in (options.json, options.html):
        check_writable(path)
    todo = [label for label in labels.rows if label.key not in found]
    return JudgementWriter(options.csv, list(found.values()), stamp_of), todo


def _judge(
    todo: list, writer: JudgementWriter, options: argparse.Namespace, done: list[Judgement]
) -> None:
    """Judge the labels, and write each to `done` and to the file as it comes."""
    from emorec.report.labelled import judgements_of
    from emorec.workers import fitting_jobs

    n_jobs = options.jobs or fitting_jobs(len({label.path for label in todo}))
    # Loading costs most of the start, and a run with nothing left to read needs no model.
    recognizer = common.load_recognizer(options) if todo else None
    with writer, common.progress_bar() as progress:
        judgements = judgements_of(todo, recognizer, n_jobs) if recognizer else ()
        for one in progress.track(judgements, total=len(todo), description="Evaluating"):
            writer.add(one)
            done.append(one)


def _report(labels: Labels, done: list[Judgement], options: argparse.Namespace) -> int:
    """Print and write the scores; returns the exit status."""
    from emorec.files import is_standard_output
    from emorec.report.labelled import Evaluation
    from emorec.report.labelled_text import print_evaluation

    evaluation = Evaluation(labels, done)
    outputs = [path for path in (options.csv, options.json, options.html) if path]
    screen = sys.stderr if any(map(is_standard_output, outputs)) else None
    print_evaluation(evaluation, by_speaker=bool(options.by), file=screen)
    _write(evaluation, options.json, options.html)
    if options.html:
        print(f"page: {printable(options.html)}", file=screen)
    return common.EXIT_NOT_ALL if evaluation.not_judged else common.EXIT_OK


def _write(evaluation: Evaluation, json_path: Path | None, html_path: Path | None) -> None:
    """Write the scores, and the page.

    Raises:
        OutputError: When one cannot be written.
    """
    for path, write in ((json_path, evaluation.write_json), (html_path, evaluation.write_html)):
        if path is not None:
            try:
                write(path)
            except OSError as error:
                raise OutputError.because_of(path, error) from error


def _refuse_to_overwrite(labels: Labels, file: Path, outputs: tuple[Path | None, ...]) -> None:
    """Refuse an output that is the labels' file, a clip or another output, by whatever name."""
    from emorec.files import identity

    taken = {identity(Path(path)) for path in (file, *(row.path for row in labels.rows))}
    for output in filter(None, outputs):
        if identity(output) in taken:
            reason = "it is the file of labels, a clip or another output"
            raise OutputError(output, reason, "choose another name")
        taken.add(identity(output))
