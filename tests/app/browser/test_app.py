"""The web page in a real browser, with its camera and microphone fed from a clip."""

import contextlib
import csv
import json
import re
import struct
import threading
import time
from pathlib import Path

import psutil
import pytest
from app_server import CLIPS, TIMEOUT_MS, Server, why_not

from emorec.app.live_tab import MOST_VIEWS
from emorec.emotions import COMMON7
from emorec.media.reader import probe
from emorec.models import MODEL_FOLDERS
from emorec.paths import MODELS

pytest_plugins = ("browser_fixtures",)
pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

HAPPY = CLIPS[1]
FILES = "emorec-intake input[type=file]"
DONE = ".em-downloads"


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
    page.wait_for_function(
        "least => parseInt(document.querySelector('.em-recording .em-status')?.textContent"
        ".split(' ')[1]) >= least",
        arg=seconds,
    )


def identity(page) -> str:
    return page.evaluate("import('./emorec/web/identity.js').then(module => module.pageId)")


def test_a_clip_is_read_shown_and_handed_out(server, open_page, tmp_path):
    from emorec import Recognizer

    page = open_page(server.url)
    page.set_input_files(FILES, HAPPY)
    page.wait_for_selector(DONE)
    result = Recognizer.load(MODELS).classify(HAPPY)
    assert page.inner_text(".em-badge") == f"{result.emotion} {result.confidence:.0%}"
    fused = result.posteriors["fused"]
    second = COMMON7[int(fused.argsort()[-2])]
    assert f"{result.emotion}, next {second}" in page.inner_text(".em-verdict")
    assert page.locator(".em-panel").count() == 4
    assert "made up" in page.inner_text(".em-notes")
    page.wait_for_function("document.querySelector('video.em-player').readyState >= 1")

    page.focus(".em-tracks")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('video.em-player').currentTime > 1.4")
    assert page.inner_text(".em-now").startswith("1.5 s · Voice: ")
    page.keyboard.press("Home")
    page.evaluate("document.querySelector('video.em-player').muted = true")
    page.keyboard.press(" ")
    page.wait_for_function("parseFloat(document.querySelector('.em-head').style.left) > 5")

    rows = list(csv.DictReader(downloaded(page, "text=emorec-results.csv").open()))
    assert [(row["file"], row["emotion"]) for row in rows] == [(HAPPY.name, result.emotion)]
    told = json.loads(downloaded(page, "text=emorec-results.json").read_text())
    fused = told["clips"][0]["probabilities"]["fused"]
    assert [fused[name] for name in COMMON7] == pytest.approx(
        result.posteriors["fused"].tolist(), abs=1e-4
    )
    course = list(csv.DictReader(downloaded(page, "text=emorec-timeline.csv").open()))
    assert {row["stream"] for row in course} == {"voice", "face", "geometry", "fused"}

    page.click("#em-draw")
    video = downloaded(page, "#em-drawn a.em-download")
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
    rows = page.locator(".em-table tbody tr")
    assert rows.count() == 2
    assert CLIPS[0].name in rows.nth(0).inner_text()
    assert "<img src=x" in rows.nth(1).inner_text()
    assert not page.evaluate("window.hacked")
    problems = page.locator(".em-problem").all_inner_texts()
    assert len(problems) == 4
    assert "not a recording" in problems[0] and "not a recording" in problems[2]
    assert "empty" in problems[1]
    assert "play it in a media player" in problems[3]
    page.click("summary >> nth=0")
    assert page.locator("video.em-player >> visible=true").count() == 1


def test_a_huge_file_is_refused_with_what_helps(server, open_page, tmp_path):
    huge = tmp_path / "huge.mp4"
    with huge.open("wb") as file:
        file.truncate(201_000_000)
    page = open_page(server.url)
    page.set_input_files(FILES, huge)
    page.wait_for_selector(".em-problem")
    assert "too large (201 MB): a clip may have 200 MB" in page.inner_text(".em-problem")
    # The page asks first, but the server does not rely on it.
    path = f"/emorec/upload/{identity(page)}"
    status, answer = server.ask(path, "POST", Content_Length="201000000")
    assert status == 422 and "too large (201 MB)" in json.loads(answer)["problem"]
    status, _ = server.ask("/gradio_api/upload", "POST", b"anything")
    assert status == 404


def test_camera_and_microphone_are_recorded_and_read(server, open_page):
    page = open_page(server.url, permissions=["camera", "microphone"])
    page.click("text=Record with the camera")
    recorded(page, 3)
    page.click("text=Stop and read")
    page.wait_for_selector(DONE)
    assert page.inner_text(".em-clip h3").startswith("recording.")
    assert page.locator(".em-absent").count() == 0, "picture and sound are both there"
    # A recording of the browser's own states no length; the player has to find it.
    page.wait_for_function("document.querySelector('video.em-player').duration < 60")
    page.click("text=Record the voice only")
    recorded(page, 3)  # a clip begins with a second of silence
    page.click("text=Stop and read")
    page.wait_for_selector("audio.em-player")
    assert "no picture" in page.inner_text(".em-notes")
    page.click("text=Record the voice only")
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
    page.click("text=Record with the camera")
    page.wait_for_selector("text=The browser does not allow it")
    page.click("role=tab[name=Live]")
    page.click("text=Start camera and microphone")
    page.wait_for_selector("[role=status]:has-text('The browser does not allow it')")


def test_the_live_view_shows_verdicts_and_ends_with_its_tab(server, open_page):
    page = open_page(server.url, permissions=["camera", "microphone"])
    page.click("role=tab[name=Live]")
    page.click("text=Start camera and microphone")
    page.wait_for_function("Number(document.querySelector('emorec-live').dataset.verdicts) > 5")
    page.wait_for_function(
        "['voice', 'face', 'fused'].every(name => document.querySelector("
        "`emorec-live [data-stream=${name}] .em-best .em-share`)?.textContent)"
    )
    assert page.inner_text(".em-live-verdict").split()[0] in COMMON7
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
    page.click("text=Start camera and microphone")
    page.wait_for_selector("text=There is no microphone")
    page.wait_for_function(
        "document.querySelector('.em-notes-live').textContent.includes('no sound')"
    )
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
        assert page.inner_text(".em-clip h3") == clip.name
    address = first.get_attribute("video.em-player", "src")
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
        page.wait_for_selector(f"{DONE}, .em-problem")
        assert page.locator(DONE).count() == 1
        assert page.inner_text(".em-clip h3") == short_clip.name


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
    reached = set()
    for _ in range(15):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.className"))
    assert {"em-player", "em-tracks", "em-download"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(server, open_page, short_clip, scheme):
    page = open_page(server.url, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page.set_input_files(FILES, [short_clip, HAPPY])
    page.wait_for_selector(DONE)
    page.click("summary >> nth=1")
    for tab in ("Clip", "Live", "About"):
        page.click(f"role=tab[name={tab}]")
        page.wait_for_selector({"Clip": DONE, "Live": "emorec-live", "About": ".em-wide"}[tab])
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    brightness = (
        "selector => Math.max(...getComputedStyle(document.querySelector(selector))"
        ".color.match(/[0-9.]+/g).slice(0, 3))"
    )
    ink = page.evaluate(brightness, ".em-wide .em-name")
    assert (ink > 150) == (scheme == "dark")


def test_the_about_tab_says_what_the_evidence_says(server, open_page):
    page = open_page(server.url)
    page.click("role=tab[name=About]")
    table = page.inner_text(".em-table")
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
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../../etc/passwd",
        "/gradio_api/file=http://127.0.0.1/x",
        "/gradio_api/proxy=http://127.0.0.1/x",
        "/file=/etc/passwd",
        "/emorec/web/../../../../../../etc/passwd",
        "/emorec/web/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/emorec/web/..%2fapp.py",
        "/static/../../../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/routes.py",
        "/gradio_api/vibe-code/",
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
        assert server.ask("/config")[0] == 401
        assert server.ask("/emorec/upload/" + "0" * 32, "POST", b"x")[0] == 401
        page = open_page(server.url, wait_for="input[type=password]")
        page.fill("#password", "wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=That is not the password.")
        page.fill("#password", "correct horse")
        page.keyboard.press("Enter")
        page.wait_for_selector("emorec-intake button")
        # Camera and microphone need a safe address, as which some browsers take all of 127.0.0.0/8;
        # where it is none, that is said rather than failing silently.
        if not page.evaluate("window.isSecureContext"):
            page.click("text=Record with the camera")
            page.wait_for_selector(".em-problem")
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
    page.wait_for_selector("emorec-intake button")
    page.set_input_files(FILES, HAPPY)
    page.wait_for_selector(".em-clip, .em-downloads, .progress-text")
    # Ctrl-C in the midst of work.
    sending = threading.Thread(
        target=lambda: second.ask(f"/emorec/upload/{identity_of}", "POST", b"x", Content_Length="9")
    )
    identity_of = identity(page)
    sending.daemon = True
    sending.start()
    children = psutil.Process(second.process.pid).children(recursive=True)
    assert second.interrupt() == 0
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
