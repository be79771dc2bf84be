"""A network pre-trained on ImageNet, for faces: the correct form of a common shortcut."""

import contextlib
import io

import keras
from keras import layers

SIDE_PX = 96
_WIDTH = 0.35


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
    x = layers.Resizing(SIDE_PX, SIDE_PX)(inputs)
    x = layers.Rescaling(2.0, offset=-1.0)(layers.Concatenate()([x, x, x]))
    base = _base("imagenet")
    x = layers.Dropout(0.3)(base(x))
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name=f"mobilenet_v2_{base.name}")


def _base(weights: str | None) -> keras.Model:
    shape = (SIDE_PX, SIDE_PX, 3)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Keras tells of its download there
            base = keras.applications.MobileNetV2(
                shape, alpha=_WIDTH, include_top=False, weights=weights, pooling="avg"
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
