"""``emorec live``: what voice and face say now, from camera and microphone or a file."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.cli import common
from emorec.errors import EmorecError, OutputError

if TYPE_CHECKING:
    from emorec.live.engine import LiveEngine
    from emorec.live.recorder import Recorder
    from emorec.live.sources import Source
    from emorec.live.view import LineView, TerminalView

EXAMPLES = """examples:
  emorec live                                 the first camera and the system's microphone
  emorec live --camera 1 --no-microphone
  emorec live --no-camera --microphone "USB Audio"
  emorec live --file clip.mp4 --record timeline.csv
  emorec live --file clip.mp4 --loop
  emorec live --people                        every face has a number, and who speaks is told

A microphone needs sounddevice: pip install 'emorec[live]'. Ctrl-C ends; what is recorded until
then stays, and only --overwrite writes over it. Nothing that is seen or heard is kept or sent
anywhere.

exit status:
  0  the file ended or Ctrl-C was pressed, and there was a verdict
  1  there was neither a voice nor a face
  2  wrong usage, no camera and no microphone, a file or model that cannot be read, or an output
     that cannot be written
"""

_TICK_S = 0.1
_LONGEST_FIRST_TRY_S = 15.0


def add_to(commands) -> None:
    """Add the command and its arguments."""
    live = common.add_command(
        commands,
        "live",
        help="read the emotion of a person in front of the camera",
        description="Shows what voice and face say now, from camera and microphone or a file.",
        examples=EXAMPLES,
    )
    add, pictures = live.add_argument, live.add_mutually_exclusive_group()
    pictures.add_argument("--camera", type=_number, default=0, metavar="N", help="which camera (0)")
    pictures.add_argument("--no-camera", action="store_true", help="the voice alone")
    pictures.add_argument(
        "--file", type=common.name, metavar="CLIP", help="play a file at its own speed"
    )
    sounds = live.add_mutually_exclusive_group()
    sounds.add_argument("--microphone", metavar="NAME", help="name, part of it, or number")
    sounds.add_argument("--no-microphone", action="store_true", help="the face alone")
    add("--loop", action="store_true", help="play the file again and again")
    add("--people", action="store_true", help="follow every face, and tell who speaks")
    add("--record", type=common.path, metavar="FILE", help="write the timeline as CSV, as it comes")
    common.add_person(live)
    common.add_overwrite(live)
    common.add_models(live)
    live.set_defaults(run=run, parser=live)


def run(options: argparse.Namespace) -> int:
    """Run the live view until the file ends or Ctrl-C is pressed; see ``emorec live --help``."""
    _check_usage(options)
    from emorec.live.engine import LiveEngine
    from emorec.live.recorder import Recorder
    from emorec.media.find import check_name
    from emorec.report.earlier import refuse_earlier

    with contextlib.ExitStack() as stack:
        try:
            if options.file is not None:
                check_name(options.file)
                _refuse_to_overwrite(Path(options.file), options.record)
            if not options.overwrite:
                refuse_earlier([options.record])
            recorder = Recorder(options.record)
            recognizer = common.load_recognizer(options)
            recognizer = recognizer.for_everybody() if options.people else recognizer
            engine = stack.enter_context(LiveEngine(recognizer))
            sources = _sources(options, engine)
        except EmorecError as error:
            return common.refuse(error)
        except KeyboardInterrupt:
            common.say("interrupted before it began")
            return common.EXIT_INTERRUPTED
        try:
            with contextlib.ExitStack() as playing:
                for source in sources:
                    playing.enter_context(source)
                if not _is_anything_there(sources):
                    return common.EXIT_WRONG_USAGE
                stack.enter_context(recorder)
                _show(engine, sources, recorder, _view(), playing)
                engine.drain()
        except KeyboardInterrupt:
            pass
        except OutputError as error:
            return common.refuse(error)
        except BrokenPipeError:
            # The reader of the pipe has gone, which ends the view as Ctrl-C does.
            common.silence_standard_output()
        return _say_the_end(engine)


def _number(text: str) -> int:
    number = common.whole_number(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number


def _check_usage(options: argparse.Namespace) -> None:
    """End with a usage error where arguments contradict each other."""
    if options.file is None and options.loop:
        options.parser.error("--loop goes with --file")
    if options.file is not None and (options.microphone or options.no_microphone):
        options.parser.error("--file brings its own sound: leave the microphone out")
    if options.no_camera and options.no_microphone:
        options.parser.error("without camera and microphone there is nothing to look at")
    if options.people and options.no_camera:
        options.parser.error("--people needs a picture: leave --no-camera out")


def _sources(options: argparse.Namespace, engine: LiveEngine) -> list[Source]:
    from emorec.live.sources import CameraSource, FileSource, MicrophoneSource

    if options.file is not None:
        return [FileSource(engine, Path(options.file), float("inf") if options.loop else 1)]
    camera = [] if options.no_camera else [CameraSource(engine, options.camera)]
    microphone = [] if options.no_microphone else [MicrophoneSource(engine, options.microphone)]
    return [*camera, *microphone]


def _is_anything_there(sources: list[Source]) -> bool:
    """Wait for the first attempts; say what is wrong when none of them succeeds."""
    for source in sources:
        source.wait_until_tried(_LONGEST_FIRST_TRY_S)
    problems = [source.problem for source in sources if source.problem]
    if len(problems) == len(sources):
        for problem in problems:
            common.say(problem)
        return False
    return True


def _view() -> TerminalView | LineView:
    from rich.console import Console

    from emorec.live.view import LineView, TerminalView

    return TerminalView(Console()) if sys.stdout.isatty() else LineView()


def _show(
    engine: LiveEngine,
    sources: list[Source],
    recorder: Recorder,
    view: TerminalView | LineView,
    playing: contextlib.ExitStack,
) -> None:
    """Show and record ten times a second until all sources have ended."""
    from emorec.live.view import PictureWindow, has_window

    views: list[TerminalView | LineView | PictureWindow] = [view]
    if has_window():
        views.append(playing.enter_context(PictureWindow()))
    else:
        common.say("no window: the installed OpenCV has none, or there is no screen")
    playing.enter_context(view)
    while not all(source.has_ended for source in sources):
        recorder.add(engine.verdict())
        for each in views:
            each.show(engine)
        time.sleep(_TICK_S)
    recorder.add(engine.verdict())


def _say_the_end(engine: LiveEngine) -> int:
    """Say what was found in all; the exit status tells whether there was anything."""
    from emorec.live.view import sentence

    summary, counts = engine.summary(), engine.counts
    what = sentence(summary) if summary else "neither a voice nor a face was there"
    line = f"in all: {what}\n{counts.taken} frames taken, {counts.dropped} dropped"
    if counts.taken:
        median, late = (1000 * s for s in (counts.latency_median_s, counts.latency_p95_s))
        line += f"; from frame to verdict {median:.0f} ms, 95 % within {late:.0f} ms"
    print(line, flush=True)
    return common.EXIT_OK if summary else common.EXIT_NOT_ALL


def _refuse_to_overwrite(clip: Path, record: Path | None) -> None:
    if record is not None and record.exists() and clip.exists() and record.samefile(clip):
        raise OutputError(record, "it is the clip", "choose another name")
