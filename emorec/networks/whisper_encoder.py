"""The front of Whisper-base's encoder: two convolutions, positions and three blocks.

Whisper (Radford et al. 2022) learnt to write down 680,000 hours of speech in many languages. What
its first blocks make of a sound tells emotions of people and recordings apart that no network
trained on acted emotion alone has met. The architecture is OpenAI's; the weights are loaded from
a file of arrays under their names, with `encoder_weights`.

Plain Keras 3. Weights are kept in half precision, which halves the file, and cast when they are
used: the network computes in float32.
"""

import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from emorec.errors import ModelError
from emorec.features.whisper_mel import WHISPER
from emorec.paths import data_folder

WIDTH, HEADS, BLOCKS = 512, 8, 3
POSITIONS = 500
"""Frames of the encoder that have a position here, 20 ms each: ten seconds."""

STATISTICS = 2 * WIDTH * BLOCKS
"""Mean and deviation over time of each channel after each block: 3,072."""

_EPSILON = 1e-5
_FETCH = "get the encoder's weights from the data folder's whisper_base, or make them again"


class _HalfPrecision(layers.Layer):
    """A layer whose weights are kept as float16 and used as float32."""

    def __init__(self, **options):
        super().__init__(**{"dtype": "float32", **options})

    def _half(self, name: str, *shape: int):
        return self.add_weight(
            name=name, shape=shape, dtype="float16", initializer="glorot_uniform", trainable=False
        )


@keras.saving.register_keras_serializable("emorec")
class WhisperFront(_HalfPrecision):
    """The log-mel as a sequence of vectors: two convolutions, of which the second halves the rate.

    From (batch, 80, frames) to (batch, (frames + 1) // 2, 512).
    """

    def build(self, input_shape):
        """Create kernels, biases and the table of positions."""
        self.kernels = [
            self._half("kernel_1", 3, input_shape[1], WIDTH),
            self._half("kernel_2", 3, WIDTH, WIDTH),
        ]
        self.biases = [self._half("bias_1", WIDTH), self._half("bias_2", WIDTH)]
        self.positions = self._half("positions", POSITIONS, WIDTH)

    def call(self, inputs):
        """Convolve, and add where in time each vector stands."""
        x = ops.transpose(inputs, (0, 2, 1))
        for kernel, bias, strides in zip(self.kernels, self.biases, (1, 2), strict=True):
            # Padded by hand: "same" would put the second one's frames elsewhere.
            x = ops.pad(x, ((0, 0), (1, 1), (0, 0)))
            x = ops.conv(x, ops.cast(kernel, "float32"), strides=strides, padding="valid")
            x = _gelu(x + ops.cast(bias, "float32"))
        return x + ops.cast(self.positions[: ops.shape(x)[1]], "float32")


@keras.saving.register_keras_serializable("emorec")
class WhisperBlock(_HalfPrecision):
    """Self-attention and a perceptron, each after a layer norm and around a shortcut."""

    def build(self, input_shape):
        """Create the weights of both halves."""
        self.attention_norm = [self._half(f"attention_norm_{n}", WIDTH) for n in ("gain", "bias")]
        self.mlp_norm = [self._half(f"mlp_norm_{n}", WIDTH) for n in ("gain", "bias")]
        sizes = dict.fromkeys(("query", "key", "value", "out"), (WIDTH, WIDTH))
        sizes |= {"wide": (WIDTH, 4 * WIDTH), "narrow": (4 * WIDTH, WIDTH)}
        self.kernels = {name: self._half(f"{name}_kernel", *size) for name, size in sizes.items()}
        # Keys have none: a softmax does not see what all of its inputs share.
        self.biases = {
            name: self._half(f"{name}_bias", size[1])
            for name, size in sizes.items()
            if name != "key"
        }

    def call(self, x):
        """Return a sequence of the same shape, (batch, frames, 512)."""
        x = x + self._attend(_normalised(x, *self.attention_norm))
        hidden = _gelu(self._affine(_normalised(x, *self.mlp_norm), "wide"))
        return x + self._affine(hidden, "narrow")

    def _affine(self, x, name):
        x = ops.matmul(x, ops.cast(self.kernels[name], "float32"))
        return x + ops.cast(self.biases[name], "float32") if name in self.biases else x

    def _attend(self, x):
        query, key, value = (self._heads(x, name) for name in ("query", "key", "value"))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        shares = ops.softmax(scores * (WIDTH // HEADS) ** -0.5)
        mixed = ops.transpose(ops.matmul(shares, value), (0, 2, 1, 3))
        return self._affine(ops.reshape(mixed, (-1, ops.shape(x)[1], WIDTH)), "out")

    def _heads(self, x, name):
        split = ops.reshape(self._affine(x, name), (-1, ops.shape(x)[1], HEADS, WIDTH // HEADS))
        return ops.transpose(split, (0, 2, 1, 3))


@keras.saving.register_keras_serializable("emorec")
class TimeStatistics(layers.Layer):
    """Mean and standard deviation over time: (batch, frames, channels) to (batch, 2 channels)."""

    def call(self, x):
        """Return the means, then the deviations."""
        mean = ops.mean(x, axis=1, keepdims=True)
        deviation = ops.sqrt(ops.mean(ops.square(x - mean), axis=1))
        return ops.concatenate([mean[:, 0], deviation], axis=-1)


@keras.saving.register_keras_serializable("emorec")
class HalfDense(_HalfPrecision):
    """A dense layer whose weights are kept as float16."""

    def __init__(self, units: int, **options):
        super().__init__(**options)
        self.units = units

    def build(self, input_shape):
        """Create kernel and bias."""
        self.kernel = self._half("kernel", input_shape[-1], self.units)
        self.bias = self._half("bias", self.units)

    def call(self, x):
        """Return (batch, units)."""
        return ops.matmul(x, ops.cast(self.kernel, "float32")) + ops.cast(self.bias, "float32")

    def get_config(self):
        """Return what the layer is made again from."""
        return {**super().get_config(), "units": self.units}


def _gelu(x):
    # Written out: ONNX has the error function, and not its complement, which Keras's takes.
    return 0.5 * x * (1.0 + ops.erf(x * 0.5**0.5))


def _normalised(x, gain, bias):
    mean = ops.mean(x, axis=-1, keepdims=True)
    about_mean = x - mean
    variance = ops.mean(ops.square(about_mean), axis=-1, keepdims=True)
    scaled = about_mean / ops.sqrt(variance + _EPSILON)
    return scaled * ops.cast(gain, "float32") + ops.cast(bias, "float32")


def _places() -> dict[str, tuple[str, str]]:
    """Map OpenAI's names to (layer, variable). The keys' bias is none: a softmax ignores it."""
    places = {"positional_embedding": ("front", "positions")}
    for n in (1, 2):
        places[f"conv{n}.weight"] = ("front", f"kernel_{n}")
        places[f"conv{n}.bias"] = ("front", f"bias_{n}")
    parts = {"attn.query": "query", "attn.key": "key", "attn.value": "value", "attn.out": "out"}
    parts |= {"mlp.0": "wide", "mlp.2": "narrow", "attn_ln": "attention_norm", "mlp_ln": "mlp_norm"}
    for index in range(BLOCKS):
        for theirs, ours in parts.items():
            kernel = f"{ours}_gain" if theirs.endswith("ln") else f"{ours}_kernel"
            places[f"blocks.{index}.{theirs}.weight"] = (f"block_{index}", kernel)
            if theirs != "attn.key":
                places[f"blocks.{index}.{theirs}.bias"] = (f"block_{index}", f"{ours}_bias")
    return places


_PLACES = _places()


def _assign(encoder: keras.Model, weights: dict[str, np.ndarray]) -> None:
    for name, (layer, variable) in _PLACES.items():
        # From (outputs, inputs, ...) to (..., inputs, outputs).
        is_table = name == "positional_embedding"
        values = weights[name][:POSITIONS] if is_table else weights[name].T
        found = {v.name: v for v in encoder.get_layer(layer).weights}[variable]
        found.assign(values)


def encoder_weights(file: Path | None = None) -> dict[str, np.ndarray]:
    """Read the weights, named as in OpenAI's code (`conv1.weight`, `blocks.0.attn.query.weight`).

    Args:
        file: `.npz`; by default `whisper_base/encoder_3_layers.npz` in the data folder.

    Raises:
        ModelError: If it is missing, damaged, or holds another network.
    """
    file = Path(file or data_folder() / "whisper_base" / "encoder_3_layers.npz")
    try:
        with np.load(file, allow_pickle=False) as archive:
            weights = {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise ModelError(file, "there is no such file", _FETCH) from error
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(file, f"it is damaged, or no file of arrays ({error})", _FETCH) from error
    missing = [name for name in _PLACES if name not in weights]
    if missing:
        raise ModelError(file, f"it holds another network: it lacks {missing[0]}", _FETCH)
    return weights


def build_encoder(weights: dict[str, np.ndarray] | None = None) -> keras.Model:
    """Build the frozen encoder.

    Args:
        weights: From `encoder_weights`; random without them, which hear nothing.

    Returns:
        A model from (batch, 80, frames), float32, Whisper's log-mel of sound of any length up to
        ten seconds, to (batch, 3072): mean and deviation over time after each block.

    Raises:
        ValueError: If weights are of another shape.
    """
    log_mel = layers.Input((WHISPER.bands, None), name="log_mel")
    x, statistics = WhisperFront(name="front")(log_mel), []
    for index in range(BLOCKS):
        x = WhisperBlock(name=f"block_{index}")(x)
        statistics.append(TimeStatistics(name=f"statistics_{index}")(x))
    outputs = layers.Concatenate(name="statistics")(statistics)
    encoder = keras.Model(log_mel, outputs, name="whisper_base_3_blocks")
    if weights is not None:
        _assign(encoder, weights)
    return encoder
