"""Laws of rounding by covariances: the form is the objective, each start is a pass, and the best start is taken."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.chain.weight_codes import Bits, choose_weight_params
from npquant.compression.rounding.rectified import layer as rectified_layer
from npquant.compression.rounding.rectified.layer import RectifiedLayer, rectify_layer
from npquant.compression.rounding.rectified.layer_objective import LayerObjective, make_objective
from npquant.compression.rounding.rectified.quadratic_form import (
    QuadraticForm,
    coordinate_pass_form,
    make_form,
    nearest_plane,
    rescale_form,
)
from npquant.compression.rounding.rectified.rounding_path import (
    RoundedLayer,
    coordinate_pass_plain,
    expected_rise,
    rescale,
)
from npquant.compression.rounding.rectified.rounding_search import search_paths
from tests.compression.rounding.rectified.failing import fails

Float64 = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
Pass = Callable[[QuadraticForm, Float64, Float64, Float64, Float64], Float64]
Make = Callable[[LayerObjective], QuadraticForm]
# Sums of at most 60 rows and 30 inputs, each term rounded by 2^-53: far below 2^-36 of their magnitudes.
NEAR = 2.0**-36


def drawn(seed: int, starts: int = 3) -> tuple[LayerObjective, Float64, Float64]:
    """Draw a problem with dead and constant inputs, scales (S, N), and real codes (K, S, N) within [-4, 3]."""
    rng = np.random.default_rng(seed)
    r, k, n = int(rng.integers(2, 60)), int(rng.integers(1, 30)), int(rng.integers(1, 6))
    x = rng.integers(0, 256, (r, k)) / 255.0
    x[:, rng.random(k) < 0.15] = 0.0
    x[:, rng.random(k) < 0.1] = 0.7
    w = rng.normal(0, 1, (k, n))
    z = (x + 0.1 * rng.normal(0, 1, (r, k))) @ w + rng.normal(0, 1, n)
    s = np.outer(rng.uniform(0.5, 1.5, starts), np.abs(w).max(axis=0) / 3 + 0.01)
    return make_objective(x, z, w, rng.uniform(0.01, 1, (r, n))), s, np.clip(w[:, np.newaxis] / s, -4, 3)


# -------------------------------------------------------------------------------------------------------------- form


def law_form_is_the_objective(make: Make, seed: int) -> None:
    """E21, E22: Phi, its slope, its curvatures and its minimum are those that the rows give."""
    problem, s, a = drawn(seed)
    form, size = make(problem), problem.phi(np.zeros_like(problem.w))
    h = problem.hessian_diagonal()
    np.testing.assert_allclose(form.hessian_diagonal, h, rtol=NEAR, atol=NEAR * h.max())
    for i, scale in enumerate(s):
        v = scale * a[:, i]
        assert (np.abs(form.phi(v[:, np.newaxis])[0] - problem.phi(v)) <= NEAR * size).all()
        slope = problem.x.T @ problem.weighted_residual(v) + problem.lam * (problem.w - v)
        assert (np.abs(form.gradients(v[:, np.newaxis])[:, 0] - slope) <= NEAR * (1 + np.abs(slope).max())).all()
    best = form.refit()  # E22: the slope is 0, but for rounding errors of its terms
    slope = problem.x.T @ problem.weighted_residual(best) + problem.lam * (problem.w - best)
    assert (np.abs(slope) <= NEAR * np.sqrt(size * h.max())).all()


@given(seed=SEEDS)
def test_make_form_is_the_objective(seed: int) -> None:
    """For dead, constant and any other inputs."""
    law_form_is_the_objective(make_form, seed)


def test_make_form_law_kills() -> None:
    """Covariances that are not centred, no pull, and the gradient of another place are caught."""
    wrong: list[Make] = [
        lambda p: make_form(replace(p, mass=1e9 * p.mass)),
        lambda p: make_form(replace(p, lam=0 * p.lam + 1e-9)),
        lambda p: replace(make_form(p), gradient=0 * p.w),
    ]
    for make in wrong:
        assert any(fails(law_form_is_the_objective, make, seed) for seed in range(20))


# -------------------------------------------------------------------------------------------------------------- pass


def law_every_start_is_a_pass(descend: Pass, seed: int) -> None:
    """Each start's codes are those of the pass as it is defined, whatever the other starts are."""
    problem, s, a = drawn(seed)
    found = descend(make_form(problem), a, np.floor(a), np.ceil(a), s)
    for i, scale in enumerate(s):
        real = a[:, i]
        np.testing.assert_array_equal(
            found[:, i], coordinate_pass_plain(problem, real, np.floor(real), np.ceil(real), scale)
        )
        again = rescale_form(make_form(problem), found, s)[i]
        # Both are float32; a last bit of float32 apart at most.
        assert np.abs(again - rescale(problem, found[:, i], scale).s).max() <= 2.0**-22 * np.abs(again).max()


@given(seed=SEEDS)
def test_coordinate_pass_form_every_start_is_a_pass(seed: int) -> None:
    """E11 and E12, E14, from several scales at once."""
    law_every_start_is_a_pass(coordinate_pass_form, seed)


def test_coordinate_pass_form_law_kills() -> None:
    """Starts that share one scale, and inputs that do not see each other, are caught."""

    def one_scale(form: QuadraticForm, q: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
        return coordinate_pass_form(form, q, low, high, 0 * s + s[:1])

    def blind(form: QuadraticForm, q: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
        alone = form.by_input * np.eye(len(q))[:, :, np.newaxis]
        return coordinate_pass_form(replace(form, by_input=alone), q, low, high, s)

    for wrong in (one_scale, blind):
        assert any(fails(law_every_start_is_a_pass, wrong, seed) for seed in range(40))


Plane = Callable[[Float64, Float64, Float64, Float64, Float64], Float64]


def law_plane_is_its_definition(plane: Plane, seed: int) -> None:
    """E23, in loops: code k is where the form is least, if all inputs before it may still be real."""
    problem, s, a = drawn(seed, starts=1)
    form, low, high = make_form(problem), np.floor(a), np.ceil(a)
    v = form.refit()
    found = plane(v, form.factor(), low, high, s)
    for n in range(v.shape[1]):
        gram, miss = form.gram[n], np.zeros(len(v))
        for k in range(len(v) - 1, -1, -1):
            # Least of miss . G miss over the real misses 0..k, those behind k being done.
            miss[: k + 1] = -np.linalg.solve(gram[: k + 1, : k + 1], gram[: k + 1, k + 1 :] @ miss[k + 1 :])
            code = np.clip(np.rint((v[k, n] + miss[k]) / s[0, n]), low[k, 0, n], high[k, 0, n])
            assert code == found[k, 0, n]
            miss[k] = s[0, n] * code - v[k, n]


@given(seed=SEEDS)
def test_nearest_plane_is_its_definition(seed: int) -> None:
    """One linear system a code gives what the factor gives."""
    law_plane_is_its_definition(nearest_plane, seed)


def test_nearest_plane_law_kills() -> None:
    """Plain rounding, and a factor that forgets how inputs move together, are caught."""

    def plain(v: Float64, factor: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
        return np.clip(np.rint(v[:, np.newaxis] / s), low, high)

    def alone(v: Float64, factor: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
        return nearest_plane(v, factor + factor.transpose(1, 0, 2), low, high, s)[::-1]

    for wrong in (plain, alone):
        assert any(fails(law_plane_is_its_definition, wrong, seed) for seed in range(20))


# ------------------------------------------------------------------------------------------------------------ search


def law_more_starts_bound_the_codes(search: Callable[..., object], seed: int) -> None:
    """Codes obey the least bound of all starts, those of start s lie around its own real codes, phi is theirs."""
    problem, s, _ = drawn(seed)
    form = make_form(problem)
    v, ends = form.refit(), ([-4] * 3, [3] * 3)
    rounded, start = search(form, v, s, *ends, 6)  # type: ignore[misc]
    size = problem.phi(np.zeros_like(problem.w))
    bounds = []
    for i, scale in enumerate(s):
        a = np.clip(v / scale, *(-4, 3))
        bounds.append(problem.phi(scale * a) + expected_rise(a, scale, problem.hessian_diagonal()))
        mine = start == i  # type: ignore[has-type]
        assert ((rounded.q >= np.floor(a)) & (rounded.q <= np.ceil(a)))[:, mine].all()  # type: ignore[has-type]
    assert (problem.phi(rounded.s * rounded.q) <= np.min(bounds, axis=0) + NEAR * size).all()  # type: ignore[has-type]
    assert (np.abs(rounded.phi - problem.phi(rounded.s * rounded.q)) <= NEAR * size).all()  # type: ignore[has-type]


@given(seed=SEEDS)
def test_search_paths_more_starts_bound_the_codes(seed: int) -> None:
    """E13 of the best start, and down or up at the start taken."""
    law_more_starts_bound_the_codes(search_paths, seed)


def test_search_paths_law_kills() -> None:
    """The worst start, and a start reported that was not taken, are caught."""

    def worst(form: QuadraticForm, v: Float64, s: Float64, qmin: object, qmax: object, passes: int) -> object:
        return search_paths(form, v, 8 * s[:1], [-4], [3], passes)

    def misreported(form: QuadraticForm, v: Float64, s: Float64, qmin: object, qmax: object, passes: int) -> object:
        rounded, start = search_paths(form, v, s, [-4] * 3, [3] * 3, passes)
        return rounded, (start + 1) % 3

    for wrong in (worst, misreported):
        assert any(fails(law_more_starts_bound_the_codes, wrong, seed) for seed in range(40))


# ------------------------------------------------------------------------------------------------------- brute force

CODES = np.array(list(product((-1.0, 0.0, 1.0), repeat=6))).T  # all 3^6, shape (6, 729)
Rectify = Callable[[LayerObjective], RectifiedLayer]


def tiny(seed: int) -> LayerObjective:
    """Draw one neuron of six inputs, some of which go together."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(4, 40))
    x = rng.random((rows, 6)) + rng.choice([0.0, 2.0]) * rng.random((rows, 1))
    w = rng.normal(0, 1, (6, 1))
    return make_objective(x, x @ w + 0.1 * rng.normal(0, 1, (rows, 1)), w, rng.uniform(0.01, 1, (rows, 1)))


def optimum(problem: LayerObjective) -> float:
    """Return the least Phi of all 729 codes, each at the scale that suits it best: Phi is a parabola in the scale."""
    y = problem.image(CODES)
    at_zero = float(problem.phi(0 * problem.w)[0])
    d2, lam = problem.d2[:, 0], float(problem.lam[0])
    slope = (d2 * problem.residual(0 * problem.w)[:, 0]) @ y + lam * (problem.w[:, 0] @ CODES)
    curvature = np.einsum("r,rc,rc->c", d2, y, y) + lam * np.square(CODES).sum(axis=0)
    gain = np.divide(np.maximum(slope, 0) ** 2, curvature, out=np.zeros_like(slope), where=curvature > 0)
    return at_zero - float(gain.max())


def law_between_optimum_and_bound(rectify: Rectify, seed: int) -> None:
    """No codes are better than the best of all 729, and the best are within the bound, and so are those found."""
    problem = tiny(seed)
    layer, best = rectify(problem), optimum(problem)
    size = float(problem.phi(0 * problem.w)[0])
    # y above is centred with the means of one neuron's weights for all 729 codes: they are the same weights.
    assert best - NEAR * size <= float(layer.phi[0]) <= float(layer.bound[0]) + NEAR * size
    assert float(layer.phi_real[0]) <= best + NEAR * size


def ternary(problem: LayerObjective) -> RectifiedLayer:
    return rectify_layer(problem.x, problem.z, problem.w, problem.d2, "ternary")


def test_rectify_layer_between_optimum_and_bound() -> None:
    """On 300 tiny problems; the codes found are the best that there are in 293 of them."""
    hits = []
    for seed in range(300):
        law_between_optimum_and_bound(ternary, seed)
        problem = tiny(seed)
        hits.append(float(ternary(problem).phi[0]) <= optimum(problem) * (1 + 1e-6) + 1e-12)
    assert np.mean(hits) > 0.95


def test_brute_force_law_kills() -> None:
    """A phi that codes cannot have, codes beyond the bound, and a refit that is none are caught."""

    def too_good(problem: LayerObjective) -> RectifiedLayer:
        layer = ternary(problem)
        return replace(layer, phi=0.9 * np.minimum(layer.phi, optimum(problem)))

    def all_zero(problem: LayerObjective) -> RectifiedLayer:
        layer = ternary(problem)
        return replace(layer, phi=problem.phi(0 * problem.w))

    def not_refitted(problem: LayerObjective) -> RectifiedLayer:
        return replace(ternary(problem), phi_real=problem.phi(1.5 * problem.w))

    for wrong in (too_good, all_zero, not_refitted):
        assert any(fails(law_between_optimum_and_bound, wrong, seed) for seed in range(20))


@pytest.mark.parametrize("shares", [(), (0.0,), (-1.0,), (np.inf,), (np.nan,)])
def test_rectify_layer_refuses_start_scales(shares: tuple[float, ...]) -> None:
    """No start, and shares that are not positive numbers, are errors that say so."""
    problem = tiny(0)
    with pytest.raises(ValueError, match="start_scales"):
        rectify_layer(problem.x, problem.z, problem.w, problem.d2, 3, start_scales=shares)


def test_rectify_layer_more_starts_cost_less_error() -> None:
    """Phi of five starts, summed over neurons, is below that of one; both routes take start scales."""
    rng = np.random.default_rng(0)
    x, w = rng.random((120, 24)), rng.normal(0, 1, (24, 100))
    arrays = x, x @ w, w, np.ones((120, 100))
    one, five = (rectify_layer(*arrays, "ternary", start_scales=shares).phi.sum() for shares in ((1.0,), None))
    assert five < one
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("npquant.compression.rounding.rectified.layer.FEW_INPUTS", 0)
        by_rows = [rectify_layer(*arrays, 2, start_scales=shares) for shares in ((1.0,), (1.0, 0.8, 1.2))]
    assert by_rows[1].phi.sum() < by_rows[0].phi.sum()


Search = Callable[[LayerObjective], RoundedLayer]


def law_constant_inputs_decide_no_scale(search: Search, seed: int) -> None:
    """Huge weights on inputs that never vary change neither the scale nor the codes of the other inputs.

    Before the last word, that is, and after one pass: nearest rounding and later scales answer to the pull of all.
    """
    rng = np.random.default_rng(seed)
    x, w = rng.random((60, 8)), rng.normal(0, 1, (8, 3))
    x[:, ::4] = [0.0, 0.5]
    small, huge = w.copy(), w.copy()
    small[::4], huge[::4] = 0.0, 40.0
    problems = (make_objective(x, x[:, 1:] @ w[1:], weights, np.ones((60, 3))) for weights in (small, huge))
    one, two = (search(problem) for problem in problems)
    np.testing.assert_array_equal(one.s, two.s)
    varies = np.arange(8) % 4 != 0
    np.testing.assert_array_equal(one.q[varies], two.q[varies])


def searched(problem: LayerObjective, bits: Bits, start: Float64 | None = None) -> RoundedLayer:
    return rectified_layer._search(problem, None, bits, 1, start, (1.0,))[0]


def test_search_constant_inputs_decide_no_scale() -> None:
    """For few inputs; test_wide_search has the law of where many inputs start."""
    for seed in range(5):
        law_constant_inputs_decide_no_scale(lambda problem: searched(problem, 3), seed)


def test_constant_inputs_law_kills() -> None:
    """A scale chosen for all weights alike is caught; at 8 bits that is what is done."""

    def by_all(problem: LayerObjective) -> RoundedLayer:
        s = np.asarray(choose_weight_params(problem.w, 3, granularity="per_channel", weight_scale="mse").scale)
        return searched(problem, 3, s.astype(np.float64))

    for wrong in (by_all, lambda problem: searched(problem, 8)):
        assert any(fails(law_constant_inputs_decide_no_scale, wrong, seed) for seed in range(5))
