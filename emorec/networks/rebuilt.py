"""Networks of published projects, layer by layer, for comparison with ours.

Of gianscuri/Emotion-Recognition_SER-FER_RAVDESS two for the voice, one for faces and frames, and
one on pre-trained MobileNetV2: with seven classes the first three have 296,903, 387,335 and
2,030,215 parameters, as published. Of Ouma487/Emotion-recognition two for the faces of CK+; of
Emotion-Recognition-using-Facial-and-Speech-Features MobileNetV2 for those of FER-2013.
"""

import contextlib
import io

import keras
from keras import layers

from emorec.features.face import FACE_SIZE_PX

TRANSFER_SIDE_PX, _TRANSFER_WIDTH = 96, 0.35
"""Side to which `build_transfer_network` resizes pictures; its share of MobileNetV2's width."""


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
    # epochs: the averages that prediction uses would still stand near where they began.
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


def build_transfer_network(classes: int = 6, size_px: int = 112) -> keras.Model:
    """Build MobileNetV2 (Sandler et al. 2018) with a new head.

    The preprocessing is part of the network: grey in [0, 1] becomes three channels in [-1, 1],
    which is what these weights expect. (The reference project fed [0, 1] to a network that
    expects 0 to 255.) The weights are fetched by Keras, which checks them, and then stay
    frozen; where there is no network connection, all layers are trained from scratch instead.

    Returns:
        A model from (batch, size_px, size_px, 1), grey in [0, 1], to (batch, classes).
    """
    inputs = layers.Input((size_px, size_px, 1), name="picture")
    x = layers.Resizing(TRANSFER_SIDE_PX, TRANSFER_SIDE_PX)(inputs)
    x = layers.Rescaling(2.0, offset=-1.0)(layers.Concatenate()([x, x, x]))
    base = _base("imagenet")
    x = layers.Dropout(0.3)(base(x))
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name=f"mobilenet_v2_{base.name}")


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
    classes: int = 6, size_px: int = 96, alpha: float = 1.0, dropout: float = 0.2
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


def _base(weights: str | None) -> keras.Model:
    shape = (TRANSFER_SIDE_PX, TRANSFER_SIDE_PX, 3)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Keras tells of its download there
            base = keras.applications.MobileNetV2(
                shape, alpha=_TRANSFER_WIDTH, include_top=False, weights=weights, pooling="avg"
            )
    except Exception:  # Keras raises a bare Exception when a download fails
        if weights is None:
            raise
        print("the pre-trained weights could not be fetched: trained from scratch instead")
        base = _base(None)
        base.name = "from_scratch"
        return base
    base.trainable = weights is None
    if weights is None:
        shorten_averages(base)
    base.name = "pre_trained" if weights else "from_scratch"
    return base


def shorten_averages(network: keras.Model) -> None:
    """Let batch normalisation average over some ten batches, in place, to train from scratch.

    MobileNetV2's averages over a thousand batches suit ImageNet; a small corpus has a hundred.
    """
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9
