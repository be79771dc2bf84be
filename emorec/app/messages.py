"""Looks at what a page asks Gradio for before Gradio does, which answers nonsense with a crash."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

__all__ = ["Messages"]

_PATH = "/gradio_api/queue/join"
_SESSION = re.compile(r"\w{1,64}")
_REFUSAL = b'{"detail": "This is no message of this page. Reload it."}'


class Messages:
    """An ASGI application in front of Gradio's.

    Args:
        app: What gets the messages that make sense.
        functions: Number of each function that a page may call -> how many inputs it takes.
    """

    def __init__(self, app, functions: Mapping[int, int]):
        self._app = app
        self._functions = functions

    async def __call__(self, scope, receive, send) -> None:
        """Pass on, or refuse with 422."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", _PATH):
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return  # the sender has gone
        if self._makes_sense(body):
            await self._app(scope, _again(body, receive), send)
            return
        length = str(len(_REFUSAL)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 422, "headers": headers})
        await send({"type": "http.response.body", "body": _REFUSAL})

    def _makes_sense(self, body: bytes) -> bool:
        try:
            message = json.loads(body.decode())
            number, session = message["fn_index"], message["session_hash"]
            data, event = message["data"], message.get("event_data")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return False
        return (
            type(number) is int
            and isinstance(session, str)
            and _SESSION.fullmatch(session) is not None
            and isinstance(data, list)
            and len(data) == self._functions.get(number)
            and (event is None or isinstance(event, dict))
        )


async def _body(receive) -> bytes | None:
    """Return the whole body, whose length the guard limits; None when it breaks off."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _again(body: bytes, receive):
    """Give a body that was read as if it was not."""
    is_given = False

    async def give():
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give
