"""Laws of the peers: each does what its paper says, shown by slower definitions."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.adaround import adaround
from npquant.compression.integer_chain import LayerCodes, LayerProblem
from npquant.compression.peers import (
    gpfq,
    gptq,
    gptq_resolved,
    rescaled_by_least_squares,
    round_to_nearest,
    round_to_nearest_rescaled,
)
from npquant.compression.uniform import Bits, choose_weight_params
from npquant.kernels.affine import quantize

Float64 = NDArray[np.float64]
Rounding = Callable[[LayerProblem, Bits], LayerCodes]
SEEDS = st.integers(0, 2**32 - 1)
LEARNED = partial(adaround, steps=200, learning_rate=0.03, rng=0)
ALL: dict[str, Rounding] = {
    "nearest rescaled": round_to_nearest_rescaled,
    "gptq": partial(gptq, damping=0.01),
    "gptq resolved": partial(gptq_resolved, damping=0.1),
    "gpfq": gpfq,
    "adaround": LEARNED,
}


def drawn_layer(seed: int) -> LayerProblem:
    """Draw a layer with correlated inputs, one of them dead."""
    rng = np.random.default_rng(seed)
    r, k, n = int(rng.integers(30, 60)), int(rng.integers(2, 14)), int(rng.integers(1, 5))
    x = np.abs(rng.normal(0, 1, (r, 3)) @ rng.normal(0, 1, (3, k)) + 0.3 * rng.normal(0, 1, (r, k)))
    x[:, 0] = 0.0
    w, b = rng.normal(0, 1, (k, n)), rng.normal(0, 1, n)
    return LayerProblem(w, b, x, x @ w + b, "clipped_relu", 0, False)


def output_error(problem: LayerProblem, codes: LayerCodes) -> float:
    y = problem.x @ (codes.w_q * np.asarray(codes.w.scale, np.float64)) + codes.bias
    return float(np.square(problem.z - y).sum())


def law_scale_and_bias_are_least_squares(rounding: Rounding, seed: int, bits: Bits) -> None:
    """E15: at its codes no other scale or bias near has less squared error, where the best scale is positive."""
    problem = drawn_layer(seed)
    codes = rounding(problem, bits)
    y = problem.x @ codes.w_q.astype(np.float64)
    scale = np.asarray(codes.w.scale, np.float64)
    yc, zc = y - y.mean(axis=0), problem.z - problem.z.mean(axis=0)
    # Normal equations; the scale is a float32, so the residual is orthogonal up to 2^-24 of the product.
    fits = (yc * zc).sum(axis=0) > 1e-9
    slack = 2.0**-22 * scale * np.square(yc).sum(axis=0) + 1e-9
    assert (np.abs((yc * (zc - scale * yc)).sum(axis=0)) <= slack)[fits].all()
    np.testing.assert_allclose(codes.bias, (problem.z - scale * y).mean(axis=0), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", list(ALL))
def test_peers_scale_and_bias_are_least_squares(name: str) -> None:
    """E15 ends every peer but plain rounding."""
    for seed in range(8):
        law_scale_and_bias_are_least_squares(ALL[name], seed, 3)


def law_gptq_is_brute_force(rounding: Rounding, seed: int, bits: Bits) -> None:
    """E16: after each rounding the weights left are those of least damped error, solved anew without a factorization.

    Damping holds them to where they were: rest = argmin |xc (w - w')|^2 + d |w - w'|^2 with the rounded ones fixed.
    """
    problem = drawn_layer(seed)
    params = choose_weight_params(problem.w, bits, granularity="per_channel", weight_scale="auto")
    s = np.asarray(params.scale, np.float64)
    xc = problem.x - problem.x.mean(axis=0)
    hessian = xc.T @ xc
    hessian += 0.05 * np.trace(hessian) / len(hessian) * np.eye(len(hessian))
    fixed, q = problem.w.copy(), np.empty_like(problem.w)
    for k in range(len(fixed)):
        q[k] = quantize(fixed[k], params)
        fixed[k] = s * q[k]
        done, left = slice(0, k + 1), slice(k + 1, None)
        lost = problem.w[done] - fixed[done]
        fixed[left] = problem.w[left] + np.linalg.lstsq(hessian[left, left], hessian[left, done] @ lost)[0]
    np.testing.assert_array_equal(rounding(problem, bits).w_q, q)


@given(seed=SEEDS, bits=st.sampled_from([2, 3, 4, "ternary"]))
def test_gptq_is_brute_force(seed: int, bits: Bits) -> None:
    """The factorization is a short cut for solving anew after each step."""
    law_gptq_is_brute_force(partial(gptq, damping=0.05), seed, bits)


def law_gpfq_is_greedy(rounding: Rounding, seed: int, bits: Bits) -> None:
    """E17: each code is, of all codes, one with the least error so far."""
    problem = drawn_layer(seed)
    codes = rounding(problem, bits).w_q
    params = choose_weight_params(problem.w, bits, granularity="per_channel", weight_scale="auto")
    s = np.asarray(params.scale, np.float64)
    u = np.zeros_like(problem.z)
    for k, x in enumerate(problem.x.T):
        errors = []
        for code in range(params.qmin, params.qmax + 1):
            errors.append(np.square(u + np.outer(x, problem.w[k] - s * code)).sum(axis=0))
        best = np.min(errors, axis=0)
        u = u + np.outer(x, problem.w[k] - s * codes[k])
        assert (np.square(u).sum(axis=0) <= best * (1 + 2.0**-30) + 1e-12).all()


@given(seed=SEEDS, bits=st.sampled_from([2, 3, "ternary"]))
def test_gpfq_is_greedy(seed: int, bits: Bits) -> None:
    """No other code at any step has less error."""
    law_gpfq_is_greedy(gpfq, seed, bits)


def law_re_solving_repairs_earlier_layers(rounding: Rounding, seed: int, bits: Bits) -> None:
    """Targets of other weights are followed: with 8 bits the error is near 0, however wrong w is."""
    problem = drawn_layer(seed)
    wanted = LayerProblem(0.8 * problem.w, problem.b, problem.x, problem.z, "clipped_relu", 0, False)
    spread = float(np.square(problem.z - problem.z.mean(axis=0)).sum())
    wrong = output_error(wanted, round_to_nearest(wanted, 8)) / spread
    assert output_error(wanted, rounding(wanted, bits)) / spread < min(0.05, wrong)


def test_gptq_resolved_repairs_earlier_layers() -> None:
    """E18 moves the weights to where the targets are."""
    for seed in range(10):
        law_re_solving_repairs_earlier_layers(partial(gptq_resolved, damping=0.01), seed, 8)


def law_adaround_goes_down_or_up(rounding: Rounding, seed: int, bits: Bits) -> None:
    """E19: a code is the floor or the ceiling of w / s; the error is below nearest rounding's on most layers."""
    better = 0
    for i in range(8):
        problem = drawn_layer(seed + i)
        codes = rounding(problem, bits)
        params = choose_weight_params(problem.w, bits, granularity="per_channel", weight_scale="auto")
        a = problem.w / np.asarray(params.scale, np.float64)
        between = [np.clip(part, params.qmin, params.qmax) for part in (np.floor(a), np.floor(a) + 1)]
        assert ((codes.w_q == between[0]) | (codes.w_q == between[1])).all()
        ours, nearest = (
            np.square(np.clip(problem.z, 0, 1) - np.clip(problem.x @ v + b, 0, 1)).sum()
            for v, b in (
                (c.w_q * np.asarray(c.w.scale, np.float64), c.bias)
                for c in (codes, round_to_nearest_rescaled(problem, bits))
            )
        )
        better += bool(ours <= nearest)
    assert better >= 5


def test_adaround_goes_down_or_up() -> None:
    """Learned directions, and no others; repeated with the same seed, the same codes."""
    law_adaround_goes_down_or_up(LEARNED, 0, 3)
    problem = drawn_layer(0)
    np.testing.assert_array_equal(LEARNED(problem, 3).w_q, LEARNED(problem, 3).w_q)


def unscaled(problem: LayerProblem, bits: Bits) -> LayerCodes:
    """Round to nearest, and leave it at that."""
    return round_to_nearest(problem, bits)


def beyond(problem: LayerProblem, bits: Bits) -> LayerCodes:
    """Round everything two steps too low."""
    codes = round_to_nearest(problem, bits)
    return LayerCodes(np.maximum(codes.w_q - 2, codes.w.qmin).astype(np.int8), codes.w, codes.bias)


@pytest.mark.parametrize(
    ("law", "mutant", "bits"),
    [
        (law_scale_and_bias_are_least_squares, unscaled, 3),
        (law_gptq_is_brute_force, partial(gptq, damping=0.5), 3),
        (law_gptq_is_brute_force, gpfq, 3),
        (law_gpfq_is_greedy, partial(gptq, damping=0.01), 3),
        (law_re_solving_repairs_earlier_layers, unscaled, 8),
        (law_adaround_goes_down_or_up, beyond, 3),
    ],
)
def test_peers_laws_kill(law: Callable[[Rounding, int, Bits], None], mutant: Rounding, bits: Bits) -> None:
    """Each law catches another method, or the same one with another setting."""
    caught = 0
    for seed in range(20):
        try:
            law(mutant, seed, bits)
        except AssertionError:
            caught += 1
    assert caught


def test_rescaled_by_least_squares_keeps_a_scale_that_has_no_better() -> None:
    """No codes, and codes of the wrong sign, keep the scale that they came with."""
    problem = drawn_layer(1)
    params = choose_weight_params(problem.w, 3, granularity="per_channel", weight_scale="auto")
    for q in (np.zeros_like(problem.w), -np.sign(problem.w)):
        codes = rescaled_by_least_squares(problem, q, params)
        assert (np.asarray(codes.w.scale) > 0).all()
    np.testing.assert_array_equal(rescaled_by_least_squares(problem, 0 * problem.w, params).w.scale, params.scale)
