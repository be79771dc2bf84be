"""Looks at every clip of the corpora and finds the odd ones by itself.

A corpus's documentation says what should be there; this module says what is: takes in another
format than their neighbours, silence, recordings that stand under two labels, takes that are
missing, clips shorter than the window of the voice network, files that cannot be read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from matplotlib.axes import Axes
from tqdm import tqdm

from emorec.corpora.corpus import Corpus
from emorec.corpora.registry import COLUMNS, corpora
from emorec.errors import MediaError
from emorec.evaluation.plots import COLOURS
from emorec.features import voice as voice_features
from emorec.features.voice import is_silent
from emorec.media import reader as media_reader

FINDINGS = {
    "unreadable": "the file cannot be read",
    "cut short": "it ends well before the length that it states",
    "silent": "its sound stays below -60 dBFS",
    "other format": "its channels or sample rate differ from most of its corpus",
    "short": f"it is shorter than the {voice_features.WINDOW_S:.0f} s window; the rest is padded",
    "two labels": "the same recording or picture stands under another emotion too",
    "repeated": "the same recording or picture stands there again under the same emotion",
    "across splits": "the same picture stands in two splits",
    "unplanned name": "its name is none that the corpus's own plan gives",
    "band-limited": "the corpus's sound stops well below what its sample rate could hold",
    "missing": "it belongs to the complete corpus and is not there",
}
"""Finding -> what it means; in the order of the report."""

MISSING_TAKE = "other clips of its speaker are there"
MISSING_SPEAKER = "no clip of its speaker is there"

# A sound whose power stays this far below its strongest band counts as stopped.
_FLOOR_DB = -60.0
_BAND_HZ = 100
_FRAME = 2048
_SHORTEST_LOSS_S = 0.5
# Sound that stops below this share of half the sample rate was band-limited by somebody.
_BAND_LIMITED_SHARE = 0.5


def measure(table: pd.DataFrame, n_jobs: int = -1) -> pd.DataFrame:
    """Open every clip and every single picture of a table.

    Args:
        table: As `emorec.corpora.registry.list_corpora` gives it.
        n_jobs: Processes to use, -1 for one per core.

    Returns:
        The table with `duration_s`, `channels` and `sample_rate_hz` filled in, and with
        `level_dbfs` (root mean square of the whole clip), `bandwidth_hz` (up to where the sound
        holds anything), `silent`, `stated_s` (the length that the file states), `digest` (equal
        for equal content) and `problem` (why a file could not be read, else None).
    """
    played = {corpus.name for corpus in corpora() if corpus.is_played}
    is_sound = table["corpus"].isin(played)
    is_picture = table["path"].str.lower().str.endswith((".png", ".jpg"))
    work = [
        delayed(_measure_sound if sound else _measure_picture)(path)
        for path, sound in zip(
            table.loc[is_sound | is_picture, "path"],
            is_sound[is_sound | is_picture],
            strict=True,
        )
    ]
    done = Parallel(n_jobs=n_jobs, return_as="generator")(work)
    facts = list(tqdm(done, total=len(work), desc="Measuring", unit="clip", disable=None))
    measured = pd.DataFrame(facts, index=table.index[is_sound | is_picture], dtype=object)
    # Whole columns may be missing in one corpus and numbers in another.
    table = table.astype(object)
    columns = ("split", "level_dbfs", "bandwidth_hz", "silent", "stated_s", "digest", "problem")
    for column in columns:
        if column not in table:
            table[column] = None
    for column in measured:
        table.loc[measured.index, column] = measured[column]
    table["silent"] = table["silent"].fillna(False).astype(bool)
    numbers = ["duration_s", "channels", "sample_rate_hz", "level_dbfs", "bandwidth_hz", "stated_s"]
    table[numbers] = table[numbers].apply(pd.to_numeric)
    return table


def _measure_sound(path: str) -> dict:
    """Decode a clip's whole sound and tell what is in it."""
    try:
        info = media_reader.probe(path)
        if not info.has_sound:
            return {"duration_s": info.duration_s, "channels": 0, "digest": None, "problem": None}
        sound = media_reader.read_sound(path, info.sample_rate_hz)
    except MediaError as error:
        return {"problem": error.reason}
    if not len(sound):
        return {"problem": "no sound in it can be decoded"}
    return {
        "duration_s": len(sound) / info.sample_rate_hz,
        "channels": info.channels,
        "sample_rate_hz": info.sample_rate_hz,
        "level_dbfs": 20 * np.log10(max(voice_features.loudness(sound), 1e-6)),
        "bandwidth_hz": bandwidth_hz(sound, info.sample_rate_hz),
        "silent": is_silent(sound, info.sample_rate_hz),
        "stated_s": info.duration_s,
        "digest": hashlib.sha1((sound * 32767).astype(np.int16).tobytes()).hexdigest(),
        "problem": None,
    }


def _measure_picture(path: str) -> dict:
    picture = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    if picture is None:
        return {"problem": "it is no picture"}
    return {"digest": hashlib.sha1(picture.tobytes()).hexdigest(), "problem": None}


def bandwidth_hz(sound: np.ndarray, sample_rate_hz: int) -> float:
    """Tell up to which frequency a sound holds anything, in steps of 100 Hz.

    Args:
        sound: float32 (n,).
        sample_rate_hz: Its rate.

    Returns:
        The upper edge of the highest band that is not 60 dB below the strongest; 0 for silence.

    Example:
        >>> t = np.arange(16_000) / 16_000
        >>> bandwidth_hz(np.sin(2 * np.pi * 1_050 * t), 16_000)
        1200.0
    """
    if not np.any(sound):
        return 0.0
    # Whole frames only: where a padded one breaks off, every frequency is heard.
    sound = sound if len(sound) >= _FRAME else np.pad(sound, (0, _FRAME - len(sound)))
    frames = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = (np.abs(np.fft.rfft(frames * np.hanning(_FRAME))) ** 2).mean(0)
    band = (np.arange(len(power)) * sample_rate_hz / _FRAME // _BAND_HZ).astype(int)
    by_band = np.bincount(band, power)
    kept = np.flatnonzero(by_band > by_band.max() * 10 ** (_FLOOR_DB / 10))
    return float(min((kept[-1] + 1) * _BAND_HZ, sample_rate_hz / 2))


def find_odd(table: pd.DataFrame) -> pd.DataFrame:
    """Find what is odd in a measured table.

    Args:
        table: As `measure` gives it.

    Returns:
        One row per finding: `corpus`, `finding` (a key of `FINDINGS`), `clip_id` (None where it
        is about the whole corpus), `detail`.
    """
    rows = []
    for corpus in corpora():
        part = table[table["corpus"] == corpus.name]
        if len(part):
            found = [*_odd_clips(part), *_odd_copies(part), *_odd_plan(corpus, part)]
            rows += [(corpus.name, *finding) for finding in found]
    return pd.DataFrame(rows, columns=["corpus", "finding", "clip_id", "detail"])


def with_status(table: pd.DataFrame, findings: pd.DataFrame) -> pd.DataFrame:
    """Return the tidy table alone, its `status` "ok" or its findings, joined by commas."""
    by_clip = findings.dropna(subset=["clip_id"]).groupby(["corpus", "clip_id"])["finding"]
    status = by_clip.agg(lambda names: ", ".join(dict.fromkeys(names)))
    keys = pd.MultiIndex.from_frame(table[["corpus", "clip_id"]])
    tidy = table[list(COLUMNS)].copy()
    tidy["status"] = status.reindex(keys).fillna("ok").to_numpy()
    return tidy


def summarise(findings: pd.DataFrame) -> pd.DataFrame:
    """Count the findings: one row for each finding, one column for each corpus."""
    counts = findings.groupby(["finding", "corpus"]).size().unstack(fill_value=0)
    found = [corpus.name for corpus in corpora() if corpus.name in counts]
    return counts.reindex(index=[name for name in FINDINGS if name in counts.index])[found]


def _odd_clips(part: pd.DataFrame):
    """Yield what is odd about single clips, beside the others of their corpus."""
    for row in part[part["problem"].notna()].itertuples():
        yield "unreadable", row.clip_id, row.problem
    lost = part[part["stated_s"] - part["duration_s"] > _SHORTEST_LOSS_S]
    for row in lost.itertuples():
        yield "cut short", row.clip_id, f"{row.duration_s:.1f} s of {row.stated_s:.1f} s"
    for row in part[part["silent"]].itertuples():
        yield "silent", row.clip_id, f"{row.level_dbfs:.0f} dBFS"
    for column, unit in (("channels", "channels"), ("sample_rate_hz", "Hz")):
        known = part[part[column].notna()]
        if len(known):
            usual = known[column].mode()[0]
            for row in known[known[column] != usual].itertuples():
                detail = f"{getattr(row, column):.0f} {unit}, most have {usual:.0f}"
                yield "other format", row.clip_id, detail
    for row in part[part["duration_s"] < voice_features.WINDOW_S].itertuples():
        yield "short", row.clip_id, f"{row.duration_s:.2f} s"


def _odd_copies(part: pd.DataFrame):
    """Yield clips and pictures whose content stands in their corpus more than once."""
    known = part[part["digest"].notna() & ~part["silent"]]
    copies = known[known.duplicated("digest", keep=False)]
    for _, group in copies.groupby("digest", sort=False):
        labels = " and ".join(sorted(set(group["emotion"].dropna())))
        finding = "two labels" if group["emotion"].nunique() > 1 else "repeated"
        splits = sorted(set(group["split"].dropna())) if "split" in group else []
        for clip_id in group["clip_id"]:
            others = ", ".join(other for other in group["clip_id"] if other != clip_id)
            yield finding, clip_id, f"{labels}; the same as {others}"
            if len(splits) > 1:
                yield "across splits", clip_id, f"{' and '.join(splits)}; the same as {others}"


def _odd_plan(corpus: Corpus, part: pd.DataFrame):
    """Yield what distinguishes a corpus from the one that its owners describe."""
    rates = part["sample_rate_hz"].median()
    reach_hz = part["bandwidth_hz"].median()
    if reach_hz < _BAND_LIMITED_SHARE * rates / 2:
        yield "band-limited", None, f"half of the clips hold nothing above {reach_hz:.0f} Hz"
    if corpus.planned is None:
        missing = corpus.planned_count - part["clip_id"].nunique()
        if missing > 0:
            yield "missing", None, f"{missing:,} of {corpus.planned_count:,} clips"
        return
    planned = corpus.planned()
    for clip_id in sorted(set(part["clip_id"]) - set(planned)):
        yield "unplanned name", clip_id, Path(part.set_index("clip_id").at[clip_id, "path"]).name
    there = set(part["clip_id"])
    speakers = {corpus.speaker_code(clip_id) for clip_id in there}
    for clip_id in planned:
        if clip_id not in there:
            known = corpus.speaker_code(clip_id) in speakers
            yield "missing", clip_id, MISSING_TAKE if known else MISSING_SPEAKER


def plot_shares(axes: Axes, counts: pd.DataFrame, title: str) -> None:
    """Draw a table of counts as shares of each row, the counts written into the cells.

    Args:
        axes: Where to draw.
        counts: One row per corpus, one column per emotion; 0 where a corpus lacks the emotion.
        title: Heading.
    """
    values = counts.to_numpy(float)
    share = 100 * values / np.maximum(values.sum(1, keepdims=True), 1)
    image = axes.imshow(share, cmap="cividis", vmin=0, aspect="auto")
    for row, column in np.ndindex(share.shape):
        colour = "black" if share[row, column] > 0.55 * share.max() else "white"
        text = f"{values[row, column]:,.0f}" if values[row, column] else "–"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(counts.shape[1]), counts.columns, rotation=45, ha="right")
    axes.set_yticks(range(counts.shape[0]), counts.index)
    axes.set(title=title)
    axes.figure.colorbar(image, ax=axes, label="share of the corpus (%)")


def plot_spread(axes: Axes, values_by_name: Mapping[str, pd.Series], label: str) -> None:
    """Draw the spread of a measure as one lying box per corpus, the first one on top.

    Boxes hold the middle half, whiskers reach from 5 to 95 % of the clips.

    Args:
        axes: Where to draw.
        values_by_name: Corpus -> one value per clip.
        label: The measure, with its unit.
    """
    places = range(1, len(values_by_name) + 1)
    axes.boxplot(
        [values.dropna().to_numpy(float) for values in values_by_name.values()],
        orientation="horizontal",
        whis=(5, 95),
        showfliers=False,
        widths=0.6,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": COLOURS[4]},
        medianprops={"color": "black"},
    )
    axes.set_yticks(places, list(values_by_name))
    axes.set(xlabel=label, ylim=(len(values_by_name) + 0.5, 0.5))
