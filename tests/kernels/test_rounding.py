"""The rounding modes of arrays are the exact ones, on ties, integers and numbers too large to have a fraction."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import rounding
from npquant.spec import rounding as spec

NAMES = (
    "round_floor",
    "round_ceil",
    "round_toward_zero",
    "round_away_from_zero",
    "round_half_up",
    "round_half_down",
    "round_half_even",
    "round_half_away",
    "round_half_toward_zero",
)
TIES = [k / 4 for k in range(-20, 21)]
LARGE = [sign * v for sign in (-1, 1) for v in (2.0**23 - 0.5, 2.0**23 + 1, 2.0**24 - 1, 2.0**31, 2.0**100)]
BESIDE_HALF = [(np.nextafter(dtype(half), dtype(far)), dtype) for dtype in (np.float32, np.float64)
               for half in (0.5, -0.5, 1.5, -1.5) for far in (-9, 9)]  # fmt: skip


def rounds_as(mode: Any, rule: Any, v: float, dtype: Any = np.float32) -> bool:
    """Say whether a rounding of arrays gives the exact integer for one number, in the number's own type."""
    got = mode(np.array([v], dtype))
    return got.dtype == dtype and int(got[0]) == rule(Fraction(float(dtype(v))))


@pytest.mark.parametrize("name", NAMES)
@given(
    dtype=st.sampled_from([np.float32, np.float64]),
    v=st.floats(-300, 300, width=32) | st.floats(-(2.0**60), 2.0**60, width=32),
)
def test_rounding_mode_equals_spec(name: Any, dtype: Any, v: Any) -> None:
    """Each mode on any float."""
    assert rounds_as(getattr(rounding, name), getattr(spec, name), v, dtype)


@pytest.mark.parametrize("name", NAMES)
def test_rounding_mode_equals_spec_on_ties_and_large_numbers(name: Any) -> None:
    """Each mode on quarters, and where float32 has no fractions left."""
    for dtype in (np.float32, np.float64):
        assert all(rounds_as(getattr(rounding, name), getattr(spec, name), v, dtype) for v in TIES + LARGE)


@pytest.mark.parametrize("name", NAMES)
def test_rounding_mode_equals_spec_next_to_ties(name: Any) -> None:
    """The floats next to a tie are none: v - floor(v) would round the one above -1/2 to it."""
    assert all(rounds_as(getattr(rounding, name), getattr(spec, name), v, dtype) for v, dtype in BESIDE_HALF)


def test_rounding_mode_law_kills_the_fraction_above_floor() -> None:
    """A fraction from below is not exact next to -1/2."""
    wrong = lambda v: np.floor(v) + (v - np.floor(v) > 0.5)  # noqa: E731
    assert not all(rounds_as(wrong, spec.round_half_down, v, dtype) for v, dtype in BESIDE_HALF)


def test_rounding_mode_law_kills_every_other_mode() -> None:
    """The quarters tell all nine apart."""
    for one in NAMES:
        for other in NAMES:
            same = all(rounds_as(getattr(rounding, one), getattr(spec, other), v) for v in TIES)
            assert same == (one == other), (one, other)


def test_round_half_toward_zero_kills_subtracting_half() -> None:
    """sign(v) ceil(f32(|v| - 1/2)) is wrong for odd numbers from 2^23 on, where the difference is a tie."""

    def subtracting(v: Any) -> Any:
        return np.copysign(np.ceil(np.abs(v) - v.dtype.type(0.5)), v)

    killed = [v for v in TIES + LARGE if not rounds_as(subtracting, spec.round_half_toward_zero, v)]
    assert killed == [-(2.0**23 + 1), -(2.0**24 - 1), 2.0**23 + 1, 2.0**24 - 1]


@pytest.mark.parametrize("name", NAMES)
def test_rounding_mode_passes_special_values_through(name: Any) -> None:
    """NaN, infinities and empty arrays stay what they are."""
    special = np.array([np.nan, np.inf, -np.inf, -0.0], np.float32)
    np.testing.assert_array_equal(getattr(rounding, name)(special), special)
    assert getattr(rounding, name)(special[:0]).shape == (0,)
