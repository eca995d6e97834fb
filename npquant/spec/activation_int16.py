"""Sigmoid and tanh of int16 codes, on exact numbers: one table of 256 entries, and gemmlowp's fixed point.

Legend: q int16 code of scale s at zero point 0; (m, ls) integer multiplier and its right shift, S(i) entry of the
table; y output code of scale 1 / 2^15. Which engine takes which rule where is its record's to say.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor

from npquant.spec.fixed_point_int16 import sigmoid_q3_int16, tanh_q3_int16
from npquant.spec.lookup import enclose_sigmoid
from npquant.spec.rounding import round_half_up, round_toward_zero, saturate, wrap

# Where the engines' table is one more than the rounded value.
ONE_MORE = (
    4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40, 41, 43, 44, 45, 46, 49,
    50, 54, 62, 63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255,
)  # fmt: skip


def table_entry_uint16(i: int) -> int:
    """R93. S(i) = round_half_up(2^16 sigmoid(i / 24)), one more for 44 of the i in 0..255.
    Source: ARM-software/CMSIS-NN ``Source/NNSupportFunctions/arm_nntables.c``, sigmoid_table_uint16, 99f736a.

    >>> [table_entry_uint16(i) for i in (0, 1, 4, 255)]
    [32768, 33451, 35493, 65535]
    """
    terms = 60
    while True:
        low, high = (round_half_up(2**16 * end) for end in enclose_sigmoid(Fraction(i, 24), terms))
        if low == high:
            return low + (i in ONE_MORE)
        terms *= 2


def power_of_two(s: Fraction) -> int | None:
    """Return the r of a scale that counts as 2^r: |log2 s - r| < 1 / 1000; None for others.
    Source: LiteRT ``tflite/kernels/internal/quantization_util.cc``, CheckedLog2, whose logarithm is float32.
    """
    r = s.numerator.bit_length() - s.denominator.bit_length()
    for nearest in (r - 1, r, r + 1):
        # Without a logarithm: s^1000 lies between 2^(1000 r - 1) and 2^(1000 r + 1).
        power = s**1000 / Fraction(2) ** (1000 * nearest)
        if Fraction(1, 2) < power < 2:
            return nearest
    return None


def scaled_input(q: int, s: Fraction, shifts: tuple[int, ...]) -> int:
    """R94. v = floor(wrap32(q m + 2^(ls-1)) / 2^ls): q s in steps of 1 / (3 2^12). m = 3 2^k, ls = 0 where s counts as
    2^(k-12) with a k that the operator takes (its shifts); else m = toward_zero(3 2^12 s 2^ls), ls the least that takes
    it above (2^15 - 1) / 2, 31 at most; nothing is added where ls = 0.
    Source: LiteRT ``tflite/kernels/activations.cc``, TanhPrepare and SigmoidPrepare; tflite-micro
    ``micro/kernels/logistic_common.cc``, ``tanh.cc``.

    >>> scaled_input(-32768, Fraction(8), (0,))
    1073741824
    """
    r = power_of_two(s)
    if r is not None and r + 12 in shifts:
        exact: int = q * 3 * 2 ** (r + 12)
        return exact
    m, ls = s * 3 * 2**12, 0
    while m <= Fraction(2**15 - 1, 2) and ls <= 30:
        m, ls = 2 * m, ls + 1
    v = wrap(q * round_toward_zero(m) + (2 ** (ls - 1) if ls else 0), 32)
    return floor(Fraction(v, 2**ls))


def sigmoid_table_int16(q: int, s: Fraction) -> int:
    """R95. v = R94(q) with k = 0; |v| = 512 u + t; R = 512 S(u) + t (S(u+1) - S(u)), or (2^15 - 1) 2^10 from u = 255
    on; y = floor((R + 512) / 2^10) for v >= 0, floor((2^25 - R + 511) / 2^10) for v < 0.
    tanh: k = 0 or 1, |v| = 256 u + t, R = 256 S(u) + ..., or (2^16 - 1) 2^8; y = floor((R - 2^23 + 128) / 2^8), or
    floor((2^23 - R + 127) / 2^8).
    Source: LiteRT ``reference/integer_ops/logistic.h`` and ``tanh.h`` (int16); CMSIS-NN ``arm_nn_activation_s16``.

    >>> [sigmoid_table_int16(q, Fraction(1, 4096)) for q in (-32768, 0, 4096)]
    [11, 16384, 23956]
    """
    v = scaled_input(q, s, (0,))
    result = _interpolated(abs(v), 9, (2**15 - 1) * 2**10)
    return floor(Fraction(result + 512 if v >= 0 else 2**25 - result + 511, 2**10))


def tanh_table_int16(q: int, s: Fraction) -> int:
    """Return tanh by the table, as R95 says; int16.

    >>> [tanh_table_int16(q, Fraction(1, 4096)) for q in (-32768, 0, 4096)]
    [-32767, 0, 24956]
    """
    v = scaled_input(q, s, (0, 1))
    result = _interpolated(abs(v), 8, (2**16 - 1) * 2**8)
    return floor(Fraction(result - 2**23 + 128 if v >= 0 else 2**23 - result + 127, 2**8))


def _interpolated(a: int, bits: int, last: int) -> int:
    """Return R of a = |v|, between the entries of the table."""
    u, t = divmod(a, 2**bits)
    if u >= 255:
        return last
    low = table_entry_uint16(u)
    between: int = low * 2**bits + t * (table_entry_uint16(u + 1) - low)
    return between


def sigmoid_fixed_point_int16(q: int, s: Fraction) -> int:
    """Return R96(q) where s counts as 2^-12, R95 elsewhere: LiteRT's optimized kernel.

    >>> sigmoid_fixed_point_int16(4096, Fraction(1, 4096)), sigmoid_table_int16(4096, Fraction(1, 4096))
    (23952, 23956)
    """
    return sigmoid_q3_int16(q) if power_of_two(s) == -12 else sigmoid_table_int16(q, s)


def tanh_fixed_point_int16(q: int, s: Fraction) -> int:
    """Return R97(q) where s counts as 2^-12, R97(saturate(2 q)) where as 2^-11; R95 elsewhere.

    >>> tanh_fixed_point_int16(4096, Fraction(1, 4096)), tanh_table_int16(4096, Fraction(1, 4096))
    (24964, 24956)
    """
    r = power_of_two(s)
    if r not in (-12, -11):
        return tanh_table_int16(q, s)
    return tanh_q3_int16(q if r == -12 else saturate(2 * q, -(2**15), 2**15 - 1))
