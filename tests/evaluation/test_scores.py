"""Names, vocabularies, speaker-disjoint splits, and scores with their intervals."""

import numpy as np
import pandas as pd
import pytest

from emorec import emotions
from emorec.corpora import ravdess
from emorec.evaluation import model_card, splits
from emorec.evaluation import scores as evaluation

CLASSES = ("angry", "happy", "sad")


def make_predictions(truth, posterior, speakers=None):
    clips = pd.DataFrame({"clip_id": [f"c{i}" for i in range(len(truth))], "emotion": truth})
    clips["speaker"] = speakers if speakers is not None else [f"s{i}" for i in range(len(truth))]
    return evaluation.prediction_table(clips, np.asarray(posterior), CLASSES, 1)


def certain(verdicts):
    return np.eye(3)[[CLASSES.index(v) for v in verdicts]] * 0.97 + 0.01


@pytest.mark.parametrize("code, emotion", ravdess.EMOTION_CODES.items())
def test_ravdess_names_tell_the_emotion(code, emotion):
    facts = ravdess.parse_name(f"some/folder/01-01-{code}-02-02-01-05.mp4")
    assert facts["emotion"] == emotion
    assert emotion in emotions.RAVDESS8


def test_ravdess_names_tell_the_take():
    facts = ravdess.parse_name("03-02-06-01-02-01-12.wav")
    assert facts["clip_id"] == "02-06-01-02-01-12"
    assert facts["speaker"] == "ravdess-12"
    assert facts["gender"] == "female"
    assert facts["channel"] == "song"
    assert (facts["intensity"], facts["statement"], facts["repetition"]) == ("normal", 2, 1)
    video = ravdess.parse_name("01-02-06-01-02-01-12.mp4")
    assert video == facts, "the sound and the video of a take have one id"


@pytest.mark.parametrize(
    "name",
    [
        "holiday.mp4",
        "03-01-06-01-02-01.wav",
        "03-01-09-01-02-01-12.wav",
        "03-01-6-01-02-01-12.wav",
        "03-01-xx-01-02-01-12.wav",
        "",
    ],
)
def test_other_names_are_not_ravdess(name):
    assert ravdess.parse_name(name) is None


def test_folding_keeps_the_mass_and_sends_calm_to_neutral():
    posterior = np.random.default_rng(0).dirichlet(np.ones(8), 50)
    folded = emotions.fold(posterior, emotions.RAVDESS8, emotions.COMMON7)
    np.testing.assert_allclose(folded.sum(1), 1)
    calm, neutral = (emotions.RAVDESS8.index(n) for n in ("calm", "neutral"))
    np.testing.assert_allclose(
        folded[:, emotions.COMMON7.index("neutral")],
        posterior[:, calm] + posterior[:, neutral],
        rtol=1e-5,
    )


def test_a_class_without_a_place_is_dropped_and_the_rest_normalised():
    posterior = np.zeros(8)
    contempt, happy = (emotions.FERPLUS8.index(n) for n in ("contempt", "happy"))
    posterior[contempt], posterior[happy] = 0.5, 0.5
    folded = emotions.fold(posterior, emotions.FERPLUS8, emotions.COMMON7)
    assert folded[emotions.COMMON7.index("happy")] == pytest.approx(1)
    with pytest.raises(ValueError, match="no class"):
        emotions.fold_matrix(("joy",), emotions.COMMON7)


@pytest.mark.parametrize("blocks", [splits.RAVDESS_BLOCKS, splits.LUNA_FOLDS])
def test_every_actor_is_tested_once_and_never_trained_on_then(blocks):
    speakers = pd.Series([ravdess.speaker_name(a) for a in range(1, 25)] * 3)
    tested = np.zeros(len(speakers), int)
    for _, train, test in splits.speaker_folds(speakers, blocks):
        assert not set(speakers[train]) & set(speakers[test])
        assert (train ^ test).all()
        tested += test
    assert (tested == 1).all()


def test_a_speaker_in_two_blocks_is_an_error():
    speakers = pd.Series([ravdess.speaker_name(a) for a in (1, 2, 3)])
    with pytest.raises(splits.SpeakerLeakError, match="ravdess-02"):
        list(splits.speaker_folds(speakers, [(1, 2), (2, 3)]))


def test_a_leak_between_any_two_of_three_sides_is_named():
    with pytest.raises(splits.SpeakerLeakError, match="validation and test: b"):
        splits.check_disjoint(train=["a"], validation=["b"], test=["c", "b"])
    splits.check_disjoint(train=["a", "a"], validation=["b"], test=["c"])


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


def test_a_card_holds_the_numbers_and_what_a_reader_must_know():
    table = make_predictions(["sad", "sad", "happy"], certain(["angry", "sad", "happy"]))
    metrics = {
        "protocol": "Held-out speakers.",
        "command": "python -m this",
        "clips": 3,
        "units": 3,
        "bootstrapped_over": "speaker",
        "scores": evaluation.scores(table),
        "intervals_95": evaluation.intervals(table, resamples=20),
        "confusion": evaluation.confusion(table).to_numpy().tolist(),
        "classes": list(CLASSES),
    }
    card = model_card.render_card(model_card.CardText("A title", "What.", "Whose."), metrics)
    for part in ("# A title", "66.7", "| sad | 2 | 50.0", "angry (1)", "CC BY-NC-SA", "decisions"):
        assert part in card
