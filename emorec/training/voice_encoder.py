"""The voice network that ships: Whisper's front, frozen, and a head trained on six corpora.

python -m emorec.training.voice_encoder FOLDER   # features are kept in FOLDER/work, or in --work

What it is worth on people and recordings it never met is measured by
`emorec.experiments.strangers_voice`, which trains the same head with whole corpora left out.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from emorec.emotions import COMMON7
from emorec.engines import write_model_spec
from emorec.features.voice import WINDOW_HOP_S, WINDOW_S
from emorec.features.whisper_mel import WHISPER
from emorec.files import write_atomically
from emorec.networks.whisper_encoder import HalfDense, build_encoder, encoder_weights
from emorec.training.committee import LINEAR_SHARE, Committee, fit_committee
from emorec.training.heard import LOADERS, hear
from emorec.training.quantize import save_quantized

TEMPERATURE = 1.0
"""Fitted on the posteriors of left-out corpora; folded into the last layer."""


def with_head(encoder: keras.Model, head: Committee, temperature: float) -> keras.Model:
    """Return encoder and head as one network, from Whisper's log-mel to a posterior."""
    heard = encoder.output
    members = [(LINEAR_SHARE, _dense(head.linear.kernel, head.linear.bias, "head_linear")(heard))]
    share = (1 - LINEAR_SHARE) / len(head.perceptrons)
    for index, member in enumerate(head.perceptrons):
        hidden = _dense(member.hidden_kernel, member.hidden_bias, f"head_hidden_{index}")(heard)
        output = _dense(member.kernel, member.bias, f"head_output_{index}")
        members.append((share, output(ops.relu(hidden))))
    # The mean of the members' log posteriors; a logit's offset is lost in the last softmax.
    mean = sum(share / temperature * logits for share, logits in members)
    outputs = layers.Softmax(name="voice", dtype="float32")(mean)
    return keras.Model(encoder.input, outputs, name="voice_encoder")


def _dense(kernel: np.ndarray, bias: np.ndarray, name: str) -> HalfDense:
    layer = HalfDense(len(bias), name=name)
    layer.build((None, len(kernel)))
    layer.set_weights([kernel, bias])
    return layer


def ship(folder: Path, network: keras.Model) -> None:
    """Write `model.keras`, the quantised `model.onnx` and `model.json`."""
    folder = Path(folder)
    write_atomically(folder / "model.keras", network.save)
    save_quantized(folder / "model.onnx", network, np.zeros((1, WHISPER.bands, 300), np.float32))
    write_model_spec(
        folder,
        stream="voice",
        classes=COMMON7,
        inputs={
            "kind": "whisper_log_mel",
            "sample_rate_hz": WHISPER.sample_rate_hz,
            "window_s": WINDOW_S,
            "window_hop_s": WINDOW_HOP_S,
            "n_fft": WHISPER.n_fft,
            "hop": WHISPER.hop,
            "bands": WHISPER.bands,
        },
    )


def main() -> None:
    """Hear, fit, ship."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where the model goes")
    parser.add_argument("--work", type=Path, help="where features are kept (FOLDER/work)")
    parser.add_argument("--copies", type=int, default=1, help="altered copies of each clip")
    arguments = parser.parse_args()
    work = arguments.work or arguments.folder / "work"
    head = fit_committee(hear(list(LOADERS), work, arguments.copies), COMMON7)
    ship(arguments.folder, with_head(build_encoder(encoder_weights()), head, TEMPERATURE))


if __name__ == "__main__":
    main()
