"""What ``emorec live`` does."""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.errors import OutputError
from emorec.live.engine import LiveEngine, LiveVerdict
from emorec.live.sources import CameraSource, FileSource, MicrophoneSource, Source
from emorec.live.view import LineView, PictureWindow, TerminalView, has_window, sentence
from emorec.media.reader import MediaError
from emorec.report.table import TIMELINE_COLUMNS, timeline_row
from emorec.streams.windows import STREAMS

if TYPE_CHECKING:
    from emorec.recognizer import Recognizer

__all__ = ["Recorder", "run"]

_EXIT_OK, _EXIT_NOTHING, _EXIT_WRONG, _EXIT_INTERRUPTED = 0, 1, 2, 130
_TICK_S = 0.1
_LONGEST_FIRST_TRY_S = 15.0


def run(options: argparse.Namespace, load: Callable[[argparse.Namespace], Recognizer]) -> int:
    """Run the live view until the file ends or Ctrl-C is pressed.

    Args:
        options: Of the command line.
        load: Loads the recogniser that they name.

    Returns:
        The exit status; see ``emorec live --help``.
    """
    from emorec.errors import ModelError

    with contextlib.ExitStack() as stack:
        try:
            if options.file is not None:
                _refuse_to_overwrite(options.file, options.record)
            recorder = stack.enter_context(Recorder(options.record))
            engine = stack.enter_context(LiveEngine(load(options)))
            sources = _sources(options, engine)
        except (ModelError, MediaError, OutputError) as error:
            return _refuse(str(error))
        except KeyboardInterrupt:
            _say("interrupted before it began")
            return _EXIT_INTERRUPTED
        stack.callback(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with contextlib.ExitStack() as playing:
                for source in sources:
                    playing.enter_context(source)
                if not _is_anything_there(sources):
                    return _EXIT_WRONG
                _show(engine, sources, recorder, _view(), playing)
                engine.drain()
        except KeyboardInterrupt:
            pass
        except OutputError as error:
            return _refuse(str(error))
        except BrokenPipeError:
            # The reader of the pipe has gone, which ends the view as Ctrl-C does. What is left
            # goes nowhere, or Python would complain of it when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _say_the_end(engine)


class Recorder:
    """Writes the timeline of a live view as it comes; a context manager.

    Each moment is written whole and at once, so that a process that is ended leaves a whole file.

    Args:
        path: The CSV file, `emorec.report.table.TIMELINE_COLUMNS`; None records nothing.

    Raises:
        OutputError: When it cannot be written.
    """

    def __init__(self, path: Path | None):
        self._path, self._file = path, None
        self._newest_s = float("-inf")
        if path is not None:
            try:
                self._file = path.open("w", newline="", encoding="utf-8")
            except OSError as error:
                remedy = "choose another folder or name"
                raise OutputError(
                    path, f"it cannot be written ({error.strerror})", remedy
                ) from error
            self._write([TIMELINE_COLUMNS])

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, verdict: LiveVerdict | None) -> None:
        """Write a verdict, unless it is the one that was written last."""
        if self._file is None or verdict is None or verdict.time_s <= self._newest_s:
            return
        self._newest_s = verdict.time_s
        self._write(
            timeline_row(verdict.time_s, stream, verdict.probabilities[stream])
            for stream in (*STREAMS, "fused")
            if stream in verdict.probabilities
        )

    def _write(self, rows) -> None:
        try:
            csv.writer(self._file).writerows(rows)
            self._file.flush()
        except OSError as error:
            reason = f"writing failed ({error.strerror})"
            raise OutputError(self._path, reason, "make room") from error


def _sources(options: argparse.Namespace, engine: LiveEngine) -> list[Source]:
    if options.file is not None:
        return [FileSource(engine, options.file, float("inf") if options.loop else 1)]
    camera = [] if options.no_camera else [CameraSource(engine, options.camera)]
    microphone = [] if options.no_microphone else [MicrophoneSource(engine, options.microphone)]
    return [*camera, *microphone]


def _is_anything_there(sources: list[Source]) -> bool:
    """Wait for the first attempts; say what is wrong when none of them succeeds."""
    for source in sources:
        source.wait_until_tried(_LONGEST_FIRST_TRY_S)
    problems = [source.problem for source in sources if source.problem]
    if len(problems) == len(sources):
        for problem in problems:
            _say(problem)
        return False
    return True


def _view():
    from rich.console import Console

    return TerminalView(Console()) if sys.stdout.isatty() else LineView()


def _show(engine, sources, recorder, view, playing) -> None:
    """Show and record ten times a second until all sources have ended."""
    views = [view]
    if has_window():
        views.append(playing.enter_context(PictureWindow()))
    else:
        _say("no window: the installed OpenCV has none, or there is no screen")
    playing.enter_context(view)
    while not all(source.has_ended for source in sources):
        recorder.add(engine.verdict())
        for each in views:
            each.show(engine)
        time.sleep(_TICK_S)
    recorder.add(engine.verdict())


def _say_the_end(engine: LiveEngine) -> int:
    """Say what was found in all; the exit status tells whether there was anything."""
    summary, counts = engine.summary(), engine.counts
    what = sentence(summary) if summary else "neither a voice nor a face was there"
    line = f"in all: {what}\n{counts.taken} frames taken, {counts.dropped} dropped"
    if counts.taken:
        median, late = (1000 * s for s in (counts.latency_median_s, counts.latency_p95_s))
        line += f"; from frame to verdict {median:.0f} ms, 95 % within {late:.0f} ms"
    print(line, flush=True)
    return _EXIT_OK if summary else _EXIT_NOTHING


def _refuse_to_overwrite(clip: Path, record: Path | None) -> None:
    if record is not None and record.exists() and clip.exists() and record.samefile(clip):
        raise OutputError(record, "it is the clip", "choose another name")


def _say(text: str) -> None:
    print(f"emorec: {text}", file=sys.stderr)


def _refuse(text: str) -> int:
    _say(text)
    return _EXIT_WRONG
