"""What pre-training on CREMA-D is worth on RAVDESS: three seeds with it, three without.

    python -m emorec.experiments.voice_pretraining  # all six trainings in turn
    python -m emorec.experiments.voice_pretraining --start pretrained --seed 2  # one of them

Both kinds train for the same epochs on the same actors with the same settings; only the initial
weights differ. Nothing is chosen here, so there is no validation
side. The pre-trained weights are those of `crema_d_voice`, whose 41 actors are none of RAVDESS's.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from emorec.corpora import ravdess
from emorec.emotions import RAVDESS8
from emorec.errors import run_main
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import Measurement, write_evidence
from emorec.evaluation.scores import resampled_units
from emorec.evaluation.splits import LAST_ACTORS, check_classes, is_actor
from emorec.files import write_table
from emorec.networks.voice import build_voice_network
from emorec.paths import COMPARISONS
from emorec.training.fit import (
    Cycle,
    load_finished,
    training_clock,
    training_minutes,
    training_precision,
)
from emorec.training.folds import held_out
from emorec.training.sounds import read_sounds_once
from emorec.training.voice import VoiceTraining, predict_by_others

MODEL_FOLDER = COMPARISONS / "speech_corpora" / "voice_pretraining"
SOUND_CACHE = COMPARISONS / "speech_corpora" / "cross_corpus" / "work" / "RAVDESS_16000.npz"
COMMAND = "python -m emorec.experiments.voice_pretraining"
STARTS = ("scratch", "pretrained")
SEEDS = (1, 2, 3)
# Shorter than the shipped voice's 56 epochs: six trainings have to be paid for.
EQUAL_CYCLES = (Cycle(16, 2e-3, dropout=0.3),)

PROTOCOL = (
    "RAVDESS speech (sound), 8 classes, actors 17-24 judged by a network trained on actors 1-16 "
    "for {epochs} epochs, {how}; nothing was chosen on the test actors; seed {seed} of three"
)
HOW = {
    "scratch": "from random weights",
    "pretrained": "from weights trained on 41 actors of CREMA-D",
}


def run_name(start: str, seed: int) -> str:
    """Return the name of one training: `pretrained_2`."""
    return f"{start}_{seed}"


def train_and_predict(
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    work_folder: Path,
    training: VoiceTraining,
    test_actors: Sequence[int] = LAST_ACTORS,
) -> pd.DataFrame:
    """Train on all actors but the test actors and predict these; finished runs are read.

    Args:
        table: RAVDESS's takes.
        sounds: Their samples.
        work_folder: For backup, history, the finished network and its predictions.
        training: How.
        test_actors: Who is held out.

    Returns:
        The prediction table of the test actors' takes; `fold` is the seed.
    """
    test = is_actor(table["speaker"], test_actors)
    check_classes(RAVDESS8, train=table["emotion"][~test], test=table["emotion"][test])

    def predict() -> np.ndarray:
        with training_clock(work_folder):
            return predict_by_others(table, sounds, training, ~test, test, work_folder)

    sides = table[~test], table[test]
    return held_out(*sides, predict, work_folder, RAVDESS8, fold=training.seed)


def gain(tables: dict[tuple[str, int], pd.DataFrame]) -> dict:
    """Return what pre-training changes, in shares of one, over the seeds.

    Args:
        tables: (start, seed) -> prediction table.

    Returns:
        For accuracy and unweighted average recall: the scores of each start by seed, their
        means, and the gain by seed, its mean and its range.
    """
    seeds = sorted({seed for _, seed in tables})
    found = {}
    for score in ("accuracy", "unweighted_average_recall"):
        by_start = {
            start: [evaluation.scores(tables[start, seed])[score] for seed in seeds]
            for start in STARTS
        }
        gains = np.subtract(by_start["pretrained"], by_start["scratch"])
        found[score] = {
            **{start: [round(value, 4) for value in values] for start, values in by_start.items()},
            **{f"{start}_mean": round(float(np.mean(v)), 4) for start, v in by_start.items()},
            "gain": [round(float(value), 4) for value in gains],
            "gain_mean": round(float(gains.mean()), 4),
            "gain_range": [round(float(gains.min()), 4), round(float(gains.max()), 4)],
        }
    return {"seeds": seeds, **found}


def gain_interval(
    tables: dict[tuple[str, int], pd.DataFrame], resamples: int = 1000, seed: int = 0
) -> list[float]:
    """Return the 95 % interval of the mean gain in accuracy, bootstrapped over speakers.

    Each resample draws whole speakers, the same ones for both starts and all seeds.
    """
    right = {
        key: (table[list(RAVDESS8)].idxmax(axis=1) == table["truth"])
        .groupby(table["speaker"])
        .mean()
        for key, table in tables.items()
    }
    mean = {
        start: np.mean([values for (name, _), values in right.items() if name == start], axis=0)
        for start in STARTS
    }
    gains = mean["pretrained"] - mean["scratch"]
    drawn = gains[resampled_units(len(gains), resamples, seed)].mean(1)
    return [float(value) for value in np.quantile(drawn, [0.025, 0.975])]


def write_results(folder: Path, tables: dict[tuple[str, int], pd.DataFrame]) -> dict:
    """Write all tables; the first seed's stand for their start, the gain rests on all seeds."""
    folder = Path(folder)
    first = min(seed for _, seed in tables)
    epochs = sum(cycle.epochs for cycle in EQUAL_CYCLES)
    for run, table in tables.items():
        write_table(folder / f"predictions_{run_name(*run)}.csv", table)
    minutes = {
        run_name(*run): round(training_minutes(folder / "work" / run_name(*run)), 1)
        for run in tables
    }
    facts = {
        "seed": first,
        "cycles": [asdict(cycle) for cycle in EQUAL_CYCLES],
        "parameters": build_voice_network().count_params(),
    }
    of_all = {
        "gain": gain(tables) | {"accuracy_gain_interval_95": gain_interval(tables)},
        "minutes_by_run": minutes,
    }

    def measurement(start: str, **further) -> Measurement:
        spent = {"training_minutes": minutes[run_name(start, first)]}
        return Measurement(
            tables[start, first],
            PROTOCOL.format(epochs=epochs, how=HOW[start], seed=first),
            f"voice, {HOW[start]}",
            facts={**facts, **spent, **further},
        )

    return write_evidence(
        folder,
        measurement("pretrained", **of_all),
        stream="voice",
        command=COMMAND,
        parts={run_name("scratch", first): measurement("scratch", command=COMMAND)},
    )


def load_clips() -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Return RAVDESS's takes and their sounds."""
    table = ravdess.load_sound_table()
    return table, read_sounds_once(table, SOUND_CACHE)


def trained_on_crema_d() -> keras.Model:
    """Return the network that `emorec.experiments.crema_d_voice` leaves.

    Raises:
        FileNotFoundError: If it has not been trained here.
    """
    remedy = "python -m emorec.experiments.crema_d_voice"
    return load_finished(MODEL_FOLDER.parent / "crema_d_voice" / "work", remedy)


def run_all(
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    work_folder: Path,
    *,
    pretrained: Callable[[], keras.Model] = trained_on_crema_d,
    starts: Sequence[str] = STARTS,
    seeds: Sequence[int] = SEEDS,
    cycles: Sequence[Cycle] = EQUAL_CYCLES,
) -> dict[tuple[str, int], pd.DataFrame]:
    """Run the trainings asked for, seed by seed; finished ones are read.

    Args:
        table: RAVDESS's takes.
        sounds: Their samples.
        work_folder: Holds a folder for each training.
        pretrained: Gives the network to start from; asked only where it is needed.
        starts: Which of `STARTS`.
        seeds: Of the trainings.
        cycles: Of the learning rate.

    Returns:
        (start, seed) -> prediction table.
    """
    tables = {}
    for seed, start in product(seeds, starts):
        work = Path(work_folder) / run_name(start, seed)
        is_finished = (work / "predictions.csv").exists()
        network = pretrained() if start == "pretrained" and not is_finished else None
        training = VoiceTraining(cycles=cycles, seed=seed, start=network)
        tables[start, seed] = train_and_predict(table, sounds, work, training)
    return tables


def main() -> None:
    """Run the trainings asked for; once all are there, write the evidence."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--start", choices=STARTS, help="only trainings from these weights")
    parser.add_argument("--seed", type=int, choices=SEEDS, help="only trainings of this seed")
    arguments = parser.parse_args()
    training_precision()
    starts = [arguments.start] if arguments.start else STARTS
    seeds = [arguments.seed] if arguments.seed else SEEDS
    tables = run_all(*load_clips(), MODEL_FOLDER / "work", starts=starts, seeds=seeds)
    if len(tables) == len(STARTS) * len(SEEDS):
        found = write_results(MODEL_FOLDER, tables)["gain"]["accuracy"]
        print(f"gain {found['gain_mean']:+.1%} ({found['gain']})")


if __name__ == "__main__":
    run_main(main)
