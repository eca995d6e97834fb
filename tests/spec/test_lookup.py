"""Enclosures hold the value and tighten."""

import math
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from npquant.spec import lookup


@given(x=st.fractions(-12, 12, max_denominator=1000), terms=st.integers(40, 60))
def test_enclosures_hold_the_float_value_and_tighten(x: Any, terms: Any) -> None:
    """R12: the rational enclosures contain what math computes to 16 digits, and shrink with more terms."""
    for enclose, value in (
        (lookup.enclose_sigmoid, 1 / (1 + math.exp(-x))),
        (lookup.enclose_tanh, math.tanh(x)),
        (lookup.enclose_softplus, max(x, 0) + math.log1p(math.exp(-abs(x)))),
    ):
        n = terms + int(4 * abs(x))
        lo, hi = enclose(x, n)
        slack = Fraction(1, 10**14)  # math.exp and the operations around it: a few units of 2^-53
        assert lo <= hi and lo - slack <= Fraction(value) <= hi + slack
        tighter = enclose(x, n + 8)
        assert lo <= tighter[0] <= tighter[1] <= hi
