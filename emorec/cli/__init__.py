"""The command line: ``emorec classify``, ``evaluate``, ``annotate`` and their like.

One module a command, light to import: what does the work is imported when a command runs.
"""

from __future__ import annotations

import argparse
import errno
import sys

from emorec import __version__
from emorec.cli import (
    annotate,
    app,
    calibrate,
    classify,
    common,
    data,
    evaluate,
    example,
    features,
    live,
    serve,
    train,
)
from emorec.cli.completion import SHELLS, PrintCompletion
from emorec.errors import OutputError

__all__ = ["main"]

EXAMPLES = """examples:
  emorec try                                       needs no clip of yours
  emorec classify clip.mp4
  emorec classify recordings/ 'more/**/*.wav' --csv results.csv --plots plots/
  emorec annotate clip.mp4 -o annotated.mp4
  emorec features clip.mp4 -o features.csv
  emorec evaluate labels.csv --html report.html
  emorec calibrate anna anna-1.mp4 anna-2.mp4
  emorec live
  emorec app

emorec COMMAND --help has all options of a command, more examples, and what its exit status means.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; those of the process by default.

    Returns:
        The exit status; see ``emorec --help``.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return common.EXIT_OK
    try:
        with common.ended_like_ctrl_c():
            status = options.run(options)
            sys.stdout.flush()
    except KeyboardInterrupt:
        common.say("interrupted")
        return common.EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of the pipe has gone and misses nothing.
        common.silence_standard_output()
        return common.EXIT_NOT_ALL
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        common.silence_standard_output()
        return common.refuse(OutputError.because_of("the output", error))
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emorec",
        description="Reads emotion from a speaking person's voice and face.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"emorec {__version__}")
    parser.add_argument(
        "--print-completion",
        action=PrintCompletion,
        choices=SHELLS,
        help="print what a shell needs to complete command lines",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    own = (calibrate, evaluate, train)
    for command in (classify, features, annotate, live, *own, data, app, serve, example):
        command.add_to(commands)
    return parser
