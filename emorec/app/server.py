"""The server of the web page and of the service: ``emorec app``, ``emorec serve``.

It listens on this machine alone unless told otherwise, keeps what it is sent in a private folder,
and leaves neither a process nor a file behind when it ends.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emorec.errors import EmorecError

if TYPE_CHECKING:
    import uvicorn

    from emorec.app.store import Store
    from emorec.recognizer import Recognizer

    # From recogniser, models' folder, store and password to an ASGI application.
    Build = Callable[[Recognizer, Path, Store, str | None], Any]

__all__ = ["AppError", "run", "serve"]

LOCAL = "127.0.0.1"
PASSWORD_VARIABLE = "EMOREC_APP_PASSWORD"
_SHORTEST_PASSWORD = 8
_PATIENCE_S = 5  # at the very most, for requests that are being answered when the server is to end
_PING_EVERY_S, _PING_PATIENCE_S = 8.0, 7.0
_MOST_CONNECTIONS = 400


class AppError(EmorecError):
    """A page that cannot be served."""


def run(options: Namespace) -> int:
    """Serve the page until Ctrl-C.

    Args:
        options: `port`, `host`, `password_file`, `no_browser`, `models`, `keep`, `person`.

    Returns:
        The exit status.
    """
    from emorec.app.page import make_app

    return serve(options, make_app)


def serve(options: Namespace, build: Build) -> int:
    """Serve an application until Ctrl-C.

    Args:
        options: As for `run`.
        build: Puts it together, of a recogniser, the models' folder, a store and a password.

    Returns:
        The exit status.
    """
    try:
        password = _password(options)
        listening = _listen(options.host, options.port)
        with listening, contextlib.suppress(KeyboardInterrupt):
            _serve(options, build, password, listening)
    except EmorecError as error:
        print(f"emorec: {error}", file=sys.stderr)
        return 2
    return 0


def _serve(
    options: Namespace, build: Build, password: str | None, listening: socket.socket
) -> None:
    import cv2
    import uvicorn

    from emorec.app.patience import patient_protocol, patient_server
    from emorec.app.store import Store
    from emorec.paths import default_models_folder
    from emorec.recognizer import Recognizer

    cv2.setNumThreads(1)
    models = Path(options.models or default_models_folder())
    recognizer = Recognizer.load(models)
    if person := getattr(options, "person", None):
        recognizer = recognizer.for_person(person)
    with (
        _own_signals(),
        Store(options.keep) as store,
        _temporary_files_in(store.root),
        _undisturbed_afterwards(),
    ):
        app = build(recognizer, models, store, password)
        config = uvicorn.Config(
            app,
            log_level="error",  # whoever sends nonsense is answered, and fills no log
            access_log=False,
            timeout_graceful_shutdown=_PATIENCE_S,
            http=patient_protocol(),
            limit_concurrency=_MOST_CONNECTIONS,
            ws_max_size=4_000_000,
            # A page whose network is gone is missed soon, and its files go within a minute.
            ws_ping_interval=_PING_EVERY_S,
            ws_ping_timeout=_PING_PATIENCE_S,
            # Packing thirty pictures a second would cost more than all the rest.
            ws_per_message_deflate=False,
            server_header=False,
        )
        server = patient_server(config, store.end)
        address = f"http://{options.host}:{listening.getsockname()[1]}/"
        print(f"emorec is at {address}   (Ctrl-C ends it)", flush=True)
        if not options.no_browser:
            threading.Timer(1.0, webbrowser.open, [address]).start()
        with contextlib.suppress(KeyboardInterrupt):
            _listen_for_hangup(server)
            server.run([listening])
    print("emorec: ended; all that was sent is deleted", flush=True)


def _password(options: Namespace) -> str | None:
    """The password where one is needed: from the file, the environment, or the terminal."""
    if options.password_file is not None:
        try:
            password = options.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise AppError(
                options.password_file,
                f"the password cannot be read ({error})",
                "name a file with the password in its only line",
            ) from error
    elif os.environ.get(PASSWORD_VARIABLE):
        password = os.environ[PASSWORD_VARIABLE]
    elif options.host == LOCAL:
        return None
    elif sys.stdin.isatty():
        password = getpass.getpass("Password for the page: ")
    else:
        password = ""
    if len(password) < _SHORTEST_PASSWORD:
        raise AppError(
            options.host,
            "others can reach it, so that it needs a password of at least "
            f"{_SHORTEST_PASSWORD} characters",
            f"--password-file FILE, or the variable {PASSWORD_VARIABLE}",
        )
    return password


def _listen(host: str, port: int) -> socket.socket:
    """Take hold of the port, so that a failure is said before anything is loaded."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        # At once, so that a browser that comes before everything is loaded waits for it.
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise AppError(
            f"port {port} of {host}",
            f"it cannot be used ({reason})",
            "another one with --port, or --port 0 for any that is free",
        ) from error
    return listening


def _listen_for_hangup(server: uvicorn.Server) -> None:
    """Let a terminal that closes end the server as Ctrl-C does, unless that is to be ignored."""
    number = getattr(signal, "SIGHUP", None)
    if number in _ending_signals() and signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Put back, at the end, whatever was to be done on the signals that end a server."""
    before = {number: signal.getsignal(number) for number in _ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _undisturbed_afterwards() -> Iterator[None]:
    """Listen to no further signal once the server has ended: what was sent is being deleted."""
    try:
        yield
    finally:
        for number in _ending_signals():
            signal.signal(number, signal.SIG_IGN)


def _ending_signals() -> list[int]:
    if threading.current_thread() is not threading.main_thread():
        return []  # only the main thread may say what is done on them
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


@contextlib.contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Have everybody put temporary files where all is deleted in the end."""
    inside = folder / "temporary"
    inside.mkdir(mode=0o700)
    before, tempfile.tempdir = tempfile.tempdir, str(inside)
    try:
        yield
    finally:
        tempfile.tempdir = before
