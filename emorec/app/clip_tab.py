"""The page's tab for clips: reads what was sent, and shows and hands out what was found."""

from __future__ import annotations

import html
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.app import result_html as page_html
from emorec.app.store import LONGEST_S, MOST_CLIPS, Store, Stored, StoreError, too_long
from emorec.errors import MediaError, OutputError, printable
from emorec.report.table import ResultWriter, write_timeline
from emorec.result.clip import ClipResult

if TYPE_CHECKING:
    from emorec.recognizer import Recognizer

__all__ = ["ClipDesk"]

_GONE = "These clips are no longer here. Send them again."
_SHORTEST_STEP_S = 0.2  # between two messages on the progress
Report = Callable[[float | None, str], None]


class ClipDesk:
    """Reads the clips of all pages.

    Args:
        recognizer: Reads a clip; used by several threads at once.
        store: Where the clips lie.
    """

    def __init__(self, recognizer: Recognizer, store: Store):
        self._recognizer = recognizer
        self._store = store
        # What was found of a clip goes with it.
        self._results: weakref.WeakKeyDictionary[Stored, ClipResult] = weakref.WeakKeyDictionary()
        self._newest: dict[str, object] = {}

    def read(self, page: str, tokens: Sequence[str], report: Report) -> Iterator[str]:
        """Read clips one after the other.

        Args:
            page: Identity of the page.
            tokens: Its clips.
            report: Called with the share that is done (None: unknown) and what is being done.

        Yields:
            HTML on all that is finished, after every clip; the last one with the downloads.
        """
        try:
            clips = self._clips(page, tokens)
        except StoreError as error:
            yield _alert(str(error))
            return
        is_wanted = self._begin(page)
        results: list[ClipResult] = []
        for clip in clips:
            step = _Steps(report, len(results), len(clips), is_wanted)
            result = self._recognizer.classify_safely(clip.path, step.reading(clip))
            self._results[clip] = result
            results.append(replace(result, path=Path(clip.name)))
            if len(results) < len(clips):
                yield self._show(page, clips, results)
        yield self._show(page, clips, results) + self._downloads_or_words(page, results)

    def annotate(self, page: str, tokens: Sequence[str], report: Report) -> str:
        """Draw what was found into the clips.

        Args:
            page: Identity of the page.
            tokens: Its clips.
            report: As for `read`.

        Returns:
            HTML with the links to the videos.
        """
        try:
            clips = [clip for clip in self._clips(page, tokens) if clip in self._results]
        except StoreError as error:
            return _alert(str(error))
        is_wanted = self._begin(page)
        parts = []
        for number, clip in enumerate(clips):
            step = _Steps(report, number, len(clips), is_wanted)
            parts.append(self._draw(page, clip, step.drawing(clip)))
        return "".join(parts) or _alert(_GONE)

    def _draw(self, page: str, clip: Stored, tell: Callable[[float], None]) -> str:
        from emorec.report.video import output_path, write_annotated

        result = self._results[clip]
        if result.emotion is None:
            return ""
        try:
            suffix = output_path(clip.path, clip.path.parent).suffix
            media_type = "video/mp4" if suffix == ".mp4" else "video/x-matroska"
            name = f"{Path(clip.name).stem}_annotated{suffix}"
            made = self._store.new(page, name, media_type)
            # The encoder takes the kind of video from the name.
            drawn = made.path.with_name(made.token + suffix)
            try:
                write_annotated(result, drawn, on_progress=tell)
                drawn.rename(made.path)
            finally:
                drawn.unlink(missing_ok=True)
            self._store.keep(page, made)
        except (MediaError, OutputError) as error:
            return _alert(f"{clip.name}: {_without_path(error)}")
        except OSError:
            return _alert(f"{clip.name}: there is no room for the video. Try again later.")
        except StoreError as error:
            return _alert(str(error))
        return (
            f'<video class="em-player" controls playsinline preload="metadata" '
            f'src="{_address("clip", page, made)}"></video><p>{_link(page, made)}</p>'
        )

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

    def _begin(self, page: str) -> Callable[[], bool]:
        """Begin work for a page; what it was still waiting for ends, so that it holds one reader.

        Returns:
            What tells whether this work is still wanted.
        """
        work = object()
        for known in list(self._newest):
            if not self._store.is_open(known):
                self._newest.pop(known, None)
        self._newest[page] = work
        return lambda: self._store.is_open(page) and self._newest.get(page) is work

    def _show(self, page: str, clips: Sequence[Stored], results: Sequence[ClipResult]) -> str:
        views = [_view(page, *pair) for pair in zip(clips, results, strict=False)]
        if len(clips) == 1:
            return views[0]
        folded = (
            f"<details{' open' if result.emotion is None else ''}>"
            f"<summary>{html.escape(printable(result.path))}: "
            f"<strong>{result.emotion or 'no verdict'}</strong></summary>{view}</details>"
            for result, view in zip(results, views, strict=True)
        )
        return page_html.results_table_html(results) + "".join(folded)

    def _downloads_or_words(self, page: str, results: Sequence[ClipResult]) -> str:
        """Return the links, or say that there is no room for files; what was found stays shown."""
        try:
            with self._store.writing(page):
                return self._downloads(page, results)
        except (OutputError, OSError):
            return _alert("There is no room for the downloads at the moment. Try again later.")
        except StoreError as error:
            return _alert(str(error))

    def _downloads(self, page: str, results: Sequence[ClipResult]) -> str:
        kinds = [("results.csv", "text/csv"), ("results.json", "application/json")]
        if len(results) == 1 and results[0].windows:
            kinds.append(("timeline.csv", "text/csv"))
        files = [self._store.new(page, f"emorec-{name}", kind) for name, kind in kinds]
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
        links = " ".join(_link(page, stored) for stored in files)
        return f'<nav class="em-downloads" aria-label="Downloads">{links}</nav>'


class _Steps:
    """Tells how far the work is, ends it when it takes too long or nobody waits for it."""

    def __init__(self, report: Report, done: int, total: int, is_wanted: Callable[[], bool]):
        self._report, self._done, self._total = report, done, total
        self._is_wanted = is_wanted
        self._next_s = 0.0

    def reading(self, clip: Stored) -> Callable[[float], None]:
        """Return what `Recognizer.classify` calls while it reads a clip."""

        def watch(read_s: float) -> None:
            if read_s > LONGEST_S:
                raise MediaError(clip.path, too_long().rstrip("."), "see above")
            if not self._is_time_to_tell(clip):
                return
            length = f" of {clip.duration_s:.0f}" if clip.duration_s else ""
            share = min(read_s / clip.duration_s, 1) if clip.duration_s else 0.5
            self._report(
                (self._done + share) / self._total,
                f"Reading {clip.name}: {read_s:.0f}{length} s",
            )

        self._report(self._done / self._total, f"Reading {clip.name}")
        return watch

    def drawing(self, clip: Stored) -> Callable[[float], None]:
        """Return what is told the share of a clip that is drawn."""

        def tell(share: float) -> None:
            if self._is_time_to_tell(clip):
                self._report((self._done + share) / self._total, f"Drawing {clip.name}")

        return tell

    def _is_time_to_tell(self, clip: Stored) -> bool:
        if time.monotonic() < self._next_s:
            return False
        self._next_s = time.monotonic() + _SHORTEST_STEP_S
        if not self._is_wanted():
            reason = "nobody waits for it: its page was closed, or sent other clips"
            raise MediaError(clip.path, reason, "send it again")
        return True


def _alert(words: str) -> str:
    return f'<p role="alert">{html.escape(words)}</p>'


def _without_path(error: Exception) -> str:
    """An error's words less the name of the file, which means nothing to a visitor."""
    return str(error).split(": ", 1)[-1]


def _view(page: str, clip: Stored, result: ClipResult) -> str:
    name = f"<h3>{html.escape(printable(result.path))}</h3>"
    parts = [name, page_html.verdict(result)]
    if result.emotion is not None:
        kind = "audio" if clip.media_type.startswith("audio/") else "video"
        player = (
            f'<{kind} class="em-player" controls playsinline preload="metadata" '
            f'src="{_address("clip", page, clip)}"></{kind}>'
            '<p class="em-unplayable" hidden>Your browser cannot play this format. The reading '
            "below is not affected; the annotated video plays everywhere.</p>"
        )
        parts += [
            f'<div class="em-look">{player}{page_html.timeline(result)}</div>',
            page_html.bars(result.posteriors),
        ]
    parts.append(page_html.notes_list(result.notes))
    return f'<article class="em-clip">{"".join(parts)}</article>'


def _address(kind: str, page: str, stored: Stored) -> str:
    return f"emorec/{kind}/{page}/{stored.token}"


def _link(page: str, stored: Stored) -> str:
    address = _address("download", page, stored)
    return (
        f'<a class="em-download" href="{address}" download>Download {html.escape(stored.name)}</a>'
    )
