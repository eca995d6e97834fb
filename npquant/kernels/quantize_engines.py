"""The quantize operators of engines on arrays: division or reciprocal, tie rule, zero point, and what NaN becomes.

Legend: x float32 real values, s scale, z zero point, n number of elements; parameters broadcast along the last axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Float32
from npquant.kernels.conversion import code_saturating, code_wrapping_x86
from npquant.kernels.floating import fma_float32
from npquant.kernels.qparams import QuantParams
from npquant.kernels.rounding import round_half_away

IGNORED: Mapping[str, Any] = MappingProxyType({"over": "ignore", "under": "ignore", "invalid": "ignore"})


def _float32(x: ArrayLike) -> Float32:
    with np.errstate(**IGNORED):
        return np.asarray(x, dtype=np.float32)


def _divided(x: ArrayLike, params: QuantParams) -> Float32:
    """Return f32(x / s)."""
    with np.errstate(**IGNORED):
        return np.asarray(_float32(x) / params.scale)


def _multiplied(x: ArrayLike, params: QuantParams) -> Float32:
    """Return f32(x f32(1 / s)); 1 / s is infinite for s < 2^-128, and 0 times it NaN."""
    with np.errstate(**IGNORED):
        return np.asarray(_float32(x) * (np.float32(1) / params.scale))


def quantize_divide_half_away(x: ArrayLike, params: QuantParams) -> Codes:
    """Divide in float32, round half away, wrap as x86 does.

    Parameters
    ----------
    x : array of float32
        Real values.
    params : QuantParams
        Per-tensor or per-channel.

    Returns
    -------
    ndarray of params.dtype
        Codes.

    Notes
    -----
    R50. q = R23(round_half_away(f32(x / s))). NaN and both infinities become -2^31 before the zero point. Source:
    LiteRT ``reference/quantize.h``.

    Examples
    --------
    >>> quantize_divide_half_away([-1.25], QuantParams(0.5, 0, -128, 127))
    array([-3], dtype=int8)
    """
    v = round_half_away(_divided(x, params))
    return code_wrapping_x86(v, params.zero_point, params.qmin, params.qmax).astype(params.dtype)


def quantize_divide_half_away_float64(x: ArrayLike, params: QuantParams) -> Codes:
    """Divide in float64, round half away, wrap as x86 does.

    Parameters
    ----------
    x : array of float32
        Real values.
    params : QuantParams
        Per-tensor or per-channel.

    Returns
    -------
    ndarray of params.dtype
        Codes.

    Notes
    -----
    R51. q = R23(round_half_away(f64(x / s))). Source: TFLite ``kernels/internal/optimized/optimized_ops.h``,
    AffineQuantize; runs of tflite-runtime 2.14, where every element takes this rule.

    Examples
    --------
    >>> quantize_divide_half_away_float64([-1.25], QuantParams(0.5, 0, -128, 127))
    array([-3], dtype=int8)
    """
    with np.errstate(**IGNORED):
        v = round_half_away(_float32(x).astype(np.float64) / np.asarray(params.scale, np.float64))
    return code_wrapping_x86(v, params.zero_point, params.qmin, params.qmax).astype(params.dtype)


def quantize_vectors_of_8(x: ArrayLike, params: QuantParams) -> Codes:
    """Quantize as LiteRT's optimized kernel does: whole vectors of 8 by one rule, the last n mod 8 elements by another.

    Parameters
    ----------
    x : array of float32
        Real values; positions count in C order.
    params : QuantParams
        Per-tensor.

    Returns
    -------
    ndarray of params.dtype, shape of x
        Codes.

    Raises
    ------
    ValueError
        If params is per-channel.

    Notes
    -----
    R52 for the first 8 floor(n / 8) elements: reciprocal, half even. R51 for the rest: float64 division, half away.
    Source: LiteRT ``optimized/optimized_ops.h``, AffineQuantize.

    Examples
    --------
    >>> quantize_vectors_of_8([1.25] * 9, QuantParams(0.5, 0, -128, 127))
    array([2, 2, 2, 2, 2, 2, 2, 2, 3], dtype=int8)
    """
    if params.per_channel:
        raise ValueError("this operator is per-tensor: give one scale and one zero point")
    values = _float32(x)
    flat = values.ravel()
    whole = flat.size // 8 * 8
    body = code_wrapping_x86(np.rint(_multiplied(flat[:whole], params)), params.zero_point, params.qmin, params.qmax)
    tail = quantize_divide_half_away_float64(flat[whole:], params)
    return np.concatenate([body.astype(params.dtype), tail]).reshape(values.shape)


def quantize_reciprocal_half_even(x: ArrayLike, params: QuantParams) -> Codes:
    """Multiply by the float32 reciprocal, round half even, saturate through int16.

    Parameters
    ----------
    x : array of float32
        Real values.
    params : QuantParams
        Per-tensor or per-channel.

    Returns
    -------
    ndarray of params.dtype
        Codes.

    Notes
    -----
    R53. q = saturate(sat16(sat16(round_half_even(f32(x f32(1 / s)))) + z)). NaN gives qmax. Source: XNNPACK
    ``src/f32-qs8-vcvt``.

    Examples
    --------
    >>> quantize_reciprocal_half_even([-1.25, np.nan], QuantParams(0.5, 0, -128, 127))
    array([ -2, 127], dtype=int8)
    """
    v = np.rint(_multiplied(x, params))
    narrow = np.clip(np.where(np.isnan(v), np.inf, v), -(2.0**15), 2.0**15 - 1) + np.asarray(params.zero_point)
    return np.asarray(np.clip(narrow, params.qmin, params.qmax).astype(params.dtype))


def quantize_divide_half_even(x: ArrayLike, params: QuantParams) -> Codes:
    """Divide in float32, round half even, saturate.

    Parameters
    ----------
    x : array of float32
        Real values.
    params : QuantParams
        Per-tensor or per-channel.

    Returns
    -------
    ndarray of params.dtype
        Codes.

    Notes
    -----
    R54. q = saturate(round_half_even(f32(x / s)) + z). NaN gives qmin. Source: microsoft/onnxruntime
    ``core/mlas/lib/quantize.cpp``, MlasQuantizeLinear.

    Examples
    --------
    >>> quantize_divide_half_even([-1.25, np.nan], QuantParams(0.5, 0, -128, 127))
    array([  -2, -128], dtype=int8)
    """
    v = np.rint(_divided(x, params))
    return code_saturating(v, params.zero_point, params.qmin, params.qmax).astype(params.dtype)


def quantize_divide_half_even_wrapping(x: ArrayLike, params: QuantParams) -> Codes:
    """Divide in float32, round half even, wrap as x86 does.

    Parameters
    ----------
    x : array of float32
        Real values.
    params : QuantParams
        Per-tensor or per-channel.

    Returns
    -------
    ndarray of params.dtype
        Codes.

    Notes
    -----
    R55. q = R23(round_half_even(f32(x / s))). Source: onnx/onnx ``onnx/reference/ops/op_quantize_linear.py``, whose
    cast to int32 is the processor's: this is x86's.

    Examples
    --------
    >>> quantize_divide_half_even_wrapping([1e12, -1e12], QuantParams(0.5, 5, -128, 127))
    array([-128, -128], dtype=int8)
    """
    v = np.rint(_divided(x, params))
    return code_wrapping_x86(v, params.zero_point, params.qmin, params.qmax).astype(params.dtype)


def quantize_torch(x: ArrayLike, params: QuantParams) -> Codes:
    """Quantize as torch 2.13.0 does on x86: the zero point before the rounding, fused per tensor, not per channel.

    Parameters
    ----------
    x : array of float32
        Real values.
    params : QuantParams
        Per-tensor, or per-channel along the last axis.

    Returns
    -------
    ndarray of params.dtype
        Codes.

    Notes
    -----
    R56 per tensor: NaN gives qmax. R57 per channel: NaN gives code 0, whatever the zero point. Source: pytorch/FBGEMM
    ``include/fbgemm/QuantUtils.h``, Quantize; pytorch ``QuantizedOpKernels.cpp``.

    Examples
    --------
    >>> quantize_torch([-1.25, np.nan], QuantParams(0.5, 1, -128, 127))
    array([ -2, 127], dtype=int8)
    """
    if params.per_channel:
        with np.errstate(**IGNORED):
            v = np.rint(_multiplied(x, params) + np.asarray(params.zero_point, np.float32))
        known = np.clip(np.where(np.isnan(v), 0, v), params.qmin, params.qmax)
        return np.where(np.isnan(v), 0, known).astype(params.dtype)
    with np.errstate(**IGNORED):
        fused = fma_float32(_float32(x), np.float32(1) / params.scale, np.float32(params.zero_point))
    v = np.minimum(np.where(np.isnan(fused), np.inf, fused), np.float32(2147483520))
    return code_wrapping_x86(np.rint(v), 0, params.qmin, params.qmax).astype(params.dtype)


def dequantize_float32(q: Codes, params: QuantParams) -> Float32:
    """Return s (q - z) in float32, as nearly every engine does.

    Parameters
    ----------
    q : ndarray of integers
        Codes.
    params : QuantParams
        Per-tensor or per-channel.

    Returns
    -------
    ndarray of float32
        Real values.

    Notes
    -----
    R2, rounded once: q - z is exact in float32.

    Examples
    --------
    >>> dequantize_float32(np.array([2], np.int8), QuantParams(0.5, 0, -128, 127))
    array([1.], dtype=float32)
    """
    steps = (q.astype(np.int64) - np.asarray(params.zero_point, np.int64)).astype(np.float32)
    with np.errstate(**IGNORED):
        return np.asarray(steps * params.scale)


def dequantize_vectors_of_8(q: Codes, params: QuantParams) -> Float32:
    """Dequantize as LiteRT's optimized x86 kernel does: whole vectors of 8 in two products, the rest in one.

    Parameters
    ----------
    q : ndarray of integers
        Codes; positions count in C order.
    params : QuantParams
        Per-tensor.

    Returns
    -------
    ndarray of float32, shape of q
        Real values.

    Raises
    ------
    ValueError
        If params is per-channel.

    Notes
    -----
    R58. f32(f32(q s) + f32(-z s)) for the first 8 floor(n / 8) elements; R2 for the rest. Source: LiteRT
    ``optimized/optimized_ops.h``, Dequantize.

    Examples
    --------
    >>> dequantize_vectors_of_8(np.array([2] * 9, np.int8), QuantParams(0.5, 0, -128, 127))[[0, 8]]
    array([1., 1.], dtype=float32)
    """
    if params.per_channel:
        raise ValueError("this operator is per-tensor: give one scale and one zero point")
    flat = q.ravel()
    whole = flat.size // 8 * 8
    with np.errstate(**IGNORED):
        body = flat[:whole].astype(np.float32) * params.scale + np.float32(-int(params.zero_point)) * params.scale
    return np.concatenate([body, dequantize_float32(flat[whole:], params)]).reshape(q.shape)
