"""How often the recogniser is right on somebody's own labelled clips."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emorec import __version__
from emorec.corpora.registry import truth_of
from emorec.emotions import COMMON7
from emorec.errors import printable
from emorec.evaluation.labels import Label, Labels, LabelsError, labels_of_table, read_labels
from emorec.files import write_json
from emorec.recognizer import Recognizer
from emorec.report.judgement import JUDGED_BY, Judgement, judge
from emorec.result.clip import ClipResult

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "WORST_SHOWN",
    "Evaluation",
    "SpeakerScores",
    "StreamScores",
    "evaluate",
    "judgements_of",
]

WORST_SHOWN = 10
"""So many of the wrong verdicts are shown, the surest first."""

_FEW_SPEAKERS = 5
_FEW_CLIPS = 10  # of an emotion
_Z = 1.96  # of a 95 % interval


def evaluate(
    labels: str | Path | pd.DataFrame | Iterable[Mapping[str, object]] | Labels,
    recognizer: Recognizer | None = None,
    n_jobs: int = 1,
) -> Evaluation:
    """Measure how often the recogniser is right on labelled clips.

    Args:
        labels: A CSV file, a table or dictionaries with the columns path, emotion, and if there
            are any speaker, start and end; see `emorec.evaluation.labels`.
        recognizer: Who judges; by default the one that ships.
        n_jobs: Number of processes, -1 for one a core.

    Raises:
        LabelsError: When the labels cannot be understood, or none of the clips gets a verdict.

    Example:
        >>> emorec.evaluate("labels.csv")  # doctest: +SKIP
        <Evaluation of 'labels.csv': 40 of 42 rows, right 52.5 % (45.0 – 60.1), recall 50.9 %>
    """
    if isinstance(labels, str | Path):
        labels = read_labels(labels)
    elif not isinstance(labels, Labels):
        labels = labels_of_table(labels)
    recognizer = recognizer or Recognizer.load()
    return Evaluation(labels, list(judgements_of(labels.rows, recognizer, n_jobs)))


def judgements_of(
    rows: Sequence[Label], recognizer: Recognizer, n_jobs: int = 1
) -> Iterator[Judgement]:
    """Judge labels clip by clip; each clip is read once, however many labels it has.

    Yields:
        The judgements of a clip's labels as soon as the clip is read, clips in the order in which
        they are named first.
    """
    of_clip: dict[str, list[Label]] = {}
    for row in rows:
        of_clip.setdefault(str(row.path), []).append(row)
    paths = [of[0].path for of in of_clip.values()]
    results: Iterator[ClipResult] = recognizer.classify_many(paths, n_jobs)
    for of, result in zip(of_clip.values(), results, strict=True):
        yield from (judge(label, result) for label in of)


@dataclass(frozen=True)
class StreamScores:
    """How often one stream, or all together, is right.

    Attributes:
        clips: Rows of which it says something; the scores are over these.
        scores: Score -> value, shares of one: accuracy, unweighted_average_recall, macro_f1,
            top3_accuracy, expected_calibration_error, auc (NaN with fewer than two emotions).
        intervals_95: Score -> its 95 % interval; of all together alone.
    """

    clips: int
    scores: Mapping[str, float]
    intervals_95: Mapping[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class SpeakerScores:
    """How often the verdict is right on one speaker's clips.

    Attributes:
        speaker: Name, "" for those of whom it is not told.
        clips: Rows with a verdict.
        accuracy: Share that is right.
        low: Lower end of its 95 % interval (Wilson 1927, over clips).
        high: Upper end.
        recall: Mean over the emotions that the speaker shows.
    """

    speaker: str
    clips: int
    accuracy: float
    low: float
    high: float
    recall: float


class Evaluation:
    """The recogniser on somebody's labelled clips; `evaluate` makes one.

    Args:
        labels: What somebody says.
        judgements: What the recogniser says; one for each row, in any order.

    Attributes:
        labels: What somebody says.
        judgements: What the recogniser says, in the labels' order.

    Raises:
        LabelsError: When no row has a verdict.
    """

    def __init__(self, labels: Labels, judgements: Iterable[Judgement]):
        by_key = {judgement.label.key: judgement for judgement in judgements}
        self.labels = labels
        self.judgements = [by_key[row.key] for row in labels.rows]
        if not self.judged:
            first = self.judgements[0]
            reason = f"none of its {len(self.judgements)} rows gets a verdict, as {first.where}"
            raise LabelsError(labels.name, f"{reason}: {first.reason}", first.remedy)

    @property
    def judged(self) -> list[Judgement]:
        """Those with a verdict."""
        return [one for one in self.judgements if one.emotion]

    @property
    def not_judged(self) -> list[Judgement]:
        """Those without: failed clips, and clips with neither a voice nor a face."""
        return [one for one in self.judgements if not one.emotion]

    @cached_property
    def unit(self) -> str:
        """Over what intervals are bootstrapped: "speaker", or "clip" with fewer than two."""
        return "speaker" if len({one.label.speaker for one in self.judged}) > 1 else "clip"

    @property
    def counted(self) -> str:
        """What the figures count: "clips", or "stretches" where rows tell of parts of clips."""
        return "stretches" if any(one.label.is_part for one in self.judged) else "clips"

    @cached_property
    def streams(self) -> dict[str, StreamScores]:
        """All together ("fused") and each stream alone -> how often it is right."""
        return {stream: found for stream in JUDGED_BY if (found := self._scores_of(stream))}

    @property
    def accuracy(self) -> float:
        """Share of the verdicts that are right, of all streams together."""
        return self.streams["fused"].scores["accuracy"]

    @cached_property
    def confusion(self) -> pd.DataFrame:
        """Number of rows: the labels down, the verdicts across."""
        from emorec.evaluation.scores import confusion

        return confusion(self.predictions("fused"))

    @cached_property
    def by_speaker(self) -> list[SpeakerScores]:
        """Each speaker, the least right first; empty where nobody is named."""
        if not self.labels.has_speakers:
            return []
        found: dict[str, list[Judgement]] = {}
        for one in self.judged:
            found.setdefault(one.label.speaker, []).append(one)
        each = [_speaker_scores(name, of) for name, of in found.items()]
        return sorted(each, key=lambda speaker: (speaker.accuracy, speaker.speaker))

    @property
    def worst(self) -> list[Judgement]:
        """Wrong verdicts, the surest first."""
        wrong = [one for one in self.judged if not one.is_right]
        return sorted(wrong, key=lambda one: -(one.confidence or 0.0))

    def predictions(self, stream: str = "fused") -> pd.DataFrame:
        """Return what a stream says, as a prediction table (see `emorec.evaluation.scores`)."""
        import pandas as pd

        rows = [
            (one.label.named, one.label.speaker, 1, one.label.emotion, *one.posteriors[stream])
            for one in self.judged
            if stream in one.posteriors
        ]
        return pd.DataFrame(rows, columns=["clip_id", "speaker", "fold", "truth", *COMMON7])

    @cached_property
    def notes(self) -> list[str]:
        """What a reader of the figures should know, in plain words."""
        judged, parts = self.judged, sum(one.label.is_part for one in self.judged)
        units = len({_unit_of(one, self.unit) for one in judged})
        many = f"{units} {self.unit}s" if units != 1 else f"one {self.unit}"
        intervals = f"95 % intervals are bootstrapped over {many}"
        if self.unit == "clip":
            named = "one speaker is named" if self.labels.has_speakers else "no speaker is named"
            intervals += f", since {named}: other people may do better or worse"
        elif units < _FEW_SPEAKERS:
            intervals += ", so few that they say little"
        notes = [*self.labels.notes, intervals]
        if parts:
            notes.append(
                f"rows that tell of some seconds ({parts}) are judged from the fused timeline: the "
                "log mean of its steps of half a second within them"
            )
        counts = {name: sum(one.label.emotion == name for one in judged) for name in COMMON7}
        absent = [name for name, count in counts.items() if not count]
        if absent:
            notes.append(
                f"no clip is labelled {', '.join(absent)}: recall, F1 and AUC are means over the "
                "emotions that occur, and verdicts may still name the others"
            )
        few = [name for name, n in counts.items() if 0 < n < _FEW_CLIPS]
        if few:
            these = "every emotion" if len(few) == len(COMMON7) else ", ".join(few)
            notes.append(
                f"fewer than {_FEW_CLIPS} {self.counted} of {these}: chance weighs heavily"
            )
        if not all(one.label.speaker for one in judged) and self.labels.has_speakers:
            notes.append("rows without a speaker count as one more speaker")
        known = sum(truth_of(one.label.path) is not None for one in judged)
        if known:
            notes.append(
                f"clips named as a corpus names its own ({known}): the models may have learned "
                "from them, and then these figures are too high for strangers"
            )
        silent = sum(one.status == "no verdict" for one in self.judgements)
        if silent:
            right = sum(one.is_right for one in judged) / (len(judged) + silent)
            share = f"{100 * right:.1f} % are right"
            notes.append(
                f"rows without a verdict ({silent}) are left out; counted as wrong, {share}"
            )
        return notes

    def summary(self) -> dict[str, Any]:
        """Return everything but single right verdicts, as `write_json` writes it."""
        return {
            "emorec": __version__,
            "labels": printable(Path(self.labels.name).name),
            "classes": list(COMMON7),
            "rows": len(self.judgements),
            "judged": len(self.judged),
            "bootstrapped_over": self.unit,
            "streams": {
                stream: {
                    "clips": found.clips,
                    "scores": {name: _finite(value) for name, value in found.scores.items()},
                    "intervals_95": {n: [*map(_finite, v)] for n, v in found.intervals_95.items()},
                }
                for stream, found in self.streams.items()
            },
            "confusion": self.confusion.to_numpy().tolist(),
            "by_speaker": [vars(speaker) for speaker in self.by_speaker],
            "worst": [_in_short(one) for one in self.worst[:WORST_SHOWN]],
            "not_judged": [_in_short(one) for one in self.not_judged],
            "notes": self.notes,
        }

    def write_json(self, path: str | Path) -> None:
        """Write `summary` as a JSON file."""
        write_json(Path(path), self.summary())

    def write_html(self, path: str | Path) -> None:
        """Write one page with tables, plots and players; clips are linked from where it lies."""
        from emorec.report.labelled_page import write_page

        write_page(self, Path(path))

    def __repr__(self) -> str:
        found = self.streams["fused"]
        low_high = found.intervals_95.get("accuracy")
        between = " ({:.1f} – {:.1f})".format(*(100 * v for v in low_high)) if low_high else ""
        recall = 100 * found.scores["unweighted_average_recall"]
        return (
            f"<Evaluation of {Path(self.labels.name).name!r}: {found.clips} of "
            f"{len(self.judgements)} rows, right {100 * self.accuracy:.1f} %{between}, "
            f"recall {recall:.1f} %>"
        )

    def _repr_html_(self) -> str:
        """What Jupyter shows: the page's tables and plots, clips linked from the working folder."""
        from emorec.report.labelled_page import body

        return body(self, Path())

    def _scores_of(self, stream: str) -> StreamScores | None:
        """Score a stream, None where it says nothing of any clip."""
        from emorec.evaluation import scores

        table = self.predictions(stream)
        if not len(table):
            return None
        found = {**scores.scores(table), "auc": scores.auc_of_those_that_occur(table)}
        unit = "speaker" if self.unit == "speaker" else "clip_id"
        if stream != "fused" or table[unit].nunique() < 2:
            return StreamScores(len(table), found)
        intervals = scores.intervals(table, unit=unit)
        intervals["auc"] = scores.auc_interval(table, unit=unit)
        return StreamScores(len(table), found, intervals)


def _unit_of(judgement: Judgement, unit: str) -> str:
    return judgement.label.speaker if unit == "speaker" else judgement.label.named


def _speaker_scores(name: str, judgements: Sequence[Judgement]) -> SpeakerScores:
    right = np.array([one.is_right for one in judgements])
    shown = np.array([one.label.emotion for one in judgements])
    recall = float(np.mean([right[shown == emotion].mean() for emotion in np.unique(shown)]))
    share = float(right.mean())
    return SpeakerScores(name, len(right), share, *_wilson(share, len(right)), recall)


def _wilson(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927), which also few clips are fit for.

    >>> [round(bound, 2) for bound in _wilson(1.0, 2)]
    [0.34, 1.0]
    """
    spread = _Z**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * share * (1 - share) + spread**2 / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _in_short(one: Judgement) -> dict[str, Any]:
    label = one.label
    return {
        "file": printable(label.named),
        "start_s": label.start_s,
        "end_s": label.end_s,
        "speaker": printable(label.speaker),
        "truth": label.emotion,
        "status": one.status,
        "emotion": one.emotion,
        "confidence": one.confidence,
        "reason": one.reason,
        "remedy": one.remedy,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
