"""``emorec classify``: one verdict for each clip."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.cli import common, reading
from emorec.errors import EmorecError, MediaError, OutputError, printable

if TYPE_CHECKING:
    from emorec.recognizer import Recognizer
    from emorec.report.earlier import Earlier
    from emorec.report.parquet import ParquetWriter
    from emorec.report.people_writer import PeopleWriter
    from emorec.report.table import ResultWriter

EXAMPLES = """examples:
  emorec classify clip.mp4
  emorec classify recordings/ 'more/**/*.wav' --csv results.csv
  emorec classify recordings/ --voice-model Models/alternatives/voice_long
  emorec classify interview.mp4 --calibrate other-clips-of-the-same-person/
  emorec classify interview.mp4 --person anna        whom emorec calibrate has learned
  emorec classify recordings/ --jobs 4 --json results.json --timeline timelines/ --plots plots/
  emorec classify interview.mp4 --subtitles subtitles/         one emotion after the other
  emorec classify talk.mp4 --people --people-csv people.csv    every face, and who speaks
  emorec classify recordings/ --csv results.csv --resume       goes on where it was ended
  emorec classify s3://bucket/clips --parquet results/         for very many clips
  emorec classify /data/clips --parquet results/ --scheduler tcp://HOST:8786    on a cluster
  emorec classify photo.jpg                          every face in a picture
  emorec classify photos/ --pictures --people-csv faces.csv
  emorec classify talk.mp4 --streams voice,face      without the third
  curl -L https://example.org/clip.mp4 | emorec classify -     where its owner allows that
  emorec classify clip.mp4 --json - --quiet | jq .clips[0].probabilities.fused
  emorec classify -- -a-name-that-begins-with-a-dash.mp4

What an earlier run wrote is not written over unless --overwrite says so. With --resume the clips
that have a row in the file of --csv (or folder of --parquet) are not read again, unless they or the
models, the person or the version have changed since; those that failed are. An output may be a
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
        help="a clip or picture, a folder of clips, a quoted pattern, or - (a pipe)",
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
    add(
        "--textgrid", type=common.path, metavar="FOLDER", help="write one TextGrid (Praat) per clip"
    )
    add("--elan", type=common.path, metavar="FOLDER", help="write one ELAN file per clip")
    add("--people", action="store_true", help="read every face, too: a row for each person")
    add("--pictures", action="store_true", help="read the pictures in folders, too")
    add(
        "--streams",
        type=reading.streams,
        metavar="NAMES",
        help="judge by some alone: voice, face, geometry, with commas between",
    )
    add(
        "--people-csv",
        type=common.output,
        metavar="FILE",
        help="write one row per person; takes --people for granted",
    )
    add("--parquet", type=common.name, metavar="FOLDER", help="write two tables, for many clips")
    add("--scheduler", type=common.name, metavar="ADDRESS", help="read them on a Dask cluster")
    add("--quiet", action="store_true", help="print no table and no progress")
    earlier = classify.add_mutually_exclusive_group()
    earlier.add_argument("--resume", action="store_true", help="go on with --csv or --parquet")
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
    _check_usage(options)
    try:
        with reading.piped(options) as called:
            found = reading.find(options.paths, options.pictures, options.quiet)
            people = _people_writer(found, options)
            clips, writer, are_old_ok = _opened(found, options)
            # Loading costs most of the start, and a run without a single clip needs no model.
            is_work = any(not isinstance(clip, MediaError) for clip in clips)
            recognizer = _recognizer(options) if is_work else None
            with reading.readers(recognizer, options) as read:
                status = _classify(read, clips, writer, people, options, called)
    except EmorecError as error:
        return common.refuse(error)
    except KeyboardInterrupt:
        common.say("interrupted before the first clip")
        return common.EXIT_INTERRUPTED
    return status if are_old_ok else status or common.EXIT_NOT_ALL


def _recognizer(options: argparse.Namespace) -> Recognizer:
    """Load what reads the clips as the options want it."""
    recognizer = common.load_recognizer(options)
    if options.calibrate:
        person = [options.calibrate]
        recognizer, _ = reading.calibrated(recognizer, person, options.jobs, options.quiet)
    if options.people or options.people_csv:
        recognizer = recognizer.for_everybody()
    return recognizer.for_streams(*options.streams) if options.streams else recognizer


def _check_usage(options: argparse.Namespace) -> None:
    if options.resume and not (options.csv or options.parquet):
        options.parser.error("--resume goes with --csv or --parquet")
    if options.resume and "-" in options.paths:
        options.parser.error("--resume does not go on with what comes through a pipe")
    if options.resume and options.people_csv:
        options.parser.error("--resume does not go on with a file of --people-csv")
    if options.scheduler and (options.people or options.people_csv):
        options.parser.error("--people goes without --scheduler")
    if options.scheduler and options.plots:
        options.parser.error("--plots goes without --scheduler: pictures stay where they are read")
    if options.scheduler and options.jobs:
        options.parser.error("--jobs goes without --scheduler, whose workers read the clips")


def _opened(found: list, options: argparse.Namespace) -> tuple[list, ResultWriter, bool]:
    """Open the outputs.

    Returns:
        What is to be read, what writes it, and whether all that an earlier run found is a verdict.

    Raises:
        EmorecError: When an output cannot be written, or would write over what is there; with
            --resume also when models are not there.
    """
    from emorec.report import distinct, earlier, table

    folders = {kind: getattr(options, kind) for kind in table.PER_CLIP if getattr(options, kind)}
    outputs = options.csv, options.json
    paths = [clip for clip in found if not isinstance(clip, MediaError)]
    _refuse_to_overwrite(paths, (*outputs, *folders.values()))
    stamp_of = common.stamps(options).of
    there = [file for folder in folders.values() for file in folder.glob("*")]
    if not (options.overwrite or options.resume):
        own = [
            folder / f"{distinct.stem_for(Path(path))}{table.PER_CLIP[kind].suffix}"
            for kind, folder in folders.items()
            for path in paths
        ]
        earlier.refuse_earlier([*outputs, *own], earlier.OVERWRITE_OR_RESUME)
    old = earlier.Earlier()
    if options.resume and options.csv:
        old = earlier.read_earlier(options.csv, options.json, table.TABLE_COLUMNS)
    parquet = _parquet(options)
    todo = found
    if options.resume:
        todo, old = _left(found, old, parquet, stamp_of, options)
        read = [clip for clip in todo if not isinstance(clip, MediaError)]
        for kind, folder in folders.items():
            if len(read) < len(paths) and not any(folder.glob("*")):
                common.say(f"--{kind}: clips that were read get none here, only without --resume")
        known = [row["file"] for row in old.rows] + list(parquet.earlier if parquet else ())
        there = distinct.of_others(there, read, [*known, *paths])
    kept = paths if options.overwrite else [*paths, *there]
    writer = table.ResultWriter(
        *outputs, folders, earlier=old, kept=kept, parquet=parquet, stamp_of=stamp_of
    )
    kept_statuses = [row["status"] for row in old.rows]
    if parquet is not None:
        kept_statuses += [status for status, _ in parquet.earlier.values()]
    return todo, writer, all(status == "ok" for status in kept_statuses)


def _parquet(options: argparse.Namespace) -> ParquetWriter | None:
    """Open the folder of --parquet, None where none is asked for."""
    if not options.parquet:
        return None
    from emorec.report.parquet import ParquetWriter

    return ParquetWriter(options.parquet, overwrite=options.overwrite, resume=options.resume)


def _left(
    found: list,
    old: Earlier,
    parquet: ParquetWriter | None,
    stamp_of: Callable[[str | Path], str],
    options: argparse.Namespace,
) -> tuple[list, Earlier]:
    """Return what an earlier run left to be read, and what is kept of its CSV file."""
    from emorec.report.earlier import Earlier

    paths = [clip for clip in found if not isinstance(clip, MediaError)]
    left = set(old.left_of(paths, stamp_of)) if options.csv else set()
    where = options.csv or options.parquet
    if parquet is not None:
        left.update(parquet.left_of(paths, stamp_of))
    todo = [clip for clip in found if isinstance(clip, MediaError) or clip in left]
    anew: list[Path | str] = [clip.what if isinstance(clip, MediaError) else clip for clip in todo]
    if len(left) < len(paths):
        common.say(f"{len(paths) - len(left)} clips are in {printable(where)} already")
    # A killed run has written its rows, and no JSON file yet.
    rows_alone = Earlier(old.rows).left_of(paths, stamp_of) if options.csv else left
    not_in_json = left.difference(rows_alone)
    if not_in_json and parquet is None:
        common.say(f"{len(not_in_json)} more are not in {printable(options.json)}, and read again")
    others = [clip for clip in anew if clip not in not_in_json]
    outdated = old.known(others) if options.csv else parquet.known(anew) if parquet else 0
    if outdated:
        common.say(f"{outdated} more were read with other models or options, or have changed since")
    if parquet is not None:
        parquet.keep_all_but(anew)
    return todo, old.without(anew)


def _people_writer(clips: list, options: argparse.Namespace) -> PeopleWriter:
    """Open the file of people.

    Raises:
        OutputError: When it cannot be written, or would write over what is there.
    """
    from emorec.report.earlier import refuse_earlier
    from emorec.report.people_writer import PeopleWriter

    others = (options.csv, options.json, options.people_csv)
    _refuse_to_overwrite([clip for clip in clips if isinstance(clip, Path)], others)
    if not options.overwrite:
        refuse_earlier([options.people_csv])
    return PeopleWriter(options.people_csv)


def _classify(
    read: reading.Reader,
    clips: list,
    writer: ResultWriter,
    people: PeopleWriter,
    options: argparse.Namespace,
    called: Mapping[Path, str],
) -> int:
    """Read the clips, write and print what is found; returns the exit status."""
    from emorec.cli.progress import BatchProgress
    from emorec.files import is_standard_output
    from emorec.report.terminal import Line, print_lines

    files = (options.csv, options.json, options.people_csv)
    outputs = [path for path in files if path is not None]
    screen = sys.stderr if any(map(is_standard_output, outputs)) else None
    done = without_verdict = 0
    # Lines, for ten thousand results would hold faces.
    lines: list[Line] = []

    def show() -> None:
        print_lines(lines, screen)

    try:
        with writer, people, BatchProgress("Classifying", len(clips), options.quiet) as progress:
            for result in reading.results(read, clips, progress, called):
                writer.add(result)
                people.add(result)
                done += 1
                without_verdict += result.emotion is None
                if not options.quiet:
                    lines.append(Line.of(result))
    except KeyboardInterrupt:
        show()
        kept = options.csv or options.parquet
        where = f", their rows are in {printable(kept)}" if kept else ""
        left = len(clips) - done
        common.say(f"interrupted: {done} clips are finished{where}; {left} are left")
        return common.EXIT_INTERRUPTED
    except EmorecError as error:
        show()
        return common.refuse(error)
    show()
    if writer.spoiled:
        common.say(f"{writer.spoiled} files of single clips could not be written; see the notes")
        return common.EXIT_WRONG_USAGE
    return common.EXIT_NOT_ALL if without_verdict else common.EXIT_OK


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
