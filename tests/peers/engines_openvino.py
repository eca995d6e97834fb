"""OpenVINO's CPU plugin on ONNX models built in memory: NumPy in, NumPy out; float32 inference, one thread.

Legend: B batch, K contracted depth, N outputs; a pair (scale, zero_point) stands for a tensor's affine map; per channel
runs along the columns of w (K, N).
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.peers.onnx_models import Affine, Codes, affine_arrays, model_of_nodes

PACKAGE = "openvino"
STUDIED_VERSION = "2026.4.1"
EXTRA = "engines"

Arrays = dict[str, NDArray[Any]]


def installed_version() -> str:
    """Return the version of the installed engine."""
    return version(PACKAGE)


def compiled(nodes: list[Any], feeds: Arrays, constants: Arrays, outputs: list[Any]) -> Any:
    """Compile the model of these nodes for the CPU."""
    import openvino

    core = openvino.Core()
    model = core.read_model(model_of_nodes(nodes, feeds, constants, outputs))
    options = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": "1"}
    return core.compile_model(model, "CPU", options)


def run(nodes: list[Any], feeds: Arrays, constants: Arrays, outputs: list[Any]) -> NDArray[Any]:
    """Run the model of these nodes and return its output."""
    return np.array(compiled(nodes, feeds, constants, outputs)(feeds)[0])


def _affine(name: str, affine: Affine, dtype: Any) -> Arrays:
    scale, zero_point = affine_arrays(affine, dtype)
    return {f"s{name}": scale, f"z{name}": zero_point}


def _node(operator: str, inputs: list[str], output: str, **attributes: int) -> Any:
    from onnx import helper

    return helper.make_node(operator, inputs, [output], **attributes)


def layer(
    x_q: Codes,
    w_q: Codes,
    bias: NDArray[np.float32] | None,
    *,
    x: Affine,
    w: Affine,
    y: Affine,
    dtype: str,
    activation: str = "none",
) -> Codes:
    """Run DequantizeLinear, MatMul, Add where there is a bias, Relu where it is asked for, QuantizeLinear."""
    constants = {"w": w_q}
    for name, affine, kind in (("x", x, x_q.dtype), ("w", w, w_q.dtype), ("y", y, dtype)):
        constants |= _affine(name, affine, kind)
    axis = {"axis": 1} if np.ndim(w[0]) else {}
    nodes = [
        _node("DequantizeLinear", ["x", "sx", "zx"], "xf"),
        _node("DequantizeLinear", ["w", "sw", "zw"], "wf", **axis),
        _node("MatMul", ["xf", "wf"], "m"),
    ]
    last = "m"
    if bias is not None:
        constants["bias"] = np.asarray(bias, np.float32)
        nodes.append(_node("Add", [last, "bias"], "a"))
        last = "a"
    if activation == "relu":
        nodes.append(_node("Relu", [last], "r"))
        last = "r"
    nodes.append(_node("QuantizeLinear", [last, "sy", "zy"], "y"))
    return run(nodes, {"x": x_q}, constants, [dtype])


def qlinear_matmul(x_q: Codes, w_q: Codes, *, x: Affine, w: Affine, y: Affine, dtype: str) -> Codes:
    """Run QLinearMatMul."""
    constants = {"w": w_q}
    for name, affine, kind in (("x", x, x_q.dtype), ("w", w, w_q.dtype), ("y", y, dtype)):
        constants |= _affine(name, affine, kind)
    node = _node("QLinearMatMul", ["x", "sx", "zx", "w", "sw", "zw", "sy", "zy"], "y")
    return run([node], {"x": x_q}, constants, [dtype])


def matmul_integer(x_q: Codes, w_q: Codes, *, x_zero_point: ArrayLike = 0) -> NDArray[np.int32]:
    """Run MatMulInteger on constant weights."""
    constants = {"w": w_q, "zx": np.asarray(x_zero_point, x_q.dtype)}
    return run([_node("MatMulInteger", ["x", "w", "zx"], "y")], {"x": x_q}, constants, ["int32"])


def quantize(x: NDArray[np.float32], *, y: Affine, dtype: str) -> Codes:
    """Run QuantizeLinear."""
    return run([_node("QuantizeLinear", ["x", "sy", "zy"], "y")], {"x": x}, _affine("y", y, dtype), [dtype])


def dequantize(x_q: Codes, *, x: Affine) -> NDArray[np.float32]:
    """Run DequantizeLinear."""
    node = _node("DequantizeLinear", ["x", "sx", "zx"], "y")
    return run([node], {"x": x_q}, _affine("x", x, x_q.dtype), ["float32"])
