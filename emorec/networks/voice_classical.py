"""Networks that read features of the voice: as published, and with time as the time axis.

The networks of op2adi/Saumya_Btp_work on 26 means, and those of Ouma487/Emotion-recognition and of
Emotion-Recognition-using-Facial-and-Speech-Features on 162, rebuilt from their descriptions.

All of the published convolutional and recurrent ones slide along the *index* of a feature as if it
were time. Neighbours in that list (the last chroma and the first cepstral coefficient, say) have
nothing in common, so that a pattern found at one place means nothing at another. The sequence
networks below read the same features frame by frame, where sliding has a meaning.
"""

from collections.abc import Sequence

import keras
from keras import layers

from emorec.emotions import RAVDESS8

__all__ = [
    "build_cnn4_162",
    "build_cnn9_162",
    "build_cnn_26",
    "build_cnn_26_batchnorm",
    "build_dense_26",
    "build_lstm_162",
    "build_sequence_cnn",
    "build_sequence_gru",
]

_CLASSES = len(RAVDESS8)


def _input(features: int, *, width: int = 0) -> keras.KerasTensor:
    shape = (features, width) if width else (features,)
    return layers.Input(shape, name="features")


def _model(inputs, x, classes: int, name: str) -> keras.Model:
    outputs = layers.Dense(classes, activation="softmax", dtype="float32", name="voice")(x)
    return keras.Model(inputs, outputs, name=name)


def build_dense_26(features: int = 26, classes: int = _CLASSES) -> keras.Model:
    """Build the dense network of 64, 32 and 8 units.

    Returns:
        A model from (batch, features) to (batch, classes).
    """
    inputs = x = _input(features)
    for units in (64, 32, 8):
        x = layers.Dense(units, activation="relu")(x)
    return _model(inputs, x, classes, "voice_dense_26")


def build_cnn_26(features: int = 26, classes: int = _CLASSES) -> keras.Model:
    """Build the convolutions of 64, 128 and 256 filters along the feature index.

    Returns:
        A model from (batch, features) to (batch, classes).
    """
    inputs = _input(features)
    x = layers.Reshape((features, 1))(inputs)
    for filters in (64, 128, 256):
        x = layers.Conv1D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling1D(2)(x)
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    return _model(inputs, x, classes, "voice_cnn_26")


def build_cnn_26_batchnorm(features: int = 26, classes: int = _CLASSES) -> keras.Model:
    """Build the same with batch normalisation and a fourth convolution of 512 filters.

    Returns:
        A model from (batch, features) to (batch, classes).
    """
    inputs = _input(features)
    x = layers.Reshape((features, 1))(inputs)
    for filters in (64, 128, 256, 512):
        x = layers.Conv1D(filters, 3, padding="same")(x)
        # Keras' own momentum averages over 100 batches, more than these trainings' first epochs.
        x = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.MaxPooling1D(2)(x)
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    return _model(inputs, x, classes, "voice_cnn_26_batchnorm")


def build_cnn9_162(features: int = 162, classes: int = _CLASSES) -> keras.Model:
    """Build nine convolutions (kernel 5, stride 2), pooling and dropout after every three.

    Halving twelve times, nine strides and three poolings, leaves nothing of 162 values: with
    "same" padding 162 become 81, 41, 21, pooled 11, then 6, 3, 2, pooled 1, and the last three
    convolutions and the last pooling see a single value amid padding.

    Returns:
        A model from (batch, features) to (batch, classes).
    """
    inputs = _input(features)
    x = layers.Reshape((features, 1))(inputs)
    for filters in (64, 128, 256):
        for _ in range(3):
            x = layers.Conv1D(filters, 5, strides=2, padding="same", activation="relu")(x)
        x = layers.Dropout(0.3)(layers.MaxPooling1D(2, padding="same")(x))
    return _model(inputs, layers.Flatten()(x), classes, "voice_cnn9_162")


def build_cnn4_162(features: int = 162, classes: int = _CLASSES) -> keras.Model:
    """Build four convolutions of 256, 256, 128 and 64 filters (kernel 5), pools of 5 with stride 2.

    Returns:
        A model from (batch, features) to (batch, classes).
    """
    inputs = _input(features)
    x = layers.Reshape((features, 1))(inputs)
    for filters in (256, 256, 128, 64):
        x = layers.Conv1D(filters, 5, padding="same", activation="relu")(x)
        x = layers.MaxPooling1D(5, strides=2, padding="same")(x)
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    x = layers.Dropout(0.3)(layers.Dense(32, activation="relu")(x))
    return _model(inputs, x, classes, "voice_cnn4_162")


def build_lstm_162(
    features: int = 162, classes: int = _CLASSES, units: Sequence[int] = (256, 256, 128, 64)
) -> keras.Model:
    """Build four LSTM layers that walk along the feature index, one value a step.

    Returns:
        A model from (batch, features) to (batch, classes).
    """
    inputs = _input(features)
    # In float32 always: bfloat16 would round a state that 162 steps add to.
    x = layers.Reshape((features, 1), dtype="float32")(inputs)
    for index, width in enumerate(units):
        x = layers.LSTM(width, return_sequences=index < len(units) - 1, dtype="float32")(x)
    x = layers.Dropout(0.3, dtype="float32")(x)
    return _model(inputs, x, classes, "voice_lstm_162")


def build_sequence_cnn(
    frames: int = 108, features: int = 162, classes: int = _CLASSES
) -> keras.Model:
    """Build four convolutions over time: features are channels, frames the axis they slide on.

    Returns:
        A model from (batch, frames, features) to (batch, classes).
    """
    inputs = x = _input(frames, width=features)
    for filters in (64, 64, 64, 64):
        x = layers.Conv1D(filters, 5, padding="same", activation="relu")(x)
        x = layers.Dropout(0.2)(layers.MaxPooling1D(5, strides=2, padding="same")(x))
    x = layers.concatenate([layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)])
    x = layers.Dropout(0.3)(layers.Dense(32, activation="relu")(layers.Dropout(0.3)(x)))
    return _model(inputs, x, classes, "voice_sequence_cnn")


def build_sequence_gru(
    frames: int = 108, features: int = 162, classes: int = _CLASSES, units: int = 64
) -> keras.Model:
    """Build a small recurrent network over time: pairs of frames, then two GRU layers.

    Returns:
        A model from (batch, frames, features) to (batch, classes).
    """
    inputs = _input(frames, width=features)
    x = layers.Conv1D(units, 2, strides=2, activation="relu")(inputs)
    x = layers.GRU(units, return_sequences=True)(layers.Dropout(0.2)(x))
    x = layers.GRU(units, return_sequences=True)(layers.Dropout(0.2)(x))
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling1D()(x))
    return _model(inputs, x, classes, "voice_sequence_gru")
