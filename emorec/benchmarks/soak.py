"""What hours of visitors do to the page: ``python -m emorec.benchmarks.soak --minutes 30``.

Ten clients upload good and bad clips, read and draw them, watch live views, break off in the midst
and ask for nonsense. Memory, open files, threads and temporary files of the server are noted before
(once each client has done each of these) and after, when all have gone; they must be the same
within `BOUNDS`. What was measured is printed, and written where `--output` says.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emorec import __version__
from emorec.benchmarks.clip import machine_facts
from emorec.benchmarks.visitor import DEEDS, Visitor
from emorec.files import write_json
from emorec.paths import REPOSITORY, default_models_folder

BOUNDS = {"memory_mb": 150.0, "open_files": 8, "threads": 8, "temporary_files": 0}
"""By how much the server may have more at the end than at the start.

Networks keep the memory of the largest clip that they have read.
"""
CLIPS = REPOSITORY / "DEMO" / "Examples"
_KEEP_S = 2.0
_SETTLED_S = 25.0
"""Until all that a visitor left is gone: connections, engines, files, worker threads."""
_SAMPLED_EVERY_S = 2.0
_MOST_PROBLEMS = 50


def main(arguments: list[str] | None = None) -> int:
    """Run the soak; the exit status is 1 where something grew beyond its bound."""
    parser = argparse.ArgumentParser(prog="python -m emorec.benchmarks.soak", description=__doc__)
    add = parser.add_argument
    add("--minutes", type=float, default=30, help="how long clients come and go (30)")
    add("--clients", type=int, default=10, help="how many at once (10)")
    add("--seed", type=int, default=0, help="of what they do (0)")
    add("--models", type=Path, default=default_models_folder(), help="where the models lie")
    add("--output", type=Path, help="a JSON file for what was measured")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="emorec-soak-") as folder:
        with _server(Path(folder), options.models) as server:
            measured = _measure(server, options)
        measured["left_at_the_end"] = [str(path) for path in Path(folder).rglob("*")]
    measured["grown"] = grown(measured["start"], measured["end"])
    measured["problems"] += [f"{name} was left" for name in measured["left_at_the_end"]]
    facts = {"emorec": __version__, "machine": machine_facts(), "bounds": BOUNDS, **measured}
    if options.output:
        write_json(options.output, facts)
    print(json.dumps(facts, indent=2))
    return 1 if measured["grown"] or measured["problems"] else 0


def grown(start: Mapping[str, float], end: Mapping[str, float]) -> dict[str, float]:
    """Return what grew beyond its bound, and by how much.

    >>> grown({"threads": 20}, {"threads": 21}), grown({"threads": 20}, {"threads": 90})
    ({}, {'threads': 70})
    """
    by = {name: end[name] - start[name] for name in start}
    return {name: more for name, more in by.items() if more > BOUNDS[name]}


@dataclass
class _Server:
    """A running `emorec app`, looked at from outside."""

    process: subprocess.Popen
    place: str
    folder: Path
    said: list[str] = field(default_factory=list)

    def state(self) -> dict[str, float]:
        """Return memory, open files, threads and temporary files."""
        import psutil

        process = psutil.Process(self.process.pid)
        return {
            "memory_mb": round(process.memory_info().rss / 1e6, 1),
            "open_files": process.num_fds(),
            "threads": process.num_threads(),
            # Not rglob, which fails where a folder goes while it looks.
            "temporary_files": sum(len(names) for _, _, names in os.walk(self.folder)),
        }


@contextlib.contextmanager
def _server(folder: Path, models: Path) -> Iterator[_Server]:
    command = [sys.executable, "-m", "emorec", "app", "--no-browser", "--port", "0"]
    command += ["--keep", str(_KEEP_S), "--models", str(models)]
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        server = _Server(process, "", folder)
        for line in process.stdout or []:
            server.said.append(line)
            if found := re.search(r"emorec is at http://([\w.:]+)", line):
                server.place = found[1]
                break
        else:
            raise RuntimeError("emorec app did not start:\n" + "".join(server.said))
        threading.Thread(
            target=lambda: server.said.extend(process.stdout or []), daemon=True
        ).start()
        yield server
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def _measure(server: _Server, options: argparse.Namespace) -> dict:
    """Let the clients come and go; the state before and after, and the highest in between."""
    counts: Counter[str] = Counter()
    problems: list[str] = []
    _run_clients(server, options, counts, problems, _each_once)
    start = _settled(server)
    counts.clear()
    end_s = time.monotonic() + 60 * options.minutes
    highest, course = dict(start), [start["memory_mb"]]

    def is_on() -> bool:
        return time.monotonic() < end_s

    def any_deeds(_: int, rng: random.Random) -> Iterator[str]:
        while is_on():
            yield rng.choice(DEEDS)

    sampling = threading.Thread(target=_sample, args=(server, highest, course, is_on), daemon=True)
    sampling.start()
    _run_clients(server, options, counts, problems, any_deeds)
    sampling.join()
    end = _settled(server)
    said = {line.strip() for line in server.said if re.search("Traceback|Error|Exception", line)}
    return {
        "minutes": options.minutes,
        "clients": options.clients,
        "deeds": dict(sorted(counts.items())),
        "start": start,
        "highest": highest,
        "end": end,
        "memory_course_mb": course[:: max(1, len(course) // 30)],
        "problems": [*sorted(said), *problems][:_MOST_PROBLEMS],
    }


def _run_clients(
    server: _Server,
    options: argparse.Namespace,
    counts: Counter[str],
    problems: list[str],
    deeds_of: Callable[[int, random.Random], Iterator[str]],
) -> None:
    """Have each client do its deeds, one after the other.

    Args:
        server: The page.
        options: `clients`, `seed`.
        counts: Gets what was done and how it ended.
        problems: Gets what failed.
        deeds_of: Number of a client, and what chooses for it -> its deeds.
    """

    def client(number: int) -> None:
        rng = random.Random(f"{options.seed} {number}")
        visitor = Visitor(server.place, sorted(CLIPS.glob("*.mp4")), rng)
        for deed in deeds_of(number, rng):
            try:
                counts[f"{deed}: {getattr(visitor, deed)()}"] += 1
            except Exception as error:  # a visitor that fails is what is looked for
                problems.append(f"{deed}: {type(error).__name__}: {error}"[:200])

    threads = [threading.Thread(target=client, args=(n,)) for n in range(options.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _each_once(number: int, _: random.Random) -> Iterator[str]:
    """Yield every deed once; each client begins with another."""
    first = number % len(DEEDS)
    yield from (*DEEDS[first:], *DEEDS[:first])


def _sample(
    server: _Server, highest: dict[str, float], course: list[float], is_on: Callable[[], bool]
) -> None:
    while is_on():
        state = server.state()
        course.append(state["memory_mb"])
        for name, value in state.items():
            highest[name] = max(highest[name], value)
        time.sleep(_SAMPLED_EVERY_S)


def _settled(server: _Server) -> dict[str, float]:
    """Return the state once nobody is there any more."""
    time.sleep(_SETTLED_S)
    return server.state()


if __name__ == "__main__":
    sys.exit(main())
