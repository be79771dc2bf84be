"""Timers of networks."""

import shutil

from emorec.paths import MODELS
from emorec.training import costs as costs_training


def test_the_fastest_of_several_rounds_counts():
    seconds = iter([0.0, 0.5, 1.0, 1.25, 2.0, 3.0])
    work = []
    took_ms = costs_training.fastest_ms(
        lambda: work.append("done"), rounds=3, clock=lambda: next(seconds)
    )
    assert took_ms == 250
    assert len(work) == 3


def test_every_committed_network_is_timed(tmp_path):
    folder = tmp_path / "geometry"
    shutil.copytree(MODELS / "geometry", folder)
    (found,) = costs_training.time_models(tmp_path).items()
    assert found[0] == "geometry"
    assert 0 < found[1] < 1000
