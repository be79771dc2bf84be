"""The reference project's voice ladder on its own split: 1D and 2D, plain, tuned, augmented.

    python -m emorec.experiments.reference_voice                       # all rungs; takes hours
    python -m emorec.experiments.reference_voice --rungs 1d-plain 1d-augmented

Actors 1-16 train, 17-20 validate (early stopping), 21-24 are judged; seven classes, neutral left
out. Each rung is trained with three seeds, the tuned 2D one with two and those with variants in 2D,
which take more than an hour of two cores, with one. A finished training is not done again.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from emorec.corpora import ravdess
from emorec.emotions import RAVDESS7
from emorec.errors import run_main
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import Measurement, of_seeds, read_predictions, write_evidence
from emorec.evaluation.splits import REFERENCE_TEST_ACTORS, check_disjoint, is_actor
from emorec.features import voice as voice_features
from emorec.files import write_table
from emorec.media.reader import read_sound
from emorec.networks.rebuilt import build_voice_1d, build_voice_2d
from emorec.paths import MODELS
from emorec.training.fit import precision
from emorec.training.folds import check_recipe, held_out
from emorec.training.patience import Patience, fit_until_stale, stopped_at

QUESTION = "comparisons/reference_voice"
"""Where in `Models` the evidence goes."""
VALIDATION_ACTORS = (17, 18, 19, 20)
COPIES = 5
SEEDS = (1, 2, 3)
COPIES_SEED = 1
BATCH_SIZE = 32
EPOCHS = 100
PATIENCE = 12
# One 2D pass over five variants of each take takes two minutes.
PATIENCE_AUGMENTED_2D = 8


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    Attributes:
        build: Makes the network from the number of classes.
        is_spectrum_averaged: Whether the network reads the log-mel's mean over frequency.
        copies: Variants of each training take; 1 for the take alone.
        published: The reference project's accuracy in percent; None where it gives none.
        patience: Epochs without a better validation accuracy after which training stops.
        seeds: Of weights, order and dropout, one training each; the first one's predictions are
            the rung's.
    """

    build: Callable[[int], keras.Model]
    is_spectrum_averaged: bool
    copies: int
    published: float | None
    patience: int = PATIENCE
    seeds: tuple[int, ...] = SEEDS


def _alone_2d(published: float, seeds: tuple[int, ...] = SEEDS, **settings: float) -> Rung:
    def build(classes):
        return build_voice_2d(classes, kernel=(3, 3), **settings)

    return Rung(build, False, 1, published, seeds=seeds)


def _augmented_2d(kernel: tuple[int, int], published: float) -> Rung:
    def build(classes):
        return build_voice_2d(classes, kernel=kernel, l2=1e-4)

    return Rung(build, False, COPIES, published, PATIENCE_AUGMENTED_2D, SEEDS[:1])


RUNGS = {
    "1d-plain": Rung(build_voice_1d, True, 1, 41),
    "1d-tuned": Rung(lambda n: build_voice_1d(n, dropout=0.3, l2=1e-4), True, 1, None),
    "1d-augmented": Rung(lambda n: build_voice_1d(n, dropout=0.3, l2=1e-4), True, COPIES, 48),
    "2d-plain": _alone_2d(40, dropout=0.0),
    "2d-tuned": _alone_2d(49, SEEDS[:2], l2=1e-4),
    "2d-augmented": _augmented_2d((3, 3), 57),
    "2d-3x5": _augmented_2d((3, 5), 59),
}


@dataclass(frozen=True)
class Inputs:
    """Log-mels of all takes.

    Attributes:
        table: One row per take, `emotion` in RAVDESS7.
        plain: (takes, 128, 282) float32, dB.
        copies: (takes, COPIES - 1, 128, 282) float32, of the training takes; zeros elsewhere.
    """

    table: pd.DataFrame
    plain: np.ndarray
    copies: np.ndarray


def split(speakers: pd.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return bool masks (takes,): train, validation, test."""
    test = is_actor(speakers, REFERENCE_TEST_ACTORS)
    validation = is_actor(speakers, VALIDATION_ACTORS)
    train = ~test & ~validation
    check_disjoint(train=speakers[train], validation=speakers[validation], test=speakers[test])
    return train, validation, test


def augmented_copies(rng: np.random.Generator, samples: np.ndarray) -> np.ndarray:
    """Make the reference project's four variants of a take: noise, pitch, stretch, shift.

    Pitch and tempo are changed on the spectrogram (stretching its frequency or time axis), not
    on the samples: the same picture for a small part of the time.

    Args:
        rng: Source of chance.
        samples: float32 at 48 kHz.

    Returns:
        float32 (4, 128, 282), dB.
    """
    noise = rng.normal(0, rng.uniform(0.001, 0.01), samples.size).astype(np.float32)
    shift = int(rng.uniform(-0.25, 0.25) * samples.size)
    plain = voice_features.reference_input(samples)
    return np.stack(
        [
            voice_features.reference_input(samples + noise * np.abs(samples).max()),
            _stretched(plain, bands=rng.uniform(0.92, 1.08), time=1.0),
            _stretched(plain, bands=1.0, time=rng.uniform(0.8, 1.25)),
            voice_features.reference_input(np.roll(samples, shift)),
        ]
    )


def _stretched(decibel: np.ndarray, *, bands: float, time: float) -> np.ndarray:
    rows, columns = decibel.shape
    matrix = np.array([[time, 0, columns * (1 - time) / 2], [0, bands, 0]], np.float32)
    return cv2.warpAffine(
        decibel,
        matrix,
        (columns, rows),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=float(decibel.min()),
    )


def read_log_mels(table: pd.DataFrame, copies: int = COPIES) -> Inputs:
    """Read all takes with one of the seven emotions; training takes get augmented copies."""
    table = table[table["emotion"].isin(RAVDESS7)].reset_index(drop=True)
    train, _, _ = split(table["speaker"])
    rng = np.random.default_rng(COPIES_SEED)
    rate_hz = voice_features.REFERENCE_LOG_MEL.sample_rate_hz
    shape = (
        voice_features.REFERENCE_LOG_MEL.bands,
        voice_features.REFERENCE_LOG_MEL.frames(3 * rate_hz),
    )
    plain = np.zeros((len(table), *shape), np.float32)
    more = np.zeros((len(table), copies - 1, *shape), np.float32)
    for i, path in enumerate(tqdm(table["path"], "reading sound", disable=None)):
        samples = read_sound(path, rate_hz)
        plain[i] = voice_features.reference_input(samples)
        if copies > 1 and train[i]:
            more[i] = augmented_copies(rng, samples)[: copies - 1]
    return Inputs(table, plain, more)


def work_folder(name: str, seed: int, models: Path = MODELS) -> Path:
    """Return where one training's predictions and learning curve lie."""
    return Path(models) / QUESTION / "work" / name / f"seed_{seed}"


def train_rung(
    name: str,
    seed: int,
    inputs: Inputs | None,
    models: Path = MODELS,
    *,
    epochs: int = EPOCHS,
) -> pd.DataFrame:
    """Train one rung with one seed and predict actors 21-24; a finished training is read.

    Args:
        name: One of RUNGS.
        seed: Of weights, order and dropout.
        inputs: From `read_log_mels`; a finished training needs none.
        models: Where the evidence's folder lies.
        epochs: Most of them. Training stops earlier when validation no longer improves.

    Returns:
        The prediction table.
    """
    folder = work_folder(name, seed, models)
    recipe = f"until {RUNGS[name].patience} epochs are no better, {epochs} at most; seed {seed}"
    if inputs is None:
        check_recipe(folder, recipe)
        return read_predictions(folder)
    train, validation, test = split(inputs.table["speaker"])
    known = inputs.table[train | validation]

    def predict() -> np.ndarray:
        keras.utils.set_random_seed(seed)
        return _predict_rung(RUNGS[name], inputs, folder, epochs, seed)

    asked = inputs.table[test]
    return held_out(known, asked, predict, folder, RAVDESS7, fold="reference", recipe=recipe)


def _predict_rung(rung: Rung, inputs: Inputs, folder: Path, epochs: int, seed: int) -> np.ndarray:
    """Train on the training actors, stop by the validation actors; return the test posteriors."""
    train, validation, test = split(inputs.table["speaker"])
    pictures, targets = _training_set(inputs, train, rung.copies)
    seen = np.concatenate([pictures, inputs.plain[validation]])
    # As the reference does: each column (frame) is standardised over the speakers known.
    if rung.is_spectrum_averaged:
        seen = seen.mean(1)
    mean, deviation = seen.mean(0), seen.std(0) + 1e-3
    del seen

    def prepare(x):
        x = x.mean(1) if rung.is_spectrum_averaged else x
        return ((x - mean) / deviation)[..., None]

    network = rung.build(len(RAVDESS7))
    fit_until_stale(
        network,
        (prepare(pictures), targets),
        (prepare(inputs.plain[validation]), _codes(inputs.table[validation])),
        folder,
        batch_size=BATCH_SIZE,
        patience=Patience(rung.patience, epochs),
        seed=seed,
    )
    return network.predict(prepare(inputs.plain[test]), verbose=0)


def _codes(table: pd.DataFrame) -> np.ndarray:
    return np.array([RAVDESS7.index(name) for name in table["emotion"]])


def _training_set(inputs: Inputs, train: np.ndarray, copies: int):
    """Return the training pictures and their classes, copies after the takes themselves."""
    truth = _codes(inputs.table[train])
    parts = [inputs.plain[train]]
    parts += [inputs.copies[train, copy] for copy in range(copies - 1)]
    return np.concatenate(parts), np.tile(truth, len(parts))


def write_results(name: str, models: Path = MODELS, seeds: Sequence[int] = ()) -> dict:
    """Write a rung's evidence to `reference_voice_<rung>` from its finished trainings.

    The first seed's predictions are the rung's; each further seed has its own table and entry.

    Args:
        name: One of RUNGS.
        models: Where the evidence's folder lies.
        seeds: Those that are finished; by default all of the rung.

    Returns:
        What was written to `metrics.json`.
    """
    rung = RUNGS[name]
    first, *others = seeds or rung.seeds
    evidence = Path(models) / QUESTION / f"reference_voice_{name.replace('-', '_')}"
    folders = {seed: work_folder(name, seed, models) for seed in (first, *others)}
    tables = {seed: read_predictions(folder) for seed, folder in folders.items()}
    stops = {seed: stopped_at(folder) for seed, folder in folders.items()}
    curves = [pd.read_csv(f / "history.csv").assign(seed=seed) for seed, f in folders.items()]
    write_table(evidence / "history.csv", pd.concat(curves, ignore_index=True))
    title = f"Reference project's voice network, {name}"

    def measurement(seed: int, title: str, further: dict) -> Measurement:
        protocol = (
            "RAVDESS speech (sound), the reference project's split and 7 classes: actors 21-24 "
            "judged by its own network (rebuilt here), trained on actors 1-16, early stopping on "
            f"17-20; {f'seed {seed} of {len(folders)}' if others else 'one seed'}"
        )
        return Measurement(tables[seed], protocol, title, facts={"seed": seed, **further})

    of_all = {
        "accuracy_of_seeds": of_seeds(
            {seed: evaluation.scores(table)["accuracy"] for seed, table in tables.items()}
        ),
        "patience_epochs": rung.patience,
        "epochs_at_most": EPOCHS,
        "epochs_trained": {str(seed): trained for seed, (trained, _) in stops.items()},
        "best_epoch": {str(seed): best for seed, (_, best) in stops.items()},
        "parameters": rung.build(len(RAVDESS7)).count_params(),
        "published_accuracy_percent": rung.published,
    }
    return write_evidence(
        evidence,
        measurement(first, title, of_all),
        stream="voice",
        command=f"python -m emorec.experiments.reference_voice --rungs {name}",
        parts={f"seed_{seed}": measurement(seed, f"{title}, seed {seed}", {}) for seed in others},
    )


def train_ladder(names: Sequence[str], models: Path = MODELS) -> dict[str, dict]:
    """Train and evaluate rungs on RAVDESS, write their evidence; finished trainings are read.

    Returns:
        Rung -> what its `metrics.json` holds.
    """
    inputs, found = None, {}
    for name in names:
        for seed in RUNGS[name].seeds:
            is_finished = (work_folder(name, seed, models) / "predictions.csv").exists()
            if inputs is None and not is_finished:
                copies = max(RUNGS[name].copies for name in names)
                inputs = read_log_mels(ravdess.load_sound_table(), copies)
            # The 2D networks take half the time in bfloat16; the 1D ones gain nothing.
            with precision("float32" if RUNGS[name].is_spectrum_averaged else "mixed_bfloat16"):
                train_rung(name, seed, inputs, models)
        found[name] = write_results(name, models)
        seeds = found[name]["accuracy_of_seeds"]
        print(
            f"{name}: {seeds['mean']:.1%} (mean; seeds: {', '.join(map(str, seeds['seeds']))}; "
            f"published: {RUNGS[name].published})",
            flush=True,
        )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the rungs asked for and write their evidence."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rungs", nargs="*", choices=RUNGS, default=list(RUNGS))
    train_ladder(parser.parse_args(arguments).rungs)


if __name__ == "__main__":
    run_main(main)
