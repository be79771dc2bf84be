"""How fast the live engine is: ``python -m emorec.benchmarks.live CLIP --minutes 30``.

A clip is played again and again at its own speed, as `emorec live --file CLIP --loop` does, and
written into `Other/benchmark_live.json` how many frames a second were taken in, how long each took
to its verdict, how much processor time that cost and how memory went.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from emorec import __version__
from emorec.benchmarks.clip import clip_facts, machine_facts
from emorec.files import write_json
from emorec.live.engine import LiveCounts, LiveEngine
from emorec.live.sources import FileSource
from emorec.media.reader import read_frames
from emorec.paths import REPOSITORY, default_models_folder
from emorec.recognizer import Recognizer
from emorec.streams.picture import LivePicture

_SAMPLES = 60  # of the memory, spread over the run
_SETTLED_AFTER = 0.1  # share of the run after which memory is compared
_VERDICT_EVERY_S = 0.1
_ROUNDS_OF_WORK = 5  # of which the quickest counts for each frame


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write what was measured."""
    parser = argparse.ArgumentParser(prog="python -m emorec.benchmarks.live", description=__doc__)
    add = parser.add_argument
    add("clip", type=Path, help="a 720p clip with picture and sound")
    add("--minutes", type=float, default=30, help="how long it is played (30)")
    add("--rounds", type=int, default=1, help="how often that is done; all are written (1)")
    add("--models", type=Path, default=default_models_folder(), help="where the models lie")
    add("--output", type=Path, default=REPOSITORY / "Other" / "benchmark_live.json")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)  # as the command line does
    recognizer = Recognizer.load(options.models)
    rounds = [
        measure(recognizer, options.clip, 60 * options.minutes) for _ in range(options.rounds)
    ]
    measured = {
        "emorec": __version__,
        "machine": {**machine_facts(), "cores_used": _usable_cores()},
        "clip": clip_facts(options.clip),
        "rounds": rounds,
    }
    write_json(options.output, measured)
    print(json.dumps(measured, indent=2))
    return 0


def measure(recognizer: Recognizer, clip: Path, length_s: float) -> dict:
    """Play a clip again and again for some time through a live engine.

    Args:
        recognizer: What judges.
        clip: A clip with picture and sound.
        length_s: How long.

    Returns:
        Counts, rates, latencies, memory and the load of the machine meanwhile.
    """
    import psutil

    process = psutil.Process()
    memory_mb, loads = [], []
    with LiveEngine(recognizer) as engine, FileSource(engine, clip, float("inf")):
        while not engine.counts.taken:
            time.sleep(_VERDICT_EVERY_S)
        start_s, busy_s = time.perf_counter(), _processor_s(process)
        first = engine.counts
        while (passed_s := time.perf_counter() - start_s) < length_s:
            engine.verdict()
            if passed_s >= len(memory_mb) * length_s / _SAMPLES:
                memory_mb.append(round(process.memory_info().rss / 1e6, 1))
                loads.append(os.getloadavg()[0])
            time.sleep(_VERDICT_EVERY_S)
        counts, busy_s = engine.counts, _processor_s(process) - busy_s
    return {
        "length_s": round(passed_s, 1),
        **_rates(first, counts, passed_s),
        "processor_s_per_s": round(busy_s / passed_s, 3),
        "work_per_frame_ms": _work_per_frame_ms(recognizer, clip),
        "memory_mb": _memory(memory_mb),
        "load_average": {
            "median": round(float(np.median(loads)), 1),
            "highest": round(max(loads), 1),
        },
        "counts": asdict(counts),
    }


def _usable_cores() -> int:
    """Number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _rates(first: LiveCounts, last: LiveCounts, passed_s: float) -> dict:
    return {
        "frames_taken_per_s": round((last.taken - first.taken) / passed_s, 2),
        "frames_dropped_per_s": round((last.dropped - first.dropped) / passed_s, 3),
        "verdicts_per_s": round((last.verdicts - first.verdicts) / passed_s, 1),
        "latency_ms": {
            "median": round(1000 * last.latency_median_s, 1),
            "p95": round(1000 * last.latency_p95_s, 1),
        },
    }


def _work_per_frame_ms(recognizer: Recognizer, clip: Path) -> dict:
    """Processor time of each frame alone, which other work on the machine hardly touches."""
    batches = list(read_frames(clip))
    rounds_s = []
    for _ in range(_ROUNDS_OF_WORK):
        picture = LivePicture(recognizer.networks, recognizer.landmarks)
        rounds_s.append([])
        for batch in batches:
            for time_s, frame in zip(batch.times_s.tolist(), batch.frames, strict=True):
                start_s = time.thread_time()
                picture.take(time_s, frame)
                picture.posteriors()
                rounds_s[-1].append(time.thread_time() - start_s)
    frames_ms = 1000 * np.min(rounds_s, axis=0)
    return {
        "mean": round(float(frames_ms.mean()), 2),
        "p95": round(float(np.quantile(frames_ms, 0.95)), 2),
        "highest": round(float(frames_ms.max()), 2),
    }


def _processor_s(process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _memory(samples_mb: list[float]) -> dict:
    """Memory over the run: medians of both halves once it settled, and the growth in between."""
    settled = samples_mb[round(_SETTLED_AFTER * len(samples_mb)) :]
    middle = max(1, len(settled) // 2)
    begin, end = (float(np.median(part)) for part in (settled[:middle], settled[-middle:]))
    return {
        "first": samples_mb[0],
        "first_half": round(begin, 1),
        "second_half": round(end, 1),
        "highest": max(samples_mb),
        "course": samples_mb[:: max(1, len(samples_mb) // 20)],
        "growth": round(end / begin - 1, 4),
    }


if __name__ == "__main__":
    sys.exit(main())
