"""The reference project's voice ladder on its own split: 1D and 2D, plain, tuned, augmented.

    python -m emorec.experiments.reference_voice                       # all rungs; takes hours
    python -m emorec.experiments.reference_voice --rungs 1d-plain 1d-augmented

Actors 1-16 train, 17-20 validate (early stopping), 21-24 are judged; seven classes, neutral left
out. A finished rung is not trained again.
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
from emorec.evaluation.evidence import Measurement, read_predictions, write_evidence
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
SEED = 1
BATCH_SIZE = 32
EPOCHS = 100
PATIENCE = 12
# A 2D pass takes long, and one over five variants of each take is five passes' worth of steps.
PATIENCE_2D = 8


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    Attributes:
        build: Makes the network from the number of classes.
        is_spectrum_averaged: Whether the network reads the log-mel's mean over frequency.
        copies: Variants of each training take; 1 for the take alone.
        published: The reference project's accuracy in percent; None where it gives none.
        patience: Epochs without a better validation accuracy after which training stops.
    """

    build: Callable[[int], keras.Model]
    is_spectrum_averaged: bool
    copies: int
    published: float | None
    patience: int = PATIENCE


def _alone_2d(published: float, **settings: float) -> Rung:
    def build(classes):
        return build_voice_2d(classes, kernel=(3, 3), **settings)

    return Rung(build, False, 1, published, PATIENCE_2D)


def _augmented_2d(kernel: tuple[int, int], published: float) -> Rung:
    def build(classes):
        return build_voice_2d(classes, kernel=kernel, l2=1e-4)

    return Rung(build, False, COPIES, published, PATIENCE_2D)


RUNGS = {
    "1d-plain": Rung(build_voice_1d, True, 1, 41),
    "1d-tuned": Rung(lambda n: build_voice_1d(n, dropout=0.3, l2=1e-4), True, 1, None),
    "1d-augmented": Rung(lambda n: build_voice_1d(n, dropout=0.3, l2=1e-4), True, COPIES, 48),
    "2d-plain": _alone_2d(40, dropout=0.0),
    "2d-tuned": _alone_2d(49, l2=1e-4),
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
    rng = np.random.default_rng(SEED)
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


def train_rung(
    name: str,
    inputs: Inputs | None,
    work_folder: Path,
    *,
    epochs: int = EPOCHS,
    seed: int = SEED,
) -> pd.DataFrame:
    """Train one rung and predict actors 21-24; a finished rung is read.

    Args:
        name: One of RUNGS.
        inputs: From `read_log_mels`; a finished rung needs none.
        work_folder: For predictions and learning curve.
        epochs: Most of them. Training stops earlier when validation no longer improves.
        seed: Of weights and order.

    Returns:
        The prediction table.
    """
    folder = Path(work_folder) / name
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


def write_results(name: str, predictions: pd.DataFrame, models: Path = MODELS) -> dict:
    """Write a rung's evidence to `Models/reference_voice_<rung>`."""
    rung = RUNGS[name]
    folder = Path(models) / QUESTION
    trained, best = stopped_at(folder / "work" / name)
    has_ended = trained >= best + rung.patience
    limit = "" if has_ended else f", stopped after {trained} epochs"
    protocol = (
        "RAVDESS speech (sound), the reference project's split and 7 classes: actors 21-24 "
        "judged by its own network (rebuilt here), trained on actors 1-16, early stopping on "
        f"17-20{limit}; one seed"
    )
    facts = {
        "seed": SEED,
        "patience_epochs": rung.patience,
        "epochs_at_most": EPOCHS,
        "epochs_trained": trained,
        "best_epoch": best,
        "parameters": rung.build(len(RAVDESS7)).count_params(),
        "published_accuracy_percent": rung.published,
    }
    title = f"Reference project's voice network, {name}{limit}"
    evidence = folder / f"reference_voice_{name.replace('-', '_')}"
    write_table(evidence / "history.csv", pd.read_csv(folder / "work" / name / "history.csv"))
    return write_evidence(
        evidence,
        Measurement(predictions, protocol, title, facts=facts),
        stream="voice",
        command=f"python -m emorec.experiments.reference_voice --rungs {name}",
    )


def train_ladder(names: Sequence[str], models: Path = MODELS) -> dict[str, dict]:
    """Train and evaluate rungs on RAVDESS, write their evidence; finished ones are read.

    Returns:
        Rung -> what its `metrics.json` holds.
    """
    work, inputs = Path(models) / QUESTION / "work", None
    found = {}
    for name in names:
        if inputs is None and not (work / name / "predictions.csv").exists():
            copies = max(RUNGS[name].copies for name in names)
            inputs = read_log_mels(ravdess.load_sound_table(), copies)
        # The 2D networks take half the time in bfloat16; the 1D ones gain nothing.
        with precision("float32" if RUNGS[name].is_spectrum_averaged else "mixed_bfloat16"):
            found[name] = write_results(name, train_rung(name, inputs, work), models)
        accuracy = found[name]["scores"]["accuracy"]
        print(f"{name}: {accuracy:.1%} (published: {RUNGS[name].published})", flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the rungs asked for and write their evidence."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rungs", nargs="*", choices=RUNGS, default=list(RUNGS))
    train_ladder(parser.parse_args(arguments).rungs)


if __name__ == "__main__":
    run_main(main)
