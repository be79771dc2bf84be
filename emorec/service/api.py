"""The service: ``emorec serve``.

Clips go in as files of a form, what `emorec classify --json` writes comes out. A request is an
owner in the store and in the queue: what it sent is deleted when it is answered or broken off.
"""

# No `from __future__ import annotations`: FastAPI looks at the annotations of what it calls.

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from emorec import __version__
from emorec.app.files import tidy
from emorec.app.queue import CancelledTicket, QueueFull, ReadingQueue, Ticket, clip_work
from emorec.app.store import LARGEST_BYTES, LONGEST_S, MOST_CLIPS, Store, StoreError, check_clip
from emorec.models import MODEL_FOLDERS
from emorec.recognizer import Recognizer
from emorec.report.table import json_content, json_entry
from emorec.result.clip import ClipResult
from emorec.service.answers import RESULTS, Health, Model, Models, Problem, problem, result_schemas
from emorec.service.guard import CLASSIFY, HEALTH, ServiceGuard
from emorec.service.overview import overview_html
from emorec.service.uploads import Received, RefusedError, receive_clips
from emorec.streams.windows import STREAMS

__all__ = ["LIMITS", "Service", "Wanted", "make_service"]

LIMITS = (
    "It was trained on actors, is often wrong, and is not fit for decisions about people.",
    "Files are deleted as soon as the request is answered or broken off; nothing is logged.",
)
_DESCRIPTION = f"""Reads emotion from a speaking person's voice and face. {LIMITS[0]}

{LIMITS[1]} Where a password is asked for, it goes by HTTP Basic, under any name of a user."""
_BUSY_S = 60
Answers = dict[int | str, dict[str, Any]]
_STREAM = f"({'|'.join(STREAMS)})"


class Wanted(BaseModel):
    """How clips are to be read."""

    model_config = ConfigDict(extra="forbid")

    people: bool = Field(False, description="Read everybody in a clip, too: true or false.")
    streams: str = Field(
        ",".join(STREAMS),
        pattern=f"^{_STREAM}(,{_STREAM})*$",
        description="Judge by some streams alone: voice, face, geometry, with commas between.",
    )

    def reader(self, recognizer: Recognizer) -> Recognizer:
        """Return what reads them so."""
        streams = set(self.streams.split(","))
        if streams != set(STREAMS):
            recognizer = recognizer.for_streams(*streams)
        return recognizer.for_everybody() if self.people else recognizer


class Service:
    """Answers requests.

    Args:
        recognizer: Reads the clips.
        store: Where they lie meanwhile.
        queue: Who is read next.
    """

    def __init__(self, recognizer: Recognizer, store: Store, queue: ReadingQueue):
        self._recognizer, self._store, self._queue = recognizer, store, queue

    async def classify(self, request: Request, wanted: Annotated[Wanted, Query()]) -> Response:
        """Read clips: a file or several, as a form.

        Every file gets an entry in the order in which they were sent, also one that cannot be
        read: it says why, and what helps.
        """
        owner = secrets.token_hex(16)
        self._queue.check_room(owner)
        self._store.connect(owner)
        try:
            received = await receive_clips(request, self._store, owner)
            results = await self._read(request, wanted.reader(self._recognizer), received, owner)
        finally:
            self._queue.cancel_of(owner)
            self._store.disconnect(owner)
            await asyncio.to_thread(self._store.sweep)
        content = json_content([json_entry(result) for result in results])
        are_all_failed = all(result.status == "failed" for result in results)
        return JSONResponse(content, 422 if are_all_failed else 200)

    async def _read(
        self, request: Request, reader: Recognizer, received: Sequence[Received], owner: str
    ) -> list[ClipResult]:
        """Read the clips, or end that when nobody waits for them any more.

        Raises:
            QueueFull: When they are too many.
            CancelledTicket: When the service ends.
            ClientDisconnect: When nobody waits.
        """
        results = [await asyncio.to_thread(_checked, one) for one in received]
        clips = [one for one in results if not isinstance(one, ClipResult)]
        tickets = self._queue.submit_all([clip_work(reader, clip) for clip in clips], owner)
        answers = asyncio.create_task(_all_of(tickets))
        left = asyncio.create_task(_left(request))
        either: list[asyncio.Task[Any]] = [answers, left]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not answers.done():
                raise ClientDisconnect
        except asyncio.CancelledError:  # by the server, which waits no longer for its end
            raise CancelledTicket from None
        finally:
            for task in either:
                task.cancel()
        read = (
            replace(result, path=Path(clip.name))
            for clip, result in zip(clips, answers.result(), strict=True)
        )
        return [one if isinstance(one, ClipResult) else next(read) for one in results]

    async def models(self) -> Models:
        """Tell what judges: each model with the fingerprint of its files."""
        prints = await asyncio.to_thread(lambda: self._recognizer.fingerprints)
        classes = {s: network.spec.classes for s, network in self._recognizer.networks.items()}
        classes["fusion"] = self._recognizer.judge.fusion.classes
        names = {**MODEL_FOLDERS, "fusion": "fusion"}
        models = [
            Model(part=part, name=names[part], classes=list(classes[part]), fingerprint=found)
            for part, found in prints.items()
        ]
        return Models(emorec=__version__, models=models, notes=list(LIMITS))

    async def health(self) -> Health:
        """Tell that the service is there; asks for no password."""
        return Health(status="ok", emorec=__version__, waiting=len(self._queue))


def make_service(recognizer: Recognizer, _: Path, store: Store, password: str | None):
    """Put the service together: an ASGI application.

    Args:
        recognizer: Reads the clips.
        store: Keeps what is sent.
        password: Asked for by HTTP Basic, None asks for none.
    """
    queue = ReadingQueue()
    service = Service(recognizer, store, queue)
    app = FastAPI(
        title="emorec",
        version=__version__,
        lifespan=lambda _: tidy(store, queue),
        docs_url=None,
        redoc_url=None,
        # No variable of the environment has it tell others of requests.
        telemetry={"auto_configure": False},
    )
    _add_routes(app, service, asks_password=password is not None)
    _add_errors(app)
    page = overview_html(app.openapi())
    app.add_api_route("/", lambda: HTMLResponse(page), include_in_schema=False)
    return ServiceGuard(app, password)


def _add_routes(app: FastAPI, service: Service, *, asks_password: bool) -> None:
    foreign: Answers = {403: {"model": Problem, "description": "It came from another web page."}}
    busy = "Too many clips wait, or too many passwords were wrong: see Retry-After."
    common: Answers = {
        **foreign,
        401: {"model": Problem, "description": "The password is wrong, or none was given."},
        429: {"model": Problem, "description": busy},
    }
    results = {"schema": {"$ref": f"#/components/schemas/{RESULTS}"}}
    of_clips: Answers = {
        200: {
            "description": "At least one clip was read; the form of `emorec classify --json`.",
            "content": {"application/json": results},
        },
        422: {
            "description": "No clip could be read; the same form, which says why.",
            "content": {"application/json": results},
        },
        400: {"model": Problem, "description": "The form or an option is not as it should be."},
        413: {"model": Problem, "description": "It is too large."},
        415: {"model": Problem, "description": "It is no form with files."},
        503: {"model": Problem, "description": "There is no room, or the service is ending."},
    }
    app.add_api_route(
        CLASSIFY,
        service.classify,
        methods=["POST"],
        response_class=JSONResponse,
        responses={**of_clips, **common},
        openapi_extra={"requestBody": _BODY},
    )
    app.add_api_route("/v1/models", service.models, responses=common)
    app.add_api_route(HEALTH, service.health, responses=foreign)

    def document() -> dict:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                description=_DESCRIPTION,
                routes=app.routes,
            )
            made["components"]["schemas"] |= result_schemas()
            if asks_password:
                made["components"]["securitySchemes"] = {
                    "password": {"type": "http", "scheme": "basic"}
                }
                made["security"] = [{"password": []}]
                made["paths"][HEALTH]["get"]["security"] = []
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


_BODY = {
    "required": True,
    "description": f"At most {MOST_CLIPS} files, each of at most {LARGEST_BYTES / 1e6:.0f} MB and "
    f"{LONGEST_S / 60:.0f} minutes.",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "additionalProperties": False,
                "properties": {
                    "file": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": MOST_CLIPS,
                        "items": {"type": "string", "format": "binary"},
                    }
                },
            }
        }
    },
}


def _add_errors(app: FastAPI) -> None:
    """Say of whatever cannot be done why, and what helps."""
    on = app.exception_handler

    @on(RefusedError)
    async def refused(_, error: RefusedError) -> Response:
        return problem(error.status, error.reason, error.remedy)

    @on(QueueFull)
    async def full(_, error: QueueFull) -> Response:
        headers = {"retry-after": str(error.retry_after_s)}
        return problem(429, error.reason, error.remedy, headers)

    @on(StoreError)
    async def no_room(_, error: StoreError) -> Response:
        remedy = error.remedy or "try again later"
        return problem(503, error.reason, remedy, {"retry-after": str(_BUSY_S)})

    @on(CancelledTicket)
    async def ending(_, error: CancelledTicket) -> Response:
        reason, remedy = "the service is ending", "try again in a minute"
        return problem(503, reason, remedy, {"retry-after": str(_BUSY_S)})

    @on(ClientDisconnect)
    async def gone(*_) -> Response:
        return Response(status_code=400)  # nobody reads it

    @on(RequestValidationError)
    async def invalid(_, error: RequestValidationError) -> Response:
        options = Wanted.model_fields
        wrong = [(str(one["loc"][-1]), str(one["input"])) for one in error.errors()]
        reasons = (
            f"{name} cannot be {value!r}" if name in options else f"there is no option {name!r}"
            for name, value in wrong
        )
        remedies = (f"{name}: {option.description}" for name, option in options.items())
        return problem(400, "; ".join(reasons), " ".join(remedies))

    @on(HTTPException)
    async def unknown(_, error: HTTPException) -> Response:
        reason = str(error.detail).lower()
        return problem(error.status_code, reason, "see the page at /", error.headers)


def _checked(received: Received):
    """Return a clip as the store knows it, or the result that says why it is none."""
    stored = received.stored
    if received.is_too_large:
        reason = f"it is larger than {LARGEST_BYTES / 1e6:.0f} MB"
        return ClipResult.failed(stored.name, reason, "cut it, or save it smaller")
    try:
        return check_clip(stored)
    except StoreError as error:
        return ClipResult.failed(stored.name, error.reason, error.remedy or "send another file")


async def _all_of(tickets: Sequence[Ticket[ClipResult]]) -> list[ClipResult]:
    return [await ticket.finished() for ticket in tickets]


async def _left(request: Request) -> None:
    """Wait until whoever asked is gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
