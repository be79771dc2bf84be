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

_LONGEST_MESSAGE_BYTES = 20_000  # Gradio remembers some thousand of them
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}

# Of Gradio's many routes the page needs these; uploads and files go through routes of our own.
_PASSED_ON = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/manifest\.json|/robots\.txt|/emorec/[\w./-]*"
    r"|/(static|assets|svelte)/[\w./-]*|/gradio_api/(info|startup-events|theme\.css|app_id)/?"
    r"|/gradio_api/queue/(join|data)/?|/gradio_api/(cancel|reset)/?|/gradio_api/heartbeat/\w+"
)

_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self)",
    "cache-control": "no-cache",  # scripts of another version would not understand this server
}

_OUTSIDE_TAG = re.compile(
    rb"""<(?:meta|link)\b[^>]*(?:content|href)\s*=\s*["'](?:https?:)?//[^>]*>"""
    rb"""|<script\b[^>]*src\s*=\s*["'](?:https?:)?//[^>]*>\s*</script>""",
    re.IGNORECASE,
)


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
            is_clip = scope["path"].startswith("/emorec/upload/")
            receive = patient_receive(receive, UPLOAD_S if is_clip else MESSAGE_S)
        if not is_own(headers, asks_password=self._login is not None):
            await _refuse(scope, receive, send, 403, "This address is not served here.")
        elif self._login is not None and not self._login.knows(headers):
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
            await self._app(scope, receive, _Answer(send, is_page=scope["path"] == "/"))


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


class _Answer:
    """Adds the headers to an answer, and takes links to the outside out of the page itself."""

    def __init__(self, send, is_page: bool):
        self._send = send
        self._is_page = is_page
        self._start: dict | None = None
        self._body = b""

    async def __call__(self, message) -> None:
        if message["type"] == "http.response.start":
            # The answer's own headers stand: a clip is served under a stricter policy.
            own = {name for name, _ in message["headers"]}
            added = [(n.encode(), v.encode()) for n, v in _HEADERS.items() if n.encode() not in own]
            message = {**message, "headers": [*message["headers"], *added]}
            if self._is_page:
                self._start = message
                return
        elif self._is_page and message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if message.get("more_body"):
                return
            body = _OUTSIDE_TAG.sub(b"", self._body)
            kept = [(n, v) for n, v in self._start["headers"] if n != b"content-length"]
            length = (b"content-length", str(len(body)).encode())
            await self._send({**self._start, "headers": [*kept, length]})
            message = {"type": "http.response.body", "body": body}
        await self._send(message)


def _is_too_long(scope, headers) -> bool:
    if scope["method"] not in ("POST", "PUT", "PATCH") or scope["path"].startswith("/emorec/"):
        return False  # our own routes count what they read
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
