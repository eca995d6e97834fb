"""Laws of rectified rounding on one layer: never worse than nearest, within its bound, equivariant."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from npquant.compression.chain.weight_codes import Bits, choose_weight_params, weight_grid
from npquant.compression.rounding.rectified.activation_weights import activation_weights
from npquant.compression.rounding.rectified.layer import PASSES, RectifiedLayer, rectify_layer
from npquant.compression.rounding.rectified.layer_objective import PULL, LayerObjective, make_objective
from npquant.compression.rounding.rectified.quadratic_form import make_form
from npquant.compression.rounding.rectified.rounding_path import expected_rise, follow_path
from tests.compression.rounding.rectified.failing import fails

Float64 = NDArray[np.float64]
WIDTHS: tuple[Bits, ...] = (2, 3, 4, 8, "ternary")
SEEDS = st.integers(0, 2**32 - 1)
# Objectives are compared relative to Phi(0): R K products of 2^-53 each, and a thousand of them, are far below it.
NEAR = 1e-9


class Rectify(Protocol):
    """One layer's quantizer, right or wrong."""

    def __call__(
        self,
        x: ArrayLike,
        z: ArrayLike,
        w: ArrayLike,
        d2: ArrayLike,
        bits: Bits,
        *,
        pull: float = ...,
        passes: int = ...,
        scale: ArrayLike | None = ...,
    ) -> RectifiedLayer: ...


def drawn_problem(seed: int) -> tuple[Float64, Float64, Float64, Float64]:
    """Draw (x, z, w, d2) with dead, constant and duplicated inputs, R below and above K, saturated neurons."""
    rng = np.random.default_rng(seed)
    r, k, n = int(rng.integers(2, 60)), int(rng.integers(1, 24)), int(rng.integers(1, 7))
    x = rng.integers(0, 256, (r, k)) / 255 * (rng.random((r, k)) < rng.choice([0.3, 1.0]))
    kinds = rng.random(k)
    x[:, kinds < 0.15] = 0.0
    x[:, (kinds >= 0.15) & (kinds < 0.25)] = rng.random()
    if k > 2:
        x[:, -1] = x[:, 0]
    w = rng.normal(0, rng.choice([0.01, 1.0, 30.0]), (k, n))
    clean = x + rng.choice([0.0, 0.2]) * rng.normal(0, 1, x.shape)
    z = clean @ w + rng.normal(0, 1, n)
    d2 = activation_weights(
        str(rng.choice(["clipped_relu", "identity", "sigmoid", "softmax"])), z, float(rng.choice([0.0, 0.5, 3.0]))
    )
    return x, z, w, np.where(rng.random(n) < 0.1, 0.01, d2)


def weights_of(layer: RectifiedLayer) -> Float64:
    return np.asarray(layer.s, np.float64) * layer.q


def size(problem: LayerObjective) -> Float64:
    return problem.phi(np.zeros_like(problem.w))


def law_never_worse_than_nearest(rectify: Rectify, seed: int, bits: Bits) -> None:
    """Phi(q) <= Phi(w rounded to nearest as uniform quantization does), neuron by neuron; and phi is E6 of q."""
    x, z, w, d2 = drawn_problem(seed)
    layer, problem = rectify(x, z, w, d2, bits), make_objective(x, z, w, d2)
    params = choose_weight_params(w, bits, granularity="per_channel", weight_scale="auto")
    s = np.asarray(params.scale, np.float64)
    nearest = problem.phi(s * np.clip(np.rint(w / s), params.qmin, params.qmax))
    found = problem.phi(weights_of(layer))
    assert (found <= nearest + NEAR * size(problem)).all()
    np.testing.assert_array_less(np.abs(layer.phi - found), NEAR * size(problem) + 1e-300)
    np.testing.assert_array_less(np.abs(layer.phi_rtn - nearest), NEAR * size(problem) + 1e-300)


def law_within_its_bound(rectify: Rectify, seed: int, bits: Bits) -> None:
    """E13: Phi(q) <= Phi(s a) + s^2 sum h f (1 - f) at the scales it started from; the carried error is within Phi."""
    x, z, w, d2 = drawn_problem(seed)
    problem = make_objective(x, z, w, d2)
    s = np.asarray(choose_weight_params(w, bits, granularity="per_channel", weight_scale="mse").scale, np.float64)
    layer = rectify(x, z, w, d2, bits, scale=s)
    a = np.clip(make_form(problem).refit() / s, *weight_grid(bits))
    bound = problem.phi(s * a) + expected_rise(a, s, problem.hessian_diagonal())
    assert (problem.phi(weights_of(layer)) <= bound + NEAR * size(problem)).all()
    assert (layer.phi <= layer.bound + NEAR * size(problem)).all()
    assert (layer.carried <= layer.phi).all()
    u = problem.weighted_residual(weights_of(layer))
    assert np.allclose((u**2 / d2).sum(axis=0), layer.carried, rtol=0, atol=NEAR * float(size(problem).max()))


def law_down_or_up(rectify: Rectify, seed: int, bits: Bits) -> None:
    """E10, E12: a code is the floor or the ceiling of where its path started, or that of w rounded to nearest."""
    x, z, w, d2 = drawn_problem(seed)
    s = np.asarray(choose_weight_params(w, bits, granularity="per_channel", weight_scale="mse").scale, np.float64)
    layer = rectify(x, z, w, d2, bits, scale=s)
    q = layer.q.astype(np.float64)
    qmin, qmax = weight_grid(bits)
    v = make_form(make_objective(x, z, w, d2)).refit()
    a = np.where(layer.upper, np.clip(v / s, -qmax, -qmin), np.clip(v / s, qmin, qmax))
    between = ((q >= np.floor(a)) & (q <= np.ceil(a))).all(axis=0)
    nearest = (q == np.clip(np.rint(w / s), qmin, qmax)).all(axis=0)
    assert (between | nearest).all()


def law_bias_leaves_no_mean_error(rectify: Rectify, seed: int, bits: Bits) -> None:
    """E8: with the bias, the weighted mean of the error is 0."""
    x, z, w, d2 = drawn_problem(seed)
    layer = rectify(x, z, w, d2, bits)
    error = z - x @ weights_of(layer) - layer.bias
    # R + K terms of size |z| + |x| |v|, each rounded by 2^-53: a few units of 2^-46 of it for R, K < 64.
    scale = (np.abs(z) + np.abs(x) @ np.abs(weights_of(layer))).max(axis=0)
    assert (np.abs((d2 * error).sum(axis=0) / d2.sum(axis=0)) <= 2.0**-46 * scale).all()


def law_on_grid_comes_back(rectify: Rectify, seed: int, bits: Bits) -> None:
    """Weights on the grid, with targets that they give, come back: the same codes, exactly the same scale."""
    rng = np.random.default_rng(seed)
    x, _, w, d2 = drawn_problem(seed)
    qmin, qmax = weight_grid(bits)
    q = rng.integers(qmin, qmax + 1, w.shape)
    s = np.asarray(rng.uniform(0.01, 3, w.shape[1]), np.float32)
    on_grid = q * s.astype(np.float64)
    layer = rectify(x, x @ on_grid + 0.25, on_grid, d2, bits, scale=s)
    np.testing.assert_array_equal(layer.q, q)
    np.testing.assert_array_equal(layer.s, s)


PROMISES = [law_never_worse_than_nearest, law_within_its_bound, law_down_or_up, law_bias_leaves_no_mean_error]
PROMISES += [law_on_grid_comes_back]


@pytest.mark.parametrize("law", PROMISES)
@given(seed=SEEDS, bits=st.sampled_from(WIDTHS))
def test_rectify_layer_keeps_its_promises(law: Callable[[Rectify, int, Bits], None], seed: int, bits: Bits) -> None:
    """Never worse than nearest; within its bound; down or up; no mean error; the grid comes back."""
    law(rectify_layer, seed, bits)


Change = Callable[[RectifiedLayer, Float64, Float64, Bits], RectifiedLayer]


def changed(change: Change) -> Rectify:
    """Return a quantizer that does the right thing and spoils it."""

    def mutant(
        x: ArrayLike,
        z: ArrayLike,
        w: ArrayLike,
        d2: ArrayLike,
        bits: Bits,
        *,
        pull: float = PULL,
        passes: int = PASSES,
        scale: ArrayLike | None = None,
    ) -> RectifiedLayer:
        right = rectify_layer(x, z, w, d2, bits, pull=pull, passes=passes, scale=scale)
        return change(right, np.asarray(x), np.asarray(z), bits)

    return mutant


def without_fallback(
    x: ArrayLike,
    z: ArrayLike,
    w: ArrayLike,
    d2: ArrayLike,
    bits: Bits,
    *,
    pull: float = PULL,
    passes: int = PASSES,
    scale: ArrayLike | None = None,
) -> RectifiedLayer:
    """Follow the path from the refitted weights, and stop there."""
    problem = make_objective(x, z, w, d2, pull=pull)
    v = make_form(problem).refit()
    own = choose_weight_params(v, bits, granularity="per_channel", weight_scale="auto").scale
    s = np.asarray(own if scale is None else scale, np.float64)
    path = follow_path(problem, v, s, *weight_grid(bits), passes)
    right = rectify_layer(x, z, w, d2, bits, pull=pull, passes=passes, scale=scale)
    return replace(right, q=path.q.astype(np.int8), s=path.s.astype(np.float32), phi=path.phi, bound=path.bound)


def beyond_the_ceiling(layer: RectifiedLayer, x: Float64, z: Float64, bits: Bits) -> RectifiedLayer:
    """Take one code more than is right, or two less at the end of the grid."""
    qmin, qmax = weight_grid(bits)
    moved = np.clip(layer.q.astype(np.int64) + np.where(layer.q < qmax, 1, -2), qmin, qmax)
    return replace(layer, q=moved.astype(np.int8))


def plain_mean(layer: RectifiedLayer, x: Float64, z: Float64, bits: Bits) -> RectifiedLayer:
    """Take the plain mean for the bias in place of the weighted one."""
    return replace(layer, bias=(z - x @ weights_of(layer)).mean(axis=0))


def drifting_scale(layer: RectifiedLayer, x: Float64, z: Float64, bits: Bits) -> RectifiedLayer:
    """Rescale by a part in a million more than is best."""
    return replace(layer, s=(layer.s * np.float32(1 + 1e-6)).astype(np.float32))


@pytest.mark.parametrize(
    ("law", "mutant"),
    [
        (law_never_worse_than_nearest, without_fallback),
        (law_never_worse_than_nearest, changed(beyond_the_ceiling)),
        (law_within_its_bound, changed(beyond_the_ceiling)),
        (law_down_or_up, changed(beyond_the_ceiling)),
        (law_bias_leaves_no_mean_error, changed(plain_mean)),
        (law_on_grid_comes_back, changed(drifting_scale)),
    ],
)
def test_rectify_layer_laws_kill(law: Callable[[Rectify, int, Bits], None], mutant: Rectify) -> None:
    """No fallback, a code beyond the ceiling, an unweighted bias and a drifting scale are caught within 200 draws."""
    assert any(fails(law, mutant, seed, bits) for seed in range(200) for bits in (2, "ternary"))


BAD: list[tuple[dict[str, object], str]] = [
    ({"x": np.full((3, 2), np.nan)}, "NaN"),
    ({"z": np.full((3, 1), np.inf)}, "NaN or infinity"),
    ({"z": np.zeros((2, 1))}, "shapes"),
    ({"x": np.zeros((0, 2)), "z": np.zeros((0, 1)), "d2": np.ones((0, 1))}, "at least one row"),
    ({"d2": np.zeros((3, 1))}, "d2 must be > 0"),
    ({"bits": 9}, "2..8"),
    ({"pull": -1.0}, "pull"),
    ({"passes": 0}, "passes"),
    ({"scale": [0.0]}, "scale"),
]


@pytest.mark.parametrize(("bad", "text"), BAD)
def test_rectify_layer_refuses(bad: dict[str, object], text: str) -> None:
    """NaN, wrong shapes, no rows, weights of 0, unknown widths and scales of 0 are errors that say so."""
    good: dict[str, object] = {"x": np.ones((3, 2)), "z": np.ones((3, 1)), "w": np.ones((2, 1)), "d2": np.ones((3, 1))}
    with pytest.raises(ValueError, match=text):
        rectify_layer(**{**good, "bits": 4, **bad})
