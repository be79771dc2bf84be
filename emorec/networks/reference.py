"""The reference project's three networks, layer by layer, for comparison with ours.

gianscuri/Emotion-Recognition_SER-FER_RAVDESS describes them; their numbers of parameters, 296,903
and 387,335 for the voice and 2,030,215 for the face with seven classes, are met exactly.
"""

import keras
from keras import layers


def build_voice_1d(
    classes: int = 7, frames: int = 282, dropout: float = 0.0, l2: float = 0.0
) -> keras.Model:
    """Build the 1D network on the log-mel averaged over frequency.

    Args:
        classes: Width of the softmax.
        frames: Length of the input.
        dropout: Share dropped after each pooling and after the dense layer.
        l2: Weight penalty of the convolutions and the dense layer.

    Returns:
        A model from (batch, frames, 1) to (batch, classes).
    """
    penalty = keras.regularizers.L2(l2)
    inputs = x = layers.Input((frames, 1), name="mean_log_mel")
    for filters, pool in ((64, 1), (128, 8), (128, 8)):
        x = layers.Conv1D(filters, 10, activation="relu", kernel_regularizer=penalty)(x)
        if pool > 1:
            x = layers.Dropout(dropout)(layers.MaxPooling1D(pool)(x))
    x = layers.Dense(128, activation="relu", kernel_regularizer=penalty)(layers.Flatten()(x))
    x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(classes, activation="softmax")(x)
    return keras.Model(inputs, outputs, name="reference_voice_1d")


def build_voice_2d(
    classes: int = 7,
    bands: int = 128,
    frames: int = 282,
    kernel: tuple[int, int] = (3, 5),
    dropout: float = 0.2,
    l2: float = 0.0,
) -> keras.Model:
    """Build the 2D network on the log-mel.

    Args:
        classes: Width of the softmax.
        bands: Height of the input.
        frames: Width of the input.
        kernel: Bands and frames that each convolution sees.
        dropout: Share dropped after each pooling and after the dense layer.
        l2: Weight penalty of the convolutions and the dense layer.

    Returns:
        A model from (batch, bands, frames, 1) to (batch, classes).
    """
    penalty = keras.regularizers.L2(l2)
    inputs = x = layers.Input((bands, frames, 1), name="log_mel")
    for filters in (64, 128, 128):
        x = layers.Conv2D(
            filters, kernel, padding="same", activation="relu", kernel_regularizer=penalty
        )(x)
        x = layers.Dropout(dropout)(layers.MaxPooling2D()(x))
    x = layers.GlobalMaxPooling2D()(x)
    x = layers.Dense(128, activation="relu", kernel_regularizer=penalty)(x)
    x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="reference_voice_2d")


def _normalize(x):
    # Keras averages over the last 100 batches, which is more than a small corpus has in its first
    # epochs: the averages that judging uses would still stand near where they began.
    return layers.BatchNormalization(momentum=0.9)(x)


def build_face(classes: int = 7, size_px: int = 112) -> keras.Model:
    """Build the face network, which also reads whole frames.

    Returns:
        A model from (batch, size_px, size_px, 1), grey in [0, 1], to (batch, classes).
    """
    inputs = x = layers.Input((size_px, size_px, 1), name="picture")
    for filters, kernel, dropout in ((32, 5, 0.0), (64, 5, 0.4), (128, 3, 0.4), (256, 3, 0.5)):
        x = layers.Conv2D(filters, kernel, padding="same", kernel_initializer="he_normal")(x)
        x = layers.MaxPooling2D()(layers.Activation("elu")(_normalize(x)))
        x = layers.Dropout(dropout)(x)
    x = layers.Dense(128, kernel_initializer="he_normal")(layers.Flatten()(x))
    x = layers.Activation("elu")(_normalize(x))
    x = layers.Dropout(0.6)(x)
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="reference_face")
