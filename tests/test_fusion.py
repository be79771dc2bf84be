"""Late fusion: calibration, weights, missing streams, and the plain rules."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from emorec import fusion as fusion_emorec
from emorec.avatar.synthetic import synthetic_predictions
from emorec.emotions import COMMON7, RAVDESS8
from emorec.errors import ModelError
from emorec.evaluation import evidence
from emorec.evaluation import scores as evaluation
from emorec.evaluation.splits import SpeakerLeakError
from emorec.paths import MODELS
from emorec.training import fusion as fusion_training
from emorec.training import fusion_groups, fusion_rules


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def make_stream(rng, truth, strength, sharpness=1.0, classes=7):
    """Posteriors that know the truth by `strength` and state it `sharpness` times too surely.

    With unit noise around a mean shift d, the exact log-likelihood ratio is d times the
    observation, so that sharpness 1 is calibrated.
    """
    seen = rng.normal(size=(len(truth), classes))
    seen[np.arange(len(truth)), truth] += strength
    return softmax(sharpness * strength * seen)


@pytest.fixture(scope="module")
def streams():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 7, 6000)
    return truth, {
        "voice": make_stream(rng, truth, 1.5, sharpness=2.5),
        "face": make_stream(rng, truth, 1.0, sharpness=0.5),
        "geometry": make_stream(rng, truth, 1.5),
    }


def accuracy(posterior, truth):
    return (posterior.argmax(1) == truth).mean()


def test_temperatures_undo_over_and_under_confidence(streams):
    truth, posteriors = streams
    fitted = fusion_rules.fit_log_linear(posteriors, truth, COMMON7)
    assert fitted.calibrations["voice"].temperature == pytest.approx(2.5, rel=0.1)
    assert fitted.calibrations["face"].temperature == pytest.approx(0.5, rel=0.1)
    assert fitted.calibrations["geometry"].temperature == pytest.approx(1.0, rel=0.1)


def test_independent_streams_get_full_weight_and_beat_every_part(streams):
    truth, posteriors = streams
    fitted = fusion_rules.fit_log_linear(posteriors, truth, COMMON7)
    weights = fitted.weights[frozenset(posteriors)]
    assert all(w == pytest.approx(1, abs=0.12) for w in weights.values())
    fused = accuracy(fitted.apply(posteriors), truth)
    assert fused > max(accuracy(p, truth) for p in posteriors.values()) + 0.05
    assert fused >= accuracy(fusion_rules.mean(posteriors), truth)


def test_a_copy_of_a_stream_adds_nothing(streams):
    truth, posteriors = streams
    voice = posteriors["voice"]
    fitted = fusion_rules.fit_log_linear({"voice": voice, "echo": voice}, truth, COMMON7)
    assert sum(fitted.weights[frozenset({"voice", "echo"})].values()) == pytest.approx(1, abs=0.02)
    alone = fitted.apply({"voice": voice})
    np.testing.assert_allclose(fitted.apply({"voice": voice, "echo": voice}), alone, atol=0.01)


def test_a_stream_that_knows_nothing_gets_no_weight(streams):
    truth, posteriors = streams
    noise = softmax(np.random.default_rng(5).normal(size=(len(truth), 7)))
    fitted = fusion_rules.fit_log_linear(
        {"voice": posteriors["voice"], "noise": noise}, truth, COMMON7
    )
    exponents = fitted.exponents(["voice", "noise"])
    assert exponents["noise"] < 0.1 * exponents["voice"]


def test_absent_and_nan_streams_give_the_same(streams):
    truth, posteriors = streams
    fitted = fusion_rules.fit_log_linear(posteriors, truth, COMMON7)
    some = {s: p[:4].copy() for s, p in posteriors.items()}
    without_face = fitted.apply({s: p for s, p in some.items() if s != "face"})
    some["face"][1] = np.nan
    fused = fitted.apply(some)
    np.testing.assert_allclose(fused[1], without_face[1])
    assert not np.allclose(fused[0], without_face[0])
    np.testing.assert_allclose(fused.sum(1), 1)


def test_one_clip_needs_no_batch_axis(streams):
    truth, posteriors = streams
    fitted = fusion_rules.fit_log_linear(posteriors, truth, COMMON7)
    one = fitted.apply({s: p[0] for s, p in posteriors.items()})
    np.testing.assert_allclose(one, fitted.apply(posteriors)[0])


def test_nothing_present_is_nan_not_a_guess(streams):
    truth, posteriors = streams
    fitted = fusion_rules.fit_log_linear(posteriors, truth, COMMON7)
    assert np.isnan(fitted.apply({"voice": np.full(7, np.nan)})).all()


def test_streams_that_never_met_are_weighed_between_redundant_and_independent(streams):
    truth, posteriors = streams
    voice, face = posteriors["voice"].copy(), posteriors["face"].copy()
    voice[:3000], face[3000:] = np.nan, np.nan
    fitted = fusion_rules.fit_log_linear({"voice": voice, "face": face}, truth, COMMON7)
    assert frozenset({"voice", "face"}) not in fitted.weights
    alone = fitted.exponents(["voice"])["voice"]
    beside = fitted.exponents(["voice", "face"])["voice"]
    assert alone / 2 < beside < alone
    with pytest.raises(ValueError, match="too few"):
        fusion_rules.fit_log_linear({"voice": voice[2990:3010]}, truth[2990:3010], COMMON7)


def test_no_single_stream_has_a_veto():
    fitted = fusion_emorec.LogLinearFusion(
        ("a", "b"), dict.fromkeys("xyz", fusion_emorec.Calibration()), {}
    )
    certain_of_a, certain_of_b = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    outvoted = fitted.apply({"x": certain_of_a, "y": certain_of_b, "z": certain_of_b})
    assert outvoted[1] > 0.99
    np.testing.assert_allclose(fitted.apply({"x": certain_of_a, "y": certain_of_b}), 0.5)
    doubted = fitted.apply({"x": certain_of_a, "y": np.array([0.1, 0.9])})
    assert 0 < doubted[1] < 0.01


def test_clip_weights_count_as_repetitions(streams):
    truth, posteriors = streams
    part = {"voice": posteriors["voice"][:200]}
    counts = np.where(np.arange(200) < 100, 2, 1)
    repeated = np.repeat(np.arange(200), counts)
    weighed = fusion_rules.fit_log_linear(part, truth[:200], COMMON7, clip_weights=counts)
    repeats = fusion_rules.fit_log_linear(
        {"voice": part["voice"][repeated]}, truth[repeated], COMMON7
    )
    assert weighed.calibrations["voice"].temperature == pytest.approx(
        repeats.calibrations["voice"].temperature, rel=1e-3
    )


def test_round_trip_through_json(streams, tmp_path):
    truth, posteriors = streams
    fitted = fusion_rules.fit_log_linear(posteriors, truth, COMMON7)
    fitted.to_json(tmp_path / "fusion.json")
    again = fusion_emorec.LogLinearFusion.from_json(tmp_path / "fusion.json")
    np.testing.assert_array_equal(again.apply(posteriors), fitted.apply(posteriors))


@pytest.mark.parametrize("text", ["", "[]", '{"classes": []}', "not JSON"])
def test_a_foreign_file_is_named_with_a_remedy(tmp_path, text):
    path = tmp_path / "fusion.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=r"fusion\.json.*Remedy"):
        fusion_emorec.LogLinearFusion.from_json(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308, -1e308])
@pytest.mark.parametrize("where", ["temperature", "prior_share", "log_prior", "usual", "weight"])
def test_parameters_that_are_not_finite_or_overflow_are_refused(streams, tmp_path, where, value):
    truth, posteriors = streams
    fusion_rules.fit_log_linear(posteriors, truth, COMMON7).to_json(tmp_path / "fusion.json")
    content = json.loads((tmp_path / "fusion.json").read_text())
    stream = next(iter(content["streams"]))
    if where == "usual":
        content["usual_log_posteriors"][stream] = [value] * len(COMMON7)
    elif where == "weight":
        content["weights"][0]["weights"][content["weights"][0]["streams"][0]] = value
    else:
        content["streams"][stream][where] = [value] if where == "log_prior" else value
    (tmp_path / "fusion.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"fusion\.json.*Remedy"):
        fusion_emorec.LogLinearFusion.from_json(tmp_path / "fusion.json")


def test_wrong_use_is_refused(streams):
    truth, posteriors = streams
    fitted = fusion_rules.fit_log_linear(posteriors, truth, COMMON7)
    with pytest.raises(ValueError, match="unknown"):
        fitted.apply({"smell": posteriors["voice"]})
    with pytest.raises(ValueError, match="one shape"):
        fitted.apply({"voice": np.ones((2, 8)) / 8})
    with pytest.raises(ValueError, match="no stream"):
        fitted.apply({})


def test_plain_rules_by_hand():
    two = {"x": np.array([[0.6, 0.4, 0.0]]), "y": np.array([[0.1, 0.5, 0.4]])}
    np.testing.assert_allclose(fusion_rules.mean(two), [[0.35, 0.45, 0.2]])
    np.testing.assert_allclose(fusion_rules.maximum(two), [[0.4, 1 / 3, 4 / 15]])
    np.testing.assert_allclose(fusion_rules.product(two), [[0.06 / 0.26, 0.2 / 0.26, 0]], atol=1e-5)
    assert fusion_rules.majority(two).argmax() == 1  # one vote each; the mean decides
    three = {**two, "z": np.array([[0.5, 0.3, 0.2]])}
    assert fusion_rules.majority(three).argmax() == 0  # two votes against one


def test_mean_weights_favour_the_better_stream(streams):
    truth, posteriors = streams
    weights = fusion_rules.fit_mean_weights(
        {"good": posteriors["geometry"], "noise": np.full((len(truth), 7), 1 / 7)}, truth
    )
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["good"] > 0.9


def make_tables(clips=1200):
    """Predictions of two made-up streams on 24 speakers in six blocks."""
    rng = np.random.default_rng(8)
    speaker = np.arange(clips) % 24
    takes = pd.DataFrame(
        {
            "clip_id": [f"take-{i:04d}" for i in range(clips)],
            "speaker": [f"s{n:02d}" for n in speaker],
            "emotion": rng.choice(RAVDESS8, clips),
        }
    )
    blank = np.full((clips, 8), 1 / 8)
    table = evaluation.prediction_table(takes, blank, RAVDESS8, speaker // 4 + 1)
    return {
        "voice": synthetic_predictions(table, seed=1),
        "geometry": synthetic_predictions(table, seed=2).sample(frac=1, random_state=0),
    }


def test_streams_are_joined_by_take_not_by_position():
    tables = make_tables()
    joined = fusion_training.join_streams(tables)
    geometry = tables["geometry"].set_index("clip_id").loc[joined["clip_id"]]
    np.testing.assert_array_equal(joined["geometry.sad"], geometry["sad"])
    assert (joined["truth"].to_numpy() == geometry["truth"]).all()


@pytest.mark.parametrize("key, other", [("truth", "sad"), ("speaker", "s99"), ("fold", 9)])
def test_streams_that_disagree_on_a_clip_are_refused(key, other):
    tables = make_tables(100)
    tables["voice"][key] = other
    with pytest.raises(ValueError, match=f"differ in the {key}.*Remedy"):
        fusion_training.join_streams(tables)


def test_streams_without_a_common_clip_are_refused():
    tables = make_tables(100)
    tables["voice"]["clip_id"] += "x"
    with pytest.raises(ValueError, match="share no clip"):
        fusion_training.join_streams(tables)


def test_fusing_out_of_fold_beats_each_stream_and_never_sees_the_judged_truth():
    joined = fusion_training.join_streams(make_tables())
    fused = fusion_training.fuse_out_of_fold(joined)
    rules = fusion_training.compare(fused).set_index("rule")["accuracy"]
    assert rules["log-linear"] > rules[["voice alone", "geometry alone"]].max() + 0.03
    block = (joined["fold"] == 2).to_numpy()
    changed = joined.copy()
    changed.loc[block, "truth"] = "sad"
    again = fusion_training.fuse_out_of_fold(changed)
    for rule in ("log-linear", "weighted mean"):
        before, after = (t[rule].loc[block, list(RAVDESS8)] for t in (fused, again))
        np.testing.assert_array_equal(before, after)


def test_a_speaker_in_two_blocks_is_refused():
    joined = fusion_training.join_streams(make_tables())
    joined.loc[joined["fold"] == 2, "speaker"] = "s00"
    with pytest.raises(SpeakerLeakError):
        fusion_training.fuse_out_of_fold(joined)


def test_the_shipped_fusion_follows_from_the_committed_posteriors(tmp_path):
    fitted = fusion_groups.fit_shipped(fusion_groups.load_groups(fusion_training.load_ravdess()))
    fitted.to_json(tmp_path / "fusion.json")
    assert_same_fusion(tmp_path / "fusion.json", MODELS / "fusion" / "fusion.json")


def test_so_does_that_of_the_2d_cnn_and_of_the_voice_alone_it_differs(tmp_path):
    folder = MODELS / "alternatives" / "voice_2d_cnn"
    said = fusion_groups.read_audiovisual(MODELS, ["voice"])
    said = said.rename(columns=lambda name: name.removeprefix("voice."))
    ravdess = evidence.read_predictions(folder)
    fitted = fusion_training.fit_beside(tmp_path, ravdess, said)
    assert_same_fusion(tmp_path / "fusion.json", folder / "fusion.json")
    shipped = fusion_emorec.LogLinearFusion.from_json(MODELS / "fusion" / "fusion.json")
    temperatures = (
        {s: c.temperature for s, c in fusion.calibrations.items()} for fusion in (fitted, shipped)
    )
    own, other = temperatures
    assert own["voice"] != pytest.approx(other["voice"], rel=0.1)
    for stream in ("face", "geometry"):
        assert own[stream] == pytest.approx(other[stream], rel=1e-6)


def assert_same_fusion(found, committed):
    one = dict.fromkeys(("voice", "face", "geometry"), np.eye(7) * 0.65 + 0.05)
    found, committed = (fusion_emorec.LogLinearFusion.from_json(f) for f in (found, committed))
    assert set(found.weights) == set(committed.weights)
    for streams in found.weights:
        part = {s: one[s] for s in streams}
        np.testing.assert_allclose(found.apply(part), committed.apply(part), atol=1e-4)


@pytest.fixture(scope="module")
def no_harm():
    """Accuracy in percent by group, what it was fitted on, and streams; computed anew."""
    groups = fusion_groups.load_groups(fusion_training.load_ravdess())
    shipped = fusion_emorec.LogLinearFusion.from_json(MODELS / "fusion" / "fusion.json")
    tables = []
    everybody = [fusion_groups.FittedWithout(shipped)]
    for group in (group for group in groups if group.joins):
        without = fusion_groups.fit_without(groups, group.name)
        tables.append(fusion_groups.subsets_table(group, everybody, "all"))
        tables.append(fusion_groups.subsets_table(group, without, f"all but {group.name}"))
    return pd.concat(tables).set_index(["group", "fitted_on", "streams"])["accuracy"]


def test_the_committed_table_of_subsets_is_what_follows(no_harm):
    table = pd.read_csv(MODELS / fusion_groups.FOLDER / "subsets.csv")
    committed = table.set_index(["group", "fitted_on", "streams"])["accuracy"]
    pd.testing.assert_series_equal(no_harm.sort_index(), committed.sort_index(), atol=0.02)


@pytest.mark.parametrize("group", ["actor_05", "javased"])
@pytest.mark.parametrize("how", ["all", "left out"])
def test_no_stream_does_harm(no_harm, group, how):
    found = no_harm[group]["all" if how == "all" else f"all but {group}"]
    # The geometry, worth much on RAVDESS's own actors, may cost strangers 3 of JavaSED's 192 clips.
    assert found["voice + face + geometry"] >= found[found.index.str.count(r"\+") == 1].max() - 1.6


def test_whoever_is_judged_trained_nothing_of_the_fusion():
    groups = fusion_groups.load_groups(fusion_training.load_ravdess())
    javased = next(group for group in groups if group.name == "javased")
    fitted = fusion_groups.fit_without(groups, "javased")
    judged = [without.rows(javased.speakers) for without in fitted]
    assert len(fitted) == 4 and (np.sum(judged, axis=0) == 1).all()
    # Other labels of those who are judged change nothing.
    changed = replace(javased, truth=np.where(judged[1], 0, javased.truth))
    others = [changed if group is javased else group for group in groups]
    again = fusion_groups.fit_without(others, "javased")
    assert again[1].fusion.weights == fitted[1].fusion.weights
    assert again[0].fusion.weights != fitted[0].fusion.weights


def test_how_sure_the_geometry_is_comes_from_people_whose_recordings_it_never_met():
    groups = fusion_groups.load_groups(fusion_training.load_ravdess())
    fitted = fusion_groups.fit_shipped(groups)
    for name in ("ravdess", "actor_05"):
        assert "geometry" in next(group for group in groups if group.name == name).not_for
    # Surer of RAVDESS's own actors than of strangers: what it says of these is flattened.
    assert fitted.calibrations["geometry"].temperature > 1.5


def test_voice_and_geometry_are_better_together_on_actors_that_are_left_out(no_harm):
    for how in ("all", "all but ravdess"):
        found = no_harm["ravdess"][how]
        assert found["voice + geometry"] >= found[["voice", "geometry"]].max()


def test_a_prior_is_taken_out_before_the_temperature():
    prior = np.array([0.8, 0.2])
    half = fusion_emorec.Calibration(2.0, np.log(prior), 0.5)
    by_hand = np.sqrt(prior / np.sqrt(prior))
    np.testing.assert_allclose(half.apply(prior), by_hand / by_hand.sum())
    shown = np.array([0.3, 0.7], np.float32)
    assert half.apply(shown).dtype == np.float32
    assert fusion_emorec.Calibration().apply(shown) is shown


def test_fusing_what_is_shown_equals_fusing_what_the_networks_say(streams):
    truth, posteriors = streams
    fitted = fusion_rules.fit_log_linear(posteriors, truth, COMMON7)
    np.testing.assert_allclose(
        fitted.fuse(fitted.calibrated(posteriors)), fitted.apply(posteriors), atol=1e-6
    )


def test_an_old_file_shows_streams_as_they_are_and_fuses_as_it_did(tmp_path, streams):
    _, posteriors = streams
    content = {
        "classes": list(COMMON7),
        "temperatures": {"voice": 2.0, "face": 4.0},
        "usual_log_posteriors": {},
        "weights": [{"streams": ["face", "voice"], "weights": {"voice": 1.0, "face": 0.8}}],
    }
    (tmp_path / "fusion.json").write_text(json.dumps(content))
    old = fusion_emorec.LogLinearFusion.from_json(tmp_path / "fusion.json")
    two = {s: posteriors[s] for s in ("voice", "face")}
    assert old.calibrated(two)["face"] is two["face"]
    two = {s: np.maximum(p, 1e-9) for s, p in two.items()}
    joint = two["voice"] ** 0.5 * two["face"] ** 0.2
    np.testing.assert_allclose(old.apply(two), joint / joint.sum(1, keepdims=True), atol=1e-6)


def test_few_clips_leave_the_weights_where_they_were_expected(streams):
    truth, posteriors = streams
    few = fusion_rules.Group("few", {s: p[:60] for s, p in posteriors.items()}, truth[:60])
    priors = {s: fusion_emorec.Calibration() for s in posteriors}
    held = fusion_rules.fit_for_strangers([few], COMMON7, priors, strength=1e3)
    expected = fusion_rules.EXPECTED_WEIGHTS
    pair = held.weights[frozenset({"voice", "face"})]
    assert pair["voice"] == pytest.approx(expected["voice"], abs=0.01)
    assert pair["face"] == pytest.approx(expected["face"], abs=0.01)
    beside = held.weights[frozenset(posteriors)]
    assert beside == pytest.approx(expected, abs=0.01)
