"""Fixed-point types of high-level synthesis: the arrays equal exact scalars, for every rounding and overflow."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import ap_fixed, rounding
from npquant.kernels.qparams import QuantParams
from npquant.spec import ap_fixed as spec
from npquant.spec import rounding as spec_rounding

ROUNDINGS = (
    "round_floor",
    "round_toward_zero",
    "round_half_up",
    "round_half_toward_zero",
    "round_half_away",
    "round_half_down",
    "round_half_even",
)
OVERFLOWS = {
    "wrap_to_interval": spec.wrap_to_interval,
    "saturate": spec_rounding.saturate,
    "zero_outside": spec.zero_outside,
    "saturate_symmetric": spec.saturate_symmetric,
}
TYPES = [(-128, 127), (0, 255), (-8, 7), (0, 15), (-32768, 32767), (0, 65535)]


def equals_spec(mode: Any, overflow: Any, names: tuple[str, str], x: float, s: float, ends: tuple[int, int]) -> bool:
    """Say whether R153 of arrays by two modes gives the exact code."""
    got = ap_fixed.quantize_ap_fixed([x], QuantParams(s, 0, *ends), mode, overflow)
    rule = getattr(spec_rounding, names[0])
    return int(got[0]) == spec.quantize_ap_fixed(Fraction(x), Fraction(s), *ends, rule, OVERFLOWS[names[1]])


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("mode", ROUNDINGS)
@given(
    x=st.floats(-(2.0**40), 2.0**40) | st.floats(-300, 300) | st.integers(-600, 600).map(lambda k: k / 4),
    bits=st.integers(-3, 20),
    ends=st.sampled_from(TYPES),
)
def test_quantize_ap_fixed_equals_spec(mode: Any, overflow: Any, x: Any, bits: Any, ends: Any) -> None:
    """R153 on any finite float64."""
    rule = getattr(rounding, mode), getattr(ap_fixed, overflow)
    assert equals_spec(*rule, (mode, overflow), x, 2.0**-bits, ends)


CASES = [(k / 4, 1.0, ends) for k in range(-42, 43) for ends in ((-8, 7), (0, 15))]


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("mode", ROUNDINGS)
def test_quantize_ap_fixed_law_kills_every_other_mode(mode: Any, overflow: Any) -> None:
    """Quarters across both ends tell all modes of either kind apart."""
    pairs = [(m, overflow) for m in ROUNDINGS] + [(mode, o) for o in OVERFLOWS]
    for pair in pairs:
        rule = getattr(rounding, pair[0]), getattr(ap_fixed, pair[1])
        same = all(equals_spec(*rule, (mode, overflow), *case) for case in CASES)
        assert same == (pair == (mode, overflow)), pair


def test_each_overflow_rule_equals_spec() -> None:
    """R150, R151 and R152, beside ends and far beyond them."""
    for low, high in TYPES:
        q = [low - 1, low, -high, high, high + 1, 3 * high + 5, -5 * high - 7, 0, 2**60, -(2**60)]
        for name, rule in OVERFLOWS.items():
            got = getattr(ap_fixed, name)(np.array(q, np.float64), low, high)
            assert got.dtype == np.int64 and got.tolist() == [rule(v, low, high) for v in q]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (QuantParams(0.3, 0, -128, 127), "power of two"),
        (QuantParams(0.5, 1, -128, 127), "no zero point"),
        (QuantParams(np.array([0.5, 1.0]), 0, -128, 127), "one scale"),
        (QuantParams(0.5, 0, -127, 127), "all codes"),
        (QuantParams(0.5, 0, -64, 63 + 64), "all codes"),
    ],
)
def test_what_is_no_type_is_refused(params: Any, words: str) -> None:
    """Each refusal says what ap_fixed lacks."""
    with pytest.raises(ValueError, match=words):
        ap_fixed.quantize_ap_fixed([1.0], params, rounding.round_floor, ap_fixed.saturate)


@pytest.mark.parametrize("x", [np.nan, np.inf, -np.inf, 1e308])
def test_values_without_a_code_are_refused(x: Any) -> None:
    """NaN, infinities, and what leaves float64 in steps of the scale; nothing at all has no codes."""
    params = QuantParams(2.0**-20, 0, -128, 127)
    with pytest.raises(ValueError, match="NaN or infinity"):
        ap_fixed.quantize_ap_fixed([x], params, rounding.round_floor, ap_fixed.saturate)
    assert ap_fixed.quantize_ap_fixed([], params, rounding.round_floor, ap_fixed.saturate).shape == (0,)
