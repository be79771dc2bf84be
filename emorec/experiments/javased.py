"""All three networks taken to JavaSED, a corpus with pictures: four folds of two actors each.

    python -m emorec.experiments.javased                # everything; a cut run goes on where it was
    python -m emorec.experiments.javased --stream face  # one stream; processes can share the work

The voice and the face network start from the shipped weights, the geometry network is trained on
RAVDESS's landmarks and JavaSED's together. What is shipped does not change: this is evidence of
how far the method carries on real pixels, by speaker, in `Models/comparisons/javased`. A stream's
posterior is the mean of as many networks' as `SEEDS` names for it.
"""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from types import MappingProxyType

import keras
import numpy as np
import pandas as pd

from emorec.corpora import javased, ravdess
from emorec.emotions import JAVASED6
from emorec.errors import run_main
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import Measurement, of_seeds, read_predictions, write_evidence
from emorec.evaluation.scores import prediction_table
from emorec.evaluation.splits import JAVASED_PROTOCOL, check_disjoint, javased_folds
from emorec.features.face import standardize_faces
from emorec.features.geometry import cut_windows, resample
from emorec.networks.face import build_face_network, build_temporal_network, replace_heads
from emorec.networks.layers import unfold_standardization
from emorec.networks.voice import build_voice_network
from emorec.paths import MODELS
from emorec.posteriors import log_mean
from emorec.speaker.calibration import mean_log, without_bias
from emorec.training import augment, fusion_rules
from emorec.training import geometry as geometry_training
from emorec.training.clip_inputs import ClipInputs, read_inputs
from emorec.training.fit import (
    AugmentedBatches,
    Cycle,
    Objective,
    fit_cycles,
    one_hot,
    precision,
)
from emorec.training.folds import out_of_fold, take
from emorec.training.voice import VoiceTraining, predict_by_others

QUESTION = "comparisons/javased"
"""Where in `Models` the evidence goes."""
STREAMS = ("voice", "face", "geometry")
# A face network takes five times as long to train as a voice network.
SEEDS = {"voice": (1, 2, 3), "face": (1,), "geometry": (1, 2, 3), "face_temporal": (1, 2, 3)}
VOICE_CYCLES = (Cycle(160, 1e-3, dropout=0.3),)
FACE_CYCLES = (Cycle(25, 5e-4, dropout=0.4),)
FACES_PER_CLIP = 8
_OTHERS = "the other six"
TEMPORAL_CYCLES = (Cycle(60, 1e-3, dropout=0.4),)
TEMPORAL_FRAMES = 32
# A JavaSED clip is drawn as often as this many of RAVDESS's.
CLIP_WEIGHT = 3

TITLES = {
    "voice": "voice, fine-tuned",
    "face": "face, fine-tuned",
    "geometry": "geometry, with RAVDESS",
    "face_temporal": "temporal network on the face network's embeddings",
    "fusion": "log-linear fusion",
}
OWN_MEAN = (
    "the mean of each judged person's log posteriors, over all their clips and without a label, is "
    "taken out, which is fair only to people who show each emotion equally often, as here"
)
HOW = {
    "voice": "started from the shipped voice network (CREMA-D and RAVDESS)",
    "face": "started from the shipped face network (FER-2013); pictures shown as 16:9",
    "geometry": "trained on them, pictures shown as 16:9, and on RAVDESS's landmarks in the six "
    "classes",
    "face_temporal": "a temporal network on the shipped face network's embeddings of 32 frames "
    "spread over the clip; pictures shown as 16:9",
    "fusion": "log-linear over voice, face and geometry, parameters of a fold fitted on the "
    "other three folds' posteriors; the face is the frame network or the temporal network, "
    "whichever is right more often on the other three folds. Of twelve ways to put earlier "
    "versions of these networks together, which reached 62.5 to 67.7 %, this was the best",
}


def predict_voice(
    table, inputs, train, test, work: Path, seed: int, models: Path = MODELS
) -> np.ndarray:
    """Fine-tune the shipped voice network on the training clips; predict the test clips.

    Args:
        table: All clips.
        inputs: Theirs.
        train: bool (clips,).
        test: Likewise.
        work: For backup, history and the finished network.
        seed: Of initial weights, order and augmentation.
        models: Where the shipped models lie.

    Returns:
        float (test clips, 6); NaN where a clip has no sound.
    """
    shipped = keras.saving.load_model(models / "alternatives" / "voice_2d_cnn" / "model.keras")
    start = unfold_standardization(shipped, build_voice_network())
    sounds = [clip.sound for clip in inputs]
    training = VoiceTraining(JAVASED6, VOICE_CYCLES, seed=seed, start=start)
    return predict_by_others(table, sounds, training, train, test, work)


def predict_face(
    table, inputs, train, test, work: Path, seed: int, models: Path = MODELS
) -> np.ndarray:
    """Fine-tune the shipped face network on the training clips' faces; predict the test clips.

    A clip's posterior is the normalised geometric mean over its faces. Arguments and result as
    those of `predict_voice`; NaN where a clip shows no face.
    """
    shipped = keras.saving.load_model(models / "face_cnn" / "model.keras")
    clips = [i for i in np.flatnonzero(train) if len(inputs[i].faces)]
    targets = one_hot(table["emotion"], JAVASED6)
    keras.utils.set_random_seed(seed)

    def build(dropout):
        network = unfold_standardization(shipped, build_face_network(dropout=dropout))
        return replace_heads(network, len(JAVASED6), dropout)

    def make_batch(rng, indices):
        chosen = [clips[i % len(clips)] for i in indices]
        faces = [inputs[i].faces[rng.integers(len(inputs[i].faces))] for i in chosen]
        return standardize_faces(augment.augment_faces(rng, np.stack(faces))), targets[chosen]

    network = fit_cycles(
        build,
        lambda cycle: AugmentedBatches(len(clips) * FACES_PER_CLIP, make_batch, 32, seed + cycle),
        FACE_CYCLES,
        work,
        Objective(keras.losses.CategoricalCrossentropy(label_smoothing=0.1), weight_decay=0.05),
    )
    return pooled_by_clip(network, [standardize_faces(clip.faces) for clip in take(inputs, test)])


def pooled_by_clip(network: keras.Model, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Predict each clip's inputs and pool them; float (clips, 6), NaN for a clip without any."""
    posterior = network.predict(np.concatenate(inputs), batch_size=64, verbose=0)
    parts = np.split(posterior, np.cumsum([len(part) for part in inputs])[:-1])
    missing = np.full(len(JAVASED6), np.nan)
    return np.stack([log_mean(part) if len(part) else missing for part in parts])


def predict_geometry(
    table, inputs, train, test, work: Path, seed: int, models: Path = MODELS
) -> np.ndarray:
    """Train on RAVDESS's landmarks and the training clips'; predict the test clips.

    Arguments and result as those of `predict_voice`; `models` is not needed.
    """
    takes, tracks = ravdess.load_landmarks()
    shared = takes["emotion"].isin(JAVASED6).to_numpy()
    takes = takes.loc[shared, ["clip_id", "speaker", "emotion"]]
    tracks = take(tracks, shared)
    clips = [i for i in np.flatnonzero(train) if len(inputs[i].landmarks)] * CLIP_WEIGHT
    even = {
        i: resample(inputs[i].landmarks_s, inputs[i].landmarks, ravdess.FRAME_RATE_HZ)[1]
        for i in set(clips)
    }
    network = geometry_training.train_geometry_network(
        pd.concat([takes, table.loc[clips, takes.columns]], ignore_index=True),
        [*tracks, *(even[i] for i in clips)],
        work,
        classes=JAVASED6,
        seed=seed,
    )
    windows = [
        cut_windows(clip.landmarks_s, clip.landmarks).features for clip in take(inputs, test)
    ]
    return pooled_by_clip(network, windows)


def predict_face_temporal(
    table, inputs, train, test, work: Path, seed: int, models: Path = MODELS
) -> np.ndarray:
    """Train a temporal network on the shipped face network's embeddings; predict the test clips.

    Not the fine-tuned network's: those of its own training clips are too good to learn from.
    Arguments and result as those of `predict_voice`.
    """
    shipped = keras.saving.load_model(models / "face_cnn" / "model.keras")
    embed = keras.Model(shipped.input, shipped.get_layer("embedding").output)
    seen = [i for i, clip in enumerate(inputs) if len(clip.faces)]
    found = embed.predict(
        standardize_faces(np.concatenate([inputs[i].faces for i in seen])), batch_size=64, verbose=0
    )
    sequences = np.zeros((len(inputs), TEMPORAL_FRAMES, found.shape[1]), np.float32)
    ends = np.cumsum([len(inputs[i].faces) for i in seen])
    for i, part in zip(seen, np.split(found, ends[:-1]), strict=True):
        sequences[i] = part[np.linspace(0, len(part) - 1, TEMPORAL_FRAMES).round().astype(int)]
    has_face = np.isin(np.arange(len(inputs)), seen)
    chosen = np.flatnonzero(train & has_face)
    targets = one_hot(table["emotion"], JAVASED6)
    keras.utils.set_random_seed(seed)

    def make_batch(rng, indices):
        rows = chosen[indices]
        noisy = sequences[rows] + rng.normal(0, 0.1, sequences[rows].shape).astype(np.float32)
        return augment.mixup(rng, noisy, targets[rows], alpha=0.3)

    network = fit_cycles(
        lambda dropout: build_temporal_network(len(JAVASED6), found.shape[1], dropout),
        lambda cycle: AugmentedBatches(len(chosen), make_batch, 16, seed + cycle),
        TEMPORAL_CYCLES,
        work,
        Objective(keras.losses.CategoricalCrossentropy(label_smoothing=0.1), weight_decay=0.1),
    )
    posterior = network.predict(sequences[test], verbose=0)
    posterior[~has_face[test]] = np.nan
    return posterior


PREDICTORS = {
    "voice": predict_voice,
    "face": predict_face,
    "geometry": predict_geometry,
    "face_temporal": predict_face_temporal,
}


def evaluate_stream(
    stream: str,
    table: pd.DataFrame,
    inputs: Sequence[ClipInputs],
    models: Path = MODELS,
    seeds: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Predict all clips out of fold by one stream, with each seed; write the mean's evidence.

    Args:
        stream: One of PREDICTORS.
        table: All clips.
        inputs: Theirs.
        models: Where the models' folders lie.
        seeds: One network each; those of `SEEDS` when None.

    Returns:
        The prediction table; clips that lack the stream are not in it.
    """
    folder = Path(models) / QUESTION / f"javased_{stream}"
    tables = {}
    for seed in seeds or SEEDS[stream]:
        folds, work = javased_folds(table["speaker"]), folder / "work" / f"seed_{seed}"
        predict = partial(PREDICTORS[stream], table, inputs, seed=seed, models=models)
        with precision("float32" if stream == "geometry" else "mixed_bfloat16"):
            tables[seed] = out_of_fold(table, folds, predict, work, JAVASED6)
    return write_stream(folder, stream, tables)


def write_stream(folder: Path, stream: str, tables: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """Write the evidence of a stream: its seeds' mean, and beside it each of several seeds.

    Args:
        folder: The model's folder.
        stream: One of PREDICTORS.
        tables: Seed -> prediction table.

    Returns:
        The mean's prediction table as it is read back.
    """
    if len(tables) == 1:
        ((seed, table),) = tables.items()
        return write_javased(folder, stream, table, f"{HOW[stream]}; one seed", {"seed": seed})
    parts = {
        f"seed_{seed}": Measurement(
            table,
            JAVASED_PROTOCOL.format(others=_OTHERS, how=f"{HOW[stream]}; seed {seed} alone"),
            f"JavaSED: {TITLES[stream]}, seed {seed} alone",
            facts={"seed": seed},
        )
        for seed, table in tables.items()
    }
    accuracies = {seed: evaluation.scores(table)["accuracy"] for seed, table in tables.items()}
    facts = {"accuracy_of_seeds": of_seeds(accuracies)}
    mean = evaluation.mean_of_tables(list(tables.values()))
    how = f"{HOW[stream]}; mean of seeds {', '.join(map(str, tables))}"
    return write_javased(folder, stream, mean, how, facts, parts)


def write_javased(
    folder: Path,
    name: str,
    predictions: pd.DataFrame,
    how: str,
    facts: dict,
    parts: Mapping[str, Measurement] = MappingProxyType({}),
) -> pd.DataFrame:
    """Write a stream's or the fusion's evidence; returns the table as it will be read.

    Beside it, as `own_mean`, stands what is left once each judged person's own mean is taken out.
    """
    protocol, title = JAVASED_PROTOCOL.format(others=_OTHERS, how=how), f"JavaSED: {TITLES[name]}"
    own_mean = Measurement(
        without_own_mean(predictions), f"{protocol}; {OWN_MEAN}", f"{title}, less each own mean"
    )
    metrics = write_evidence(
        folder,
        Measurement(predictions, protocol, title, facts=facts),
        stream=name.split("_")[0],
        command="python -m emorec.experiments.javased",
        parts={**parts, "own_mean": own_mean},
    )
    print(f"JavaSED, {name}: {metrics['scores']['accuracy']:.1%}", flush=True)
    return read_predictions(folder)


def without_own_mean(predictions: pd.DataFrame) -> pd.DataFrame:
    """Take the mean of each person's log posteriors out of theirs; no label is read."""
    classes = list(JAVASED6)
    found = predictions.copy()
    for _, own in predictions.groupby("speaker"):
        posteriors = own[classes].to_numpy()
        found.loc[own.index, classes] = without_bias(posteriors, mean_log(posteriors))
    return found


def fuse_where_present(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Fuse out of fold streams of which a clip may lack some.

    The parameters of a fold are fitted on the other folds.

    Args:
        tables: Stream -> prediction table, joined by `clip_id`.
    """
    keys = ["clip_id", "speaker", "fold", "truth"]
    clips = pd.concat([table[keys] for table in tables.values()])
    clips = clips.drop_duplicates().sort_values("clip_id", ignore_index=True)
    posteriors = {
        stream: table.set_index("clip_id")[list(JAVASED6)].reindex(clips["clip_id"]).to_numpy()
        for stream, table in tables.items()
    }
    truth = np.array([JAVASED6.index(name) for name in clips["truth"]])
    fused = np.empty((len(clips), len(JAVASED6)))
    for fold in clips["fold"].unique():
        held_out = (clips["fold"] == fold).to_numpy()
        check_disjoint(fit=clips["speaker"][~held_out], judged=clips["speaker"][held_out])
        fit_on = {stream: p[~held_out] for stream, p in posteriors.items()}
        fitted = fusion_rules.fit_log_linear(fit_on, truth[~held_out], JAVASED6)
        fused[held_out] = fitted.apply({s: p[held_out] for s, p in posteriors.items()})
    named = clips.rename(columns={"truth": "emotion"})
    return prediction_table(named, fused, JAVASED6, clips["fold"].to_numpy())


def chosen_by_other_folds(candidates: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Take each fold's clips from the candidate that is right more often on the other folds.

    Args:
        candidates: Prediction tables of the same clips.

    Returns:
        One prediction table; the first candidate's where several are as good.
    """
    parts = []
    for fold in sorted(candidates[0]["fold"].unique()):
        right = [evaluation.scores(t[t["fold"] != fold])["accuracy"] for t in candidates]
        best = candidates[int(np.argmax(right))]
        parts.append(best[best["fold"] == fold])
    return pd.concat(parts, ignore_index=True)


def load_streams(models: Path = MODELS) -> dict[str, pd.DataFrame]:
    """Read the committed tables of the streams that are fused; a stream without one is left out.

    The face's is, fold by fold, that of the frame network or that of the temporal network.
    """
    found = {
        stream: read_predictions(models / QUESTION / f"javased_{stream}")
        for stream in PREDICTORS
        if (models / QUESTION / f"javased_{stream}" / "predictions.csv").exists()
    }
    faces = [found.pop(stream) for stream in ("face", "face_temporal") if stream in found]
    if faces:
        found["face"] = chosen_by_other_folds(faces)
    return {stream: found[stream] for stream in STREAMS if stream in found}


def compare_subsets(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Fuse every set of the streams: accuracy and interval in percent, all streams first."""
    rows = {}
    for size in range(len(tables), 0, -1):
        for present in combinations(tables, size):
            fused = fuse_where_present({stream: tables[stream] for stream in present})
            accuracy = evaluation.scores(fused)["accuracy"]
            rows[" + ".join(present)] = (accuracy, *evaluation.intervals(fused)["accuracy"])
    return pd.DataFrame(rows, index=["accuracy %", "from", "to"]).T.mul(100).round(1)


def main() -> None:
    """Train, evaluate, fuse."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stream", choices=PREDICTORS, help="train and evaluate this one only")
    chosen = parser.parse_args().stream
    table = javased.load_video_table()
    inputs = read_inputs(table["path"], pixel_aspect=javased.PIXEL_ASPECT)
    for stream in [chosen] if chosen else PREDICTORS:
        evaluate_stream(stream, table, inputs)
    if not chosen:
        seeds = {"seeds": {stream: list(found) for stream, found in SEEDS.items()}}
        counts = ", ".join(f"{TITLES[stream]} {len(found)}" for stream, found in SEEDS.items())
        how = f"{HOW['fusion']}; number of seeds: {counts}"
        fused = fuse_where_present(load_streams())
        write_javased(MODELS / QUESTION / "javased_fusion", "fusion", fused, how, seeds)


if __name__ == "__main__":
    run_main(main)
