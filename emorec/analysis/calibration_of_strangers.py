"""What `Recognizer.calibrate` is worth on corpora that the voice was not trained on.

python -m emorec.analysis.calibration_of_strangers    # Models/comparisons/strangers/calibration.csv

Clips of each speaker are drawn without their labels, and the speaker's other clips are judged with
and without what they teach. Or all are drawn from one emotion: then it is asked what becomes of
the other clips, and what of those that show this emotion again, which is where harm is done. How
many draws of either kind are warned of is counted too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from emorec.emotions import COMMON7
from emorec.errors import run_main
from emorec.evaluation import scores as evaluation
from emorec.evaluation.left_out import CORPORA_NAMES, left_out_voice
from emorec.files import write_table
from emorec.paths import MODELS
from emorec.speaker import calibration

FILE = "comparisons/strangers/calibration.csv"
COMMAND = "python -m emorec.analysis.calibration_of_strangers"
CLIP_COUNTS = (0, 1, 2, 4, 8, 16)
MIXED, ONE_EMOTION, IT_AGAIN = "any", "one emotion", "one emotion, judged on it"
"""What is drawn: clips of any emotion, or of one; and whether it alone is judged."""
DRAWS = 40
CORPORA = tuple(CORPORA_NAMES.values())
"""By the fold of the left-out predictions, from 1 on."""

Draw = Callable[[np.ndarray, int, np.random.Generator], tuple[np.ndarray, np.ndarray] | None]
"""Draws a number of clips by their truth: those that are given, and those that are judged."""


@dataclass(frozen=True)
class Clips:
    """One speaker's clips, or a whole corpus's.

    Attributes:
        posteriors: (n, 7) over COMMON7.
        truth: (n,) index of each clip's class.
    """

    posteriors: np.ndarray
    truth: np.ndarray

    def of(self, rows: np.ndarray) -> "Clips":
        """Return some of the clips."""
        return Clips(self.posteriors[rows], self.truth[rows])

    def right(self) -> float:
        """Return the share of verdicts that are right."""
        return float((self.posteriors.argmax(1) == self.truth).mean())


def draw_mixed(truth, count, rng):
    """Draw clips whatever their emotion, and judge the others; None where none is left."""
    if count >= len(truth):
        return None
    given = rng.choice(len(truth), count, replace=False)
    return given, np.setdiff1d(np.arange(len(truth)), given)


def draw_one_emotion(truth, count, rng):
    """Draw clips of one emotion, itself drawn, and judge all others; None without so many."""
    enough = np.flatnonzero(np.bincount(truth) >= max(count, 1))
    if not len(enough):
        return None
    given = rng.choice(np.flatnonzero(truth == rng.choice(enough)), count, replace=False)
    return given, np.setdiff1d(np.arange(len(truth)), given)


def draw_it_again(truth, count, rng):
    """Draw clips of one emotion, and judge the others of it; None without one more."""
    enough = np.flatnonzero(np.bincount(truth) > count)
    if not len(enough):
        return None
    shuffled = rng.permutation(np.flatnonzero(truth == rng.choice(enough)))
    return shuffled[:count], shuffled[count:]


DRAWN: dict[str, Draw] = {
    MIXED: draw_mixed,
    ONE_EMOTION: draw_one_emotion,
    IT_AGAIN: draw_it_again,
}


def of_speaker(
    clips: Clips, usual: np.ndarray, count: int, draw: Draw, draws: int, rng: np.random.Generator
) -> tuple[float, float, float] | None:
    """Judge a speaker's other clips before and after getting to know the speaker.

    Args:
        clips: The speaker's.
        usual: (7,), `calibration.mean_log` over other corpora.
        count: How many clips are drawn.
        draw: One of `DRAWN`.
        draws: How often they are drawn anew.
        rng: Draws.

    Returns:
        Shares of right verdicts before and after, on the same clips, and the share of the draws
        that look alike; means over the draws. None where there are too few clips.
    """
    found = []
    for _ in range(draws):
        drawn = draw(clips.truth, count, rng)
        if drawn is None:
            return None
        shown, before = clips.posteriors[drawn[0]], clips.of(drawn[1])
        if not count:
            return before.right(), before.right(), float("nan")
        known = calibration.without_bias(before.posteriors, calibration.personal_bias(shown, usual))
        after = Clips(known, before.truth)
        found.append((before.right(), after.right(), calibration.look_alike(shown)))
    return tuple(np.mean(found, axis=0))


def study(
    predictions: pd.DataFrame,
    counts: tuple[int, ...] = CLIP_COUNTS,
    draws: int = DRAWS,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure on each corpus what getting to know its speakers gains or loses.

    Args:
        predictions: Prediction table over COMMON7; `fold` is the number of the corpus, which was
            left out of training.
        counts: Numbers of clips that are given.
        draws: How often each speaker's are drawn anew.
        resamples: For 95 % intervals, bootstrapped over the speakers of each corpus.
        seed: Of draws and resamples.

    Returns:
        A row for each corpus (and the mean of those that took part), kind of draw and count:
        `corpus`, `given`, `clips`, `speakers`, then in percent `before` and `after`, `gain` with
        `gain_low` and `gain_high`, and `warned`, the share of draws that look alike.
    """
    rng, rows = np.random.default_rng(seed), []
    usual = {fold: _usual_without(predictions, fold) for fold in predictions["fold"].unique()}
    for (given, draw), count in ((kind, n) for kind in DRAWN.items() for n in counts):
        if given != MIXED and not count:
            continue
        parts = []
        for fold, clips in predictions.groupby("fold"):
            measured = [
                of_speaker(own, usual[fold], count, draw, draws, rng) for own in _speakers(clips)
            ]
            found = np.array([values for values in measured if values is not None])
            if not len(found):
                continue
            gain = found[:, 1] - found[:, 0]
            gains = gain[evaluation.resampled_units(len(gain), resamples, seed)].mean(1)
            parts.append((len(found), found.mean(0), gains))
            name = CORPORA[int(fold) - 1]
            rows.append({"corpus": name, "given": given, "clips": count, **_row(*parts[-1])})
        if not parts:
            continue
        speakers, means, gains = zip(*parts, strict=True)
        joined = sum(speakers), np.mean(means, axis=0), np.mean(gains, axis=0)
        name = f"{len(parts)} corpora, alike"
        rows.append({"corpus": name, "given": given, "clips": count, **_row(*joined)})
    return pd.DataFrame(rows)


def _row(speakers: int, means: np.ndarray, gains: np.ndarray) -> dict:
    """Turn the means over speakers and the resampled gains into columns, in percent."""
    before, after, warned = 100 * means
    low, high = 100 * np.quantile(gains, [0.025, 0.975])
    numbers = {"before": before, "after": after, "gain": after - before}
    numbers |= {"gain_low": low, "gain_high": high, "warned": warned}
    return {"speakers": speakers, **{name: round(float(v), 2) for name, v in numbers.items()}}


def _clips(table: pd.DataFrame) -> Clips:
    truth = table["truth"].map({name: code for code, name in enumerate(COMMON7)})
    return Clips(table[list(COMMON7)].to_numpy(), truth.to_numpy())


def _speakers(table: pd.DataFrame) -> Iterator[Clips]:
    for _, own in table.groupby("speaker"):
        yield _clips(own)


def _usual_without(predictions: pd.DataFrame, fold: int) -> np.ndarray:
    """What the voice says of people at large, learned as for the fusion from other corpora."""
    others = predictions[predictions["fold"] != fold].groupby("fold")
    return np.mean([calibration.mean_log(_clips(own).posteriors) for _, own in others], axis=0)


def main(models: Path = MODELS) -> None:
    """Measure, write, tell."""
    found = study(left_out_voice(models))
    write_table(models / FILE, found)
    print(found.to_string(index=False))


if __name__ == "__main__":
    run_main(main)
