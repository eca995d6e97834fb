"""OpenVINO's CPU plugin: integer sums, then float32 by scale and shift rebuilt from the output's range.

Legend: x_q (B, K), w_q (K, N) codes; bias (N,) float32 or None; x, w, y quantization; acc (B, N) sums of products, of
inputs whose zero point is 0; scales sx, sw, sy; zy zero point, [qmin, qmax] output interval.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float32, Int64
from npquant.kernels.activation_bounds import clamp_codes
from npquant.kernels.linear import accumulate, accumulate_pair16
from npquant.kernels.multiplier import scale_product_float32
from npquant.kernels.openvino import column_offset, dequantize, layer_codes, quantize, range_ends
from npquant.kernels.qparams import QuantParams
from npquant.kernels.rounding import wrap_int32
from npquant.profiles.known import openvino as known
from npquant.profiles.record import Profile

Scales = tuple[Float32, Float32, Float32]
Interval = tuple[int, int]


def halves(depth: int) -> int:
    """Return ceil(depth/2) for depths K, 256 < K < 512, whose first half of products is paired apart; else 0."""
    return (depth + 1) // 2 if 256 < depth < 512 else 0


def _sums(x_q: NDArray[Any], w_q: NDArray[Any]) -> Int64:
    return wrap_int32(accumulate(x_q, w_q, 0, 0, 0))


def _sums_pair16(x_q: NDArray[Any], w_q: NDArray[Any]) -> Int64:
    """R36 of unsigned inputs; int8 ones are fed as x + 128, and 128 sum_k w is taken off."""
    if x_q.dtype.itemsize > 1:  # operands made to give chosen sums: no code
        return _sums(x_q, w_q)
    up = 128 if x_q.dtype == np.int8 else 0
    unsigned = (x_q.astype(np.int16) + up).astype(np.uint8)
    return wrap_int32(accumulate_pair16(unsigned, w_q, 0, up, 0, halves(x_q.shape[1])))


def _type_ends(qmin: int, zy: int) -> Interval:
    """Return the ends of the output's type."""
    return (-128, 127) if min(qmin, zy) < 0 else (0, 255)


def _layer(
    x_q: NDArray[Any],
    w_q: NDArray[Any],
    bias: ArrayLike | None,
    x: QuantParams,
    w: QuantParams,
    y: QuantParams,
    activation: str,
    interval: Interval,
    *,
    pairs: bool,
) -> Int64:
    """R128. One layer, whole; ValueError for uint8 weights, which the engine was not asked for."""
    if w_q.dtype == np.uint8:
        raise ValueError("openvino takes uint8 weights in a way that is absent here: it was asked for int8 ones")
    ends = _type_ends(y.qmin, int(y.zero_point))
    codes = layer_codes(
        (_sums_pair16 if pairs else _sums)(x_q, w_q),
        column_offset(w_q, int(x.zero_point)),
        scale_product_float32(x.scale, w.scale),
        None if bias is None else np.broadcast_to(np.asarray(bias, np.float32), (w_q.shape[1],)),
        range_ends(y.scale, int(y.zero_point), *ends),
        *ends,
        activation == "relu",
    )
    return np.asarray(np.clip(codes, *interval))


def _layer_exact(*operands: Any) -> Int64:
    return _layer(*operands, pairs=False)


def _layer_pair16(*operands: Any) -> Int64:
    return _layer(*operands, pairs=True)


def _scales(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> Scales:
    """Return the scales themselves: the multiplier is rebuilt from a range, with the output's zero point."""
    x, w, y = (np.asarray(s, np.float32) for s in (sx, sw, sy))
    return x, w, y


def _stage(acc: Int64, scales: Scales, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R128 without zero point of the inputs, bias and relu: there the sums alone decide."""
    if not acc.size:
        return acc
    sx, sw, sy = scales
    zero = int(np.asarray(zy))
    ends = _type_ends(qmin, zero)
    rows = np.atleast_2d(acc).reshape(-1, acc.shape[-1] if acc.ndim else 1)
    none = np.zeros(rows.shape[1], np.float32)
    codes = layer_codes(
        rows, none, scale_product_float32(sx, sw), None, range_ends(sy, zero, *ends), *ends, False
    ).reshape(acc.shape)
    return np.asarray(np.clip(codes, qmin, qmax))


def _bounds(name: str, y: QuantParams) -> Interval:
    """Return a fused relu's interval; other activations are absent here."""
    if name not in ("identity", "none", "relu"):
        raise ValueError(f"openvino fuses {name} in a way that is absent here: it was asked for relu alone")
    return clamp_codes(name, y)


OPENVINO = Profile(
    name="openvino",
    engine="OpenVINO, CPU plugin, MatMul between DequantizeLinear and QuantizeLinear",
    version="openvino 2026.4.1",
    source="openvinotoolkit/openvino src/plugins/intel_cpu/src/nodes/fake_quantize.cpp (00262ea), "
    "src/plugins/intel_cpu/src/dnnl_postops_composer.cpp (0344491), src/frontends/onnx/frontend/src/op/"
    "quantize_linear.cpp (0036540)",
    equation="y_q = clamp(half_even(fma(f32(a), scale, shift))), scale and shift rebuilt from f32((il - b) / d) + c "
    "and f32((ih - b) / d) + c, c the input's zero point times the column sums in float32; bias and relu have forms",
    knowledge=known.OPENVINO,
    make_multiplier=_scales,
    output_stage=_stage,
    whole_layer=_layer_exact,
    weight_zero_point="zero",
    activation_bounds=_bounds,
    quantize_codes=quantize,
    dequantize_codes=dequantize,
    max_multiplier=float("inf"),
    conversion="saturates",
)

OPENVINO_PAIR16 = dataclasses.replace(
    OPENVINO,
    name="openvino_pair16",
    engine="OpenVINO, CPU plugin, on x86 without VNNI",
    equation="as openvino, with pairs of products saturated to int16, int8 inputs as x + 128; for 256 < K < 512 the "
    "first ceil(K/2) products are paired apart from the others",
    knowledge=known.OPENVINO_PAIR16,
    whole_layer=_layer_pair16,
    accumulator="pair16",
    pairs_apart=halves,
    pairs_int8=True,
)

PROFILES = (OPENVINO, OPENVINO_PAIR16)
