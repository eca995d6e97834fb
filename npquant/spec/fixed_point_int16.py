"""gemmlowp's sigmoid and tanh on 16 bits, on single integers: the functions of `fixed_point`, half as wide.

Legend: a, b int16 numbers, as are all results; Qn: read with n integer bits (integer_bits), a / 2^(15-n), 2^15 - 1 in
Q0 standing for 1; away(a, k) the quotient a / 2^k rounded half away from zero.
"""

from fractions import Fraction

from npquant.spec.rounding import round_half_away, round_half_up, saturate

INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1
# The constants of 32 bits, by away(c, 16).
EXP_MINUS_EIGHTH = 28918
ONE_THIRD = 10923
POWERS = (25520, 19875, 12055, 4435, 600, 11, 0)  # e^-(2^k) in Q0, for k = -2 .. 4
FORTY_EIGHT_17THS = 23130  # in Q2
MINUS_THIRTY_TWO_17THS = -15420  # in Q2


def _high(a: int, b: int) -> int:
    return saturate(round_half_up(Fraction(a * b, 2**15)), INT16_MIN, INT16_MAX)


def _away(a: int, bits: int) -> int:
    return round_half_away(Fraction(a, 2**bits))


def _left(a: int, bits: int) -> int:
    return saturate(a * 2**bits, INT16_MIN, INT16_MAX)


def _exp_on_negatives(a: int, integer_bits: int) -> int:
    """Return e^a in Q0 for an a <= 0 in Q3 or Q4, as R74; the polynomial's last sum saturates."""
    if a == 0:
        return INT16_MAX
    quarter = 2 ** (15 - integer_bits - 2)
    r = a % quarter - quarter
    x = _left(r, integer_bits) + 2**12
    x2 = _high(x, x)
    x3, x4 = _high(x2, x), _high(x2, x2)
    tail = _away(_high(_away(x4, 2) + x3, ONE_THIRD) + x2, 1)
    e = saturate(EXP_MINUS_EIGHTH + _high(EXP_MINUS_EIGHTH, x + tail), INT16_MIN, INT16_MAX)
    for k, power in enumerate(POWERS, start=-2):
        if k < integer_bits and (r - a) & 2 ** (15 - integer_bits + k):
            e = _high(e, power)
    return e


def _half_reciprocal(a: int) -> int:
    """Return 2 / (1 + a) in Q2 for an a >= 0 in Q0, as R75's x."""
    h = round_half_away(Fraction(a + INT16_MAX, 2))
    x = FORTY_EIGHT_17THS + _high(h, MINUS_THIRTY_TWO_17THS)
    for _ in range(3):
        x += _left(_high(x, 2**13 - _high(h, x)), 2)
    return x


def sigmoid_q3_int16(a: int) -> int:
    """R96. As R77 on 16 bits: s for a > 0, 2^15 - 1 - s for a < 0, 2^14 at 0: 1 / (1 + e^-a) in Q0 for an a in Q3.
    Source: google/gemmlowp ``fixedpoint/fixedpoint.h``, logistic; LiteRT ``optimized/optimized_ops.h``, Logistic.

    >>> sigmoid_q3_int16(0) == 2**14, round(sigmoid_q3_int16(2**12) / 2**15, 4)
    (True, 0.731)
    """
    if a == 0:
        return 2**14
    s = _left(_half_reciprocal(_exp_on_negatives(-abs(a), 3)), 1)
    return s if a > 0 else INT16_MAX - s


def tanh_q3_int16(a: int) -> int:
    """R97. As R78 on 16 bits: t with the sign of a, 0 at 0: tanh(a) in Q0 for an a in Q3.
    Source: google/gemmlowp ``fixedpoint/fixedpoint.h``, tanh; LiteRT ``optimized/optimized_ops.h``, Tanh.

    >>> tanh_q3_int16(0), round(tanh_q3_int16(-(2**12)) / 2**15, 4)
    (0, -0.7618)
    """
    if a == 0:
        return 0
    # Doubling a moves the point to Q4, not the bits.
    t = _left(_half_reciprocal(_exp_on_negatives(-abs(a), 4)) - 2**13, 2)
    return t if a > 0 else -t
