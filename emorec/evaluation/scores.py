"""Scores of posteriors, with intervals bootstrapped over speakers.

A *prediction table* has the columns `clip_id`, `speaker`, `fold`, `truth` and one column
per class, which hold a posterior. It is what `predictions.csv` beside each model contains.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from emorec.emotions import VOCABULARIES, fold, fold_matrix
from emorec.posteriors import log_mean

MEAN_FLOOR = 1e-7
"""Smallest probability that `mean_of_tables` takes at its word: tables have five decimals."""

KEYS = ["clip_id", "speaker", "fold", "truth"]


def prediction_table(
    clips: pd.DataFrame, posterior: np.ndarray, classes: Sequence[str], fold
) -> pd.DataFrame:
    """Join clips (`clip_id`, `speaker`, `emotion`) and their posterior into one table."""
    table = clips[["clip_id", "speaker"]].reset_index(drop=True)
    table["fold"] = fold
    table["truth"] = clips["emotion"].to_numpy()
    return table.join(pd.DataFrame(posterior, columns=list(classes)))


def classes_of(predictions: pd.DataFrame) -> tuple[str, ...]:
    """Return the classes of a prediction table, in the order of its columns."""
    return tuple(column for column in predictions.columns if column not in KEYS)


def _codes(predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return (truth (n,), posterior (n, k)); raises on a truth that is no class."""
    classes = classes_of(predictions)
    unknown = set(predictions["truth"]) - set(classes)
    if unknown:
        raise ValueError(f"truth {sorted(unknown)} is not among the classes {classes}")
    truth = predictions["truth"].map({name: i for i, name in enumerate(classes)}).to_numpy()
    return truth, predictions[list(classes)].to_numpy(float)


def confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count clips: rows are the truth, columns the verdict."""
    classes = classes_of(predictions)
    truth, posterior = _codes(predictions)
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (truth, posterior.argmax(1)), 1)
    return pd.DataFrame(counts, index=list(classes), columns=list(classes))


def expected_calibration_error(truth: np.ndarray, posterior: np.ndarray, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width bins (Guo et al. 2017)."""
    gaps = np.bincount(*_gaps(truth, posterior, bins), bins)
    return float(np.abs(gaps).sum() / len(truth))


def _gaps(truth: np.ndarray, posterior: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each clip's bin of confidence, and its being right (1 or 0) less that confidence."""
    confidence = posterior.max(1)
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    return bin_of, (posterior.argmax(1) == truth) - confidence


_BINS = 15


def _sums(truth: np.ndarray, posterior: np.ndarray, unit_of: np.ndarray) -> np.ndarray:
    """Sum over each unit's clips all that the scores need to know of a clip.

    Args:
        truth: Code of the class, (n,).
        posterior: (n, classes).
        unit_of: Number of each clip's unit, (n,).

    Returns:
        (units, classes * classes + 1 + bins): clips by truth and verdict, clips whose truth is
        among the three best, and the gap between being right and confidence by bin of confidence.
    """
    clips, classes = posterior.shape
    units = unit_of.max() + 1
    cell = truth * classes + posterior.argmax(1)
    rank_of_truth = (posterior > posterior[np.arange(clips), truth, None]).sum(1)
    bin_of, gap = _gaps(truth, posterior, _BINS)

    def by_unit(column: np.ndarray | int, columns: int, value: np.ndarray | None = None):
        return np.bincount(unit_of * columns + column, value, units * columns).reshape(units, -1)

    parts = by_unit(cell, classes**2), by_unit(0, 1, rank_of_truth < 3), by_unit(bin_of, _BINS, gap)
    return np.concatenate(parts, axis=1)


def _scores_of(sums: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Return the scores of samples, (samples,) each, from what `_sums` gives, (samples, ...)."""
    counts = sums[:, : classes**2].reshape(-1, classes, classes)
    hits, true_n, said_n = counts.diagonal(axis1=1, axis2=2), counts.sum(2), counts.sum(1)
    clips, present = true_n.sum(1), true_n > 0
    recall = hits / np.maximum(true_n, 1)
    f1 = 2 * hits / np.maximum(true_n + said_n, 1)
    return {
        "accuracy": hits.sum(1) / clips,
        "unweighted_average_recall": recall.sum(1) / present.sum(1),
        "top3_accuracy": sums[:, classes**2] / clips,
        "macro_f1": f1.sum(1) / present.sum(1),
        "expected_calibration_error": np.abs(sums[:, classes**2 + 1 :]).sum(1) / clips,
    }


def scores(predictions: pd.DataFrame) -> dict[str, float]:
    """Return accuracy, unweighted average recall, top-3, macro F1 and calibration error.

    Example:
        >>> table = pd.DataFrame({"clip_id": ["a", "b"], "speaker": ["x", "y"], "fold": 1,
        ...     "truth": ["sad", "happy"], "happy": [0.4, 0.9], "sad": [0.6, 0.1]})
        >>> scores(table)["accuracy"]
        1.0
    """
    truth, posterior = _codes(predictions)
    sums = _sums(truth, posterior, np.zeros(len(truth), int))
    found = _scores_of(sums, posterior.shape[1])
    return {name: float(value[0]) for name, value in found.items()}


def resampled_units(units: int, resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """Draw units with replacement, as many as there are: every bootstrap here begins so.

    Args:
        units: How many there are: speakers, as a rule.
        resamples: Number of bootstrap samples.
        seed: Of the draws.

    Returns:
        int (resamples, units), row numbers of units.

    Example:
        >>> resampled_units(3, resamples=2).shape
        (2, 3)
    """
    return np.random.default_rng(seed).integers(0, units, (resamples, units))


def intervals(
    predictions: pd.DataFrame, resamples: int = 1000, seed: int = 0, unit: str = "speaker"
) -> dict[str, list[float]]:
    """Return the 95 % interval of each score, bootstrapped over whole speakers.

    Args:
        predictions: Prediction table.
        resamples: Number of bootstrap samples.
        seed: Seed of the resampling.
        unit: Column whose values are drawn with replacement; `clip_id` where a corpus
            names no speakers.
    """
    truth, posterior = _codes(predictions)
    of_unit = _sums(truth, posterior, predictions.groupby(unit).ngroup().to_numpy())
    drawn = resampled_units(len(of_unit), resamples, seed)
    # How often each unit was drawn times its sums: hundredfold faster than picking clips.
    sums = [_times_drawn(part, len(of_unit)) @ of_unit for part in np.array_split(drawn, 10)]
    found = _scores_of(np.concatenate(sums), posterior.shape[1])
    return {
        name: [float(bound) for bound in np.quantile(values, [0.025, 0.975])]
        for name, values in found.items()
    }


def _times_drawn(drawn: np.ndarray, units: int) -> np.ndarray:
    """Count how often each bootstrap sample, a row of `drawn`, holds each unit."""
    samples = np.arange(len(drawn))[:, np.newaxis]
    counts = np.bincount((samples * units + drawn).ravel(), minlength=len(drawn) * units)
    return counts.reshape(len(drawn), units).astype(float)


def gains(
    new: pd.DataFrame,
    old: pd.DataFrame,
    unit: str = "speaker",
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Return by how much each score is higher, and the 95 % interval of that: value, low, high.

    Args:
        new: Prediction table.
        old: Another one of the same clips, row by row: both are resampled together.
        unit: As for `intervals`.
        resamples: Number of bootstrap samples.
        seed: Seed of the resampling.

    Raises:
        ValueError: If the tables are of other clips.
    """
    if new["clip_id"].tolist() != old["clip_id"].tolist():
        raise ValueError("the two tables are of other clips")
    units = new.groupby(unit).ngroup().to_numpy()
    both = [_codes(table) for table in (new, old)]
    of_units = [_sums(truth, posterior, units) for truth, posterior in both]
    drawn = resampled_units(len(of_units[0]), resamples, seed)
    # The first row is every unit once: the value itself.
    times = np.vstack([np.ones(len(of_units[0])), _times_drawn(drawn, len(of_units[0]))])
    classes = both[0][1].shape[1]
    first, second = (_scores_of(times @ of_unit, classes) for of_unit in of_units)
    found = {}
    for name, values in first.items():
        value, *resampled = values - second[name]
        found[name] = [float(x) for x in (value, *np.quantile(resampled, [0.025, 0.975]))]
    return found


def fold_predictions(predictions: pd.DataFrame, vocabulary: str) -> pd.DataFrame:
    """Return the table in another vocabulary; clips whose truth has no place there go.

    Args:
        predictions: Prediction table.
        vocabulary: Name in `emotions.VOCABULARIES`.
    """
    source, target = classes_of(predictions), VOCABULARIES[vocabulary]
    moved = pd.DataFrame(
        fold(predictions[list(source)].to_numpy(), source, target), columns=list(target)
    )
    place = fold_matrix(source, target)
    names = {
        name: target[row.argmax()] for name, row in zip(source, place, strict=True) if row.any()
    }
    folded = predictions[KEYS].reset_index(drop=True).join(moved)
    folded["truth"] = folded["truth"].map(names)
    return folded.dropna(subset=["truth"]).reset_index(drop=True)


def of_speakers(predictions: pd.DataFrame, speakers: Sequence[str]) -> pd.DataFrame:
    """Return the rows of these speakers."""
    return predictions[predictions["speaker"].isin(speakers)].reset_index(drop=True)


def mean_of_tables(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return one table for several of the same clips: normalised geometric means.

    Args:
        tables: Prediction tables, joined by `clip_id`; the first gives the order and the folds.
            A table alone is returned as it is.
    """
    if len(tables) == 1:
        return tables[0]
    first, classes = tables[0], list(classes_of(tables[0]))
    each = [table.set_index("clip_id").loc[first["clip_id"], classes] for table in tables]
    mean = log_mean(np.stack(each), floor=MEAN_FLOOR)
    return first.assign(**dict(zip(classes, mean.T, strict=True)))


def roc_auc(predictions: pd.DataFrame) -> float:
    """Return the area under the ROC curve, each class against the rest, mean over classes.

    Raises:
        ValueError: If a class has no clip, or all of them: its curve is not defined.

    Example:
        >>> table = pd.DataFrame({"clip_id": ["a", "b"], "speaker": ["x", "y"], "fold": 1,
        ...     "truth": ["sad", "happy"], "happy": [0.4, 0.9], "sad": [0.6, 0.1]})
        >>> roc_auc(table)
        1.0
    """
    # Imported here: the page shows scores, and is installed without scikit-learn.
    from sklearn.metrics import roc_auc_score

    truth, posterior = _codes(predictions)
    clips_of = np.bincount(truth, minlength=posterior.shape[1])
    for name, clips in zip(classes_of(predictions), clips_of, strict=True):
        if clips in (0, len(truth)):
            raise ValueError(
                f"{clips} of {len(truth)} clips are {name!r}: no ROC curve. Remedy: predict clips "
                "of every class, or drop the column of a class that cannot occur."
            )
    # One column per class: rows of five decimals need not sum to one, as "ovr" demands.
    is_class = np.eye(len(clips_of), dtype=int)[truth]
    return float(roc_auc_score(is_class, posterior, average="macro"))


def auc_of_those_that_occur(predictions: pd.DataFrame) -> float:
    """Return `roc_auc` over the classes that occur; NaN where there are fewer than two.

    Labels of somebody's own need not have every class. Computed by ranks, without scikit-learn,
    which what reads clips is installed without.

    Example:
        >>> table = pd.DataFrame({"clip_id": ["a", "b"], "speaker": ["x", "y"], "fold": 1,
        ...     "truth": ["sad", "happy"], "fear": 0.0, "happy": [0.4, 0.9], "sad": [0.6, 0.1]})
        >>> auc_of_those_that_occur(table)
        1.0
    """
    return _auc(*_codes(predictions))


def auc_interval(
    predictions: pd.DataFrame, resamples: int = 1000, seed: int = 0, unit: str = "speaker"
) -> list[float]:
    """Return the 95 % interval of `auc_of_those_that_occur`; see `intervals`."""
    truth, posterior = _codes(predictions)
    drawn = _resampled_rows(predictions, resamples, seed, unit)
    found = np.array([_auc(truth[rows], posterior[rows]) for rows in drawn])
    found = found[np.isfinite(found)]
    return [float(v) for v in np.quantile(found, [0.025, 0.975])] if len(found) else [np.nan] * 2


def _resampled_rows(
    predictions: pd.DataFrame, resamples: int, seed: int, unit: str
) -> Iterator[np.ndarray]:
    """Yield the row numbers of each bootstrap sample of whole units."""
    rows_of = list(predictions.reset_index(drop=True).groupby(unit).indices.values())
    one_each = len(rows_of) == len(predictions)
    row_of = np.concatenate(rows_of)
    for drawn in resampled_units(len(rows_of), resamples, seed):
        # Thousands of units of one row each are picked at once, for speed.
        yield row_of[drawn] if one_each else np.concatenate([rows_of[i] for i in drawn])


def _auc(truth: np.ndarray, posterior: np.ndarray) -> float:
    """Mean over classes of the share of pairs that are in the right order (Mann-Whitney)."""
    found = []
    for code in np.unique(truth):
        is_class, said = truth == code, posterior[:, code]
        inside, outside = np.sort(said[is_class]), said[~is_class]
        if len(outside):
            below = np.searchsorted(inside, outside, "left")
            level = np.searchsorted(inside, outside, "right") - below
            above = len(inside) - below - level
            found.append((above + level / 2).sum() / (len(inside) * len(outside)))
    return float(np.mean(found)) if found else float("nan")
