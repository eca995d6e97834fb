"""gemmlowp's fixed point: the arrays equal the scalars, both are close to the real functions, mutants are seen."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import fixed_point as kernels
from npquant.spec import fixed_point as spec

INT32 = st.one_of(
    st.integers(-(2**31), 2**31 - 1), st.sampled_from([-(2**31), 2**31 - 1, 0, 1, -1, 2**30, -(2**30), 2**26, -(2**24)])
)
UNIT = st.one_of(st.integers(0, 2**31 - 1), st.sampled_from([0, 1, 2**31 - 1]))
NEGATIVE = INT32.map(lambda a: min(a, -1 - a))
UNARY = {
    "exp_on_negatives_4": (NEGATIVE, lambda m, a: m.exp_on_negatives(a, 4), lambda a: math.exp(a / 2**27)),
    "exp_on_negatives_5": (NEGATIVE, lambda m, a: m.exp_on_negatives(a, 5), lambda a: math.exp(a / 2**26)),
    "reciprocal_of_one_plus": (UNIT, lambda m, a: m.reciprocal_of_one_plus(a), lambda a: 1 / (1 + a / 2**31)),
    "one_minus_over_one_plus": (
        UNIT,
        lambda m, a: m.one_minus_over_one_plus(a),
        lambda a: (1 - a / 2**31) / (1 + a / 2**31),
    ),
    "sigmoid_q4": (INT32, lambda m, a: m.sigmoid_q4(a), lambda a: 1 / (1 + math.exp(-a / 2**27))),
    "tanh_q4": (INT32, lambda m, a: m.tanh_q4(a), lambda a: math.tanh(a / 2**27)),
    "shift_left_saturating": (INT32, lambda m, a: m.shift_left_saturating(a, 3), lambda a: min(max(a / 2**28, -1), 1)),
}


def function_equals_spec(function: Any, scalar: Any, a: Any) -> bool:
    """Say whether an array function of one integer is the scalar's."""
    got = function(np.array([a], np.int64))
    return got.dtype == np.int64 and int(got[0]) == scalar(a)


@pytest.mark.parametrize("name", UNARY)
@given(data=st.data())
def test_fixed_point_function_equals_spec(name: Any, data: st.DataObject) -> None:
    """R72, R74, R75, R76, R77 and R78 on any int32 of their domain."""
    domain, call, _ = UNARY[name]
    a = data.draw(domain)
    assert function_equals_spec(lambda v: call(kernels, v), lambda v: call(spec, v), a)


@pytest.mark.parametrize("name", UNARY)
@given(data=st.data())
def test_fixed_point_function_is_near_the_real_one(name: Any, data: st.DataObject) -> None:
    """Within 2^-21: the constants and the order of the steps compute what their names say.

    The Taylor remainder is at most (1/8)^5 / 120 = 2^-21.9 in a value of at most 1; a dozen roundings add 2^-27.
    """
    domain, call, real = UNARY[name]
    a = data.draw(domain)
    assert abs(call(spec, a) / 2**31 - real(a)) < 2.0**-21


@given(a=INT32, b=INT32)
def test_half_sum_equals_spec(a: Any, b: Any) -> None:
    """R73 for any pair."""
    assert int(kernels.half_sum(np.array([a]), b)[0]) == spec.half_sum(a, b)


def half_sum_law(half_sum: Any) -> bool:
    """Say whether odd sums of both signs round away."""
    pairs = [(1, 2), (-1, -2), (2**31 - 1, 2**31 - 2), (-(2**31), -(2**31) + 1), (0, 0)]
    return all(int(half_sum(np.array([a]), b)[0]) == spec.half_sum(a, b) for a, b in pairs)


def test_half_sum_law_kills_half_up_and_floor() -> None:
    """Half up and floor fail on a negative or positive odd sum."""
    assert half_sum_law(kernels.half_sum)
    assert not half_sum_law(lambda a, b: (a + b + 1) >> 1)
    assert not half_sum_law(lambda a, b: (a + b) >> 1)


@pytest.mark.parametrize("constant", ["EXP_MINUS_EIGHTH", "ONE_THIRD", "FORTY_EIGHT_17THS", "MINUS_THIRTY_TWO_17THS"])
def test_fixed_point_law_kills_a_wrong_constant(monkeypatch: pytest.MonkeyPatch, constant: Any) -> None:
    """2^9 units of 2^31 in a constant change some exponential, or some reciprocal, though Newton forgets most of it."""
    points = np.random.default_rng(0).integers(0, 2**31, 3000).tolist()
    name = "exp_on_negatives_5" if constant in ("EXP_MINUS_EIGHTH", "ONE_THIRD") else "reciprocal_of_one_plus"
    call = UNARY[name][1]
    arguments = [-a if name.startswith("exp") else a for a in points]
    exact = [call(spec, a) for a in arguments]
    assert call(kernels, np.array(arguments)).tolist() == exact
    monkeypatch.setattr(kernels, constant, getattr(kernels, constant) + 2**9)
    assert call(kernels, np.array(arguments)).tolist() != exact


@pytest.mark.parametrize("k", range(7))
def test_fixed_point_law_kills_a_wrong_power(monkeypatch: pytest.MonkeyPatch, k: Any) -> None:
    """A wrong e^-(2^k) shows where its bit is set."""
    powers = list(kernels.POWERS)
    powers[k] += 1
    arguments = [-(2**31) + 2**20 * j for j in range(2048)]
    exact = [spec.exp_on_negatives(a, 5) for a in arguments]
    assert kernels.exp_on_negatives(np.array(arguments), 5).tolist() == exact
    monkeypatch.setattr(kernels, "POWERS", tuple(powers))
    assert kernels.exp_on_negatives(np.array(arguments), 5).tolist() != exact


def test_exp_law_kills_truncating_shifts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two shifts of the Taylor sum round. Which way a half goes cannot show: x^4 and x^2 + x^3 / 3 are positive."""
    arguments = (-np.random.default_rng(1).integers(1, 2**31, 4000)).tolist()
    exact = [spec.exp_on_negatives(a, 5) for a in arguments]
    assert kernels.exp_on_negatives(np.array(arguments), 5).tolist() == exact
    monkeypatch.setattr(kernels, "shift_right_half_away", np.right_shift)
    assert kernels.exp_on_negatives(np.array(arguments), 5).tolist() != exact
