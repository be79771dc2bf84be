"""What a stranger's clip gets: the shipped recipe from file to verdict, each corpus left out.

python -m emorec.experiments.strangers          # after emorec.experiments.strangers_voice

For each of six corpora a recogniser is made in which nothing was fitted on it: the voice's layer is
trained on the other five, the fusion without its clips; the face network (FER-2013) never met
any of them, and the geometry (RAVDESS) only RAVDESS, whose clips here are sound alone. It then
reads the corpus's files as `emorec classify` would.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from emorec.emotions import COMMON7
from emorec.evaluation import evidence
from emorec.evaluation.left_out import CORPORA_NAMES
from emorec.evaluation.scores import prediction_table
from emorec.files import write_atomically, write_table
from emorec.networks.whisper_encoder import build_encoder, encoder_weights
from emorec.paths import COMPARISONS, MODELS
from emorec.recognizer import Recognizer
from emorec.training.familiarity import fit_familiarity
from emorec.training.fusion import load_ravdess
from emorec.training.fusion_groups import fit_shipped, load_groups
from emorec.training.heard import LOADERS, Heard, hear, load_table
from emorec.training.voice_encoder import far_limit, fit_head, ship, with_head

FOLDER = COMPARISONS / "strangers"
COMMAND = "python -m emorec.experiments.strangers"
STREAMS = ("fused", "voice", "face", "geometry")
MOST_CLIPS = 1_200
"""Of a larger corpus so many clips are drawn."""

PROTOCOL = (
    "six corpora, each read from its files by a recogniser in which nothing was fitted on it; the "
    "fold is the number of the corpus: " + ", ".join(LOADERS)
)


def models_without(corpus: str, heard: Heard, folder: Path) -> Path:
    """Write a models' folder in which nothing was fitted on a corpus; a finished one is kept.

    Args:
        corpus: To leave out.
        heard: All corpora.
        folder: To write.
    """
    if (folder / "fusion" / "fusion.json").exists():
        return folder
    for name in ("face_cnn", "geometry"):
        shutil.copytree(MODELS / name, folder / name, dirs_exist_ok=True)
    others = heard.of((heard.table["corpus"] != corpus).to_numpy())
    network = with_head(build_encoder(encoder_weights()), fit_head(others), fit_familiarity(others))
    ship(folder / "voice_encoder", network, far_limit())
    fusion = fit_shipped(load_groups(load_ravdess()), corpus)
    (folder / "fusion").mkdir(exist_ok=True)
    write_atomically(folder / "fusion" / "fusion.json", fusion.to_json)
    return folder


def clips_of(corpus: str) -> pd.DataFrame:
    """List a corpus's clips, or those that are drawn of a large one."""
    table = load_table(corpus)
    drawn = np.random.default_rng(0).permutation(len(table))[:MOST_CLIPS]
    return table.iloc[np.sort(drawn)].reset_index(drop=True)


def read(recognizer: Recognizer, clips: pd.DataFrame, jobs: int) -> pd.DataFrame:
    """Read clips as a user would.

    Returns:
        `clip_id`, `speaker`, `truth`, `status`, `notes`, and columns `stream.class`, NaN where a
        stream says nothing.
    """
    rows = []
    results = recognizer.classify_many(clips["path"], jobs)
    for clip, result in tqdm(zip(clips.itertuples(), results, strict=True), total=len(clips)):
        truth = "neutral" if clip.emotion == "calm" else clip.emotion
        row = {"clip_id": clip.clip_id, "speaker": clip.speaker, "truth": truth}
        row |= {"status": result.status, "notes": "; ".join(result.notes)}
        for stream in STREAMS:
            posterior = result.posteriors.get(stream, np.full(len(COMMON7), np.nan))
            row |= {f"{stream}.{name}": p for name, p in zip(COMMON7, posterior, strict=True)}
        rows.append(row)
    return pd.DataFrame(rows)


def predictions_of(table: pd.DataFrame, stream: str) -> pd.DataFrame:
    """Return a stream's prediction table; a clip without its verdict counts as wrong.

    Args:
        table: From `read`, with `fold`.
        stream: One of `STREAMS`.
    """
    posterior = table[[f"{stream}.{name}" for name in COMMON7]].to_numpy(float, copy=True)
    silent = ~np.isfinite(posterior).all(1)
    # No verdict: all the mass on a class that is not the true one.
    wrong = np.eye(len(COMMON7))[
        [(COMMON7.index(truth) + 1) % len(COMMON7) for truth in table["truth"][silent]]
    ]
    posterior[silent] = wrong.reshape(-1, len(COMMON7))
    clips = table.rename(columns={"truth": "emotion"})
    return prediction_table(clips, posterior, COMMON7, table["fold"].to_numpy())


def measured(table: pd.DataFrame, stream: str) -> dict[str, dict]:
    """Score a stream on each corpus that has it."""
    found = {}
    for fold, clips in table.groupby("fold"):
        there = clips[f"{stream}.{COMMON7[0]}"].notna()
        if not there.any():
            continue
        predictions = predictions_of(clips, stream)
        confidence = predictions[list(COMMON7)].to_numpy()[there].max(1).mean()
        found[list(LOADERS)[int(fold) - 1]] = {
            **evidence.measured(predictions, "speaker"),
            "without_verdict": int((~there).sum()),
            "mean_confidence": float(confidence),
        }
    return found


def write_results(folder: Path, table: pd.DataFrame) -> dict:
    """Write the evidence: the fused verdict, and each stream beside it."""
    streams = {stream: measured(table, stream) for stream in STREAMS}
    main = evidence.Measurement(
        predictions_of(table, "fused"),
        PROTOCOL,
        "The recogniser as shipped, each corpus left out",
        facts={"left_out": streams, "gate": summary(streams["fused"])},
    )
    write_table(folder / "verdicts.csv", rounded(table))
    return evidence.write_evidence(folder, main, stream="fusion", command=COMMAND)


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of verdicts with four decimals, which is all that is read of it."""
    numbers = table.select_dtypes("number").columns.difference(["fold"])
    return table.assign(**{name: table[name].round(4) for name in numbers})


def summary(corpora: dict[str, dict]) -> dict[str, float]:
    """Return means over the corpora."""
    scores = [entry["scores"] for entry in corpora.values()]
    names = ("accuracy", "unweighted_average_recall", "expected_calibration_error")
    means = {f"mean_{name}": float(np.mean([s[name] for s in scores])) for name in names}
    confidence = float(np.mean([entry["mean_confidence"] for entry in corpora.values()]))
    return {"corpora": len(scores), **means, "mean_confidence": confidence}


def run(corpora: Sequence[str], work: Path, features: Path, jobs: int) -> pd.DataFrame:
    """Read every corpus by the recogniser without it; finished ones are read from `work`."""
    heard = None
    tables = []
    for corpus in corpora:
        file = work / f"{corpus}.csv"
        if not file.exists():
            heard = heard or hear(list(LOADERS), features)
            if corpus not in set(heard.table["corpus"]):
                print(f"{CORPORA_NAMES[corpus]} is not there and is left away", flush=True)
                continue
            models = models_without(corpus, heard, work / corpus)
            found = read(Recognizer.load(models), clips_of(corpus), jobs)
            write_table(file, found.assign(fold=list(LOADERS).index(corpus) + 1))
        tables.append(pd.read_csv(file, dtype={"clip_id": str}, keep_default_na=True))
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    """Fit without, read, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpora", nargs="*", choices=list(LOADERS), default=list(LOADERS))
    parser.add_argument("--folder", type=Path, default=FOLDER / "end_to_end")
    parser.add_argument("--work", type=Path, help="where recognisers and tables are kept")
    parser.add_argument("--features", type=Path, help="work folder of strangers_voice")
    parser.add_argument("--jobs", type=int, default=2, help="clips that are read at once")
    arguments = parser.parse_args()
    work = arguments.work or arguments.folder / "work"
    features = arguments.features or FOLDER / "work"
    metrics = write_results(
        arguments.folder, run(arguments.corpora, work, features, arguments.jobs)
    )
    print(metrics["gate"])


if __name__ == "__main__":
    main()
