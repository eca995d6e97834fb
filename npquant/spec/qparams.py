"""Choosing scale and zero point from a range of real values.

Legend: s scale, z zero point, [qmin, qmax] code interval, lo and hi ends of the range; f32, f64 as in R0.
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
    """Choose the scale that gives the largest magnitude the largest code.

    Parameters
    ----------
    absmax : Fraction
        Largest magnitude, a binary64 number, >= 0.
    bits : int
        Width of the codes, 2..16.

    Returns
    -------
    Fraction
        A positive normal binary32 number.

    Notes
    -----
    R13. s = f32(f64(absmax / (2^(bits-1) - 1))); 1 where that is 0 or subnormal.

    Examples
    --------
    >>> choose_symmetric(Fraction(127, 2), 8)
    Fraction(1, 2)
    """
    return _normal_or_one(to_float64(absmax / (2 ** (bits - 1) - 1)))


def choose_affine(lo: Fraction, hi: Fraction, bits: int) -> tuple[Fraction, int]:
    """Choose scale and zero point for a range, widened to contain 0.

    Parameters
    ----------
    lo, hi : Fraction
        Ends of the range, binary64 numbers, lo <= hi.
    bits : int
        Width of the codes, 2..16.

    Returns
    -------
    scale : Fraction
        A positive normal binary32 number.
    zero_point : int
        The code of 0, in [-2^(bits-1), 2^(bits-1) - 1].

    Notes
    -----
    R14. lo' = min(lo, 0), hi' = max(hi, 0), s = f32(f64(f64(hi'/2 - lo'/2) / ((qmax - qmin)/2))), z =
    saturate(round_half_even(f64(qmin - f64(lo'/s)))); s = 1 where it would be 0 or subnormal. The halves keep the width
    of the widest ranges below overflow.

    Examples
    --------
    >>> choose_affine(Fraction(0), Fraction(255, 2), 8)
    (Fraction(1, 2), -128)
    """
    qmin, qmax = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    low, high = min(lo, Fraction(0)), max(hi, Fraction(0))
    scale = _normal_or_one(to_float64(to_float64(high / 2 - low / 2) / Fraction(qmax - qmin, 2)))
    return scale, saturate(round_half_even(to_float64(qmin - to_float64(low / scale))), qmin, qmax)
