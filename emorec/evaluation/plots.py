"""Plots that several notebooks share; colours after Okabe & Ito 2008, safe for the colour-blind."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emorec.evaluation import scores as evaluation

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""Blue, orange, green, purple, sky, vermilion, yellow, black."""


FIXED_STYLE = ("default", {"font.family": "DejaVu Sans"})
"""What makes a figure the same on every machine, whatever its user's settings."""


def plot_confusion(axes: Axes, predictions: pd.DataFrame, title: str) -> None:
    """Draw the confusion matrix: rows are the truth, cells the share of that truth in percent.

    Args:
        axes: Where to draw.
        predictions: Prediction table (see `evaluation`).
        title: Heading.
    """
    counts = evaluation.confusion(predictions)
    plot_confusion_counts(axes, counts.to_numpy(), tuple(counts.columns), title)


def plot_confusion_counts(
    axes: Axes, counts: np.ndarray, classes: Sequence[str], title: str
) -> None:
    """Draw a confusion matrix from its counts (classes, classes); rows are the truth."""
    share = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(share, cmap="cividis", vmin=0, vmax=100)
    for row, column in np.ndindex(share.shape):
        colour = "black" if share[row, column] > 55 else "white"
        axes.text(column, row, f"{share[row, column]:.0f}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(counts)), classes, rotation=45, ha="right")
    axes.set_yticks(range(len(counts)), classes)
    axes.set(xlabel="verdict", ylabel="truth", title=f"{title}\n(% of each truth)")


def plot_matrix(axes: Axes, scores: pd.DataFrame, title: str) -> None:
    """Draw a score of every pair of corpora: rows trained on, columns tested on, in percent.

    Args:
        axes: Where to draw.
        scores: Shares of one; index and columns are names.
        title: Heading.
    """
    percent = 100 * scores.to_numpy(float)
    axes.imshow(percent, cmap="cividis", vmin=0, vmax=100)
    for row, column in np.ndindex(percent.shape):
        colour = "black" if percent[row, column] > 55 else "white"
        label = f"{percent[row, column]:.0f}"
        axes.text(column, row, label, ha="center", va="center", color=colour)
    axes.set_xticks(range(scores.shape[1]), scores.columns)
    axes.set_yticks(range(scores.shape[0]), scores.index)
    axes.set(xlabel="judged", ylabel="trained on", title=title)


def plot_reliability(
    axes: Axes, predictions_by_name: Mapping[str, pd.DataFrame], title: str, bins: int = 10
) -> None:
    """Draw how often the verdict is right against how sure the model was.

    Args:
        axes: Where to draw.
        predictions_by_name: Label -> prediction table.
        title: Heading.
        bins: Number of confidence bins; those with fewer than 10 clips are left out.
    """
    axes.plot([0, 100], [0, 100], color="grey", linestyle=":", label="perfectly calibrated")
    for colour, (name, table) in zip(COLOURS, predictions_by_name.items(), strict=False):
        posterior = table[list(evaluation.classes_of(table))]
        verdict = posterior.idxmax(axis=1)
        sure = pd.DataFrame(
            {"confidence": posterior.max(axis=1), "right": verdict == table["truth"]}
        )
        bin_of = (sure["confidence"] * bins).astype(int).clip(upper=bins - 1)
        points = sure.groupby(bin_of).mean()[sure.groupby(bin_of).size() >= 10] * 100
        error = 100 * evaluation.scores(table)["expected_calibration_error"]
        label = f"{name} (error {error:.1f} points)"
        axes.plot(points["confidence"], points["right"], "o-", color=colour, label=label)
    axes.set(xlim=(0, 100), ylim=(0, 100), title=title)
    axes.set(xlabel="confidence of the verdict (%)", ylabel="verdicts that are right (%)")
    axes.legend(loc="upper left", fontsize="small")


def plot_learning_curves(
    axes: Axes, history: pd.DataFrame, columns: Mapping[str, str], title: str, ylabel: str
) -> None:
    """Draw columns of a history against the epoch: the mean over folds, and their range.

    Args:
        axes: Where to draw.
        history: One row per epoch, and per fold where there is a column `fold`.
        columns: Column of the history -> label.
        title: Heading.
        ylabel: What the columns measure, with its unit.
    """
    for colour, (column, label) in zip(COLOURS, columns.items(), strict=False):
        by_epoch = history.dropna(subset=[column]).groupby("epoch")[column]
        epochs = np.array(sorted(by_epoch.groups)) + 1
        axes.plot(epochs, by_epoch.mean(), color=colour, label=label)
        axes.fill_between(epochs, by_epoch.min(), by_epoch.max(), color=colour, alpha=0.2, lw=0)
    axes.set(xlabel="epoch", ylabel=ylabel, title=title)
    axes.legend()


def plot_recall(axes: Axes, predictions_by_name: Mapping[str, pd.DataFrame], title: str) -> None:
    """Draw each class's recall as bars, one colour for each model.

    Args:
        axes: Where to draw.
        predictions_by_name: Label -> prediction table, all over the same classes.
        title: Heading.
    """
    width = 0.8 / len(predictions_by_name)
    for i, (name, table) in enumerate(predictions_by_name.items()):
        counts = evaluation.confusion(table)
        recall = 100 * np.diag(counts) / np.maximum(counts.sum(axis=1), 1)
        places = np.arange(len(counts)) + (i - (len(predictions_by_name) - 1) / 2) * width
        axes.bar(places, recall, width, label=name, color=COLOURS[i % len(COLOURS)])
    axes.set_xticks(range(len(counts)), counts.index, rotation=45, ha="right")
    axes.set(ylim=(0, 100), ylabel="recall (%)", title=title)
    if len(predictions_by_name) > 1:
        legend_below(axes, gap=0.3)


def plot_accuracy_by_speaker(axes: Axes, predictions: pd.DataFrame, title: str) -> None:
    """Draw each speaker's accuracy, sorted, and the mean over all."""
    classes = list(evaluation.classes_of(predictions))
    right = predictions[classes].idxmax(axis=1) == predictions["truth"]
    by_speaker = 100 * right.groupby(predictions["speaker"]).mean().sort_values()
    names = by_speaker.index.str.replace(r"^.*-", "", regex=True)
    axes.bar(names, by_speaker, color=COLOURS[0])
    axes.axhline(100 * right.mean(), color=COLOURS[5])
    line = f"line: all clips, {100 * right.mean():.1f} %"
    axes.set(ylim=(0, 100), xlabel=f"speaker ({line})", ylabel="accuracy (%)", title=title)


def legend_below(axes: Axes, gap: float = 0.18) -> None:
    """Put the legend under the axes, where it covers nothing; `gap` is a share of their height."""
    columns = min(3, len(axes.get_legend_handles_labels()[0]))
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -gap), ncols=columns, fontsize="small",
        frameon=False,
    )  # fmt: skip


def shrink(figure: Figure, dots_per_inch: int = 80) -> Figure:
    """Lay a figure out tightly at a resolution that keeps notebooks small; returns it."""
    figure.set_dpi(dots_per_inch)
    figure.tight_layout()
    return figure
