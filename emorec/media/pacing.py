"""The pace of pictures: which frames to look at, and how far ahead of the work to decode them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

import numpy as np

__all__ = ["FALLBACK_FRAME_RATE_HZ", "Pace", "read_ahead"]

FALLBACK_FRAME_RATE_HZ = 25
"""What a picture is taken to move at where its file does not tell."""

Piece = TypeVar("Piece")

# A signal that ends the process may come inside the queue, whose lock then stays taken: the thread
# would wait for it for ever, and whoever ended the process for the thread.
_LONGEST_END_S = 20.0


class Pace:
    """Tells which frames to look at, so that about `rate_hz` of them are.

    Args:
        rate_hz: Frames a second; the mean rate is kept where there are enough frames. Where it is
            infinite, all are looked at.

    >>> pace = Pace(10)
    >>> [pace.is_due(time_s) for time_s in (0.0, 0.04, 0.12, 0.16, 0.2)]
    [True, False, True, False, True]
    """

    def __init__(self, rate_hz: float):
        self._period_s = 1 / rate_hz
        self._due_s = -np.inf

    def is_due(self, time_s: float) -> bool:
        """Tell whether the next frame, which stands at `time_s`, is to be looked at."""
        if not self._period_s:
            return True
        if time_s < self._due_s:
            return False
        is_first = self._due_s == -np.inf
        # A millisecond off, so that rounded time stamps do not fall just short of being due.
        earliest_s = time_s + (self._period_s if is_first else self._period_s / 2) - 0.001
        self._due_s = max(self._due_s + self._period_s, earliest_s)
        return True


def read_ahead(pieces: Iterable[Piece], depth: int) -> Generator[Piece]:
    """Draw from an iterable on another thread, at most `depth` pieces ahead of the consumer.

    What the iterable raises is raised here. The thread ends when the consumer stops.
    """
    ready: queue.Queue = queue.Queue(depth)
    stopped = threading.Event()
    end = object()

    def put(item: tuple[object, BaseException | None]) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def draw() -> None:
        try:
            for piece in pieces:
                if not put((piece, None)):
                    return
            put((end, None))
        except BaseException as error:  # handed over to the consumer
            put((end, error))

    thread = threading.Thread(target=draw, name="reading ahead", daemon=True)
    thread.start()
    try:
        while True:
            piece, error = ready.get()
            if error is not None:
                raise error
            if piece is end:
                return
            yield piece
    finally:
        stopped.set()
        thread.join(_LONGEST_END_S)
