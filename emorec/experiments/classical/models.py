"""What is trained on the voice's features: a random forest, or a network with early stopping.

Each *learner* has `fit(train, validation, seed, work_folder)`, each side being (inputs, classes);
the folder gets the learning curve, `history.csv`, of a network. It returns a `FittedModel`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emorec.emotions import RAVDESS8
from emorec.networks import voice_classical as networks
from emorec.training.fit import precision
from emorec.training.patience import Patience, fit_until_stale

__all__ = ["RECIPES", "FittedModel", "Forest", "NeuralNetwork", "Recipe", "quick"]

Side = tuple[np.ndarray, np.ndarray]
PATIENCE = 10
"""Epochs without a better validation accuracy after which a training ends."""
EPOCHS = 300
"""Far more than validation needs to stay behind its best."""
BATCH_SIZE = 64


@dataclass(frozen=True)
class FittedModel:
    """A trained model.

    Attributes:
        posterior: From inputs (n, ...) to (n, classes) float32.
        parameters: Weights of a network; nodes of a forest.
        fitted: The model itself.
    """

    posterior: Callable[[np.ndarray], np.ndarray]
    parameters: int
    fitted: object


@dataclass(frozen=True)
class Forest:
    """A random forest (Breiman 2001) behind a standard scaler; needs no validation."""

    trees: int = 100
    least_in_leaf: int = 2

    def fit(self, train: Side, validation: Side, seed: int, work_folder: Path) -> FittedModel:
        """Fit; the validation takes train too, for nothing is chosen on them. No history."""
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        inputs, codes = (np.concatenate(pair) for pair in zip(train, validation, strict=True))
        _check_all_classes(codes, RAVDESS8)
        forest = RandomForestClassifier(
            self.trees, min_samples_leaf=self.least_in_leaf, random_state=seed
        )
        pipeline = make_pipeline(StandardScaler(), forest).fit(inputs, codes)
        nodes = sum(tree.tree_.node_count for tree in forest.estimators_)
        return FittedModel(
            lambda x: pipeline.predict_proba(x).astype(np.float32), int(nodes), pipeline
        )


@dataclass(frozen=True)
class NeuralNetwork:
    """A Keras network: Adam at 1e-3, the epoch that does best on the validation side.

    Attributes:
        build: Makes it.
        epochs: Most passes.
        classes: What it tells apart.
    """

    build: Callable
    epochs: int = EPOCHS
    classes: Sequence[str] = RAVDESS8

    def fit(self, train: Side, validation: Side, seed: int, work_folder: Path) -> FittedModel:
        """Standardise each feature over the training rows, and train."""
        import keras

        inputs, codes = train
        _check_all_classes(codes, self.classes)
        axes = tuple(range(inputs.ndim - 1))
        mean = inputs.mean(axes, dtype=np.float64).astype(np.float32)
        deviation = inputs.std(axes, dtype=np.float64).astype(np.float32) + 1e-8

        def prepare(x):
            return ((x - mean) / deviation).astype(np.float32)

        keras.utils.set_random_seed(seed)
        with precision("mixed_bfloat16"):
            network = self.build()
        fit_until_stale(
            network,
            (prepare(inputs), codes),
            (prepare(validation[0]), validation[1]),
            work_folder,
            batch_size=BATCH_SIZE,
            patience=Patience(PATIENCE, self.epochs),
            seed=seed,
        )

        def posterior(x):
            return network.predict(prepare(x), batch_size=256, verbose=0)

        return FittedModel(posterior, network.count_params(), network)


def _check_all_classes(codes: np.ndarray, classes: Sequence[str]) -> None:
    missing = sorted(set(range(len(classes))) - set(np.unique(codes).tolist()))
    if missing:
        names = ", ".join(classes[code] for code in missing)
        raise ValueError(
            f"no training row of {names}: the columns of the posterior would shift. Remedy: train "
            f"on takes of all {len(classes)} emotions."
        )


@dataclass(frozen=True)
class Recipe:
    """One model of the comparison.

    Attributes:
        title: For tables.
        source: The project whose model and protocol this is; empty for ours.
        array: Which array of `VoiceFeatures` it reads.
        learner: What is fitted.
        copies: Kinds of copies that train.
        is_balanced: Whether copies balance the classes, or all of them train.
        test_share: Of rows, in the random split.
        reported: What the project reports by its random split, in percent.
    """

    title: str
    source: str
    array: str
    learner: Forest | NeuralNetwork
    copies: tuple[str, ...]
    is_balanced: bool
    test_share: float
    reported: dict


_SAUMYA = "op2adi/Saumya_Btp_work"
_OUMA = "Ouma487/Emotion-recognition"
_FACIAL_AND_SPEECH = "Emotion-Recognition-using-Facial-and-Speech-Features"
_FOUR = ("noise", "stretch", "pitch", "shift")
_THREE = ("noise", "stretch", "pitch")


def _on_26(title: str, learner, accuracy: float, f1: float, auc: float) -> Recipe:
    reported = {"accuracy": accuracy, "macro_f1": f1, "roc_auc": auc}
    return Recipe(title, _SAUMYA, "means_26", learner, _FOUR, True, 0.2, reported)


RECIPES = {
    "voice_random_forest": _on_26("Random forest on 26 means", Forest(), 74.2, 73.9, 95.2),
    "voice_dense_26": _on_26(
        "Dense 64-32-8 on 26 means", NeuralNetwork(networks.build_dense_26), 69.5, 69.1, 92.8
    ),
    "voice_cnn_26": _on_26(
        "CNN on 26 means", NeuralNetwork(networks.build_cnn_26), 71.1, 70.8, 93.6
    ),
    "voice_cnn_26_batchnorm": _on_26(
        "CNN with BatchNorm on 26 means",
        NeuralNetwork(networks.build_cnn_26_batchnorm),
        75.8,
        75.5,
        96.1,
    ),
    "voice_cnn9_162": Recipe(
        "Nine-layer CNN on 162 means",
        _FACIAL_AND_SPEECH,
        "means_162",
        NeuralNetwork(networks.build_cnn9_162),
        _THREE,
        False,
        0.2,
        {"accuracy": 80.0},
    ),
    "voice_cnn4_162": Recipe(
        "Four-layer CNN on 162 means",
        _OUMA,
        "means_162",
        NeuralNetwork(networks.build_cnn4_162),
        ("noise",),
        False,
        0.25,
        {"accuracy": 63.5},
    ),
    "voice_lstm_162": Recipe(
        "LSTM along 162 means",
        _OUMA,
        "means_162",
        NeuralNetwork(networks.build_lstm_162),
        ("noise",),
        False,
        0.25,
        {"accuracy": 75.8},
    ),
    "voice_sequence_cnn": Recipe(
        "CNN over time on 162 features",
        "",
        "frames_162",
        NeuralNetwork(networks.build_sequence_cnn),
        _THREE,
        False,
        0.25,
        {},
    ),
    "voice_sequence_gru": Recipe(
        "GRU over time on 162 features",
        "",
        "frames_162",
        NeuralNetwork(networks.build_sequence_gru),
        _THREE,
        False,
        0.25,
        {},
    ),
}
"""Name of its folder -> what is trained for it. Two figures of Ouma487/Emotion-recognition were
reported on CREMA-D and SAVEE, not on RAVDESS."""


def quick(recipe: Recipe) -> Recipe:
    """Return the recipe for a trial of seconds: a single pass, or a handful of trees.

    Example:
        >>> quick(RECIPES["voice_dense_26"]).learner.epochs
        1
    """
    is_forest = isinstance(recipe.learner, Forest)
    shorter = {"trees": 20} if is_forest else {"epochs": 1}
    return replace(recipe, learner=replace(recipe.learner, **shorter))


def folder_of(name: str, models: Path) -> Path:
    """Return where a recipe's evidence goes: the forest, which has weights, to the alternatives."""
    question = "alternatives" if name == "voice_random_forest" else "comparisons/classical_voice"
    return Path(models) / question / name
