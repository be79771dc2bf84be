"""The service: what it answers, whom it refuses, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shlex
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from page import files
from service_stub import TONE, Stub

pytest.importorskip("fastapi")
from starlette.testclient import TestClient

from emorec.app.login import Tries
from emorec.app.queue import ReadingQueue
from emorec.app.store import Store
from emorec.paths import REPOSITORY
from emorec.service import api, uploads
from emorec.service.answers import RESULTS, result_schemas

PASSWORD = "correct horse"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def served(recognizer, store, password=None):
    return TestClient(
        api.make_service(recognizer, None, store, password), base_url="http://127.0.0.1"
    )


@pytest.fixture
def stub():
    return Stub()


@pytest.fixture
def client(stub, folder):
    with Store(keep_s=0) as store, served(stub, store) as made:
        yield made


def form(*contents: bytes, name="clip.wav"):
    return [("file", (name, content)) for content in contents]


def classify(client, *contents, query="", **more):
    return client.post(f"/v1/classify{query}", files=form(*contents), **more)


def test_a_clip_gets_what_the_command_line_writes(client, folder):
    jsonschema = pytest.importorskip("jsonschema")
    answer = classify(client, TONE)
    assert answer.status_code == 200
    content = answer.json()
    schemas = result_schemas()
    document = {"$ref": f"#/components/schemas/{RESULTS}", "components": {"schemas": schemas}}
    jsonschema.validate(content, document)
    (clip,) = content["clips"]
    assert (clip["file"], clip["status"]) == ("clip.wav", "ok")
    assert set(clip["probabilities"]) == {"voice", "fused"}
    assert files(folder) == []


def test_every_file_has_its_entry_and_one_that_is_none_costs_no_other(client):
    answer = classify(client, b"some words", TONE, b"", b"\x00\x01")
    clips = answer.json()["clips"]
    assert answer.status_code == 200
    assert [clip["status"] for clip in clips] == ["failed", "ok", "failed", "failed"]
    assert all(clip["reason"] and clip["remedy"] for clip in clips if clip["status"] == "failed")
    assert clips[0]["reason"] == "it is a text or a list, not a recording"


def test_where_no_file_can_be_read_the_status_says_so_too(client):
    answer = classify(client, b"some words")
    assert answer.status_code == 422
    assert answer.json()["clips"][0]["status"] == "failed"


def test_names_from_outside_are_names_alone(client):
    answer = client.post("/v1/classify", files=form(TONE, name="../../etc/100%25\n.wav"))
    assert answer.json()["clips"][0]["file"].startswith("100%25")


def test_options_are_those_of_the_command_line(client, stub):
    assert classify(client, TONE, query="?streams=face,voice&people=true").status_code == 200
    assert sorted(stub.asked) == ["face", "people", "voice"]
    assert classify(client, TONE, query="?streams=voice,face,geometry").status_code == 200
    assert len(stub.asked) == 3


@pytest.mark.parametrize(
    ("send", "status"),
    [
        (lambda c: classify(c, TONE, query="?stream=voice"), 400),
        (lambda c: classify(c, TONE, query="?streams=smell"), 400),
        (lambda c: classify(c, TONE, query="?people=perhaps"), 400),
        (lambda c: c.post("/v1/classify", data={"file": "a"}), 415),
        (lambda c: c.post("/v1/classify", content=b"x"), 415),
        (lambda c: c.post("/v1/classify", files=[("file", (None, "a"))]), 400),
        (lambda c: raw(c, b"--x--\r\n"), 400),
        (lambda c: raw(c, b"nonsense"), 400),
        (lambda c: raw(c, b""), 400),
        (lambda c: raw(c, PART + b"abc"), 400),
        (lambda c: raw(c, b"", b"multipart/form-data"), 400),
        (lambda c: classify(c, *[b"x"] * 41), 400),
        (lambda c: c.get("/v1/classify"), 405),
        (lambda c: c.get("/v1/nothing"), 404),
        (lambda c: c.get("/docs"), 404),
        (lambda c: c.get("/health", headers={"host": "evil.example"}), 403),
        (lambda c: classify(c, TONE, headers={"origin": "http://evil.example"}), 403),
    ],
)
def test_what_cannot_be_served_is_said_with_a_remedy(client, folder, send, status):
    answer = send(client)
    assert answer.status_code == status
    assert set(answer.json()) == {"reason", "remedy"} and all(answer.json().values())
    assert files(folder) == []


def test_a_wrong_option_is_named_with_what_there_is(client):
    answer = classify(client, TONE, query="?streams=smell").json()
    assert answer["reason"] == "streams cannot be 'smell'"
    assert "voice, face, geometry" in answer["remedy"] and "people" in answer["remedy"]
    assert "'stream'" in classify(client, TONE, query="?stream=voice").json()["reason"]


def test_nonsense_is_answered_and_not_logged(client, caplog):
    assert raw(client, b"nonsense").status_code == 400
    assert [one for one in caplog.records if one.name.startswith("python_multipart")] == []


def test_no_variable_has_the_framework_report_to_others(folder, monkeypatch, caplog):
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with Store(keep_s=0) as store, served(Stub(), store) as client:
        assert client.get("/health").status_code == 200
    assert caplog.records == []


def test_what_helps_is_said_as_on_the_command_line(client):
    (clip,) = classify(client, b"").json()["clips"]
    assert (clip["reason"], clip["remedy"]) == ("the file is empty", "copy or record it again")


PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'


def raw(client, body, kind=b"multipart/form-data; boundary=x"):
    return client.post("/v1/classify", content=body, headers={"content-type": kind})


def test_large_files_and_requests_are_refused_without_being_kept(client, folder, monkeypatch):
    monkeypatch.setattr(uploads, "LARGEST_BYTES", len(TONE))
    monkeypatch.setattr(api, "LARGEST_BYTES", len(TONE))
    first, second = classify(client, TONE + b"x", TONE).json()["clips"]
    assert "larger than" in first["reason"] and second["status"] == "ok"
    monkeypatch.setattr(uploads, "LARGEST_REQUEST_BYTES", 2 * len(TONE))
    assert classify(client, TONE, TONE).status_code == 413
    pieces = (piece for piece in [PART, TONE, TONE, b"\r\n--x--\r\n"])
    assert raw(client, pieces).status_code == 413  # whose length nobody says
    assert files(folder) == []


def test_beyond_the_queue_s_bound_one_is_told_when_to_come_again(folder, monkeypatch):
    monkeypatch.setattr(api, "ReadingQueue", lambda: ReadingQueue(1, most_waiting=0))
    let_go, begun = threading.Event(), threading.Event()

    def meanwhile():
        begun.set()
        let_go.wait(5)

    with Store(keep_s=0) as store, served(Stub(meanwhile), store) as client:
        statuses = []
        first = threading.Thread(target=lambda: statuses.append(classify(client, TONE).status_code))
        first.start()
        assert begun.wait(5)
        refused = classify(client, TONE)
        let_go.set()
        first.join(5)
    assert statuses == [200]
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
    assert refused.json()["reason"]


def test_a_request_that_is_broken_off_is_stopped_and_its_files_are_deleted(folder):
    let_go, begun = threading.Event(), threading.Event()

    def meanwhile():
        begun.set()
        let_go.wait(5)

    stub = Stub(meanwhile)
    body = PART + TONE + b"\r\n" + PART + TONE + b"\r\n--x--\r\n"
    scope = {
        "type": "http", "method": "POST", "path": "/v1/classify", "scheme": "http",
        "query_string": b"", "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 80),
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"multipart/form-data; boundary=x")],
    }  # fmt: skip

    async def asks(store):
        queue = ReadingQueue(1)
        app = api.FastAPI()
        api._add_routes(app, api.Service(stub, store, queue), asks_password=False)
        api._add_errors(app)
        messages = [{"type": "http.request", "body": body}]

        async def receive():
            if messages:
                return messages.pop()
            await asyncio.to_thread(begun.wait, 5)
            return {"type": "http.disconnect"}

        sent = []

        async def send(message):
            sent.append(message)

        await app(scope, receive, send)
        left = files(folder)
        let_go.set()
        await asyncio.to_thread(queue.close)
        return sent[0]["status"], left

    with Store(keep_s=0) as store:
        assert asyncio.run(asks(store)) == (400, [])
    assert len(stub.read) == 1  # the second was never begun


def test_a_password_is_asked_for_by_basic_and_guessed_only_so_often(folder, stub):
    def given(word, name="anna"):
        pair = base64.b64encode(f"{name}:{word}".encode()).decode()
        return {"authorization": f"Basic {pair}"}

    with Store(keep_s=0) as store, served(stub, store, PASSWORD) as client:
        assert client.get("/health").status_code == 200
        none = client.get("/v1/models")
        assert (none.status_code, none.headers["www-authenticate"]) == (401, 'Basic realm="emorec"')
        assert client.get("/v1/models", headers={"authorization": "Basic ?"}).status_code == 401
        assert classify(client, TONE).status_code == 401
        assert stub.read == []
        assert client.get("/v1/models", headers=given(PASSWORD)).status_code == 200
        assert classify(client, TONE, headers=given(PASSWORD, "")).status_code == 200
        wrong = [
            client.get("/v1/models", headers=given(f"guess {number}")).status_code
            for number in range(Tries.MOST)
        ]
        late = client.get("/v1/models", headers=given(PASSWORD))
        assert set(wrong) == {401}
        assert late.status_code == 429 and late.headers["retry-after"]


def test_models_and_health_are_told(client):
    models = client.get("/v1/models").json()
    assert [(one["part"], one["fingerprint"]) for one in models["models"]] == [
        ("voice", "0123"),
        ("fusion", "4567"),
    ]
    assert client.get("/health").json()["waiting"] == 0


def test_the_page_lists_every_operation_and_fetches_nothing(client):
    page = client.get("/")
    document = client.get("/openapi.json").json()
    assert all(path in page.text for path in document["paths"])
    assert "<script" not in page.text and "http" not in page.text.replace("http://127.0.0.1", "")
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_the_document_has_the_schema_of_the_results(client):
    document = client.get("/openapi.json").json()
    text = json.dumps(document["components"]["schemas"])
    assert document["openapi"].startswith("3.1")
    assert RESULTS in document["components"]["schemas"] and "$defs" not in text
    answers = document["paths"]["/v1/classify"]["post"]["responses"]
    for status in ("200", "422"):
        schema = answers[status]["content"]["application/json"]["schema"]
        assert schema == {"$ref": f"#/components/schemas/{RESULTS}"}


def test_what_the_page_of_the_docs_types_works(client, folder, monkeypatch, capsys):
    page = (REPOSITORY / "docs" / "service.md").read_text(encoding="utf-8")
    (folder / "clip.wav").write_bytes(TONE)
    (folder / "talk.mp4").write_text("some words")
    monkeypatch.chdir(folder)
    statuses = []
    for line in re.findall(r"^curl .*", page, flags=re.M):
        words = shlex.split(line)
        sent = [
            ("file", (word[6:], Path(word[6:]).read_bytes()))
            for word in words
            if word.startswith("file=@")
        ]
        method = "POST" if sent else "GET"
        statuses.append(client.request(method, words[-1], files=sent or None).status_code)
    assert statuses == [200, 200, 200]
    (code,) = re.findall(r"^```python\n(.*?)^```", page, flags=re.M | re.S)

    def post(address, timeout, **sent):
        return client.post(address, **sent)

    monkeypatch.setitem(sys.modules, "httpx", SimpleNamespace(post=post))
    exec(compile(code, "service.md", "exec"), {})
    assert capsys.readouterr().out.startswith("clip.wav ")


def test_an_ending_service_lets_nobody_wait(folder):
    let_go, begun = threading.Event(), threading.Event()

    def meanwhile():
        begun.set()
        let_go.wait(5)

    async def ends(store):
        queue = ReadingQueue(1)
        service = api.Service(Stub(meanwhile), store, queue)
        page = "a" * 32
        store.connect(page)
        stored = store.new(page, "a.wav")
        stored.path.write_bytes(TONE)
        request = SimpleNamespace(receive=asyncio.Event().wait)
        reading = asyncio.create_task(
            service._read(request, service._recognizer, [uploads.Received(stored)], page)
        )
        await asyncio.to_thread(begun.wait, 5)
        reading.cancel()
        try:
            await reading
        finally:
            let_go.set()
            await asyncio.to_thread(queue.close)

    with Store(keep_s=0) as store, pytest.raises(api.CancelledTicket):
        asyncio.run(ends(store))


def test_a_real_clip_is_read_as_everywhere(recognizer, example, folder):
    with Store(keep_s=0) as store, served(recognizer, store) as client:
        answer = client.post("/v1/classify", files=[("file", (example.name, example.open("rb")))])
    expected = json.loads(json.dumps(api.json_entry(recognizer.classify(example))))
    (clip,) = answer.json()["clips"]
    assert clip == {**expected, "file": example.name}


def test_requests_without_a_clip_leave_nothing_that_waits(client):
    statuses = [classify(client, content).status_code for content in (b"words", b"", TONE)]
    assert statuses == [422, 422, 200]
