"""CNN, recurrent network and transformer of the voice at equal parameters and training time.

    python -m emorec.experiments.voice_sequence             # all nine trainings, about half an hour
    python -m emorec.experiments.voice_sequence --seeds 2   # one seed each; finished ones are read

RAVDESS speech by speaker: actors 1-16 train, 17-24 are judged, nothing is chosen on them. Each
training gets the same seconds of one processor core: the time of a step is measured, the epochs
follow from it, and the cosine schedule ends with the last of them.
"""

import argparse
import json
import shutil
import tempfile
import time
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
from emorec.files import write_json
from emorec.networks.voice import build_voice_network
from emorec.networks.voice_sequence import build_recurrent_network, build_transformer_network
from emorec.paths import MODELS
from emorec.training import sounds as sounds_training
from emorec.training import voice as voice_training
from emorec.training.costs import ms_per_clip
from emorec.training.fit import Cycle, precision
from emorec.training.folds import held_out, take

QUESTION = "comparisons/voice_sequence"
"""Where in `Models` the evidence goes."""
TRAIN_ACTORS = tuple(range(1, 17))
SEEDS = (1, 2, 3)
BUDGET_S = 150.0
PACE_STEPS = 50
LEARNING_RATE = 2e-3
DROPOUT = 0.3
PROTOCOL = (
    "RAVDESS speech (sound), 8 classes, actors 17-24 judged, trained on actors 1-16 from chance; "
    "about {budget_s:.0f} s of one processor core for each training, settings those of the voice "
    "CNN, nothing chosen on the actors judged; seed {seed} of {seeds}"
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
    """

    title: str
    folder: str
    build: Callable[..., keras.Model]
    dtype_policy: str


ARCHITECTURES = {
    "cnn": Architecture(
        "Voice CNN, equal time", "voice_cnn_equal", build_voice_network, "mixed_bfloat16"
    ),
    "recurrent": Architecture(
        "Voice GRU with attention, equal time",
        "voice_recurrent",
        build_recurrent_network,
        "float32",
    ),
    "transformer": Architecture(
        "Voice spectrogram transformer, equal time",
        "voice_transformer",
        build_transformer_network,
        "float32",
    ),
}


class TrainingClock(keras.callbacks.Callback):
    """Measures what the steps of a training take, making their batches included.

    The first step, in which the graph is built, does not count.

    Attributes:
        steps: Number of steps measured.
        processor_s: Seconds of processor time that they took.
        wall_s: Seconds that passed meanwhile.
    """

    def __init__(self):
        super().__init__()
        self.steps, self.processor_s, self.wall_s = -1, 0.0, 0.0
        self._start = (0.0, 0.0)

    def on_train_batch_end(self, batch, logs=None):
        """Take the time."""
        now = (time.process_time(), time.perf_counter())
        if self.steps < 0:
            self._start = now
        self.steps += 1
        self.processor_s, self.wall_s = (b - a for a, b in zip(self._start, now, strict=True))

    @property
    def ms_per_step(self) -> float:
        """Milliseconds of processor time of one step."""
        return 1e3 * self.processor_s / max(1, self.steps)


def split(speakers: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return bool masks (takes,): train, test."""
    train, test = is_actor(speakers, TRAIN_ACTORS), is_actor(speakers, LAST_ACTORS)
    check_disjoint(train=speakers[train], test=speakers[test])
    return train, test


def _train(name: str, table, sounds, work: Path, epochs: int, seed: int):
    """Train on the training actors; return the network and its clock."""
    architecture = ARCHITECTURES[name]
    train, _ = split(table["speaker"])
    clock = TrainingClock()
    training = voice_training.VoiceTraining(
        cycles=(Cycle(epochs, LEARNING_RATE, DROPOUT),),
        seed=seed,
        build=architecture.build,
        callbacks=(clock,),
    )
    with precision(architecture.dtype_policy):
        network = voice_training.train_voice_network(
            table[train], take(sounds, train), work, training
        )
    return network, clock


def pace_ms(name: str, table: pd.DataFrame, sounds: list[np.ndarray], work_folder: Path) -> float:
    """Return milliseconds of processor time that a training step takes; measured once.

    Args:
        name: One of ARCHITECTURES.
        table: All takes.
        sounds: Their samples, float32 at 16 kHz.
        work_folder: Keeps the measurement in `pace.json`.
    """
    file = Path(work_folder) / "pace.json"
    if not file.exists():
        train, _ = split(table["speaker"])
        epochs = 1 + PACE_STEPS // _steps_per_epoch(int(train.sum()))
        with tempfile.TemporaryDirectory() as trial:
            _, clock = _train(name, table, sounds, Path(trial), epochs, seed=0)
        write_json(file, {"ms_per_step": clock.ms_per_step})
    return json.loads(file.read_text(encoding="utf-8"))["ms_per_step"]


def epochs_within(budget_s: float, ms_per_step: float, takes: int) -> int:
    """Return how many epochs over so many takes fit into the budget; at least one.

    Example:
        >>> epochs_within(60.0, ms_per_step=50.0, takes=960)
        20
    """
    return max(1, int(1e3 * budget_s / ms_per_step / _steps_per_epoch(takes)))


def _steps_per_epoch(takes: int) -> int:
    return max(1, takes // voice_training.BATCH_SIZE)


def train_and_predict(
    name: str,
    seed: int,
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    models: Path = MODELS,
    budget_s: float = BUDGET_S,
    epochs: int | None = None,
) -> pd.DataFrame:
    """Train one architecture with one seed and predict actors 17-24; a finished one is read.

    Args:
        name: One of ARCHITECTURES.
        seed: Of initial weights, order and augmentation.
        table: All takes.
        sounds: Their samples, float32 at 16 kHz.
        models: Where the model's folder lies.
        budget_s: Seconds of one core.
        epochs: Their number, where it does not follow from the budget.

    Returns:
        The prediction table.
    """
    work = Path(models) / QUESTION / ARCHITECTURES[name].folder / "work"
    folder = work / f"seed_{seed}"
    train, test = split(table["speaker"])

    def predict() -> np.ndarray:
        # A training that was cut starts again: the time of its parts could not be told.
        shutil.rmtree(folder, ignore_errors=True)
        passes = epochs
        if passes is None:
            ms_per_step = pace_ms(name, table, sounds, work)
            passes = epochs_within(budget_s, ms_per_step, int(train.sum()))
        network, clock = _train(name, table, sounds, folder, passes, seed)
        heard = take(sounds, test)
        facts = {
            "epochs": passes,
            "training_minutes": round(clock.processor_s / 60, 2),
            "training_minutes_wall_clock": round(clock.wall_s / 60, 2),
            "ms_per_step": round(clock.ms_per_step, 1),
            "ms_per_clip": round(ms_per_clip(network, heard[0]), 2),
        }
        write_json(folder / "training.json", facts)
        return voice_training.clip_posteriors(network, heard)

    return held_out(table[train], table[test], predict, folder, RAVDESS8, fold="17-24")


def write_results(
    name: str, models: Path = MODELS, seeds: Sequence[int] = SEEDS, budget_s: float = BUDGET_S
) -> dict:
    """Write the evidence of one architecture from its finished trainings.

    The first seed's predictions are the model's; each further seed has its own table and entry.

    Args:
        name: One of ARCHITECTURES.
        models: Where the model's folder lies.
        seeds: All of them, finished.
        budget_s: Seconds of one core that each training had.

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
    }

    def measurement(seed: int, title: str, further: dict) -> Measurement:
        protocol = PROTOCOL.format(budget_s=budget_s, seed=seed, seeds=len(seeds))
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
