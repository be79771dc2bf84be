"""The corpora that the shipped fusion is fitted on, each a group that is left out in turn.

RAVDESS's other actors (voice and geometry out of fold), actor 05 (the same, with the face network
on pictures and videos), JavaSED (every network met none of it), and, for one stream alone, the
still faces of three corpora and the speech of those that the voice left out. All from committed
tables.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from emorec.emotions import COMMON7, RAVDESS8, fold
from emorec.evaluation import scores as evaluation
from emorec.evaluation.left_out import CORPORA_NAMES
from emorec.evaluation.left_out import VOICE as LEFT_OUT_VOICE
from emorec.fusion import Calibration, LogLinearFusion
from emorec.paths import MODELS
from emorec.training.fusion_rules import Group, fit_for_strangers

FOLDER = "comparisons/fusion/no_harm"
AUDIOVISUAL = "fusion/audiovisual.csv"
"""JavaSED by networks that never met it, uncalibrated; the voice is the 2D CNN, for the shipped one
was trained there."""
PICTURES, VIDEOS = "actor_05_pictures", "actor_05_videos"
STILLS = ("cfee", "sfew", "ck_plus")

_ACTOR_05 = "ravdess-05"

# FER-2013's training labels; RAVDESS's takes, calm being neutral. The voice was trained with even
# classes. Half of a prior is taken out: more was no better on faces that trained nothing.
PRIORS = {
    "voice": Calibration(),
    "face": Calibration(1.0, np.log([0.139, 0.015, 0.143, 0.251, 0.173, 0.168, 0.11]), 0.5),
    "geometry": Calibration(1.0, np.log(np.array([2, 2, 2, 2, 3, 2, 2]) / 15), 0.5),
}


def codes(truth: pd.Series, classes: Sequence[str] = RAVDESS8) -> np.ndarray:
    """Return the index of each clip's class, int (n,)."""
    return truth.map({name: i for i, name in enumerate(classes)}).to_numpy()


def face_head(models: Path = MODELS) -> str:
    """Return the shipped face network's output: "fer" or "ferplus"."""
    from emorec.engines import read_model_spec

    return read_model_spec(models / "face_cnn").output


def load_groups(
    ravdess: pd.DataFrame,
    models: Path = MODELS,
    head: str = "",
    spoken: Mapping[str, pd.DataFrame] | None = None,
) -> list[Group]:
    """Read all groups.

    Args:
        ravdess: Voice and geometry out of fold, from `emorec.training.fusion.load_ravdess`.
        models: The models' folder.
        head: Of the face network; by default the shipped one.
        spoken: Corpus, JavaSED among them -> `clip_id`, `speaker`, `truth` and what a voice that
            was not trained on it says; by default `left_out_voice`.
    """
    head = head or face_head(models)
    faces = pd.read_csv(models / FOLDER / "faces.csv", dtype={"clip_id": str})
    clips = _ravdess_clips(ravdess, models)
    of_05 = clips["speaker"] == _ACTOR_05
    others = clips[~of_05]
    seen = faces[faces["corpus"].isin((PICTURES, VIDEOS))]
    actor = seen.drop(columns=["speaker", "truth"]).merge(clips[of_05], on="clip_id")
    javased = faces[faces["corpus"] == "javased"]
    streams = {"voice": "voice", "face": head, "geometry": "geometry"}
    spoken = left_out_voice(models) if spoken is None else spoken
    # A voice is as sure as it is right on strangers, which RAVDESS's other actors are not.
    known = ("voice",)
    groups = [
        _group("ravdess", others, {s: s for s in ("voice", "geometry")}, not_for=known),
        _group("actor_05", actor, streams, not_for=known),
        _javased(javased, spoken["javased"], head, models),
    ]
    for corpus in STILLS:
        groups.append(_group(corpus, faces[faces["corpus"] == corpus], {"face": head}, False))
    for corpus, table in spoken.items():
        if corpus != "javased":
            groups.append(_group(f"voice_{corpus}", table, {"voice": ""}, False))
    return groups


def left_out_voice(models: Path = MODELS) -> dict[str, pd.DataFrame]:
    """Return what the voice that ships says of each corpus, trained on the others."""
    table = pd.read_csv(models / LEFT_OUT_VOICE / "predictions.csv", dtype={"clip_id": str})
    corpora = list(CORPORA_NAMES)
    return {corpora[int(number) - 1]: part for number, part in table.groupby("fold")}


def _ravdess_clips(ravdess: pd.DataFrame, models: Path) -> pd.DataFrame:
    """RAVDESS in COMMON7; no geometry where the face is unlike those of the other actors."""
    found = ravdess[["clip_id", "speaker"]].copy()
    found["truth"] = ravdess["truth"].replace({"calm": "neutral"})
    for stream in ("voice", "geometry"):
        posterior = ravdess[[f"{stream}.{name}" for name in RAVDESS8]].to_numpy(float)
        found[[f"{stream}.{name}" for name in COMMON7]] = fold(posterior, RAVDESS8, COMMON7)
    shapes = pd.read_csv(models / FOLDER / "shapes.csv").set_index("clip_id")["distance"]
    is_far = (found["clip_id"].map(shapes) > np.percentile(shapes, 95)).to_numpy()
    found.loc[is_far, [f"geometry.{name}" for name in COMMON7]] = np.nan
    return found


def read_audiovisual(models: Path, streams: Sequence[str]) -> pd.DataFrame:
    """Read what networks that never met JavaSED say of it: `clip_id` and columns `stream.class`.

    Args:
        models: The models' folder.
        streams: Of "voice" (the 2D CNN's, see `AUDIOVISUAL`), "face" and "geometry".
    """
    table = pd.read_csv(models / AUDIOVISUAL, dtype={"clip_id": str})
    columns = [f"{stream}.{name}" for stream in streams for name in COMMON7]
    return table[["clip_id", "speaker", "truth", *columns]]


def _javased(faces: pd.DataFrame, voice: pd.DataFrame, head: str, models: Path) -> Group:
    """JavaSED as the recogniser reads it, the voice being one that was not trained on it."""
    said = voice.rename(columns={name: f"voice.{name}" for name in COMMON7})
    shown = read_audiovisual(models, ["geometry"]).drop(columns=["speaker", "truth"])
    joined = faces.merge(shown, on="clip_id", how="left", validate="1:1")
    columns = ["clip_id", *(f"voice.{name}" for name in COMMON7)]
    joined = joined.merge(said[columns], on="clip_id", how="left", validate="1:1")
    return _group("javased", joined, {"voice": "voice", "face": head, "geometry": "geometry"})


def _group(
    name: str,
    table: pd.DataFrame,
    prefixes: Mapping[str, str],
    joins: bool = True,
    not_for: tuple[str, ...] = (),
) -> Group:
    posteriors = {}
    for stream, prefix in prefixes.items():
        columns = [f"{prefix}.{n}" if prefix else n for n in COMMON7]
        posteriors[stream] = table[columns].to_numpy(float)
    return Group(
        name,
        posteriors,
        codes(table["truth"].replace({"calm": "neutral"}), COMMON7),
        joins,
        table["speaker"].to_numpy(),
        not_for,
    )


def fit_shipped(groups: Sequence[Group], left_out: str = "") -> LogLinearFusion:
    """Fit what ships on all groups, or, to judge it, on all but one corpus (all of its parts)."""
    corpora = {left_out, f"voice_{left_out}"} if left_out else set()
    if left_out == "actor_05":
        corpora = {left_out}
    return fit_for_strangers([g for g in groups if g.name not in corpora], COMMON7, PRIORS)


def subsets_table(group: Group, fitted: LogLinearFusion, fitted_on: str) -> pd.DataFrame:
    """Score every set of a group's streams; a clip that lacks one is judged by the others.

    Returns:
        A row for each set: clips, speakers, accuracy with a 95 % interval over speakers, recall
        and calibration error, in percent.
    """
    rows, streams = [], [s for s in PRIORS if s in group.posteriors]
    for size in range(1, len(streams) + 1):
        for present in combinations(streams, size):
            posterior = fitted.apply({s: group.posteriors[s] for s in present})
            there = np.isfinite(posterior).all(1)
            names = np.array(COMMON7)[group.truth[there]]
            clips = pd.DataFrame(
                {
                    "clip_id": np.arange(there.sum()).astype(str),
                    "speaker": group.speakers[there],
                    "emotion": names,
                }
            )
            table = evaluation.prediction_table(clips, posterior[there], COMMON7, 1)
            scores = evaluation.scores(table)
            one = clips["speaker"].nunique() == 1
            over = table.assign(speaker=table["clip_id"]) if one else table
            low, high = evaluation.intervals(over)["accuracy"]
            rows.append(
                {
                    "group": group.name,
                    "streams": " + ".join(present),
                    "clips": int(there.sum()),
                    "speakers": clips["speaker"].nunique(),
                    "accuracy": 100 * scores["accuracy"],
                    "accuracy_low": 100 * low,
                    "accuracy_high": 100 * high,
                    "unweighted_average_recall": 100 * scores["unweighted_average_recall"],
                    "expected_calibration_error": 100 * scores["expected_calibration_error"],
                    "fitted_on": fitted_on,
                }
            )
    return pd.DataFrame(rows).round(2)


def no_harm_tables(groups: Sequence[Group]) -> pd.DataFrame:
    """Score every set of streams on the corpora with several, left out and as shipped."""
    shipped, parts = fit_shipped(groups), []
    for group in groups:
        if group.joins:
            left_out = fit_shipped(groups, group.name)
            parts.append(subsets_table(group, left_out, f"all but {group.name}"))
            parts.append(subsets_table(group, shipped, "all"))
    return pd.concat(parts, ignore_index=True)
