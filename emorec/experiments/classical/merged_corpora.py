"""CREMA-D and SAVEE merged, 162 features and four convolutions: a leaking split, an honest one.

    python -m emorec.experiments.classical.merged_corpora

The notebook of Ouma487/Emotion-recognition as it describes itself: 162 features averaged over
time, each take with a noisy, a slowed, a raised and a shifted copy, all rows together split at
random, three quarters to train and one to judge. Copies of one take then stand on both sides, and
so do all speakers. Beside it the same features and network by speaker, copies made on the training
side alone. Both are trained until validation is no better.
"""

import argparse
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

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
from emorec.experiments.classical.models import EPOCHS, PATIENCE, NeuralNetwork
from emorec.experiments.classical.protocols import VALIDATION_SHARE
from emorec.features import voice_classical
from emorec.files import kept_or_made, write_table
from emorec.media.reader import read_sound
from emorec.networks.voice_classical import build_cnn4_162
from emorec.paths import COMPARISONS
from emorec.training.fit import training_clock, training_minutes
from emorec.training.folds import LEAKING, held_out
from emorec.training.patience import stopped_at

MODEL_FOLDER = COMPARISONS / "speech_corpora" / "merged_voice_features"
COMMAND = "python -m emorec.experiments.classical.merged_corpora"
KINDS = ("plain", *copies_classical.COPY_KINDS)
"""The take as it is, and its copies, in the order of the features' second axis."""
VERSION = 1
CREMA_D_ACTORS = 12
CREMA_D_TEST_ACTORS = 3
CREMA_D_WATCHED_ACTORS = 2
"""Of the training side's: their takes choose the epoch."""
SAVEE_TEST_SPEAKERS = ("savee-JE",)
TEST_SHARE = 0.25
SEED = 0

WHOM = (
    f"CREMA-D ({CREMA_D_ACTORS} drawn actors of 71) and SAVEE (2 of 4 speakers), 162 features "
    "averaged over time, four convolutions"
)
CHOICE = f"the best epoch before {PATIENCE} in a row that are not better"
PROTOCOLS = {
    "by_speaker": (
        f"Two merged speech corpora, 7 classes, by speaker: {WHOM}; {CREMA_D_TEST_ACTORS} actors "
        "and one SAVEE speaker judged, copies of the training side's takes alone; "
        f"{CREMA_D_WATCHED_ACTORS} further actors choose {CHOICE}; one seed"
    ),
    "random": (
        f"Two merged speech corpora, 7 classes, LEAKING random split of takes and copies: {WHOM}; "
        "a quarter of all rows judged, whose speakers and siblings were trained on; a tenth of the "
        f"others chooses {CHOICE}; one seed"
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


class Sides(NamedTuple):
    """Who trains, whose takes choose the epoch, and who is judged."""

    train: Rows
    watched: Rows
    test: Rows


def split_at_random(table: pd.DataFrame, features: np.ndarray) -> Sides:
    """Deal all rows out at random, copies and all: the LEAKING split, to be shown once."""
    rows = all_rows(table, features)
    order = np.random.default_rng(SEED).permutation(len(rows.clips))
    test, known = np.split(order, [round(TEST_SHARE * len(order))])
    watched, train = np.split(known, [round(VALIDATION_SHARE * len(known))])
    sides = (train, watched, test)
    return Sides(
        *(Rows(rows.features[i], rows.clips.iloc[i].reset_index(drop=True)) for i in sides)
    )


def split_by_speaker(
    table: pd.DataFrame, features: np.ndarray, test_actors: int = CREMA_D_TEST_ACTORS
) -> Sides:
    """Hold out some actors of CREMA-D and one speaker of SAVEE; copies train, takes are judged.

    Raises:
        emorec.evaluation.splits.MissingClassError: If a side lacks a class. Surprise is SAVEE's
            alone, so that both sides need a speaker of SAVEE.
    """
    actors = np.array(sorted(table.loc[table["corpus"] == "CREMA-D", "speaker"].unique()))
    drawn = np.random.default_rng(SEED + 1).permutation(actors)
    judged, others = np.split(drawn, [test_actors])
    test = table["speaker"].isin([*judged, *SAVEE_TEST_SPEAKERS]).to_numpy()
    watched = table["speaker"].isin(others[:CREMA_D_WATCHED_ACTORS]).to_numpy()
    train = ~test & ~watched
    speakers = table["speaker"]
    check_disjoint(train=speakers[train], watched=speakers[watched], test=speakers[test])
    check_classes(COMMON7, train=table["emotion"][train], test=table["emotion"][test])
    return Sides(
        all_rows(table[train], features[train]),
        all_rows(table[watched], features[watched], ["plain"]),
        all_rows(table[test], features[test], ["plain"]),
    )


def train_and_predict(sides: Sides, work: Path, network: NeuralNetwork) -> np.ndarray:
    """Train until the watched rows are read no better; return posteriors (test rows, 7)."""
    with training_clock(work):
        fitted = network.fit(_with_codes(sides.train), _with_codes(sides.watched), SEED, work)
    return fitted.posterior(sides.test.features)


def _with_codes(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Features, and classes as numbers (rows,)."""
    return rows.features, np.array([COMMON7.index(name) for name in rows.clips["emotion"]])


def measure(name: str, sides: Sides, work: Path, network: NeuralNetwork) -> Measurement:
    """Train and predict by one of PROTOCOLS; a finished run is read from `work`."""
    predictions = held_out(
        pd.concat([sides.train.clips, sides.watched.clips]),
        sides.test.clips,
        partial(train_and_predict, sides, work, network),
        work,
        COMMON7,
        fold=1,
        apart=LEAKING if name == "random" else "speaker",
        recipe=f"{CHOICE}, {network.epochs} at most; seed {SEED}",
    )
    trained, best = stopped_at(work)
    facts = {
        "seed": SEED,
        "patience_epochs": PATIENCE,
        "epochs_at_most": network.epochs,
        "epochs_trained": trained,
        "best_epoch": best,
        "rows": {side: len(rows.clips) for side, rows in sides._asdict().items()},
        "parameters": network.build().count_params(),
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
    build = partial(build_cnn4_162, classes=len(COMMON7))
    network = NeuralNetwork(build, epochs, COMMON7)
    sides = {
        "random": split_at_random(table, features),
        "by_speaker": split_by_speaker(table, features, test_actors),
    }
    leaking, honest = (measure(name, side, work / name, network) for name, side in sides.items())
    for name, file in {"random": "history_random.csv", "by_speaker": "history.csv"}.items():
        write_table(Path(folder) / file, pd.read_csv(work / name / "history.csv"))
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
    table = load_clips()
    features = features_once(table, MODEL_FOLDER / "work" / "features.npz")
    metrics = run(table, features, MODEL_FOLDER)
    print(f"random, leaking: {metrics['random']['scores']['accuracy']:.1%}")
    print(f"by speaker: {metrics['scores']['accuracy']:.1%}")


if __name__ == "__main__":
    main()
