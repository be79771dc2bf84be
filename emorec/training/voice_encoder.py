"""The voice network that ships: Whisper's front, frozen, and a logistic regression on it.

python -m emorec.training.voice_encoder                # features are kept in the folder's work/
python -m emorec.training.voice_encoder --work WORK    # ... or elsewhere

What it is worth on people and recordings it never met is measured by
`emorec.experiments.strangers_voice`, which trains the same head with whole corpora left out.
"""

import argparse
import json
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from emorec.emotions import COMMON7
from emorec.engines import DISTANCE, write_model_spec
from emorec.features.whisper_mel import WHISPER
from emorec.files import write_atomically
from emorec.networks.whisper_encoder import HalfDense, build_encoder, encoder_weights
from emorec.paths import COMPARISONS, MODELS
from emorec.streams.voice_inputs import whisper_log_mel_spec
from emorec.training.familiarity import Familiarity, fit_familiarity
from emorec.training.heard import LOADERS, Heard, hear
from emorec.training.masked_heads import LinearHead, fit_logistic
from emorec.training.quantize import save_quantized

FOLDER = MODELS / "voice_encoder"
EVIDENCE = COMPARISONS / "strangers"


def fit_head(heard: Heard, classes: tuple[str, ...] = COMMON7) -> LinearHead:
    """Fit the head that ships, on clips and their altered copies."""
    every = heard.with_copies()
    return fit_logistic(every.statistics, every.table, classes)


def with_head(
    encoder: keras.Model, head: LinearHead, familiarity: Familiarity
) -> keras.Model:
    """Return encoder and head as one network.

    Args:
        encoder: From `build_encoder`.
        head: Judges.
        familiarity: Tells how far a clip lies from those that trained.

    Returns:
        From Whisper's log-mel (batch, 80, frames) to `voice`, a posterior (batch, 7), and
        `distance` (batch, 1).
    """
    heard = encoder.output
    logits = _dense(head.kernel, head.bias, "head_linear")(heard)
    components = _dense(familiarity.kernel, familiarity.bias, "head_components")(heard)
    outputs = {
        "voice": layers.Softmax(name="voice", dtype="float32")(logits),
        # A layer's name is the output's.
        DISTANCE: layers.Identity(name=DISTANCE)(
            ops.sqrt(ops.mean(ops.square(components), axis=1, keepdims=True))
        ),
    }
    return keras.Model(encoder.input, outputs, name="voice_encoder")


def _dense(kernel: np.ndarray, bias: np.ndarray, name: str) -> HalfDense:
    layer = HalfDense(len(bias), name=name)
    layer.build((None, len(kernel)))
    layer.set_weights([kernel, bias])
    return layer


def ship(folder: Path, network: keras.Model, far: float) -> None:
    """Write `model.keras`, the quantised `model.onnx` and `model.json`.

    Args:
        folder: The model's folder.
        network: From `with_head`.
        far: Distance beyond which a note says that a voice is unlike the training data.
    """
    folder = Path(folder)
    write_atomically(folder / "model.keras", network.save)
    save_quantized(folder / "model.onnx", network, np.zeros((1, WHISPER.bands, 300), np.float32))
    write_model_spec(
        folder,
        stream="voice",
        classes=COMMON7,
        inputs=whisper_log_mel_spec(),
        output="voice",
        far=far,
    )


def main() -> None:
    """Hear, fit, ship."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where it goes")
    parser.add_argument("--work", type=Path, help="where features are kept (FOLDER/work)")
    parser.add_argument("--evidence", type=Path, default=EVIDENCE, help="of the left-out corpora")
    arguments = parser.parse_args()
    heard = hear(list(LOADERS), arguments.work or arguments.folder / "work")
    network = with_head(build_encoder(encoder_weights()), fit_head(heard), fit_familiarity(heard))
    far = json.loads((arguments.evidence / "distances.json").read_text(encoding="utf-8"))["far"]
    ship(arguments.folder, network, far)


if __name__ == "__main__":
    main()
