"""Laws of rectified rounding on one layer: what changes when the problem is scaled, shifted, permuted or negated."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.chain.weight_codes import Bits, choose_weight_params, weight_grid
from npquant.compression.rounding.rectified import layer as rectified_layer
from npquant.compression.rounding.rectified.activation_weights import activation_weights
from npquant.compression.rounding.rectified.layer import PASSES, RectifiedLayer, rectify_layer
from npquant.compression.rounding.rectified.layer_objective import PULL

Float64 = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
WIDTHS: tuple[Bits, ...] = (2, 3, 4, "ternary")


class Problem:
    """One drawn layer, with scales to start from: given scales keep drawn cases off ties."""

    def __init__(self, seed: int, bits: Bits) -> None:
        rng = np.random.default_rng(seed)
        r, k, n = int(rng.integers(3, 50)), int(rng.integers(1, 20)), int(rng.integers(1, 6))
        self.rng, self.bits = rng, bits
        self.x = rng.integers(0, 256, (r, k)) / 255.0
        self.x[:, rng.random(k) < 0.15] = 0.0
        self.w = rng.normal(0, 1, (k, n))
        self.z = (self.x + 0.1 * rng.normal(0, 1, (r, k))) @ self.w + rng.normal(0, 1, n)
        self.d2 = activation_weights("clipped_relu", self.z, 0.3)
        params = choose_weight_params(self.w, bits, granularity="per_channel", weight_scale="mse")
        self.s = np.asarray(params.scale, np.float64)


Solve = Callable[..., RectifiedLayer]


def law_scales_with_the_layer(solve: Solve, p: Problem) -> None:
    """w, b, s, Z times 4: the same codes, exactly four times the scale."""
    one = solve(p.x, p.z, p.w, p.d2, p.bits, scale=p.s)
    two = solve(p.x, 4 * p.z, 4 * p.w, p.d2, p.bits, scale=4 * p.s)
    np.testing.assert_array_equal(two.q, one.q)
    np.testing.assert_array_equal(two.s, 4 * one.s)


def law_knows_no_unit_of_weight(solve: Solve, p: Problem) -> None:
    """D2 times 4: the same codes and scales."""
    one = solve(p.x, p.z, p.w, p.d2, p.bits, scale=p.s)
    two = solve(p.x, p.z, p.w, 4 * p.d2, p.bits, scale=p.s)
    np.testing.assert_array_equal(two.q, one.q)
    np.testing.assert_array_equal(two.s, one.s)


def law_the_mean_is_free(solve: Solve, p: Problem) -> None:
    """Z plus a constant a neuron: the same codes, the bias moves by the constant."""
    shift = p.rng.integers(-8, 9, p.w.shape[1]) * 0.5
    one = solve(p.x, p.z, p.w, p.d2, p.bits, scale=p.s)
    two = solve(p.x, p.z + shift, p.w, p.d2, p.bits, scale=p.s)
    np.testing.assert_array_equal(two.q, one.q)
    # The scale is the nearest float32 to what sums of another size give: one unit of 2^-23, times |x| |q| < 2^12.
    assert np.abs(two.bias - one.bias - shift).max() <= 2.0**-11 * float(one.s.max())


def law_neurons_never_meet(solve: Solve, p: Problem) -> None:
    """A selection of neurons in another order has its own codes."""
    order = p.rng.permutation(p.w.shape[1])[: int(p.rng.integers(1, p.w.shape[1] + 1))]
    one = solve(p.x, p.z, p.w, p.d2, p.bits, scale=p.s)
    two = solve(p.x, p.z[:, order], p.w[:, order], p.d2[:, order], p.bits, scale=p.s[order])
    np.testing.assert_array_equal(two.q, one.q[:, order])


def law_rows_have_no_order(solve: Solve, p: Problem) -> None:
    """Calibration rows in another order: the same codes."""
    order = p.rng.permutation(len(p.x))
    one = solve(p.x, p.z, p.w, p.d2, p.bits, scale=p.s)
    two = solve(p.x[order], p.z[order], p.w, p.d2[order], p.bits, scale=p.s)
    np.testing.assert_array_equal(two.q, one.q)


def law_rows_count_twice(solve: Solve, p: Problem) -> None:
    """Every row twice: the same codes, since the pull of E4 is a share of sums over rows."""
    one = solve(p.x, p.z, p.w, p.d2, p.bits, scale=p.s)
    twice = (np.concatenate([part, part]) for part in (p.x, p.z, p.d2))
    x, z, d2 = twice
    two = solve(x, z, p.w, d2, p.bits, scale=p.s)
    np.testing.assert_array_equal(two.q, one.q)


def law_ternary_has_no_sign(solve: Solve, p: Problem) -> None:
    """Ternary: -w, -Z give -q and the same scale."""
    one = solve(p.x, p.z, p.w, p.d2, "ternary", scale=p.s)
    two = solve(p.x, -p.z, -p.w, p.d2, "ternary", scale=p.s)
    np.testing.assert_array_equal(two.q, -one.q)
    np.testing.assert_array_equal(two.s, one.s)


def nearest(p: Problem) -> NDArray[np.float64]:
    return np.clip(np.rint(p.w / p.s), *weight_grid(p.bits))


def law_a_strong_pull_is_nearest(solve: Solve, p: Problem) -> None:
    """One pass, lam -> infinity: w rounded to nearest."""
    p.bits = 3 if p.bits == 2 else p.bits  # at 2 bits the side may change
    np.testing.assert_array_equal(solve(p.x, p.z, p.w, p.d2, p.bits, scale=p.s, passes=1, pull=1e15).q, nearest(p))


def law_one_input_is_nearest(solve: Solve, p: Problem) -> None:
    """One pass, one input, targets that w gives: w rounded to nearest."""
    p.bits = 3 if p.bits == 2 else p.bits
    p.x, p.w = p.x[:, :1], p.w[:1]
    np.testing.assert_array_equal(solve(p.x, p.x @ p.w, p.w, p.d2, p.bits, scale=p.s, passes=1).q, nearest(p))


def law_a_dead_input_is_nearest(solve: Solve, p: Problem) -> None:
    """One pass, inputs that are 0 on all rows: their weights rounded to nearest."""
    p.bits = 3 if p.bits == 2 else p.bits
    p.x[:, ::2] = 0.0
    found = solve(p.x, p.z, p.w, p.d2, p.bits, scale=p.s, passes=1).q
    np.testing.assert_array_equal(found[::2], nearest(p)[::2])


LAWS = [
    law_scales_with_the_layer,
    law_knows_no_unit_of_weight,
    law_the_mean_is_free,
    law_neurons_never_meet,
    law_rows_have_no_order,
    law_rows_count_twice,
    law_ternary_has_no_sign,
    law_a_strong_pull_is_nearest,
    law_one_input_is_nearest,
    law_a_dead_input_is_nearest,
]


@pytest.mark.parametrize("law", LAWS)
@given(seed=SEEDS, bits=st.sampled_from(WIDTHS))
def test_rectify_layer_is_equivariant(law: Callable[[Solve, Problem], None], seed: int, bits: Bits) -> None:
    """Scaling, shifting, selecting, permuting, doubling and negating do what they must; limits are nearest."""
    law(rectify_layer, Problem(seed, bits))


def many_starts(
    x: Any, z: Any, w: Any, d2: Any, bits: Any, *, pull: Any = PULL, passes: Any = PASSES, scale: Any = None
) -> Any:
    """Start from three scales."""
    shares = (1.0, 0.75, 1.25)
    return rectify_layer(x, z, w, d2, bits, pull=pull, passes=passes, scale=scale, start_scales=shares)


@pytest.mark.parametrize("law", LAWS[:7])
@given(seed=SEEDS, bits=st.sampled_from(WIDTHS))
@settings(max_examples=25)
def test_many_starts_are_equivariant(law: Callable[[Solve, Problem], None], seed: int, bits: Bits) -> None:
    """The choice of a start follows every change that the problem itself follows."""
    law(many_starts, Problem(seed, bits))


@pytest.mark.parametrize("law", LAWS[:7])
@given(seed=SEEDS, bits=st.sampled_from(WIDTHS))
@settings(max_examples=25)
def test_wide_route_is_equivariant(law: Callable[[Solve, Problem], None], seed: int, bits: Bits) -> None:
    """The route of layers with many inputs keeps the same laws; its scales move, so that no limit is nearest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rectified_layer, "FEW_INPUTS", 0)
        law(rectify_layer, Problem(seed, bits))
        law(many_starts, Problem(seed, bits))


@pytest.mark.parametrize("few", [0, 64])
def test_rectify_layer_has_no_unit(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """z, w and s times 4^p, and d2 times 4^p: the same codes, exactly those scales, whatever the power."""
    monkeypatch.setattr(rectified_layer, "FEW_INPUTS", few)
    for seed in range(20):
        p = Problem(seed, 3)
        one = rectify_layer(p.x, p.z, p.w, p.d2, 3, scale=p.s)
        for unit in (4.0**-6, 4.0**5):
            two = rectify_layer(p.x, unit * p.z, unit * p.w, p.d2, 3, scale=unit * p.s)
            three = rectify_layer(p.x, p.z, p.w, unit * p.d2, 3, scale=p.s)
            for other, factor in ((two, unit), (three, 1.0)):
                np.testing.assert_array_equal(other.q, one.q)
                np.testing.assert_array_equal(other.s, np.float32(factor) * one.s)


@pytest.mark.parametrize("few", [0, 64])
def test_rectify_layer_slices_are_invisible(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of two neurons give what one slice gives, apart from last bits of Phi."""
    p = Problem(5, 3)
    w, z, s = np.tile(p.w, 3), np.tile(p.z, 3), np.tile(p.s, 3)
    d2 = np.tile(p.d2, 3)
    monkeypatch.setattr(rectified_layer, "FEW_INPUTS", few)
    whole = rectify_layer(p.x, z, w, d2, 3, scale=s)
    monkeypatch.setattr(rectified_layer, "SLICE_COVARIANCES", 2 * len(w) ** 2)
    monkeypatch.setattr(rectified_layer, "SLICE", 2)
    parts = rectify_layer(p.x, z, w, d2, 3, scale=s)
    np.testing.assert_array_equal(parts.q, whole.q)
    np.testing.assert_array_equal(parts.s, whole.s)


# ---------------------------------------------------------------------------------------------------------- mutants


def absolute_pull(
    x: Any, z: Any, w: Any, d2: Any, bits: Any, *, pull: Any = PULL, passes: Any = PASSES, scale: Any = None
) -> Any:
    """A pull that does not shrink with the weights of errors: lam of d2 = 1."""
    share = float(np.mean(d2))
    return rectify_layer(x, z, w, d2, bits, pull=pull / share, passes=passes, scale=scale)


def pull_without_rows(
    x: Any, z: Any, w: Any, d2: Any, bits: Any, *, pull: Any = PULL, passes: Any = PASSES, scale: Any = None
) -> Any:
    """A pull that does not know how many rows there are."""
    return rectify_layer(x, z, w, d2, bits, pull=pull * len(x), passes=passes, scale=scale)


def uncentred(
    x: Any, z: Any, w: Any, d2: Any, bits: Any, *, pull: Any = PULL, passes: Any = PASSES, scale: Any = None
) -> Any:
    """The mean is not free: a row of zeros that weighs as much as all others holds it."""
    x, z, d2 = np.asarray(x), np.asarray(z), np.asarray(d2)
    anchored = np.vstack([x, 0 * x[:1]]), np.vstack([z, 0 * z[:1]]), np.vstack([d2, d2.sum(axis=0)])
    return rectify_layer(anchored[0], anchored[1], w, anchored[2], bits, pull=pull, passes=passes, scale=scale)


def order_matters(
    x: Any, z: Any, w: Any, d2: Any, bits: Any, *, pull: Any = PULL, passes: Any = PASSES, scale: Any = None
) -> Any:
    """Only the first half of the rows counts."""
    half = max(len(x) // 2, 2)
    return rectify_layer(x[:half], z[:half], w, d2[:half], bits, pull=pull, passes=passes, scale=scale)


def neurons_share(
    x: Any, z: Any, w: Any, d2: Any, bits: Any, *, pull: Any = PULL, passes: Any = PASSES, scale: Any = None
) -> Any:
    """All neurons get the weights of the mean neuron."""
    shared = np.repeat(np.mean(d2, axis=1, keepdims=True), w.shape[1], axis=1)
    return rectify_layer(x, z, w, shared, bits, pull=pull, passes=passes, scale=scale)


def rounds_up(
    x: Any, z: Any, w: Any, d2: Any, bits: Any, *, pull: Any = PULL, passes: Any = PASSES, scale: Any = None
) -> Any:
    """Every code one step up, where there is one."""
    layer = rectify_layer(x, z, w, d2, bits, pull=pull, passes=passes, scale=scale)
    return replace(layer, q=np.minimum(layer.q + 1, weight_grid(bits)[1]).astype(np.int8))


def fixed_step(
    x: Any, z: Any, w: Any, d2: Any, bits: Any, *, pull: Any = PULL, passes: Any = PASSES, scale: Any = None
) -> Any:
    """Scales rounded to a fixed grid of 1/64."""
    s = np.maximum(np.rint(np.asarray(scale) * 64), 1) / 64
    return rectify_layer(x, z, w, d2, bits, pull=pull, passes=passes, scale=s)


@pytest.mark.parametrize(
    ("law", "mutant"),
    [
        (law_scales_with_the_layer, fixed_step),
        (law_knows_no_unit_of_weight, absolute_pull),
        (law_the_mean_is_free, uncentred),
        (law_neurons_never_meet, neurons_share),
        (law_rows_have_no_order, order_matters),
        (law_rows_count_twice, pull_without_rows),
        (law_ternary_has_no_sign, rounds_up),
        (law_a_strong_pull_is_nearest, rounds_up),
        (law_one_input_is_nearest, rounds_up),
        (law_a_dead_input_is_nearest, rounds_up),
    ],
)
def test_rectify_layer_equivariance_kills(law: Callable[[Solve, Problem], None], mutant: Solve) -> None:
    """Each law catches its own wrong implementation within 60 draws."""
    caught = 0
    for seed in range(60):
        try:
            law(mutant, Problem(seed, 3))
        except AssertionError:
            caught += 1
    assert caught
