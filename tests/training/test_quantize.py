"""The 8-bit form of a network says what the network says."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from emorec.features.whisper_mel import whisper_log_mel
from emorec.networks.whisper_encoder import build_encoder
from emorec.training.quantize import save_quantized

FRAMES = (20, 100, 300)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """An untrained encoder with a head, whose norms have channels of very different strength."""
    keras.utils.set_random_seed(0)
    encoder = build_encoder()
    rng = np.random.default_rng(0)
    for layer in encoder.layers:
        for gain, _ in (
            getattr(layer, half) for half in ("attention_norm", "mlp_norm") if hasattr(layer, half)
        ):
            gain.assign(rng.lognormal(-2, 1.0, gain.shape))
    head = keras.layers.Dense(7, activation="softmax", name="head_linear")
    return keras.Model(encoder.input, head(encoder.output))


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("quantized") / "model.onnx"
    save_quantized(path, network, np.zeros((1, 80, 100), np.float32))
    return path


def test_it_is_small_and_says_the_same_of_sound_of_any_length(network, file):
    assert file.stat().st_size < 25e6
    session = onnxruntime.InferenceSession(str(file))
    name = session.get_inputs()[0].name
    for frames in FRAMES:
        sound = np.random.default_rng(frames).normal(0, 0.1, 160 * frames).astype(np.float32)
        log_mel = whisper_log_mel(sound)[None]
        found = session.run(None, {name: log_mel})[0]
        np.testing.assert_allclose(found, np.asarray(network(log_mel)), atol=0.03)


def test_norms_before_rounded_products_are_evened_and_first_block_and_head_stay_exact(file):
    graph = onnx.load(file).graph
    names = [tensor.name for tensor in graph.initializer]
    assert sum(name.startswith("evened_gain") for name in names) == 4
    exact = [node.name for node in graph.node if node.op_type == "MatMul"]
    assert sum("Tensordot" in name for name in exact) == 6
    assert any("head_linear" in name for name in exact)
