"""How long the page's server waits for those who send slowly, read slowly or say nothing at all.

Without an end to that, a handful of silent connections would hold what all others need.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import uvicorn

__all__ = ["patient_protocol", "patient_receive", "patient_server"]

SILENCE_S = 30.0
"""Between two pieces of what is being sent."""
MESSAGE_S = 60.0
"""For the whole of a message."""
UPLOAD_S = 1800.0
"""For the whole of a clip."""
HEAD_S = 15.0
"""For a connection on which nothing is asked yet."""
UNREAD_S = 300.0
"""For an answer that is not fetched; a video that is paused is asked for anew."""
ENDING_S = 1.5
"""For what is still being sent or answered when the server is to end."""
_LOOKED_AT_EVERY_S = 5.0


def patient_receive(receive, whole_s: float = MESSAGE_S, silence_s: float = SILENCE_S):
    """Wrap ASGI's `receive`: a body that stalls is taken as broken off.

    Args:
        receive: Gives the messages of one request.
        whole_s: For the whole body.
        silence_s: Between two pieces.
    """
    end_s: float | None = None
    is_whole = False

    async def receive_in_time() -> dict[str, Any]:
        nonlocal is_whole, end_s
        if is_whole:
            return await receive()
        now_s = time.monotonic()
        end_s = now_s + whole_s if end_s is None else end_s  # from when somebody listens
        try:
            message = await asyncio.wait_for(receive(), min(silence_s, end_s - now_s))
        except TimeoutError:
            message = {"type": "http.disconnect"}
        is_whole = not message.get("more_body", False)
        return message

    return receive_in_time


def patient_protocol() -> type[asyncio.Protocol]:
    """Return uvicorn's protocol for HTTP, on whose connections a watch is kept."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    class PatientProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            _Watch(self, transport)

    return PatientProtocol


def patient_server(config: uvicorn.Config, on_end: Callable[[], None]) -> uvicorn.Server:
    """Return a server that ends in good order: whoever still sends or waits is hung up on.

    Their requests then end by themselves, where uvicorn alone would break into them in the midst.

    Args:
        config: Of the server.
        on_end: Called as soon as it is to end.
    """
    import uvicorn

    class PatientServer(uvicorn.Server):
        async def shutdown(self, sockets=None) -> None:
            on_end()
            asyncio.get_running_loop().call_later(ENDING_S, self._hang_up)
            await super().shutdown(sockets)

        def handle_exit(self, sig, frame) -> None:
            # A second Ctrl-C would break into what ends within seconds, threads among it.
            if not self.should_exit:
                super().handle_exit(sig, frame)

        def _hang_up(self) -> None:
            for connection in list(self.server_state.connections):
                connection.transport.abort()

    return PatientServer(config)


class _Watch:
    """Looks at a connection now and then, and drops it when nothing moves on it."""

    def __init__(self, protocol: Any, transport: asyncio.Transport):
        self._protocol, self._transport = protocol, transport
        self._loop = asyncio.get_running_loop()
        self._heard_s = self._read_s = self._loop.time()
        self._unread_bytes = 0
        self._next()

    def _next(self) -> None:
        self._loop.call_later(_LOOKED_AT_EVERY_S, self._look)

    def _look(self) -> None:
        socket = self._transport.get_extra_info("socket")
        if socket is None or socket.fileno() < 0:
            return  # it has ended
        now_s = self._loop.time()
        if self._is_asked():
            self._heard_s = now_s
        unread_bytes = self._transport.get_write_buffer_size()
        if unread_bytes == 0 or unread_bytes < self._unread_bytes:
            self._read_s = now_s
        self._unread_bytes = unread_bytes
        if now_s - self._heard_s >= HEAD_S or now_s - self._read_s >= UNREAD_S:
            # Not closed, which would wait until everything is read.
            self._transport.abort()
        else:
            self._next()

    def _is_asked(self) -> bool:
        """Whether a request is being answered, or the connection became a WebSocket."""
        protocol = self._protocol
        if self._transport.get_protocol() is not protocol:
            return True
        request = self._protocol.cycle
        return request is not None and not request.response_complete
