"""For whom a model works: scores by group, gaps between groups, and checks against chance.

Everything follows from a prediction table (see `emorec.evaluation.scores`). Intervals are
bootstrapped over whole speakers, for the takes of one speaker are not independent.
"""

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.stats import binomtest

from emorec.corpora import ravdess
from emorec.evaluation import scores as evaluation
from emorec.evaluation.plots import COLOURS

RESAMPLES = 1000
GROUPS = ("gender", "intensity", "statement")
_STATEMENTS = {1: "kids are talking", 2: "dogs are sitting"}


def ravdess_facts(clip_ids: pd.Series) -> pd.DataFrame:
    """Return what a take's name says: `gender`, `intensity`, `statement`; one row each.

    Args:
        clip_ids: As `ravdess.parse_name` gives them, without the modality.

    Raises:
        ValueError: If a name is not RAVDESS's.

    Example:
        >>> ravdess_facts(pd.Series(["01-05-02-01-01-12"])).loc[0].tolist()
        ['female', 'strong', 'kids are talking']
    """
    facts = [ravdess.parse_name(f"03-{clip_id}") for clip_id in clip_ids]
    strangers = [name for name, fact in zip(clip_ids, facts, strict=True) if fact is None]
    if strangers:
        raise ValueError(
            f"{strangers[0]} and {len(strangers) - 1} other clips are no takes of RAVDESS, so "
            "their names tell no gender, intensity or statement. Remedy: give the groups in a "
            "column of your own."
        )
    table = pd.DataFrame(facts, index=clip_ids.index)[list(GROUPS)]
    return table.assign(statement=table["statement"].map(_STATEMENTS))


def verdicts(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return `speaker`, `truth`, `verdict`, `confidence` (0 to 1) and `right` of each clip."""
    classes = list(evaluation.classes_of(predictions))
    table = predictions[["speaker", "truth"]].copy()
    table["verdict"] = predictions[classes].idxmax(axis=1)
    table["confidence"] = predictions[classes].max(axis=1)
    table["right"] = table["verdict"] == table["truth"]
    return table


def _accuracy_samples(
    table: pd.DataFrame, groups: pd.Series, resamples: int, seed: int
) -> pd.DataFrame:
    """Return the accuracy of each group (columns) in each bootstrap sample of speakers (rows)."""
    right = table["right"].groupby([table["speaker"], groups]).agg(["sum", "size"])
    hits = right["sum"].unstack(fill_value=0)
    clips = right["size"].unstack(fill_value=0)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(hits), np.full(len(hits), 1 / len(hits)), resamples)
    with np.errstate(invalid="ignore"):
        accuracy = (drawn @ hits.to_numpy()) / (drawn @ clips.to_numpy())
    return pd.DataFrame(accuracy, columns=hits.columns)


def scores_by(
    predictions: pd.DataFrame, groups: pd.Series, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Score each group of clips.

    Args:
        predictions: Prediction table.
        groups: Group of each clip, same index.
        resamples: Number of bootstrap samples of speakers.
        seed: Of the resampling.

    Returns:
        One row per group: `clips`, `speakers`, `accuracy`, `low`, `high` (95 % interval),
        `confidence` (its mean), `calibration_error` (expected, 15 bins). For a group of one
        speaker there is nothing to resample: its interval is that of independent clips
        (Wilson 1927).
    """
    table = verdicts(predictions)
    samples = _accuracy_samples(table, groups, resamples, seed)
    rows = []
    for name, clips in table.groupby(groups):
        low, high = samples[name].quantile([0.025, 0.975])
        if clips["speaker"].nunique() == 1:
            proportion = binomtest(int(clips["right"].sum()), len(clips))
            low, high = proportion.proportion_ci(method="wilson")
        rows.append(
            {
                "group": name,
                "clips": len(clips),
                "speakers": clips["speaker"].nunique(),
                "accuracy": clips["right"].mean(),
                "low": low,
                "high": high,
                "confidence": clips["confidence"].mean(),
                "calibration_error": evaluation.scores(predictions.loc[clips.index])[
                    "expected_calibration_error"
                ],
            }
        )
    return pd.DataFrame(rows).set_index("group")


def gap(
    predictions: pd.DataFrame, groups: pd.Series, resamples: int = RESAMPLES, seed: int = 0
) -> dict:
    """Compare two groups of clips: how much more accurate is the better one?

    Args:
        predictions: Prediction table.
        groups: Group of each clip, same index; two of them.
        resamples: Number of bootstrap samples of speakers.
        seed: Of the resampling.

    Returns:
        `better`, `worse`, `gap`, and `low`, `high`: the 95 % interval of the gap. It holds 0
        where the corpus cannot tell the two apart.

    Raises:
        ValueError: If there are not exactly two groups.
    """
    table = verdicts(predictions)
    accuracy = table["right"].groupby(groups).mean().sort_values()
    if len(accuracy) != 2:
        raise ValueError(
            f"a gap is between two groups, not {len(accuracy)}: {list(accuracy.index)}"
        )
    worse, better = accuracy.index
    samples = _accuracy_samples(table, groups, resamples, seed)
    low, high = (samples[better] - samples[worse]).quantile([0.025, 0.975])
    return {
        "better": better,
        "worse": worse,
        "gap": float(accuracy[better] - accuracy[worse]),
        "low": float(low),
        "high": float(high),
    }


def permuted_accuracies(
    predictions: pd.DataFrame, permutations: int = RESAMPLES, seed: int = 0
) -> np.ndarray:
    """Score the verdicts against truths that are shuffled within each speaker.

    A score that stays high against shuffled truths would come from how often a class is said,
    or from a mistake in the scoring, and not from hearing or seeing anything.

    Returns:
        float (permutations,), accuracies.
    """
    table = verdicts(predictions)
    codes = {name: i for i, name in enumerate(evaluation.classes_of(predictions))}
    truth, verdict = (table[name].map(codes).to_numpy() for name in ("truth", "verdict"))
    rows_of = list(table.reset_index(drop=True).groupby("speaker").indices.values())
    rng = np.random.default_rng(seed)
    found = np.empty(permutations)
    for i in range(permutations):
        shuffled = truth.copy()
        for rows in rows_of:
            shuffled[rows] = rng.permutation(truth[rows])
        found[i] = (shuffled == verdict).mean()
    return found


def frequent_confusions(predictions: pd.DataFrame, count: int = 8) -> pd.DataFrame:
    """List the likeliest errors, worst first: truth, verdict, clips and share of that truth."""
    counts = evaluation.confusion(predictions)
    pairs = counts.rename_axis("truth").rename_axis("verdict", axis=1).stack().rename("clips")
    pairs = pairs.reset_index()
    pairs["share"] = pairs["clips"] / pairs["truth"].map(counts.sum(axis=1))
    pairs = pairs[pairs["truth"] != pairs["verdict"]]
    return pairs.sort_values(["share", "truth"], ascending=[False, True]).head(count)


def plot_groups(axes: Axes, tables: Mapping[str, pd.DataFrame], title: str) -> None:
    """Draw each group's accuracy with its interval, one colour for each model.

    Args:
        axes: Where to draw.
        tables: Label -> `scores_by` of the same groups.
        title: Heading.
    """
    for i, (label, table) in enumerate(tables.items()):
        places = np.arange(len(table)) + 0.18 * (i - (len(tables) - 1) / 2)
        spread = [table["accuracy"] - table["low"], table["high"] - table["accuracy"]]
        axes.errorbar(
            places, 100 * table["accuracy"], 100 * np.maximum(spread, 0), fmt="o", ms=4,
            capsize=2, color=COLOURS[i], label=label,
        )  # fmt: skip
    names = [textwrap.fill(str(name), 9) for name in table.index]
    axes.set_xticks(range(len(table)), names)
    axes.set(xlim=(-0.5, len(table) - 0.5), ylim=(0, 100), ylabel="accuracy (%)", title=title)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
