"""The integer linear layer on arrays: accumulate, requantize, add the zero point, clamp.

Legend: B batch, K contracted depth, N outputs; x_q (B, K), w_q (K, N), bias (N,) int32, scale sx sw; zx, zw, zy zeros.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.kernels.affine import quantize
from npquant.kernels.profile import Profile
from npquant.kernels.qparams import QuantParams
from npquant.kernels.rounding import saturate_to, wrap_int32

Int64 = NDArray[np.int64]

# Real bounds of the activations that are clamps: what R11 quantizes.
CLAMPS: dict[str, tuple[float, float]] = {
    "identity": (-np.inf, np.inf),
    "relu": (0.0, np.inf),
    "clipped_relu": (0.0, 1.0),
    "relu6": (0.0, 6.0),
}


def accumulate(
    x_q: NDArray[np.integer], w_q: NDArray[np.integer], bias: ArrayLike, zx: ArrayLike, zw: ArrayLike
) -> Int64:
    """Sum products and bias exactly.

    Parameters
    ----------
    x_q : ndarray of 8-bit integers, shape (B, K)
        Input codes.
    w_q : ndarray of 8-bit integers, shape (K, N)
        Weight codes.
    bias : int or array of int32, shape (N,)
        Bias codes, scale sx sw.
    zx, zw : int or (N,) array for zw
        Zero points.

    Returns
    -------
    ndarray of int64, shape (B, N)
        The exact sum, whatever its size; the profile decides what int32 makes of it.

    Notes
    -----
    R9. acc = sum_k (x_q - zx)(w_q - zw) + b_q. Centred codes have at most 9 bits, so float64 BLAS is exact while
    K 2^18 <= 2^53.

    Examples
    --------
    >>> accumulate(np.array([[3, -4]], np.int8), np.array([[10], [20]], np.int8), 7, 1, 0)
    array([[-73]])
    """
    x = x_q.astype(np.float64) - np.asarray(zx, np.float64)
    w = w_q.astype(np.float64) - np.asarray(zw, np.float64)
    return (x @ w).astype(np.int64) + np.asarray(bias, np.int64)


def clamp_codes(activation: str, y: QuantParams) -> tuple[int, int]:
    """Return the output interval that an activation which is a clamp leaves open.

    Parameters
    ----------
    activation : {"identity", "relu", "clipped_relu", "relu6"}
        Name.
    y : QuantParams
        Per-tensor output quantization.

    Returns
    -------
    tuple of int
        Narrowed (qmin, qmax).

    Raises
    ------
    ValueError
        If the activation is not a clamp.

    Notes
    -----
    R11. [R1(low), R1(high)]; an infinite bound saturates to qmin or qmax.

    Examples
    --------
    >>> clamp_codes("clipped_relu", QuantParams(0.01, -28, -128, 127))
    (-28, 72)
    """
    if activation not in CLAMPS:
        raise ValueError(f"{activation!r} is not a clamp; known: {', '.join(CLAMPS)}")
    low, high = quantize(np.array(CLAMPS[activation]), y)
    return int(low), int(high)


def linear(
    x_q: NDArray[np.integer],
    w_q: NDArray[np.integer],
    bias: ArrayLike,
    *,
    x: QuantParams,
    w: QuantParams,
    y: QuantParams,
    profile: Profile,
    activation: str = "identity",
) -> NDArray[np.integer]:
    """Compute one integer linear layer under a profile.

    Parameters
    ----------
    x_q : ndarray of 8-bit integers, shape (B, K)
        Input codes.
    w_q : ndarray of 8-bit integers, shape (K, N)
        Weight codes.
    bias : int or array of int32, shape (N,)
        Bias codes, scale sx sw.
    x, w, y : QuantParams
        Input (per-tensor), weights (per-tensor or per-channel), output (per-tensor).
    profile : Profile
        The arithmetic.
    activation : str
        A clamp: "identity", "relu", "clipped_relu" or "relu6".

    Returns
    -------
    ndarray of y.dtype, shape (B, N)
        Output codes.

    Raises
    ------
    OverflowError
        If an accumulator leaves int32 and the profile's accumulator is exact.

    Notes
    -----
    R10. y_q = saturate(requantize(acc) + zy, qmin, qmax).

    Examples
    --------
    >>> from npquant.kernels.profile import NPQUANT
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> linear(np.array([[3, -4]], np.int8), np.array([[10], [20]], np.int8), 7, x=p, w=p, y=p, profile=NPQUANT)
    array([[-21]], dtype=int8)
    """
    acc = accumulate(x_q, w_q, bias, x.zero_point, w.zero_point)
    if profile.accumulator == "exact" and (np.abs(acc + 0.5) > 2**31).any():
        raise OverflowError("an accumulator leaves int32: use smaller weights or codes, or a profile that wraps")
    multiplier = profile.make_multiplier(x.scale, w.scale, y.scale)
    steps = profile.requantize(wrap_int32(acc), multiplier)
    qmin, qmax = clamp_codes(activation, y)
    return saturate_to(steps + int(y.zero_point), qmin, qmax).astype(y.dtype)
