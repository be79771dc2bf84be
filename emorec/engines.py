"""Trained networks behind one small interface, run by ONNX Runtime or by Keras.

ONNX Runtime loads in a fraction of a second and is what the command line uses; Keras runs the
same weights from `model.keras`, which needs TensorFlow (or another backend) to be loaded first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from emorec.errors import OTHER_FORM, MissingPartError, ModelError, require
from emorec.files import write_json

__all__ = [
    "ENGINES",
    "ModelSpec",
    "Network",
    "load_network",
    "read_model_spec",
    "with_embedding",
]


DISTANCE = "distance"
"""Output of a network that also tells how far an input lies from what it learned from."""

_EMBEDDING = "embedding"


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
        embedding: Engine -> what in the network its last layer reads: the tensor in
            `model.onnx`, the layer in `model.keras`. Empty where no embedding is handed out.
    """

    stream: str
    classes: tuple[str, ...]
    output: str = ""
    inputs: dict = field(default_factory=dict)
    engines: tuple[str, ...] = ("onnx", "keras")
    far: float = math.inf
    embedding: Mapping[str, str] = field(default_factory=dict)


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

    def read(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Judge a batch, and tell what else the network finds in it.

        Returns:
            What `predict` returns; (n,) float32, how far each input lies from what the network
            learned from, zeros of one that gives no distance; (n, d) float32, their embeddings,
            where d is 0 unless the network comes from `with_embedding`.
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
            embedding={e: _text(of) for e, of in dict(content.get(_EMBEDDING, {})).items()},
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

    Args:
        folder: The model's folder.
        spec: What is known about it.
        embedding: Name of the tensor that is handed out beside the outputs; empty: none.

    Raises:
        ModelError: When `model.onnx` is absent, broken or foreign.
    """

    def __init__(self, folder: Path, spec: ModelSpec, embedding: str = ""):
        import onnxruntime

        self.spec = spec
        options = onnxruntime.SessionOptions()
        # One thread: decoding runs at the same time, and `--jobs` uses the other cores.
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        self._path = path = folder / "model.onnx"
        self._embedding = embedding
        self._session = _loaded(
            path,
            lambda name: onnxruntime.InferenceSession(
                path.read_bytes() + _further_output(embedding) if embedding else name,
                options,
                providers=["CPUExecutionProvider"],
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

    def read(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Judge a batch; see `Network`."""
        names = [self._output, *[DISTANCE] * self._has_distance]
        names += [self._embedding] if self._embedding else []
        found = dict(zip(names, self._session.run(names, {self._input: batch}), strict=True))
        posterior = _finite(self._path, found[self._output])
        return posterior, *_beside(found, self._embedding, len(batch))

    @cached_property
    def embedding(self) -> OnnxNetwork:
        """The same network, whose `read` gives embeddings; see `with_embedding`."""
        tensor = _embedding_in(self._path, self.spec, "onnx")
        try:
            return OnnxNetwork(self._path.parent, self.spec, tensor)
        except ModelError as error:  # it was loaded before: it is the tensor that is absent
            raise _no_embedding(self._path) from error


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
        return self.read(batch)[0]

    def read(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Judge a batch; see `Network`."""
        from keras import ops

        outputs = self._model(batch, training=False)
        if not isinstance(outputs, dict):
            outputs = {self._output: outputs}
        found = {name: ops.convert_to_numpy(values) for name, values in outputs.items()}
        return _finite(self._path, found[self._output]), *_beside(found, _EMBEDDING, len(batch))

    @cached_property
    def embedding(self) -> KerasNetwork:
        """The same network, whose `read` gives embeddings; see `with_embedding`."""
        import keras

        layer = _embedding_in(self._path, self.spec, "keras")
        outputs = dict(zip(self._model.output_names, self._model.outputs, strict=True))
        try:
            outputs[_EMBEDDING] = self._model.get_layer(layer).output
        except ValueError as error:
            raise _no_embedding(self._path) from error
        embedding = copy(self)
        embedding._model = keras.Model(self._model.inputs[0], outputs)
        return embedding


ENGINES: dict[str, Callable[[Path, ModelSpec], Network]] = {
    "onnx": OnnxNetwork,
    "keras": KerasNetwork,
}


def with_embedding(network: Network) -> Network:
    """Return the same network, whose `read` also gives what its last layer reads.

    Raises:
        ModelError: When it is not known where in the network that lies.
    """
    if isinstance(network, OnnxNetwork | KerasNetwork):
        return network.embedding
    raise _no_embedding(Path(network.spec.stream))


def _embedding_in(path: Path, spec: ModelSpec, engine: str) -> str:
    if engine not in spec.embedding:
        raise _no_embedding(path)
    return spec.embedding[engine]


def _no_embedding(path: Path) -> ModelError:
    remedy = "use the voice and the face that come with emorec, or ask for no embeddings"
    return ModelError(path, "it hands out no embeddings", remedy)


def _beside(
    found: Mapping[str, np.ndarray], embedding: str, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances (n,) and the embeddings (n, d) of what a network found."""
    distance = found.get(DISTANCE, np.zeros((n, 1), np.float32))[:, 0]
    return distance, found.get(embedding, np.zeros((n, 0), np.float32))


def _further_output(tensor: str) -> bytes:
    """Return what makes a tensor an output, when it is put behind the bytes of an ONNX model.

    ONNX Runtime hands out outputs alone. The file is one protobuf message, and of two that lie one
    behind the other, a reader makes one: fields that repeat are joined, as is documented of
    protobuf's encoding. This is a second `ModelProto` with an output's name and nothing else, so
    that no model has to be exported anew and the package onnx is not needed.
    """

    def field_of(number: int, content: bytes) -> bytes:
        length, size = b"", len(content)
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    # ModelProto.graph is field 7, GraphProto.output 12, ValueInfoProto.name 1.
    return field_of(7, field_of(12, field_of(1, tensor.encode())))


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
