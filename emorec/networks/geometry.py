"""The geometry network: statistics of aligned landmarks over time, classified by small MLPs.

Statistics pooling comes first, so that training runs on vectors instead of sequences: the
part with weights, `build_head`, learns from statistics of augmented windows, and
`assemble` puts it behind the statistics for shipping.
"""

from itertools import pairwise

import keras
import numpy as np
from keras import layers, ops

from emorec.emotions import RAVDESS8
from emorec.features.geometry import FEATURES, POINTS, WINDOW_FRAMES

HIDDEN_UNITS = 128
MEMBERS = 4

DISTANCES = {
    "mouth_open": [(62, 66)],
    "mouth_wide": [(48, 54)],
    "lips_high": [(51, 57)],
    "eyes_open": [(37, 41), (38, 40), (43, 47), (44, 46)],
    "brows_apart": [(21, 22)],
    "nostrils_wide": [(31, 35)],
}
"""Measures of an aligned face: sums of distances between two points (iBUG, from 0)."""

HEIGHTS = {
    "mouth_corners_below_lips": ([48, 54], [51, 57, 62, 66]),
    "mouth_corners_below_nose": ([48, 54], [33]),
    "upper_lip_below_nose": ([51], [33]),
    "lower_lip_below_nose": ([57], [33]),
    "inner_brows_below_eyes": ([21, 22], []),
    "outer_brows_below_eyes": ([17, 26], []),
    "middle_brows_below_eyes": ([19, 24], []),
    "inner_below_outer_brows": ([21, 22], [17, 26]),
    "chin_below_nose": ([8], [33]),
    "nose_below_eyes": ([30], []),
    "left_below_right_corner": ([48], [54]),
    "upper_lip_thick": ([61, 62, 63], [50, 51, 52]),
    "lower_lip_thick": ([56, 57, 58], [65, 66, 67]),
}
"""Further measures: how far below some points others lie, in the mean; the eyes lie at 0."""

MEASURES = len(DISTANCES) + len(HEIGHTS)

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

# Deviations, in eye distances, below which a point counts as still.
_STILL = 3e-3
_STILL_MOTION = 1e-3
_STILL_MEASURE = 1e-2
# Frames (0.4 s) over which slower movement is taken.
_STRIDE = 4


def build_statistics(frames: int = WINDOW_FRAMES, features: int = FEATURES) -> keras.Model:
    """Build the part without weights: what each channel does within a window.

    For each channel: its mean; the logarithms of the standard deviations of the channel
    itself, of its change from frame to frame and of its change over `_STRIDE` frames; and the
    means of the window's first, middle and last third about the whole mean. For each of the
    `MEASURES` (how open the mouth is, how high the brows are, ...): its median over time and
    the other `QUANTILES` about it; and for each two of them, how they move together.
    Only means and medians tell who is speaking rather than how: all others are free, or nearly,
    of the person's shape.

    Returns:
        A model from (batch, frames, features), float32, to (batch, statistics): seven of each
        channel, five of each measure, one of each pair of measures.
    """
    inputs = layers.Input((frames, features), name="landmarks")
    mean = ops.mean(inputs, axis=1)
    third = frames // 3
    thirds = (inputs[:, :third], inputs[:, third : 2 * third], inputs[:, 2 * third :])
    measures = _measures(inputs)
    statistics = [
        mean,
        ops.log(_deviation(inputs) + _STILL),
        ops.log(_deviation(inputs[:, 1:] - inputs[:, :-1]) + _STILL_MOTION),
        ops.log(_deviation(inputs[:, _STRIDE:] - inputs[:, :-_STRIDE]) + _STILL_MOTION),
        *(ops.mean(part, axis=1) - mean for part in thirds),
        *_quantiles(measures),
        _correlations(measures),
    ]
    return keras.Model(inputs, ops.concatenate(statistics, axis=-1), name="statistics")


def _measures(landmarks):
    """Return `DISTANCES` and `HEIGHTS` of each frame, (batch, frames, MEASURES)."""
    across = [_difference(a, b) for pairs in DISTANCES.values() for a, b in pairs]
    x, y = (ops.matmul(landmarks, _of_points(across, axis)) for axis in (0, 1))
    lengths = ops.sqrt(ops.square(x) + ops.square(y) + 1e-10)
    first = np.cumsum([0, *map(len, DISTANCES.values())])
    distances = [
        ops.sum(lengths[..., start:stop], axis=-1, keepdims=True)
        for start, stop in pairwise(first.tolist())
    ]
    below = [_mean_of(low) - _mean_of(high) for low, high in HEIGHTS.values()]
    return ops.concatenate([*distances, ops.matmul(landmarks, _of_points(below, 1))], axis=-1)


def _mean_of(points):
    weights = np.zeros(POINTS, np.float32)
    weights[points] = 1 / max(1, len(points))
    return weights


def _difference(one, other):
    return _mean_of([one]) - _mean_of([other])


def _of_points(weights, axis):
    """A matrix (FEATURES, n) that takes weighted sums of the points' x (axis 0) or y (1)."""
    matrix = np.zeros((FEATURES, len(weights)), np.float32)
    matrix[axis : 2 * POINTS : 2] = np.transpose(weights)
    return matrix


def _quantiles(measures):
    """Return the median (batch, MEASURES), and the other quantiles' distances from it."""
    frames = measures.shape[1]
    # Linear between neighbours in order, as numpy.quantile: a few rows of the sorted frames.
    places = np.array(QUANTILES) * (frames - 1)
    weights = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(frames))).astype(np.float32)
    found = ops.matmul(weights, ops.sort(measures, axis=1))
    median = found[:, QUANTILES.index(0.5)]
    others = [i for i, quantile in enumerate(QUANTILES) if quantile != 0.5]
    return [median, *(found[:, i] - median for i in others)]


def _correlations(measures):
    """How each two measures move together, (batch, pairs), weakly where one hardly moves."""
    about_mean = measures - ops.mean(measures, axis=1, keepdims=True)
    deviation = ops.sqrt(ops.mean(ops.square(about_mean), axis=1, keepdims=True) + 1e-10)
    scaled = about_mean / (deviation + _STILL_MEASURE)
    products = ops.matmul(ops.transpose(scaled, (0, 2, 1)), scaled) / measures.shape[1]
    pairs = [products[:, i, i + 1 :] for i in range(MEASURES - 1)]
    return ops.concatenate(pairs, axis=-1)


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
    # A copy, which leaves the optimizer's state behind: four times the weights' size.
    members = keras.Model.from_config(head.get_config())
    members.set_weights(head.get_weights())
    statistics = build_statistics(frames)
    posteriors = members(statistics.output)
    mean_log = ops.mean(ops.log(posteriors + 1e-9), axis=1)
    outputs = layers.Softmax(name="posterior")(mean_log)
    return keras.Model(statistics.input, outputs, name="geometry")
