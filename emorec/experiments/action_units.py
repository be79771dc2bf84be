"""Facial action units beside the landmarks: what pixels add to the fused verdict on RAVDESS.

    python -m emorec.experiments.action_units    # seconds, after emorec.experiments.voice_long

OpenFace (Baltrusaitis et al. 2018) reads action units from a face's pixels: furrows, cheeks,
eyelids. Their means over each RAVDESS take are published; the pictures of all 24 actors are not
at hand. This is evidence, in `Models/comparisons/fusion`; the
recogniser does not use it, for OpenFace is not installed by pip.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emorec.corpora import ravdess
from emorec.emotions import RAVDESS8
from emorec.errors import run_main
from emorec.evaluation.evidence import Measurement, read_predictions, write_evidence
from emorec.evaluation.splits import speaker_folds
from emorec.paths import MODELS
from emorec.training.folds import out_of_fold
from emorec.training.fusion import RAVDESS_STREAMS, fuse_out_of_fold, join_streams

QUESTION = "comparisons/fusion"
"""Where in `Models` the evidence goes."""
COMMAND = "python -m emorec.experiments.action_units"
INVERSE_REGULARIZATION = 0.1

PROTOCOL = (
    "RAVDESS, all 1,440 speech takes, 8 classes; a logistic regression on the means of 35 action "
    "units that OpenFace measured; six blocks of four actors, each judged by a regression fitted "
    "on the other 20. Other scales of the units, a support vector machine (60 to 61 %) and small "
    "perceptrons (55 to 61 %) were tried on the same blocks."
)
FUSION_PROTOCOL = (
    "RAVDESS speech, 8 classes, voice, geometry and action units: as `fusion_long`, with a third "
    "stream that the recogniser does not have"
)


def train_folds(takes: pd.DataFrame, units: np.ndarray, work: Path) -> pd.DataFrame:
    """Predict each block of actors by a regression fitted on the others; see `out_of_fold`.

    Args:
        takes: All takes, with `emotion` and `speaker`.
        units: (takes, 35), as measured.
        work: Holds the folds.

    Returns:
        The prediction table.
    """
    # Most units are near zero most of the time: the root spreads what is small.
    units = np.sqrt(np.maximum(units, 0))
    truth = np.array([RAVDESS8.index(name) for name in takes["emotion"]])

    def predict(train: np.ndarray, test: np.ndarray, folder: Path) -> np.ndarray:
        regression = LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=2000)
        fitted = make_pipeline(StandardScaler(), regression).fit(units[train], truth[train])
        return fitted.predict_proba(units[test])

    return out_of_fold(takes, speaker_folds(takes["speaker"]), predict, work, RAVDESS8)


def main(models: Path = MODELS) -> None:
    """Fit, predict, fuse and write the evidence."""
    models = Path(models)
    folder = models / QUESTION / "action_units"
    metrics = write_evidence(
        folder,
        Measurement(
            train_folds(*ravdess.load_action_units(), folder / "work"),
            PROTOCOL,
            "Action units of OpenFace, logistic regression",
        ),
        stream="face",
        command=COMMAND,
    )
    names = {
        **RAVDESS_STREAMS,
        "voice": "alternatives/voice_long",
        "action units": folder.relative_to(models),
    }
    tables = {stream: read_predictions(models / name) for stream, name in names.items()}
    fused = write_evidence(
        models / QUESTION / "fusion_action_units",
        Measurement(
            fuse_out_of_fold(join_streams(tables), tuple(tables))["log-linear"],
            FUSION_PROTOCOL,
            "Log-linear fusion, with action units too",
            facts={"in_readme": True},
        ),
        stream="fusion",
        command=COMMAND,
    )
    for name, found in {"action units": metrics, "fused": fused}.items():
        print(f"{name}: {found['scores']['accuracy']:.1%}")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    run_main(main)
