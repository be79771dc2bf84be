"""The random forest of the voice as the recogniser loads it: ONNX, no pickle, with its fusion.

    python -m emorec.experiments.classical.ship_forest

Run it after `emorec.experiments.classical.train`, whose out-of-fold posteriors the fusion is fitted
on.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import pandas as pd

from emorec import fusion as fusion_emorec
from emorec.corpora import javased, ravdess
from emorec.emotions import COMMON7, RAVDESS8, fold
from emorec.engines import Network, load_network, write_model_spec
from emorec.evaluation.evidence import read_predictions
from emorec.experiments.classical.features import VoiceFeatures, class_codes, extract
from emorec.experiments.classical.models import RECIPES, Recipe
from emorec.experiments.classical.protocols import rows_with_copies
from emorec.experiments.classical.train import SEED, inputs_of
from emorec.files import write_atomically
from emorec.media.reader import read_sound
from emorec.media.sound import SoundBlock
from emorec.paths import ALTERNATIVES, MODELS
from emorec.streams.voice import VoiceStream
from emorec.streams.voice_inputs import means_26_spec
from emorec.training import fusion as fusion_training

MODEL_FOLDER = ALTERNATIVES / "voice_random_forest"
PROBABILITIES = "probabilities"
_OPSETS = {"": 17, "ai.onnx.ml": 3}


def to_onnx(pipeline, columns: int) -> onnx.ModelProto:
    """Convert a scikit-learn classifier, its scaler included, to one ONNX graph.

    Args:
        pipeline: Fitted.
        columns: Width of its input.

    Returns:
        From `input`, float32 (n, columns), to `probabilities`, float32 (n, classes).
    """
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    model = convert_sklearn(
        pipeline,
        initial_types=[("input", FloatTensorType([None, columns]))],
        target_opset=_OPSETS,
        options={id(pipeline): {"zipmap": False}},
    )
    for output in list(model.graph.output):
        if output.name != PROBABILITIES:
            model.graph.output.remove(output)
    return model


def train_on_all(features: VoiceFeatures, recipe: Recipe):
    """Fit the forest on all speakers, and return the fitted pipeline."""
    codes = class_codes(features.table["emotion"])
    per_class = 2 * int(np.bincount(codes).max())
    rows = rows_with_copies(codes, np.arange(len(codes)), recipe.copies, per_class=per_class)
    side = (inputs_of(features, recipe, rows), codes[rows[:, 0]])
    nobody = (side[0][:0], side[1][:0])
    return recipe.learner.fit(side, nobody, SEED, Path()).fitted


def ship(features: VoiceFeatures, folder: Path = MODEL_FOLDER) -> Network:
    """Train on all speakers; write `model.onnx` and `model.json`; return what loads from them."""
    folder = Path(folder)
    pipeline = train_on_all(features, RECIPES[MODEL_FOLDER.name])
    model = to_onnx(pipeline, features.means_26.shape[-1])
    write_atomically(folder / "model.onnx", lambda name: onnx.save(model, name))
    write_model_spec(
        folder,
        stream="voice",
        classes=RAVDESS8,
        inputs=means_26_spec(),
        output=PROBABILITIES,
        engines=["onnx"],
    )
    return load_network(folder)


def sound_posteriors(network: Network, clips: pd.DataFrame) -> np.ndarray:
    """Judge the sound of clips as the recogniser does; (n, 7) over COMMON7, NaN where silent."""
    found = np.full((len(clips), len(COMMON7)), np.nan)
    for row, path in enumerate(clips["path"]):
        stream = VoiceStream(network)
        stream.add(SoundBlock(0.0, read_sound(path, stream.sample_rate_hz)))
        findings = stream.finish()
        if findings is not None:
            found[row] = fold(findings.pooled, findings.classes, COMMON7)
    return found


def fit_fusion(
    network: Network, folder: Path = MODEL_FOLDER, models: Path = MODELS
) -> fusion_emorec.LogLinearFusion:
    """Fit temperatures and weights for this voice beside the shipped face and geometry.

    Args:
        network: The voice model trained on all speakers.
        folder: Its folder, with `predictions_windows.csv`; `fusion.json` is written there.
        models: The models' folder.
    """
    clips = javased.load_video_table()
    said = pd.DataFrame(sound_posteriors(network, clips), columns=list(COMMON7))
    said.insert(0, "clip_id", clips["clip_id"].to_numpy())
    ravdess = read_predictions(folder, "predictions_windows.csv")
    return fusion_training.fit_beside(Path(folder), ravdess, said, Path(models))


def main() -> None:
    """Train, save, fit the fusion."""
    network = ship(extract(ravdess.load_sound_table()))
    fitted = fit_fusion(network)
    size_mb = (MODEL_FOLDER / "model.onnx").stat().st_size / 1e6
    print(f"{size_mb:.1f} MB; calibrations {fitted.calibrations}")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    main()
