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


def test_area_under_the_curve_counts_pairs_in_the_right_order_and_ties_as_half():
    truth = ["angry", "angry", "happy", "happy", "sad", "sad"]
    angry = [0.6, 0.3, 0.4, 0.2, 0.1, 0.3]  # of 8 pairs 6 in order, one the other way, one tied
    happy = [0.2, 0.3, 0.5, 0.6, 0.1, 0.1]
    sad = [0.2, 0.4, 0.1, 0.2, 0.8, 0.6]
    table = make_predictions(truth, np.transpose([angry, happy, sad]))
    assert evaluation.roc_auc(table) == pytest.approx((6.5 / 8 + 1 + 1) / 3)
    with pytest.raises(ValueError, match=r"0 of 4 clips are 'sad': no ROC curve\. Remedy"):
        evaluation.roc_auc(table[table["truth"] != "sad"])


def test_area_under_the_curve_is_that_of_each_class_against_the_rest():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    posterior = rng.dirichlet(np.ones(3), 200).round(2)  # rows need not sum to one
    truth = rng.choice(CLASSES, 200)
    each = [roc_auc_score(truth == c, posterior[:, i]) for i, c in enumerate(CLASSES)]
    found = evaluation.roc_auc(make_predictions(truth, posterior))
    assert found == pytest.approx(np.mean(each), abs=1e-12)


def test_the_curve_of_somebodys_labels_is_over_the_classes_that_occur():
    rng = np.random.default_rng(1)
    table = make_predictions(rng.choice(CLASSES, 60), rng.dirichlet(np.ones(3), 60).round(1))
    whole = evaluation.auc_of_those_that_occur(table)
    assert whole == pytest.approx(evaluation.roc_auc(table), abs=1e-12)  # by another way
    low, high = evaluation.auc_interval(table, resamples=200, unit="clip_id")
    assert 0 < low < whole < high < 1
    two = table[table["truth"] != CLASSES[0]]
    assert 0 < evaluation.auc_of_those_that_occur(two) < 1
    assert np.isnan(evaluation.auc_of_those_that_occur(table[table["truth"] == CLASSES[0]]))


def test_means_of_tables_are_geometric_and_follow_the_clips_names():
    first = make_predictions(["sad", "happy"], [[0.1, 0.1, 0.8], [0.2, 0.6, 0.2]])
    second = make_predictions(["sad", "happy"], [[0.1, 0.0, 0.9], [0.2, 0.2, 0.6]])
    mean = evaluation.mean_of_tables([first, second.iloc[::-1]])
    assert mean["clip_id"].tolist() == ["c0", "c1"]
    roots = np.sqrt([[0.01, 0.1 * evaluation.MEAN_FLOOR, 0.72], [0.04, 0.12, 0.12]])
    expected = roots / roots.sum(1, keepdims=True)
    np.testing.assert_allclose(mean[list(CLASSES)], expected, rtol=1e-9)


def test_bootstrap_samples_draw_each_unit_once_on_average_and_depend_on_the_seed():
    drawn = evaluation.resampled_units(5, resamples=4000, seed=3)
    assert drawn.shape == (4000, 5)
    counts = np.stack([np.bincount(row, minlength=5) for row in drawn])
    np.testing.assert_allclose(counts.mean(0), 1, atol=0.06)
    np.testing.assert_allclose(counts.var(0), 1 - 1 / 5, atol=0.08)
    np.testing.assert_array_equal(drawn, evaluation.resampled_units(5, 4000, 3))
    assert (drawn != evaluation.resampled_units(5, 4000, 4)).any()


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


def test_an_interval_is_that_of_the_scores_of_the_clips_that_were_drawn():
    rng = np.random.default_rng(5)
    truth = rng.choice(CLASSES, 60)
    speakers = [f"s{number}" for number in rng.integers(0, 7, 60)]
    table = make_predictions(truth, rng.dirichlet(np.ones(3), 60), speakers)
    of_speaker = [part for _, part in table.groupby("speaker")]
    drawn = evaluation.resampled_units(len(of_speaker), resamples=50, seed=3)
    each = pd.DataFrame([evaluation.scores(pd.concat([of_speaker[i] for i in d])) for d in drawn])
    found = evaluation.intervals(table, resamples=50, seed=3)
    for name in each:
        assert found[name] == pytest.approx(each[name].quantile([0.025, 0.975]).tolist())
