import functools
import json
import shutil

import keras
import numpy as np
import onnxruntime
import pandas as pd
import pytest
from helpers import shake

from emorec.corpora.ravdess import speaker_name
from emorec.emotions import RAVDESS8
from emorec.evaluation import splits
from emorec.evaluation.evidence import load_evidence
from emorec.experiments import voice_sequence
from emorec.networks.layers import fold_standardization
from emorec.networks.voice import build_voice_network
from emorec.networks.voice_sequence import (
    FRAMES_PER_STEP,
    attention_by_time,
    build_recurrent_network,
    build_transformer_network,
)
from emorec.publish import rebuild
from emorec.training import fit

BUILDERS = (build_recurrent_network, build_transformer_network)


@pytest.fixture(autouse=True)
def float32():
    keras.mixed_precision.set_dtype_policy("float32")
    keras.utils.set_random_seed(0)


def pictures(count=2):
    return np.random.default_rng(1).normal(size=(count, 96, 188, 1)).astype(np.float32)


@pytest.mark.parametrize("build", BUILDERS)
def test_parameters_are_as_many_as_the_cnn_has(build):
    of_cnn = build_voice_network().count_params()
    assert abs(build().count_params() / of_cnn - 1) <= 0.1


@pytest.mark.parametrize("build", BUILDERS)
def test_kept_file_and_onnx_answer_as_the_network(build, tmp_path):
    # One layer as good as two, and exported in half the time.
    depth = {"recurrent_layers": 1} if build is build_recurrent_network else {"blocks": 1}
    network, inputs = shake(build(**depth)), pictures(3)
    expected = np.asarray(network(inputs))
    np.testing.assert_allclose(expected.sum(1), 1, atol=1e-5)
    fit.save_network(tmp_path, fold_standardization(network))
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(np.asarray(loaded(inputs)), expected, atol=1e-5)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (through_onnx,) = session.run(None, {session.get_inputs()[0].name: inputs})
    np.testing.assert_allclose(through_onnx, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("build", "columns"), [(build_recurrent_network, 47), (build_transformer_network, 12)]
)
def test_attention_is_spread_over_time(build, columns):
    found = np.asarray(attention_by_time(shake(build()))(pictures()))
    assert found.shape == (2, columns)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-4)


def test_a_network_without_attention_has_none_to_show():
    with pytest.raises(ValueError, match="no attention"):
        attention_by_time(build_voice_network())


def test_both_networks_hear_the_order_of_time():
    inputs = pictures()
    for build in BUILDERS:
        network = shake(build())
        difference = np.abs(network(inputs) - network(inputs[:, :, ::-1])).max()
        assert difference > 0.02


def test_frames_that_make_no_whole_steps_are_refused():
    with pytest.raises(ValueError, match="190 frames"):
        build_recurrent_network(frames=190)
    assert 188 % FRAMES_PER_STEP == 0


@pytest.mark.parametrize("build", BUILDERS)
def test_a_few_steps_learn_to_tell_high_from_low(build):
    rng = np.random.default_rng(0)
    truth = np.arange(16) % 2
    inputs = rng.normal(0, 0.3, (16, 32, 32, 1))
    inputs[truth == 0, :16] += 1
    inputs[truth == 1, 16:] += 1
    small = {"units": 8} if build is build_recurrent_network else {"width": 16, "blocks": 1}
    network = build(32, 32, 2, dropout=0.0, **small)
    network.compile(
        keras.optimizers.Adam(5e-3),
        "sparse_categorical_crossentropy",
        run_eagerly=True,  # to trace so few steps would take longer
        jit_compile=False,
    )
    losses = network.fit(inputs, truth, batch_size=16, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_no_speaker_is_trained_on_and_judged():
    speakers = pd.Series([speaker_name(actor) for actor in range(1, 25)])
    train, test = voice_sequence.split(speakers)
    assert (train.sum(), test.sum()) == (16, 8)
    splits.check_disjoint(train=speakers[train], test=speakers[test])


def made_takes():
    """Noise of several loudnesses by four actors, two of them to be judged."""
    rng = np.random.default_rng(0)
    rows = [
        (f"{actor:02d}-{code}", emotion, speaker_name(actor))
        for actor in (1, 2, 17, 18)
        for code, emotion in enumerate(RAVDESS8)
    ]
    table = pd.DataFrame(rows, columns=["clip_id", "emotion", "speaker"])
    return table, [rng.normal(0, 0.1, 40_000).astype(np.float32) for _ in rows]


def test_a_training_leaves_evidence_that_follows_from_its_predictions(tmp_path, monkeypatch):
    build = functools.partial(build_transformer_network, width=8, blocks=1)
    architecture = voice_sequence.Architecture("small", "voice_small", build, "float32")
    monkeypatch.setitem(voice_sequence.ARCHITECTURES, "small", architecture)
    work = tmp_path / voice_sequence.QUESTION / "voice_small" / "work"
    table, sounds = made_takes()
    found = voice_sequence.train_and_predict("small", 1, table, sounds, tmp_path, epochs=2)
    assert set(found["speaker"]) == {speaker_name(17), speaker_name(18)}
    again = voice_sequence.train_and_predict("small", 1, table, [], tmp_path, epochs=2)
    pd.testing.assert_frame_equal(again, found)
    shutil.copytree(work / "seed_1", work / "seed_2")

    metrics = voice_sequence.write_results("small", tmp_path, seeds=(1, 2))
    of_seeds = metrics["accuracy_of_seeds"]
    assert of_seeds["lowest"] <= of_seeds["mean"] <= of_seeds["highest"]
    evidence = load_evidence(tmp_path)
    assert [e.key for e in evidence] == ["", "seed_2"]
    assert [rebuild.check_metrics(e) for e in evidence] == [[], []]
    facts = json.loads((work / "seed_1" / "training.json").read_text())
    assert facts["epochs"] == 2
    assert facts["ms_per_clip"] > 0
