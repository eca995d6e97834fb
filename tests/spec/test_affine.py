"""Codes are within a step of their value, or at a rail."""

from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from npquant.spec import affine


@given(x=st.fractions(-20, 20), s=st.fractions(Fraction(1, 64), 4), z=st.integers(-128, 127))
def test_quantize_is_within_half_a_step_or_saturated(x: Any, s: Any, z: Any) -> None:
    """R1 and R2: inside the range the error is at most half a step; outside the code is a rail."""
    q = affine.quantize(x, s, z, -128, 127)
    assert abs(affine.dequantize(q, s, z) - x) <= s / 2 or q in (-128, 127)


@given(v=st.fractions(0, 1), n=st.integers(1, 8))
def test_quantize_truncating_is_biased_down(v: Any, n: Any) -> None:
    """R3: the recipe's code is never above the value, and less than a step below it, up to the last code."""
    q = affine.quantize_truncating(v, 2**n)
    assert 0 <= v - Fraction(q, 2**n) < Fraction(1, 2**n) or q == 2**n - 1
