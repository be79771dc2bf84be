"""Processes that work beside this one; one that dies costs its own piece of work and no other.

A worker is a Python process of its own that gets one piece of work after the other through a pipe.
What crosses the pipe is pickled, as by `multiprocessing`: both ends are this program, and nothing
is read from a file.
The pipe ends with the process that started it, however that is ended, and the worker with the pipe.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, TypeVar

__all__ = ["fitting_jobs", "in_order", "threads_each"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_AHEAD = 2  # pieces of work per worker that wait for it or for those before them
_PATIENCE_S = 10.0
_ITEMS_PER_WORKER = 4  # fewer than these are done before a worker has loaded the models
_GONE = (EOFError, OSError, pickle.UnpicklingError)


def in_order(
    function: Callable[[Item], Answer],
    items: Iterable[Item],
    n_jobs: int,
    lost: Callable[[Item, str], Answer],
) -> Iterator[Answer]:
    """Apply a function to many items, several at once.

    Args:
        function: What a worker does; it is sent by its name, and so has to be importable.
        items: What it is done to.
        n_jobs: Number of workers.
        lost: Called with an item and how its worker ended, where one died over it.

    Yields:
        The answers in the order of the items.

    Raises:
        Exception: What the function raised.
    """
    workers = [_Worker(n_jobs) for _ in range(n_jobs)]
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def do(item: Item) -> Answer:
        worker = idle.get()
        try:
            answer = worker.ask(function, item)
            return lost(item, answer.how) if isinstance(answer, _Died) else answer
        finally:
            idle.put(worker)

    waiting: deque[Future[Answer]] = deque()
    threads = ThreadPoolExecutor(n_jobs, "working")
    try:
        for item in items:
            waiting.append(threads.submit(do, item))
            if len(waiting) > _AHEAD * n_jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        for worker in workers:
            worker.end()
        threads.shutdown()


def fitting_jobs(items: int) -> int:
    """Return how many workers do some items soonest, where each takes a fraction of a second.

    One a core that this process may use, and no more than there are items to share out; 1 means
    that this process does them itself.

    >>> fitting_jobs(1)
    1
    """
    most = items // _ITEMS_PER_WORKER
    return min(most, _cores()) if most > 1 else 1


def threads_each(n_jobs: int) -> int:
    """Return how many threads each of some processes may have, so that none waits for a core."""
    return max(1, _cores() // n_jobs)


def _cores() -> int:
    """How many cores this process may use: less than there are in a container or a batch job."""
    from joblib import cpu_count

    return max(1, cpu_count())


class _Died:
    """Stands for an answer that never came."""

    def __init__(self, how: str):
        self.how = how


class _Worker:
    """A process that is started when there is work, and anew when it has died."""

    def __init__(self, n_jobs: int):
        self._n_jobs = n_jobs
        self._process: subprocess.Popen | None = None
        self._is_ended = False
        self._lock = threading.Lock()

    def ask(self, function: Callable[[Item], Answer], item: Item) -> Answer | _Died:
        with self._lock:
            if self._is_ended:
                return _Died("ended")
            if self._process is None:
                self._process = _started(self._n_jobs)
            process = self._process
        try:
            requests, answers = _pipes(process)
            pickle.dump((function, item), requests)
            requests.flush()
            is_answer, answer = pickle.load(answers)
        except _GONE:
            return _Died(self._how_it_ended(process))
        if is_answer:
            return answer
        raise answer

    def end(self) -> None:
        """End the process, whatever it does."""
        with self._lock:
            self._is_ended = True
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                for pipe in _pipes(self._process):
                    with contextlib.suppress(OSError):
                        pipe.close()

    def _how_it_ended(self, process: subprocess.Popen) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_S)
        process.kill()
        status = process.wait()
        with self._lock:
            if not self._is_ended:
                self._process = None
                for pipe in _pipes(process):
                    with contextlib.suppress(OSError):
                        pipe.close()
        if status >= 0:
            return f"status {status}"
        try:
            return signal.Signals(-status).name
        except ValueError:
            return f"signal {-status}"


def _pipes(process: subprocess.Popen) -> tuple[IO[bytes], IO[bytes]]:
    """Where a worker's requests go, and where its answers come from."""
    if process.stdin is None or process.stdout is None:
        raise OSError("the worker has no pipes")
    return process.stdin, process.stdout


def _started(n_jobs: int) -> subprocess.Popen:
    """Start a process that finds the same modules; not by a fork, which copies held locks."""
    threads = str(threads_each(n_jobs))
    environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, **os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return subprocess.Popen(
        [sys.executable, "-c", "from emorec.workers import _work; _work()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )


def _work() -> None:
    """Do what comes through the pipe until it ends."""
    # A terminal sends Ctrl-C to the workers as well; the process that started them ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # Whatever libraries print must not get between the answers.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    todo: queue.SimpleQueue = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, todo), daemon=True).start()
    while True:
        function, item = todo.get()
        try:
            answer = True, function(item)
        except Exception as error:
            answer = False, error
        try:
            text = pickle.dumps(answer)
        except Exception as error:
            text = pickle.dumps((False, RuntimeError(f"an answer that cannot be sent: {error}")))
        answers.write(text)
        answers.flush()


def _listen(requests, todo: queue.SimpleQueue) -> None:
    """Take work in; end this process at once when whoever started it is gone."""
    try:
        while True:
            todo.put(pickle.load(requests))
    except EOFError:
        os._exit(0)
    except Exception as error:  # work that cannot be read, as of a function that is not importable
        sys.stderr.write(f"emorec: work that cannot be read: {error}\n")
        os._exit(1)
