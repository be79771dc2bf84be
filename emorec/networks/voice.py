"""The voice network: a small residual 2D CNN on the log-mel spectrogram."""

import keras
from keras import layers, ops

from emorec.emotions import RAVDESS8
from emorec.networks.layers import conv_relu

# (filters, convolutions) of each stage; a pooling halves both axes after each.
STAGES = ((24, 1), (48, 2), (96, 2), (128, 2))


@keras.saving.register_keras_serializable("emorec")
class TimeStatistics(layers.Layer):
    """Mean and maximum over time of each frequency band and channel, concatenated."""

    def call(self, inputs):
        """Pool (batch, bands, frames, channels) to (batch, bands, 2 * channels)."""
        return ops.concatenate([ops.mean(inputs, axis=2), ops.max(inputs, axis=2)], axis=-1)

    def compute_output_shape(self, input_shape):
        """Return the shape that `call` gives."""
        batch, bands, _, channels = input_shape
        return batch, bands, 2 * channels


def build_voice_network(
    bands: int = 96, frames: int = 188, stages=STAGES, dropout: float = 0.5
) -> keras.Model:
    """Build the 2D CNN of the voice.

    A strided 5x5 stem, stages of residual 3x3 convolutions, then statistics over time only:
    where a pattern stands in frequency tells emotions apart, when it stands does not.

    Returns:
        A model from (batch, bands, frames, 1), float32, standardised per window (see
        `emorec.speech.voice_input`), to a posterior over RAVDESS8, (batch, 8).
    """
    inputs = layers.Input((bands, frames, 1), name="log_mel")
    x = conv_relu(inputs, stages[0][0], kernel_size=5, strides=2)
    for index, (filters, convolutions) in enumerate(stages):
        if index:
            x = layers.MaxPooling2D()(x)
            x = layers.SpatialDropout2D(dropout / 5)(x)
            x = conv_relu(x, filters)
        for _ in range(convolutions - 1):
            x = layers.Add()([x, conv_relu(x, filters)])
    x = layers.AveragePooling2D((2, 1))(x)
    x = TimeStatistics()(x)
    x = layers.Flatten()(x)
    x = layers.LayerNormalization(dtype="float32", name="embedding")(x)
    x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(
        len(RAVDESS8),
        activation="softmax",
        kernel_initializer="zeros",
        dtype="float32",
        name="voice",
    )(x)
    return keras.Model(inputs, outputs, name="voice_2d_cnn")
