"""The voice network trained with more seeds: how far chance carries, and what their mean gives.

    python -m emorec.train_voice_seeds             # seeds 2 and 3, the mean, and its fusion
    python -m emorec.train_voice_seeds --seeds 2   # train one; processes can share the work

Seed 1 is `Models/voice_2d_cnn`, whose committed predictions are read. The seeds share settings,
folds and the network pre-trained on CREMA-D. `Models/voice_seeds` gets each seed's predictions and
their mean, `Models/fusion_seeds` that mean fused with the geometry.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import pandas as pd

from emorec import evaluation, train_voice
from emorec.corpora import REPOSITORY, ravdess
from emorec.evidence import of_seeds, write_seed
from emorec.model_folder import read_predictions, write_evidence
from emorec.networks.voice import build_voice_network
from emorec.train_fusion import RAVDESS_STREAMS, fuse_out_of_fold, join_streams

MODELS = REPOSITORY / "Models"
MORE_SEEDS = (2, 3)
COMMAND = "python -m emorec.train_voice_seeds"
PROTOCOL = (
    "RAVDESS speech (sound), 8 classes, all 24 actors out of fold: as {like}, by networks trained "
    "with {seeds}"
)
FUSION_PROTOCOL = (
    "RAVDESS speech, 8 classes, voice and geometry. As `fusion`, the voice's posterior being the "
    "mean of {count} networks', trained with as many seeds; geometry has one seed."
)


def train_seed(seed: int, models: Path = MODELS) -> pd.DataFrame:
    """Train all folds with one more seed; finished ones are read. Returns its predictions."""
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    work = Path(models) / "voice_seeds" / "work"
    start = train_voice.pretrain(work)
    table = ravdess.load_sound_table()
    return train_voice.train_folds(
        table, train_voice.read_sounds(table), work / f"seed_{seed}", start=start, seed=seed
    )


def write_results(tables: Mapping[int, pd.DataFrame], models: Path = MODELS) -> dict:
    """Write the evidence of the seeds' mean and of its fusion with the geometry.

    Args:
        tables: Seed -> prediction table.
        models: Where the models' folders lie.

    Returns:
        What the mean's `metrics.json` holds.
    """
    folder, first = Path(models) / "voice_seeds", min(tables)
    entries, accuracies = {}, {}
    for seed, predictions in tables.items():
        accuracies[seed] = evaluation.scores(predictions)["accuracy"]
        if seed != first:  # whose predictions are those of voice_2d_cnn
            entries[f"seed_{seed}"] = write_seed(
                folder,
                seed,
                predictions,
                title=f"Voice 2D CNN, seed {seed}",
                protocol=PROTOCOL.format(like="`voice_2d_cnn`", seeds=f"seed {seed}"),
            )
    named = "seeds " + ", ".join(map(str, tables))
    mean = evaluation.mean_of_tables(list(tables.values()))
    metrics = write_evidence(
        folder,
        mean,
        protocol=PROTOCOL.format(like="`voice_2d_cnn`", seeds=named + ", their mean"),
        command=COMMAND,
        extra={
            "title": f"Voice 2D CNN, mean of {len(tables)} seeds",
            "accuracy_of_seeds": of_seeds(accuracies),
            "parameters": len(tables) * build_voice_network().count_params(),
            **entries,
        },
    )
    streams = {s: read_predictions(Path(models) / name) for s, name in RAVDESS_STREAMS.items()}
    joined = join_streams({**streams, "voice": read_predictions(folder)})
    write_evidence(
        Path(models) / "fusion_seeds",
        fuse_out_of_fold(joined)["log-linear"],
        protocol=FUSION_PROTOCOL.format(count=len(tables)),
        command=COMMAND,
        extra={"title": f"Log-linear fusion, voice the mean of {len(tables)} seeds"},
    )
    return metrics


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the seeds asked for; with all of them, write the evidence."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="*", choices=MORE_SEEDS)
    asked = parser.parse_args(arguments).seeds
    tables = {1: read_predictions(MODELS / RAVDESS_STREAMS["voice"])}
    for seed in asked or MORE_SEEDS:
        tables[seed] = train_seed(seed)
        print(f"seed {seed}: {evaluation.scores(tables[seed])['accuracy']:.1%}", flush=True)
    if not asked:
        scores = write_results(tables)["scores"]
        print(f"mean of {len(tables)} seeds: {scores['accuracy']:.1%}")


if __name__ == "__main__":
    main()
