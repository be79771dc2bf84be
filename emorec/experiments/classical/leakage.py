"""What the notebooks on classical voice models show: the honest figure beside the leaking one."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from emorec.evaluation import plots

__all__ = ["comparison", "nearest_sibling_share", "plot_inflation"]


def comparison(metrics: Mapping[str, dict]) -> pd.DataFrame:
    """Put both protocols side by side, in percent; the inflation in points of accuracy.

    Args:
        metrics: Folder -> content of its `metrics.json`.

    Returns:
        One row per model, by title.
    """
    rows = {}
    for found in metrics.values():
        leaking = found["random_split"]
        reported = leaking["reported"]
        low, high = found["intervals_95"]["accuracy"]
        rows[found["title"]] = {
            "reported accuracy %": reported.get("accuracy", np.nan),
            "reported F1 %": reported.get("macro_f1", np.nan),
            "reported AUC %": reported.get("roc_auc", np.nan),
            "random accuracy %": 100 * leaking["scores"]["accuracy"],
            "random F1 %": 100 * leaking["scores"]["macro_f1"],
            "random AUC %": 100 * leaking["roc_auc"],
            "by speaker accuracy %": 100 * found["scores"]["accuracy"],
            "from": 100 * low,
            "to": 100 * high,
            "by speaker F1 %": 100 * found["scores"]["macro_f1"],
            "by speaker AUC %": 100 * found["roc_auc"],
            "inflation, points": 100
            * (leaking["scores"]["accuracy"] - found["scores"]["accuracy"]),
        }
    return pd.DataFrame(rows).T


def nearest_sibling_share(features: np.ndarray) -> tuple[float, float]:
    """Tell how often the row nearest to a copy is of the same take: what a random split leaks.

    Args:
        features: (takes, kinds, columns); each column is standardised here.

    Returns:
        The share of copies, and what chance would give.
    """
    from sklearn.neighbors import NearestNeighbors

    takes, kinds, columns = features.shape
    rows = features.reshape(takes * kinds, columns)
    rows = (rows - rows.mean(0)) / (rows.std(0) + 1e-9)
    take_of = np.repeat(np.arange(takes), kinds)
    is_copy = np.tile(np.arange(kinds) > 0, takes)
    # The nearest of all is the row itself.
    nearest = NearestNeighbors(n_neighbors=2).fit(rows).kneighbors(rows[is_copy])[1][:, 1]
    share = float((take_of[nearest] == take_of[is_copy]).mean())
    return share, (kinds - 1) / (len(rows) - 1)


def plot_inflation(axes: Axes, table: pd.DataFrame, title: str) -> None:
    """Draw reported, random and by-speaker accuracy of each model of a `comparison`."""
    place = np.arange(len(table))
    columns = (
        ("reported accuracy %", "reported, random split"),
        ("random accuracy %", "ours, random split (leaks)"),
        ("by speaker accuracy %", "ours, by speaker"),
    )
    speakers = table["by speaker accuracy %"]
    for offset, ((column, label), colour) in enumerate(zip(columns, plots.COLOURS, strict=False)):
        heights = table[column]
        at = place + 0.27 * (offset - 1)
        axes.bar(at, heights, 0.25, label=label, color=colour)
        tops = table["to"] if column.startswith("by speaker") else heights
        for x, height, top in zip(at, heights, tops, strict=True):
            if np.isfinite(height):
                axes.text(x, top + 1, f"{height:.0f}", ha="center", fontsize=8)
    errors = [speakers - table["from"], table["to"] - speakers]
    axes.errorbar(place + 0.27, speakers, errors, fmt="none", color="black", capsize=3)
    axes.axhline(12.5, color="grey", linestyle=":", label="chance, eight classes")
    axes.set(title=title, ylabel="accuracy (%)", ylim=(0, 105))
    axes.set_xticks(place, [name.replace(" on ", "\non ") for name in table.index], fontsize=8)
    plots.legend_below(axes)
