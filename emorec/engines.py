"""Trained networks behind one small interface, run by ONNX Runtime or by Keras.

ONNX Runtime loads in a fraction of a second and is what the command line uses; Keras runs the
same weights from `model.keras`, which needs TensorFlow (or another backend) to be loaded first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from emorec.errors import OTHER_FORM, MissingPartError, ModelError, require
from emorec.files import write_json

__all__ = [
    "ENGINES",
    "ModelSpec",
    "Network",
    "find_voice_model",
    "load_network",
    "read_model_spec",
    "voice_models",
]


DISTANCE = "distance"
"""Output of a network that also tells how far an input lies from what it learned from."""


@dataclass(frozen=True)
class ModelSpec:
    """What inference has to know about a network; the content of its `model.json`.

    Attributes:
        stream: "voice", "face" or "geometry".
        classes: Classes of the posterior, in the order of the network's output.
        output: Name of the output to read; empty where there is only one.
        inputs: How the input is made: for a voice its `kind`; rates, windows and sizes.
        engines: What can run it; a forest is no network and has no Keras form.
        far: Where a network also gives an input's `distance` from what it learned from: beyond
            this, a note says so. Infinite where it gives none.
    """

    stream: str
    classes: tuple[str, ...]
    output: str = ""
    inputs: dict = field(default_factory=dict)
    engines: tuple[str, ...] = ("onnx", "keras")
    far: float = math.inf


class Network(Protocol):
    """A loaded network.

    Attributes:
        spec: What is known about it.
        input_shape: Shape of its input without the batch; None is any length.
    """

    spec: ModelSpec
    input_shape: tuple[int | None, ...]

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Judge a batch.

        Args:
            batch: (n, ...) float32, as the network wants it.

        Returns:
            (n, classes) float32, each row a posterior.
        """

    def predict_with_distance(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Judge a batch, and tell how far each input lies from what the network learned from.

        Returns:
            What `predict` returns, and (n,) float32; zeros of a network that gives no distance.
        """


def read_model_spec(folder: str | Path) -> ModelSpec:
    """Read a model's `model.json`.

    Raises:
        ModelError: When it is absent or does not say what is needed.
    """
    path = Path(folder) / "model.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return ModelSpec(
            stream=_text(content["stream"]),
            classes=_classes(content["classes"]),
            output=_text(content.get("output", "")),
            inputs=dict(content.get("inputs", {})),
            engines=tuple(content.get("engines", ENGINES)),
            far=_distance(content.get("far", math.inf)),
        )
    except OSError as error:
        raise ModelError(path, _why_unreadable(error)) from error
    except OTHER_FORM as error:
        raise ModelError(path, "it is not the description of a model of this project") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _classes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise TypeError("there is no list of classes")
    return tuple(map(_text, value))


def _distance(value: float | str) -> float:
    distance = float(value)
    if math.isnan(distance):
        raise ValueError("the distance is not a number")
    return distance


def load_network(folder: str | Path, engine: str = "onnx") -> Network:
    """Load a trained network.

    Args:
        folder: Holds `model.json` and `model.onnx` or `model.keras`.
        engine: "onnx" or "keras"; a model that only another can run is run by that.

    Raises:
        MissingPartError: When the engine is not installed.
        ModelError: When a file is absent, broken, or no network of this project.
        ValueError: When the engine is unknown.
    """
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}: choose from {', '.join(ENGINES)}")
    spec = read_model_spec(folder)
    chosen = engine if engine in spec.engines else next(iter(spec.engines), "")
    if chosen not in ENGINES:
        known = ", ".join(ENGINES)
        raise ModelError(Path(folder) / "model.json", f"none of its engines is one of {known}")
    return ENGINES[chosen](Path(folder), spec)


class OnnxNetwork:
    """A network in ONNX Runtime, on the processor.

    Raises:
        ModelError: When `model.onnx` is absent, broken or foreign.
    """

    def __init__(self, folder: Path, spec: ModelSpec):
        import onnxruntime

        self.spec = spec
        options = onnxruntime.SessionOptions()
        # One thread: decoding runs at the same time, and `--jobs` uses the other cores.
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        self._path = path = folder / "model.onnx"
        self._session = _loaded(
            path,
            lambda name: onnxruntime.InferenceSession(
                name, options, providers=["CPUExecutionProvider"]
            ),
        )
        first = self._session.get_inputs()[0]
        self._input = first.name
        self.input_shape = tuple(n if isinstance(n, int) else None for n in first.shape[1:])
        shapes = {output.name: output.shape for output in self._session.get_outputs()}
        self._output = _chosen_output(path, spec, shapes)
        self._has_distance = DISTANCE in shapes

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Judge a batch; see `Network`."""
        return _finite(self._path, self._session.run([self._output], {self._input: batch})[0])

    def predict_with_distance(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Judge a batch; see `Network`."""
        if not self._has_distance:
            return self.predict(batch), np.zeros(len(batch), np.float32)
        posterior, distance = self._session.run([self._output, DISTANCE], {self._input: batch})
        return _finite(self._path, posterior), distance[:, 0]


class KerasNetwork:
    """A network in Keras, on whatever its backend uses.

    Raises:
        MissingPartError: When Keras or its backend is not installed.
        ModelError: When `model.keras` is absent, broken or foreign.
    """

    def __init__(self, folder: Path, spec: ModelSpec):
        require("train", "keras")
        try:
            import keras

            # Its layers are in no Keras: a file may name them once they are registered.
            from emorec.networks import whisper_encoder  # noqa: F401
        except ImportError as error:
            raise MissingPartError(error.name or "the backend of Keras", "train") from error

        self.spec = spec
        self._path = path = folder / "model.keras"
        self._model = _loaded(
            path, lambda name: keras.saving.load_model(name, compile=False, safe_mode=True)
        )
        self.input_shape = tuple(self._model.inputs[0].shape[1:])
        shapes = [tensor.shape for tensor in self._model.outputs]
        by_name = dict(zip(self._model.output_names, shapes, strict=True))
        self._output = _chosen_output(path, spec, by_name)

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Judge a batch; see `Network`."""
        return self.predict_with_distance(batch)[0]

    def predict_with_distance(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Judge a batch; see `Network`."""
        from keras import ops

        outputs = self._model(batch, training=False)
        if not isinstance(outputs, dict):
            outputs = {self._output: outputs}
        posterior = _finite(self._path, ops.convert_to_numpy(outputs[self._output]))
        if DISTANCE not in outputs:
            return posterior, np.zeros(len(batch), np.float32)
        return posterior, ops.convert_to_numpy(outputs[DISTANCE])[:, 0]


ENGINES: dict[str, Callable[[Path, ModelSpec], Network]] = {
    "onnx": OnnxNetwork,
    "keras": KerasNetwork,
}


def _loaded(path: Path, load):
    """Call `load(name of the file)`, or say what is wrong with the file."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ModelError(path, _why_unreadable(error)) from error
    try:
        return load(str(path))
    except Exception as error:  # both engines raise whatever they stumble on
        raise ModelError(path, f"it is damaged, or no {path.suffix[1:]} model") from error


def _finite(path: Path, posterior: np.ndarray) -> np.ndarray:
    """Return what a network said, or refuse the network when that is no number."""
    if not np.isfinite(posterior).all():
        raise ModelError(path, "it is damaged: what it says is not finite")
    return posterior


def _why_unreadable(error: OSError) -> str:
    missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    return "there is no such file" if missing else f"it cannot be read ({error.strerror})"


def _chosen_output(path: Path, spec: ModelSpec, shapes: dict[str, tuple]) -> str:
    """Name the output to read: one number for each class of the description, or refuse."""
    name = spec.output or next(iter(shapes))
    if name not in shapes:
        raise ModelError(path, f"it is another model: it has no output {name!r}")
    if shapes[name][-1] != len(spec.classes):
        reason = f"it is another model: {shapes[name][-1]} outputs for {len(spec.classes)} classes"
        raise ModelError(path, reason)
    return name


def write_model_spec(
    folder: Path,
    *,
    stream: str,
    classes: Sequence[str],
    inputs: dict,
    output: str = "",
    engines: Sequence[str] = (),
    far: float = math.inf,
) -> None:
    """Write `model.json`: what inference has to know; `emorec.engines.ModelSpec` reads it.

    Args:
        folder: The model's folder.
        stream: "voice", "face" or "geometry".
        classes: Classes of the posterior, in the order of the network's output.
        inputs: How the input is made: rates, windows and sizes (face: `size_px`).
        output: Name of the output to read, where the network has several.
        engines: What can run it, where that is not every engine.
        far: The distance beyond which a note says that an input is unlike the training data.
    """
    content: dict[str, object] = {"stream": stream, "classes": list(classes), "output": output}
    content["inputs"] = inputs
    if engines:
        content["engines"] = list(engines)
    if math.isfinite(far):
        content["far"] = round(far, 4)
    write_json(Path(folder) / "model.json", content)


_WEIGHTS = ("model.onnx", "model.keras")


def voice_models(models: Path) -> list[str]:
    """List the names of the voice models in a models' folder that can be loaded, sorted."""
    return sorted(
        file.parent.name
        for file in (
            *Path(models).glob("*/model.json"),
            *Path(models).glob("alternatives/*/model.json"),
        )
        if _stream(file) == "voice" and _has_weights(file.parent)
    )


def find_voice_model(name: str | Path, models: Path) -> Path:
    """Return the folder of a voice model.

    Args:
        name: The folder, or its name in `models` or its `alternatives`.
        models: The models' folder.

    Raises:
        ModelError: If neither is there; it lists those there are.
    """
    places = (Path(name), Path(models) / name, Path(models) / "alternatives" / name)
    for folder in places:
        if (folder / "model.json").exists():
            return folder
    there = voice_models(models)
    reason = f"there is no voice model of this name in {models}"
    for folder in (*places, *Path(models).glob(f"comparisons/*/{name}")):
        if _has_weights(folder):
            reason = "its weights are there, and no model.json that tells how to feed them"
        elif (folder / "metrics.json").exists():
            reason = "it was trained for comparison: its evidence is kept, and no weights"
    remedy = f"choose from {', '.join(there)}" if there else "name the models' folder with --models"
    raise ModelError(name, reason, remedy)


def _has_weights(folder: Path) -> bool:
    return any((folder / name).exists() for name in _WEIGHTS)


def _stream(file: Path) -> str:
    try:
        return json.loads(file.read_text(encoding="utf-8"))["stream"]
    except (OSError, *OTHER_FORM):
        return ""
