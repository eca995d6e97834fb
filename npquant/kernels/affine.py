"""The affine map on arrays: real values to codes and back.

Legend: x (..., N) real values, q codes of the same shape, params their quantization: s scale and z zero point, each ()
or (N,) and broadcast along the last axis, and the code interval [qmin, qmax]. Empty arrays give empty arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Float32, Float64, Int64
from npquant.kernels.floating import to_float64
from npquant.kernels.qparams import QuantParams


def quantize(x: ArrayLike, params: QuantParams) -> Codes:
    """R1. q = saturate(round_half_even(x / s) + z, qmin, qmax), of params.dtype, for x of any real type.

    The float64 quotient decides every tie exactly, because s is a float32 (see QuantParams). Infinities saturate, -0.0
    gives z; ValueError if x contains NaN, which has no code.

    >>> quantize([1.25, -0.25, np.inf], QuantParams(0.5, 0, -128, 127))
    array([  2,   0, 127], dtype=int8)
    """
    real = to_float64(x)
    if np.isnan(real).any():
        raise ValueError("x contains NaN, which has no code: remove or replace it before quantizing")
    with np.errstate(over="ignore"):  # a quotient beyond float64 is infinite and saturates
        quotient = np.asarray(real / np.asarray(params.scale, np.float64))
    codes = np.empty_like(quotient, params.dtype)
    _round_and_saturate(quotient, params, codes)
    return codes


def quantize_into(real: Float64, params: QuantParams, codes: Codes) -> None:
    """R1 in place, for values that are known not to be NaN: fills codes and overwrites real, both shaped as x.

    No temporary arrays. A scale of 1 is not divided by; codes may be of any type that holds [qmin, qmax].

    >>> codes = np.empty((1, 2), np.int8)
    >>> quantize_into(np.array([[1.25, -0.25]]), QuantParams(0.5, 0, -128, 127), codes)
    >>> codes
    array([[2, 0]], dtype=int8)
    """
    if np.ndim(params.scale) or params.scale != 1:
        with np.errstate(over="ignore"):  # as in quantize
            np.divide(real, np.asarray(params.scale, np.float64), out=real)
    _round_and_saturate(real, params, codes)


def _round_and_saturate(quotient: Float64, params: QuantParams, codes: Codes) -> None:
    """Fill codes with saturate(round_half_even(quotient) + z), overwriting quotient."""
    z = np.asarray(params.zero_point, np.float64)
    np.rint(quotient, out=quotient)
    # Clipped before z is added, in float64, where qmin - z and qmax - z are integers below 2^33: it commutes with that
    # sum and keeps huge values and infinities out of the integer cast, which then changes nothing.
    quotient.clip(params.qmin - z, params.qmax - z, out=quotient)
    np.add(quotient, z, out=codes, casting="unsafe")


def dequantize(q: ArrayLike, params: QuantParams) -> Float32:
    """R2. x = f32(s (q - z)): rounded once; infinite only where the real value is beyond float32.

    TypeError if q is not of an integer type.

    >>> dequantize(np.array([2, 0], np.int8), QuantParams(0.5, 0, -128, 127))
    array([1., 0.], dtype=float32)
    """
    codes = np.asarray(q)
    if codes.dtype.kind not in "iu":
        raise TypeError(f"the codes have dtype {codes.dtype}; dequantize takes integers")
    # |q - z| of up to 29 bits times the 24 bits of s is exact in float64: only codes wider than that round twice.
    steps = codes.astype(np.int64) - np.asarray(params.zero_point, dtype=np.int64)
    with np.errstate(over="ignore"):
        return np.asarray(steps * np.asarray(params.scale, dtype=np.float64)).astype(np.float32)


def quantize_truncating(v: ArrayLike, k: int) -> Int64:
    """R3. q = saturate(trunc(k v), 0, k - 1), where k = 2^n codes, 1 <= n <= 16, stand for q / k in [0, 1).

    Truncation moves every value down by half a step on average; v below 0 becomes code 0, at or above 1 it becomes
    k - 1. ValueError if k is not such a power of two, or v contains NaN.

    >>> quantize_truncating([0.99, -0.2, 1.0], 4)
    array([3, 0, 3])
    """
    if k not in {2**n for n in range(1, 17)}:
        raise ValueError(f"k is {k}; it must be 2, 4, 8, ... or 65536")
    real = to_float64(v)
    if np.isnan(real).any():
        raise ValueError("v contains NaN, which has no code: remove or replace it before quantizing")
    # k v is exact: k is a power of two. Clipped before the cast, which truncates, so that infinities never reach it.
    return np.clip(real * k, 0, k - 1).astype(np.int64)
