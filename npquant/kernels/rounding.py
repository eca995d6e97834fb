"""Array twins of the rounding family: floats to integers, and integer shifts that round.

Legend: v float32 or float64 array, whose dtype a rounding keeps; x int64 array, e right shift in bits, 0..62, which
broadcasts against x (per-channel: last axis). Shifts that round want |x| <= 2^62, so that adding half a step cannot
overflow int64. Empty arrays give empty arrays.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Int64, Real


def round_half_even(v: Real) -> Real:
    """Round to nearest integers, ties to even. NaN and infinities pass through; -0.3 gives -0.0.

    >>> round_half_even(np.array([2.5, 3.5, -2.5]))
    array([ 2.,  4., -2.])
    """
    return np.asarray(np.rint(v))


def round_half_away(v: Real) -> Real:
    """Round to nearest integers, ties away from zero (C's ``round``). NaN and infinities pass through.

    >>> round_half_away(np.array([2.5, -2.5, 0.49999999999999994]))
    array([ 3., -3.,  0.])
    """
    # floor(v + 0.5) would be wrong at 0.5 - 2^-54, where the sum rounds up to 1; the fraction is exact (infinity's: 0).
    whole = np.trunc(v)
    fraction = np.subtract(v, whole, out=np.zeros_like(v), where=np.isfinite(v))
    return np.asarray(whole + np.copysign((np.abs(fraction) >= 0.5).astype(v.dtype), v))


def round_floor(v: Real) -> Real:
    """Round toward minus infinity. NaN and infinities pass through, as in the other rules."""
    return np.asarray(np.floor(v))


def round_ceil(v: Real) -> Real:
    """Round toward plus infinity."""
    return np.asarray(np.ceil(v))


def round_toward_zero(v: Real) -> Real:
    """Truncate."""
    return np.asarray(np.trunc(v))


def round_away_from_zero(v: Real) -> Real:
    """Round to the integer of larger magnitude, unless v is one.

    >>> round_away_from_zero(np.array([2.1, -2.1, 3.0]))
    array([ 3., -3.,  3.])
    """
    return np.asarray(np.copysign(np.ceil(np.abs(v)), v))


def _from_zero(v: Real, up: Callable[[Real, float], Real], down: Callable[[Real, float], Real]) -> Real:
    """Return trunc(v), one more where `up` of the fraction and 1/2 says so, one less where `down` of it and -1/2."""
    # The fraction is exact (infinity's: 0), while v - floor(v) is not next to -1/2, nor v + 1/2 just below 1/2.
    whole = np.trunc(v)
    fraction = np.subtract(v, whole, out=np.zeros_like(v), where=np.isfinite(v))
    return np.asarray(whole + up(fraction, 0.5) - down(fraction, -0.5))


def round_half_up(v: Real) -> Real:
    """Round to nearest integers, ties toward plus infinity.

    >>> round_half_up(np.array([2.5, -2.5, 0.49999999999999994]))
    array([ 3., -2.,  0.])
    """
    return _from_zero(v, np.greater_equal, np.less)


def round_half_down(v: Real) -> Real:
    """Round to nearest integers, ties toward minus infinity.

    >>> round_half_down(np.array([2.5, -2.5, 0.5000001]))
    array([ 2., -3.,  1.])
    """
    return _from_zero(v, np.greater, np.less_equal)


def round_half_toward_zero(v: Real) -> Real:
    """Round to nearest integers, ties toward zero.

    >>> round_half_toward_zero(np.array([2.5, -2.5, 0.5000001]))
    array([ 2., -2.,  1.])
    """
    return np.asarray(np.copysign(round_half_down(np.abs(v)), v))


def shift_right_floor(x: Int64, e: ArrayLike) -> Int64:
    """Return floor(x / 2^e), for any x of int64."""
    return np.right_shift(x, e)


def shift_right_half_up(x: Int64, e: ArrayLike) -> Int64:
    """Return floor(x / 2^e + 1/2): to nearest, ties toward plus infinity.

    >>> shift_right_half_up(np.array([5, -5]), 1)
    array([ 3, -2])
    """
    # Half a step is 2^(e-1) for e >= 1 and nothing for e = 0: (1 << e) >> 1 says both. 2^62 + 2^61 < 2^63.
    half = np.left_shift(np.int64(1), np.asarray(e, np.int64)) >> 1
    return np.right_shift(x + half, e)


def shift_right_half_away(x: Int64, e: ArrayLike) -> Int64:
    """Return x / 2^e to nearest, ties away from zero.

    >>> shift_right_half_away(np.array([5, -5]), 1)
    array([ 3, -3])
    """
    half = np.left_shift(np.int64(1), np.asarray(e, np.int64)) >> 1
    # Ties up, but negatives take one unit less of half a step: -2.5 + 0.5 - tiny floors to -3.
    return np.asarray(np.right_shift(x + half - ((x < 0) & (half > 0)), e))


def shift_right_half_even(x: Int64, e: ArrayLike) -> Int64:
    """Return x / 2^e to nearest, ties to even.

    >>> shift_right_half_even(np.array([5, 7, -5]), 1)
    array([ 2,  4, -2])
    """
    half = np.left_shift(np.int64(1), np.asarray(e, np.int64)) >> 1
    # Ties up, but those above an even integer take one unit less of half a step.
    return np.asarray(np.right_shift(x + half - ((np.right_shift(x, e) & 1 == 0) & (half > 0)), e))


def saturate_to(x: Codes, qmin: ArrayLike, qmax: ArrayLike) -> Int64:
    """Clamp integers of any type to the closed interval [qmin, qmax], each end () or (N,), and widen to int64.

    >>> saturate_to(np.array([200, -7]), -128, 127)
    array([127,  -7])
    """
    return np.clip(np.asarray(x, np.int64), qmin, qmax)


def wrap_int32(x: Int64) -> Int64:
    """Reduce any int64 to two's complement of 32 bits: in [-2^31, 2^31), congruent modulo 2^32.

    >>> wrap_int32(np.array([2**31]))
    array([-2147483648])
    """
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)
