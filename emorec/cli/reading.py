"""How commands read many clips: here, on some processes or a cluster, with a bar."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.cli import common
from emorec.errors import CalibrationError, MediaError, printable, require

if TYPE_CHECKING:
    from emorec.cli.progress import BatchProgress
    from emorec.media.storage import Address
    from emorec.recognizer import Recognizer
    from emorec.result.clip import ClipResult

    Reader = Callable[[Sequence[str | Path], Callable[[float], None]], Iterator[ClipResult]]

__all__ = ["calibrated", "find", "piped", "read_here", "readers", "results", "streams"]

_PIPE = "-"


def streams(text: str) -> tuple[str, ...]:
    """Return the streams that an argument names."""
    from emorec.streams.windows import STREAMS

    found = tuple(word.strip() for word in text.split(","))
    if unknown := [word for word in found if word not in STREAMS]:
        there = ", ".join(STREAMS)
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no stream: choose from {there}")
    return found


@contextlib.contextmanager
def piped(options: argparse.Namespace) -> Iterator[dict[Path, str]]:
    """Keep what comes through the standard input as a file, where - is among `options.paths`.

    The file takes its place there. A file that is called - is meant by ./-.

    Yields:
        That file -> what it is called in tables.

    Raises:
        MediaError: When nothing can come through it.
    """
    if _PIPE not in options.paths:
        yield {}
        return
    from emorec.media.inputs import spooled

    if sys.stdin is None or sys.stdin.isatty():
        remedy = "pipe a clip into it: emorec classify - < clip.mp4"
        raise MediaError(_PIPE, "nothing comes through the standard input", remedy)
    with spooled(sys.stdin.buffer, _PIPE) as path:
        options.paths = [str(path) if name == _PIPE else name for name in options.paths]
        yield {path: _PIPE}


def find(
    names: Sequence[str], with_pictures: bool, is_quiet: bool
) -> list[Path | Address | MediaError]:
    """List the clips behind some names; say what is left out of folders."""
    from emorec.media.find import SUFFIXES, count_pictures, find_clips
    from emorec.media.pictures import SUFFIXES as PICTURES

    if with_pictures:
        return find_clips(names, SUFFIXES | PICTURES)
    left_out = 0 if is_quiet else count_pictures(names)
    if left_out:
        what = (
            "1 picture in a folder is" if left_out == 1 else f"{left_out} pictures in folders are"
        )
        common.say(f"{what} left out; --pictures reads them, too")
    return find_clips(names)


@contextlib.contextmanager
def readers(recognizer: Recognizer | None, options: argparse.Namespace) -> Iterator[Reader]:
    """Give what reads clips: this process, some of this machine, or a cluster."""
    if options.scheduler and recognizer:
        require("cluster", "distributed")
        from emorec.report import cluster

        with cluster.connected(options.scheduler) as client:
            yield lambda clips, watch: cluster.classify_many(client, recognizer, clips)
    else:
        yield lambda clips, watch: read_here(recognizer, clips, options.jobs, watch)


def read_here(
    recognizer: Recognizer | None,
    clips: Sequence[str | Path],
    n_jobs: int | None,
    watch: Callable[[float], None],
) -> Iterator[ClipResult]:
    """Read clips on this machine; nothing where there is no recogniser."""
    from emorec.workers import fitting_jobs

    if recognizer is None:
        return iter(())
    return recognizer.classify_many(clips, n_jobs or fitting_jobs(len(clips)), watch)


def results(
    read: Reader, clips: list, progress: BatchProgress, called: Mapping[Path, str] | None = None
) -> Iterator[ClipResult]:
    """Yield one result for each clip; what is no clip fails without any work.

    Args:
        read: Reads clips.
        clips: What `find` found.
        progress: Is told of each.
        called: What some are called in tables, see `piped`.
    """
    from emorec.result.clip import ClipResult

    classified = iter(read([c for c in clips if not isinstance(c, MediaError)], progress.watch))
    for clip in clips:
        if isinstance(clip, MediaError):
            result = ClipResult.failed(clip.what, clip.reason, clip.remedy)
        else:
            result = next(classified)
        if called and result.path in called:
            result = replace(result, named=called[result.path])
        progress.finished(result)
        yield result


def calibrated(
    recognizer: Recognizer, names: Sequence[str], n_jobs: int | None, is_quiet: bool = False
) -> tuple[Recognizer, int]:
    """Get to know the person of some clips or folders; say which of them cannot be read.

    Returns:
        What judges this person, and how many clips cannot be read.

    Raises:
        MediaError: When there is no clip in the only folder.
        CalibrationError: When no clip can be read, or none has a voice or a face.
    """
    from emorec.cli.progress import BatchProgress
    from emorec.media.find import find_clips

    clips = find_clips(names)
    if len(clips) == 1 and isinstance(clips[0], MediaError):
        raise clips[0]
    with BatchProgress("Calibrating", len(clips), is_quiet) as progress:
        found = list(
            results(lambda some, watch: read_here(recognizer, some, n_jobs, watch), clips, progress)
        )
    readable = [result for result in found if result.status != "failed"]
    for result in found:
        if result.status == "failed":
            path = printable(result.name)
            common.say(f"not calibrated on {path}: {result.reason}. Remedy: {result.remedy}.")
    if not readable:
        what = ", ".join(names)
        raise CalibrationError(what, "none of its clips can be read", "name other clips")
    personal = recognizer.calibrated_on(readable)
    for note in personal.speaker.notes:
        common.say(note)
    return personal, len(found) - len(readable)
