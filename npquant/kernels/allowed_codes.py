"""Which codes an inexact rescale may give, on arrays: the lowest and the highest, where other rules give one code.

Legend: acc (..., N) accumulators, int32 values; fixed (m, e) of C4 with m >= 0, () or (N,); zy zero point; [qmin, qmax]
output interval. Float64 throughout, operation by operation as the specification writes them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Int64
from npquant.kernels.multiplier import FixedMultiplier


def allowed_codes_inexact(
    acc: Codes, fixed: FixedMultiplier, zy: ArrayLike, qmin: int, qmax: int
) -> tuple[Int64, Int64]:
    """R160. low = saturate(ceil(v - d + zy)), high = saturate(floor(v + d + zy)); a code in [low, high] is allowed.

    v = f64(acc m) 2^(e-31), d = 1/2 + (3 |v| + |v + zy|) 2^-24. ValueError if an m is negative.
    Source: arm/tosa-specification ``chapters/type_conversion.adoc``, RESCALE, INEXACT_ROUND (2026-08).

    >>> allowed_codes_inexact(np.array([5, 6]), FixedMultiplier(2**30, 0), 0, -128, 127)
    (array([2, 3]), array([3, 3]))
    """
    m, e = np.asarray(fixed.multiplier), np.asarray(fixed.shift)
    if (m < 0).any():
        raise ValueError(f"the multiplier is {fixed.multiplier}; an inexact rescale wants it not negative")
    zero = np.asarray(zy, np.float64)
    # Both factors are below 2^53: the float64 product is the exact one, rounded once.
    v = np.ldexp(np.asarray(acc, np.int64).astype(np.float64) * m, e - 31)
    d = 0.5 + (3 * np.abs(v) + np.abs(v + zero)) * 2.0**-24
    low, high = np.ceil(v - d + zero), np.floor(v + d + zero)
    return np.clip(low, qmin, qmax).astype(np.int64), np.clip(high, qmin, qmax).astype(np.int64)
