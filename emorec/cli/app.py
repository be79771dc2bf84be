"""``emorec app``: the web page."""

from __future__ import annotations

import argparse

from emorec.cli import common
from emorec.errors import EmorecError, require

EXAMPLES = """examples:
  emorec app                                  opens the page in the browser
  emorec app --port 8000 --no-browser
  emorec app --person anna                    judges everything as anna's; see emorec calibrate
  emorec app --host 0.0.0.0 --password-file password.txt

The page needs: pip install 'emorec[app]'
It listens on 127.0.0.1, where only this machine reaches it. With --host others reach it too, and
have to give a password: from --password-file, from the variable EMOREC_APP_PASSWORD, or typed when
asked. What they send then crosses the network unencrypted, and browsers allow camera and
microphone only on this machine or over https; an encrypted tunnel gives both:
  ssh -L 7860:127.0.0.1:7860 THIS_MACHINE     then open http://127.0.0.1:7860 over there

exit status:
  0  ended by Ctrl-C, SIGTERM or a terminal that was closed; all that was sent is deleted
  2  wrong usage, a package or a model that is missing, or a port that is taken
"""


def add_to(commands) -> None:
    """Add the command and its arguments."""
    app = common.add_command(
        commands,
        "app",
        help="open the web page: clips, live view, and what is known of the models",
        description="Serves a web page on this machine: clips, live view, and what is known of\n"
        "the models. Nothing that is sent to it leaves the machine.",
        examples=EXAMPLES,
    )
    add = app.add_argument
    common.add_listening(app, 7860)
    add("--no-browser", action="store_true", help="do not open the browser")
    add(
        "--keep",
        type=_seconds,
        default=40,
        metavar="S",
        help="how long clips outlive their tab (40)",
    )
    common.add_person(app)
    common.add_models_folder(app)
    app.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C; see ``emorec app --help``."""
    try:
        require("app", "starlette", "jinja2", "uvicorn", "websockets")
    except EmorecError as error:
        return common.refuse(error)
    from emorec.app import server

    return server.run(options)


def _seconds(text: str) -> float:
    wrong = argparse.ArgumentTypeError("must be a number of seconds from 0 to 3600")
    try:
        seconds = float(text)
    except ValueError as error:
        raise wrong from error
    if not 0 <= seconds <= 3600:
        raise wrong
    return seconds
