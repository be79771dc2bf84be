"""What people sent is gone when their tab is, and at any end of the server."""

import asyncio
import gc
import http.client
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn
from helpers import made_voice, wait_for, write_clip
from page import OTHER, PAGE, Reader, close_tab, files, read, sent, told
from websockets.sync.client import connect

from emorec.app import memory
from emorec.app import store as store_app
from emorec.app.files import keep_sweeping
from emorec.app.patience import patient_server
from emorec.app.store import KEPT_S, Store, StoreError
from emorec.cli import main
from emorec.paths import REPOSITORY

# `emorec app` as it is, but for the models, which take long to load.
SERVER = """
import sys
from starlette.applications import Starlette
from emorec import cli, recognizer
from emorec.app import page
from emorec.app.files import file_routes
from emorec.app.guard import Guard

recognizer.Recognizer.load = lambda *_: None
page.make_app = lambda r, m, store, p: Guard(Starlette(routes=file_routes(store, "x")), p)
sys.exit(cli.main(["app", "--port", "0", "--no-browser"]))
"""


@pytest.mark.parametrize("is_deaf", [False, True], ids=["notices", "is just done"])
def test_a_tab_closed_while_a_clip_is_read_leaves_nothing(store, desk_of, is_deaf):
    reader = Reader(lambda: close_tab(store) if len(reader.read) == 1 else None, is_deaf)
    shown = read(desk_of(reader), sent(store), sent(store))
    assert "its page was closed" in shown[-1] and not any('downloads" aria' in s for s in shown)
    store.sweep()
    assert files(store.root) == [] and store.find(PAGE, "x") is None
    assert not (store.root / PAGE).exists()


def test_a_tab_that_is_open_gets_its_downloads_and_nothing_is_deleted_meanwhile(store, desk_of):
    assert read(desk_of(Reader(store.sweep)), sent(store))[-1].count("href=") == 3
    store.sweep()
    assert len(files(store.root)) == 4
    close_tab(store)
    assert files(store.root) == []


def test_a_tab_closed_while_its_video_is_drawn_leaves_nothing(store, desk_of, monkeypatch):
    desk = desk_of(Reader())
    clip = sent(store)
    read(desk, clip)

    def draw(result, out, on_progress):
        out.write_bytes(b"half a video")
        close_tab(store)
        on_progress(0.5)
        raise AssertionError("nobody waits for it")

    monkeypatch.setattr("emorec.report.video.write_annotated", draw)
    monkeypatch.setattr("emorec.report.video.output_path", lambda *_: Path("clip.mp4"))
    assert "its page was closed" in told(desk.draw(PAGE, clip.token))[-1]
    store.sweep()
    assert files(store.root) == []


def test_what_was_found_is_forgotten_with_its_clip(store, desk_of):
    desk = desk_of(Reader())
    read(desk, sent(store))
    assert len(desk._results) == 1
    close_tab(store)
    gc.collect()
    assert len(desk._results) == 0


def test_memory_is_given_back_once_a_page_has_gone(store, monkeypatch):
    given = []
    monkeypatch.setattr("emorec.app.memory.give_back", lambda: given.append(1))
    monkeypatch.setattr("emorec.app.files._SWEEP_EVERY_S", 0.01)
    monkeypatch.setattr("emorec.app.files._GIVEN_BACK_EVERY_S", 0.0)

    async def sweep():
        sweeping = asyncio.create_task(keep_sweeping(store))
        await asyncio.sleep(0.1)
        assert not given
        store.disconnect(PAGE)
        while not given:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        sweeping.cancel()

    asyncio.run(asyncio.wait_for(sweep(), 20))
    assert given == [1]
    memory.give_back()


def test_a_second_interrupt_breaks_into_no_end():
    server = patient_server(uvicorn.Config(None), lambda: None)
    for _ in range(2):
        server.handle_exit(signal.SIGINT, None)
    assert server.should_exit and not server.force_exit


def test_work_for_a_page_that_is_gone_brings_its_folder_back_for_a_moment_at_most(store):
    clip = store.new(PAGE, "late.wav")
    close_tab(store)
    clip.path.parent.mkdir()
    clip.path.write_bytes(b"x")
    with pytest.raises(StoreError, match="no longer known"):
        store.keep(PAGE, clip)
    assert not clip.path.exists()
    clip.path.write_bytes(b"x")  # by whoever does not ask
    store.sweep()
    assert files(store.root) == []
    with pytest.raises(StoreError):
        store.new(PAGE, "late.wav")


def test_a_server_that_ends_takes_nothing_more(store):
    clip = store.new(PAGE, "late.wav")
    store.close()
    for use in (lambda: store.keep(PAGE, clip), lambda: store.new(PAGE, "x")):
        with pytest.raises(StoreError):
            use()
    assert not store.root.exists()


def test_it_is_a_minute_at_most(store):
    from emorec.app import files as files_app
    from emorec.app import server

    dead_s = server._PING_EVERY_S + server._PING_PATIENCE_S
    assert KEPT_S + dead_s + 2 * files_app._SWEEP_EVERY_S <= 60


def test_only_so_many_pages_are_open(store, monkeypatch):
    monkeypatch.setattr(store_app, "_MOST_PAGES", 1)
    store.connect(PAGE)
    with pytest.raises(StoreError, match="Too many"):
        store.connect(OTHER)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_at_any_end_of_the_server_all_is_gone(number, tmp_path, monkeypatch):
    clip = write_clip(tmp_path / "c.wav", None, made_voice(0.2), audio_codec="pcm_s16le")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        place = process.stdout.readline().split("http://")[1].split("/")[0]
        with connect(f"ws://{place}/emorec/page/{PAGE}") as page:
            page.recv(30)
            asking = http.client.HTTPConnection(place, timeout=60)
            asking.request("POST", f"/emorec/upload/{PAGE}", clip.read_bytes())
            assert asking.getresponse().status == 200
            asking.close()
            # Another is still on its way.
            half = http.client.HTTPConnection(place, timeout=60)
            half.putrequest("POST", f"/emorec/upload/{PAGE}")
            half.putheader("Content-Length", "1000")
            half.endheaders(b"half")
            wait_for(lambda: len(files(temporary)) == 2)
            process.send_signal(number)
            status = process.wait(60)
        half.close()
    finally:
        process.kill()
    if number != signal.SIGKILL:
        assert status == 0
        assert "all that was sent is deleted" in process.stdout.read()
        assert list(temporary.iterdir()) == []
    else:
        (left,) = temporary.iterdir()
        monkeypatch.setattr("tempfile.tempdir", str(temporary))
        with Store():  # the next start
            assert not left.exists()
    process.stdout.close()


@pytest.mark.parametrize("keep", ["nan", "inf", "-1", "soon"])
def test_a_time_to_keep_is_a_time(keep, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["app", "--keep", keep])
    assert stop.value.code == 2
    assert "from 0 to 3600" in capsys.readouterr().err
