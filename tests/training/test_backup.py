"""A killed training goes on from what is whole, and no two trainings share a folder."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from emorec.errors import OutputError
from emorec.training.backup import Backup, save_trained
from emorec.training.fit import AugmentedBatches, Objective, fit, training_clock
from emorec.training.folds import held_out
from emorec.training.own_folder import own_folder

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)


class Killed(BaseException):
    """The end of a process, as far as files can tell."""


def train(folder, epochs=6, killed_in=None, units=4, drawn=None):
    """Train a tiny network; returns it and the epochs that were trained.

    Args:
        folder: For the training.
        epochs: In all.
        killed_in: In which epoch it ends before its end.
        units: Of the network.
        drawn: A list that takes what each batch draws at random, and in which order.
    """
    drawn = [] if drawn is None else drawn

    def make_batch(rng, rows):
        drawn.append((rng.random(), *rows))
        return POINTS[rows], np.tile(POINTS[rows, :1], units)

    network = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(units)])
    trained = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == killed_in:
                raise Killed
            trained.append(epoch)

    fit(
        network,
        AugmentedBatches(64, make_batch, 16, 0),
        folder,
        Objective("mse", weight_decay=0.0, metrics=(), callbacks=[Watch()]),
        epochs=epochs,
        learning_rate=0.01,
    )
    return network, trained


@pytest.fixture
def cut(tmp_path):
    """The folder of a training that was killed in its fifth epoch."""
    with pytest.raises(Killed):
        train(tmp_path, killed_in=4)
    return tmp_path


def states(folder):
    return sorted((folder / "backup").iterdir())


def epochs_of(folder):
    return pd.read_csv(folder / "history.csv")["epoch"].tolist()


def test_the_two_newest_states_are_kept_until_the_network_is_saved(cut):
    assert [file.name[:11] for file in states(cut)] == ["epoch_00003", "epoch_00004"]
    network, trained = train(cut)
    assert trained == [4, 5]
    assert epochs_of(cut) == [0, 1, 2, 3, 4, 5]
    # Killed between the end of the training and the saving: nothing is trained again.
    again, trained = train(cut)
    assert trained == []
    for one, two in zip(network.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)
    save_trained(again, cut / "trained.keras")
    assert sorted(file.name for file in cut.iterdir()) == ["history.csv", "trained.keras"]


def test_no_batch_comes_back_in_a_training_that_goes_on(tmp_path):
    drawn, later = [], []
    with pytest.raises(Killed):
        train(tmp_path, killed_in=4, drawn=drawn)
    train(tmp_path, drawn=later)
    assert len(later) >= 8
    # The first of all is an example, of which the variables are made.
    assert not {*drawn[1:]} & {*later[1:]}


def test_layers_that_draw_do_not_draw_again_what_they_drew_before_the_cut(tmp_path):
    def network():
        keras.utils.set_random_seed(0)
        inputs = keras.layers.Input((2,))
        inner = keras.Sequential([inputs, keras.layers.Dropout(0.5), keras.layers.Dense(1)])
        outer = keras.layers.Input((2,))
        return keras.Model(outer, inner(keras.layers.GaussianNoise(0.1)(outer)))

    def draws(model):
        states = [v for v in model.variables if v.name == "seed_generator_state"]
        return {(v.path, int(v.numpy()[0])): int(v.numpy()[1]) for v in states}

    def compiled(model):
        model.compile("sgd", "mse", jit_compile=False)
        return model

    first = compiled(network())
    first.fit(POINTS, POINTS[:, :1], epochs=3, callbacks=[Backup(tmp_path)], verbose=0)
    assert len(draws(first)) == 2

    class Begun(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.draws = draws(self.model)

    begun, again = Begun(), compiled(network())
    again.fit(POINTS, POINTS[:, :1], epochs=4, callbacks=[Backup(tmp_path), begun], verbose=0)
    assert min(begun.draws.values()) > max(draws(first).values()) > 0
    assert sorted(seed for _, seed in begun.draws) == sorted(seed for _, seed in draws(first))


@pytest.mark.parametrize("damage", ["cut off", "changed", "empty"])
def test_a_damaged_state_gives_way_to_the_one_before(cut, damage):
    newest = states(cut)[-1]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 255
    damaged = {"cut off": content[:-100], "changed": content, "empty": b""}[damage]
    newest.write_bytes(damaged)
    with pytest.warns(UserWarning, match="damaged"):
        _, trained = train(cut)
    assert trained == [3, 4, 5]
    assert epochs_of(cut) == [0, 1, 2, 3, 4, 5], "no epoch stands there twice"


def test_without_a_whole_state_it_begins_anew(cut):
    for file in states(cut):
        file.write_bytes(b"half")
    with pytest.warns(UserWarning, match="damaged"):
        _, trained = train(cut)
    assert trained == list(range(6)) == epochs_of(cut)


def test_what_a_killed_process_left_half_written_is_no_state(cut):
    (cut / "backup" / ".part-left.h5.weights.h5").write_bytes(b"half")
    (cut / "backup" / "epoch_00005.weights.h5").write_bytes(b"not named yet")
    with (cut / "history.csv").open("a") as file:
        file.write("4,0.1")
    assert train(cut)[1] == [4, 5]
    assert epochs_of(cut) == [0, 1, 2, 3, 4, 5]


def test_a_state_of_another_network_is_refused_in_words(cut):
    with pytest.raises(OutputError, match=r"another network.*Remedy: delete the folder .*backup"):
        train(cut, units=3)


def test_a_network_is_saved_whole_or_not_at_all(tmp_path):
    class Half:
        def save(self, name):
            Path(name).write_bytes(b"half")
            raise OSError("no space")

    with pytest.raises(OSError):
        save_trained(Half(), tmp_path / "trained.keras")
    assert not list(tmp_path.iterdir())


def test_two_trainings_on_one_folder_are_told_and_a_dead_ones_hold_is_gone(tmp_path):
    code = (
        "import fcntl, os, sys; fd = os.open(sys.argv[1], os.O_RDONLY); "
        "fcntl.flock(fd, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout.readline() == b"held\n"
    table = pd.DataFrame({"clip_id": ["a"], "speaker": ["s"], "emotion": ["sad"]})
    sides = table.assign(speaker="t"), table

    def predict():
        return [[0.0, 1.0]]

    for use in (
        lambda: train(tmp_path),
        lambda: training_clock(tmp_path).__enter__(),
        lambda: held_out(*sides, predict, tmp_path, ("happy", "sad"), 1),
    ):
        with pytest.raises(OutputError, match=r"another training is at work.*Remedy: wait"):
            use()
    assert not list(tmp_path.iterdir())
    other.kill()
    other.wait()
    with own_folder(tmp_path):
        assert len(held_out(*sides, predict, tmp_path, ("happy", "sad"), 1)) == 1
