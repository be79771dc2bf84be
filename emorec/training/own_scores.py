"""What was fitted on somebody's clips beside what ships: scores, gains, warnings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from emorec.corpora.corpus import Corpus
from emorec.corpora.registry import corpora
from emorec.emotions import COMMON7
from emorec.errors import printable
from emorec.evaluation import scores as evaluation
from emorec.evaluation.labels import Labels
from emorec.training.own_clips import LabelledClips
from emorec.training.own_fit import Judged, Own
from emorec.training.own_heads import log_loss

__all__ = ["FEW_CLIPS", "FEW_SPEAKERS", "STREAMS", "Comparison", "warnings_of"]

STREAMS = ("fused", "voice", "face")
"""What is told of: the geometry is not trained."""
FEW_SPEAKERS, FEW_CLIPS = 5, 10
"""Fewer speakers, or clips of an emotion, are warned of."""

_MOST_LISTED = 8
_NOT_NAMED = "(not named)"


class Comparison:
    """Two recognisers on the same clips: the new one, whose parts met none of whom they judge.

    Args:
        clips: The clips.
        judged: What both say.
        protocol: How it was measured, one sentence.
    """

    def __init__(self, clips: LabelledClips, judged: Judged, protocol: str):
        self.clips, self.judged, self.protocol = clips, judged, protocol
        self.unit = "speaker" if clips.by_speaker else "clip_id"
        self._table = pd.DataFrame(
            {
                "clip_id": _told_apart(clips.names),
                "speaker": [printable(label.speaker) or _NOT_NAMED for label in clips.labels],
                "emotion": [label.emotion for label in clips.labels],
            }
        )

    def predictions(self, stream: str, *, shipped: bool = False) -> pd.DataFrame:
        """Return what a stream says, as a prediction table; clips of which it says nothing go."""
        said = (self.judged.shipped if shipped else self.judged.own)[stream]
        there = np.isfinite(said).all(1)
        return evaluation.prediction_table(
            self._table[there], said[there], COMMON7, self.judged.folds[there]
        )

    @cached_property
    def streams(self) -> list[str]:
        """All together, and where there are several the streams that say something."""
        said = [s for s in STREAMS if np.isfinite(self.judged.own[s]).all(1).any()]
        return said if len(said) > 2 else said[:1]

    @cached_property
    def gains(self) -> dict[str, dict[str, list[float]]]:
        """Stream -> score -> by how much it is higher than what ships, and the 95 % interval."""
        return {
            stream: evaluation.gains(
                self.predictions(stream), self.predictions(stream, shipped=True), self.unit
            )
            for stream in self.streams
        }

    @cached_property
    def _scores(self) -> dict[tuple[str, bool], dict[str, float]]:
        return {
            (stream, shipped): evaluation.scores(self.predictions(stream, shipped=shipped))
            for stream in self.streams
            for shipped in (True, False)
        }

    def scores(self, stream: str, score: str) -> tuple[float, float]:
        """Return a score of a stream: of what ships, and of the new one."""
        return self._scores[stream, True][score], self._scores[stream, False][score]

    @cached_property
    def by_speaker(self) -> list[dict[str, object]]:
        """Each speaker: clips, share that is right of what ships and of the new; empty without."""
        if not self.clips.by_speaker:
            return []
        new, old = (self.predictions("fused", shipped=shipped) for shipped in (False, True))
        right = pd.DataFrame(
            {
                "speaker": new["speaker"],
                "shipped": _is_right(old),
                "own": _is_right(new),
            }
        )
        found = right.groupby("speaker", sort=True).agg(
            clips=("own", "size"), shipped=("shipped", "mean"), own=("own", "mean")
        )
        return [{"speaker": name, **row} for name, row in found.to_dict("index").items()]

    @cached_property
    def is_gain(self) -> bool:
        """Whether the new one gives the truth more confidence, and no fewer verdicts are right."""
        truth, apart = self.clips.truth, self.clips.apart
        new, old = self.judged.own["fused"], self.judged.shipped["fused"]
        loss = log_loss(truth, old) - log_loss(truth, new)
        is_surer = np.mean([loss[apart == name].mean() for name in np.unique(apart)]) > 0
        right = [(said.argmax(1) == truth).sum() for said in (new, old)]
        return bool(is_surer and right[0] >= right[1])


def _told_apart(names: Sequence[str]) -> list[str]:
    """Return names as they are printed, a number after those that are there twice."""
    seen: Counter[str] = Counter()
    found = []
    for name in map(printable, names):
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _is_right(predictions: pd.DataFrame) -> np.ndarray:
    verdicts = predictions[list(COMMON7)].to_numpy().argmax(1)
    return np.array(COMMON7)[verdicts] == predictions["truth"].to_numpy()


def warnings_of(labels: Labels, clips: LabelledClips, own: Own) -> list[str]:
    """Return what a reader of every figure has to know, the gravest first."""
    speakers = {label.speaker for label in clips.labels if label.speaker}
    found = []
    if not clips.by_speaker:
        named = "one speaker is named" if speakers else "no speaker is named"
        found.append(
            f"{named}: folds are by clip, the same people are learned from and judged, and the "
            "figures are too high for anybody else (a column speaker mends that)"
        )
    elif len(speakers) < FEW_SPEAKERS:
        found.append(
            f"{len(speakers)} speakers, fewer than {FEW_SPEAKERS}: what holds for them may hold "
            "for nobody else, and the intervals say little"
        )
    if clips.by_speaker and not all(label.speaker for label in clips.labels):
        found.append(
            "rows without a speaker count as one more speaker, who may be one of the others"
        )
    counts = Counter(label.emotion for label in clips.labels)
    few = [f"{name} ({counts[name]})" for name in COMMON7 if 0 < counts[name] < FEW_CLIPS]
    if few:
        found.append(f"fewer than {FEW_CLIPS} clips of {', '.join(few)}: chance weighs heavily")
    found += _of_corpora(clips)
    absent = [name for name in COMMON7 if not counts[name]]
    if absent:
        found.append(
            f"no clip is labelled {', '.join(absent)}: nothing was learned of that, the shipped "
            "weights for it stay, and verdicts may still name it"
        )
    if any(label.is_part for label in clips.labels):
        found.append(
            "rows that tell of some seconds count what each stream says within them, fused; "
            "emorec evaluate reads the fused timeline instead, so that its figures differ a little"
        )
    if not own.is_changed:
        found.append("nothing that was tried is better than what ships: these are its weights")
    return [*found, *labels.notes]


def _is_of(corpus: Corpus, path: Path) -> bool:
    """Whether a name is a corpus's: one that can be no other's, or one in the corpus's folder."""
    is_told = corpus.is_name_telling or corpus.folder in path.parts
    return is_told and corpus.facts_of(path) is not None


def _of_corpora(clips: LabelledClips) -> list[str]:
    """What is to be said of clips that bear the names of known corpora."""
    of_speaker: dict[str, set[str]] = {}
    known = 0
    for label in clips.labels:
        # RAVDESS's sound and its video are one corpus, with one cast.
        parts = [corpus for corpus in corpora() if _is_of(corpus, Path(label.path))]
        names = {corpus.name.partition(" ")[0] for corpus in parts}
        known += bool(names)
        of_speaker.setdefault(label.speaker, set()).update(names)
    found = []
    twice = sorted(name for name, of in of_speaker.items() if name and len(of) > 1)
    if twice:
        listed = ", ".join(
            f"{printable(name)} ({' and '.join(sorted(of_speaker[name]))})"
            for name in twice[:_MOST_LISTED]
        )
        found.append(
            f"speakers of one name in two corpora count as one person: {listed}; if they are two, "
            "name them apart, as savee-1 and emovo-1"
        )
    if known:
        found.append(
            f"clips named as a corpus names its own ({known}): what ships may have learned from "
            "them; then its figures are too high, and the gain is too low"
        )
    return found
