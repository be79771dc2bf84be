"""The voice network from corpus to corpus: trained on one, judged on each of four.

    python -m emorec.experiments.cross_corpus     # after crema_d_voice and voice_pretraining

Each network learns its own corpus's classes; its posteriors then fold into the five that RAVDESS,
CREMA-D, SAVEE and JavaSED share, where RAVDESS's calm counts as neutral. The clips of a column
are the same for every training corpus: speakers that the column's own corpus holds out. RAVDESS
(actors 17-24) and CREMA-D (20 drawn actors) hold one side out; SAVEE (two men at hand) and
JavaSED (eight actors) are small and judged whole, each half by a network of the other half. A
foreign corpus hears both halves' networks, as the mean of their log posteriors.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from emorec.corpora import crema_d, javased, ravdess, savee
from emorec.corpora.merged import merge_sound_tables
from emorec.emotions import COMMON7, CREMA_D6, JAVASED6, RAVDESS8, SHARED5
from emorec.errors import run_main
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import Measurement, read_predictions, write_evidence
from emorec.evaluation.scores import fold_predictions, prediction_table
from emorec.evaluation.splits import (
    LAST_ACTORS,
    check_classes,
    check_disjoint,
    crema_d_sides,
    is_actor,
)
from emorec.files import write_table
from emorec.networks.voice import build_voice_network
from emorec.paths import MODELS
from emorec.posteriors import log_mean
from emorec.training.fit import (
    Cycle,
    load_finished,
    training_clock,
    training_minutes,
    training_precision,
)
from emorec.training.folds import take
from emorec.training.sounds import read_sounds_once
from emorec.training.voice import VoiceTraining, clip_posteriors, train_voice_network

QUESTION = "comparisons/speech_corpora"
"""Where in `Models` these trainings leave networks and evidence."""

MODEL_FOLDER = MODELS / QUESTION / "cross_corpus"
REMEDY = (
    "python -m emorec.experiments.crema_d_voice, then "
    "python -m emorec.experiments.voice_pretraining"
)
SMALL_CYCLES = (Cycle(100, 1e-3, dropout=0.3),)
SEED = 1

PROTOCOL = (
    "Four speech corpora, 5 shared classes, by speaker: RAVDESS, CREMA-D, SAVEE and JavaSED, each "
    "clip judged by a network trained on other speakers of its own corpus; RAVDESS actors 17-24 "
    "and 20 drawn actors of CREMA-D held out, SAVEE's two men and JavaSED's eight actors in two "
    "halves; one seed"
)


@dataclass(frozen=True)
class SpeechCorpus:
    """A corpus of the matrix.

    Attributes:
        name: As in the tables.
        load: Lists its clips.
        classes: What its networks tell apart.
        held_out: Given the speaker of each row, the rows that each of its networks has to leave
            out of its training: one mask per network.
        trained: Where, below QUESTION, another training leaves its network; empty where one is
            trained here for each mask.
    """

    name: str
    load: Callable[[], pd.DataFrame]
    classes: tuple[str, ...]
    held_out: Callable[[pd.Series], list[np.ndarray]]
    trained: str = ""


def _halves(*halves: Sequence[str]) -> Callable[[pd.Series], list[np.ndarray]]:
    return lambda speakers: [speakers.isin(half).to_numpy() for half in halves]


def _drawn_actors(speakers: pd.Series) -> list[np.ndarray]:
    return [crema_d_sides(speakers)["test"]]


def _last_actors(speakers: pd.Series) -> list[np.ndarray]:
    return [is_actor(speakers, LAST_ACTORS)]


CORPORA = (
    SpeechCorpus(
        "RAVDESS",
        ravdess.load_sound_table,
        RAVDESS8,
        _last_actors,
        "voice_pretraining/work/scratch_1",
    ),
    SpeechCorpus(
        "CREMA-D",
        crema_d.load_sound_table,
        CREMA_D6,
        _drawn_actors,
        "crema_d_voice/work",
    ),
    SpeechCorpus("SAVEE", savee.load_sound_table, COMMON7, _halves(["savee-DC"], ["savee-JE"])),
    SpeechCorpus(
        "JavaSED",
        javased.load_video_table,
        JAVASED6,
        _halves(
            [f"javased-{actor:02d}" for actor in (1, 2, 3, 4)],
            [f"javased-{actor:02d}" for actor in (5, 6, 7, 8)],
        ),
    ),
)
"""Rows and columns of the matrix, in order."""


def networks_of(
    corpus: SpeechCorpus,
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    models: Path = MODELS,
    cycles: Sequence[Cycle] = SMALL_CYCLES,
) -> list[keras.Model]:
    """Return the corpus's networks, one for each side that is held out; finished ones are read.

    Args:
        corpus: Trained on.
        table: Its clips.
        sounds: Their samples.
        models: Where finished networks lie, and those trained here go.
        cycles: Of their learning rate.

    Raises:
        FileNotFoundError: If another training has to run first.
        emorec.evaluation.splits.MissingClassError: If the training side lacks a class.
    """
    if corpus.trained:
        return [load_finished(Path(models) / QUESTION / corpus.trained, REMEDY)]
    networks = []
    for half, held_out in enumerate(corpus.held_out(table["speaker"]), 1):
        work = Path(models) / QUESTION / MODEL_FOLDER.name / "work" / f"{corpus.name}_{half}"
        if (work / "trained.keras").exists():
            networks.append(load_finished(work, REMEDY))
            continue
        train = table[~held_out]
        check_disjoint(train=train["speaker"], test=table["speaker"][held_out])
        check_classes(corpus.classes, train=train["emotion"])
        training = VoiceTraining(corpus.classes, cycles, seed=SEED)
        with training_clock(work):
            heard = take(sounds, ~held_out)
            networks.append(train_voice_network(train, heard, work, training))
    return networks


def evaluate_pair(
    source: SpeechCorpus,
    networks: Sequence[keras.Model],
    target: SpeechCorpus,
    table: pd.DataFrame,
    sounds: list[np.ndarray],
) -> pd.DataFrame:
    """Predict the clips that the target holds out by the source's networks.

    Args:
        source: The corpus that was trained on.
        networks: Its networks, in the order of what they hold out.
        target: The corpus whose clips are judged.
        table: The target's clips.
        sounds: Their samples.

    Returns:
        A prediction table over `SHARED5`; its `fold` is the target's name.
    """
    parts = []
    for side, held_out in enumerate(target.held_out(table["speaker"])):
        heard_by = [networks[side]] if source is target else networks
        heard = take(sounds, held_out)
        posteriors = [clip_posteriors(network, heard) for network in heard_by]
        pooled = [
            log_mean(np.stack(clip), np.ones(len(clip))) for clip in zip(*posteriors, strict=True)
        ]
        parts.append(prediction_table(table[held_out], pooled, source.classes, target.name))
    predictions = pd.concat(parts, ignore_index=True)
    # A class that the source never learnt cannot be folded: its clips are left out first.
    shared = predictions["truth"].isin([*SHARED5, "calm"])
    predictions = predictions[shared].reset_index(drop=True)
    return fold_shared(predictions)


def fold_shared(predictions: pd.DataFrame) -> pd.DataFrame:
    """Fold a table into `SHARED5`, also where the truth is no class of the network's.

    A network without calm may judge a calm clip: its truth becomes neutral first.
    """
    if "calm" not in evaluation.classes_of(predictions):
        predictions = predictions.assign(truth=predictions["truth"].replace("calm", "neutral"))
    return fold_predictions(predictions, "shared5")


def matrix(tables: Mapping[str, pd.DataFrame], score: str = "accuracy") -> pd.DataFrame:
    """Return a score of every pair: rows trained on, columns judged.

    Args:
        tables: Training corpus -> prediction table whose `fold` is the judged corpus.
        score: As `evaluation.scores` names it.
    """
    return pd.DataFrame(
        {
            source: {
                target: evaluation.scores(part)[score]
                for target, part in table.groupby("fold", sort=False)
            }
            for source, table in tables.items()
        }
    ).T


def matrix_intervals(tables: Mapping[str, pd.DataFrame]) -> dict:
    """Return the 95 % interval of each pair's accuracy: source -> target -> [low, high].

    Bootstrapped over speakers; over clips where there are only two speakers (SAVEE).
    """
    return {
        source: {
            target: evaluation.intervals(
                part, unit="speaker" if part["speaker"].nunique() > 2 else "clip_id"
            )["accuracy"]
            for target, part in table.groupby("fold", sort=False)
        }
        for source, table in tables.items()
    }


def own_speakers(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the diagonal as one table: each clip judged by its own corpus's network."""
    own = [table[table["fold"] == source] for source, table in tables.items()]
    return pd.concat(own, ignore_index=True)


def table_name(source: str) -> str:
    """Return the name of the table of one training corpus.

    Example:
        >>> table_name("CREMA-D")
        'predictions_from_crema_d.csv'
    """
    return f"predictions_from_{source.lower().replace('-', '_')}.csv"


def write_results(folder: Path, tables: Mapping[str, pd.DataFrame]) -> dict:
    """Write one table per training corpus, the diagonal, and the matrices in the metrics."""
    folder = Path(folder)
    for source, table in tables.items():
        write_table(folder / table_name(source), table)
    tables = {source: read_predictions(folder, table_name(source)) for source in tables}
    pairs = {
        score: matrix(tables, score).round(4).T.to_dict()
        for score in ("accuracy", "unweighted_average_recall")
    }
    facts = {
        "seed": SEED,
        "parameters": build_voice_network(classes=len(SHARED5)).count_params(),
        "matrix": pairs | {"intervals_95": matrix_intervals(tables)},
        "minutes_by_network": {
            work.name: round(training_minutes(work), 1)
            for work in sorted((folder / "work").glob("*_[0-9]"))
        },
    }
    title = "four speech corpora: voice, by speaker, each within its own"
    return write_evidence(
        folder,
        Measurement(own_speakers(tables), PROTOCOL, title, facts=facts),
        stream="voice",
        command="python -m emorec.experiments.cross_corpus",
    )


def evaluate_all(
    corpora: Sequence[SpeechCorpus],
    clips: Mapping[str, pd.DataFrame],
    sounds: Mapping[str, list[np.ndarray]],
    models: Path = MODELS,
) -> dict[str, pd.DataFrame]:
    """Predict every corpus's held-out clips by every corpus's networks; finished rows are read.

    Args:
        corpora: Rows and columns of the matrix.
        clips: Corpus -> its clips.
        sounds: Corpus -> their samples.
        models: See `networks_of`; finished rows lie in its `cross_corpus/work`.

    Returns:
        Training corpus -> prediction table over `SHARED5`; `fold` is the judged corpus.

    Raises:
        emorec.corpora.merged.MergeError: If a speaker stands under two corpora.
    """
    merge_sound_tables(clips)
    work, tables = Path(models) / QUESTION / MODEL_FOLDER.name / "work", {}
    # Small corpora first: their networks need no other training to have run.
    for source in sorted(corpora, key=lambda corpus: bool(corpus.trained)):
        if not (work / table_name(source.name)).exists():
            own = clips[source.name], sounds[source.name]
            networks = networks_of(source, *own, models)
            found = [
                evaluate_pair(source, networks, target, clips[target.name], sounds[target.name])
                for target in corpora
            ]
            write_table(work / table_name(source.name), pd.concat(found, ignore_index=True))
        tables[source.name] = read_predictions(work, table_name(source.name))
    return {corpus.name: tables[corpus.name] for corpus in corpora}


def main() -> None:
    """Train what is not there, evaluate all pairs, write the evidence."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    training_precision()
    clips = {corpus.name: corpus.load() for corpus in CORPORA}
    work = MODEL_FOLDER / "work"
    sounds = {name: read_sounds_once(clips[name], work / f"{name}_16000.npz") for name in clips}
    metrics = write_results(MODEL_FOLDER, evaluate_all(CORPORA, clips, sounds))
    print(pd.DataFrame(metrics["matrix"]["accuracy"]).T.map("{:.1%}".format))


if __name__ == "__main__":
    run_main(main)
