"""How much a few clips of a new speaker help: each speaker's own mean is taken out.

A face at rest, or a voice's usual pitch, differs between people more than emotions change it. If
the mean of a person's statistics is known, it can be subtracted. With few clips it is known
badly, so it is shrunk towards the mean of all people: by the ratio of the variance between people
to that of the estimate (empirical Bayes, Efron & Morris 1975). Without a clip nothing but the
common mean is left, and the model is the plain one.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emorec.avatar.synthetic import synthetic_landmarks
from emorec.corpora import ravdess
from emorec.errors import CorpusMissingError
from emorec.evaluation import scores as evaluation
from emorec.evaluation.splits import RAVDESS_BLOCKS, check_disjoint, is_actor, speaker_folds
from emorec.features import voice as voice_features
from emorec.features.geometry import align
from emorec.media.reader import read_sound
from emorec.speaker import calibration

UNLABELLED, NEUTRAL = "any", "neutral"
"""What a new speaker gives: clips of any emotion, unknown which, or neutral ones."""

CLIP_COUNTS = (0, 1, 2, 4, 8)
_TRAINING_DRAWS = 3
_TEST_DRAWS = 5
_SHRINKAGE = 0.2


def landmark_statistics(tracks: Sequence[np.ndarray]) -> np.ndarray:
    """Return mean and deviation over each take of its eye-aligned landmarks.

    Args:
        tracks: (frames, 68, 2) pixels each.

    Returns:
        float32 (takes, 272).
    """
    rows = []
    for track in tracks:
        shape = align(track)[0].reshape(len(track), -1)
        rows.append(np.concatenate([shape.mean(0), shape.std(0)]))
    return np.asarray(rows, np.float32)


def sound_statistics(sounds: Sequence[np.ndarray]) -> np.ndarray:
    """Return mean, deviation and deviation of change over each take of its log-mel bands.

    Frames more than 50 dB below the loudest are left out: they are pauses.

    Args:
        sounds: float32 (n,) each, at the rate of `emorec.features.voice.VOICE`.

    Returns:
        float32 (takes, 3 x bands).
    """
    rows = []
    for sound in sounds:
        decibel = voice_features.log_mel(sound, voice_features.VOICE)
        level = decibel.max(0)
        heard = voice_features.standardize_log_mel(decibel)[:, level > level.max() - 50]
        change = np.diff(heard, axis=1) if heard.shape[1] > 1 else np.zeros((len(heard), 1))
        rows.append(np.concatenate([heard.mean(1), heard.std(1), change.std(1)]))
    return np.asarray(rows, np.float32)


class PersonalMean:
    """Estimates a person's mean from a few clips; fitted on the clips of other people.

    Args:
        features: (n, d) of the people to learn from.
        speakers: (n,) whose.
        usable: bool (n,), clips of the kind that a new person will give.
    """

    def __init__(self, features: np.ndarray, speakers: np.ndarray, usable: np.ndarray):
        people = np.unique(speakers)
        means = np.stack([features[speakers == person].mean(0) for person in people])
        given = np.stack([features[(speakers == p) & usable].mean(0) for p in people])
        self._common = means.mean(0)
        # Neutral clips lie beside a person's mean over all emotions, by about this much.
        self._offset = (given - means).mean(0)
        within = np.stack([features[(speakers == p) & usable].var(0) for p in people])
        self._noise = within.mean(0) + 1e-12
        self._between = means.var(0)
        self._offset_noise = (given - means - self._offset).var(0)

    def estimate(self, clips: np.ndarray) -> np.ndarray:
        """Return the person's mean (d,) from clips (k, d), k from 0 on."""
        if not len(clips):
            return self._common
        noise = self._noise / len(clips) + self._offset_noise
        share = self._between / (self._between + noise)
        return self._common + share * (clips.mean(0) - self._offset - self._common)


def centre(
    features: np.ndarray,
    speakers: np.ndarray,
    usable: np.ndarray,
    personal_mean: PersonalMean,
    count: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Take each speaker's mean out, estimated from `count` clips drawn among the usable ones.

    Returns:
        Centred features (n, d), and bool (n,): the clips that were drawn.
    """
    centred, drawn = np.empty_like(features), np.zeros(len(features), bool)
    for person in np.unique(speakers):
        own = np.flatnonzero(speakers == person)
        pool = own[usable[own]]
        chosen = rng.choice(pool, min(count, len(pool)), replace=False)
        drawn[chosen] = True
        centred[own] = features[own] - personal_mean.estimate(features[chosen])
    return centred, drawn


def _fit(features: np.ndarray, truth: np.ndarray):
    # Fitted in closed form, and on landmarks a point better than logistic regression.
    classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=_SHRINKAGE)
    return make_pipeline(StandardScaler(), classifier).fit(features, truth)


def out_of_fold_accuracy(
    features: np.ndarray,
    takes: pd.DataFrame,
    count: int,
    given: str = UNLABELLED,
    *,
    blocks=RAVDESS_BLOCKS,
    test_draws: int = _TEST_DRAWS,
    seed: int = 0,
) -> pd.Series:
    """Predict each block of speakers by a linear discriminant analysis trained on the others.

    Training speakers are centred as the new one will be, by as many clips, so that the model
    knows how far the estimate can be trusted. A clip that was given is not scored in that draw;
    where neutral clips are given, no neutral clip is scored at all, whatever the count.

    Args:
        features: (n, d).
        takes: `speaker` and `emotion`, one row each.
        count: How many clips of a new speaker are given.
        given: `UNLABELLED` or `NEUTRAL`.
        blocks: Actors that are predicted together.
        test_draws: How often the given clips are drawn anew.
        seed: Of the draws.

    Returns:
        The accuracy of each speaker, mean over the draws; index: speaker.
    """
    speakers, truth = takes["speaker"].to_numpy(), takes["emotion"].to_numpy()
    neutral = truth == NEUTRAL
    usable = neutral if given == NEUTRAL else np.ones(len(takes), bool)
    unscored = neutral if given == NEUTRAL else np.zeros(len(takes), bool)
    rng = np.random.default_rng(seed)
    parts = []
    for _, train, test in speaker_folds(takes["speaker"], blocks):
        if not test.any():
            continue
        check_disjoint(train=speakers[train], test=speakers[test])
        mean = PersonalMean(features[train], speakers[train], usable[train])
        draws = [
            centre(features[train], speakers[train], usable[train], mean, count, rng)[0]
            for _ in range(_TRAINING_DRAWS if count else 1)
        ]
        model = _fit(np.concatenate(draws), np.tile(truth[train], len(draws)))
        for _ in range(test_draws if count else 1):
            centred, drawn = centre(features[test], speakers[test], usable[test], mean, count, rng)
            counted = ~(drawn | unscored[test])
            right = model.predict(centred) == truth[test]
            parts.append(pd.Series(right[counted], index=speakers[test][counted]))
    return pd.concat(parts).groupby(level=0).mean()


def study(
    features: np.ndarray,
    takes: pd.DataFrame,
    given: str = UNLABELLED,
    counts: Sequence[int] = CLIP_COUNTS,
    resamples: int = 1000,
    **options,
) -> pd.DataFrame:
    """Measure accuracy against the number of given clips.

    Args:
        features: (n, d).
        takes: `speaker` and `emotion`, one row each.
        given: `UNLABELLED` or `NEUTRAL`.
        counts: Numbers of clips; the gain is over the first.
        resamples: For the 95 % intervals, bootstrapped over speakers.
        **options: Of `out_of_fold_accuracy`.

    Returns:
        One row per number: `clips`, `accuracy`, `low`, `high`, `gain`, `gain_low`, `gain_high`;
        the gain's interval is that of the speakers' own differences.
    """
    by_count = {n: out_of_fold_accuracy(features, takes, n, given, **options) for n in counts}
    return _with_intervals(by_count, resamples)


def shipped_accuracy(
    predictions: pd.DataFrame, count: int, given: str = UNLABELLED, draws: int = 20, seed: int = 0
) -> pd.Series:
    """Score out-of-fold predictions after `emorec.speaker.calibration`, as the recogniser does it.

    What is usual is learned from the other folds' speakers. Clips that were given are not scored,
    and where neutral ones are given, no neutral clip is.

    Args:
        predictions: A prediction table with folds.
        count: How many clips of each speaker are given.
        given: `UNLABELLED` or `NEUTRAL`.
        draws: How often they are drawn anew.
        seed: Of the draws.

    Returns:
        The accuracy of each speaker, mean over the draws; index: speaker.
    """
    posteriors = predictions[list(evaluation.classes_of(predictions))].to_numpy()
    right_class = [evaluation.classes_of(predictions).index(name) for name in predictions["truth"]]
    neutral = (predictions["truth"] == NEUTRAL).to_numpy()
    usable = neutral if given == NEUTRAL else np.ones(len(neutral), bool)
    unscored = neutral if given == NEUTRAL else np.zeros(len(neutral), bool)
    rng, accuracy = np.random.default_rng(seed), {}
    for (fold, person), rows in predictions.groupby(["fold", "speaker"]).indices.items():
        usual = calibration.mean_log(posteriors[predictions["fold"] != fold])
        shares = []
        for _ in range(draws if count else 1):
            pool = rows[usable[rows]]
            clips = rng.choice(pool, min(count, len(pool)), replace=False)
            scored = np.setdiff1d(rows[~unscored[rows]], clips)
            found = posteriors[scored]
            if count:
                bias = calibration.personal_bias(posteriors[clips], usual)
                found = calibration.without_bias(found, bias)
            shares.append((found.argmax(1) == np.asarray(right_class)[scored]).mean())
        accuracy[person] = np.mean(shares)
    return pd.Series(accuracy)


def study_shipped(
    tables: Mapping[str, pd.DataFrame],
    counts: Sequence[int] = CLIP_COUNTS,
    draws: int = 20,
    resamples: int = 1000,
) -> pd.DataFrame:
    """Measure what `Recognizer.calibrate` gains, on committed out-of-fold predictions.

    Args:
        tables: Label -> prediction table.
        counts: Numbers of clips; of neutral ones at most 4, for a speaker of RAVDESS has no more.
        draws: See `shipped_accuracy`.
        resamples: See `study`.

    Returns:
        As `study_all`.
    """
    parts = []
    for label, table in tables.items():
        for given in (UNLABELLED, NEUTRAL):
            asked = [count for count in counts if given == UNLABELLED or count <= 4]
            by_count = {n: shipped_accuracy(table, n, given, draws) for n in asked}
            parts.append(_with_intervals(by_count, resamples).assign(features=label, given=given))
    return pd.concat(parts).set_index(["features", "given", "clips"]).sort_index()


def _with_intervals(by_count: Mapping[int, pd.Series], resamples: int) -> pd.DataFrame:
    """Turn each speaker's accuracy by count into means and gains over the first, bootstrapped."""
    first, rows = next(iter(by_count.values())).to_numpy(), []
    drawn = evaluation.resampled_units(len(first), resamples)
    for count, accuracy in by_count.items():
        values = accuracy.to_numpy()
        low, high = np.quantile(values[drawn].mean(1), [0.025, 0.975])
        gain_low, gain_high = np.quantile((values - first)[drawn].mean(1), [0.025, 0.975])
        rows.append(
            {
                "clips": count,
                "accuracy": values.mean(),
                "low": low,
                "high": high,
                "gain": (values - first).mean(),
                "gain_low": gain_low,
                "gain_high": gain_high,
            }
        )
    return pd.DataFrame(rows)


def load_inputs(actors: Sequence[int]) -> dict[str, tuple]:
    """Return what can be calibrated: label -> features (n, d) and their takes.

    Landmarks and log-mel statistics of RAVDESS. Where the corpus is missing, made-up landmarks
    take its place, and the label says so.

    Args:
        actors: Of RAVDESS.
    """
    inputs = {}
    try:
        takes, tracks = ravdess.load_landmarks(actors=actors)
        inputs["landmarks"] = landmark_statistics(tracks), takes
        takes = ravdess.load_sound_table()
        takes = takes[is_actor(takes["speaker"], actors)].reset_index(drop=True)
        sounds = [read_sound(path, voice_features.VOICE.sample_rate_hz) for path in takes["path"]]
        inputs["log-mel"] = sound_statistics(sounds), takes
    except CorpusMissingError:
        takes, tracks = synthetic_landmarks(actors, 2)
        inputs["MADE-UP landmarks"] = landmark_statistics(tracks), takes
    return inputs


def study_all(inputs: Mapping[str, tuple], counts: Sequence[int] = CLIP_COUNTS) -> pd.DataFrame:
    """Study every input, with unlabelled and with neutral clips.

    Of neutral clips a speaker of RAVDESS has four, so larger counts are left out there.

    Returns:
        `study`'s columns; index: features, given, clips.
    """
    parts = []
    for label, (features, takes) in inputs.items():
        numbers = sorted(int(name[-2:]) for name in takes["speaker"].unique())
        blocks = [numbers[i : i + 4] for i in range(0, len(numbers), 4)]
        if len(blocks) == 1:
            blocks = [numbers[:2], numbers[2:]]
        for given in (UNLABELLED, NEUTRAL):
            asked = [count for count in counts if given == UNLABELLED or count <= 4]
            found = study(features, takes, given, asked, blocks=blocks)
            parts.append(found.assign(features=label, given=given))
    return pd.concat(parts).set_index(["features", "given", "clips"]).sort_index()
