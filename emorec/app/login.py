"""The page's password: asked for once per browser, and guessed only so many times by an address."""

from __future__ import annotations

import hmac
import html
import ipaddress
import math
import secrets
import time
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs

__all__ = ["Login", "Tries"]

_COOKIE = "emorec_session"
_LONGEST_FORM_BYTES = 10_000

_PAGE = Path(__file__).with_name("templates") / "login.html"


class Tries:
    """How many guesses an address has left: ten at first, and one more every two seconds.

    Networks of IPv6 that one household gets count as one address.
    """

    MOST = 10
    SECONDS_EACH = 2.0
    _MOST_ADDRESSES = 10_000

    def __init__(self):
        self._used: dict[str, tuple[float, float]] = {}

    def wait_s(self, address: str) -> float:
        """Return how long an address has to wait for its next guess; 0 where it may guess now."""
        return max(0.0, self._used_by(address) - self.MOST + 1) * self.SECONDS_EACH

    def count(self, address: str) -> None:
        """Note a wrong guess."""
        place = _network(address)
        used = self._used_by(address) + 1
        self._used.pop(place, None)  # the newest last
        self._used[place] = used, time.monotonic()
        if len(self._used) > self._MOST_ADDRESSES:
            del self._used[next(iter(self._used))]

    def _used_by(self, address: str) -> float:
        used, at_s = self._used.get(_network(address), (0.0, 0.0))
        return max(0.0, used - (time.monotonic() - at_s) / self.SECONDS_EACH)


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 6 and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(getattr(found, "ipv4_mapped", None) or found)


class Login:
    """Knows the password, and who has given it.

    Args:
        password: What is asked for.
        answer: Called with (send, status, body, headers) to answer a request.
    """

    def __init__(self, password: str, answer):
        self._password = password.encode()
        self._answer = answer
        self._session = secrets.token_urlsafe(32)
        self._tries = Tries()

    def knows(self, headers) -> bool:
        """Whether a request brings the cookie that the right password is given."""
        try:
            cookies = SimpleCookie(headers.get("cookie", b"").decode("latin1"))
        except CookieError:
            return False
        given = cookies[_COOKIE].value if _COOKIE in cookies else ""
        return hmac.compare_digest(given.encode(), self._session.encode())

    async def ask(self, scope, receive, send) -> None:
        """Show the form, or judge what was typed into it."""
        if scope["method"] == "POST" and scope["path"] == "/login":
            await self._judge(scope, receive, send)
        else:
            await self._show(send, 401, "")

    async def _judge(self, scope, receive, send) -> None:
        # All of it is read before anything is held: nobody waits for a body that stalls.
        given = await _typed(receive)
        address = (scope.get("client") or ("",))[0]
        wait_s = math.ceil(self._tries.wait_s(address))
        if wait_s:
            # Right or wrong, or guessing would only have to be done in time.
            message = f"Too many wrong passwords came from your address. Try again in {wait_s} s."
            await self._show(send, 429, message, {"retry-after": str(wait_s)})
        elif given is not None and hmac.compare_digest(given, self._password):
            secure = "; Secure" if scope["scheme"] == "https" else ""
            cookie = f"{_COOKIE}={self._session}; HttpOnly; SameSite=Strict; Path=/{secure}"
            await self._answer(send, 303, b"", {"location": "./", "set-cookie": cookie})
        else:
            self._tries.count(address)
            await self._show(send, 401, "That is not the password.")

    async def _show(self, send, status: int, message: str, headers=None) -> None:
        form = _PAGE.read_text(encoding="utf-8")
        page = form.format(message=html.escape(message)).encode()
        kind = {"content-type": "text/html; charset=utf-8"}
        await self._answer(send, status, page, {**kind, **(headers or {})})


async def _typed(receive) -> bytes | None:
    """Return the password that a form holds, None where there is none."""
    body, more = b"", True
    while more and len(body) <= _LONGEST_FORM_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    try:
        form = parse_qs(body[:_LONGEST_FORM_BYTES].decode("latin1"))
    except ValueError:
        return None
    return form.get("password", [""])[0].encode("utf-8", "replace")
