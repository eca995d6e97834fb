"""What may be lost of a regression: limits, what is expected, the decision, and a search that keeps them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.budget.decision import decide
from npquant.budget.paired_rise import PairedRise, paired_rise
from npquant.budget.requirements import Budget
from npquant.budget.rise import RealMeasurement, RiseLimit, expected_share, read_rise, rise_holds
from npquant.budget.search import search_budget
from npquant.measure.real_targets import OutputPair, RealComparison, compare_real, evaluate_real
from npquant.nn.training import train


def pair(**changed: Any) -> OutputPair:
    """One output of 100 rows."""
    said = {"before": 1.0, "after": 1.02, "spread": 2.0, "difference": 0.2, "largest": 0.5, "standard_error": 0.01}
    return OutputPair(rows=100, **{**said, **changed})


def found(*pairs: OutputPair) -> RealMeasurement:
    """A candidate."""
    return RealMeasurement(RealComparison(100, pairs), 900, 64, 30.0)


@pytest.mark.parametrize(
    ("asked", "allowed"), [(0.3, 0.3), ("0.3", 0.3), ("5%", 0.05), (" 20 % ", 0.2), (0, 0.0), (None, 0.05)]
)
def test_read_rise(asked: float | str | None, allowed: float) -> None:
    """A number is in the unit of the target, a share is of RMSE; without one 5 %, or 1 % of a spread that is larger."""
    assert read_rise(asked).allowed(pair()) == allowed


def test_read_rise_without_one_minds_the_spread() -> None:
    """A float network that leaves little may lose a hundredth of the spread."""
    assert read_rise(None).allowed(pair(before=0.01)) == 0.02


@pytest.mark.parametrize("bad", [-1, "-5%", "five", "", "%", float("nan"), float("inf"), "1e999"])
def test_read_rise_refuses_values(bad: float | str) -> None:
    """What is no rise is named, with the fix."""
    with pytest.raises(ValueError, match=r"max_rmse_rise is .*as in 5%"):
        Budget(max_rmse_rise=bad)


@pytest.mark.parametrize("bad", [True, [1], 1j])
def test_read_rise_refuses_types(bad: Any) -> None:
    """Neither a number nor text."""
    with pytest.raises(TypeError, match="max_rmse_rise"):
        Budget(max_rmse_rise=bad)


def test_budget_of_kind() -> None:
    """A budget is of one kind, and names the option of the other."""
    assert (Budget().of_kind("real").max_drop, Budget().of_kind("classes").max_drop) == (None, 1.0)
    with pytest.raises(ValueError, match="--max-rmse-rise"):
        Budget(1.0).of_kind("real")
    with pytest.raises(ValueError, match="--max-drop"):
        Budget(max_rmse_rise="5%").of_kind("classes")
    with pytest.raises(ValueError, match="drop one"):
        Budget(1.0, max_rmse_rise="5%")


def test_rise_holds_by_output() -> None:
    """Every output keeps the limit in its own unit: a share of its own RMSE."""
    small = pair(before=1e-6, after=1.2e-6, spread=2e-6)
    assert rise_holds(found(pair()).errors, RiseLimit(of_rmse=0.05))
    assert not rise_holds(found(pair(), small).errors, RiseLimit(of_rmse=0.05))
    assert rise_holds(found(pair(), small).errors, RiseLimit(absolute=0.05))
    assert Budget(max_rmse_rise="5%", max_bytes=800).failing(found(pair(), small)) == ("max_rmse_rise", "max_bytes")


@given(st.integers(0, 10**6), st.floats(0.01, 1.0))
def test_expected_share_expects_what_independent_errors_give(seed: int, size: float) -> None:
    """Errors that know nothing of the float network's raise RMSE to the root of the sum of both squares."""
    rng = np.random.default_rng(seed)
    y = np.zeros(4000)
    one = 0.5 * rng.normal(size=(4000, 1))
    pairs = compare_real(evaluate_real(one, y), evaluate_real(one + size * rng.normal(size=(4000, 1)), y))
    # The cross term has a standard deviation of 2 * 0.5 * size / sqrt(4000) in mean squares; six of them.
    slack = 6 * 2 * 0.5 * size / np.sqrt(4000) / (2 * 0.5)
    (only,) = pairs.outputs
    assert abs(expected_share(pairs, RiseLimit(absolute=1.0)) - only.rise) <= slack


def test_expected_share_of_nothing_allowed() -> None:
    """Where nothing may be lost, half a row more may be expected; a perfect network may lose nothing at all."""
    limit = RiseLimit(absolute=0.0)
    assert expected_share(found(pair(difference=0.0)).errors, limit) == 0
    assert expected_share(found(pair(before=0.0, difference=0.1)).errors, limit) == np.inf
    assert Budget(max_rmse_rise=0).sound(found(pair(after=0.99, difference=0.01)))
    assert not Budget(max_rmse_rise=0).sound(found(pair(after=0.99, difference=0.1))), "a rise that luck hides"


def test_decide_validation_rows_must_keep_the_limit() -> None:
    """The rows that chose must hold it; test rows refute only by evidence."""
    budget = Budget(max_rmse_rise=0.05)
    assert decide(budget, found(pair(after=1.06))).failing == ("max_rmse_rise",)
    unsure, sure = (RealComparison(100, (pair(after=1.06, standard_error=error),)) for error in (0.01, 0.001))
    assert decide(budget, found(pair()), unsure).met
    decision = decide(budget, found(pair()), sure)
    assert decision.failing == ("test_rise",) and "larger rise" in decision.missed
    assert isinstance(decision.test, PairedRise) and "and the paired test shows a larger rise" in decision.test.reason


def test_paired_rise_asks_each_of_several_outputs_for_more() -> None:
    """Two outputs are two chances: what one alone shows at 3 % is not shown among ten."""
    beyond = pair(after=1.07, standard_error=0.01)  # two standard errors above 0.05
    limit = RiseLimit(absolute=0.05)
    assert paired_rise(RealComparison(100, (beyond,)), limit).larger_rise_shown
    ten = paired_rise(RealComparison(100, (beyond, *[pair()] * 9)), limit)
    assert not ten.larger_rise_shown and not ten.within
    assert ten.reason.startswith("output 0 of 10")


def test_paired_rise_says_where_the_limit_lies() -> None:
    """Below, inside and above the interval, in words."""
    lies = [paired_rise(RealComparison(100, (pair(),)), RiseLimit(absolute=limit)) for limit in (0.0, 0.02, 1.0)]
    assert [one.outputs[0].limit_lies for one in lies] == ["below", "inside", "above"]
    assert "all of it beyond" in lies[0].reason or "near its end" in lies[0].reason
    assert "cannot tell" in lies[1].reason and "all of it within" in lies[2].reason


def test_search_budget_of_real_targets() -> None:
    """A search keeps the limit on the rows that choose, orders by what differs, and says what it could not keep."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 4))
    y = np.tanh(x @ rng.normal(size=(4, 2))) + 0.2 * rng.normal(size=(500, 2))
    model = train(x[:300], y[:300], (12,), epochs=40, loss="squared_error", rng=0)
    result = search_budget(model, (x[300:], y[300:]), Budget(max_rmse_rise="8%"))
    assert result.met and isinstance(result.found, RealMeasurement)
    assert rise_holds(result.found.errors, RiseLimit(of_rmse=0.08))
    assert result.outcome.chosen.sound and len({trial.found.divergence for trial in result.frontier}) > 5
    assert "deviation" in result.verdict and "KL" not in result.verdict
    missed = search_budget(model, (x[300:], y[300:]), Budget(max_rmse_rise="8%", max_bytes=300))
    assert missed.failing and missed.nearest is not None
