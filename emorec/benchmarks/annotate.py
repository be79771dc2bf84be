"""How fast the annotated video is made: ``python -m emorec.benchmarks.annotate CLIP``.

A clip is repeated to one minute and to ten, both are annotated by processes of their own, and
written into `Other/benchmark_annotate.json` how long that took beside the clip's own length, with
the judging included, and how much memory the process held at most.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from emorec import __version__
from emorec.benchmarks.clip import clip_facts, loop_clip, machine_facts
from emorec.files import write_json
from emorec.paths import REPOSITORY, default_models_folder
from emorec.report.overlay_layout import SIDES

_ANNOTATE = """
import resource, sys
import cv2
from emorec.report.video import annotate
from emorec.recognizer import Recognizer
cv2.setNumThreads(1)
models, clip, out, side = sys.argv[1:]
result = annotate(clip, out, Recognizer.load(models), side)
assert result.emotion, result.reason
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write what was measured."""
    parser = argparse.ArgumentParser(
        prog="python -m emorec.benchmarks.annotate", description=__doc__
    )
    add = parser.add_argument
    add("clip", type=Path, help="a 720p clip with picture and sound")
    add("--minutes", type=int, default=10, help="length of the long clip (10)")
    add("--models", type=Path, default=default_models_folder(), help="where the models lie")
    add("--output", type=Path, default=REPOSITORY / "Other" / "benchmark_annotate.json")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        measured = {
            "emorec": __version__,
            "machine": machine_facts(),
            "clip": clip_facts(options.clip),
            **{
                f"{minutes}_minutes": {
                    side: measure(options.clip, options.models, Path(folder), minutes, side)
                    for side in SIDES
                }
                for minutes in (1, options.minutes)
            },
        }
    write_json(options.output, measured)
    print(json.dumps(measured, indent=2))
    return 0


def measure(clip: Path, models: Path, folder: Path, minutes: int, side: str) -> dict:
    """Annotate a repeated clip in a process of its own.

    Args:
        clip: What is repeated.
        models: The models' folder.
        folder: Where the long clip and its video may lie.
        minutes: Length of the long clip.
        side: Where the bars stand, one of `SIDES`.

    Returns:
        Seconds from start to end (loading the networks included), how many times faster than
        real time that is, and the peak of memory.
    """
    long = folder / f"{minutes}_minutes.mkv"
    if not long.exists():
        loop_clip(clip, long, 60 * minutes)
    out = folder / f"{minutes}_minutes_{side}.mp4"
    command = [sys.executable, "-c", _ANNOTATE, *map(str, (models.resolve(), long, out, side))]
    start_s = time.perf_counter()
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    passed_s = time.perf_counter() - start_s
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "length_s": clip_facts(long)["duration_s"],
        "annotate_s": round(passed_s, 1),
        "times_real_time": round(clip_facts(long)["duration_s"] / passed_s, 2),
        "peak_memory_mb": round(int(said) * unit / 1e6, 1),
        "written_mb": round(out.stat().st_size / 1e6, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
