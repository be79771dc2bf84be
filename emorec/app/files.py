"""The routes by which clips come in and files go out, and by which a page says that it is there."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from emorec.app import memory
from emorec.app.queue import ReadingQueue
from emorec.app.store import LARGEST_BYTES, NO_ROOM, Store, Stored, StoreError, check_clip

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.websockets import WebSocket

__all__ = ["WEB_FOLDER", "clip_name", "file_routes", "keep_sweeping", "tidy"]

WEB_FOLDER = Path(__file__).with_name("web")
"""Scripts and styles of the page."""

_LONGEST_NAME = 120
_SWEEP_EVERY_S = 1.0
_GIVEN_BACK_EVERY_S = 5.0
_CHECKED_EVERY_BYTES = 8_000_000
# Whatever somebody sent is shown by no browser as a page, and runs no script.
_INERT = {"content-security-policy": "default-src 'none'; sandbox", "cache-control": "no-store"}


def file_routes(store: Store, server: str) -> list[BaseRoute]:
    """Return the routes under `/emorec`.

    Args:
        store: Where files are kept.
        server: What tells this run of the server from the next; a page notices the change.
    """
    from starlette.routing import Mount, Route, WebSocketRoute
    from starlette.staticfiles import StaticFiles

    desk = _Files(store, server)
    return [
        Route("/emorec/upload/{page}", desk.upload, methods=["POST"]),
        Route("/emorec/clip/{page}/{token}", desk.show),
        Route("/emorec/download/{page}/{token}", desk.download),
        WebSocketRoute("/emorec/page/{page}", desk.stay),
        Mount("/emorec/web", StaticFiles(directory=WEB_FOLDER)),
    ]


class _Files:
    def __init__(self, store: Store, server: str):
        self._store = store
        self._server = server

    async def upload(self, request: Request) -> Response:
        """Take a clip: the body is the file, `X-Clip-Name` what its owner calls it."""
        from starlette.responses import JSONResponse

        page = request.path_params["page"]
        length = request.headers.get("content-length", "")
        try:
            self._store.room_for(page, int(length) if length.isdigit() else 0)
            stored = self._store.new(page, clip_name(request.headers.get("x-clip-name", "")))
            return await self._receive(request, page, stored)
        except StoreError as error:
            return JSONResponse({"problem": str(error)}, 422)

    async def _receive(self, request: Request, page: str, stored: Stored) -> Response:
        from starlette.requests import ClientDisconnect
        from starlette.responses import JSONResponse, Response

        kept = False
        try:
            size = checked = 0
            with stored.path.open("xb") as file:
                async for piece in request.stream():
                    size += len(piece)
                    if size - checked >= _CHECKED_EVERY_BYTES:
                        checked = size
                        await asyncio.to_thread(self._still_fits, page, size)
                    await asyncio.to_thread(file.write, piece)
            self._still_fits(page, size)
            stored = await asyncio.to_thread(check_clip, stored)
            self._store.keep(page, stored)
            kept = True
        except ClientDisconnect:
            return Response(status_code=400)
        except OSError as error:
            raise StoreError(NO_ROOM) from error
        finally:
            if not kept:
                stored.path.unlink(missing_ok=True)
        return JSONResponse({"token": stored.token, "name": stored.name})

    def _still_fits(self, page: str, size: int) -> None:
        """Look again while a file grows, whose sender may have said less or nothing of its size."""
        if size > LARGEST_BYTES:
            self._store.room_for(page, size)
        self._store.room_for(page, 0)

    async def show(self, request: Request) -> Response:
        """Give a page its clip for the player."""
        return self._give(request, None)

    async def download(self, request: Request) -> Response:
        """Give a page a file to keep."""
        stored = self._store.find(**request.path_params)
        return self._give(request, stored.name if stored else None)

    def _give(self, request: Request, name: str | None) -> Response:
        """Answer with a file, under a name where it is to be kept."""
        from starlette.responses import FileResponse, Response

        stored = self._store.find(**request.path_params)
        if stored is None or not stored.path.exists():
            return Response("This file is gone: its page was closed.", 404)
        return FileResponse(
            stored.path, media_type=stored.media_type, filename=name, headers=_INERT
        )

    async def stay(self, socket: WebSocket) -> None:
        """Stay connected with a page; when it goes, so do its files."""
        from starlette.websockets import WebSocketDisconnect

        page = socket.path_params["page"]
        try:
            self._store.connect(page)
        except StoreError:
            await socket.close(1008)
            return
        try:
            await socket.accept()
            await socket.send_json({"server": self._server})
            while True:
                await socket.receive_text()
        except (WebSocketDisconnect, RuntimeError):
            return
        finally:
            self._store.disconnect(page)


@contextlib.asynccontextmanager
async def tidy(store: Store, queue: ReadingQueue) -> AsyncIterator[None]:
    """Sweep while a server runs, and end its work when it ends: the lifespan of both servers."""
    memory.keep_what_is_loaded()
    sweeping = asyncio.create_task(keep_sweeping(store))
    yield
    sweeping.cancel()
    store.end()
    await asyncio.to_thread(queue.close)


async def keep_sweeping(store: Store) -> None:
    """Delete the files of closed pages soon after they may go, until it is cancelled."""
    is_owed, given_s = False, time.monotonic()
    while True:
        await asyncio.sleep(_SWEEP_EVERY_S)
        is_owed |= await asyncio.to_thread(store.sweep)
        if is_owed and time.monotonic() - given_s >= _GIVEN_BACK_EVERY_S:
            await asyncio.to_thread(memory.give_back)
            is_owed, given_s = False, time.monotonic()


def clip_name(header: str) -> str:
    """Return what a clip is called, from whatever a browser sent.

    >>> clip_name("..%2F..%2Fmy%20clip.mp4")
    'my clip.mp4'
    """
    name = re.split(r"[/\\]", unquote(header, errors="replace"))[-1]
    name = "".join(c if c.isprintable() else "_" for c in name)[-_LONGEST_NAME:]
    return name.strip() if name.strip(". ") else "clip"
