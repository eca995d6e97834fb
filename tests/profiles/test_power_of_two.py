"""Engines that shift: their layers equal exact scalars, and what they cannot shift is refused in their name."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant import FixedMultiplier, QuantParams, linear, requantize
from npquant.kernels import multiplier
from npquant.profiles import get, names
from npquant.spec import multiplier as spec_multiplier
from npquant.spec import requantize as spec_requantize
from npquant.spec.conversion import code_saturating

RULES = {
    "esp_dl": spec_requantize.requantize_half_even,
    "esp_dl_half_up": spec_requantize.requantize_single_rounding,
    "gemmini_shift": spec_requantize.requantize_half_even,
}
SCALES = st.floats(2.0**-20, 2.0**10, width=32)


def params(scale: Any) -> QuantParams:
    """Return int8 codes without a zero point."""
    return QuantParams(scale, 0, -128, 127)


def spoken(rule: Any, *scales: float) -> Any:
    """Return what R149 makes of scales, or its refusal."""
    try:
        return rule(*scales)
    except ValueError as refused:
        return str(refused)


@given(sx=SCALES, sw=SCALES, sy=SCALES)
def test_power_of_two_multiplier_equals_spec(sx: Any, sw: Any, sy: Any) -> None:
    """R149 of any scales: nearly all are refused, in the same words."""
    want = spoken(spec_multiplier.power_of_two_multiplier, Fraction(sx), Fraction(sw), Fraction(sy))
    got = spoken(multiplier.power_of_two_multiplier, sx, sw, sy)
    assert got == want if isinstance(want, str) else (got.multiplier, got.shift) == want


@pytest.mark.parametrize("k", range(-33, 32))
@pytest.mark.parametrize("s", [1.0, 1.5, 1 + 2.0**-23])
def test_power_of_two_multiplier_at_its_limits(k: Any, s: Any) -> None:
    """R149 of every exponent, whatever the mantissa; a neighbour of a power of two is none."""
    want = spoken(spec_multiplier.power_of_two_multiplier, Fraction(s), Fraction(2) ** k, Fraction(s))
    got = spoken(multiplier.power_of_two_multiplier, s, 2.0**k, s)
    assert got == want if isinstance(want, str) else (got.multiplier, got.shift) == want
    assert isinstance(want, str) == (not -31 <= k <= 29)
    beside = np.nextafter(np.float32(s), np.float32(4))
    assert "no power of two" in spoken(multiplier.power_of_two_multiplier, beside, 2.0**k, s)


@pytest.mark.parametrize("name", RULES)
def test_requantize_equals_spec_and_kills_the_other_tie(name: Any) -> None:
    """Accumulators on and beside ties, at rails and ends of int32, under every shift that the engine has."""
    rng, killed = np.random.default_rng(148), 0
    for k in range(-31, 1 if name == "gemmini_shift" else 12):
        steps = (rng.integers(-140, 140, 200) + rng.choice([0, 0.5], 200)) * 2.0**-k
        near = np.concatenate([np.round(steps) + rng.integers(-1, 2, 200), [-(2**31), 2**31 - 1, 0, -1]])
        acc = np.clip(near, -(2**31), 2**31 - 1).astype(np.int64)
        got = requantize(acc[np.newaxis], x=params(1.0), w=params(2.0**k), y=params(1.0), profile=name)[0]
        assert got.tolist() == [code_saturating(RULES[name](int(a), 2**30, k + 1), 0, -128, 127) for a in acc]
        rival = "esp_dl" if name == "esp_dl_half_up" else "esp_dl_half_up"
        other = requantize(acc[np.newaxis], x=params(1.0), w=params(2.0**k), y=params(1.0), profile=rival)[0]
        killed += int((got != other).sum())
    assert killed > 0


@pytest.mark.parametrize("name", RULES)
def test_layers_by_scales_and_by_a_shift_are_the_same(name: Any) -> None:
    """A layer with a bias and a relu, its sums exact and shifted by 4, given as scales or as m and e."""
    rng = np.random.default_rng(149)
    x_q, w_q = rng.integers(-128, 128, (5, 7)), rng.integers(-128, 128, (7, 4))
    bias = rng.integers(-4000, 4000, 4).astype(np.int32)
    acc = x_q @ w_q + bias
    want = [[max(0, code_saturating(RULES[name](int(a), 2**30, -3), 0, -128, 127)) for a in row] for row in acc]
    layer = {"x": params(0.3), "w": params(0.5), "profile": name, "activation": "relu"}
    assert linear(x_q, w_q, bias, y=params(np.float32(0.3) * 8), **layer).tolist() == want
    given_shift = linear(x_q, w_q, bias, y=params(1.0), multiplier=FixedMultiplier(2**30, -3), **layer)
    assert given_shift.tolist() == want


@pytest.mark.parametrize("name", RULES)
def test_what_cannot_be_shifted_is_refused(name: Any) -> None:
    """Another ratio, another scale for each output, a zero point, another m; the record is not among those drawn."""
    one = params(1.0)
    for x, w, y, words in (
        (one, params(0.3), one, f"^{name} shifts sums and multiplies none: .*0.3, no power of two"),
        (one, params(np.array([0.5, 0.25])), one, f"^{name} shifts a layer's sums alike"),
        (QuantParams(1.0, 1, -128, 127), one, one, f"^{name} has no zero points"),
    ):
        with pytest.raises(ValueError, match=words):
            linear([[1]], np.ones((1, np.size(w.scale)), np.int8), None, x=x, w=w, y=y, profile=name)
    with pytest.raises(ValueError, match="defines multipliers"):
        linear([[1]], [[1]], None, x=one, w=one, y=one, profile=name, multiplier=FixedMultiplier(2**30 + 1, 0))
    assert get(name).restriction and name not in names() and name in names(layers=False)


def test_gemmini_shifts_to_the_right_alone() -> None:
    """Its shift is unsigned: 1 is the largest ratio."""
    assert linear([[3]], [[5]], None, x=params(1.0), w=params(1.0), y=params(1.0), profile="gemmini_shift") == 15
    with pytest.raises(ValueError, match="gemmini_shift takes less than 2"):
        linear([[3]], [[5]], None, x=params(1.0), w=params(1.0), y=params(0.5), profile="gemmini_shift")
