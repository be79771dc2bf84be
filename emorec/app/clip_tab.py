"""The page's tab for clips: reads what was sent, and shows and hands out what was found."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.app import result_html as page_html
from emorec.app.store import LONGEST_S, Store, Stored, too_long
from emorec.errors import MediaError, OutputError, printable
from emorec.report.table import ResultWriter, write_timeline
from emorec.result import ClipResult

if TYPE_CHECKING:
    from emorec.recognizer import Recognizer

__all__ = ["ClipDesk"]

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
        self._results: dict[str, ClipResult] = {}

    def read(self, page: str, tokens: Sequence[str], report: Report) -> Iterator[str]:
        """Read clips one after the other.

        Args:
            page: Identity of the page.
            tokens: Its clips.
            report: Called with the share that is done (None: unknown) and what is being done.

        Yields:
            HTML on all that is finished, after every clip; the last one with the downloads.
        """
        clips = self._clips(page, tokens)
        results: list[ClipResult] = []
        for clip in clips:
            step = _Steps(report, len(results), len(clips), self._is_wanted(page))
            result = self._recognizer.classify_safely(clip.path, step.reading(clip))
            self._remember(clip, result)
            results.append(replace(result, path=Path(clip.name)))
            if len(results) < len(clips):
                yield self._show(page, clips, results)
        if clips:
            yield self._show(page, clips, results) + self._downloads_or_words(page, results)
        else:
            yield '<p role="alert">These clips are no longer here. Send them again.</p>'

    def annotate(self, page: str, tokens: Sequence[str], report: Report) -> str:
        """Draw what was found into the clips.

        Args:
            page: Identity of the page.
            tokens: Its clips.
            report: As for `read`.

        Returns:
            HTML with the links to the videos.
        """
        clips = [clip for clip in self._clips(page, tokens) if clip.token in self._results]
        parts = [
            self._draw(page, clip, _share_of(report, number, len(clips), f"Drawing {clip.name}"))
            for number, clip in enumerate(clips)
        ]
        return "".join(parts) or '<p role="alert">These clips are no longer here.</p>'

    def _draw(self, page: str, clip: Stored, tell: Callable[[float], None]) -> str:
        from emorec.report.video import output_path, write_annotated

        result = self._results[clip.token]
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
        except (MediaError, OutputError) as error:
            words = html.escape(f"{clip.name}: {_without_path(error)}")
            return f'<p role="alert">{words}</p>'
        self._store.keep(page, made)
        return (
            f'<video class="em-player" controls playsinline preload="metadata" '
            f'src="{_address("clip", page, made)}"></video><p>{_link(page, made)}</p>'
        )

    def _clips(self, page: str, tokens: Sequence[str]) -> list[Stored]:
        found = (self._store.find(page, str(token)) for token in tokens)
        return [clip for clip in found if clip is not None and clip.path.exists()]

    def _remember(self, clip: Stored, result: ClipResult) -> None:
        """Keep a result for as long as its clip is there, for the annotated video."""
        self._results = {t: r for t, r in self._results.items() if r.path.exists()}
        self._results[clip.token] = result

    def _is_wanted(self, page: str) -> Callable[[], bool]:
        return lambda: self._store.is_open(page)

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
            return self._downloads(page, results)
        except (OutputError, OSError):
            words = "There is no room for the downloads at the moment. Try again later."
            return f'<p role="alert">{words}</p>'

    def _downloads(self, page: str, results: Sequence[ClipResult]) -> str:
        table = self._store.new(page, "emorec-results.csv", "text/csv")
        entries = self._store.new(page, "emorec-results.json", "application/json")
        with ResultWriter(table.path, entries.path) as writer:
            for result in results:
                writer.add(result)
        files = [table, entries]
        if len(results) == 1 and results[0].windows:
            course = self._store.new(page, "emorec-timeline.csv", "text/csv")
            write_timeline(results[0], course.path)
            files.append(course)
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
            if time.monotonic() < self._next_s:
                return
            self._next_s = time.monotonic() + _SHORTEST_STEP_S
            if not self._is_wanted():
                raise MediaError(clip.path, "its page was closed", "open the page again")
            length = f" of {clip.duration_s:.0f}" if clip.duration_s else ""
            share = min(read_s / clip.duration_s, 1) if clip.duration_s else 0.5
            self._report(
                (self._done + share) / self._total,
                f"Reading {clip.name}: {read_s:.0f}{length} s",
            )

        self._report(self._done / self._total, f"Reading {clip.name}")
        return watch


def _share_of(report: Report, number: int, total: int, what: str) -> Callable[[float], None]:
    """Return what is told the share of one clip of several, and reports that of all."""
    told_s = [0.0]

    def tell(share: float) -> None:
        if time.monotonic() - told_s[0] >= _SHORTEST_STEP_S:
            told_s[0] = time.monotonic()
            report((number + share) / total, what)

    return tell


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
