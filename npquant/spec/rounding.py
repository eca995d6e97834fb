"""Rounding and overflow: from an exact rational to an integer, each name stating its tie rule or its overflow rule.

Legend: v any exact value (Fraction or int); q any integer; [qmin, qmax] closed interval, qmin <= qmax; bits a width, at
least 1. The rules on ties:

>>> rules = (round_floor, round_toward_zero, round_half_up, round_half_away, round_half_even)
>>> [[rule(Fraction(k, 2)) for rule in rules] for k in (-5, -3, 3, 5)]
[[-3, -2, -2, -3, -2], [-2, -1, -1, -2, -2], [1, 1, 2, 2, 2], [2, 2, 3, 3, 2]]
>>> rules = (round_ceil, round_away_from_zero, round_half_down, round_half_toward_zero)
>>> [[rule(Fraction(k, 2)) for rule in rules] for k in (-5, -3, 3, 5)]
[[-2, -3, -3, -2], [-1, -2, -2, -1], [2, 2, 1, 1], [3, 3, 2, 2]]
"""

from fractions import Fraction
from math import ceil, floor

HALF = Fraction(1, 2)
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def round_floor(v: Fraction) -> int:
    """Round toward minus infinity: the largest integer not above v, as a plain arithmetic shift right does."""
    return floor(v)


def round_toward_zero(v: Fraction) -> int:
    """Truncate, as a C cast does. Biased: every value moves toward zero by half a step on average."""
    return floor(v) if v >= 0 else -floor(-v)


def round_ceil(v: Fraction) -> int:
    """Round toward plus infinity: the smallest integer not below v."""
    return ceil(v)


def round_away_from_zero(v: Fraction) -> int:
    """Round to the integer of larger magnitude, unless v is one: QONNX's UP."""
    return ceil(v) if v >= 0 else floor(v)


def round_half_up(v: Fraction) -> int:
    """Round to nearest, floor(v + 1/2); ties go toward plus infinity.
    "Add half, then shift right": the rule of every plain rounding shift (NEON SRSHL, gemmlowp's high multiply).
    """
    return floor(v + HALF)


def round_half_away(v: Fraction) -> int:
    """Round to nearest; ties go away from zero: C's ``round``; gemmlowp's RoundingDivideByPOT."""
    return floor(v + HALF) if v >= 0 else -floor(-v + HALF)


def round_half_down(v: Fraction) -> int:
    """Round to nearest, ceil(v - 1/2); ties go toward minus infinity: AP_RND_MIN_INF of ``ap_fixed``."""
    return ceil(v - HALF)


def round_half_toward_zero(v: Fraction) -> int:
    """Round to nearest; ties go toward zero: QONNX's HALF_DOWN, AP_RND_ZERO of ``ap_fixed``."""
    return ceil(v - HALF) if v >= 0 else floor(v + HALF)


def round_half_even(v: Fraction) -> int:
    """Round to nearest; ties go to the even integer: IEEE 754 roundTiesToEven, C's ``rint`` in the default mode."""
    return round(v)


def saturate(q: int, qmin: int, qmax: int) -> int:
    """Clamp an integer to [qmin, qmax]: q, or the nearer end.

    >>> saturate(200, -128, 127)
    127
    """
    return max(qmin, min(qmax, q))


def wrap(q: int, bits: int) -> int:
    """Reduce an integer to two's complement: the value in [-2^(bits-1), 2^(bits-1)) congruent to q modulo 2^bits.

    >>> wrap(2**31, 32)
    -2147483648
    """
    half: int = 2 ** (bits - 1)
    return (q + half) % (2 * half) - half
