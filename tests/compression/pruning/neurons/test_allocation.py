"""Laws of the allocation (S8, S11): the counts that a rate means, and a budget spent where it costs least."""

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.compression.pruning.neurons.allocation import MAX_RATE, checked_rates, share_of_layer, spend_on_cheapest


@given(n=st.integers(1, 5000), thousandths=st.integers(0, 900))
def test_share_of_layer_is_the_nearest_count_below_the_last_neuron(n: int, thousandths: int) -> None:
    """S8: floor(r n + 1/2), one neuron stays; exact where r n is no tie, within one at a tie that r cannot write."""
    exact = Fraction(thousandths, 1000) * n + Fraction(1, 2)
    expected = {min(int(exact), n - 1)}
    if exact.denominator == 1:  # r n is a half: 0.1 in binary is a little more or less than 1/10
        expected.add(min(int(exact) - 1, n - 1))
    assert share_of_layer(n, thousandths / 1000) in expected


def test_share_of_layer_rounds_a_half_up() -> None:
    """Rates that binary can write: 0.5 of 1, 3, 5 and 0.25 of 2, 6."""
    assert [share_of_layer(n, 0.5) for n in (1, 3, 5)] == [0, 2, 3]
    assert [share_of_layer(n, 0.25) for n in (2, 6)] == [1, 2]


def spends_least(spend: Callable[..., Any], costs: list[list[float]], budget: int) -> bool:
    """Say whether no other split of the budget costs less, by trying all."""
    counts = spend([np.sort(c) for c in costs], budget)
    total = min(budget, sum(map(len, costs)))
    price = sum(float(np.sort(c)[:k].sum()) for c, k in zip(costs, counts, strict=True))
    least = min(
        sum(float(np.sort(c)[:k].sum()) for c, k in zip(costs, split, strict=True))
        for split in product(*[range(len(c) + 1) for c in costs])
        if sum(split) == total
    )
    # Two sums of the same few whole numbers.
    return sum(counts) == total and price == least


LISTS = st.lists(st.lists(st.integers(0, 50).map(float), max_size=4), min_size=1, max_size=3)


@given(costs=LISTS, budget=st.integers(0, 14))
def test_spend_on_cheapest_spends_least(costs: list[list[float]], budget: int) -> None:
    """S11: where a layer's costs grow, taking the cheapest next one is the best split."""
    assert spends_least(spend_on_cheapest, costs, budget)


def test_least_law_kills_equal_shares() -> None:
    """Taking from each layer in turn costs more."""

    def in_turn(costs: Any, budget: int) -> tuple[int, ...]:
        counts = [0] * len(costs)
        while sum(counts) < min(budget, sum(map(len, costs))):
            for i, c in enumerate(costs):
                if counts[i] < len(c) and sum(counts) < budget:
                    counts[i] += 1
        return tuple(counts)

    assert not spends_least(in_turn, [[1.0, 2.0], [9.0, 9.0]], 2)


def test_spend_on_cheapest_breaks_ties_to_the_earlier_layer() -> None:
    """Equal costs: the first layer pays."""
    assert spend_on_cheapest([np.ones(3), np.ones(3)], 2) == (2, 0)


def test_checked_rates_gives_one_a_layer() -> None:
    """One number serves all layers; a sequence is taken as it is."""
    assert checked_rates(0.5, 2, "global") == (0.5, 0.5)
    assert checked_rates([0.0, MAX_RATE], 2, "uniform") == (0.0, 0.9)


@pytest.mark.parametrize(
    ("rate", "hidden", "allocation", "message"),
    [
        (0.5, 0, "uniform", "no hidden layer"),
        (0.5, 1, "fair", "allocation is 'fair'; known are uniform, global"),
        ([0.5, 0.5], 2, "global", "a global budget is one number"),
        (0.95, 1, "global", r"must be in \[0, 0.9\]"),
        (float("nan"), 1, "uniform", r"must be in \[0, 0.9\]"),
        ([0.5], 2, "uniform", "give one number, or one a layer"),
    ],
)
def test_checked_rates_names_what_is_wrong(rate: Any, hidden: int, allocation: str, message: str) -> None:
    """Every rate that cannot be used is refused with its reason."""
    with pytest.raises(ValueError, match=message):
        checked_rates(rate, hidden, allocation)
