"""Timers of networks."""

from emorec.training import costs as costs_training


def test_the_fastest_of_several_rounds_counts():
    assert 0 <= costs_training.fastest_ms(lambda: sum(range(100)), rounds=3) < 1000
