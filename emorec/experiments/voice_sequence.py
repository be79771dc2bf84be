"""CNN, recurrent network and transformer of the voice at equal parameters, trained to the end.

    python -m emorec.experiments.voice_sequence             # all nine trainings, an hour and a half
    python -m emorec.experiments.voice_sequence --seeds 2   # one seed each; finished ones are read

RAVDESS speech by speaker: actors 1-16 train, 17-24 are judged, nothing is chosen on them. Each
training passes over the takes `EPOCHS` times, with a cosine schedule that ends with the last pass.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from emorec.corpora import ravdess
from emorec.emotions import RAVDESS8
from emorec.errors import run_main
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import Measurement, of_seeds, read_predictions, write_evidence
from emorec.evaluation.splits import LAST_ACTORS, check_disjoint, is_actor
from emorec.files import write_json, write_table
from emorec.networks.voice import build_voice_network
from emorec.networks.voice_sequence import build_recurrent_network, build_transformer_network
from emorec.paths import MODELS
from emorec.training import sounds as sounds_training
from emorec.training import voice as voice_training
from emorec.training.costs import ms_per_clip
from emorec.training.fit import (
    Cycle,
    cycle_histories,
    precision,
    training_clock,
    training_minutes,
)
from emorec.training.folds import held_out, take

QUESTION = "comparisons/voice_sequence"
"""Where in `Models` the evidence goes."""
TRAIN_ACTORS = tuple(range(1, 17))
SEEDS = (1, 2, 3)
EPOCHS = 120
VOICE_LEARNING_RATE = 2e-3
TRANSFORMER_LEARNING_RATE = 5e-4
"""At the CNN's the transformer reads a quarter of its own training takes after 70 epochs."""
DROPOUT = 0.3
PROTOCOL = (
    "RAVDESS speech (sound), 8 classes, actors 17-24 judged, trained on actors 1-16 from chance; "
    "{epochs} epochs each, settings those of the voice CNN{rate}, nothing chosen on the actors "
    "judged; seed {seed} of {seeds}"
)


@dataclass(frozen=True)
class Architecture:
    """One kind of network.

    Attributes:
        title: What tables call it.
        folder: Its folder's name below QUESTION.
        build: Called with bands, frames, classes and `dropout`.
        dtype_policy: What it trains in: on a processor the convolutions take half the time in
            bfloat16, the other two do not gain.
        learning_rate: Peak; the voice CNN's, where the network learns its own takes with it.
    """

    title: str
    folder: str
    build: Callable[..., keras.Model]
    dtype_policy: str
    learning_rate: float = VOICE_LEARNING_RATE


ARCHITECTURES = {
    "cnn": Architecture(
        "Voice CNN, equal parameters", "voice_cnn_equal", build_voice_network, "mixed_bfloat16"
    ),
    "recurrent": Architecture(
        "Voice GRU with attention, equal parameters",
        "voice_recurrent",
        build_recurrent_network,
        "float32",
    ),
    "transformer": Architecture(
        "Voice spectrogram transformer, equal parameters",
        "voice_transformer",
        build_transformer_network,
        "float32",
        TRANSFORMER_LEARNING_RATE,
    ),
}


def split(speakers: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return bool masks (takes,): train, test."""
    train, test = is_actor(speakers, TRAIN_ACTORS), is_actor(speakers, LAST_ACTORS)
    check_disjoint(train=speakers[train], test=speakers[test])
    return train, test


def _train(name: str, table, sounds, work: Path, epochs: int, seed: int):
    """Train on the training actors; a run that was cut goes on. Returns the network."""
    architecture = ARCHITECTURES[name]
    train, _ = split(table["speaker"])
    training = voice_training.VoiceTraining(
        cycles=(Cycle(epochs, architecture.learning_rate, DROPOUT),),
        seed=seed,
        build=architecture.build,
    )
    with precision(architecture.dtype_policy), training_clock(work):
        return voice_training.train_voice_network(table[train], take(sounds, train), work, training)


def train_and_predict(
    name: str,
    seed: int,
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    models: Path = MODELS,
    epochs: int = EPOCHS,
) -> pd.DataFrame:
    """Train one architecture with one seed and predict actors 17-24; a finished one is read.

    Args:
        name: One of ARCHITECTURES.
        seed: Of initial weights, order and augmentation.
        table: All takes.
        sounds: Their samples, float32 at 16 kHz.
        models: Where the model's folder lies.
        epochs: Passes over the takes.

    Returns:
        The prediction table.
    """
    work = Path(models) / QUESTION / ARCHITECTURES[name].folder / "work"
    folder = work / f"seed_{seed}"
    train, test = split(table["speaker"])

    def predict() -> np.ndarray:
        network = _train(name, table, sounds, folder, epochs, seed)
        heard = take(sounds, test)
        facts = {
            "epochs": epochs,
            "training_minutes": round(training_minutes(folder), 2),
            "ms_per_clip": round(ms_per_clip(network, heard[0]), 2),
        }
        write_json(folder / "training.json", facts)
        return voice_training.clip_posteriors(network, heard)

    recipe = f"{epochs} epochs, peak learning rate {ARCHITECTURES[name].learning_rate}"
    sides = table[train], table[test]
    return held_out(*sides, predict, folder, RAVDESS8, fold="17-24", recipe=recipe)


def write_results(name: str, models: Path = MODELS, seeds: Sequence[int] = SEEDS) -> dict:
    """Write the evidence of one architecture from its finished trainings.

    The first seed's predictions are the model's; each further seed has its own table and entry.

    Args:
        name: One of ARCHITECTURES.
        models: Where the model's folder lies.
        seeds: All of them, finished.

    Returns:
        What was written to `metrics.json`.
    """
    architecture = ARCHITECTURES[name]
    folder = Path(models) / QUESTION / architecture.folder
    facts = {seed: _facts(folder / "work" / f"seed_{seed}") for seed in seeds}
    tables = {seed: read_predictions(folder / "work" / f"seed_{seed}") for seed in seeds}
    accuracies = {seed: evaluation.scores(tables[seed])["accuracy"] for seed in seeds}
    of_all = {
        "seed": seeds[0],
        "accuracy_of_seeds": of_seeds(accuracies),
        "parameters": architecture.build().count_params(),
        "dtype_policy": architecture.dtype_policy,
        "learning_rate": architecture.learning_rate,
    }

    curves = [cycle_histories(folder / "work" / f"seed_{seed}").assign(seed=seed) for seed in seeds]
    write_table(folder / "history.csv", pd.concat(curves, ignore_index=True))
    own_rate = architecture.learning_rate != VOICE_LEARNING_RATE
    rate = f" but a peak learning rate of {architecture.learning_rate}" if own_rate else ""

    def measurement(seed: int, title: str, further: dict) -> Measurement:
        protocol = PROTOCOL.format(
            epochs=facts[seed]["epochs"], rate=rate, seed=seed, seeds=len(seeds)
        )
        return Measurement(tables[seed], protocol, title, facts={**further, **facts[seed]})

    return write_evidence(
        folder,
        measurement(seeds[0], architecture.title, of_all),
        stream="voice",
        command=f"python -m emorec.experiments.voice_sequence --architectures {name}",
        parts={
            f"seed_{seed}": measurement(seed, f"{architecture.title}, seed {seed}", {"seed": seed})
            for seed in seeds[1:]
        },
    )


def _facts(folder: Path) -> dict:
    """Return what one finished training wrote about itself."""
    return json.loads((folder / "training.json").read_text(encoding="utf-8"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is asked for; write the evidence of each architecture whose seeds are done."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--architectures", nargs="*", choices=ARCHITECTURES, default=list(ARCHITECTURES)
    )
    parser.add_argument("--seeds", nargs="*", type=int, choices=SEEDS, default=list(SEEDS))
    chosen = parser.parse_args(arguments)
    table = ravdess.load_sound_table()
    sounds = sounds_training.read_sounds(table)
    for seed in chosen.seeds:
        for name in chosen.architectures:
            train_and_predict(name, seed, table, sounds)
            folder = MODELS / QUESTION / ARCHITECTURES[name].folder
            if all((folder / "work" / f"seed_{s}" / "predictions.csv").exists() for s in SEEDS):
                found = write_results(name)["accuracy_of_seeds"]
                print(f"{name}: {found['mean']:.1%} over {len(SEEDS)} seeds", flush=True)


if __name__ == "__main__":
    run_main(main)
