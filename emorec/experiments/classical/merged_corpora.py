"""CREMA-D and SAVEE merged, 162 features and four convolutions: a leaking split, an honest one.

    python -m emorec.experiments.classical.merged_corpora

The notebook of Ouma487/Emotion-recognition as it describes itself: 162 features averaged over
time, each take with a noisy, a slowed, a raised and a shifted copy, all rows together split at
random, three quarters to train and one to judge. Copies of one take then stand on both sides, and
so do all speakers. Beside it the same features, network and epochs by speaker, copies made on the
training side alone.
"""

import argparse
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from emorec.corpora import crema_d, savee
from emorec.corpora.merged import merge_sound_tables
from emorec.emotions import COMMON7
from emorec.evaluation.evidence import Measurement, write_evidence
from emorec.evaluation.scores import scores
from emorec.evaluation.splits import check_classes, check_disjoint
from emorec.experiments.classical import copies as copies_classical
from emorec.features import voice_classical
from emorec.files import kept_or_made
from emorec.media.reader import read_sound
from emorec.networks.voice_classical import build_cnn4_162
from emorec.paths import COMPARISONS
from emorec.training.fit import (
    build_variables,
    training_clock,
    training_minutes,
    training_precision,
)
from emorec.training.folds import LEAKING, held_out

MODEL_FOLDER = COMPARISONS / "speech_corpora" / "merged_voice_features"
COMMAND = "python -m emorec.experiments.classical.merged_corpora"
KINDS = ("plain", *copies_classical.COPY_KINDS)
"""The take as it is, and its copies, in the order of the features' second axis."""
VERSION = 1
CREMA_D_ACTORS = 12
CREMA_D_TEST_ACTORS = 3
SAVEE_TEST_SPEAKERS = ("savee-JE",)
TEST_SHARE = 0.25
EPOCHS = 15
BATCH_SIZE = 64
LEARNING_RATE = 1e-3
SEED = 0

WHOM = (
    f"CREMA-D ({CREMA_D_ACTORS} drawn actors of 71) and SAVEE (2 of 4 speakers), 162 features "
    "averaged over time, four convolutions"
)
PROTOCOLS = {
    "by_speaker": (
        f"Two merged speech corpora, 7 classes, by speaker: {WHOM}; {CREMA_D_TEST_ACTORS} actors "
        "and one SAVEE speaker judged, copies of the training side's takes alone; one seed"
    ),
    "random": (
        f"Two merged speech corpora, 7 classes, LEAKING random split of takes and copies: {WHOM}; "
        "a quarter of all rows judged, whose speakers and siblings were trained on; one seed"
    ),
}
TITLES = {
    "by_speaker": "162 features, four convolutions, by speaker",
    "random": "162 features, four convolutions, LEAKING split",
}


@dataclass(frozen=True)
class Rows:
    """Rows of a split: features and where each comes from.

    Attributes:
        features: (rows, 162) float32.
        clips: `clip_id` (of the row: the take and the kind of copy), `speaker`, `emotion`.
    """

    features: np.ndarray
    clips: pd.DataFrame


def load_clips(actors: int = CREMA_D_ACTORS) -> pd.DataFrame:
    """Return SAVEE and so many drawn actors of CREMA-D as one table."""
    spoken = crema_d.load_sound_table()
    names = np.array(sorted(spoken["speaker"].unique()))
    drawn = np.random.default_rng(SEED).permutation(names)[:actors]
    spoken = spoken[spoken["speaker"].isin(drawn)]
    return merge_sound_tables({"CREMA-D": spoken, "SAVEE": savee.load_sound_table()}, COMMON7)


def features_of(samples: np.ndarray, clip_id: str) -> np.ndarray:
    """Return the 162 means of a take and of its copies, (kinds, 162) float32.

    Args:
        samples: (n,) float32, mono, 22,050 Hz.
        clip_id: Seeds the copies' strengths: they do not depend on the order of the takes.
    """
    rng = np.random.default_rng(zlib.crc32(clip_id.encode()))
    cut = voice_classical.excerpt(samples)
    copies = [copies_classical.make_copy(kind, rng, cut) for kind in copies_classical.COPY_KINDS]
    return np.stack([voice_classical.means_162(sound) for sound in (cut, *copies)])


def features_once(table: pd.DataFrame, file: Path) -> np.ndarray:
    """Return all takes' features, (takes, kinds, 162) float32; made once and kept in `file`.

    Raises:
        emorec.files.StaleCacheError: If the file holds other takes, kinds or another version.
    """
    stamp = {"version": VERSION, "kinds": list(KINDS), "clip_id": table["clip_id"].tolist()}
    kept = kept_or_made(Path(file), stamp, lambda: {"features": _features_of_all(table)})
    return kept["features"]


def _features_of_all(table: pd.DataFrame) -> np.ndarray:
    rate_hz = voice_classical.SAMPLE_RATE_HZ
    rows = tqdm(table.itertuples(), "features", len(table), disable=None)
    return np.stack([features_of(read_sound(row.path, rate_hz), row.clip_id) for row in rows])


def all_rows(table: pd.DataFrame, features: np.ndarray, kinds: Sequence[str] = KINDS) -> Rows:
    """Lay takes and copies out as rows, named `take` or `take+kind`."""
    parts = []
    for kind in kinds:
        suffix = "" if kind == "plain" else f"+{kind}"
        clips = table[["clip_id", "speaker", "emotion"]]
        parts.append(clips.assign(clip_id=clips["clip_id"] + suffix))
    columns = [KINDS.index(kind) for kind in kinds]
    stacked = features[:, columns].transpose(1, 0, 2).reshape(-1, features.shape[-1])
    return Rows(stacked, pd.concat(parts, ignore_index=True))


def split_at_random(table: pd.DataFrame, features: np.ndarray) -> tuple[Rows, Rows]:
    """Deal all rows out at random, copies and all: the LEAKING split, to be shown once."""
    rows = all_rows(table, features)
    order = np.random.default_rng(SEED).permutation(len(rows.clips))
    test, train = np.split(order, [round(TEST_SHARE * len(order))])
    return tuple(
        Rows(rows.features[i], rows.clips.iloc[i].reset_index(drop=True)) for i in (train, test)
    )


def split_by_speaker(
    table: pd.DataFrame, features: np.ndarray, test_actors: int = CREMA_D_TEST_ACTORS
) -> tuple[Rows, Rows]:
    """Hold out some actors of CREMA-D and one speaker of SAVEE; copies train, takes are judged.

    Raises:
        emorec.evaluation.splits.MissingClassError: If a side lacks a class. Surprise is SAVEE's
        alone, so
            that both sides need a speaker of SAVEE.
    """
    actors = np.array(sorted(table.loc[table["corpus"] == "CREMA-D", "speaker"].unique()))
    drawn = np.random.default_rng(SEED + 1).permutation(actors)[:test_actors]
    test = table["speaker"].isin([*drawn, *SAVEE_TEST_SPEAKERS]).to_numpy()
    check_disjoint(train=table["speaker"][~test], test=table["speaker"][test])
    check_classes(COMMON7, train=table["emotion"][~test], test=table["emotion"][test])
    return (
        all_rows(table[~test], features[~test]),
        all_rows(table[test], features[test], ["plain"]),
    )


def train_and_predict(train: Rows, test: Rows, work_folder: Path, epochs: int) -> np.ndarray:
    """Standardise on the training rows, train; return the test rows' posteriors (rows, 7)."""
    keras.utils.set_random_seed(SEED)
    mean, deviation = train.features.mean(0), train.features.std(0) + 1e-8
    network = build_cnn4_162(classes=len(COMMON7))
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    network.optimizer.learning_rate = LEARNING_RATE
    codes = np.array([COMMON7.index(name) for name in train.clips["emotion"]])
    build_variables(network, (train.features[:1] - mean) / deviation, codes[:1])
    with training_clock(work_folder):
        network.fit(
            (train.features - mean) / deviation,
            codes,
            batch_size=BATCH_SIZE,
            epochs=epochs,
            verbose=2,
            callbacks=[keras.callbacks.TerminateOnNaN()],
        )
    return network.predict((test.features - mean) / deviation, verbose=0)


def measure(name: str, train: Rows, test: Rows, work: Path, epochs: int) -> Measurement:
    """Train and predict by one of PROTOCOLS; a finished run is read from `work`."""
    predictions = held_out(
        train.clips,
        test.clips,
        partial(train_and_predict, train, test, work, epochs),
        work,
        COMMON7,
        fold=1,
        apart=LEAKING if name == "random" else "speaker",
    )
    facts = {
        "seed": SEED,
        "epochs": epochs,
        "rows": {"train": len(train.clips), "test": len(test.clips)},
        "parameters": build_cnn4_162(classes=len(COMMON7)).count_params(),
        "training_minutes": round(training_minutes(work), 1),
    }
    return Measurement(predictions, PROTOCOLS[name], TITLES[name], facts=facts)


def run(
    table: pd.DataFrame,
    features: np.ndarray,
    folder: Path,
    *,
    epochs: int = EPOCHS,
    test_actors: int = CREMA_D_TEST_ACTORS,
) -> dict:
    """Train and evaluate by both protocols and write the evidence; returns the metrics."""
    work = Path(folder) / "work"
    leaking = measure("random", *split_at_random(table, features), work / "random", epochs)
    sides = split_by_speaker(table, features, test_actors)
    honest = measure("by_speaker", *sides, work / "by_speaker", epochs)
    is_copy = leaking.predictions["clip_id"].str.contains("+", regex=False)
    unaltered = scores(leaking.predictions[~is_copy])["accuracy"]
    further = {"command": COMMAND, "accuracy_of_unaltered_takes": unaltered}
    return write_evidence(
        folder,
        honest,
        stream="voice",
        command=COMMAND,
        parts={"random": replace(leaking, facts={**leaking.facts, **further})},
    )


def main() -> None:
    """Extract, train, evaluate, write the evidence."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    training_precision()
    table = load_clips()
    features = features_once(table, MODEL_FOLDER / "work" / "features.npz")
    metrics = run(table, features, MODEL_FOLDER)
    print(f"random, leaking: {metrics['random']['scores']['accuracy']:.1%}")
    print(f"by speaker: {metrics['scores']['accuracy']:.1%}")


if __name__ == "__main__":
    main()
