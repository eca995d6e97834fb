"""From the accumulator, int32 (R91, R92: int64; R170: of 48 bits), to the output's scale: one rounding, or two.

Legend: acc int32 accumulator; multiplier m an int32, shift e (positive = left), C4; the factor is M = m 2^(e-31); y
accumulator in output steps, before the zero point. Exact values of 5/2, -5/2 and -3/2 steps by each rule:

>>> first = (requantize_single_rounding, requantize_double_rounding, requantize_double_rounding_up)
>>> rules = (*first, requantize_floor_then_half_up, requantize_half_away)
>>> [[rule(acc, 2**30, e) for rule in rules] for acc, e in ((5, 0), (-5, 0), (-6, -1))]
[[3, 3, 3, 3, 3], [-2, -2, -2, -2, -3], [-1, -2, -1, -1, -2]]
"""

from fractions import Fraction
from math import floor

from npquant.spec.rounding import INT32_MAX, INT32_MIN, round_half_away, round_half_even, round_half_up, saturate, wrap


def requantize_single_rounding(acc: int, multiplier: int, shift: int) -> int:
    """R6. y = round_half_up(acc m 2^(e-31)). One multiply, one rounding shift, nothing else: npquant's arithmetic."""
    return round_half_up(Fraction(acc * multiplier) * Fraction(2) ** (shift - 31))


def requantize_single_rounding_wide(acc: int, multiplier: int, shift: int) -> int:
    """R170. y = saturate(round_half_up(acc m 2^(e-31)), -2^62, 2^62), -2^47 <= acc < 2^47: R6 for the accumulators of
    int16 inputs, whose product has up to 79 bits; only multipliers of 2^14 or more saturate. ValueError beyond 48 bits.

    >>> requantize_single_rounding_wide(2**46 + 1, 1431655766, -20), requantize_mantissa16(2**46 + 1, 1431655766, -20)
    (44739243, 44738560)
    """
    if not -(2**47) <= acc < 2**47:
        raise ValueError(f"the accumulator is {acc}; it must have 48 bits")
    return saturate(requantize_single_rounding(acc, multiplier, shift), -(2**62), 2**62)


def multiply_high_half_up(a: int, b: int) -> int:
    """R7. h = saturate(round_half_up(a b / 2^31)). Ties go toward plus infinity, although the name used elsewhere for
    it suggests symmetry. a and b are int32 numbers, read as Q0.31 fractions; -2^31 times -2^31 saturates to 2^31 - 1.
    Source: google/gemmlowp ``fixedpoint/fixedpoint.h``, SaturatingRoundingDoublingHighMul; equals NEON SQRDMULH.

    >>> multiply_high_half_up(1, 2**30), multiply_high_half_up(-1, 2**30)
    (1, 0)
    """
    return saturate(round_half_up(Fraction(a * b, 2**31)), INT32_MIN, INT32_MAX)


def _high_then_shift(acc: int, multiplier: int, shift: int) -> Fraction:
    """Return R8's h / 2^max(-e,0), with its first rounding and before its second."""
    # The left shift is the engine's, in int32: it wraps where acc 2^left leaves it.
    left, right = max(shift, 0), max(-shift, 0)
    return Fraction(multiply_high_half_up(wrap(acc * 2**left, 32), multiplier), 2**right)


def requantize_double_rounding(acc: int, multiplier: int, shift: int) -> int:
    """R8. y = round_half_away(h / 2^max(-e,0)), h = R7(wrap32(acc 2^max(e,0)), m). The first rounding can make a tie
    that the exact value is not, which the second then rounds to the wrong side.
    Source: LiteRT ``tflite/kernels/internal/common.cc``, MultiplyByQuantizedMultiplier; CMSIS-NN ``arm_nn_requantize``.
    """
    return round_half_away(_high_then_shift(acc, multiplier, shift))


def requantize_double_rounding_up(acc: int, multiplier: int, shift: int) -> int:
    """R19. As R8, with round_half_up as the second rounding.
    Source: google/ruy ``ruy/kernel_avx512.cc``, apply_multiplier.
    """
    return round_half_up(_high_then_shift(acc, multiplier, shift))


def requantize_floor_then_half_up(acc: int, multiplier: int, shift: int) -> int:
    """R20. r = max(1, -e), l = e + r; y = round_half_up(saturate(floor(wrap32(acc 2^l) m / 2^31)) / 2^r). Rounding
    once: equal to R6 unless the left shift wraps; only -2^31 times -2^31 saturates.
    Source: google/ruy ``ruy/kernel_arm64.cc`` (SQDMULH, SRSHL).
    """
    right = max(1, -shift)
    high = floor(Fraction(wrap(acc * 2 ** (shift + right), 32) * multiplier, 2**31))
    return round_half_up(Fraction(saturate(high, INT32_MIN, INT32_MAX), 2**right))


def requantize_half_away(acc: int, multiplier: int, shift: int) -> int:
    """R21. y = round_half_away(acc m 2^(e-31)). Source: apache/tvm ``src/relay/qnn/utils.cc``,
    FixedPointMultiplyToNearest.
    """
    return round_half_away(Fraction(acc * multiplier) * Fraction(2) ** (shift - 31))


def requantize_half_even(acc: int, multiplier: int, shift: int) -> int:
    """R148. y = round_half_even(acc m 2^(e-31)). Source: espressif/esp-dl ``esp-dl/dl/tool/src/dl_tool.cpp``,
    shift_and_round_half_even, revision 12c0616d; ucb-bar/gemmini ``src/main/scala/gemmini/Arithmetic.scala``, the
    rounding shift, revision 8c3f992.

    >>> [requantize_half_even(acc, 2**30, 0) for acc in (5, 7, -5)]
    [2, 4, -2]
    """
    return round_half_even(Fraction(acc * multiplier) * Fraction(2) ** (shift - 31))


def requantize_mantissa16(acc: int, multiplier: int, shift: int) -> int:
    """R91. m16 = min(floor((m + 2^15) / 2^16), 2^15 - 1), e <= 14: what 16-bit activations and int64 accumulators get.
    y = wrap32(floor(wrap64(acc m16 + 2^(14-e)) / 2^(15-e))): one rounding, half up, of a product that is coarse by up
    to 2^-16. Source: tflite-micro ``tensorflow/lite/kernels/internal/common.cc``, MultiplyByQuantizedMultiplier.

    >>> requantize_mantissa16(2**40, 3 * 2**29, -20), requantize_single_rounding(2**40, 3 * 2**29, -20)
    (786432, 786432)
    """
    mantissa = min(floor(Fraction(multiplier + 2**15, 2**16)), 2**15 - 1)
    product = wrap(acc * mantissa + 2 ** (14 - shift), 64)
    return wrap(floor(Fraction(product, 2 ** (15 - shift))), 32)


def requantize_mantissa16_low_bits_first(acc: int, multiplier: int, shift: int) -> int:
    """R92. m16 as in R91; y = floor(wrap32(wrap32(floor(wrap64(acc m16) / 2^(14-e))) + 1) / 2): the low 32 bits are
    taken one place before the rounding, so that it is R91 where |y| < 2^30, and wraps twice as early.
    Source: ARM-software/CMSIS-NN ``Include/arm_nnsupportfunctions.h``, arm_nn_requantize_s64, 99f736a.

    >>> requantize_mantissa16_low_bits_first(2**30, 2**30, 1), requantize_mantissa16(2**30, 2**30, 1)
    (-1073741824, 1073741824)
    """
    mantissa = min(floor(Fraction(multiplier + 2**15, 2**16)), 2**15 - 1)
    doubled = wrap(floor(Fraction(wrap(acc * mantissa, 64), 2 ** (14 - shift))), 32)
    return floor(Fraction(wrap(doubled + 1, 32), 2))
