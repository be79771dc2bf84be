"""The corpora that the shipped fusion is fitted on, each a group that is left out in turn.

RAVDESS's other actors (voice and geometry out of fold), actor 05 (the same, with the face network
on pictures and videos), JavaSED (every network met none of it; shown in the proportions it was
filmed in), and, for one stream alone, the still faces of three corpora and the speech of those that
the voice left out. All from committed tables.

A network that learned from other actors of the same recordings is surer of an actor, and righter,
than of a stranger. So how sure voice and geometry may be is fitted on corpora that they never met.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from emorec.emotions import COMMON7, RAVDESS8, fold
from emorec.evaluation import scores as evaluation
from emorec.evaluation.left_out import CORPORA_NAMES
from emorec.evaluation.left_out import VOICE as LEFT_OUT_VOICE
from emorec.evaluation.splits import JAVASED_FOLDS
from emorec.fusion import Calibration, LogLinearFusion
from emorec.paths import MODELS
from emorec.training.fusion_rules import Group, fit_for_strangers

FOLDER = "comparisons/fusion/no_harm"
AUDIOVISUAL = "fusion/audiovisual.csv"
"""JavaSED, shown as it was filmed, by networks that never met it, uncalibrated; the voice is the 2D
CNN, for the shipped one was trained there."""
PICTURES, VIDEOS = "actor_05_pictures", "actor_05_videos"
STILLS = ("cfee", "sfew", "ck_plus")

_ACTOR_05 = "ravdess-05"

# Labels that trained the face network; RAVDESS's takes, calm being neutral. The voice was trained
# with even classes. Half of a prior is taken out: more was no better on faces that trained nothing.
PRIORS = {
    "voice": Calibration(),
    "face": Calibration(1.0, np.log([0.15, 0.042, 0.141, 0.226, 0.156, 0.164, 0.12]), 0.5),
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
    known = ("voice", "geometry")
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


def fit_shipped(groups: Sequence[Group]) -> LogLinearFusion:
    """Fit what ships: on all groups."""
    return fit_for_strangers(groups, COMMON7, PRIORS)


class FittedWithout(NamedTuple):
    """A fusion, and whom it may judge.

    Attributes:
        fusion: Fitted without them.
        speakers: Who they are; None for everybody of the corpus.
    """

    fusion: LogLinearFusion
    speakers: frozenset[str] | None = None

    def rows(self, speakers: Sequence[str] | np.ndarray) -> np.ndarray:
        """Return which clips of these speakers (n,) it may judge, bool (n,)."""
        if self.speakers is None:
            return np.ones(len(speakers), bool)
        return np.isin(np.asarray(speakers, str), list(self.speakers))


def fit_without(groups: Sequence[Group], corpus: str) -> list[FittedWithout]:
    """Fit what judges a corpus that was left out, all of its parts.

    Of JavaSED two speakers are left out at a time, and not all eight: without it nobody would be
    left who moves his face and is a stranger to the geometry.
    """
    if corpus == "javased":
        return [_without_speakers(groups, folded) for folded in JAVASED_FOLDS]
    left_out = {corpus, f"voice_{corpus}"} | ({"actor_05"} if corpus == "ravdess" else set())
    return [FittedWithout(fit_shipped([g for g in groups if g.name not in left_out]))]


def _without_speakers(groups: Sequence[Group], actors: Sequence[str]) -> FittedWithout:
    speakers = frozenset(f"javased-{actor}" for actor in actors)
    others = [
        group.of(~np.isin(group.speakers, list(speakers))) if group.name == "javased" else group
        for group in groups
    ]
    return FittedWithout(fit_shipped(others), speakers)


def subsets_table(group: Group, fitted: Sequence[FittedWithout], fitted_on: str) -> pd.DataFrame:
    """Score every set of a group's streams; a clip that lacks one is judged by the others.

    Args:
        group: Whose clips.
        fitted: What judges them, each its speakers.
        fitted_on: What to call that.

    Returns:
        A row for each set: clips, speakers, accuracy with a 95 % interval over speakers, recall
        and calibration error, in percent.
    """
    rows, streams = [], [s for s in PRIORS if s in group.posteriors]
    for size in range(1, len(streams) + 1):
        for present in combinations(streams, size):
            posterior = np.full((len(group.truth), len(COMMON7)), np.nan)
            for fusion, judged in ((f.fusion, f.rows(group.speakers)) for f in fitted):
                parts = {s: group.posteriors[s][judged] for s in present}
                posterior[judged] = fusion.apply(parts)
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
    shipped, parts = [FittedWithout(fit_shipped(groups))], []
    for group in groups:
        if group.joins:
            left_out = fit_without(groups, group.name)
            parts.append(subsets_table(group, left_out, f"all but {group.name}"))
            parts.append(subsets_table(group, shipped, "all"))
    return pd.concat(parts, ignore_index=True)
