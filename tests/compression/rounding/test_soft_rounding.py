"""Laws of soft rounding: its gradient is that of the loss, and it starts at the weights."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.rounding_grid import choose_rounding_grid
from npquant.compression.rounding.soft_rounding import soft_rounding_gradient, soft_rounding_of
from tests.compression.rounding.drawn_layers import drawn_layer

Float64 = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
EPS = float(np.finfo(np.float64).eps)
Gradient = Callable[..., Float64]
ACTIVATIONS = {
    "identity": lambda z: z,
    "clipped_relu": lambda z: np.clip(z, 0, 1),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
}


def loss_by_hand(
    problem: LayerProblem, bits: Bits, g: Float64, regularization: float, beta: float, activation: str
) -> float:
    """E19 and E20 as they are written."""
    grid, f = choose_rounding_grid(problem.w, bits), ACTIVATIONS[activation]
    h = np.clip(1.2 / (1 + np.exp(-g)) - 0.1, 0, 1)
    v = grid.s * np.clip(np.floor(problem.w / grid.s) + h, grid.lo, grid.hi)
    error = np.square(f(problem.x @ v + problem.b) - f(problem.z)).sum(axis=1).mean()  # type: ignore[operator]
    return float(error + regularization * (1 - np.abs(2 * h - 1) ** beta).sum())


def law_gradient_is_the_slope(gradient: Gradient, seed: int, activation: str, regularization: float) -> None:
    """Along a random direction the loss changes as the gradient says, by central differences.

    Kinks (h at 0 or 1, codes at an end, a clipped ReLU's corners) lie between the two points with a chance of about the
    step; a smaller step then leaves the corner outside, so one of three steps must agree. Each difference errs by the
    third derivative times step^2, and by eps of the loss over the step.
    """
    rng = np.random.default_rng(seed)
    problem = drawn_layer(seed)
    soft = soft_rounding_of(problem.w, choose_rounding_grid(problem.w, 3))
    g = soft.start(problem.w) + rng.normal(0, 0.5, problem.w.shape)
    direction = rng.normal(size=g.shape)
    direction /= np.linalg.norm(direction)
    wanted = ACTIVATIONS[activation](problem.z)  # type: ignore[operator]
    found = gradient(soft, g, problem.x, problem.b, wanted, activation, regularization=regularization, beta=3.5)
    slope = float((found * direction).sum())
    loss = partial(loss_by_hand, problem, 3, regularization=regularization, beta=3.5, activation=activation)
    misses = []
    for step in (1e-4, 2e-5, 4e-6):
        ends = loss(g=g + step * direction), loss(g=g - step * direction)
        size = abs(ends[0]) + abs(ends[1]) + float(np.abs(found).sum())
        misses.append(abs((ends[0] - ends[1]) / (2 * step) - slope) - size * (100 * step**2 + 100 * EPS / step))
    assert min(misses) <= 0, (slope, misses)


@given(seed=SEEDS, activation=st.sampled_from(sorted(ACTIVATIONS)), regularization=st.sampled_from([0.0, 0.01, 1.0]))
def test_soft_rounding_gradient_is_the_slope(seed: int, activation: str, regularization: float) -> None:
    """E20's derivative, through the activation, the clip and the stretched sigmoid."""
    law_gradient_is_the_slope(soft_rounding_gradient, seed, activation, regularization)


def test_soft_rounding_gradient_is_the_slope_kills() -> None:
    """A gradient without the activation, without the regularizer, or of another beta is seen."""

    def without_activation(*given: object, **settings: float) -> Float64:
        return soft_rounding_gradient(*given[:-1], "identity", **settings)  # type: ignore[call-arg]

    def without_regularizer(*given: object, regularization: float, beta: float) -> Float64:
        return soft_rounding_gradient(*given, regularization=0.0, beta=beta)

    def other_beta(*given: object, regularization: float, beta: float) -> Float64:
        return soft_rounding_gradient(*given, regularization=regularization, beta=beta + 1)

    for mutant in (without_activation, without_regularizer, other_beta):
        with pytest.raises(AssertionError):
            for seed in range(20):
                law_gradient_is_the_slope(mutant, seed, "sigmoid", 0.1)


@given(seed=SEEDS, bits=st.sampled_from([2, 4, "ternary"]))
def test_soft_rounding_starts_at_the_weights(seed: int, bits: Bits) -> None:
    """Before the first step the soft weights are w, clipped to the grid.

    h is off by the rounding errors of log and exp where it is in the middle, and by those over its slope at the ends,
    which the clip takes off.
    """
    w = drawn_layer(seed).w
    grid = choose_rounding_grid(w, bits)
    soft = soft_rounding_of(w, grid)
    v = soft.weights(soft.share_up(soft.start(w))[0])
    clipped = np.clip(w, grid.s * grid.lo, grid.s * grid.hi)
    assert (np.abs(v - clipped) <= 100 * EPS * (grid.s + np.abs(clipped))).all()
