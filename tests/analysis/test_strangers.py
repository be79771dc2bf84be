"""The story of strangers: its figures follow from the committed verdicts."""

import numpy as np
import pandas as pd
import pytest

from emorec.analysis import strangers
from emorec.emotions import COMMON7
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import read_predictions


def verdicts(fold: int, right_of: dict[str, list[int]]) -> pd.DataFrame:
    """Return verdicts on one corpus: speaker -> for each clip 1 where it is right; all sad."""
    rows = [
        {"clip_id": f"{fold}-{speaker}-{i}", "speaker": f"{fold}-{speaker}", "fold": fold}
        | {"truth": "sad"}
        | {name: float(name == ("sad" if right else "fear")) for name in COMMON7}
        for speaker, clips in right_of.items()
        for i, right in enumerate(clips)
    ]
    return pd.DataFrame(rows)


def test_a_small_corpus_counts_as_much_as_a_large_one():
    few, many = verdicts(1, {"a": [1], "b": [1]}), verdicts(2, {"a": [0] * 50, "b": [0] * 50})
    found = strangers.mean_interval(pd.concat([few, many]), resamples=20)
    assert found["accuracy"] == [0.5, 0.5, 0.5]  # speakers of a corpus are alike: no spread


def test_the_interval_draws_speakers_and_not_clips():
    unlike = verdicts(1, {"a": [1] * 40, "b": [0] * 40})
    value, low, high = strangers.mean_interval(unlike)["accuracy"]
    assert (value, low, high) == (0.5, 0.0, 1.0)


@pytest.mark.parametrize("name", ["held_logistic", "end_to_end"])
def test_means_are_those_of_the_committed_gate(name):
    gate = strangers.read_metrics(name)["gate"]
    found = strangers.mean_interval(read_predictions(strangers.FOLDER / name), resamples=10)
    recall = gate.get("mean_recall", gate.get("mean_unweighted_average_recall"))
    assert found["accuracy"][0] == pytest.approx(gate["mean_accuracy"])
    assert found["unweighted_average_recall"][0] == pytest.approx(recall)


def test_recall_by_emotion_is_that_of_the_scores():
    predictions = read_predictions(strangers.FOLDER / "held_logistic")
    table = strangers.by_emotion(predictions)
    assert list(table.index) == list(strangers.CORPORA.values())
    nemo = evaluation.scores(strangers.of_corpus(predictions, "nemo"))
    assert np.nanmean(table.loc["nEMO, Polish"]) == pytest.approx(nemo["unweighted_average_recall"])


def test_verdicts_that_were_not_given_say_nothing_about_trust():
    spoken = strangers.spoken()
    silent = {
        corpus: entry["without_verdict"]
        for corpus, entry in strangers.read_metrics("end_to_end")["left_out"]["fused"].items()
    }
    everything = read_predictions(strangers.FOLDER / "end_to_end")
    assert len(spoken) == len(everything) - sum(silent.values())


def test_before_and_now_are_judged_on_the_same_clips():
    table = strangers.against_2d_cnn()
    assert list(table["clips"]) == [352, 1351, 180, 160]
    assert (table["encoder"] > table["2D CNN, best"]).all()


def test_the_voice_before_is_that_of_its_evidence():
    assert {name: round(value, 1) for name, value in strangers.before().items()} == {
        "savee": 39.2,
        "javased": 37.5,  # two clips in which it hears nobody speak count as wrong
    }
