"""Training until validation no longer improves, in one go and in pieces."""

import keras
import numpy as np
import pandas as pd
import pytest

from emorec.training.patience import Patience, fit_until_stale, stopped_at


def small() -> keras.Model:
    keras.utils.set_random_seed(3)
    inputs = keras.layers.Input((6,))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inputs))


def made(count: int, seed: int):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, count)
    return (np.eye(6)[codes] + rng.normal(0, 0.6, (count, 6))).astype(np.float32), codes


def trained(work, patience: Patience) -> keras.Model:
    network = small()
    settings = {"batch_size": 16, "patience": patience, "seed": 1}
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
    assert sorted(file.name for file in tmp_path.iterdir()) == ["history.csv"]


def test_the_limit_ends_it_too(tmp_path):
    trained(tmp_path, Patience(50, 2))
    assert stopped_at(tmp_path)[0] == 2


def test_a_run_that_was_cut_goes_on_with_what_was_best(tmp_path, monkeypatch):
    saves = keras.Model.save_weights
    count = 0

    def cut(self, file, *more):
        nonlocal count
        count += 1
        if count == 5:
            raise KeyboardInterrupt
        return saves(self, file, *more)

    monkeypatch.setattr(keras.Model, "save_weights", cut)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, Patience(4, 200))
    reached, best_before = stopped_at(tmp_path)
    before = pd.read_csv(tmp_path / "history.csv")
    monkeypatch.undo()

    network = trained(tmp_path, Patience(4, 200))
    after = pd.read_csv(tmp_path / "history.csv")
    pd.testing.assert_frame_equal(after[: reached - 1], before[: reached - 1])
    epochs, best = stopped_at(tmp_path)
    assert epochs == best + 4
    assert after["epoch"].tolist() == list(range(epochs))
    assert accuracy(network) == pytest.approx(after["val_accuracy"].max())
    assert best >= best_before
