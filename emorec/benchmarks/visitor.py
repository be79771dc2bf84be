"""A visitor of the page for the soak: what browsers do, and what they do not."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["DEEDS", "Visitor"]

DEEDS = (
    "read",
    "read_and_draw",
    "send_bad",
    "break_off_sending",
    "leave_while_reading",
    "look_live",
    "break_off_live",
    "send_nonsense_live",
    "ask_nonsense",
    "connect_in_silence",
)
"""Names of what a `Visitor` can do."""

_PATIENCE_S = 300.0
_LIVE_S = 4.0
_SIDE_PX = (160, 120)


class Visitor:
    """Comes as a new page each time.

    Args:
        place: Host and port of the server.
        clips: Good clips to send.
        rng: Chooses.
    """

    def __init__(self, place: str, clips: Sequence[Path], rng: random.Random):
        self._place, self._clips, self._rng = place, clips, rng

    def read(self) -> str:
        """Send a clip, wait for its verdict and fetch the downloads."""
        with self._page() as page:
            shown = self._read(page, self._upload(page, self._clip()))
            addresses = [part.split('"')[0] for part in shown.split('href="')[1:]]
            for address in addresses:
                status, _ = self._ask("GET", f"/{address}")
                _expect(status == 200, f"{status} for a download")
            _expect(bool(addresses), f"no downloads: {shown[-300:]}")
        return "done"

    def read_and_draw(self) -> str:
        """Send a clip, wait for its verdict, and have the annotated video made."""
        with self._page() as page:
            token = self._upload(page, self._clip())
            self._read(page, token)
            shown = self._work(f"draw/{page}/{token}", {})
            _expect("<video" in shown, f"no video: {shown[-300:]}")
        return "done"

    def send_bad(self) -> str:
        """Send what is no clip: noise, text, a list, nothing, a clip that is cut or changed."""
        good = self._clip()
        changed = bytearray(good)
        for _ in range(200):
            changed[self._rng.randrange(len(changed))] = self._rng.randrange(256)
        bad = self._rng.choice(
            [self._rng.randbytes(50_000), b"words\n" * 99, b"#EXTM3U\n/etc/passwd\n", b"",
             good[: len(good) // 3], bytes(changed)]
        )  # fmt: skip
        with self._page() as page:
            status, answer = self._ask("POST", f"/emorec/upload/{page}", bad)
            _expect(status in (200, 422), f"{status}: {answer[:200]!r}")
            if status == 200:
                self._read(page, json.loads(answer)["token"])
        return "taken" if status == 200 else "refused"

    def break_off_sending(self) -> str:
        """End the connection in the midst of a clip."""
        with self._page() as page:
            connection = http.client.HTTPConnection(self._place, timeout=_PATIENCE_S)
            connection.putrequest("POST", f"/emorec/upload/{page}")
            connection.putheader("Content-Length", "1000000")
            connection.endheaders(self._rng.randbytes(self._rng.randrange(1, 100_000)))
            time.sleep(self._rng.random())
            connection.close()
        return "done"

    def leave_while_reading(self) -> str:
        """Close the tab while its clip is read."""
        with self._page() as page:
            message = {"tokens": [self._upload(page, self._clip())]}
            with self._asking("POST", f"/emorec/read/{page}", json.dumps(message).encode()):
                time.sleep(self._rng.random())
        return "done"

    def look_live(self) -> str:
        """Open a live view and send pictures and sound for a while."""
        return self._live(_LIVE_S)

    def break_off_live(self) -> str:
        """Lose the connection of a live view."""
        return self._live(self._rng.random(), is_broken_off=True)

    def send_nonsense_live(self) -> str:
        """Send a live view what it does not understand."""
        from websockets.exceptions import ConnectionClosed

        with self._socket("live") as view, contextlib.suppress(ConnectionClosed):
            view.send(self._rng.randbytes(self._rng.randrange(1, 1000)))
            view.recv(_PATIENCE_S)
        return "done"

    def ask_nonsense(self) -> str:
        """Ask for what is not there, and send what makes no sense."""
        path = f"/emorec/read/{'a' * 32}"
        for body in (b"nonsense", b'{"tokens": 999}', b"[]"):
            status, _ = self._ask("POST", path, body)
            _expect(status == 422, f"{status} for nonsense")
        status, _ = self._ask("POST", path, bytes(100_000))
        _expect(status == 413, f"{status} for too much")
        for nowhere in ("/file=/etc/passwd", "/emorec/clip/a/b", "/nothing"):
            status, _ = self._ask("GET", nowhere)
            _expect(status == 404, f"{status} for {nowhere}")
        status, answer = self._ask("POST", path, json.dumps({"tokens": ["x" * 32] * 400}).encode())
        _expect(b"problem" in answer, f"{status} for clips that are not there")
        return "done"

    def connect_in_silence(self) -> str:
        """Connect and say nothing, or half a head."""
        host, port = self._place.split(":")
        with socket.create_connection((host, int(port)), 20) as silent:
            silent.sendall(self._rng.choice([b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-"]))
            silent.settimeout(60)
            with contextlib.suppress(ConnectionError):
                _expect(silent.recv(1) == b"", "an answer to half a question")
        return "dropped"

    # How that is done.

    def _clip(self) -> bytes:
        return self._rng.choice(self._clips).read_bytes()

    @contextlib.contextmanager
    def _page(self) -> Iterator[str]:
        """Be a page in a tab."""
        page = self._rng.randbytes(16).hex()
        with self._socket(f"page/{page}") as tab:
            tab.recv(_PATIENCE_S)
            yield page

    def _socket(self, path: str):
        from websockets.sync.client import connect

        return connect(f"ws://{self._place}/emorec/{path}", open_timeout=_PATIENCE_S)

    @contextlib.contextmanager
    def _asking(
        self, method: str, path: str, body: bytes = b""
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask, and hang up in the end, whether or not all of the answer has come."""
        connection = http.client.HTTPConnection(self._place, timeout=_PATIENCE_S)
        with contextlib.closing(connection) as asking:
            asking.request(method, path, body or None, {"Content-Type": "application/json"})
            yield asking.getresponse()

    def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        with self._asking(method, path, body) as answer:
            return answer.status, answer.read()

    def _upload(self, page: str, content: bytes) -> str:
        status, answer = self._ask("POST", f"/emorec/upload/{page}", content)
        _expect(status == 200, f"{status} for an upload: {answer[:200]!r}")
        return json.loads(answer)["token"]

    def _read(self, page: str, token: str) -> str:
        return self._work(f"read/{page}", {"tokens": [token]})

    def _work(self, path: str, message: dict) -> str:
        """Have a clip read or drawn, and return what is shown, or the words for why not."""
        body, shown = json.dumps(message).encode(), ""
        with self._asking("POST", f"/emorec/{path}", body) as answer:
            _expect(answer.status == 200, f"{answer.status} for {path}")
            for line in answer:
                told = json.loads(line)
                shown += told.get("html", told.get("problem", ""))
                if told.get("done"):
                    return shown
        raise RuntimeError("the answer broke off")

    def _live(self, seconds: float, is_broken_off: bool = False) -> str:
        from websockets.exceptions import ConnectionClosed

        width, height = _SIDE_PX
        with self._socket("live") as view:
            begun_s = time.monotonic()
            try:
                while (now_s := time.monotonic() - begun_s) < seconds:
                    head = struct.pack("<B3xHHd", 1, width, height, now_s)
                    view.send(head + self._rng.randbytes(width * height))
                    head = struct.pack("<B3xId", 2, 16_000, now_s)
                    view.send(head + bytes(4 * 1600))
                    with contextlib.suppress(TimeoutError):
                        if "problem" in json.loads(view.recv(0.1)):
                            return "full"
            except ConnectionClosed:
                return "full"
            if is_broken_off:
                view.socket.shutdown(socket.SHUT_RDWR)
        return "done"


def _expect(is_so: bool, words: str) -> None:
    if not is_so:
        raise RuntimeError(words)
