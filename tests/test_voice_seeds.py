"""More seeds of the voice: their mean and its fusion leave evidence that agrees with itself."""

import shutil

import numpy as np
import pandas as pd

from emorec import evaluation, train_voice_seeds
from emorec.corpora import REPOSITORY
from emorec.emotions import RAVDESS8
from emorec.evidence import load_evidence
from emorec.model_folder import read_predictions


def test_the_mean_of_tables_joins_by_clip():
    first = pd.DataFrame(
        [("a", "s", 1, "calm", 0.8, 0.2), ("b", "s", 1, "sad", 0.5, 0.5)],
        columns=["clip_id", "speaker", "fold", "truth", "calm", "sad"],
    )
    second = first.iloc[::-1].assign(calm=[0.1, 0.2], sad=[0.9, 0.8])
    mean = evaluation.mean_of_tables([first, second])
    np.testing.assert_allclose(mean["calm"], [0.5, 0.25])
    np.testing.assert_allclose(mean["calm"] + mean["sad"], 1)


def test_seeds_their_mean_and_its_fusion_are_written_as_evidence(tmp_path):
    for name in ("voice_2d_cnn", "geometry"):
        source = REPOSITORY / "Models" / name
        (tmp_path / name).mkdir()
        for file in ("predictions.csv", "metrics.json"):
            shutil.copy(source / file, tmp_path / name)
    one = read_predictions(tmp_path / "voice_2d_cnn")
    rng = np.random.default_rng(0)
    noisy = one[list(RAVDESS8)] * rng.uniform(0.5, 2, (len(one), len(RAVDESS8)))
    two = one.assign(**noisy.div(noisy.sum(1), axis=0)).sample(frac=1, random_state=1)
    metrics = train_voice_seeds.write_results({1: one, 2: two}, tmp_path)
    keys = {(e.folder.name, e.key) for e in load_evidence(tmp_path)}
    assert {("voice_seeds", ""), ("voice_seeds", "seed_2"), ("fusion_seeds", "")} <= keys
    accuracies = [evaluation.scores(table)["accuracy"] for table in (one, two)]
    assert metrics["accuracy_of_seeds"]["accuracies"] == accuracies
    fused = evaluation.scores(read_predictions(tmp_path / "fusion_seeds"))["accuracy"]
    assert fused > metrics["scores"]["accuracy"] > 0.5
