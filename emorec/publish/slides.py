"""The project in slides: `Other/Project_Slides.pdf`, numbers read from the committed evidence.

python -m emorec.publish.slides

Drawn with matplotlib alone. The same evidence gives the same bytes: no date and no version of a
program is written into the file.
"""

import argparse
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.image import imread

from emorec.analysis import bias
from emorec.analysis.strangers import mean_interval
from emorec.evaluation import plots
from emorec.evaluation.evidence import load_evidence
from emorec.evaluation.literature import reported_for
from emorec.files import write_atomically
from emorec.paths import REPOSITORY
from emorec.publish import figures
from emorec.publish.tables import on_reference_split, reported_by_others

PATH = REPOSITORY / "Other" / "Project_Slides.pdf"
_SIZE_INCHES = (10, 5.625)
_TEXT_PT, _LINE, _GAP = 14, 0.052, 0.03
_STYLE = {"pdf.fonttype": 42, "axes.titlesize": 10, "font.size": 9, "figure.titlesize": 10}


@dataclass(frozen=True)
class Story:
    """What the slides tell from.

    Attributes:
        evidence: Name -> `Evidence` of every model.
        root: The repository.
    """

    evidence: dict
    root: Path

    def words(self, name: str) -> str:
        """Return a model's accuracy with its interval."""
        return self.evidence[name].in_words()

    def tables(self) -> dict:
        """Return the RAVDESS predictions of voice, geometry and their fusion."""
        shown = figures.ravdess_streams(list(self.evidence.values()))
        return {label: evidence.predictions for label, evidence in shown.items()}


def _page(title: str) -> Figure:
    figure = plt.figure(figsize=_SIZE_INCHES)
    figure.text(0.05, 0.9, title, fontsize=20, weight="bold", color=plots.COLOURS[0])
    figure.add_artist(plt.Line2D([0.05, 0.95], [0.87, 0.87], color=plots.COLOURS[0], lw=1.5))
    return figure


def _write(
    figure: Figure, points: Sequence[str], *, top: float = 0.8, left: float = 0.05, width: int = 82
) -> None:
    """Write points below each other; `width` is the number of characters in a line."""
    at = top
    for point in points:
        lines = textwrap.wrap(point, width)
        figure.text(left, at, "•", fontsize=_TEXT_PT, va="top", color=plots.COLOURS[5])
        text = "\n".join(lines)
        figure.text(left + 0.022, at, text, fontsize=_TEXT_PT, va="top", linespacing=1.3)
        at -= _LINE * len(lines) + _GAP
    if at + _GAP < 0.02:
        raise ValueError(f"the text beginning {points[0]!r} does not fit on its slide")


def _show(figure: Figure, picture: Path, place: tuple[float, float, float, float]) -> None:
    axes = figure.add_axes(place)
    axes.imshow(imread(picture))
    axes.axis("off")


def first_page(story: Story) -> Figure:
    """Title, and what the system reads from a made-up clip."""
    figure = plt.figure(figsize=_SIZE_INCHES)
    figure.text(0.05, 0.88, "Reading emotion from voice and face", fontsize=24, weight="bold")
    text = (
        "What the voice says, what the face says, and what both together say: over time, and once"
    )
    figure.text(0.05, 0.82, text, fontsize=12)
    _show(figure, story.root / "Plots" / "demo_example.png", (0.05, 0.02, 0.9, 0.78))
    figure.text(0.05, 0.04, "A made-up clip:\ndrawn face, computed voice.", color="grey")
    return figure


def task(story: Story) -> Figure:
    """The task."""
    figure = _page("The task")
    points = (
        "In goes a clip of a speaking person, in any container and codec, or a whole folder.",
        "Out comes one verdict and a course over time, from the voice, from the face, and from "
        "both, with probabilities for seven emotions: angry, disgust, fear, happy, neutral, sad, "
        "surprise.",
        "A clip without sound is judged by the face, one without a face by the voice. A broken "
        "file gets a line with its reason and the remedy, and the others go on.",
        "Every number in these slides follows from predictions that lie in the repository, for "
        "people whom the judging network never met, unless a slide says otherwise.",
    )
    _write(figure, points)
    return figure


def data(story: Story) -> Figure:
    """The corpora."""
    figure = _page("The data")
    rows = (
        ("RAVDESS", "sound, 68 landmarks", "24 actors, 1,440 takes", "8", "train and judge"),
        ("CREMA-D", "sound", "71 actors, 5,797 clips", "6", "train and judge the voice"),
        (
            "SAVEE, nEMO, EMOVO",
            "sound; also Polish, Italian",
            "17 actors, 5,309 clips",
            "7 / 6 / 7",
            "train and judge the voice",
        ),
        ("JavaSED", "video with sound, Javanese", "8 actors, 192 clips", "6", "train, fuse, judge"),
        ("FER-2013, FER+", "grey faces of the web", "32,298 pictures", "7 / 8", "train and judge"),
        ("avatars", "drawn faces, made voices", "any number", "8", "examples and tests"),
    )
    head = ("corpus", "what", "how much", "classes", "used to")
    axes = figure.add_axes((0.05, 0.36, 0.9, 0.48))
    _table(axes, head, rows, (0.18, 0.25, 0.25, 0.1, 0.22))
    points = (
        "All emotion is acted, or posed, and labelled by others. 120 voices, mostly American.",
        "No person stands on both sides of a split; code checks that. FER-2013 names no persons.",
    )
    _write(figure, points, top=0.28)
    return figure


def _table(axes, head: Sequence[str], rows: Sequence[Sequence[str]], widths) -> None:
    axes.axis("off")
    table = axes.table(
        [list(row) for row in rows], colLabels=list(head), colWidths=list(widths),
        cellLoc="left", bbox=(0, 0, 1, 1),
    )  # fmt: skip
    table.auto_set_font_size(False)
    # Two lines have to fit in a row, however many rows there are.
    table.set_fontsize(min(9.5, 90 / (len(rows) + 1)))
    for (row, _), cell in table.get_celld().items():
        cell.set_linewidth(0)
        cell.set_facecolor("#dfeaf3" if not row else "#f7f7f7" if row % 2 else "white")
        if not row:
            cell.set_text_props(weight="bold", ha="left")


def streams(story: Story) -> Figure:
    """From a clip to streams."""
    figure = _page("From a clip to three streams")
    axes = figure.add_axes((0.03, 0.06, 0.94, 0.76))
    axes.axis("off")
    axes.set(xlim=(0, 100), ylim=(0, 60))
    boxes = {
        "clip": (10, 30, "clip\nany format"),
        "media": (28, 30, "one decode pass\nsound, grey frames"),
        "speech": (49, 50, "speech found, log-mel\nwindows of 3 s"),
        "faces": (49, 30, "face box, crop\n10 a second"),
        "landmarks": (49, 10, "68 points\n10 a second"),
        "voice": (70, 50, "voice encoder"),
        "face": (70, 30, "face network"),
        "geometry": (70, 10, "geometry network"),
        "fusion": (90, 30, "log-linear\nfusion"),
    }
    arrows = "clip-media media-speech media-faces faces-landmarks speech-voice faces-face"
    arrows += " landmarks-geometry voice-fusion face-fusion geometry-fusion"
    shape = {"boxstyle": "round,pad=0.5", "fc": "#dfeaf3", "ec": plots.COLOURS[0]}
    drawn = {
        name: axes.text(x, y, text, ha="center", va="center", fontsize=11, bbox=shape)
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
    return figure


def networks(story: Story) -> Figure:
    """The networks."""
    figure = _page("The networks")
    sizes = {
        name: f"{e.metrics['parameters']:,} parameters"
        for name, e in story.evidence.items()
        if "parameters" in e.metrics
    }
    points = (
        "Voice: the first three blocks of Whisper-base's encoder, frozen, and a small head on "
        f"their statistics over time. {sizes.get('voice_encoder', '')}",
        "Or a 2D CNN: residual convolutions on the log-mel of three seconds. "
        f"{sizes.get('voice_2d_cnn', '')}; trained on CREMA-D first.",
        "Face: residual convolutions on a grey crop, with votes of ten raters as targets. "
        f"{sizes.get('face_cnn', '')}.",
        "Geometry: eye-aligned landmarks summarised over three seconds, and small perceptrons "
        f"side by side. {sizes.get('geometry', '')}; trained on made-up persons, so that no "
        "face is learned by heart.",
        "All in plain Keras, from scratch but for the encoder; ONNX Runtime runs them.",
    )
    _write(figure, points)
    return figure


def strangers(story: Story) -> Figure:
    """What the clip of somebody gets of whom nothing trained the recogniser."""
    whole = story.evidence["end_to_end"]
    value, low, high = (100 * part for part in mean_interval(whole.predictions)["accuracy"])
    figure = _page(f"A stranger's clip: {value:.1f} % right ({low:.1f} – {high:.1f})")
    _show(figure, story.root / "Plots" / "strangers.png", (0.02, 0.16, 0.56, 0.68))
    gate = whole.metrics["gate"]
    points = (
        "Six corpora, each left out of everything that was fitted, read from their files.",
        "Mean of the six; guessing finds 14 %.",
        f"It says {100 * gate['mean_confidence']:.0f} % on average; by corpus confidence is off by "
        f"{100 * gate['mean_expected_calibration_error']:.0f} points.",
        "Settings were chosen with these corpora in view.",
        "What follows is within a corpus, and higher.",
    )
    _write(figure, points, left=0.6, width=33)
    return figure


def table_of_results(story: Story) -> Figure:
    """The models' accuracy beside what others report."""
    figure = _page("Within a corpus: results beside others")
    rows = []
    for evidence in story.evidence.values():
        if not evidence.has_card:
            continue
        value, low, high = evidence.percent()
        shown = "\n".join(reported_by_others(evidence)[:2]) or "–"
        corpus = "\n".join(textwrap.wrap(evidence.measured_on, 29, max_lines=2, placeholder=" …"))
        title = textwrap.fill(evidence.title, 20)
        rows.append((title, corpus, f"{value:.1f}", f"{low:.1f} – {high:.1f}", shown))
    axes = figure.add_axes((0.05, 0.1, 0.9, 0.74))
    head = ("model", "judged on", "%", "95 % interval", "others on this corpus")
    _table(axes, head, rows, (0.17, 0.27, 0.06, 0.13, 0.37))
    text = "Intervals over speakers, or pictures. Others' figures have protocols of their own."
    figure.text(0.05, 0.04, text, color="grey")
    return figure


def overview(story: Story) -> Figure:
    """The same as a plot."""
    figure = _page("Within a corpus: results at a glance")
    _show(figure, story.root / "Plots" / "results_overview.png", (0.05, 0.03, 0.9, 0.82))
    return figure


def _model_page(title: str, name: str) -> Callable[[Story], Figure]:
    def page(story: Story) -> Figure:
        evidence = story.evidence[name]
        figure = _page(f"{title}: {story.words(name)}")
        picture = story.root / "Plots" / f"model_{name}.png"
        _show(figure, picture, (0.03, 0.24, 0.94, 0.61))
        recall, top3, gap = (
            evidence.percent(score)[0]
            for score in (
                "unweighted_average_recall",
                "top3_accuracy",
                "expected_calibration_error",
            )
        )
        points = (
            f"Unweighted average recall {recall:.1f} %, truth among the first three {top3:.1f} %, "
            f"calibration error {gap:.1f} points.",
        )
        _write(figure, points, top=0.19)
        return figure

    return page


def reference_split(story: Story) -> Figure:
    """The reference project's confusion and ours."""
    table = on_reference_split(story.evidence["fusion"])
    figure = _page("On the reference project's four actors")
    _show(figure, story.root / "Plots" / "fusion_reference_split.png", (0.05, 0.1, 0.9, 0.75))
    text = (
        f"n = {len(table)} takes. Four actors prove little: blocks of four differ by many points."
    )
    figure.text(0.05, 0.05, text, color="grey")
    return figure


def groups(story: Story) -> Figure:
    """Accuracy by group."""
    figure = _page("For whom it works")
    _show(figure, story.root / "Plots" / "bias_groups.png", (0.03, 0.34, 0.94, 0.51))
    table = story.tables()["fused"]
    facts = bias.ravdess_facts(table["clip_id"])
    points = []
    for group in ("gender", "intensity"):
        found = bias.gap(table, facts[group])
        low, high = 100 * found["low"], 100 * found["high"]
        points.append(
            f"Fused, {found['better']} over {found['worse']}: {100 * found['gap']:.1f} points "
            f"({low:.1f} to {high:.1f})."
        )
    by_actor = 100 * bias.scores_by(table, table["speaker"], resamples=1)["accuracy"]
    points.append(f"From actor to actor: {by_actor.min():.0f} to {by_actor.max():.0f} %.")
    _write(figure, points, top=0.32)
    return figure


def errors(story: Story) -> Figure:
    """What is confused, and the check against chance."""
    figure = _page("What it confuses")
    table = story.tables()["fused"]
    axes = figure.add_axes((0.33, 0.37, 0.62, 0.44))
    worst = bias.frequent_confusions(table, 8)[::-1]
    names = [f"{row.truth} taken for {row.verdict}" for row in worst.itertuples()]
    axes.barh(names, 100 * worst["share"], color=plots.COLOURS[0])
    axes.tick_params(labelsize=10)
    axes.set(xlabel="% of that truth", title=f"Fused, RAVDESS out of fold, n = {len(table):,}")
    humans = reported_for(story.evidence["fusion"].measured_on, "fusion")[0].percent
    luck = 100 * bias.permuted_accuracies(table, 300)
    points = (
        f"With each actor's labels shuffled, accuracy falls to {luck.mean():.1f} % (never above "
        f"{np.ceil(luck.max()):.0f} % in {len(luck)} trials): chance.",
        f"Humans recognise {humans:g} % of such takes; their errors by emotion are not at hand.",
    )
    _write(figure, points, top=0.25)
    return figure


def limits(story: Story) -> Figure:
    """What not to believe."""
    figure = _page("Limits")
    points = [
        "Emotions are acted, most of them in studios. On felt emotion nothing was measured.",
        "Accuracy differs between people by tens of points.",
        "A probability tells how such acting was labelled. It does not tell what a person feels.",
        "Not fit for decisions about people. Weights trained on RAVDESS: non-commercial.",
    ]
    _write(figure, points)
    return figure


def demo(story: Story) -> Figure:
    """How to run it."""
    figure = _page("Try it")
    commands = (
        "make demo      # reads the clips in DEMO/Examples",
        "make test      # all tests, every notebook in quick mode",
        "make results   # tables and plots, from the committed predictions",
        "make slides    # these slides",
        ".venv/bin/emorec classify holiday.mp4 --csv results.csv --plots plots/",
    )
    box = {"boxstyle": "round,pad=0.8", "fc": "#f0f0f0", "ec": "none"}
    figure.text(
        0.07, 0.78, "\n".join(commands), family="monospace", fontsize=12, va="top", bbox=box,
        linespacing=1.6,
    )  # fmt: skip
    points = (
        "Python 3.11 and make are enough: no system package, no GPU.",
        "The notebooks explain each step, with real data or with avatars.",
    )
    _write(figure, points, top=0.33)
    return figure


PAGES = (
    first_page,
    task,
    data,
    streams,
    networks,
    strangers,
    table_of_results,
    overview,
    _model_page("Voice", "voice_encoder"),
    _model_page("Face", "face_cnn"),
    _model_page("Geometry", "geometry"),
    _model_page("Fusion", "fusion"),
    reference_split,
    groups,
    errors,
    limits,
    demo,
)


def build(root: Path = REPOSITORY, path: Path = PATH) -> Path:
    """Write the slides from the evidence and the plots that `make results` made of it."""
    found = load_evidence(root / "Models")
    story = Story({evidence.name: evidence for evidence in found}, root)
    facts = {"CreationDate": None, "Creator": None, "Producer": None}
    facts["Title"] = "Reading emotion from voice and face"

    def write(name: str) -> None:
        with plt.style.context([*plots.FIXED_STYLE, _STYLE]), PdfPages(name, metadata=facts) as pdf:
            for page in PAGES:
                figure = page(story)
                pdf.savefig(figure, dpi=110)
                plt.close(figure)

    write_atomically(path, write)
    return path


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    print(build())
