"""From floats to integers, and on to codes: what engines make of overflow and NaN.

Legend: v rounded float array: integers, infinities or NaN, in output steps; zy zero point, () or (N,); [qmin, qmax]
output interval. Output codes y_q come as int64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float32, Int64, Real
from npquant.kernels.rounding import round_half_away, saturate_to, wrap_int32


def round_add_half_then_truncate(v: Real) -> Real:
    """R130. trunc(v + copysign(1/2, v)), the sum in v's own type: half away, but for the numbers next below +-1/2.

    v need not be rounded yet. NaN and infinities pass through.

    >>> round_add_half_then_truncate(np.array([2.5, -2.5, 0.49999997], np.float32))
    array([ 3., -3.,  1.], dtype=float32)
    """
    return np.asarray(np.trunc(v + np.copysign(v.dtype.type(0.5), v)))


def to_int32_x86(v: Real) -> Int64:
    """R22. v inside int32, else -2^31: as x86 converts infinities and NaN too; both signs give the same value.

    >>> to_int32_x86(np.array([7.0, 2.0**31, np.nan]))
    array([          7, -2147483648, -2147483648])
    """
    wide = np.asarray(v, np.float64)  # where 2^31 is exact
    inside = (wide >= -(2.0**31)) & (wide < 2.0**31)
    return np.where(inside, wide, -(2.0**31)).astype(np.int64)


def code_wrapping_x86(v: Real, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R23. y_q = saturate(wrap32(R22(v) + zy), qmin, qmax): x86's conversion, and a sum that wraps.

    >>> code_wrapping_x86(np.array([-(2.0**40)]), -1, -128, 127)
    array([127])
    """
    # Two int32 values: below 2^32 before it wraps.
    return saturate_to(wrap_int32(to_int32_x86(v) + np.asarray(zy, np.int64)), qmin, qmax)


def code_through_int16(v: Real, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R24. y_q = saturate(sat16(sat16(R22(v)) + zy), qmin, qmax): x86's conversion, packed through int16.

    >>> code_through_int16(np.array([2.0**31]), 10, 0, 255)
    array([0])
    """
    # Saturated twice: an x86 pack, then an add that saturates.
    narrow = saturate_to(to_int32_x86(v), -(2**15), 2**15 - 1) + np.asarray(zy, np.int64)
    return saturate_to(saturate_to(narrow, -(2**15), 2**15 - 1), qmin, qmax)


def code_saturating(v: Real, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R10. y_q = saturate(v + zy, qmin, qmax); NaN gives qmin (ONNX Runtime's order of the maximum).

    >>> code_saturating(np.array([300.0, -np.inf]), -5, -128, 127)
    array([ 127, -128])
    """
    z = np.asarray(zy, np.int64)
    # The clip to the room that zy leaves keeps huge values out of the integer cast. Of a NaN and a number, the number.
    steps = np.fmax(v, np.asarray(qmin - z, np.float64))
    return np.asarray(np.minimum(steps, np.asarray(qmax - z, np.float64)).astype(np.int64) + z)


def code_clipped_add_half(v: Float32, qmin: int, qmax: int) -> Int64:
    """R130 of v clipped to [qmin, qmax]; NaN goes to the high end, as the minimum leaves it.

    >>> code_clipped_add_half(np.array([7.5, 1e10, np.nan], np.float32), -128, 127)
    array([  8, 127, 127])
    """
    clipped = np.clip(np.where(np.isnan(v), np.float32(qmax), v), qmin, qmax)
    return round_add_half_then_truncate(np.asarray(clipped, np.float32)).astype(np.int64)


def code_symmetric_vectors_of_4(v: Float32) -> Int64:
    """R131 for whole vectors of 4, R132 for the last n mod 4 of each row of n: codes of steps v, shaped as v.

    Rows stand along the last axis; of several axes the first counts rows of all the others. Where it is a multiple of
    4, the engine interleaves four rows, and every vector is whole. NaN and both infinities give -127.
    Source: Tencent/ncnn ``src/layer/x86/quantize_x86.cpp``, ``requantize_x86.cpp``, revision a4d2ea1.

    >>> code_symmetric_vectors_of_4(np.array([0.49999997] * 5 + [np.inf], np.float32))
    array([   1,    1,    1,    1,    0, -127])
    """
    rows = v.reshape(1, -1) if v.ndim < 2 else v.reshape(len(v), -1) if v.size else v.reshape(len(v), 0)
    whole = rows.shape[1] if v.ndim > 1 and len(v) % 4 == 0 else rows.shape[1] // 4 * 4
    steps = np.concatenate([round_add_half_then_truncate(rows[:, :whole]), round_half_away(rows[:, whole:])], axis=1)
    return saturate_to(to_int32_x86(steps), -127, 127).reshape(v.shape)
