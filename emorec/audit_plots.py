"""Plots of the audit: how a corpus is made up, and how its clips spread."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from emorec.plots import COLOURS


def plot_shares(axes: Axes, counts: pd.DataFrame, title: str) -> None:
    """Draw a table of counts as shares of each row, the counts written into the cells.

    Args:
        axes: Where to draw.
        counts: One row per corpus, one column per emotion; 0 where a corpus lacks the emotion.
        title: Heading.
    """
    values = counts.to_numpy(float)
    share = 100 * values / np.maximum(values.sum(1, keepdims=True), 1)
    image = axes.imshow(share, cmap="cividis", vmin=0, aspect="auto")
    for row, column in np.ndindex(share.shape):
        colour = "black" if share[row, column] > 0.55 * share.max() else "white"
        text = f"{values[row, column]:,.0f}" if values[row, column] else "–"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(counts.shape[1]), counts.columns, rotation=45, ha="right")
    axes.set_yticks(range(counts.shape[0]), counts.index)
    axes.set(title=title)
    axes.figure.colorbar(image, ax=axes, label="share of the corpus (%)")


def plot_spread(axes: Axes, values_by_name: Mapping[str, pd.Series], label: str) -> None:
    """Draw the spread of a measure as one lying box per corpus, the first one on top.

    Boxes hold the middle half, whiskers reach from 5 to 95 % of the clips.

    Args:
        axes: Where to draw.
        values_by_name: Corpus -> one value per clip.
        label: The measure, with its unit.
    """
    places = range(1, len(values_by_name) + 1)
    axes.boxplot(
        [values.dropna().to_numpy(float) for values in values_by_name.values()],
        orientation="horizontal",
        whis=(5, 95),
        showfliers=False,
        widths=0.6,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": COLOURS[4]},
        medianprops={"color": "black"},
    )
    axes.set_yticks(places, list(values_by_name))
    axes.set(xlabel=label, ylim=(len(values_by_name) + 0.5, 0.5))
