"""What verdicts of a given confidence are worth on corpora that nothing was trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from emorec.confidence import WORDS, word_for
from emorec.emotions import COMMON7
from emorec.evaluation import evidence
from emorec.files import write_json
from emorec.fusion import LogLinearFusion

CORPORA_NAMES = {
    "ravdess": "RAVDESS",
    "crema_d": "CREMA-D",
    "savee": "SAVEE",
    "javased": "JavaSED",
    "nemo": "nEMO",
    "emovo": "EMOVO",
}
"""Key -> name of the corpora that are left out in turn; the first is fold 1 of every table."""

END_TO_END = "comparisons/strangers/end_to_end"
VOICE = "comparisons/strangers/held_logistic"
WORTH_FILE = "fusion/confidence.json"
"""In the models' folder; it ships with them."""


def left_out_voice(models: Path) -> pd.DataFrame:
    """Return what a user would be told of clips with a voice alone, each corpus left out.

    The temperature is the shipped one: a single number for all corpora.

    Args:
        models: The models' folder.

    Returns:
        Prediction table over COMMON7; `fold` is the number of the corpus.
    """
    table = evidence.read_predictions(models / VOICE)
    fusion = LogLinearFusion.from_json(models / "fusion" / "fusion.json")
    shown = fusion.apply({"voice": table[list(fusion.classes)].to_numpy(float)})
    return table.assign(**dict(zip(fusion.classes, shown.T, strict=True)))


def left_out_verdicts(models: Path) -> pd.DataFrame:
    """Return the recogniser's verdicts, each corpus left out; of the voice where there are none.

    Returns:
        As `left_out_voice`. A clip without a verdict, which stands in the evidence as certain of
        a wrong one, is left out: nothing is said of it.
    """
    if not (models / END_TO_END / "predictions.csv").exists():
        return left_out_voice(models)
    table = evidence.read_predictions(models / END_TO_END)
    return table[table[list(COMMON7)].max(axis=1) < 1].reset_index(drop=True)


def worth_of_words(verdicts: pd.DataFrame) -> list[dict]:
    """Measure how often verdicts under each word were right; corpora count alike.

    Args:
        verdicts: Prediction table over COMMON7, `fold` being the corpus.

    Returns:
        For each word: `word`, `least` (its smallest confidence), `clips`, `share` (of all
        verdicts), `right` (of those under the word), and the lowest and highest share that were
        right in a corpus with at least 20 such clips; shares in percent.
    """
    posterior = verdicts[list(COMMON7)].to_numpy(float)
    confidence = posterior.max(1)
    table = pd.DataFrame(
        {
            "word": [word_for(value) for value in confidence],
            "right": np.array(COMMON7)[posterior.argmax(1)] == verdicts["truth"].to_numpy(),
            "weight": 1 / verdicts.groupby("fold")["fold"].transform("size").to_numpy(),
            "fold": verdicts["fold"].to_numpy(),
        }
    )
    rows = []
    for word, least in WORDS.items():
        said = table[table["word"] == word]
        weight = said["weight"].to_numpy()
        of_corpus = said.groupby("fold")["right"].agg(["mean", "size"])
        shares = of_corpus["mean"][of_corpus["size"] >= _FEWEST]
        rows.append(
            {
                "word": word,
                "least": least,
                "clips": len(said),
                "share": _percent(weight.sum() / table["weight"].sum()),
                "right": _percent(np.average(said["right"], weights=weight)) if len(said) else None,
                "lowest": _percent(shares.min()) if len(shares) else None,
                "highest": _percent(shares.max()) if len(shares) else None,
            }
        )
    return rows


_FEWEST = 20


def _percent(share: float) -> float:
    return round(100 * float(share), 1)


def write_worth(models: Path) -> None:
    """Write what the words are worth beside the shipped fusion, if the evidence is there."""
    needed = (models / VOICE / "predictions.csv", models / "fusion" / "fusion.json")
    if not all(file.exists() for file in needed):
        return
    verdicts = left_out_verdicts(models)
    found = {
        "protocol": "each corpus judged by a recogniser in which nothing was fitted on it; "
        "corpora count alike",
        "evidence": END_TO_END if (models / END_TO_END / "predictions.csv").exists() else VOICE,
        "corpora": int(verdicts["fold"].nunique()),
        "clips": len(verdicts),
        "words": worth_of_words(verdicts),
    }
    if read_worth(models) != found:
        write_json(models / WORTH_FILE, found)


def read_worth(models: Path) -> dict:
    """Read what the words are worth; empty where the models came without it."""
    file = models / WORTH_FILE
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
