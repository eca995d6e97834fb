"""Laws of GPTQ: slower definitions give the same codes."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.gpfq import gpfq_layer
from npquant.compression.rounding.gptq import gptq_layer, resolve_weights
from npquant.compression.rounding.nearest import nearest_layer
from npquant.compression.rounding.rounding_grid import choose_rounding_grid
from tests.compression.rounding.drawn_layers import drawn_layer, output_error

Float64 = NDArray[np.float64]
Rounding = Callable[[LayerProblem, Bits], LayerCodes]
SEEDS = st.integers(0, 2**32 - 1)
WIDTHS = st.sampled_from([2, 3, 4, "ternary"])
EPS = float(np.finfo(np.float64).eps)


def hessian_by_hand(x: Float64, damping: float) -> Float64:
    xc = x - x.mean(axis=0)
    total = sum((np.outer(row, row) for row in xc), np.zeros((x.shape[1], x.shape[1])))
    return np.asarray(total + damping * np.trace(total) / len(total) * np.eye(len(total)))


def law_gptq_inverts_at_every_step(rounding: Rounding, seed: int, bits: Bits) -> None:
    """E16 is equations 2 and 3 of the paper as they stand: the Hessian of the weights left, inverted at every step."""
    problem = drawn_layer(seed)
    grid = choose_rounding_grid(problem.w, bits)
    hessian = hessian_by_hand(problem.x, 0.05)
    w, q = problem.w.copy(), np.empty_like(problem.w)
    for k in range(len(w)):
        inverse = np.linalg.inv(hessian[k:, k:])
        q[k] = grid.nearest(w[k])
        w[k:] -= np.outer(inverse[0], (w[k] - grid.s * q[k]) / inverse[0, 0])
    np.testing.assert_array_equal(rounding(problem, bits).w_q, q)


def law_gptq_solves_anew(rounding: Rounding, seed: int, bits: Bits) -> None:
    """After each rounding the weights left are those of least damped error, solved anew with the rounded ones fixed.

    Damping holds them to where they were: rest = argmin |xc (w - w')|^2 + d |w - w'|^2.
    """
    problem = drawn_layer(seed)
    grid = choose_rounding_grid(problem.w, bits)
    xc = problem.x - problem.x.mean(axis=0)
    d = 0.05 * float(np.square(xc).sum()) / xc.shape[1]
    system = np.vstack([xc, np.sqrt(d) * np.eye(xc.shape[1])])
    fixed, q = problem.w.copy(), np.empty_like(problem.w)
    for k in range(len(fixed)):
        q[k] = grid.nearest(fixed[k])
        fixed[k] = grid.s * q[k]
        missing = system @ problem.w - system[:, : k + 1] @ fixed[: k + 1]
        fixed[k + 1 :] = np.linalg.lstsq(system[:, k + 1 :], missing)[0]
    np.testing.assert_array_equal(rounding(problem, bits).w_q, q)


@given(seed=SEEDS, bits=WIDTHS)
def test_gptq_layer_inverts_at_every_step(seed: int, bits: Bits) -> None:
    """The factorization is a short cut for an inverse at every step."""
    law_gptq_inverts_at_every_step(partial(gptq_layer, damping=0.05), seed, bits)


@given(seed=SEEDS, bits=WIDTHS)
def test_gptq_layer_solves_anew(seed: int, bits: Bits) -> None:
    """The factorization is a short cut for least squares at every step."""
    law_gptq_solves_anew(partial(gptq_layer, damping=0.05), seed, bits)


def law_shifts_of_inputs_change_nothing(rounding: Rounding, seed: int, bits: Bits) -> None:
    """The bias is free, so inputs and targets that are moved by constants give the same codes and scales."""
    problem = drawn_layer(seed)
    moved = LayerProblem(problem.w, problem.b, problem.x + 2.0, problem.z - 3.0, "clipped_relu", 0, False)
    one, other = rounding(problem, bits), rounding(moved, bits)
    np.testing.assert_array_equal(one.w_q, other.w_q)
    np.testing.assert_allclose(one.w.scale, other.w.scale, rtol=2.0**-20)


@given(seed=SEEDS, bits=WIDTHS)
def test_gptq_layer_is_centred(seed: int, bits: Bits) -> None:
    """The Hessian is that of a layer whose bias is corrected."""
    law_shifts_of_inputs_change_nothing(gptq_layer, seed, bits)


def uncentred(problem: LayerProblem, bits: Bits) -> LayerCodes:
    """Use x^T x, as the paper does, for layers without a free bias: both signs of every row have mean 0."""
    both = LayerProblem(
        problem.w, problem.b, np.vstack([problem.x, -problem.x]), np.vstack([problem.z] * 2), "identity", 0, True
    )
    return gptq_layer(both, bits)


@given(seed=SEEDS)
def test_gptq_layer_orders_by_energy(seed: int) -> None:
    """Inputs put into order by hand, rounded, and put back."""
    problem = drawn_layer(seed)
    at = np.argsort(-problem.x.var(axis=0), kind="stable")
    sorted_by_hand = LayerProblem(problem.w[at], problem.b, problem.x[:, at], problem.z, "clipped_relu", 0, False)
    natural = gptq_layer(sorted_by_hand, 3)
    ordered = gptq_layer(problem, 3, order="energy")
    np.testing.assert_array_equal(ordered.w_q[at], natural.w_q)


@given(seed=SEEDS, bits=WIDTHS)
def test_gptq_layer_with_endless_damping_is_nearest(seed: int, bits: Bits) -> None:
    """Where every weight is held to itself, an error moves none."""
    problem = drawn_layer(seed)
    np.testing.assert_array_equal(gptq_layer(problem, bits, damping=1e15).w_q, nearest_layer(problem, bits).w_q)


def law_re_solving_is_least_squares(resolve: Callable[[LayerProblem], Float64], seed: int) -> None:
    """E18 is np.linalg.lstsq of rows and pull in one system.

    Its condition number is at most 1 + trace(xc^T xc) / lam <= 1 + R / 0.3, and both ways err by K eps of it.
    """
    drawn = drawn_layer(seed)
    z = drawn.z + np.random.default_rng(seed).normal(0, 1, drawn.z.shape)
    problem = LayerProblem(drawn.w, drawn.b, drawn.x, z, "clipped_relu", 0, False)
    r, k = problem.x.shape
    lam = 0.3 * (k / r) * np.mean(np.square(problem.x).sum(axis=0)) + 1e-12 * r
    xc, zc = problem.x - problem.x.mean(axis=0), z - z.mean(axis=0)
    system = np.vstack([xc, np.sqrt(lam) * np.eye(k)])
    wanted = np.linalg.lstsq(system, np.vstack([zc, np.sqrt(lam) * problem.w]))[0]
    slack = 10 * k * EPS * (1 + r / 0.3) * np.abs(wanted).max()
    np.testing.assert_allclose(resolve(problem), wanted, rtol=0, atol=slack)


@given(seed=SEEDS)
def test_resolve_weights_is_least_squares(seed: int) -> None:
    """Normal equations and orthogonal factors agree."""
    law_re_solving_is_least_squares(resolve_weights, seed)


def law_re_solving_repairs_earlier_layers(rounding: Rounding, seed: int, bits: Bits) -> None:
    """Targets of other weights are followed: with 8 bits the error is near 0, however wrong w is."""
    problem = drawn_layer(seed)
    wrong = LayerProblem(0.8 * problem.w, problem.b, problem.x, problem.z, "clipped_relu", 0, False)
    spread = float(np.square(problem.z - problem.z.mean(axis=0)).sum())
    uncorrected = output_error(wrong, nearest_layer(wrong, 8, correction="none"))
    assert output_error(wrong, rounding(wrong, bits)) < min(0.05 * spread, uncorrected)


def test_gptq_layer_resolved_repairs_earlier_layers() -> None:
    """E18 moves the weights to where the targets are."""
    for seed in range(10):
        law_re_solving_repairs_earlier_layers(partial(gptq_layer, resolve=True), seed, 8)


@pytest.mark.parametrize(
    ("law", "mutant", "bits"),
    [
        (law_gptq_inverts_at_every_step, partial(gptq_layer, damping=0.5), 3),
        (law_gptq_inverts_at_every_step, gpfq_layer, 3),
        (law_gptq_inverts_at_every_step, nearest_layer, 3),
        (law_gptq_solves_anew, partial(gptq_layer, damping=0.5), 3),
        (law_gptq_solves_anew, partial(gptq_layer, damping=0.05, order="energy"), 3),
        (law_shifts_of_inputs_change_nothing, uncentred, 3),
        (law_re_solving_repairs_earlier_layers, partial(nearest_layer, correction="none"), 8),
    ],
)
def test_gptq_laws_kill(law: Callable[[Rounding, int, Bits], None], mutant: Rounding, bits: Bits) -> None:
    """Each law catches another method, or the same one with another setting."""
    with pytest.raises(AssertionError):
        for seed in range(20):
            law(mutant, seed, bits)


def test_resolve_weights_is_least_squares_kills() -> None:
    """Weights as they were are seen."""
    with pytest.raises(AssertionError):
        law_re_solving_is_least_squares(lambda problem: problem.w, 0)
