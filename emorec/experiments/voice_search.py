"""A search for the voice network's settings over folds of actors, with Optuna; trials resume.

    python -m emorec.experiments.voice_search               # up to TRIALS trials in all
    python -m emorec.experiments.voice_search --trials 40   # more of them

Actors 1-20 only, in the five blocks of four that they make: a trial's value is the mean over the
blocks of the unweighted average recall, each block judged by a network trained on the other
sixteen. Actors 21-24 take no part. A trial whose mean over the blocks so far is below the median
of the others is given up (Optuna's MedianPruner). Trials stand in `work/trials.db`, finished blocks
beside it, so that a cut search goes on within the trial in which it was cut. Trainings are short
and start from chance: what is best here may not be best for long ones that start from CREMA-D.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.trial import TrialState

from emorec.corpora import ravdess
from emorec.emotions import RAVDESS8
from emorec.errors import run_main
from emorec.evaluation import scores as evaluation
from emorec.evaluation.splits import RAVDESS_BLOCKS, REFERENCE_TEST_ACTORS, is_actor, speaker_folds
from emorec.files import write_table
from emorec.paths import COMPARISONS
from emorec.training import sounds as sounds_training
from emorec.training import voice as voice_training
from emorec.training.fit import Cycle, training_precision
from emorec.training.folds import Fold, out_of_fold, take
from emorec.training.voice import Regularization, VoiceTraining

FOLDER = COMPARISONS / "voice_search"
TRIALS_FILE = FOLDER / "trials.csv"
BLOCKS = RAVDESS_BLOCKS[:5]
TRIALS = 8
TRIALS_BEFORE_PRUNING = 3
EPOCHS = 10
SEED = 1
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

# The first trial: what the shipped network is trained with.
SHIPPED = {
    "learning_rate": voice_training.CYCLES[0].learning_rate,
    "dropout": voice_training.CYCLES[0].dropout,
    **asdict(Regularization()),
}


def suggest(trial: optuna.Trial) -> dict[str, float]:
    """Draw one trial's settings."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 5e-3, log=True),
        "dropout": trial.suggest_float("dropout", 0.1, 0.5),
        "weight_decay": trial.suggest_float("weight_decay", 0.003, 0.1, log=True),
        "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.2),
        "mixup_alpha": trial.suggest_float("mixup_alpha", 0.0, 0.4),
    }


def searchable(table: pd.DataFrame) -> np.ndarray:
    """Return bool (n,): takes that may take part, those of actors that are judged nowhere else."""
    return ~is_actor(table["speaker"], REFERENCE_TEST_ACTORS)


def evaluate_block(
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    settings: dict[str, float],
    fold: Fold,
    work_folder: Path,
    epochs: int,
) -> float:
    """Train on all blocks but one and predict that one; a finished block is read.

    Returns:
        Unweighted average recall of the block.
    """
    cycle = Cycle(epochs, settings["learning_rate"], settings["dropout"])
    regularization = {name: settings[name] for name in asdict(Regularization())}
    training = VoiceTraining(
        cycles=(cycle,), regularization=Regularization(**regularization), seed=SEED
    )
    predict = partial(voice_training.predict_by_others, table, sounds, training)
    found = out_of_fold(table, [fold], predict, work_folder, RAVDESS8)
    return evaluation.scores(found)["unweighted_average_recall"]


def open_study(work_folder: Path) -> optuna.Study:
    """Open the search in a folder, or begin it with the shipped settings.

    A trial in which the search was cut is tried again, with the same settings.
    """
    work_folder = Path(work_folder)
    work_folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name="voice",
        storage=f"sqlite:///{work_folder / 'trials.db'}",
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=TRIALS_BEFORE_PRUNING),
    )
    # Another seed for each opening: the same one would draw again what was drawn before.
    study.sampler = optuna.samplers.TPESampler(seed=SEED + len(study.trials))
    if not study.trials:
        study.enqueue_trial(SHIPPED)
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    known = [t.params for t in study.get_trials(states=FINISHED)]
    waiting = study.get_trials(states=(TrialState.WAITING,))
    known += [t.system_attrs["fixed_params"] for t in waiting]
    for trial in study.get_trials(states=(TrialState.FAIL,)):
        if trial.params not in known:
            study.enqueue_trial(trial.params)
            known.append(trial.params)
    return study


def search(
    table: pd.DataFrame,
    sounds: list[np.ndarray],
    work_folder: Path,
    *,
    trials: int = TRIALS,
    epochs: int = EPOCHS,
    blocks=BLOCKS,
) -> pd.DataFrame:
    """Search until so many trials are finished or given up; earlier ones count.

    Args:
        table: All takes; those of the reference project's test actors are left out.
        sounds: Their samples.
        work_folder: Holds the trials.
        trials: Number wanted in all.
        epochs: Of each training.
        blocks: Actors of each fold.

    Returns:
        One row per trial: number, state, value, settings, recall of each block.
    """
    known = searchable(table)
    table, sounds = table[known], take(sounds, known)
    folds = list(speaker_folds(table["speaker"], blocks))
    study = open_study(work_folder)

    def objective(trial: optuna.Trial) -> float:
        settings = suggest(trial)
        folder = Path(work_folder) / f"settings_{_key(settings)}"
        recalls = []
        for fold in folds:
            # One block at a time: between blocks the trial may be given up.
            recalls.append(evaluate_block(table, sounds, settings, fold, folder, epochs))
            trial.set_user_attr(f"fold_{fold[0]}", recalls[-1])
            trial.report(float(np.mean(recalls)), len(recalls))
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(recalls))

    done = study.get_trials(states=FINISHED)
    study.optimize(objective, n_trials=max(0, trials - len(done)))
    return trial_table(study)


def _key(settings: dict[str, float]) -> str:
    """Name settings, so that a trial that is tried again finds its finished blocks."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def trial_table(study: optuna.Study) -> pd.DataFrame:
    """Return one row per finished or pruned trial, the best first; pruned ones last."""
    rows = [
        {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "mean_recall": np.nan if trial.state == TrialState.PRUNED else trial.value,
            **trial.params,
            **trial.user_attrs,
        }
        for trial in study.get_trials(states=FINISHED)
    ]
    return pd.DataFrame(rows).sort_values(["mean_recall", "trial"], ascending=[False, True])


def search_corpus(trials: int = TRIALS) -> pd.DataFrame:
    """Search on RAVDESS and write `trials.csv`; returns its table."""
    training_precision()
    table = ravdess.load_sound_table()
    sounds = sounds_training.read_sounds(table)
    write_table(TRIALS_FILE, search(table, sounds, FOLDER / "work", trials=trials))
    return pd.read_csv(TRIALS_FILE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Search on RAVDESS and print the trials."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=TRIALS, help="in all (default %(default)s)")
    print(search_corpus(parser.parse_args(arguments).trials).to_string(index=False))


if __name__ == "__main__":
    run_main(main)
