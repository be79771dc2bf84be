"""Tiny untrained networks of the real input and output shapes, so that tests need no weights."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from emorec.emotions import COMMON7, FERPLUS8, RAVDESS8
from emorec.features import geometry as geometry_features
from emorec.features.whisper_mel import WHISPER
from emorec.fusion import Calibration, LogLinearFusion
from emorec.streams.voice_inputs import whisper_log_mel_spec

VOICE_SHAPE = (WHISPER.bands, None)
FACE_SHAPE = (48, 48, 1)
GEOMETRY_SHAPE = (geometry_features.WINDOW_FRAMES, geometry_features.FEATURES)


def write_network(path: Path, shape: tuple, classes: int, output: str = "output") -> None:
    """Write an ONNX network of one dense layer and softmax; its weights follow from its shape.

    It reads the mean over an axis whose length is None, which is any.
    """
    size = int(np.prod([n for n in shape if n]))
    any_length = [axis for axis, n in enumerate(shape, 1) if not n]
    rng = np.random.default_rng(size)
    weights = (rng.normal(size=(size, classes)) / np.sqrt(size)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["read"], axes=any_length, keepdims=0)
        if any_length
        else helper.make_node("Identity", ["input"], ["read"]),
        helper.make_node("Flatten", ["read"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], [output], axis=-1),
    ]
    dimensions = ["batch", *(n or "length" for n in shape)]
    graph = helper.make_graph(
        nodes,
        "untrained",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, dimensions)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def make_models(folder: Path) -> Path:
    """Make a folder of models that `Recognizer.load` takes."""
    for name, stream, shape, classes, output in (
        ("voice_encoder", "voice", VOICE_SHAPE, COMMON7, "output"),
        ("face_cnn", "face", FACE_SHAPE, FERPLUS8, "ferplus"),
        ("geometry", "geometry", GEOMETRY_SHAPE, RAVDESS8, "output"),
    ):
        inputs = whisper_log_mel_spec() if stream == "voice" else {}
        write_network(folder / name / "model.onnx", shape, len(classes), output)
        spec = {"stream": stream, "classes": classes, "output": output, "inputs": inputs}
        spec["embedding"] = {"onnx": "flat"}
        (folder / name / "model.json").write_text(json.dumps(spec))
    (folder / "fusion").mkdir()
    fusion = LogLinearFusion(
        COMMON7, {stream: Calibration() for stream in ("voice", "face", "geometry")}, {}
    )
    fusion.to_json(folder / "fusion" / "fusion.json")
    return folder


def untrained_models(tmp_path_factory) -> Path:
    """The models of this test run, made once."""
    folder = tmp_path_factory.getbasetemp() / "untrained_models"
    return folder if folder.is_dir() else make_models(folder)
