"""What is fitted on somebody's clips, and how it is judged: always on people whom it did not meet.

One recipe, `fit_own`, makes heads and fusion of some clips. What it chooses (how strongly each head
is held to the one that ships, and whether anything is changed at all) is chosen by folds within
these clips. `out_of_fold` judges the whole recipe by folds around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from emorec.evaluation.splits import check_disjoint
from emorec.fusion import LogLinearFusion
from emorec.training.linear_head import LinearHead
from emorec.training.own_clips import LabelledClips
from emorec.training.own_fusion import fit_own_fusion
from emorec.training.own_heads import STRENGTHS, Teacher, heads_of, log_loss
from emorec.training.temperature import at_temperature, fit_temperature

__all__ = ["FOLDS", "Models", "Own", "fit_own", "fold_numbers", "judge", "out_of_fold"]

FOLDS = 5
"""At most so many folds judge; with fewer speakers each is one."""

_INNER_FOLDS = 4
_LEAST_CLIPS = 10  # with which a head is trained

Watch = Callable[[], None]


@dataclass(frozen=True)
class Models:
    """What judges, as far as it can be trained.

    Attributes:
        heads: "voice" and "face" -> head.
        fusion: Joins what the streams say.
    """

    heads: Mapping[str, LinearHead]
    fusion: LogLinearFusion


@dataclass(frozen=True)
class Own:
    """Models that were fitted, and what was chosen.

    Attributes:
        models: What judges.
        strengths: Stream -> how strongly its new head is held; those that stay are not named.
        has_own_fusion: Whether the fusion is a new one.
    """

    models: Models
    strengths: Mapping[str, float] = field(default_factory=dict)
    has_own_fusion: bool = False

    @property
    def is_changed(self) -> bool:
        """Whether anything is new."""
        return bool(self.strengths) or self.has_own_fusion


def fold_numbers(apart: np.ndarray, most: int) -> np.ndarray:
    """Deal speakers, or clips, out to folds of like size; return each row's fold, int (rows,).

    >>> fold_numbers(np.array(["a", "a", "b", "c"]), 2).tolist()
    [0, 0, 1, 1]
    """
    names, counts = np.unique(apart, return_counts=True)
    sizes, fold_of = np.zeros(min(most, len(names)), int), {}
    for index in np.argsort(-counts, kind="stable"):
        fold_of[names[index]] = int(sizes.argmin())
        sizes[sizes.argmin()] += counts[index]
    return np.array([fold_of[name] for name in apart], int)


def raw_posteriors(models: Models, clips: LabelledClips) -> dict[str, np.ndarray]:
    """Return what each stream says, uncalibrated: stream -> (clips, 7), NaN where nothing."""
    said = {stream: seen.posteriors(models.heads[stream]) for stream, seen in clips.heads.items()}
    return {**said, "geometry": clips.geometry}


def judge(fusion: LogLinearFusion, raw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return stream or "fused" -> posteriors (clips, 7), calibrated; NaN where nothing is said."""
    calibrated = fusion.calibrated(raw)
    return {**calibrated, "fused": fusion.fuse(calibrated)}


def fit_own(
    clips: LabelledClips, chosen: np.ndarray, shipped: Models, watch: Watch = lambda: None
) -> Own:
    """Fit heads and fusion on some of the clips.

    A head is new where folds within find one that tells other people's clips (other clips, where
    there is one person) apart better than the one that ships: its loss, at its best temperature, is
    less by more than a standard error, and no fewer of its verdicts are right. So is the fusion;
    with a new head it is always fitted anew. Else what ships stays.

    Args:
        clips: All clips.
        chosen: bool (clips,), those to fit on.
        shipped: What ships.
        watch: Called after each head that was fitted.
    """
    raw = raw_posteriors(shipped, clips)
    apart = clips.apart if len(set(clips.apart[chosen])) > 1 else _files(clips)
    folds = np.where(chosen, -1, -2)
    folds[chosen] = fold_numbers(apart[chosen], _INNER_FOLDS)
    group = _Group(clips, chosen, folds, apart, shipped, watch)
    heads, strengths, learned = dict(shipped.heads), {}, dict(raw)
    for stream in clips.heads:
        found = _own_head(group, stream, raw[stream])
        if found is not None:
            strengths[stream], heads[stream], learned[stream] = found
    rows = {stream: said[chosen] for stream, said in learned.items()}
    before = {stream: said[chosen] for stream, said in raw.items()}
    fusion = _own_fusion(group, before, rows, bool(strengths))
    has_own = fusion is not None
    return Own(Models(heads, fusion if has_own else shipped.fusion), strengths, has_own)


class _Group(NamedTuple):
    """Clips to fit on, in folds.

    Attributes:
        clips: All clips.
        chosen: bool (clips,), those to fit on.
        folds: int (clips,), below 0 where not chosen.
        apart: (clips,), what the folds keep apart.
        shipped: What ships.
        watch: Called after each head.
    """

    clips: LabelledClips
    chosen: np.ndarray
    folds: np.ndarray
    apart: np.ndarray
    shipped: Models
    watch: Watch

    def sides(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield train and test rows, bool (clips,), of each fold."""
        for fold in range(self.folds.max() + 1):
            test = self.folds == fold
            train = self.chosen & ~test
            check_disjoint(train=self.apart[train], test=self.apart[test])
            yield train, test

    def is_better(self, new: np.ndarray, old: np.ndarray) -> bool:
        """Whether losses are smaller by more than a standard error, over speakers and over clips.

        Args:
            new: (clips,), NaN where nothing is said.
            old: The same of what ships.
        """
        there = np.isfinite(new) & np.isfinite(old)
        gain, apart = (old - new)[there], self.apart[there]
        of_each = np.array([gain[apart == name].mean() for name in np.unique(apart)])
        return min(_surely(gain), _surely(of_each) if len(of_each) > 1 else np.inf) > 0


def _surely(gains: np.ndarray) -> float:
    """Return the mean less its standard error; less than nothing of fewer than two."""
    if len(gains) < 2:
        return -np.inf
    return float(gains.mean() - gains.std(ddof=1) / np.sqrt(len(gains)))


def _files(clips: LabelledClips) -> np.ndarray:
    return np.array([str(label.path) for label in clips.labels])


def _own_head(
    group: _Group, stream: str, shipped: np.ndarray
) -> tuple[float, LinearHead, np.ndarray] | None:
    """Return strength, head, and what such heads say of clips that they did not meet.

    None where the head that ships stays.
    """
    seen, before = group.clips.heads[stream], group.shipped.heads[stream]
    calibration = group.shipped.fusion.calibrations[stream]
    there = group.chosen & seen.there
    truth = group.clips.truth
    if there.sum() < _LEAST_CLIPS or len(set(group.apart[there])) < 2:
        return None
    teacher = Teacher(seen.rows(before), truth, before, seen.classes, calibration)
    said = np.full((len(STRENGTHS), *shipped.shape), np.nan)
    for train, test in group.sides():
        if len(set(truth[train & seen.there])) < 2:
            return None
        for number, head in enumerate(heads_of(teacher.of(train), STRENGTHS)):
            said[number, test] = seen.posteriors(head)[test]
            group.watch()
    # Each as sure as it should be: what is merely surer is the fusion's to learn, and no new head.
    candidates = [_at_best(truth, calibration.apply(one), there) for one in said]
    old = _at_best(truth, calibration.apply(shipped), there)
    best = int(np.argmin([np.nanmean(loss) for loss in candidates]))
    is_less_right = _right(truth, said[best], there) < _right(truth, shipped, there)
    if is_less_right or not group.is_better(candidates[best], old):
        return None
    *_, head = heads_of(teacher.of(group.chosen), STRENGTHS[: best + 1])
    group.watch()
    return STRENGTHS[best], head, said[best]


def _at_best(truth: np.ndarray, posteriors: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return losses (clips,) at the temperature that fits best; NaN where not `there`."""
    said = posteriors[there]
    temperature = fit_temperature(truth[there], said, np.ones(len(said)))
    losses = np.full(len(truth), np.nan)
    losses[there] = log_loss(truth[there], at_temperature(said, temperature))
    return losses


def _right(truth: np.ndarray, posteriors: np.ndarray, there: np.ndarray) -> int:
    return int((posteriors[there].argmax(1) == truth[there]).sum())


def _own_fusion(
    group: _Group,
    before: Mapping[str, np.ndarray],
    learned: Mapping[str, np.ndarray],
    is_needed: bool,
) -> LogLinearFusion | None:
    """Return a new fusion; None where the one that ships stays.

    Args:
        group: The clips.
        before: Stream -> what its shipped network says of the chosen clips.
        learned: The same of the networks that are to be joined, for people they did not meet.
        is_needed: Whether heads are new: the weights that ship were fitted for others, and the new
            ones are held to them all the more, the fewer clips there are.
    """
    fusion, truth = group.shipped.fusion, group.clips.truth[group.chosen]
    if not is_needed and not _gains(group, learned):
        return None
    return fit_own_fusion(fusion, before, learned, truth)


def _gains(group: _Group, learned: Mapping[str, np.ndarray]) -> bool:
    """Whether a fusion that is fitted on other people's clips is better than the one that ships."""
    fusion, truth = group.shipped.fusion, group.clips.truth[group.chosen]
    loss = np.full(len(group.chosen), np.nan)
    for train, test in group.sides():
        rows, judged = train[group.chosen], test[group.chosen]
        fitted = fit_own_fusion(fusion, _of(learned, rows), _of(learned, rows), truth[rows])
        loss[test] = log_loss(truth[judged], judge(fitted, _of(learned, judged))["fused"])
    old = np.full(len(group.chosen), np.nan)
    old[group.chosen] = log_loss(truth, judge(fusion, learned)["fused"])
    return group.is_better(loss, old)


def _of(posteriors: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    return {stream: said[rows] for stream, said in posteriors.items()}


class Judged(NamedTuple):
    """What is said of all clips by models that met none of those whom they judge.

    Attributes:
        folds: int (clips,), from 1.
        own: Stream or "fused" -> (clips, 7).
        shipped: The same of what ships.
        changed: What was chosen in each fold.
    """

    folds: np.ndarray
    own: dict[str, np.ndarray]
    shipped: dict[str, np.ndarray]
    changed: tuple[Own, ...]


def out_of_fold(clips: LabelledClips, shipped: Models, watch: Watch = lambda: None) -> Judged:
    """Judge the recipe: each speaker's clips by what was fitted on the others'."""
    folds = fold_numbers(clips.apart, FOLDS)
    before = judge(shipped.fusion, raw_posteriors(shipped, clips))
    own = {stream: np.full_like(said, np.nan) for stream, said in before.items()}
    fitted = []
    for fold in range(folds.max() + 1):
        test = folds == fold
        check_disjoint(train=clips.apart[~test], test=clips.apart[test])
        fitted.append(fit_own(clips, ~test, shipped, watch))
        models = fitted[-1].models
        said = judge(models.fusion, raw_posteriors(models, clips))
        for stream, posterior in said.items():
            own[stream][test] = posterior[test]
    return Judged(folds + 1, own, before, tuple(fitted))
