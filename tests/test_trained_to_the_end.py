"""No committed figure rests on a training that the clock ended."""

import json

import pandas as pd
import pytest

from emorec.experiments.classical import models as classical
from emorec.paths import MODELS


def all_metrics() -> dict[str, dict]:
    files = sorted(MODELS.glob("**/metrics.json"))
    return {
        file.parent.relative_to(MODELS).as_posix(): json.loads(file.read_text(encoding="utf-8"))
        for file in files
        if "work" not in file.relative_to(MODELS).parts
    }


WATCHED = {name: found for name, found in all_metrics().items() if "epochs_at_most" in found}


@pytest.mark.parametrize("name", sorted(WATCHED))
def test_validation_ended_the_training_and_not_a_limit(name):
    found, curve = WATCHED[name], pd.read_csv(MODELS / name / "history.csv")
    trained = found["epochs_trained"]
    if isinstance(trained, dict):  # one training for each fold or seed, with one patience
        column = "fold" if "fold" in curve else "seed"
        curves = {str(number): part for number, part in curve.groupby(column)}
    else:
        trained, curves = {"": trained}, {"": curve}
    patience = found.get("patience_epochs", classical.PATIENCE)
    assert {number: len(part) for number, part in curves.items()} == trained
    for part in curves.values():
        check_ended_by_validation(part, patience, found["epochs_at_most"])


def test_validation_ended_the_leaking_training_of_the_merged_corpora_too():
    name = "comparisons/speech_corpora/merged_voice_features"
    found, curve = WATCHED[name]["random"], pd.read_csv(MODELS / name / "history_random.csv")
    assert len(curve) == found["epochs_trained"]
    check_ended_by_validation(curve, found["patience_epochs"], found["epochs_at_most"])


def check_ended_by_validation(curve: pd.DataFrame, patience: int, at_most: int) -> None:
    best = int(curve["val_accuracy"].to_numpy().argmax())
    assert len(curve) - 1 - best == patience
    assert len(curve) < at_most


SCHEDULED = {name: found for name, found in all_metrics().items() if {"cycle", "cycles"} & {*found}}
"""Trainings whose learning rate falls to zero."""


@pytest.mark.parametrize("name", sorted(SCHEDULED))
def test_a_schedule_was_gone_through_to_its_end(name):
    found = SCHEDULED[name]
    curve = MODELS / name / "history.csv"
    if not curve.exists():
        pytest.skip("several trainings, whose curves are not kept")
    history = pd.read_csv(curve)
    if "run" in history:
        history = history[history["run"] == "all"]
    cycles = found["cycles"] if "cycles" in found else [found["cycle"]]
    assert len(history) == sum(cycle["epochs"] for cycle in cycles)
