"""What stands between the network and the web page.

Only the addresses that the page needs are passed on, only to requests that come from the page
itself, and only after the password where there is one. The headers tell the browser to fetch
nothing from anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from emorec.app.login import Login
from emorec.app.patience import MESSAGE_S, UPLOAD_S, patient_receive

__all__ = ["Guard", "is_own"]

_LONGEST_MESSAGE_BYTES = 20_000
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}

_PASSED_ON = re.compile(r"/|/emorec/[\w./-]*")
_UPLOAD = "/emorec/upload/"
_FOR_ALL = "/emorec/web/"
"""Scripts and styles, which every copy of this program holds; the form for the password, too."""

_HEADERS = {
    # Everything from here, and no script and no style within the document.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "media-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self)",
    "cache-control": "no-cache",  # scripts of another version would not understand this server
}


class Guard:
    """An ASGI application in front of another.

    Args:
        app: What is guarded.
        password: Asked for once per browser; None asks for nothing and then takes only requests
            that name this machine, so that no foreign web page gets in under a name of its own.
    """

    def __init__(self, app, password: str | None = None):
        self._app = app
        self._login = None if password is None else Login(password, _answer)

    async def __call__(self, scope, receive, send) -> None:
        """Serve, refuse, or ask for the password."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin1"): value for name, value in scope["headers"]}
        if scope["type"] == "http":
            is_clip = scope["path"].startswith(_UPLOAD)
            receive = patient_receive(receive, UPLOAD_S if is_clip else MESSAGE_S)
        if not is_own(headers, asks_password=self._login is not None):
            await _refuse(scope, receive, send, 403, "This address is not served here.")
        elif self._login is not None and not self._may_enter(self._login, scope, headers):
            if scope["type"] == "websocket":
                await _refuse(scope, receive, send, 403, "")
            else:
                await self._login.ask(scope, receive, send)
        elif not _PASSED_ON.fullmatch(scope["path"]) or ".." in scope["path"]:
            await _refuse(scope, receive, send, 404, "There is nothing here.")
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        elif _is_too_long(scope, headers):
            await _refuse(scope, receive, send, 413, "That is too much.")
        else:
            await self._app(scope, receive, _with_headers(send))

    @staticmethod
    def _may_enter(login: Login, scope, headers) -> bool:
        is_for_all = scope["type"] == "http" and scope["path"].startswith(_FOR_ALL)
        return is_for_all or login.knows(headers)


def is_own(headers: Mapping[str, bytes], *, asks_password: bool) -> bool:
    """Whether a request comes from the page itself or from a program, and not from another page.

    Args:
        headers: Of the request.
        asks_password: Where nothing is asked for, only requests that name this machine are taken,
            so that no foreign web page gets in under a name of its own.
    """
    host = headers.get("host", b"").decode("latin1")
    if not asks_password and re.sub(r":\d+$", "", host) not in _LOOPBACK:
        return False
    origin = headers.get("origin")
    if origin is None:
        # Browsers always name the origin where something is sent or a socket is opened.
        return headers.get("sec-fetch-site", b"none") != b"cross-site"
    return urlsplit(origin.decode("latin1")).netloc == host


def _with_headers(send):
    """Add the headers to an answer; its own stand: a clip is served under a stricter policy."""

    async def sent(message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message["headers"]}
            added = [(n.encode(), v.encode()) for n, v in _HEADERS.items() if n.encode() not in own]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sent


def _is_too_long(scope, headers) -> bool:
    if scope["method"] in ("GET", "HEAD") or scope["path"].startswith(_UPLOAD):
        return False  # what comes in as a clip is counted as it comes
    length = headers.get("content-length", b"")
    return not length.isdigit() or int(length) > _LONGEST_MESSAGE_BYTES


async def _refuse(scope, receive, send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await _answer(send, status, reason.encode(), {"content-type": "text/plain; charset=utf-8"})


async def _answer(send, status: int, body: bytes, headers: dict[str, str]) -> None:
    length = {"content-length": str(len(body))}
    pairs = [(n.encode(), v.encode()) for n, v in {**_HEADERS, **headers, **length}.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
