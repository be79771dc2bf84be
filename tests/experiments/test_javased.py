"""Training on a corpus with pictures, on synthetic clips: it runs, resumes, keeps people apart."""

import json
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest

from emorec.avatar.synthetic import synthetic_frame_predictions, synthetic_frames
from emorec.corpora.frame_sets import FrameSet
from emorec.emotions import JAVASED6, RAVDESS7
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import load_evidence
from emorec.evaluation.scores import prediction_table
from emorec.evaluation.splits import SpeakerLeakError
from emorec.experiments import frames as frames_experiment
from emorec.experiments import javased, reference_voice
from emorec.files import StaleCacheError
from emorec.training.fit import one_hot


def synthetic_tables(seed=0):
    """Two streams' clip tables; the second lacks some clips."""
    first = frames_experiment.pool_frames(synthetic_frame_predictions(seed=seed))
    second = frames_experiment.pool_frames(synthetic_frame_predictions(seed=seed + 1))
    for table in (first, second):
        table["fold"] = [1 + (int(name[-2:]) - 1) // 2 for name in table["speaker"]]
    return {"voice": first, "face": second.iloc[5:].reset_index(drop=True)}


def test_fusion_joins_by_id_so_that_shuffled_tables_give_the_same():
    tables = synthetic_tables()
    shuffled = {s: t.sample(frac=1, random_state=3) for s, t in tables.items()}
    fused = javased.fuse_where_present(tables)
    pd.testing.assert_frame_equal(fused, javased.fuse_where_present(shuffled))
    assert len(fused) == len(tables["voice"])
    np.testing.assert_allclose(fused[list(JAVASED6)].sum(1), 1)


def test_seeds_are_averaged_by_clip_and_each_leaves_its_own_evidence(tmp_path, monkeypatch):
    table = synthetic_tables()["voice"].rename(columns={"truth": "emotion"}).iloc[::-1]
    asked = []

    def predict(table, inputs, train, test, work, seed, models):
        asked.append(seed)
        certain = 0.9 if seed == 1 else 0.6
        rest = (1 - certain) / (len(JAVASED6) - 1)
        return np.where(one_hot(table["emotion"][test], JAVASED6), certain, rest)

    monkeypatch.setitem(javased.PREDICTORS, "voice", predict)
    judged = javased.evaluate_stream("voice", table, [], tmp_path, seeds=(1, 2))
    assert asked == [1] * 4 + [2] * 4
    odds = np.sqrt(0.9 / 0.02 * 0.6 / 0.08)
    own = judged.apply(lambda row: row[row["truth"]], axis=1)
    np.testing.assert_allclose(own, odds / (odds + 5), atol=1e-4)
    metrics = json.loads(
        (tmp_path / javased.QUESTION / "javased_voice" / "metrics.json").read_text()
    )
    assert metrics["accuracy_of_seeds"]["accuracies"] == [1.0, 1.0]
    assert len(load_evidence(tmp_path)) == 4, "the mean, one of the seeds, and less each own mean"
    javased.evaluate_stream("voice", table, [], tmp_path, seeds=(1, 2))
    assert len(asked) == 8, "finished folds are read"


def test_what_is_always_said_of_a_person_is_taken_out():
    clips = pd.DataFrame(
        {
            "clip_id": list("abcd"),
            "speaker": ["javased-01"] * 2 + ["javased-02"] * 2,
            "emotion": ["happy", "sad"] * 2,
        }
    )
    own = one_hot(["sad", "sad", "happy", "happy"], JAVASED6)
    posterior = 0.02 + 0.6 * own + 0.28 * one_hot(clips["emotion"], JAVASED6)
    judged = prediction_table(clips, posterior, JAVASED6, np.ones(4, int))
    assert evaluation.scores(judged)["accuracy"] == 0.5
    free = javased.without_own_mean(judged)
    assert evaluation.scores(free)["accuracy"] == 1
    np.testing.assert_allclose(free[list(JAVASED6)].sum(1), 1, atol=1e-6)
    relabelled = judged.assign(truth=judged["truth"][::-1].to_numpy())
    pd.testing.assert_frame_equal(
        javased.without_own_mean(relabelled).drop(columns="truth"), free.drop(columns="truth")
    )


def test_a_fold_s_face_is_chosen_by_the_other_folds():
    truth = ["happy", "sad"] * 4
    clips = pd.DataFrame(
        {
            "clip_id": [f"clip-{i}" for i in range(8)],
            "speaker": [f"javased-{1 + i // 2:02d}" for i in range(8)],
            "emotion": truth,
        }
    )
    folds = np.repeat([1, 2, 3, 4], 2)
    right = one_hot(truth, JAVASED6)
    wrong = np.roll(right, 1, axis=1)

    def right_in(*chosen):
        posterior = np.where(np.isin(folds, chosen)[:, None], right, wrong)
        return prediction_table(clips, posterior, JAVASED6, folds)

    once, thrice = right_in(1), right_in(2, 3, 4)
    found = javased.chosen_by_other_folds([once, thrice])
    pd.testing.assert_frame_equal(found, thrice)
    found = javased.chosen_by_other_folds([right_in(1, 2), right_in(1, 3, 4)])
    assert found.loc[found["fold"] == 1, "happy"].iloc[0] == 1
    # Without the third fold both are right twice: the first is taken.
    assert found.loc[found["fold"] == 3, "happy"].iloc[0] == 0


def test_every_set_of_streams_is_scored_and_both_help_more_than_one():
    found = javased.compare_subsets(synthetic_tables())
    assert list(found.index) == ["voice + face", "voice", "face"]
    assert found.loc["voice + face", "accuracy %"] > found["accuracy %"].iloc[1:].min()


def test_a_speaker_in_two_folds_is_refused():
    tables = synthetic_tables()
    tables["voice"].loc[0, "fold"] = 4
    tables["face"] = tables["face"].iloc[40:]
    with pytest.raises(SpeakerLeakError):
        javased.fuse_where_present(tables)


def test_frames_are_spread_over_each_clip():
    clips = np.repeat([f"clip-{i}" for i in range(48)], 5)
    numbers = np.tile(21 + 3 * np.arange(5), 48)
    frames = FrameSet(np.zeros((240, 1, 1), np.uint8), clips, numbers, numbers / 30)
    rows = frames_experiment.spread(frames, per_clip=2)
    assert sorted(set(frames.frame_number[rows])) == [21, 33]
    assert len(rows) == 2 * len(set(frames.clip_id))


def test_two_actors_choose_the_epoch_who_neither_train_nor_are_judged():
    speakers = pd.Series([f"javased-{actor:02d}" for actor in range(1, 9)]).repeat(3)
    judged, chose = set(), set()
    for _, train, test in frames_experiment.folds_of(speakers):
        choosing = ~(train | test)
        sides = [set(speakers[side]) for side in (train, choosing, test)]
        assert [len(side) for side in sides] == [4, 2, 2]
        assert len(set.union(*sides)) == 8
        judged |= sides[2]
        chose |= sides[1]
    assert judged == chose == set(speakers)


def test_pictures_are_mirrored_in_training_alone():
    network = frames_experiment.flipping(light(6))
    picture = np.zeros((1, 112, 112, 1), np.float32)
    picture[:, :, :30] = 1
    both = np.concatenate([picture, picture[:, :, ::-1]])
    plain, mirrored = network.predict(both, verbose=0)[:, np.newaxis]
    assert not np.allclose(plain, mirrored)
    trained = [np.array(network(picture, training=True)) for _ in range(20)]
    is_plain = [np.allclose(one, plain, atol=1e-6) for one in trained]
    assert 0 < sum(is_plain) < 20
    assert all(
        np.allclose(one, mirrored, atol=1e-6)
        for one, plain_one in zip(trained, is_plain, strict=True)
        if not plain_one
    )


def light(classes):
    """A network that reads a frame's brightness by regions."""
    inputs = keras.layers.Input((112, 112, 1))
    regions = keras.layers.Flatten()(keras.layers.AveragePooling2D(16)(inputs))
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(regions))


def test_a_kind_is_judged_by_speaker_and_not_trained_twice(tmp_path, monkeypatch):
    kind = replace(frames_experiment.KINDS["face"], build=light)
    monkeypatch.setitem(frames_experiment.KINDS, "face", kind)
    table, frames = synthetic_frames(frames_per_clip=2)
    first = frames_experiment.evaluate_kind("face", table, frames, tmp_path, epochs=1)
    judged = pd.read_csv(
        tmp_path / frames_experiment.QUESTION / "frames_face" / "predictions_frames.csv"
    )
    assert len(judged) == len(frames)
    assert judged.groupby("speaker")["fold"].nunique().max() == 1
    assert first["epochs_trained"] == {str(fold): 1 for fold in range(1, 5)}
    weights = (
        tmp_path
        / frames_experiment.QUESTION
        / "frames_face"
        / "work"
        / "fold_1"
        / "predictions.csv"
    )
    stamp = weights.stat().st_mtime_ns
    assert frames_experiment.evaluate_kind("face", table, frames, tmp_path, epochs=1) == first
    assert weights.stat().st_mtime_ns == stamp
    with pytest.raises(StaleCacheError, match="not trained as is asked for now"):
        frames_experiment.evaluate_kind("face", table, frames, tmp_path, epochs=2)


def test_the_ladder_trains_on_its_own_actors_only(tmp_path):
    actors = [f"ravdess-{n:02d}" for n in (1, 2, 17, 21)]
    table = pd.DataFrame(
        [(f"{a}-{e}-{k}", e, a) for a in actors for e in RAVDESS7 for k in range(2)],
        columns=["clip_id", "emotion", "speaker"],
    )
    rng = np.random.default_rng(0)
    plain = rng.normal(size=(len(table), 128, 282)).astype(np.float32)
    inputs = reference_voice.Inputs(table, plain, plain[:, None].repeat(4, 1))
    judged = reference_voice.train_rung("1d-augmented", 1, inputs, tmp_path, epochs=1)
    assert set(judged["speaker"]) == {"ravdess-21"}
    assert tuple(judged.columns[4:]) == RAVDESS7
    again = prediction_table(table[:0], np.zeros((0, 7)), RAVDESS7, 1)
    assert list(again.columns) == list(judged.columns)
    reference_voice.train_rung("1d-augmented", 2, inputs, tmp_path, epochs=1)
    found = reference_voice.write_results("1d-augmented", tmp_path, seeds=(1, 2))
    assert found["accuracy_of_seeds"]["seeds"] == [1, 2]
    assert found["epochs_trained"] == found["best_epoch"] == {"1": 1, "2": 1}
    assert found["protocol"].endswith("seed 1 of 2")
    curves = pd.read_csv(next(tmp_path.glob("**/reference_voice_1d_augmented/history.csv")))
    assert curves["seed"].tolist() == [1, 2]
    assert found["scores"]["accuracy"] == evaluation.scores(judged)["accuracy"]
