"""Scores by group, gaps, checks against chance, and calibration on a speaker."""

import numpy as np
import pandas as pd
import pytest

from emorec.analysis import bias, degradation, speaker_calibration
from emorec.avatar.synthetic import synthetic_landmarks
from emorec.corpora.ravdess import speaker_name
from emorec.engines import ModelSpec
from emorec.evaluation import scores as evaluation
from emorec.evaluation.scores import prediction_table

CLASSES = ("angry", "happy", "sad")


def make_predictions(accuracy_of, takes=60, seed=0):
    """Takes of `len(accuracy_of)` speakers, each right with the probability given."""
    rng = np.random.default_rng(seed)
    speakers = np.repeat([speaker_name(i + 1) for i in range(len(accuracy_of))], takes)
    truth = rng.choice(len(CLASSES), len(speakers))
    right = rng.random(len(speakers)) < np.repeat(accuracy_of, takes)
    verdict = np.where(right, truth, (truth + 1) % 3)
    clips = pd.DataFrame({"clip_id": [f"c{i}" for i in range(len(speakers))], "speaker": speakers})
    clips["emotion"] = np.array(CLASSES)[truth]
    return prediction_table(clips, 0.7 * np.eye(3)[verdict] + 0.1, CLASSES, 1)


def test_facts_come_from_the_names():
    facts = bias.ravdess_facts(pd.Series(["01-05-02-01-01-12", "01-01-01-02-01-03"]))
    assert facts["gender"].tolist() == ["female", "male"]
    assert facts["intensity"].tolist() == ["strong", "normal"]
    with pytest.raises(ValueError, match=r"holiday .*Remedy"):
        bias.ravdess_facts(pd.Series(["holiday"]))


def test_group_scores_by_hand():
    table = make_predictions([1.0, 0.0])
    found = bias.scores_by(table, table["speaker"])
    assert found["accuracy"].tolist() == [1.0, 0.0]
    assert found["confidence"].tolist() == pytest.approx([0.8, 0.8])
    assert found["calibration_error"].tolist() == pytest.approx([0.2, 0.8])
    assert found.loc[speaker_name(1), "high"] == pytest.approx(1)
    assert 0.9 < found.loc[speaker_name(1), "low"] < 1, "60 takes prove no certainty"


def test_a_groups_interval_is_that_of_its_speakers():
    table = make_predictions([0.9, 0.3] * 6)
    everyone = pd.Series("all", index=table.index)
    found = bias.scores_by(table, everyone).loc["all"]
    low, high = evaluation.intervals(table)["accuracy"]
    assert found["low"] == pytest.approx(low, abs=0.02)
    assert found["high"] == pytest.approx(high, abs=0.02)


def test_a_gap_that_is_there_is_found_and_one_that_is_not_is_not():
    table = make_predictions([0.9, 0.6] * 8)
    odd = table["speaker"].str[-2:].astype(int) % 2 == 1
    found = bias.gap(table, odd.map({True: "odd", False: "even"}))
    assert (found["better"], found["worse"]) == ("odd", "even")
    assert found["low"] > 0.15 and found["high"] < 0.45
    half = pd.Series(np.arange(len(table)) // 2 % 2, index=table.index)
    found = bias.gap(table, half)
    assert found["low"] < 0 < found["high"]
    with pytest.raises(ValueError, match="two groups, not 16"):
        bias.gap(table, table["speaker"])


def test_shuffled_truths_give_chance_however_good_the_verdicts():
    table = make_predictions([1.0] * 8)
    found = bias.permuted_accuracies(table, 200)
    assert found.mean() == pytest.approx(1 / 3, abs=0.02)
    assert found.max() < 0.5


def test_the_likeliest_error_is_named():
    worst = bias.frequent_confusions(make_predictions([0.6] * 4)).iloc[0]
    assert CLASSES.index(worst["verdict"]) == (CLASSES.index(worst["truth"]) + 1) % 3
    assert 0.3 < worst["share"] < 0.6


def test_a_speakers_own_mean_helps_and_shuffled_emotions_fall_to_chance():
    takes, tracks = synthetic_landmarks(actors=range(1, 13), takes_per_emotion=3)
    features = speaker_calibration.landmark_statistics(tracks)
    blocks = [(1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12)]
    options = {"blocks": blocks, "test_draws": 2}
    found = speaker_calibration.study(features, takes, counts=(0, 8), **options)
    assert found["gain"].iloc[1] > 0.01
    shuffled = takes.assign(emotion=takes["emotion"].sample(frac=1, random_state=0).to_numpy())
    chance = speaker_calibration.out_of_fold_accuracy(features, shuffled, 0, **options)
    assert chance.mean() < 0.25


def test_neutral_clips_are_given_and_never_judged():
    takes, tracks = synthetic_landmarks(actors=range(1, 9), takes_per_emotion=2)
    features = speaker_calibration.landmark_statistics(tracks)
    # A model that could see the truth of neutral clips alone must gain nothing by it.
    telling = np.where(takes["emotion"] == "neutral", 100.0, 0.0)[:, None] + 0 * features
    found = speaker_calibration.out_of_fold_accuracy(
        telling, takes, 1, "neutral", blocks=[(1, 2, 3, 4), (5, 6, 7, 8)], test_draws=1
    )
    assert found.mean() == pytest.approx(1 / 7, abs=0.06)


def test_more_clips_move_the_estimate_from_the_common_to_the_persons_mean():
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(30), 20)
    features = rng.normal(size=(30, 1)).repeat(20, 0) + rng.normal(size=(600, 1))
    mean = speaker_calibration.PersonalMean(features, speakers, np.ones(600, bool))
    assert mean.estimate(np.empty((0, 1)))[0] == pytest.approx(features.mean(), abs=0.01)
    shares = [mean.estimate(np.full((k, 1), 3.0))[0] / 3 for k in (1, 2, 4, 8)]
    assert shares == sorted(shares) and 0.3 < shares[0] < 0.7 and shares[-1] > 0.8


@pytest.fixture
def tone():
    time_s = np.arange(32_000) / 16_000
    return (0.3 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)


def test_noise_has_the_power_asked_for(tone):
    noise = degradation.add_noise(tone, 20) - tone
    ratio_db = 10 * np.log10(np.mean(tone**2) / np.mean(noise**2))
    assert ratio_db == pytest.approx(20, abs=0.3)


def test_a_band_limit_removes_what_is_above_and_leaves_what_is_below(tone):
    assert np.abs(degradation.band_limit(tone, 16_000, 300)).max() < 0.01
    np.testing.assert_allclose(degradation.band_limit(tone, 16_000, 2000), tone, atol=1e-4)


def test_a_room_rings_on_and_keeps_the_level(tone):
    click = np.zeros(16_000, np.float32)
    click[100] = 1.0
    rung = degradation.reverberate(click, 16_000, 0.5)
    assert np.mean(rung[100:1000] ** 2) > 100 * np.mean(rung[6000:7000] ** 2) > 0
    assert np.std(degradation.reverberate(tone, 16_000, 1.0)) == pytest.approx(
        np.std(tone), rel=0.01
    )


def test_a_codec_gives_back_nearly_the_same_sound(tone):
    fine, coarse = (
        degradation.encode_and_decode(tone, 16_000, "libopus", rate)[: len(tone)]
        for rate in (64_000, 6_000)
    )
    assert len(fine) == pytest.approx(len(tone), abs=1600)
    middle = slice(8_000, 24_000)
    assert np.std(fine[middle]) == pytest.approx(np.std(tone), rel=0.1)
    spectrum = np.abs(np.fft.rfft(coarse[middle]))
    assert spectrum.argmax() == pytest.approx(440, abs=3), "bins of 1 Hz"


def test_faces_are_blurred_darkened_and_covered_by_the_amount_asked_for():
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48)).astype(np.uint8)
    assert degradation.blur(faces, 0.05).std() < 0.5 * faces.std()
    assert degradation.darken(faces, 0.1).mean() == pytest.approx(0.1 * faces.mean(), abs=1)
    for side, place in (
        ("below", np.s_[:, 36:]),
        ("above", np.s_[:, :12]),
        ("left", np.s_[:, :, :12]),
    ):
        covered = degradation.cover(faces, 0.25, side)
        assert (covered[place] == 128).all()
        assert (covered != faces).mean() == pytest.approx(0.25, abs=0.01)


class Brightness:
    """A network that says happy for bright left halves of faces, else sad."""

    spec = ModelSpec("face", CLASSES)
    input_shape = (48, 48, 1)

    def predict(self, batch):
        happy = batch[:, :, :24].mean((1, 2, 3)) > batch[:, :, 24:].mean((1, 2, 3))
        return np.stack([np.zeros(len(batch)), happy, ~happy], 1).astype(np.float32)


def test_a_curve_begins_clean_and_falls_with_what_is_hidden():
    faces = np.full((40, 48, 48), 60, np.uint8)
    faces[::2, :, :24], faces[1::2, :, 24:] = 220, 220
    clips = pd.DataFrame({"clip_id": [f"f{i}" for i in range(40)]})
    clips["speaker"], clips["emotion"] = clips["clip_id"], ["happy", "sad"] * 20
    change = degradation.Change(
        "Left", "%", (0.25, 1.0), lambda f, x: degradation.cover(f, x, "left")
    )
    found = degradation.curve(
        change, clips, degradation.face_predictor(Brightness(), faces), CLASSES
    )
    assert found["level"].tolist() == ["clean", "0.25", "1"]
    assert found["accuracy"].tolist() == [1.0, 1.0, 0.5]
