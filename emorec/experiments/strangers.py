"""What a stranger's clip gets: the shipped recipe from file to verdict, each corpus left out.

python -m emorec.experiments.strangers          # after emorec.experiments.strangers_voice

For each of six corpora a recogniser is made in which nothing was fitted on it: the voice's layer is
trained on the other five, the fusion without its clips; the face network never met any of
them, and the geometry (RAVDESS) only RAVDESS, whose clips here are sound alone. It then
reads the corpus's files as `emorec classify` would.

JavaSED is the only corpus with pictures. It is shown as it was filmed, for its files are squeezed,
which a stranger's are not; what they give as they lie is measured beside it. Without it no stranger
with a face would be left, so that its fusion is fitted without the two speakers who are judged.
"""

import argparse
import shutil
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from emorec.corpora import javased
from emorec.emotions import COMMON7
from emorec.errors import run_main
from emorec.evaluation import evidence
from emorec.evaluation.left_out import CORPORA_NAMES
from emorec.evaluation.scores import prediction_table
from emorec.files import write_atomically, write_table
from emorec.paths import COMPARISONS, MODELS
from emorec.recognizer import Recognizer
from emorec.training.fusion import load_ravdess
from emorec.training.fusion_groups import fit_without, load_groups
from emorec.training.heard import LOADERS, Heard, hear, load_table
from emorec.training.voice_encoder import ship_without

FOLDER = COMPARISONS / "strangers"
COMMAND = "python -m emorec.experiments.strangers"
STREAMS = ("fused", "voice", "face", "geometry")
MOST_CLIPS = 1_200
"""Of a larger corpus so many clips are drawn."""

PROTOCOL = (
    "six corpora, each read from its files by a recogniser in which nothing was fitted on it, but "
    "for JavaSED, shown in the proportions it was filmed in, by a fusion fitted without the two "
    "speakers who are judged; the fold is the number of the corpus: " + ", ".join(LOADERS)
)


class Part(NamedTuple):
    """Clips, and the recogniser that may judge them.

    Attributes:
        models: Its folder.
        rows: bool (clips,).
    """

    models: Path
    rows: np.ndarray


def models_without(corpus: str, heard: Heard, speakers: pd.Series, folder: Path) -> list[Part]:
    """Write models' folders in which nothing was fitted on a corpus; finished ones are kept.

    Args:
        corpus: To leave out.
        heard: All corpora.
        speakers: Of each clip that is to be judged.
        folder: Holds them.
    """
    parts = []
    for number, without in enumerate(fit_without(load_groups(load_ravdess()), corpus), 1):
        models = folder / str(number)
        parts.append(Part(models, without.rows(speakers)))
        if (models / "fusion" / "fusion.json").exists():
            continue
        voice = folder / "voice_encoder"
        if not voice.exists():
            ship_without(corpus, heard, voice)
        for source in (MODELS / "face_cnn", MODELS / "geometry", voice):
            unfinished = shutil.ignore_patterns("work")
            shutil.copytree(source, models / source.name, ignore=unfinished, dirs_exist_ok=True)
        (models / "fusion").mkdir(exist_ok=True)
        write_atomically(models / "fusion" / "fusion.json", without.fusion.to_json)
    return parts


def clips_of(corpus: str) -> pd.DataFrame:
    """List a corpus's clips, or those that are drawn of a large one."""
    table = load_table(corpus)
    drawn = np.random.default_rng(0).permutation(len(table))[:MOST_CLIPS]
    return table.iloc[np.sort(drawn)].reset_index(drop=True)


def read_parts(parts: Sequence[Part], clips: pd.DataFrame, jobs: int) -> pd.DataFrame:
    """Read clips as a user would, each by the recogniser that may judge it, in order."""
    tables = [read(Recognizer.load(p.models), clips[p.rows], jobs) for p in parts]
    return pd.concat(tables, ignore_index=True)


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


def write_results(folder: Path, table: pd.DataFrame, squeezed: pd.DataFrame | None) -> dict:
    """Write the evidence: the fused verdict, and each stream beside it.

    Args:
        folder: Where to.
        table: Of all corpora, from `run`.
        squeezed: Of JavaSED's files as they lie; None without JavaSED.
    """
    streams = {stream: measured(table, stream) for stream in STREAMS}
    facts = {"left_out": streams, "gate": summary(streams["fused"])}
    if squeezed is not None:
        found = {stream: measured(squeezed, stream) for stream in STREAMS}
        facts["squeezed"] = {s: corpora["javased"] for s, corpora in found.items() if corpora}
        write_table(folder / "verdicts_squeezed.csv", rounded(squeezed))
    main = evidence.Measurement(
        predictions_of(table, "fused"),
        PROTOCOL,
        "The recogniser as shipped, each corpus left out",
        facts=facts,
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


class Runs:
    """What every corpus gets from the recogniser without it; finished tables are read.

    Args:
        work: Where recognisers and tables are kept.
        features: Work folder of `strangers_voice`.
        jobs: Clips that are read at once.
    """

    def __init__(self, work: Path, features: Path, jobs: int):
        self._work, self._features, self._jobs = work, features, jobs

    @cached_property
    def _heard(self) -> Heard:
        return hear(list(LOADERS), self._features)

    def read(self, corpora: Sequence[str]) -> pd.DataFrame:
        """Read corpora, one after the other; one that is not there is named and left away."""
        there = [corpus for corpus in corpora if self._has(corpus)]
        return pd.concat([self._read(corpus, self._shown, corpus) for corpus in there])

    def read_squeezed(self) -> pd.DataFrame | None:
        """Read JavaSED's files as they lie."""
        return self._read("javased", clips_of, "javased_squeezed") if self._has("javased") else None

    def _shown(self, corpus: str) -> pd.DataFrame:
        clips = clips_of(corpus)
        return javased.as_filmed(clips, self._work / "filmed") if corpus == "javased" else clips

    def _has(self, corpus: str) -> bool:
        there = (self._work / f"{corpus}.csv").exists()
        there = there or corpus in set(self._heard.table["corpus"])
        if not there:
            print(f"{CORPORA_NAMES[corpus]} is not there and is left away", flush=True)
        return there

    def _read(self, corpus: str, listed: Callable[[str], pd.DataFrame], name: str) -> pd.DataFrame:
        file = self._work / f"{name}.csv"
        if not file.exists():
            clips = listed(corpus)
            parts = models_without(corpus, self._heard, clips["speaker"], self._work / corpus)
            found = read_parts(parts, clips, self._jobs)
            write_table(file, found.assign(fold=list(LOADERS).index(corpus) + 1))
        return pd.read_csv(file, dtype={"clip_id": str}, keep_default_na=True)


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
    runs = Runs(work, arguments.features or FOLDER / "work", arguments.jobs)
    table = runs.read(arguments.corpora).reset_index(drop=True)
    squeezed = runs.read_squeezed() if "javased" in arguments.corpora else None
    print(write_results(arguments.folder, table, squeezed)["gate"])


if __name__ == "__main__":
    run_main(main)
