"""What everybody costs: ``python -m emorec.benchmarks.people``.

A clip of five people in 720p, who speak in turn, is put together of JavaSED's and read: once with
the main face alone, once with everybody in it. `Other/benchmark_people.json` holds how long both
took beside the clip's own length, in one run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from emorec import __version__
from emorec.analysis.everybody import performers
from emorec.analysis.people_clips import gathered
from emorec.benchmarks.clip import clip_facts, machine_facts
from emorec.errors import run_main
from emorec.files import write_json
from emorec.paths import REPOSITORY, default_models_folder
from emorec.recognizer import Recognizer

PEOPLE = 5


def main() -> None:
    """Measure, print and write what was measured."""
    parser = argparse.ArgumentParser(
        prog="python -m emorec.benchmarks.people", description=__doc__.split("\n")[0]
    )
    add = parser.add_argument
    add("--models", type=Path, default=default_models_folder(), help="where the models lie")
    add("--rounds", type=int, default=3, help="how often each is measured; the best counts (3)")
    add("--output", type=Path, default=REPOSITORY / "Other" / "benchmark_people.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "five_people.mp4"
        gathered(performers()[:PEOPLE], np.random.default_rng(0)).write(clip)
        measured = {
            "command": "python -m emorec.benchmarks.people",
            "emorec": __version__,
            "machine": machine_facts(),
            "clip": clip_facts(clip),
            **measure(clip, Recognizer.load(options.models), options.rounds),
        }
    write_json(options.output, measured)
    print(json.dumps(measured, indent=2))


def measure(clip: Path, recognizer: Recognizer, rounds: int) -> dict[str, dict[str, float]]:
    """Read a clip with its main face alone and with everybody, in turns.

    Args:
        clip: Of several people.
        recognizer: Reads it.
        rounds: How often; the fastest of each counts.

    Returns:
        "main_face" and "everybody": seconds, seconds of processor time, and how many times the
        clip's own length they are; the people that were seen.
    """
    cv2.setNumThreads(1)  # as the command line does
    ways = {"main_face": recognizer, "everybody": recognizer.for_everybody()}
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for way, reader in ways.items():
            start_s, start_cpu_s = time.perf_counter(), time.process_time()
            result = reader.classify(clip)
            passed_s, cpu_s = time.perf_counter() - start_s, time.process_time() - start_cpu_s
            if way not in best or passed_s < best[way]["seconds"]:
                best[way] = {
                    "people": len(result.people) or 1,
                    "seconds": round(passed_s, 2),
                    "processor_s": round(cpu_s, 2),
                    "times_length": round(passed_s / result.duration_s, 3),
                }
    return best


if __name__ == "__main__":
    run_main(main)
