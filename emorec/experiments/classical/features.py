"""The features of a whole corpus and of altered copies of each take, kept from run to run.

python -m emorec.experiments.classical.features  # RAVDESS; a cut run goes on with the next speaker

One file per speaker, NumPy arrays without pickle, stamped with the version of the features. A
file of another version, or of other takes, is refused with the remedy: nothing is ever trained on
columns that mean something else.
"""

import argparse
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from emorec.corpora import ravdess
from emorec.emotions import RAVDESS8
from emorec.experiments.classical import copies as copies_classical
from emorec.features import voice as voice_features
from emorec.features import voice_classical
from emorec.files import kept_or_made
from emorec.media.reader import read_sound
from emorec.paths import COMPARISONS

__all__ = ["CACHE_FOLDER", "KINDS", "VoiceFeatures", "class_codes", "extract"]

CACHE_FOLDER = COMPARISONS / "classical_voice" / "work"
KINDS = ("plain", *copies_classical.COPY_KINDS)
"""The take as it is, and its copies, in the order of the arrays' second axis."""

_ARRAYS = ("means_26", "means_162", "frames_162", "windows_26", "window_loudness", "window_take")


@dataclass(frozen=True)
class VoiceFeatures:
    """Features of a table's takes, in the table's order.

    Attributes:
        table: One row per take: `clip_id`, `speaker`, `emotion`.
        means_26: (takes, kinds, 26) float32; the kinds are `KINDS`.
        means_162: (takes, kinds, 162) float32.
        frames_162: (takes, kinds, 108, 162) float16.
        windows_26: (windows, 26) float32, of the sliding windows that the recogniser hears.
        window_loudness: (windows,) float32.
        window_take: (windows,) int, the row of the take that each belongs to.
    """

    table: pd.DataFrame
    means_26: np.ndarray
    means_162: np.ndarray
    frames_162: np.ndarray
    windows_26: np.ndarray
    window_loudness: np.ndarray
    window_take: np.ndarray


def class_codes(emotions: Sequence[str], classes: Sequence[str] = RAVDESS8) -> np.ndarray:
    """Return the index of each emotion among the classes, int (n,).

    Raises:
        ValueError: If an emotion is none of them; it is never taken for another.

    Example:
        >>> class_codes(["sad", "angry"]).tolist()
        [6, 0]
    """
    unknown = sorted({str(emotion) for emotion in emotions} - set(classes))
    if unknown:
        raise ValueError(
            f"unknown emotions {unknown}: the classes are {', '.join(classes)}. Remedy: leave "
            "these takes out, or fold them into the classes with `emorec.emotions`."
        )
    return np.array([list(classes).index(emotion) for emotion in emotions], int)


def extract(table: pd.DataFrame, folder: Path = CACHE_FOLDER, *, n_jobs: int = 1) -> VoiceFeatures:
    """Return the features of all takes; speakers whose file lies in `folder` are read.

    Args:
        table: Takes with `path`, `clip_id`, `speaker`, `emotion`.
        folder: Holds one file per speaker.
        n_jobs: Takes that are worked on at once; -1 for one a core.

    Raises:
        emorec.files.StaleCacheError: If a file there is of another version or of other takes.
        ValueError: If an emotion is none of RAVDESS's eight.
    """
    class_codes(table["emotion"])
    table = table.reset_index(drop=True)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in _ARRAYS}
    order, done = [], 0
    with tqdm(total=len(table), desc="voice features", disable=None) as progress:
        for speaker, takes in table.groupby("speaker", sort=True):
            stamp = {
                "version": voice_classical.VERSION,
                "kinds": list(KINDS),
                "takes": takes["clip_id"].tolist(),
            }
            make = partial(_of_takes, takes, progress, n_jobs)
            found = kept_or_made(Path(folder) / f"{speaker}.npz", stamp, make)
            found["window_take"] = found["window_take"] + done
            for name in _ARRAYS:
                parts[name].append(found[name])
            order.append(takes.index.to_numpy())
            done += len(takes)
            progress.update(done - progress.n)
    place = np.argsort(np.concatenate(order))
    joined = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    for name in ("means_26", "means_162", "frames_162"):
        joined[name] = joined[name][place]
    joined["window_take"] = np.concatenate(order)[joined["window_take"]]
    return VoiceFeatures(table, **joined)


def _of_takes(takes: pd.DataFrame, progress: tqdm, n_jobs: int) -> dict[str, np.ndarray]:
    work = (delayed(_of_take)(row.path, row.clip_id) for row in takes.itertuples())
    found = []
    for one in Parallel(n_jobs=n_jobs, return_as="generator")(work):
        found.append(one)
        progress.update()
    columns = list(zip(*found, strict=True))
    windows = [len(loudness) for loudness in columns[4]]
    return {
        **{name: np.stack(columns[i]) for i, name in enumerate(_ARRAYS[:3])},
        "windows_26": np.concatenate(columns[3]),
        "window_loudness": np.concatenate(columns[4]),
        "window_take": np.repeat(np.arange(len(windows)), windows),
    }


def _of_take(path: str, clip_id: str) -> tuple[np.ndarray, ...]:
    """Return the arrays of one take, in the order of `_ARRAYS` but for the last."""
    samples = read_sound(path, voice_classical.SAMPLE_RATE_HZ)
    # Copies depend on the take alone, not on which takes came before it.
    rng = np.random.default_rng(zlib.crc32(clip_id.encode()))
    whole = voice_classical.remove_silence(samples)
    cut = voice_classical.excerpt(samples)
    means_26 = [voice_classical.means_26(s) for s in _with_copies(rng, whole)]
    both = [voice_classical.both_162(s) for s in _with_copies(rng, cut)]
    windows, loudness = windows_26(samples)
    return (
        np.stack(means_26),
        np.stack([means for means, _ in both]),
        np.stack([_fit_frames(frames) for _, frames in both]).astype(np.float16),
        windows,
        loudness,
    )


def _with_copies(rng: np.random.Generator, samples: np.ndarray) -> list[np.ndarray]:
    copies = [
        copies_classical.make_copy(kind, rng, samples) for kind in copies_classical.COPY_KINDS
    ]
    return [samples, *copies]


def windows_26(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut a take into the recogniser's sliding windows.

    Returns:
        The 26 means of each, (windows, 26) float32; loudness, (windows,) float32.
    """
    cutter = voice_features.SlidingWindows(voice_classical.SAMPLE_RATE_HZ)
    windows = [window.samples for window in [*cutter.push(samples), *cutter.finish()]]
    features = [voice_classical.means_26(voice_classical.remove_silence(w)) for w in windows]
    return np.stack(features), np.array([voice_features.loudness(w) for w in windows], np.float32)


def _fit_frames(frames: np.ndarray) -> np.ndarray:
    """Cut frames to the excerpt's number, or go on with the lowest value of each column."""
    missing = voice_classical.EXCERPT_FRAMES - len(frames)
    if missing <= 0:
        return frames[: voice_classical.EXCERPT_FRAMES]
    return np.concatenate([frames, np.repeat(frames.min(0, keepdims=True), missing, axis=0)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Extract the features of RAVDESS speech."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", type=int, default=1, help="takes at once; -1: one a core (1)")
    found = extract(ravdess.load_sound_table(), n_jobs=parser.parse_args(arguments).jobs)
    print(f"{len(found.table)} takes, {len(KINDS)} kinds, {len(found.windows_26)} windows")


if __name__ == "__main__":
    main()
