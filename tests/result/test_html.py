"""What Jupyter shows of a result: names and notes escaped, nothing from outside, small."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote_to_bytes

import nbformat
import numpy as np
import pytest
from helpers import made_voice, write_clip

from emorec.emotions import COMMON7
from emorec.paths import REPOSITORY
from emorec.publish.demo_notebook import (
    for_reading,
    move_links,
    run_notebook,
    without_messages,
)
from emorec.result.clip import ClipResult
from emorec.result.html import EMBED_AT_MOST_BYTES, render
from emorec.streams.windows import Windows

VOID = {"img", "col", "rect", "br"}


class Page(HTMLParser):
    """Collects tags, and notices what is not closed."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def sources(self) -> list[str]:
        return [attrs["src"] for tag, attrs in self.tags if tag in ("video", "audio")]


@pytest.fixture(scope="module")
def result(recognizer, example) -> ClipResult:
    return recognizer.classify(example)


@pytest.fixture
def heard(recognizer, tmp_path) -> ClipResult:
    path = write_clip(tmp_path / "a.wav", None, made_voice(0.5), audio_codec="pcm_s16le")
    return recognizer.classify(path)


def test_it_shows_verdict_bars_timeline_and_notes(result):
    page = Page(result._repr_html_())
    text = " ".join(page.texts)
    assert f"{result.emotion} {result.confidence:.0%}" in text
    assert result.confidence_word in text
    assert all(name in text for name in COMMON7)
    assert all(note in text for note in result.notes)
    fills = [a["style"] for tag, a in page.tags if tag == "span" and a.get("class") == "fill"]
    assert len(fills) == 4 * 7
    assert f"width:{100 * result.posteriors['fused'][0]:.1f}%" in fills[0]
    windows = sum(len(windows.times_s) for windows in result.windows.values())
    assert sum(tag == "rect" for tag, _ in page.tags) == windows + 4  # and each strip's ground
    assert sum(tag == "img" for tag, _ in page.tags) == len(result.faces_used)


def test_nothing_comes_from_outside_and_nothing_runs(result):
    html = result._repr_html_()
    assert "script" not in html
    assert not re.search(
        r"https?:|//|@import|@font-face|\son\w+=", re.sub(r"base64,[^'\"]*", "", html)
    )
    assert len(html) < 60_000


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>.wav".replace("/", "_"),
        "quote\" onerror='x'.wav",
        "a & b #1 100%.wav",
        "javascript:alert(1).wav",
        "two\nlines.wav",
        "böse ñ 表.wav",
        b"latin \xe9.wav".decode("utf-8", "surrogateescape"),
    ],
)
def test_odd_file_names_are_escaped_and_still_lead_to_the_file(heard, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    odd = heard.path.rename(tmp_path / name)
    html = render(replace(heard, path=odd), embed_at_most_bytes=0)
    html.encode("utf-8")
    page = Page(html)
    assert not any(tag == "script" or "onerror" in attrs for tag, attrs in page.tags)
    (source,) = page.sources()
    assert source.startswith("./")
    assert tmp_path.joinpath(unquote_to_bytes(source).decode("utf-8", "surrogateescape")).exists()


def test_small_clips_are_embedded_and_large_ones_linked(heard, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert heard.path.stat().st_size <= EMBED_AT_MOST_BYTES
    (source,) = Page(heard._repr_html_()).sources()
    assert source.startswith("data:audio/")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert Page(render(heard, embed_at_most_bytes=10)).sources() == ["../a.wav"]


def test_a_clip_that_is_gone_leaves_the_rest(heard):
    heard.path.unlink()
    page = Page(heard._repr_html_())
    assert page.sources() == []
    assert "the file is gone" in page.texts


def test_sound_alone_gets_a_player_for_sound(heard):
    tags = [tag for tag, _ in Page(heard._repr_html_()).tags]
    assert "audio" in tags
    assert "video" not in tags


def test_a_failure_says_why(tmp_path):
    failed = ClipResult.failed("<b>.mp4", "the file is empty", "record it again")
    page = Page(failed._repr_html_())
    assert "<b>.mp4" in page.texts
    assert any("the file is empty. Remedy: record it again." in text for text in page.texts)
    assert repr(failed) == "<ClipResult '<b>.mp4': failed, the file is empty>"


def test_notes_are_escaped(heard):
    page = Page(replace(heard, notes=["<img src=x onerror=alert(1)>"])._repr_html_())
    assert "<img src=x onerror=alert(1)>" in page.texts


def test_hours_are_shown_in_few_pieces(heard):
    count = 4 * 3600
    even = Windows(np.arange(count) / 2, np.full((count, 7), 1 / 7, np.float32), 0.5)
    long = replace(heard, windows={"voice": even, "fused": even}, duration_s=count / 2)
    assert len(long._repr_html_()) < 150_000


def test_the_page_of_the_demo_finds_the_clips(heard, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    html = render(heard, embed_at_most_bytes=0)
    output = nbformat.v4.new_output("display_data", {"text/html": html})
    content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])])
    move_links(content)
    assert Page(content.cells[0].outputs[0].data["text/html"]).sources() == ["../a.wav"]


def test_a_clip_that_changes_is_told_one_emotion_after_the_other(result):
    posteriors = np.full((12, 7), 0.02, np.float32)
    posteriors[:6, COMMON7.index("happy")] = posteriors[6:, COMMON7.index("sad")] = 0.88
    windows = {"fused": Windows((np.arange(12) + 0.5) / 2, posteriors, 0.5)}
    html = render(replace(result, windows=windows, duration_s=6.0))
    assert "happy 0:00-0:03, sad 0:03-0:06" in Page(html).texts


def test_the_demo_page_is_without_messages_of_libraries():
    outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="a log"),
        nbformat.v4.new_output("stream", name="stdout", text="a verdict"),
    ]
    cell = nbformat.v4.new_code_cell("1", outputs=outputs)
    content = nbformat.v4.new_notebook(cells=[cell])
    assert [out.text for out in without_messages(content).cells[0].outputs] == ["a verdict"]
    assert len(content.cells[0].outputs) == 2


def test_the_demo_page_begins_with_its_verdicts():
    path = REPOSITORY / "DEMO" / "ER_FullClip_DEMO.ipynb"
    content = nbformat.read(path, as_version=4)
    count = len(content.cells)
    shown = for_reading(content).cells
    assert shown[0].source.startswith("# Demo") and "made up" in shown[0].source
    assert "EMOREC_QUICK" not in shown[0].source
    assert shown[2].source.startswith("## All verdicts") and shown[3].outputs
    assert len(content.cells) == count


def test_the_demo_notebook_is_small_and_links_its_clips():
    path = REPOSITORY / "DEMO" / "ER_FullClip_DEMO.ipynb"
    assert path.stat().st_size < 1_000_000
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    html = [
        "".join(output["data"]["text/html"])
        for cell in cells
        for output in cell.get("outputs", [])
        if "emorec" in "".join(output.get("data", {}).get("text/html", ""))
    ]
    assert len(html) == 7
    assert all(Page(piece).sources()[0].startswith("./Examples/") for piece in html)


def test_how_far_the_demo_is_shows_while_it_runs(tmp_path, capsys):
    bar = "from tqdm import tqdm\nfor _ in tqdm(range(2), 'clips'):\n    pass"
    path = tmp_path / "demo.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(bar)]), path)
    (tmp_path / "results").mkdir()
    run_notebook(path, tmp_path / "results")
    assert "clips: 100%" in capsys.readouterr().err
    assert "clips: 100%" not in (tmp_path / "results" / "demo.html").read_text(encoding="utf-8")
