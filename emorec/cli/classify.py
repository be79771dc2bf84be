"""``emorec classify``: one verdict for each clip."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.cli import common
from emorec.errors import CalibrationError, EmorecError, MediaError, OutputError, printable

if TYPE_CHECKING:
    from emorec.recognizer import Recognizer
    from emorec.result import ClipResult

EXAMPLES = """examples:
  emorec classify clip.mp4
  emorec classify recordings/ 'more/**/*.wav' --csv results.csv
  emorec classify recordings/ --voice-model Models/alternatives/voice_long
  emorec classify interview.mp4 --calibrate other-clips-of-the-same-person/
  emorec classify recordings/ --jobs 4 --json results.json --timeline timelines/ --plots plots/
  emorec classify -- -a-name-that-begins-with-a-dash.mp4

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
    add("paths", nargs="+", metavar="PATH", help="a clip, a folder of clips, or a quoted pattern")
    add("--csv", type=Path, metavar="FILE", help="write one row per clip, as it is finished")
    add("--json", type=Path, metavar="FILE", help="write all probabilities")
    add("--timeline", type=Path, metavar="FOLDER", help="write one CSV over time per clip")
    add("--plots", type=Path, metavar="FOLDER", help="write one picture per clip")
    add("--jobs", type=_jobs, default=1, metavar="N", help="clips at once; -1: one a core (1)")
    add("--calibrate", metavar="FOLDER", help="clips of the one person who is to be judged")
    common.add_models(classify)
    classify.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Classify the clips; see ``emorec classify --help``."""
    from emorec.media.find import find_clips
    from emorec.report import table

    clips = find_clips(options.paths)
    outputs = (options.csv, options.json, options.timeline, options.plots)
    try:
        _refuse_to_overwrite(clips, outputs)
        writer = table.ResultWriter(*outputs)
        # Loading costs most of the start, and a run without a single clip needs no model.
        is_work = any(isinstance(clip, Path) for clip in clips)
        recognizer = common.load_recognizer(options) if is_work else None
        if recognizer and options.calibrate:
            recognizer = _calibrated(recognizer, options.calibrate, options.jobs)
    except EmorecError as error:
        return common.refuse(error)
    except KeyboardInterrupt:
        common.say("interrupted before the first clip")
        return common.EXIT_INTERRUPTED
    results = _results(recognizer, clips, options.jobs)
    done: list[ClipResult] = []
    try:
        with writer, common.progress_bar() as progress:
            for result in progress.track(results, total=len(clips), description="Classifying"):
                writer.add(result)
                done.append(result)
    except KeyboardInterrupt:
        left = len(clips) - len(done)
        table.print_table(done)
        where = f", their rows are in {options.csv}" if options.csv else ""
        common.say(f"interrupted: {len(done)} clips are finished{where}; {left} are left")
        return common.EXIT_INTERRUPTED
    except EmorecError as error:
        return common.refuse(error)
    table.print_table(done)
    return common.EXIT_OK if all(result.emotion for result in done) else common.EXIT_NOT_ALL


def _jobs(text: str) -> int:
    jobs = common.whole_number(text)
    if jobs == 0 or jobs < -1:
        raise argparse.ArgumentTypeError("must be 1 or more, or -1 for one a core")
    return jobs


def _results(recognizer: Recognizer | None, clips: list, n_jobs: int) -> Iterator[ClipResult]:
    """Yield one result for each clip, in order; what is no clip fails without any work."""
    from emorec.result import ClipResult

    paths = [clip for clip in clips if isinstance(clip, Path)]
    classified = recognizer.classify_many(paths, n_jobs) if recognizer else iter(())
    for clip in clips:
        if isinstance(clip, MediaError):
            yield ClipResult.failed(clip.path, clip.reason, clip.remedy)
        else:
            yield next(classified)


def _calibrated(recognizer: Recognizer, folder: str, n_jobs: int) -> Recognizer:
    """Get to know the person whose clips lie in a folder; say which of them cannot be read.

    Raises:
        MediaError: When there is no clip in the folder.
        CalibrationError: When no clip can be read, or none has a voice or a face.
    """
    from emorec.media.find import find_clips

    clips = find_clips([folder])
    if len(clips) == 1 and isinstance(clips[0], MediaError):
        raise clips[0]
    results = _results(recognizer, clips, n_jobs)
    with common.progress_bar() as progress:
        found = list(progress.track(results, total=len(clips), description="Calibrating"))
    readable = [result for result in found if result.status != "failed"]
    for result in found:
        if result.status == "failed":
            path = printable(result.path)
            common.say(f"not calibrated on {path}: {result.reason}. Remedy: {result.remedy}.")
    if not readable:
        raise CalibrationError(folder, "none of its clips can be read", "name another folder")
    personal = recognizer.calibrated_on(readable)
    for note in personal.speaker.notes:
        common.say(note)
    return personal


def _refuse_to_overwrite(clips: list, outputs: tuple[Path | None, ...]) -> None:
    taken = {os.path.realpath(clip) for clip in clips if isinstance(clip, Path)}
    for output in outputs:
        if output is None:
            continue
        if os.path.realpath(output) in taken:
            raise OutputError(output, "it is a clip or another output", "choose another name")
        taken.add(os.path.realpath(output))
