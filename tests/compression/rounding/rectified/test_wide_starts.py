"""Laws of where wide layers start: the cheapest codes of the ladder climbed, and of two those with less Phi."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.chain.weight_codes import RoundingGrid
from npquant.compression.error_feedback import damped_hessian, hessian_factor, round_at_cost
from npquant.compression.rounding.rectified.layer_objective import make_objective
from npquant.compression.rounding.rectified.wide_starts import Start, better_start, cheapest_starts

Float64 = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
Starts = Callable[[Float64, Float64, Float64, int, Float64, Float64], list[Start]]
LOW, HIGH = np.array([-2.0, -1.0]), np.array([1.0, 2.0])
# Costs are those of another shape of products: equal but for rounding errors of sums of K terms.
NEAR = 1e-9


def drawn(seed: int) -> tuple[Float64, Float64, Float64, int]:
    """Draw (v, factor, s, first): up to 40 inputs, some neurons of zeros, both sides of 2 bits, up to five scales."""
    rng = np.random.default_rng(seed)
    k, n, scales = int(rng.integers(1, 40)), int(rng.integers(1, 9)), int(rng.integers(1, 6))
    x = rng.normal(0, 1, (60, 3)) @ rng.normal(0, 1, (3, k)) + 0.5 * rng.normal(0, 1, (60, k))
    v = rng.normal(0.2, 1, (k, n)) * (rng.random(n) < 0.9)
    s = np.sort(rng.uniform(0.3, 2, (2, scales, n)), axis=1)
    return v, hessian_factor(damped_hessian(x, 0.1)), s, int(rng.integers(scales))


def every_cost(v: Float64, factor: Float64, s: Float64) -> Float64:
    """Return the cost of each start, (G, S, N)."""
    neurons = v.shape[1]
    grids = [
        [RoundingGrid(t, np.full(neurons, lo), np.full(neurons, hi)) for t in side]
        for lo, hi, side in zip(LOW, HIGH, s, strict=True)
    ]
    return np.array([[round_at_cost(v, factor, grid)[1] for grid in side] for side in grids])


def law_no_cheaper_neighbour(starts: Starts, seed: int) -> None:
    """E39: codes, costs and numbers belong together; none of both first scales, or beside the cheapest, costs less."""
    v, factor, s, first = drawn(seed)
    found, costs = starts(v, factor, s, first, LOW, HIGH), every_cost(v, factor, s)
    neurons, size = np.arange(v.shape[1]), np.square(factor.T @ v).sum(axis=0) + np.square(np.abs(factor).sum())
    assert len(found) == 2
    for start in found:
        side = start.number // s.shape[1]
        grid = RoundingGrid(start.scales(s), LOW[side], HIGH[side])
        np.testing.assert_array_equal(start.q, round_at_cost(v, factor, grid)[0])
        of_number = costs.reshape(-1, len(neurons))[start.number, neurons]
        assert (np.abs(start.cost - of_number) <= NEAR * size).all()
    assert (found[0].cost <= found[1].cost + NEAR * size).all() and (found[0].number != found[1].number).all()
    assert (found[0].cost <= costs[:, first].min(axis=0) + NEAR * size).all()
    side, scale = np.divmod(found[0].number, s.shape[1])
    for beside in (-1, 1):
        inside = (scale + beside >= 0) & (scale + beside < s.shape[1])
        neighbour = costs[side, np.where(inside, scale + beside, scale), neurons]
        assert (found[0].cost <= neighbour + NEAR * size).all()


@given(seed=SEEDS)
@settings(max_examples=100)
def test_cheapest_starts_no_cheaper_neighbour(seed: int) -> None:
    """On both sides, at any number of scales, from any first one."""
    law_no_cheaper_neighbour(cheapest_starts, seed)


def test_cheapest_starts_law_kills() -> None:
    """One side alone, no climb, one to smaller scales alone, and the dearest of them first are caught."""

    def one_side(v: Float64, factor: Float64, s: Float64, first: int, low: Float64, high: Float64) -> list[Start]:
        return cheapest_starts(v, factor, s[:1], first, low, high)

    def no_climb(v: Float64, factor: Float64, s: Float64, first: int, low: Float64, high: Float64) -> list[Start]:
        found = cheapest_starts(v, factor, s[:, first : first + 1], 0, low, high)
        return [Start(each.q, each.cost, each.number * s.shape[1] + first) for each in found]

    def downwards(v: Float64, factor: Float64, s: Float64, first: int, low: Float64, high: Float64) -> list[Start]:
        found = cheapest_starts(v, factor, s[:, : first + 1], first, low, high)
        return [
            Start(each.q, each.cost, each.number // (first + 1) * s.shape[1] + each.number % (first + 1))
            for each in found
        ]

    def dearest_first(v: Float64, factor: Float64, s: Float64, first: int, low: Float64, high: Float64) -> list[Start]:
        return cheapest_starts(v, factor, s, first, low, high)[::-1]

    for wrong in (one_side, no_climb, downwards, dearest_first):
        with pytest.raises(AssertionError):
            for seed in range(20):
                law_no_cheaper_neighbour(wrong, seed)


def test_cheapest_starts_of_one_start_is_that() -> None:
    """One side and one scale: feedback once, nothing to compare."""
    v, factor, s, _ = drawn(1)
    (found,) = cheapest_starts(v, factor, s[:1, :1], 0, LOW[:1], HIGH[:1])
    assert (found.number == 0).all()


Better = Callable[..., tuple[Start, object]]


def law_less_phi(better: Better, seed: int) -> None:
    """E39: of two starts the one with less Phi at its best scale, whatever they cost; of equal ones the first."""
    rng = np.random.default_rng(seed)
    v, factor, s, first = drawn(seed)
    x = rng.normal(0, 1, (30, len(v)))
    problem = make_objective(x, x @ v, v, rng.uniform(0.01, 1, (30, v.shape[1])))
    starts = cheapest_starts(v, factor, s, first, LOW, HIGH)
    taken, rest = better(problem, starts, s)
    fitted = [better_start(problem, [start], s)[1].phi for start in starts]
    size = problem.phi_at_zero()
    assert (np.abs(rest.phi - np.minimum(*fitted)) <= NEAR * size).all()  # type: ignore[attr-defined]
    assert (np.abs(rest.phi - problem.phi(rest.s * taken.q)) <= NEAR * size).all()  # type: ignore[attr-defined]
    equal = fitted[0] == fitted[1]
    assert (taken.number[equal] == starts[0].number[equal]).all()


@given(seed=SEEDS)
@settings(max_examples=50)
def test_better_start_less_phi(seed: int) -> None:
    """By the rows."""
    law_less_phi(better_start, seed)


def test_better_start_law_kills() -> None:
    """The cheaper one, whatever the rows say, is caught."""
    with pytest.raises(AssertionError):
        for seed in range(20):
            law_less_phi(lambda problem, starts, s: better_start(problem, starts[:1], s), seed)
