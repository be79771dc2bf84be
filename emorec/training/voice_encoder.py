"""The voice network that ships: Whisper's front, frozen, and a logistic regression on it.

python -m emorec.training.voice_encoder                # features are kept in the folder's work/
python -m emorec.training.voice_encoder --work WORK    # ... or elsewhere

What it is worth on people and recordings it never met is measured by
`emorec.experiments.strangers_voice`, which trains the same head with whole corpora left out.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

from emorec.emotions import COMMON7
from emorec.engines import write_model_spec
from emorec.features.whisper_mel import WHISPER
from emorec.files import write_atomically
from emorec.networks.whisper_encoder import HalfDense, build_encoder, encoder_weights
from emorec.paths import MODELS
from emorec.streams.voice_inputs import whisper_log_mel_spec
from emorec.training.corpus_weights import clip_weights
from emorec.training.heard import LOADERS, Heard, hear
from emorec.training.masked_heads import LinearHead, Scaling, fit_logistic
from emorec.training.quantize import save_quantized

FOLDER = MODELS / "voice_encoder"
EMBEDDING = 64


@dataclass(frozen=True)
class Embedding:
    """Whitened principal components: a clip like those that trained has length sqrt(64).

    Attributes:
        kernel: float32 (3072, 64), on the statistics as they are.
        bias: float32 (64,).
    """

    kernel: np.ndarray
    bias: np.ndarray

    def __call__(self, statistics: np.ndarray) -> np.ndarray:
        """Return embeddings, float32 (clips, 64)."""
        return statistics @ self.kernel + self.bias


def fit_embedding(train: Heard) -> Embedding:
    """Fit the embedding to clips as they were recorded, each corpus counting as in training."""
    scaling = Scaling.of(train.statistics)
    inputs = scaling(train.statistics)
    weights = (clip_weights(train.table, COMMON7) / len(inputs)).astype(np.float32)
    centre = weights @ inputs
    about = inputs - centre
    values, vectors = np.linalg.eigh((about * weights[:, None]).T @ about)
    kernel = vectors[:, -EMBEDDING:] / np.sqrt(values[-EMBEDDING:])
    return Embedding(*scaling.folded(kernel, -centre @ kernel))


def fit_head(heard: Heard, classes: tuple[str, ...] = COMMON7) -> LinearHead:
    """Fit the head that ships, on clips and their altered copies."""
    every = heard.with_copies()
    return fit_logistic(every.statistics, every.table, classes)


def with_head(
    encoder: keras.Model, head: LinearHead, embedding: Embedding, temperature: float
) -> keras.Model:
    """Return encoder and head as one network.

    Args:
        encoder: From `build_encoder`.
        head: Judges.
        embedding: Tells how far a clip lies from those that trained.
        temperature: Divides the logits; see `emorec.training.temperature`.

    Returns:
        From Whisper's log-mel (batch, 80, frames) to `voice`, a posterior (batch, 7), and
        `embedding` (batch, 64).
    """
    heard = encoder.output
    logits = _dense(head.kernel / temperature, head.bias / temperature, "head_linear")(heard)
    outputs = {
        "voice": layers.Softmax(name="voice", dtype="float32")(logits),
        "embedding": _dense(embedding.kernel, embedding.bias, "head_embedding")(heard),
    }
    return keras.Model(encoder.input, outputs, name="voice_encoder")


def _dense(kernel: np.ndarray, bias: np.ndarray, name: str) -> HalfDense:
    layer = HalfDense(len(bias), name=name)
    layer.build((None, len(kernel)))
    layer.set_weights([kernel, bias])
    return layer
