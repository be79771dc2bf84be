"""The plots of `Plots/`, drawn from the committed predictions; `emorec.publish.rebuild` calls them.

Every plot says what was measured, on how many clips, and its interval.
"""

import io
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread

from emorec.analysis import bias
from emorec.evaluation import plots
from emorec.evaluation import scores as evaluation
from emorec.evaluation.literature import REFERENCE_CONFUSION, reported_for
from emorec.files import write_atomically
from emorec.publish.strangers import draw_strangers, end_to_end
from emorec.publish.tables import on_reference_split

DOTS_PER_INCH = 100
_MANY_SPEAKERS = 3


def heading(evidence, width: int = 110) -> str:
    """Return title, accuracy with interval, number of clips and protocol, in lines."""
    first = f"{evidence.title}: accuracy {evidence.in_words()}, {evidence.size}"
    return first + "\n" + textwrap.fill(evidence.measured_on, width)


def draw_model(evidence) -> Figure:
    """Draw a model's confusion, reliability, and accuracy by speaker where speakers are known."""
    table = evidence.predictions
    panels = 3 if table["speaker"].nunique() >= _MANY_SPEAKERS else 2
    figure, axes = plt.subplots(1, panels, figsize=(5 * panels, 5), layout="constrained")
    plots.plot_confusion(axes[0], table, "Confusion")
    plots.plot_reliability(axes[1], {evidence.title: table}, "Reliability")
    if panels == _MANY_SPEAKERS:
        plots.plot_accuracy_by_speaker(axes[2], table, "Accuracy by speaker")
        axes[2].tick_params(axis="x", labelrotation=90, labelsize="small")
    figure.suptitle(heading(evidence))
    return figure


def draw_overview(found: Sequence) -> Figure:
    """Draw every model's accuracy with its interval, and what others report beside it."""
    size = (9.5, 1.6 + 0.62 * len(found))
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    labels = []
    for place, evidence in enumerate(found):
        value, low, high = evidence.percent()
        axes.errorbar(
            value, place, xerr=[[value - low], [high - value]], fmt="o", capsize=3,
            color=plots.COLOURS[0], label="this project, 95 % interval" if not place else None,
        )  # fmt: skip
        for figure_of in reported_for(evidence.measured_on, evidence.stream):
            human = figure_of.who == "humans"
            marker, colour = ("D", plots.COLOURS[5]) if human else ("s", plots.COLOURS[1])
            axes.plot(figure_of.percent, place + 0.22, marker, ms=5, color=colour)
        corpus = textwrap.shorten(evidence.measured_on, 38, placeholder=" …")
        labels.append(f"{evidence.title} ({evidence.metrics['clips']:,})\n{corpus}")
    axes.plot([], [], "D", ms=5, color=plots.COLOURS[5], label="humans, as published")
    axes.plot([], [], "s", ms=5, color=plots.COLOURS[1], label="other systems, their own protocols")
    axes.set_yticks(range(len(found)), labels)
    axes.set(xlim=(0, 100), ylim=(len(found) - 0.5, -0.5), xlabel="accuracy (%)")
    axes.set_title("Within a corpus: accuracy on held-out clips (their number in brackets)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower left", fontsize="small")
    return figure


def draw_reference_split(evidence, table) -> Figure:
    """Draw the reference project's fused confusion beside ours, on the same actors."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 5.4), layout="constrained")
    theirs = np.array(REFERENCE_CONFUSION)
    plots.plot_confusion_counts(
        axes[0], theirs, evaluation.classes_of(table),
        f"Reference project, {100 * np.trace(theirs) / theirs.sum():.1f} %",
    )  # fmt: skip
    accuracy = 100 * evaluation.scores(table)["accuracy"]
    plots.plot_confusion(axes[1], table, f"{evidence.title}, {accuracy:.1f} %")
    figure.suptitle(f"Fused, RAVDESS actors 21-24, 7 classes, n = {len(table)} takes")
    return figure


def draw_groups(by_label: dict, size: str) -> Figure:
    """Draw accuracy by gender, intensity and statement, and by emotion.

    Args:
        by_label: Label -> prediction table on RAVDESS.
        size: Number of clips and speakers, in words.
    """
    facts = {
        label: bias.ravdess_facts(table["clip_id"]).assign(emotion=table["truth"])
        for label, table in by_label.items()
    }
    figure, axes = plt.subplots(
        1, 4, figsize=(15, 4.4), layout="constrained", width_ratios=(2, 2, 2.4, 7)
    )
    for place, group in zip(axes, (*bias.GROUPS, "emotion"), strict=True):
        tables = {n: bias.scores_by(t, facts[n][group]) for n, t in by_label.items()}
        bias.plot_groups(place, tables, f"By {group}")
        if place is not axes[-1]:
            place.get_legend().remove()
            place.tick_params(axis="x", labelsize="small")
    figure.suptitle(f"Accuracy by group, RAVDESS out of fold, {size}; 95 % intervals over speakers")
    return figure


def figures(found: Sequence) -> Iterator[tuple[str, Figure]]:
    """Yield the name and the figure of each plot."""
    described = [evidence for evidence in found if evidence.has_card]
    whole = end_to_end(found)
    if whole is not None:
        yield "strangers", draw_strangers(whole, whole.folder.parents[2])
    yield "results_overview", draw_overview(described)
    for evidence in described:
        yield f"model_{evidence.name}", draw_model(evidence)
    fused = next((e for e in found if e.name == "fusion"), None)
    if fused is not None and on_reference_split(fused) is not None:
        yield "fusion_reference_split", draw_reference_split(fused, on_reference_split(fused))
    shown = ravdess_streams(found)
    if shown:
        first = next(iter(shown.values()))
        tables = {label: evidence.predictions for label, evidence in shown.items()}
        yield "bias_groups", draw_groups(tables, first.size)


def ravdess_streams(found: Sequence) -> dict:
    """Return the recogniser's streams that were judged on RAVDESS: label -> evidence."""
    names = {"voice_encoder": "voice", "geometry": "geometry", "fusion": "fused"}
    by_name = {evidence.name: evidence for evidence in found}
    return {label: by_name[name] for name, label in names.items() if name in by_name}


def write_figure(path: Path, figure: Figure) -> bool:
    """Write a figure as PNG if it differs from what is there; tells whether it did.

    Pixels are compared, not bytes: other versions of zlib pack the same picture differently.
    Nothing about time or software is written into the file.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    plt.close(figure)
    if path.exists() and np.array_equal(imread(path), imread(io.BytesIO(buffer.getvalue()))):
        return False
    write_atomically(path, lambda name: Path(name).write_bytes(buffer.getvalue()))
    return True


def rebuild_plots(found: Sequence, folder: Path) -> list[Path]:
    """Draw all plots; returns those that had to be written."""
    written = []
    with plt.style.context(list(plots.FIXED_STYLE)):
        for name, figure in figures(found):
            path = folder / f"{name}.png"
            if write_figure(path, figure):
                written.append(path)
    return written
