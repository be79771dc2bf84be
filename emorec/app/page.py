"""The web page: three tabs of Gradio, and elements of our own where Gradio has none."""

# No `from __future__ import annotations`: Gradio looks at the annotations of what it calls.

import os
from pathlib import Path

from emorec.app import about_tab
from emorec.app.clip_tab import ClipDesk
from emorec.evaluation.deployed import deployed_line
from emorec.evaluation.left_out import read_worth

__all__ = ["HEAD", "build_page", "quiet_gradio", "theme"]

READERS_AT_ONCE = 2
_MOST_WAITING = 60
_MOST_SESSIONS = 200

HEAD = """
<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="emorec/web/page.css">
<script type="module" src="emorec/web/page.js"></script>
"""

_INTRO = """# emorec
Reads emotion from a speaking person's voice and face. It was trained on actors, is often wrong,
and is not fit for decisions about people; see *About*."""

_ON_INTAKE = """
element.addEventListener("emorec-clips", event => {
  event.preventDefault();
  trigger("submit", event.detail);
});
"""


def quiet_gradio():
    """Import Gradio, which is to tell nobody of its use; it reads these as it is imported."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    import gradio

    return gradio


def theme():
    """Return the look: fonts of the machine, none from outside."""
    gr = quiet_gradio()
    return gr.themes.Default(
        primary_hue="blue",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


def build_page(desk: ClipDesk, models: Path):
    """Lay out the page.

    Args:
        desk: Reads the clips.
        models: The models' folder, which the About tab is read from.

    Returns:
        A `gradio.Blocks`.
    """
    gr = quiet_gradio()
    with gr.Blocks(title="emorec", analytics_enabled=False, fill_width=False) as page:
        gr.Markdown(_INTRO, elem_id="em-intro")
        with gr.Tabs():
            with gr.Tab("Clip", id="clip"):
                _clip_tab(desk)
            with gr.Tab("Live", id="live"):
                _html("<emorec-live></emorec-live>")
            with gr.Tab("About", id="about"):
                _about_tab(models)
    # What Gradio remembers of a page goes with the oldest; each holds what was shown there.
    page.state_session_capacity = _MOST_SESSIONS
    page.queue(default_concurrency_limit=READERS_AT_ONCE, max_size=_MOST_WAITING, api_open=False)
    return page


def _html(value: str = "", **settings):
    """An element that our own style sheet dresses, without Gradio's style for prose."""
    return quiet_gradio().HTML(value, apply_default_css=False, **settings)


def _clip_tab(desk: ClipDesk) -> None:
    gr = quiet_gradio()
    intake = _html("<emorec-intake></emorec-intake>", js_on_load=_ON_INTAKE, elem_id="em-intake")
    found = _html(elem_id="em-found", min_height=0)
    last = gr.State(None)
    draw = gr.Button("Make the annotated video", visible=False, elem_id="em-draw", scale=0)
    drawn = _html(elem_id="em-drawn")

    def read(event: gr.EventData, progress: gr.Progress = gr.Progress()):  # noqa: B008
        sent = _what_was_sent(event)
        shown = ""
        for shown in desk.read(**sent, report=_reporter(progress)):
            yield shown, sent, gr.update(visible=False), ""
        yield shown, sent, gr.update(visible="em-look" in shown), ""

    def annotate(sent: dict | None, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        return desk.annotate(**sent, report=_reporter(progress)) if sent else ""

    shared = {"concurrency_id": "reading", "concurrency_limit": READERS_AT_ONCE}
    intake.submit(
        read,
        None,
        [found, last, draw, drawn],
        show_progress_on=found,
        api_visibility="private",
        **shared,
    )
    draw.click(annotate, last, drawn, api_visibility="private", **shared)


def _what_was_sent(event) -> dict:
    """Return page and tokens of an event, whatever a page made of it."""
    data = event._data if isinstance(event._data, dict) else {}
    tokens = data.get("tokens")
    tokens = [str(token) for token in tokens] if isinstance(tokens, list) else []
    return {"page": str(data.get("page")), "tokens": tokens}


def _reporter(progress):
    return lambda share, what: progress(share, desc=what)


def _about_tab(models: Path) -> None:
    gr = quiet_gradio()
    facts = about_tab.cards(models)
    gr.Markdown("## How often it is right")
    _html(about_tab.about_html(facts))
    gr.Markdown(deployed_line(models))
    gr.Markdown("### How sure it may be")
    _html(about_tab.words_html(read_worth(models)))
    gr.Markdown("### By emotion")
    _html(about_tab.recalls_html(facts))
    gr.Markdown(f"## Limits\n\n{about_tab.limits_markdown(facts)}")
    gr.Markdown(f"## Privacy\n\n{about_tab.PRIVACY}")
    gr.Markdown(
        f"## Licences\n\n{about_tab.licence_markdown(models.resolve().parent)}",
        elem_classes="em-prose",
    )
    gr.Markdown("## The models in use")
    for model in facts:
        with gr.Accordion(model.title, open=False):
            gr.Markdown(about_tab.card_markdown(model))
