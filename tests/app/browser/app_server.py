"""Starts `emorec app` for the tests, in a folder of its own for temporary files."""

import http.client
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from emorec.paths import REPOSITORY

CLIPS = sorted((REPOSITORY / "DEMO" / "Examples").glob("*.mp4"))
START_S = 300
TIMEOUT_MS = 90_000

# Notes every address that the server's process asks for or connects to.
_WATCH = """
import os, sys
def watch(event, arguments):
    if event == "socket.getaddrinfo":
        note = f"name {arguments[0]}"
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        note = f"address {arguments[1][0]}"
    else:
        return
    with open(os.environ["EMOREC_TEST_ADDRESSES"], "a") as file:
        file.write(note + "\\n")
sys.addaudithook(watch)
"""


def browser_path() -> str | None:
    """Where Chromium lies, None without one."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return None


def why_not() -> str:
    """Why no browser test can run here; "" where they can."""
    needed = ("starlette", "jinja2", "uvicorn", "websockets", "playwright")
    missing = [name for name in needed if not importlib.util.find_spec(name)]
    if missing:
        return f"{', '.join(missing)} not installed: pip install -r requirements-app.txt"
    return "" if browser_path() else "no Chromium here: install the package chromium"


def until(page, expression: str, argument=None, seconds: float = TIMEOUT_MS / 1000):
    """Wait for a script; Playwright's way needs `unsafe-eval`, which the page does not allow."""
    end_s = time.monotonic() + seconds
    while not page.evaluate(expression, argument):
        assert time.monotonic() < end_s, f"not so: {expression}"
        page.wait_for_timeout(50)


class Server:
    """A running page; `url` is where.

    Args:
        folder: For everything that belongs to this server.
        options: Further options of `emorec app`.
    """

    def __init__(self, folder: Path, *options: str):
        self.temporary = folder / "temporary"
        self.temporary.mkdir(parents=True, exist_ok=True)
        watching = folder / "watching"
        watching.mkdir(exist_ok=True)
        (watching / "sitecustomize.py").write_text(_WATCH)
        self.addresses = folder / "addresses.txt"
        paths = [str(watching), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "EMOREC_TEST_ADDRESSES": str(self.addresses),
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "emorec", "app", "--no-browser", *options]
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said: list[str] = []
        self._is_there = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._is_there.wait(START_S) or not hasattr(self, "url"):
            self.kill()
            raise RuntimeError("emorec app did not start:\n" + "".join(self.said))

    def _listen(self):
        for line in self.process.stdout:
            self.said.append(line)
            found = re.search(r"emorec is at (http://\S+)", line)
            if found:
                self.url = found.group(1)
                self.host, port = found.group(1)[7:-1].rsplit(":", 1)
                self.port = int(port)
                self._is_there.set()
        self._is_there.set()

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str):
        """Send a request as it is, with no help of a browser; returns status and body."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host="Host" in named)
        for name, value in {"Content-Length": str(len(body)), **named}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def files(self) -> list[Path]:
        """What lies in the folder for temporary files, but for empty folders and the lock."""
        found = [path for path in self.temporary.rglob("*") if path.is_file()]
        return [path for path in found if path.name != "lock"]

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def kill(self) -> None:
        """End it with no chance to tidy up."""
        self.process.kill()
        self.process.wait(60)
