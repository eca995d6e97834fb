"""Laws of a layer's least squares: solvers end where the damped objective is flat, dampings are their equations."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from npquant.arrays import Float64, Mask
from npquant.compression.least_squares import (
    IN_CACHE,
    LEAST_DAMPING,
    NEGLIGIBLE,
    PULL,
    add_multiple,
    conjugate_gradients,
    damp_by,
    damp_by_mean_variance,
    damp_by_own_variance,
    dot_of_columns,
    inverse_of,
    pull_by_rows,
    ratio_or_zero,
    solve_kept,
    solve_together,
    take_step,
)

SEEDS = st.integers(0, 2**32 - 1)
UNIT = 2.0**-53
K_MOST = 6
Damp = Callable[[Float64, float], Float64]
Solve = Callable[[Float64, Float64], Float64]


def drawn_layer(seed: int) -> tuple[Float64, Float64, Float64]:
    """Draw integer rows x, weights w and targets z whose covariance A and right side g float64 holds exactly.

    R is a power of two and all entries are small integers, so means, products and sums have few bits. R is 1, 2 or 8
    for 6 inputs at most, some of them constant or copies of another: A is rank-deficient as often as not.
    """
    rng = np.random.default_rng(seed)
    rows, inputs, neurons = (int(rng.choice(c)) for c in ((1, 2, 8), range(1, K_MOST + 1), (1, 3)))
    x = rng.integers(-8, 9, (rows, inputs)).astype(float)
    x[:, rng.random(inputs) < 0.2] = 3.0
    x[:, rng.random(inputs) < 0.2] = x[:, :1]
    w, z = rng.integers(-8, 9, (inputs, neurons)).astype(float), rng.integers(-64, 65, (rows, neurons)).astype(float)
    return x, w, z


def moments(x: Float64, w: Float64, z: Float64) -> tuple[Float64, Float64]:
    """Return A and g of the module's docstring, exact for what `drawn_layer` draws."""
    xc, zc = x - x.mean(axis=0), z - z.mean(axis=0)
    return xc.T @ xc / len(x), xc.T @ (zc - xc @ w) / len(x)


def exact(a: Float64) -> Any:
    """Return an array of Fraction."""
    return np.vectorize(Fraction, otypes=[object])(a)


def exact_damping(name: str, x: Float64, share: float) -> list[Fraction]:
    """Return D of a rule as the page states it, in Fraction: the mean or the own variance of the inputs."""
    variances = []
    for column in exact(x).T:
        mean = sum(column, Fraction(0)) / len(column)
        variances.append(sum(((v - mean) ** 2 for v in column), Fraction(0)) / len(column))
    mean_variance = sum(variances, Fraction(0)) / len(variances)
    if name == "mean":
        return [Fraction(share) * mean_variance or Fraction(1)] * len(variances)
    return [Fraction(share) * v if v else Fraction(1) for v in variances]


# --- the damped objective is flat where the solver ends


def objective_is_flat(damp: Damp, solve: Solve, name: str, seed: int, share: float, kept: Mask | None = None) -> bool:
    """Say whether half the gradient of the damped objective, in exact arithmetic, is 0 up to the rounding of a solver.

    Half the gradient by t of |zc - xc (w + t)|^2 / R + sum_k D_k |t_k|^2 is A t + D t - g. Gaussian elimination with
    partial pivoting solves (A + D + E) t = g with |E| <= n^2 gamma_3n rho |A + D| in the maximum norm (Higham,
    "Accuracy and Stability of Numerical Algorithms", theorem 9.5), gamma_m = m u / (1 - m u), u = 2^-53, growth
    rho <= 2^(n-1); a Cholesky factor has n gamma_(3n+1) (theorem 10.4) in the 2-norm, which 4 n^2 u covers. A and g
    are exact; the damped diagonal has at most n + 4 roundings, of trace, product, quotient and sum.
    """
    x, w, z = drawn_layer(seed)
    a, g = moments(x, w, z)
    n = len(a)
    matrix = damp(a, share)
    if kept is None:
        kept = np.ones(w.shape, bool)
    step = solve(matrix, g)
    gradient = exact(a) @ exact(step) - exact(g)
    gradient = gradient + np.array(exact_damping(name, x, share), object)[:, np.newaxis] * exact(step)
    gamma = 3 * n * UNIT / (1 - 3 * n * UNIT)
    relative = n**2 * gamma * 2 ** (n - 1) + 4 * n**2 * UNIT + (n + 4) * UNIT
    bound = relative * float(np.abs(matrix).sum(axis=1).max()) * np.abs(step).max(axis=0)
    off = np.abs(gradient.astype(float)) > bound
    return not off[kept].any() and not step[~kept].any()


@given(seed=SEEDS, share=st.sampled_from([1e-4, 1e-2, 1.0]))
def test_solve_together_ends_where_the_damped_objective_is_flat(seed: int, share: float) -> None:
    """S1, S6: with a share of the mean variance the gradient is 0, for fewer rows than inputs and copied inputs too."""
    assert objective_is_flat(damp_by_mean_variance, solve_together, "mean", seed, share)


@given(seed=SEEDS, share=st.sampled_from([1e-4, 1e-2, 1.0]), part=st.sampled_from([0.3, 0.7, 1.0]))
def test_solve_kept_ends_where_the_damped_objective_is_flat(seed: int, share: float, part: float) -> None:
    """U0, U5: with shares of each input's own variance the gradient is 0 on what is kept, and the step 0 elsewhere."""
    kept = np.random.default_rng(seed).random(drawn_layer(seed)[1].shape) < part

    def solve(matrix: Float64, gradient: Float64) -> Float64:
        return solve_kept(matrix, gradient, kept)

    assert objective_is_flat(damp_by_own_variance, solve, "own", seed, share, kept)


def undamped(matrix: Float64, share: float) -> Float64:
    """Damp nothing but what no row shows."""
    return damp_by(matrix, 1e-13 if np.diag(matrix).any() else 1.0)


def by_trace(matrix: Float64, share: float) -> Float64:
    """Take the sum of the variances for their mean."""
    return damp_by_mean_variance(matrix, share * len(matrix))


def solve_all_then_mask(kept: Mask) -> Solve:
    """Solve with all inputs and drop what is not kept."""
    return lambda matrix, gradient: np.asarray(np.where(kept, solve_together(matrix, gradient), 0.0))


def test_flat_law_kills_other_dampings_and_other_solutions() -> None:
    """S1, U0, U5: no damping, the trace for the mean, the mean for the own variance, a mask after the solution."""
    seeds = range(40)
    for name, damp in (("mean", undamped), ("mean", by_trace), ("mean", damp_by_own_variance)):
        assert not all(objective_is_flat(damp, solve_together, name, seed, 1e-2) for seed in seeds)
    assert not all(objective_is_flat(damp_by_mean_variance, solve_together, "own", seed, 1e-2) for seed in seeds)

    def masked(seed: int) -> bool:
        kept = np.random.default_rng(seed).random(drawn_layer(seed)[1].shape) < 0.7
        return objective_is_flat(damp_by_own_variance, solve_all_then_mask(kept), "own", seed, 1e-2, kept)

    assert not all(masked(seed) for seed in seeds)


@given(seed=SEEDS)
def test_solve_together_of_one_matrix_each_is_neuron_by_neuron(seed: int) -> None:
    """E22: neurons with a matrix each have the steps that each has alone."""
    rng = np.random.default_rng(seed)
    k, neurons = int(rng.integers(1, 7)), int(rng.integers(1, 4))
    root = rng.normal(size=(neurons, k, 2 * k))
    matrix, g = damp_by_mean_variance(root @ np.swapaxes(root, 1, 2), 1e-12), rng.normal(size=(k, neurons))
    together = solve_together(matrix, g)
    for n in range(neurons):
        assert np.array_equal(together[:, [n]], solve_together(matrix[n], g[:, [n]]))


def is_the_inverse(invert: Callable[[Float64], Float64], seed: int) -> bool:
    """Say whether A P is the unit matrix up to rounding, and P its own transpose, bit for bit."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 20))
    root = rng.normal(size=(k, 2 * k))
    a = damp_by_mean_variance(root @ root.T, 1e-2)
    p = invert(a.copy())
    # A factor, its inverse and their product: k (k + 1) u each, times |A| |P| = cond A; and the product that checks it.
    slack = 10 * k * (k + 1) * UNIT * np.linalg.cond(a)
    return bool(np.array_equal(p, p.T) and np.abs(a @ p - np.eye(k)).max() <= slack)


@given(seed=SEEDS)
def test_inverse_of_is_the_inverse(seed: int) -> None:
    """S4: A P = I, P symmetric."""
    assert is_the_inverse(inverse_of, seed)


def test_inverse_law_kills_half_an_inverse_and_that_of_a_factor() -> None:
    """One triangle alone, and the inverse of the Cholesky factor, are seen."""
    for wrong in (lambda a: np.tril(inverse_of(a)), lambda a: np.linalg.inv(np.linalg.cholesky(a))):
        assert not all(is_the_inverse(wrong, seed) for seed in range(5))


def test_inverse_of_takes_the_memory_and_refuses_what_has_no_factor() -> None:
    """P stands where A was; nothing has the empty inverse; a matrix that is not positive definite is named."""
    a = np.eye(3) + 1
    assert np.shares_memory(inverse_of(a), a)
    assert inverse_of(np.empty((0, 0))).shape == (0, 0)
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite; raise the damping"):
        inverse_of(np.ones((2, 2)) - 1e-3 * np.eye(2))


def test_solve_kept_refuses_what_has_no_factor() -> None:
    """A matrix that is not positive definite is named by its neuron."""
    kept = np.array([[True, True], [False, True]])
    with pytest.raises(np.linalg.LinAlgError, match="of neuron 1 is not positive definite; raise the damping"):
        solve_kept(np.ones((2, 2)) - 1e-3 * np.eye(2), np.ones((2, 2)), kept)


# --- dampings, each its equation


@given(seed=SEEDS, share=st.floats(1e-12, 1e3))
def test_damp_by_mean_variance_adds_a_share_of_the_mean(seed: int, share: float) -> None:
    """S1, E16: A + share trace(A) / K on the diagonal, the rest untouched; for several matrices at once too (E22)."""
    x, _, _ = drawn_layer(seed)
    a = moments(x, np.zeros((x.shape[1], 1)), np.zeros((len(x), 1)))[0]
    damped = damp_by_mean_variance(a, share)
    wanted = a + np.eye(len(a)) * (share * np.trace(a) / len(a) or 1.0)
    assert np.array_equal(damped, wanted)
    assert np.array_equal(damp_by_mean_variance(np.stack([a, 4 * a]), share)[0], damped)


@pytest.mark.parametrize("size", [0.0, 1e-300, LEAST_DAMPING / 2])
def test_damp_by_mean_variance_of_nothing_is_the_unit_matrix(size: float) -> None:
    """S1: where nothing varies, or by so little that the inverse would overflow, 1 is added."""
    damped = damp_by_mean_variance(size * np.eye(3), 1e-2)
    assert np.array_equal(damped, np.eye(3)) and np.isfinite(np.linalg.inv(damped)).all()


@given(seed=SEEDS, share=st.floats(1e-12, 1e3))
def test_damp_by_own_variance_has_no_units(seed: int, share: float) -> None:
    """U0: each diagonal entry times 1 + share, 1 for what does not vary; inputs in other units (2^p) give 2^p of it."""
    x, _, _ = drawn_layer(seed)
    rng = np.random.default_rng(seed)
    a = moments(x, np.zeros((x.shape[1], 1)), np.zeros((len(x), 1)))[0]
    damped = damp_by_own_variance(a, share)
    assert np.array_equal(np.diag(damped), np.where(np.diag(a) > 0, np.diag(a) * (1 + share), 1.0))
    off = ~np.eye(len(a), dtype=bool)
    assert np.array_equal(damped[off], a[off])
    unit = np.ldexp(1.0, rng.integers(-40, 41, len(a)))
    varies = np.diag(a) > 0
    scaled = damp_by_own_variance(a * unit * unit[:, np.newaxis], share)
    assert np.array_equal(scaled[varies][:, varies], (damped * unit * unit[:, np.newaxis])[varies][:, varies])


@given(rows=st.integers(1, 1000), inputs=st.integers(1, 1000), energy=st.floats(0, 1e6), mass=st.floats(1e-6, 1e6))
@example(rows=3, inputs=7, energy=0.0, mass=1.0)
def test_pull_by_rows_is_its_equation(rows: int, inputs: int, energy: float, mass: float) -> None:
    """S10, E18: pull energy / R + 1e-12 mass up to five roundings; above 0 always; halved by twice the rows."""
    lam = pull_by_rows(energy, mass, rows, inputs)
    wanted = Fraction(PULL) * Fraction(energy) / rows + Fraction(1e-12) * Fraction(mass)
    assert lam > 0 and abs(Fraction(float(lam)) - wanted) <= Fraction(6 * UNIT) * wanted
    assert pull_by_rows(2 * energy, mass, 2 * rows, inputs) == lam


def test_damp_by_takes_one_number_a_matrix() -> None:
    """E18: lam on the diagonal, of each matrix its own, and the given matrix is not changed."""
    a = np.ones((2, 2, 2))
    assert damp_by(a, np.array([1.0, 5.0]))[:, 1, 1].tolist() == [2.0, 6.0] and damp_by(a[0], 1.0)[0, 1] == 1.0
    assert (a == 1).all()


# --- conjugate gradients


def adds_the_multiple(add: Callable[[Float64, Any, Float64], None], seed: int) -> bool:
    """Say whether vectors and matrices of more than one piece come out as the plain sum, bit for bit."""
    rng = np.random.default_rng(seed)
    wide = IN_CACHE // 3 + 1
    for shape, factor in (((2 * IN_CACHE + 5,), 0.3), ((7, wide), rng.normal(size=wide)), ((0, 3), 1.0)):
        target, source = rng.normal(size=(2, *shape))
        wanted = target + factor * source
        add(target, factor, source)
        if not np.array_equal(target, wanted):
            return False
    return True


def test_add_multiple_is_the_plain_sum() -> None:
    """Pieces meet without a seam: no number is left out, none is added twice."""
    assert adds_the_multiple(add_multiple, 0)


def test_sum_law_kills_pieces_that_overlap_or_end_early() -> None:
    """One row twice, and the rows of whole pieces alone, are seen."""

    def twice(target: Float64, factor: Any, source: Float64) -> None:
        add_multiple(target, factor, source)
        add_multiple(target[-1:], factor, source[-1:])

    def early(target: Float64, factor: Any, source: Float64) -> None:
        whole = len(target) - len(target) % 4
        add_multiple(target[:whole], factor, source[:whole])

    assert not adds_the_multiple(twice, 0) and not adds_the_multiple(early, 0)


def solves_in_as_many_steps_as_inputs(solver: Callable[..., Float64], seed: int) -> bool:
    """Say whether K steps solve K unknowns of a matrix of small condition, several neurons with matrices of their own.

    In exact arithmetic they do. Residuals that are made orthogonal stay so to some K^2 u, so that what K steps leave is
    of the size K^2 u cond |g|: with a condition of 9 and K <= 5, below 1e-12 |g|.
    """
    rng = np.random.default_rng(seed)
    k, neurons = int(rng.integers(1, 6)), 3
    turns = np.linalg.qr(rng.normal(size=(neurons, k, k)))[0]
    matrices = turns * rng.uniform(1, 9, (neurons, 1, k)) @ np.swapaxes(turns, 1, 2)
    g = rng.normal(size=(k, neurons))
    g[:, 0] = 0.0  # nothing to be gained here

    def product(t: Float64) -> Float64:
        return np.asarray(np.einsum("nij,jn->in", matrices, t), np.float64)

    step = solver(product, g, k, dot=dot_of_columns)
    residual = np.sqrt(np.square(product(step) - g).sum(axis=0))
    return bool((residual <= 1e-12 * np.sqrt(np.square(g).sum(axis=0))).all())


@given(seed=SEEDS)
def test_conjugate_gradients_solve_in_as_many_steps_as_inputs(seed: int) -> None:
    """E9: K steps solve K inputs, each neuron with steps of its own; one without a gradient stays exactly."""
    assert solves_in_as_many_steps_as_inputs(conjugate_gradients, seed)


def test_conjugate_gradient_law_kills_a_shared_step_length_and_one_step_less() -> None:
    """E9: neurons that share one step length, and a solver that ends a step early, leave a residual."""

    def shared(product: Any, g: Float64, steps: int, **_: Any) -> Float64:
        return conjugate_gradients(product, g, steps, dot=lambda a, b: np.full(a.shape[1], (a * b).sum()))

    def early(product: Any, g: Float64, steps: int, **_: Any) -> Float64:
        return conjugate_gradients(product, g, steps - 1, dot=dot_of_columns)

    for mutant in (shared, early):
        assert not all(solves_in_as_many_steps_as_inputs(mutant, seed) for seed in range(10))


@given(seed=SEEDS)
def test_conjugate_gradients_need_one_step_where_the_inverse_is_known(seed: int) -> None:
    """E9: preconditioned by the inverse up to a factor of each neuron, one step solves, and no more is taken."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 6))
    turn = np.linalg.qr(rng.normal(size=(k, k)))[0]
    matrix, g = turn * rng.uniform(1, 9, k) @ turn.T, rng.normal(size=(k, 3))
    factors, inverse = rng.uniform(0.1, 9, 3), np.linalg.inv(matrix)
    solved = [
        conjugate_gradients(
            lambda t: matrix @ t, g, n, dot=dot_of_columns, precondition=lambda r: inverse @ r * factors
        )
        for n in (1, 4)
    ]
    # Four products of K <= 5 terms at a condition below 9.
    assert all((np.abs(step - inverse @ g) <= 1e3 * UNIT * np.abs(g).max(axis=0)).all() for step in solved)


@given(seed=SEEDS)
def test_conjugate_gradients_agree_with_the_factored_matrix(seed: int) -> None:
    """S10 and S6 solve one equation, to 3 K roundings in each of 3 K steps times the condition.

    The share bounds the condition by 1 + K / share.
    """
    x, w, z = drawn_layer(seed)
    a, g = moments(x, w, z)
    matrix = damp_by_mean_variance(a, 1e-2)
    steps = [conjugate_gradients(lambda t: matrix @ t, column, 3 * K_MOST) for column in g.T]
    direct = solve_together(matrix, g)
    off = np.abs(np.array(steps).T - direct).max(axis=0)
    assert (off <= (3 * K_MOST) ** 2 * UNIT * (1 + K_MOST / 1e-2) * np.abs(direct).max(axis=0)).all()


def test_conjugate_gradients_end_where_residuals_are_rounding() -> None:
    """S10: a residual below `enough` of the first ends the steps; without one no product is formed."""
    calls: list[Float64] = []

    def product(t: Float64) -> Float64:
        calls.append(t)
        return 2 * t

    assert conjugate_gradients(product, np.array([4.0, 2.0]), 10).tolist() == [2.0, 1.0] and len(calls) == 1
    assert conjugate_gradients(product, np.zeros(2), 10).tolist() == [0.0, 0.0] and len(calls) == 1


# --- steps


def test_ratio_or_zero_gives_zero_where_nothing_curves() -> None:
    """E14, E15: 0 where the curvature is 0 or negative, for arrays and for one number."""
    assert ratio_or_zero(np.array([1.0, 2.0, 0.0]), np.array([0.0, 4.0, -1.0])).tolist() == [0.0, 0.5, 0.0]
    assert ratio_or_zero(np.float64(3.0), np.float64(0.0)) == 0.0


def test_take_step_leaves_neurons_that_only_met_rounding() -> None:
    """E9, E18, E22: a neuron moves as a whole, and only if one weight moves by more than 1e-9 of the largest."""
    w = np.array([[1.0, 1.0, 0.0], [1e-3, 1e-3, 0.0]])
    step = np.array([[0.0, 0.0, 0.0], [NEGLIGIBLE, 2 * NEGLIGIBLE, 0.0]])
    moved = take_step(w, step)
    assert moved[:, 0].tolist() == w[:, 0].tolist() and moved[1, 1] > w[1, 1] and not moved[:, 2].any()
