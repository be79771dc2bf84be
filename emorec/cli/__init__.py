"""The command line: ``emorec classify``, ``annotate``, ``live``, ``app`` and ``data``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from emorec import __version__
from emorec.cli.app import add_app
from emorec.corpora import registry

EXIT_OK, EXIT_SOME_WITHOUT_VERDICT, EXIT_WRONG_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130

_EXAMPLES = """examples:
  emorec classify clip.mp4
  emorec classify recordings/ 'more/**/*.wav' --csv results.csv
  emorec classify recordings/ --voice-model voice_random_forest
  emorec classify recordings/ --jobs 4 --json results.json --timeline timelines/ --plots plots/
  emorec classify -- -a-name-that-begins-with-a-dash.mp4

exit status:
  0  every clip got a verdict
  1  some clips got none; the table says why
  2  wrong usage, a model that cannot be loaded, or an output that cannot be written
"""

_ANNOTATE_EXAMPLES = """examples:
  emorec annotate clip.mp4 -o annotated.mp4
  emorec annotate interview.mkv -o interview_annotated.mkv --side strip
  emorec annotate holiday.webm -o videos/          writes videos/holiday_annotated.mp4

The clip's picture keeps its size, and the canvas grows by the bars. The sound is copied as it is;
where mp4 cannot hold it, name an .mkv file.

exit status:
  0  the video is written
  1  the clip cannot be read, or there is neither a voice nor a face in it
  2  wrong usage, a model that cannot be loaded, or a video that cannot be written
"""

_LIVE_EXAMPLES = """examples:
  emorec live                                 the first camera and the system's microphone
  emorec live --camera 1 --no-microphone
  emorec live --no-camera --microphone "USB Audio"
  emorec live --file clip.mp4 --record timeline.csv
  emorec live --file clip.mp4 --loop

A microphone needs sounddevice: pip install sounddevice. Ctrl-C ends; what is recorded until
then stays. Nothing that is seen or heard is kept or sent anywhere.

exit status:
  0  the file ended or Ctrl-C was pressed, and there was a verdict
  1  there was neither a voice nor a face
  2  wrong usage, no camera and no microphone, a file or model that cannot be read, or an output
     that cannot be written
"""

_DATA_EXAMPLES = """examples:
  emorec data --verify                        what is there, what is missing, what mends it
  emorec data ravdess                         the speech sound of RAVDESS (215 MB)
  emorec data ravdess --part video --actors 1-4,21
  emorec data ravdess --part landmarks --to /data/emotion
  emorec data crema-d                         where to get it, and where to put it

Archives come from Zenodo, are checked against the record's MD5 and unpacked into RAVDESS's
layout; a cut transfer goes on where it stopped. Only speech is unpacked, and of the clips those
with sound (01-01-...). EMOREC_DATA names another folder for all corpora, EMOREC_ZENODO_URL a
mirror of Zenodo.

exit status:
  0  all is there
  1  something is missing or damaged, or could not be fetched
  2  wrong usage
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; those of the process by default.

    Returns:
        The exit status; see ``emorec --help``.
    """
    options = _parser().parse_args(arguments)
    return options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emorec",
        description="Reads emotion from a speaking person's voice and face.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"emorec {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    classify = commands.add_parser(
        "classify",
        help="read the emotion of clips",
        description="Reads the emotion of clips: one verdict each, and what it rests on.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = classify.add_argument
    add("paths", nargs="+", metavar="PATH", help="a clip, a folder of clips, or a quoted pattern")
    add("--csv", type=Path, metavar="FILE", help="write one row per clip, as it is finished")
    add("--json", type=Path, metavar="FILE", help="write all probabilities")
    add("--timeline", type=Path, metavar="FOLDER", help="write one CSV over time per clip")
    add("--plots", type=Path, metavar="FOLDER", help="write one picture per clip")
    add("--jobs", type=_jobs, default=1, metavar="N", help="clips at once; -1: one a core (1)")
    _add_models(classify)
    classify.set_defaults(run=_classify)
    _add_annotate(commands)
    _add_live(commands)
    _add_data(commands)
    add_app(commands)
    return parser


def _add_models(command: argparse.ArgumentParser) -> None:
    """Add what says which models judge."""
    add = command.add_argument
    add("--engine", choices=("onnx", "keras"), default="onnx", help="what runs the networks (onnx)")
    add("--voice-model", default="", metavar="NAME", help="another voice model: name or folder")
    add("--models", type=Path, default=None, metavar="FOLDER", help="where the models lie (Models)")


def _add_annotate(commands) -> None:
    annotate = commands.add_parser(
        "annotate",
        help="write a clip's video with face box, verdict and moving bars",
        description="Writes a video of the clip with the face box, the verdict and moving bars.",
        epilog=_ANNOTATE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = annotate.add_argument
    add("path", metavar="CLIP", help="the clip")
    add("-o", "--out", type=Path, required=True, help="the video (.mp4, .mov, .mkv), or a folder")
    add("--side", choices=("bars", "strip"), default="bars", help="bars beside or under (bars)")
    _add_models(annotate)
    annotate.set_defaults(run=_annotate)


def _add_live(commands) -> None:
    live = commands.add_parser(
        "live",
        help="read the emotion of a person in front of the camera",
        description="Shows what voice and face say now, from camera and microphone or a file.",
        epilog=_LIVE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add, pictures = live.add_argument, live.add_mutually_exclusive_group()
    pictures.add_argument("--camera", type=_number, default=0, metavar="N", help="which camera (0)")
    pictures.add_argument("--no-camera", action="store_true", help="the voice alone")
    pictures.add_argument("--file", type=Path, metavar="CLIP", help="play a file at its own speed")
    sounds = live.add_mutually_exclusive_group()
    sounds.add_argument("--microphone", metavar="NAME", help="name, part of it, or number")
    sounds.add_argument("--no-microphone", action="store_true", help="the face alone")
    add("--loop", action="store_true", help="play the file again and again")
    add("--record", type=Path, metavar="FILE", help="write the timeline as CSV, as it comes")
    _add_models(live)
    live.set_defaults(run=_live, parser=live)


def _live(options: argparse.Namespace) -> int:
    if options.file is None and options.loop:
        options.parser.error("--loop goes with --file")
    if options.file is not None and (options.microphone or options.no_microphone):
        options.parser.error("--file brings its own sound: leave the microphone out")
    if options.no_camera and options.no_microphone:
        options.parser.error("without camera and microphone there is nothing to look at")
    from emorec.cli import live as live_command

    return live_command.run(options, _load)


def _number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number


def _add_data(commands) -> None:
    data = commands.add_parser(
        "data",
        help="fetch corpora, or verify those that are there",
        description="Fetches the official files of a corpus, or says where it is got.",
        epilog=_DATA_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = data.add_argument
    names = registry.keys()
    parts = ("sound", "video", "landmarks")
    add("name", nargs="?", choices=names, metavar="NAME", help=", ".join(names))
    add("--part", action="append", choices=parts, help="part of RAVDESS, repeatable (sound)")
    add("--actors", type=_actors, metavar="N", help="whose video: 5, or 1-4,21 (all)")
    add("--to", type=Path, metavar="FOLDER", help="where corpora lie (EMOREC_DATA, or Datasets)")
    add("--verify", action="store_true", help="say what is there, missing or damaged")
    data.set_defaults(run=_data)


def _data(options: argparse.Namespace) -> int:
    from emorec.cli.data import run

    return run(options)


def _actors(text: str) -> tuple[int, ...]:
    actors: set[int] = set()
    for piece in text.split(","):
        first, _, last = piece.partition("-")
        actors.update(range(int(first), int(last or first) + 1))
    if not actors or min(actors) < 1 or max(actors) > 24:
        raise argparse.ArgumentTypeError("must be numbers from 1 to 24, as in 1-4,21")
    return tuple(sorted(actors))


def _jobs(text: str) -> int:
    jobs = int(text)
    if jobs == 0 or jobs < -1:
        raise argparse.ArgumentTypeError("must be 1 or more, or -1 for one a core")
    return jobs


def _classify(options: argparse.Namespace) -> int:
    from emorec import errors
    from emorec.errors import ModelError
    from emorec.media.find import find_clips
    from emorec.media.reader import MediaError
    from emorec.report import table

    clips = find_clips(options.paths)
    outputs = (options.csv, options.json, options.timeline, options.plots)
    try:
        _refuse_to_overwrite(clips, outputs)
        writer = table.ResultWriter(*outputs)
        # Loading costs most of the start, and a run without a single clip needs no model.
        recognizer = _load(options) if any(isinstance(clip, Path) for clip in clips) else None
    except (errors.OutputError, ModelError) as error:
        return _refuse(error)
    results = _results(recognizer, clips, options.jobs)
    done = []
    try:
        with writer, _progress() as progress:
            for result in progress.track(results, total=len(clips), description="Classifying"):
                writer.add(result)
                done.append(result)
    except KeyboardInterrupt:
        left = len(clips) - len(done)
        table.print_table(done)
        where = f", their rows are in {options.csv}" if options.csv else ""
        _say(f"interrupted: {len(done)} clips are finished{where}; {left} are left")
        return EXIT_INTERRUPTED
    except (errors.OutputError, ModelError, MediaError) as error:
        return _refuse(error)
    table.print_table(done)
    return EXIT_OK if all(result.emotion for result in done) else EXIT_SOME_WITHOUT_VERDICT


def _annotate(options: argparse.Namespace) -> int:
    from emorec import errors
    from emorec.errors import ModelError
    from emorec.media.reader import MediaError
    from emorec.report import table
    from emorec.report.video import output_path, write_annotated
    from emorec.result import ClipResult

    try:
        out = output_path(options.path, options.out)
        result = _load(options).classify(options.path)
        if result.emotion:
            with _progress() as progress:
                task = progress.add_task("Drawing", total=100)

                def show(share: float) -> None:
                    progress.update(task, completed=round(100 * share))

                write_annotated(result, out, options.side, show)
    except KeyboardInterrupt:
        _say("interrupted: no video is written")
        return EXIT_INTERRUPTED
    except MediaError as error:
        result = ClipResult.failed(options.path, error.reason, error.remedy)
    except (errors.OutputError, ModelError) as error:
        return _refuse(error)
    table.print_table([result])
    if not result.emotion:
        return EXIT_SOME_WITHOUT_VERDICT
    print(f"annotated video: {errors.printable(out)}")
    return EXIT_OK


def _load(options: argparse.Namespace):
    import cv2

    from emorec.paths import default_models_folder
    from emorec.recognizer import Recognizer

    # Frames are small by the time OpenCV sees them, and decoding uses the other cores.
    cv2.setNumThreads(1)
    # TensorFlow tells of every processor feature otherwise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    models = options.models or default_models_folder()
    return Recognizer.load(models, options.engine, options.voice_model)


def _results(recognizer, clips: list, n_jobs: int) -> Iterator:
    """Yield one result for each clip, in order; what is no clip fails without any work."""
    from emorec.media.reader import MediaError
    from emorec.result import ClipResult

    paths = [clip for clip in clips if isinstance(clip, Path)]
    classified = recognizer.classify_many(paths, n_jobs) if recognizer else iter(())
    for clip in clips:
        if isinstance(clip, MediaError):
            yield ClipResult.failed(clip.path, clip.reason, clip.remedy)
        else:
            yield next(classified)


def _refuse_to_overwrite(clips: list, outputs: tuple[Path | None, ...]) -> None:
    from emorec.errors import OutputError

    taken = {os.path.realpath(clip) for clip in clips if isinstance(clip, Path)}
    for output in outputs:
        if output is not None and os.path.realpath(output) in taken:
            raise OutputError(output, "it is one of the clips", "choose another name")


def _progress():
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )


def _say(text: str) -> None:
    print(f"emorec: {text}", file=sys.stderr)


def _refuse(error: Exception) -> int:
    _say(str(error))
    return EXIT_WRONG_USAGE


if __name__ == "__main__":
    sys.exit(main())
