"""What a stranger's clip gets: whole corpora left out, from features to the file's verdict."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers import made_voice, write_clip

from emorec import Recognizer
from emorec.emotions import COMMON7, RAVDESS8
from emorec.evaluation import evidence
from emorec.evaluation.splits import SpeakerLeakError
from emorec.experiments import strangers, strangers_distance, strangers_voice
from emorec.training.corpus_weights import class_codes
from emorec.training.heard import LOADERS, Heard

EMOTIONS = {"ravdess": RAVDESS8, "crema_d": COMMON7[:6], "emovo": COMMON7}


def made_corpora(names=tuple(EMOTIONS), clips=96, width=96):
    """Corpora of 24 or 48 speakers, whose emotions stand apart; one copy of each clip."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "clip_id": f"{name}-{n}",
            "corpus": name,
            "speaker": f"{name}-{n % (48 if name == 'crema_d' else 24) + 1:02d}",
            "emotion": EMOTIONS[name][n // 2 % len(EMOTIONS[name])],
        }
        for name in names
        for n in range(clips)
    ]
    table = pd.DataFrame(rows)

    def as_heard():
        features = rng.normal(size=(len(table), width)).astype(np.float32)
        features[np.arange(len(table)), class_codes(table, COMMON7)] += 4
        return Heard(table, features, np.zeros((len(table), 8, 4), np.float16))

    plain = as_heard()
    return Heard(plain.table, plain.statistics, plain.segments, (as_heard(),))


@pytest.fixture(scope="module")
def corpora():
    return made_corpora()


def test_each_corpus_is_judged_by_a_head_that_met_none_of_it(corpora):
    seen = []

    def predict(train, test, classes):
        seen.append((set(train.with_copies().table["corpus"]), set(test.table["corpus"])))
        return strangers_voice.held(train, test, classes)

    predictions = strangers_voice.left_out(corpora, predict)
    assert [test for _, test in seen] == [{"ravdess"}, {"crema_d"}, {"emovo"}]
    assert all(not train & test for train, test in seen), "nor a copy of it"
    folds = predictions.groupby("fold").size()
    assert folds.to_dict() == {list(LOADERS).index(name) + 1: 96 for name in EMOTIONS}
    assert not (predictions["truth"] == "calm").any()
    assert (predictions[list(COMMON7)].idxmax(axis=1) == predictions["truth"]).mean() > 0.8


def test_within_a_corpus_no_speaker_is_on_both_sides(corpora):
    for corpus, alone in (("ravdess", True), ("ravdess", False), ("crema_d", False)):
        met = []

        def predict(train, test, classes, met=met):
            met.append((train.table, test.table))
            return np.full((len(test.table), len(classes)), 1 / len(classes))

        predictions = strangers_voice.by_speaker(corpora, predict, corpus, alone)
        for train, test in met:
            assert not set(train["speaker"]) & set(test["speaker"])
            assert (set(train["corpus"]) == {corpus}) == alone
            assert set(test["corpus"]) == {corpus}
        assert predictions["clip_id"].is_unique
        assert ("calm" in predictions) == (corpus == "ravdess")
    joined = corpora.table.assign(speaker="everybody")
    leaky = Heard(joined, corpora.statistics, corpora.segments)
    with pytest.raises(SpeakerLeakError):
        strangers_voice.left_out(leaky, strangers_voice.held)


def test_a_class_that_no_other_corpus_has_stays_open(corpora):
    no_surprise = corpora.of((corpora.table["corpus"] != "emovo").to_numpy())
    is_ravdess = (no_surprise.table["corpus"] == "ravdess").to_numpy()
    posterior = strangers_voice.held(
        no_surprise.of(~is_ravdess), no_surprise.of(is_ravdess), COMMON7
    )
    assert posterior.shape == (96, 7)
    np.testing.assert_allclose(posterior.sum(1), 1, atol=1e-5)
    # Crema-d's clips are of six emotions; they teach nothing of surprise, not that there is none.
    assert (posterior[:, COMMON7.index("surprise")] > 0.01).all()


def test_a_cut_run_goes_on_and_the_evidence_follows_from_the_predictions(
    corpora, tmp_path, monkeypatch
):
    work, folder = tmp_path / "work", tmp_path / "held_logistic"
    calls = []

    def counted(train, test, classes):
        calls.append(len(test.table))
        return strangers_voice.held(train, test, classes)

    monkeypatch.setitem(strangers_voice.HEADS, "held_logistic", (counted,))
    monkeypatch.setattr(strangers_voice, "BY_SPEAKER", ())
    metrics = strangers_voice.evaluate(corpora, "held_logistic", folder, work)
    assert len(calls) == 3
    again = strangers_voice.evaluate(corpora, "held_logistic", folder, work)
    assert len(calls) == 3 and again == metrics, "finished tables are read"
    assert set(metrics["left_out"]) == set(EMOTIONS) and metrics["gate"]["corpora"] == 3
    accuracies = [entry["scores"]["accuracy"] for entry in metrics["left_out"].values()]
    assert metrics["gate"]["mean_accuracy"] == pytest.approx(np.mean(accuracies))
    predictions = evidence.read_predictions(folder)
    assert evidence.measured(predictions, "speaker")["scores"] == metrics["scores"]


def test_far_clips_are_found_and_the_limit_counts_corpora_alike(corpora):
    statistics = corpora.statistics.copy()
    odd = np.flatnonzero(corpora.table["corpus"] == "emovo")[:8]
    statistics[odd] += 12
    heard = Heard(corpora.table, statistics, corpora.segments)
    table = strangers_distance.distances(heard)
    assert table["clip_id"].tolist() == corpora.table["clip_id"].tolist()
    far_off = table.iloc[odd]
    assert (far_off["training_percentile"] == 100).all()
    assert far_off["distance"].min() > table.drop(index=odd)["distance"].max()
    limits = [np.quantile(part["distance"], 0.99) for _, part in table.groupby("fold")]
    limit = strangers_distance.far_limit(table)
    assert limit == pytest.approx(np.mean(limits))
    predictions = strangers_voice.left_out(heard, strangers_voice.held)
    found = strangers_distance.measured(table, predictions, limit)
    assert found["emovo"]["far"]["share"] == pytest.approx(8 / 96)
    assert found["crema_d"]["far"]["share"] == 0 and found["crema_d"]["far"]["right"] is None


@pytest.fixture(scope="module")
def read_clips(models, tmp_path_factory):
    """What the recogniser of untrained networks says of two clips, the second being silent."""
    folder = tmp_path_factory.mktemp("clips")
    rate_hz, rows = 16_000, []
    for name, sound in (("spoken", made_voice(1.5, rate_hz)), ("silent", np.zeros(16_000))):
        path = write_clip(
            folder / f"{name}.wav",
            sound=sound.astype(np.float32),
            sample_rate_hz=rate_hz,
            audio_codec="pcm_s16le",
        )
        rows.append({"path": str(path), "clip_id": name, "speaker": "s1", "emotion": "calm"})
    return strangers.read(Recognizer.load(models), pd.DataFrame(rows), jobs=1).assign(fold=1)


def test_a_clip_without_a_verdict_counts_as_wrong(read_clips):
    assert read_clips["status"].tolist() == ["ok", "no verdict"]
    assert read_clips["truth"].tolist() == ["neutral", "neutral"]
    predictions = strangers.predictions_of(read_clips, "fused")
    silent = predictions.set_index("clip_id").loc["silent"]
    assert silent[list(COMMON7)].astype(float).idxmax() != "neutral"
    found = strangers.measured(read_clips, "voice")["ravdess"]
    assert found["clips"] == 2 and found["without_verdict"] == 1
    assert 1 / 7 < found["mean_confidence"] < 1
    assert strangers.measured(read_clips, "face") == {}, "a stream that no clip has"


def test_the_evidence_tells_each_stream_and_the_means(read_clips, tmp_path):
    spoken = read_clips.iloc[[0] * 4].assign(clip_id=list("abcd"), speaker=["s1", "s2"] * 2)
    table = pd.concat([spoken, spoken.assign(clip_id=list("efgh"), fold=6)], ignore_index=True)
    metrics = strangers.write_results(tmp_path / "end_to_end", table, table.assign(fold=4))
    assert set(metrics["left_out"]["fused"]) == {"ravdess", "emovo"}
    assert metrics["left_out"]["face"] == {} and metrics["gate"]["corpora"] == 2
    assert set(metrics["squeezed"]) == {"fused", "voice"}
    written = json.loads((tmp_path / "end_to_end" / "metrics.json").read_text())
    assert written["gate"] == metrics["gate"]
    verdicts = pd.read_csv(tmp_path / "end_to_end" / "verdicts.csv")
    np.testing.assert_allclose(verdicts["voice.sad"], table["voice.sad"], atol=1e-4)


def test_a_large_corpus_is_drawn_from_and_always_the_same_clips(monkeypatch):
    table = pd.DataFrame({"clip_id": [f"c{n:04d}" for n in range(3_000)]})
    monkeypatch.setattr(strangers, "load_table", lambda corpus: table)
    first, again = strangers.clips_of("nemo"), strangers.clips_of("nemo")
    assert len(first) == strangers.MOST_CLIPS and first["clip_id"].is_unique
    pd.testing.assert_frame_equal(first, again)


def test_finished_corpora_are_read_and_absent_ones_named(read_clips, tmp_path, monkeypatch, capsys):
    read_clips.assign(fold=6).to_csv(tmp_path / "emovo.csv", index=False)
    monkeypatch.setattr(strangers, "hear", lambda corpora, features: made_corpora(("crema_d",), 8))
    runs = strangers.Runs(tmp_path, tmp_path, jobs=1)
    found = runs.read(["emovo", "savee"])
    assert runs.read_squeezed() is None
    assert found["clip_id"].tolist() == ["spoken", "silent"]
    told = capsys.readouterr().out
    assert "SAVEE is not there" in told and "JavaSED is not there" in told
