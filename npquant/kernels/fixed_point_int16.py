"""gemmlowp's sigmoid and tanh on 16 bits, on arrays: the functions of `fixed_point`, half as wide.

Legend: a, b int64 arrays of int16 numbers, and so are all results; Qn: read with n integer bits, a / 2^(15-n), so that
2^15 - 1 stands for 1 in Q0. Products stay within 2^30.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Int64
from npquant.kernels.rounding import saturate_to, shift_right_half_away, shift_right_half_up

INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1
EXP_MINUS_EIGHTH, ONE_THIRD = 28918, 10923  # in Q0
POWERS = (25520, 19875, 12055, 4435, 600, 11, 0)  # e^-(2^k) in Q0, for k = -2 .. 4
FORTY_EIGHT_17THS, MINUS_THIRTY_TWO_17THS = 23130, -15420  # in Q2


def _high(a: Int64, b: ArrayLike) -> Int64:
    return np.minimum(shift_right_half_up(a * np.asarray(b, np.int64), 15), INT16_MAX)


def _left(a: Int64, bits: int) -> Int64:
    return saturate_to(a << bits, INT16_MIN, INT16_MAX)


def _exp_on_negatives(a: Int64, integer_bits: int) -> Int64:
    """Return e^a in Q0 for a <= 0 in Q3 or Q4, as R74."""
    quarter = 1 << (15 - integer_bits - 2)
    r = (a & (quarter - 1)) - quarter
    x = _left(r, integer_bits) + 2**12
    x2 = _high(x, x)
    x3, x4 = _high(x2, x), _high(x2, x2)
    third = _high(shift_right_half_away(x4, 2) + x3, ONE_THIRD)
    tail = shift_right_half_away(third + x2, 1)
    e = np.minimum(EXP_MINUS_EIGHTH + _high(x + tail, EXP_MINUS_EIGHTH), INT16_MAX)
    for k, power in enumerate(POWERS, start=-2):
        if k < integer_bits:
            e = np.where((r - a) & (1 << (15 - integer_bits + k)), _high(e, power), e)
    return np.where(a == 0, INT16_MAX, e)


def _half_reciprocal(a: Int64) -> Int64:
    """Return 2 / (1 + a) in Q2 for a >= 0 in Q0, as R75's x."""
    h = shift_right_half_away(a + INT16_MAX, 1)
    x = FORTY_EIGHT_17THS + _high(h, MINUS_THIRTY_TWO_17THS)
    for _ in range(3):
        x = x + _left(_high(x, 2**13 - _high(h, x)), 2)
    return x


def sigmoid_q3_int16(a: Int64) -> Int64:
    """R96. 1 / (1 + e^-a) in Q0 for any a in Q3: R77 on 16 bits."""
    s = _left(_half_reciprocal(_exp_on_negatives(-np.abs(a), 3)), 1)
    return np.where(a == 0, 2**14, np.where(a > 0, s, INT16_MAX - s))


def tanh_q3_int16(a: Int64) -> Int64:
    """R97. tanh(a) in Q0 for any a in Q3: R78 on 16 bits.

    >>> tanh_q3_int16(np.array([0, -(2**15)]))
    array([     0, -32767])
    """
    t = _left(_half_reciprocal(_exp_on_negatives(-np.abs(a), 4)) - 2**13, 2)
    return np.where(a == 0, 0, np.sign(a) * t)
