"""Binary formats against the machine's own: nearest, and idempotent."""

from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from npquant.spec.floating import to_float32, to_float64


@given(v=st.fractions(-1000, 1000))
def test_to_float64_is_pythons_own_division(v: Any) -> None:
    """R0: Python's int / int is correctly rounded, and so is this."""
    assert to_float64(v) == Fraction(v.numerator / v.denominator)


@given(a=st.floats(width=32, allow_nan=False, allow_infinity=False), b=st.floats(2.0**-60, 2.0**60, width=32))
def test_to_float32_keeps_float32_numbers(a: Any, b: Any) -> None:
    """R0: a float32 number is its own nearest, and rounding is monotone."""
    assert to_float32(Fraction(a)) == Fraction(a)
    assert to_float32(Fraction(b)) <= to_float32(Fraction(b) * (1 + Fraction(1, 2**20)))
