"""From accumulators to output steps with an integer multiplier and one rounding: npquant's own arithmetic.

Legend: acc accumulator (N last), m int32 multiplier, e shift (positive = left): M = m 2^(e-31).
Everything is int64: |acc| <= 2^31 and |m| <= 2^31 (C4), so a product is at most 2^62 and half a step may be added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Int64
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.rounding import shift_right_half_away, shift_right_half_up, wrap_int32


def requantize_single_rounding(acc: NDArray[np.integer], fixed: FixedMultiplier) -> Int64:
    """Scale accumulators with one rounding: npquant's own arithmetic.

    Parameters
    ----------
    acc : ndarray of integers, shape (..., N)
        Accumulators, int32 values.
    fixed : FixedMultiplier
        M, per-tensor or per-channel.

    Returns
    -------
    ndarray of int64, shape of acc
        Output steps, before the zero point.

    Notes
    -----
    R6. y = round_half_up(acc m 2^(e-31)): one multiply, one rounding shift by 31 - e, which is 1..62.

    Examples
    --------
    >>> requantize_single_rounding(np.array([5, -5]), FixedMultiplier(2**30, 0))
    array([ 3, -2])
    """
    product = np.asarray(acc, np.int64) * fixed.multiplier  # at most 2^62, and half a step is at most 2^61
    return shift_right_half_up(product, 31 - np.asarray(fixed.shift))


def multiply_high_half_up(a: NDArray[np.integer], b: ArrayLike) -> Int64:
    """Return (a b) / 2^31, rounded, ties up, saturated to int32.

    Parameters
    ----------
    a : ndarray of integers
        int32 values.
    b : int or array of int
        int32 values; broadcasts against a.

    Returns
    -------
    ndarray of int64
        int32 values; -2^31 times -2^31 gives 2^31 - 1.

    Notes
    -----
    R7. h = saturate(round_half_up(a b / 2^31)). Only the one product named above can leave int32.

    Examples
    --------
    >>> multiply_high_half_up(np.array([1, -1]), 2**30)
    array([1, 0])
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.minimum(shift_right_half_up(product, 31), 2**31 - 1)


def requantize_double_rounding(acc: NDArray[np.integer], fixed: FixedMultiplier) -> Int64:
    """Scale accumulators with two roundings: high multiply, then rounding shift.

    Parameters
    ----------
    acc : ndarray of integers, shape (..., N)
        Accumulators, int32 values.
    fixed : FixedMultiplier
        M, per-tensor or per-channel.

    Returns
    -------
    ndarray of int64, shape of acc
        Output steps, before the zero point.

    Notes
    -----
    R8. y = round_half_away(h / 2^max(-e,0)), h = R7(wrap32(acc 2^max(e,0)), m). A left shift wraps.

    Examples
    --------
    >>> requantize_double_rounding(np.array([-5]), FixedMultiplier(2**30, 0))
    array([-2])
    """
    e = np.asarray(fixed.shift)
    shifted = wrap_int32(np.left_shift(np.asarray(acc, np.int64), np.maximum(e, 0)))
    return shift_right_half_away(multiply_high_half_up(shifted, fixed.multiplier), np.maximum(-e, 0))


def requantize_double_rounding_up(acc: NDArray[np.integer], fixed: FixedMultiplier) -> Int64:
    """Scale accumulators with two roundings, both of which send ties up.

    Parameters
    ----------
    acc : ndarray of integers, shape (..., N)
        Accumulators, int32 values.
    fixed : FixedMultiplier
        M, per-tensor or per-channel.

    Returns
    -------
    ndarray of int64, shape of acc
        Output steps, before the zero point.

    Notes
    -----
    R19. As R8, with round_half_up as the second rounding. Source:
    google/ruy ``ruy/kernel_avx512.cc``, apply_multiplier.

    Examples
    --------
    >>> requantize_double_rounding_up(np.array([-6]), FixedMultiplier(2**30, -1))
    array([-1])
    """
    e = np.asarray(fixed.shift)
    shifted = wrap_int32(np.left_shift(np.asarray(acc, np.int64), np.maximum(e, 0)))
    return shift_right_half_up(multiply_high_half_up(shifted, fixed.multiplier), np.maximum(-e, 0))


def requantize_floor_then_half_up(acc: NDArray[np.integer], fixed: FixedMultiplier) -> Int64:
    """Scale accumulators by a truncating high multiply and a rounding shift of at least one bit.

    Parameters
    ----------
    acc : ndarray of integers, shape (..., N)
        Accumulators, int32 values.
    fixed : FixedMultiplier
        M, per-tensor or per-channel.

    Returns
    -------
    ndarray of int64, shape of acc
        Output steps, before the zero point.

    Notes
    -----
    R20. r = max(1, -e), l = e + r; y = round_half_up(saturate(floor(wrap32(acc 2^l) m / 2^31)) / 2^r). Source:
    google/ruy ``ruy/kernel_arm64.cc`` (SQDMULH, SRSHL).

    Examples
    --------
    >>> requantize_floor_then_half_up(np.array([-5]), FixedMultiplier(2**30, 0))
    array([-2])
    """
    e = np.asarray(fixed.shift)
    right = np.maximum(1, -e)
    shifted = wrap_int32(np.left_shift(np.asarray(acc, np.int64), e + right))
    high = np.minimum((shifted * fixed.multiplier) >> 31, 2**31 - 1)  # only -2^31 times -2^31 reaches 2^31
    return shift_right_half_up(np.asarray(high), right)


def requantize_half_away(acc: NDArray[np.integer], fixed: FixedMultiplier) -> Int64:
    """Scale accumulators with one rounding, ties away from zero.

    Parameters
    ----------
    acc : ndarray of integers, shape (..., N)
        Accumulators, int32 values.
    fixed : FixedMultiplier
        M, per-tensor or per-channel.

    Returns
    -------
    ndarray of int64, shape of acc
        Output steps, before the zero point.

    Notes
    -----
    R21. y = round_half_away(acc m 2^(e-31)). Source: apache/tvm ``src/relay/qnn/utils.cc``,
    FixedPointMultiplyToNearest.

    Examples
    --------
    >>> requantize_half_away(np.array([5, -5]), FixedMultiplier(2**30, 0))
    array([ 3, -3])
    """
    product = np.asarray(acc, np.int64) * fixed.multiplier  # at most 2^62, and half a step is at most 2^61
    return shift_right_half_away(product, 31 - np.asarray(fixed.shift))
