"""The face network's training on FER-2013 with FER+, resumable, with all its evidence.

python -m emorec.training.face
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from emorec.corpora import fer2013
from emorec.corpora.fer2013 import training_rows
from emorec.emotions import COMMON7, FERPLUS8
from emorec.engines import write_model_spec
from emorec.errors import run_main
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import Measurement, write_evidence
from emorec.evaluation.model_card import CardText, write_card
from emorec.evaluation.scores import prediction_table
from emorec.features.face import FACE_SIZE_PX, standardize_faces
from emorec.files import write_table
from emorec.networks.face import build_face_network
from emorec.networks.layers import fold_standardization
from emorec.paths import MODELS
from emorec.streams.face import predict_faces
from emorec.training import augment
from emorec.training.fit import (
    AugmentedBatches,
    Cycle,
    Objective,
    cycle_histories,
    fit_cycles,
    save_network,
    training_precision,
)
from emorec.training.own_networks import name_embedding

MODEL_FOLDER = MODELS / "face_cnn"
SEED = 1
HEADS = ("fer", "ferplus")


@dataclass(frozen=True)
class FaceCycle(Cycle):
    """A cycle of the face network's training.

    Attributes:
        mixup_alpha: How strongly pairs of faces are blended (Zhang et al. 2018); 0: not.
        crop_px: Side of the random crop that a face is trained on. Smaller crops train
            faster, and the pooled network takes whole faces just as well.
    """

    mixup_alpha: float = 0.0
    crop_px: int = FACE_SIZE_PX


CYCLES = (
    FaceCycle(45, 1.5e-3, dropout=0.4),
    FaceCycle(60, 1.5e-3, dropout=0.2, mixup_alpha=0.2, crop_px=40),
)

CARD = CardText(
    title="Face CNN",
    what=(
        "One grey face, 48x48 pixels, each standardised; a residual CNN of nine 3x3 "
        "convolutions with standardised weights, 1.9 million parameters; two softmax heads, "
        "`fer` (7 classes, as the Kaggle label) and `ferplus` (8 classes, as ten raters "
        "vote). The recogniser uses `ferplus`, without contempt."
    ),
    data=(
        "FER-2013 `Training` (28,709 pictures found on the web, less copies of test "
        "pictures) with the votes of FER+. Who is in the pictures is not known."
    ),
    limits=(
        "Labels of FER-2013 are noisy: people agree with them in about 65 of 100 cases.",
        "Pictures were found with search words and show posed, strong expressions; age, "
        "sex and origin are not known and not balanced.",
        "Single pictures: a speaking mouth looks like an expression.",
        "Not fit for decisions about people.",
    ),
    licence="FER-2013 was published for research (Kaggle ICML-2013); FER+ labels are MIT.",
)


def train_face_network(
    table: pd.DataFrame,
    pixels: np.ndarray,
    work_folder: Path,
    *,
    cycles: Sequence[FaceCycle] = CYCLES,
    seed: int = SEED,
) -> keras.Model:
    """Train on FER-2013's labels and FER+'s votes together; a cut run resumes.

    Args:
        table: As `fer2013.load_fer2013` gives it.
        pixels: Likewise.
        work_folder: For backup, history and the finished network.
        cycles: Of the learning rate.
        seed: Of the validation split, initial weights, order and augmentation.

    Returns:
        The network, still in training form.
    """
    keras.utils.set_random_seed(seed)
    train, validation, _ = training_rows(table, pixels, seed)
    labels = fer2013.label_targets(table)
    votes, trust = fer2013.vote_targets(table)
    rows = np.flatnonzero(train)
    targets = np.concatenate([labels, votes, trust[:, None]], axis=1)

    def batches(index: int) -> AugmentedBatches:
        cycle = cycles[index]

        def make_batch(rng, indices):
            chosen = rows[indices]
            faces = standardize_faces(augment.augment_faces(rng, pixels[chosen], cycle.crop_px))
            wanted = targets[chosen]
            if cycle.mixup_alpha:
                faces, wanted = augment.mixup(rng, faces, wanted, cycle.mixup_alpha)
            fer, ferplus, weight = np.split(wanted, [len(COMMON7), -1], axis=1)
            weights = {"fer": np.ones(len(chosen), np.float32), "ferplus": weight[:, 0]}
            return faces, {"fer": fer, "ferplus": ferplus}, weights

        return AugmentedBatches(len(rows), make_batch, batch_size=128, seed=seed + index)

    trained = fit_cycles(
        lambda dropout: build_face_network(None, dropout=dropout),
        batches,
        cycles,
        work_folder,
        Objective(
            loss={
                "fer": keras.losses.CategoricalCrossentropy(label_smoothing=0.05),
                "ferplus": keras.losses.CategoricalCrossentropy(),
            },
            weight_decay=0.02,
            metrics={"fer": ["accuracy"], "ferplus": ["accuracy"]},
            validation=(
                standardize_faces(pixels[validation]),
                {"fer": labels[validation], "ferplus": votes[validation]},
            ),
            validation_every_epochs=5,
        ),
    )
    network = build_face_network()
    network.set_weights(trained.get_weights())
    return network


def evaluate(
    network: keras.Model, table: pd.DataFrame, pixels: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict the PublicTest pictures, each beside its mirror image.

    Returns:
        Two prediction tables: the head `fer` against the Kaggle labels, all pictures; the
        head `ferplus` against the raters' majority, where there is one.
    """
    return _test_tables(table, lambda faces: predict_faces(_both_heads(network), faces), pixels)


def single_pass_accuracy(network: keras.Model, table: pd.DataFrame, pixels: np.ndarray) -> dict:
    """Return the accuracy of both heads on the PublicTest pictures without mirror images."""
    predict = _both_heads(network)
    fer, ferplus = _test_tables(table, lambda faces: predict(standardize_faces(faces)), pixels)
    return {
        name: evaluation.scores(t)["accuracy"]
        for name, t in zip(HEADS, (fer, ferplus), strict=True)
    }


def _both_heads(network: keras.Model):
    """Return a function from standardised faces to both heads' posteriors, side by side."""

    def predict(faces: np.ndarray) -> np.ndarray:
        posterior = network.predict(faces, batch_size=128, verbose=0)
        return np.concatenate([posterior[head] for head in HEADS], axis=1)

    return predict


def _test_tables(table: pd.DataFrame, predict, pixels: np.ndarray):
    test = (table["usage"] == "PublicTest").to_numpy()
    clips = table[test].assign(speaker="unknown", emotion=table["label"][test])
    of_fer, of_ferplus = np.split(predict(pixels[test]), [len(COMMON7)], axis=1)
    fer = prediction_table(clips, of_fer, COMMON7, "PublicTest")
    clear = clips["ferplus_label"].notna().to_numpy()
    clips = clips[clear].assign(emotion=clips["ferplus_label"][clear])
    return fer, prediction_table(clips, of_ferplus[clear], FERPLUS8, "PublicTest")


def ship(folder: Path, network: keras.Model) -> keras.Model:
    """Save what the recogniser loads; returns it."""
    shipped = fold_standardization(network)
    save_network(folder, shipped)
    write_model_spec(
        folder,
        stream="face",
        classes=COMMON7,
        inputs={"size_px": FACE_SIZE_PX},
        output="fer",
    )
    name_embedding(folder, "embedding")
    return shipped


def write_results(folder: Path, fer: pd.DataFrame, ferplus: pd.DataFrame, sizes: dict) -> dict:
    """Write predictions, metrics, learning curves and the card into the model's folder.

    Args:
        folder: The model's folder; `work/` holds the learning curves.
        fer: Predictions against the Kaggle labels.
        ferplus: Predictions against the raters' majority.
        sizes: More facts for `metrics.json`.
    """
    folder = Path(folder)
    write_table(folder / "history.csv", cycle_histories(folder / "work"))
    protocol = (
        "FER-2013 PublicTest, 7 classes, Kaggle labels, mean over each face and its mirror "
        "image; trained on Training less every copy of a test picture; settings "
        "watched on 5 % of Training; one seed; the corpus names no persons, so that one "
        "person may stand on both sides"
    )
    of_votes = "the same pictures, FER+ majority of the raters, 8 classes"
    metrics = write_evidence(
        folder,
        Measurement(fer, protocol, unit="clip_id", facts=sizes),
        stream="face",
        command="python -m emorec.training.face",
        parts={"ferplus": Measurement(ferplus, of_votes, unit="clip_id")},
    )
    write_card(folder, CARD)
    return metrics


def training_facts(
    network: keras.Model, table: pd.DataFrame, pixels: np.ndarray, cycles: Sequence[FaceCycle]
) -> dict:
    """Return seed, epochs, sizes, and the accuracy without mirror images, for `metrics.json`."""
    train, validation, _ = training_rows(table, pixels)
    return {
        "seed": SEED,
        "cycles": [asdict(cycle) for cycle in cycles],
        "parameters": network.count_params(),
        "training_pictures": int(train.sum()),
        "validation_pictures": int(validation.sum()),
        "single_pass_accuracy": single_pass_accuracy(network, table, pixels),
    }


def main() -> None:
    """Train, evaluate, ship."""
    training_precision()
    table, pixels = fer2013.load_fer2013()
    network = train_face_network(table, pixels, MODEL_FOLDER / "work")
    shipped = ship(MODEL_FOLDER, network)
    facts = training_facts(shipped, table, pixels, CYCLES)
    metrics = write_results(MODEL_FOLDER, *evaluate(shipped, table, pixels), facts)
    print(
        f"PublicTest: {metrics['scores']['accuracy']:.1%} of the Kaggle labels, "
        f"{metrics['ferplus']['scores']['accuracy']:.1%} of the FER+ majority"
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    run_main(main)
