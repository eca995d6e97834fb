"""Laws of GPFQ: no other code at any step would have left less error."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.gpfq import gpfq_layer
from npquant.compression.rounding.gptq import gptq_layer
from npquant.compression.rounding.nearest import nearest_layer
from npquant.compression.rounding.rounding_grid import choose_rounding_grid
from tests.compression.rounding.drawn_layers import drawn_layer

Float64 = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
EPS = float(np.finfo(np.float64).eps)
WithFloat = Callable[[LayerProblem, Bits, Float64], LayerCodes]


def greedy(problem: LayerProblem, bits: Bits, x_float: Float64) -> LayerCodes:
    return gpfq_layer(replace(problem, x_float=lambda: x_float), bits)


def law_gpfq_is_greedy(rounding: WithFloat, seed: int, bits: Bits) -> None:
    """E17: each code is, of all codes of the grid tried one by one, one with the least centred error so far.

    Two codes whose errors differ by the rounding of a sum over R rows are alike.
    """
    problem = drawn_layer(seed)
    x_float = problem.x + np.random.default_rng(seed).normal(0, 0.3, problem.x.shape)
    codes = rounding(problem, bits, x_float).w_q
    grid = choose_rounding_grid(problem.w, bits)
    xc, fc = problem.x - problem.x.mean(axis=0), x_float - x_float.mean(axis=0)
    u = np.zeros_like(problem.z)
    for k in range(len(codes)):
        u = u + np.outer(fc[:, k], problem.w[k])
        tried = np.arange(grid.lo.min(), grid.hi.max() + 1)
        errors = [np.square(u - np.outer(xc[:, k], grid.s * code)).sum(axis=0) for code in tried]
        u = u - np.outer(xc[:, k], grid.s * codes[k])
        assert (np.square(u).sum(axis=0) <= np.min(errors, axis=0) * (1 + 100 * len(u) * EPS)).all()


@given(seed=SEEDS, bits=st.sampled_from([2, 3, "ternary"]))
def test_gpfq_layer_is_greedy(seed: int, bits: Bits) -> None:
    """No other code at any step has less error."""
    law_gpfq_is_greedy(greedy, seed, bits)


def test_gpfq_layer_is_greedy_kills() -> None:
    """Nearest rounding, GPTQ, and GPFQ that knows only the delivered inputs are seen."""
    mutants: list[WithFloat] = [
        lambda problem, bits, x_float: nearest_layer(problem, bits),
        lambda problem, bits, x_float: gptq_layer(problem, bits),
        lambda problem, bits, x_float: gpfq_layer(problem, bits),
    ]
    for mutant in mutants:
        with pytest.raises(AssertionError):
            for seed in range(20):
                law_gpfq_is_greedy(mutant, seed, 3)


@given(seed=SEEDS)
def test_gpfq_layer_is_centred(seed: int) -> None:
    """The bias is free: inputs that are moved by constants, each kind by its own, give the same codes."""
    problem = drawn_layer(seed)
    moved = LayerProblem(problem.w, problem.b, problem.x + 2.0, problem.z, "clipped_relu", 0, False)
    np.testing.assert_array_equal(greedy(problem, 3, problem.x).w_q, greedy(moved, 3, problem.x - 5.0).w_q)


def test_gpfq_layer_rounds_inputs_that_do_not_vary_to_nearest() -> None:
    """There is nothing to cancel with."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(3, 4))
    for x in (np.ones((1, 3)), np.full((5, 3), 2.0)):
        problem = LayerProblem(w, np.zeros(4), x, x @ w, "identity", 0, True)
        np.testing.assert_array_equal(gpfq_layer(problem, 3).w_q, nearest_layer(problem, 3).w_q)
