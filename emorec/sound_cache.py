"""A corpus's sound, decoded once and kept as 16-bit samples in one file.

Decoding thousands of compressed clips takes minutes, and a training that is cut into short runs
would pay that for each of them. The cache is work in progress (`Models/*/work/`): it is never
committed, and one that does not fit is refused rather than read wrongly.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from emorec import speech
from emorec.media import read_sound
from emorec.model_folder import write_atomically

VERSION = 1
"""Goes up when what a cache holds, or how, changes."""
_FULL_SCALE = 32767


class StaleCacheError(ValueError):
    """A cache that was made by another version or for other clips; the message says what to do."""

    def __init__(self, file: Path, reason: str):
        super().__init__(f"{file}: {reason}. Remedy: delete the file; it is made again.")


def read_sounds_once(
    table: pd.DataFrame, file: Path, sample_rate_hz: int = speech.VOICE.sample_rate_hz
) -> list[np.ndarray]:
    """Return each clip's sound; the first call decodes, later ones read `file`.

    Args:
        table: Clips, with `path` and `clip_id`.
        file: The cache, `.npz`; written where there is none.
        sample_rate_hz: Rate wanted.

    Returns:
        One float32 array (samples,) per row, mono, within [-1, 1], as 16 bits keep it.

    Raises:
        StaleCacheError: If the cache is of another version or rate, or of other clips.
        emorec.media.MediaError: If a clip cannot be read.
    """
    file = Path(file)
    if not file.exists():
        _write(table, file, sample_rate_hz)
    with np.load(file, allow_pickle=False) as kept:
        _check(kept, table, file, sample_rate_hz)
        ends = np.cumsum(kept["lengths"])
        samples = kept["samples"]
    parts = np.split(samples, ends[:-1])
    return [part.astype(np.float32) / _FULL_SCALE for part in parts]


def _write(table: pd.DataFrame, file: Path, sample_rate_hz: int) -> None:
    sounds = []
    for path in tqdm(table["path"], "reading sound", disable=None):
        sound = np.clip(read_sound(path, sample_rate_hz), -1, 1)
        sounds.append(np.rint(sound * _FULL_SCALE).astype(np.int16))
    content = {
        "version": VERSION,
        "sample_rate_hz": sample_rate_hz,
        "clip_id": table["clip_id"].to_numpy(str),
        "lengths": [len(sound) for sound in sounds],
        "samples": np.concatenate(sounds),
    }
    write_atomically(file, lambda name: np.savez(name, **content))


def _check(kept, table: pd.DataFrame, file: Path, sample_rate_hz: int) -> None:
    found = int(kept["version"]) if "version" in kept else None
    if found != VERSION:
        raise StaleCacheError(file, f"it is of version {found}, and {VERSION} is read here")
    if int(kept["sample_rate_hz"]) != sample_rate_hz:
        raise StaleCacheError(
            file, f"it holds {kept['sample_rate_hz']} Hz, and {sample_rate_hz} Hz are wanted"
        )
    if kept["clip_id"].tolist() != table["clip_id"].tolist():
        raise StaleCacheError(
            file, f"it holds {len(kept['clip_id'])} other clips than the {len(table)} of the table"
        )
