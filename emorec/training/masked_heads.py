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
from emorec.training.fit import build_variables
from emorec.training.linear_head import LinearHead, Scaling

_OUT = -1e9
BATCH_SIZE = 128


@dataclass(frozen=True)
class Perceptron:
    """A head with one hidden layer.

    Attributes:
        hidden_kernel: float32 (features, units).
        hidden_bias: float32 (units,).
        kernel: float32 (units, classes).
        bias: float32 (classes,).
    """

    hidden_kernel: np.ndarray
    hidden_bias: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return posteriors, float (n, classes), of features (n, features)."""
        hidden = np.maximum(features @ self.hidden_kernel + self.hidden_bias, 0)
        return softmax(hidden @ self.kernel + self.bias)


def fit_logistic(
    features: np.ndarray,
    table: pd.DataFrame,
    classes: tuple[str, ...],
    *,
    l2: float = 0.3,
    label_smoothing: float = 0.1,
    steps: int = 40,
) -> LinearHead:
    """Fit a masked softmax regression; nothing is left to chance.

    Args:
        features: float32 (n, features), of the clips to train on.
        table: Their `corpus`, `speaker` and `emotion`.
        classes: What to tell apart.
        l2: Strength of the penalty on the weights. A strong one is what holds across corpora.
        label_smoothing: Share of a target that is spread over the known classes.
        steps: Most steps of L-BFGS.
    """
    from scipy.optimize import minimize

    scaling = Scaling.of(features)
    inputs = scaling(features)
    targets, known = masked_targets(table, classes, label_smoothing)
    weights = (clip_weights(table, classes) / len(table)).astype(np.float32)[:, None]
    shape = (inputs.shape[1], len(classes))

    def loss(flat):
        kernel, bias = flat[: -shape[1]].reshape(shape), flat[-shape[1] :]
        logits = inputs @ kernel.astype(np.float32) + bias.astype(np.float32)
        posterior = softmax(np.where(known > 0, logits, _OUT))
        fit = -(weights * targets * np.log(np.maximum(posterior, 1e-30))).sum(dtype=np.float64)
        error = weights * (posterior - targets).astype(np.float32)
        # Transposed twice: the product of a wide matrix with a tall narrow one is slow.
        slope = (error.T @ inputs).T + l2 * kernel
        return fit + l2 / 2 * np.square(kernel).sum(), np.concatenate([slope.ravel(), error.sum(0)])

    start = np.zeros(shape[0] * shape[1] + shape[1])
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": steps}).x
    return LinearHead(*scaling.folded(best[: -shape[1]].reshape(shape), best[-shape[1] :]))


def masked_targets(
    table: pd.DataFrame, classes: tuple[str, ...], label_smoothing: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and what is known, both float32 (n, classes).

    Args:
        table: Clips, with `corpus` and `emotion`.
        classes: The classes.
        label_smoothing: Share of a target that is spread over the known classes.
    """
    known = known_classes(table, classes).astype(np.float32)
    targets = np.eye(len(classes), dtype=np.float32)[class_codes(table, classes)]
    return targets + label_smoothing * (known / known.sum(1, keepdims=True) - targets), known


def fit_perceptron(
    features: np.ndarray,
    table: pd.DataFrame,
    classes: tuple[str, ...],
    *,
    seed: int,
    epochs: int = 10,
) -> Perceptron:
    """Train a masked perceptron; few epochs and much decay hold across corpora.

    Args:
        features: float32 (n, features), of the clips to train on.
        table: Their `corpus`, `speaker` and `emotion`.
        classes: What to tell apart.
        seed: Of initial weights, order and dropout.
        epochs: Over as many clips as there are, drawn by weight.
    """
    scaling = Scaling.of(features)
    network = fit_network(
        build_perceptron, scaling(features), table, classes, seed=seed, epochs=epochs
    )
    hidden, output = (network.get_layer(name).get_weights() for name in ("hidden", "output"))
    return Perceptron(*scaling.folded(*hidden), *output)


@keras.saving.register_keras_serializable("emorec")
def masked_crossentropy(truth, logits):
    """Crossentropy of the known classes.

    Args:
        truth: (batch, 2 * classes): the targets, then 1 where the class is known.
        logits: (batch, classes).
    """
    targets, known = ops.split(truth, 2, axis=-1)
    return -ops.sum(targets * ops.log_softmax(ops.where(known > 0, logits, _OUT)) * known, axis=-1)


def build_perceptron(inputs: np.ndarray, classes: int, units: int = 128) -> keras.Model:
    """A perceptron with one hidden layer on standardised statistics, (n, 3072)."""
    given = layers.Input(inputs.shape[1:])
    x = layers.Dense(units, "relu", kernel_initializer="he_normal", name="hidden")(
        layers.Dropout(0.4)(given)
    )
    # Zero at first: early on, only what many clips agree on moves it.
    outputs = layers.Dense(classes, kernel_initializer="zeros", name="output")
    return keras.Model(given, outputs(layers.Dropout(0.5)(x)), name="perceptron")


def build_layer_weights(features: np.ndarray, classes: int) -> keras.Model:
    """A softmax on the blend of the three blocks' statistics, whose shares are learned."""
    inputs = layers.Input(features.shape[1:])
    x = layers.Reshape((3, -1))(_standardized(features)(inputs))
    # One share for each block, the same for all channels.
    x = layers.Dense(1, use_bias=False, kernel_initializer="ones")(layers.Permute((2, 1))(x))
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
    epochs: int = 8,
    learning_rate: float = 5e-4,
    label_smoothing: float = 0.2,
) -> keras.Model:
    """Train a head of the functions above with AdamW.

    Args:
        build: One of them.
        features: What it reads, float32 (n, ...).
        table: The clips' `corpus`, `speaker` and `emotion`.
        classes: What to tell apart.
        seed: Of initial weights, order and dropout.
        epochs: Over as many clips as there are, drawn by their weights.
        learning_rate: Falls to zero along a cosine.
        label_smoothing: Share of a target that is spread over the known classes.

    Returns:
        The network; its outputs are logits.
    """
    keras.utils.set_random_seed(seed)
    targets, known = masked_targets(table, classes, label_smoothing)
    network = build(features, len(classes))
    steps = epochs * (len(table) // BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    network.compile(keras.optimizers.AdamW(rate, weight_decay=0.05), masked_crossentropy)
    weights = clip_weights(table, classes)
    drawn = np.random.default_rng(seed).choice(
        len(table), steps * BATCH_SIZE, p=weights / weights.sum()
    )
    truth = np.concatenate([targets, known], 1)
    build_variables(network, features[:1], truth[:1])
    for some in np.array_split(drawn, epochs):
        network.fit(features[some], truth[some], batch_size=BATCH_SIZE, shuffle=False, verbose=0)
    return network
