"""The voice network that ships: Whisper's front, frozen, and a logistic regression on it.

python -m emorec.training.voice_encoder                # features are kept in the folder's work/
python -m emorec.training.voice_encoder --work WORK    # ... or elsewhere

What it is worth on people and recordings it never met is measured by
`emorec.experiments.strangers_voice`, which trains the same head with whole corpora left out.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from emorec.emotions import COMMON7
from emorec.engines import DISTANCE, write_model_spec
from emorec.errors import run_main
from emorec.evaluation import evidence
from emorec.evaluation.left_out import CORPORA_NAMES
from emorec.evaluation.model_card import CardText, write_card
from emorec.features.whisper_mel import WHISPER
from emorec.files import write_atomically
from emorec.networks.whisper_encoder import HalfDense, build_encoder, encoder_weights
from emorec.paths import COMPARISONS, MODELS
from emorec.streams.voice_inputs import whisper_log_mel_spec
from emorec.training.familiarity import Familiarity, fit_familiarity
from emorec.training.heard import LOADERS, Heard, hear
from emorec.training.linear_head import LinearHead
from emorec.training.masked_heads import fit_logistic
from emorec.training.own_networks import name_embedding
from emorec.training.quantize import save_quantized

FOLDER = MODELS / "voice_encoder"
EVIDENCE = COMPARISONS / "strangers"
COMMAND = "python -m emorec.training.voice_encoder"
CARD = CardText(
    title="Voice encoder",
    what=(
        "Three seconds of sound at 16 kHz, silence trimmed and the level evened, as Whisper's "
        "log-mel (80 bands); the first three blocks of OpenAI's Whisper-base encoder, frozen; mean "
        "and deviation over time after each block, 3,072 numbers; one softmax layer over the seven "
        "common emotions. A clip's posterior is the mean of its windows' log posteriors, weighted "
        "by loudness, one window each second in which somebody speaks. A second output tells how "
        "far the sound lies from what the layer learned from."
    ),
    data=(
        "The encoder heard 680,000 hours of speech and no emotion labels (Radford et al. 2022). "
        "The layer is trained on RAVDESS, CREMA-D (actors 1001-1071), SAVEE (two speakers), "
        "JavaSED, nEMO and EMOVO together: four languages, 120 speakers, on clips and on copies "
        "as another room, line or microphone would have given them. A corpus counts with the "
        "square root of its number of speakers, and its classes alike; of emotions that a corpus "
        "lacks it teaches nothing. Strong L2 and smoothed labels hold it."
    ),
    limits=(
        "The scores here are those of RAVDESS, where the same layer was trained on the other 20 "
        "actors alone. What a stranger may expect is less: with whole corpora left out it is right "
        "in half of the clips (see the table below).",
        "All emotions are acted, most of them in studios; nothing is known of emotion that is "
        "felt.",
        "A probability is a statement about how such acting is labelled, not about what a person "
        "feels. It is not fit for decisions about people.",
    ),
    licence=(
        "Whisper's weights: MIT, Copyright (c) 2022 OpenAI; the notice stands in LICENSE.md. The "
        "layer was trained on RAVDESS and nEMO (CC BY-NC-SA 4.0), CREMA-D (ODbL 1.0), and SAVEE, "
        "EMOVO and JavaSED, which are for research or state no terms: no commercial use, share "
        "alike, for research. The code is MIT."
    ),
)


def fit_head(heard: Heard, classes: tuple[str, ...] = COMMON7) -> LinearHead:
    """Fit the head that ships, on clips and their altered copies."""
    every = heard.with_copies()
    return fit_logistic(every.statistics, every.table, classes)


def with_head(encoder: keras.Model, head: LinearHead, familiarity: Familiarity) -> keras.Model:
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
    name_embedding(folder, "statistics")


def ship_without(corpus: str, heard: Heard, folder: Path) -> None:
    """Write the network that would ship without a corpus.

    Args:
        corpus: To leave out.
        heard: All corpora.
        folder: The model's folder.
    """
    others = heard.of((heard.table["corpus"] != corpus).to_numpy())
    encoder = build_encoder(encoder_weights())
    ship(folder, with_head(encoder, fit_head(others), fit_familiarity(others)), far_limit())


def far_limit(left_out: Path = EVIDENCE) -> float:
    """Return the distance that 99 % of clips of left-out corpora stay within."""
    return json.loads((left_out / "distances.json").read_text(encoding="utf-8"))["far"]


def write_results(folder: Path, left_out: Path = EVIDENCE) -> None:
    """Write predictions, metrics and card from the evidence of the same head.

    Args:
        folder: The model's folder.
        left_out: Where `emorec.experiments.strangers_voice` left its evidence.
    """
    found = json.loads((left_out / "held_logistic" / "metrics.json").read_text(encoding="utf-8"))
    own = evidence.read_predictions(left_out / "held_logistic", "predictions_ravdess_alone.csv")
    measurement = evidence.Measurement(
        own, found["ravdess_alone"]["protocol"], facts={"in_readme": True}
    )
    evidence.write_evidence(folder, measurement, stream="voice", command=COMMAND)
    card = replace(CARD, more=[("Strangers", strangers_table(found))])
    write_card(folder, card)


def strangers_table(metrics: dict) -> str:
    """Return what the head is worth on corpora that it never met, in Markdown."""
    lines = [
        "Each corpus left out in turn, all seven classes open; "
        "`Models/comparisons/strangers/held_logistic` holds every verdict.",
        "",
        "| left out | clips | accuracy % (95 %, over speakers) | recall % | calibration error % |",
        "|---|---|---|---|---|",
    ]
    for name, entry in metrics["left_out"].items():
        scores, (low, high) = entry["scores"], entry["intervals_95"]["accuracy"]
        lines.append(
            f"| {CORPORA_NAMES[name]} | {entry['clips']:,} | {100 * scores['accuracy']:.1f} "
            f"({100 * low:.1f} – {100 * high:.1f}) | "
            f"{100 * scores['unweighted_average_recall']:.1f} | "
            f"{100 * scores['expected_calibration_error']:.1f} |"
        )
    gate = metrics["gate"]
    lines.append(
        f"| mean | | {100 * gate['mean_accuracy']:.1f} | {100 * gate['mean_recall']:.1f} | "
        f"{100 * gate['mean_calibration_error']:.1f} |"
    )
    return "\n".join(lines)


def main() -> None:
    """Hear, fit, ship."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where it goes")
    parser.add_argument("--work", type=Path, help="where features are kept (FOLDER/work)")
    parser.add_argument("--evidence", type=Path, default=EVIDENCE, help="of the left-out corpora")
    arguments = parser.parse_args()
    heard = hear(list(LOADERS), arguments.work or arguments.folder / "work")
    network = with_head(build_encoder(encoder_weights()), fit_head(heard), fit_familiarity(heard))
    ship(arguments.folder, network, far_limit(arguments.evidence))
    write_results(arguments.folder, arguments.evidence)


if __name__ == "__main__":
    run_main(main)
