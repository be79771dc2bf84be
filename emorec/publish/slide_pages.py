"""The slides: what the system is, what it is worth, and how it is tried."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from emorec.evaluation import plots
from emorec.publish.methods import model_size_kb
from emorec.publish.slide_layout import LEAST_PT, Slide, Story, axes_of
from emorec.publish.slide_results import RESULTS

__all__ = ["PAGES"]


def first(story: Story) -> Slide:
    """Title, and what the system reads from a made-up clip."""
    slide = Slide.begin(
        "Reading emotion from voice and face",
        """Somebody speaks; the voice says something, the face says something, and they need not
        agree. This system reads both and says how sure it is. The person on the slide is drawn
        and her voice is computed: she plays happy now, and the bars show what is read of it.""",
    )
    frame = story.root / "Plots" / "annotated_example.png"
    # Face and bars without what lies between: so large they can be read from the last row.
    slide.show(frame, (0.04, 0.1, 0.42, 0.68), part=(0.17, 0, 0.53, 0.8))
    slide.show(frame, (0.48, 0.1, 0.48, 0.68), part=(0.69, 0.03, 1, 0.67))
    slide.remark("A frame of the annotated video. Made up: drawn face, computed voice.")
    return slide


def task(story: Story) -> Slide:
    """The task."""
    slide = Slide.begin(
        "In goes any clip of a speaking person, out comes one verdict and a course over time",
        """Stress that it is a clip as people have them: a phone's video, a call, sound alone.
        Nothing is sent anywhere. A broken file among a thousand costs a line, not the run.""",
    )
    slide.points(
        (
            "From the voice, from the face, from how the face moves, and from all together.",
            "Seven emotions: angry, disgust, fear, happy, neutral, sad, surprise.",
            "Without sound the face judges, without a face the voice.",
            "A broken file gets a line with its reason and the remedy; the others go on.",
            "Several people: each is followed, and it is told who speaks.",
        )
    )
    return slide


def data(story: Story) -> Slide:
    """The corpora."""
    slide = Slide.begin(
        "All that it learned from is acted, by 120 voices and on web pictures",
        """No felt emotion is in any of these corpora, and few ages and languages. No person stands
        on both sides of a split, and code checks that; FER-2013 names no persons, so there it
        cannot be checked. Avatars serve examples and tests alone.""",
    )
    rows = (
        ("RAVDESS", "sound, 68 landmarks", "24 actors, 1,440 takes"),
        ("CREMA-D", "sound", "71 actors, 5,797 clips"),
        ("SAVEE, nEMO, EMOVO", "sound; also Polish, Italian", "17 actors, 5,309 clips"),
        ("JavaSED", "video, Javanese", "8 actors, 192 clips"),
        ("FER-2013, FER+", "grey faces of the web", "32,298 pictures"),
    )
    slide.table(("corpus", "what", "how much"), rows, (0.3, 0.36, 0.34))
    slide.remark("No person stands on both sides of a split: code checks that.")
    return slide


def streams(story: Story) -> Slide:
    """From a clip to streams."""
    slide = Slide.begin(
        "One pass through the clip feeds three streams, and one rule joins them",
        """The clip is decoded once; frames and sound go on while it is still being read. Each
        stream gives probabilities; they are multiplied, each raised to a weight that people
        taught who trained none of the networks.""",
    )
    axes = axes_of(slide, (0.02, 0.04, 0.96, 0.72))
    axes.axis("off")
    axes.set(xlim=(0, 100), ylim=(0, 60))
    boxes = {
        "clip": (7, 30, "clip"),
        "media": (25, 30, "one decoding\nsound, frames"),
        "speech": (49, 51, "speech found\n3 s windows"),
        "faces": (49, 30, "face followed\ncrops, 4 a second"),
        "landmarks": (49, 9, "68 points\n10 a second"),
        "voice": (73, 51, "voice encoder"),
        "face": (73, 30, "face network"),
        "geometry": (73, 9, "geometry\nnetwork"),
        "fusion": (93, 30, "fusion"),
    }
    arrows = "clip-media media-speech media-faces faces-landmarks speech-voice faces-face"
    arrows += " landmarks-geometry voice-fusion face-fusion geometry-fusion"
    shape = {"boxstyle": "round,pad=0.5", "fc": "#dfeaf3", "ec": plots.COLOURS[0]}
    drawn = {
        name: axes.text(x, y, text, ha="center", va="center", fontsize=LEAST_PT, bbox=shape)
        for name, (x, y, text) in boxes.items()
    }
    for arrow in arrows.split():
        start, end = arrow.split("-")
        patches = {
            "patchA": drawn[start].get_bbox_patch(),
            "patchB": drawn[end].get_bbox_patch(),
        }
        style = {"arrowstyle": "-|>", "color": "grey", "shrinkA": 3, "shrinkB": 3, **patches}
        # Above the boxes, whose outlines it needs: they are known once they are drawn.
        axes.annotate("", boxes[end][:2], boxes[start][:2], arrowprops=style, zorder=5)
    return slide


def networks(story: Story) -> Slide:
    """The networks."""
    slide = Slide.begin(
        "Only the voice's network was pre-trained; the others started from nothing",
        """Whisper learned to write down speech and never saw a label of emotion; three of its six
        blocks, frozen, and one layer on top carry furthest to strangers. Face and geometry were
        trained here on a processor. ONNX Runtime runs all of them, without a GPU.""",
    )
    rows = []
    told = {
        "voice_encoder": ("voice", "three blocks of Whisper-base, frozen, one layer on top"),
        "voice_2d_cnn": ("voice, small", "2D CNN on the log-mel of three seconds"),
        "face_cnn": ("face", "CNN on a grey crop, votes of ten raters as targets"),
        "geometry": ("geometry", "perceptrons on how 68 points stand and move"),
    }
    for name, (label, what) in told.items():
        if name in story.evidence:
            size_kb = model_size_kb(story.evidence[name].folder) or 0
            rows.append((label, what, f"{size_kb / 1000:.1f} MB"))
    slide.table(("stream", "network", "size"), rows, (0.17, 0.68, 0.15))
    return slide


def page(story: Story) -> Slide:
    """The web page."""
    slide = Slide.begin(
        "The same verdicts on a page in the browser; nothing leaves the machine",
        """The page is served to this computer alone unless told otherwise, and what is sent to it
        is gone within a minute of the tab's end. Drop clips, record with the camera, or open Live.
        The clip that is shown is made up.""",
    )
    slide.show(
        story.root / "Plots" / "app_wide.png", (0.04, 0.09, 0.92, 0.7), (0.04, 0.245, 0.96, 0.78)
    )
    slide.remark("emorec app, after reading a made-up clip")
    return slide


def live(story: Story) -> Slide:
    """The live view."""
    slide = Slide.begin(
        "Live, camera and microphone move the bars as you speak",
        """The same engine as for clips, and the same answer in the end. The picture is the
        terminal's view of a made-up clip after two seconds.""",
    )
    axes = axes_of(slide, (0.04, 0.1, 0.92, 0.67))
    axes.set_facecolor("#292929")
    axes.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1))
    lines = _terminal(story.root / "Plots" / "live_terminal.svg", width=80)
    for row, line in enumerate(lines):
        at = 0.92 - 0.9 * row / max(len(lines), 10)
        axes.text(0.01, at, line, family="monospace", color="#dddddd", va="center")
    slide.remark("emorec live")
    return slide


def _terminal(picture: Path, width: int) -> list[str]:
    """Read the lines of the live view's picture, so many characters of each."""
    rows: dict[float, list[tuple[float, str]]] = {}
    pattern = r'<text class="[^"]*-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>'
    for x, y, text in re.findall(pattern, picture.read_text(encoding="utf-8")):
        rows.setdefault(float(y), []).append((float(x), unescape(text).replace("\xa0", " ")))
    lines = []
    for _, parts in sorted(rows.items()):
        line = ""
        for x, text in sorted(parts):
            line = line.ljust(round(x / 12.2)) + text
        lines.append(line[:width].rstrip())
    return [line for line in lines if line.strip("─│╭╮╰╯ ")]


def limits(story: Story) -> Slide:
    """What not to believe."""
    slide = Slide.begin(
        "It tells how acting was labelled, not what a person feels: decide nothing about people",
        """End every demonstration with this slide. Felt emotion was never measured, nor children,
        nor most languages. Wrong verdicts are not spread evenly over people. The weights are for
        non-commercial use.""",
    )
    slide.points(
        (
            "Emotions are acted, most of them in studios. On felt emotion nothing was measured.",
            "Accuracy differs between people by tens of points, and nobody is warned.",
            "English, Polish, Italian and Javanese: other languages are unknown.",
            "Not fit for decisions about people; weights for non-commercial use.",
        )
    )
    return slide


def demo(story: Story) -> Slide:
    """How to run it."""
    slide = Slide.begin(
        "Two commands try it, with Python 3.11 and no GPU",
        """make demo sets everything up and reads the examples. The notebooks explain each step,
        with real data or with avatars; notebooks/README.md says what to read in an hour.""",
    )
    commands = (
        "make demo               # reads DEMO/Examples",
        "emorec classify a.mp4   # your clip",
        "emorec app              # the page",
        "emorec live             # camera and microphone",
        "make results            # every number again",
    )
    box = {"boxstyle": "round,pad=0.8", "fc": "#f0f0f0", "ec": "none"}
    slide.figure.text(
        0.06, 0.72, "\n".join(commands), family="monospace", fontsize=20, va="top", bbox=box,
        linespacing=1.6,
    )  # fmt: skip
    slide.points(
        ("Every number of these slides follows from predictions in the repository.",), top=0.2
    )
    return slide


PAGES = (first, task, data, streams, networks, *RESULTS, page, live, limits, demo)
"""In order."""
