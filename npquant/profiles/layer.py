"""A linear layer whose operands were checked: accumulate, make the multiplier, requantize, add the zero point, clamp.

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


def layer_codes(
    x_q: NDArray[Any],
    w_q: NDArray[Any],
    bias: ArrayLike,
    *,
    x: QuantParams,
    w: QuantParams,
    y: QuantParams,
    profile: Profile,
    interval: tuple[int, int],
) -> NDArray[np.integer]:
    """Compute one layer of 8-bit codes under a profile; the codes, of y.dtype and shape (B, N), lie in the interval.

    R10 for npquant's own profile; the profile's output stage says what an engine does instead. A float bias is added by
    the profile, in the engine's way; an integer one is int32. x and y are per-tensor, w per-tensor or per-channel.
    OverflowError if an accumulator leaves int32 and the profile's accumulator is exact.

    >>> from npquant.profiles.npquant import NPQUANT
    >>> p, q = QuantParams(0.5, 0, -128, 127), np.array([[3, -4]], np.int8)
    >>> layer_codes(q, np.array([[10], [20]], np.int8), 7, x=p, w=p, y=p, profile=NPQUANT, interval=(-128, 127))
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
    codes = np.empty(acc.shape, y.dtype)
    rows = rows_at_a_time(acc.shape[1])
    for row in range(0, len(acc), rows):
        part = acc[row : row + rows]
        staged = part if profile.add_bias is None else profile.add_bias(part, bias, multiplier)
        codes[row : row + rows] = profile.output_stage(staged, multiplier, y.zero_point, *interval)
    return codes
