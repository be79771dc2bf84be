"""How far a batch of clips is: a bar in a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType

from emorec.cli import common
from emorec.result.clip import ClipResult
from emorec.streams.segments import clock

__all__ = ["BatchProgress"]

LINE_EVERY_S = 10.0


class BatchProgress:
    """Tells on the standard error how far a batch is; a context manager.

    Args:
        what: What is done, for instance "Classifying".
        clips: How many clips there are.
        is_quiet: Whether nothing is to be told.
        now: Seconds from any start.
    """

    def __init__(
        self,
        what: str,
        clips: int,
        is_quiet: bool = False,
        now: Callable[[], float] = time.monotonic,
    ):
        self._what, self._clips, self._now = what, clips, now
        self._is_quiet = is_quiet
        self._begun_s = self._told_s = now()
        self._done = self._without_verdict = 0
        self._read_s = self._inside_s = 0.0
        is_terminal = sys.stderr.isatty() and not is_quiet
        self._bar = common.progress_bar("{task.fields[detail]}") if is_terminal else None

    def __enter__(self) -> BatchProgress:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=self._clips, detail="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def watch(self, read_s: float) -> None:
        """Take how many seconds of the clip that is being read are read."""
        self._inside_s = read_s
        self._tell()

    def finished(self, result: ClipResult) -> None:
        """Take what was found of a clip."""
        self._done += 1
        self._without_verdict += result.emotion is None
        self._read_s += result.duration_s
        self._inside_s = 0.0
        self._tell()

    def _tell(self) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, detail=self.detail)
        elif not self._is_quiet and self._now() - self._told_s >= LINE_EVERY_S:
            self._told_s = self._now()
            common.say(f"{self._done} of {self._clips} clips, {self.detail}{self._left()}")

    @property
    def detail(self) -> str:
        """What was read, how fast, and how much of it in vain."""
        read_s = self._read_s + self._inside_s
        speed = read_s / max(self._now() - self._begun_s, 1e-3)
        is_long = self._inside_s >= LINE_EVERY_S
        inside = f" ({clock(self._inside_s)} of this clip)" if is_long else ""
        vain = f", {self._without_verdict} without a verdict" if self._without_verdict else ""
        return f"{clock(read_s)} read{inside}, {speed:.1f} s/s{vain}"

    def _left(self) -> str:
        if not self._done:
            return ""
        each_s = (self._now() - self._begun_s) / self._done
        return f", about {clock(each_s * (self._clips - self._done))} left"
