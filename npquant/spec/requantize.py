"""From the int32 accumulator to the output's scale: one rounding, or two.

Legend: acc int32 accumulator, m int32 multiplier, e shift (positive = left, C4); the factor is M = m 2^(e-31).
"""

from fractions import Fraction
from math import floor

from npquant.spec.rounding import round_half_away, round_half_up, saturate, wrap

INT32_MAX = 2**31 - 1


def requantize_single_rounding(acc: int, multiplier: int, shift: int) -> int:
    """Scale an accumulator with one rounding: npquant's own arithmetic.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    multiplier, shift : int
        m and e (C4).

    Returns
    -------
    int
        Accumulator in output steps, before the zero point.

    Notes
    -----
    R6. y = round_half_up(acc m 2^(e-31)). One multiply, one rounding shift, nothing else.

    Examples
    --------
    >>> requantize_single_rounding(5, 2**30, 0), requantize_single_rounding(-5, 2**30, 0)
    (3, -2)
    """
    return round_half_up(Fraction(acc * multiplier) * Fraction(2) ** (shift - 31))


def multiply_high_half_up(a: int, b: int) -> int:
    """Return the high half of twice a product: (a b) / 2^31, rounded, ties up, saturated.

    Parameters
    ----------
    a, b : int
        int32 numbers, read as Q0.31 fractions.

    Returns
    -------
    int
        int32; -2^31 times -2^31 saturates to 2^31 - 1.

    Notes
    -----
    R7. h = saturate(round_half_up(a b / 2^31)). Ties go toward plus infinity, although the name used elsewhere for it
    suggests symmetry. Source: google/gemmlowp ``fixedpoint/fixedpoint.h``, SaturatingRoundingDoublingHighMul; equals
    NEON SQRDMULH.

    Examples
    --------
    >>> multiply_high_half_up(1, 2**30), multiply_high_half_up(-1, 2**30)
    (1, 0)
    """
    return saturate(round_half_up(Fraction(a * b, 2**31)), -(2**31), INT32_MAX)


def requantize_double_rounding(acc: int, multiplier: int, shift: int) -> int:
    """Scale an accumulator with two roundings: high multiply, then rounding shift.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    multiplier, shift : int
        m and e (C4).

    Returns
    -------
    int
        Accumulator in output steps, before the zero point.

    Notes
    -----
    R8. y = round_half_away(h / 2^max(-e,0)), h = R7(wrap32(acc 2^max(e,0)), m). The first rounding can make a tie that
    the exact value is not, which the second then rounds to the wrong side. Source: LiteRT
    ``tflite/kernels/internal/common.cc``, MultiplyByQuantizedMultiplier; CMSIS-NN ``arm_nn_requantize``.

    Examples
    --------
    >>> requantize_double_rounding(-5, 2**30, 0), requantize_double_rounding(-5, 2**30, -1)
    (-2, -1)
    """
    left, right = max(shift, 0), max(-shift, 0)
    high = multiply_high_half_up(wrap(acc * 2**left, 32), multiplier)
    return round_half_away(Fraction(high, 2**right))


def requantize_double_rounding_up(acc: int, multiplier: int, shift: int) -> int:
    """Scale an accumulator with two roundings, both of which send ties up.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    multiplier, shift : int
        m and e (C4).

    Returns
    -------
    int
        Accumulator in output steps, before the zero point.

    Notes
    -----
    R19. As R8, with round_half_up as the second rounding. Source:
    google/ruy ``ruy/kernel_avx512.cc``, apply_multiplier.

    Examples
    --------
    >>> requantize_double_rounding_up(-5, 2**30, 0), requantize_double_rounding_up(-6, 2**30, -1)
    (-2, -1)
    """
    left, right = max(shift, 0), max(-shift, 0)
    high = multiply_high_half_up(wrap(acc * 2**left, 32), multiplier)
    return round_half_up(Fraction(high, 2**right))


def requantize_floor_then_half_up(acc: int, multiplier: int, shift: int) -> int:
    """Scale an accumulator by a truncating high multiply and a rounding shift of at least one bit.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    multiplier, shift : int
        m and e (C4).

    Returns
    -------
    int
        Accumulator in output steps, before the zero point.

    Notes
    -----
    R20. r = max(1, -e), l = e + r; y = round_half_up(saturate(floor(wrap32(acc 2^l) m / 2^31)) / 2^r). Rounding once:
    equal to R6 unless the left shift wraps; only -2^31 times -2^31 saturates. Source: google/ruy
    ``ruy/kernel_arm64.cc`` (SQDMULH, SRSHL).

    Examples
    --------
    >>> requantize_floor_then_half_up(-5, 2**30, 0)
    -2
    """
    right = max(1, -shift)
    high = saturate(floor(Fraction(wrap(acc * 2 ** (shift + right), 32) * multiplier, 2**31)), -(2**31), INT32_MAX)
    return round_half_up(Fraction(high, 2**right))


def requantize_half_away(acc: int, multiplier: int, shift: int) -> int:
    """Scale an accumulator with one rounding, ties away from zero.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    multiplier, shift : int
        m and e (C4).

    Returns
    -------
    int
        Accumulator in output steps, before the zero point.

    Notes
    -----
    R21. y = round_half_away(acc m 2^(e-31)). Source: apache/tvm ``src/relay/qnn/utils.cc``,
    FixedPointMultiplyToNearest.

    Examples
    --------
    >>> requantize_half_away(5, 2**30, 0), requantize_half_away(-5, 2**30, 0)
    (3, -3)
    """
    return round_half_away(Fraction(acc * multiplier) * Fraction(2) ** (shift - 31))
