"""The web page: one document with three tabs, its colours, and what its tabs ask the server for."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.app.about_tab import about
from emorec.app.clip_tab import ClipDesk
from emorec.app.files import file_routes, tidy
from emorec.app.guard import Guard
from emorec.app.live_tab import LiveDesk
from emorec.app.queue import ReadingQueue
from emorec.app.result_html import colors_css, render
from emorec.app.store import LARGEST_BYTES, LONGEST_S, Store
from emorec.confidence import PROBABLY, VERY_LIKELY

if TYPE_CHECKING:
    from emorec.recognizer import Recognizer

__all__ = ["make_app", "page_html"]


def make_app(recognizer: Recognizer, models: Path, store: Store, password: str | None) -> Guard:
    """Put the page together: an ASGI application.

    Args:
        recognizer: Reads clips and live pictures.
        models: The models' folder.
        store: Keeps what is sent.
        password: Asked for once per browser, None asks for none.
    """
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    page = Response(page_html(models, recognizer), media_type="text/html")
    colors = Response(colors_css(), media_type="text/css")
    queue = ReadingQueue()

    routes = [
        Route("/", page, methods=["GET"]),
        Route("/emorec/colors.css", colors, methods=["GET"]),
        *ClipDesk(recognizer, store, queue).routes(),
        *LiveDesk(recognizer).routes(),
        *file_routes(store, secrets.token_hex(8)),
    ]
    return Guard(Starlette(routes=routes, lifespan=lambda _: tidy(store, queue)), password)


def page_html(models: Path, recognizer: Recognizer) -> str:
    """Return the document, in which nothing depends on who looks at it."""
    known = recognizer.speaker.notes
    return render(
        "page.html",
        about=about(models),
        person=known[0].removeprefix("judged as ") if known else "",
        largest_mb=LARGEST_BYTES // 1_000_000,
        longest_min=round(LONGEST_S / 60),
        very_likely=VERY_LIKELY,
        probably=PROBABLY,
    )
