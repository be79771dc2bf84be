"""How fast, how large: ``python -m emorec.benchmarks.clip``, on one clip and in one run.

Speeds are given as ratios to bare decoding of the same clip, measured in turns, because a ratio
survives a busy machine better than a time does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import av
import cv2
import numpy as np

from emorec import __version__
from emorec.files import write_json
from emorec.media.grey import FrameBatch
from emorec.media.reader import ClipReader, probe
from emorec.paths import REPOSITORY, default_models_folder
from emorec.recognizer import Recognizer
from emorec.streams.picture import PictureStream

COMMITTED = REPOSITORY / "Other" / "benchmark.json"
"""Figures that are committed, and with which new ones are compared."""

WORSE = 1.25
"""So many times a committed ratio is too much."""

MEASURED_PACKAGES = ("av", "numpy", "onnxruntime", "opencv-python-headless", "dlib-bin", "keras")

# Run in a process of its own, for the peak is one of the whole process.
_PEAK_MEMORY = """
import resource, sys
from emorec.recognizer import Recognizer
recognizer = Recognizer.load(sys.argv[1])
for path in sys.argv[2:]:
    assert recognizer.classify(path).emotion, "no verdict"
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write what was measured."""
    parser = argparse.ArgumentParser(prog="python -m emorec.benchmarks.clip", description=__doc__)
    add = parser.add_argument
    add("clip", nargs="?", type=Path, help="a 720p clip (the first of DEMO/Examples)")
    add("--models", type=Path, default=default_models_folder(), help="where the models lie")
    add("--output", type=Path, help="where to write (Other/benchmark-DATE.json)")
    add("--replace", action="store_true", help="write over the committed figures instead")
    add("--check", action="store_true", help="fail where a ratio is a quarter worse than they are")
    add("--rounds", type=int, default=5, help="how often each speed is measured (5)")
    add("--minutes", type=int, default=10, help="length of the long clip (10)")
    options = parser.parse_args(arguments)
    output = COMMITTED if options.replace else options.output or _new_file()
    committed = json.loads(COMMITTED.read_text(encoding="utf-8"))
    examples = sorted((REPOSITORY / "DEMO" / "Examples").glob("*.mp4"))
    clip = options.clip or (examples[0] if examples else None)
    if clip is None:
        parser.error("there is no clip in DEMO/Examples: name one")
    measured = measure(clip, options.models, options.rounds, options.minutes)
    write_json(output, measured)
    print(json.dumps(measured, indent=2))
    worse = compare(measured, committed)
    return 1 if options.check and worse else 0


def _new_file() -> Path:
    return COMMITTED.with_name(f"benchmark-{time.strftime('%Y-%m-%d-%H%M%S')}.json")


def ratios(measured: Mapping) -> dict[str, float]:
    """Return what survives another machine: ratios within one run; the smaller, the better."""
    to_decoding = measured["classify_to_bare_decoding"]
    clips_per_s, peak = measured["clips_per_s"], measured["peak_memory_mb"]
    return {
        "a clip to bare decoding": to_decoding["clip"]["ratio"],
        "a minute to bare decoding": to_decoding["one_minute"]["ratio"],
        "one job to two, clips a second": clips_per_s["1_jobs"] / clips_per_s["2_jobs"],
        "memory of a long clip to a minute's": 1 + peak["growth"],
    }


def compare(measured: Mapping, committed: Mapping) -> list[str]:
    """Say how ratios stand to the committed ones; returns the names of those a quarter worse."""
    before = ratios(committed)
    if measured["clip"]["name"] != committed["clip"]["name"]:
        _say(f"the committed figures are of another clip, {committed['clip']['name']}")
    worse = []
    for name, now in ratios(measured).items():
        is_worse = now > WORSE * before[name]
        worse += [name] * is_worse
        told = f"{now / before[name]:.2f} times the committed {before[name]:.2f}"
        _say(f"{name}: {now:.2f}, {told}{', WORSE' if is_worse else ''}")
    return worse


def measure(clip: Path, models: Path, rounds: int, minutes: int) -> dict:
    """Measure everything on one clip.

    Args:
        clip: A clip with picture and sound.
        models: The models' folder.
        rounds: How often each speed is measured; the best round counts.
        minutes: Length of the long clip whose memory is compared with one minute's.

    Returns:
        What `Other/benchmark.json` holds.
    """
    cv2.setNumThreads(1)  # as the command line does
    recognizer = Recognizer.load(models)
    with tempfile.TemporaryDirectory() as folder:
        minute, long = Path(folder, "minute.mkv"), Path(folder, "long.mkv")
        for path, seconds in ((minute, 60), (long, 60 * minutes)):
            _say(f"making {path.stem} clip")
            loop_clip(clip, path, seconds)
        return {
            "emorec": __version__,
            "machine": machine_facts(),
            "clip": clip_facts(clip),
            "classify_to_bare_decoding": {
                "clip": _ratio(recognizer, clip, rounds),
                "one_minute": _ratio(recognizer, minute, 1),
            },
            "face_path_frames_per_s": _face_path(recognizer, clip, rounds),
            "start_to_first_verdict_s": {
                engine: _start(clip, models, engine, min(rounds, 3)) for engine in ("onnx", "keras")
            },
            "peak_memory_mb": _memory(models, minute, long, minutes),
            "clips_per_s": _throughput(recognizer, clip),
        }


def loop_clip(clip: Path, path: Path, seconds: float) -> None:
    """Write a clip that repeats another without encoding anything anew.

    Args:
        clip: What is repeated.
        path: The file to write; its suffix names the container.
        seconds: Least length of the new clip.
    """
    with av.open(str(clip)) as source:
        packets = [packet for packet in source.demux() if packet.dts is not None]
        # The sound's first packet may lie before the start, which a repetition must not cut into.
        begin_s = float(min(packet.dts * packet.time_base for packet in packets))
        end_s = float(max((packet.dts + packet.duration) * packet.time_base for packet in packets))
        length_s = end_s - begin_s
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
        for start_s in np.arange(0, seconds, length_s).tolist():
            source.seek(0)
            for packet in source.demux():
                if packet.dts is not None:
                    offset = round(start_s / packet.time_base)
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = streams[packet.stream.index]
                    target.mux(packet)


def decode_bare(clip: Path, thread_type: str = "SLICE") -> int:
    """Decode a clip's picture and sound and look at nothing.

    Args:
        clip: The clip.
        thread_type: How FFmpeg shares the work; "SLICE" is PyAV's default, "AUTO" decodes
            several frames at once, as `emorec.media.reader` does.

    Returns:
        The number of frames of both.
    """
    with av.open(str(clip)) as container:
        for stream in container.streams.video:
            stream.thread_type = thread_type
        return sum(1 for _ in container.decode(video=0, audio=0))


def _ratio(recognizer: Recognizer, clip: Path, rounds: int) -> dict:
    """Whole classify against bare decoding, as PyAV does it by default and as fast as it can."""
    _say(f"whole classify against bare decoding, {clip.stem}")
    recognizer.classify(clip)
    turns = [
        (
            _seconds(decode_bare, clip),
            _seconds(decode_bare, clip, "AUTO"),
            _seconds(recognizer.classify, clip),
        )
        for _ in range(rounds)
    ]
    default_s, threaded_s, classify_s = (min(column) for column in zip(*turns, strict=True))
    return {
        "ratio": round(classify_s / default_s, 2),
        "ratio_to_threaded_decoding": round(classify_s / threaded_s, 2),
        "bare_decoding_s": round(default_s, 3),
        "threaded_decoding_s": round(threaded_s, 3),
        "classify_s": round(classify_s, 3),
    }


def _face_path(recognizer: Recognizer, clip: Path, rounds: int) -> float:
    """Frames per second of following, cropping, landmarks and both networks, decoding aside."""
    _say("face path")
    batches = [piece for piece in ClipReader(clip) if isinstance(piece, FrameBatch)]

    def read_faces() -> None:
        with ThreadPoolExecutor(1) as beside:
            picture = PictureStream(recognizer.networks, recognizer.landmarks, beside)
            for batch in batches:
                picture.add(batch)
            picture.finish()

    read_faces()
    frames = sum(len(batch.frames) for batch in batches)
    return round(frames / min(_seconds(read_faces) for _ in range(rounds)), 1)


def _start(clip: Path, models: Path, engine: str, rounds: int) -> float:
    _say(f"start to first verdict, {engine}")
    command = [sys.executable, "-m", "emorec", "classify", str(clip.resolve())]
    command += ["--models", str(models.resolve()), "--engine", engine]
    _quietly(command)
    return round(min(_seconds(_quietly, command) for _ in range(rounds)), 2)


def _memory(models: Path, minute: Path, long: Path, minutes: int) -> dict:
    peaks = {}
    for name, path in (("1_minute", minute), (f"{minutes}_minutes", long)):
        _say(f"peak memory, {name}")
        said = _quietly([sys.executable, "-c", _PEAK_MEMORY, str(models.resolve()), str(path)])
        unit = 1 if sys.platform == "darwin" else 1024
        peaks[name] = round(int(said) * unit / 1e6, 1)
    first, last = peaks.values()
    return {**peaks, "growth": round(last / first - 1, 3)}


def _throughput(recognizer: Recognizer, clip: Path) -> dict:
    def classify_copies(count: int, jobs: int) -> None:
        for _ in recognizer.classify_many([clip] * count, jobs):
            pass

    speeds = {}
    for jobs in (1, 2):
        _say(f"clips per second, {jobs} jobs")
        classify_copies(2 * jobs, jobs)  # the workers load their networks
        speeds[f"{jobs}_jobs"] = round(8 * jobs / _seconds(classify_copies, 8 * jobs, jobs), 2)
    return speeds


def _seconds(work: Callable, *arguments: object) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def _quietly(command: list[str]) -> str:
    """Run a command in the repository and return what it printed."""
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"a measured process failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def machine_facts() -> dict:
    """Tell what a measurement ran on: processor, load and versions."""
    processor = platform.processor()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        processor = names[0] if names else processor
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "system": platform.system(),
        "python": platform.python_version(),
        **{package: version(package) for package in MEASURED_PACKAGES},
    }


def clip_facts(clip: Path) -> dict:
    """Tell what a measurement ran over."""
    info = probe(clip)
    return {
        "name": clip.name,
        "size": f"{info.width}x{info.height}",
        "frame_rate_hz": round(info.frame_rate_hz or 0, 2),
        "duration_s": round(info.duration_s or 0, 2),
        "codec": info.video_codec,
    }


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
