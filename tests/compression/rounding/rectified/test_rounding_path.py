"""Laws of the parts of rectified rounding: objective, refit, coordinate descent, rescale, weights of activations."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.rounding.rectified import plain_hessian as rectified_plain
from npquant.compression.rounding.rectified.activation_weights import activation_weights
from npquant.compression.rounding.rectified.layer_objective import LayerObjective, make_objective
from npquant.compression.rounding.rectified.plain_hessian import plain_hessian, refit
from npquant.compression.rounding.rectified.quadratic_form import make_form
from npquant.compression.rounding.rectified.rounding_path import (
    block_covariances,
    coordinate_pass,
    coordinate_pass_plain,
    curvatures,
    expected_rise,
    rescale,
)
from tests.compression.rounding.rectified.failing import fails

Float64 = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
T = TypeVar("T")
Pass = Callable[[LayerObjective, Float64, Float64, Float64, Float64], Float64]


def drawn_objective(seed: int) -> tuple[LayerObjective, Float64, Float64]:
    """Draw a problem, scales, and real codes within [-4, 3]."""
    rng = np.random.default_rng(seed)
    r, k, n = int(rng.integers(2, 60)), int(rng.integers(1, 30)), int(rng.integers(1, 6))
    x = rng.integers(0, 256, (r, k)) / 255.0
    x[:, rng.random(k) < 0.15] = 0.0
    w = rng.normal(0, 1, (k, n))
    z = (x + 0.1 * rng.normal(0, 1, (r, k))) @ w + rng.normal(0, 1, n)
    s = np.abs(w).max(axis=0) / 3 + 0.01
    return make_objective(x, z, w, rng.uniform(0.01, 1, (r, n))), s, np.clip(w / s, -4, 3)


def blocked(problem: LayerObjective, q: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
    return coordinate_pass(problem, q, low, high, s, block_covariances(problem))


# --------------------------------------------------------------------------------------------------------- objective


def test_objective_equals_its_definition_row_by_row() -> None:
    """E3 to E8 as plain loops over rows and inputs."""
    problem, s, a = drawn_objective(3)
    x, z, w, d2 = problem.x + problem.centre, problem.z + problem.z_mean, problem.w, problem.d2
    v = s * np.rint(a)
    (rows, inputs), neurons = x.shape, w.shape[1]
    for n in range(neurons):
        mass = sum(d2[:, n])
        means = [sum(d2[:, n] * x[:, k]) / mass for k in range(inputs)]
        spread = sum(d2[r, n] * (x[r, k] - means[k]) ** 2 for r in range(rows) for k in range(inputs)) / inputs
        lam = 0.1 * spread + 1e-12 * mass
        r_n = [z[r, n] - sum(x[r, k] * v[k, n] for k in range(inputs)) for r in range(rows)]
        mean = sum(d2[r, n] * r_n[r] for r in range(rows)) / mass
        error = sum(d2[r, n] * (r_n[r] - mean) ** 2 for r in range(rows))
        h = [sum(d2[:, n] * (x[:, k] - means[k]) ** 2) + lam for k in range(inputs)]
        # Sums of under 2,000 terms, each rounded by 2^-53: below 2^-40 of their magnitudes.
        near = 2.0**-40
        assert np.isclose(problem.carried_error(v)[n], error, rtol=near, atol=near * sum(d2[:, n] * z[:, n] ** 2))
        assert np.isclose(problem.phi(v)[n], error + lam * sum((w[:, n] - v[:, n]) ** 2), rtol=near)
        assert np.isclose(problem.best_bias(v)[n], mean, rtol=near, atol=near * np.abs(z).max())
        assert np.allclose(problem.hessian_diagonal()[:, n], h, rtol=near, atol=near * mass)
        u_n = d2[:, n] * (np.array(r_n) - mean)
        assert np.allclose(problem.weighted_residual(v)[:, n], u_n, rtol=0, atol=near * 16)


def by_three_steps(problem: LayerObjective) -> Float64:
    return refit(problem, plain_hessian(problem.x))


def law_three_steps_suffice(solve: Callable[[LayerObjective], Float64], seed: int) -> None:
    """E9, E37: Phi(v) - Phi* <= (Phi(w) - Phi*) / T_3((c + 1) / (c - 1))^2, c = max d2 / min d2, whatever the inputs.

    In every direction min d2 <= Hessian / H <= max d2 (E4, E27), so c bounds the preconditioned condition, and that is
    Chebyshev's bound for three conjugate gradients in the norm of the Hessian, the square of which is Phi - Phi*.
    """
    problem, _, _ = drawn_objective(seed)
    v, best = solve(problem), problem.phi(make_form(problem).refit())
    c = problem.d2.max(axis=0) / problem.d2.min(axis=0) * (1 + 1e-9)  # the 1e-12 mass of E4, and rounding
    u = (c + 1) / (c - 1)
    gap = (problem.phi(problem.w) - best) / np.square(4 * u**3 - 3 * u)
    assert (problem.phi(v) - best <= gap * (1 + 1e-9) + 1e-12 * problem.phi_at_zero()).all()


@given(seed=SEEDS)
def test_refit_three_steps_suffice(seed: int) -> None:
    """The condition is that of the weights of errors."""
    law_three_steps_suffice(by_three_steps, seed)


def test_refit_law_kills() -> None:
    """Not moving at all, solving with another pull, and too long a step are caught."""
    for wrong in (
        lambda p: p.w,
        lambda p: by_three_steps(replace(p, lam=p.lam * 30)),
        lambda p: 1.2 * by_three_steps(p),
    ):
        assert any(fails(law_three_steps_suffice, wrong, seed) for seed in range(20))


@given(seed=SEEDS)
def test_refit_of_many_steps_is_exact(seed: int) -> None:
    """E37 is E9 in other coordinates: where steps do not end early, v* is that of the covariances."""
    problem, _, _ = drawn_objective(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rectified_plain, "REFIT_STEPS", 300)
        found = refit(problem, plain_hessian(problem.x))
    # Condition 100 of d2: 300 steps leave 4 * 0.82^600 of the gain; sums of 60 terms are rounded by 2^-53 each.
    best = problem.phi(make_form(problem).refit())
    assert (problem.phi(found) - best <= 1e-12 * problem.phi_at_zero()).all()


@given(seed=SEEDS)
def test_hessian_lies_between_the_weights_times_plain(seed: int) -> None:
    """E4, E27: min d2 H <= G <= max d2 H as quadratic forms: the eigenvalues of V^-1 G V^-T lie between."""
    problem, _, _ = drawn_objective(seed)
    half = np.linalg.inv(plain_hessian(problem.x).factor)
    for n, gram in enumerate(make_form(problem).gram):
        found = np.linalg.eigvalsh(half @ gram @ half.T)
        d2 = problem.d2[:, n]
        # The share bounds the condition of H by 1 + 10 K < 400: 400 roundings of sums of 60, far below 2^-36.
        if problem.x.std(axis=0).any():
            assert d2.min() * (1 - 2.0**-36) <= found.min() and found.max() <= d2.max() * (1 + 1e-9)


# -------------------------------------------------------------------------------------------------------------- pass


def law_first_pass_is_within_the_bound(step: Pass, seed: int) -> None:
    """E13, after one pass from real codes; every code is the floor or the ceiling of where it started."""
    problem, s, a = drawn_objective(seed)
    q = step(problem, a, np.floor(a), np.ceil(a), s)
    assert ((q == np.floor(a)) | (q == np.ceil(a))).all()
    h = problem.hessian_diagonal()
    bound = problem.phi(s * a) + expected_rise(a, s, h)
    assert (problem.phi(s * q) <= bound * (1 + 1e-12)).all()
    assert (bound <= (problem.phi(s * a) + s**2 / 4 * h.sum(axis=0)) * (1 + 1e-12)).all()


@pytest.mark.slow
def test_bound_holds_in_ten_thousand_problems() -> None:
    """E13: no neuron of 10,000 is above it, it is below that of a quarter for every weight, and both are needed."""
    shares, neurons = [], 0
    for seed in range(4000):
        problem, s, a = drawn_objective(seed)
        q, h, start = blocked(problem, a, np.floor(a), np.ceil(a), s), problem.hessian_diagonal(), problem.phi(s * a)
        bound, loose = start + expected_rise(a, s, h), start + s**2 / 4 * h.sum(axis=0)
        near = 1e-12 * problem.phi_at_zero()
        assert (problem.phi(s * q) <= bound + near).all() and (bound <= loose + near).all()
        shares.extend(bound / loose)
        neurons += len(s)
    assert neurons > 10_000 and np.mean(shares) < 0.9


@given(seed=SEEDS)
def test_expected_rise_is_that_of_random_rounding(seed: int) -> None:
    """E13: the mean of Phi over all ways to round up with probability f, down else, is Phi(s a) + the rise."""
    rng = np.random.default_rng(seed)
    x, w = rng.random((9, 4)), rng.normal(0, 1, (4, 1))
    problem = make_objective(x, x @ w + rng.normal(0, 0.1, (9, 1)), w, rng.uniform(0.01, 1, (9, 1)))
    s, a = np.array([0.7]), w / 0.7
    f, mean = (a - np.floor(a))[:, 0], 0.0
    for up in product((0, 1), repeat=4):
        chance = float(np.prod(np.where(up, f, 1 - f)))
        mean += chance * float(problem.phi(s * (np.floor(a) + np.array(up)[:, np.newaxis]))[0])
    rise = float(expected_rise(a, s, problem.hessian_diagonal())[0])
    # Sums of under 2,000 terms, each rounded by 2^-53.
    assert np.isclose(mean, float(problem.phi(s * a)[0]) + rise, rtol=2.0**-40)


def law_later_passes_never_raise_phi(step: Pass, seed: int) -> None:
    """Between integers a pass is coordinate descent."""
    problem, s, a = drawn_objective(seed)
    q = np.floor(a)
    for _ in range(3):
        after = step(problem, q, np.floor(a), np.ceil(a), s)
        assert (problem.phi(s * after) <= problem.phi(s * q) * (1 + 1e-12)).all()
        q = after


def law_pass_equals_plain(step: Pass, seed: int) -> None:
    """The codes are those of the pass as it is defined."""
    problem, s, a = drawn_objective(seed)
    between = np.floor(a), np.ceil(a)
    np.testing.assert_array_equal(step(problem, a, *between, s), coordinate_pass_plain(problem, a, *between, s))


PASS_LAWS = [law_first_pass_is_within_the_bound, law_later_passes_never_raise_phi, law_pass_equals_plain]


@pytest.mark.parametrize("step", [blocked, coordinate_pass_plain])
@pytest.mark.parametrize("law", PASS_LAWS)
@given(seed=SEEDS)
def test_coordinate_pass_laws_hold(law: Callable[[Pass, int], None], step: Pass, seed: int) -> None:
    """Bound, descent, and one definition for both routes."""
    law(step, seed)


def forgets_the_residual(problem: LayerObjective, q: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
    """Every input answers to the errors before the pass."""
    gradient = problem.x.T @ problem.weighted_residual(s * q) + problem.lam * (problem.w - s * q)
    t = q + gradient / (s * problem.hessian_diagonal())
    return np.clip(np.rint(t), low, high)


def adds_the_residual(problem: LayerObjective, q: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
    """The sign of the residual is wrong."""
    negated = replace(problem, z=2 * problem.image(s * q) - problem.z)
    return coordinate_pass_plain(negated, q, low, high, s)


def without_clamp(problem: LayerObjective, q: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
    """A weight may go anywhere."""
    return coordinate_pass_plain(problem, q, low - 2, high + 2, s)


def blind_within_blocks(problem: LayerObjective, q: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
    """Inputs of one block do not see each other."""
    grams = []
    for gram in block_covariances(problem):
        i, j = np.triu_indices(int(np.sqrt(2 * len(gram))))
        grams.append(np.where((i == j)[:, np.newaxis], gram, 0.0))
    return coordinate_pass(problem, q, low, high, s, grams)


@pytest.mark.parametrize(
    ("law", "mutant"),
    [
        (law_first_pass_is_within_the_bound, forgets_the_residual),
        (law_first_pass_is_within_the_bound, adds_the_residual),
        (law_first_pass_is_within_the_bound, without_clamp),
        (law_later_passes_never_raise_phi, adds_the_residual),
        (law_later_passes_never_raise_phi, forgets_the_residual),
        (law_pass_equals_plain, blind_within_blocks),
    ],
)
def test_coordinate_pass_laws_kill(law: Callable[[Pass, int], None], mutant: Pass) -> None:
    """A forgotten residual, its wrong sign, no clamp, and blocks that are blind inside are caught within 100 draws."""
    assert any(fails(law, mutant, seed) for seed in range(100))


# ----------------------------------------------------------------------------------------------------------- rescale


def law_rescale_minimizes(choose: Callable[[LayerObjective, Float64, Float64], Float64], seed: int) -> None:
    """Phi does not rise; where the clip does not hold, no scale near is better; scales are float32 and positive."""
    problem, s, a = drawn_objective(seed)
    q = np.rint(a)
    after = choose(problem, q, s)
    np.testing.assert_array_equal(after, after.astype(np.float32))
    assert (after > 0).all()
    found = problem.phi(after * q)
    assert (found <= problem.phi(s * q) * (1 + 1e-12)).all()
    free = (after > 0.51 * s) & (after < 1.99 * s)
    for near in (0.999, 1.001):
        assert (found <= problem.phi(near * after * q) * (1 + 1e-12))[free].all()


@given(seed=SEEDS)
def test_rescale_minimizes(seed: int) -> None:
    """Phi does not rise, and nothing near is better."""
    law_rescale_minimizes(suited, seed)


def suited(problem: LayerObjective, q: Float64, s: Float64) -> Float64:
    return rescale(problem, q, s).s


@given(seed=SEEDS)
def test_rescale_knows_phi(seed: int) -> None:
    """E29: Phi along s is the parabola of one product: what the rows give, but for rounding errors of Phi(0)."""
    problem, s, a = drawn_objective(seed)
    found = rescale(problem, np.rint(a), s)
    assert (np.abs(found.phi - problem.phi(found.s * np.rint(a))) <= 2.0**-40 * problem.phi_at_zero()).all()
    np.testing.assert_allclose(found.y, problem.image(np.rint(a)), rtol=0, atol=0)
    np.testing.assert_allclose(problem.phi_at_zero(), problem.phi(0 * problem.w), rtol=2.0**-40)


@given(seed=SEEDS)
def test_curvatures_are_the_hessian_s_diagonal(seed: int) -> None:
    """E7 out of the blocks' covariances."""
    problem, _, _ = drawn_objective(seed)
    h = problem.hessian_diagonal()
    np.testing.assert_allclose(curvatures(block_covariances(problem)), h, rtol=0, atol=2.0**-40 * h.max())


def test_rescale_law_kills() -> None:
    """A rescale without the pull, one that moves twice as far, and one that does nothing are caught."""
    undamped = lambda p, q, s: suited(replace(p, lam=0 * p.lam), q, s)  # noqa: E731
    twice = lambda p, q, s: (s + 2 * (suited(p, q, s) - s)).astype(np.float32).astype(np.float64)  # noqa: E731
    for wrong in (undamped, twice, lambda p, q, s: s.astype(np.float32).astype(np.float64)):
        assert any(fails(law_rescale_minimizes, wrong, seed) for seed in range(60))


# ------------------------------------------------------------------------------------------------ activation weights


WEIGHED = ("clipped_relu", "hard_sigmoid", "relu", "sigmoid", "tanh", "softplus", "softmax", "identity")
# What E34 is the mean of: f', as the calculus books have it, and its largest value.
SLOPES: dict[str, tuple[Callable[[Float64], Float64], float]] = {
    "clipped_relu": (lambda v: ((v > 0) & (v < 1)).astype(np.float64), 1.0),
    "hard_sigmoid": (lambda v: ((v > -3) & (v < 3)) / 6, 1 / 6),
    "relu": (lambda v: (v > 0).astype(np.float64), 1.0),
    "sigmoid": (lambda v: np.exp(-v) / np.square(1 + np.exp(-v)), 0.25),
    "tanh": (lambda v: 1 / np.square(np.cosh(v)), 1.0),
    "softplus": (lambda v: 1 / (1 + np.exp(-v)), 1.0),
    "identity": (np.ones_like, 1.0),
}


def law_weights_are_floored_shares(weigh: Callable[[str, Float64, float], Float64], seed: int) -> None:
    """E1: D2 lies in [1/100, 1], falls away from the middle, and shares a tenth."""
    rng = np.random.default_rng(seed)
    z, reach = rng.normal(0, 4, (40, 3)), float(rng.choice([0.0, 0.01, 0.3, 2.0, 30.0]))
    for activation in WEIGHED:
        d2 = weigh(activation, z, reach)
        assert d2.dtype == np.float64 and d2.shape == z.shape
        assert (d2 >= 0.01 - 1e-15).all() and (d2 <= 1 + 1e-15).all()
    for activation, centre in (("clipped_relu", 0.5), ("hard_sigmoid", 0.0), ("sigmoid", 0.0), ("tanh", 0.0)):
        away = centre + np.linspace(0, 8, 50)[np.newaxis]  # one row: e of E1 itself
        d2 = weigh(activation, away, reach)
        # F, at most 6, and z, at most 11, are within 2^-50, and are divided by 2 m, at least 2^-19.
        near = 2.0**-30
        assert (np.diff(d2) <= near).all() and d2[0, -1] >= 0.01
        if reach == 0:
            assert d2[0, 0] == pytest.approx(1, abs=near) and d2[0, -1] == pytest.approx(0.01)
        # Side by side a tenth of each neuron's weight is the mean of its rows.
        shared = weigh(activation, away.T, reach)[:, 0]
        np.testing.assert_allclose(shared, 0.9 * d2[0] + 0.1 * d2.mean(), rtol=0, atol=2 * near)
        np.testing.assert_allclose(d2, weigh(activation, 2 * centre - away, reach), rtol=0, atol=2 * near)


@given(seed=SEEDS)
def test_activation_weights_are_floored_shares(seed: int) -> None:
    """Between 1/100 and 1, even around the middle."""
    law_weights_are_floored_shares(activation_weights, seed)


def law_weights_are_means_of_squared_slopes(weigh: Callable[[str, Float64, float], Float64], activation: str) -> None:
    """E2, E34: what is let through of errors that are uniform within the reach, by the rule of midpoints."""
    slope, largest = SLOPES[activation]
    z, points = np.linspace(-4, 4, 33)[np.newaxis], 4000
    for reach in (0.05, 0.7, 3.0):
        u = reach * ((np.arange(points) + 0.5) / points * 2 - 1)
        mean = np.square(slope(z[..., np.newaxis] + u) / largest).mean(axis=-1)
        # A jump falls into one of the parts, and there are two at most; a smooth slope errs less.
        np.testing.assert_allclose(weigh(activation, z, reach), np.clip(mean, 0.01, 1), rtol=0, atol=1 / points)


@pytest.mark.parametrize("activation", SLOPES)
def test_activation_weights_are_means_of_squared_slopes(activation: str) -> None:
    """F is an antiderivative of the squared slope, whose largest value is 1."""
    law_weights_are_means_of_squared_slopes(activation_weights, activation)


def test_activation_weights_by_hand() -> None:
    """E34 at points of the clipped ReLU, and the two rules that know no reach."""
    points = np.array([[-0.5, -0.25, 0.0, 0.5, 1.0, 1.25, 1.5]])
    found = activation_weights("clipped_relu", points, 0.5)
    np.testing.assert_allclose(found, [[0.01, 0.25, 0.5, 1, 0.5, 0.25, 0.01]], rtol=1e-12)
    # Where errors reach over the whole ramp, all rows that they can carry to it count alike.
    assert np.ptp(activation_weights("clipped_relu", points, 2.0)) < 2.0**-50
    np.testing.assert_allclose(activation_weights("softmax", np.zeros((1, 4)), 9.0), np.full((1, 4), 0.75), rtol=1e-12)
    assert (activation_weights("softmax", np.zeros((2, 1)), 1.0) == 0.01).all()
    assert (activation_weights("relu", np.full((3, 1), -2.0), 1.0) == 0.01).all()
    for z in (np.zeros((2, 1)), np.full((2, 1), 1e-300), np.full((2, 1), -7.0)):
        assert np.ptp(activation_weights("sigmoid", z, 0.0)) == 0  # no errors, and no division by their reach
    with pytest.raises(ValueError, match="known"):
        activation_weights("swish", points, 1.0)


def test_activation_weights_laws_kill() -> None:
    """No floor, a slope that is not squared to 1 in the middle, one at another place, and one that errors ignore."""
    for wrong in (
        lambda name, z, reach: np.square(np.sqrt(activation_weights(name, z, reach)) - 0.1),
        lambda name, z, reach: activation_weights(name, z, reach) / (16 if name == "sigmoid" else 1),
        lambda name, z, reach: activation_weights(name, z + 0.25, reach),
    ):
        assert any(fails(law_weights_are_floored_shares, wrong, seed) for seed in range(9))
    for without in (
        lambda name, z, reach: activation_weights(name, z, 0.0),
        lambda name, z, reach: activation_weights(name, z, 2 * reach),
        lambda name, z, reach: np.sqrt(activation_weights(name, z, reach)),
    ):
        with pytest.raises(AssertionError):
            law_weights_are_means_of_squared_slopes(without, "sigmoid")
