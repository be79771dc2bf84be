"""A cluster of real processes on loopback: the same rows as without it, whatever dies."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from helpers import made_voice, wait_for, write_clip

from emorec import Recognizer, classify_to_parquet
from emorec.cli import main
from emorec.paths import REPOSITORY

pytest.importorskip("distributed")

from emorec.report import cluster, parquet

HOOK = Path(__file__).with_name("worker_hook.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A scheduler and its workers, each a process of its own; a context manager."""

    def __init__(self, folder: Path, **environment: str):
        self.folder = folder
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
            "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
            **environment,
        }
        self._all: list[subprocess.Popen] = []
        # They end by themselves, too, should the tests be killed.
        options = ["--host", self.address, "--no-dashboard", "--idle-timeout", "300"]
        self.scheduler = self._start("scheduler", *options)

    def worker(self, **environment: str) -> subprocess.Popen:
        options = ["--nthreads", "1", "--no-dashboard", "--preload", str(HOOK)]
        options += ["--death-timeout", "60"]
        options += ["--local-directory", str(self.folder)]
        return self._start("worker", self.address, *options, **environment)

    def _start(self, kind: str, *options: str, **environment: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + kind, *options],
            env={**self._environment, **environment},
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._all.append(process)
        return process

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self._all:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A scheduler with two workers, which one test after the other uses."""
    with Running(tmp_path_factory.mktemp("dask")) as running:
        for _ in range(2):
            running.worker()
        yield running


@pytest.fixture(scope="module")
def client(running):
    with cluster.connected(running.address) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "a.wav"
    return write_clip(path, None, made_voice(1.0), audio_codec="pcm_s16le")


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "clips").mkdir()
    return tmp_path / "clips"


def fill(folder: Path, clip: Path, names) -> list[str]:
    for name in names:
        shutil.copy(clip, folder / name)
    return sorted(str(folder / name) for name in names)


def clips_of(out: Path | str) -> pd.DataFrame:
    return pd.read_parquet(f"{out}/clips").sort_values("file", ignore_index=True)


def test_rows_are_the_same_from_one_process_two_and_a_cluster(
    running, client, models, example, clip, folder, tmp_path
):
    shutil.copy(example, folder / "film.mp4")
    (folder / "broken.mp4").write_bytes(b"no film")
    fill(folder, clip, ["a.wav", "b.wav"])
    ways = {"one": ["--jobs", "1"], "two": ["--jobs", "2"], "all": ["--scheduler", running.address]}
    for name, options in ways.items():
        outputs = ["--parquet", str(tmp_path / name), "--csv", str(tmp_path / f"{name}.csv")]
        command = ["classify", str(folder), "--models", str(models), "--quiet", *outputs, *options]
        assert main(command) == 1  # one of them is broken
    tables = [clips_of(tmp_path / name) for name in ways]
    assert list(tables[0]["status"]) == ["ok", "ok", "failed", "ok"]
    timelines = [
        pd.read_parquet(tmp_path / name / "timeline").sort_values(
            ["file", "stream", "time_s"], ignore_index=True
        )
        for name in ways
    ]
    assert set(timelines[0]["stream"]) >= {"voice", "face", "fused"}
    rows = [sorted((tmp_path / f"{name}.csv").read_text().splitlines()) for name in ways]
    for table, timeline, lines in zip(tables[1:], timelines[1:], rows[1:], strict=True):
        pd.testing.assert_frame_equal(tables[0], table, check_exact=True)
        pd.testing.assert_frame_equal(timelines[0], timeline, check_exact=True)
        assert lines == rows[0]


def test_a_killed_worker_loses_no_row_and_doubles_none(running, client, recognizer, clip, folder):
    names = fill(folder, clip, [f"slow-{index:02d}.wav" for index in range(12)])
    found = []
    for result in cluster.classify_many(client, recognizer, names):
        found.append(result)
        if len(found) == 2:
            victim = next(iter(client.run(os.getpid).values()))
            os.kill(victim, signal.SIGKILL)
    assert sorted(str(result.path) for result in found) == names
    assert {result.status for result in found} == {"ok"}


def test_a_clip_that_kills_its_worker_twice_is_a_failed_row(
    running, client, recognizer, clip, folder, tmp_path
):
    client.wait_for_workers(2, timeout=60)
    fill(folder, clip, ["a.wav", "b.wav", "poison.wav", "c.wav", "d.wav"])
    tally = classify_to_parquet([folder], tmp_path / "out", recognizer, client=client)
    assert (tally.read, tally.without_verdict) == (5, 1)
    rows = clips_of(tmp_path / "out")
    failed = rows[rows["status"] == "failed"]
    assert [Path(name).name for name in failed["file"]] == ["poison.wav"]
    assert "2 workers died over it" in failed["reason"].item()
    client.wait_for_workers(2, timeout=60)  # the cluster lives


def test_workers_with_other_models_or_none_are_refused_by_name(client, models, clip, tmp_path):
    own = Path(shutil.copytree(models, tmp_path / "models"))
    loaded = Recognizer.load(own)
    assert loaded.fingerprints  # taken from what is loaded
    file = own / "geometry" / "model.json"
    file.write_text(file.read_text() + "\n")
    with pytest.raises(cluster.ClusterError, match=r"other models \(geometry\)") as raised:
        next(cluster.classify_many(client, loaded, [clip]))
    assert raised.value.what.startswith("tcp://127.0.0.1:")
    shutil.rmtree(own / "geometry")
    with pytest.raises(cluster.ClusterError, match="lacks the models"):
        next(cluster.classify_many(client, loaded, [clip]))


def test_a_worker_of_another_version_is_refused_before_any_work(
    models, recognizer, clip, folder, tmp_path, capfd
):
    other = tmp_path / "other"
    other.mkdir()
    (other / "hook.py").write_text("import emorec\nemorec.__version__ = '0.0.1'\n")
    with Running(tmp_path) as running, cluster.connected(running.address) as client:
        running._start("worker", running.address, "--preload", str(other / "hook.py"))
        client.wait_for_workers(1, timeout=60)
        with pytest.raises(cluster.ClusterError, match=r"has emorec 0\.0\.1, and this is 0\."):
            next(cluster.classify_many(client, recognizer, [clip]))


def test_a_run_whose_scheduler_dies_is_gone_on_with(
    recognizer, clip, folder, tmp_path, monkeypatch
):
    names = fill(folder, clip, [f"slow-{index:02d}.wav" for index in range(40)])
    out = tmp_path / "out"
    monkeypatch.setattr(parquet, "WRITTEN_EVERY_S", 0.0)
    with Running(tmp_path) as running, cluster.connected(running.address) as client:
        running.worker()
        client.wait_for_workers(1, timeout=60)

        def kill_midway():
            # A reader while it is written sees whole rows.
            wait_for(lambda: (out / "clips").is_dir() and len(clips_of(out)) >= 3)
            os.killpg(running.scheduler.pid, signal.SIGKILL)

        with ThreadPoolExecutor(1) as beside:
            killed = beside.submit(kill_midway)
            with pytest.raises(cluster.ClusterError, match=r"has gone.*--resume"):
                classify_to_parquet(names, out, recognizer, client=client)
            killed.result()
    assert 3 <= len(clips_of(out)) < 40
    tally = classify_to_parquet(names, out, recognizer, resume=True, n_jobs=1)
    assert tally.kept >= 3 and tally.kept + tally.read == 40
    assert list(clips_of(out)["file"]) == names
    assert len(pd.read_parquet(out / "timeline").drop_duplicates(["file", "stream", "time_s"])) == (
        len(pd.read_parquet(out / "timeline"))
    )


def test_a_scheduler_that_does_not_answer_is_one_line(models, clip, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 1.0)
    command = ["classify", str(clip), "--models", str(models), "--parquet", str(tmp_path / "out")]
    assert main([*command, "--scheduler", f"tcp://127.0.0.1:{free_port()}"]) == 2
    said = capfd.readouterr().err
    assert "no scheduler answers there within" in said and "dask scheduler" in said
    assert said.count("\n") == 1
