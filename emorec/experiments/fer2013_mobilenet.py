"""MobileNetV2 from scratch on FER-2013 in six classes, beside the small grey network.

    python -m emorec.experiments.fer2013_mobilenet --network mobilenet    # one of the two, then
    python -m emorec.experiments.fer2013_mobilenet --network small_grey

The project Emotion-Recognition-using-Facial-and-Speech-Features enlarges FER-2013 to 224x224, drops
disgust, thins happy, trains MobileNetV2 without pre-training, and gives 93 % on the pictures it
trained on, nothing else. Here it has full width at 96 pixels, and the small network gets the same
pictures, recipe and passes; both are judged on pictures they never saw. What an epoch at 224 pixels
would cost is measured, not trained. No weights are kept outside `Models/**/work`.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from emorec.corpora import fer2013
from emorec.corpora.fer2013 import training_rows
from emorec.emotions import COMMON7, FER2013_6
from emorec.errors import run_main
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import Measurement, read_predictions, write_evidence
from emorec.features.face import standardize_faces
from emorec.files import write_json, write_table
from emorec.networks.face import build_face_network, replace_heads
from emorec.networks.rebuilt import build_mobilenet_v2
from emorec.paths import MODELS
from emorec.streams.face import predict_faces
from emorec.training import augment
from emorec.training.costs import (
    TRAINING_STEPS,
    face_ms_and_size,
    measure_costs,
    training_ms_per_picture,
)
from emorec.training.fit import (
    AugmentedBatches,
    Cycle,
    Objective,
    cycle_histories,
    fit_cycles,
    precision,
)
from emorec.training.folds import LEAKING, held_out

QUESTION = "comparisons/fer2013"
"""Where in `Models` the evidence goes."""
SEED = 1
BATCH_SIZE = 64
FULL_SIZE_PX = 224
CLASSES = FER2013_6


@dataclass(frozen=True)
class Contender:
    """One of the two networks.

    Attributes:
        what: In words, for titles.
        build: Makes it from a dropout.
        dtype_policy: In what it trains faster on a processor: MobileNetV2's many thin layers gain
            nothing by bfloat16.
    """

    what: str
    build: Callable[[float], keras.Model]
    dtype_policy: str


def build_small_grey(dropout: float) -> keras.Model:
    """Build our face network with one head of six classes."""
    return replace_heads(build_face_network(dropout=dropout), len(CLASSES), dropout)


def build_mobilenet(dropout: float) -> keras.Model:
    """Build MobileNetV2 at full width, which enlarges faces to 96 pixels."""
    return build_mobilenet_v2(len(CLASSES), dropout=dropout)


CONTENDERS = {
    "mobilenet": Contender("MobileNetV2 from scratch, 96 px", build_mobilenet, "float32"),
    "small_grey": Contender(
        "the small grey network from scratch, 48 px", build_small_grey, "mixed_bfloat16"
    ),
}
CYCLE = Cycle(20, 1.5e-3, 0.2)
"""Of both; the learning rate falls to zero over it."""


class TimedBatches(AugmentedBatches):
    """Batches that note the processor time of every epoch, over all runs of a resumed training.

    Args:
        file: One number of seconds per line is appended to it.
        *settings: As `AugmentedBatches` takes them.
        **named: Likewise.
    """

    def __init__(self, file: Path, *settings, **named):
        super().__init__(*settings, **named)
        self._file, self._start_s = Path(file), time.process_time()
        self._file.parent.mkdir(parents=True, exist_ok=True)

    def on_epoch_end(self):
        """Note the time, draw a new order."""
        super().on_epoch_end()
        now_s = time.process_time()
        with self._file.open("a", encoding="utf-8") as lines:
            lines.write(f"{now_s - self._start_s:.2f}\n")
        self._start_s = now_s


def thin_happy(labels: pd.Series, rows: np.ndarray, seed: int = SEED) -> np.ndarray:
    """Keep as many happy faces as the next most frequent class has, drawn at random.

    Args:
        labels: Class of each picture.
        rows: bool (n,), the pictures to choose from.
        seed: Of the draw.

    Returns:
        bool (n,).

    Example:
        >>> thin_happy(pd.Series(["happy"] * 5 + ["sad"] * 2), np.ones(7, bool)).sum()
        np.int64(4)
    """
    happy = np.flatnonzero(rows & (labels == "happy").to_numpy())
    others = labels[rows & (labels != "happy").to_numpy()].value_counts()
    kept = rows.copy()
    if len(others) and len(happy) > others.max():
        spare = len(happy) - int(others.max())
        kept[np.random.default_rng(seed).choice(happy, spare, replace=False)] = False
    return kept


def six_class_rows(table: pd.DataFrame, pixels: np.ndarray):
    """Split as the face network's training does, without disgust, happy thinned where it trains.

    Returns:
        Three bool arrays (n,): train, validation, test.

    Raises:
        ValueError: If no training picture shows one of the six classes.
    """
    wanted = table["label"].isin(CLASSES).to_numpy()
    train, validation, test = (wanted & rows for rows in training_rows(table, pixels))
    train = thin_happy(table["label"], train)
    absent = sorted(set(CLASSES) - set(table["label"][train]))
    if absent:
        raise ValueError(
            f"no training picture of {', '.join(absent)}: a network cannot learn a class that it "
            "never sees. Remedy: use all of FER-2013, or fewer classes."
        )
    return train, validation, test


def train_contender(
    name: str, table: pd.DataFrame, pixels: np.ndarray, work: Path, cycle: Cycle = CYCLE
) -> keras.Model:
    """Train one of the two; a cut run goes on at its last finished epoch.

    Args:
        name: One of CONTENDERS.
        table: As `fer2013.load_fer2013` gives it.
        pixels: Likewise.
        work: For backup, history, times and the finished network.
        cycle: Of the learning rate.

    Returns:
        The trained network, in float32.
    """
    contender = CONTENDERS[name]
    train, validation, _ = six_class_rows(table, pixels)
    rows = np.flatnonzero(train)
    # A picture of disgust, which no side has, has a row of zeros.
    targets = fer2013.label_targets(table)[:, [COMMON7.index(name) for name in CLASSES]]
    keras.utils.set_random_seed(SEED)

    def make_batch(rng, indices):
        chosen = rows[indices]
        return standardize_faces(augment.augment_faces(rng, pixels[chosen])), targets[chosen]

    with precision(contender.dtype_policy):
        trained = fit_cycles(
            contender.build,
            lambda _: TimedBatches(work / "seconds.txt", len(rows), make_batch, BATCH_SIZE, SEED),
            [cycle],
            work,
            Objective(
                keras.losses.CategoricalCrossentropy(label_smoothing=0.05),
                weight_decay=0.02,
                validation=(standardize_faces(pixels[validation]), targets[validation]),
            ),
        )
    return in_float32(contender.build, trained)


def in_float32(build: Callable[[float], keras.Model], trained: keras.Model) -> keras.Model:
    """Return the same network in float32, to predict, export and time."""
    with precision("float32"):
        network = build(0.0)
    network.set_weights(trained.get_weights())
    return network


def run(
    name: str,
    table: pd.DataFrame,
    pixels: np.ndarray,
    models: Path = MODELS,
    cycle: Cycle = CYCLE,
) -> dict:
    """Train one network, predict validation and test pictures once, write the evidence.

    Returns:
        What `metrics.json` holds.
    """
    folder = Path(models) / QUESTION / f"fer2013_{name}"
    work = folder / "work"
    network = train_contender(name, table, pixels, work, cycle)
    train, validation, test = six_class_rows(table, pixels)
    named = table.assign(speaker="unknown", emotion=table["label"])
    for side, rows in {"validation": validation, "PublicTest": test}.items():
        held_out(
            named[train],
            named[rows],
            partial(
                predict_faces, partial(network.predict, batch_size=128, verbose=0), pixels[rows]
            ),
            work / side,
            CLASSES,
            side,
            apart=LEAKING,
        )
    if not (work / "costs.json").exists():
        # A trial, which trained for a step or two, is not timed for longer than that.
        steps = max(1, min(TRAINING_STEPS, int(train.sum()) // BATCH_SIZE))
        with precision(CONTENDERS[name].dtype_policy):
            to_train = CONTENDERS[name].build(cycle.dropout)
        costs = measure_costs(network, to_train, steps)
        write_json(work / "costs.json", costs)
    if name == "mobilenet" and not (work / "full_size.json").exists():
        write_json(work / "full_size.json", full_size_costs(int(train.sum())))
    return write_contender(folder, name, cycle, int(train.sum()), network.count_params())


def full_size_costs(training_pictures: int) -> dict[str, float]:
    """Measure MobileNetV2 as the other project trains it: 224 pixels, never trained, in float32.

    Args:
        training_pictures: How many an epoch has.

    Returns:
        Its parameters, ms per face and megabytes, processor ms per training picture, and the hours
        of an epoch that follow.
    """
    with precision("float32"):
        network = build_mobilenet_v2(len(CLASSES), size_px=FULL_SIZE_PX)
    took_ms, megabytes = face_ms_and_size(network)
    each_ms = training_ms_per_picture(network, batch_size=8)
    return {
        "size_px": FULL_SIZE_PX,
        "parameters": network.count_params(),
        "ms_per_face_onnx": round(took_ms, 2),
        "onnx_megabytes": round(megabytes, 2),
        "training_ms_per_picture": round(each_ms, 1),
        "hours_per_epoch": round(each_ms * training_pictures / 3.6e6, 2),
    }


def write_contender(
    folder: Path, name: str, cycle: Cycle, training_pictures: int, parameters: int
) -> dict:
    """Write the evidence of one network from its `work` folder; returns `metrics.json`."""
    work = folder / "work"
    watched = read_predictions(work / "validation")
    seconds = np.loadtxt(work / "seconds.txt", ndmin=1)
    costs = json.loads((work / "costs.json").read_text(encoding="utf-8"))
    full_size = work / "full_size.json"
    if full_size.exists():
        costs["full_size"] = json.loads(full_size.read_text(encoding="utf-8"))
    write_table(folder / "history.csv", cycle_histories(work))
    what = CONTENDERS[name].what
    protocol = (
        "FER-2013 PublicTest without disgust, 6 classes, Kaggle labels, mean over each face "
        f"and its mirror image; {what}, trained on Training without disgust, "
        "happy thinned to the next class, less every copy of a test or validation picture; "
        "5 % of Training validates; one seed; the corpus names no persons"
    )
    facts = {
        "seed": SEED,
        "cycle": asdict(cycle),
        "parameters": parameters,
        "training_pictures": training_pictures,
        "training_minutes": round(float(seconds.sum()) / 60, 2),
        "ms_per_clip": costs["ms_per_face_onnx"],
        "costs": costs,
        "validation": {
            "clips": len(watched),
            "scores": evaluation.scores(watched),
            "intervals_95": evaluation.intervals(watched, unit="clip_id"),
        },
    }
    metrics = write_evidence(
        folder,
        Measurement(
            read_predictions(work / "PublicTest"),
            protocol,
            f"FER-2013, six classes: {what}",
            "clip_id",
            facts,
        ),
        stream="face",
        command=f"python -m emorec.experiments.fer2013_mobilenet --network {name}",
    )
    print(
        f"{name}: validation {metrics['validation']['scores']['accuracy']:.1%}, "
        f"PublicTest {metrics['scores']['accuracy']:.1%}, "
        f"{metrics['training_minutes']} processor minutes",
        flush=True,
    )
    return metrics


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and evaluate the network asked for, or both."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", nargs="*", choices=CONTENDERS, default=list(CONTENDERS))
    chosen = parser.parse_args(arguments).network
    table, pixels = fer2013.load_fer2013()
    for name in chosen:
        run(name, table, pixels)


if __name__ == "__main__":
    run_main(main)
