"""Voice networks that read the log-mel as a sequence: recurrent with attention, and a transformer.

Both take exactly what the voice CNN takes and have about as many parameters, so that the three
can be compared on one footing.
"""

import keras
from keras import layers, ops

from emorec.emotions import RAVDESS8

# Frames that one step of the recurrent network reads at once: 64 ms at a hop of 16 ms.
FRAMES_PER_STEP = 4

# Bands x frames of the transformer's patches, which do not overlap: twice as many that overlap by
# half take more than twice the time of a training step.
PATCH = (16, 16)


def build_recurrent_network(
    bands: int = 96,
    frames: int = 188,
    classes: int = len(RAVDESS8),
    *,
    units: int = 72,
    recurrent_layers: int = 2,
    dropout: float = 0.3,
) -> keras.Model:
    """Build a bidirectional GRU with attention pooling over time.

    Each step reads a few frames at once; the attention weighs the steps, and the softmax reads
    the weighted mean and deviation of the states (attentive statistics pooling, Okabe, Koshinaka
    & Shinoda 2018; attention over emotional speech: Mirsamadi, Barsoum & Zhang 2017).

    Args:
        bands: Mel bands of the input.
        frames: Frames of the input, a multiple of `FRAMES_PER_STEP`.
        classes: What the softmax tells apart.
        units: Width of each GRU in each direction.
        recurrent_layers: Number of bidirectional layers.
        dropout: Share of the pooled features that training drops; of the states, a third of it.

    Returns:
        A model from (batch, bands, frames, 1), float32, standardised per window (see
        `emorec.features.voice.voice_input`), to a posterior, (batch, classes). Its layer
        `attention_over_time` puts out (batch, frames / FRAMES_PER_STEP, 1), which sums to 1.

    Raises:
        ValueError: If the frames do not divide into steps.

    Example:
        >>> build_recurrent_network().output_shape
        (None, 8)
    """
    if frames % FRAMES_PER_STEP:
        raise ValueError(f"{frames} frames do not divide into steps of {FRAMES_PER_STEP}")
    inputs = layers.Input((bands, frames, 1), name="log_mel")
    x = layers.Permute((2, 1, 3))(inputs)
    x = layers.Reshape((frames // FRAMES_PER_STEP, FRAMES_PER_STEP * bands))(x)
    x = layers.Dense(bands, name="frame_embedding")(x)
    for index in range(recurrent_layers):
        x = layers.LayerNormalization(dtype="float32")(x)
        x = layers.Dropout(dropout / 3)(x) if index else x
        gru = layers.GRU(units, return_sequences=True)
        x = layers.Bidirectional(gru, name=f"gru_{index + 1}")(x)
    x = layers.Dropout(dropout / 3)(x)
    scores = layers.Dense(1)(layers.Dense(units, activation="tanh")(x))
    weights = layers.Softmax(axis=1, dtype="float32", name="attention_over_time")(scores)
    outputs = _posterior(_weighted_statistics(x, weights), classes, dropout)
    return keras.Model(inputs, outputs, name="voice_recurrent")


def _weighted_statistics(x, weights):
    """Mean and deviation over time under attention.

    Args:
        x: (batch, steps, channels), of any float type.
        weights: (batch, steps, 1), float32, summing to 1 over the steps.

    Returns:
        (batch, 2 * channels), float32.
    """
    x = ops.cast(x, "float32")
    mean = ops.sum(weights * x, axis=1, keepdims=True)
    variance = ops.sum(weights * ops.square(x - mean), axis=1)
    return ops.concatenate([ops.squeeze(mean, 1), ops.sqrt(variance + 1e-4)], axis=-1)


def _posterior(x, classes: int, dropout: float):
    x = layers.LayerNormalization(dtype="float32", name="embedding")(x)
    x = layers.Dropout(dropout, dtype="float32")(x)
    return layers.Dense(
        classes, activation="softmax", kernel_initializer="zeros", dtype="float32", name="voice"
    )(x)


@keras.saving.register_keras_serializable("emorec")
class PositionalEmbedding(layers.Layer):
    """Adds a learned vector to each token, which tells where it stands."""

    def build(self, input_shape):
        """Create one vector per token, (tokens, channels)."""
        self.positions = self.add_weight(
            name="positions",
            shape=input_shape[1:],
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        )

    def call(self, tokens):
        """Add the vectors to tokens (batch, tokens, channels)."""
        return tokens + ops.cast(self.positions, tokens.dtype)


def build_transformer_network(
    bands: int = 96,
    frames: int = 188,
    classes: int = len(RAVDESS8),
    *,
    width: int = 64,
    blocks: int = 4,
    heads: int = 4,
    dropout: float = 0.3,
) -> keras.Model:
    """Build a small audio-spectrogram transformer (Gong, Chung & Glass 2021).

    Patches of the spectrogram, a learned positional embedding, pre-norm blocks of
    self-attention and a four times wider MLP. The original starts from a network that knows
    pictures and reads two class tokens; from scratch, the mean of all tokens is read instead.

    Args:
        bands: Mel bands of the input.
        frames: Frames of the input.
        classes: What the softmax tells apart.
        width: Channels of each token.
        blocks: Number of blocks.
        heads: Heads of each self-attention; a divisor of `width`.
        dropout: Share of the pooled features that training drops; inside the blocks, a third.

    Returns:
        A model from (batch, bands, frames, 1), float32, standardised per window (see
        `emorec.features.voice.voice_input`), to a posterior, (batch, classes).

    Example:
        >>> build_transformer_network().output_shape
        (None, 8)
    """
    inputs = layers.Input((bands, frames, 1), name="log_mel")
    patches = layers.Conv2D(width, PATCH, PATCH, padding="same", name="patch_embedding")
    x = patches(inputs)
    x = layers.Reshape((-1, width))(x)
    x = PositionalEmbedding(name="positions")(x)
    for index in range(blocks):
        x = _transformer_block(x, index + 1, heads, dropout / 3)
    x = layers.LayerNormalization(dtype="float32")(x)
    outputs = _posterior(layers.GlobalAveragePooling1D(dtype="float32")(x), classes, dropout)
    return keras.Model(inputs, outputs, name="voice_transformer")


def _transformer_block(x, number: int, heads: int, dropout: float):
    """Self-attention, then an MLP, each after a normalisation and around a shortcut."""
    width = x.shape[-1]
    attention = layers.MultiHeadAttention(heads, width // heads, name=f"self_attention_{number}")
    normal = layers.LayerNormalization()(x)
    # The scores are returned for those who look at them; training pays nothing for it.
    attended, _ = attention(normal, normal, return_attention_scores=True)
    x = layers.Add()([x, layers.Dropout(dropout)(attended)])
    # By its tanh form: ONNX has no operator for the exact one's.
    hidden = ops.gelu(layers.Dense(4 * width)(layers.LayerNormalization()(x)), approximate=True)
    hidden = layers.Dense(width)(layers.Dropout(dropout)(hidden))
    return layers.Add()([x, layers.Dropout(dropout)(hidden)])


def attention_by_time(network: keras.Model) -> keras.Model:
    """Return a model of how a network spreads its attention over the window.

    Args:
        network: From `build_recurrent_network`, whose attention pools over time, or from
            `build_transformer_network`: what all tokens of the last block look at, all heads
            alike, summed over frequency.

    Returns:
        A model from (batch, bands, frames, 1) to (batch, steps or columns of patches), summing
        to 1 over time.

    Raises:
        ValueError: If the network has no attention.
    """
    names = [layer.name for layer in network.layers]
    if "attention_over_time" in names:
        weights = network.get_layer("attention_over_time").output
        return keras.Model(network.input, ops.squeeze(weights, -1))
    blocks = [name for name in names if name.startswith("self_attention_")]
    if not blocks:
        raise ValueError(f"{network.name} has no attention that could be shown")
    _, scores = network.get_layer(blocks[-1]).output
    by_token = ops.mean(ops.cast(scores, "float32"), axis=(1, 2))
    columns = network.get_layer("patch_embedding").output.shape[2]
    by_time = ops.sum(ops.reshape(by_token, (-1, by_token.shape[-1] // columns, columns)), axis=1)
    return keras.Model(network.input, by_time)
