"""The voice network's training on RAVDESS: six blocks out of fold, then all speakers.

python -m emorec.training.voice                # everything; a cut run goes on where it was
python -m emorec.training.voice --folds 1 2 3  # some folds only; processes can share the work
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from emorec.corpora import crema_d, ravdess
from emorec.emotions import CREMA_D6, RAVDESS8
from emorec.engines import write_model_spec
from emorec.evaluation.evidence import read_predictions, write_evidence
from emorec.evaluation.model_card import CardText, write_card
from emorec.evaluation.scores import prediction_table
from emorec.evaluation.splits import RAVDESS_BLOCKS, speaker_folds
from emorec.features import voice as voice_features
from emorec.files import write_table
from emorec.networks.layers import fold_standardization
from emorec.networks.voice import build_voice_network
from emorec.paths import MODELS
from emorec.posteriors import log_mean
from emorec.training import augment
from emorec.training.augment_voice import Draw, as_another_recording
from emorec.training.fit import AugmentedBatches, Cycle, cycle_histories, fit_cycles, save_network
from emorec.training.sounds import read_sounds

MODEL_FOLDER = MODELS / "voice_2d_cnn"
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


REGULARIZATION = Regularization()

CARD = CardText(
    title="Voice 2D CNN",
    what=(
        "Three seconds of sound at 16 kHz, as a log-mel spectrogram (96 bands, 50-8,000 Hz, one "
        "frame each 16 ms), standardised; residual 3x3 convolutions with standardised weights; "
        "statistics over time; softmax over eight emotions. A clip's posterior is the mean of "
        "its windows' log posteriors, weighted by loudness, one window each 0.5 s."
    ),
    data=(
        "Pre-trained on CREMA-D (actors 1001-1071, six emotions, band-limited to 5.5 kHz), then "
        "trained on RAVDESS speech: 1,440 takes of 24 actors (12 women, 12 men). The scores are "
        "those of networks that never heard the speaker; the shipped weights are trained on all "
        "24 actors with the same settings."
    ),
)


def windows_of(sounds: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut takes into the windows that the recogniser would hear.

    Returns:
        Inputs, float32 (windows, 96, 188, 1); loudness (windows,); index of the take each
        belongs to (windows,).
    """
    inputs, weights, takes = [], [], []
    for take, sound in enumerate(sounds):
        cutter = voice_features.SlidingWindows(voice_features.VOICE.sample_rate_hz)
        for window in [*cutter.push(sound), *cutter.finish()]:
            inputs.append(voice_features.voice_input(window.samples))
            weights.append(voice_features.loudness(window.samples))
            takes.append(take)
    return np.stack(inputs), np.array(weights), np.array(takes)


def clip_posteriors(network: keras.Model, sounds: list[np.ndarray]) -> np.ndarray:
    """Return one posterior per take, float (takes, 8), as the recogniser computes it."""
    inputs, weights, takes = windows_of(sounds)
    posteriors = network.predict(inputs, batch_size=64, verbose=0)
    return np.stack(
        [log_mean(posteriors[takes == take], weights[takes == take]) for take in range(len(sounds))]
    )


def train_voice_network(
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    work_folder: Path,
    *,
    start: keras.Model | None = None,
    classes: tuple[str, ...] = RAVDESS8,
    cycles: Sequence[Cycle] = CYCLES,
    regularization: Regularization = REGULARIZATION,
    seed: int = SEED,
    build_network: Callable[..., keras.Model] = build_voice_network,
    augmentation: Augmentation = as_another_recording,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> keras.Model:
    """Train one network on all takes given; the run resumes where it was cut.

    Args:
        table: Takes to train on, with `emotion`.
        sounds: Their samples.
        work_folder: For backup, history and the finished network.
        start: A trained network whose layers, but for the softmax, are taken over.
        classes: What the softmax tells apart.
        cycles: Of the learning rate.
        regularization: Its strengths.
        seed: Of initial weights, order and augmentation.
        build_network: Called with bands, frames, classes and `dropout`; the voice CNN unless told
            otherwise.
        augmentation: One of `emorec.training.augment_voice`.
        callbacks: Of the training, in addition.
    """
    keras.utils.set_random_seed(seed)
    spectrograms = [voice_features.log_mel(sound, voice_features.VOICE) for sound in sounds]
    targets = np.eye(len(classes), dtype=np.float32)[[classes.index(e) for e in table["emotion"]]]
    frames = voice_features.VOICE.frames(
        round(voice_features.WINDOW_S * voice_features.VOICE.sample_rate_hz)
    )
    draw = augmentation(spectrograms, table)

    def make_batch(rng, indices):
        inputs = [voice_features.standardize_log_mel(draw(rng, i, frames)) for i in indices]
        inputs = np.stack(inputs)[..., None].astype(np.float32)
        return augment.mixup(rng, inputs, targets[indices], regularization.mixup_alpha)

    def build(dropout):
        network = build_network(voice_features.VOICE.bands, frames, len(classes), dropout=dropout)
        if start is not None:
            for source, target in zip(start.layers[:-1], network.layers[:-1], strict=True):
                target.set_weights(source.get_weights())
        return network

    return fit_cycles(
        build,
        lambda cycle: AugmentedBatches(len(table), make_batch, BATCH_SIZE, seed + cycle),
        cycles,
        work_folder,
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=regularization.label_smoothing),
        metrics=["accuracy"],
        weight_decay=regularization.weight_decay,
        callbacks=callbacks,
    )


def pretrain(work_folder: Path, cycles: Sequence[Cycle] = PRETRAINING) -> keras.Model:
    """Train on CREMA-D, none of whose speakers is in RAVDESS; every fold starts from it."""
    finished = Path(work_folder) / "pretrained" / "trained.keras"
    if finished.exists():
        return keras.saving.load_model(finished)
    table = crema_d.load_sound_table()
    return train_voice_network(
        table, read_sounds(table), finished.parent, classes=CREMA_D6, cycles=cycles
    )


def train_folds(
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    work_folder: Path,
    *,
    start: keras.Model | None = None,
    blocks=RAVDESS_BLOCKS,
    only: list[int] | None = None,
    cycles: Sequence[Cycle] = CYCLES,
    seed: int = SEED,
    augmentation: Augmentation = as_another_recording,
) -> pd.DataFrame:
    """Train once per block on all other actors and judge the block's takes.

    A fold whose predictions lie in `work_folder` is not trained again.

    Args:
        table: All takes.
        sounds: Their samples.
        work_folder: Holds `fold_N/` with predictions, history and network.
        start: The pre-trained network.
        blocks: Actors of each test block.
        only: Numbers of the folds wanted; None for all.
        cycles: Of each training.
        seed: Of initial weights, order and augmentation.
        augmentation: One of `emorec.training.augment_voice`.

    Returns:
        The prediction table of the folds wanted.
    """
    parts = []
    for fold, train, test in speaker_folds(table["speaker"], blocks):
        if only is not None and fold not in only:
            continue
        folder = Path(work_folder) / f"fold_{fold}"
        if not (folder / "predictions.csv").exists():
            network = train_voice_network(
                table[train],
                [sounds[i] for i in np.flatnonzero(train)],
                folder,
                start=start,
                cycles=cycles,
                seed=seed,
                augmentation=augmentation,
            )
            posterior = clip_posteriors(network, [sounds[i] for i in np.flatnonzero(test)])
            predictions = prediction_table(table[test], posterior, RAVDESS8, fold)
            write_table(folder / "predictions.csv", predictions)
        parts.append(read_predictions(folder))
    return pd.concat(parts, ignore_index=True)


def fold_histories(work_folder: Path) -> pd.DataFrame:
    """Return the learning curves of all finished trainings; column `run` names each."""
    runs = sorted({file.parents[1] for file in Path(work_folder).glob("*/cycle_*/history.csv")})
    parts = [cycle_histories(run).assign(run=run.name) for run in runs]
    return pd.concat(parts, ignore_index=True)


def ship(
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    folder: Path,
    *,
    start: keras.Model | None = None,
    cycles: Sequence[Cycle] = CYCLES,
) -> None:
    """Train on all speakers and save what the recogniser loads."""
    work_folder = Path(folder) / "work" / "all"
    network = train_voice_network(table, sounds, work_folder, start=start, cycles=cycles)
    save_network(folder, fold_standardization(network))
    write_model_spec(
        folder,
        stream="voice",
        classes=RAVDESS8,
        inputs={
            "sample_rate_hz": voice_features.VOICE.sample_rate_hz,
            "window_s": voice_features.WINDOW_S,
            "window_hop_s": voice_features.WINDOW_HOP_S,
            "n_fft": voice_features.VOICE.n_fft,
            "hop": voice_features.VOICE.hop,
            "bands": voice_features.VOICE.bands,
            "low_hz": voice_features.VOICE.low_hz,
            "high_hz": voice_features.VOICE.high_hz,
        },
    )


def write_results(folder: Path, predictions: pd.DataFrame) -> dict:
    """Write predictions, metrics and learning curves into the model's folder."""
    write_table(Path(folder) / "history.csv", fold_histories(Path(folder) / "work"))
    metrics = write_evidence(
        folder,
        predictions,
        protocol=(
            "RAVDESS speech (sound), 8 classes, all 24 actors out of fold: six blocks of four "
            "actors, each judged by a network trained on the other 20; pre-trained on CREMA-D; "
            "settings chosen by training on actors 1-16 and validating on 17-20, which are also "
            "a test block; the second cycle of the learning rate was added after a first "
            "out-of-fold result of 61.4 %; one seed"
        ),
        command="python -m emorec.training.voice",
        extra={
            "seed": SEED,
            "pretraining": [asdict(cycle) for cycle in PRETRAINING],
            "cycles": [asdict(cycle) for cycle in CYCLES],
            "parameters": build_voice_network().count_params(),
        },
    )
    write_card(folder, CARD)
    return metrics


def main() -> None:
    """Train, judge, ship."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folds", type=int, nargs="*", help="train these folds only (1 to 6)")
    arguments = parser.parse_args()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    work = MODEL_FOLDER / "work"
    start = pretrain(work)
    table = ravdess.load_sound_table()
    sounds = read_sounds(table)
    predictions = train_folds(table, sounds, work, start=start, only=arguments.folds)
    if arguments.folds is None:
        ship(table, sounds, MODEL_FOLDER, start=start)
        scores = write_results(MODEL_FOLDER, predictions)["scores"]
        print(f"out of fold: accuracy {scores['accuracy']:.1%}")


if __name__ == "__main__":
    main()
