"""The voice network: a small residual 2D CNN on the log-mel spectrogram."""

import keras
from keras import layers, ops

from emorec.emotions import RAVDESS8
from emorec.networks.layers import conv_relu

PATCH = 4

# (filters, convolutions) of each stage; a pooling halves both axes after each.
STAGES = ((32, 2), (64, 2), (96, 2))


def build_voice_network(
    bands: int = 96,
    frames: int = 188,
    classes: int = len(RAVDESS8),
    stages=STAGES,
    dropout: float = 0.3,
) -> keras.Model:
    """Build the 2D CNN of the voice.

    The picture is cut into patches of 4 bands x 4 frames, then come stages of residual 3x3
    convolutions. The softmax reads statistics over time only: where a pattern stands in
    frequency tells emotions apart, when it stands does not.

    Returns:
        A model from (batch, bands, frames, 1), float32, standardised per window (see
        `emorec.features.voice.voice_input`), to a posterior, (batch, classes); over RAVDESS8 unless
        told otherwise.
    """
    inputs = layers.Input((bands, frames, 1), name="log_mel")
    rows, columns = bands // PATCH, frames // PATCH
    x = layers.Reshape((rows, PATCH, columns, PATCH))(inputs)
    x = layers.Reshape((rows, columns, PATCH**2))(layers.Permute((1, 3, 2, 4))(x))
    x = conv_relu(x, stages[0][0])
    for index, (filters, convolutions) in enumerate(stages):
        if index:
            x = layers.MaxPooling2D()(x)
            x = layers.SpatialDropout2D(dropout / 5)(x)
            x = conv_relu(x, filters)
        for _ in range(convolutions - 1):
            x = layers.Add()([x, conv_relu(x, filters)])
    x = layers.Flatten(dtype="float32")(_time_statistics(x))
    x = layers.LayerNormalization(dtype="float32", name="embedding")(x)
    # Thousands of features move a logit at every step; scaled down, they move it gently.
    x = layers.Rescaling(x.shape[-1] ** -0.5, dtype="float32")(x)
    x = layers.Dropout(dropout, dtype="float32")(x)
    outputs = layers.Dense(
        classes,
        activation="softmax",
        kernel_initializer="zeros",
        dtype="float32",
        name="voice",
    )(x)
    return keras.Model(inputs, outputs, name="voice_2d_cnn")


def _time_statistics(x):
    """Mean, deviation and maximum over time of each frequency band and channel.

    Args:
        x: (batch, bands, frames, channels), of any float type.

    Returns:
        (batch, bands, 3 * channels), float32.
    """
    x = ops.cast(x, "float32")
    mean = ops.mean(x, axis=2)
    about_mean = x - ops.expand_dims(mean, 2)
    deviation = ops.sqrt(ops.mean(ops.square(about_mean), axis=2) + 1e-4)
    return ops.concatenate([mean, deviation, ops.max(x, axis=2)], axis=-1)
