"""The definitions against what they are defined by: nearest integers, congruence, enclosure, attained bounds."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.integer.accumulator import accumulator_interval
from npquant.integer.layer import IntegerLayer
from npquant.kernels.qparams import QuantParams
from npquant.spec import affine, linear, lookup, multiplier, rounding
from npquant.spec.floating import to_float32, to_float64

FRACTIONS = st.fractions(-100, 100, max_denominator=64)
NEAREST = {
    rounding.round_half_up: lambda lo, hi: hi,
    rounding.round_half_away: lambda lo, hi: hi if lo >= 0 else lo,
    rounding.round_half_even: lambda lo, hi: lo if lo % 2 == 0 else hi,
}


def obeys_its_tie_rule(rule, choose, v: Fraction) -> bool:
    """Say whether a rounding is nearest, and on a tie the integer that `choose` takes."""
    lo, hi = math.floor(v), math.floor(v) + 1
    if v - lo == Fraction(1, 2):
        return rule(v) == choose(lo, hi)
    return abs(rule(v) - v) < Fraction(1, 2)


@pytest.mark.parametrize("rule", NEAREST, ids=lambda r: r.__name__)
@given(v=FRACTIONS, tie=st.integers(-50, 50))
def test_rounding_is_nearest_with_its_own_ties(rule, v, tie):
    """Each rule is nearest, and its name says what it does on a tie."""
    assert obeys_its_tie_rule(rule, NEAREST[rule], v)
    assert obeys_its_tie_rule(rule, NEAREST[rule], tie + Fraction(1, 2))


def test_tie_rule_law_kills_every_other_rule():
    """The ties of four neighbouring integers tell the rules apart, truncation and floor included."""
    ties = [Fraction(2 * k + 1, 2) for k in range(-3, 3)]
    every = [*NEAREST, rounding.round_floor, rounding.round_toward_zero]
    for rule, choose in NEAREST.items():
        for other in every:
            assert all(obeys_its_tie_rule(other, choose, v) for v in ties) == (other is rule)


@given(v=FRACTIONS)
def test_directed_roundings_are_floor_and_truncation(v):
    """Floor goes down, truncation toward zero; they agree on v >= 0."""
    assert rounding.round_floor(v) <= v < rounding.round_floor(v) + 1
    assert abs(rounding.round_toward_zero(v)) == math.floor(abs(v))


@given(q=st.integers(-(2**40), 2**40), bits=st.integers(1, 33))
def test_wrap_is_congruent_and_in_range(q, bits):
    """Two's complement: the same residue, inside the interval."""
    wrapped = rounding.wrap(q, bits)
    assert (wrapped - q) % 2**bits == 0 and -(2 ** (bits - 1)) <= wrapped < 2 ** (bits - 1)


@given(v=st.fractions(-1000, 1000))
def test_to_float64_is_pythons_own_division(v):
    """R0: Python's int / int is correctly rounded, and so is this."""
    assert to_float64(v) == Fraction(v.numerator / v.denominator)


@given(a=st.floats(width=32, allow_nan=False, allow_infinity=False), b=st.floats(2.0**-60, 2.0**60, width=32))
def test_to_float32_keeps_float32_numbers(a, b):
    """R0: a float32 number is its own nearest, and rounding is monotone."""
    assert to_float32(Fraction(a)) == Fraction(a)
    assert to_float32(Fraction(b)) <= to_float32(Fraction(b) * (1 + Fraction(1, 2**20)))


@given(x=st.fractions(-20, 20), s=st.fractions(Fraction(1, 64), 4), z=st.integers(-128, 127))
def test_quantize_is_within_half_a_step_or_saturated(x, s, z):
    """R1 and R2: inside the range the error is at most half a step; outside the code is a rail."""
    q = affine.quantize(x, s, z, -128, 127)
    assert abs(affine.dequantize(q, s, z) - x) <= s / 2 or q in (-128, 127)


@given(v=st.fractions(0, 1), n=st.integers(1, 8))
def test_quantize_truncating_is_biased_down(v, n):
    """R3: the recipe's code is never above the value, and less than a step below it, up to the last code."""
    q = affine.quantize_truncating(v, 2**n)
    assert 0 <= v - Fraction(q, 2**n) < Fraction(1, 2**n) or q == 2**n - 1


@given(real=st.fractions(Fraction(1, 2**31), 2**29))
def test_decompose_multiplier_is_close(real):
    """R5: m 2^(e-31) is within half a unit of m's last place."""
    m, e = multiplier.decompose_multiplier(real)
    assert 2**30 <= m < 2**31 and abs(m * Fraction(2) ** (e - 31) - real) <= Fraction(2) ** (e - 32)


@given(x=st.fractions(-12, 12, max_denominator=1000), terms=st.integers(40, 60))
def test_enclosures_hold_the_float_value_and_tighten(x, terms):
    """R12: the rational enclosures contain what math computes to 16 digits, and shrink with more terms."""
    for enclose, value in (
        (lookup.enclose_sigmoid, 1 / (1 + math.exp(-x))),
        (lookup.enclose_tanh, math.tanh(x)),
    ):
        n = terms + int(4 * abs(x))
        lo, hi = enclose(x, n)
        slack = Fraction(1, 10**14)  # math.exp and the operations around it: a few units of 2^-53
        assert lo <= hi and lo - slack <= Fraction(value) <= hi + slack
        tighter = enclose(x, n + 8)
        assert lo <= tighter[0] <= tighter[1] <= hi


@given(
    w=st.lists(st.integers(-2, 2), min_size=1, max_size=3),
    b=st.integers(-9, 9),
    zx=st.integers(-2, 1),
    zw=st.integers(-1, 1),
)
def test_accumulator_interval_is_attained(w, b, zx, zw):
    """C7: over every input of a small interval, the smallest and largest accumulators are the bounds; arrays agree."""
    low, high = linear.accumulator_interval(w, b, zx, zw, -2, 1)
    every = [linear.accumulate(x, w, b, zx, zw) for x in itertools.product(range(-2, 2), repeat=len(w))]
    assert (low, high) == (min(every), max(every))
    x_params, w_params = QuantParams(1.0, zx, -2, 1), QuantParams(1.0, zw, -128, 127)
    layer = IntegerLayer(
        np.array(w, np.int8)[:, None],
        np.array([b], np.int32),
        x_params,
        w_params,
        QuantParams(1.0, 0, -128, 127),
        "identity",
    )
    lows, highs = accumulator_interval(layer)
    assert (lows.tolist(), highs.tolist()) == ([low], [high])


def test_accumulator_interval_kills_a_bound_from_magnitudes():
    """sum |w| 128 + |b| is no bound that is attained: it ignores which end has which sign."""
    low, high = linear.accumulator_interval([3, -5], 7, 0, 0, -128, 127)
    assert (low, high) != (-(8 * 128 + 7), 8 * 128 + 7) and high == 3 * 127 + 5 * 128 + 7
