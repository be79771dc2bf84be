"""MobileNetV2 on FER-2013: the six-class rows, and a training that runs through and resumes."""

import numpy as np
import pandas as pd
import pytest

from emorec.avatar import synthetic
from emorec.emotions import COMMON7, FER2013_6
from emorec.experiments import fer2013_mobilenet as mobilenet
from emorec.training.fit import Cycle


def noise_faces(count, seed=0):
    """FER-2013's form with noise for faces, which is quicker to make than avatars."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"clip_id": [f"noise-{i:04d}" for i in range(count)]})
    table["usage"] = np.where(np.arange(count) % 5 == 4, "PublicTest", "Training")
    table["label"] = [COMMON7[i] for i in rng.integers(0, len(COMMON7), count)]
    return table, rng.integers(0, 256, (count, 48, 48)).astype(np.uint8)


def test_happy_is_thinned_to_the_next_class_and_disgust_is_gone():
    table, pixels = noise_faces(400)
    table.loc[:149, "label"] = "happy"
    train, validation, test = mobilenet.six_class_rows(table, pixels)
    counts = table["label"][train].value_counts()
    assert set(counts.index) == set(FER2013_6)
    assert counts["happy"] == counts.drop("happy").max()
    assert not (train & test).any() and not (train & validation).any()
    assert not table["label"][test].eq("disgust").any()


def test_a_class_without_training_pictures_is_refused_by_name():
    table, pixels = noise_faces(60)
    table["label"] = table["label"].replace("sad", "angry")
    with pytest.raises(ValueError, match=r"no training picture of sad.*Remedy"):
        mobilenet.six_class_rows(table, pixels)


def test_a_contender_is_trained_judged_and_resumed(tmp_path, monkeypatch):
    # What a network costs is measured elsewhere; here it would only take long.
    costs = {"ms_per_face_onnx": 1.0, "onnx_megabytes": 1.0, "training_ms_per_picture": 1.0}
    monkeypatch.setattr(mobilenet, "measure_costs", lambda *networks: costs)
    table, pixels = synthetic.synthetic_faces(70)
    cycle = Cycle(1, 1e-3, 0.2)
    first = mobilenet.run("small_grey", table, pixels, tmp_path, cycle)
    assert first["training_minutes"] > 0 and first["parameters"] > 1_000_000
    assert first["validation"]["clips"] > 0
    assert mobilenet.run("small_grey", table, pixels, tmp_path, cycle) == first
