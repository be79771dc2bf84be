"""What `emorec train` gains on a corpus of which nothing trained what it begins with.

python -m emorec.experiments.own_data                     # needs the corpora; a cut run goes on

JavaSED (voice and face), SAVEE and nEMO (voice) stand for somebody's own clips: each is a file of
labels with path, emotion and speaker, and goes the way of the command. What it begins with are the
models that ship, had they been trained without the corpus: the voice's layer on the other five, the
fusion without its clips (the geometry's temperature alone is from JavaSED, for no other corpus
tells it); face and geometry never met it.
"""

import argparse
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from emorec.corpora import javased
from emorec.errors import run_main
from emorec.evaluation.labels import read_labels
from emorec.files import write_atomically
from emorec.fusion import LogLinearFusion
from emorec.paths import COMPARISONS, MODELS
from emorec.training.fusion import load_ravdess
from emorec.training.fusion_groups import fit_shipped, load_groups
from emorec.training.heard import LOADERS, Heard, hear, load_table
from emorec.training.own_data import train
from emorec.training.own_scores import Comparison
from emorec.training.voice_encoder import ship_without

FOLDER = COMPARISONS / "own_data"
COMMAND = "python -m emorec.experiments.own_data"
CORPORA = ("javased", "savee", "nemo")
MOST_CLIPS = 1_200
"""Of a larger corpus so many clips are drawn."""


def fusion_without(corpus: str) -> LogLinearFusion:
    """Fit the fusion without a corpus, but for JavaSED's geometry, which is its only stranger."""
    kept = []
    for group in load_groups(load_ravdess()):
        if group.name not in (corpus, f"voice_{corpus}"):
            kept.append(group)
        elif corpus == "javased":
            alone = {"geometry": group.posteriors["geometry"]}
            kept.append(replace(group, posteriors=alone, joins=False))
    return fit_shipped(kept)


def models_without(corpus: str, heard: Callable[[], Heard], folder: Path) -> Path:
    """Write a models' folder in which nothing was fitted on a corpus; a finished one is kept.

    Args:
        corpus: To leave out.
        heard: Gives what the encoder hears in all corpora.
        folder: Where to.
    """
    if not (folder / "voice_encoder" / "model.json").exists():
        ship_without(corpus, heard(), folder / "voice_encoder")
    for name in ("face_cnn", "geometry"):
        unfinished = shutil.ignore_patterns("work")
        shutil.copytree(MODELS / name, folder / name, ignore=unfinished, dirs_exist_ok=True)
    (folder / "fusion").mkdir(exist_ok=True)
    write_atomically(folder / "fusion" / "fusion.json", fusion_without(corpus).to_json)
    return folder


def write_labels(corpus: str, folder: Path) -> Path:
    """Write a corpus as somebody would have it: clips in a folder, and a file of labels."""
    table, clips = load_table(corpus), folder / "clips"
    drawn = np.random.default_rng(0).permutation(len(table))[:MOST_CLIPS]
    table = table.iloc[np.sort(drawn)].reset_index(drop=True)
    if corpus == "javased":
        table = javased.as_filmed(table, clips)
    clips.mkdir(parents=True, exist_ok=True)
    names = [f"{row.clip_id}{Path(row.path).suffix}" for row in table.itertuples()]
    for name, path in zip(names, table["path"], strict=True):
        if not (clips / name).exists():
            (clips / name).symlink_to(Path(path).resolve())
    labels = table.assign(path=[f"clips/{name}" for name in names])
    file = folder / f"{corpus}.csv"
    labels[["path", "emotion", "speaker"]].to_csv(file, index=False)
    return file


def tried(corpus: str, work: Path, heard: Callable[[], Heard], jobs: int) -> Comparison:
    """Train on a corpus, and keep the evidence."""
    folder, out = work / corpus, work / corpus / "own"
    base = models_without(corpus, heard, folder / "base")
    labels = read_labels(write_labels(corpus, folder))
    shutil.rmtree(out, ignore_errors=True)
    trained = train(labels, out, base, jobs, command=COMMAND)
    evidence = FOLDER / corpus
    evidence.mkdir(parents=True, exist_ok=True)
    for file in [out / "metrics.json", *out.glob("predictions*.csv")]:
        shutil.copy(file, evidence / file.name)
    return trained.comparison


def main() -> None:
    """Train on each corpus, and tell the gains."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpora", nargs="*", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--work", type=Path, default=FOLDER / "work", help="where models are kept")
    parser.add_argument("--features", type=Path, help="work folder of strangers_voice")
    parser.add_argument("--jobs", type=int, default=2, help="clips that are read at once")
    arguments = parser.parse_args()
    features = arguments.features or COMPARISONS / "strangers" / "work"
    heard = cache(lambda: hear(list(LOADERS), features))
    for corpus in arguments.corpora:
        found = tried(corpus, arguments.work, heard, arguments.jobs)
        gains = {stream: 100 * found.gains[stream]["accuracy"][0] for stream in found.streams}
        print(corpus, pd.Series(gains).round(1).to_dict(), flush=True)


if __name__ == "__main__":
    run_main(main)
