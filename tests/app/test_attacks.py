"""Those who guess, stall, flood or ask for nonsense do not keep the page from the others."""

import asyncio
import errno
import json
import os
import resource
import socket
import threading

import pytest
import uvicorn
from helpers import wait_for
from page import OTHER, PAGE, Reader, files, read, sent, told
from starlette.applications import Starlette
from starlette.testclient import TestClient

from emorec.app import live_tab, patience
from emorec.app.files import file_routes
from emorec.app.guard import Guard
from emorec.app.login import Tries
from emorec.app.patience import patient_protocol, patient_receive
from emorec.app.store import MOST_CLIPS
from emorec.errors import OutputError

PASSWORD = "correct horse"


def scope_of(path, method="GET", client="192.0.2.1", **headers):
    pairs = {"host": "127.0.0.1:7860", **headers}
    return {
        "type": "http", "method": method, "path": path, "scheme": "http", "client": (client, 5),
        "headers": [(n.replace("_", "-").encode(), v.encode()) for n, v in pairs.items()],
    }  # fmt: skip


async def answer_of(app, scope, body=b"", receive=None):
    """Status, headers and body of an answer."""
    messages = []

    async def whole():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        messages.append(message)

    await app(scope, receive or whole, send)
    if not messages:
        return None, {}, b""
    headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return messages[0]["status"], headers, b"".join(m.get("body", b"") for m in messages[1:])


async def inner(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})


async def never():
    await asyncio.Event().wait()


# The password


def login(guard, word, client="192.0.2.1", receive=None):
    return answer_of(
        guard, scope_of("/login", "POST", client), b"password=" + word.encode(), receive
    )


def test_a_stalled_login_locks_nobody_out():
    async def both():
        guard = Guard(inner, PASSWORD)
        stalled = [asyncio.create_task(login(guard, "", receive=never)) for _ in range(20)]
        await asyncio.sleep(0)
        right = await asyncio.wait_for(login(guard, "correct+horse"), 5)
        for task in stalled:
            task.cancel()
        return right

    assert asyncio.run(both())[0] == 303


def test_wrong_guesses_cost_their_address_its_tries_and_no_other(monkeypatch):
    now_s = [1000.0]
    monkeypatch.setattr("emorec.app.login.time.monotonic", lambda: now_s[0])

    async def guesses():
        guard = Guard(inner, PASSWORD)
        statuses = [(await login(guard, f"guess {n}"))[0] for n in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        status, headers, page = await login(guard, "correct+horse")
        assert (status, headers["retry-after"]) == (429, "2") and b"Try again in 2 s" in page
        assert "set-cookie" not in headers
        assert (await login(guard, "correct+horse", "192.0.2.2"))[0] == 303
        now_s[0] += 2
        assert (await login(guard, "correct+horse"))[0] == 303

    asyncio.run(guesses())


def test_addresses_of_one_network_share_their_tries_and_few_are_remembered(monkeypatch):
    tries = Tries()
    for number in range(10):
        tries.count(f"2001:db8::{number}")
    assert tries.wait_s("2001:db8::ffff") > 0 == tries.wait_s("2001:db8:0:1::1")
    for _ in range(10):
        tries.count("::ffff:192.0.2.7")
    assert tries.wait_s("192.0.2.7") > 0 == tries.wait_s("192.0.2.8")
    monkeypatch.setattr(Tries, "_MOST_ADDRESSES", 5)
    for number in range(50):
        tries.count(f"192.0.3.{number}")
    assert len(tries._used) <= 13


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"password", b"x" * 20_000, b"&" * 9_999])
def test_an_odd_form_is_no_password(body):
    status, _, page = asyncio.run(
        answer_of(Guard(inner, PASSWORD), scope_of("/login", "POST"), body)
    )
    assert status == 401 and b"not the password" in page


# Those who are slow


def test_a_body_that_stalls_or_trickles_is_broken_off():
    async def trickle():
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def ends_of(receive, **limits):
        hurried = patient_receive(receive, **limits)
        while (message := await hurried()).get("more_body"):
            pass
        return message["type"]

    async def both():
        assert await ends_of(never, silence_s=0.02) == "http.disconnect"
        assert await ends_of(trickle, whole_s=0.1) == "http.disconnect"

    asyncio.run(asyncio.wait_for(both(), 20))


def test_connections_on_which_nothing_moves_are_dropped(monkeypatch):
    monkeypatch.setattr(patience, "_LOOKED_AT_EVERY_S", 0.02)
    monkeypatch.setattr(patience, "HEAD_S", 0.2)
    monkeypatch.setattr(patience, "UNREAD_S", 0.3)

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        size = 10**8 if scope["path"] == "/much" else 0
        await send({"type": "http.response.body", "body": bytes(size)})

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, http=patient_protocol(), lifespan="off", log_level="critical")
    )
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    try:
        clients = [socket.create_connection(listening.getsockname(), 20) for _ in range(4)]
        clients[1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Half")
        clients[2].sendall(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")  # and reads nothing
        clients[3].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert clients[3].recv(100).startswith(b"HTTP/1.1 200")
        wait_for(lambda: not server.server_state.connections)
        for client in clients:
            client.close()
    finally:
        server.should_exit = True
        thread.join(20)


class StillEngine:
    """Stands in for the live engine."""

    def __init__(self, _):
        self.counts = None

    def verdict(self):
        return None

    def close(self):
        pass


def test_a_silent_live_view_gives_its_slot_back(monkeypatch):
    monkeypatch.setattr("emorec.live.engine.LiveEngine", StillEngine)
    monkeypatch.setattr(live_tab, "_LONGEST_SILENCE_S", 0.05)
    desk = live_tab.LiveDesk(None)
    app = Starlette(routes=desk.routes())
    with TestClient(app) as browser, browser.websocket_connect("/emorec/live") as view:
        assert "Neither pictures nor sound" in view.receive_json()["problem"]
        wait_for(lambda: desk._views == 0)


# Those who ask for too much


def test_a_clip_that_is_asked_for_a_thousand_times_is_read_once(store, desk_of):
    reader = Reader()
    desk, clip = desk_of(reader), sent(store)
    assert "downloads" in read(desk, *[clip] * 15_000)[-1]
    assert len(reader.read) == 1
    assert "are taken" in told(desk.read(PAGE, [str(n) for n in range(15_000)]))[-1]
    assert "no longer here" in told(desk.read(PAGE, [str(n) for n in range(MOST_CLIPS)]))[-1]


def test_the_newest_work_of_a_page_ends_what_it_still_waited_for(store, desk_of):
    first = Reader()
    desk, clips = desk_of(first), [sent(store) for _ in range(3)]
    store.connect(OTHER)
    others = sent(store, OTHER)
    shown = []

    def meanwhile():
        first.meanwhile = lambda: None
        shown.append(read(desk, clips[2])[-2])  # the same page
        shown.append(read(desk, others, page=OTHER)[-2])

    first.meanwhile = meanwhile
    assert "sent other clips" in read(desk, *clips)[-1]
    assert all('class="look' in html for html in shown)


GOOD = {"tokens": ["x"], "everybody": False}
NONSENSE = [
    b"", b"nonsense", b"\xff\xfe", b"null", b"[]", b"5", b"{}", b"[" * 10_000, b'{"tokens": 1e400}',
    *(
        json.dumps({**GOOD, **wrong}).encode()
        for wrong in (
            {"tokens": {}}, {"tokens": None}, {"tokens": "x"}, {"tokens": [1]}, {"tokens": [None]},
            {"tokens": [["x"]]}, {"everybody": 1}, {"everybody": "yes"}, {"everybody": None},
        )
    ),
]  # fmt: skip


@pytest.fixture
def browser(store, desk_of):
    """Asks the tab for clips, through the guard."""
    app = Guard(Starlette(routes=desk_of(Reader()).routes()))
    with TestClient(app, "http://127.0.0.1:7860", raise_server_exceptions=False) as asking:
        yield asking


def test_nonsense_is_refused_in_words(browser, store):
    for body in NONSENSE:
        answer = browser.post(f"/emorec/read/{PAGE}", content=body)
        assert answer.status_code == 422 and "Reload" in answer.json()["problem"], body
    assert browser.post(f"/emorec/read/{PAGE}", content=bytes(30_000)).status_code == 413
    assert browser.post(f"/emorec/read/{PAGE}", content=iter([b"{}"])).status_code == 413
    assert browser.get(f"/emorec/read/{PAGE}").status_code == 405
    for path in (f"draw/{PAGE}/x", "draw/nobody/x", f"read/{OTHER}"):
        answer = browser.post(f"/emorec/{path}", content=json.dumps(GOOD))
        assert "no longer here" in answer.text and answer.text.endswith('{"done": true}\n')
    answer = browser.post(f"/emorec/example/{PAGE}", content=b"{}").json()
    assert store.find(PAGE, answer["token"]).path.stat().st_size > 10_000
    for page in (OTHER, "..%2f..%2fetc", "x" * 32):
        assert browser.post(f"/emorec/example/{page}", content=b"{}").status_code in (404, 422)


def test_a_fault_of_our_own_is_not_taken_for_a_lost_connection(store, desk_of, capsys):
    def fail():
        raise ZeroDivisionError

    assert "made a mistake" in read(desk_of(Reader(fail)), sent(store))[-1]
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_queue_that_is_full_is_said_in_words(store, desk_of):
    desk, clip = desk_of(Reader()), sent(store)
    desk._queue.close()
    assert "Try again in about" in read(desk, clip)[-1]
    with TestClient(Starlette(routes=desk.routes())) as asking:
        answer = asking.post(f"/emorec/example/{PAGE}", content=b"{}")
    assert answer.status_code == 422 and "Try again in about" in answer.json()["problem"]


# A full disk


@pytest.fixture
def small_disk():
    """A disk on which no file may have more than 300 bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def uploaded(store, content):
    app = Starlette(routes=file_routes(store, "x"))
    with TestClient(app) as browser:
        return browser.post(f"/emorec/upload/{PAGE}", content=content)


def test_a_full_disk_is_said_in_words_when_a_clip_comes(store, small_disk):
    answer = uploaded(store, b"x" * 1000)
    assert answer.status_code == 422
    assert answer.json() == {
        "problem": "There is no room for it at the moment. Try again in a few minutes."
    }
    assert files(store.root) == []


def test_a_full_disk_costs_the_downloads_and_not_what_was_found(store, desk_of, small_disk):
    found, problem = read(desk_of(Reader()), clip := sent(store))
    assert 'class="look' in found
    assert "There is no room for the downloads" in problem and "Errno" not in problem
    assert files(store.root) == [clip.path]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OutputError.because_of("x", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
    ],
)
def test_a_full_disk_is_said_in_words_when_a_video_is_drawn(store, desk_of, monkeypatch, error):
    def draw(result, out, on_progress):
        out.write_bytes(b"half")
        raise error

    monkeypatch.setattr("emorec.report.video.write_annotated", draw)
    monkeypatch.setattr("emorec.report.video.output_path", lambda path, folder: folder / "x.mp4")
    desk, clip = desk_of(Reader()), sent(store)
    read(desk, clip)
    before = files(store.root)
    (said,) = told(desk.draw(PAGE, clip.token))
    assert "room" in said and "Errno" not in said and str(store.root) not in said
    assert files(store.root) == before


def test_a_clip_that_grows_beyond_what_its_sender_said_is_broken_off(store, monkeypatch):
    monkeypatch.setattr("emorec.app.files._CHECKED_EVERY_BYTES", 1000)
    monkeypatch.setattr("emorec.app.store._MOST_BYTES_IN_ALL", 5000)
    answer = uploaded(store, iter([b"x" * 1000] * 20))
    assert "no room" in answer.json()["problem"]
    monkeypatch.setattr("emorec.app.store.LARGEST_BYTES", 3000)
    monkeypatch.setattr("emorec.app.files.LARGEST_BYTES", 3000)
    answer = uploaded(store, iter([b"x" * 1000] * 20))
    assert "too large" in answer.json()["problem"]
    assert files(store.root) == []
