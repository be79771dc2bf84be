"""The head of a network that ships: found in its file, read from, and replaced by another.

The head is the last layer: a product with a matrix, a bias and a softmax. All before it stays as it
is, to the bit, so that what is trained on its features needs neither the network's code nor Keras.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from emorec.engines import DISTANCE, read_model_spec
from emorec.errors import ModelError
from emorec.files import write_atomically, write_json
from emorec.training.linear_head import LinearHead

__all__ = ["ObservedNetwork", "name_embedding", "read_head", "write_with_head"]

_KERAS_WEIGHTS = "model.weights.h5"

_EVIDENCE = ("MODEL_CARD.md", "metrics.json", "history.csv", "work", "predictions*.csv")
"""What tells of the old head, beside the network itself."""


@dataclass(frozen=True)
class _Place:
    """Where in a graph the head lies.

    Attributes:
        features: Name of what it reads.
        kernel: Name of its matrix.
        bias: Name of its bias, empty where it has none.
        softmax: What makes a posterior of it.
    """

    features: str
    kernel: str
    bias: str
    softmax: onnx.NodeProto


def read_head(folder: Path) -> LinearHead:
    """Return the head of a model's `model.onnx`.

    Raises:
        ModelError: When the network does not end in one layer and a softmax.
    """
    model = _read(folder)
    place, values = _place(model.graph, folder), _constants(model.graph)
    kernel = values[place.kernel].astype(np.float32)
    bias = values[place.bias] if place.bias else np.zeros(kernel.shape[1])
    return LinearHead(kernel, bias.astype(np.float32).reshape(-1))


def name_embedding(folder: Path, layer: str) -> None:
    """Write into `model.json` where in the network lies what its head reads.

    Args:
        folder: The model's folder, with `model.onnx` and `model.json`.
        layer: Name of the layer in `model.keras`.
    """
    content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    names = {"onnx": _place(_read(folder).graph, folder).features, "keras": layer}
    write_json(folder / "model.json", {**content, "embedding": names})


class ObservedNetwork:
    """A network as `emorec.engines.OnnxNetwork` runs it, that also keeps what its head reads.

    Attributes:
        spec: What is known about it.
        input_shape: Shape of its input without the batch; None is any length.
    """

    def __init__(self, folder: Path):
        import onnxruntime

        self.spec = read_model_spec(folder)
        model = _read(folder)
        place = _place(model.graph, folder)
        shape = [None, _constants(model.graph)[place.kernel].shape[0]]
        told = onnx.helper.make_tensor_value_info(place.features, onnx.TensorProto.FLOAT, shape)
        model.graph.output.append(told)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        first = self._session.get_inputs()[0]
        self._input = first.name
        self.input_shape = tuple(n if isinstance(n, int) else None for n in first.shape[1:])
        names = [output.name for output in self._session.get_outputs()]
        has_distance = DISTANCE in names
        self._asked = [place.softmax.output[0], place.features, *([DISTANCE] * has_distance)]
        self._taken: list[tuple[np.ndarray, np.ndarray]] = []

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Judge a batch; see `emorec.engines.Network`."""
        return self.read(batch)[0]

    def read(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Judge a batch; see `emorec.engines.Network`."""
        found = self._session.run(self._asked, {self._input: batch})
        distance = found[2][:, 0] if len(found) > 2 else np.zeros(len(batch), np.float32)
        self._taken.append((found[1], distance))
        return found[0], distance, np.zeros((len(batch), 0), np.float32)

    def taken(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return of each batch since last asked: features (n, d), distances (n,), both float32."""
        taken, self._taken = self._taken, []
        return taken


def write_with_head(source: Path, target: Path, head: LinearHead, far: float | None = None) -> None:
    """Write a model whose head is another, in all forms in which the source has it.

    Args:
        source: Folder of the model.
        target: Where to; made, with all files that do not tell of the old head.
        head: On the same features, of the same classes.
        far: Distance beyond which a note says that an input is unlike the training data; None: as
            it is in the source.
    """
    old, model = read_head(source), _read(source)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*_EVIDENCE))
    _replace(model.graph, _place(model.graph, source), head)
    write_atomically(target / "model.onnx", lambda name: onnx.save(model, name))
    if (source / "model.keras").exists():
        _write_keras(source / "model.keras", target / "model.keras", old, head)
    if far is not None:
        content = json.loads((source / "model.json").read_text(encoding="utf-8"))
        write_json(target / "model.json", {**content, "far": round(far, 4)})


def _read(folder: Path) -> onnx.ModelProto:
    try:
        return onnx.load(Path(folder) / "model.onnx")
    except OSError as error:
        reason = f"it cannot be read ({error.strerror})"
        raise ModelError(Path(folder) / "model.onnx", reason) from error


def _constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """Return all weights by name, also under the name that a cast gives them."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    casts = [node for node in graph.node if node.op_type == "Cast" and node.input[0] in values]
    return values | {node.output[0]: values[node.input[0]] for node in casts}


def _place(graph: onnx.GraphProto, folder: Path) -> _Place:
    """Find the head, from the output backwards."""
    name = read_model_spec(folder).output or graph.output[0].name
    maker = {output: node for node in graph.node for output in node.output}
    weights = _constants(graph)
    softmax, bias = maker.get(name), ""
    if softmax is not None and softmax.op_type == "Softmax":
        layer = maker.get(softmax.input[0])
        if layer is not None and layer.op_type == "Add" and layer.input[1] in weights:
            bias, layer = layer.input[1], maker.get(layer.input[0])
        if layer is not None and layer.op_type == "MatMul" and layer.input[1] in weights:
            return _Place(layer.input[0], layer.input[1], bias, softmax)
    reason = "it does not end in one layer and a softmax, and so cannot be given another head"
    raise ModelError(Path(folder) / "model.onnx", reason, "name the models that come with emorec")


def _replace(graph: onnx.GraphProto, place: _Place, head: LinearHead) -> None:
    """Put a head in the place of another."""
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    if place.bias:
        _set(graph, casts.get(place.bias, place.bias), head.bias)
    else:
        scores = place.softmax.input[0]
        graph.initializer.append(numpy_helper.from_array(head.bias, "own_bias"))
        place.softmax.input[0] = "own_scores"
        add = onnx.helper.make_node("Add", [scores, "own_bias"], ["own_scores"])
        index = next(i for i, node in enumerate(graph.node) if node.output == place.softmax.output)
        graph.node.insert(index, add)
    _set(graph, casts.get(place.kernel, place.kernel), head.kernel)


def _set(graph: onnx.GraphProto, name: str, values: np.ndarray) -> None:
    """Give a weight other values; its shape and its number format stay."""
    (tensor,) = (tensor for tensor in graph.initializer if tensor.name == name)
    old = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(values.reshape(old.shape).astype(old.dtype), name))


def _write_keras(source: Path, target: Path, old: LinearHead, head: LinearHead) -> None:
    """Write the same network for Keras: what holds the old head gets the new one.

    The file is an archive with all weights in one HDF5 file, which is changed without Keras: that
    takes seconds to be loaded.
    """
    import h5py

    with zipfile.ZipFile(source) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    weights = io.BytesIO(parts[_KERAS_WEIGHTS])
    with h5py.File(weights, "r+") as file:
        layers: list[h5py.Group] = []

        def look(_: str, group: object) -> None:
            if isinstance(group, h5py.Group) and {"0", "1"} == set(group):
                kernel = group["0"]
                if kernel.shape == old.kernel.shape and np.allclose(kernel, old.kernel, atol=1e-3):
                    layers.append(group)

        file.visititems(look)
        if len(layers) != 1:
            raise ModelError(source, "it is not the same network as model.onnx")
        for name, values in (("0", head.kernel), ("1", head.bias)):
            layers[0][name][...] = values.astype(layers[0][name].dtype)
    parts[_KERAS_WEIGHTS] = weights.getvalue()

    def write(name: str) -> None:
        with zipfile.ZipFile(name, "w") as archive:
            for part, content in parts.items():
                archive.writestr(part, content)

    write_atomically(target, write)
