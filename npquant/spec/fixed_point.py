"""The fixed-point functions of gemmlowp on single integers: exponential and reciprocal, without any float.

Legend: a, b int32 numbers, as are all results; Qn: read with n integer bits (integer_bits), a / 2^(31-n), 2^31 - 1 in
Q0 standing for 1; bits a shift >= 0; high(a, b) is R7, away(a, k) the quotient a / 2^k rounded half away from zero.
"""

from fractions import Fraction

from npquant.spec.requantize import multiply_high_half_up
from npquant.spec.rounding import INT32_MAX, INT32_MIN, round_half_away, round_toward_zero, wrap

EXP_MINUS_EIGHTH = 1895147668  # e^-1/8 in Q0
ONE_THIRD = 715827883  # in Q0
# e^-(2^k) in Q0, for k = -2 .. 4.
POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
FORTY_EIGHT_17THS = 1515870810  # in Q2
MINUS_THIRTY_TWO_17THS = -1010580540  # in Q2


def shift_left_saturating(a: int, bits: int) -> int:
    """R72. saturate(a 2^bits, -2^31, 2^31 - 1). The engine's limit is |a| <= 2^(31-bits) - 1, so that -2^(31-bits)
    saturates, to the value it has anyway.
    Source: google/gemmlowp ``fixedpoint/fixedpoint.h``, SaturatingRoundingMultiplyByPOT.

    >>> shift_left_saturating(-3, 2), shift_left_saturating(2**30, 1)
    (-12, 2147483647)
    """
    limit = 2 ** (31 - bits) - 1
    return INT32_MAX if a > limit else INT32_MIN if a < -limit else a * 2**bits


def half_sum(a: int, b: int) -> int:
    """R73. toward_zero((a + b + (1 if a + b >= 0, else -1)) / 2): (a + b) / 2, half away from zero.
    Source: google/gemmlowp ``fixedpoint/fixedpoint.h``, RoundingHalfSum.

    >>> half_sum(1, 2), half_sum(-1, -2)
    (2, -2)
    """
    total = a + b
    return round_toward_zero(Fraction(total + (1 if total >= 0 else -1), 2))


def _away(a: int, bits: int) -> int:
    return round_half_away(Fraction(a, 2**bits))


def exp_on_negatives(a: int, integer_bits: int) -> int:
    """R74. r = a mod 1/4 - 1/4 goes to Q0 as x = r + 1/8, and e^r = e^-1/8 (1 + x + x^2/2 + x^3/6 + x^4/24), the sum
    being x + away(high(away(x^4, 2) + x^3, 1/3) + x^2, 1). Each bit 2^k of r - a then multiplies by e^-(2^k): e^a in Q0
    for an a <= 0 in Q4 or Q5. Source: google/gemmlowp ``fixedpoint/fixedpoint.h``, exp_on_negative_values.

    >>> exp_on_negatives(0, 5), round(exp_on_negatives(-(2**26), 5) / 2**31, 6)
    (2147483647, 0.36788)
    """
    if a == 0:
        return INT32_MAX
    # r is in [-1/4, 0), so x in Q0 is in [-1/8, 1/8); r - a >= 0 is a multiple of 1/4.
    quarter = 2 ** (31 - integer_bits - 2)
    r = a % quarter - quarter
    x = shift_left_saturating(r, integer_bits) + 2**28
    x2 = multiply_high_half_up(x, x)
    x3, x4 = multiply_high_half_up(x2, x), multiply_high_half_up(x2, x2)
    tail = _away(multiply_high_half_up(_away(x4, 2) + x3, ONE_THIRD) + x2, 1)
    e = EXP_MINUS_EIGHTH + multiply_high_half_up(EXP_MINUS_EIGHTH, x + tail)
    for k, power in enumerate(POWERS, start=-2):
        if k < integer_bits and (r - a) & 2 ** (31 - integer_bits + k):
            e = multiply_high_half_up(e, power)
    return e


def _half_reciprocal(a: int) -> int:
    """Return the x of R75, 1 / h = 2 / (1 + a), in Q2 by three Newton steps; a is in Q0, >= 0."""
    # h is in [1/2, 1) and x = 1 / h in (1, 2]: Q2 holds it, and Newton's error 1 - h x.
    h = half_sum(a, INT32_MAX)
    x = FORTY_EIGHT_17THS + multiply_high_half_up(h, MINUS_THIRTY_TWO_17THS)
    for _ in range(3):
        error = 2**29 - multiply_high_half_up(h, x)
        x += shift_left_saturating(multiply_high_half_up(x, error), 2)
    return x


def reciprocal_of_one_plus(a: int) -> int:
    """R75. h = R73(a, 1) = (1 + a) / 2; x = 48/17 - 32/17 h in Q2, then three times x += 4 x (1 - h x), in Q2; the
    answer is x / 2, whose Q0 is R72(x, 1): 1 / (1 + a) in Q0 for an a >= 0 in Q0.
    Source: google/gemmlowp ``fixedpoint/fixedpoint.h``, one_over_one_plus_x_for_x_in_0_1.

    >>> round(reciprocal_of_one_plus(2**30) / 2**31, 6)
    0.666667
    """
    # From Q2 to Q0 are two bits to the left, and halving takes one back.
    return shift_left_saturating(_half_reciprocal(a), 1)


def one_minus_over_one_plus(a: int) -> int:
    """R76. R72(x - 1, 2) with the x of R75, which is 2 / (1 + a) in Q2: (1 - a) / (1 + a) in Q0 for an a >= 0 in Q0.
    Source: google/gemmlowp ``fixedpoint/fixedpoint.h``, one_minus_x_over_one_plus_x_for_x_in_0_1.

    >>> round(one_minus_over_one_plus(2**30) / 2**31, 6)
    0.333333
    """
    # 1 is 2^29 in Q2; 2 / (1 + a) - 1 is in (0, 1], and its 1 saturates in Q0.
    return shift_left_saturating(_half_reciprocal(a) - 2**29, 2)


def sigmoid_q4(a: int) -> int:
    """R77. s = R75(R74(-|a|)); s for a > 0, 2^31 - 1 - s for a < 0, 2^30 at 0: 1 / (1 + e^-a) in Q0 for an a in Q4.
    Source: google/gemmlowp ``fixedpoint/fixedpoint.h``, logistic.

    >>> sigmoid_q4(0) == 2**30, round(sigmoid_q4(2**27) / 2**31, 6)
    (True, 0.731059)
    """
    if a == 0:
        return 2**30
    s = reciprocal_of_one_plus(exp_on_negatives(-abs(a), 4))
    # 1 - s, where 2^31 - 1 stands for 1 in Q0.
    return s if a > 0 else INT32_MAX - s


def tanh_q4(a: int) -> int:
    """R78. t = R76(R74(-2 |a|)), with the sign of a, 0 at 0: doubling moves the point to Q5, not the bits.
    tanh(a) in Q0 for an a in Q4. Source: google/gemmlowp ``fixedpoint/fixedpoint.h``, tanh.

    >>> tanh_q4(0), round(tanh_q4(-(2**27)) / 2**31, 6)
    (0, -0.761594)
    """
    if a == 0:
        return 0
    t = one_minus_over_one_plus(exp_on_negatives(-abs(a), 5))
    return wrap(t if a > 0 else -t, 32)
