"""Choosing scale and zero point from a range of real values.

Legend: absmax largest magnitude, >= 0; lo <= hi ends of the range (all three binary64 numbers); bits width of the
codes, 2..16, with [qmin, qmax] = [-2^(bits-1), 2^(bits-1) - 1]; s scale, a positive normal binary32 number; z zero
point, the code of 0, in [qmin, qmax]; f32, f64 as in R0.
"""

from fractions import Fraction

from npquant.spec.floating import to_float32, to_float64
from npquant.spec.rounding import round_half_even, saturate

SMALLEST_NORMAL = Fraction(1, 2**126)


def _normal_or_one(scale: Fraction) -> Fraction:
    """Return f32(scale), or 1 where that is not a normal number."""
    stored = to_float32(scale)
    return stored if stored >= SMALLEST_NORMAL else Fraction(1)


def choose_symmetric(absmax: Fraction, bits: int) -> Fraction:
    """R13. s = f32(f64(absmax / (2^(bits-1) - 1))); 1 where that is 0 or subnormal.

    >>> choose_symmetric(Fraction(127, 2), 8)
    Fraction(1, 2)
    """
    return _normal_or_one(to_float64(absmax / (2 ** (bits - 1) - 1)))


def choose_affine(lo: Fraction, hi: Fraction, bits: int) -> tuple[Fraction, int]:
    """R14. lo' = min(lo, 0), hi' = max(hi, 0), s = f32(f64(f64(hi'/2 - lo'/2) / ((qmax - qmin)/2))), z =
    saturate(round_half_even(f64(qmin - f64(lo'/s)))); s = 1 where it would be 0 or subnormal. The halves keep the width
    of the widest ranges below overflow.

    >>> choose_affine(Fraction(0), Fraction(255, 2), 8)
    (Fraction(1, 2), -128)
    """
    qmin, qmax = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    # 0 is in [low, high], so that it has a code (C2).
    low, high = min(lo, Fraction(0)), max(hi, Fraction(0))
    scale = _normal_or_one(to_float64(to_float64(high / 2 - low / 2) / Fraction(qmax - qmin, 2)))
    return scale, saturate(round_half_even(to_float64(qmin - to_float64(low / scale))), qmin, qmax)
