"""Scores of prediction tables, with their intervals."""

import numpy as np
import pandas as pd
import pytest

from emorec.evaluation import scores as evaluation

CLASSES = ("angry", "happy", "sad")


def make_predictions(truth, posterior, speakers=None):
    clips = pd.DataFrame({"clip_id": [f"c{i}" for i in range(len(truth))], "emotion": truth})
    clips["speaker"] = speakers if speakers is not None else [f"s{i}" for i in range(len(truth))]
    return evaluation.prediction_table(clips, np.asarray(posterior), CLASSES, 1)


def certain(verdicts):
    return np.eye(3)[[CLASSES.index(v) for v in verdicts]] * 0.97 + 0.01


def test_confusion_has_the_truth_in_rows():
    table = make_predictions(["sad", "sad", "happy"], certain(["angry", "sad", "happy"]))
    counts = evaluation.confusion(table)
    assert counts.loc["sad", "angry"] == 1
    assert counts.loc["angry", "sad"] == 0
    assert counts.to_numpy().sum() == 3


def test_scores_by_hand():
    truth = ["angry", "angry", "angry", "happy", "sad"]
    table = make_predictions(truth, certain(["angry", "angry", "sad", "happy", "happy"]))
    found = evaluation.scores(table)
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["unweighted_average_recall"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert found["macro_f1"] == pytest.approx((0.8 + 2 / 3 + 0) / 3)
    assert found["top3_accuracy"] == 1
    assert found["expected_calibration_error"] == pytest.approx(0.98 - 0.6)


def test_scores_agree_with_scikit_learn():
    from sklearn import metrics

    rng = np.random.default_rng(1)
    truth, posterior = rng.choice(CLASSES, 300), rng.dirichlet(np.ones(3), 300)
    verdict = np.array(CLASSES)[posterior.argmax(1)]
    found = evaluation.scores(make_predictions(truth, posterior))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(truth, verdict, average="macro"))
    recall = metrics.balanced_accuracy_score(truth, verdict)
    assert found["unweighted_average_recall"] == pytest.approx(recall)


def test_a_truth_that_is_no_class_is_an_error():
    with pytest.raises(ValueError, match="bored"):
        evaluation.scores(make_predictions(["bored"], certain(["sad"])))


def test_calibrated_posteriors_have_a_small_error_and_overconfident_ones_a_large():
    rng = np.random.default_rng(2)
    posterior = rng.dirichlet(np.ones(3), 20_000)
    truth = (posterior.cumsum(1) > rng.random((len(posterior), 1))).argmax(1)
    assert evaluation.expected_calibration_error(truth, posterior) < 0.015
    sharper = posterior**3 / (posterior**3).sum(1, keepdims=True)
    assert evaluation.expected_calibration_error(truth, sharper) > 0.1


def test_intervals_are_bootstrapped_over_speakers():
    # Two kinds of speakers, all right or all wrong: clips within a speaker tell nothing new.
    speakers = np.repeat([f"s{i:02d}" for i in range(24)], 50)
    right = np.repeat(np.arange(24) % 2 == 0, 50)
    truth = ["sad"] * len(speakers)
    posterior = certain(np.where(right, "sad", "happy"))
    table = make_predictions(truth, posterior, speakers)
    low, high = evaluation.intervals(table)["accuracy"]
    assert low < 0.35 and high > 0.65
    low, high = evaluation.intervals(table, unit="clip_id")["accuracy"]
    assert low > 0.45 and high < 0.55
    assert evaluation.intervals(table) == evaluation.intervals(table)
