"""The quantize operators of engines on arrays: division or reciprocal, tie rule, zero point, and what NaN becomes.

Legend: x real values, taken as float32; q codes in any integer type; params per-tensor, or per-channel along the last
axis unless said otherwise: s scale, z zero point, [qmin, qmax]. Codes have params.dtype, real values float32; shapes
stay. n number of elements, whose positions count in C order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Float32
from npquant.kernels.conversion import (
    code_clipped_add_half,
    code_saturating,
    code_symmetric_vectors_of_4,
    code_wrapping_x86,
)
from npquant.kernels.floating import IGNORED, fma_float32, to_float32
from npquant.kernels.qparams import QuantParams
from npquant.kernels.rounding import round_half_away, round_half_even


def _divided(x: ArrayLike, params: QuantParams) -> Float32:
    """Return f32(x / s)."""
    with np.errstate(**IGNORED):
        return np.asarray(to_float32(x) / params.scale)


def _multiplied(x: ArrayLike, params: QuantParams) -> Float32:
    """Return f32(x f32(1 / s)); 1 / s is infinite for s < 2^-128, and 0 times it NaN."""
    with np.errstate(**IGNORED):
        return np.asarray(to_float32(x) * (np.float32(1) / params.scale))


def _multiplied_and_shifted(x: ArrayLike, params: QuantParams) -> Float32:
    """Return f32(f32(x f32(1 / s)) + z)."""
    with np.errstate(**IGNORED):
        return np.asarray(_multiplied(x, params) + np.asarray(params.zero_point, np.float32))


def quantize_divide_half_away(x: ArrayLike, params: QuantParams) -> Codes:
    """R50. q = R23(round_half_away(f32(x / s))). NaN and both infinities become -2^31 before the zero point.

    Source: LiteRT ``reference/quantize.h``.

    >>> quantize_divide_half_away([-1.25], QuantParams(0.5, 0, -128, 127))
    array([-3], dtype=int8)
    """
    v = round_half_away(_divided(x, params))
    return code_wrapping_x86(v, params.zero_point, params.qmin, params.qmax).astype(params.dtype)


def quantize_divide_half_away_float64(x: ArrayLike, params: QuantParams) -> Codes:
    """R51. q = R23(round_half_away(f64(x / s))).

    Source: TFLite ``kernels/internal/optimized/optimized_ops.h``, AffineQuantize; runs of tflite-runtime 2.14, where
    every element takes this rule.
    """
    with np.errstate(**IGNORED):
        v = round_half_away(to_float32(x).astype(np.float64) / np.asarray(params.scale, np.float64))
    return code_wrapping_x86(v, params.zero_point, params.qmin, params.qmax).astype(params.dtype)


def quantize_vectors_of_8(x: ArrayLike, params: QuantParams) -> Codes:
    """R52 for the first 8 floor(n / 8) elements: reciprocal, half even. R51 for the rest: float64 division, half away.

    ValueError if params is per-channel. Source: LiteRT ``optimized/optimized_ops.h``, AffineQuantize.

    >>> quantize_vectors_of_8([1.25] * 9, QuantParams(0.5, 0, -128, 127))
    array([2, 2, 2, 2, 2, 2, 2, 2, 3], dtype=int8)
    """
    if params.per_channel:
        raise ValueError("this operator is per-tensor: give one scale and one zero point")
    values = to_float32(x)
    flat = values.ravel()
    whole = flat.size // 8 * 8
    body = code_wrapping_x86(
        round_half_even(_multiplied(flat[:whole], params)), params.zero_point, params.qmin, params.qmax
    )
    tail = quantize_divide_half_away_float64(flat[whole:], params)
    return np.concatenate([body.astype(params.dtype), tail]).reshape(values.shape)


def quantize_reciprocal_half_even(x: ArrayLike, params: QuantParams) -> Codes:
    """R53. q = saturate(sat16(sat16(round_half_even(f32(x f32(1 / s)))) + z)). NaN gives qmax.

    Source: XNNPACK ``src/f32-qs8-vcvt``.

    >>> quantize_reciprocal_half_even([-1.25, np.nan], QuantParams(0.5, 0, -128, 127))
    array([ -2, 127], dtype=int8)
    """
    v = round_half_even(_multiplied(x, params))
    # The sum of two 16-bit numbers; for codes of 8 bits the clip to [qmin, qmax] does what the second sat16 would.
    narrow = np.clip(np.where(np.isnan(v), np.inf, v), -(2.0**15), 2.0**15 - 1) + np.asarray(params.zero_point)
    return np.asarray(np.clip(narrow, params.qmin, params.qmax).astype(params.dtype))


def quantize_reciprocal_half_even_int64(x: ArrayLike, params: QuantParams) -> Codes:
    """R141. q = saturate(int64_x86(f32(round_half_even(f32(x f32(1 / s))) + z))). NaN and +inf give the low rail.

    Source: pytorch/executorch ``kernels/quantized/cpu/op_quantize.cpp``, quantize_val.

    >>> quantize_reciprocal_half_even_int64([-1.25, 1e20, np.nan], QuantParams(0.5, 0, -128, 127))
    array([  -2, -128, -128], dtype=int8)
    """
    v = round_half_even(_multiplied(x, params)) + np.asarray(params.zero_point, np.float32)
    inside = (v >= -(2.0**63)) & (v < 2.0**63)  # false for NaN
    return np.asarray(np.where(inside, np.clip(v, params.qmin, params.qmax), params.qmin).astype(params.dtype))


def quantize_divide_half_even_nan_high(x: ArrayLike, params: QuantParams) -> Codes:
    """R54, where NaN gives qmax: the order of two float comparisons. Source: apache/tvm
    ``python/tvm/relax/transform/legalize_ops/qdq.py``, clip_cast; runs of apache-tvm 0.27.

    >>> quantize_divide_half_even_nan_high([-1.25, np.nan], QuantParams(0.5, 0, -128, 127))
    array([ -2, 127], dtype=int8)
    """
    codes = quantize_divide_half_even(x, params)
    return np.asarray(np.where(np.isnan(to_float32(x)), params.qmax, codes).astype(params.dtype))


def quantize_divide_half_even(x: ArrayLike, params: QuantParams) -> Codes:
    """R54. q = saturate(round_half_even(f32(x / s)) + z). NaN gives qmin.

    Source: microsoft/onnxruntime ``core/mlas/lib/quantize.cpp``, MlasQuantizeLinear.

    >>> quantize_divide_half_even([-1.25, np.nan], QuantParams(0.5, 0, -128, 127))
    array([  -2, -128], dtype=int8)
    """
    v = round_half_even(_divided(x, params))
    return code_saturating(v, params.zero_point, params.qmin, params.qmax).astype(params.dtype)


def quantize_divide_half_even_wrapping(x: ArrayLike, params: QuantParams) -> Codes:
    """R55. q = R23(round_half_even(f32(x / s))).

    Source: onnx/onnx ``onnx/reference/ops/op_quantize_linear.py``, whose cast to int32 is the processor's: this is
    x86's.

    >>> quantize_divide_half_even_wrapping([1e12, -1e12], QuantParams(0.5, 5, -128, 127))
    array([-128, -128], dtype=int8)
    """
    v = round_half_even(_divided(x, params))
    return code_wrapping_x86(v, params.zero_point, params.qmin, params.qmax).astype(params.dtype)


def quantize_torch(x: ArrayLike, params: QuantParams) -> Codes:
    """R56 per tensor, fused: NaN gives qmax. R57 per channel, not fused: NaN gives code 0, whatever the zero point.

    The zero point comes before the rounding, as torch 2.13.0 has it on x86. Source: pytorch/FBGEMM
    ``include/fbgemm/QuantUtils.h``, Quantize; pytorch ``QuantizedOpKernels.cpp``.

    >>> quantize_torch([-1.25, np.nan], QuantParams(0.5, 1, -128, 127))
    array([ -2, 127], dtype=int8)
    """
    if params.per_channel:
        v = round_half_even(_multiplied_and_shifted(x, params))
        known = np.clip(np.where(np.isnan(v), 0, v), params.qmin, params.qmax)
        return np.where(np.isnan(v), 0, known).astype(params.dtype)
    with np.errstate(**IGNORED):
        fused = fma_float32(to_float32(x), np.float32(1) / params.scale, np.float32(params.zero_point))
    # Clipped from above only, to the largest float32 below 2^31: what is below int32 converts to -2^31 all the same.
    v = np.minimum(np.where(np.isnan(fused), np.inf, fused), np.float32(2147483520))
    return code_wrapping_x86(round_half_even(v), 0, params.qmin, params.qmax).astype(params.dtype)


def quantize_per_unit_vectors_of_4(x: ArrayLike, params: QuantParams) -> Codes:
    """R133 for whole vectors of 4; for the last n mod 4 of a row R132 in place of R131. Codes lie in [-127, 127].

    NaN and what is 2^31 or more give -127. ValueError if params is per-channel: the engine's channels are the first
    axis. Source: Tencent/ncnn ``src/layer/x86/quantize_x86.cpp``, revision a4d2ea1.

    >>> quantize_per_unit_vectors_of_4([1.25, -1.25, 1e10], QuantParams(0.5, 0, -127, 127))
    array([   3,   -3, -127], dtype=int8)
    """
    if params.per_channel:
        raise ValueError("this operator is per-tensor: give one scale")
    return code_symmetric_vectors_of_4(_multiplied(x, params)).astype(params.dtype)


def quantize_clip_then_add_half(x: ArrayLike, params: QuantParams) -> Codes:
    """R137. q = R130(saturate(f32(f32(x f32(1 / s)) + z))). NaN gives qmax.

    Source: alibaba/MNN ``source/backend/cpu/x86_x64/avx/GemmInt8.cpp``, _AVX_MNNFloat2Int8, revision 4d40bdb.

    >>> quantize_clip_then_add_half([-2.5, np.nan], QuantParams(1.0, 10, -128, 127))
    array([  8, 127], dtype=int8)
    """
    return code_clipped_add_half(_multiplied_and_shifted(x, params), params.qmin, params.qmax).astype(params.dtype)


def dequantize_float32(q: Codes, params: QuantParams) -> Float32:
    """R2. x = f32(s (q - z)) in float32, as nearly every engine has it: q - z is exact, so it is rounded once."""
    # At most 17 bits for codes of 16 bits and less: exact in float32.
    steps = (q.astype(np.int64) - np.asarray(params.zero_point, np.int64)).astype(np.float32)
    with np.errstate(**IGNORED):
        return np.asarray(steps * params.scale)


def dequantize_vectors_of_8(q: Codes, params: QuantParams) -> Float32:
    """R58. f32(f32(q s) + f32(-z s)) for the first 8 floor(n / 8) elements; R2 for the rest.

    LiteRT's optimized x86 kernel. ValueError if params is per-channel.
    Source: LiteRT ``optimized/optimized_ops.h``, Dequantize.
    """
    if params.per_channel:
        raise ValueError("this operator is per-tensor: give one scale and one zero point")
    flat = q.ravel()
    whole = flat.size // 8 * 8
    with np.errstate(**IGNORED):
        body = flat[:whole].astype(np.float32) * params.scale + np.float32(-int(params.zero_point)) * params.scale
    return np.concatenate([body, dequantize_float32(flat[whole:], params)]).reshape(q.shape)
