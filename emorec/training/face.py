"""The face network's training on FER-2013 with FER+, CFEE and SFEW, resumable, with its evidence.

python -m emorec.training.face
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

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
from emorec.networks.layers import fold_standardization, unfold_standardization
from emorec.paths import MODELS
from emorec.streams.face import predict_faces
from emorec.training import augment
from emorec.training.face_pictures import judged_others, load_others, of_fer2013
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
_OF_OTHERS = {
    "cfee": (
        "CFEE, the seven basic expressions of a quarter of its people, who never train; mean over "
        "each face and its mirror image",
        "Face CNN on people of CFEE",
    ),
    "sfew": (
        "SFEW, a quarter of its films, which never train; mean over each face and its mirror image",
        "Face CNN on films of SFEW",
    ),
}


@dataclass(frozen=True)
class FaceCycle(Cycle):
    """A cycle of the face network's training.

    Attributes:
        mixup_alpha: How strongly pairs of faces are blended (Zhang et al. 2018); 0: not.
        crop_px: Side of the random crop that a face is trained on. Smaller crops train
            faster, and the pooled network takes whole faces just as well.
        with_others: Whether faces of CFEE and SFEW are trained on beside those of FER-2013.
    """

    mixup_alpha: float = 0.0
    crop_px: int = FACE_SIZE_PX
    with_others: bool = False


CYCLES = (
    FaceCycle(45, 1.5e-3, dropout=0.4),
    FaceCycle(60, 1.5e-3, dropout=0.2, mixup_alpha=0.2, crop_px=40),
    FaceCycle(45, 1.2e-3, dropout=0.2, mixup_alpha=0.2, crop_px=40, with_others=True),
)

CARD = CardText(
    title="Face CNN",
    what=(
        "One grey face, 48x48 pixels, each standardised; a residual CNN of nine 3x3 "
        "convolutions with standardised weights, 1.9 million parameters; two softmax heads, "
        "`fer` (7 classes, as the Kaggle label) and `ferplus` (8 classes, as ten raters "
        "vote). The recogniser uses `fer`."
    ),
    data=(
        "FER-2013 `Training` (28,709 pictures found on the web, less copies of test "
        "pictures) with the votes of FER+; who is in the pictures is not known. In the last cycle "
        "also three quarters of the people of CFEE (basic and compound expressions; a compound one "
        "counts one half for each of its two) and of the films of SFEW, shown three and four "
        "times; the weights are the mean of those before and after that cycle."
    ),
    limits=(
        "Labels of FER-2013 are noisy: people agree with them in about 65 of 100 cases.",
        "Pictures were found with search words and show posed, strong expressions; age, "
        "sex and origin are not known and not balanced.",
        "Single pictures: a speaking mouth looks like an expression.",
        "Not fit for decisions about people.",
    ),
    licence=(
        "FER-2013 was published for research (Kaggle ICML-2013); FER+ labels are MIT; CFEE and "
        "SFEW are given out for research."
    ),
)


def train_face_network(
    table: pd.DataFrame,
    pixels: np.ndarray,
    work_folder: Path,
    *,
    cycles: Sequence[FaceCycle] = CYCLES,
    seed: int = SEED,
) -> keras.Model:
    """Train on FER-2013's labels, FER+'s votes and further faces; a cut run resumes.

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
    learned = of_fer2013(table, pixels, train)
    watched = of_fer2013(table, pixels, validation)
    others = load_others() if any(cycle.with_others for cycle in cycles) else None

    def batches(index: int) -> AugmentedBatches:
        cycle = cycles[index]
        sources = [learned, others] if cycle.with_others and others else [learned]
        faces_of_cycle = np.concatenate([source.pixels for source in sources])
        targets = np.concatenate([source.targets() for source in sources])

        def make_batch(rng, indices):
            chosen = faces_of_cycle[indices]
            faces = standardize_faces(augment.augment_faces(rng, chosen, cycle.crop_px))
            wanted = targets[indices]
            if cycle.mixup_alpha:
                faces, wanted = augment.mixup(rng, faces, wanted, cycle.mixup_alpha)
            fer, ferplus, weight = np.split(wanted, [len(COMMON7), -1], axis=1)
            weights = {"fer": np.ones(len(indices), np.float32), "ferplus": weight[:, 0]}
            return faces, {"fer": fer, "ferplus": ferplus}, weights

        return AugmentedBatches(len(targets), make_batch, batch_size=128, seed=seed + index)

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
                standardize_faces(watched.pixels),
                {"fer": watched.labels, "ferplus": watched.votes},
            ),
            validation_every_epochs=5,
        ),
    )
    network = build_face_network()
    network.set_weights(trained.get_weights())
    if len(cycles) > 1 and cycles[-1].with_others:
        before = Path(work_folder) / f"cycle_{len(cycles) - 1}" / "trained.keras"
        network = halfway(keras.saving.load_model(before), network)
    return network


def halfway(before: keras.Model, after: keras.Model) -> keras.Model:
    """Give a network the mean of the weights before and after its last cycle.

    What is learned from a few people and films is kept, and less of what was known is lost than by
    either alone (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"). Half of the way
    is best on the validation pictures: 69.9 % of the Kaggle labels, 69.6 before and 68.7 after.

    Args:
        before: In training form.
        after: Likewise; takes the mean.
    """
    ends = [fold_standardization(network) for network in (before, after)]
    weights = zip(*(network.get_weights() for network in ends), strict=True)
    ends[1].set_weights([(first + last) / 2 for first, last in weights])
    return unfold_standardization(ends[1], after)


def evaluate(
    network: keras.Model, table: pd.DataFrame, pixels: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict the PublicTest pictures, each beside its mirror image.

    Returns:
        Two prediction tables: the head `fer` against the Kaggle labels, all pictures; the
        head `ferplus` against the raters' majority, where there is one.
    """
    return _test_tables(table, lambda faces: predict_faces(_both_heads(network), faces), pixels)


def evaluate_others(network: keras.Model) -> dict[str, pd.DataFrame]:
    """Predict the people of CFEE and the films of SFEW that never trained, by the head `fer`.

    Returns:
        Corpus -> prediction table, of the corpora that are there.
    """
    predict = _both_heads(network)
    found = {}
    for key, (table, faces) in judged_others().items():
        posterior = predict_faces(predict, faces)[:, : len(COMMON7)]
        found[key] = prediction_table(table, posterior, COMMON7, "held out")
    return found


def recall_at_even_prior(predictions: pd.DataFrame, prior: np.ndarray) -> float:
    """Return the unweighted average recall with what training taught to expect taken out.

    Bayes' rule: the posterior divided by the prior, which leaves how likely each class made the
    picture (logit adjustment, Menon et al. 2021, after the training).

    Args:
        predictions: Over COMMON7.
        prior: (7,) shares of the classes in training.
    """
    # A class that few pictures have may have none in a trial.
    even = predictions[list(COMMON7)].to_numpy() / np.maximum(prior, 1e-4)
    adjusted = predictions.assign(**dict(zip(COMMON7, (even.T / even.sum(1)), strict=True)))
    return evaluation.scores(adjusted)["unweighted_average_recall"]


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


def write_results(
    folder: Path,
    fer: pd.DataFrame,
    ferplus: pd.DataFrame,
    sizes: dict,
    others: Mapping[str, pd.DataFrame] = MappingProxyType({}),
) -> dict:
    """Write predictions, metrics, learning curves and the card into the model's folder.

    Args:
        folder: The model's folder; `work/` holds the learning curves.
        fer: Predictions against the Kaggle labels.
        ferplus: Predictions against the raters' majority.
        sizes: More facts for `metrics.json`.
        others: From `evaluate_others`.
    """
    folder = Path(folder)
    write_table(folder / "history.csv", cycle_histories(folder / "work"))
    protocol = (
        "FER-2013 PublicTest, 7 classes, Kaggle labels, mean over each face and its mirror "
        "image; trained on Training less every copy of a test picture, and on people of CFEE and "
        "films of SFEW; settings watched on 5 % of Training; one seed; the corpus names no "
        "persons, so that one person may stand on both sides"
    )
    of_votes = "FER+ majority of the raters, 8 classes, on the PublicTest pictures of FER-2013"
    parts = {"ferplus": Measurement(ferplus, of_votes, unit="clip_id")}
    parts |= {key: Measurement(table, *_OF_OTHERS[key]) for key, table in others.items()}
    metrics = write_evidence(
        folder,
        Measurement(fer, protocol, unit="clip_id", facts=sizes),
        stream="face",
        command="python -m emorec.training.face",
        parts=dict(sorted(parts.items())),
    )
    write_card(folder, CARD)
    return metrics


def training_facts(
    network: keras.Model,
    table: pd.DataFrame,
    pixels: np.ndarray,
    cycles: Sequence[FaceCycle],
    fer: pd.DataFrame,
) -> dict:
    """Return seed, epochs, sizes, and the accuracy without mirror images, for `metrics.json`.

    Args:
        network: As shipped.
        table: All of FER-2013.
        pixels: Likewise.
        cycles: Of its training.
        fer: Its predictions against the Kaggle labels, from `evaluate`.
    """
    train, validation, _ = training_rows(table, pixels)
    labels = [of_fer2013(table, pixels, train).labels]
    others = load_others() if any(cycle.with_others for cycle in cycles) else None
    if others is not None:
        labels.append(others.labels)
    prior = np.concatenate(labels).mean(0)
    return {
        "seed": SEED,
        "cycles": [asdict(cycle) for cycle in cycles],
        "parameters": network.count_params(),
        "training_pictures": int(train.sum()),
        "training_prior": dict(zip(COMMON7, prior.round(4).tolist(), strict=True)),
        "unweighted_average_recall_at_even_prior": recall_at_even_prior(fer, prior),
        "validation_pictures": int(validation.sum()),
        "single_pass_accuracy": single_pass_accuracy(network, table, pixels),
    }


def main() -> None:
    """Train, evaluate, ship."""
    training_precision()
    table, pixels = fer2013.load_fer2013()
    network = train_face_network(table, pixels, MODEL_FOLDER / "work")
    shipped = ship(MODEL_FOLDER, network)
    fer, ferplus = evaluate(shipped, table, pixels)
    facts = training_facts(shipped, table, pixels, CYCLES, fer)
    metrics = write_results(MODEL_FOLDER, fer, ferplus, facts, evaluate_others(shipped))
    print(
        f"PublicTest: {metrics['scores']['accuracy']:.1%} of the Kaggle labels, "
        f"{metrics['ferplus']['scores']['accuracy']:.1%} of the FER+ majority"
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    run_main(main)
