"""Roundings are nearest or directed as their names say, on ties above all; wrapping is congruent."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.spec import rounding

FRACTIONS = st.fractions(-100, 100, max_denominator=64)
NEAREST = {
    rounding.round_half_up: lambda lo, hi: hi,
    rounding.round_half_away: lambda lo, hi: hi if lo >= 0 else lo,
    rounding.round_half_even: lambda lo, hi: lo if lo % 2 == 0 else hi,
    rounding.round_half_down: lambda lo, hi: lo,
    rounding.round_half_toward_zero: lambda lo, hi: lo if lo >= 0 else hi,
}

DIRECTED = (rounding.round_floor, rounding.round_ceil, rounding.round_toward_zero, rounding.round_away_from_zero)


def obeys_its_tie_rule(rule: Any, choose: Any, v: Fraction) -> bool:
    """Say whether a rounding is nearest, and on a tie the integer that `choose` takes."""
    lo, hi = math.floor(v), math.floor(v) + 1
    if v - lo == Fraction(1, 2):
        return rule(v) == choose(lo, hi)
    return abs(rule(v) - v) < Fraction(1, 2)


@pytest.mark.parametrize("rule", NEAREST, ids=lambda r: r.__name__)
@given(v=FRACTIONS, tie=st.integers(-50, 50))
def test_rounding_is_nearest_with_its_own_ties(rule: Any, v: Any, tie: Any) -> None:
    """Each rule is nearest, and its name says what it does on a tie."""
    assert obeys_its_tie_rule(rule, NEAREST[rule], v)
    assert obeys_its_tie_rule(rule, NEAREST[rule], tie + Fraction(1, 2))


def test_tie_rule_law_kills_every_other_rule() -> None:
    """The quarters of a few integers tell the rules apart, directed ones included."""
    ties = [Fraction(k, 4) for k in range(-12, 13)]
    every = [*NEAREST, *DIRECTED]
    for rule, choose in NEAREST.items():
        for other in every:
            assert all(obeys_its_tie_rule(other, choose, v) for v in ties) == (other is rule)


@given(v=FRACTIONS)
def test_directed_roundings_are_floor_and_truncation(v: Any) -> None:
    """Floor goes down, truncation toward zero, and their mirrors the other way; integers stay."""
    assert rounding.round_floor(v) <= v < rounding.round_floor(v) + 1
    assert abs(rounding.round_toward_zero(v)) == math.floor(abs(v))
    assert rounding.round_ceil(v) - 1 < v <= rounding.round_ceil(v)
    assert abs(rounding.round_away_from_zero(v)) == math.ceil(abs(v))
    assert all(rule(Fraction(math.floor(v))) == math.floor(v) for rule in DIRECTED)


@given(q=st.integers(-(2**40), 2**40), bits=st.integers(1, 33))
def test_wrap_is_congruent_and_in_range(q: Any, bits: Any) -> None:
    """Two's complement: the same residue, inside the interval."""
    wrapped = rounding.wrap(q, bits)
    assert (wrapped - q) % 2**bits == 0 and -(2 ** (bits - 1)) <= wrapped < 2 ** (bits - 1)
