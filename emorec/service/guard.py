"""What stands between the network and the service: who may ask, and how often one may guess."""

from __future__ import annotations

import base64
import binascii
import hmac
import math
from collections.abc import Mapping

from emorec.app.guard import is_own
from emorec.app.login import Tries
from emorec.app.patience import MESSAGE_S, UPLOAD_S, patient_receive
from emorec.service.answers import problem

__all__ = ["CLASSIFY", "HEALTH", "ServiceGuard"]

CLASSIFY, HEALTH = "/v1/classify", "/health"

_HEADERS = {
    # The overview has a style of its own; nothing else is ever fetched.
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class ServiceGuard:
    """An ASGI application in front of the service.

    Args:
        app: What is guarded.
        password: Asked for by HTTP Basic, under any name of a user; None asks for nothing, and
            then takes only requests that name this machine.
    """

    def __init__(self, app, password: str | None = None):
        self._app = app
        self._password = None if password is None else password.encode()
        self._tries = Tries()

    async def __call__(self, scope, receive, send) -> None:
        """Serve or refuse."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {name.decode("latin1"): value for name, value in scope["headers"]}
        receive = patient_receive(receive, UPLOAD_S if scope["path"] == CLASSIFY else MESSAGE_S)
        send = _with_headers(send)
        refusal = self._refusal(scope, headers)
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope, headers: Mapping[str, bytes]):
        """Return the answer to who may not ask, None where one may."""
        if not is_own(headers, asks_password=self._password is not None):
            reason = "this address is not served here"
            return problem(403, reason, "ask by the address that the service printed")
        if self._password is None or scope["path"] == HEALTH:
            return None
        given = _given(headers.get("authorization", b""))
        if given is None:
            return _ask("it needs the password")
        # Right or wrong, or guessing would only have to be done in time.
        address = (scope.get("client") or ("",))[0]
        if wait_s := math.ceil(self._tries.wait_s(address)):
            reason = "too many wrong passwords came from your address"
            return problem(429, reason, f"try again in {wait_s} s", {"retry-after": str(wait_s)})
        if hmac.compare_digest(given, self._password):
            return None
        self._tries.count(address)
        return _ask("that is not the password")


def _ask(reason: str):
    remedy = "send it by HTTP Basic, as in: curl -u :PASSWORD"
    return problem(401, reason, remedy, {"www-authenticate": 'Basic realm="emorec"'})


def _given(authorization: bytes) -> bytes | None:
    """Return the password of a header, None where it has none."""
    scheme, _, coded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        pair = base64.b64decode(coded.strip(), validate=True)
    except binascii.Error:
        return None
    return pair.partition(b":")[2]


def _with_headers(send):
    async def send_with_headers(message) -> None:
        if message["type"] == "http.response.start":
            added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return send_with_headers
