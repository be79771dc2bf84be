"""Draw from an iterable on another thread, while its consumer works."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["read_ahead"]

Piece = TypeVar("Piece")


def read_ahead(pieces: Iterable[Piece], depth: int) -> Iterator[Piece]:
    """Draw from an iterable on another thread, at most `depth` pieces ahead.

    What the iterable raises is raised here. The thread ends when the consumer stops.
    """
    ready: queue.Queue = queue.Queue(depth)
    stopped = threading.Event()
    end = object()

    def put(item) -> bool:
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
        thread.join()
