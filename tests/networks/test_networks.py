import subprocess
import sys

import keras
import numpy as np
import onnxruntime
import pytest
from helpers import shake
from keras import layers

from emorec.networks.face import build_face_network
from emorec.networks.layers import (
    StandardizedConv2D,
    conv_relu,
    fold_standardization,
    unfold_standardization,
)
from emorec.networks.voice import build_voice_network
from emorec.paths import MODELS
from emorec.training import fit as fit_training
from emorec.training.fit import AugmentedBatches, Cycle, Objective, cycle_histories, fit, fit_cycles


@pytest.fixture(autouse=True)
def float32():
    keras.mixed_precision.set_dtype_policy("float32")
    keras.utils.set_random_seed(0)


def outputs(network, inputs):
    found = network.predict(inputs, verbose=0)
    return list(found.values()) if isinstance(found, dict) else [found]


@pytest.mark.parametrize(
    ("build", "shape"), [(build_face_network, (48, 48, 1)), (build_voice_network, (96, 188, 1))]
)
def test_shipped_network_and_onnx_answer_as_the_trained_one(build, shape, tmp_path):
    trained = shake(build())
    inputs = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    expected = outputs(trained, inputs)
    fit_training.save_network(tmp_path, fold_standardization(trained))

    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert not any(isinstance(layer, StandardizedConv2D) for layer in loaded.layers)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    through_onnx = session.run(None, {session.get_inputs()[0].name: inputs})
    for one, two, three in zip(expected, outputs(loaded, inputs), through_onnx, strict=True):
        np.testing.assert_allclose(one.sum(1), 1, atol=1e-5)
        np.testing.assert_allclose(one, two, atol=1e-4)
        np.testing.assert_allclose(one, three, atol=1e-4)


def test_shipped_networks_load_without_the_package():
    # But for the voice encoder, whose blocks are layers of its own.
    models = [
        str(path)
        for path in sorted(MODELS.glob("**/model.keras"))
        if path.parent.name != "voice_encoder"
    ]
    code = (
        "import sys, keras\n"
        "for path in sys.argv[1:]: keras.saving.load_model(path, compile=False, safe_mode=True)\n"
        "assert 'emorec' not in sys.modules"
    )
    loading = subprocess.run([sys.executable, "-c", code, *models], capture_output=True, text=True)
    assert models
    assert loading.returncode == 0, loading.stderr


def test_training_form_survives_saving_with_its_gains(tmp_path):
    trained = shake(build_voice_network())
    trained.save(tmp_path / "trained.keras")
    loaded = keras.saving.load_model(tmp_path / "trained.keras")
    for one, two in zip(trained.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_networks_keep_their_size_promises():
    assert build_face_network().count_params() <= 2_100_000
    assert build_voice_network().count_params() <= 500_000


def small_problem(epochs, work_folder, stop_after=None):
    """Fit a tiny network on a picture that is either bright or dark."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 64)
    pictures = (rng.normal(size=(64, 8, 8, 1)) + truth[:, None, None, None]).astype(np.float32)
    inputs = layers.Input((8, 8, 1))
    pooled = layers.GlobalAveragePooling2D()(conv_relu(inputs, 4))
    network = keras.Model(inputs, layers.Dense(2, activation="softmax")(pooled))
    drawn = []

    def make_batch(_, indices):
        if len(indices) > 1:  # The example that the variables are made for is no step.
            drawn.append(indices)
        if stop_after is not None and len(drawn) > stop_after:
            raise RuntimeError("cut short")
        return pictures[indices], truth[indices]

    fit(
        network,
        AugmentedBatches(64, make_batch, batch_size=16, seed=0),
        work_folder,
        Objective("sparse_categorical_crossentropy", weight_decay=0.0),
        epochs=epochs,
        learning_rate=0.05,
    )
    return (network.predict(pictures, verbose=0).argmax(1) == truth).mean(), len(drawn)


def test_a_step_is_traced_once_and_the_example_before_it_changes_nothing(tmp_path):
    points = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    traced, drawn = [], []

    class Counted(keras.Model):
        def train_step(self, data):
            traced.append(data)
            return super().train_step(data)

    def make_batch(rng, indices):
        drawn.append((rng.random(), *indices))
        return points[indices], {"one": points[indices, :1], "two": points[indices]}

    inputs = layers.Input((2,))
    outputs = {name: layers.Dense(n, name=name)(inputs) for name, n in (("one", 1), ("two", 2))}
    objective = Objective(
        {"one": "mse", "two": "mse"}, 0.1, metrics={"one": ["mae"], "two": ["accuracy"]}
    )
    batches = AugmentedBatches(64, make_batch, 16, seed=0)
    fit(Counted(inputs, outputs), batches, tmp_path, objective, epochs=2, learning_rate=0.1)
    assert len(traced) == 1
    assert drawn[0] == drawn[1][:2], "what was drawn for the example is drawn again"


def test_shipped_weights_go_back_into_training_form():
    trained = build_voice_network()
    shipped = fold_standardization(trained)
    again = unfold_standardization(shipped, build_voice_network(classes=6))
    inputs = np.random.default_rng(0).normal(size=(2, 96, 188, 1)).astype(np.float32)
    embeddings = [
        keras.Model(network.input, network.get_layer("embedding").output)(inputs)
        for network in (trained, again)
    ]
    np.testing.assert_allclose(*embeddings, atol=1e-3)


def test_cycles_follow_each_other_and_finished_ones_are_not_trained_again(tmp_path):
    built = []

    def build(dropout):
        built.append(dropout)
        inputs = keras.layers.Input((2,))
        hidden = keras.layers.Dropout(dropout)(keras.layers.Dense(8, activation="relu")(inputs))
        return keras.Model(inputs, keras.layers.Dense(1)(hidden))

    points = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)

    def train(*cycles):
        return fit_cycles(
            build,
            lambda cycle: AugmentedBatches(64, lambda _, i: (points[i], points[i, :1]), 16, cycle),
            cycles,
            tmp_path,
            Objective("mse", weight_decay=0.0),
        )

    first = train(Cycle(2, 0.01, dropout=0.4))
    (tmp_path / "trained.keras").unlink()
    second = train(Cycle(2, 0.01, dropout=0.4), Cycle(3, 0.0, dropout=0.2))
    assert built == [0.4, 0.2], "the first cycle was read, not trained again"
    for before, after in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(before, after, err_msg="the second cycle starts elsewhere")
    assert list(cycle_histories(tmp_path)["epoch"]) == [0, 1, 2, 3, 4]


def test_training_learns_and_a_cut_run_resumes(tmp_path):
    with pytest.raises(Exception, match="cut short"):
        small_problem(20, tmp_path, stop_after=42)
    accuracy, batches = small_problem(20, tmp_path)
    assert accuracy > 0.9
    assert batches < 60, "the second run began where the first stopped"
    epochs = np.genfromtxt(tmp_path / "history.csv", delimiter=",", names=True)["epoch"]
    assert sorted(set(epochs)) == list(range(20))


def test_a_face_and_its_mirror_image_are_judged_alike():
    from emorec.streams.face import predict_faces

    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8)
    network = shake(build_face_network())

    def predict(batch):
        return network.predict(batch, verbose=0)["ferplus"]

    found = predict_faces(predict, faces)
    assert found.shape == (3, 8)
    np.testing.assert_allclose(found, predict_faces(predict, faces[:, :, ::-1]), atol=1e-5)


def test_crops_of_augmented_faces_have_the_asked_size():
    from emorec.training.augment import augment_faces

    faces = np.random.default_rng(0).integers(0, 256, (5, 48, 48), np.uint8)
    for side, asked in ((48, None), (40, 40)):
        found = augment_faces(np.random.default_rng(1), faces, asked)
        assert found.shape == (5, side, side) and found.dtype == np.uint8
