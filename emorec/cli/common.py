"""What the commands share: exit codes, what they say, and the recogniser that they load."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

    from emorec.recognizer import Recognizer
    from emorec.report.stamp import Stamps

__all__ = [
    "EXIT_INTERRUPTED",
    "EXIT_NOT_ALL",
    "EXIT_OK",
    "EXIT_WRONG_USAGE",
    "add_command",
    "add_jobs",
    "add_models",
    "add_models_folder",
    "add_overwrite",
    "add_person",
    "ended_like_ctrl_c",
    "jobs",
    "load_recognizer",
    "name",
    "output",
    "path",
    "progress_bar",
    "refuse",
    "say",
    "silence_standard_output",
    "stamps",
    "whole_number",
]

EXIT_OK = 0
EXIT_NOT_ALL = 1
"""The work was done, and something got no verdict or is missing."""
EXIT_WRONG_USAGE = 2
"""Also where an output cannot be written, or a model or package is missing."""
EXIT_INTERRUPTED = 130


def add_command(
    commands, command: str, *, help: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """Add a command to the parser's `commands`, with its examples below the arguments."""
    return commands.add_parser(
        command,
        help=help,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_models(command: argparse.ArgumentParser) -> None:
    """Add the arguments that name the models."""
    add = command.add_argument
    add("--engine", choices=("onnx", "keras"), default="onnx", help="what runs the networks (onnx)")
    add("--voice-model", default="", metavar="NAME", help="another voice model: name or folder")
    add_models_folder(command)


def add_models_folder(command: argparse.ArgumentParser) -> None:
    """Add the argument that names the models' folder."""
    text = "where the models lie (those that come with it)"
    command.add_argument("--models", type=path, metavar="FOLDER", help=text)


def add_jobs(command: argparse.ArgumentParser) -> None:
    """Add the argument that says how many clips are read at once."""
    text = "clips at once (one a core, or 1 for few clips)"
    command.add_argument("--jobs", type=jobs, metavar="N", help=text)


def add_overwrite(command) -> None:
    """Add the argument that lets outputs be written over; without it they are refused."""
    command.add_argument("--overwrite", action="store_true", help="write over earlier outputs")


def add_person(command) -> None:
    """Add the argument that names whose clips are judged; `load_recognizer` heeds it."""
    text = "whose clips are judged: a person whom emorec calibrate has learned"
    command.add_argument("--person", type=name, metavar="NAME", help=text)


def add_listening(command: argparse.ArgumentParser, usual_port: int) -> None:
    """Add the arguments that say where a server listens, and whom it answers."""
    add = command.add_argument
    text = f"port; 0: any free one ({usual_port})"
    add("--port", type=port, default=usual_port, metavar="N", help=text)
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (127.0.0.1)")
    add("--password-file", type=path, metavar="FILE", help="file with the password")


def name(text: str) -> str:
    """Return an argument that names something; an empty one would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty (the current folder is .)")
    return text


def path(text: str) -> Path:
    """Return the path that an argument is."""
    return Path(name(text))


def output(text: str) -> Path:
    """Return the path that an output is; - is the standard output."""
    return Path("/dev/stdout") if text == "-" else path(text)


def whole_number(text: str) -> int:
    """Return the number that an argument is."""
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a whole number, and {text!r} is none") from error


def jobs(text: str) -> int:
    """Return the number of processes that an argument is."""
    count = whole_number(text)
    if count == 0 or count < -1:
        raise argparse.ArgumentTypeError("must be 1 or more, or -1 for one a core")
    return count


def port(text: str) -> int:
    """Return the port that an argument is."""
    number = whole_number(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return number


def load_recognizer(options: argparse.Namespace) -> Recognizer:
    """Load the recogniser that the arguments of `add_models` and `add_person` name.

    Raises:
        EmorecError: When a model or a package is missing, a model is broken, or a person is not
            known.
    """
    import cv2

    from emorec.recognizer import Recognizer

    # Frames are small by the time OpenCV sees them, and decoding uses the other cores.
    cv2.setNumThreads(1)
    # TensorFlow tells of every processor feature otherwise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    recognizer = Recognizer.load(options.models, options.engine, options.voice_model)
    person = getattr(options, "person", None)
    return recognizer.for_person(person) if person else recognizer


def stamps(options: argparse.Namespace) -> Stamps:
    """Tell what clips are read with; see `report.stamp`.

    Raises:
        EmorecError: When the person that the options name is not known.
    """
    from emorec import models
    from emorec.media.find import find_clips
    from emorec.paths import default_models_folder
    from emorec.report.stamp import Stamps
    from emorec.speaker import people
    from emorec.streams.windows import STREAMS

    folder = options.models or default_models_folder()
    person = getattr(options, "person", None)
    of_person = getattr(options, "calibrate", None)
    return Stamps(
        lambda: models.fingerprints(folder, options.voice_model),
        people.load(person).known() if person else None,
        [str(clip) for clip in find_clips([of_person])] if of_person else (),
        # In the order of the streams, as the recogniser has them.
        [s for s in STREAMS if s in (getattr(options, "streams", None) or STREAMS)],
    )


def progress_bar(*more: str) -> Progress:
    """Return a bar on the standard error, which a file or a pipe does not get.

    Args:
        more: Texts that stand after it, in which "{task.fields[NAME]}" is a field of the task.
    """
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
        *(TextColumn(text) for text in more),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )


@contextlib.contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Let what ends a process (SIGTERM, a terminal that closes) end it as Ctrl-C does.

    What is finished is then kept and said. Only the main thread may say so; others go on as usual.
    """
    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    old: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in filter(None, numbers):
            # Whoever has a signal ignored, as nohup does, wants that.
            if signal.getsignal(number) is signal.SIG_DFL:
                old[number] = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def say(text: object) -> None:
    """Print one line to the standard error."""
    print(f"emorec: {text}", file=sys.stderr)


def silence_standard_output() -> None:
    """Let what is still to be printed go nowhere, or Python would complain of it at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse(error: Exception) -> int:
    """Say why nothing can be done, and return the exit status."""
    say(error)
    return EXIT_WRONG_USAGE
