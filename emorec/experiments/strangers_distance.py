"""Whether a clip that lies far from the training data is judged worse: whole corpora left out.

python -m emorec.experiments.strangers_distance    # after emorec.experiments.strangers_voice

For each of the six corpora, distances are fitted to the other five. Who trained a head may hope
that far clips are the ones it errs on; this measures it.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from emorec.errors import run_main
from emorec.evaluation import evidence
from emorec.evaluation.scores import classes_of
from emorec.files import write_json, write_table
from emorec.paths import COMPARISONS
from emorec.training.familiarity import fit_familiarity
from emorec.training.heard import LOADERS, Heard, hear

FOLDER = COMPARISONS / "strangers"
COMMAND = "python -m emorec.experiments.strangers_distance"
PERCENTILE = 99


def distances(heard: Heard) -> pd.DataFrame:
    """Return the distance of each clip from the corpora that are not its own.

    Returns:
        `clip_id`, `fold` (the number of the corpus), `distance`, and `training_percentile`: of
        the clips that the distance was fitted to, how many percent lie nearer.
    """
    corpus, parts = heard.table["corpus"].to_numpy(), []
    for fold, name in enumerate(LOADERS, 1):
        out = corpus == name
        if out.any():
            others = heard.of(~out)
            familiarity = fit_familiarity(others)
            found = familiarity.distance(heard.statistics[out])
            usual = np.sort(familiarity.distance(others.statistics))
            parts.append(
                pd.DataFrame(
                    {
                        "clip_id": heard.table["clip_id"][out].to_numpy(),
                        "fold": fold,
                        "distance": found.round(4),
                        "training_percentile": (
                            100 * np.searchsorted(usual, found) / len(usual)
                        ).round(2),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def far_limit(table: pd.DataFrame) -> float:
    """Return the distance that 99 % of clips of left-out corpora stay within, corpora alike."""
    limits = table.groupby("fold")["distance"].quantile(PERCENTILE / 100)
    return float(limits.mean())


def measured(table: pd.DataFrame, predictions: pd.DataFrame, limit: float) -> dict:
    """Return for each corpus how many clips are far, and how often far and other ones are right.

    Args:
        table: From `distances`.
        predictions: The head's, each corpus left out.
        limit: From `far_limit`.
    """
    classes = list(classes_of(predictions))
    right = predictions[classes].to_numpy().argmax(1) == predictions["truth"].map(
        {name: code for code, name in enumerate(classes)}
    )
    joined = predictions[["clip_id", "fold"]].assign(right=right).merge(table)
    found = {}
    for fold, clips in joined.groupby("fold"):
        beyond = {
            "far": clips["distance"] > limit,
            "beyond_training": clips["training_percentile"] >= PERCENTILE,
        }
        found[list(LOADERS)[int(fold) - 1]] = {
            "clips": len(clips),
            **{
                name: {
                    "share": float(chosen.mean()),
                    "right": float(clips["right"][chosen].mean()) if chosen.any() else None,
                    "right_of_the_others": float(clips["right"][~chosen].mean()),
                }
                for name, chosen in beyond.items()
            },
        }
    return found


def main() -> None:
    """Hear, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the evidence goes")
    parser.add_argument("--work", type=Path, help="where features are kept (FOLDER/work)")
    arguments = parser.parse_args()
    table = distances(hear(list(LOADERS), arguments.work or arguments.folder / "work", copies=0))
    predictions = evidence.read_predictions(arguments.folder / "held_logistic")
    limit = far_limit(table)
    content = {
        "command": COMMAND,
        "protocol": "distances from the five other corpora; verdicts of the head that they trained",
        "far": limit,
        "left_out": measured(table, predictions, limit),
    }
    write_table(arguments.folder / "distances.csv", table)
    write_json(arguments.folder / "distances.json", content)
    print(content)


if __name__ == "__main__":
    run_main(main)
