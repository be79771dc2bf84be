"""Other speech corpora: merged tables, drawn sides, the matrix, the gain; on made voices."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from helpers import made_tone, write_clip

from emorec.avatar import synthetic
from emorec.corpora import crema_d, javased, ravdess, savee
from emorec.corpora.merged import COLUMNS, MergeError, merge_sound_tables
from emorec.emotions import COMMON7, CREMA_D6, JAVASED6, RAVDESS8, SHARED5
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import read_predictions
from emorec.evaluation.splits import (
    CREMA_D_SIDES,
    MissingClassError,
    SpeakerLeakError,
    check_disjoint,
    draw_sides,
)
from emorec.experiments import crema_d_voice, cross_corpus, voice_pretraining
from emorec.experiments.classical import merged_corpora as merged_features
from emorec.experiments.cross_corpus import CORPORA
from emorec.files import StaleCacheError
from emorec.networks.voice import build_voice_network
from emorec.training.fit import Cycle, training_clock, training_minutes
from emorec.training.sounds import read_sounds_once
from emorec.training.voice import VoiceTraining


def clips(corpus, speakers, emotions):
    rows = [
        (f"{corpus}/{s}-{e}.wav", f"{corpus}-{s}-{e}", e, f"{corpus}-{s}")
        for s in speakers
        for e in emotions
    ]
    return pd.DataFrame(rows, columns=["path", "clip_id", "emotion", "speaker"])


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """Made-up voices under the names of all four corpora."""
    return synthetic.synthetic_speech(tmp_path_factory.mktemp("voices"), actors=(1, 2))


@pytest.fixture(scope="module")
def sounds(voices, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    return {
        name: read_sounds_once(table.iloc[:16], folder / f"{name}.npz")
        for name, table in voices.items()
    }


def says(emotion, classes):
    """An untrained network that gives one class most of the posterior."""
    network = build_voice_network(classes=len(classes))
    kernel, _ = network.layers[-1].get_weights()
    network.layers[-1].set_weights([kernel, 3.0 * np.eye(len(classes))[classes.index(emotion)]])
    return network


# --- tables -------------------------------------------------------------------------------


def test_a_merged_table_tells_the_corpus_of_each_clip():
    merged = merge_sound_tables(
        {"A": clips("a", ["1"], ["sad", "calm"]), "B": clips("b", ["1"], ["happy"])}
    )
    assert list(merged) == list(COLUMNS)
    assert merged["corpus"].tolist() == ["A", "A", "B"]
    assert merged["emotion"].tolist() == ["sad", "calm", "happy"]


def test_a_speaker_under_two_corpora_is_refused():
    one, two = clips("a", ["1"], ["sad"]), clips("b", ["1"], ["happy"])
    two["speaker"] = "a-1"
    with pytest.raises(MergeError, match=r"'a-1' stands under A and B.*Remedy"):
        merge_sound_tables({"A": one, "B": two})


def test_a_clip_under_two_corpora_is_refused():
    one, two = clips("a", ["1"], ["sad"]), clips("b", ["1"], ["sad"])
    two["clip_id"] = one["clip_id"]
    with pytest.raises(MergeError, match="clip_id"):
        merge_sound_tables({"A": one, "B": two})


def test_an_unknown_emotion_is_refused_and_never_becomes_another():
    with pytest.raises(MergeError, match=r"A calls it 'bored'.*Remedy"):
        merge_sound_tables({"A": clips("a", ["1"], ["sad", "bored"])})
    with pytest.raises(MergeError, match="surprise"):
        merge_sound_tables({"A": clips("a", ["1"], ["surprise"])}, CREMA_D6)


@pytest.mark.parametrize(
    ("load", "name"),
    [
        (crema_d.load_sound_table, "AudioWAV/1001_DFA_XYZ_XX.wav"),
        (ravdess.load_sound_table, "Actor_01/03-01-09-01-01-01-01.wav"),
        (ravdess.load_video_table, "Actor_01/01-01-00-01-01-01-01.mp4"),
        (savee.load_sound_table, "DC_x03.wav"),
        (savee.load_sound_table, "AudioData/JE/sx03.wav"),
        (javased.load_video_table, "01-01-07_01.mp4"),
    ],
)
def test_no_reader_knows_what_to_call_an_unknown_code(load, name, tmp_path):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    with pytest.raises(ValueError, match=f"{file.name}: unknown emotion code"):
        load(tmp_path)


def test_foreign_files_beside_the_takes_are_no_takes(tmp_path):
    for name in ("DC_a01.wav", "XX_q01.wav", "Info.wav", "DC_a01 copy.wav"):
        (tmp_path / name).touch()
    assert savee.load_sound_table(tmp_path)["clip_id"].tolist() == ["DC_a01"]


def test_the_four_corpora_merge(emorec_data):
    merged = merge_sound_tables({corpus.name: corpus.load() for corpus in CORPORA})
    assert merged.groupby("corpus")["clip_id"].count().to_dict() == {
        "RAVDESS": 1440,
        "CREMA-D": 5797,
        "SAVEE": 240,
        "JavaSED": 192,
    }
    for corpus in CORPORA:
        own = merged[merged["corpus"] == corpus.name]
        assert set(own["emotion"]) == set(corpus.classes)
        assert set(SHARED5) <= set(corpus.classes)


# --- splits -------------------------------------------------------------------------------


def test_drawn_sides_share_nobody_and_depend_on_the_seed_alone():
    table = clips("a", [str(i) for i in range(12)], ["sad", "happy"])
    sides = draw_sides(table["speaker"], {"test": 3, "validation": 2}, seed=4)
    assert sum(mask.astype(int) for mask in sides.values()).tolist() == [1] * len(table)
    assert {s: table["speaker"][m].nunique() for s, m in sides.items()} == {
        "test": 3,
        "validation": 2,
        "train": 7,
    }
    shuffled = table.sample(frac=1, random_state=0)
    again = draw_sides(shuffled["speaker"], {"test": 3, "validation": 2}, seed=4)
    assert set(shuffled["speaker"][again["test"]]) == set(table["speaker"][sides["test"]])
    other = draw_sides(table["speaker"], {"test": 3, "validation": 2}, seed=5)
    assert (other["test"] != sides["test"]).any()


def test_too_few_speakers_to_train_on_is_an_error():
    with pytest.raises(ValueError, match="Remedy"):
        draw_sides(pd.Series(["a", "b"]), {"test": 2}, seed=0)


def test_a_side_without_a_class_is_refused():
    table = clips("a", [str(i) for i in range(40)], [e for e in CREMA_D6 if e != "fear"])
    with pytest.raises(MissingClassError, match=r"test has no clip of: fear.*Remedy"):
        crema_d_voice.draw(table)


def test_surprise_is_on_both_sides_of_the_merged_corpora_or_the_split_is_refused():
    speakers = [str(i) for i in range(8)]
    spoken = clips("crema-d", speakers, CREMA_D6).assign(corpus="CREMA-D")
    men = clips("savee", ["DC", "JE"], COMMON7).assign(corpus="SAVEE")
    both = pd.concat([spoken, men], ignore_index=True)
    features = np.zeros((len(both), len(merged_features.KINDS), 162), np.float32)
    train, watched, test = merged_features.split_by_speaker(both, features, test_actors=2)
    sides = {"train": train, "watched": watched, "test": test}
    check_disjoint(**{name: side.clips["speaker"] for name, side in sides.items()})
    for side in (watched, test):
        assert not side.clips["clip_id"].str.contains("+", regex=False).any(), "a copy is judged"
    takes = len(both) - len(test.clips) - len(watched.clips)
    assert len(train.clips) == len(merged_features.KINDS) * takes
    with pytest.raises(MissingClassError, match="surprise"):
        merged_features.split_by_speaker(spoken, features[: len(spoken)], test_actors=2)


def test_the_leaking_split_leaks_and_is_called_so():
    table = clips("a", ["1", "2"], COMMON7)
    features = np.zeros((len(table), len(merged_features.KINDS), 162), np.float32)
    train, watched, test = merged_features.split_at_random(table, features)
    with pytest.raises(SpeakerLeakError):
        check_disjoint(train=train.clips["speaker"], test=test.clips["speaker"])
    assert "LEAKING" in merged_features.PROTOCOLS["random"]
    rows = [row for side in (train, watched, test) for row in side.clips["clip_id"]]
    assert len(rows) == len(set(rows)) == len(table) * len(merged_features.KINDS)


def test_rows_keep_takes_and_their_features_together():
    table = clips("a", ["1", "2"], ["sad", "happy"])
    features = np.arange(4 * len(merged_features.KINDS))[:, None].repeat(162, 1)
    features = features.reshape(4, -1, 162).astype(np.float32)
    rows = merged_features.all_rows(table, features)
    for kind, name in enumerate(merged_features.KINDS[1:], 1):
        row = rows.clips["clip_id"].tolist().index(f"a-2-sad+{name}")
        assert rows.features[row, 0] == features[2, kind, 0]
        assert rows.clips["emotion"][row] == "sad"


# --- caches -------------------------------------------------------------------------------


def test_the_sound_cache_gives_back_what_was_read_and_refuses_other_clips(tmp_path):
    tone = made_tone(0.5, sample_rate_hz=16_000)
    for name in ("a", "b"):
        write_clip(
            tmp_path / f"{name}.wav", sound=tone, sample_rate_hz=16_000, audio_codec="pcm_s16le"
        )
    table = pd.DataFrame(
        {"path": [str(tmp_path / "a.wav"), str(tmp_path / "b.wav")], "clip_id": ["a", "b"]}
    )
    cache = tmp_path / "cache.npz"
    first = read_sounds_once(table, cache)
    for file in tmp_path.glob("*.wav"):
        file.unlink()
    again = read_sounds_once(table, cache)
    np.testing.assert_array_equal(first[1], again[1])
    np.testing.assert_allclose(again[0][: len(tone)], tone, atol=1e-3)
    with pytest.raises(StaleCacheError, match=r"2 clip_id, .* not the 1 .* delete"):
        read_sounds_once(table.iloc[:1], cache)
    with pytest.raises(StaleCacheError, match="48000"):
        read_sounds_once(table, cache, 48_000)


@pytest.mark.parametrize("what", ["sound", "features"])
def test_a_cache_of_another_version_is_refused(what, tmp_path):
    file, table = tmp_path / "old.npz", clips("a", ["1"], ["sad"])
    np.savez(file, version=0, clip_id=table["clip_id"].to_numpy(str))
    read = read_sounds_once if what == "sound" else merged_features.features_once
    with pytest.raises(StaleCacheError, match=r"version.*Remedy"):
        read(table, file)


def test_features_of_copies_do_not_depend_on_the_order_of_takes():
    sound = made_tone(2.0, sample_rate_hz=22_050)
    first = merged_features.features_of(sound, "a")
    assert first.shape == (len(merged_features.KINDS), 162)
    np.testing.assert_array_equal(first, merged_features.features_of(sound, "a"))
    other = merged_features.features_of(sound, "b")
    np.testing.assert_array_equal(first[0], other[0])
    assert (first[1] != other[1]).any()


# --- the matrix ---------------------------------------------------------------------------


def test_each_held_out_half_is_judged_by_the_network_that_never_heard_it(voices, sounds):
    corpus = next(c for c in CORPORA if c.name == "SAVEE")
    table = voices["SAVEE"]
    networks = [says("angry", COMMON7), says("sad", COMMON7)]
    judged = cross_corpus.evaluate_pair(corpus, networks, corpus, table, sounds["SAVEE"])
    verdict = judged[list(SHARED5)].idxmax(axis=1).groupby(judged["speaker"]).unique()
    assert verdict["savee-DC"].tolist() == ["angry"]
    assert verdict["savee-JE"].tolist() == ["sad"]


def test_a_foreign_corpus_is_judged_in_the_shared_classes_by_all_networks(voices, sounds):
    source = next(c for c in CORPORA if c.name == "JavaSED")
    target = next(c for c in CORPORA if c.name == "SAVEE")
    networks = [says("angry", JAVASED6), says("sad", JAVASED6)]
    judged = cross_corpus.evaluate_pair(source, networks, target, voices["SAVEE"], sounds["SAVEE"])
    assert evaluation.classes_of(judged) == SHARED5
    assert set(judged["truth"]) == set(SHARED5), "disgust and surprise are left out"
    np.testing.assert_allclose(judged[list(SHARED5)].sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(judged["angry"], judged["sad"], atol=1e-3)
    assert judged["fold"].unique().tolist() == ["SAVEE"]


@pytest.mark.parametrize("classes", [RAVDESS8, CREMA_D6])
def test_calm_counts_as_neutral_whether_or_not_the_network_knows_it(classes):
    clip = pd.DataFrame({"clip_id": ["a"], "speaker": ["x"], "emotion": ["calm"]})
    posterior = np.eye(len(classes))[[classes.index("neutral")]]
    table = evaluation.prediction_table(clip, posterior, classes, "RAVDESS")
    folded = cross_corpus.fold_shared(table)
    assert folded["truth"].tolist() == ["neutral"]
    assert evaluation.scores(folded)["accuracy"] == 1


def test_speakers_under_two_corpora_never_reach_the_matrix(voices, sounds):
    both = {"SAVEE": voices["SAVEE"], "JavaSED": voices["SAVEE"]}
    with pytest.raises(MergeError):
        cross_corpus.evaluate_all(CORPORA[2:], both, sounds, {})


def test_a_network_that_is_not_there_names_the_command(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"Remedy: python -m emorec\.experiments\.crema_d_voice"
    ):
        crema_d_voice.load_trained(tmp_path)


# --- training -----------------------------------------------------------------------------


def test_a_pretraining_run_is_judged_by_speaker_and_read_the_second_time(voices, tmp_path):
    table = voices["RAVDESS"]
    heard = read_sounds_once(table, tmp_path / "ravdess.npz")
    cycles = (Cycle(1, 1e-3, dropout=0.3),)
    run = table, heard, tmp_path / "run", VoiceTraining(cycles=cycles), (2,)
    predicted = voice_pretraining.train_and_predict(*run)
    assert set(predicted["speaker"]) == {"ravdess-02"}
    assert training_minutes(tmp_path / "run") > 0
    (tmp_path / "run" / "trained.keras").unlink()
    again = voice_pretraining.train_and_predict(*run)
    pd.testing.assert_frame_equal(predicted, again)


def test_the_start_of_another_width_keeps_all_but_the_softmax():
    start = says("sad", CREMA_D6)
    assert len(start.layers) == len(build_voice_network().layers)
    shapes = [[w.shape for w in layer.weights] for layer in start.layers[:-1]]
    assert shapes == [
        [w.shape for w in layer.weights] for layer in build_voice_network().layers[:-1]
    ]


def test_the_clock_counts_on_and_counts_what_was_cut(tmp_path):
    with training_clock(tmp_path):
        pass
    before = training_minutes(tmp_path)
    with pytest.raises(KeyboardInterrupt), training_clock(tmp_path):
        raise KeyboardInterrupt
    assert training_minutes(tmp_path) > before


def made_table(right, seed):
    """A prediction table of two speakers in which the first `right` clips are right."""
    rows = []
    for i in range(16):
        truth = RAVDESS8[i % 8]
        verdict = truth if i < right else RAVDESS8[(i + 1) % 8]
        posterior = np.eye(8)[RAVDESS8.index(verdict)]
        rows.append((f"{i}", f"s{i % 2}", seed, truth, *posterior))
    return pd.DataFrame(rows, columns=[*evaluation.KEYS, *RAVDESS8])


def test_the_gain_is_paired_by_seed():
    tables = {("scratch", 1): made_table(4, 1), ("scratch", 2): made_table(8, 2)}
    tables |= {("pretrained", 1): made_table(8, 1), ("pretrained", 2): made_table(10, 2)}
    found = voice_pretraining.gain(tables)["accuracy"]
    assert found["gain"] == [0.25, 0.125]
    assert found["gain_mean"] == pytest.approx(0.1875)
    assert found["gain_range"] == [0.125, 0.25]
    low, high = voice_pretraining.gain_interval(tables)
    assert low <= found["gain_mean"] <= high


# --- committed evidence -------------------------------------------------------------------


def evidence(folder):
    if not (folder / "metrics.json").exists():
        pytest.skip(f"{folder.name} has not been trained")
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_the_committed_matrix_follows_from_the_committed_tables():
    metrics = evidence(cross_corpus.MODEL_FOLDER)
    tables = {
        c.name: read_predictions(cross_corpus.MODEL_FOLDER, cross_corpus.table_name(c.name))
        for c in cross_corpus.CORPORA
    }
    committed = pd.DataFrame(metrics["matrix"]["accuracy"]).T
    follows = cross_corpus.matrix(tables)
    pd.testing.assert_frame_equal(committed, follows.round(4), check_names=False)
    columns = [set(table.loc[table["fold"] == "CREMA-D", "clip_id"]) for table in tables.values()]
    assert all(column == columns[0] for column in columns), "columns differ in their clips"


def test_the_committed_gain_follows_from_the_committed_tables():
    folder = voice_pretraining.MODEL_FOLDER
    committed = evidence(folder)["gain"]
    tables = {
        (start, seed): read_predictions(
            folder, f"predictions_{voice_pretraining.run_name(start, seed)}.csv"
        )
        for start in voice_pretraining.STARTS
        for seed in committed["seeds"]
    }
    assert voice_pretraining.gain(tables)["accuracy"] == committed["accuracy"]


def test_no_test_speaker_of_crema_d_took_part_in_training():
    metrics = evidence(crema_d_voice.MODEL_FOLDER)
    sides = metrics["speakers_by_side"]
    check_disjoint(**sides)
    judged = set(read_predictions(crema_d_voice.MODEL_FOLDER)["speaker"])
    assert judged == set(sides["test"])
    assert len(judged) == CREMA_D_SIDES["test"]


@pytest.fixture(autouse=True)
def float32():
    """Networks here are built in the usual precision, whatever ran before."""
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("float32")
    yield
    keras.mixed_precision.set_dtype_policy(before)
