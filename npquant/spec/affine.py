"""The affine map between a real value and its integer code.

Legend: x real value, q code, s scale (> 0), z zero point: the code of 0, so that 0 is always represented exactly.
"""

from fractions import Fraction

from npquant.spec.rounding import round_half_even, round_toward_zero, saturate


def quantize(x: Fraction, scale: Fraction, zero_point: int, qmin: int, qmax: int) -> int:
    """Quantize one real value.

    Parameters
    ----------
    x : Fraction
        Real value.
    scale : Fraction
        Real step between neighbouring codes, > 0.
    zero_point : int
        The code of 0, in [qmin, qmax].
    qmin, qmax : int
        The code interval.

    Returns
    -------
    int
        Code in [qmin, qmax].

    Notes
    -----
    R1. q = saturate(round_half_even(x / s) + z, qmin, qmax). The quotient is exact: one rounding, then the zero point,
    then one saturation.

    Examples
    --------
    >>> quantize(Fraction(5, 4), Fraction(1, 2), -128, -128, 127)
    -126
    """
    return saturate(round_half_even(x / scale) + zero_point, qmin, qmax)


def dequantize(q: int, scale: Fraction, zero_point: int) -> Fraction:
    """Return the real value of one code.

    Parameters
    ----------
    q : int
        Code.
    scale : Fraction
        Real step, > 0.
    zero_point : int
        The code of 0.

    Returns
    -------
    Fraction
        Exact real value.

    Notes
    -----
    R2. x = s (q - z). Exact; a float32 result rounds once more.

    Examples
    --------
    >>> dequantize(-126, Fraction(1, 2), -128)
    Fraction(1, 1)
    """
    return scale * (q - zero_point)


def quantize_truncating(v: Fraction, k: int) -> int:
    """Quantize a value of [0, 1] as the recipe does: multiply by k, truncate, clip to [0, k - 1].

    Parameters
    ----------
    v : Fraction
        Real value; below 0 becomes code 0, at or above 1 becomes k - 1.
    k : int
        Number of codes, 2^n with n >= 1.

    Returns
    -------
    int
        Code in [0, k - 1]; its real value is q / k.

    Notes
    -----
    R3. q = saturate(trunc(k v), 0, k - 1). Truncation biases every value down by half a step on average.

    Examples
    --------
    >>> quantize_truncating(Fraction(99, 100), 4)
    3
    """
    return saturate(round_toward_zero(k * v), 0, k - 1)
