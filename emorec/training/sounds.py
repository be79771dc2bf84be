"""A corpus's sound, decoded once and kept as 16-bit samples in one file.

Decoding thousands of compressed clips takes minutes, and a training that is cut into short runs
would pay that for each of them.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from emorec.features import voice as voice_features
from emorec.files import kept_or_made
from emorec.media.reader import read_sound

VERSION = 1
"""Goes up when what a cache holds, or how, changes."""
_FULL_SCALE = 32767


def read_sounds_once(
    table: pd.DataFrame, file: Path, sample_rate_hz: int = voice_features.VOICE.sample_rate_hz
) -> list[np.ndarray]:
    """Return each clip's sound; the first call decodes, later ones read `file`.

    Args:
        table: Clips, with `path` and `clip_id`.
        file: The cache, `.npz`; written where there is none.
        sample_rate_hz: Rate wanted.

    Returns:
        One float32 array (samples,) per row, mono, within [-1, 1], as 16 bits keep it.

    Raises:
        emorec.files.StaleCacheError: If it is of another version or rate, or of
            other clips.
        emorec.media.reader.MediaError: If a clip cannot be read.
    """
    stamp = {
        "version": VERSION,
        "sample_rate_hz": sample_rate_hz,
        "clip_id": table["clip_id"].astype(str).tolist(),
    }
    kept = kept_or_made(Path(file), stamp, lambda: _decode(table, sample_rate_hz))
    parts = np.split(kept["samples"], np.cumsum(kept["lengths"])[:-1])
    return [part.astype(np.float32) / _FULL_SCALE for part in parts]


def _decode(table: pd.DataFrame, sample_rate_hz: int) -> dict[str, np.ndarray]:
    sounds = []
    for path in tqdm(table["path"], "reading sound", disable=None):
        sound = np.clip(read_sound(path, sample_rate_hz), -1, 1)
        sounds.append(np.rint(sound * _FULL_SCALE).astype(np.int16))
    lengths = np.array([len(sound) for sound in sounds])
    return {"lengths": lengths, "samples": np.concatenate(sounds)}


def read_sounds(table: pd.DataFrame) -> list[np.ndarray]:
    """Return each take's samples, float32 at 16 kHz."""
    rate = voice_features.VOICE.sample_rate_hz
    return [read_sound(path, rate) for path in tqdm(table["path"], "reading sound", disable=None)]
