"""IEEE 754 formats as functions on exact rationals: what a float32 or float64 operation does to its exact result.

Legend: v any exact value, e exponent of its leading bit; a, b, c binary32 numbers. Subnormal numbers are kept, both
zeros are 0, and what would be infinite raises OverflowError.
"""

from fractions import Fraction

from npquant.spec.rounding import round_half_even


def _leading_exponent(magnitude: Fraction) -> int:
    """Return the e with 2^e <= magnitude < 2^(e+1)."""
    e = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    return e if magnitude >= Fraction(2) ** e else e - 1


def _round_to_binary(v: Fraction, precision: int, e_min: int, e_max: int) -> Fraction:
    """Round v to a binary format with subnormals; raise OverflowError past its largest number."""
    if v == 0:
        return Fraction(0)
    # Below 2^e_min the step stays that of the smallest normal numbers: subnormals.
    e = max(_leading_exponent(abs(v)), e_min)
    step = Fraction(2) ** (e - precision + 1)
    rounded = round_half_even(v / step) * step
    # Rounding may reach the next power of two, which is a number of the format but for the last.
    if abs(rounded) >= Fraction(2) ** (e_max + 1):
        raise OverflowError(f"{float(v):g} is beyond the largest number of the format")
    return rounded


def to_float32(v: Fraction) -> Fraction:
    """R0. f32(v): 24 bits of precision, exponents -126..127 (IEEE 754-2019, table 3.5); to nearest, ties to even.

    >>> to_float32(Fraction(2**24 + 1))
    Fraction(16777216, 1)
    """
    return _round_to_binary(v, 24, -126, 127)


def to_float64(v: Fraction) -> Fraction:
    """R0. f64(v): 53 bits of precision, exponents -1022..1023 (IEEE 754-2019, table 3.5); to nearest, ties to even.

    >>> to_float64(Fraction(1, 3)) == Fraction(1 / 3)
    True
    """
    return _round_to_binary(v, 53, -1022, 1023)


def fma_float32(a: Fraction, b: Fraction, c: Fraction) -> Fraction:
    """R0. f32(a b + c), rounded once, of three binary32 numbers (IEEE 754-2019, 5.4.1, fusedMultiplyAdd).

    >>> fma_float32(1 + Fraction(1, 2**23), Fraction(1, 2**24), Fraction(1)) == 1 + Fraction(1, 2**23)
    True
    """
    return to_float32(a * b + c)
