"""What lets a training that was killed go on."""

from __future__ import annotations

import shutil
import warnings
import zlib
from pathlib import Path

import keras

from emorec.errors import OutputError
from emorec.files import write_atomically

__all__ = ["Backup", "epochs_reached", "forget_backup", "save_trained", "save_weights"]

_FOLDER = "backup"
_KEPT = 2
_CHUNK_BYTES = 1 << 20
_MOST_DRAWS_PER_EPOCH = 1 << 20


class Backup(keras.callbacks.Callback):
    """Keeps the state of a training after each epoch, and begins from what is kept.

    A state is one file, whose name tells its epoch and its checksum, so that half a file is never
    taken for a whole one. The one before the newest is kept too, for when the newest is damaged.

    Dropout goes on with patterns that were not drawn before. If they came back (Keras keeps no
    random state with weights), the network would know them again: by one step it learns an answer
    from the pattern that it was shown with, whatever the picture.

    Args:
        work_folder: Holds the states in `backup/` and the learning curve, `history.csv`, which
            is cut back to the epochs that the state has seen.
    """

    def __init__(self, work_folder: Path):
        super().__init__()
        self._folder = Path(work_folder) / _FOLDER
        self._history = Path(work_folder) / "history.csv"

    def on_train_begin(self, logs=None):
        """Take over the newest state that is whole.

        Raises:
            OutputError: When it is the state of another network.
        """
        for left in self._folder.glob(".part-*"):
            left.unlink()
        file = _newest_whole(self._folder)
        if file is not None:
            self._load(file)
        reached = _epoch_of(file) if file is not None else 0
        _draw_on(self.model, reached)
        # As Keras's own callback for this does: `fit` has no other way to be told.
        self.model._initial_epoch = reached
        _cut_history(self._history, reached)

    def _load(self, file: Path) -> None:
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        try:
            self.model.load_weights(file)
        except (OSError, ValueError, KeyError) as error:
            reason = "it is the backup of another network or recipe"
            raise OutputError(file, reason, f"delete the folder {self._folder}") from error

    def on_epoch_end(self, epoch, logs=None):
        """Keep the state that is reached, and the one before it."""
        plain = self._folder / f"epoch_{epoch + 1:05d}.weights.h5"
        write_atomically(plain, lambda name: save_weights(self.model, name))
        plain.replace(_named(plain))
        for old in _states(self._folder)[:-_KEPT]:
            old.unlink()


def epochs_reached(work_folder: Path) -> int:
    """Return how many epochs the newest whole state has seen that `Backup` kept; 0 without any.

    What draws at random besides the network's own layers can go on from there with new draws.
    """
    file = _newest_whole(Path(work_folder) / _FOLDER)
    return _epoch_of(file) if file is not None else 0


def _draw_on(network: keras.Model, epochs: int) -> None:
    """Have layers that draw at random leave out what so many epochs may have drawn."""
    for state in network.variables:
        if state.name == "seed_generator_state":
            seed, draws = keras.ops.convert_to_numpy(state)
            state.assign([seed, draws + epochs * _MOST_DRAWS_PER_EPOCH])


def save_weights(network: keras.Model, name: str) -> None:
    """Save weights under any name; `write_atomically` gives one."""
    file = f"{name}.weights.h5"  # Keras takes no other ending
    network.save_weights(file)
    Path(file).replace(name)


def save_trained(network: keras.Model, file: Path) -> None:
    """Save a finished network as a whole; only then does its backup go."""
    file = Path(file)
    write_atomically(file, network.save)
    forget_backup(file.parent)


def forget_backup(work_folder: Path) -> None:
    """Delete the states of a training whose result is kept."""
    shutil.rmtree(Path(work_folder) / _FOLDER, ignore_errors=True)


def _states(folder: Path) -> list[Path]:
    """Return the states, oldest first; those that were being named are not among them."""
    return sorted(folder.glob("epoch_*-*.weights.h5"))


def _newest_whole(folder: Path) -> Path | None:
    for file in reversed(_states(folder)):
        if _checksum(file) == _stated_checksum(file):
            return file
        warnings.warn(f"{file} is damaged; the backup before it is taken", stacklevel=2)
    return None


def _epoch_of(file: Path) -> int:
    return int(file.name[len("epoch_") :].partition("-")[0])


def _stated_checksum(file: Path) -> str:
    return file.name.partition("-")[2].partition(".")[0]


def _named(plain: Path) -> Path:
    """Return the name of a state with its checksum."""
    epoch = plain.name.partition(".")[0]
    return plain.with_name(f"{epoch}-{_checksum(plain)}.weights.h5")


def _checksum(file: Path) -> str:
    found = 0
    with file.open("rb") as opened:
        while piece := opened.read(_CHUNK_BYTES):
            found = zlib.crc32(piece, found)
    return f"{found:08x}"


def _cut_history(file: Path, epochs: int) -> None:
    """Leave only the epochs that were reached in a learning curve; a cut line goes too."""
    if not file.exists():
        return
    head, *rows = file.read_text(encoding="utf-8").splitlines(keepends=True) or [""]
    kept = [row for row in rows[:epochs] if row.endswith("\n")]
    if len(kept) < len(rows):
        text = "".join([head, *kept]) if kept else ""
        write_atomically(file, lambda name: Path(name).write_text(text, encoding="utf-8"))
