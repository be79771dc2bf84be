"""Train until the validation side no longer gets better; a run that is cut goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from emorec.files import write_atomically
from emorec.training.backup import Backup, epochs_reached, forget_backup, save_weights
from emorec.training.fit import build_variables, is_too_short_to_trace
from emorec.training.own_folder import own_folder

__all__ = ["Patience", "fit_until_stale", "stopped_at"]

_WATCHED, _WITHOUT_VALIDATION = "val_accuracy", "accuracy"


@dataclass(frozen=True)
class Patience:
    """When a training ends.

    Attributes:
        epochs: How many epochs it goes on without a better validation accuracy.
        at_most: Most epochs in all.
    """

    epochs: int
    at_most: int


class _BestEpoch(keras.callbacks.Callback):
    """Keeps the weights of the best epoch beside `history.csv`; ends a training that is stale.

    What was best is read from the learning curve, so that a run that goes on knows it too. The
    first of several epochs that are equally good counts.
    """

    def __init__(self, work_folder: Path, patience: int):
        super().__init__()
        self._folder, self._patience = Path(work_folder), patience

    def on_train_begin(self, logs=None):
        """Take over what the learning curve says; `Backup` has cut it to what was reached."""
        self._watched = _watched(self._folder)
        known = {_best_file(self._folder, epoch) for epoch in self._watched}
        for file in {*_best_files(self._folder), *self._folder.glob(".part-*")} - known:
            file.unlink()
        if self._watched and self._is_stale():
            # As `Backup` does: `fit` has no other way to be told that nothing is left to train.
            self.model._initial_epoch = self.params["epochs"]

    def on_epoch_end(self, epoch, logs=None):
        """Keep the weights where they are the best so far, and the best before them."""
        before = max(self._watched.values(), default=-np.inf)
        self._watched[epoch + 1] = logs.get(_WATCHED, logs[_WITHOUT_VALIDATION])
        if self._watched[epoch + 1] > before:
            file = _best_file(self._folder, epoch + 1)
            write_atomically(file, lambda name: save_weights(self.model, name))
            for old in _best_files(self._folder)[:-2]:
                old.unlink()
        self.model.stop_training |= self._is_stale()

    def _is_stale(self) -> bool:
        return max(self._watched) - _best(self._watched) >= self._patience


def fit_until_stale(
    network: keras.Model,
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    work_folder: Path,
    *,
    batch_size: int,
    patience: Patience,
    seed: int,
) -> None:
    """Train with Adam at 1e-3 until validation accuracy stays behind its best; take that epoch.

    Args:
        network: Trained in place; ends with a softmax.
        train: Inputs (n, ...) and classes (n,).
        validation: Likewise; where it is empty, the training's own accuracy is watched.
        work_folder: Holds `history.csv`, and meanwhile the state reached and the best weights.
        batch_size: Examples per step.
        patience: When it ends.
        seed: Of order and dropout; a run that goes on draws anew.

    Raises:
        OutputError: If another training is at work in the folder, or another one left its backup.
        FloatingPointError: If the loss is no number any more.
    """
    work_folder = Path(work_folder)
    finished = work_folder / "trained.weights.h5"
    if finished.exists():
        network.load_weights(finished)
        return
    network.compile(
        keras.optimizers.Adam(1e-3),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        run_eagerly=is_too_short_to_trace(patience.at_most * len(train[0]) // batch_size),
        jit_compile=False,
    )
    build_variables(network, train[0][:1], train[1][:1])
    backup = Backup(work_folder)
    backup.set_model(network)
    with own_folder(work_folder):
        keras.utils.set_random_seed(seed + epochs_reached(work_folder))  # no order comes back
        network.fit(
            *train,
            batch_size=batch_size,
            epochs=patience.at_most,
            validation_data=validation,
            callbacks=[
                # First at the beginning, last after each epoch: a state that is kept has its line
                # in the learning curve.
                keras.callbacks.LambdaCallback(on_train_begin=backup.on_train_begin),
                keras.callbacks.TerminateOnNaN(),
                _BestEpoch(work_folder, patience.epochs),
                keras.callbacks.CSVLogger(str(work_folder / "history.csv"), append=True),
                keras.callbacks.LambdaCallback(on_epoch_end=backup.on_epoch_end),
            ],
            verbose=0,
        )
        if not np.isfinite(pd.read_csv(work_folder / "history.csv")["loss"]).all():
            raise FloatingPointError(f"{work_folder}: the loss is no number any more")
        _, best = stopped_at(work_folder)
        network.load_weights(_best_file(work_folder, best))
        write_atomically(finished, lambda name: save_weights(network, name))
        forget_backup(work_folder)
        for file in _best_files(work_folder):
            file.unlink()


def stopped_at(work_folder: Path) -> tuple[int, int]:
    """Return how many epochs a training took, and which of them (from 1) was the best."""
    watched = _watched(work_folder)
    return max(watched), _best(watched)


def _watched(work_folder: Path) -> dict[int, float]:
    """Return epoch, counted from 1 -> validation accuracy, or the training's without any."""
    file = Path(work_folder) / "history.csv"
    if not file.exists() or not file.stat().st_size:
        return {}
    history = pd.read_csv(file)
    # Keras writes the column in any case, empty where nothing was watched.
    watched = history[_WATCHED].fillna(history[_WITHOUT_VALIDATION])
    return dict(zip(history["epoch"] + 1, watched, strict=True))


def _best(watched: dict[int, float]) -> int:
    return max(watched, key=watched.__getitem__)


def _best_file(work_folder: Path, epoch: int) -> Path:
    return Path(work_folder) / f"best_{epoch:05d}.weights.h5"


def _best_files(work_folder: Path) -> list[Path]:
    """Return them, oldest first."""
    return sorted(Path(work_folder).glob("best_*.weights.h5"))
