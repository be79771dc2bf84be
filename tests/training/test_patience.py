"""Training until validation no longer improves, in one go and in pieces."""

import keras
import numpy as np
import pandas as pd
import pytest

from emorec.training import patience
from emorec.training.patience import Patience, fit_until_stale, stopped_at


def small() -> keras.Model:
    keras.utils.set_random_seed(3)
    inputs = keras.layers.Input((6,))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inputs))


def made(count: int, seed: int):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, count)
    return (np.eye(6)[codes] + rng.normal(0, 0.6, (count, 6))).astype(np.float32), codes


def trained(work, ends: Patience) -> keras.Model:
    network = small()
    settings = {"batch_size": 16, "patience": ends, "seed": 1}
    fit_until_stale(network, made(160, 1), made(90, 2), work, **settings)
    return network


def accuracy(network: keras.Model) -> float:
    inputs, codes = made(90, 2)
    return float((network.predict(inputs, verbose=0).argmax(1) == codes).mean())


def test_ends_when_stale_and_takes_the_best_epoch(tmp_path):
    network = trained(tmp_path, Patience(3, 200))
    watched = pd.read_csv(tmp_path / "history.csv")["val_accuracy"]
    epochs, best = stopped_at(tmp_path)
    assert epochs == len(watched) == best + 3 < 200
    assert watched[best - 1] == watched.max()
    assert accuracy(network) == pytest.approx(watched.max())
    left = sorted(file.name for file in tmp_path.iterdir())
    assert left == ["history.csv", "trained.weights.h5"]
    read = trained(tmp_path, Patience(3, 200))
    for one, other in zip(read.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert stopped_at(tmp_path) == (epochs, best)


def test_the_limit_ends_it_too(tmp_path):
    trained(tmp_path, Patience(50, 2))
    assert stopped_at(tmp_path)[0] == 2


@pytest.mark.parametrize("at", range(1, 7))
def test_a_run_that_was_cut_goes_on_with_what_was_best(tmp_path, monkeypatch, at):
    whole = tmp_path / "whole"
    trained(whole, Patience(3, 8))
    saves, count = keras.Model.save_weights, 0

    def cut(self, file, *more):
        nonlocal count
        count += 1
        if count == at:
            raise KeyboardInterrupt
        return saves(self, file, *more)

    monkeypatch.setattr(keras.Model, "save_weights", cut)
    work = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        trained(work, Patience(3, 8))
    monkeypatch.undo()

    network = trained(work, Patience(3, 8))
    history = pd.read_csv(work / "history.csv")
    assert history["epoch"].tolist() == list(range(len(history)))
    epochs, best = stopped_at(work)
    assert epochs == min(8, best + 3)
    assert accuracy(network) == pytest.approx(history["val_accuracy"].max())
    names = sorted(file.name for file in work.iterdir())
    assert names == ["history.csv", "trained.weights.h5"]


def test_what_was_stale_is_not_trained_on(tmp_path, monkeypatch):
    def cut(work_folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(patience, "forget_backup", cut)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, Patience(3, 200))
    before = stopped_at(tmp_path)
    (tmp_path / "trained.weights.h5").unlink()  # as if it was cut before that was written
    monkeypatch.undo()
    network = trained(tmp_path, Patience(3, 200))
    assert stopped_at(tmp_path) == before
    best = pd.read_csv(tmp_path / "history.csv")["val_accuracy"].max()
    assert accuracy(network) == pytest.approx(best)


def test_a_loss_that_is_no_number_is_told(tmp_path):
    inputs, codes = made(160, 1)
    inputs[0] = np.nan
    network, settings = small(), {"batch_size": 16, "patience": Patience(3, 9), "seed": 1}
    with pytest.raises(FloatingPointError, match="no number"):
        fit_until_stale(network, (inputs, codes), made(90, 2), tmp_path, **settings)


def test_without_validation_the_training_itself_is_watched(tmp_path):
    network, nobody = small(), (np.zeros((0, 6), np.float32), np.zeros(0, int))
    settings = {"batch_size": 16, "patience": Patience(3, 4), "seed": 1}
    fit_until_stale(network, made(160, 1), nobody, tmp_path, **settings)
    own = pd.read_csv(tmp_path / "history.csv")["accuracy"]
    assert stopped_at(tmp_path) == (len(own), int(own.argmax()) + 1)


def test_a_run_that_goes_on_draws_anew(tmp_path, monkeypatch):
    """Else dropout's patterns would come back, by each of which one step learns an answer."""
    shown, codes = np.ones((192, 3000), np.float32), np.random.default_rng(0).integers(0, 6, 192)
    epochs_in_one_go = 3

    def train(at_most):
        keras.utils.set_random_seed(3)
        inputs = keras.layers.Input((3000,))
        hidden = keras.layers.Dense(128)(keras.layers.Dropout(0.5)(inputs))
        hidden = keras.layers.Activation("elu")(keras.layers.BatchNormalization()(hidden))
        network = keras.Model(inputs, keras.layers.Dense(6, activation="softmax")(hidden))
        settings = {"batch_size": 64, "patience": Patience(99, at_most), "seed": 1}
        fit_until_stale(network, (shown, codes), (shown, codes), tmp_path, **settings)

    def cut(work_folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(patience, "forget_backup", cut)
    with pytest.raises(KeyboardInterrupt):
        train(epochs_in_one_go)
    (tmp_path / "trained.weights.h5").unlink()
    train_accuracy = pd.read_csv(tmp_path / "history.csv")["accuracy"]
    assert train_accuracy.max() < 0.4, "every input is the same: there is nothing to be learned"
    monkeypatch.undo()
    train(epochs_in_one_go + 1)
    train_accuracy = pd.read_csv(tmp_path / "history.csv")["accuracy"]
    assert len(train_accuracy) == epochs_in_one_go + 1
    assert train_accuracy.max() < 0.4


def test_the_order_of_examples_does_not_come_back(tmp_path, monkeypatch):
    seeds = []
    monkeypatch.setattr(keras.utils, "set_random_seed", seeds.append)
    monkeypatch.setattr(patience, "epochs_reached", lambda folder: 4)
    trained(tmp_path, Patience(3, 1))
    assert seeds[-1] == 1 + 4
