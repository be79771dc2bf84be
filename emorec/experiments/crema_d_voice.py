"""The voice network on CREMA-D by speaker: six emotions, one held-out side of 20 speakers.

    python -m emorec.experiments.crema_d_voice  # trains, then shows the validation side's scores
    python -m emorec.experiments.crema_d_voice --test  # writes the evidence on the test side

Every choice is made on the 10 validation speakers; the 20 test speakers are predicted once, by
`--test`. A run that is cut short goes on at the epoch it had reached. The finished network is
also what RAVDESS trainings start from in `voice_pretraining`, and a row of the matrix of
`cross_corpus`.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from emorec.corpora import crema_d
from emorec.emotions import CREMA_D6
from emorec.errors import run_main
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import Measurement, write_evidence
from emorec.evaluation.scores import prediction_table
from emorec.evaluation.splits import CREMA_D_SIDES, check_classes, crema_d_sides
from emorec.files import write_table
from emorec.networks.voice import build_voice_network
from emorec.paths import COMPARISONS
from emorec.training.fit import (
    Cycle,
    cycle_histories,
    load_finished,
    training_clock,
    training_minutes,
    training_precision,
)
from emorec.training.folds import held_out, take
from emorec.training.sounds import read_sounds_once
from emorec.training.voice import VoiceTraining, clip_posteriors, train_voice_network

MODEL_FOLDER = COMPARISONS / "speech_corpora" / "crema_d_voice"
SOUND_CACHE = COMPARISONS / "speech_corpora" / "cross_corpus" / "work" / "CREMA-D_16000.npz"
CYCLES = (Cycle(24, 2e-3, dropout=0.3), Cycle(12, 1e-3, dropout=0.3))
COMMAND = "python -m emorec.experiments.crema_d_voice"
SEED = 1

PROTOCOL = (
    "CREMA-D (5,797 clips of 71 of its 91 actors, sound up to 5.5 kHz), 6 classes, by speaker: "
    "20 drawn actors judged once by a network trained from scratch on 41 others; 10 more for all "
    "choices; one seed"
)


def load_clips() -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Return CREMA-D's clips and their sounds."""
    table = crema_d.load_sound_table()
    return table, read_sounds_once(table, SOUND_CACHE)


def draw(table: pd.DataFrame, sides: Mapping[str, int] = CREMA_D_SIDES) -> dict[str, np.ndarray]:
    """Return who stands on which side: `test`, `validation`, `train` -> bool (clips,).

    Raises:
        emorec.evaluation.splits.MissingClassError: If a side lacks one of the six emotions.
    """
    masks = crema_d_sides(table["speaker"], sides)
    check_classes(CREMA_D6, **{side: table["emotion"][mask] for side, mask in masks.items()})
    return masks


def rows_of(
    table: pd.DataFrame, sounds: list[np.ndarray], mask: np.ndarray
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Return the clips and sounds that a mask chooses."""
    return table[mask].reset_index(drop=True), take(sounds, mask)


def train(
    clips: pd.DataFrame,
    sounds: list[np.ndarray],
    work_folder: Path,
    cycles: Sequence[Cycle] = CYCLES,
) -> keras.Model:
    """Train on the training side; a finished training is read from `work_folder`."""
    if (Path(work_folder) / "trained.keras").exists():
        return load_trained(work_folder)
    with training_clock(work_folder):
        training = VoiceTraining(CREMA_D6, cycles, seed=SEED)
        return train_voice_network(clips, sounds, work_folder, training)


def load_trained(work_folder: Path = MODEL_FOLDER / "work") -> keras.Model:
    """Return the finished network.

    Raises:
        FileNotFoundError: If it has not been trained here.
    """
    return load_finished(work_folder, COMMAND)


def validate(work_folder: Path, clips: pd.DataFrame, sounds: list[np.ndarray]) -> pd.DataFrame:
    """Return the validation side's accuracy and recall after each cycle of the training."""
    rows = {}
    for file in sorted(Path(work_folder).glob("cycle_*/trained.keras")):
        posterior = clip_posteriors(keras.saving.load_model(file), sounds)
        found = evaluation.scores(prediction_table(clips, posterior, CREMA_D6, fold=1))
        names = ["accuracy", "unweighted_average_recall"]
        rows[file.parent.name] = {name: found[name] for name in names}
    return pd.DataFrame(rows).T


def evaluate(
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    folder: Path,
    cycles: Sequence[Cycle] = CYCLES,
) -> dict:
    """Train, predict the test side once and write the evidence; what is finished is read.

    Args:
        table: CREMA-D's clips.
        sounds: Their samples.
        folder: For the evidence; its `work/` for training and predictions.
        cycles: Of the learning rate.

    Returns:
        The metrics.
    """
    work, masks = Path(folder) / "work", draw(table)

    def predict() -> np.ndarray:
        network = train(*rows_of(table, sounds, masks["train"]), work, cycles)
        validation = validate(work, *rows_of(table, sounds, masks["validation"]))
        write_table(work / "validation.csv", validation.reset_index(names="after"))
        return clip_posteriors(network, take(sounds, masks["test"]))

    sides = table[masks["train"]], table[masks["test"]]
    predictions = held_out(*sides, predict, work, CREMA_D6, fold=1)
    write_table(Path(folder) / "history.csv", cycle_histories(work))
    facts = {
        "seed": SEED,
        "split_seed": 0,
        "speakers_by_side": {
            side: sorted(table["speaker"][mask].unique()) for side, mask in masks.items()
        },
        "cycles": [asdict(cycle) for cycle in cycles],
        "validation": pd.read_csv(work / "validation.csv").to_dict("records"),
        "parameters": build_voice_network(classes=len(CREMA_D6)).count_params(),
        "training_minutes": round(training_minutes(work), 1),
    }
    return write_evidence(
        folder,
        Measurement(predictions, PROTOCOL, "CREMA-D: voice, by speaker", facts=facts),
        stream="voice",
        command=f"{COMMAND} && {COMMAND} --test",
    )


def main() -> None:
    """Train and show the validation side's scores; on demand evaluate on the test side."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--test", action="store_true", help="evaluate on the test side, once")
    arguments = parser.parse_args()
    training_precision()
    table, sounds = load_clips()
    if arguments.test:
        scores = evaluate(table, sounds, MODEL_FOLDER)["scores"]
        print(f"speakers never heard: accuracy {scores['accuracy']:.1%}")
        return
    masks, work = draw(table), MODEL_FOLDER / "work"
    train(*rows_of(table, sounds, masks["train"]), work)
    validation = validate(work, *rows_of(table, sounds, masks["validation"]))
    print(validation.map("{:.1%}".format))


if __name__ == "__main__":
    run_main(main)
