"""What the recogniser says of a labelled clip, and the CSV file that keeps it as it comes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from emorec.emotions import COMMON7
from emorec.errors import OutputError
from emorec.files import check_writable
from emorec.posteriors import log_mean
from emorec.report.cells import cell
from emorec.report.earlier import read_earlier
from emorec.report.table import begun_csv
from emorec.streams.windows import STREAMS, Windows

if TYPE_CHECKING:
    from emorec.evaluation.labels import Label, Labels
    from emorec.result.clip import ClipResult

__all__ = ["COLUMNS", "JUDGED_BY", "Judgement", "JudgementWriter", "judge", "read_judgements"]

JUDGED_BY = ("fused", *STREAMS)
"""What judges: all streams together, and each alone."""

COLUMNS = (
    "file",
    "start_s",
    "end_s",
    "speaker",
    "truth",
    "status",
    "emotion",
    "confidence",
    *(f"{stream}_{emotion}" for stream in JUDGED_BY for emotion in COMMON7),
    "notes",
    "reason",
    "remedy",
    "stamp",
)
"""Head of the CSV file of predictions; probabilities are empty where a stream says nothing."""

_KEY = COLUMNS[:3]
_DECIMALS = 5


@dataclass(frozen=True)
class Judgement:
    """What is said of one label's clip, or of its seconds.

    Attributes:
        label: What somebody says of it.
        status: "ok", "no verdict" or "failed", as of a `ClipResult`.
        posteriors: Stream or "fused" -> (7,) float64 over COMMON7, five decimals: scores of a run
            that went on are those of one that ran through.
        notes: What a reader should know.
        reason: Why there is no verdict, else "".
        remedy: What helps, else "".
    """

    label: Label
    status: str
    posteriors: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: str = ""
    reason: str = ""
    remedy: str = ""

    @property
    def emotion(self) -> str | None:
        """The verdict, one of COMMON7, or None."""
        return COMMON7[int(self.posteriors["fused"].argmax())] if self.posteriors else None

    @property
    def confidence(self) -> float | None:
        """Probability of the verdict, or None."""
        return float(self.posteriors["fused"].max()) if self.posteriors else None

    @property
    def is_right(self) -> bool:
        """Whether the verdict is what the label says."""
        return self.emotion == self.label.emotion

    @property
    def where(self) -> str:
        """What the clip is called, with the seconds that were judged."""
        label = self.label
        if not label.is_part:
            return label.named
        end = "its end" if label.end_s is None else f"{label.end_s:g} s"
        return f"{label.named}, {label.start_s or 0:g} to {end}"

    def row(self) -> dict[str, object]:
        """Return its row below `COLUMNS`."""
        confidence = self.confidence
        said = {
            f"{stream}_{emotion}": f"{probability:.{_DECIMALS}f}"
            for stream, posterior in self.posteriors.items()
            for emotion, probability in zip(COMMON7, posterior, strict=True)
        }
        return {
            **dict.fromkeys(COLUMNS, ""),
            **_key_cells(self.label),
            "speaker": cell(self.label.speaker),
            "truth": self.label.emotion,
            "status": self.status,
            "emotion": self.emotion or "",
            "confidence": "" if confidence is None else f"{confidence:.{_DECIMALS}f}",
            **said,
            "notes": cell(self.notes),
            "reason": cell(self.reason),
            "remedy": cell(self.remedy),
        }

    @classmethod
    def of_row(cls, label: Label, row: Mapping[str, str]) -> Judgement:
        """Read what `row` wrote.

        Raises:
            ValueError: When a number is none.
        """
        posteriors = {
            stream: np.array([float(row[f"{stream}_{emotion}"]) for emotion in COMMON7])
            for stream in JUDGED_BY
            if row[f"{stream}_{COMMON7[0]}"]
        }
        return cls(label, row["status"], posteriors, row["notes"], row["reason"], row["remedy"])


def judge(label: Label, result: ClipResult) -> Judgement:
    """Say what a result tells of a label: of the whole clip, or of the label's seconds.

    Of some seconds it is the log mean of the fused timeline's steps within them, and for each
    stream alone that of its windows; see `posteriors_within`.
    """
    notes = "; ".join(result.notes)
    if result.status != "ok":
        return Judgement(
            label, result.status, notes=notes, reason=result.reason, remedy=result.remedy
        )
    posteriors = result.posteriors
    if label.is_part:
        start_s = label.start_s or 0.0
        end_s = result.duration_s if label.end_s is None else label.end_s
        posteriors = {
            stream: found
            for stream, windows in result.windows.items()
            if (found := posteriors_within(windows, start_s, end_s)) is not None
        }
        if "fused" not in posteriors:
            reason = f"nothing is said between {start_s:g} and {end_s:g} s"
            if start_s >= result.duration_s:
                reason = f"the clip ends at {result.duration_s:.2f} s, before {start_s:g} s"
            remedy = "check the label's start and end, which are seconds from the clip's start"
            return Judgement(label, "no verdict", notes=notes, reason=reason, remedy=remedy)
    rounded = {s: np.round(np.asarray(p, float), _DECIMALS) for s, p in posteriors.items()}
    return Judgement(label, "ok", rounded, notes)


def posteriors_within(windows: Windows, start_s: float, end_s: float) -> np.ndarray | None:
    """Return the log mean (7,) of the windows whose middle lies within, None where nothing is said.

    Where no middle does, in a stretch shorter than the windows' hop, it is the window that reaches
    over the stretch's middle, if there is one.

    >>> steps = Windows(np.array([0.25, 0.75]), np.eye(7, dtype=np.float32)[:2], 0.5)
    >>> int(posteriors_within(steps, 0.5, 1.0).argmax()), posteriors_within(steps, 5.0, 6.0)
    (1, None)
    """
    if not len(windows.times_s):
        return None
    inside = (windows.times_s >= start_s) & (windows.times_s < end_s)
    if not inside.any():
        away_s = np.abs(windows.times_s - (start_s + end_s) / 2)
        nearest = int(away_s.argmin())
        if away_s[nearest] > windows.window_s / 2:
            return None
        inside[nearest] = True
    return log_mean(windows.posteriors[inside])


def _key_cells(label: Label) -> dict[str, str]:
    start, end = ("" if s is None else f"{s:.3f}" for s in (label.start_s, label.end_s))
    return {"file": cell(label.named), "start_s": start, "end_s": end}


def read_judgements(
    csv_path: Path, labels: Labels, stamp_of: Callable[[str | Path], str]
) -> dict[tuple, Judgement]:
    """Read what an earlier run found of these labels.

    Clips that failed are left out, and what was read with other models or has changed since.

    Args:
        csv_path: What it wrote.
        labels: What is asked for.
        stamp_of: What a clip is read with, see `report.stamp`.

    Returns:
        `Label.key` -> what was found, in the labels' order.

    Raises:
        OutputError: When the file is none of this program, cannot be read, or holds what these
            labels do not, which would be lost.
    """
    earlier = read_earlier(csv_path, None, COLUMNS)
    by_key = {tuple(row[name] for name in _KEY): row for row in earlier.rows}
    found = {}
    for label in labels.rows:
        cells = _key_cells(label)
        row = by_key.pop(tuple(cells[name] for name in _KEY), None)
        if row is None or row["stamp"] != stamp_of(label.path):
            continue
        try:
            found[label.key] = Judgement.of_row(label, row)
        except ValueError as error:
            reason = f"the row of {label.named} holds no probabilities ({error})"
            remedy = "take the row out, or give --overwrite instead of --resume"
            raise OutputError(csv_path, reason, remedy) from error
    if by_key:
        reason = f"it holds clips that are not in {labels.name}: {next(iter(by_key))[0]}, ..."
        remedy = "name the labels of the earlier run, or another file, or give --overwrite"
        raise OutputError(csv_path, reason, remedy)
    return found


class JudgementWriter:
    """Writes judgements as they come, so that a killed run loses none; a context manager.

    Args:
        path: The CSV file, None where none is asked for.
        earlier: What an earlier run found, which comes first.
        stamp_of: What a clip is read with, see `report.stamp`.

    Raises:
        OutputError: At once, when it cannot be written.
    """

    def __init__(
        self,
        path: Path | None,
        earlier: Sequence[Judgement] = (),
        stamp_of: Callable[[str | Path], str] = lambda _: "",
    ):
        self._path, self._stamp_of = path, stamp_of
        self._file: TextIO | None = None
        self._earlier = earlier
        check_writable(path)

    def __enter__(self) -> JudgementWriter:
        """Begin the file: what is written over goes now, not where a run is refused."""
        if self._path is not None:
            rows = [self._row(one) for one in self._earlier]
            try:
                self._file = begun_csv(self._path, COLUMNS, rows)
            except OSError as error:
                raise OutputError.because_of(self._path, error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            if kind is None:
                raise OutputError.because_of(self._path, error) from error

    def add(self, judgement: Judgement) -> None:
        """Write one row.

        Raises:
            OutputError: When it cannot be written, for instance on a full disk.
        """
        if self._file is None:
            return
        try:
            csv.DictWriter(self._file, COLUMNS).writerow(self._row(judgement))
            self._file.flush()
        except OSError as error:
            raise OutputError.because_of(self._path, error) from error

    def _row(self, judgement: Judgement) -> dict[str, object]:
        is_read = judgement.status != "failed"
        stamp = self._stamp_of(judgement.label.path) if is_read else ""
        return {**judgement.row(), "stamp": stamp}
