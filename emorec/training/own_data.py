"""Training on somebody's own labelled clips: new heads, a new fusion, judged by speaker.

Clips are read once, by the recogniser that is there, and what its heads see of them is kept beside
the output; the rest takes seconds to minutes. `emorec train` is its command.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emorec import models
from emorec.emotions import COMMON7
from emorec.errors import ModelError, OutputError, printable
from emorec.evaluation.labels import Label, Labels, LabelsError
from emorec.media import storage
from emorec.paths import default_models_folder
from emorec.training.own_clips import LabelledClips, labelled_clips
from emorec.training.own_fit import FOLDS, Models, Own, fit_own, out_of_fold
from emorec.training.own_folder import own_folder
from emorec.training.own_heads import STRENGTHS
from emorec.training.own_models import Story, write_models
from emorec.training.own_networks import read_head
from emorec.training.own_reading import Unread, read_clips
from emorec.training.own_scores import Comparison, warnings_of

__all__ = ["LEAST_ROWS", "Trained", "train", "work_folder"]

LEAST_ROWS = 10
"""Of fewer rows nothing can be learned, or told."""

_HEADS = ("voice", "face")
_MOST_LISTED = 8
_INNER_FOLDS = 4

Stage = Callable[[str, int], Callable[[], None]]
"""Told what begins and of how many steps it is; returns what is to be called after each."""


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        folder: The models.
        comparison: New and shipped models on the clips of people whom neither met.
        own: What the folder holds.
        warnings: What a reader of the figures has to know.
        unread: Rows whose clip could not be read, and why.
        rows: Number of rows.
    """

    folder: Path
    comparison: Comparison
    own: Own
    warnings: list[str]
    unread: list[tuple[Label, Unread]]
    rows: int


def work_folder(out: Path) -> Path:
    """Return where what was read of the clips is kept, beside the output."""
    return out.with_name(f"{out.name}.work")


def _silent(_: str, __: int) -> Callable[[], None]:
    return lambda: None


def train(
    labels: Labels,
    out: Path,
    shipped: Path | None = None,
    n_jobs: int = 1,
    stage: Stage = _silent,
    command: str = "emorec train",
) -> Trained:
    """Train on labelled clips and write a models' folder; a run that was ended goes on.

    Args:
        labels: From `emorec.evaluation.labels.read_labels`.
        out: The folder, not there yet.
        shipped: The models to begin with; by default those that ship.
        n_jobs: Clips that are read at once.
        stage: Is told how far it is.
        command: What the cards say makes the same again.

    Raises:
        LabelsError: When nothing can be learned from the labels, or clips are not there.
        ModelError: When the models to begin with cannot be used.
        OutputError: When the output is there already or cannot be written, or another training is
            at work on it.
    """
    out, base = Path(out), Path(shipped or default_models_folder())
    _check_output(out)
    _check_labels(labels)
    start, classes = _start(base)
    work = work_folder(out)
    with _writing(out), own_folder(work):
        readings = _readings(labels, base, work, n_jobs, stage)
        unread = [(r, found) for r, found in zip(labels.rows, readings, strict=True)
                  if isinstance(found, Unread)]  # fmt: skip
        there = [pair for pair in zip(labels.rows, readings, strict=True)
                 if not isinstance(pair[1], Unread)]  # fmt: skip
        clips = labelled_clips([row for row, _ in there], [r for _, r in there], classes)
        _check_read(labels, clips, unread)
        comparison, own = _fitted(clips, start, stage)
        warnings = warnings_of(labels, clips, own)
        name = printable(Path(labels.name).name)
        story = Story(name, command, warnings, printable(base.name))
        shutil.rmtree(work / "models", ignore_errors=True)
        write_models(work / "models", base, own, comparison, story)
        (work / "models").rename(out)
    return Trained(out, comparison, own, warnings, unread, len(labels.rows))


def _check_output(out: Path) -> None:
    if os.path.lexists(out):
        raise OutputError(out, "it is there already", "name a folder that is not, or remove it")
    if not out.parent.is_dir():
        remedy = "make that folder, or name another"
        raise OutputError(out, f"there is no folder {printable(out.parent)}", remedy)


@contextlib.contextmanager
def _writing(out: Path):
    """Say in plain words where the output cannot be written."""
    try:
        yield
    except OSError as error:
        if isinstance(error, OutputError) or error.filename is None:
            raise
        raise OutputError.because_of(out, error) from error


def _check_labels(labels: Labels) -> None:
    """Refuse labels of which nothing can be learned, before hours are spent on reading clips.

    Raises:
        LabelsError: When there are too few, of one emotion alone, or clips are not there.
    """
    _check_enough(labels.name, labels.rows, f"it has {len(labels.rows)} rows")
    gone = {
        row.named: None
        for row in labels.rows
        if not storage.is_address(row.path) and not Path(row.path).is_file()
    }
    if gone:
        listed = ", ".join(list(gone)[:_MOST_LISTED])
        more = f" and {len(gone) - _MOST_LISTED} more" if len(gone) > _MOST_LISTED else ""
        reason = f"clips that are not there ({len(gone)}): {listed}{more}"
        remedy = "paths are taken from the folder of the labels: mend them, or take these rows out"
        raise LabelsError(labels.name, reason, remedy)


def _check_enough(name: str, rows: Sequence[Label], what: str) -> None:
    emotions = {row.emotion for row in rows}
    if len(rows) < LEAST_ROWS:
        reason = f"{what}, and of fewer than {LEAST_ROWS} nothing can be learned"
        remedy = "label more clips: ten of each emotion, of five people, are a beginning"
        raise LabelsError(name, reason, remedy)
    if len(emotions) < 2:
        reason = f"{what}, all of them {emotions.pop()}: there is nothing to tell apart"
        raise LabelsError(name, reason, "label clips of a second emotion, too")


def _check_read(labels: Labels, clips: LabelledClips, unread: list[tuple[Label, Unread]]) -> None:
    what = f"{len(clips.labels)} of {len(labels.rows)} rows have a voice or a face"
    if unread:
        label, why = unread[0]
        what += f" ({label.named}: {why.reason})"
    _check_enough(labels.name, clips.labels, what)


def _start(base: Path) -> tuple[Models, dict[str, tuple[str, ...]]]:
    """Return heads and fusion of the models to begin with, and the classes of the heads.

    Raises:
        ModelError: When they cannot be used.
    """
    folders, fusion_file, _ = models.places(base, "")
    networks = {stream: models.load_for(stream, folders[stream], "onnx") for stream in folders}
    fusion = models.load_fusion(fusion_file)
    if fusion.classes != COMMON7:
        reason = "it joins other emotions than the seven"
        raise ModelError(fusion_file, reason, "name the models that come with emorec")
    classes = {stream: networks[stream].spec.classes for stream in _HEADS}
    for stream, names in classes.items():
        if not set(COMMON7) <= set(names):
            reason = "it does not tell all seven emotions apart"
            raise ModelError(folders[stream], reason, "name the models that come with emorec")
    heads = {stream: read_head(folders[stream]) for stream in _HEADS}
    return Models(heads, fusion), classes


def _readings(labels: Labels, base: Path, work: Path, n_jobs: int, stage: Stage) -> list:
    """Return what was read of each row's clip; a clip of several rows is read once."""
    paths = {str(row.path): row.path for row in labels.rows}
    done = stage("Reading clips", len(paths))
    found = {}
    for name, reading in zip(
        paths, read_clips(list(paths.values()), base, work / "clips", n_jobs), strict=True
    ):
        found[name] = reading
        done()
    return [found[str(row.path)] for row in labels.rows]


def _fitted(clips: LabelledClips, start: Models, stage: Stage) -> tuple[Comparison, Own]:
    """Judge the recipe by folds, then fit on all clips; what ships stays where it is no gain."""
    folds = min(FOLDS, len(np.unique(clips.apart)))
    heads = sum(seen.there.any() for seen in clips.heads.values())
    done = stage("Training", (folds + 1) * heads * _INNER_FOLDS * len(STRENGTHS))
    comparison = Comparison(clips, out_of_fold(clips, start, done), _protocol(clips, folds))
    own = fit_own(clips, np.ones(len(clips.labels), bool), start, done)
    return comparison, own if comparison.is_gain else Own(start)


def _protocol(clips: LabelledClips, folds: int) -> str:
    rows = f"{len(clips.labels)} rows"
    if not clips.by_speaker:
        return f"{rows}, {folds} folds by clip, each judged by models fitted on the other folds"
    speakers = len(np.unique(clips.apart))
    how = "each judged by models fitted on the clips of the other speakers"
    return f"{rows} of {speakers} speakers, {folds} folds by speaker, {how}"
