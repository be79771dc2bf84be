"""Fit a network with the project's one recipe: AdamW, warm-up, cosine, averaged weights."""

from __future__ import annotations

import copy
import functools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from emorec.files import write_atomically, write_json
from emorec.training.backup import Backup, epochs_reached, save_trained
from emorec.training.own_folder import own_folder


@functools.cache
def _has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16; imitating it takes three times as long."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", " bf16"))


def training_precision() -> None:
    """Have what is built from now on train in bfloat16: half the time for convolutions.

    In float32 where the processor has no bfloat16.
    """
    keras.mixed_precision.set_dtype_policy(_at_hand("mixed_bfloat16"))


@contextmanager
def precision(policy: str) -> Iterator[None]:
    """Have what is built inside compute as `policy` says: `float32` or `mixed_bfloat16`.

    In float32 in any case where the processor has no bfloat16.
    """
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(_at_hand(policy))
    try:
        yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def _at_hand(policy: str) -> str:
    return policy if policy == "float32" or _has_bfloat16() else "float32"


_STEPS_WORTH_A_TRACE = 8
"""A traced step is faster; to trace it takes as long as about twenty that are not."""


def is_too_short_to_trace(steps: int) -> bool:
    """Whether a training of so few steps is over sooner if no graph is made of its step."""
    return steps < _STEPS_WORTH_A_TRACE


def one_hot(emotions: Iterable[str], classes: Sequence[str]) -> np.ndarray:
    """Return targets, float32 (n, classes).

    Raises:
        ValueError: If an emotion is none of the classes.

    Example:
        >>> one_hot(["sad"], ("happy", "sad")).tolist()
        [[0.0, 1.0]]
    """
    return np.eye(len(classes), dtype=np.float32)[[classes.index(name) for name in emotions]]


class AugmentedBatches(keras.utils.PyDataset):
    """Shuffled batches that are augmented anew each time they are drawn.

    Args:
        length: Number of examples.
        make_batch: Called with (rng, indices); returns what `fit` takes as a batch:
            (inputs, targets) or (inputs, targets, sample_weights).
        batch_size: Examples per batch; an incomplete last batch is left out.
        seed: Seed of the order and of the augmentation.
    """

    def __init__(self, length: int, make_batch: Callable, batch_size: int, seed: int):
        super().__init__()
        self._length, self._make_batch, self._batch_size = length, make_batch, batch_size
        self._seed = seed
        self.draw_on(0)

    def draw_on(self, epochs: int) -> None:
        """Draw what was not drawn in so many epochs: for a training that goes on."""
        self._rng = np.random.default_rng([self._seed, epochs] if epochs else self._seed)
        self._order = self._rng.permutation(self._length)

    def __len__(self):
        return max(1, self._length // self._batch_size)

    def __getitem__(self, index):
        start = index * self._batch_size
        return self._make_batch(self._rng, self._order[start : start + self._batch_size])

    def example(self) -> tuple:
        """Return a batch of one example; what is drawn for training stays the same."""
        return self._make_batch(copy.deepcopy(self._rng), self._order[:1])

    def on_epoch_end(self):
        """Draw a new order."""
        self._order = self._rng.permutation(self._length)


def build_variables(network: keras.Model, inputs, targets, weights=None) -> None:
    """Make the variables of a compiled network's optimiser, loss and metrics.

    Without this Keras makes them while it traces the first step, and then traces that step once
    more: seconds for each training. What is learned is the same to the last bit.

    Args:
        network: Compiled, not yet trained.
        inputs: As `fit` takes them; one example is enough.
        targets: Theirs.
        weights: Theirs, where the training has any.
    """
    network.optimizer.build(network.trainable_variables)
    posteriors = network(inputs, training=False)
    network.compute_loss(inputs, targets, posteriors, weights)
    network.compute_metrics(inputs, targets, posteriors, weights)
    network.reset_metrics()


class _LogLine(keras.callbacks.Callback):
    """Prints one short line per epoch, for logs that people follow."""

    def on_epoch_begin(self, epoch, logs=None):
        self._start_s = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        numbers = " ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items())
        seconds = time.perf_counter() - self._start_s
        print(f"epoch {epoch + 1}/{self.params['epochs']} {seconds:.0f} s {numbers}", flush=True)


def cosine_adamw(
    steps: int, learning_rate: float, weight_decay: float, average_over_steps: int = 500
) -> keras.optimizers.Optimizer:
    """Return AdamW with 5 % warm-up, cosine decay to zero and averaged weights.

    Args:
        steps: Length of the whole training.
        learning_rate: Peak.
        weight_decay: Decoupled decay (Loshchilov & Hutter 2019).
        average_over_steps: Time constant of the exponential average of the weights, which
            is what the trained model keeps.
    """
    warmup = max(1, steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 50, max(1, steps - warmup), warmup_target=learning_rate, warmup_steps=warmup
    )
    momentum = 1 - 1 / min(average_over_steps, max(10, steps // 10))
    return keras.optimizers.AdamW(
        schedule,
        weight_decay=weight_decay,
        global_clipnorm=5.0,
        use_ema=True,
        ema_momentum=momentum,
    )


@dataclass(frozen=True)
class Objective:
    """What a training minimises, and what is watched meanwhile.

    Attributes:
        loss: Keras loss, or one per output.
        weight_decay: Decoupled decay of AdamW.
        metrics: Keras metrics, or some per output.
        validation: (inputs, targets) to watch; never used to choose an epoch.
        validation_every_epochs: How often to watch it.
        callbacks: Further ones.
    """

    loss: keras.losses.Loss | Mapping[str, keras.losses.Loss]
    weight_decay: float
    metrics: Sequence | Mapping[str, Sequence] = ("accuracy",)
    validation: tuple | None = None
    validation_every_epochs: int = 1
    callbacks: Sequence[keras.callbacks.Callback] = ()


def fit(
    model: keras.Model,
    batches: AugmentedBatches,
    work_folder: Path,
    objective: Objective,
    *,
    epochs: int,
    learning_rate: float,
) -> None:
    """Train `model` in place; a run that is cut short goes on where it stopped.

    Args:
        model: The network; compiled here.
        batches: Training batches.
        work_folder: Holds `history.csv`, and `backup/` until the network is saved by
            `emorec.training.backup.save_trained`.
        objective: What is minimised.
        epochs: Passes over the batches.
        learning_rate: Peak of the cosine schedule.

    Raises:
        OutputError: If another training is at work in the folder, or another one left its backup.
    """
    work_folder = Path(work_folder)
    steps = epochs * len(batches)
    model.compile(
        cosine_adamw(steps, learning_rate, objective.weight_decay),
        loss=objective.loss,
        metrics=objective.metrics,
        run_eagerly=is_too_short_to_trace(steps),
        jit_compile=False,
    )
    build_variables(model, *batches.example())
    with own_folder(work_folder):
        batches.draw_on(epochs_reached(work_folder))
        model.fit(
            batches,
            epochs=epochs,
            verbose=0,
            validation_data=objective.validation,
            validation_freq=objective.validation_every_epochs,
            callbacks=[
                Backup(work_folder),
                keras.callbacks.CSVLogger(str(work_folder / "history.csv"), append=True),
                keras.callbacks.TerminateOnNaN(),
                _LogLine(),
                *objective.callbacks,
            ],
        )


@dataclass(frozen=True)
class Cycle:
    """One cosine cycle of a training (warm restarts, Loshchilov & Hutter 2017).

    Attributes:
        epochs: Passes over the batches.
        learning_rate: Peak.
        dropout: What the network is built with for this cycle.
    """

    epochs: int
    learning_rate: float
    dropout: float


def fit_cycles(
    build: Callable[[float], keras.Model],
    make_batches: Callable[[int], AugmentedBatches],
    cycles: Sequence[Cycle],
    work_folder: Path,
    objective: Objective,
) -> keras.Model:
    """Train through several cycles; finished ones are read from `work_folder`.

    Args:
        build: Builds the network for a dropout; later cycles take the weights reached over.
        make_batches: Gives the batches of cycle 0, 1, ...
        cycles: In order.
        work_folder: Holds `cycle_N/` and at the end `trained.keras`.
        objective: What is minimised.

    Returns:
        The trained network.

    Raises:
        OutputError: If another training is at work in the folder.
    """
    finished = Path(work_folder) / "trained.keras"
    if finished.exists():
        return keras.saving.load_model(finished)
    with own_folder(work_folder):
        network = None
        for index, cycle in enumerate(cycles):
            folder = Path(work_folder) / f"cycle_{index + 1}"
            reached = folder / "trained.keras"
            if reached.exists():
                network = keras.saving.load_model(reached)
                continue
            start, network = network, build(cycle.dropout)
            if start is not None:
                network.set_weights(start.get_weights())
            fit(
                network,
                make_batches(index),
                folder,
                objective,
                epochs=cycle.epochs,
                learning_rate=cycle.learning_rate,
            )
            save_trained(network, reached)
        save_trained(network, finished)
    return network


@contextmanager
def training_clock(work_folder: Path) -> Iterator[None]:
    """Add the processor's minutes spent inside to `minutes.json`, also where Ctrl-C cuts a run.

    What else the machine does leaves them alone; several cores' minutes are added up.

    Raises:
        OutputError: If another training is at work in the folder.
    """
    file = Path(work_folder) / "minutes.json"
    start_s = time.process_time()
    with own_folder(work_folder):
        try:
            yield
        finally:
            spent = (time.process_time() - start_s) / 60
            write_json(file, {"training_minutes": training_minutes(work_folder) + spent})


def training_minutes(work_folder: Path) -> float:
    """Return the minutes that `training_clock` has counted; 0 without any."""
    file = Path(work_folder) / "minutes.json"
    if not file.exists():
        return 0.0
    return json.loads(file.read_text(encoding="utf-8"))["training_minutes"]


def cycle_histories(work_folder: Path) -> pd.DataFrame:
    """Return the learning curves of one training, its cycles' epochs counted on."""
    parts, before = [], 0
    for file in sorted(Path(work_folder).glob("cycle_*/history.csv")):
        history = pd.read_csv(file)
        parts.append(history.assign(epoch=history["epoch"] + before))
        before += len(history)
    return pd.concat(parts, ignore_index=True)


def save_network(folder: Path, network: keras.Model) -> None:
    """Save `model.keras` and the same weights as `model.onnx` (batch size free)."""
    folder = Path(folder)
    shapes = [(1, *tensor.shape[1:]) for tensor in network.inputs]
    zeros = [np.zeros([n or 1 for n in shape], np.float32) for shape in shapes]
    network(zeros if len(zeros) > 1 else zeros[0])
    write_atomically(folder / "model.keras", network.save)
    write_atomically(
        folder / "model.onnx",
        lambda name: network.export(name, format="onnx", verbose=False),
    )


def load_finished(work: Path, remedy: str) -> keras.Model:
    """Return the network that a finished training left in its folder.

    Args:
        work: The training's folder.
        remedy: The command that trains it.

    Raises:
        FileNotFoundError: If it has not been trained here.
    """
    file = Path(work) / "trained.keras"
    if not file.exists():
        raise FileNotFoundError(f"{file}: this network is not there. Remedy: {remedy}")
    return keras.saving.load_model(file)
