"""The walk: from the input to the output, node by node, each taken by the family that knows it.

Legend: walk the walk; node the operator; inputs what its names stand for, None where one is left out; known all names
so far; made the node that writes each name, tensors the initializers; value and output the graph's own ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from npquant.files.format_error import FormatError
from npquant.interop.onnx_in.attributes import constant
from npquant.interop.onnx_in.const import Const
from npquant.interop.onnx_in.constants import fold_constant
from npquant.interop.onnx_in.float_nodes import (
    float_node,
    fused_gemm,
    probability_pair,
    scaler,
)
from npquant.interop.onnx_in.graph import ordered
from npquant.interop.onnx_in.integer_sums import sum_node, with_factors
from npquant.interop.onnx_in.lookup import lookup_node
from npquant.interop.onnx_in.messages import Node, Tensor, Value, quoted
from npquant.interop.onnx_in.quantized_nodes import dequantize, dynamic_node, dynamic_product, fused, quantize
from npquant.interop.onnx_in.shapes import cast, moved, shape_of, sizes_node
from npquant.interop.onnx_in.tensors import TYPES, type_name
from npquant.interop.onnx_in.values import Data, Dynamic, Known, Shape, Walk

Inputs = Sequence[Known | None]
_READ = (
    "products by constants, affine maps, Relu, Clip, Sigmoid, Tanh, HardSigmoid, a last Softplus or softmax, and the "
    "quantized forms of these; export the network with those"
)


def first_data(walk: Walk, value: Value) -> Data:
    """Return the data as it enters: its type, and its shape for one row, two, and as many as the file declares."""
    place = f"input {quoted(value.name)}"
    if value.type not in TYPES:
        walk.refuse(place, f"is {type_name(value.type) if value.type else 'no tensor'}; numbers are read")
    shape: Sequence[int | None] = (None, None) if value.shape is None else value.shape
    if len(shape) > 8 or not shape:
        walk.refuse(place, f"has rank {len(shape)}; npquant reads (B, K) or what a flatten makes so")
    if any(s is not None and (s < 0 or s > 2**40) for s in shape):
        walk.refuse(place, f"has the shape {list(shape)}")
    # 0 stands for a size that is not known, in files of skl2onnx.
    tail = tuple(s or None for s in shape[1:])
    declared = [shape[0]] if shape[0] and shape[0] > 2 else []
    shapes: dict[int, Shape] = {batch: (batch, *tail) for batch in (1, 2, *declared)}
    if value.type in (10, 16):
        walk.note(f"the file computes in {type_name(value.type)}; its weights are read exactly, and nothing is rounded")
    return Data(value.type, shapes)


def walk_graph(
    walk: Walk, made: Mapping[str, Node], tensors: Mapping[str, Tensor], value: Value, output: Value
) -> Data:
    """Return what the output is: the data, and by its tokens how it is computed."""
    known: dict[str, Known] = {value.name: first_data(walk, value)}
    for node in ordered(walk, made, {**tensors, value.name: value}, output.name):
        inputs = [_known(walk, known, tensors, name) if name else None for name in node.inputs]
        try:
            found = _visited(walk, node, inputs)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            if isinstance(error, FormatError):
                raise
            # What NumPy refuses of a node's numbers and attributes is the file's doing.
            walk.refuse(node, f"cannot be read: {error}")
        results = found if isinstance(found, list) else [found]
        for name, result in zip(node.outputs, results, strict=False):
            known[name] = result
        missing = next((name for name in node.outputs[len(results) :] if name), None)
        if missing is not None and node.op not in ("Dropout", "BatchNormalization"):
            walk.refuse(node, f"has {len(node.outputs)} outputs; {len(results)} are read")
    last = _known(walk, known, tensors, output.name)
    if not isinstance(last, Data):
        walk.refuse(f"output {quoted(output.name)}", "is not computed from the input by operators on its values")
    if any(len(shape) != 2 or shape[0] != batch for batch, shape in last.shapes.items()):
        walk.note(
            f"the file gives its outputs in the shape {last.shapes[min(last.shapes)]} for {min(last.shapes)} row(s)"
        )
    return last


def _known(walk: Walk, known: dict[str, Known], tensors: Mapping[str, Tensor], name: str) -> Known:
    if name not in known:
        if name not in tensors:
            walk.refuse(f"value {quoted(name)}", "is an output that npquant does not read (a mask or a statistic)")
        known[name] = Const(walk.tensors.array(tensors[name], name), tensors[name].type)
    return known[name]


def _visited(walk: Walk, node: Node, inputs: Inputs) -> Known | list[Known]:
    """What a node makes, by what its inputs are; FormatError names an operator that is not read."""
    if all(i is None or isinstance(i, Const) for i in inputs):
        constants = [i if isinstance(i, Const) else None for i in inputs]
        found: Known | list[Known] | None = with_factors(node, inputs, fold_constant(walk, node, constants))
    elif any(isinstance(i, Dynamic) for i in inputs):
        found = dynamic_node(walk, node, inputs)
    elif any(isinstance(i, Data) for i in inputs):
        found = _data_node(walk, node, inputs)
    else:
        found = sizes_node(walk, node, inputs)
    if found is None:
        walk.refuse(node, f"has no twin here; npquant reads {_READ}")
    return found


def _data_node(walk: Walk, node: Node, inputs: Inputs) -> Known | list[Known] | None:
    flowing = [i for i in inputs if isinstance(i, Data)]
    data = flowing[0]
    if node.op == "Concat" and not node.domain:
        return probability_pair(walk, node, inputs)
    if len(flowing) > 1:
        walk.refuse(node, "takes the data twice; branches that meet again, and weights from the input, are not read")
    if not node.domain and (summed := sum_node(walk, node, inputs, data)) is not None:
        return summed
    if node.op in ("QuantizeLinear", "DequantizeLinear") and node.domain in ("", "com.microsoft"):
        if inputs[0] is not data:
            walk.refuse(node, "has a scale computed from the input; it must be a constant")
        return quantize(walk, node, inputs, data) if node.op[0] == "Q" else dequantize(walk, node, inputs, data)
    if node.op == "QLinearMatMul" and not node.domain:
        return fused(walk, node, inputs, data)
    if node.domain == "com.microsoft":
        return _microsoft(walk, node, inputs, data)
    if node.domain == "ai.onnx.ml":
        if node.op == "ZipMap":
            return data
        return scaler(walk, node, data) if node.op == "Scaler" else None
    return _own_node(walk, node, inputs, data)


def _microsoft(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data | None:
    if node.op == "FusedGemm":
        return fused_gemm(walk, node, inputs, data)
    if node.op == "DynamicQuantizeMatMul" and inputs[0] is data and len(inputs) > 2:
        w, scale = (constant(walk, node, inputs[i], "weights") for i in (1, 2))
        rest = [
            None if i is None else constant(walk, node, i, "zero point or bias") for i in (*inputs[3:5], None, None)
        ]
        return dynamic_product(walk, node, data, (w, scale, rest[0], rest[1]))
    return fused(walk, node, inputs, data)


def _own_node(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Known | list[Known] | None:
    """ONNX's own operators."""
    if (looked_up := lookup_node(walk, node, inputs, data)) is not None:
        return looked_up
    match node.op:
        case "Shape":
            return shape_of(walk, node, data)
        case "Identity":
            return data
        case "Dropout":
            training = inputs[2] if len(inputs) > 2 else None
            if isinstance(training, Const) and training.array.any():
                walk.refuse(node, "drops values (training_mode); npquant reads inference")
            return data
        case "Cast":
            return cast(walk, node, data)
        case "DynamicQuantizeLinear":
            return [Dynamic(kind, data) for kind in ("codes", "scale", "zero")]
    if inputs[0] is data and (same := moved(walk, node, inputs, data)) is not None:
        return same
    return float_node(walk, node, inputs, data)
