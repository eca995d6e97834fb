"""Laws of the effort of a search: who is wide, and that larger steps keep a search's word."""

from dataclasses import replace

import pytest

from npquant.budget import effort as effort_module
from npquant.budget.effort import ORDINARY, WIDE, WIDE_MACS, effort_for
from npquant.budget.greedy_search import search_thresholds
from npquant.budget.requirements import Budget
from npquant.budget.search import search_budget
from npquant.compression.pruning.neurons.pruning import MOST_ROWS
from tests.budget.test_greedy_search import SPACE, all_measurements, is_sound, network
from tests.budget.test_search import Drawn, cases, measured


def test_effort_for_is_a_rule_of_the_work_alone() -> None:
    """From 500,000 multiply-accumulates on; MNIST's 784-300-100-10 and the bundled digits are ordinary."""
    assert [effort_for(macs).wide for macs in (6_464, 266_200, WIDE_MACS - 1, WIDE_MACS)] == [False] * 3 + [True]


def test_wide_levels_are_some_of_the_ordinary_ones() -> None:
    """A wide network is searched in larger steps, over the same intervals of width."""
    assert set(WIDE.widths) < set(ORDINARY.widths) and (WIDE.widths[0], WIDE.widths[-1]) == (8, "ternary")
    assert set(WIDE.rates) < set(ORDINARY.rates)
    assert WIDE.activation_bits == ORDINARY.activation_bits[:1]
    assert (WIDE.most_rows, ORDINARY.most_rows) == (MOST_ROWS, None)


def test_search_budget_of_a_wide_network_sees_rows_evenly_spaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more rows than the plan takes, every second calibrates; the result is that of these rows alone."""
    model, rows = cases()["clouds"]
    x = rows.x_calibration
    monkeypatch.setattr(effort_module, "WIDE_MACS", 1)
    monkeypatch.setattr(effort_module, "WIDE", replace(WIDE, most_rows=len(x) - 1))
    many, few = (
        search_budget(model, Drawn((part, rows.train[1]), rows.validation), Budget(2.0)) for part in (x, x[::2])
    )
    assert (many.model, many.frontier) == (few.model, few.frontier)


@pytest.mark.parametrize("fragile", [0, 1, 2])
@pytest.mark.parametrize("max_drop", [0.5, 1.0, 3.0])
def test_sparing_search_not_larger_than_any_even_setting(fragile: int, max_drop: float) -> None:
    """Without a study in advance no sound even setting is smaller either, and fewer candidates are tried."""
    budget, law = Budget(max_drop), network(fragile)
    found, whole = (search_thresholds(SPACE, budget, law, sparing=sparing) for sparing in (True, False))
    even = [
        one
        for made, one in all_measurements(law, SPACE)
        if len(set(made.bits)) == len(set(made.rates)) == 1 and is_sound(one, budget)
    ]
    assert even, "the case is vacuous"
    assert found.chosen.found.n_bytes <= min(one.n_bytes for one in even)
    assert len(found.frontier) < len(whole.frontier)


def test_sparing_search_studies_where_there_are_limits() -> None:
    """A limit needs to know what each axis does alone: there the search is the same."""
    budget = Budget(1.0, max_bytes=150)
    assert search_thresholds(SPACE, budget, network(), sparing=True) == search_thresholds(SPACE, budget, network())


@pytest.mark.parametrize("limit", [None, 0.5])
def test_search_budget_of_a_wide_network_keeps_its_word(limit: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the plan for wide networks what is said of the network is true, and the budget is met."""
    model, rows = cases()["digits"]
    free = search_budget(model, rows, Budget(5.0), bits=8, prune=0.0).found
    budget = Budget(3.0, max_bytes=None if limit is None else int(limit * free.n_bytes))
    ordinary = search_budget(model, rows, budget)
    monkeypatch.setattr(effort_module, "WIDE_MACS", 1)
    wide = search_budget(model, rows, budget)
    assert ordinary.met and wide.met
    assert measured(model, rows, wide.model) == wide.found
    assert set(wide.thresholds.bits) <= set(WIDE.widths) and set(wide.thresholds.rates) <= set(WIDE.rates)
    assert wide.thresholds.activation_bits == (8,)
    assert len(wide.frontier) < len(ordinary.frontier)
