"""The face network: a small residual CNN on one grey face."""

import keras
from keras import layers

from emorec.emotions import COMMON7, FERPLUS8
from emorec.features.face import FACE_SIZE_PX
from emorec.networks.layers import conv_relu

# Convolutions per stage; each stage ends in a pooling that halves the picture.
STAGES = ((32, 1), (64, 2), (128, 3), (256, 3))


def build_face_network(
    size_px: int | None = FACE_SIZE_PX, stages=STAGES, dropout: float = 0.4
) -> keras.Model:
    """Build the face CNN.

    Four stages of 3x3 convolutions (He et al. 2016 for the shortcuts), global average
    pooling, and two softmax heads that share everything before: `fer` answers as the single
    FER-2013 label would, `ferplus` as the ten raters of FER+ would vote.

    Args:
        size_px: Height and width of the input; None for any.
        stages: (filters, convolutions) of each stage.
        dropout: Share of the pooled features that training drops.

    Returns:
        A model from (batch, size_px, size_px, 1), float32, standardised per face (see
        `emorec.features.face.standardize_faces`), to {"fer": (batch, 7), "ferplus": (batch, 8)}.
    """
    inputs = layers.Input((size_px, size_px, 1), name="face")
    x = inputs
    for filters, convolutions in stages:
        x = conv_relu(x, filters)
        for _ in range(convolutions - 1):
            x = layers.Add()([x, conv_relu(x, filters)])
        x = layers.MaxPooling2D()(x)
        x = layers.SpatialDropout2D(dropout / 4)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.LayerNormalization(dtype="float32", name="embedding")(x)
    x = layers.Dropout(dropout)(x)
    outputs = {
        "fer": layers.Dense(len(COMMON7), activation="softmax", dtype="float32", name="fer")(x),
        "ferplus": layers.Dense(
            len(FERPLUS8), activation="softmax", dtype="float32", name="ferplus"
        )(x),
    }
    return keras.Model(inputs, outputs, name="face_cnn")


def replace_heads(network: keras.Model, classes: int, dropout: float) -> keras.Model:
    """Give a face network one new softmax head in the place of its two.

    Args:
        network: From `build_face_network`, in training form.
        classes: Width of the new head.
        dropout: Share of the pooled features that training drops.

    Returns:
        A model from (batch, size_px, size_px, 1) to (batch, classes); it shares the layers of
        `network`.
    """
    seen = layers.Dropout(dropout)(network.get_layer("embedding").output)
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(seen)
    return keras.Model(network.input, outputs, name="face_cnn")


def build_temporal_network(
    classes: int, features: int = STAGES[-1][0], dropout: float = 0.4
) -> keras.Model:
    """Build a small temporal CNN over the embeddings of a clip's faces.

    Returns:
        A model from (batch, frames, features), any number of frames, to (batch, classes).
    """
    inputs = layers.Input((None, features), name="embeddings")
    x = layers.Dropout(dropout)(inputs)
    x = layers.Dense(64, activation="relu")(x)
    x = layers.Add()([x, layers.Conv1D(64, 5, padding="same", activation="relu")(x)])
    pooled = [layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)]
    x = layers.Dropout(dropout)(layers.Concatenate()(pooled))
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="face_temporal")
