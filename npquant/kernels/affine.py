"""The affine map on arrays: real values to codes and back.

Legend: x real values, x_q codes, s scale, z zero point; parameters broadcast along the last axis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.kernels.qparams import QuantParams


def quantize(x: ArrayLike, params: QuantParams) -> NDArray[np.integer]:
    """Quantize real values.

    Parameters
    ----------
    x : array of float or integer, shape (..., N)
        Real values. Computed in float64.
    params : QuantParams
        Per-tensor, or per-channel with N scales.

    Returns
    -------
    ndarray of params.dtype, shape of x
        Codes in [qmin, qmax].

    Raises
    ------
    ValueError
        If x contains NaN, which has no code. Infinities saturate.

    Notes
    -----
    R1. q = saturate(round_half_even(x / s) + z, qmin, qmax). The float64 quotient decides every tie exactly, because
    s is a float32 (see QuantParams). The clip comes before the zero point, in float64, where qmin - z and qmax - z are
    integers: it commutes with the rounding and keeps huge values and infinities out of the integer cast. -0.0 gives z;
    empty arrays give empty arrays.

    Examples
    --------
    >>> quantize([1.25, -0.25, np.inf], QuantParams(0.5, 0, -128, 127))
    array([  2,   0, 127], dtype=int8)
    """
    real = np.asarray(x, dtype=np.float64)
    if np.isnan(real).any():
        raise ValueError("x contains NaN, which has no code: remove or replace it before quantizing")
    z = np.asarray(params.zero_point, dtype=np.int64)
    with np.errstate(over="ignore"):  # a quotient beyond float64 is infinite and saturates
        quotient = real / np.asarray(params.scale, dtype=np.float64)
    clipped = np.clip(np.rint(quotient), params.qmin - z, params.qmax - z)
    return (clipped.astype(np.int64) + z).astype(params.dtype)


def dequantize(q: ArrayLike, params: QuantParams) -> NDArray[np.float32]:
    """Return the real values of codes.

    Parameters
    ----------
    q : array of integers, shape (..., N)
        Codes.
    params : QuantParams
        Per-tensor, or per-channel with N scales.

    Returns
    -------
    ndarray of float32, shape of q
        Real values.

    Raises
    ------
    TypeError
        If q is not an integer array.

    Notes
    -----
    R2. x = f32(s (q - z)). The difference is an exact integer, the product exact in float64, so the result is rounded
    once; it overflows to infinity only where the real value is beyond float32.

    Examples
    --------
    >>> dequantize(np.array([2, 0], np.int8), QuantParams(0.5, 0, -128, 127))
    array([1., 0.], dtype=float32)
    """
    codes = np.asarray(q)
    if codes.dtype.kind not in "iu":
        raise TypeError(f"the codes have dtype {codes.dtype}; dequantize takes integers")
    steps = codes.astype(np.int64) - np.asarray(params.zero_point, dtype=np.int64)
    with np.errstate(over="ignore"):
        return np.asarray(steps * np.asarray(params.scale, dtype=np.float64)).astype(np.float32)


def quantize_truncating(v: ArrayLike, k: int) -> NDArray[np.int64]:
    """Quantize values of [0, 1] as the recipe does: multiply by k, truncate, clip to [0, k - 1].

    Parameters
    ----------
    v : array of float
        Real values; below 0 become code 0, at or above 1 become k - 1.
    k : int
        Number of codes, 2^n with 1 <= n <= 16.

    Returns
    -------
    ndarray of int64, shape of v
        Codes in [0, k - 1]; the real value of a code is q / k.

    Raises
    ------
    ValueError
        If k is not such a power of two, or v contains NaN.

    Notes
    -----
    R3. q = saturate(trunc(k v), 0, k - 1). k v is exact in float64 (k is a power of two). The name says what it costs:
    truncation moves every value down by half a step on average.

    Examples
    --------
    >>> quantize_truncating([0.99, -0.2, 1.0], 4)
    array([3, 0, 3])
    """
    if k not in {2**n for n in range(1, 17)}:
        raise ValueError(f"k is {k}; it must be 2, 4, 8, ... or 65536")
    real = np.asarray(v, dtype=np.float64)
    if np.isnan(real).any():
        raise ValueError("v contains NaN, which has no code: remove or replace it before quantizing")
    # Clipped before the cast, so that infinities never reach it; trunc is the cast itself.
    return np.clip(real * k, 0, k - 1).astype(np.int64)
