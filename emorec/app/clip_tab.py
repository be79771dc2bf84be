"""The page's tab for clips: has read what was sent, and shows and hands out what was found.

What takes long is answered line by line, each a JSON object: `share` and `what` tell how far it is,
`html` is to be shown, `problem` says in words why it ends, and `done` comes last.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import traceback
import weakref
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emorec.app.queue import CancelledTicket, QueueFull, ReadingQueue, Stage, Ticket, clip_work
from emorec.app.result_html import Shown, clip_html, render
from emorec.app.store import MOST_CLIPS, NO_ROOM, Store, Stored, StoreError
from emorec.errors import MediaError, OutputError
from emorec.paths import REPOSITORY
from emorec.report.table import ResultWriter, write_timeline
from emorec.result.clip import ClipResult

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from emorec.recognizer import Recognizer

__all__ = ["ClipDesk", "written"]

_GONE = "These clips are no longer here. Send them again."
_NONSENSE = "This is no message of this page. Reload it."
_EXAMPLE_ACTOR, _EXAMPLE_EMOTION = 4, "surprise"
_EXAMPLE = REPOSITORY / "DEMO" / "Examples" / "01-01-08-02-01-01-04.mp4"
_MISTAKE = "emorec has made a mistake with it. Please tell its authors; others can still be read."
_LINES = "application/x-ndjson"
Line = dict[str, Any]


class ClipDesk:
    """Has the clips of all pages read.

    Args:
        recognizer: Reads a clip; used by several threads at once.
        store: Where the clips lie.
        queue: Does the work.
    """

    def __init__(self, recognizer: Recognizer, store: Store, queue: ReadingQueue):
        self._recognizer = recognizer
        self._store = store
        self._queue = queue
        # What was found of a clip goes with it.
        self._results: weakref.WeakKeyDictionary[Stored, ClipResult] = weakref.WeakKeyDictionary()

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the tab, besides those of its files."""
        from starlette.routing import Route

        return [
            Route("/emorec/read/{page}", self._asked_to_read, methods=["POST"]),
            Route("/emorec/draw/{page}/{token}", self._asked_to_draw, methods=["POST"]),
            Route("/emorec/example/{page}", self._asked_for_example, methods=["POST"]),
        ]

    async def _asked_to_read(self, request: Request) -> Response:
        from starlette.responses import JSONResponse, StreamingResponse

        try:
            message = json.loads(await request.body())
            tokens, everybody = message["tokens"], message.get("everybody", False)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return JSONResponse({"problem": _NONSENSE}, 422)
        is_list = isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)
        if not is_list or not isinstance(everybody, bool):
            return JSONResponse({"problem": _NONSENSE}, 422)
        lines = written(self.read(request.path_params["page"], tokens, everybody))
        return StreamingResponse(lines, media_type=_LINES)

    async def _asked_to_draw(self, request: Request) -> Response:
        from starlette.responses import StreamingResponse

        return StreamingResponse(written(self.draw(**request.path_params)), media_type=_LINES)

    async def _asked_for_example(self, request: Request) -> Response:
        from starlette.responses import JSONResponse

        page = request.path_params["page"]
        try:
            self._store.room_for(page, 1_000_000)
            clip = await self._queue.submit(lambda _: self._example(page), page).finished()
        except (StoreError, QueueFull, CancelledTicket, OSError, OutputError) as error:
            return JSONResponse({"problem": _in_words(error)}, 422)
        return JSONResponse({"token": clip.token, "name": clip.name})

    def _example(self, page: str) -> Stored:
        """Give a page a clip of a made-up person: the repository's, or one drawn anew."""
        clip = self._store.new(page, "example.mp4", "video/mp4")
        if _EXAMPLE.exists():
            shutil.copyfile(_EXAMPLE, clip.path)
        else:
            from emorec.avatar.clip import Take, write_clip

            # The encoder takes the kind of video from the name.
            drawn = clip.path.with_suffix(".mp4")
            write_clip(drawn, _EXAMPLE_ACTOR, Take(_EXAMPLE_EMOTION))
            drawn.rename(clip.path)
        self._store.keep(page, clip)
        return clip

    async def read(
        self, page: str, tokens: Sequence[str], everybody: bool = False
    ) -> AsyncIterator[Line]:
        """Have clips read one after the other; what the page still waited for ends.

        Args:
            page: Identity of the page.
            tokens: Its clips.
            everybody: Whether all who are to be seen are read, and not the main face alone.

        Yields:
            Lines for the page: a clip's HTML as soon as it is read, in the end the downloads.

        Raises:
            StoreError: When the clips are not there, or too many.
            QueueFull: When too many others wait.
        """
        clips = self._clips(page, tokens)
        recognizer = self._recognizer.for_everybody() if everybody else self._recognizer
        self._queue.cancel_of(page)
        works = [self._wanted(page, clip_work(recognizer, clip)) for clip in clips]
        tickets = self._queue.submit_all(works, page)
        results: list[ClipResult] = []
        try:
            for clip, ticket in zip(clips, tickets, strict=True):
                async for step in _steps(ticket, f"Reading {clip.name}", len(results), len(clips)):
                    yield step
                result = await ticket.finished()
                self._results[clip] = result
                results.append(replace(result, path=Path(clip.name)))
                kind = "audio" if clip.media_type.startswith("audio/") else "video"
                where = _addresses(page, clip)["shown"]
                shown = Shown(results[-1], clip.name, clip.token, where, kind, len(clips) > 1)
                yield {"html": clip_html(shown)}
        finally:
            for ticket in tickets:
                ticket.cancel()
        yield await asyncio.to_thread(self._downloads_or_words, page, results)

    async def draw(self, page: str, token: str) -> AsyncIterator[Line]:
        """Have what was found drawn into a clip.

        Yields:
            Lines for the page; the last one holds the player and the link.

        Raises:
            StoreError: When the clip is not there, or the page has gone.
            QueueFull: When too many others wait.
        """
        (clip,) = self._clips(page, [token])
        if clip not in self._results:
            raise StoreError(_GONE)
        ticket = self._queue.submit(
            self._wanted(page, lambda tell: self._draw(page, clip, tell)), page
        )
        try:
            async for step in _steps(ticket, f"Drawing {clip.name}", 0, 1):
                yield step
            made = await ticket.finished()
        except (MediaError, OutputError, OSError) as error:
            raise StoreError(f"{clip.name}: {_in_words(error)}") from error
        finally:
            ticket.cancel()
        yield {"html": render("video.html", name=made.name, **_addresses(page, made))}

    def _draw(self, page: str, clip: Stored, tell) -> Stored:
        from emorec.report.video import output_path, write_annotated

        suffix = output_path(clip.path, clip.path.parent).suffix
        media_type = "video/mp4" if suffix == ".mp4" else "video/x-matroska"
        made = self._store.new(page, f"{Path(clip.name).stem}_annotated{suffix}", media_type)
        drawn = made.path.with_name(made.token + suffix)
        try:
            write_annotated(self._results[clip], drawn, on_progress=tell)
            drawn.rename(made.path)
        finally:
            drawn.unlink(missing_ok=True)
        self._store.keep(page, made)
        return made

    def _wanted(self, page: str, work):
        """Have work end at its next report once its page has gone."""

        def watched(report):
            def tell(share: float | None) -> None:
                if not self._store.is_open(page):
                    raise CancelledTicket
                report(share)

            return work(tell)

        return watched

    def _clips(self, page: str, tokens: Sequence[str]) -> list[Stored]:
        """Return the clips that are asked for, each once.

        Raises:
            StoreError: When there are none, or too many.
        """
        tokens = list(dict.fromkeys(tokens))
        if len(tokens) > MOST_CLIPS:
            raise StoreError(f"These are {len(tokens)} clips; {MOST_CLIPS} at once are taken.")
        found = (self._store.find(page, token) for token in tokens)
        clips = [clip for clip in found if clip is not None and clip.path.exists()]
        if not clips:
            raise StoreError(_GONE)
        return clips

    def _downloads_or_words(self, page: str, results: Sequence[ClipResult]) -> Line:
        """Return the links, or say that there is no room for files; what was found stays shown."""
        try:
            with self._store.writing(page):
                return {"html": self._downloads(page, results)}
        except (OutputError, OSError):
            return {"problem": "There is no room for the downloads at the moment. Try again later."}

    def _downloads(self, page: str, results: Sequence[ClipResult]) -> str:
        kinds = {"Table (CSV)": "results.csv", "All (JSON)": "results.json"}
        if len(results) == 1 and results[0].windows:
            kinds["Course (CSV)"] = "timeline.csv"
        files = [self._store.new(page, f"emorec-{name}") for name in kinds.values()]
        try:
            with ResultWriter(files[0].path, files[1].path) as writer:
                for result in results:
                    writer.add(result)
            for course in files[2:]:
                write_timeline(results[0], course.path)
        except (OSError, OutputError):
            for stored in files:
                stored.path.unlink(missing_ok=True)
            raise
        for stored in files:
            self._store.keep(page, stored)
        links = [{"title": t, **_addresses(page, f)} for t, f in zip(kinds, files, strict=True)]
        return render("downloads.html", files=links)


async def _steps(ticket: Ticket, what: str, done: int, total: int) -> AsyncIterator[Line]:
    """Yield a line whenever a piece of work, one of several, is further."""
    async for state in ticket.states():
        if state.stage is Stage.WAITING:
            yield {"share": done / total, "what": f"Waiting for others: place {state.place or 1}"}
        elif state.stage is Stage.READING:
            yield {"share": (done + (state.share or 0)) / total, "what": what}


async def written(lines: AsyncIterator[Line]) -> AsyncIterator[str]:
    """Yield lines as JSON; what ends them early is said in the last but one."""
    try:
        async for line in lines:
            yield json.dumps(line) + "\n"
    except (StoreError, QueueFull, CancelledTicket) as error:
        yield json.dumps({"problem": _in_words(error)}) + "\n"
    except Exception:  # or the visitor would take the connection for lost
        traceback.print_exc()
        yield json.dumps({"problem": _MISTAKE}) + "\n"
    yield json.dumps({"done": True}) + "\n"


def _in_words(error: Exception) -> str:
    """An error's words for a visitor, to whom paths mean nothing."""
    if isinstance(error, StoreError):
        return str(error)
    if isinstance(error, CancelledTicket):
        return "It was ended: its page was closed, or sent other clips."
    if isinstance(error, QueueFull):
        return f"Many clips wait already. Try again in about {error.retry_after_s} s."
    if isinstance(error, MediaError):
        return str(error).split(": ", 1)[-1]
    return NO_ROOM


def _addresses(page: str, stored: Stored) -> dict[str, str]:
    """Where a file is shown, and where it is given to keep."""
    where = f"{page}/{stored.token}"
    return {"shown": f"emorec/clip/{where}", "address": f"emorec/download/{where}"}
