"""The face network's pictures: who never trains, what compound expressions show, and its recall."""

import numpy as np
import pandas as pd
import pytest
from helpers import shake

from emorec.emotions import COMMON7
from emorec.evaluation.scores import prediction_table
from emorec.networks.face import build_face_network
from emorec.networks.layers import fold_standardization
from emorec.training import face, face_pictures


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    monkeypatch.setenv("EMOREC_DATA", str(tmp_path))


def test_nobody_trains_who_is_judged(emorec_data):
    judged = face_pictures.judged_others()
    assert set(judged) == set(face_pictures.OTHERS)
    for corpus, (table, faces) in judged.items():
        of_all = face_pictures.OTHERS[corpus][0].load_picture_table()
        trained = of_all[~face_pictures.is_held_out(of_all["speaker"])]
        assert not set(table["speaker"]) & set(trained["speaker"])
        assert len(table) == len(faces) and faces.shape[1:] == (48, 48)
        assert 0.15 < 1 - len(trained) / len(of_all) < 0.35
    others = face_pictures.load_others()
    assert len(others.pixels) > 5_000 and not others.trust.any()
    np.testing.assert_allclose(others.labels.sum(1), 1)


def test_films_of_one_series_stand_on_one_side():
    films = ["sfew-HarryPotter_GobletOfFire", "sfew-HarryPotter_OrderOfThePhoenix"]
    assert len(set(face_pictures.is_held_out(films))) == 1


def test_without_the_other_corpora_there_is_nothing_but_a_line(no_data, capsys):
    assert face_pictures.load_others().targets().shape == (0, 16)
    assert face_pictures.judged_others() == {}
    assert "CFEE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("sad", {"sad": 1}),
        ("fearfully surprised", {"fear": 0.5, "surprise": 0.5}),
        ("hatred", {"angry": 0.5, "disgust": 0.5}),
    ],
)
def test_a_compound_expression_is_half_of_each(expression, shown):
    target = dict(zip(COMMON7, face_pictures.expression_target(expression), strict=True))
    assert {name: share for name, share in target.items() if share} == shown


def test_an_unknown_expression_is_refused():
    with pytest.raises(ValueError, match="bored"):
        face_pictures.expression_target("bored")


def test_a_rare_class_is_heard_once_its_prior_is_taken_out():
    prior = np.full(7, 0.98 / 6)
    prior[COMMON7.index("disgust")] = 0.02
    # Disgust is three times likelier than expected, and another class likelier still.
    posterior = np.array([prior, prior])
    posterior[1, COMMON7.index("disgust")] *= 3
    clips = pd.DataFrame({"clip_id": ["a", "b"], "speaker": "x", "emotion": ["angry", "disgust"]})
    table = prediction_table(clips, posterior / posterior.sum(1, keepdims=True), COMMON7, "test")
    assert face.recall_at_even_prior(table, prior) == 1.0


def test_a_class_that_never_trained_is_no_error():
    prior = np.array([0.0, 0.0, 0.2, 0.2, 0.2, 0.2, 0.2])
    clips = pd.DataFrame({"clip_id": ["a"], "speaker": "x", "emotion": ["sad"]})
    table = prediction_table(clips, np.array([[0, 0, 0, 0, 0, 1.0, 0]]), COMMON7, "test")
    assert face.recall_at_even_prior(table, prior) == 1.0


def test_half_of_the_way_is_the_mean_of_what_is_convolved_with():
    before, after = (shake(build_face_network(stages=((4, 1), (8, 2)))) for _ in range(2))
    kernels = [fold_standardization(network).get_weights() for network in (before, after)]
    found = fold_standardization(face.halfway(before, after)).get_weights()
    for mean, first, last in zip(found, *kernels, strict=True):
        np.testing.assert_allclose(mean, (first + last) / 2, atol=2e-3)
