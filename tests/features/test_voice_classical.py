"""Classical features: librosa's values, copies, cache, protocols, networks, evidence."""

import dataclasses

import librosa
import numpy as np
import pandas as pd
import pytest

from emorec import avatar
from emorec.corpora import ravdess
from emorec.emotions import RAVDESS8
from emorec.evaluation import evidence as evidence_evaluation
from emorec.evaluation.evidence import load_evidence
from emorec.evaluation.splits import SpeakerLeakError
from emorec.experiments.classical import copies, leakage, protocols
from emorec.experiments.classical import features as cache
from emorec.experiments.classical import train as classical_training
from emorec.experiments.classical.models import RECIPES, Forest, NeuralNetwork
from emorec.features import voice_classical as features
from emorec.files import StaleCacheError
from emorec.media.reader import read_sound
from emorec.networks import voice_classical as networks
from emorec.publish import rebuild

RATE_HZ = features.SAMPLE_RATE_HZ
BLOCKS = ((1, 2), (5, 6), (9, 10))


def made_voice(seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    """A gliding harmonic sound with pauses and hiss, (n,) float32."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(120 + 60 * np.sin(3 * time_s)) / RATE_HZ
    sound = sum(np.sin(k * phase) / k for k in range(1, 25))
    loudness = np.clip(np.sin(2 * np.pi * 1.1 * time_s), 0.003, 1)
    return (0.2 * sound * loudness + 1e-4 * rng.standard_normal(time_s.size)).astype(np.float32)


@pytest.fixture(scope="module", params=["made", "real"])
def voice(request) -> np.ndarray:
    if request.param == "made":
        return made_voice()
    folder = request.getfixturevalue("emorec_data")
    table = ravdess.load_sound_table(folder / "RAVDESS")
    return read_sound(table["path"].iloc[700], RATE_HZ)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> pd.DataFrame:
    """Made-up voices of six actors, a take of each emotion."""
    folder = tmp_path_factory.mktemp("sound")
    avatar.make_sound_corpus(folder, actors=(1, 2, 5, 6, 9, 10), takes=avatar.all_takes()[::8])
    return ravdess.load_sound_table(folder)


@pytest.fixture(scope="module")
def found(corpus, tmp_path_factory) -> cache.VoiceFeatures:
    return cache.extract(corpus, tmp_path_factory.mktemp("cache"))


def test_the_26_means_are_those_of_librosa(voice):
    options = {"y": voice, "sr": RATE_HZ}
    expected = [
        librosa.feature.chroma_stft(**options).mean(),
        librosa.feature.rms(y=voice).mean(),
        librosa.feature.spectral_centroid(**options).mean(),
        librosa.feature.spectral_bandwidth(**options).mean(),
        librosa.feature.spectral_rolloff(**options).mean(),
        librosa.feature.zero_crossing_rate(voice).mean(),
        *librosa.feature.mfcc(**options).mean(axis=1),
    ]
    np.testing.assert_allclose(features.means_26(voice), expected, rtol=1e-3, atol=1e-2)
    # The small ones, which the absolute tolerance of the coefficients would let pass.
    np.testing.assert_allclose(
        features.means_26(voice)[[0, 1, 5]], np.take(expected, [0, 1, 5]), rtol=1e-4
    )


def test_the_162_means_and_frames_are_those_of_librosa(voice):
    cut = features.excerpt(voice)
    assert len(cut) <= 2.5 * RATE_HZ
    mel = librosa.feature.melspectrogram(y=cut, sr=RATE_HZ)
    first = [
        librosa.feature.zero_crossing_rate(cut),
        librosa.feature.chroma_stft(y=cut, sr=RATE_HZ),
        librosa.feature.mfcc(y=cut, sr=RATE_HZ),
        librosa.feature.rms(y=cut),
    ]
    means = np.concatenate([*first, mel]).mean(axis=1)
    frames = np.concatenate([*first, librosa.power_to_db(mel)]).T
    assert len(means) == len(features.MEANS_162) == 162
    np.testing.assert_allclose(features.means_162(cut), means, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(features.frames_162(cut), frames, rtol=1e-3, atol=2e-2)
    of_both = features.both_162(cut)
    np.testing.assert_array_equal(of_both[0], features.means_162(cut))
    np.testing.assert_array_equal(of_both[1], features.frames_162(cut))


def test_silence_is_removed_as_librosa_splits(voice):
    intervals = librosa.effects.split(voice, top_db=20)
    expected = np.concatenate([voice[a:b] for a, b in intervals])
    np.testing.assert_array_equal(features.remove_silence(voice), expected)
    assert len(expected) < len(voice)


def test_silence_and_nothing():
    silence = np.zeros(RATE_HZ, np.float32)
    assert np.isfinite(features.means_26(features.remove_silence(silence))).all()
    for make in (features.means_26, features.means_162, features.remove_silence):
        with pytest.raises(ValueError, match="Remedy: leave out clips without sound"):
            make(np.zeros(0, np.float32))
    with pytest.raises(ValueError, match=r"lasts 0\.50 s"):
        features.excerpt(silence[: RATE_HZ // 2])


@pytest.mark.parametrize("length", [1, 300, 2047, 3000])
def test_sound_of_less_than_a_frame_has_features_and_no_warning(length, recwarn):
    voice = made_voice()[20_000 : 20_000 + length]
    assert np.isfinite(features.means_26(features.remove_silence(voice))).all()
    assert features.frames_162(voice).shape == (1 + length // features.HOP, 162)
    features.means_26(np.full(length, 0.3, np.float32))
    assert not recwarn.list


@pytest.mark.parametrize("rate", [0.8, 1.0, 1.25])
def test_stretching_is_librosas_phase_vocoder(voice, rate):
    ours, theirs = copies.stretch(voice, rate), librosa.effects.time_stretch(voice, rate=rate)
    assert len(ours) == round(len(voice) / rate)
    assert np.abs(ours - theirs).max() < 0.01 * np.abs(theirs).max()


@pytest.mark.parametrize("rate", [0.8, 1.25])
def test_tempo_changes_and_pitch_stays(rate):
    time_s = np.arange(2 * RATE_HZ) / RATE_HZ
    tone = np.sin(2 * np.pi * 440 * time_s).astype(np.float32)
    stretched = copies.stretch(tone, rate)
    assert len(stretched) == round(len(tone) / rate)
    peak_hz = np.abs(np.fft.rfft(stretched)).argmax() * RATE_HZ / len(stretched)
    assert peak_hz == pytest.approx(440, rel=0.01)
    assert np.abs(stretched).max() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("semitones", [-4, 4])
def test_pitch_moves_and_length_stays(semitones):
    time_s = np.arange(2 * RATE_HZ) / RATE_HZ
    tone = np.sin(2 * np.pi * 440 * time_s).astype(np.float32)
    moved = copies.change_pitch(tone, semitones)
    peak_hz = np.abs(np.fft.rfft(moved)).argmax() / 2
    assert peak_hz == pytest.approx(440 * 2 ** (semitones / 12), rel=0.01)
    assert len(moved) == len(tone)


def test_copies_stay_in_their_ranges():
    voice = made_voice()
    noisy = copies.add_noise(np.random.default_rng(0), voice, 0.01)
    assert (noisy - voice).std() == pytest.approx(0.01 * np.abs(voice).max(), rel=0.05)
    np.testing.assert_array_equal(np.sort(copies.shift(voice, 0.2)), np.sort(voice))
    lengths = {
        len(copies.make_copy("stretch", np.random.default_rng(seed), voice)) for seed in range(8)
    }
    assert min(lengths) >= len(voice) / 1.25 - 1
    assert max(lengths) <= len(voice) / 0.8 + 1
    with pytest.raises(ValueError, match="choose from noise, stretch, pitch, shift"):
        copies.make_copy("echo", np.random.default_rng(0), voice)
    with pytest.raises(ValueError, match="not positive"):
        copies.stretch(voice, 0)


def test_the_cache_gives_back_what_was_made_in_any_order(corpus, found, tmp_path):
    few = corpus[corpus["speaker"].isin(["ravdess-01", "ravdess-02"])]
    first = cache.extract(few, tmp_path)
    rows = [found.table["clip_id"].tolist().index(clip) for clip in few["clip_id"]]
    np.testing.assert_array_equal(first.means_26, found.means_26[rows])
    again = cache.extract(few.iloc[::-1].sort_values("clip_id"), tmp_path)
    for clip in few["clip_id"]:
        before, after = (list(x.table["clip_id"]).index(clip) for x in (first, again))
        np.testing.assert_array_equal(first.means_162[before], again.means_162[after])
        np.testing.assert_array_equal(
            first.windows_26[first.window_take == before],
            again.windows_26[again.window_take == after],
        )


def test_plain_rows_of_the_cache_are_the_takes_own_features(corpus, found):
    samples = read_sound(corpus["path"].iloc[5], RATE_HZ)
    expected = features.means_26(features.remove_silence(samples))
    np.testing.assert_allclose(found.means_26[5, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(
        found.means_162[5, 0], features.means_162(features.excerpt(samples)), rtol=1e-6
    )
    assert found.frames_162.shape[2:] == (108, 162)
    assert np.isfinite(found.frames_162).all()
    assert not np.allclose(found.means_26[:, 0], found.means_26[:, 1])


def test_a_cache_of_another_version_is_refused(corpus, tmp_path, monkeypatch):
    one = corpus[corpus["speaker"] == "ravdess-01"].iloc[:3]
    with monkeypatch.context() as patch:
        patch.setattr(features, "VERSION", "voice-features-0")
        cache.extract(one, tmp_path)
    with pytest.raises(StaleCacheError, match=r"version 'voice-features-0'.*Remedy: del"):
        cache.extract(one, tmp_path)


def test_a_cache_of_other_takes_is_refused_and_a_damaged_one_made_again(corpus, tmp_path):
    one = corpus[corpus["speaker"] == "ravdess-01"]
    first = cache.extract(one.iloc[:3], tmp_path)
    with pytest.raises(StaleCacheError, match="3 takes, which are not the 3 asked for"):
        cache.extract(one.iloc[1:4], tmp_path)
    file = tmp_path / "ravdess-01.npz"
    file.write_bytes(file.read_bytes()[:-4000])
    with pytest.warns(UserWarning, match="damaged"):
        again = cache.extract(one.iloc[:3], tmp_path)
    np.testing.assert_array_equal(first.means_162, again.means_162)


def test_an_unknown_emotion_is_never_taken_for_another(corpus, tmp_path):
    odd = corpus.assign(emotion=corpus["emotion"].replace("sad", "boredom"))
    with pytest.raises(ValueError, match=r"unknown emotions \['boredom'\].*Remedy"):
        cache.extract(odd, tmp_path)
    assert not list(tmp_path.iterdir())


def test_by_speaker_only_training_takes_have_copies_and_no_speaker_is_on_two_sides(corpus):
    codes = cache.class_codes(corpus["emotion"])
    made = list(
        protocols.by_speaker(corpus, codes, ("noise", "pitch"), is_balanced=False, blocks=BLOCKS)
    )
    tested = np.concatenate([split.test[:, 0] for split in made])
    assert sorted(tested) == list(range(len(corpus)))
    for split in made:
        assert (split.test[:, 1] == 0).all() and (split.validation[:, 1] == 0).all()
        assert len(split.train) == 3 * (split.train[:, 1] == 0).sum()
        sides = [
            set(corpus["speaker"].iloc[rows[:, 0]])
            for rows in (split.train, split.validation, split.test)
        ]
        assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])


def test_a_speaker_in_two_blocks_raises(corpus):
    codes = cache.class_codes(corpus["emotion"])
    with pytest.raises(SpeakerLeakError):
        list(
            protocols.by_speaker(
                corpus, codes, (), is_balanced=False, blocks=((1, 2), (2, 5), (6, 9))
            )
        )


def test_a_class_absent_from_a_folds_training_side_raises(corpus, tmp_path):
    known = corpus["speaker"].isin(["ravdess-01", "ravdess-02"])
    poor = corpus[known | (corpus["emotion"] != "calm")].reset_index(drop=True)
    codes = cache.class_codes(poor["emotion"])
    with pytest.raises(ValueError, match="training side 1 has no clip of: calm"):
        list(protocols.by_speaker(poor, codes, (), is_balanced=False, blocks=BLOCKS))
    train = (np.zeros((7, 26)), np.array([0, 1, 2, 3, 4, 5, 7]))
    nobody = (np.zeros((0, 26)), np.zeros(0, int))
    with pytest.raises(ValueError, match="no training row of sad"):
        Forest(2).fit(train, nobody, 0, tmp_path)


def test_classes_are_balanced_by_copies(corpus):
    codes = cache.class_codes(corpus["emotion"])
    rows = protocols.rows_with_copies(
        codes, np.arange(len(codes)), copies.COPY_KINDS, per_class=24, seed=3
    )
    counts = np.bincount(codes[rows[:, 0]])
    assert set(counts) == {24}
    assert len({tuple(row) for row in rows}) == len(rows)


def test_the_random_split_shares_speakers_and_siblings(corpus):
    codes = cache.class_codes(corpus["emotion"])
    rows = protocols.rows_with_copies(codes, np.arange(len(codes)), ("noise",))
    split = protocols.random_split(codes, rows, 0.25)
    sides = (split.train, split.validation, split.test)
    assert sum(len(side) for side in sides) == len(rows)
    assert len(split.test) == pytest.approx(len(rows) / 4, abs=8)
    assert set(split.test[:, 0]) & set(split.train[:, 0])


@pytest.mark.parametrize("name", networks.__all__)
def test_networks_have_the_described_shape(name):
    network = getattr(networks, name)()
    assert network.output_shape == (None, 8)
    widths = [
        getattr(layer, "filters", getattr(layer, "units", None))
        for layer in network.layers
        if layer.__class__.__name__ in ("Conv1D", "Dense", "LSTM", "GRU")
    ][:-1]
    expected = {
        "build_dense_26": [64, 32, 8],
        "build_cnn_26": [64, 128, 256],
        "build_cnn_26_batchnorm": [64, 128, 256, 512],
        "build_cnn4_162": [256, 256, 128, 64, 32],
        "build_lstm_162": [256, 256, 128, 64],
    }
    assert widths == expected.get(name, widths)
    if name == "build_cnn9_162":
        convolutions = [x for x in network.layers if x.__class__.__name__ == "Conv1D"]
        assert [(x.kernel_size, x.strides) for x in convolutions] == [((5,), (2,))] * 9


def test_training_leaves_evidence_that_follows_and_resumes(found, tmp_path, monkeypatch):
    name = "voice_random_forest"
    monkeypatch.setitem(RECIPES, name, dataclasses.replace(RECIPES[name], learner=Forest(5)))
    tables = classical_training.train(name, found, tmp_path, blocks=BLOCKS)
    metrics = classical_training.write_results(name, tables, found.table, tmp_path)
    assert metrics["clips"] == len(found.table)
    assert "LEAKING" in metrics["random_split"]["protocol"]
    assert metrics["parameters"] > 0 and metrics["ms_per_clip"] > 0
    evidence = load_evidence(tmp_path)
    assert {e.key for e in evidence} == {"", "random_split", "windows"}
    assert not any(rebuild.check_metrics(e) for e in evidence)
    monkeypatch.setattr(Forest, "fit", lambda *_: pytest.fail("a finished fold is not repeated"))
    again = classical_training.train(name, found, tmp_path, blocks=BLOCKS)
    pd.testing.assert_frame_equal(again[0], tables[0])


def test_a_network_learns_by_speaker(found, tmp_path):
    recipe = dataclasses.replace(
        RECIPES["voice_dense_26"], learner=NeuralNetwork(networks.build_dense_26, 2)
    )
    split = classical_training.splits_of(recipe, found.table, BLOCKS)[0]
    table = classical_training.train_split(recipe, found, split, tmp_path)
    np.testing.assert_allclose(table[list(RAVDESS8)].sum(axis=1), 1, atol=1e-3)
    assert set(table["speaker"]) == {"ravdess-01", "ravdess-02"}
    assert len(pd.read_csv(tmp_path / "history.csv")) == 2
    assert evidence_evaluation.read_predictions(tmp_path).equals(table)


def test_the_comparison_names_the_inflation_in_points():
    def scored(accuracy):
        return {"scores": {"accuracy": accuracy, "macro_f1": accuracy}, "roc_auc": 0.9}

    metrics = scored(0.4) | {"intervals_95": {"accuracy": [0.3, 0.5]}, "title": "A model"}
    metrics["random_split"] = scored(0.75) | {"reported": {"accuracy": 74.2}}
    table = leakage.comparison({"a": metrics})
    assert table.loc["A model", "inflation, points"] == pytest.approx(35)
    assert table.loc["A model", "reported accuracy %"] == 74.2


def test_a_copy_lies_nearest_to_its_own_take(found):
    share, chance = leakage.nearest_sibling_share(found.means_26)
    assert chance < 0.1 < share <= 1
