"""Who is read next: one bounded queue of clips for all pages and all requests of the service.

A few threads read; what they do not come to waits, up to a bound. Owners take turns, so that one
who sends forty clips does not keep the next from having one read.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

from emorec.app.store import LONGEST_S, MOST_CLIPS, Stored, too_long
from emorec.errors import EmorecError, MediaError

if TYPE_CHECKING:
    from emorec.recognizer import Recognizer
    from emorec.result.clip import ClipResult

__all__ = [
    "CancelledTicket",
    "QueueFull",
    "ReadingQueue",
    "Report",
    "Stage",
    "State",
    "Ticket",
    "Work",
    "clip_work",
]

READERS = 2
MOST_WAITING = 120
_FIRST_GUESS_S = 5.0  # of how long a clip takes, until some were read
_WEIGHT_OF_THE_LATEST = 0.2
_PATIENCE_S = 5.0

Answer = TypeVar("Answer")
Report = Callable[[float | None], None]
"""Called with the share that is done (None: unknown); what it raises is to end the work."""
Work = Callable[[Report], Answer]


class QueueFull(EmorecError):  # noqa: N818
    """More clips wait than may.

    Attributes:
        retry_after_s: When it may be worth while to try again.
    """

    def __init__(self, waiting: int, retry_after_s: int):
        reason = f"{waiting} clips wait to be read already"
        super().__init__("the queue", reason, f"try again in about {retry_after_s} s")
        self.waiting, self.retry_after_s = waiting, retry_after_s

    def __reduce__(self) -> tuple:
        return type(self), (self.waiting, self.retry_after_s)


class CancelledTicket(EmorecError):  # noqa: N818
    """Work that nobody wants any more."""

    def __init__(self):
        super().__init__("the clip", "nobody waits for it any more", "send it again")

    def __reduce__(self) -> tuple:
        return type(self), ()


class Stage(StrEnum):
    """How far a piece of work is."""

    WAITING = "waiting"
    READING = "reading"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_last(self) -> bool:
        """Whether nothing follows."""
        return self in (Stage.DONE, Stage.FAILED, Stage.CANCELLED)


@dataclass(frozen=True)
class State:
    """How far a piece of work is, in full.

    Attributes:
        stage: One of five.
        place: While it waits: 1 is read next.
        share: While it is read: from 0 to 1; None where nobody knows.
    """

    stage: Stage
    place: int | None = None
    share: float | None = None


class Ticket(Generic[Answer]):
    """A piece of work that was taken; `ReadingQueue.submit` makes it.

    Attributes:
        owner: Whose it is.
    """

    def __init__(self, queue: ReadingQueue, work: Work[Answer], owner: str):
        self.owner = owner
        self._queue = queue
        self._work = work
        self._future: Future[Answer] = Future()
        self._stage = Stage.WAITING
        self._share: float | None = None
        self._is_unwanted = False

    @property
    def state(self) -> State:
        """How far it is."""
        with self._queue._lock:
            if self._stage is Stage.WAITING:
                return State(self._stage, place=self._queue._place(self))
            share = self._share if self._stage is Stage.READING else None
            return State(self._stage, share=share)

    def cancel(self) -> None:
        """Want it no more: what waits is dropped, what is being read ends at its next report."""
        with self._queue._lock:
            self._is_unwanted = True
            was_waiting = self._queue._drop(self)
        if was_waiting:
            self._fail(Stage.CANCELLED, CancelledTicket())

    def result(self, timeout_s: float | None = None) -> Answer:
        """Wait for the answer, on a thread that may.

        Raises:
            CancelledTicket: When it was cancelled.
            TimeoutError: When it takes longer than that.
            Exception: What the work raised.
        """
        return self._future.result(timeout_s)

    async def finished(self) -> Answer:
        """Wait for the answer; whoever stops waiting has not cancelled it by that.

        Raises:
            CancelledTicket: When it was cancelled.
            Exception: What the work raised.
        """
        future = asyncio.wrap_future(self._future)
        future.add_done_callback(_looked_at)
        return await asyncio.shield(future)

    async def states(self, every_s: float = 0.2) -> AsyncIterator[State]:
        """Yield the state now, whenever it is another one, and the last one."""
        told = None
        while True:
            state = self.state
            if state != told:
                yield (told := state)
            if state.stage.is_last:
                return
            await asyncio.sleep(every_s)

    def _read(self) -> None:
        """Do the work, on a reader's thread."""
        try:
            answer = self._work(self._report)
        except BaseException as error:  # a thread has nobody above who could take it
            self._fail(Stage.FAILED, error)
            return
        if self._is_unwanted:
            self._fail(Stage.CANCELLED, CancelledTicket())
            return
        del self._work  # and with it whatever it holds
        self._stage = Stage.DONE
        self._future.set_result(answer)

    def _report(self, share: float | None) -> None:
        if self._is_unwanted:
            raise CancelledTicket
        self._share = None if share is None else min(max(share, 0.0), 1.0)

    def _fail(self, stage: Stage, error: BaseException) -> None:
        del self._work
        if self._is_unwanted:
            stage, error = Stage.CANCELLED, CancelledTicket()
        self._stage = stage
        self._future.set_exception(error)


class ReadingQueue:
    """Threads that read, and what waits for them.

    Args:
        readers: How many are read at once.
        most_waiting: How many may wait.
        most_each: How many of one owner may wait.

    Example:
        >>> with ReadingQueue(readers=1) as queue:
        ...     queue.submit(lambda report: 6 * 7, "anna").result()
        42
    """

    def __init__(
        self,
        readers: int = READERS,
        most_waiting: int = MOST_WAITING,
        most_each: int = MOST_CLIPS,
    ):
        self._most_waiting, self._most_each = most_waiting, most_each
        self._lock = threading.RLock()
        self._is_work = threading.Condition(self._lock)
        # Owner -> what waits of theirs; the first owner's first is next.
        self._waiting: dict[str, deque[Ticket]] = {}
        self._reading: set[Ticket] = set()
        self._is_closed = False
        self._usual_s = _FIRST_GUESS_S
        self._threads = [
            threading.Thread(target=self._serve, name=f"reading {number}", daemon=True)
            for number in range(1, readers + 1)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> ReadingQueue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """How many wait."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def submit(self, work: Work[Answer], owner: str) -> Ticket[Answer]:
        """Take a piece of work; see `submit_all`."""
        return self.submit_all([work], owner)[0]

    def submit_all(self, works: Sequence[Work[Answer]], owner: str) -> list[Ticket[Answer]]:
        """Take pieces of work, all of them or none.

        Args:
            works: Functions that get what they are to report to.
            owner: Whose they are; owners take turns.

        Raises:
            QueueFull: When they are more than may wait.
        """
        with self._lock:
            self.check_room(owner, len(works))
            tickets = [Ticket(self, work, owner) for work in works]
            if tickets:  # nobody waits with nothing
                self._waiting.setdefault(owner, deque()).extend(tickets)
                self._is_work.notify(len(tickets))
        return tickets

    def check_room(self, owner: str, pieces: int = 1) -> None:
        """Tell whether work would be taken, before it is sent.

        Raises:
            QueueFull: When it would not.
        """
        with self._lock:
            waiting, own = len(self), len(self._waiting.get(owner, ()))
            free = self._free_readers()
            if self._is_closed or max(waiting + pieces - free, 0) > self._most_waiting:
                raise QueueFull(waiting, self._retry_after_s(waiting))
            if own + pieces - free > self._most_each:
                raise QueueFull(own, self._retry_after_s(own))

    def cancel_of(self, owner: str) -> None:
        """Want nothing more of what is an owner's."""
        with self._lock:
            reading = [ticket for ticket in self._reading if ticket.owner == owner]
            theirs = [*self._waiting.get(owner, ()), *reading]
        for ticket in theirs:
            ticket.cancel()

    def close(self) -> None:
        """Cancel everything, take nothing more, and wait a little for the readers."""
        with self._lock:
            self._is_closed = True
            owners = {*self._waiting, *(ticket.owner for ticket in self._reading)}
            self._is_work.notify_all()
        for owner in owners:
            self.cancel_of(owner)
        patient_until_s = time.monotonic() + _PATIENCE_S
        for thread in self._threads:
            thread.join(max(0.0, patient_until_s - time.monotonic()))

    def _serve(self) -> None:
        while (ticket := self._next()) is not None:
            began_s = time.monotonic()
            ticket._read()
            took_s = time.monotonic() - began_s
            with self._lock:
                self._reading.discard(ticket)
                self._usual_s += _WEIGHT_OF_THE_LATEST * (took_s - self._usual_s)
            del ticket  # a reader that waits holds no answer

    def _next(self) -> Ticket | None:
        """Wait for work; None when there will be none."""
        with self._lock:
            while not self._waiting:
                if self._is_closed:
                    return None
                self._is_work.wait()
            owner, theirs = next(iter(self._waiting.items()))
            ticket = theirs.popleft()
            del self._waiting[owner]
            if theirs:
                self._waiting[owner] = theirs  # behind the others
            ticket._stage = Stage.READING
            self._reading.add(ticket)
            return ticket

    def _drop(self, ticket: Ticket) -> bool:
        """Take a ticket out of those that wait; tells whether it was among them."""
        theirs = self._waiting.get(ticket.owner, deque())
        if ticket not in theirs:
            return False
        theirs.remove(ticket)
        if not theirs:
            del self._waiting[ticket.owner]
        return True

    def _place(self, ticket: Ticket) -> int | None:
        """Return a place when owners take turns; None where it is just being dropped."""
        if ticket not in self._waiting.get(ticket.owner, ()):
            return None
        rounds = self._waiting[ticket.owner].index(ticket)
        place, is_before = 1, True
        for owner, theirs in self._waiting.items():
            if owner == ticket.owner:
                place, is_before = place + rounds, False
            else:
                place += min(len(theirs), rounds + is_before)
        return place

    def _free_readers(self) -> int:
        return len(self._threads) - len(self._reading)

    def _retry_after_s(self, waiting: int) -> int:
        return max(1, round(waiting * self._usual_s / len(self._threads)))


def _looked_at(future: asyncio.Future) -> None:
    """Have nothing said of an error that nobody waits for any more."""
    if not future.cancelled():
        future.exception()


def clip_work(recognizer: Recognizer, clip: Stored) -> Work[ClipResult]:
    """Return the work of reading a clip; where it cannot be read, the result says why."""

    def read(report: Report) -> ClipResult:
        def watch(read_s: float) -> None:
            if read_s > LONGEST_S:
                raise MediaError(clip.path, too_long().rstrip("."), "see above")
            report(read_s / clip.duration_s if clip.duration_s else None)

        report(0.0)
        return recognizer.classify_safely(clip.path, watch)

    return read
