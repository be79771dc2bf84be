"""A trained model's folder: weights, evidence, card; written atomically, read safely."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from emorec import evaluation

if TYPE_CHECKING:
    import keras


def write_atomically(path: Path, write) -> None:
    """Call `write(temporary_path)`, then rename to `path`: a reader never sees half a file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=path.suffix)
    os.close(handle)
    try:
        write(name)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def write_json(path: Path, content: dict) -> None:
    """Write a JSON file atomically."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_atomically(path, lambda name: Path(name).write_text(text, encoding="utf-8"))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV file atomically, numbers with five decimals."""
    write_atomically(path, lambda name: table.to_csv(name, index=False, float_format="%.5f"))


def read_predictions(folder: Path, name: str = "predictions.csv") -> pd.DataFrame:
    """Read a model's out-of-fold predictions."""
    return pd.read_csv(Path(folder) / name, dtype={"clip_id": str, "speaker": str})


def write_evidence(
    folder: Path,
    predictions: pd.DataFrame,
    *,
    protocol: str,
    command: str,
    unit: str = "speaker",
    extra: dict | None = None,
) -> dict:
    """Write `predictions.csv` and the `metrics.json` that follows from it.

    Args:
        folder: The model's folder.
        predictions: Prediction table (see `evaluation`).
        protocol: One sentence: corpus, split, what was held out.
        command: What makes the same again.
        unit: What the intervals are bootstrapped over.
        extra: More facts for `metrics.json` (seeds, sizes, times).

    Returns:
        What was written to `metrics.json`.
    """
    folder = Path(folder)
    write_table(folder / "predictions.csv", predictions)
    # Scored as they will be read back, so that the table and the numbers agree exactly.
    predictions = read_predictions(folder)
    metrics = {
        "protocol": protocol,
        "command": command,
        "clips": len(predictions),
        "units": int(predictions[unit].nunique()),
        "bootstrapped_over": unit,
        "scores": evaluation.scores(predictions),
        "intervals_95": evaluation.intervals(predictions, unit=unit),
        "confusion": evaluation.confusion(predictions).to_numpy().tolist(),
        "classes": list(evaluation.classes_of(predictions)),
        **(extra or {}),
    }
    write_json(folder / "metrics.json", metrics)
    return metrics


def write_model_spec(
    folder: Path,
    *,
    stream: str,
    classes: Sequence[str],
    inputs: dict,
    output: str = "",
    engines: Sequence[str] = (),
) -> None:
    """Write `model.json`: what inference has to know; `emorec.engines.ModelSpec` reads it.

    Args:
        folder: The model's folder.
        stream: "voice", "face" or "geometry".
        classes: Classes of the posterior, in the order of the network's output.
        inputs: How the input is made: rates, windows and sizes (face: `size_px`).
        output: Name of the output to read, where the network has several.
        engines: What can run it, where that is not every engine.
    """
    content = {"stream": stream, "classes": list(classes), "output": output, "inputs": inputs}
    if engines:
        content["engines"] = list(engines)
    write_json(Path(folder) / "model.json", content)


def save_network(folder: Path, network: keras.Model) -> None:
    """Save `model.keras` and the same weights as `model.onnx` (batch size free)."""
    folder = Path(folder)
    shapes = [(1, *tensor.shape[1:]) for tensor in network.inputs]
    zeros = [np.zeros([n or 1 for n in shape], np.float32) for shape in shapes]
    network(zeros if len(zeros) > 1 else zeros[0])
    write_atomically(folder / "model.keras", network.save)
    write_atomically(
        folder / "model.onnx",
        lambda name: network.export(name, format="onnx", verbose=False),
    )
