"""The web page's parts, without a browser."""

import asyncio
import json
import os
import re
import stat
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import made_voice, wait_for, write_clip
from starlette.applications import Starlette
from starlette.testclient import TestClient

from emorec.app import about_tab
from emorec.app import store as store_app
from emorec.app.files import WEB_FOLDER
from emorec.app.guard import Guard
from emorec.app.live_tab import LiveDesk, unpack
from emorec.app.page import page_html
from emorec.app.result_html import TEMPLATES, Shown, clip_html, colors_css, words_for
from emorec.app.store import Store, StoreError, check_clip
from emorec.cli import main
from emorec.emotions import COMMON7
from emorec.evaluation import evidence
from emorec.evaluation import scores as evaluation
from emorec.evaluation.deployed import deployed_line
from emorec.faces.track import FaceTrack
from emorec.live.engine import LiveVerdict
from emorec.live.people import LivePerson
from emorec.media.reader import read_frames
from emorec.models import MODEL_FOLDERS
from emorec.paths import MODELS, REPOSITORY
from emorec.result.clip import ClipResult, Person
from emorec.streams.windows import Windows
from emorec.style import EMOTION_COLORS, readable_on

PAGE, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Store(keep_s=0) as made:
        yield made


def posterior(**shares: float) -> np.ndarray:
    rest = (1 - sum(shares.values())) / (len(COMMON7) - len(shares))
    return np.array([shares.get(name, rest) for name in COMMON7], np.float32)


def sent(store, page, content: bytes, name="clip.mp4"):
    stored = store.new(page, name)
    stored.path.write_bytes(content)
    store.keep(page, stored)
    return stored


# The store


def test_the_folder_is_private_and_goes_with_the_store(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Store() as store:
        store.connect(PAGE)
        sent(store, PAGE, b"x")
        assert stat.S_IMODE(store.root.stat().st_mode) == 0o700
    assert not list(tmp_path.iterdir())


def test_what_a_killed_server_left_is_removed_and_a_running_ones_folder_is_not(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / "emorec-app-left"
    left.mkdir()
    (left / "lock").touch()
    (left / "clip").write_bytes(b"x")
    (tmp_path / "emorec-app-not-ours").mkdir()  # without a lock: something else
    with Store() as first, Store():
        assert not left.exists()
        assert first.root.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["emorec-app-not-ours"]


def test_files_belong_to_their_page_and_go_when_it_is_closed(store):
    store.connect(PAGE)
    store.connect(PAGE)  # the same page connects anew before the old connection is missed
    clip = sent(store, PAGE, b"x")
    assert store.find(PAGE, clip.token) == clip
    assert store.find(OTHER, clip.token) is None
    store.disconnect(PAGE)
    store.sweep()
    assert clip.path.exists()
    store.disconnect(PAGE)
    store.sweep()
    assert not clip.path.exists() and store.find(PAGE, clip.token) is None
    assert not store.is_open(PAGE)


def test_a_page_that_returns_in_time_keeps_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Store(keep_s=60) as store:
        store.connect(PAGE)
        clip = sent(store, PAGE, b"x")
        store.disconnect(PAGE)
        store.sweep()
        assert store.find(PAGE, clip.token)


@pytest.mark.parametrize("page", ["", "../etc", "a" * 31, "A" * 32, "a" * 32 + "\n"])
def test_no_other_identity_reaches_the_disk(store, page):
    for use in (store.connect, lambda p: store.new(p, "x"), lambda p: store.room_for(p, 1)):
        with pytest.raises(StoreError, match="Reload"):
            use(page)


def test_what_is_too_large_too_much_or_from_nowhere_is_refused(store, monkeypatch):
    with pytest.raises(StoreError, match="no longer known"):
        store.room_for(PAGE, 1)
    store.connect(PAGE)
    store.room_for(PAGE, 200_000_000)
    with pytest.raises(StoreError, match=r"too large \(201 MB\): a clip may have 200 MB"):
        store.room_for(PAGE, 201_000_000)
    monkeypatch.setattr(store_app, "_MOST_BYTES_IN_ALL", 100)
    sent(store, PAGE, b"x" * 99)
    with pytest.raises(StoreError, match="no room"):
        store.room_for(PAGE, 2)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"just words\n" * 9, "not a recording"),
        (b"#EXTM3U\n#EXTINF:3,\n/etc/passwd\n", "not a recording"),
        (b"\xef\xbb\xbf\n#extm3u\n\x00", "not a recording"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n\x00", "not a recording"),
        (b"<?xml?><MPD></MPD>\x00", "not a recording"),
        (b"\x00\x01<MPD xmlns='urn:mpeg:dash:schema:mpd:2011'>", "not a recording"),
        (bytes(range(256)) * 9, "Play it in a media player"),
    ],
)
def test_content_decides_and_not_the_name(store, content, reason):
    store.connect(PAGE)
    stored = store.new(PAGE, "holiday.mp4")
    stored.path.write_bytes(content)
    with pytest.raises(StoreError, match=reason):
        check_clip(stored)


def test_a_clip_under_any_name_is_taken_unless_too_long(store, tmp_path, monkeypatch):
    store.connect(PAGE)
    tone = write_clip(tmp_path / "t.wav", None, made_voice(1.0), audio_codec="pcm_s16le")
    stored = store.new(PAGE, "picture.jpg")
    stored.path.write_bytes(tone.read_bytes())
    checked = check_clip(stored)
    assert (checked.media_type, checked.name) == ("audio/wav", "picture.jpg")
    assert checked.duration_s == pytest.approx(1.0)
    monkeypatch.setattr(store_app, "LONGEST_S", 0.5)
    with pytest.raises(StoreError, match="too long"):
        check_clip(stored)


# The guard


def asked(guard, path="/", method="GET", body=b"", **headers):
    """Status, headers and body of what a guard answers; it passes on to `inner`."""
    pairs = {"host": "127.0.0.1:7860", "content-length": str(len(body)), **headers}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "scheme": "http",
        "headers": [(n.replace("_", "-").encode(), v.encode()) for n, v in pairs.items()],
    }
    messages = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        messages.append(message)

    asyncio.run(guard(scope, receive, send))
    answer = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    content = b"".join(message.get("body", b"") for message in messages[1:])
    return messages[0]["status"], answer, content


async def inner(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})


def test_every_answer_has_a_policy_that_allows_no_script_and_no_style_within_it():
    status, headers, content = asked(Guard(inner))
    assert (status, content) == (200, b"served")
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert not any(word in policy for word in ("unsafe", "http", "*", "data:", "blob:"))
    assert headers["x-content-type-options"] == "nosniff"


@pytest.fixture(scope="module")
def document():
    """The page as it is served."""
    known = SimpleNamespace(speaker=SimpleNamespace(notes=("judged as Anna, known from 8 clips",)))
    return page_html(MODELS, known)


def test_the_page_loads_nothing_from_outside_and_holds_no_script_and_no_style(document):
    everything = [document, *(f.read_text() for f in TEMPLATES.glob("*"))]
    everything += [f.read_text() for f in WEB_FOLDER.glob("*")]
    for text in everything:
        assert not re.search(r"""(src|href|url|import)\W{1,3}(https?:)?//""", text)
    for text in everything[:1]:
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]* src=)", text)
    assert re.findall(r"<script[^>]*src=\"([^\"]*)", document) == ["emorec/web/page.js"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/emorec/web/page.js", {}, 200),
        ("/config", {}, 404),
        ("/upload", {}, 404),
        ("/file=/etc/passwd", {}, 404),
        ("/emorec/web/../app.py", {}, 404),
        ("/", {"host": "localhost:1"}, 200),
        ("/", {"host": "evil.example:7860"}, 403),
        ("/", {"origin": "http://evil.example"}, 403),
        ("/", {"origin": "http://127.0.0.1:7860"}, 200),
        ("/", {"origin": "null"}, 403),
        ("/", {"sec_fetch_site": "cross-site"}, 403),
    ],
)
def test_only_the_page_itself_gets_what_it_needs(path, headers, status):
    assert asked(Guard(inner), path, **headers)[0] == status


def test_a_message_that_is_too_long_is_refused():
    guard = Guard(inner)
    path = f"/emorec/read/{PAGE}"
    assert asked(guard, path, "POST", b"{}")[0] == 200
    assert asked(guard, path, "POST", b"{}", content_length="2000000")[0] == 413
    assert asked(guard, path, "POST", b"{}", content_length="")[0] == 413
    assert asked(guard, f"/emorec/upload/{PAGE}", "POST", content_length="2000000")[0] == 200


def test_the_password_is_asked_for_and_remembered_by_a_cookie():
    guard = Guard(inner, "pass wörd")
    for path in ("/", "/emorec/colors.css", f"/emorec/clip/{PAGE}/x", "/emorec/web"):
        status, _, page = asked(guard, path)
        assert status == 401 and b'type="password"' in page and b"<style" not in page
    assert asked(guard, "/emorec/web/page.css")[0] == 200, "the form is dressed, too"
    assert asked(guard, "/emorec/web/../clip/x")[0] == 404
    assert asked(guard, "/login", "POST", b"password=wrong")[0] == 401
    status, headers, _ = asked(guard, "/login", "POST", b"password=pass+w%C3%B6rd")
    assert status == 303
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert asked(guard, cookie=cookie.split(";")[0])[0] == 200
    assert asked(guard, cookie="emorec_session=guessed")[0] == 401
    assert asked(guard, cookie=cookie.split(";")[0], origin="http://evil.example")[0] == 403


# What is shown


def result(**changes) -> ClipResult:
    said = {"voice": posterior(sad=0.6), "face": posterior(happy=0.9), "fused": posterior(sad=0.5)}
    times_s = np.array([0.25, 0.75, 3.25])
    windows = {s: Windows(times_s, np.stack([p] * 3), 0.5) for s, p in said.items()}
    values = {"posteriors": said, "windows": windows, "notes": ["no face"], "duration_s": 4.0}
    return ClipResult(Path("a.mp4"), "ok", **{**values, **changes})


def test_a_verdict_in_words_names_disagreement_and_doubt():
    words = words_for(result())
    assert words.startswith("Probably sad, next ")
    assert words.endswith("The voice says sad and the face says happy.")
    unsure = result(posteriors={"voice": posterior(sad=0.3), "fused": posterior(sad=0.3)})
    assert words_for(unsure).startswith("Unsure, perhaps sad")
    same = {stream: posterior(sad=0.95) for stream in ("voice", "face", "fused")}
    agreed = words_for(result(posteriors=same))
    assert agreed.endswith("The voice and the face both say sad.")


def test_names_and_notes_cannot_become_markup():
    evil = "<script>alert(1)</script>"
    shown = clip_html(Shown(result(notes=[evil]), evil, is_row=True))
    shown += clip_html(Shown(ClipResult.failed(evil, evil, evil), evil))
    assert "<script" not in shown and shown.count("&lt;script") >= 4


def test_the_timeline_shows_each_window_where_it_was():
    shown = clip_html(Shown(result(), "a.mp4", "token", "emorec/clip/x", "video"))
    timeline = shown.split("<emorec-timeline")[1].split("</emorec-timeline")[0]
    rows = timeline.split('class="row')
    assert [row.count("<rect") for row in rows[2:4]] == [3, 3], "voice and face"
    assert timeline.count("<polygon") == 2 * len(COMMON7), "the gap parts the course in two"
    said = json.loads(timeline.split('data-said="')[1].split('"')[0].replace("&#34;", '"'))
    assert said["Voice"][0] == [0.0, 0.5, "sad", 60]
    assert next(iter(said)) == "All together"
    assert "style=" not in shown


def test_all_together_comes_first_and_a_missing_stream_is_named():
    shown = clip_html(Shown(result(), "a.mp4"))
    streams = re.findall(r'data-stream="(\w+)"', shown)
    assert streams == ["fused", "voice", "face", "geometry"]
    assert shown.count("not there") == 1
    assert shown.index('class="badge e-sad">sad 50%') < shown.index("data-stream")


def test_everybody_has_a_row_where_there_are_several():
    people = tuple(
        Person(
            number, FaceTrack(np.array([0.5, 2.5]), np.zeros((2, 4))), share,
            {"fused": posterior(happy=0.8)}, {"fused": result().windows["fused"]}, duration_s=4.0,
        )
        for number, share in ((1, 0.7), (2, 0.0))
    )  # fmt: skip
    shown = clip_html(Shown(result(people=people), "a.mp4"))
    rows = shown.split('class="people"')[1].split("</ul>")[0].split("<li>")[1:]
    assert len(rows) == 2 and all("happy 80%" in row for row in rows)
    assert "70% of the speech" in rows[0] and "is silent" in rows[1]
    assert "0:00 to 0:02" in rows[0]
    assert 'class="people"' not in clip_html(Shown(result(people=people[:1]), "a.mp4"))


def test_the_colours_come_from_the_common_style():
    found = dict(re.findall(r"--shade: (#\w+); --on: (#\w+)", colors_css()))
    assert found == {color: readable_on(color) for color in EMOTION_COLORS.values()}


def test_about_says_what_the_evidence_says(document):
    facts = about_tab.cards(MODELS)
    assert [model.stream for model in facts] == ["voice", "face", "geometry", "fused"]
    for model in facts:
        assert f"<strong>{100 * model.metrics['scores']['accuracy']:.1f}</strong>" in document
        folder = MODELS / MODEL_FOLDERS.get(model.stream, "fusion")
        predictions = evidence.read_predictions(folder, "predictions.csv")
        counts = evaluation.confusion(predictions)
        for name, (recall, low, high) in model.intervals.items():
            assert recall == pytest.approx(counts.loc[name, name] / counts.loc[name].sum())
            assert low <= recall <= high
    assert "emotions are acted" in document
    assert "CC BY-NC-SA" in about_tab.licence_markdown(REPOSITORY)
    assert deployed_line(MODELS) in document
    assert "Judged as Anna" in document


def test_nothing_on_the_page_is_for_developers(document):
    for word in ("ferplus)", "Made again by", "python -m", "predictions.csv", " ms"):
        assert word not in document


def test_models_without_evidence_are_said_to_be_unknown(tmp_path):
    assert about_tab.cards(tmp_path) == []
    known = SimpleNamespace(speaker=SimpleNamespace(notes=()))
    shown = page_html(tmp_path, known)
    assert "nothing is known" in shown and "came without figures" in shown


# What leaves the machine


def test_the_networks_report_their_use_to_nobody(tmp_path):
    """ONNX Runtime would keep an identity and what it is to report in these folders."""
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(temporary)}
    for name in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "CI"):
        environment.pop(name, None)
    code = f"from emorec import Recognizer; Recognizer.load({str(REPOSITORY / 'Models')!r})"
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=REPOSITORY, check=True)
    assert [*home.rglob("*"), *temporary.rglob("*")] == []


# The live view's messages


def test_messages_of_the_live_view():
    frame = struct.pack("<B3xHHd", 1, 4, 3, 1.5) + bytes(range(12))
    kind, picture, time_s = unpack(frame)
    assert (kind, picture.shape, picture[2, 3], time_s) == ("frame", (3, 4), 11, 1.5)
    samples = np.linspace(-1, 1, 480, dtype="<f4")
    kind, sound, rate_hz, time_s = unpack(struct.pack("<B3xId", 2, 48_000, 2.0) + samples.tobytes())
    assert (kind, rate_hz, time_s) == ("sound", 48_000, 2.0) and np.array_equal(sound, samples)
    nan = struct.pack("<f", float("nan"))
    for bad in (
        b"", frame[:-1], frame[:10], b"\x07" + frame[1:],
        struct.pack("<B3xHHd", 1, 4, 3, float("nan")) + bytes(12),
        struct.pack("<B3xHHd", 1, 4000, 1, 0.0) + bytes(4000),
        struct.pack("<B3xId", 2, 1, 0.0) + nan, struct.pack("<B3xId", 2, 48_000, 0.0) + nan,
        struct.pack("<B3xId", 2, 8_000, 0.0) + bytes(4 * 8_000 * 3),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            unpack(bad)


def test_a_live_view_whose_time_jumps_ends_and_gives_its_slot_back(recognizer, example):
    frames = next(read_frames(example, max_side_px=640)).frames
    desk = LiveDesk(recognizer)
    app = Starlette(routes=desk.routes())
    with TestClient(app) as browser:
        with browser.websocket_connect("/emorec/live") as view:
            for number, time_s in enumerate([0.0, 0.1, 0.2, 1e9, 1e9 + 0.1, 0.3, 0.4] * 3):
                height, width = frames[0].shape
                head = struct.pack("<B3xHHd", 1, width, height, time_s)
                view.send_bytes(head + frames[number % len(frames)].tobytes())
                view.receive_json()
            assert desk._views == 1
        wait_for(lambda: desk._views == 0)


class TellingEngine:
    """Stands in for the live engine: happy, twice a second."""

    counts = SimpleNamespace(dropped=0)

    def __init__(self, _):
        self.time_s = 0.0

    def push_frame(self, frame, time_s):
        self.time_s = time_s

    def verdict(self):
        said = {"face": posterior(happy=0.8), "fused": posterior(happy=0.9)}
        return LiveVerdict(self.time_s, said, notes=["no sound"]) if self.time_s else None

    def drain(self, timeout_s):
        return True

    def summary(self):
        return self.verdict()

    def close(self):
        pass


def test_a_live_view_of_several_people_tells_of_each(recognizer, monkeypatch):
    asked = []

    class OfEverybody(TellingEngine):
        def __init__(self, recognizer):
            asked.append(recognizer.purpose.everybody)
            super().__init__(recognizer)

        def verdict(self):
            people = (LivePerson(2, (4, 5, 60), "happy", 0.63, True),)
            return LiveVerdict(self.time_s, {}, people=people)

    monkeypatch.setattr("emorec.live.engine.LiveEngine", OfEverybody)
    app = Starlette(routes=LiveDesk(recognizer).routes())
    with TestClient(app) as browser, browser.websocket_connect("/emorec/live?people") as view:
        told = view.receive_json()
    person = {"number": 2, "box": [4, 5, 60], "emotion": "happy", "confidence": 0.63}
    assert told["people"] == [{**person, "speaks": True}] and asked == [True]


def test_a_live_view_that_is_stopped_is_summed_up(monkeypatch):
    monkeypatch.setattr("emorec.live.engine.LiveEngine", TellingEngine)
    monkeypatch.setattr("emorec.app.live_tab._VERDICT_EVERY_S", 0.01)
    app = Starlette(routes=LiveDesk(None).routes())
    with TestClient(app) as browser, browser.websocket_connect("/emorec/live") as view:
        for time_s in (100.0, 100.2, 100.6, 101.1, 104.9):
            view.send_bytes(struct.pack("<B3xHHd", 1, 4, 3, time_s) + bytes(12))
            while (told := view.receive_json())["time_s"] != time_s:
                pass
            assert (told["word"], told["notes"]) == ("very likely", ["no sound"])
            assert told["people"] == []
        view.send_text("stop")
        while "summary" not in (told := view.receive_json()):
            pass
    shown = told["summary"]
    assert 'class="badge e-happy">happy 90%' in shown and "No sound." in shown
    assert shown.count("<polygon") == 2 * len(COMMON7), "a hole of three seconds parts the course"
    assert 'data-duration="5.' in shown and "<video" not in shown and "draw" not in shown


def test_the_command_says_what_is_missing_and_refuses_a_weak_password(capsys, monkeypatch):
    assert main(["app", "--password-file", "/nonexistent/word"]) == 2
    said = capsys.readouterr().err
    assert "Remedy" in said
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["app"]) == 2
    assert "pip install 'emorec[app]'" in capsys.readouterr().err


def test_the_page_of_a_person_who_is_not_known_is_refused(
    recognizer, capsys, monkeypatch, tmp_path
):
    monkeypatch.setenv("EMOREC_PEOPLE", str(tmp_path))
    monkeypatch.setattr("emorec.recognizer.Recognizer.load", lambda *_: recognizer)
    assert main(["app", "--person", "Anna", "--port", "0", "--no-browser"]) == 2
    assert "Anna" in capsys.readouterr().err
