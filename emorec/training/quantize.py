"""A network's ONNX file with the large weights as 8-bit integers."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import numpy_helper

from emorec.files import write_atomically

_TO_WEIGHTS = 0.7
"""How much of the unevenness of a product's inputs goes into its weights (Xiao et al. 2023)."""

_FLOAT_PRODUCTS = 6
"""Of the encoder's first block: query, key, value, output, and the two of the perceptron."""

_HALVED_FROM = 10_000
"""Float weights of so many numbers are kept as float16."""

_WIDTH = 3.0
"""Deviations from its mean within which a normalised input mostly stays."""


def save_quantized(file: Path, network: keras.Model, example: np.ndarray) -> None:
    """Write a network as ONNX, its products of matrices in 8 bits.

    Weights are rounded once, per column, and unsigned: signed ones overflow the 16-bit sums of
    processors without VNNI (posteriors off by up to 0.048, against 0.024). Activations are rounded
    on the fly, each to its own range, so that nothing has to be calibrated; what a layer norm puts
    out is evened before, so that no channel takes the others' bits. Convolutions stay float, whose
    integer kernels are slow, and so do layers whose names begin with `head_`: they read few numbers
    of very different ranges. The first six products stay float too, the encoder's first block: what
    is rounded there goes through all that follows (of 240 real windows, 99.2 % then get the
    verdict of the float network, and 97.1 % else). Large float weights are kept as float16.

    Args:
        file: To write, `.onnx`.
        network: Any Keras network.
        example: An input, to trace the network with.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    network(example)
    with tempfile.TemporaryDirectory() as folder:
        floats = Path(folder) / "float.onnx"
        network.export(floats, format="onnx", verbose=False)
        model = onnx.load(floats)
        _spell_for_fusion(model.graph)
        products = _products(model.graph)
        rounded = [n for n in products if "head_" not in n.name][_FLOAT_PRODUCTS:]
        _even_out_norms(model.graph, {product.name for product in rounded})
        _halve(model.graph, {product.input[1] for product in rounded})
        onnx.save(model, floats)
        write_atomically(
            Path(file),
            lambda name: quantize_dynamic(
                floats,
                name,
                op_types_to_quantize=["MatMul"],
                nodes_to_quantize=[product.name for product in rounded],
                per_channel=True,
                weight_type=QuantType.QUInt8,
            ),
        )


def _products(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the products of a sequence with weights, in order."""
    weights = {tensor.name for tensor in graph.initializer}
    return [n for n in graph.node if n.op_type == "MatMul" and n.input[1] in weights]


def _halve(graph: onnx.GraphProto, but: set[str]) -> None:
    """Keep large float weights as float16, from which they came; a cast gives them back at load."""
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.name in but or values.dtype != np.float32 or values.size < _HALVED_FROM:
            continue
        half = f"{tensor.name}_half"
        cast = onnx.helper.make_node("Cast", [half], [tensor.name], to=onnx.TensorProto.FLOAT)
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
        graph.node.insert(0, cast)


def _spell_for_fusion(graph: onnx.GraphProto) -> None:
    """Write layer norms and GELUs as ONNX Runtime knows them: it then computes each in one pass.

    The exporter writes means over channels as pooling, squares as products with themselves, and
    divisions as products. (Of a tensor of three axes, pooling is the mean over the last.)
    """
    two, root_of_two = _constant(graph, "two", 2.0), _constant(graph, "root_of_two", 2**0.5)
    readers = _readers(graph)
    constants = _constants(graph)
    for node in graph.node:
        if node.op_type == "GlobalAveragePool":
            node.op_type = "ReduceMean"
            options = {"axes": [-1], "keepdims": 1}
            node.attribute.extend(onnx.helper.make_attribute(*pair) for pair in options.items())
        elif node.op_type == "Mul" and node.input[0] == node.input[1]:
            node.op_type, node.input[1] = "Pow", two
        elif node.op_type == "Mul" and [r.op_type for r in readers[node.output[0]]] == ["Erf"]:
            (read,) = (name for name in node.input if name not in constants)
            node.op_type, node.input[0], node.input[1] = "Div", read, root_of_two


def _even_out_norms(graph: onnx.GraphProto, rounded: set[str]) -> None:
    """Move scale between the gains of layer norms and the matrices that read them.

    The product stays the same. Its input is rounded to one range for all channels, so that few
    strong channels would take the bits of all others; its weights can better bear it, which are
    rounded per column.

    Args:
        graph: Changed in place.
        rounded: Names of the products that will be rounded.
    """
    weights = _constants(graph)
    evened = {}
    for number, (gain, bias, products) in enumerate(_norms(graph, weights)):
        if not all(product.name in rounded for product in products):
            continue
        names = [product.input[1] for product in products]
        strongest = np.abs(np.concatenate([weights[name] for name in names], 1)).max(1)
        (gain_node, gains), (bias_node, biases) = gain, bias
        width = _WIDTH * np.abs(gains) + np.abs(biases)
        scale = width**_TO_WEIGHTS / np.maximum(strongest, 1e-4) ** (1 - _TO_WEIGHTS)
        gain_node.input[1] = _constant(graph, f"evened_gain_{number}", gains / scale)
        bias_node.input[1] = _constant(graph, f"evened_bias_{number}", biases / scale)
        evened |= {name: weights[name] * scale[:, None] for name in names}
    for tensor in graph.initializer:
        if tensor.name in evened:
            values = evened[tensor.name].astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _norms(graph: onnx.GraphProto, weights: dict[str, np.ndarray]) -> Iterator[tuple]:
    """Yield the gain and the bias of each layer norm, (node, values), and products that read it."""
    maker = {name: node for node in graph.node for name in node.output}
    readers = _readers(graph)
    casts = {
        node.output[0]: weights[node.input[0]].astype(np.float32)
        for node in graph.node
        if node.op_type == "Cast" and node.input[0] in weights
    }
    values = weights | casts
    for add in [node for node in graph.node if node.op_type == "Add"]:
        scaled = maker.get(add.input[0])
        divided = maker.get(scaled.input[0]) if scaled and scaled.op_type == "Mul" else None
        if divided is None or divided.op_type != "Div":
            continue
        read = [node for node in readers[add.output[0]] if node.op_type != "Shape"]
        shaped = [node for node in read if node.op_type == "Reshape"]
        read = [n for n in read if n not in shaped] + [
            r for n in shaped for r in readers[n.output[0]]
        ]
        is_whole = read and all(n.op_type == "MatMul" and n.input[1] in weights for n in read)
        if is_whole and scaled.input[1] in values and add.input[1] in values:
            yield (scaled, values[scaled.input[1]]), (add, values[add.input[1]]), read


def _readers(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    readers = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    return readers


def _constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _constant(graph: onnx.GraphProto, name: str, value) -> str:
    """Add a float32 constant; return its name."""
    graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
    return name
