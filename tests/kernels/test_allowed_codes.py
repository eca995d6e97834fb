"""R160, the codes that an inexact rescale may give: the arrays equal the definition, and who is inside the set."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels.allowed_codes import allowed_codes_inexact
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.output_stages import stage_float32_half_even, stage_float32_zero_point_first
from npquant.kernels.requantize import (
    requantize_double_rounding,
    requantize_half_away,
    requantize_mantissa16,
    requantize_single_rounding,
)
from npquant.spec import allowed_codes as spec

INT32 = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([-(2**31), 2**31 - 1, 0, -1, 2**24 + 1])
M = st.integers(2**30, 2**31 - 1) | st.integers(0, 2**31 - 1)
INTERVAL = st.sampled_from([(-128, 127), (0, 255), (-32768, 32767), (-(2**31), 2**31 - 1)])
INT8 = (-128, 127)


def allowed_equals_spec(allowed: Any, acc: int, m: int, e: int, zy: int, interval: tuple[int, int]) -> bool:
    """Say whether an implementation gives both ends of the definition's set."""
    low, high = allowed(np.array([acc]), FixedMultiplier(m, e), zy, *interval)
    same = (int(low[0]), int(high[0])) == spec.allowed_codes_inexact(acc, m, e, zy, *interval)
    return same and low.dtype == high.dtype == np.int64


@given(acc=INT32, m=M, e=st.integers(-31, 30), zy=st.integers(-128, 255), interval=INTERVAL)
def test_allowed_codes_equals_spec(acc: Any, m: Any, e: Any, zy: Any, interval: Any) -> None:
    """R160 for any accumulator, multiplier and zero point."""
    assert allowed_equals_spec(allowed_codes_inexact, acc, m, e, zy, interval)


@given(k=st.integers(-300, 300), nudge=st.integers(-2, 2), m=st.integers(2**30, 2**31 - 1), e=st.integers(-20, -1))
def test_allowed_codes_equals_spec_beside_ties(k: Any, nudge: Any, m: Any, e: Any) -> None:
    """R160 where it has two codes: beside k + 1/2 output steps."""
    acc = round((k + Fraction(1, 2)) / (Fraction(m) * Fraction(2) ** (e - 31))) + nudge
    assert allowed_equals_spec(allowed_codes_inexact, acc, m, e, 3, INT8)


def beside_ties(m: int, e: int) -> np.ndarray:
    """Return accumulators on and beside every tie of the 8-bit codes, and a spread of large ones."""
    step = m * 2.0 ** (e - 31)
    near = np.rint((np.arange(-130, 130) + 0.5) / step)[:, None] + np.arange(-3, 4)
    spread = np.random.default_rng(m % 1000).integers(-(2**29), 2**29, 2000)
    return np.concatenate([near.ravel(), spread]).astype(np.int64)


MULTIPLIERS = [(2061584415, -4), (2**30, -1), (2**30, 0), (1288490189, -9), (2**31 - 1, -14), (2**30 + 1, -20)]


def equals_spec_throughout(allowed: Any) -> bool:
    """Say whether an implementation gives the definition's sets on a part of the cases, with a large zero point."""
    for m, e in MULTIPLIERS:
        acc, zy, wide = beside_ties(m, e)[::23], 200, (-(2**31), 2**31 - 1)
        want = [spec.allowed_codes_inexact(int(a), m, e, zy, *wide) for a in acc]
        if not np.array_equal(np.stack(allowed(acc, FixedMultiplier(m, e), zy, *wide), axis=-1), want):
            return False
    return True


def test_allowed_codes_law_kills_a_forgotten_rounding_and_a_closed_tie() -> None:
    """Half a step alone, the zero point left out of the error, and a tolerance of one code each break the law."""

    def half_alone(acc: Any, fixed: Any, zy: Any, low: Any, high: Any) -> Any:
        v = acc * fixed.real + zy
        return np.clip(np.ceil(v - 0.5), low, high).astype(int), np.clip(np.floor(v + 0.5), low, high).astype(int)

    def without_zero_point(acc: Any, fixed: Any, zy: Any, low: Any, high: Any) -> Any:
        v = acc * fixed.real
        d = 0.5 + 4 * np.abs(v) * 2.0**-24
        return (
            np.clip(np.ceil(v - d + zy), low, high).astype(int),
            np.clip(np.floor(v + d + zy), low, high).astype(int),
        )

    def within_one(acc: Any, fixed: Any, zy: Any, low: Any, high: Any) -> Any:
        code = requantize_single_rounding(acc, fixed) + zy
        return np.clip(code - 1, low, high), np.clip(code + 1, low, high)

    assert equals_spec_throughout(allowed_codes_inexact)
    for wrong in (half_alone, without_zero_point, within_one):
        assert not equals_spec_throughout(wrong)


def is_inside(rule: Any, zy: int, interval: tuple[int, int]) -> bool:
    """Say whether a rule (acc, fixed, zy, qmin, qmax) -> codes gives an allowed code throughout."""
    for m, e in MULTIPLIERS:
        acc, fixed = beside_ties(m, e), FixedMultiplier(m, e)
        low, high = allowed_codes_inexact(acc, fixed, zy, *interval)
        codes = np.clip(rule(acc, fixed, zy), *interval)
        if ((codes < low) | (codes > high)).any():
            return False
    return True


def float32(stage: Any) -> Any:
    """Return a float32 stage as a rule: the multiplier is the fixed one, rounded to float32."""
    wide = (-(2**31), 2**31 - 1)
    return lambda acc, fixed, zy: stage(acc, np.float32(fixed.real), zy, *wide)


INSIDE = {
    "R6": lambda acc, fixed, zy: requantize_single_rounding(acc, fixed) + zy,
    "R21": lambda acc, fixed, zy: requantize_half_away(acc, fixed) + zy,
    "R26": float32(stage_float32_half_even),
    "R33": lambda acc, fixed, zy: stage_float32_zero_point_first(
        acc.astype(np.float32) * np.float32(fixed.real), 1.0, zy, -(2**31), 2**31 - 1
    ),
}
OUTSIDE = {
    "R8": lambda acc, fixed, zy: requantize_double_rounding(acc, fixed) + zy,
    "R91": lambda acc, fixed, zy: requantize_mantissa16(acc, fixed) + zy,
    "floor": lambda acc, fixed, zy: np.floor(acc * fixed.real).astype(np.int64) + zy,
}


@pytest.mark.parametrize("label", INSIDE)
@pytest.mark.parametrize("interval", [INT8, (-32768, 32767)])
def test_rules_of_one_rounding_and_float32_are_allowed(label: Any, interval: Any) -> None:
    """One rounding with any tie rule, and float32 with the zero point before or after it, stay inside the set."""
    assert is_inside(INSIDE[label], 3, interval) and is_inside(INSIDE[label], -100, interval)


@pytest.mark.parametrize("label", OUTSIDE)
def test_rules_of_two_roundings_are_not_allowed(label: Any) -> None:
    """Two roundings, a multiplier of 16 bits and a plain shift leave the set: it is no tolerance of one code."""
    assert not is_inside(OUTSIDE[label], 3, INT8)


def test_allowed_codes_refuses_a_negative_multiplier() -> None:
    """TOSA has none."""
    with pytest.raises(ValueError, match="not negative"):
        allowed_codes_inexact(np.array([1]), FixedMultiplier(-(2**30), 0), 0, -128, 127)


def test_allowed_codes_of_many_channels_and_of_none() -> None:
    """A multiplier a channel; an empty array gives an empty one."""
    low, high = allowed_codes_inexact(np.array([[5, 5]]), FixedMultiplier([2**30, 2**30], [0, 1]), 0, -128, 127)
    assert low.tolist() == [[2, 5]] and high.tolist() == [[3, 5]]
    assert allowed_codes_inexact(np.zeros((0, 2), np.int64), FixedMultiplier(2**30, 0), 0, -128, 127)[0].shape == (0, 2)
