"""The ONNX reference evaluator's 8-bit operators on models built in memory: NumPy in, NumPy out.

Legend: B batch, K contracted depth, N outputs; a pair (scale, zero_point) stands for a tensor's
affine map; per channel runs along the columns of w (K, N).
"""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.peers.onnx_models import Affine, Codes, affine_arrays, one_node_model

PACKAGE = "onnx"
STUDIED_VERSION = "1.23.2"
EXTRA = "peers"


def installed_version() -> str:
    """Return the version of the installed engine."""
    return version(PACKAGE)


def run(model: bytes, feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Run a model in the reference evaluator and return all its outputs.

    The evaluator casts NaN and huge floats to integers; what NumPy warns about there is part of
    what it computes.
    """
    import onnx
    from onnx.reference import ReferenceEvaluator

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(ReferenceEvaluator(onnx.load_from_string(model)).run(None, feeds))


def _node(operator: str, feeds: list[NDArray[Any] | None], outputs: list[Any], **attributes: Any) -> list[NDArray[Any]]:
    """Run one node whose inputs are `feeds`."""
    model, named = one_node_model(operator, feeds, outputs, **attributes)
    return run(model, named)


def quantize(x: NDArray[np.float32], *, y: Affine, dtype: str, axis: int | None = None) -> Codes:
    """Run QuantizeLinear."""
    scale, zero_point = affine_arrays(y, dtype, per_channel=axis is not None)
    attributes = {} if axis is None else {"axis": axis}
    return _node("QuantizeLinear", [x, scale, zero_point], [dtype], **attributes)[0]


def dequantize(x_q: Codes, *, x: Affine) -> NDArray[np.float32]:
    """Run DequantizeLinear."""
    scale, zero_point = affine_arrays(x, x_q.dtype)
    return _node("DequantizeLinear", [x_q, scale, zero_point], ["float32"])[0]


def qlinear_matmul(x_q: Codes, w_q: Codes, *, x: Affine, w: Affine, y: Affine, dtype: str) -> Codes:
    """Run QLinearMatMul; several weight scales mean per column."""
    feeds: list[NDArray[Any] | None] = [
        x_q, *affine_arrays(x, x_q.dtype), w_q, *affine_arrays(w, w_q.dtype),
        *affine_arrays(y, dtype),
    ]  # fmt: skip
    return _node("QLinearMatMul", feeds, [dtype])[0]


def matmul_integer(
    x_q: Codes, w_q: Codes, *, x_zero_point: ArrayLike = 0, w_zero_point: ArrayLike = 0
) -> NDArray[np.int32]:
    """Run MatMulInteger."""
    feeds: list[NDArray[Any] | None] = [
        x_q, w_q, np.asarray(x_zero_point, x_q.dtype), np.asarray(w_zero_point, w_q.dtype)
    ]  # fmt: skip
    return _node("MatMulInteger", feeds, ["int32"])[0]


def dynamic_quantize_linear(
    x: NDArray[np.float32],
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    """Run DynamicQuantizeLinear and return codes, scale and zero point."""
    y_q, scale, zero_point = _node("DynamicQuantizeLinear", [x], ["uint8", "float32", "uint8"])
    return y_q, scale, zero_point


def batch_normalization(x: NDArray[np.float32], *, mean: float, opset: int) -> NDArray[np.float32]:
    """Run BatchNormalization with scale and variance 1, bias and epsilon 0, momentum 0.9."""
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    feeds: list[NDArray[Any] | None] = [x, one, zero, np.array([mean], np.float32), one]
    settings = {"epsilon": 0.0, "momentum": 0.9}
    model, named = one_node_model("BatchNormalization", feeds, ["float32"], opset=opset, **settings)
    return np.asarray(run(model, named)[0])
