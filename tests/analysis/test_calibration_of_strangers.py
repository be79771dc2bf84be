"""What calibration is worth on corpora that were left out: draws, gains, harm, warnings."""

import numpy as np
import pandas as pd
import pytest

from emorec.analysis import calibration_of_strangers as study
from emorec.emotions import COMMON7
from emorec.evaluation.left_out import left_out_voice
from emorec.evaluation.scores import prediction_table
from emorec.paths import MODELS
from emorec.posteriors import softmax


def made_up(bias_size: float, noise: float = 1.0) -> pd.DataFrame:
    """Three corpora of eight speakers, 42 clips each, with a bias of their own."""
    rng = np.random.default_rng(0)
    speakers, truth = np.repeat(np.arange(24), 42), np.tile(np.arange(42) % 7, 24)
    scores = 2 * np.eye(7)[truth] + noise * rng.normal(size=(len(truth), 7))
    scores += (bias_size * rng.normal(size=(24, 7)))[speakers]
    clips = pd.DataFrame(
        {
            "clip_id": [f"clip-{i}" for i in range(len(truth))],
            "speaker": [f"speaker-{s:02d}" for s in speakers],
            "emotion": np.array(COMMON7)[truth],
        }
    )
    return prediction_table(clips, softmax(scores), COMMON7, speakers // 8 + 1)


def test_what_is_drawn_is_not_judged():
    rng, truth = np.random.default_rng(0), np.repeat(np.arange(3), (5, 4, 2))
    for draw in study.DRAWN.values():
        given, judged = draw(truth, 3, rng)
        assert len(given) == 3 and not set(given) & set(judged)
    given, judged = study.draw_one_emotion(truth, 4, rng)
    assert len(set(truth[given])) == 1 and set(truth[judged]) > {2}
    given, judged = study.draw_it_again(truth, 4, rng)
    assert set(truth[given]) == set(truth[judged]) == {0}, "no other emotion has one more"


def test_speakers_with_too_few_clips_take_no_part():
    rng, truth = np.random.default_rng(0), np.repeat(np.arange(3), 4)
    assert study.draw_mixed(truth, 12, rng) is None
    assert study.draw_one_emotion(truth, 5, rng) is None
    assert study.draw_it_again(truth, 4, rng) is None
    found = study.study(made_up(1.0), counts=(6,), draws=1, resamples=10)
    assert set(found["given"]) == {study.MIXED, study.ONE_EMOTION}


def test_mixed_clips_help_where_speakers_differ_and_one_emotion_is_lost():
    found = study.study(made_up(1.0), counts=(0, 5), draws=10, resamples=200)
    table = found.set_index(["corpus", "given", "clips"])
    everyone = table.loc["3 corpora, alike"]
    assert everyone.loc[(study.MIXED, 5), "gain_low"] > 5
    assert everyone.loc[(study.MIXED, 0), "gain"] == 0
    lost = everyone.loc[(study.IT_AGAIN, 5)]
    assert lost["gain_high"] < -5
    assert lost["warned"] > everyone.loc[(study.MIXED, 5), "warned"]
    corpora = table.loc[(list(study.CORPORA[:3]), study.MIXED, 5), "gain"]
    assert corpora.mean() == pytest.approx(everyone.loc[(study.MIXED, 5), "gain"], abs=0.02)
    assert everyone["speakers"].eq(24).all()


def test_where_speakers_are_alike_nothing_is_gained():
    found = study.study(made_up(0.0), counts=(8,), draws=5, resamples=50)
    mixed = found[(found["given"] == study.MIXED)].iloc[-1]
    assert abs(mixed["gain"]) < 2


def committed() -> pd.DataFrame:
    table = pd.read_csv(MODELS / study.FILE)
    return table.set_index(["corpus", "given", "clips"])


def test_the_committed_table_follows_from_the_committed_predictions():
    voice = left_out_voice(MODELS)
    small = voice[voice["fold"].isin((3, 4, 6))]
    rows = study.study(small, counts=(8,), draws=10, resamples=20)
    found = rows.set_index(["corpus", "given", "clips"])
    kept = committed()
    for corpus in ("SAVEE", "EMOVO"):
        for given in (study.MIXED, study.IT_AGAIN):
            one, other = (table.loc[(corpus, given, 8)] for table in (found, kept))
            assert one["after"] == pytest.approx(other["after"], abs=6), (corpus, given)


def test_the_committed_evidence_says_what_the_texts_say():
    table = committed()
    everyone = table.loc[("6 corpora, alike", study.MIXED, 8)]
    assert everyone["gain_low"] > 5
    assert everyone["warned"] < 10, "a warning that always comes is none"
    mixed = table.xs((study.MIXED, 8), level=("given", "clips"))
    assert (mixed["gain"] > 0).all()
    harm = table.xs((study.IT_AGAIN, 8), level=("given", "clips"))
    assert (harm["gain_high"] < 0).all()
    assert harm["warned"].min() > 50 and harm["warned"].mean() > 65
