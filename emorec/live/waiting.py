"""What waits for a worker that must not lag: a bounded queue whose oldest items give way."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

__all__ = ["Waiting"]


class Waiting:
    """What waits for a worker: a bounded queue whose oldest items give way.

    Args:
        limit: Sum of the items' sizes that may wait.
    """

    def __init__(self, limit: float):
        self.is_closed = False
        self._limit = limit
        self._items: deque[tuple[object, float]] = deque()
        self._changed = threading.Condition()
        self._is_working = False

    def put(self, item: object, size: float) -> float:
        """Add an item; return the size of what had to give way to it."""
        with self._changed:
            if self.is_closed:
                return 0
            self._items.append((item, size))
            waiting, dropped = sum(size for _, size in self._items), 0.0
            while waiting - dropped > self._limit and len(self._items) > 1:
                dropped += self._items.popleft()[1]
            self._changed.notify_all()
        return dropped

    def get(self, timeout_s: float) -> Any:
        """Return the oldest item, None where none comes in time."""
        with self._changed:
            self._is_working = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._items or self.is_closed, timeout_s)
            if not self._items or self.is_closed:
                return None
            self._is_working = True
            return self._items.popleft()[0]

    def newest(self, item: object) -> tuple[Any, int]:
        """Return the newest item, or `item` where none waits, and how many were passed over."""
        rest = self.rest()
        return (rest[-1], len(rest)) if rest else (item, 0)

    def rest(self) -> list[Any]:
        """Return all that waits, the oldest first."""
        with self._changed:
            items, self._items = [item for item, _ in self._items], deque()
        return items

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until nothing waits and nobody works; False where that takes too long."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.is_closed or not (self._items or self._is_working), timeout_s
            )

    def close(self) -> None:
        """Wake the worker for the last time."""
        with self._changed:
            self.is_closed = True
            self._items.clear()
            self._changed.notify_all()
