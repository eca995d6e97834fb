"""The affine map between a real value and its integer code.

Legend: x real value, q code in [qmin, qmax], scale s > 0 the real step between neighbouring codes, zero_point z the
code of 0, in [qmin, qmax], so that 0 is always represented exactly.
"""

from fractions import Fraction

from npquant.spec.rounding import round_half_even, round_toward_zero, saturate

# A quantization: scale (a binary32 number) and zero point.
Affine = tuple[Fraction, int]


def quantize(x: Fraction, scale: Fraction, zero_point: int, qmin: int, qmax: int) -> int:
    """R1. q = saturate(round_half_even(x / s) + z, qmin, qmax).
    The quotient is exact: one rounding, then the zero point, then one saturation.

    >>> quantize(Fraction(5, 4), Fraction(1, 2), -128, -128, 127)
    -126
    """
    return saturate(round_half_even(x / scale) + zero_point, qmin, qmax)


def dequantize(q: int, scale: Fraction, zero_point: int) -> Fraction:
    """R2. x = s (q - z). Exact; a float32 result rounds once more."""
    return scale * (q - zero_point)


def quantize_truncating(v: Fraction, k: int) -> int:
    """R3. q = saturate(trunc(k v), 0, k - 1), whose real value is q / k: as the recipe quantizes a v of [0, 1].
    k = 2^n codes, n >= 1; v below 0 becomes code 0, at or above 1 becomes k - 1. Truncation biases every value down by
    half a step on average.

    >>> quantize_truncating(Fraction(99, 100), 4)
    3
    """
    return saturate(round_toward_zero(k * v), 0, k - 1)
