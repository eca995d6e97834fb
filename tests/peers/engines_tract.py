"""tract's 8-bit operators on ONNX models, which it reads from files: NumPy in, NumPy out.

Legend: B batch, K contracted depth, N outputs; a pair (scale, zero_point) stands for a tensor's affine map; per channel
runs along the columns of w (K, N). Scales and zero points are constants of the model, as tract asks.
"""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.peers.onnx_models import Affine, Codes, affine_arrays, model_of_nodes

PACKAGE = "tract"
STUDIED_VERSION = "0.23.9"
EXTRA = "engines"

Arrays = dict[str, NDArray[Any]]


def installed_version() -> str:
    """Return the version of the installed engine."""
    return version(PACKAGE)


def run(nodes: list[Any], feeds: Arrays, constants: Arrays, outputs: list[Any]) -> list[NDArray[Any]]:
    """Run the model of these nodes and return all its outputs."""
    import tract

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model_of_nodes(nodes, feeds, constants, outputs))
        model = tract.onnx().load(str(path)).into_model().into_runnable()
    return [np.array(tensor.to_numpy()) for tensor in model.run(list(feeds.values()))]


def _affine(name: str, affine: Affine, dtype: Any) -> Arrays:
    scale, zero_point = affine_arrays(affine, dtype)
    return {f"s{name}": scale, f"z{name}": zero_point}


def _node(operator: str, inputs: list[str], outputs: list[str]) -> Any:
    from onnx import helper

    return helper.make_node(operator, inputs, outputs)


def qlinear_conv(
    x_q: Codes, w_q: Codes, bias: NDArray[np.int32] | None, *, x: Affine, w: Affine, y: Affine, dtype: str
) -> Codes:
    """Run QLinearConv of 1 x 1, a linear layer with an int32 bias."""
    (b, k), n = x_q.shape, w_q.shape[1]
    constants = {"w": np.ascontiguousarray(w_q.T).reshape(n, k, 1, 1)}
    for name, affine, kind in (("x", x, x_q.dtype), ("w", w, w_q.dtype), ("y", y, dtype)):
        constants |= _affine(name, affine, kind)
    names = ["x", "sx", "zx", "w", "sw", "zw", "sy", "zy"]
    if bias is not None:
        constants["bias"], names = bias, [*names, "bias"]
    node = _node("QLinearConv", names, ["y"])
    return run([node], {"x": np.ascontiguousarray(x_q).reshape(b, k, 1, 1)}, constants, [dtype])[0].reshape(b, n)


def qlinear_matmul(
    x_q: Codes, w_q: Codes, *, x: Affine, w: Affine, y: Affine, dtype: str, constant: bool = True
) -> Codes:
    """Run QLinearMatMul; several weight scales mean per column."""
    constants: dict[Any, Any] = {}
    feeds = {"x": x_q}
    for name, affine, kind in (("x", x, x_q.dtype), ("w", w, w_q.dtype), ("y", y, dtype)):
        constants |= _affine(name, affine, kind)
    (constants if constant else feeds)["w"] = w_q
    node = _node("QLinearMatMul", ["x", "sx", "zx", "w", "sw", "zw", "sy", "zy"], ["y"])
    return run([node], feeds, constants, [dtype])[0]


def matmul_integer(x_q: Codes, w_q: Codes, *, x_zero_point: ArrayLike, w_zero_point: ArrayLike) -> NDArray[np.int32]:
    """Run MatMulInteger."""
    constants = {"w": w_q, "zx": np.asarray(x_zero_point, x_q.dtype), "zw": np.asarray(w_zero_point, w_q.dtype)}
    return run([_node("MatMulInteger", ["x", "w", "zx", "zw"], ["y"])], {"x": x_q}, constants, ["int32"])[0]


def quantize(x: NDArray[np.float32], *, y: Affine, dtype: str) -> Codes:
    """Run QuantizeLinear."""
    return run([_node("QuantizeLinear", ["x", "sy", "zy"], ["y"])], {"x": x}, _affine("y", y, dtype), [dtype])[0]


def dequantize(x_q: Codes, *, x: Affine) -> NDArray[np.float32]:
    """Run DequantizeLinear."""
    node = _node("DequantizeLinear", ["x", "sx", "zx"], ["y"])
    return run([node], {"x": x_q}, _affine("x", x, x_q.dtype), ["float32"])[0]


def dynamic_quantize_linear(x: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Run DynamicQuantizeLinear and return codes, scale and zero point."""
    node = _node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"])
    y_q, scale, zero_point = run([node], {"x": x}, {}, ["uint8", "float32", "uint8"])
    return y_q, scale, zero_point


def dequantized_matmul(x_q: Codes, w_q: Codes, *, x: Affine, w: Affine, y: Affine, dtype: str) -> Codes:
    """Run DequantizeLinear, MatMul, QuantizeLinear: the same layer in the other form of ONNX."""
    constants = {"w": w_q}
    for name, affine, kind in (("x", x, x_q.dtype), ("w", w, w_q.dtype), ("y", y, dtype)):
        constants |= _affine(name, affine, kind)
    nodes = [
        _node("DequantizeLinear", ["x", "sx", "zx"], ["xf"]),
        _node("DequantizeLinear", ["w", "sw", "zw"], ["wf"]),
        _node("MatMul", ["xf", "wf"], ["m"]),
        _node("QuantizeLinear", ["m", "sy", "zy"], ["y"]),
    ]
    return run(nodes, {"x": x_q}, constants, [dtype])[0]
