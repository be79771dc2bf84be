"""``emorec try``: draws a made-up clip and reads it, to see that everything works."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from emorec.cli import common
from emorec.emotions import COMMON7
from emorec.errors import EmorecError

EXAMPLES = """examples:
  emorec try
  emorec try --emotion angry --keep angry.mp4      keeps the clip

The clip is made up: a drawn face and a computed voice, which nobody acted. It shows that the
program works here, not how good it is.

exit status:
  0  the clip got a verdict
  1  it got none
  2  wrong usage, a model that cannot be loaded, or a clip that cannot be written
"""
_ACTOR = 2


def add_to(commands) -> None:
    """Add the command and its arguments."""
    example = common.add_command(
        commands,
        "try",
        help="draw a made-up clip and read it",
        description="Draws a clip of a made-up person who acts an emotion, and reads it.",
        examples=EXAMPLES,
    )
    add = example.add_argument
    add("--emotion", choices=COMMON7, default="happy", help="what is acted (happy)")
    add("--keep", type=common.path, metavar="FILE", help="keep the clip as this .mp4 file")
    common.add_models(example)
    example.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw a clip and read it; see ``emorec try --help``."""
    from emorec.avatar.clip import Take, write_clip
    from emorec.errors import OutputError
    from emorec.files import check_writable
    from emorec.report.terminal import print_table

    try:
        if options.keep and options.keep.exists():
            raise OutputError(options.keep, "it is there already", "name another file")
        check_writable(options.keep)
        with tempfile.TemporaryDirectory(prefix="emorec-") as folder:
            recognizer = common.load_recognizer(options)
            path = options.keep or Path(folder) / f"{options.emotion}.mp4"
            common.say(f"drawing a made-up person who acts {options.emotion!r}")
            write_clip(path, _ACTOR, Take(options.emotion))
            result = recognizer.classify_safely(path)
    except EmorecError as error:
        return common.refuse(error)
    if options.keep is None:
        result = replace(result, path=Path(path.name))  # its folder is gone
    print_table([result])
    return common.EXIT_OK if result.emotion else common.EXIT_NOT_ALL
