"""What a stranger's clip gets: the committed verdicts on corpora that were left out."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from emorec.emotions import COMMON7
from emorec.evaluation import plots
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import read_predictions
from emorec.evaluation.left_out import CORPORA_NAMES
from emorec.paths import COMPARISONS, MODELS

FOLDER = COMPARISONS / "strangers"
_LANGUAGES = {"javased": "Javanese", "nemo": "Polish", "emovo": "Italian"}
CORPORA = {key: f"{name}, {_LANGUAGES.get(key, 'English')}" for key, name in CORPORA_NAMES.items()}
"""Key -> name and language, in the order of the folds, which count from 1."""

_DOTS = {
    "fused": ("o", plots.COLOURS[0]),
    "voice": ("s", plots.COLOURS[1]),
    "face": ("^", plots.COLOURS[2]),
}
_LABELS = {
    "fused": "all that the clip has",
    "voice": "of clips with a picture: the voice alone",
    "face": "of clips with a picture: the face alone",
}


def read_metrics(name: str, folder: Path = FOLDER) -> dict:
    """Read the metrics of a head, or of `end_to_end`."""
    return read_json(f"{name}/metrics.json", folder)


def read_json(name: str, folder: Path = FOLDER) -> dict:
    """Read a file of the evidence, `distances.json`."""
    return json.loads((Path(folder) / name).read_text(encoding="utf-8"))


def of_corpus(predictions: pd.DataFrame, corpus: str) -> pd.DataFrame:
    """Return the verdicts on one corpus that was left out."""
    return predictions[predictions["fold"] == list(CORPORA).index(corpus) + 1]


def by_emotion(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return each emotion's recall (columns) on each corpus (rows), NaN where it has none."""
    right = predictions[list(COMMON7)].idxmax(axis=1) == predictions["truth"]
    shares = right.groupby([predictions["fold"], predictions["truth"]]).mean().unstack()
    labels = dict(enumerate(CORPORA.values(), 1))
    return shares.reindex(columns=COMMON7).rename(index=labels)


def mean_interval(predictions: pd.DataFrame, resamples: int = 1000) -> dict[str, list[float]]:
    """Return value and 95 % interval of the means over corpora, each of which counts alike.

    Speakers are drawn with replacement within each corpus: the interval says how much other
    speakers of these corpora would change, and nothing about other corpora.

    Args:
        predictions: Verdicts on corpora left out, over `COMMON7`.
        resamples: Number of bootstrap samples.

    Returns:
        `accuracy` and `unweighted_average_recall`, each value, lower and upper bound.
    """
    draws, values = [], []
    for fold, table in predictions.groupby("fold"):
        # Of each speaker and emotion, how many clips, and how many of them are right.
        right = (table[list(COMMON7)].idxmax(axis=1) == table["truth"]).groupby(
            [table["speaker"], table["truth"]]
        )
        counts = np.stack([right.sum().unstack(fill_value=0), right.size().unstack(fill_value=0)])
        drawn = evaluation.resampled_units(counts.shape[1], resamples, seed=int(fold))
        draws.append(_scores(np.stack([counts[:, rows].sum(1) for rows in drawn])))
        values.append(_scores(counts.sum(1)[None])[:, 0])
    low, high = np.quantile(np.mean(draws, axis=0), (0.025, 0.975), axis=1)
    value = np.mean(values, axis=0)
    names = ("accuracy", "unweighted_average_recall")
    return {name: [float(part[i]) for part in (value, low, high)] for i, name in enumerate(names)}


def _scores(counts: np.ndarray) -> np.ndarray:
    """Return accuracy and mean recall, (2, n), of right and all by emotion, (n, 2, emotions)."""
    right, every = counts[:, 0], counts[:, 1]
    recall = np.where(every > 0, right / np.maximum(every, 1), np.nan)
    return np.stack([right.sum(1) / every.sum(1), np.nanmean(recall, axis=1)])


def heads_table(folder: Path = FOLDER) -> pd.DataFrame:
    """Return one row for each head whose evidence is there: means over the corpora left out.

    Returns:
        `seeds`, and in percent `accuracy`, `from`, `to`, `recall`, `calibration error`,
        the best first.
    """
    rows = {}
    for file in Path(folder).glob("*/metrics.json"):
        metrics = read_metrics(file.parent.name, folder)
        if metrics["stream"] != "voice":
            continue
        value, low, high = mean_interval(read_predictions(file.parent))["accuracy"]
        gate = metrics["gate"]
        rows[file.parent.name] = {
            "seeds": metrics["seeds"],
            "accuracy": 100 * value,
            "from": 100 * low,
            "to": 100 * high,
            "recall": 100 * gate["mean_recall"],
            "calibration error": 100 * gate["mean_calibration_error"],
        }
    return pd.DataFrame(rows).T.astype({"seeds": int}).sort_values("accuracy", ascending=False)


def spoken(folder: Path = FOLDER / "end_to_end") -> pd.DataFrame:
    """Return the fused verdicts of the clips that got one.

    The prediction table counts a clip without a verdict as wrong with full confidence, which is
    right for accuracy and would say nothing about how far a verdict is to be trusted.
    """
    status = pd.read_csv(folder / "verdicts.csv", dtype={"clip_id": str})["status"]
    return read_predictions(folder)[(status != "no verdict").to_numpy()].reset_index(drop=True)


def sureness_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return in percent, for each corpus: how sure verdicts are, and how many of them are right.

    Returns:
        `mean confidence`, `right`, `above 70 %` (the share of verdicts that claim so much),
        `right of those`.
    """
    posterior = predictions[list(COMMON7)]
    clips = pd.DataFrame(
        {
            "corpus": predictions["fold"].map(dict(enumerate(CORPORA.values(), 1))),
            "mean confidence": 100 * posterior.max(axis=1),
            "right": 100.0 * (posterior.idxmax(axis=1) == predictions["truth"]),
        }
    )
    grouped = clips.groupby("corpus", sort=False)
    sure = clips[clips["mean confidence"] > 70].groupby("corpus", sort=False)
    more = {
        "above 70 %": 100 * sure.size() / grouped.size(),
        "right of those": sure["right"].mean(),
    }
    return (
        grouped.mean().assign(**more).reindex([n for n in CORPORA.values() if n in grouped.groups])
    )


def by_distance(folder: Path = FOLDER) -> pd.DataFrame:
    """Return in percent how often the voice is right on near and far clips of left-out corpora.

    Returns:
        For each corpus the share right of those clips that lie nearer than half of the training
        clips, nearer than 90 %, nearer than 99 %, and beyond; and how many lie beyond.
    """
    clips = read_predictions(folder / "held_logistic")
    far = pd.read_csv(folder / "distances.csv", dtype={"clip_id": str})
    clips["right"] = 100.0 * (clips[list(COMMON7)].idxmax(axis=1) == clips["truth"])
    clips = clips[["clip_id", "fold", "right"]].merge(far, on=["clip_id", "fold"])
    parts = ["nearer half", "to 90 %", "to 99 %", "beyond"]
    place = np.searchsorted([50, 90, 99], clips["training_percentile"], side="right")
    corpus = clips["fold"].map(dict(enumerate(CORPORA.values(), 1)))
    shares = clips["right"].groupby([corpus, np.array(parts)[place]], sort=False).mean().unstack()
    beyond = (place == 3).astype(int)
    return shares[parts].assign(**{"clips beyond": pd.Series(beyond).groupby(corpus).sum()})


def before(models: Path = MODELS) -> dict[str, float]:
    """Return in percent how often the 2D CNN, the voice before, is right on corpora new to it.

    It was trained on RAVDESS and CREMA-D; all seven classes are open.
    """
    savee = read_predictions(
        models / "alternatives" / "voice_long", "predictions_savee_shipped.csv"
    )
    javased = pd.read_csv(models / "fusion" / "audiovisual.csv")
    javased = javased.rename(columns=lambda name: name.removeprefix("voice."))
    tables = {"savee": savee, "javased": javased}
    return {name: _right(table, list(COMMON7)) for name, table in tables.items()}


def against_2d_cnn(folder: Path = COMPARISONS) -> pd.DataFrame:
    """Return in percent, on the same clips and the same five emotions, what foreign voices give.

    Returns:
        For each of four corpora: `clips`; `2D CNN, mean` and `2D CNN, best` of the three
        networks that were each trained on one other corpus; `encoder`, trained on five others.
    """
    crossed = folder / "speech_corpora" / "cross_corpus"
    tables = {
        name: read_predictions(crossed, f"predictions_from_{name}.csv")
        for name in ("ravdess", "crema_d", "savee", "javased")
    }
    ours, rows = read_predictions(folder / "strangers" / "held_logistic"), {}
    for name in tables:
        label = CORPORA[name].split(",")[0]
        foreign = {
            source: table[table["fold"] == label].set_index("clip_id")
            for source, table in tables.items()
            if source != name
        }
        judged = of_corpus(ours, name).set_index("clip_id")
        classes = list(evaluation.classes_of(next(iter(tables.values()))))
        own = judged.loc[next(iter(foreign.values())).index]
        found = [_right(table, classes) for table in foreign.values()]
        rows[CORPORA[name]] = {
            "clips": len(own),
            "2D CNN, mean": np.mean(found),
            "2D CNN, best": max(found),
            "encoder": _right(own, classes),
        }
    return pd.DataFrame(rows).T.astype({"clips": int})


def _right(table: pd.DataFrame, classes: list[str]) -> float:
    """In percent; a clip without a verdict counts as wrong."""
    said = table[classes].dropna().idxmax(axis=1).reindex(table.index)
    return float(100 * (said == table["truth"]).mean())


def plot_corpora(
    axes: Axes,
    left_out: Mapping[str, Mapping[str, dict]],
    title: str,
    previous: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Draw how often each stream is right on each corpus, with 95 % intervals over speakers.

    Args:
        axes: Where to draw.
        left_out: Stream -> corpus -> clips, scores, intervals. Where sound is all that a corpus
            has, its voice is the fused verdict and is not drawn beside it; the geometry, which is
            left out of nearly all foreign clips, is nowhere.
        title: Heading.
        previous: Corpus -> percent of `before`, where it is to be drawn.
    """
    corpora = [name for name in CORPORA if name in left_out["fused"]]
    for shift, stream in enumerate(_DOTS):
        is_one_of_many = [n for n in corpora if n in left_out["face"] and n in left_out[stream]]
        drawn = corpora if stream == "fused" else is_one_of_many
        rows = [left_out[stream][name] for name in drawn]
        value = np.array([100 * row["scores"]["accuracy"] for row in rows])
        bounds = 100 * np.array([row["intervals_95"]["accuracy"] for row in rows]).reshape(-1, 2).T
        places = np.array([corpora.index(name) for name in drawn]) + 0.17 * shift
        marker, colour = _DOTS[stream]
        axes.errorbar(
            value, places, xerr=abs(bounds - value), fmt=marker, color=colour, capsize=3,
            ms=8 if stream == "fused" else 5, label=_LABELS[stream],
        )  # fmt: skip
    if previous:
        axes.plot(
            list(previous.values()), [corpora.index(name) - 0.17 for name in previous], "kX",
            label="the 2D CNN, the voice before",
        )  # fmt: skip
    sizes = [f"{CORPORA[name]}\n{left_out['fused'][name]['clips']:,} clips" for name in corpora]
    axes.set_yticks(range(len(corpora)), sizes)
    mean = 100 * np.mean([left_out["fused"][n]["scores"]["accuracy"] for n in corpora])
    axes.axvline(mean, color=_DOTS["fused"][1], linestyle="--", lw=1, label=f"mean {mean:.1f} %")
    axes.axvline(100 / 7, color="grey", linestyle=":", label="guessing among seven")
    axes.set(
        xlim=(0, 100), ylim=(len(corpora) + 1.4, -0.5), xlabel="clips that are right (%), 95 %"
    )
    axes.set_title(title)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")


def plot_against_2d_cnn(axes: Axes, found: pd.DataFrame, title: str) -> None:
    """Draw `against_2d_cnn`: on the same clips, before and after."""
    places = np.arange(len(found))
    names = {"2D CNN, mean": "2D CNN of one other corpus", "encoder": "encoder, of five others"}
    for shift, (column, label) in zip((-0.2, 0.2), names.items(), strict=True):
        colour = plots.COLOURS[0 if column == "encoder" else 1]
        bars = axes.barh(places + shift, found[column], 0.38, color=colour, label=label)
        axes.bar_label(bars, fmt="%.0f", padding=2)
    axes.axvline(100 / 5, color="grey", linestyle=":", label="guessing among five")
    clips = [f"{name}\n{n:,} clips" for name, n in found["clips"].items()]
    axes.set_yticks(places, clips)
    axes.set(xlim=(0, 100), ylim=(len(found) + 0.2, -0.6), xlabel="clips that are right (%)")
    axes.set_title(title)
    axes.legend(loc="lower right", fontsize="small")
