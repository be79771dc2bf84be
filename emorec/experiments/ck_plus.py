"""CK+ by subject in ten folds: two small networks of another project, and ours.

    python -m emorec.experiments.ck_plus                                   # everything; it resumes
    python -m emorec.experiments.ck_plus --network face --split subject  # processes share the work

Each network is judged twice on all pictures: in ten folds of subjects, and in ten random folds of
pictures, as Ouma487/Emotion-recognition splits them. The second one leaks, for the three pictures
of a sequence are almost the same and stand on both sides. Evidence goes to
`Models/comparisons/ck_plus`. No setting was chosen on CK+: the number of epochs is fixed, the rest
of our fine-tuning is that of `emorec.experiments.javased`.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from emorec.corpora.ck_plus import load_six
from emorec.emotions import BASIC6
from emorec.errors import run_main
from emorec.evaluation.evidence import Measurement, write_evidence
from emorec.evaluation.splits import check_disjoint
from emorec.features.face import standardize_faces
from emorec.files import write_json
from emorec.networks.face import build_face_network, replace_heads
from emorec.networks.layers import unfold_standardization
from emorec.networks.rebuilt import build_conv1, build_conv3
from emorec.paths import COMPARISONS, MODELS
from emorec.streams.face import predict_faces
from emorec.training import augment
from emorec.training.backup import forget_backup
from emorec.training.fit import (
    AugmentedBatches,
    Objective,
    build_variables,
    fit,
    is_too_short_to_trace,
    one_hot,
    precision,
)
from emorec.training.folds import LEAKING, out_of_fold

FOLDS = 10
SEED = 1
BATCH_SIZE = 32
PLAIN_EPOCHS = 15
FACE_EPOCHS = 8
FACE_DROPOUT = 0.4

Predict = Callable[[np.ndarray], np.ndarray]
"""From faces, uint8 (n, 48, 48), to posteriors, float (n, 6)."""
Train = Callable[[np.ndarray, np.ndarray, Path, int], Predict]
"""From faces, targets, float32 (n, 6), work folder and number of epochs."""


def subject_folds(
    table: pd.DataFrame, folds: int = FOLDS, seed: int = SEED
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield (fold number from 1, train rows, test rows), bool masks; no subject on both sides.

    The classes are spread over the folds as evenly as whole subjects allow.

    Raises:
        ValueError: If there are fewer subjects than folds, or a class has no training picture.
    """
    if table["speaker"].nunique() < folds:
        raise ValueError(
            f"{table['speaker'].nunique()} subjects cannot fill {folds} folds. Remedy: fewer folds."
        )
    cutter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    pairs = cutter.split(table, table["emotion"], table["speaker"])
    for fold, train, test in _masks(table, pairs):
        check_disjoint(train=table["speaker"][train], test=table["speaker"][test])
        yield fold, train, test


def picture_folds(
    table: pd.DataFrame, folds: int = FOLDS, seed: int = SEED
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield folds of pictures drawn at random, whoever they show: they leak, and serve to show it.

    Raises:
        ValueError: If a class has no training picture.
    """
    cutter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    yield from _masks(table, cutter.split(table, table["emotion"]))


def _masks(table: pd.DataFrame, pairs):
    for fold, (_, rows) in enumerate(pairs, 1):
        test = np.zeros(len(table), bool)
        test[rows] = True
        absent = sorted(set(BASIC6) - set(table["emotion"][~test]))
        if absent:
            raise ValueError(
                f"fold {fold}: no training picture of {', '.join(absent)}, which no network could "
                "then name. Remedy: complete CK+ (emorec data ck-plus), or judge fewer classes."
            )
        yield fold, ~test, test


def train_plain(build: Callable[[int], keras.Model]) -> Train:
    """Return the training of one of the other project's networks: Adam, nothing augmented."""

    def train(faces: np.ndarray, targets: np.ndarray, work: Path, epochs: int) -> Predict:
        network = build(len(BASIC6))
        network.compile(
            keras.optimizers.Adam(1e-3),
            "categorical_crossentropy",
            run_eagerly=is_too_short_to_trace(epochs * len(faces) // BATCH_SIZE),
            jit_compile=False,
        )
        build_variables(network, _scaled(faces[:1]), targets[:1])
        network.fit(_scaled(faces), targets, BATCH_SIZE, epochs=epochs, verbose=0)
        return lambda shown: network.predict(_scaled(shown), batch_size=128, verbose=0)

    return train


def _scaled(faces: np.ndarray) -> np.ndarray:
    return faces[..., None].astype(np.float32) / 255


def build_fine_tuned(classes: int) -> keras.Model:
    """Build the face network with one head, dropout as in `emorec.experiments.javased`."""
    return replace_heads(build_face_network(), classes, FACE_DROPOUT)


def train_face(faces: np.ndarray, targets: np.ndarray, work: Path, epochs: int) -> Predict:
    """Fine-tune the shipped face network, all layers, with a new head.

    A posterior is the mean over a face and its mirror image, as the recogniser does.

    Args:
        faces: uint8 (n, 48, 48).
        targets: float32 (n, 6).
        work: For the backup and the learning curve.
        epochs: Passes over the faces.
    """
    shipped = keras.saving.load_model(MODELS / "face_cnn" / "model.keras")
    network = unfold_standardization(shipped, build_face_network(dropout=FACE_DROPOUT))
    network = replace_heads(network, len(BASIC6), FACE_DROPOUT)

    def make_batch(rng, rows):
        return standardize_faces(augment.augment_faces(rng, faces[rows])), targets[rows]

    fit(
        network,
        AugmentedBatches(len(faces), make_batch, BATCH_SIZE, SEED),
        work,
        Objective(keras.losses.CategoricalCrossentropy(label_smoothing=0.1), weight_decay=0.05),
        epochs=epochs,
        learning_rate=5e-4,
    )
    forget_backup(work)
    return lambda shown: predict_faces(
        lambda x: network.predict(x, batch_size=128, verbose=0), shown
    )


def train_head(faces: np.ndarray, targets: np.ndarray, work: Path, epochs: int) -> Predict:
    """Fit a logistic regression on the shipped face network's embeddings; nothing else changes.

    Arguments and result as those of `train_face`; `work` and `epochs` are not needed.
    """
    shipped = keras.saving.load_model(MODELS / "face_cnn" / "model.keras")
    network = keras.Model(shipped.input, shipped.get_layer("embedding").output)

    def embed(shown: np.ndarray) -> np.ndarray:
        return network.predict(shown, batch_size=128, verbose=0)

    both = embed(standardize_faces(np.concatenate([faces, faces[:, :, ::-1]])))
    head = LogisticRegression(max_iter=2000).fit(both, np.tile(targets.argmax(1), 2))
    return lambda shown: predict_faces(lambda x: head.predict_proba(embed(x)), shown)


@dataclass(frozen=True)
class Method:
    """One network and its training.

    Attributes:
        what: In words, for titles.
        train: Trains it and returns what predicts.
        epochs: Passes over the training faces; 0 where no network is trained.
        build: Makes it from the number of classes, to count its parameters.
        dtype_policy: What it trains in.
    """

    what: str
    train: Train
    epochs: int
    build: Callable[[int], keras.Model]
    dtype_policy: str = "float32"


METHODS = {
    "conv1": Method("one convolution", train_plain(build_conv1), PLAIN_EPOCHS, build_conv1),
    "conv3": Method("three convolutions", train_plain(build_conv3), PLAIN_EPOCHS, build_conv3),
    "face": Method(
        "the shipped face network, fine-tuned",
        train_face,
        FACE_EPOCHS,
        build_fine_tuned,
        "mixed_bfloat16",
    ),
    "face_head": Method(
        "the shipped face network, a new head alone", train_head, 0, build_fine_tuned
    ),
}
SPLITS = {"subject": (subject_folds, "speaker"), "random": (picture_folds, LEAKING)}
"""Name -> folds, and what they keep apart."""


def evaluate_split(
    name: str,
    split: str,
    table: pd.DataFrame,
    faces: np.ndarray,
    folder: Path,
    *,
    folds: int = FOLDS,
    epochs: int | None = None,
) -> pd.DataFrame:
    """Predict all pictures out of fold; a finished fold is read from `folder/work`.

    Args:
        name: One of METHODS.
        split: One of SPLITS.
        table: Pictures (`clip_id`, `speaker`, `emotion` of BASIC6).
        faces: Theirs, uint8 (n, 48, 48).
        folder: The model's folder.
        folds: Number of folds.
        epochs: Passes over the training faces; the method's own by default.

    Returns:
        A prediction table.
    """
    method, targets = METHODS[name], one_hot(table["emotion"], BASIC6)

    def predict(train: np.ndarray, test: np.ndarray, work: Path) -> np.ndarray:
        # Clearing forgets the precision too, which is why it is set anew for each fold.
        keras.backend.clear_session()
        keras.utils.set_random_seed(SEED)
        start_s = time.process_time()
        with precision(method.dtype_policy):
            trained = method.train(faces[train], targets[train], work, epochs or method.epochs)
        minutes = (time.process_time() - start_s) / 60
        write_json(work / "minutes.json", {"processor_minutes": minutes})
        print(f"{name}, {split}, {work.name}: {minutes:.1f} processor minutes", flush=True)
        return trained(faces[test])

    cut, apart = SPLITS[split]
    work = Path(folder) / "work" / split
    return out_of_fold(table, cut(table, folds), predict, work, BASIC6, apart=apart)


def processor_minutes(folder: Path, split: str) -> float:
    """Return the processor minutes that all folds of a split took to train."""
    files = Path(folder).glob(f"work/{split}/fold_*/minutes.json")
    return sum(json.loads(f.read_text(encoding="utf-8"))["processor_minutes"] for f in files)


def write_method(
    folder: Path, name: str, by_subject: pd.DataFrame, at_random: pd.DataFrame | None = None
) -> dict:
    """Write one network's evidence, the random split's as its entry `random_split`.

    Args:
        folder: The model's folder.
        name: One of METHODS.
        by_subject: Prediction table of the folds of subjects.
        at_random: That of the random folds, where they were trained.

    Returns:
        What `metrics.json` holds.
    """
    method = METHODS[name]
    trained = f"{method.epochs} epochs, fixed beforehand; " if method.epochs else ""
    how = f"{method.what}; {trained}one seed"
    facts = {
        "seed": SEED,
        "epochs": method.epochs,
        "parameters": method.build(len(BASIC6)).count_params(),
        "training_minutes": round(processor_minutes(folder, "subject"), 2),
    }
    protocol = f"CK+ by subject, {_size(by_subject)}; ten folds, no subject on two sides; {how}"
    parts = {}
    if at_random is not None:
        leaking = (
            f"CK+ at random, {_size(at_random)}; ten random folds of pictures, which leak: the "
            f"last three frames of a sequence and the same subject stand on both sides; {how}"
        )
        parts["random_split"] = Measurement(at_random, leaking, f"CK+ at random: {method.what}")
    metrics = write_evidence(
        folder,
        Measurement(by_subject, protocol, f"CK+: {method.what}", facts=facts),
        stream="face",
        command=f"python -m emorec.experiments.ck_plus --network {name}",
        parts=parts,
    )
    print(f"{name}, by subject: {metrics['scores']['accuracy']:.1%}", flush=True)
    return metrics


def _size(predictions: pd.DataFrame) -> str:
    people = predictions["speaker"].nunique()
    return f"{len(predictions)} pictures of {people} subjects, 6 classes without contempt"


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and evaluate what is asked for; write the evidence of what is complete."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("--split", nargs="*", choices=SPLITS, default=list(SPLITS))
    chosen = parser.parse_args(arguments)
    table, faces = load_six()
    for name in chosen.network:
        folder = COMPARISONS / "ck_plus" / f"ck_plus_{name}"
        found = {s: evaluate_split(name, s, table, faces, folder) for s in chosen.split}
        if "subject" in found:
            write_method(folder, name, found["subject"], found.get("random"))


if __name__ == "__main__":
    run_main(main)
