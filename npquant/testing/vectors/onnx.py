"""The vectors in ONNX's own layout: NAME/model.onnx with test_data_set_0/input_0.pb and output_0.pb, as its node tests.

QLinearMatMul has neither a bias nor an activation: a bias becomes further products of constant inputs, which are part
of the vector's input, and a fused clamp a Clip behind it; a vector is written so only where the profile gives the same
codes for that. MatMulInteger, with an Add for the bias, asks for the accumulators of every layer; QuantizeLinear is
QUANTIZE. The package onnx is imported when models are built. Legend: collection the set; vector a flat one; profile its
arithmetic; layer the vector's only one; model a serialized one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.profiles.record import Profile
from npquant.testing.adapters.onnx_backend import IR_VERSION, OPSET, affine, bias_as_products
from npquant.testing.bugs.catalogue import CATALOGUE
from npquant.testing.case import Case, Layer, Model, checked, expected_of_layer
from npquant.testing.vectors.collection import Collection
from npquant.testing.vectors.rendering import Entry, Rendering
from npquant.testing.vectors.vector import GoldenVector, LayerValues, killed_by

# Rows of weights that may stand for a bias.
MOST_ROWS: Final = 512
Arrays = list[NDArray[Any]]


def render(collection: Collection) -> Rendering:
    """Return a folder for each operator of each vector that it can say; ImportError without the package onnx."""
    files: dict[str, bytes] = {}
    entries: list[Entry] = []
    left_out: dict[str, int] = {}
    for vector in collection.flat:
        for operator, reason, made in _asked(vector, collection.profile):
            if made is None:
                left_out[reason] = left_out.get(reason, 0) + 1
                continue
            nodes, x, y, kills = made
            name = f"{operator.lower()}_{vector.id.replace('.', '_')}"
            files[f"{name}/model.onnx"] = _model(operator, nodes, x, y)
            files[f"{name}/test_data_set_0/input_0.pb"] = _tensor(x, "x")
            files[f"{name}/test_data_set_0/output_0.pb"] = _tensor(y, "y")
            what = "accumulators" if operator == "MatMulInteger" else "codes"
            entries.append(Entry(name, vector, y, kills, what))
    return Rendering(files, tuple(entries), left_out)


# Nodes as (operator, constant operands, attributes), each taking the one before; input, answer, bugs killed.
Nodes = list[tuple[str, Arrays, dict[str, int]]]
Made = tuple[Nodes, NDArray[Any], NDArray[Any], tuple[str, ...]]


def _asked(vector: GoldenVector, profile: Profile) -> Iterator[tuple[str, str, Made | None]]:
    """Yield, of each operator that could ask this, its name, why it cannot, and the model's parts."""
    case = vector.case
    if vector.y_q is None:
        yield "QLinearMatMul", "a refusal: the format states one shape", None
    elif case.op == "quantize":
        params = case.model.layers[0].x
        scale, zero = affine(params, case.x_q.shape[-1])
        along = {"axis": case.x_q.ndim - 1} if scale.ndim else {}
        yield "QuantizeLinear", "", ([("QuantizeLinear", [scale, zero], along)], case.x_q, vector.y_q, vector.kills)
    elif not case.model.layers[0].w_q.shape[0]:
        yield "QLinearMatMul", "no inputs: MatMul needs a depth", None
    else:
        layer, values = case.model.layers[0], vector.layers[0]
        yield "QLinearMatMul", "QLinearMatMul has no bias, and none can be made", _codes(layer, values, profile)
        yield "MatMulInteger", "", _accumulators(layer, values, profile)


def _codes(layer: Layer, values: LayerValues, profile: Profile) -> Made | None:
    """Return QLinearMatMul of a layer, or None where bias or clamp cannot be said with the same answer."""
    x, w, y = checked(layer.x), checked(layer.w), checked(layer.y)
    wide, rows = layer, values.x_q
    if layer.bias is not None and layer.bias.any():
        try:
            inputs, weights = bias_as_products(layer.bias.astype(np.int64), x, w)
        except NotImplementedError:
            return None
        if len(inputs) > MOST_ROWS:
            return None
        rows = np.concatenate([rows, np.broadcast_to(inputs, (len(rows), inputs.size))], axis=1)
        wide = replace(layer, w_q=np.concatenate([layer.w_q, weights]))
    plain = replace(wide, bias=None, activation="none")
    codes: Codes = np.clip(expected_of_layer(plain, rows, profile), values.low, values.high)
    if not np.array_equal(codes, values.y_q):
        return None
    scale, zero = affine(w, layer.w_q.shape[1])
    zero = zero * 0 if _ignored(layer, profile) else zero
    operands = [*affine(x), np.ascontiguousarray(wide.w_q), scale, zero, *affine(y)]
    nodes: Nodes = [("QLinearMatMul", operands, {})]
    if (values.low, values.high) != (y.qmin, y.qmax):
        nodes.append(("Clip", [np.array(end, y.dtype) for end in (values.low, values.high)], {}))
    # Bugs of biases and of activations do not show in this form: asked is a layer without them.
    asked = Case(Model((plain,), profile.name), rows)
    return nodes, np.ascontiguousarray(rows), values.y_q, killed_by(asked, CATALOGUE)


def _ignored(layer: Layer, profile: Profile) -> bool:
    """Say whether the profile's engine ignores the zero points of these weights."""
    return profile.weight_zero_point == "per_tensor" and checked(layer.w).per_channel


def _accumulators(layer: Layer, values: LayerValues, profile: Profile) -> Made:
    """Return MatMulInteger of a layer, and the Add of its bias where that is int32; of accumulators, no bug is said to
    be killed."""
    zero = np.asarray(0 if _ignored(layer, profile) else layer.w.zero_point).astype(layer.w_q.dtype)
    operands = [np.ascontiguousarray(layer.w_q), np.asarray(layer.x.zero_point).astype(values.x_q.dtype), zero]
    nodes: Nodes = [("MatMulInteger", operands, {})]
    if layer.bias is not None and not profile.takes_real_bias:
        nodes.append(("Add", [layer.bias.astype(np.int32)], {}))
    return nodes, values.x_q, values.acc, ()


def _model(name: str, nodes: Nodes, x: NDArray[Any], y: NDArray[Any]) -> bytes:
    """Return a serialized model of nodes in a row, every operand but x a constant."""
    from onnx import helper, numpy_helper

    constants, made, last = [], [], "x"
    for i, (operator, arrays, attributes) in enumerate(nodes):
        names = [f"c{i}_{j}" for j in range(len(arrays))]
        constants += [numpy_helper.from_array(array, title) for array, title in zip(arrays, names, strict=True)]
        output = "y" if i == len(nodes) - 1 else f"t{i}"
        made.append(helper.make_node(operator, [last, *names], [output], **attributes))
        last = output
    ends = [
        helper.make_tensor_value_info(title, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for title, array in (("x", x), ("y", y))
    ]
    graph = helper.make_graph(made, name, ends[:1], ends[1:], initializer=constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString(deterministic=True))


def _tensor(array: NDArray[Any], name: str) -> bytes:
    from onnx import numpy_helper

    return bytes(numpy_helper.from_array(np.ascontiguousarray(array), name).SerializeToString(deterministic=True))
