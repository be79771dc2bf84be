"""What the frozen encoder hears in clips, computed once and kept."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from emorec.features.whisper_mel import WHISPER, encoder_input, trim_silence
from emorec.files import write_atomically
from emorec.media.reader import read_sound
from emorec.networks.whisper_encoder import BLOCKS, build_encoder, encoder_weights
from emorec.training.augment_sound import as_elsewhere
from emorec.training.quantize import save_quantized

LONGEST_S = 6.0
SEGMENTS = 8
CHUNK = 100
"""Clips of one file; a cut run loses no more."""

Hearing = Callable[[np.ndarray], np.ndarray]
"""From a clip's sound to what the encoder reads of it."""


def plainly(sound: np.ndarray) -> np.ndarray:
    """Return the log-mel of a clip's beginning as it was recorded."""
    return encoder_input(trim_silence(sound)[: round(LONGEST_S * WHISPER.sample_rate_hz)])


def as_copy(seed: int) -> Hearing:
    """Return what makes the log-mel of an altered copy of a clip; a clip's is always the same."""

    def hear(sound: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng([seed, len(sound), round(1e6 * float(np.abs(sound).mean()))])
        return encoder_input(as_elsewhere(rng, sound))

    return hear


def open_encoder(file: Path):
    """Return the quantised encoder as an ONNX session; `file` keeps it.

    Its outputs are the statistics, (1, 3072), and each block's sequence, (1, frames, 512).
    """
    import onnxruntime

    if not Path(file).exists():
        encoder = build_encoder(encoder_weights())
        blocks = [encoder.get_layer(f"block_{index}").output for index in range(BLOCKS)]
        network = keras.Model(encoder.input, [encoder.output, *blocks])
        save_quantized(file, network, np.zeros((1, WHISPER.bands, 100), np.float32))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def clip_features(
    table: pd.DataFrame, folder: Path, hearing: Hearing = plainly
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the encoder hears in clips; chunks that lie in `folder` are read.

    Args:
        table: Clips, with `path` and `clip_id`.
        folder: Of this corpus and this hearing; also keeps the encoder, one folder up.
        hearing: `plainly`, or `as_copy(seed)`.

    Returns:
        Statistics, float32 (clips, 3072), and means of eight segments, float16
        (clips, 8, 1536).

    Raises:
        MediaError: If a clip cannot be read.
    """
    folder = Path(folder)
    session = open_encoder(folder.parent / "encoder.onnx")
    found = []
    for first in tqdm(range(0, len(table), CHUNK), folder.name, disable=None):
        file = folder / f"{first:06d}.npz"
        clips = table.iloc[first : first + CHUNK]
        if not file.exists():
            heard = [_hear(session, hearing(_sound(path))) for path in clips["path"]]
            statistics, segments = (np.stack(part) for part in zip(*heard, strict=True))
            content = {
                "clip_id": clips["clip_id"].to_numpy(str),
                "statistics": statistics,
                "segments": segments,
            }
            write_atomically(file, lambda name, content=content: np.savez(name, **content))
        with np.load(file) as kept:
            if kept["clip_id"].tolist() != clips["clip_id"].tolist():
                raise ValueError(f"{file}: holds other clips. Remedy: remove {folder}")
            found.append((kept["statistics"], kept["segments"]))
    statistics, segments = (np.concatenate(part) for part in zip(*found, strict=True))
    return statistics, segments


def _sound(path: str) -> np.ndarray:
    return read_sound(path, WHISPER.sample_rate_hz)


def _hear(session, log_mel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    outputs = session.run(None, {session.get_inputs()[0].name: log_mel[None]})
    sequence = np.concatenate([block[0] for block in outputs[1:]], axis=1)
    edges = np.linspace(0, len(sequence), SEGMENTS + 1)
    starts = np.minimum(edges[:-1].astype(int), len(sequence) - 1)
    ends = np.maximum(edges[1:].astype(int), starts + 1)
    segments = [sequence[a:b].mean(0) for a, b in zip(starts, ends, strict=True)]
    return outputs[0][0], np.stack(segments).astype(np.float16)
