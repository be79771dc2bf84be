"""Damages small clips by the thousand and has them read in a process with limits.

    python -m fuzzing --count 5000 --seed 1         (from `tests/fuzz`; this is `make fuzz`)

For every file there is a row with a result, or with a reason and a remedy; nothing is unforeseen,
no process and no file outside the output is left, time and memory are bounded. What breaks this is
kept in the folder and named by its seed and number.
"""

import argparse
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from made_models import make_models
from mutants import made_clips, mutant

from emorec.paths import REPOSITORY

HERE = Path(__file__).resolve().parent
PER_PROCESS = 100
PROCESSOR_S, PATIENCE_S, MEMORY_MB = 30.0, 300.0, 700
"""For one clip, of the processor and by the clock, and for all the memory that is really used."""
STATUSES = ("ok", "no verdict", "failed")
_POLL_S = 0.02


@dataclass
class Report:
    """What a run found.

    Attributes:
        inputs: Clips given.
        rows: Clips that have a row.
        annotated: Clips of which a video was asked for.
        videos: Clips of which there is one.
        by_status: Status -> rows.
        slowest_s: The longest that one clip took of the processor.
        slowest: That clip.
        peak_mb: The most memory that a process used.
        failures: What is wrong, one line each.
        left: Processes and files that should not be there.
    """

    inputs: int = 0
    rows: int = 0
    annotated: int = 0
    videos: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    slowest_s: float = 0.0
    slowest: str = ""
    peak_mb: float = 0.0
    failures: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def took(self, seconds: float, name: str) -> None:
        if seconds > self.slowest_s:
            self.slowest_s, self.slowest = seconds, name

    def __str__(self) -> str:
        status = ", ".join(f"{count} {name}" for name, count in sorted(self.by_status.items()))
        return (
            f"{self.inputs} inputs, {self.rows} rows ({status}), {self.videos} videos of "
            f"{self.annotated}, slowest {self.slowest_s:.1f} s ({self.slowest}), peak memory "
            f"{self.peak_mb:.0f} MB, {len(self.left)} files and processes left, "
            f"{len(self.failures)} failures"
        )


def fuzz(count: int, seed: int, folder: Path, first: int = 0) -> Report:
    """Read so many damaged clips, or until Ctrl-C; what fails is kept in `folder / "failed"`."""
    report = Report()
    try:
        _read_all(range(first, first + count), seed, folder, report)
    except KeyboardInterrupt:
        print("interrupted; the figures are those of what was read", flush=True)
    return report


def _read_all(all_numbers: range, seed: int, folder: Path, report: Report) -> None:
    (folder / "whole").mkdir(parents=True)
    whole = made_clips(folder / "whole")
    models = make_models(folder / "models")
    for start in range(0, len(all_numbers), PER_PROCESS):
        clips = folder / "clips"
        clips.mkdir()
        numbers = all_numbers[start : start + PER_PROCESS]
        made = dict(mutant(whole, seed, number) for number in numbers)
        for name, content in made.items():
            (clips / name).write_bytes(content)
        todo = sorted(made)
        report.inputs += len(todo)
        while todo:
            todo = todo[_read(models, [clips / name for name in todo], folder, report) :]
        for name, content in made.items():
            if not (clips / name).exists() or (clips / name).read_bytes() != content:
                report.left.append(f"{name}: the clip is another one")
            if any(name in failure for failure in report.failures):
                (folder / "failed").mkdir(exist_ok=True)
                shutil.copy(clips / name, folder / "failed")
        report.left += [str(path) for path in clips.iterdir() if path.name not in made]
        shutil.rmtree(clips)


def _read(models: Path, clips: list[Path], folder: Path, report: Report) -> int:
    """Have a process read the clips until it ends or hangs; returns with how many it is done."""
    work = folder / "work"
    places = {name: work / name for name in ("current", "temporary", "home", "output")}
    for place in places.values():
        place.mkdir(parents=True)
    output = places["output"]
    before = len(report.failures)
    with (work / "said.txt").open("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "reading", str(models), str(output), *map(str, clips)],
            cwd=places["current"],
            env=_environment(places),
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            is_hanging = _watched(process, output, clips, report)
        except BaseException:  # Ctrl-C, which its own session does not hear
            os.killpg(process.pid, signal.SIGKILL)
            raise
        words = (work / "said.txt").read_text(errors="replace")
    rows = _rows(output / "rows.csv")
    _judge(rows, words, report)
    done = len(clips)
    if process.returncode:
        how = "hangs" if is_hanging else f"ends the process, status {process.returncode}"
        if len(rows) < len(clips):
            done = len(rows) + 1
            report.failures.append(f"{clips[len(rows)].name} {how}: {words[-2000:]}")
        else:
            report.failures.append(f"annotating after {_annotated(output)} {how}: {words[-2000:]}")
    else:
        _judge_outputs(output, clips, report)
    report.rows += len(rows)
    for name in ("current", "temporary", "home"):
        report.left += [str(path) for path in places[name].rglob("*")]
    if len(report.failures) > before:
        print(*report.failures[before:], sep="\n", flush=True)
    shutil.rmtree(work)
    return done


def _environment(places: dict[str, Path]) -> dict[str, str]:
    paths = [str(REPOSITORY), str(HERE.parent), str(HERE)]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONFAULTHANDLER": "1",
        "HOME": str(places["home"]),
        "TMPDIR": str(places["temporary"]),
        # Matplotlib keeps a list of fonts.
        "MPLCONFIGDIR": str(places["output"] / "matplotlib"),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _peak_mb(pid: int) -> float:
    """The most memory that a process has used; its `ru_maxrss` would count its parent's, too."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"^VmHWM:\s*(\d+) kB", status, flags=re.M)
    return int(found[1]) / 1024 if found else 0.0


def _watched(process: subprocess.Popen, output: Path, clips: list[Path], report: Report) -> bool:
    """Wait for the process, clip by clip; ends what hangs, notes what it used and left running."""
    done, is_hanging, has_ended, peak_mb = 0, False, False, 0.0
    since_s, spent_s = time.monotonic(), 0.0
    while not has_ended:
        time.sleep(_POLL_S)
        lines, now_s, now_spent_s = _lines(output), time.monotonic(), _processor_s(process.pid)
        peak_mb = max(peak_mb, _peak_mb(process.pid))
        ended, status = os.waitpid(process.pid, os.WNOHANG)
        if ended:
            has_ended, process.returncode = True, os.waitstatus_to_exitcode(status)
        elif lines > done:
            if 0 < done < len(clips):  # Not the start.
                report.took((now_spent_s - spent_s) / (lines - done), clips[done].name)
            done, since_s, spent_s = lines, now_s, now_spent_s
        elif now_s - since_s > PATIENCE_S or now_spent_s - spent_s > PROCESSOR_S:
            is_hanging = True
            os.killpg(process.pid, signal.SIGABRT)
            since_s, spent_s = now_s, now_spent_s
    report.peak_mb = max(report.peak_mb, peak_mb)
    if report.peak_mb > MEMORY_MB:
        report.failures.append(f"{clips[0].name} or a later one took {report.peak_mb:.0f} MB")
    for other in psutil.process_iter(["name"]):
        try:
            if os.getsid(other.pid) == process.pid:
                report.left.append(f"a process: {other.info['name']}")
                other.kill()
        except (ProcessLookupError, psutil.NoSuchProcess, PermissionError):
            pass
    return is_hanging


def _processor_s(pid: int) -> float:
    try:
        return sum(psutil.Process(pid).cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0.0


def _lines(output: Path) -> int:
    """How many lines the process has written of what it has done; the first is the heading."""
    files = [output / name for name in ("rows.csv", "annotated.txt")]
    return sum(file.read_bytes().count(b"\n") for file in files if file.exists())


def _rows(table: Path) -> list[dict[str, str]]:
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _judge(rows: list[dict[str, str]], words: str, report: Report) -> None:
    """Check that every row is a result, or tells why there is none and what can be done."""
    for row in rows:
        name, status = Path(row["file"]).name, row["status"]
        report.by_status[status] = report.by_status.get(status, 0) + 1
        if status not in STATUSES:
            report.failures.append(f"{name}: the status is {status!r}")
        if "unforeseen" in " ".join(map(str, row.values())):
            report.failures.append(f"{name}: {row['reason']}")
        if (status == "ok") != bool(row["emotion"]):
            report.failures.append(f"{name}: {status} with the emotion {row['emotion']!r}")
        if status != "ok" and not (row["reason"] and row["remedy"]):
            report.failures.append(f"{name}: no reason or no remedy: {row}")
    if "Traceback" in words:
        report.failures.append(f"a traceback: {words[-2000:]}")


def _judge_outputs(output: Path, clips: list[Path], report: Report) -> None:
    """Check the outputs of a process that came to its end: all there, valid, and nothing more."""

    def refuse(constant: str) -> None:
        raise ValueError(f"the JSON file holds {constant}")

    found = json.loads((output / "rows.json").read_text(), parse_constant=refuse)["clips"]
    if [Path(clip["file"]).name for clip in found] != [clip.name for clip in clips]:
        report.failures.append("the JSON file holds other clips")
    lines = [line.split(" ", 2) for line in _annotated_lines(output)]
    for name, seconds, said in lines:
        report.took(float(seconds), f"{name}, annotated")
        report.annotated += 1
        report.videos += said == "written"
        if "unforeseen" in said or not said:
            report.failures.append(f"{name}, annotated: {said}")
    known = {"rows.csv", "rows.json", "timelines", "annotated.txt", "matplotlib"}
    known |= {f"{name}.mkv" for name, _, said in lines if said == "written"}
    report.left += [str(path) for path in output.iterdir() if path.name not in known]


def _annotated_lines(output: Path) -> list[str]:
    file = output / "annotated.txt"
    return file.read_text().splitlines() if file.exists() else []


def _annotated(output: Path) -> str:
    return _annotated_lines(output)[-1] if _annotated_lines(output) else "the last clip's row"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz and print the figures; the exit status is 1 where something failed or is left."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="damaged clips (2000)")
    parser.add_argument("--seed", type=int, default=1, help="of the damage (1)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one (0)")
    parser.add_argument("--folder", type=Path, help="where failing clips are kept")
    options = parser.parse_args(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    start_s = time.monotonic()
    report = fuzz(options.count, options.seed, folder, options.first)
    print(*report.left, sep="\n")
    print(f"{report}; {time.monotonic() - start_s:.0f} s; seed {options.seed}")
    if report.failures:
        print(f"the failing clips are in {folder / 'failed'}")
    return 1 if report.failures or report.left else 0


if __name__ == "__main__":
    sys.exit(main())
