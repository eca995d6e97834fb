"""The linear layer under a profile: accumulate, make the multiplier, requantize, add the zero point, clamp.

Legend: B batch, K contracted depth, N outputs; x_q (B, K), w_q (K, N), bias (N,) of scale sx sw; zx, zw, zy zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Int64
from npquant.kernels.linear import accumulate, accumulate_pair16, rows_at_a_time
from npquant.kernels.qparams import QuantParams
from npquant.kernels.rounding import wrap_int32
from npquant.profiles.record import Profile


def _as_int32(acc: Int64, profile: Profile) -> Int64:
    """Refuse or wrap what leaves int32, as the profile says."""
    if not acc.size or (acc.min() >= -(2**31) and acc.max() < 2**31):
        return acc
    if profile.accumulator == "exact":
        raise OverflowError("an accumulator leaves int32: use smaller weights or codes, or a profile that wraps")
    return wrap_int32(acc)


def linear(
    x_q: NDArray[Any],
    w_q: NDArray[Any],
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
    R10 for npquant's own profile; the profile's output stage says what an engine does instead. A float bias is
    added by the profile, in the engine's way.

    Examples
    --------
    >>> from npquant.profiles.npquant import NPQUANT
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> linear(np.array([[3, -4]], np.int8), np.array([[10], [20]], np.int8), 7, x=p, w=p, y=p, profile=NPQUANT)
    array([[-21]], dtype=int8)
    """
    multiplier = profile.make_multiplier(x.scale, w.scale, y.scale)
    zw = 0 if profile.weight_zero_point == "per_tensor" and w.per_channel else w.zero_point
    integer_bias = bias if profile.add_bias is None else 0
    if profile.accumulator == "pair16" and x_q.dtype == np.uint8 and w_q.dtype == np.int8:
        acc = accumulate_pair16(x_q, w_q, integer_bias, x.zero_point, zw)
    else:
        acc = accumulate(x_q, w_q, integer_bias, x.zero_point, zw)
    acc = _as_int32(acc, profile)
    qmin, qmax = profile.activation_bounds(activation, y)
    codes = np.empty(acc.shape, y.dtype)
    rows = rows_at_a_time(acc.shape[1])
    for row in range(0, len(acc), rows):
        part = acc[row : row + rows]
        staged = part if profile.add_bias is None else profile.add_bias(part, bias, multiplier)
        codes[row : row + rows] = profile.output_stage(staged, multiplier, y.zero_point, qmin, qmax)
    return codes
