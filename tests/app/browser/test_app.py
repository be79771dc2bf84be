"""The web page in a real browser, with its camera and microphone fed from a clip."""

import contextlib
import csv
import http.client
import json
import re
import struct
import threading
import time
from pathlib import Path

import psutil
import pytest
from app_server import CLIPS, TIMEOUT_MS, Server, until, why_not

from emorec.app.live_tab import MOST_VIEWS
from emorec.emotions import COMMON7
from emorec.media.reader import probe
from emorec.models import MODEL_FOLDERS
from emorec.paths import MODELS

pytest_plugins = ("browser_fixtures",)
pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

HAPPY = CLIPS[1]
FILES = "emorec-intake input[type=file]"
DONE = "nav.downloads"


def wait_for(condition, seconds: float = 60):
    """Wait until a condition of the server or the disk holds."""
    end_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_s, "it did not come about"
        time.sleep(0.05)


def downloaded(page, selector: str) -> Path:
    with page.expect_download(timeout=TIMEOUT_MS) as download:
        page.click(selector)
    return download.value.path()


def recorded(page, seconds: int):
    """Wait until a recording is so long."""
    script = "least => document.querySelector('.recording time')?.textContent >= least"
    until(page, script, f"0:{seconds:02d}")


def identity(page) -> str:
    return page.evaluate("import('./emorec/web/identity.js').then(module => module.pageId)")


def test_a_clip_is_read_shown_and_handed_out(server, open_page, tmp_path):
    from emorec import Recognizer

    page = open_page(server.url)
    page.set_input_files(FILES, HAPPY)
    page.wait_for_selector(DONE)
    result = Recognizer.load(MODELS).classify(HAPPY)
    assert page.inner_text(".badge") == f"{result.emotion} {result.confidence:.0%}"
    fused = result.posteriors["fused"]
    second = COMMON7[int(fused.argsort()[-2])]
    assert f"{result.emotion}, next {second}" in page.inner_text(".verdict")
    assert page.locator("#clip .panel").count() == 4
    assert "Made up" in page.inner_text(".notes")
    until(page, "document.querySelector('video.player').readyState >= 1")

    page.focus(".tracks")
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('video.player').currentTime > 1.4")
    assert page.inner_text(".now").startswith("1.5 s · All together: ")
    page.keyboard.press("Home")
    page.evaluate("document.querySelector('video.player').muted = true")
    page.keyboard.press(" ")
    until(page, "parseFloat(document.querySelector('.head').style.left) > 5")

    rows = list(csv.DictReader(downloaded(page, "text=Table (CSV)").open()))
    assert [(row["file"], row["emotion"]) for row in rows] == [(HAPPY.name, result.emotion)]
    told = json.loads(downloaded(page, "text=All (JSON)").read_text())
    fused = told["clips"][0]["probabilities"]["fused"]
    assert [fused[name] for name in COMMON7] == pytest.approx(
        result.posteriors["fused"].tolist(), abs=1e-4
    )
    course = list(csv.DictReader(downloaded(page, "text=Course (CSV)").open()))
    assert {row["stream"] for row in course} == {"voice", "face", "geometry", "fused"}

    page.click("text=Make the annotated video")
    until(page, "document.querySelector('.downloads progress')?.value > 0")
    video = downloaded(page, ".downloads a:text('Annotated video')")
    info, own = probe(video), probe(HAPPY)
    assert info.has_picture and info.has_sound
    assert info.duration_s == pytest.approx(own.duration_s, abs=0.1)
    assert info.frame_rate_hz == own.frame_rate_hz
    assert page.problems == []


def test_several_clips_give_a_table_and_bad_files_a_reason(server, open_page, short_clip, tmp_path):
    (tmp_path / "text.mp4").write_text("no recording\n" * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXTINF:3,\n{HAPPY}\n#EXT-X-ENDLIST\n")
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    evil = tmp_path / "<img src=x onerror='window.hacked=1'>.wav"
    evil.write_bytes(short_clip.read_bytes())
    page = open_page(server.url)
    bad = [tmp_path / "text.mp4", tmp_path / "empty.mp4", tmp_path / "list.mp4"]
    bad.append(tmp_path / "noise.mp4")
    page.set_input_files(FILES, [CLIPS[0], *bad, evil])
    page.wait_for_selector(DONE)
    rows = page.locator("details.clip > summary")
    assert rows.count() == 2
    assert CLIPS[0].name in rows.nth(0).inner_text()
    assert "<img src=x" in rows.nth(1).inner_text()
    assert not page.evaluate("window.hacked")
    problems = page.locator(".problem").all_inner_texts()
    assert len(problems) == 4
    assert all(
        problem.startswith(f"{file.name}: ") for problem, file in zip(problems, bad, strict=True)
    )
    assert "not a recording" in problems[0] and "not a recording" in problems[2]
    assert "empty" in problems[1]
    assert "Play it in a media player" in problems[3]
    assert page.locator("video.player >> visible=true").count() == 0
    page.focus("summary >> nth=0")
    page.keyboard.press("Enter")
    assert page.locator("video.player >> visible=true").count() == 1
    until(page, "document.querySelector('video.player').readyState >= 1")
    page.set_input_files(FILES, bad[:1])
    page.wait_for_selector(".problem")
    assert page.locator(".clip, .downloads").count() == 0, "what was found before has left"
    assert page.problems == []


def test_a_huge_file_is_refused_with_what_helps(server, open_page, tmp_path):
    huge = tmp_path / "huge.mp4"
    with huge.open("wb") as file:
        file.truncate(201_000_000)
    page = open_page(server.url)
    page.set_input_files(FILES, huge)
    page.wait_for_selector(".problem")
    assert "too large (201 MB): a clip may have 200 MB" in page.inner_text(".problem")
    # The page asks first, but the server does not rely on it.
    path = f"/emorec/upload/{identity(page)}"
    status, answer = server.ask(path, "POST", Content_Length="201000000")
    assert status == 422 and "too large (201 MB)" in json.loads(answer)["problem"]
    status, _ = server.ask("/upload", "POST", b"anything")
    assert status == 404


def test_camera_and_microphone_are_recorded_and_read(server, open_page):
    page = open_page(server.url, permissions=["camera", "microphone"])
    page.click("text=Record video")
    recorded(page, 3)
    page.click("text=Stop and read")
    page.wait_for_selector(DONE)
    assert page.inner_text(".clip h2").startswith("recording.")
    assert page.locator("#clip .absent").count() == 0, "picture and sound are both there"
    # A recording of the browser's own states no length; the player has to find it.
    until(page, "document.querySelector('video.player').duration < 60")
    page.click("text=Record voice")
    recorded(page, 3)  # a clip begins with a second of silence
    page.click("text=Stop and read")
    page.wait_for_selector("audio.player")
    assert "no picture" in page.inner_text(".notes").lower()
    page.click("text=Record voice")
    recorded(page, 0)
    page.click("text=Throw away")
    page.wait_for_selector("text=Throw away", state="detached")
    assert page.problems == []


def test_a_refused_camera_is_said_in_words(server, open_page):
    page = open_page(server.url)
    page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () => "
        "Promise.reject(new DOMException('', 'NotAllowedError')); }"
    )
    page.click("text=Record video")
    page.wait_for_selector("text=The browser does not allow it")
    page.click("role=tab[name=Live]")
    page.click("text=Start camera and microphone")
    page.wait_for_selector("[role=status]:has-text('The browser does not allow it')")


def test_the_live_view_shows_verdicts_and_ends_with_its_tab(server, open_page):
    page = open_page(server.url, permissions=["camera", "microphone"])
    page.click("role=tab[name=Live]")
    page.click("text=Start camera and microphone")
    until(page, "Number(document.querySelector('emorec-live').dataset.verdicts) > 5")
    until(
        page,
        "['voice', 'face', 'fused'].every(name => document.querySelector("
        "`emorec-live [data-stream=${name}] .best .share`)?.textContent)",
    )
    assert page.inner_text("emorec-live .view .badge").split()[0] in COMMON7
    assert re.fullmatch(r"0:\d\d", page.inner_text("emorec-live .clock"))
    page.click("text=Stop")
    page.wait_for_selector("emorec-live .summary .badge")
    assert "All that was seen and heard" in page.inner_text("emorec-live .summary")
    assert page.locator("emorec-live .summary polygon").count() >= len(COMMON7)
    page.click("text=Start camera and microphone")
    page.wait_for_selector("emorec-live .stage video >> visible=true")
    assert page.locator("emorec-live .summary *").count() == 0
    page.click("role=tab[name=Clip]")
    # The view looks now and then whether it is seen; back at once, it would not notice.
    page.wait_for_selector("text=Stopped, because you left this tab.", state="attached")
    page.click("role=tab[name=Live]")
    page.wait_for_selector("text=Stopped, because you left this tab.")
    # Camera alone, and then the tab is closed while the view runs.
    page.evaluate(
        "() => { const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "navigator.mediaDevices.getUserMedia = wish => wish.audio ? "
        "Promise.reject(new DOMException('', 'NotFoundError')) : open(wish); }"
    )
    page.check("emorec-live [name=people]")
    page.click("text=Start camera and microphone")
    page.wait_for_selector("text=There is no microphone")
    until(page, "/^1: [a-z]+ \\d+%$/.test(document.querySelector('.live-people').textContent)")
    assert page.is_disabled("emorec-live [name=people]")
    until(page, "document.querySelector('.live-notes').textContent.includes('no sound')")
    assert page.problems == []
    page.close()


def test_live_views_are_limited_and_their_engines_end(server):
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    address = server.url.replace("http:", "ws:") + "emorec/live"

    views = []

    def one_more():
        """Open a view, and tell whether it was answered rather than turned away."""
        view = connect(address)
        with contextlib.suppress(ConnectionClosed):  # turned away before it could say anything
            view.send(struct.pack("<B3xHHd", 1, 64, 48, 0.0) + bytes(64 * 48))
        if "problem" in json.loads(view.recv(60)):
            return False
        views.append(view)
        return True

    for _ in range(2):  # the second time, every engine of the first has ended
        wait_for(lambda: one_more() and len(views) == MOST_VIEWS)
        assert not one_more()
        views[0].send(b"nonsense")
        while views:
            views.pop().close()


def test_two_tabs_keep_apart_and_a_closed_one_leaves_nothing(server, open_page, short_clip):
    first, second = open_page(server.url), open_page(server.url)
    first.set_input_files(FILES, HAPPY)
    second.set_input_files(FILES, short_clip)
    for page, clip in ((first, HAPPY), (second, short_clip)):
        page.wait_for_selector(DONE)
        assert page.inner_text(".clip h2") == clip.name
    address = first.get_attribute("video.player", "src")
    owner, stranger = identity(first), identity(second)
    assert server.ask(f"/{address}")[0] == 200
    assert server.ask(f"/{address}".replace(owner, stranger))[0] == 404
    assert any(owner in str(path) for path in server.files())
    first.close()
    wait_for(lambda: not any(owner in str(path) for path in server.files()))
    assert server.ask(f"/{address}")[0] == 404
    assert any(stranger in str(path) for path in server.files())


def test_ten_uploads_at_once_are_all_answered(server, open_page, short_clip):
    pages = [open_page(server.url) for _ in range(10)]
    for page in pages:
        page.set_input_files(FILES, short_clip)
    for page in pages:
        page.wait_for_selector(f"{DONE}, .problem")
        assert page.locator(DONE).count() == 1
        assert page.inner_text(".clip h2") == short_clip.name


def test_the_keyboard_alone_is_enough(server, open_page, short_clip):
    page = open_page(server.url)
    # Long before it is needed: the browser is told in the background to hand the chooser over.
    page.on("filechooser", lambda _: None)
    for _ in range(15):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Choose clips":
            break
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(short_clip)
    page.wait_for_selector(DONE)
    until(page, "document.activeElement.textContent === 'Choose clips'")
    reached = set()
    for _ in range(15):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.className"))
        # Players draw around their own buttons.
        if page.evaluate("!document.activeElement.matches('body, .player')"):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", "who has the focus is to be seen"
    assert {"player", "tracks", "button", "button draw"} <= reached


def violations(page) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA and good practice, as it is shown now."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it_in_every_state(server, open_page, short_clip, tmp_path, scheme):
    other = tmp_path / "other.wav"
    other.write_bytes(short_clip.read_bytes())
    (text := tmp_path / "text.mp4").write_text("no recording")
    page = open_page(server.url, color_scheme=scheme, permissions=["camera", "microphone"])
    found = {"empty": violations(page)}
    page.click("text=Try an example")
    page.wait_for_selector(DONE)
    assert "Made up" in page.inner_text(".notes")
    found["one clip"] = violations(page)
    page.set_input_files(FILES, [short_clip, text, other])
    page.wait_for_selector(DONE)
    page.click("summary >> nth=0")
    found["many clips"] = violations(page)
    page.click("role=tab[name=Live]")
    page.click("text=Start camera and microphone")
    until(page, "Number(document.querySelector('emorec-live').dataset.verdicts) > 5")
    found["live"] = violations(page)
    page.click("text=Stop")
    page.wait_for_selector("emorec-live .summary .badge")
    found["summary"] = violations(page)
    page.focus("role=tab[name=Live]")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=How far to trust it")
    page.click("text=Voice: Voice encoder")
    found["about"] = violations(page)
    assert {state: broken for state, broken in found.items() if broken} == {}
    assert page.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(server, open_page, short_clip, scheme):
    page = open_page(server.url, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page.set_input_files(FILES, [short_clip, HAPPY])
    page.wait_for_selector(DONE)
    page.click("summary >> nth=1")
    for tab in ("Clip", "Live", "About"):
        page.click(f"role=tab[name={tab}]")
        page.wait_for_selector({"Clip": DONE, "Live": "emorec-live h1", "About": ".wide"}[tab])
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    brightness = (
        "selector => Math.max(...getComputedStyle(document.querySelector(selector))"
        ".color.match(/[0-9.]+/g).slice(0, 3))"
    )
    ink = page.evaluate(brightness, ".wide .name")
    assert (ink > 150) == (scheme == "dark")


def test_the_about_tab_says_what_the_evidence_says(server, open_page):
    page = open_page(server.url)
    page.click("role=tab[name=About]")
    table = page.inner_text(".table >> nth=0")
    for model in (*MODEL_FOLDERS.values(), "fusion"):
        metrics = json.loads((MODELS / model / "metrics.json").read_text())
        low, high = metrics["intervals_95"]["accuracy"]
        assert f"{100 * metrics['scores']['accuracy']:.1f}" in table
        assert f"{100 * low:.1f} – {100 * high:.1f}" in table
    text = page.inner_text("body")
    for word in ("By emotion", "Limits", "Privacy", "Licences", "CC BY-NC-SA 4.0"):
        assert word in text


@pytest.mark.parametrize(
    "path",
    [
        "/file=/etc/passwd",
        "/etc/passwd",
        "/emorec/templates/page.html",
        "/emorec/web/../templates/page.html",
        "/emorec/download/../../../../etc/passwd",
        "/emorec/web/../../../../../../etc/passwd",
        "/emorec/web/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/emorec/web/..%2fapp.py",
        "/static/../../../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/routes.py",
        "/openapi.json",
        "/emorec/clip/%2e%2e/lock",
        "/docs",
    ],
)
def test_no_file_of_the_machine_is_given_away(server, path):
    status, content = server.ask(path)
    assert status in (403, 404) and b"root:" not in content and b"import" not in content


def test_other_web_pages_are_kept_out(server):
    assert server.ask("/", Host="emorec.example")[0] == 403
    assert server.ask("/", Host="localhost")[0] == 200
    page = "0" * 32
    status, _ = server.ask(f"/emorec/upload/{page}", "POST", b"x", Origin="http://evil.example")
    assert status == 403
    assert server.ask(f"/emorec/upload/{page}", "POST", b"x")[0] == 422


def test_another_address_needs_the_password(open_page, tmp_path, capfd):
    from emorec.cli import main

    assert main(["app", "--host", "127.0.0.2", "--port", "0", "--no-browser"]) == 2
    assert "needs a password" in capfd.readouterr().err
    word = tmp_path / "password.txt"
    word.write_text("correct horse\n")
    server = Server(tmp_path / "guarded", "--host", "127.0.0.2", "--port", "0",
                    "--password-file", str(word))  # fmt: skip
    try:
        assert server.ask("/")[0] == 401
        assert server.ask("/emorec/upload/" + "0" * 32, "POST", b"x")[0] == 401
        page = open_page(server.url, wait_for="input[type=password]")
        page.fill("#password", "wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=That is not the password.")
        page.fill("#password", "correct horse")
        page.keyboard.press("Enter")
        page.wait_for_selector("html[data-connected]")
        # Camera and microphone need a safe address, as which some browsers take all of 127.0.0.0/8;
        # where it is none, that is said rather than failing silently.
        if not page.evaluate("window.isSecureContext"):
            page.click("text=Record video")
            page.wait_for_selector(".problem")
    finally:
        assert server.interrupt() == 0


def test_a_killed_server_is_missed_and_its_folder_goes_with_the_next(
    open_page, short_clip, tmp_path
):
    first = Server(tmp_path, "--port", "0")
    page = open_page(first.url)
    page.set_input_files(FILES, short_clip)
    page.wait_for_selector(DONE)
    first.kill()
    page.wait_for_selector("text=The connection to emorec is lost")
    assert first.files(), "nobody was there to delete it"
    left = set(first.temporary.glob("emorec-app-*"))
    assert left
    second = Server(tmp_path, "--port", str(first.port))
    assert not any(folder.exists() for folder in left)
    page.wait_for_selector("text=emorec was started anew")
    page.click("text=Reload the page")
    page.wait_for_selector("html[data-connected]")
    page.set_input_files(FILES, HAPPY)
    page.wait_for_selector(".clip, .downloads, .sending progress")
    # Ctrl-C in the midst of work.

    def send_half():
        with contextlib.suppress(http.client.HTTPException):  # it is hung up on
            second.ask(f"/emorec/upload/{name}", "POST", b"x", Content_Length="9")

    name = identity(page)
    sending = threading.Thread(target=send_half, daemon=True)
    sending.start()
    children = psutil.Process(second.process.pid).children(recursive=True)
    assert second.interrupt() == 0
    assert not re.search("Traceback|Error|Cancel", "".join(second.said)), second.said
    assert not [child for child in children if child.is_running()]
    assert not list(second.temporary.iterdir())


def test_a_taken_port_is_said(server, capsys):
    from emorec.cli import main

    assert main(["app", "--port", str(server.port), "--no-browser"]) == 2
    assert re.search(r"port \d+ .* cannot be used .*Remedy: another one", capsys.readouterr().err)


def test_nothing_outside_this_machine_was_asked_for(server, asked_for):
    """The last test: of all that the others did."""
    assert len(asked_for) > 20
    own = re.compile(r"(http|ws)://127\.0\.0\.[12]:\d+/|data:|blob:http://127\.0\.0\.[12]:")
    assert [url for url in asked_for if not own.match(url)] == []
    if server.addresses.exists():
        reached = set(server.addresses.read_text().splitlines())
        assert reached <= {"name 127.0.0.1", "address 127.0.0.1"}
