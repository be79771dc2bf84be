"""What stands between the network and the web page.

Only the addresses that the page needs are passed on, only to requests that come from the page
itself, and only after the password where there is one. The headers tell the browser to fetch
nothing from anywhere else.
"""

from __future__ import annotations

import asyncio
import hmac
import html
import re
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

__all__ = ["Guard"]

_COOKIE = "emorec_session"
_LONGEST_FORM_BYTES = 10_000
_LONGEST_MESSAGE_BYTES = 1_000_000
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

_LOGIN_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>emorec</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; display: grid; place-content: center;
       min-height: 100vh; margin: 0; padding: 1rem; }}
form {{ display: grid; gap: .75rem; width: min(20rem, 90vw); }}
input, button {{ font: inherit; padding: .6rem; }}
</style></head><body>
<form method="post" action="login"><h1>emorec</h1>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password"
 required autofocus>
<p role="alert">{message}</p>
<button>Open</button></form>
</body></html>"""


class Guard:
    """An ASGI application in front of another.

    Args:
        app: What is guarded.
        password: Asked for once per browser; None asks for nothing and then takes only requests
            that name this machine, so that no foreign web page gets in under a name of its own.
    """

    def __init__(self, app, password: str | None = None):
        self._app = app
        self._password = password
        self._session = secrets.token_urlsafe(32)
        self._one_try_at_a_time = asyncio.Lock()

    async def __call__(self, scope, receive, send) -> None:
        """Serve, refuse, or ask for the password."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin1"): value for name, value in scope["headers"]}
        if not self._is_from_the_page(scope, headers):
            await _refuse(scope, receive, send, 403, "This address is not served here.")
        elif self._password is not None and not self._is_known(headers):
            await self._ask(scope, receive, send)
        elif not _PASSED_ON.fullmatch(scope["path"]) or ".." in scope["path"]:
            await _refuse(scope, receive, send, 404, "There is nothing here.")
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        elif _is_too_long(scope, headers):
            await _refuse(scope, receive, send, 413, "That is too much.")
        else:
            await self._app(scope, receive, _Answer(send, is_page=scope["path"] == "/"))

    def _is_from_the_page(self, scope, headers) -> bool:
        host = headers.get("host", b"").decode("latin1")
        if self._password is None and re.sub(r":\d+$", "", host) not in _LOOPBACK:
            return False
        origin = headers.get("origin")
        if origin is None:
            # Browsers always name the origin where something is sent or a socket is opened.
            return headers.get("sec-fetch-site", b"none") != b"cross-site"
        return urlsplit(origin.decode("latin1")).netloc == host

    def _is_known(self, headers) -> bool:
        try:
            cookies = SimpleCookie(headers.get("cookie", b"").decode("latin1"))
        except CookieError:
            return False
        given = cookies[_COOKIE].value if _COOKIE in cookies else ""
        return hmac.compare_digest(given.encode(), self._session.encode())

    async def _ask(self, scope, receive, send) -> None:
        if scope["type"] == "websocket":
            await _refuse(scope, receive, send, 403, "")
            return
        message = ""
        if scope["method"] == "POST" and scope["path"] == "/login":
            async with self._one_try_at_a_time:
                form = parse_qs((await _body(receive, _LONGEST_FORM_BYTES)).decode("latin1"))
                given = form.get("password", [""])[0].encode()
                if hmac.compare_digest(given, self._password.encode()):
                    secure = "; Secure" if scope["scheme"] == "https" else ""
                    cookie = f"{_COOKIE}={self._session}; HttpOnly; SameSite=Strict; Path=/{secure}"
                    await _answer(send, 303, b"", {"location": "./", "set-cookie": cookie})
                    return
                await asyncio.sleep(1)  # guessing takes its time
                message = "That is not the password."
        page = _LOGIN_PAGE.format(message=html.escape(message)).encode()
        await _answer(send, 401, page, {"content-type": "text/html; charset=utf-8"})


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


async def _body(receive, limit: int) -> bytes:
    body, more = b"", True
    while more and len(body) <= limit:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body[:limit]


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
