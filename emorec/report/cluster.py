"""Many clips on a cluster, by Dask: any scheduler and its workers, from one machine to hundreds.

Each worker loads the models once and gets one clip after the other; what it finds comes back as
numbers and words, without pictures. A worker that dies costs nothing but time: Dask gives its clips
to others, until one has cost so many workers as Dask allows
(`distributed.scheduler.allowed-failures`).
"""

from __future__ import annotations

import contextlib
import logging
import queue
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker, WorkerPlugin

from emorec import __version__, models, recognizer
from emorec.errors import EmorecError
from emorec.media.storage import is_address
from emorec.paths import default_models_folder
from emorec.recognizer import Recognizer
from emorec.result.clip import ClipResult
from emorec.streams.judge import Purpose

__all__ = ["ClusterError", "Models", "classify_many", "connected", "models_of"]

PATIENCE_S = 10.0
"""So long a scheduler may take to answer, and workers to be there."""

_COUNTED_EVERY_S = 5.0
_RESUME = "start it again, and go on with --resume: what was found is kept"
_START = "start it with: dask scheduler; and workers: dask worker tcp://HOST:8786"

Origin = tuple[str | None, str, str]
"""What `Recognizer.load` is told; None is the folder of models that comes with it."""


class ClusterError(EmorecError):
    """A cluster that does not answer, or whose workers cannot do the work."""


class Models(WorkerPlugin):
    """Loads the models once in each worker, also in one that joins later.

    One that has another version or other models is not let in.

    Args:
        origin: What `Recognizer.load` is told.
        expected: What `models_of` has to return, as for the program that sends the work.
    """

    name = "emorec-models"

    def __init__(self, origin: Origin, expected: dict[str, str]):
        self._origin, self._expected = origin, expected

    def setup(self, worker: Any) -> None:
        """Load the models.

        Raises:
            ClusterError: When the worker's are others.
        """
        _refuse_others(worker.address, models_of(self._origin), self._expected)
        recognizer.loaded_in_worker(self._origin, 1)


def models_of(origin: Origin) -> dict[str, str]:
    """Return what has to be the same everywhere: the version, and fingerprints of the models."""
    folder, _, voice_model = origin
    where = default_models_folder() if folder is None else Path(folder)
    return {"emorec": __version__, **models.fingerprints(where, voice_model)}


@contextlib.contextmanager
def connected(scheduler: str) -> Iterator[Client]:
    """Connect with a scheduler, such as "tcp://HOST:8786".

    Raises:
        ClusterError: When it does not answer within ten seconds.
    """
    # What it says of lost connections is said here in one line.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(scheduler, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = f"no scheduler answers there within {PATIENCE_S:.0f} s"
        raise ClusterError(scheduler, reason, _START) from error
    try:
        yield client
    finally:
        client.close(timeout=2)


def classify_many(
    client: Client, known: Recognizer, clips: Iterable[str | Path]
) -> Iterator[ClipResult]:
    """Read the emotion of many clips on a cluster.

    Clips are handed out as workers get free, never many more than there are threads, so that ten
    thousand burden neither the scheduler nor this process. Workers read them by the same paths or
    addresses.

    Args:
        client: Of Dask, connected.
        known: A recogniser with the models, and the person, that the workers are to have.
        clips: Paths or addresses.

    Yields:
        The results as they come, in any order; without pictures of faces.

    Raises:
        ClusterError: When the workers lack emorec or the models, have others, or the scheduler
            goes.
    """
    origin = _origin_for_workers(known)
    expected = {"emorec": __version__, **known.fingerprints}
    _check_workers(client, origin, expected)
    try:
        client.register_plugin(Models(origin, expected))
    except EmorecError as error:
        raise ClusterError(error.what, error.reason, error.remedy) from error
    work = _Work(client, origin, replace(known.purpose, everybody=False))
    try:
        for clip in clips:
            while not work.has_room():
                yield work.next()
            work.send(clip)
        while work.waiting:
            yield work.next()
    finally:
        work.end()


class _Work:
    """Clips that are with the cluster."""

    def __init__(self, client: Client, origin: Origin, purpose: Purpose):
        self.waiting: dict[object, tuple[str | Path, Future]] = {}
        self._client = client
        self._read = partial(_read_without_pictures, origin, purpose)
        self._done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._run = f"emorec-{uuid.uuid4().hex}"
        self._sent = 0
        self._threads, self._counted_s = 0, -_COUNTED_EVERY_S

    def has_room(self) -> bool:
        """Tell whether a thread may be free.

        None waits behind another on its worker, where it would share the blame for a death.
        """
        if time.monotonic() - self._counted_s >= _COUNTED_EVERY_S:
            self._counted_s = time.monotonic()
            with self._told():
                self._threads = sum(self._client.nthreads().values())
        return len(self.waiting) < max(1, self._threads)

    def send(self, clip: str | Path) -> None:
        path = str(clip) if is_address(clip) else str(Path(clip).absolute())
        self._sent += 1
        with self._told():
            future = self._client.submit(
                self._read, path, key=f"{self._run}-{self._sent}", pure=False
            )
        self.waiting[future.key] = clip, future
        future.add_done_callback(self._done.put)

    def next(self) -> ClipResult:
        """Wait for the next result."""
        future = self._done.get()
        clip, _ = self.waiting.pop(future.key)
        if future.status == "cancelled":
            raise self._gone()
        try:
            with self._told():
                found = future.result()
        except KilledWorker as error:
            return _lost(clip, error)
        return found if is_address(clip) else replace(found, path=Path(clip))

    def end(self) -> None:
        """Take back what is not done."""
        with contextlib.suppress(Exception):
            self._client.cancel([future for _, future in self.waiting.values()])

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if isinstance(error, KilledWorker) or self._client.status == "running":
                raise
            raise self._gone() from error

    def _gone(self) -> ClusterError:
        return ClusterError(_address(self._client), "the scheduler has gone", _RESUME)


def _read_without_pictures(origin: Origin, purpose: Purpose, path: str) -> ClipResult:
    """What a worker does: read a clip on one thread."""
    try:
        found = recognizer.classify_in_worker(origin, 1, purpose, path)
    except Exception as error:  # not every error can be sent, and one that cannot stops the client
        reason = f"a worker failed over it, {type(error).__name__}: {error}"
        return ClipResult.failed(path, reason, "read it alone; if that fails too, report it")
    return replace(found, faces_used=[], face_track=None, seen=None, heard=None)


def _lost(clip: str | Path, error: KilledWorker) -> ClipResult:
    times = error.allowed_failures + 1
    reason = f"{times} workers died over it, as they do that run out of memory"
    return ClipResult.failed(clip, reason, "read it alone; if that fails too, report it")


def _address(client: Client) -> str:
    return str(client.scheduler.address) if client.scheduler is not None else "the cluster"


def _origin_for_workers(known: Recognizer) -> Origin:
    """What comes with emorec lies elsewhere on another machine."""
    folder, engine, voice_model = known.origin
    is_default = Path(folder) == default_models_folder()
    return None if is_default else str(Path(folder).absolute()), engine, voice_model


def _check_workers(client: Client, origin: Origin, expected: dict[str, str]) -> None:
    """Refuse workers that cannot do the work, by their names."""
    where = _address(client)
    try:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except TimeoutError as error:
        reason = "the scheduler has no workers"
        raise ClusterError(where, reason, f"start some: dask worker {where}") from error
    for worker, found in client.run(models_of, origin, on_error="return").items():
        if isinstance(found, EmorecError):
            reason = f"the worker lacks the models ({found.what}: {found.reason})"
            raise ClusterError(worker, reason, "put the same models there, or stop the worker")
        if isinstance(found, BaseException):
            reason = f"the worker cannot run emorec ({type(found).__name__}: {found})"
            remedy = f"install emorec {__version__} there, or stop the worker"
            raise ClusterError(worker, reason, remedy)
        _refuse_others(worker, found, expected)


def _refuse_others(worker: str, found: dict[str, str], expected: dict[str, str]) -> None:
    if found["emorec"] != expected["emorec"]:
        reason = f"the worker has emorec {found['emorec']}, and this is {expected['emorec']}"
        raise ClusterError(worker, reason, f"install emorec {expected['emorec']} there")
    others = [part for part, digest in expected.items() if found.get(part) != digest]
    if others:
        reason = f"the worker has other models ({', '.join(others)})"
        raise ClusterError(worker, reason, "put the same models there, or stop the worker")
