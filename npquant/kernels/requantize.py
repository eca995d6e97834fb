"""From accumulators to output steps with an integer multiplier: one rounding, npquant's own arithmetic, or two.

Legend: acc accumulators (..., N), int32 values in any integer type (R91, R170: int64); fixed multiplier M = m 2^(e-31),
m an int32 and e a shift in [-31, 30] (positive = left), each () or (N,); a and b int32 values that broadcast. Results
are output steps before the zero point, int64, shaped as acc. Everything is int64: |acc| <= 2^31 and |m| <= 2^31 (C4),
so a product is at most 2^62 and half a step may be added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Int64
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.rounding import (
    saturate_to,
    shift_right_floor,
    shift_right_half_away,
    shift_right_half_even,
    shift_right_half_up,
    wrap_int32,
)


def requantize_single_rounding(acc: Codes, fixed: FixedMultiplier) -> Int64:
    """R6. y = round_half_up(acc m 2^(e-31)): one multiply, one rounding shift by 31 - e, which is 1..62.

    >>> requantize_single_rounding(np.array([5, -5]), FixedMultiplier(2**30, 0))
    array([ 3, -2])
    """
    product = np.asarray(acc, np.int64) * fixed.multiplier  # at most 2^62, and half a step is at most 2^61
    return shift_right_half_up(product, 31 - np.asarray(fixed.shift))


def requantize_single_rounding_wide(acc: Codes, fixed: FixedMultiplier) -> Int64:
    """R170. y = floor((h + 2^(14-e)) / 2^(15-e)), h = floor(acc m / 2^16) = a1 m + floor(a0 m / 2^16).

    acc = 2^16 a1 + a0. R6 of int64 accumulators in [-2^47, 2^47): the 16 bits below h never reach a half where 15 - e,
    one place at least, more are dropped. Where e > 14 they count, and y saturates at +-2^62. ValueError if an
    accumulator has more than 48 bits.

    >>> requantize_single_rounding_wide(np.array([5, -5, 2**46]), FixedMultiplier(2**30, 0))
    array([             3,             -2, 35184372088832])
    """
    wide, m, e = np.asarray(acc, np.int64), np.asarray(fixed.multiplier, np.int64), np.asarray(fixed.shift, np.int64)
    if wide.size and (wide.min() < -(2**47) or wide.max() >= 2**47):
        raise ValueError("an accumulator needs more than 48 bits; use smaller weights or a smaller bias")
    # -2^31 <= a1 < 2^31 and |m| <= 2^31: |a1 m| <= 2^62; 0 <= a0 < 2^16: |a0 m| < 2^47, and |h| <= 2^62 + 2^31.
    low = np.asarray((wide & 0xFFFF) * m)
    h = np.asarray(np.right_shift(low, 16) + np.right_shift(wide, 16) * m)
    right = np.maximum(15 - e, 0)
    # e >= -31: half a step is at most 2^45, and the sum stays below 2^63.
    y = np.right_shift(h + (np.left_shift(np.int64(1), right) >> 1), right)
    if (e > 14).any():
        y = np.where(e > 14, _left_of_wide(h, low & 0xFFFF, np.maximum(e - 15, 0)), y)
    return np.asarray(y)


def _left_of_wide(h: Int64, low: Int64, t: Int64) -> Int64:
    """R170 for e = 15 + t, t in 0..15: saturate(floor((2^16 h + low + 2^(15-t)) / 2^(16-t)), -2^62, 2^62)."""
    limit = np.right_shift(np.int64(2**62), t)
    # Beyond +-limit, y is beyond +-2^62; within, |h 2^t| <= 2^62 + 2^t, and the rest is at most 2^t.
    inside = np.clip(h, -limit - 1, limit)
    rest = np.right_shift(low + np.left_shift(np.int64(1), 15 - t), 16 - t)
    return saturate_to(np.left_shift(inside, t) + rest, -(2**62), 2**62)


def multiply_high_half_up(a: Codes, b: ArrayLike) -> Int64:
    """R7. h = saturate(round_half_up(a b / 2^31)), int32 values.

    >>> multiply_high_half_up(np.array([1, -1]), 2**30)
    array([1, 0])
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)  # at most 2^62
    return np.minimum(shift_right_half_up(product, 31), 2**31 - 1)  # only -2^31 times -2^31 reaches 2^31


def _left_then_high(acc: Codes, fixed: FixedMultiplier) -> Int64:
    """Return h of R8: R7(wrap32(acc 2^max(e,0)), m)."""
    left = np.maximum(np.asarray(fixed.shift), 0)  # at most 30: below 2^62 before it wraps
    return multiply_high_half_up(wrap_int32(np.left_shift(np.asarray(acc, np.int64), left)), fixed.multiplier)


def requantize_double_rounding(acc: Codes, fixed: FixedMultiplier) -> Int64:
    """R8. y = round_half_away(h / 2^max(-e,0)), h = R7(wrap32(acc 2^max(e,0)), m). A left shift wraps.

    >>> requantize_double_rounding(np.array([-5]), FixedMultiplier(2**30, 0))
    array([-2])
    """
    return shift_right_half_away(_left_then_high(acc, fixed), np.maximum(-np.asarray(fixed.shift), 0))


def requantize_double_rounding_up(acc: Codes, fixed: FixedMultiplier) -> Int64:
    """R19. y = round_half_up(h / 2^max(-e,0)), h as in R8: both roundings send ties up.

    Source: google/ruy ``ruy/kernel_avx512.cc``, apply_multiplier.

    >>> requantize_double_rounding_up(np.array([-6]), FixedMultiplier(2**30, -1))
    array([-1])
    """
    return shift_right_half_up(_left_then_high(acc, fixed), np.maximum(-np.asarray(fixed.shift), 0))


def requantize_floor_then_half_up(acc: Codes, fixed: FixedMultiplier) -> Int64:
    """R20. y = round_half_up(saturate(floor(wrap32(acc 2^l) m / 2^31)) / 2^r), r = max(1, -e), l = e + r.

    Source: google/ruy ``ruy/kernel_arm64.cc`` (SQDMULH, SRSHL).

    >>> requantize_floor_then_half_up(np.array([-5]), FixedMultiplier(2**30, 0))
    array([-2])
    """
    e = np.asarray(fixed.shift)
    right = np.maximum(1, -e)
    shifted = wrap_int32(np.left_shift(np.asarray(acc, np.int64), e + right))  # e + right <= 31: at most 2^62
    # Only -2^31 times -2^31 reaches 2^31.
    high = np.minimum(shift_right_floor(np.asarray(shifted * fixed.multiplier), 31), 2**31 - 1)
    return shift_right_half_up(np.asarray(high), right)


def requantize_half_away(acc: Codes, fixed: FixedMultiplier) -> Int64:
    """R21. y = round_half_away(acc m 2^(e-31)): as R6, with ties away from zero.

    Source: apache/tvm ``src/relay/qnn/utils.cc``, FixedPointMultiplyToNearest.

    >>> requantize_half_away(np.array([5, -5]), FixedMultiplier(2**30, 0))
    array([ 3, -3])
    """
    product = np.asarray(acc, np.int64) * fixed.multiplier  # at most 2^62, and half a step is at most 2^61
    return shift_right_half_away(product, 31 - np.asarray(fixed.shift))


def requantize_half_even(acc: Codes, fixed: FixedMultiplier) -> Int64:
    """R148. y = round_half_even(acc m 2^(e-31)): as R6, with ties to even.

    Source: espressif/esp-dl ``esp-dl/dl/tool/src/dl_tool.cpp``, shift_and_round_half_even, revision 12c0616d;
    ucb-bar/gemmini ``src/main/scala/gemmini/Arithmetic.scala``, the rounding shift, revision 8c3f992.

    >>> requantize_half_even(np.array([5, 7, -5]), FixedMultiplier(2**30, 0))
    array([ 2,  4, -2])
    """
    product = np.asarray(acc, np.int64) * fixed.multiplier  # at most 2^62, and half a step is at most 2^61
    return shift_right_half_even(product, 31 - np.asarray(fixed.shift))


def requantize_mantissa16(acc: Codes, fixed: FixedMultiplier) -> Int64:
    """R91. y = wrap32(floor((acc m16 + 2^(14-e)) / 2^(15-e))), m16 = min(floor((m + 2^15) / 2^16), 2^15 - 1).

    acc are int64 values; the sum before the shift wraps at 64 bits. ValueError if e is above 14, a multiplier of 2^14
    or more, which is beyond what the engines promise.
    Source: tflite-micro ``tensorflow/lite/kernels/internal/common.cc``, MultiplyByQuantizedMultiplier (int64).

    >>> requantize_mantissa16(np.array([5, -5]), FixedMultiplier(2**30, 0))
    array([ 3, -2])
    """
    m16, e = _mantissa16(fixed)
    # |acc| < 2^47, what the engine asks for, keeps this below 2^62; beyond, int64 wraps as the engine's does.
    with np.errstate(over="ignore"):
        rounded = np.right_shift(np.asarray(acc, np.int64) * m16 + np.left_shift(np.int64(1), 14 - e), 15 - e)
    return wrap_int32(np.asarray(rounded))


def requantize_mantissa16_low_bits_first(acc: Codes, fixed: FixedMultiplier) -> Int64:
    """R92. y = floor(wrap32(wrap32(floor(acc m16 / 2^(14-e))) + 1) / 2): R91 where |y| < 2^30.

    acc are int64 values, whose product with m16 wraps at 64 bits. ValueError as R91's.
    Source: ARM-software/CMSIS-NN ``Include/arm_nnsupportfunctions.h``, arm_nn_requantize_s64, 99f736a.

    >>> requantize_mantissa16_low_bits_first(np.array([5, -5, 2**31]), FixedMultiplier(2**30, 0))
    array([          3,          -2, -1073741824])
    """
    m16, e = _mantissa16(fixed)
    with np.errstate(over="ignore"):
        doubled = wrap_int32(np.right_shift(np.asarray(acc, np.int64) * m16, 14 - e))
    return np.right_shift(wrap_int32(doubled + 1), 1)


def _mantissa16(fixed: FixedMultiplier) -> tuple[Int64, Int64]:
    """Return R91's m16 and e."""
    m, e = np.asarray(fixed.multiplier, np.int64), np.asarray(fixed.shift, np.int64)
    if (e > 14).any():
        raise ValueError(f"the multiplier is {fixed.real}; with int64 accumulators it must be below 2^14")
    return np.minimum(np.right_shift(m + 2**15, 16), 2**15 - 1), e
