"""Networks that other projects judge still faces with, layer by layer, for comparison with ours."""

import keras
from keras import layers

from emorec.networks.face import FACE_SIZE_PX
from emorec.networks.transfer import shorten_averages


def build_conv1(classes: int = 6, size_px: int = FACE_SIZE_PX) -> keras.Model:
    """Build the first CK+ network of Ouma487/Emotion-recognition: one convolution.

    Returns:
        A model from (batch, size_px, size_px, 1), grey in [0, 1], to (batch, classes).
    """
    inputs = layers.Input((size_px, size_px, 1), name="face")
    x = layers.Conv2D(32, 3, activation="relu")(inputs)
    x = layers.Flatten()(layers.MaxPooling2D()(x))
    x = layers.Dense(128, activation="relu")(x)
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="ck_plus_conv1")


def build_conv3(classes: int = 6, size_px: int = FACE_SIZE_PX) -> keras.Model:
    """Build the second CK+ network of Ouma487/Emotion-recognition: three convolutions.

    Returns:
        A model from (batch, size_px, size_px, 1), grey in [0, 1], to (batch, classes).
    """
    inputs = x = layers.Input((size_px, size_px, 1), name="face")
    for filters in (32, 64, 128):
        x = layers.MaxPooling2D()(layers.Conv2D(filters, 3, activation="relu")(x))
    x = layers.Flatten()(x)
    for units in (512, 256):
        x = layers.Dropout(0.5)(layers.Dense(units, activation="relu")(x))
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="ck_plus_conv3")


def build_mobilenet_v2(
    classes: int = 6, size_px: int = 64, alpha: float = 0.35, dropout: float = 0.2
) -> keras.Model:
    """Build MobileNetV2 (Sandler et al. 2018) without pre-training, for grey faces.

    Emotion-Recognition-using-Facial-and-Speech-Features trains it at 224 pixels and width 1. The
    enlargement and the three equal channels are part of the network, so that it reads the same
    faces as ours.

    Args:
        classes: Width of the softmax.
        size_px: Side to which a face is enlarged; the network halves it five times.
        alpha: Width of all layers as a share of the published one.
        dropout: Share of the pooled features that training drops.

    Returns:
        A model from (batch, 48, 48, 1), standardised per face, to (batch, classes).
    """
    base = keras.applications.MobileNetV2(
        (size_px, size_px, 3), alpha=alpha, include_top=False, weights=None, pooling="avg"
    )
    shorten_averages(base)
    inputs = layers.Input((FACE_SIZE_PX, FACE_SIZE_PX, 1), name="face")
    x = layers.Resizing(size_px, size_px)(inputs)
    x = layers.Dropout(dropout)(base(layers.Concatenate()([x, x, x])))
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="mobilenet_v2")
