"""Laws of pairs of codes: nothing that two codes can do is left, Phi never rises, and neurons never meet."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.rounding.rectified.layer_objective import LayerObjective, make_objective
from npquant.compression.rounding.rectified.pair_flips import flip_pairs
from npquant.compression.rounding.rectified.quadratic_form import QuadraticForm, make_form
from tests.compression.rounding.rectified.failing import fails

Float64 = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
Flip = Callable[[QuadraticForm, Float64, Float64, Float64, Float64, int], tuple[Float64, Float64]]
# As in test_rounding_search: sums of at most 40 rows and 8 inputs, far below 2^-36 of their magnitudes.
NEAR = 2.0**-36
MOST = 1000


def drawn(seed: int) -> tuple[LayerObjective, Float64, Float64, Float64, Float64]:
    """Draw a problem whose inputs move together, with a dead and a constant one at times; q, low, high, s."""
    rng = np.random.default_rng(seed)
    r, k, n = int(rng.integers(2, 40)), int(rng.integers(1, 9)), int(rng.integers(1, 5))
    x = rng.random((r, k)) + rng.choice([0.0, 2.0]) * rng.random((r, 1))
    x[:, rng.random(k) < 0.1] = 0.0
    x[:, rng.random(k) < 0.1] = 0.7
    w = rng.normal(0, 1, (k, n))
    problem = make_objective(x, x @ w + 0.1 * rng.normal(0, 1, (r, n)), w, rng.uniform(0.01, 1, (r, n)))
    s = rng.uniform(0.2, 1.5, n)
    a = np.where(rng.random((k, n)) < 0.1, np.rint(w / s), w / s).clip(-4, 3)
    low, high = np.floor(a), np.ceil(a)
    return problem, np.where(rng.random((k, n)) < 0.5, low, high), low, high, s


def least(problem: LayerObjective, q: Float64, n: int) -> float:
    """Return the least Phi of the codes q (K,) of neuron n at any scale >= 0, by the rows."""
    one = problem.select(np.arange(problem.w.shape[1]) == n)
    at = [float(one.phi(t * q[:, np.newaxis])[0]) for t in (0.0, 1.0, 2.0)]
    # A parabola in the scale, through three points.
    curvature, slope = (at[2] - 2 * at[1] + at[0]) / 2, 2 * at[1] - 1.5 * at[0] - at[2] / 2
    return at[0] - slope**2 / (4 * curvature) if slope < 0 < curvature else at[0]


def law_no_pair_is_left(flip: Flip, seed: int) -> None:
    """E36, in loops and by the rows: turning one code or any two lowers Phi at no scale; the scale is the best one."""
    problem, q, low, high, s = drawn(seed)
    found, scales = flip(make_form(problem), q, low, high, s, MOST)
    size = problem.phi(np.zeros_like(problem.w))
    assert ((found == low) | (found == high)).all()
    for n, phi in enumerate(problem.phi(scales * found)):
        here = least(problem, found[:, n], n)
        # Codes that no positive scale makes better than 0 keep theirs.
        assert phi <= here + NEAR * size[n] or here >= size[n] * (1 - NEAR)
        for i, j in combinations_with_replacement(range(len(q)), 2):
            turned, pair = found[:, n].copy(), [i, j]
            turned[pair] = (low + high - found)[pair, n]
            assert least(problem, turned, n) >= here - NEAR * size[n]


@given(seed=SEEDS)
def test_flip_pairs_leaves_no_pair(seed: int) -> None:
    """Wherever it starts."""
    law_no_pair_is_left(flip_pairs, seed)


def test_no_pair_law_kills() -> None:
    """Single codes alone, inputs that do not see each other, too few pairs and a scale that stays are caught."""

    def alone(
        form: QuadraticForm, q: Float64, low: Float64, high: Float64, s: Float64, most: int
    ) -> tuple[Float64, Float64]:
        return flip_pairs(replace(form, gram=form.gram * np.eye(len(q))), q, low, high, s, most)

    def once(
        form: QuadraticForm, q: Float64, low: Float64, high: Float64, s: Float64, most: int
    ) -> tuple[Float64, Float64]:
        return flip_pairs(form, q, low, high, s, 1)

    def same_scale(
        form: QuadraticForm, q: Float64, low: Float64, high: Float64, s: Float64, most: int
    ) -> tuple[Float64, Float64]:
        return flip_pairs(form, q, low, high, s, most)[0], s

    for wrong in (alone, once, same_scale, one_by_one):
        assert any(fails(law_no_pair_is_left, wrong, seed) for seed in range(40))


def one_by_one(
    form: QuadraticForm, q: Float64, low: Float64, high: Float64, s: Float64, most: int
) -> tuple[Float64, Float64]:
    """Turn the best single code while one lowers Phi, in place of pairs."""
    codes, scales = flip_pairs(form, q, low, high, s, 0)
    for k in list(range(len(q))) * 3:
        single = [np.where(np.arange(len(q))[:, np.newaxis] == k, end, codes) for end in (low, high)]
        tried = [flip_pairs(form, one, low, high, s, 0) for one in single]
        for turned, scale in tried:
            better = form.phi((scale * turned)[:, np.newaxis])[0] < form.phi((scales * codes)[:, np.newaxis])[0]
            codes, scales = np.where(better, turned, codes), np.where(better, scale, scales)
    return codes, scales


def law_phi_never_rises(flip: Flip, seed: int) -> None:
    """Phi is at most that of the codes given, at their scale, after any number of pairs; more pairs have less."""
    problem, q, low, high, s = drawn(seed)
    form, size = make_form(problem), problem.phi(np.zeros_like(problem.w))
    before = problem.phi(s * q)
    for most in (0, 1, 2, MOST):
        found, scales = flip(form, q, low, high, s, most)
        after = problem.phi(scales * found)
        assert (after <= before + NEAR * size).all()
        assert ((found != q).sum(axis=0) <= 2 * most).all()
        assert (scales > 0).all()
        assert ((scales == scales.astype(np.float32)) | (scales == s)).all()
        before = after


@given(seed=SEEDS)
def test_flip_pairs_phi_never_rises(seed: int) -> None:
    """From any codes, at any scale."""
    law_phi_never_rises(flip_pairs, seed)


def test_phi_never_rises_law_kills() -> None:
    """All codes turned at once, and a scale of half the best, are caught."""

    def all_at_once(
        form: QuadraticForm, q: Float64, low: Float64, high: Float64, s: Float64, most: int
    ) -> tuple[Float64, Float64]:
        return flip_pairs(form, low + high - q if most else q, low, high, s, 0)

    def half(
        form: QuadraticForm, q: Float64, low: Float64, high: Float64, s: Float64, most: int
    ) -> tuple[Float64, Float64]:
        found, scales = flip_pairs(form, q, low, high, s, most)
        return found, scales / 2

    for wrong in (all_at_once, half):
        assert any(fails(law_phi_never_rises, wrong, seed) for seed in range(20))


@given(seed=SEEDS)
def test_flip_pairs_neurons_never_meet(seed: int) -> None:
    """A neuron on its own has the codes and the scale that it has among others."""
    problem, q, low, high, s = drawn(seed)
    whole = make_form(problem)
    codes, scales = flip_pairs(whole, q, low, high, s, MOST)
    for one in np.eye(len(s), dtype=bool):
        # Part of the form of all: a sum over rows of one column may differ from it in the last bit.
        of_inputs = whole.w[:, one], whole.gradient[:, one]
        form = QuadraticForm(*of_inputs, whole.error[one], whole.gram[one], whole.by_input[:, :, one])
        alone = flip_pairs(form, q[:, one], low[:, one], high[:, one], s[one], MOST)
        np.testing.assert_array_equal(alone[0], codes[:, one])
        np.testing.assert_array_equal(alone[1], scales[one])


def test_flip_pairs_of_codes_that_are_zero() -> None:
    """Where all codes and weights are 0 nothing moves; no division warns."""
    problem = make_objective([[0.0], [1.0]], [[0.0], [0.0]], [[0.0]], np.ones((2, 1)))
    zero = np.zeros((1, 1))
    q, s = flip_pairs(make_form(problem), zero, zero, zero + 1, np.array([0.5]), MOST)
    assert q[0, 0] == 0 and s[0] == 0.5
