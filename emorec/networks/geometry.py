"""The geometry network: statistics of aligned landmarks over time, classified by a few small MLPs.

Statistics pooling comes first, so that training runs on vectors instead of sequences: the
part with weights, `build_head`, learns from statistics of augmented windows, and
`assemble` puts it behind the statistics for shipping.
"""

import keras
import numpy as np
from keras import layers, ops

from emorec.emotions import RAVDESS8
from emorec.features.geometry import FEATURES, WINDOW_FRAMES

HIDDEN_UNITS = 128
MEMBERS = 3

# Deviations, in eye distances, below which a point counts as still.
_STILL = 3e-3
_STILL_MOTION = 1e-3
# Frames (0.4 s) over which slower movement is taken.
_STRIDE = 6


def build_statistics(frames: int = WINDOW_FRAMES, features: int = FEATURES) -> keras.Model:
    """Build the part without weights: what each channel does within a window.

    For each channel: its mean; the logarithms of the standard deviations of the channel
    itself, of its change from frame to frame and of its change over `_STRIDE` frames; and the
    means of the window's first, middle and last third about the whole mean. Only the first
    of these tells who is speaking rather than how: all others are free of the person's shape.

    Returns:
        A model from (batch, frames, features), float32, to (batch, 7 features).
    """
    inputs = layers.Input((frames, features), name="landmarks")
    mean = ops.mean(inputs, axis=1)
    third = frames // 3
    thirds = (inputs[:, :third], inputs[:, third : 2 * third], inputs[:, 2 * third :])
    statistics = [
        mean,
        ops.log(_deviation(inputs) + _STILL),
        ops.log(_deviation(inputs[:, 1:] - inputs[:, :-1]) + _STILL_MOTION),
        ops.log(_deviation(inputs[:, _STRIDE:] - inputs[:, :-_STRIDE]) + _STILL_MOTION),
        *(ops.mean(part, axis=1) - mean for part in thirds),
    ]
    return keras.Model(inputs, ops.concatenate(statistics, axis=-1), name="statistics")


def _deviation(x):
    about_mean = x - ops.mean(x, axis=1, keepdims=True)
    return ops.sqrt(ops.mean(ops.square(about_mean), axis=1) + 1e-10)


def build_head(
    mean: np.ndarray,
    variance: np.ndarray,
    classes: int = len(RAVDESS8),
    *,
    members: int = MEMBERS,
    hidden_units: int = HIDDEN_UNITS,
    input_dropout: float = 0.2,
    hidden_dropout: float = 0.5,
) -> keras.Model:
    """Build the part with weights: several members, each a linear layer plus an MLP.

    Args:
        mean: (statistics,) mean of each statistic over the training windows.
        variance: (statistics,) their variance.
        classes: Number of classes.
        members: How many are trained side by side, on the same batches.
        hidden_units: Width of each MLP.
        input_dropout: Share of the statistics that training drops.
        hidden_dropout: Share of the hidden units that training drops.

    Returns:
        A model from (batch, statistics) to posteriors (batch, members, classes).
    """
    inputs = layers.Input((len(mean),), name="statistics")
    scale = 1 / np.sqrt(variance)
    # Rescaling, not Normalization, whose constants the ONNX export takes for inputs.
    standardize = layers.Rescaling(scale.tolist(), offset=(-mean * scale).tolist())
    scaled = standardize(inputs)
    outputs = []
    for _ in range(members):
        seen = layers.Dropout(input_dropout)(scaled)
        hidden = layers.LayerNormalization()(layers.Dense(hidden_units)(seen))
        hidden = layers.Dropout(hidden_dropout)(layers.ReLU()(hidden))
        scores = layers.Add()([layers.Dense(classes)(seen), layers.Dense(classes)(hidden)])
        outputs.append(layers.Softmax()(scores))
    return keras.Model(inputs, ops.stack(outputs, axis=1), name="members")


def assemble(head: keras.Model, frames: int = WINDOW_FRAMES) -> keras.Model:
    """Put a trained head behind the statistics and join its members.

    Args:
        head: From `build_head`.
        frames: Frames per window.

    Returns:
        A model from (batch, frames, FEATURES) to posteriors (batch, classes): the members'
        geometric mean, normalised.
    """
    # A copy, which leaves the optimizer's state behind.
    members = keras.models.clone_model(head)
    members.set_weights(head.get_weights())
    statistics = build_statistics(frames)
    posteriors = members(statistics.output)
    mean_log = ops.mean(ops.log(posteriors + 1e-9), axis=1)
    outputs = layers.Softmax(name="posterior")(mean_log)
    return keras.Model(statistics.input, outputs, name="geometry")
