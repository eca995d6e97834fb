"""Laws of error feedback: least squares anew at every input gives the same codes, and so does the factor in blocks."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.chain.weight_codes import RoundingGrid
from npquant.compression.error_feedback import (
    BLOCK,
    SLICE,
    damped_hessian,
    hessian_factor,
    round_at_cost,
    round_with_feedback,
    round_with_feedback_plain,
)
from npquant.compression.rounding.rounding_grid import choose_rounding_grid

Float64 = NDArray[np.float64]
Feedback = Callable[[Float64, Float64, RoundingGrid], Float64]
SEEDS = st.integers(0, 2**32 - 1)
EPS = float(np.finfo(np.float64).eps)


def blocked(w: Float64, hessian: Float64, grid: RoundingGrid) -> Float64:
    return round_with_feedback(w, hessian_factor(hessian), grid)


BOTH = [round_with_feedback_plain, blocked]


class Drawn:
    """A Hessian of correlated inputs, some dead, up to three blocks of them; weights; a grid of some width and side."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        r, k, n = int(rng.integers(2, 90)), int(rng.integers(1, 70)), int(rng.integers(1, 9))
        x = rng.normal(0, 1, (r, 3)) @ rng.normal(0, 1, (3, k)) + 0.5 * rng.normal(0, 1, (r, k))
        x[:, rng.random(k) < 0.1] = 7.0
        self.rng = rng
        self.hessian = damped_hessian(x, float(rng.choice([0.1, 0.3])))
        self.w = rng.normal(0, 1, (k, n))
        bits = rng.choice(["2", "3", "4", "8", "ternary"])
        width = "ternary" if bits == "ternary" else int(bits)
        self.grid = choose_rounding_grid(self.w, width, upper=bool(rng.integers(2)))

    def where_errors_move_it(self, q: Float64) -> Float64:
        """Return each weight where it is of least cost beside the codes before it, (v - w)^T H (v - w), in steps."""
        t = self.w.copy()
        missing = self.w - self.grid.s * q
        for k in range(1, len(t)):
            pushed = self.hessian[k:, :k] @ missing[:k]
            t[k] += np.linalg.solve(self.hessian[k:, k:], pushed)[0]
        return np.asarray(t / self.grid.s)

    def tie_band(self, q: Float64) -> Float64:
        """Return how far from a tie, in steps, rounding errors may decide: shape (N,).

        With m = w - s q, t_k = w_k + (H_RR^-1 H_RF m_F)_k, and |H_RR^-1 H_RF| <= sqrt(cond H) =: c. A factor of H is
        that of a matrix K (K + 1) u |H| away, one of an inverse by elimination (no growth beyond 2 where H is positive
        definite) 7 K^2.5 u |H| away, both moving t by (1 + c) c^2 |m| times that. A sum of K terms, and errors carried
        through up to K others: (K + 3)^3 u (1 + c^2)^1.5 (|w| + |s q|). What is compared is off by as much: 20 for 2 (1
        + 7), first orders doubled.
        """
        k, condition = len(q), float(np.linalg.cond(self.hessian))
        size = np.linalg.norm(self.w, axis=0) + np.linalg.norm(self.grid.s * q, axis=0)
        return np.asarray(20 * (EPS / 2) * (k + 3) ** 3 * (1 + condition) ** 1.5 * size / self.grid.s)


def law_every_code_is_nearest(feedback: Feedback, p: Drawn) -> None:
    """E16: every code is the one nearest to where the errors of those before have moved its weight."""
    q = feedback(p.w, p.hessian, p.grid)
    t, band = p.where_errors_move_it(q), p.tie_band(q)
    assert (q == np.rint(q)).all() and (q >= p.grid.lo).all() and (q <= p.grid.hi).all()
    assert (q + 0.5 + band >= np.minimum(t, p.grid.hi)).all()
    assert (q - 0.5 - band <= np.maximum(t, p.grid.lo)).all()


def away_from_ties(p: Drawn, q: Float64) -> NDArray[np.bool_]:
    """Say which neurons no rounding error can decide: every t of theirs further than the band from a half."""
    t = np.clip(p.where_errors_move_it(q), p.grid.lo - 0.25, p.grid.hi + 0.25)
    return np.asarray((np.abs(t - np.floor(t) - 0.5) > p.tie_band(q)).all(axis=0))


def law_codes_are_those_of_the_definition(feedback: Feedback, p: Drawn) -> int:
    """A neuron that meets no tie has the codes of the plain one; returns how many meet none."""
    wanted = round_with_feedback_plain(p.w, p.hessian, p.grid)
    sure = away_from_ties(p, wanted)
    np.testing.assert_array_equal(feedback(p.w, p.hessian, p.grid)[:, sure], wanted[:, sure])
    return int(sure.sum())


def law_neurons_never_meet(feedback: Feedback, p: Drawn) -> None:
    """A selection of neurons in another order has its own codes."""
    order = p.rng.permutation(p.w.shape[1])[: int(p.rng.integers(1, p.w.shape[1] + 1))]
    grid = RoundingGrid(p.grid.s[order], p.grid.lo[order], p.grid.hi[order])
    one, two = feedback(p.w, p.hessian, p.grid)[:, order], feedback(p.w[:, order], p.hessian, grid)
    sure = away_from_ties(p, feedback(p.w, p.hessian, p.grid))[order]
    np.testing.assert_array_equal(two[:, sure], one[:, sure])


LAWS: list[Callable[[Feedback, Drawn], object]] = [
    law_every_code_is_nearest,
    law_codes_are_those_of_the_definition,
    law_neurons_never_meet,
]


@pytest.mark.parametrize("feedback", BOTH)
@pytest.mark.parametrize("law", LAWS)
@given(seed=SEEDS)
def test_round_with_feedback_laws_hold(law: Callable[[Feedback, Drawn], object], feedback: Feedback, seed: int) -> None:
    """Nearest, one definition for both routes, and each neuron alone."""
    law(feedback, Drawn(seed))


def test_round_with_feedback_laws_are_not_vacuous() -> None:
    """Nine neurons of ten meet no tie, so that their codes are compared."""
    drawn = [Drawn(seed) for seed in range(60)]
    sure = sum(law_codes_are_those_of_the_definition(blocked, p) for p in drawn)
    assert sure >= 0.9 * sum(p.w.shape[1] for p in drawn)


def none(w: Float64, hessian: Float64, grid: RoundingGrid) -> Float64:
    """No feedback."""
    return grid.nearest(w)


def half(w: Float64, hessian: Float64, grid: RoundingGrid) -> Float64:
    """Feedback of half the size."""
    return blocked(w, hessian + np.diag(np.diag(hessian)), grid)


def forgets_blocks(w: Float64, hessian: Float64, grid: RoundingGrid) -> Float64:
    """Errors end with their block."""
    at = np.arange(len(w)) // BLOCK
    return blocked(w, np.where(at[:, np.newaxis] == at, hessian, 0.0), grid)


def factors_from_the_first_input(w: Float64, hessian: Float64, grid: RoundingGrid) -> Float64:
    """L^T of L L^T = H is upper triangular too, and not V."""
    return round_with_feedback(w, np.linalg.cholesky(hessian).T, grid)


def leaks(w: Float64, hessian: Float64, grid: RoundingGrid) -> Float64:
    """The first neuron disturbs the others."""
    return blocked(w + 0.3 * w[:, :1], hessian, grid)


@pytest.mark.parametrize(
    ("law", "mutant"),
    [(law, mutant) for law in LAWS[:2] for mutant in (none, half, forgets_blocks, factors_from_the_first_input)]
    + [(law_neurons_never_meet, leaks)],
)
def test_round_with_feedback_laws_kill(law: Callable[[Feedback, Drawn], object], mutant: Feedback) -> None:
    """Lost, halved, cut and wrongly solved feedback, and neurons that see each other, are caught within 20 draws."""
    with pytest.raises(AssertionError):
        for seed in range(20):
            law(mutant, Drawn(seed))


Costed = Callable[[Float64, Float64, RoundingGrid], tuple[Float64, Float64]]


def costed(w: Float64, hessian: Float64, grid: RoundingGrid) -> tuple[Float64, Float64]:
    return round_at_cost(w, hessian_factor(hessian), grid)


def law_cost_is_the_quadratic_form(rounded: Costed, p: Drawn) -> None:
    """E38: the cost of the codes is (s q - w)^T H (s q - w), to rounding errors.

    Both are |V^T m|^2, m = s q - w, each entry of V^T m a sum of K + 2 terms below |V| |m|: off by (K + 3) u |V| |m|,
    doubled, as H is rounded too. e <= |V| |m| sqrt(K) in norm, so a square is off by twice the product of both.
    """
    q, cost = rounded(p.w, p.hessian, p.grid)
    missing = p.grid.s * q - p.w
    size = np.trace(p.hessian) * (np.square(p.w) + np.square(p.grid.s * q)).sum(axis=0)
    wanted = (missing * (p.hessian @ missing)).sum(axis=0)
    np.testing.assert_array_equal(q, blocked(p.w, p.hessian, p.grid))
    assert (np.abs(cost - wanted) <= 8 * (len(q) + 3) * EPS * size).all()


@given(seed=SEEDS)
def test_round_at_cost_law(seed: int) -> None:
    """What feedback leaves is what the Hessian says of the codes."""
    law_cost_is_the_quadratic_form(costed, Drawn(seed))


def test_round_at_cost_law_kills() -> None:
    """A cost in steps, one without the pivots, one of the first block alone, and that of other codes are caught."""

    def in_steps(w: Float64, hessian: Float64, grid: RoundingGrid) -> tuple[Float64, Float64]:
        q, cost = costed(w, hessian, grid)
        return q, cost / np.square(grid.s)

    def without_pivots(w: Float64, hessian: Float64, grid: RoundingGrid) -> tuple[Float64, Float64]:
        q, _ = costed(w, hessian, grid)
        factor = hessian_factor(hessian)
        return q, np.square((factor / np.diag(factor)).T @ (w - grid.s * q)).sum(axis=0)

    def first_block(w: Float64, hessian: Float64, grid: RoundingGrid) -> tuple[Float64, Float64]:
        q, _ = costed(w, hessian, grid)
        return q, np.square((hessian_factor(hessian).T @ (w - grid.s * q))[:BLOCK]).sum(axis=0)

    def of_nearest(w: Float64, hessian: Float64, grid: RoundingGrid) -> tuple[Float64, Float64]:
        missing = w - grid.s * grid.nearest(w)
        return blocked(w, hessian, grid), (missing * (hessian @ missing)).sum(axis=0)

    for wrong in (in_steps, without_pivots, first_block, of_nearest):
        with pytest.raises(AssertionError):
            for seed in range(20):
                law_cost_is_the_quadratic_form(wrong, Drawn(seed))


def test_round_with_feedback_rounds_more_neurons_than_a_slice() -> None:
    """Slices join without a seam: twice the neurons are twice the codes."""
    p = Drawn(1)
    times = SLICE // p.w.shape[1] + 2
    many = RoundingGrid(*(np.tile(part, times) for part in (p.grid.s, p.grid.lo, p.grid.hi)))
    found = blocked(np.tile(p.w, times), p.hessian, many)
    assert found.shape[1] > SLICE
    np.testing.assert_array_equal(found, np.tile(blocked(p.w, p.hessian, p.grid), times))


def law_factor_is_upper_and_right(factor: Callable[[Float64], Float64], p: Drawn) -> None:
    """V is upper triangular, its diagonal positive, and V V^T = H: Higham's bound, theorem 10.3, gamma of K + 1."""
    v = factor(p.hessian)
    assert (np.tril(v, -1) == 0).all() and (np.diag(v) > 0).all()
    off = np.abs(v @ v.T - p.hessian)
    # Twice: the product that checks it is rounded, too.
    assert (off <= 2 * (len(v) + 1) * EPS / 2 / (1 - len(v) * EPS) * (np.abs(v) @ np.abs(v).T)).all()


@given(seed=SEEDS)
def test_hessian_factor_is_upper_and_right(seed: int) -> None:
    """V V^T = H."""
    law_factor_is_upper_and_right(hessian_factor, Drawn(seed))


def test_hessian_factor_is_upper_and_right_kills() -> None:
    """The factor from the other end, on either side, is seen."""
    for wrong in (np.linalg.cholesky, lambda h: np.linalg.cholesky(h).T):
        with pytest.raises(AssertionError):
            for seed in range(20):
                law_factor_is_upper_and_right(wrong, Drawn(seed))


def test_round_with_feedback_refuses_nothing_less_than_positive_definite() -> None:
    """A Hessian without damping that has no inverse has no factor."""
    with pytest.raises(np.linalg.LinAlgError):
        hessian_factor(np.ones((2, 2)) - 1e-3 * np.eye(2))


def law_compensation_is_exact(feedback: Feedback, seed: int) -> None:
    """One weight is far off its grid; the other moves to the minimum of the quadratic form, to half a step of 2^-20.

    J(v) = (v - w)^T H (v - w) with v_0 = 1 fixed, tried on a fine grid of v_1 around the minimum of a parabola through
    three points.
    """
    rng = np.random.default_rng(seed)
    hessian = damped_hessian(rng.normal(size=(20, 2)) @ rng.normal(size=(2, 2)), 0.1)
    s = 2.0**-20
    grid = RoundingGrid(np.array([s]), np.array([-(2.0**24)]), np.array([2.0**20]))
    w = np.array([[1.5], [float(rng.uniform(-0.5, 0.5))]])
    v = s * feedback(w, hessian, grid)

    def cost(v1: float) -> float:
        off = np.array([1.0, v1]) - w[:, 0]
        return float(off @ hessian @ off)

    a, b, c = cost(-1.0), cost(0.0), cost(1.0)
    best = (a - c) / (2 * (a - 2 * b + c))
    assert v[0] == 1
    # Three values of a parabola, each with a rounding error of its size; cond(H) <= 21, so J'' is no less than J / 100.
    assert abs(v[1, 0] - min(best, 1.0)) <= s / 2 + 1000 * EPS * (a + c) / (a - 2 * b + c)


@pytest.mark.parametrize("feedback", BOTH)
@given(seed=SEEDS)
def test_round_with_feedback_compensates_exactly(feedback: Feedback, seed: int) -> None:
    """The closed form is the minimizer."""
    law_compensation_is_exact(feedback, seed)


@pytest.mark.parametrize("mutant", [none, half])
def test_round_with_feedback_compensates_exactly_kills(mutant: Feedback) -> None:
    """No feedback, and feedback of half the size, are seen."""
    with pytest.raises(AssertionError):
        law_compensation_is_exact(mutant, 0)


def test_damped_hessian_of_inputs_that_do_not_vary_is_the_identity() -> None:
    """One row, or constant rows, tell nothing: nearest rounding."""
    for x in (np.ones((1, 3)), np.full((4, 3), 7.0), np.zeros((2, 3))):
        np.testing.assert_array_equal(damped_hessian(x, 0.01), np.eye(3))
