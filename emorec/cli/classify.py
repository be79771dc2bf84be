"""``emorec classify``: one verdict for each clip."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.cli import common
from emorec.errors import CalibrationError, EmorecError, MediaError, OutputError, printable

if TYPE_CHECKING:
    from emorec.cli.progress import BatchProgress
    from emorec.recognizer import Recognizer
    from emorec.report.table import ResultWriter
    from emorec.result import ClipResult

EXAMPLES = """examples:
  emorec classify clip.mp4
  emorec classify recordings/ 'more/**/*.wav' --csv results.csv
  emorec classify recordings/ --voice-model Models/alternatives/voice_long
  emorec classify interview.mp4 --calibrate other-clips-of-the-same-person/
  emorec classify interview.mp4 --person anna        whom emorec calibrate has learned
  emorec classify recordings/ --jobs 4 --json results.json --timeline timelines/ --plots plots/
  emorec classify interview.mp4 --subtitles subtitles/         one emotion after the other
  emorec classify recordings/ --csv results.csv --resume       goes on where it was ended
  emorec classify clip.mp4 --json - --quiet | jq .clips[0].probabilities.fused
  emorec classify -- -a-name-that-begins-with-a-dash.mp4

What an earlier run wrote is not written over unless --overwrite says so. With --resume the clips
that have a row in the file of --csv are not read again, those that failed are. An output may be a
pipe or - (the standard output); the table then goes to the standard error. In the CSV file a name
that a spreadsheet would take for a formula gets a ' before it, and control characters are escaped.

exit status:
  0  every clip got a verdict
  1  some clips got none; the table says why
  2  wrong usage, a model that cannot be loaded, an output that cannot be written, or a person of
     whom no clip can be read
"""


def add_to(commands) -> None:
    """Add the command and its arguments."""
    classify = common.add_command(
        commands,
        "classify",
        help="read the emotion of clips",
        description="Reads the emotion of clips: one verdict each, and what it rests on.",
        examples=EXAMPLES,
    )
    add = classify.add_argument
    add(
        "paths",
        nargs="+",
        type=common.name,
        metavar="PATH",
        help="a clip, a folder of clips, or a quoted pattern",
    )
    add(
        "--csv",
        type=common.output,
        metavar="FILE",
        help="write one row per clip, as it is finished",
    )
    add("--json", type=common.output, metavar="FILE", help="write all probabilities")
    add("--timeline", type=common.path, metavar="FOLDER", help="write one CSV over time per clip")
    add("--plots", type=common.path, metavar="FOLDER", help="write one picture per clip")
    add("--subtitles", type=common.path, metavar="FOLDER", help="write one WebVTT file per clip")
    add("--quiet", action="store_true", help="print no table and no progress")
    earlier = classify.add_mutually_exclusive_group()
    earlier.add_argument("--resume", action="store_true", help="go on with the file of --csv")
    common.add_overwrite(earlier)
    common.add_jobs(classify)
    whose = classify.add_mutually_exclusive_group()
    whose.add_argument(
        "--calibrate",
        type=common.name,
        metavar="FOLDER",
        help="clips of the one person who is to be judged",
    )
    common.add_person(whose)
    common.add_models(classify)
    classify.set_defaults(run=run, parser=classify)


def run(options: argparse.Namespace) -> int:
    """Classify the clips; see ``emorec classify --help``."""
    from emorec.media.find import find_clips

    if options.resume and not options.csv:
        options.parser.error("--resume goes with --csv")
    try:
        found = find_clips(options.paths)
        clips, writer, are_old_ok = _opened(found, options)
        # Loading costs most of the start, and a run without a single clip needs no model.
        is_work = any(isinstance(clip, Path) for clip in clips)
        recognizer = common.load_recognizer(options) if is_work else None
        if recognizer and options.calibrate:
            person = [options.calibrate]
            recognizer, _ = calibrated(recognizer, person, options.jobs, options.quiet)
    except EmorecError as error:
        return common.refuse(error)
    except KeyboardInterrupt:
        common.say("interrupted before the first clip")
        return common.EXIT_INTERRUPTED
    status = _classify(recognizer, clips, writer, options)
    return status if are_old_ok else status or common.EXIT_NOT_ALL


def _opened(found: list, options: argparse.Namespace) -> tuple[list, ResultWriter, bool]:
    """Open the outputs.

    Returns:
        What is to be read, what writes it, and whether all that an earlier run found is a verdict.

    Raises:
        OutputError: When an output cannot be written, or would write over what is there.
    """
    from emorec.report import earlier, table

    outputs = (options.csv, options.json, options.timeline, options.plots, options.subtitles)
    paths = [clip for clip in found if isinstance(clip, Path)]
    _refuse_to_overwrite(paths, outputs)
    folders = ((options.timeline, ".csv"), (options.plots, ".png"), (options.subtitles, ".vtt"))
    there = [file for folder, _ in folders if folder for file in folder.glob("*")]
    if options.overwrite:
        return found, table.ResultWriter(*outputs, kept=paths), True
    if not options.resume:
        own = [
            folder / f"{table.stem_for(path)}{suffix}"
            for folder, suffix in folders
            if folder
            for path in paths
        ]
        earlier.refuse_earlier([*outputs[:2], *own], earlier.OVERWRITE_OR_RESUME)
        return found, table.ResultWriter(*outputs, kept=[*paths, *there]), True
    old = earlier.read_earlier(options.csv, options.json, table.TABLE_COLUMNS)
    left = set(old.left_of(paths))
    todo = [clip for clip in found if isinstance(clip, MediaError) or clip in left]
    anew: list[Path | str] = [clip.what if isinstance(clip, MediaError) else clip for clip in todo]
    old = old.without(anew)
    writer = table.ResultWriter(*outputs, earlier=old, kept=[*paths, *there])
    if len(left) < len(paths):
        common.say(f"{len(paths) - len(left)} clips are in {printable(options.csv)} already")
    are_old_ok = all(row["status"] == "ok" for row in old.rows)
    return todo, writer, are_old_ok


def _classify(
    recognizer: Recognizer | None, clips: list, writer: ResultWriter, options: argparse.Namespace
) -> int:
    """Read the clips, write and print what is found; returns the exit status."""
    from emorec.cli.progress import BatchProgress
    from emorec.files import is_standard_output
    from emorec.report.terminal import print_table

    outputs = [path for path in (options.csv, options.json) if path is not None]
    screen = sys.stderr if any(map(is_standard_output, outputs)) else None

    def show() -> None:
        if not options.quiet:
            print_table(done, screen)

    done: list[ClipResult] = []
    try:
        with writer, BatchProgress("Classifying", len(clips), options.quiet) as progress:
            for result in _results(recognizer, clips, options.jobs, progress):
                writer.add(result)
                done.append(result)
    except KeyboardInterrupt:
        left = len(clips) - len(done)
        show()
        where = f", their rows are in {printable(options.csv)}" if options.csv else ""
        common.say(f"interrupted: {len(done)} clips are finished{where}; {left} are left")
        return common.EXIT_INTERRUPTED
    except EmorecError as error:
        show()
        return common.refuse(error)
    show()
    if writer.spoiled:
        common.say(
            f"{writer.spoiled} timelines, pictures or subtitles could not be written; see the notes"
        )
        return common.EXIT_WRONG_USAGE
    return common.EXIT_OK if all(result.emotion for result in done) else common.EXIT_NOT_ALL


def _results(
    recognizer: Recognizer | None, clips: list, n_jobs: int | None, progress: BatchProgress
) -> Iterator[ClipResult]:
    """Yield one result for each clip, in order; what is no clip fails without any work."""
    from emorec.result import ClipResult
    from emorec.workers import fitting_jobs

    paths = [clip for clip in clips if isinstance(clip, Path)]
    classified: Iterator[ClipResult] = iter(())
    if recognizer:
        classified = recognizer.classify_many(
            paths, n_jobs or fitting_jobs(len(paths)), progress.watch
        )
    for clip in clips:
        if isinstance(clip, MediaError):
            result = ClipResult.failed(clip.what, clip.reason, clip.remedy)
        else:
            result = next(classified)
        progress.finished(result)
        yield result


def calibrated(
    recognizer: Recognizer, names: Sequence[str], n_jobs: int | None, is_quiet: bool = False
) -> tuple[Recognizer, int]:
    """Get to know the person of some clips or folders; say which of them cannot be read.

    Returns:
        What judges this person, and how many clips cannot be read.

    Raises:
        MediaError: When there is no clip in the only folder.
        CalibrationError: When no clip can be read, or none has a voice or a face.
    """
    from emorec.cli.progress import BatchProgress
    from emorec.media.find import find_clips

    clips = find_clips(names)
    if len(clips) == 1 and isinstance(clips[0], MediaError):
        raise clips[0]
    with BatchProgress("Calibrating", len(clips), is_quiet) as progress:
        found = list(_results(recognizer, clips, n_jobs, progress))
    readable = [result for result in found if result.status != "failed"]
    for result in found:
        if result.status == "failed":
            path = printable(result.name)
            common.say(f"not calibrated on {path}: {result.reason}. Remedy: {result.remedy}.")
    if not readable:
        what = ", ".join(names)
        raise CalibrationError(what, "none of its clips can be read", "name other clips")
    personal = recognizer.calibrated_on(readable)
    for note in personal.speaker.notes:
        common.say(note)
    return personal, len(found) - len(readable)


def _refuse_to_overwrite(clips: list[Path], outputs: tuple[Path | None, ...]) -> None:
    """Refuse an output that is a clip or another output, by whatever name."""
    from emorec.files import identity

    taken = set(map(identity, clips))
    for output in outputs:
        if output is None:
            continue
        if identity(output) in taken:
            raise OutputError(output, "it is a clip or another output", "choose another name")
        taken.add(identity(output))
