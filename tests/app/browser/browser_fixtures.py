"""A real browser with a made-up camera and microphone, and the page's server."""

import os
from pathlib import Path

import av
import pytest
from app_server import CLIPS, TIMEOUT_MS, Server, browser_path
from helpers import made_voice, write_clip

ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --mute-audio "
    "--autoplay-policy=no-user-gesture-required "
    "--use-fake-ui-for-media-stream --use-fake-device-for-media-stream"
)


def camera_and_microphone(folder: Path) -> list[str]:
    """Write what the browser's camera shows and its microphone hears; returns the arguments.

    It is a real clip where the corpora are there, else an avatar.
    """
    real = Path(os.environ.get("EMOREC_DATA", "/nonexistent")) / "RAVDESS" / "Actor_05"
    clip = next(iter(sorted(real.glob("01-01-03-*.mp4"))), CLIPS[1])
    picture, sound = folder / "camera.mjpeg", folder / "microphone.wav"
    with av.open(str(clip)) as source, av.open(str(picture), "w", format="mjpeg") as made:
        video = made.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 640, 360, "yuvj420p"
        video.codec_context.color_range = 2
        for frame in source.decode(video=0):
            pixels = frame.reformat(width=640, height=360).to_ndarray(format="rgb24")
            made.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        made.mux(video.encode(None))
    with av.open(str(clip)) as source, av.open(str(sound), "w") as made:
        audio = made.add_stream("pcm_s16le", rate=48_000, layout="mono")
        resampler = av.AudioResampler("s16", "mono", 48_000)
        for frame in source.decode(audio=0):
            for piece in resampler.resample(frame):
                piece.pts = None
                made.mux(audio.encode(piece))
        made.mux(audio.encode(None))
    return [
        f"--use-file-for-fake-video-capture={picture}",
        f"--use-file-for-fake-audio-capture={sound}",
    ]


# For one module only: while Playwright runs, no other test of the process may start an event loop.
@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    from playwright.sync_api import sync_playwright

    devices = camera_and_microphone(tmp_path_factory.mktemp("devices"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path(), args=[*ARGUMENTS.split(), *devices]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("server"), "--port", "0", "--keep", "1")
    yield running
    running.kill()


@pytest.fixture(scope="session")
def asked_for() -> list[str]:
    """Every address that any page of these tests asked for."""
    return []


def is_wrong(said) -> bool:
    """Whether a line on the console is more than a refusal that a test has asked for."""
    return said.type in ("error", "warning") and "status of 4" not in said.text


@pytest.fixture
def open_page(chromium, asked_for):
    """A function that opens the page in a window of its own."""
    contexts = []

    def open_at(url, wait_for="html[data-connected]", **settings):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        context.set_default_timeout(TIMEOUT_MS)
        contexts.append(context)
        context.on("request", lambda request: asked_for.append(request.url))
        page = context.new_page()
        page.on("websocket", lambda socket: asked_for.append(socket.url))
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        # A breach of the page's own policy is told there.
        page.on("console", lambda said: page.problems.append(said.text) if is_wrong(said) else None)
        page.goto(url)
        page.wait_for_selector(wait_for)
        return page

    yield open_at
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory) -> Path:
    """A second of sound, quickly read."""
    path = tmp_path_factory.mktemp("clip") / "short.wav"
    return write_clip(path, None, made_voice(1.0), audio_codec="pcm_s16le")
