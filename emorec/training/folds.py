"""The out-of-fold loop: train on one side, predict the other, and read what is finished."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emorec.evaluation.evidence import read_predictions
from emorec.evaluation.scores import prediction_table
from emorec.evaluation.splits import check_disjoint
from emorec.files import StaleCacheError, write_atomically, write_table
from emorec.training.own_folder import own_folder

Fold = tuple[int | str, np.ndarray, np.ndarray]
"""Number or name, train rows, test rows; the rows are bool masks (n,)."""

LEAKING = "clip_id"
"""Given as `apart`: rows are on one side each, and speakers on both. The scores leak: this is for
splits that serve to show it, and for corpora that name no persons."""

_RECIPE = "recipe.txt"


def take(items: Sequence[Any], mask: np.ndarray) -> list:
    """Return the items that a bool mask (n,) chooses, in order.

    Example:
        >>> take(["a", "b", "c"], np.array([True, False, True]))
        ['a', 'c']
    """
    return [item for item, chosen in zip(items, mask, strict=True) if chosen]


def held_out(
    train: pd.DataFrame,
    test: pd.DataFrame,
    predict: Callable[[], np.ndarray],
    folder: Path,
    classes: Sequence[str],
    fold: int | str,
    *,
    apart: str = "speaker",
    recipe: str = "",
) -> pd.DataFrame:
    """Predict one held-out side; what `folder/predictions.csv` holds is read instead.

    Args:
        train: Clips that are trained on: `clip_id`, `speaker`.
        test: Clips that are predicted: `clip_id`, `speaker`, `emotion`.
        predict: Trains and returns a posterior, float (test clips, classes). A clip whose row
            holds NaN could not be predicted and is left out.
        folder: For `predictions.csv`.
        classes: Of the posterior.
        fold: Number or name, for the table.
        apart: Column of which no value may be on both sides; see `LEAKING`.
        recipe: How it is trained, in words; what another recipe has left is not taken for its own.

    Returns:
        The prediction table, as it is read back.

    Raises:
        SpeakerLeakError: If a speaker is on both sides.
        emorec.files.StaleCacheError: If the finished predictions are of other clips, or the
            training that was finished or begun there has another recipe.
        OutputError: If another training is at work in the folder.
        ValueError: If the posterior has not one row for each clip.
    """
    check_disjoint(train=train[apart], test=test[apart])
    file = Path(folder) / "predictions.csv"
    asked = file.with_name("clips.txt")
    if not file.exists():
        with own_folder(file.parent):
            if recipe:
                _begin(file.parent, recipe)
            if not file.exists():  # another run may have ended meanwhile
                posterior = np.asarray(predict())
                if len(posterior) != len(test):
                    problem = f"posterior of {len(posterior)} rows for {len(test)} clips"
                    raise ValueError(f"{file}: {problem}")
                there = np.isfinite(posterior).all(1)
                _write_text(asked, "\n".join(test["clip_id"]) + "\n")
                write_table(file, prediction_table(test[there], posterior[there], classes, fold))
    found = read_predictions(folder)
    if asked.read_text(encoding="utf-8").splitlines() != test["clip_id"].tolist():
        raise StaleCacheError(file, "it holds predictions of other clips than those asked for")
    if recipe:
        check_recipe(folder, recipe)
    return found


def _begin(folder: Path, recipe: str) -> None:
    """Write down how a training in a folder is done, before it begins or goes on."""
    if any(folder.iterdir()):
        check_recipe(folder, recipe)
    else:
        _write_text(folder / _RECIPE, recipe)


def check_recipe(folder: Path, recipe: str) -> None:
    """Refuse a folder in which `held_out` did not train by this recipe.

    Raises:
        emorec.files.StaleCacheError: If it did otherwise, or before recipes were kept.
    """
    file = Path(folder) / _RECIPE
    if not file.exists() or file.read_text(encoding="utf-8") != recipe:
        reason = f"what it holds was not trained as is asked for now: {recipe}"
        raise StaleCacheError(Path(folder), reason, "delete the folder; it is trained again")


def _write_text(file: Path, text: str) -> None:
    write_atomically(file, lambda name: Path(name).write_text(text, encoding="utf-8"))


def out_of_fold(
    table: pd.DataFrame,
    folds: Iterable[Fold],
    predict: Callable[[np.ndarray, np.ndarray, Path], np.ndarray],
    work: Path,
    classes: Sequence[str],
    *,
    only: Sequence[int] | None = None,
    apart: str = "speaker",
    recipe: str = "",
) -> pd.DataFrame:
    """Predict each fold's test rows by what is trained on its train rows; finished ones are read.

    Args:
        table: All clips: `clip_id`, `speaker`, `emotion`.
        folds: See `Fold`.
        predict: Called with train rows, test rows and the fold's folder; trains there, and
            returns a posterior as `held_out` wants it.
        work: Holds `fold_N/` with predictions, networks and learning curves.
        classes: Of the posterior.
        only: Numbers of the folds wanted; None for all.
        apart: Column of which no value may be on both sides of a fold; see `LEAKING`.
        recipe: See `held_out`.

    Returns:
        The prediction table, fold by fold, each in the order of `table`.

    Raises:
        SpeakerLeakError: If a speaker is on both sides of a fold.
        emorec.files.StaleCacheError: If finished predictions are of other clips, or what is in a
            fold's folder has another recipe.
    """
    parts = []
    for number, train, test in folds:
        if only is not None and number not in only:
            continue
        folder = Path(work) / f"fold_{number}"
        predict_fold = partial(predict, train, test, folder)
        sides = table[train], table[test]
        parts.append(
            held_out(*sides, predict_fold, folder, classes, number, apart=apart, recipe=recipe)
        )
    return pd.concat(parts, ignore_index=True)


def learning_curves(work: Path) -> pd.DataFrame:
    """Return the learning curves of all folds of one question; `fold` names each."""
    files = sorted(Path(work).glob("fold_*/history.csv"))
    parts = [pd.read_csv(f).assign(fold=f.parent.name.removeprefix("fold_")) for f in files]
    return pd.concat(parts, ignore_index=True)
