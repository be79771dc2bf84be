"""Heads on a frozen encoder, trained on several corpora of which each knows some classes only.

The loss of a clip is that of a softmax over the classes that its corpus has. Which of the others
it would have been is left open.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
from keras import layers, ops

from emorec.posteriors import softmax
from emorec.training.corpus_weights import class_codes, clip_weights, known_classes

_OUT = -1e9


@dataclass(frozen=True)
class LinearHead:
    """A softmax on weighted features.

    Attributes:
        kernel: float32 (features, classes).
        bias: float32 (classes,).
    """

    kernel: np.ndarray
    bias: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return posteriors, float (n, classes), of features (n, features)."""
        return softmax(features @ self.kernel + self.bias)


def speaker_means(features: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    """Return each speaker's mean feature, all emotions alike, float (speakers, features)."""
    keys = [table["speaker"].to_numpy(), table["emotion"].to_numpy()]
    by_emotion = pd.DataFrame(features).groupby(keys).mean()
    return by_emotion.groupby(level=0).mean().to_numpy()


def fit_logistic(
    features: np.ndarray,
    table: pd.DataFrame,
    classes: tuple[str, ...],
    *,
    l2: float = 3e-3,
    voice_penalty: float = 0.0,
    steps: int = 100,
) -> LinearHead:
    """Fit a masked softmax regression; nothing is left to chance.

    Args:
        features: float32 (n, features), of the clips to train on.
        table: Their `corpus`, `speaker` and `emotion`.
        classes: What to tell apart.
        l2: Strength of the penalty on the weights of standardised features.
        voice_penalty: How much more a weight costs along the directions in which the speakers'
            means differ, microphones and rooms included: such a direction tells who speaks and
            where, and a stranger's place on it is anybody's guess. In units of `l2` for each
            unit of the means' variance.
        steps: Most steps of L-BFGS.
    """
    from scipy.optimize import minimize

    centre, scale = features.mean(0), features.std(0) + 1e-3
    inputs = (features - centre) / scale
    shrink = _shrinkage(speaker_means(inputs, table), voice_penalty)
    inputs = shrink(inputs)
    known = known_classes(table, classes)
    targets = np.eye(len(classes), dtype=np.float32)[class_codes(table, classes)]
    weights = (clip_weights(table, classes) / len(table)).astype(np.float32)[:, None]
    shape = (inputs.shape[1], len(classes))

    def loss(flat):
        kernel, bias = flat[: -shape[1]].reshape(shape), flat[-shape[1] :]
        logits = inputs @ kernel.astype(np.float32) + bias.astype(np.float32)
        posterior = softmax(np.where(known, logits, _OUT))
        fit = -(weights * targets * np.log(np.maximum(posterior, 1e-30))).sum(dtype=np.float64)
        error = weights * (posterior - targets).astype(np.float32)
        slope = inputs.T @ error + l2 * kernel
        return fit + l2 / 2 * np.square(kernel).sum(), np.concatenate([slope.ravel(), error.sum(0)])

    start = np.zeros(shape[0] * shape[1] + shape[1])
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": steps}).x
    kernel = shrink(best[: -shape[1]].reshape(shape).T.astype(np.float32)).T / scale[:, None]
    return LinearHead(kernel.astype(np.float32), (best[-shape[1] :] - centre @ kernel).astype("f4"))


def _shrinkage(means: np.ndarray, strength: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the symmetric map (1 + strength * covariance of the means) ** -0.5, of rows."""
    about = (means - means.mean(0)) / np.sqrt(len(means))
    _, deviations, directions = np.linalg.svd(about, full_matrices=False)
    lost = (1 - 1 / np.sqrt(1 + strength * deviations**2)).astype(np.float32)
    directions = directions.astype(np.float32)
    return lambda rows: rows - ((rows @ directions.T) * lost) @ directions


@keras.saving.register_keras_serializable("emorec")
def masked_crossentropy(truth, logits):
    """Crossentropy of the known classes.

    Args:
        truth: (batch, 2 * classes): the targets, then 1 where the class is known.
        logits: (batch, classes).
    """
    targets, known = ops.split(truth, 2, axis=-1)
    return -ops.sum(targets * ops.log_softmax(ops.where(known > 0, logits, _OUT)) * known, axis=-1)


def build_mlp(features: np.ndarray, classes: int, units: int = 128) -> keras.Model:
    """A perceptron with one hidden layer on the statistics, (n, 3072)."""
    inputs = layers.Input(features.shape[1:])
    x = layers.Dropout(0.5)(_standardized(features)(inputs))
    x = layers.Dropout(0.5)(layers.Dense(units, "relu")(x))
    return keras.Model(inputs, layers.Dense(classes)(x), name="mlp")


def build_layer_weights(features: np.ndarray, classes: int) -> keras.Model:
    """A softmax on the blend of the three blocks' statistics, whose shares are learned."""
    inputs = layers.Input(features.shape[1:])
    x = layers.Reshape((3, -1))(_standardized(features)(inputs))
    # A convolution of size one over the blocks: one share for each.
    x = layers.Conv1D(1, 1, use_bias=False, kernel_initializer="ones")(layers.Permute((2, 1))(x))
    return keras.Model(inputs, layers.Dense(classes)(layers.Dropout(0.3)(layers.Flatten()(x))))


def build_attention(segments: np.ndarray, classes: int, units: int = 128) -> keras.Model:
    """Attention pooling over segments of the clip, (n, segments, 1536)."""
    inputs = layers.Input(segments.shape[1:])
    x = layers.Dense(units, "relu")(layers.Dropout(0.3)(_standardized(segments)(inputs)))
    shares = layers.Softmax(axis=1)(layers.Dense(1)(layers.Dense(32, "tanh")(x)))
    pooled = layers.Flatten()(layers.Dot(axes=1)([shares, x]))
    x = layers.Concatenate()([pooled, layers.GlobalMaxPooling1D()(x)])
    return keras.Model(inputs, layers.Dense(classes)(layers.Dropout(0.5)(x)), name="attention")


def _standardized(features):
    centre = features.mean(tuple(range(features.ndim - 1)), dtype=np.float64)
    variance = features.var(tuple(range(features.ndim - 1)), dtype=np.float64)
    return layers.Normalization(mean=centre, variance=variance + 1e-5)


def fit_network(
    build: Callable[[np.ndarray, int], keras.Model],
    features: np.ndarray,
    table: pd.DataFrame,
    classes: tuple[str, ...],
    *,
    seed: int,
    epochs: int = 20,
    learning_rate: float = 1e-3,
    label_smoothing: float = 0.1,
) -> keras.Model:
    """Train a head of the functions above with AdamW.

    Args:
        build: One of them.
        features: What it reads, float32 (n, ...).
        table: The clips' `corpus`, `speaker` and `emotion`.
        classes: What to tell apart.
        seed: Of initial weights, order and dropout.
        epochs: Over all clips.
        learning_rate: Falls to zero along a cosine.
        label_smoothing: Share of a target that is spread over the known classes.

    Returns:
        The network; its outputs are logits.
    """
    keras.utils.set_random_seed(seed)
    known = known_classes(table, classes).astype(np.float32)
    targets = np.eye(len(classes), dtype=np.float32)[class_codes(table, classes)]
    targets += label_smoothing * (known / known.sum(1, keepdims=True) - targets)
    network = build(features, len(classes))
    steps = epochs * -(-len(table) // 128)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    network.compile(keras.optimizers.AdamW(rate, weight_decay=0.03), masked_crossentropy)
    network.fit(
        features,
        np.concatenate([targets, known], 1),
        sample_weight=clip_weights(table, classes),
        batch_size=128,
        epochs=epochs,
        verbose=0,
    )
    return network
