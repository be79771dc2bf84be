"""The voice network's training on RAVDESS: six blocks out of fold, then all speakers."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from emorec import augment, speech
from emorec.corpora import ravdess
from emorec.emotions import RAVDESS8
from emorec.media import read_sound
from emorec.networks.voice import build_voice_network
from emorec.training import AugmentedBatches, fit

EPOCHS = 120
BATCH_SIZE = 32
LEARNING_RATE = 1.5e-3
WEIGHT_DECAY = 0.03
LABEL_SMOOTHING = 0.1
MIXUP_ALPHA = 0.3
SEED = 1


def load_takes() -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Return the table of all sound takes and each one's samples (float32, 16 kHz)."""
    table = ravdess.load_sound_table()
    rate = speech.VOICE.sample_rate_hz
    return table, [read_sound(path, rate) for path in tqdm(table["path"], "reading sound")]


def windows_of(sounds: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut takes into the windows that the recogniser would hear.

    Returns:
        Inputs, float32 (windows, 96, 188, 1); loudness (windows,); index of the take each
        belongs to (windows,).
    """
    inputs, weights, takes = [], [], []
    for take, sound in enumerate(sounds):
        cutter = speech.SlidingWindows(speech.VOICE.sample_rate_hz)
        for window in [*cutter.push(sound), *cutter.finish()]:
            inputs.append(speech.voice_input(window.samples))
            weights.append(speech.loudness(window.samples))
            takes.append(take)
    return np.stack(inputs), np.array(weights), np.array(takes)


def clip_posteriors(network: keras.Model, sounds: list[np.ndarray]) -> np.ndarray:
    """Return one posterior per take, float (takes, 8), as the recogniser computes it."""
    inputs, weights, takes = windows_of(sounds)
    posteriors = network.predict(inputs, batch_size=64, verbose=0)
    return np.stack(
        [
            speech.pool_log_posteriors(posteriors[takes == take], weights[takes == take])
            for take in range(len(sounds))
        ]
    )


def train_voice_network(
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    work_folder: Path,
    *,
    epochs: int = EPOCHS,
    seed: int = SEED,
) -> keras.Model:
    """Train one network on all takes given; the run resumes where it was cut.

    Args:
        table: Takes to train on, with `emotion`.
        sounds: Their samples.
        work_folder: For backup, history and the finished network.
        epochs: Passes over the takes.
        seed: Of initial weights, order and augmentation.
    """
    finished = Path(work_folder) / "trained.keras"
    if finished.exists():
        return keras.saving.load_model(finished)
    keras.utils.set_random_seed(seed)
    spectrograms = [speech.log_mel(sound, speech.VOICE) for sound in sounds]
    targets = np.eye(len(RAVDESS8), dtype=np.float32)[[RAVDESS8.index(e) for e in table["emotion"]]]
    frames = speech.VOICE.frames(round(speech.WINDOW_S * speech.VOICE.sample_rate_hz))

    def make_batch(rng, indices):
        inputs = [
            speech.standardize(augment.augment_log_mel(rng, spectrograms[i], frames))
            for i in indices
        ]
        inputs = np.stack(inputs)[..., None].astype(np.float32)
        return augment.mixup(rng, inputs, targets[indices], MIXUP_ALPHA)

    network = build_voice_network(speech.VOICE.bands, frames)
    fit(
        network,
        AugmentedBatches(len(table), make_batch, BATCH_SIZE, seed),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=LABEL_SMOOTHING),
        metrics=["accuracy"],
        epochs=epochs,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        work_folder=work_folder,
    )
    network.save(finished)
    return network
