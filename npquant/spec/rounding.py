"""Rounding and overflow: from an exact rational to an integer, each name stating its tie rule or its overflow rule.

Legend: v exact value (Fraction or int), q integer.
"""

from fractions import Fraction
from math import floor

HALF = Fraction(1, 2)


def round_floor(v: Fraction) -> int:
    """Round toward minus infinity.

    Parameters
    ----------
    v : Fraction
        Any exact value.

    Returns
    -------
    int
        The largest integer not above v.

    Notes
    -----
    A plain arithmetic shift right computes this.

    Examples
    --------
    >>> round_floor(Fraction(-3, 2))
    -2
    """
    return floor(v)


def round_toward_zero(v: Fraction) -> int:
    """Drop the fraction (truncate), as a C cast does.

    Parameters
    ----------
    v : Fraction
        Any exact value.

    Returns
    -------
    int
        The integer part of v, with the sign of v.

    Notes
    -----
    Biased: every value moves toward zero by half a step on average.

    Examples
    --------
    >>> round_toward_zero(Fraction(-3, 2))
    -1
    """
    return floor(v) if v >= 0 else -floor(-v)


def round_half_up(v: Fraction) -> int:
    """Round to nearest; ties go toward plus infinity.

    Parameters
    ----------
    v : Fraction
        Any exact value.

    Returns
    -------
    int
        floor(v + 1/2).

    Notes
    -----
    "Add half, then shift right": the rule of every plain rounding shift (NEON SRSHL, gemmlowp's high multiply).

    Examples
    --------
    >>> round_half_up(Fraction(5, 2)), round_half_up(Fraction(-5, 2))
    (3, -2)
    """
    return floor(v + HALF)


def round_half_away(v: Fraction) -> int:
    """Round to nearest; ties go away from zero.

    Parameters
    ----------
    v : Fraction
        Any exact value.

    Returns
    -------
    int
        The nearest integer, the one of larger magnitude on a tie.

    Notes
    -----
    C's ``round``; gemmlowp's RoundingDivideByPOT.

    Examples
    --------
    >>> round_half_away(Fraction(5, 2)), round_half_away(Fraction(-5, 2))
    (3, -3)
    """
    return floor(v + HALF) if v >= 0 else -floor(-v + HALF)


def round_half_even(v: Fraction) -> int:
    """Round to nearest; ties go to the even integer.

    Parameters
    ----------
    v : Fraction
        Any exact value.

    Returns
    -------
    int
        The nearest integer, the even one on a tie.

    Notes
    -----
    IEEE 754 roundTiesToEven; C's ``rint`` in the default mode; Python's ``round``.

    Examples
    --------
    >>> round_half_even(Fraction(5, 2)), round_half_even(Fraction(7, 2))
    (2, 4)
    """
    return round(v)


def saturate(q: int, qmin: int, qmax: int) -> int:
    """Clamp an integer to [qmin, qmax].

    Parameters
    ----------
    q : int
        Any integer.
    qmin, qmax : int
        The closed interval, qmin <= qmax.

    Returns
    -------
    int
        q, or the nearer end of the interval.

    Examples
    --------
    >>> saturate(200, -128, 127)
    127
    """
    return max(qmin, min(qmax, q))


def wrap(q: int, bits: int) -> int:
    """Reduce an integer to two's complement of the given width.

    Parameters
    ----------
    q : int
        Any integer.
    bits : int
        Width, at least 1.

    Returns
    -------
    int
        The value in [-2^(bits-1), 2^(bits-1)) congruent to q modulo 2^bits.

    Examples
    --------
    >>> wrap(2**31, 32)
    -2147483648
    """
    half: int = 2 ** (bits - 1)
    return (q + half) % (2 * half) - half
