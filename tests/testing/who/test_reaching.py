"""Rows that reach a wanted sum: exact where they say so, and nearly always found."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.testing.who.reaching import reachable_interval, rows_reaching
from tests.testing.layers_of_digits import digits_layer


def misses(solve: Any, d: Any, low: Any, high: Any, wanted: Any) -> Any:
    """How many rows that are said to reach their sum do not, or leave the interval."""
    u, reached = solve(d, low, high, wanted, np.random.default_rng(0))
    inside = ((u >= low) & (u <= high)).all(axis=1)
    return int(np.count_nonzero(reached & ~((u @ d == wanted) & inside)))


@given(
    st.lists(st.integers(-255, 255), min_size=1, max_size=40),
    st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=8),
    st.integers(-255, 0),
    st.integers(0, 255),
)
def test_rows_reaching_says_only_what_holds(d: Any, wanted: Any, low: Any, high: Any) -> None:
    """For any weights, zeros included, any interval and any sum."""
    assert misses(rows_reaching, np.array(d), low, high, np.array(wanted)) == 0


def test_rows_reaching_kills_one_that_rounds() -> None:
    """The law sees a solver that calls a near miss a hit, and one that leaves the interval."""
    d, wanted = np.array([6, 10]), np.array([7, 16])
    near = lambda d, low, high, wanted, rng: (np.tile([1, 0], (len(wanted), 1)), np.ones(len(wanted), bool))  # noqa: E731
    outside = lambda d, low, high, wanted, rng: (np.array([[1, 1], [1, 1]]), np.array([False, True]))  # noqa: E731
    assert misses(near, d, -9, 9, wanted) == 2 and misses(outside, d, -9, 0, wanted) == 1


@pytest.mark.parametrize("index", [1, 2])
def test_rows_reaching_finds_nearly_every_sum_of_a_layer(index: Any) -> None:
    """Of 500 sums within the middle half of what an output reaches, at least 495 are met."""
    layer = digits_layer(index)
    d = layer.w_q.astype(np.int64)[:, 0]
    low, high = reachable_interval(d[:, np.newaxis], 0, 255)
    quarter = int(high[0] - low[0]) // 4
    wanted = np.random.default_rng(1).integers(low[0] + quarter, high[0] - quarter, 500)
    _, reached = rows_reaching(d, 0, 255, wanted, np.random.default_rng(2))
    assert np.count_nonzero(reached) >= 495


@given(st.lists(st.lists(st.integers(-9, 9), min_size=2, max_size=2), min_size=1, max_size=3), st.integers(-2, 0))
def test_reachable_interval_is_that_of_all_rows(d: Any, low: Any) -> None:
    """Smallest and largest over every row of a short interval."""
    weights = np.array(d)
    grids = np.meshgrid(*[np.arange(low, 2)] * len(d), indexing="ij")
    sums = np.stack([grid.ravel() for grid in grids], axis=1) @ weights
    lows, highs = reachable_interval(weights, low, 1)
    assert np.array_equal(lows, sums.min(axis=0)) and np.array_equal(highs, sums.max(axis=0))
