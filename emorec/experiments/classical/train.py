"""Classical voice models on RAVDESS: as published, split at random, and by speaker.

    python -m emorec.experiments.classical.train  # everything; resumes
    python -m emorec.experiments.classical.train --models voice_random_forest     # some models only

Each model is trained seven times with one recipe: once by its project's protocol, rows of takes
and copies split at random, and six times by speaker. A finished training is not repeated. Times
are the processor's, so that what else a machine does leaves them alone.
"""

import argparse
import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from emorec.corpora import ravdess
from emorec.emotions import RAVDESS8
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import Measurement, write_evidence
from emorec.evaluation.splits import RAVDESS_BLOCKS
from emorec.experiments.classical.features import KINDS, VoiceFeatures, class_codes, extract
from emorec.experiments.classical.models import (
    PATIENCE,
    RECIPES,
    FittedModel,
    Recipe,
    folder_of,
)
from emorec.experiments.classical.protocols import Split, by_speaker, random_split, rows_with_copies
from emorec.features import voice_classical
from emorec.files import write_json, write_table
from emorec.media.reader import read_sound
from emorec.paths import MODELS
from emorec.posteriors import log_mean
from emorec.training.fit import training_clock, training_minutes
from emorec.training.folds import LEAKING, held_out, learning_curves

__all__ = ["splits_of", "train", "train_split", "write_results"]

SEED = 1
RANDOM = "random"
WINDOWS = "predictions_windows.csv"


def splits_of(recipe: Recipe, table: pd.DataFrame, blocks=RAVDESS_BLOCKS) -> list[Split]:
    """Return the blocks by speaker, and the project's random split last where it has one."""
    codes = class_codes(table["emotion"])
    found = list(
        by_speaker(
            table, codes, recipe.copies, is_balanced=recipe.is_balanced, blocks=blocks, seed=SEED
        )
    )
    per_class = 2 * int(np.bincount(codes).max()) if recipe.is_balanced else None
    rows = rows_with_copies(codes, np.arange(len(codes)), recipe.copies, per_class=per_class)
    return [*found, random_split(codes, rows, recipe.test_share, SEED)]


def inputs_of(features: VoiceFeatures, recipe: Recipe, rows: np.ndarray) -> np.ndarray:
    """Return what the recipe's model reads of rows (n, 2): float32 (n, ...)."""
    return getattr(features, recipe.array)[rows[:, 0], rows[:, 1]].astype(np.float32)


def train_split(
    recipe: Recipe, features: VoiceFeatures, split: Split, folder: Path, *, seed: int = SEED
) -> pd.DataFrame:
    """Train on one side of a split and predict the other; a finished one is read.

    Args:
        recipe: What to train.
        features: Of the whole corpus.
        split: Who trains and who is predicted.
        folder: For predictions, learning curve and facts.
        seed: Of weights and order.

    Returns:
        The prediction table; copies are named `clip_id+kind`.
    """
    folder = Path(folder)
    known = _clips(features.table, np.concatenate([split.train, split.validation]))
    test = _clips(features.table, split.test)
    predict = partial(_train_and_predict, recipe, features, split, folder, seed)
    apart = LEAKING if split.fold == RANDOM else "speaker"
    how = f"{_choice_in_words(recipe)}; seed {seed}"
    return held_out(known, test, predict, folder, RAVDESS8, split.fold, apart=apart, recipe=how)


def _train_and_predict(
    recipe: Recipe, features: VoiceFeatures, split: Split, folder: Path, seed: int
) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    codes = class_codes(features.table["emotion"])
    train, validation = (
        (inputs_of(features, recipe, rows), codes[rows[:, 0]])
        for rows in (split.train, split.validation)
    )
    with training_clock(folder):
        model = recipe.learner.fit(train, validation, seed, folder)
    inputs = inputs_of(features, recipe, split.test)
    model.posterior(inputs)  # Keras prepares itself on the first call
    start = time.process_time()
    posterior = model.posterior(inputs)
    judging_ms = 1000 * (time.process_time() - start) / len(split.test)
    if recipe.array == "means_26" and split.fold != RANDOM:
        _predict_windows(model, features, split, folder)
    seconds = 60 * training_minutes(folder)
    facts = {"seconds": seconds, "parameters": model.parameters, "judging_ms": judging_ms}
    write_json(folder / "facts.json", facts)
    return posterior


def _clips(table: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    clips = table.iloc[rows[:, 0]].reset_index(drop=True)
    kinds = ["" if kind == 0 else f"+{KINDS[kind]}" for kind in rows[:, 1]]
    return clips.assign(clip_id=clips["clip_id"] + kinds)


def _predict_windows(
    model: FittedModel, features: VoiceFeatures, split: Split, folder: Path
) -> None:
    """Predict the test takes as the recogniser does: its sliding windows, pooled by loudness."""
    posterior = model.posterior(features.windows_26)
    takes = split.test[:, 0]
    pooled = []
    for take in takes:
        own = features.window_take == take
        pooled.append(log_mean(posterior[own], features.window_loudness[own]))
    clips = _clips(features.table, split.test)
    table = evaluation.prediction_table(clips, np.stack(pooled), RAVDESS8, split.fold)
    write_table(folder / WINDOWS, table)


def train(
    name: str,
    features: VoiceFeatures,
    models: Path = MODELS,
    *,
    recipe: Recipe | None = None,
    blocks: Sequence[Sequence[int]] = RAVDESS_BLOCKS,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train one model by speaker and at random; finished trainings are read.

    Args:
        name: One of `RECIPES`: its folder.
        features: Of the whole corpus.
        models: Holds the folder, whose `work/` holds the trainings.
        recipe: Instead of the one of that name.
        blocks: Actors of each block that is judged.

    Returns:
        The prediction tables by speaker and of the random split.
    """
    recipe = recipe or RECIPES[name]
    work = folder_of(name, models) / "work"
    parts = []
    for split in tqdm(splits_of(recipe, features.table, blocks), name, disable=None):
        parts.append(train_split(recipe, features, split, work / f"fold_{split.fold}"))
    return pd.concat(parts[:-1], ignore_index=True), parts[-1]


def features_ms(recipe: Recipe, table: pd.DataFrame, work: Path, takes: int = 20) -> float:
    """Measure how long one take's features take, decoded sound given, in ms (the median).

    Measured once and kept in `work`, so that the evidence of one training stays the same.
    """
    file = Path(work) / "features_ms.json"
    if file.exists():
        return json.loads(file.read_text())["features_ms"]
    make = {
        "means_26": lambda s: voice_classical.means_26(voice_classical.remove_silence(s)),
        "means_162": lambda s: voice_classical.means_162(voice_classical.excerpt(s)),
        "frames_162": lambda s: voice_classical.frames_162(voice_classical.excerpt(s)),
    }[recipe.array]
    found = []
    for path in table["path"].iloc[:: max(1, len(table) // takes)]:
        samples = read_sound(path, voice_classical.SAMPLE_RATE_HZ)
        start = time.process_time()
        make(samples)
        found.append(1000 * (time.process_time() - start))
    write_json(file, {"features_ms": float(np.median(found))})
    return features_ms(recipe, table, work)


def write_results(
    name: str, tables: tuple[pd.DataFrame, pd.DataFrame], takes: pd.DataFrame, models: Path = MODELS
) -> dict:
    """Write a model's evidence: by speaker, and the random split as an entry of its own.

    Args:
        name: One of `RECIPES`.
        tables: From `train`.
        takes: The corpus' table, for the time that features take.
        models: Holds the model's folder.

    Returns:
        The metrics.
    """
    recipe, folder = RECIPES[name], folder_of(name, models)
    by_speakers, at_random = tables
    facts = [json.loads(f.read_text()) for f in sorted(folder.glob("work/fold_[0-9]*/facts.json"))]
    judging_ms = float(np.median([fact["judging_ms"] for fact in facts]))
    leaking = (
        f"LEAKING random split of RAVDESS rows, {recipe.test_share:.0%} judged, the protocol of "
        f"{recipe.source or 'the networks beside it'}: copies are made before the split, so that "
        "copies of a judged take, and its speaker, train"
    )
    parts = {
        f"{RANDOM}_split": Measurement(
            at_random,
            leaking,
            f"{recipe.title}, random split (leaks)",
            facts={
                "roc_auc": evaluation.roc_auc(at_random),
                "reported": recipe.reported,
                # What listeners and other systems reach on unknown speakers is no yardstick here.
                "published_accuracy_percent": None,
            },
        )
    }
    windows = [pd.read_csv(f, dtype={"clip_id": str}) for f in _window_files(folder)]
    if windows:
        table = pd.concat(windows, ignore_index=True)
        parts["windows"] = Measurement(
            table,
            "RAVDESS speech (sound), 8 classes, out of fold in the same six blocks; sliding "
            "windows of 3 s pooled by loudness, as the recogniser judges a clip",
            f"{recipe.title}, sliding windows",
            facts={"roc_auc": evaluation.roc_auc(table)},
        )
    own = {
        "source": recipe.source,
        "seed": SEED,
        "copies": list(recipe.copies),
        "parameters": int(np.median([fact["parameters"] for fact in facts])),
        "training_minutes": round(sum(fact["seconds"] for fact in facts) / 60, 2),
        "ms_per_clip": round(features_ms(recipe, takes, folder / "work") + judging_ms, 2),
        "roc_auc": evaluation.roc_auc(by_speakers),
    }
    if hasattr(recipe.learner, "epochs"):
        curves = learning_curves(folder / "work")
        own["epochs_at_most"] = recipe.learner.epochs
        own["epochs_trained"] = curves.groupby("fold", sort=False).size().to_dict()
        write_table(folder / "history.csv", curves)
    protocol = (
        "RAVDESS speech (sound), 8 classes, all 24 actors out of fold: six blocks of four "
        f"actors, each judged by a model trained on the others; {_copies_in_words(recipe)}; "
        f"{_choice_in_words(recipe)}; one seed"
    )
    return write_evidence(
        folder,
        Measurement(by_speakers, protocol, recipe.title, facts=own),
        stream="voice",
        command=f"python -m emorec.experiments.classical.train --models {name}",
        parts=parts,
    )


def _window_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"work/fold_[0-9]*/{WINDOWS}"))


def _copies_in_words(recipe: Recipe) -> str:
    kinds = ", ".join(recipe.copies)
    purpose = " to balance the classes" if recipe.is_balanced else ""
    return f"copies ({kinds}) of training takes alone{purpose}"


def _choice_in_words(recipe: Recipe) -> str:
    if not hasattr(recipe.learner, "epochs"):
        return "nothing is chosen"
    return (
        f"the next block chooses the epoch: the best before {PATIENCE} epochs in a row that are "
        f"not better, {recipe.learner.epochs} in all at most"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the models asked for and write their evidence."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="*", choices=RECIPES, default=list(RECIPES))
    names = parser.parse_args(arguments).models
    features = extract(ravdess.load_sound_table())
    for name in names:
        metrics = write_results(name, train(name, features), features.table)
        leaking = metrics["random_split"]["scores"]["accuracy"]
        print(
            f"{name}: by speaker {metrics['scores']['accuracy']:.1%}, random {leaking:.1%}, "
            f"{metrics['training_minutes']} min",
            flush=True,
        )


if __name__ == "__main__":
    main()
