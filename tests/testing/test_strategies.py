"""Laws of the strategies: every case has an answer, shrinking goes where a kernel's author wants, drawing is fast."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

import npquant
from npquant.profiles import get, names
from npquant.testing import strategies
from npquant.testing.adapters.callable import from_callable
from npquant.testing.ask import ask
from npquant.testing.backend import capabilities_of, why_not_asked
from npquant.testing.bugs.catalogue import bug_named
from npquant.testing.case import LAYOUTS, Case, expected
from npquant.testing.judge import judge
from npquant.testing.solve import centred_sums, exact_multipliers
from npquant.testing.strategies.recipes import GOALS

QUANTIZING = [name for name in names() if "quantize" in capabilities_of(get(name)).ops]
CASES = (strategies.linear_cases, strategies.mlp_cases, strategies.pruned_cases, strategies.call_sequences)
MANY = settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)


def test_all_names_every_strategy_of_the_specification() -> None:
    """The module exports what the oracle's page promises, and no more."""
    promised = (
        "zero_points scales multipliers requant_params quantized_arrays layouts linear_cases mlp_cases pruned_cases"
    )
    assert set(strategies.__all__) == {*promised.split(), "float_cases", "illegal_cases", "call_sequences"}


@pytest.mark.parametrize("profile", names())
@pytest.mark.parametrize("strategy", CASES, ids=lambda f: str(f.__name__))
def test_cases_have_an_answer(strategy: Callable[[str], st.SearchStrategy[Case]], profile: str) -> None:
    """Each case is one that the profile's engine takes: it has an answer, of the right type and shape."""
    can = capabilities_of(get(profile))

    @settings(MANY, max_examples=25)
    @given(strategy(profile))
    def law(case: Case) -> None:
        assert why_not_asked(case, can) == ""
        codes = expected(case)
        assert codes.shape == (len(case.x_q), case.model.layers[-1].w_q.shape[1])

    law()


@pytest.mark.parametrize("profile", QUANTIZING)
def test_float_cases_have_an_answer(profile: str) -> None:
    """Real values become codes under every profile that has a QUANTIZE; the others are refused by name."""

    @settings(MANY, max_examples=25)
    @given(strategies.float_cases(profile))
    def law(case: Case) -> None:
        with np.errstate(all="ignore"):
            assert expected(case).shape == case.x_q.shape

    law()
    with pytest.raises(ValueError, match="tosa_single has no QUANTIZE"):
        strategies.float_cases("tosa_single")


@MANY
@given(strategies.illegal_cases("ort"))
def test_illegal_cases_are_refused(case: Case) -> None:
    """npquant itself refuses every one of them."""
    with pytest.raises((ValueError, TypeError)):
        expected(case)


@pytest.mark.parametrize("goal", GOALS)
def test_unknown_goals_are_refused_and_known_ones_tagged(goal: str) -> None:
    """The goal is the case's class; one that there is not is named with those that there are."""
    assert find(strategies.linear_cases("ort", goal), lambda case: True).group == goal
    with pytest.raises(ValueError, match="no goal 'nowhere'; known: any, plain, tie, rail, wide"):
        strategies.linear_cases("ort", "nowhere")


def test_tie_goal_lands_on_ties() -> None:
    """Every third output of the first row has the accumulator nearest below a tie, or on it."""
    seen = [0, 0]

    @settings(MANY, max_examples=300)
    @given(strategies.linear_cases("ort", "tie"))
    def law(case: Case) -> None:
        layer = case.model.layers[0]
        assert layer.bias is not None
        acc = centred_sums(layer, case.x_q)[0] + layer.bias
        for value, factor in zip(acc[::3].tolist(), exact_multipliers(layer)[::3], strict=True):
            if factor <= Fraction(1, 2):
                # The nearest below a tie.
                missing = Fraction(1, 2) - (value * factor) % 1
                assert 0 <= missing < factor
                seen[missing == 0] += 1

    law()
    assert min(seen) > 3


def test_rail_goal_reaches_both_rails_and_beside() -> None:
    """Drawn outputs hold the lowest and the highest code, and the ones beside them."""
    seen: set[int] = set()

    @settings(MANY, max_examples=400)
    @given(strategies.linear_cases("tflite_ref", "rail"))
    def law(case: Case) -> None:
        if case.model.layers[0].y.dtype == np.int8:
            seen.update(expected(case)[0].tolist())

    law()
    assert {-128, -127, 126, 127} <= seen


def test_wide_goal_reaches_31_bits() -> None:
    """Drawn accumulators pass 2^30 on both sides."""
    seen = [0, 0]

    @settings(MANY, max_examples=100)
    @given(strategies.linear_cases("ort", "wide"))
    def law(case: Case) -> None:
        layer = case.model.layers[0]
        assert layer.bias is not None
        acc = centred_sums(layer, case.x_q)[0] + layer.bias
        seen[0], seen[1] = min(seen[0], int(acc.min())), max(seen[1], int(acc.max()))

    law()
    assert seen[0] < -(2**30) and seen[1] > 2**30


@pytest.mark.parametrize(
    "name",
    ["rounding.truncates_toward_zero", "biases.is_dropped", "saturation.wraps_in_place_of_saturating"],
)
def test_linear_cases_shrink_to_few_operands_all_zero(name: str) -> None:
    """Of a bug that the bias alone can show, what is left is a small shape with operands at their zero points."""
    backend = bug_named(name).make(get("ort"))
    case = find(
        strategies.linear_cases("ort"),
        lambda case: judge(backend, case)[0] is not None,
        settings=settings(max_examples=4_000, database=None, deadline=None),
    )
    assert case.elements <= 12
    layer = case.model.layers[0]
    assert np.all(case.x_q == layer.x.zero_point) and np.all(layer.w_q == layer.w.zero_point)


def test_linear_cases_find_what_needs_operands() -> None:
    """A bug that only certain operands show is found, and shrinks to few of them."""
    backend = bug_named("lanes.lowest_weight_is_one_higher").make(get("ort"))
    case = find(
        strategies.linear_cases("ort"),
        lambda case: judge(backend, case)[0] is not None,
        settings=settings(max_examples=4_000, database=None, deadline=None),
    )
    assert np.any(case.model.layers[0].w_q == -128) and case.elements <= 12


@MANY
@given(st.data())
def test_call_sequences_may_be_asked(data: st.DataObject) -> None:
    """A sequence has earlier inputs of the same depth, and of as many rows where they share memory."""
    case = data.draw(strategies.call_sequences("ort"))
    assert case.earlier and all(codes.shape[1] == case.x_q.shape[1] for codes in case.earlier)
    if case.same_buffer:
        assert case.earlier[-1].shape == case.x_q.shape

    def right(x_q: Any, w_q: Any, bias: Any, **named: Any) -> Any:
        return npquant.linear(x_q, w_q, bias, profile="ort", **named)

    assert np.array_equal(np.asarray(ask(from_callable(right, profile="ort"), case).value), expected(case))


def test_small_strategies_shrink_to_the_plainest() -> None:
    """Zero points to the middle, scales to 1, multipliers to 1/2, layouts to C order."""
    assert find(strategies.zero_points(), lambda zero: True) == 0
    assert find(strategies.zero_points("uint8"), lambda zero: zero > 130) == 131
    assert find(strategies.scales(), lambda scale: True) == 1
    assert find(strategies.scales(), lambda scale: scale > 5) == 8
    assert find(strategies.multipliers(), lambda fixed: True).real == 0.5
    assert find(strategies.layouts(), lambda layout: True) == LAYOUTS[0]
