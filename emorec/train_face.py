"""The face network's training on FER-2013, resumable, with all its evidence."""

from pathlib import Path

import keras
import numpy as np

from emorec import augment
from emorec.corpora import fer2013
from emorec.networks.face import build_face_network
from emorec.training import AugmentedBatches, fit

VALIDATION_SHARE = 0.05
EPOCHS = 45
SEED = 1


def standardize(faces: np.ndarray) -> np.ndarray:
    """Give each face zero mean and unit variance.

    Args:
        faces: uint8 or float, shape (n, size, size).

    Returns:
        float32, shape (n, size, size, 1).
    """
    faces = np.asarray(faces, np.float32)
    mean = faces.mean((1, 2), keepdims=True)
    deviation = faces.std((1, 2), keepdims=True)
    return ((faces - mean) / (deviation + 5.0))[..., None]


def training_rows(table, pixels, seed: int = SEED):
    """Split by picture: PublicTest is the test side, 5 % of Training validates.

    Copies of a test or validation picture never train.

    Returns:
        Three bool arrays (n,): train, validation, test.
    """
    test = (table["usage"] == "PublicTest").to_numpy()
    pool = fer2013.drop_leaked(table, pixels, test)
    rng = np.random.default_rng(seed)
    validation = pool & (rng.random(len(table)) < VALIDATION_SHARE)
    train = fer2013.drop_leaked(table, pixels, test | validation)
    return train, validation, test


def train_face_network(work_folder: Path, *, epochs: int = EPOCHS, seed: int = SEED):
    """Train on FER-2013 and FER+ together and return the network, still in training form."""
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    table, pixels = fer2013.load_fer2013()
    train, validation, _ = training_rows(table, pixels, seed)
    labels = fer2013.label_targets(table)
    votes, trust = fer2013.vote_targets(table)
    rows = np.flatnonzero(train)

    def make_batch(rng, indices):
        chosen = rows[indices]
        faces = standardize(augment.augment_faces(rng, pixels[chosen]))
        weights = {"fer": np.ones(len(chosen), np.float32), "ferplus": trust[chosen]}
        return faces, {"fer": labels[chosen], "ferplus": votes[chosen]}, weights

    network = build_face_network()
    fit(
        network,
        AugmentedBatches(len(rows), make_batch, batch_size=128, seed=seed),
        loss={
            "fer": keras.losses.CategoricalCrossentropy(label_smoothing=0.05),
            "ferplus": keras.losses.CategoricalCrossentropy(),
        },
        metrics={"fer": ["accuracy"], "ferplus": ["accuracy"]},
        epochs=epochs,
        learning_rate=1.5e-3,
        weight_decay=0.02,
        work_folder=work_folder,
        validation=(
            standardize(pixels[validation]),
            {"fer": labels[validation], "ferplus": votes[validation]},
        ),
        validation_every_epochs=5,
    )
    return network
