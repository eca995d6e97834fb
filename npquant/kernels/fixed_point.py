"""The fixed-point functions of gemmlowp on arrays: exponential and reciprocal, without any float.

Legend: a, b int64 arrays of int32 numbers, and so are all results; Qn: read with n integer bits, a / 2^(31-n), so that
2^31 - 1 stands for 1 in Q0. Products stay within 2^62.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Int64
from npquant.kernels.requantize import multiply_high_half_up
from npquant.kernels.rounding import saturate_to, shift_right_half_away

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
EXP_MINUS_EIGHTH = 1895147668  # e^-1/8 in Q0
ONE_THIRD = 715827883  # in Q0
# e^-(2^k) in Q0, for k = -2 .. 4.
POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
FORTY_EIGHT_17THS = 1515870810  # in Q2
MINUS_THIRTY_TWO_17THS = -1010580540  # in Q2


def shift_left_saturating(a: Int64, bits: int) -> Int64:
    """R72. saturate(a 2^bits) to int32; bits in 0..30.

    >>> shift_left_saturating(np.array([-3, 2**30]), 1)
    array([        -6, 2147483647])
    """
    # |a| <= 2^31, bits <= 30: below 2^62.
    return saturate_to(a << bits, INT32_MIN, INT32_MAX)


def half_sum(a: Int64, b: ArrayLike) -> Int64:
    """R73. (a + b) / 2, half away from zero.

    >>> half_sum(np.array([1, -1]), np.array([2, -2]))
    array([ 2, -2])
    """
    return shift_right_half_away(a + np.asarray(b, np.int64), 1)


def exp_on_negatives(a: Int64, integer_bits: int) -> Int64:
    """R74. e^a in Q0 for a <= 0 in Q(integer_bits), integer_bits 4 or 5."""
    quarter = 1 << (31 - integer_bits - 2)
    r = (a & (quarter - 1)) - quarter
    x = shift_left_saturating(r, integer_bits) + 2**28
    x2 = multiply_high_half_up(x, x)
    x3, x4 = multiply_high_half_up(x2, x), multiply_high_half_up(x2, x2)
    third = multiply_high_half_up(shift_right_half_away(x4, 2) + x3, ONE_THIRD)
    e = EXP_MINUS_EIGHTH + multiply_high_half_up(x + shift_right_half_away(third + x2, 1), EXP_MINUS_EIGHTH)
    for k, power in enumerate(POWERS, start=-2):
        if k < integer_bits:
            # The product is computed for every element, and kept where the bit is set.
            bit = (r - a) & (1 << (31 - integer_bits + k))
            e = np.where(bit, multiply_high_half_up(e, power), e)
    return np.where(a == 0, INT32_MAX, e)


def _half_reciprocal(a: Int64) -> Int64:
    """Return 2 / (1 + a) in Q2 by three Newton steps; a is in Q0, >= 0."""
    h = half_sum(a, INT32_MAX)
    x = FORTY_EIGHT_17THS + multiply_high_half_up(h, MINUS_THIRTY_TWO_17THS)
    for _ in range(3):
        error = 2**29 - multiply_high_half_up(h, x)
        x = x + shift_left_saturating(multiply_high_half_up(x, error), 2)
    return x


def reciprocal_of_one_plus(a: Int64) -> Int64:
    """R75. 1 / (1 + a) in Q0 for a in Q0, 0 <= a < 1."""
    return shift_left_saturating(_half_reciprocal(a), 1)


def one_minus_over_one_plus(a: Int64) -> Int64:
    """R76. (1 - a) / (1 + a) in Q0 for a in Q0, 0 <= a < 1."""
    return shift_left_saturating(_half_reciprocal(a) - 2**29, 2)


def sigmoid_q4(a: Int64) -> Int64:
    """R77. 1 / (1 + e^-a) in Q0 for any a in Q4."""
    s = reciprocal_of_one_plus(exp_on_negatives(-np.abs(a), 4))
    return np.where(a == 0, 2**30, np.where(a > 0, s, INT32_MAX - s))


def tanh_q4(a: Int64) -> Int64:
    """R78. tanh(a) in Q0 for any a in Q4.

    >>> tanh_q4(np.array([0, -(2**31)]))
    array([          0, -2147483647])
    """
    t = one_minus_over_one_plus(exp_on_negatives(-np.abs(a), 5))
    return np.where(a == 0, 0, np.sign(a) * t)
