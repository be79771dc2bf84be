import numpy as np
import pandas as pd
import pytest

from emorec.training.corpus_weights import class_codes, clip_weights, known_classes
from emorec.training.masked_heads import fit_logistic, fit_perceptron
from emorec.training.temperature import at_temperature, fit_temperature

CLASSES = ("angry", "happy", "sad")


def two_corpora(clips=240, features=12):
    """Clips of which corpus `b` has no sad one, and stands elsewhere in feature space."""
    rng = np.random.default_rng(0)
    corpus = np.repeat(["a", "b"], clips // 2)
    emotion = np.array(CLASSES)[np.arange(clips) % 3]
    emotion[(corpus == "b") & (emotion == "sad")] = "happy"
    table = pd.DataFrame({"corpus": corpus, "emotion": emotion})
    table["speaker"] = table["corpus"] + pd.Series(np.arange(clips) % 4).astype(str)
    inputs = rng.normal(size=(clips, features)).astype(np.float32)
    inputs[np.arange(clips), class_codes(table, CLASSES)] += 4
    return inputs, table


def both_heads(inputs, table):
    return (
        fit_logistic(inputs, table, CLASSES),
        fit_perceptron(inputs, table, CLASSES, seed=1),
    )


def test_a_class_that_a_corpus_lacks_is_not_taught_as_absent():
    inputs, table = two_corpora()
    assert known_classes(table, CLASSES)[table["corpus"] == "b"].tolist()[0] == [True, True, False]
    sad = np.zeros((1, inputs.shape[1]), np.float32)
    sad[0, 2] = 4
    for head in (
        fit_logistic(inputs, table, CLASSES),
        fit_perceptron(inputs, table, CLASSES, seed=1),
    ):
        assert head.predict(sad)[0].argmax() == 2


def test_heads_learn_and_give_posteriors():
    inputs, table = two_corpora()
    truth = class_codes(table, CLASSES)
    for head in (
        fit_logistic(inputs, table, CLASSES),
        fit_perceptron(inputs, table, CLASSES, seed=1),
    ):
        posterior = head.predict(inputs)
        np.testing.assert_allclose(posterior.sum(1), 1, atol=1e-5)
        assert (posterior.argmax(1) == truth).mean() > 0.85


def test_a_corpus_weighs_the_root_of_its_speakers_and_its_classes_alike():
    _, table = two_corpora()
    table = table.assign(speaker=table["speaker"].where(table["corpus"] == "a", "b0"))
    weights = clip_weights(table, CLASSES)
    of_a, of_b = (weights[table["corpus"] == name].sum() for name in "ab")
    assert of_a / of_b == pytest.approx(2.0)
    by_class = pd.Series(weights).groupby([table["corpus"], table["emotion"]]).sum()
    assert np.ptp(by_class["b"]) == pytest.approx(0, abs=1e-9)


def test_an_emotion_without_a_place_is_named():
    table = pd.DataFrame({"corpus": "a", "emotion": ["bored", "sad"]})
    with pytest.raises(ValueError, match="bored"):
        class_codes(table, CLASSES)


def test_calm_is_neutral_where_there_is_no_calm():
    table = pd.DataFrame({"emotion": ["calm", "neutral", "sad"]})
    assert class_codes(table, ("neutral", "sad")).tolist() == [0, 0, 1]


def test_temperature_finds_how_much_too_sure_posteriors_are():
    rng = np.random.default_rng(0)
    honest = rng.dirichlet((0.5, 0.5, 0.5), 4000)
    truth = np.array([rng.choice(3, p=p) for p in honest])
    boast = at_temperature(honest, 0.5)
    assert fit_temperature(truth, boast, np.ones(4000)) == pytest.approx(2.0, rel=0.1)
