"""The page's live tab: a browser's camera and microphone through `emorec.live.engine.LiveEngine`.

A page opens one WebSocket and sends grey frames and sound as binary messages; verdicts come back
ten times a second; where the address ends in `?people`, they tell of everybody. The engine lives
as long as the connection; the text "stop" ends it with a summary of all that was taken.

Each message begins with 16 bytes, little-endian: its kind (uint8: 1 frame, 2 sound), three bytes
of padding, two uint16 or one uint32 (width and height in pixels, or the sample rate in Hz), and
the time in seconds on the page's clock (float64).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emorec.app.result_html import Shown, clip_html
from emorec.confidence import word_for
from emorec.emotions import COMMON7
from emorec.result.clip import ClipResult
from emorec.streams.windows import TIMELINE_HOP_S, Windows

if TYPE_CHECKING:
    from starlette.routing import BaseRoute
    from starlette.websockets import WebSocket

    from emorec.live.engine import LiveCounts, LiveEngine, LiveVerdict
    from emorec.recognizer import Recognizer

__all__ = ["LiveDesk", "entry", "unpack"]

HEADER_BYTES = 16
FRAME, SOUND = 1, 2
MOST_VIEWS = 4
_VERDICT_EVERY_S = 0.1
_LARGEST_SIDE_PX, _LOWEST_RATE_HZ, _HIGHEST_RATE_HZ = 1280, 8_000, 192_000
_LONGEST_SOUND_S = 2.0
_LONGEST_SILENCE_S = 30.0
_DRAINED_S = 2.0
_LONGEST_COURSE = 7200  # an hour
_LONGEST_HOLE_S = 3.0


def unpack(message: bytes) -> tuple:
    """Read a message of the page.

    Returns:
        ("frame", picture (height, width) uint8, time_s) or
        ("sound", samples (n,) float32, sample_rate_hz, time_s).

    Raises:
        ValueError: When it is none of the two.

    Example:
        >>> head = struct.pack("<B3xHHd", 1, 2, 1, 0.5)
        >>> unpack(head + bytes([7, 9]))
        ('frame', array([[7, 9]], dtype=uint8), 0.5)
    """
    if len(message) < HEADER_BYTES:
        raise ValueError("a message shorter than its head")
    (time_s,) = struct.unpack_from("<d", message, 8)
    if not np.isfinite(time_s):
        raise ValueError("a time that is no number")
    if message[0] == FRAME:
        width, height = struct.unpack_from("<HH", message, 4)
        if not 0 < width * height == len(message) - HEADER_BYTES:
            raise ValueError("a frame of another size than it says")
        if max(width, height) > _LARGEST_SIDE_PX:
            raise ValueError("a frame that is too large")
        picture = np.frombuffer(message, np.uint8, offset=HEADER_BYTES)
        return "frame", picture.reshape(height, width), time_s
    if message[0] == SOUND:
        (rate_hz,) = struct.unpack_from("<I", message, 4)
        if not _LOWEST_RATE_HZ <= rate_hz <= _HIGHEST_RATE_HZ or len(message) % 4:
            raise ValueError("sound of an impossible rate or length")
        samples = np.frombuffer(message, "<f4", offset=HEADER_BYTES)
        if len(samples) > _LONGEST_SOUND_S * rate_hz or not np.isfinite(samples).all():
            raise ValueError("sound that is too long or not finite")
        return "sound", samples, rate_hz, time_s
    raise ValueError("a message of an unknown kind")


def entry(verdict: LiveVerdict, counts: LiveCounts) -> dict:
    """Return what the page is told of a verdict."""
    return {
        "emotions": COMMON7,
        "time_s": verdict.time_s,
        "probabilities": {
            stream: [round(float(p), 4) for p in posterior]
            for stream, posterior in verdict.probabilities.items()
        },
        "face_box": None if verdict.face_box is None else [float(v) for v in verdict.face_box],
        "people": [asdict(person) for person in verdict.people],
        "word": word_for(float(verdict.probabilities["fused"].max())) if verdict.emotion else "",
        "notes": list(verdict.notes),
        "dropped": counts.dropped,
    }


class LiveDesk:
    """Gives every live view an engine of its own.

    Args:
        recognizer: Whose networks the engines use.
    """

    def __init__(self, recognizer: Recognizer):
        self._recognizer = recognizer
        self._views = 0

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the live tab."""
        from starlette.routing import WebSocketRoute

        return [WebSocketRoute("/emorec/live", self.view)]

    def _asked_for(self, socket: WebSocket) -> Recognizer:
        """The recogniser that a page asks for: its own, or that of everybody."""
        asks_for_everybody = "people" in socket.query_params
        return self._recognizer.for_everybody() if asks_for_everybody else self._recognizer

    async def view(self, socket: WebSocket) -> None:
        """Serve one live view, from its opening to its end."""
        from starlette.websockets import WebSocketDisconnect

        from emorec.live.engine import LiveEngine

        await socket.accept()
        if self._views >= MOST_VIEWS:
            problem = f"{MOST_VIEWS} live views are open already. Try again when one has ended."
            await socket.send_json({"problem": problem})
            await socket.close()
            return
        self._views += 1
        engine = None
        try:
            engine = await asyncio.to_thread(LiveEngine, self._asked_for(socket))
            course: list[LiveVerdict] = []
            telling = asyncio.create_task(_tell(socket, engine, course))
            try:
                while message := await asyncio.wait_for(_heard(socket), _LONGEST_SILENCE_S):
                    _push(engine, message)
            finally:
                telling.cancel()
            await socket.send_json({"summary": await asyncio.to_thread(_summary, engine, course)})
            await socket.close()
        except TimeoutError:
            await _say_why(socket, "Neither pictures nor sound came for a while. Start again.")
        except (WebSocketDisconnect, RuntimeError):
            return  # the tab was closed, or the server is ending
        except ValueError as error:
            await socket.close(1003, str(error))
        finally:
            try:
                if engine is not None:
                    await asyncio.shield(asyncio.to_thread(engine.close))
            finally:  # cut short where the server drops the connection
                self._views -= 1


async def _heard(socket: WebSocket) -> bytes:
    """Return the next message; nothing where the page wants to stop."""
    from starlette.websockets import WebSocketDisconnect

    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    content = message.get("bytes")
    if content is None and message.get("text") != "stop":
        raise ValueError("a text that says nothing")
    return content or b""


def _summary(engine: LiveEngine, course: list[LiveVerdict]) -> str:
    """Return what was found in all, as HTML; nothing where there is neither a voice nor a face."""
    engine.drain(_DRAINED_S)
    said = engine.summary()
    if said is None:
        return ""
    windows = _windows(course)
    length_s = float(windows.times_s[-1]) + TIMELINE_HOP_S / 2 if len(windows.times_s) else 0.0
    result = ClipResult(
        Path("live"), "ok", said.probabilities, {"fused": windows},
        list(dict.fromkeys(said.notes)), duration_s=length_s,
    )  # fmt: skip
    return clip_html(Shown(result, "All that was seen and heard"))


def _windows(course: list[LiveVerdict]) -> Windows:
    """What was told, in even steps from the first moment on; a hole where nothing was for long."""
    if not course:
        return Windows(np.zeros(0), np.zeros((0, len(COMMON7)), np.float32), TIMELINE_HOP_S)
    told_s = np.array([verdict.time_s for verdict in course])
    told_s -= told_s[0]
    posteriors = np.stack([verdict.probabilities["fused"] for verdict in course])
    times_s = np.arange(TIMELINE_HOP_S / 2, told_s[-1] + TIMELINE_HOP_S, TIMELINE_HOP_S)
    latest = np.searchsorted(told_s, times_s, "right") - 1
    there = times_s - told_s[latest] < _LONGEST_HOLE_S
    return Windows(times_s[there], posteriors[latest[there]], TIMELINE_HOP_S)


async def _say_why(socket: WebSocket, problem: str) -> None:
    with contextlib.suppress(Exception):  # whoever fell silent may not listen either
        await asyncio.wait_for(socket.send_json({"problem": problem}), 1.0)
        await asyncio.wait_for(socket.close(), 1.0)


def _push(engine: LiveEngine, message: bytes) -> None:
    kind, content, *rest = unpack(message)
    if kind == "frame":
        engine.push_frame(content, *rest)
    else:
        engine.push_sound(content, *rest)


async def _tell(socket: WebSocket, engine: LiveEngine, course: list[LiveVerdict]) -> None:
    """Send verdicts as they come, and remember one each half second."""
    told = None
    while True:
        await asyncio.sleep(_VERDICT_EVERY_S)
        verdict = engine.verdict()
        if verdict is not None and verdict is not told:
            told = verdict
            is_due = not course or verdict.time_s - course[-1].time_s >= TIMELINE_HOP_S
            if verdict.emotion and is_due and len(course) < _LONGEST_COURSE:
                course.append(verdict)
            await socket.send_json(entry(verdict, engine.counts))
