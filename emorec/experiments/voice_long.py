"""The voice network trained for longer and more gently, in synthetic voices: RAVDESS alone gains.

    python -m emorec.experiments.voice_long  # everything; a cut run goes on where it was
    python -m emorec.experiments.voice_long --folds 1 2 3  # some folds; processes share the work

The network, its pre-training and its folds are those of `emorec.training.voice`. Nothing is masked,
nothing is smeared, and each take is said by persons that do not exist
(`emorec.training.augment_voice`). On RAVDESS it hears strangers better than the shipped network, on
SAVEE worse: what it gains is RAVDESS's. It lies in `Models/alternatives/voice_long`, where
`--voice-model voice_long` finds it, and `Models/comparisons/fusion/fusion_long`; the recogniser
keeps the other unless asked.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import pandas as pd

from emorec.corpora import ravdess, savee
from emorec.emotions import COMMON7, RAVDESS8, fold
from emorec.errors import run_main
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import Measurement, read_predictions, write_evidence
from emorec.files import write_table
from emorec.networks.voice import build_voice_network
from emorec.paths import MODELS
from emorec.training import sounds as sounds_training
from emorec.training import voice as voice_training
from emorec.training.augment_voice import as_another_voice
from emorec.training.fit import Cycle, training_precision
from emorec.training.fusion import RAVDESS_STREAMS, fuse_out_of_fold, join_streams
from emorec.training.voice import VoiceTraining

NAME = "voice_long"
COMMAND = "python -m emorec.experiments.voice_long"
CYCLES = (Cycle(100, 2e-3, dropout=0.3),)
SEED = voice_training.SEED

PROTOCOL = (
    "RAVDESS speech (sound), 8 classes, all 24 actors out of fold: six blocks of four actors, each "
    "judged by a network trained on the other 20; pre-trained on CREMA-D; 100 epochs in made-up "
    "voices, chosen after the shipped network's score was known by training on sixteen of actors "
    "1-20 and judging the other four; one seed"
)
FUSION_PROTOCOL = (
    "RAVDESS speech, 8 classes, voice and geometry: as `fusion`, the voice being `voice_long`"
)
ELSEWHERE = (
    "SAVEE, {clips} clips of {speakers} men, 7 classes, by a network that was trained on RAVDESS "
    "and CREMA-D alone"
)


def train(folds: Sequence[int] | None = None) -> pd.DataFrame:
    """Train the folds asked for, or all and then on all speakers; finished ones are read.

    Returns:
        The folds' prediction table.
    """
    training_precision()
    folder = MODELS / "alternatives" / NAME
    work = folder / "work"
    training = VoiceTraining(
        cycles=CYCLES, augmentation=as_another_voice, start=voice_training.pretrain(work)
    )
    table = ravdess.load_sound_table()
    sounds = sounds_training.read_sounds(table)
    predictions = voice_training.train_folds(table, sounds, work, training, only=folds)
    if folds is None:
        voice_training.ship(table, sounds, folder, training)
        write_table(folder / "history.csv", voice_training.fold_histories(work))
    return predictions


def predict_savee(network: keras.Model) -> pd.DataFrame:
    """Predict SAVEE's clips by a network of eight classes; a table in the common seven."""
    clips = savee.load_sound_table()
    posterior = voice_training.clip_posteriors(network, sounds_training.read_sounds(clips))
    return evaluation.prediction_table(clips, fold(posterior, RAVDESS8, COMMON7), COMMON7, "all")


def write_results(predictions: pd.DataFrame, models: Path = MODELS) -> dict[str, dict]:
    """Predict SAVEE by both networks, fuse, and write the evidence.

    Args:
        predictions: From `train`, all folds.
        models: Where the models' folders lie, this one's weights among them.

    Returns:
        What each prediction table's metrics are, by name.
    """
    folder = models / "alternatives" / NAME
    networks = {
        "savee": ("Voice 2D CNN, long training, on SAVEE", folder),
        "savee_shipped": (
            "Voice 2D CNN, as shipped, on SAVEE",
            models / "alternatives/voice_2d_cnn",
        ),
    }
    elsewhere = {}
    for key, (title, weights) in networks.items():
        table = predict_savee(keras.saving.load_model(weights / "model.keras"))
        protocol = ELSEWHERE.format(clips=len(table), speakers=table["speaker"].nunique())
        elsewhere[key] = Measurement(table, protocol, title, unit="clip_id")
    facts = {
        "in_readme": True,
        "seed": SEED,
        "cycles": [asdict(cycle) for cycle in CYCLES],
        "parameters": build_voice_network().count_params(),
    }
    metrics = write_evidence(
        folder,
        Measurement(predictions, PROTOCOL, "Voice 2D CNN, long training", facts=facts),
        stream="voice",
        command=COMMAND,
        parts=elsewhere,
    )
    found = {"voice": metrics, "fused": write_fusion(models)}
    return found | {key: metrics[key] for key in networks}


def write_fusion(models: Path = MODELS) -> dict:
    """Fuse this voice's predictions with the geometry's and write the evidence."""
    names = {**RAVDESS_STREAMS, "voice": f"alternatives/{NAME}"}
    tables = {stream: read_predictions(models / name) for stream, name in names.items()}
    return write_evidence(
        models / "comparisons" / "fusion" / "fusion_long",
        Measurement(
            fuse_out_of_fold(join_streams(tables))["log-linear"],
            FUSION_PROTOCOL,
            "Log-linear fusion, voice of the long training",
            facts={"in_readme": True},
        ),
        stream="fusion",
        command=COMMAND,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, evaluate, fuse and write the evidence."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folds", type=int, nargs="*", help="train these folds only (1 to 6)")
    only = parser.parse_args(arguments).folds
    predictions = train(only)
    if only is None:
        for name, found in write_results(predictions).items():
            print(f"{name}: {found['scores']['accuracy']:.1%}")


if __name__ == "__main__":
    run_main(main)
