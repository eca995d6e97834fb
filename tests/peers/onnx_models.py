"""One-node ONNX models, built in memory, for ONNX Runtime and the reference evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Affine = tuple[ArrayLike, ArrayLike]
Codes = NDArray[Any]

_OPSET = 21  # QuantizeLinear here divides in float32, the type of its scale
_IR_VERSION = 10


def one_node_model(
    operator: str,
    feeds: Sequence[NDArray[Any] | None],
    outputs: Sequence[DTypeLike],
    *,
    domain: str = "",
    opset: int = _OPSET,
    **attributes: Any,
) -> tuple[bytes, dict[str, NDArray[Any]]]:
    """Build a model of one node with every operand a graph input; return it and the feeds."""
    from onnx import helper

    named = {f"i{k}": array for k, array in enumerate(feeds) if array is not None}
    inputs = [f"i{k}" if array is not None else "" for k, array in enumerate(feeds)]
    names = [f"o{k}" for k in range(len(outputs))]
    node = helper.make_node(operator, inputs, names, domain=domain, **attributes)
    graph = helper.make_graph(
        [node],
        "one_node",
        [_value(name, array.dtype, array.shape) for name, array in named.items()],
        [_value(name, dtype, None) for name, dtype in zip(names, outputs, strict=True)],
    )
    opsets = [helper.make_opsetid("", opset)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    return model.SerializeToString(), named


def affine_arrays(
    affine: Affine, dtype: DTypeLike, *, per_channel: bool = False
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Return the scale and the zero point as arrays of one shape."""
    scale = np.asarray(affine[0], np.float32)
    if per_channel:
        scale = np.atleast_1d(scale)
    return scale, np.broadcast_to(np.asarray(affine[1]), scale.shape).astype(dtype)


def _value(name: str, dtype: DTypeLike, shape: Sequence[int] | None) -> Any:
    """Name a graph input or output with its element type."""
    from onnx import helper

    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, element, shape)


def model_of_nodes(
    nodes: Sequence[Any],
    feeds: Mapping[str, NDArray[Any]],
    constants: Mapping[str, NDArray[Any]],
    outputs: Sequence[DTypeLike],
) -> bytes:
    """Build a model of several nodes, for engines that want scales and weights as constants; the last makes outputs."""
    from onnx import helper, numpy_helper

    graph = helper.make_graph(
        list(nodes),
        "nodes",
        [_value(name, array.dtype, array.shape) for name, array in feeds.items()],
        [_value(name, dtype, None) for name, dtype in zip(nodes[-1].output, outputs, strict=True)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION).SerializeToString()
