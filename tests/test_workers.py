"""Workers: a dead one costs its own piece of work, and none outlives whoever started it."""

import contextlib
import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import made_voice, wait_for, write_clip

from emorec import workers
from emorec.paths import REPOSITORY

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")


def work(item):
    """What a worker does: an answer, an error, or its own end."""
    if item == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "crashed":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "left":
        os._exit(3)
    if item == "raises":
        raise KeyError(item)
    if item == "unsendable":
        return lambda: None
    if item == "chatty":
        os.write(1, b"noise")
        print("noise")
    if isinstance(item, float):
        time.sleep(item)
    return item, os.getpid()


def lost(item, how):
    return item, how


def test_answers_come_in_order():
    items = [0.3, "a", 0.2, "chatty", "b", 0.0]
    answers = list(workers.in_order(work, items, 2, lost))
    assert [item for item, _ in answers] == items
    assert 1 <= len({pid for _, pid in answers}) <= 2
    assert os.getpid() not in {pid for _, pid in answers}


@pytest.mark.parametrize(
    ("fatal", "how"), [("killed", "SIGKILL"), ("crashed", "SIGSEGV"), ("left", "status 3")]
)
def test_a_dead_worker_costs_its_own_work_alone(fatal, how):
    items = ["a", fatal, "b", "c", fatal, fatal, "d"]
    answers = list(workers.in_order(work, items, 2, lost))
    assert [item for item, _ in answers] == items
    assert [told for item, told in answers if item == fatal] == [how] * 3
    assert all(isinstance(told, int) for item, told in answers if item != fatal)


@pytest.mark.parametrize(("item", "error"), [("raises", KeyError), ("unsendable", RuntimeError)])
def test_what_the_work_raises_is_raised(item, error):
    with pytest.raises(error):
        list(workers.in_order(work, ["a", item], 1, lost))


@needs_proc
def test_leaving_ends_all_workers_at_once():
    answers = workers.in_order(work, ["a", 600.0, 600.0], 2, lost)
    assert next(workers.in_order(work, ["a"], 1, lost))[0] == "a"
    waiting = workers.in_order(work, [0.0, *["b"] * 4, 600.0], 1, lost)
    _, pid = next(waiting)
    start_s = time.monotonic()
    waiting.close()
    answers.close()
    assert time.monotonic() - start_s < 20
    assert not Path(f"/proc/{pid}").exists()


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                facts = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(facts[1]) == pid and facts[0] != "Z":
                    found.append(int(entry.name))
    return found


@pytest.fixture
def many(tmp_path, models):
    """A command that reads a hundred clips with two workers, and its table."""
    clip = write_clip(tmp_path / "a.wav", None, made_voice(4.0), audio_codec="pcm_s16le")
    folder = tmp_path / "clips"
    folder.mkdir()
    for index in range(100):
        shutil.copy(clip, folder / f"{index:03d}.wav")
    table = tmp_path / "rows.csv"
    command = [sys.executable, "-m", "emorec", "classify", folder, "--csv", table]
    command += ["--jobs", "2", "--models", models]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: table.exists() and table.read_text().count("\n") > 2)
    yield process, table
    process.kill()
    process.communicate()


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("clips", "cores", "jobs"), [(0, 8, 1), (1, 8, 1), (7, 8, 1), (8, 8, 2), (99, 8, 8), (99, 1, 1)]
)
def test_few_clips_stay_in_this_process(monkeypatch, clips, cores, jobs):
    monkeypatch.setattr(workers, "_cores", lambda: cores)
    assert workers.fitting_jobs(clips) == jobs


@pytest.mark.parametrize(("jobs", "threads"), [(1, 4), (2, 2), (3, 1), (8, 1)])
def test_workers_share_the_cores(monkeypatch, jobs, threads):
    monkeypatch.setattr(workers, "_cores", lambda: 4)
    assert workers.threads_each(jobs) == threads


def test_a_decoder_has_no_more_threads_than_its_process_may(example, monkeypatch):
    from emorec.media import opening
    from emorec.media.source import Source

    monkeypatch.setattr(opening, "_most_threads", opening._most_threads)
    opening.limit_threads(1)
    with Source(example, "video") as source:
        assert source.video.codec_context.thread_count == 1


@needs_proc
def test_a_killed_worker_is_a_failed_row(many):
    process, table = many
    os.kill(children_of(process.pid)[0], signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    rows = rows_of(table)
    assert len(rows) == 100
    failed = [row for row in rows if row["status"] != "ok"]
    assert len(failed) == 1
    assert "SIGKILL" in failed[0]["reason"]
    assert "--jobs" in failed[0]["remedy"]
    assert (process.returncode, "Traceback" in said) == (1, False)


@needs_proc
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_no_worker_outlives_who_started_it(many, end):
    process, table = many
    children = children_of(process.pid)
    assert len(children) == 2
    process.send_signal(end)
    _, said = process.communicate(timeout=60)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    rows = rows_of(table)
    assert 2 <= len(rows) < 100
    if end != signal.SIGKILL:
        assert process.returncode == 130
        assert f"{len(rows)} clips are finished" in said
        assert "Traceback" not in said
