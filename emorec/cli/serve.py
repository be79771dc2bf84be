"""``emorec serve``: the service for other programs."""

from __future__ import annotations

import argparse

from emorec.cli import common
from emorec.errors import EmorecError, require

EXAMPLES = """examples:
  emorec serve                                 then, elsewhere on this machine:
  curl -F file=@clip.mp4 http://127.0.0.1:8000/v1/classify
  curl -F file=@a.mp4 -F file=@b.wav 'http://127.0.0.1:8000/v1/classify?people=true'
  emorec serve --port 8080 --models mymodel
  emorec serve --host 0.0.0.0 --password-file password.txt
  curl -u :PASSWORD -F file=@clip.mp4 http://HOST:8000/v1/classify

The service needs: pip install 'emorec[serve]'
It answers what emorec classify --json writes; http://127.0.0.1:8000/ lists all that can be asked.
It listens on 127.0.0.1, where only this machine reaches it. With --host others reach it too, and
have to give a password by HTTP Basic: that of --password-file, of the variable EMOREC_APP_PASSWORD,
or typed when asked. What they send then crosses the network unencrypted, unless a tunnel or a proxy
encrypts it. What was sent is deleted when it is answered.

exit status:
  0  ended by Ctrl-C, SIGTERM or a terminal that was closed
  2  wrong usage, a package or a model that is missing, or a port that is taken
"""


def add_to(commands) -> None:
    """Add the command and its arguments."""
    serve = common.add_command(
        commands,
        "serve",
        help="read clips that other programs send over HTTP",
        description="Serves other programs over HTTP on this machine: clips go in, what\n"
        "emorec classify --json writes comes out. Nothing that is sent to it leaves\n"
        "the machine.",
        examples=EXAMPLES,
    )
    common.add_listening(serve, 8000)
    common.add_models_folder(serve)
    serve.set_defaults(run=run, no_browser=True, keep=0.0)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C; see ``emorec serve --help``."""
    try:
        require("serve", "fastapi", "python_multipart", "uvicorn")
    except EmorecError as error:
        return common.refuse(error)
    from emorec.app import server
    from emorec.service.api import make_service

    return server.serve(options, make_service)
