"""The shipped face network on CK+, which it never saw: how it carries to another corpus.

    python -m emorec.experiments.ck_plus_cross

Everything is decided on FER-2013, nothing on CK+'s labels: which of the two heads answers, and
whether its posterior is divided by the frequencies of the classes in its training (Saerens,
Latinne & Decaestecker 2002), which CK+ has no reason to share. The shares of neutral and contempt,
which CK+ without contempt does not have, are dropped. Whether CK+'s crops need scaling is asked of
the two corpora's mean faces. Evidence goes to `Models/comparisons/ck_plus/ck_plus_cross`.
"""

import argparse
from functools import partial
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd

from emorec.corpora import fer2013
from emorec.corpora.ck_plus import load_six
from emorec.emotions import BASIC6, COMMON7, FERPLUS8, fold
from emorec.errors import run_main
from emorec.evaluation.evidence import Measurement, write_evidence
from emorec.evaluation.scores import prediction_table, scores
from emorec.features.face import standardize_faces
from emorec.files import write_table
from emorec.paths import COMPARISONS, MODELS
from emorec.speaker.calibration import mean_log, without_bias
from emorec.streams.face import predict_faces
from emorec.training.face_pictures import load_others

HEADS = {"fer": COMMON7, "ferplus": FERPLUS8}
ZOOMS = np.arange(0.7, 1.41, 0.02)
SHIFTS_PX = np.arange(-6, 6.5, 0.5)
MEAN_FACES = 6000


def mean_picture(faces: np.ndarray) -> np.ndarray:
    """Return the mean of standardised faces and their mirror images, float32 (size, size)."""
    mean = standardize_faces(faces).mean(0)[..., 0]
    return (mean + mean[:, ::-1]) / 2


def zoomed(face: np.ndarray, zoom: float, shift_px: float) -> np.ndarray:
    """Show a face (size, size) larger by `zoom` about its middle and further down; same shape."""
    size = face.shape[0]
    moved = (1 - zoom) * (size - 1) / 2
    matrix = np.array([[zoom, 0, moved], [0, zoom, moved + shift_px]])
    return cv2.warpAffine(face, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)


def best_zoom(source: np.ndarray, target: np.ndarray) -> tuple[float, float, float]:
    """Find the zoom that makes one mean face most like another.

    Args:
        source: float32 (size, size).
        target: Likewise.

    Returns:
        Zoom about the middle (above 1: the source must be shown larger), shift downwards in
        pixels, and the correlation reached.
    """
    found = []
    for zoom in ZOOMS:
        for shift_px in SHIFTS_PX:
            shown = zoomed(source, zoom, shift_px)
            alike = np.corrcoef(shown.ravel(), target.ravel())[0, 1]
            found.append((float(alike), float(zoom), float(shift_px)))
    alike, zoom, shift_px = max(found)
    return zoom, shift_px, alike


def head_posteriors(network: keras.Model, faces: np.ndarray) -> dict[str, np.ndarray]:
    """Return each head's posterior, the mean over a face and its mirror image.

    Args:
        network: The shipped face network.
        faces: uint8 (n, 48, 48).
    """

    def predict(shown: np.ndarray) -> np.ndarray:
        found = network.predict(shown, batch_size=128, verbose=0)
        return np.concatenate([found[head] for head in HEADS], axis=1)

    both = predict_faces(predict, faces)
    return dict(zip(HEADS, np.split(both, [len(COMMON7)], axis=1), strict=True))


def class_frequencies(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return how often each head's training targets name each class, float (classes,).

    Args:
        table: FER-2013's training pictures, as `fer2013.load_fer2013` gives them; those of CFEE
            and SFEW join.
    """
    votes, trust = fer2013.vote_targets(table)
    labels = [fer2013.label_targets(table), load_others().labels]
    return {
        "fer": np.concatenate(labels).mean(0),
        "ferplus": votes[trust > 0].mean(0),
    }


def to_six(
    posterior: np.ndarray, classes: tuple[str, ...], frequencies: np.ndarray | None
) -> np.ndarray:
    """Fold a posterior to the six basic emotions; neutral's and contempt's shares are dropped.

    Args:
        posterior: (n, classes).
        classes: Of the posterior.
        frequencies: (classes,) of the training, to divide by; None to leave them in.

    Returns:
        (n, 6), rows sum to 1.

    Example:
        >>> to_six(np.array([[0.2, 0.1, 0, 0, 0.7, 0, 0]]), COMMON7, None).round(2)[0, :2].tolist()
        [0.67, 0.33]
    """
    shares = posterior if frequencies is None else posterior / np.maximum(frequencies, 1e-6)
    return fold(shares, classes, BASIC6)


def without_corpus_mean(posterior: np.ndarray) -> np.ndarray:
    """Take out what the network says of the whole corpus: its mean log posterior, no label used."""
    bias = mean_log(posterior)
    return without_bias(posterior, bias - bias.mean())


def of_faces(table: pd.DataFrame, posterior: np.ndarray) -> pd.DataFrame:
    """Return a prediction table; `table` has `clip_id`, `speaker`, `emotion`."""
    return prediction_table(table, posterior, BASIC6, "all")


def compare(
    fer: tuple[pd.DataFrame, dict[str, np.ndarray]],
    ck: tuple[pd.DataFrame, dict[str, np.ndarray]],
    frequencies: dict[str, np.ndarray],
) -> pd.DataFrame:
    """Score every way of answering on both corpora.

    Args:
        fer: FER-2013's PublicTest pictures of the six emotions, and the heads' posteriors.
        ck: CK+'s likewise.
        frequencies: From `class_frequencies`.

    Returns:
        One row each: head, is_divided, fer2013_uar (which decides), ck_plus_accuracy and
        ck_plus_adapted_accuracy (which do not).
    """
    rows = []
    for head, classes in HEADS.items():
        for is_divided in (False, True):
            divisor = frequencies[head] if is_divided else None
            on_fer = of_faces(fer[0], to_six(fer[1][head], classes, divisor))
            six = to_six(ck[1][head], classes, divisor)
            adapted = of_faces(ck[0], without_corpus_mean(six))
            rows.append(
                {
                    "head": head,
                    "is_divided": is_divided,
                    "fer2013_uar": scores(on_fer)["unweighted_average_recall"],
                    "ck_plus_accuracy": scores(of_faces(ck[0], six))["accuracy"],
                    "ck_plus_adapted_accuracy": scores(adapted)["accuracy"],
                }
            )
    return pd.DataFrame(rows)


def chosen_row(comparison: pd.DataFrame) -> pd.Series:
    """Return the way of answering with the highest average recall on FER-2013."""
    return comparison.loc[comparison["fer2013_uar"].idxmax()]


def run(
    network: keras.Model,
    fer: tuple[pd.DataFrame, np.ndarray],
    ck: tuple[pd.DataFrame, np.ndarray],
    folder: Path,
) -> dict:
    """Predict CK+ with a network that never met it and write the evidence.

    Args:
        network: The shipped face network.
        fer: Table and pictures, as `fer2013.load_fer2013` gives them.
        ck: Table and faces, as `ck_plus.load_six` gives them.
        folder: Where the evidence goes.

    Returns:
        What `metrics.json` holds.
    """
    table, pixels = fer
    trained = (table["usage"] == "Training").to_numpy()
    test = (table["usage"] == "PublicTest").to_numpy() & table["label"].isin(BASIC6).to_numpy()
    named = table[test].assign(speaker="unknown", emotion=table["label"][test])
    frequencies = class_frequencies(table[trained])
    posteriors = head_posteriors(network, ck[1])
    comparison = compare(
        (named, head_posteriors(network, pixels[test])), (ck[0], posteriors), frequencies
    )
    chosen = chosen_row(comparison)
    head = chosen["head"]
    answer = partial(
        to_six,
        classes=HEADS[head],
        frequencies=frequencies[head] if chosen["is_divided"] else None,
    )
    six = answer(posteriors[head])
    zoom, shift_px, alike = best_zoom(
        mean_picture(ck[1]),
        mean_picture(pixels[np.flatnonzero(trained)[:MEAN_FACES]]),
    )
    rescaled = np.stack([zoomed(face, zoom, shift_px) for face in ck[1]])
    at_zoom = of_faces(ck[0], answer(head_posteriors(network, rescaled)[head]))
    write_table(Path(folder) / "comparison.csv", comparison)
    return write_cross(
        Path(folder),
        of_faces(ck[0], six),
        of_faces(ck[0], without_corpus_mean(six)),
        {
            "parameters": network.count_params(),
            "head": head,
            "is_divided": bool(chosen["is_divided"]),
            "mean_faces": {
                "best_zoom": round(zoom, 2),
                "shift_px": shift_px,
                "correlation": round(alike, 3),
                "accuracy_at_best_zoom": scores(at_zoom)["accuracy"],
            },
        },
    )


def write_cross(
    folder: Path, predictions: pd.DataFrame, adapted: pd.DataFrame, facts: dict
) -> dict:
    """Write the evidence; the adapted posteriors' as the entry `adapted`."""
    people = predictions["speaker"].nunique()
    size = f"{len(predictions)} pictures of {people} subjects, 6 classes without contempt"
    divided = ", divided by its training's class frequencies" if facts["is_divided"] else ""
    how = (
        f"no picture of CK+ trained; the shipped face network, head `{facts['head']}`"
        f"{divided}, chosen by its average recall on FER-2013's PublicTest; neutral dropped; mean "
        "over each face and its mirror image; crops as they are"
    )
    metrics = write_evidence(
        folder,
        Measurement(
            predictions,
            f"CK+ never trained on, {size}; {how}",
            "CK+ by the shipped face network",
            facts=facts,
        ),
        stream="face",
        command="python -m emorec.experiments.ck_plus_cross",
        parts={
            "adapted": Measurement(
                adapted,
                f"CK+ never trained on, adapted without labels, {size}; {how}; the mean log "
                "posterior of all pictures taken out",
                "CK+ by the shipped face network, adapted without labels",
            )
        },
    )
    print(
        "CK+, never trained on: {:.1%}, adapted {:.1%}".format(
            metrics["scores"]["accuracy"], metrics["adapted"]["scores"]["accuracy"]
        )
    )
    return metrics


def main() -> None:
    """Predict CK+ with the shipped face network."""
    network = keras.saving.load_model(MODELS / "face_cnn" / "model.keras")
    run(network, fer2013.load_fer2013(), load_six(), COMPARISONS / "ck_plus" / "ck_plus_cross")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    run_main(main)
