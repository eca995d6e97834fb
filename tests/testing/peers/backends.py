"""Engines of the field as backends of the oracle kit: each says truthfully what it takes, and declines the rest.

Legend: B batch, K contracted depth, N outputs; x_q (B, K), w_q (K, N), bias (N,) codes of scale sx sw or None.

The adapters of tests/peers build the models; what is here is the translation of a case. A layer that an engine has no
form for is declined by NotImplementedError, and an engine's own complaint about shapes is a ValueError.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant import QuantParams
from npquant.profiles import get
from npquant.testing import Capabilities, from_callable
from npquant.testing.backend import Backend
from tests.peers import (
    engines_litert,
    engines_onnx_reference,
    engines_onnxruntime,
    engines_tflm,
    engines_torch,
    machine,
)
from tests.peers.layers import pair

ORT: Final = "ort" if machine.sums_pairs_exactly() else "ort_pair16"
LITERT: Final = {
    "xnnpack": "xnnpack_fp32_avx512" if machine.has_avx512() else "xnnpack_fp32",
    "ref": "litert_ref_2025",
    "opt": "ruy_x86",
}
TORCH: Final = {
    "fbgemm": "fbgemm" if machine.sums_pairs_exactly() else "fbgemm_pair16",
    "x86": "fbgemm" if machine.sums_pairs_exactly() else "fbgemm_pair16",
    "qnnpack": "qnnpack",
    "onednn": "onednn_vnni" if machine.sums_pairs_exactly() else "onednn_avx2",
}
# Rows that may stand in for a bias: 64 of 127 times 127 reach 2^20.
BIAS_ROWS: Final = 64


def onnxruntime() -> Backend:
    """ONNX Runtime: QGemm, which has a bias, and QuantizeLinear. K = 0 is not for it: a test of its own says why."""
    can = Capabilities(
        ops=("linear", "quantize"),
        weight_types=("int8", "uint8"),
        min_depth=1,
        activations=("none",),
        rejects=("shape",),
    )
    return from_callable(
        _qgemm,
        profile=ORT,
        quantize=partial(_onnx_quantize, engines_onnxruntime),
        capabilities=can,
        name="ONNX Runtime",
    )


def _qgemm(x_q: Any, w_q: Any, bias: Any, *, x: QuantParams, w: QuantParams, y: QuantParams, activation: str) -> Any:
    """Run one layer; int8 by uint8 is a pair of types that QGemm has no kernel for."""
    if x_q.dtype == np.int8 and w_q.dtype == np.uint8:
        raise NotImplementedError("QGemm has no int8 by uint8")
    from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

    given = np.zeros(w_q.shape[1], np.int32) if bias is None else bias
    try:
        return engines_onnxruntime.qgemm(x_q, w_q, given, x=pair(x), w=channels(w), y=pair(y), dtype=y.dtype.name)
    except InvalidArgument as refusal:
        raise ValueError(str(refusal)) from refusal


def _onnx_quantize(engine: Any, x: NDArray[np.float32], params: QuantParams) -> Any:
    axis = x.ndim - 1 if np.ndim(params.scale) else None
    return engine.quantize(x, y=pair(params), dtype=params.dtype.name, axis=axis)


def onnx_reference() -> Backend:
    """The ONNX reference evaluator: QLinearMatMul, which has no bias, so that a small one becomes further inputs."""
    can = Capabilities(
        ops=("linear", "quantize"), weight_types=("int8", "uint8"), activations=("none",), rejects=("shape",)
    )
    quantize = partial(_onnx_quantize, engines_onnx_reference)
    return from_callable(
        _qlinear_matmul, profile="onnx_ref", quantize=quantize, capabilities=can, name="onnx.reference"
    )


def _qlinear_matmul(
    x_q: Any, w_q: Any, bias: Any, *, x: QuantParams, w: QuantParams, y: QuantParams, activation: str
) -> Any:
    if bias is not None:
        if bias.shape != (w_q.shape[1],):
            raise ValueError(f"the bias has shape {bias.shape}")
        x_q, w_q = with_bias_as_products(x_q, w_q, bias, x, w)
    return engines_onnx_reference.qlinear_matmul(x_q, w_q, x=pair(x), w=channels(w), y=pair(y), dtype=y.dtype.name)


def with_bias_as_products(
    x_q: NDArray[Any], w_q: NDArray[Any], bias: NDArray[Any], x: QuantParams, w: QuantParams
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Append inputs, the same in each row, and weights whose products sum to the bias; declined where that needs more.

    The bias is taken apart greedily: the largest inputs of both signs as often as it takes, then inputs of 1 and -1.
    """
    zx, zw = int(x.zero_point), np.broadcast_to(np.asarray(w.zero_point, np.int64), (w_q.shape[1],))
    low, high = w.qmin - zw, w.qmax - zw
    left = bias.astype(np.int64)
    inputs, weights = [], []
    ends = [v for v in (x.qmax - zx, x.qmin - zx) if v]
    for size in [*ends * (BIAS_ROWS // len(ends)), *(v for v in (1, -1) if x.qmin <= zx + v <= x.qmax)]:
        factor = np.clip(np.trunc(left / size).astype(np.int64), low, high)
        if factor.any():
            inputs.append(zx + size)
            weights.append(factor + zw)
            left = left - factor * size
    if left.any():
        raise NotImplementedError("QLinearMatMul has no bias, and this one is too large for products")
    if not inputs:
        return x_q, w_q
    more = np.broadcast_to(np.array(inputs, x_q.dtype), (len(x_q), len(inputs)))
    return np.concatenate([x_q, more], axis=1), np.concatenate([w_q, np.array(weights, w_q.dtype)])


def litert(resolver: str) -> Backend:
    """LiteRT under one resolver: FULLY_CONNECTED, whose uint8 form wants uint8 weights of one scale, and QUANTIZE."""
    xnnpack = resolver == "xnnpack"
    can = Capabilities(
        ops=("linear", "quantize"),
        min_batch=1,
        min_depth=1,
        activations=("none", "relu", "relu6", "relu_n1_to_1"),
        weight_types=("int8", "uint8") if xnnpack else ("int8",),
        weight_zero_point=not xnnpack,
        rejects=(),
    )
    run = partial(_fully_connected, partial(engines_litert.fully_connected, resolver=resolver))
    quantize = partial(_tflite_quantize, partial(engines_litert.quantize, resolver=resolver))
    return from_callable(run, profile=LITERT[resolver], quantize=quantize, capabilities=can, name=f"LiteRT {resolver}")


def tflite_micro() -> Backend:
    """TFLite-Micro: int8 alone."""
    can = Capabilities(
        ops=("linear", "quantize"),
        code_types=("int8",),
        min_batch=1,
        min_depth=1,
        max_depth=20_000,
        activations=("none", "relu", "relu6", "relu_n1_to_1"),
        rejects=(),
    )
    run = partial(_fully_connected, engines_tflm.fully_connected)
    quantize = partial(_tflite_quantize, engines_tflm.quantize)
    return from_callable(run, profile="tflm", quantize=quantize, capabilities=can, name="TFLite-Micro")


def _fully_connected(
    run: Callable[..., Any],
    x_q: Any,
    w_q: Any,
    bias: Any,
    *,
    x: QuantParams,
    w: QuantParams,
    y: QuantParams,
    activation: str,
) -> Any:
    """Run one layer; int8 weights of a uint8 layer are stored 128 higher, zero point and all: the same weights."""
    zero = w.zero_point
    if x_q.dtype == np.uint8 and w_q.dtype == np.int8:
        if w.per_channel:
            raise NotImplementedError("FULLY_CONNECTED on uint8 has weights of one scale")
        w_q, zero = (w_q.astype(np.int64) + 128).astype(np.uint8), np.asarray(zero) + 128
    elif x_q.dtype != w_q.dtype:
        raise NotImplementedError("FULLY_CONNECTED wants input and weights of one type")
    if w.per_channel and np.any(zero):
        raise NotImplementedError("per-channel weights have no zero point")
    given = np.zeros(w_q.shape[1], np.int32) if bias is None else bias
    return run(x_q, w_q, given, x=pair(x), w=(w.scale, zero), y=pair(y), activation=activation)


def _tflite_quantize(run: Callable[..., Any], x: NDArray[np.float32], params: QuantParams) -> Any:
    if np.ndim(params.scale):
        raise NotImplementedError("QUANTIZE has one scale")
    return run(x, y=pair(params), dtype=params.dtype.name)


def torch(engine: str) -> Backend:
    """Torch's quantized.linear under one engine: uint8 by int8, a float bias, ReLU alone."""
    can = Capabilities(
        ops=("linear", "quantize"),
        code_types=("uint8",),
        min_batch=1,
        min_depth=1,
        weight_zero_point=engine != "onednn",
        activations=("none", "relu"),
        rejects=(),
    )
    return from_callable(
        partial(_torch_linear, engine),
        profile=TORCH[engine],
        quantize=_torch_quantize,
        capabilities=can,
        name=f"torch {engine}",
    )


def _torch_linear(
    engine: str, x_q: Any, w_q: Any, bias: Any, *, x: QuantParams, w: QuantParams, y: QuantParams, activation: str
) -> Any:
    """Run one layer with the bias f32(b_q sx sw), which is what the profile makes of integer codes."""
    real = None
    if bias is not None:
        real = (bias * (np.asarray(x.scale, np.float64) * np.asarray(w.scale, np.float64))).astype(np.float32)
        record = get(TORCH[engine])
        if record.add_bias is None and not np.array_equal(record.quantize_bias(real, x.scale, w.scale), bias):
            raise NotImplementedError("the bias is float32, and no float32 stands for this code")
    pairs: Any = {"x": pair(x), "w": channels(w), "y": pair(y)}
    return engines_torch.linear(x_q, w_q, real, **pairs, engine=engine, relu=activation == "relu")


def _torch_quantize(x: NDArray[np.float32], params: QuantParams) -> Any:
    if np.ndim(params.scale):
        return engines_torch.quantize_per_channel(x, y=pair(params), dtype=params.dtype.name, axis=x.ndim - 1)
    return engines_torch.quantize_per_tensor(x, y=pair(params), dtype=params.dtype.name)


def channels(w: QuantParams) -> tuple[Any, Any]:
    """Return (scale, zero point) of weights in one shape: engines that have a zero point a channel want scales, too."""
    return np.broadcast_arrays(w.scale, w.zero_point) if np.ndim(w.zero_point) else pair(w)  # type: ignore[return-value]
