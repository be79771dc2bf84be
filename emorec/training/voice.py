"""The voice network's training on RAVDESS: six blocks out of fold, then all speakers.

python -m emorec.training.voice                # everything; a cut run goes on where it was
python -m emorec.training.voice --folds 1 2 3  # some folds only; processes can share the work
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from emorec.corpora import crema_d, ravdess
from emorec.emotions import CREMA_D6, RAVDESS8
from emorec.engines import write_model_spec
from emorec.errors import run_main
from emorec.evaluation.evidence import Measurement, write_evidence
from emorec.evaluation.model_card import CardText, write_card
from emorec.evaluation.splits import RAVDESS_BLOCKS, speaker_folds
from emorec.features import voice as voice_features
from emorec.files import write_table
from emorec.networks.layers import fold_standardization
from emorec.networks.voice import build_voice_network
from emorec.paths import ALTERNATIVES
from emorec.posteriors import log_mean
from emorec.training import augment
from emorec.training.augment_voice import Draw, as_another_recording
from emorec.training.fit import (
    AugmentedBatches,
    Cycle,
    Objective,
    cycle_histories,
    fit_cycles,
    one_hot,
    save_network,
    training_precision,
)
from emorec.training.folds import out_of_fold, take
from emorec.training.sounds import read_sounds

MODEL_FOLDER = ALTERNATIVES / "voice_2d_cnn"
PRETRAINING = (Cycle(15, 2e-3, dropout=0.3),)
CYCLES = (Cycle(36, 2e-3, dropout=0.3), Cycle(20, 1e-3, dropout=0.3))
BATCH_SIZE = 16
SEED = 1

Augmentation = Callable[[list[np.ndarray], pd.DataFrame], Draw]
"""Given the takes' log-mels and table, gives what draws a window of a take."""


@dataclass(frozen=True)
class Regularization:
    """What keeps the network from learning the training takes by heart.

    Attributes:
        weight_decay: Decoupled decay of AdamW.
        label_smoothing: Share of each target that is spread over all classes.
        mixup_alpha: Of the Beta distribution that pairs of takes are mixed by.
    """

    weight_decay: float = 0.03
    label_smoothing: float = 0.1
    mixup_alpha: float = 0.1


@dataclass(frozen=True)
class VoiceTraining:
    """How a voice network is trained; as the shipped one unless told otherwise.

    Attributes:
        classes: What the softmax tells apart.
        cycles: Of the learning rate.
        regularization: Its strengths.
        augmentation: One of `emorec.training.augment_voice`.
        seed: Of initial weights, order and augmentation.
        start: A trained network whose layers, but for the softmax, are taken over.
        build: Called with bands, frames, classes and `dropout`.
    """

    classes: tuple[str, ...] = RAVDESS8
    cycles: Sequence[Cycle] = CYCLES
    regularization: Regularization = Regularization()
    augmentation: Augmentation = as_another_recording
    seed: int = SEED
    start: keras.Model | None = None
    build: Callable[..., keras.Model] = build_voice_network


JUDGED_HOP_S = 0.5
"""From one window of a judged take to the next."""

CARD = CardText(
    title="Voice 2D CNN",
    what=(
        "Three seconds of sound at 16 kHz, as a log-mel spectrogram (96 bands, 50-8,000 Hz, one "
        "frame each 16 ms), standardised; residual 3x3 convolutions with standardised weights; "
        "statistics over time; softmax over eight emotions. A clip's posterior is the mean of "
        "its windows' log posteriors, weighted by loudness; one window each second, and each 0.5 s "
        "for the scores below."
    ),
    data=(
        "Pre-trained on CREMA-D (actors 1001-1071, six emotions, band-limited to 5.5 kHz), then "
        "trained on RAVDESS speech: 1,440 takes of 24 actors (12 women, 12 men). The scores are "
        "those of networks that never heard the speaker; the shipped weights are trained on all "
        "24 actors with the same settings."
    ),
)


def windows_of(sounds: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut takes into windows, twice as many as the recogniser hears.

    Returns:
        Inputs, float32 (windows, 96, 188, 1); loudness (windows,); index of the take each
        belongs to (windows,).
    """
    inputs, weights, takes = [], [], []
    for number, sound in enumerate(sounds):
        cutter = voice_features.SlidingWindows(
            voice_features.VOICE.sample_rate_hz, hop_s=JUDGED_HOP_S
        )
        for window in [*cutter.push(sound), *cutter.finish()]:
            inputs.append(voice_features.voice_input(window.samples))
            weights.append(voice_features.loudness(window.samples))
            takes.append(number)
    return np.stack(inputs), np.array(weights), np.array(takes)


def clip_posteriors(network: keras.Model, sounds: list[np.ndarray]) -> np.ndarray:
    """Return one posterior per take, float (takes, 8), pooled as the recogniser pools."""
    inputs, weights, takes = windows_of(sounds)
    posteriors = network.predict(inputs, batch_size=64, verbose=0)
    rows = [takes == number for number in range(len(sounds))]
    return np.stack([log_mean(posteriors[own], weights[own]) for own in rows])


def train_voice_network(
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    work_folder: Path,
    training: VoiceTraining = VoiceTraining(),
) -> keras.Model:
    """Train one network on all takes given; the run resumes where it was cut.

    Args:
        table: Takes to train on, with `emotion`.
        sounds: Their samples.
        work_folder: For backup, history and the finished network.
        training: How.
    """
    keras.utils.set_random_seed(training.seed)
    spectrograms = [voice_features.log_mel(sound, voice_features.VOICE) for sound in sounds]
    targets = one_hot(table["emotion"], training.classes)
    frames = voice_features.VOICE.frames(
        round(voice_features.WINDOW_S * voice_features.VOICE.sample_rate_hz)
    )
    draw = training.augmentation(spectrograms, table)
    regularization = training.regularization

    def make_batch(rng, indices):
        inputs = [voice_features.standardize_log_mel(draw(rng, i, frames)) for i in indices]
        inputs = np.stack(inputs)[..., None].astype(np.float32)
        return augment.mixup(rng, inputs, targets[indices], regularization.mixup_alpha)

    def build(dropout):
        bands, classes = voice_features.VOICE.bands, len(training.classes)
        network = training.build(bands, frames, classes, dropout=dropout)
        if training.start is not None:
            layers = zip(training.start.layers[:-1], network.layers[:-1], strict=True)
            for source, target in layers:
                target.set_weights(source.get_weights())
        return network

    return fit_cycles(
        build,
        lambda cycle: AugmentedBatches(len(table), make_batch, BATCH_SIZE, training.seed + cycle),
        training.cycles,
        work_folder,
        Objective(
            keras.losses.CategoricalCrossentropy(label_smoothing=regularization.label_smoothing),
            regularization.weight_decay,
        ),
    )


def pretrain(work_folder: Path, cycles: Sequence[Cycle] = PRETRAINING) -> keras.Model:
    """Train on CREMA-D, none of whose speakers is in RAVDESS; every fold starts from it."""
    finished = Path(work_folder) / "pretrained" / "trained.keras"
    if finished.exists():
        return keras.saving.load_model(finished)
    table = crema_d.load_sound_table()
    training = VoiceTraining(CREMA_D6, cycles)
    return train_voice_network(table, read_sounds(table), finished.parent, training)


def predict_by_others(
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    training: VoiceTraining,
    train: np.ndarray,
    test: np.ndarray,
    work_folder: Path,
) -> np.ndarray:
    """Return the test takes' posteriors by a network trained on the train takes.

    Args:
        table: All takes.
        sounds: Their samples.
        training: How.
        train: bool (takes,).
        test: Likewise.
        work_folder: Of the training.

    Returns:
        float (test takes, classes).
    """
    network = train_voice_network(table[train], take(sounds, train), work_folder, training)
    return clip_posteriors(network, take(sounds, test))


def train_folds(
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    work_folder: Path,
    training: VoiceTraining = VoiceTraining(),
    *,
    blocks=RAVDESS_BLOCKS,
    only: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Predict each block of actors by a network trained on all others; see `out_of_fold`.

    Args:
        table: All takes.
        sounds: Their samples.
        work_folder: Holds `fold_N/` with predictions, history and network.
        training: How.
        blocks: Actors of each test block.
        only: Numbers of the folds wanted; None for all.

    Returns:
        The prediction table of the folds wanted.
    """
    folds = speaker_folds(table["speaker"], blocks)
    predict = partial(predict_by_others, table, sounds, training)
    return out_of_fold(table, folds, predict, work_folder, training.classes, only=only)


def fold_histories(work_folder: Path) -> pd.DataFrame:
    """Return the learning curves of all finished trainings; column `run` names each."""
    runs = sorted({file.parents[1] for file in Path(work_folder).glob("*/cycle_*/history.csv")})
    parts = [cycle_histories(run).assign(run=run.name) for run in runs]
    return pd.concat(parts, ignore_index=True)


def voice_spec() -> dict:
    """Return what `write_model_spec` has to know of every network that is trained here."""
    settings = voice_features.VOICE
    return {
        "stream": "voice",
        "classes": RAVDESS8,
        "inputs": {
            "sample_rate_hz": settings.sample_rate_hz,
            "window_s": voice_features.WINDOW_S,
            "n_fft": settings.n_fft,
            "hop": settings.hop,
            "bands": settings.bands,
            "low_hz": settings.low_hz,
            "high_hz": settings.high_hz,
        },
    }


def ship(
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    folder: Path,
    training: VoiceTraining = VoiceTraining(),
) -> None:
    """Train on all speakers and save what the recogniser loads."""
    network = train_voice_network(table, sounds, Path(folder) / "work" / "all", training)
    save_network(folder, fold_standardization(network))
    write_model_spec(folder, **voice_spec())


def write_results(folder: Path, predictions: pd.DataFrame) -> dict:
    """Write predictions, metrics and learning curves into the model's folder."""
    write_table(Path(folder) / "history.csv", fold_histories(Path(folder) / "work"))
    protocol = (
        "RAVDESS speech (sound), 8 classes, all 24 actors out of fold: six blocks of four "
        "actors, each judged by a network trained on the other 20; pre-trained on CREMA-D; "
        "settings chosen by training on actors 1-16 and validating on 17-20, which are also "
        "a test block; the second cycle of the learning rate was added after a first "
        "out-of-fold result of 61.4 %; one seed"
    )
    facts = {
        "in_readme": True,
        "seed": SEED,
        "pretraining": [asdict(cycle) for cycle in PRETRAINING],
        "cycles": [asdict(cycle) for cycle in CYCLES],
        "parameters": build_voice_network().count_params(),
    }
    metrics = write_evidence(
        folder,
        Measurement(predictions, protocol, facts=facts),
        stream="voice",
        command="python -m emorec.training.voice",
    )
    write_card(folder, CARD)
    return metrics


def main() -> None:
    """Train, evaluate, ship."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folds", type=int, nargs="*", help="train these folds only (1 to 6)")
    arguments = parser.parse_args()
    training_precision()
    work = MODEL_FOLDER / "work"
    training = VoiceTraining(start=pretrain(work))
    table = ravdess.load_sound_table()
    sounds = read_sounds(table)
    predictions = train_folds(table, sounds, work, training, only=arguments.folds)
    if arguments.folds is None:
        ship(table, sounds, MODEL_FOLDER, training)
        scores = write_results(MODEL_FOLDER, predictions)["scores"]
        print(f"out of fold: accuracy {scores['accuracy']:.1%}")


if __name__ == "__main__":
    run_main(main)
