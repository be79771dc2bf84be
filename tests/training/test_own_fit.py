"""What is learned from labelled clips: never worse than what ships, never from who is judged."""

import numpy as np
import pytest

from emorec.emotions import COMMON7
from emorec.evaluation.labels import Label
from emorec.fusion import Calibration, LogLinearFusion
from emorec.training import own_fit
from emorec.training.linear_head import LinearHead
from emorec.training.own_clips import FaceClips, LabelledClips, VoiceClips
from emorec.training.own_fit import (
    Models,
    fit_own,
    fold_numbers,
    judge,
    out_of_fold,
    raw_posteriors,
)
from emorec.training.own_heads import Teacher, heads_of, log_loss

WIDTH = 24
PRIOR = np.log(np.array([1, 1, 1, 2, 3, 1, 1]) / 10)
CALIBRATIONS = {
    "voice": Calibration(0.9),
    "face": Calibration(1.2, PRIOR, 0.5),
    "geometry": Calibration(2.0),
}
EVERY = tuple(range(7))


@pytest.fixture(scope="module", autouse=True)
def few_strengths():
    """Three are enough to choose among."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_fit, "STRENGTHS", (0.3, 0.03, 0.003))
        yield


def shipped(scale=1.0):
    rng = np.random.default_rng(0)
    heads = {
        stream: LinearHead(
            rng.normal(0, 0.2 * scale, (WIDTH, 7)).astype(np.float32),
            rng.normal(0, 0.1 * scale, 7).astype(np.float32),
        )
        for stream in ("voice", "face")
    }
    return Models(heads, LogLinearFusion(COMMON7, CALIBRATIONS, {}))


def made_clips(speakers, each, tells=2.0, emotions=EVERY, seed=1):
    """Clips whose features tell the emotion as strongly as `tells`; faces of every second one."""
    rng = np.random.default_rng(seed)
    truth = np.tile(np.resize(emotions, each), speakers)
    apart = np.repeat([f"s{i}" for i in range(speakers)], each)
    looks = rng.normal(size=(7, WIDTH))
    voice = tells * looks[truth] + rng.normal(0, 2, (len(truth), WIDTH))
    faces = [
        tells * looks[code] + rng.normal(0, 3, (10, WIDTH)) if i % 2 else np.zeros((0, WIDTH))
        for i, code in enumerate(truth)
    ]
    return LabelledClips(
        tuple(
            Label(f"{i}.wav", f"{i}.wav", COMMON7[code], speaker)
            for i, (code, speaker) in enumerate(zip(truth, apart, strict=True))
        ),
        truth,
        apart,
        True,
        {
            "voice": VoiceClips(voice.astype(np.float32), COMMON7),
            "face": FaceClips(tuple(f.astype(np.float32) for f in faces), COMMON7),
        },
        np.full((len(truth), 7), np.nan),
        np.ones(len(truth)),
    )


def everything(clips):
    return np.ones(len(clips.truth), bool)


def of_labels(clips, truth):
    labels = [
        Label(one.named, one.path, COMMON7[code], one.speaker)
        for one, code in zip(clips.labels, truth, strict=True)
    ]
    parts = {name: getattr(clips, name) for name in clips.__dataclass_fields__}
    return LabelledClips(**{**parts, "labels": tuple(labels), "truth": truth})


@pytest.fixture(scope="module")
def telling():
    clips = made_clips(6, 14)
    return clips, out_of_fold(clips, shipped())


def right(said, truth):
    return (said.argmax(1) == truth).mean()


def test_what_the_clips_tell_is_learned_for_people_who_were_left_out(telling):
    clips, judged = telling
    assert (
        right(judged.own["fused"], clips.truth) > right(judged.shipped["fused"], clips.truth) + 0.3
    )
    assert (
        right(judged.own["voice"], clips.truth) > right(judged.shipped["voice"], clips.truth) + 0.3
    )
    assert {"voice", "face"} <= {stream for own in judged.changed for stream in own.strengths}
    own, before = (log_loss(clips.truth, said["fused"]) for said in (judged.own, judged.shipped))
    assert own.mean() < before.mean()
    # As sure as it is right, give or take what 84 clips can tell.
    sure = judged.own["fused"].max(1).mean()
    assert abs(sure - right(judged.own["fused"], clips.truth)) < 0.12
    # Every second clip has no face, and none a geometry.
    assert np.isnan(judged.own["face"][0]).all() and np.isnan(judged.own["geometry"]).all()


def test_labels_of_those_who_are_judged_change_nothing_that_is_said_of_them(telling):
    clips, judged = telling
    theirs = judged.folds == 1
    truth = clips.truth.copy()
    truth[theirs] = (truth[theirs] + 3) % 7
    again = fit_own(of_labels(clips, truth), ~theirs, shipped()).models
    said = judge(again.fusion, raw_posteriors(again, clips))["fused"]
    np.testing.assert_array_equal(said[theirs], judged.own["fused"][theirs])


@pytest.mark.parametrize("clips", [made_clips(5, 14, tells=0.0), made_clips(2, 3)])
def test_of_clips_that_tell_nothing_or_are_few_comes_what_ships_to_the_bit(clips):
    start = shipped(scale=0.0)  # which claims nothing, so that there is nothing to be unlearned
    own = fit_own(clips, everything(clips), start)
    assert not own.is_changed and own.models.fusion is start.fusion
    assert all(own.models.heads[stream] is head for stream, head in start.heads.items())


def test_a_head_that_is_merely_surer_is_not_taken_and_the_temperature_is():
    clips = made_clips(6, 14, tells=0.8)
    looks = 0.8 * np.random.default_rng(1).normal(size=(7, WIDTH))
    # What ships is the best that there is, of the voice, and does not dare to say so.
    best = looks.T / 4, -np.square(looks).sum(1) / 8
    head = LinearHead(*((0.2 * part).astype(np.float32) for part in best))
    start = Models({"voice": head, "face": head}, shipped().fusion)
    own = fit_own(clips, everything(clips), start)
    assert "voice" not in own.strengths and own.has_own_fusion
    old, new = (models.fusion.calibrations["voice"].temperature for models in (start, own.models))
    assert new < 0.8 * old


def test_one_person_is_learned_by_clip():
    clips = made_clips(1, 84)
    own = fit_own(clips, everything(clips), shipped())
    assert "voice" in own.strengths


def test_emotions_that_the_labels_lack_keep_their_weights():
    clips = made_clips(6, 14, emotions=(0, 1, 2, 3))
    start = shipped()
    own = fit_own(clips, everything(clips), start)
    new, old = own.models.heads["voice"], start.heads["voice"]
    np.testing.assert_array_equal(new.kernel[:, 4:], old.kernel[:, 4:])
    np.testing.assert_array_equal(new.bias[4:], old.bias[4:])
    assert not np.allclose(new.kernel[:, :4], old.kernel[:, :4])
    # What they are weighed against, the mean of the others, stays.
    np.testing.assert_allclose(new.kernel[:, :4].mean(1), old.kernel[:, :4].mean(1), atol=1e-4)
    said = judge(own.models.fusion, raw_posteriors(own.models, clips))["fused"]
    assert (said[:, 4:] > 0).all()


def test_the_slope_of_the_loss_is_its_slope():
    from scipy.optimize import check_grad

    from emorec.training.linear_head import Scaling
    from emorec.training.own_heads import _Problem

    clips, start = made_clips(3, 6), shipped()
    for stream, seen in clips.heads.items():
        rows = seen.rows(start.heads[stream])
        teacher = Teacher(
            rows._replace(features=rows.features.astype(float)),
            clips.truth,
            start.heads[stream],
            COMMON7,
            CALIBRATIONS[stream],
        )
        problem = _Problem(teacher, Scaling.of(rows.features))
        at = np.random.default_rng(0).normal(0, 0.05, problem.size)
        value = problem.loss(at, 0.5)[1]
        wrong = check_grad(
            lambda x, p=problem: p.loss(x, 0.5)[0], lambda x, p=problem: p.loss(x, 0.5)[1], at,
            epsilon=1e-4,
        )  # fmt: skip
        assert wrong < 0.02 * np.linalg.norm(value)


def test_a_head_that_is_held_for_ever_is_the_one_that_ships():
    clips, start = made_clips(3, 14), shipped()
    seen, before = clips.heads["voice"], start.heads["voice"]
    teacher = Teacher(seen.rows(before), clips.truth, before, COMMON7, CALIBRATIONS["voice"])
    (held,), (loose,) = (list(heads_of(teacher, (strength,))) for strength in (1e6, 1e-3))
    np.testing.assert_allclose(seen.posteriors(held), seen.posteriors(before), atol=1e-4)
    assert right(seen.posteriors(loose), clips.truth) > 0.9


def test_faces_are_trained_on_that_the_verdict_rests_on():
    clips, start = made_clips(2, 8), shipped()
    seen, head = clips.heads["face"], start.heads["face"]
    rows = seen.rows(head)
    joined = np.zeros((len(clips.truth), 7))
    np.add.at(joined, rows.clip, rows.weight[:, None] * head.predict(rows.features))
    np.testing.assert_allclose(joined[seen.there], seen.posteriors(head)[seen.there], atol=1e-5)


def test_folds_keep_speakers_apart_and_are_of_like_size():
    apart = np.array(["a"] * 10 + ["b"] * 4 + ["c"] * 3 + ["d"] * 3)
    folds = fold_numbers(apart, 3)
    assert [len(set(folds[apart == name])) for name in "abcd"] == [1] * 4
    assert sorted(np.bincount(folds).tolist()) == [4, 6, 10]
