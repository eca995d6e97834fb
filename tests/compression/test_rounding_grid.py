"""Laws of the grid and the fit that all peers share."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.adaround import adaround_layer
from npquant.compression.gpfq import gpfq_layer
from npquant.compression.gptq import gptq_layer
from npquant.compression.integer_chain import LayerCodes, LayerProblem
from npquant.compression.nearest import nearest_layer
from npquant.compression.rounding_grid import RoundingGrid, choose_rounding_grid, fit_scale_and_bias
from npquant.compression.uniform import Bits, choose_weight_params
from npquant.kernels.affine import quantize
from tests.compression.drawn_layers import drawn_layer, layer_on_grid

Float64 = NDArray[np.float64]
Rounding = Callable[[LayerProblem, Bits], LayerCodes]
SEEDS = st.integers(0, 2**32 - 1)
EPS = float(np.finfo(np.float64).eps)
FITTED: dict[str, Rounding] = {
    "nearest": nearest_layer,
    "gptq": gptq_layer,
    "gptq resolved": partial(gptq_layer, resolve=True),
    "gpfq": gpfq_layer,
    "adaround": partial(adaround_layer, steps=100, rng=0),
}


def law_fit_is_argmin(rounding: Rounding, seed: int, bits: Bits) -> None:
    """E15: the slope of the squared error by scale and bias is 0 at what was fitted, taken by central differences.

    The error is a parabola, so a central difference is its slope but for rounding: eps of the error at each end, over
    the step. The scale is a float32: off by 2^-24 of itself, which is a slope of 2^-23 s |yc|^2.
    """
    problem = drawn_layer(seed)
    codes = rounding(problem, bits)
    s, b = np.asarray(codes.w.scale, np.float64), codes.bias
    y = problem.x @ codes.w_q.astype(np.float64)
    yc, zc = y - y.mean(axis=0), problem.z - problem.z.mean(axis=0)
    better = (yc * zc).sum(axis=0) > 0  # else the scale is kept as it came

    def error(scale: Float64, bias: Float64) -> Float64:
        return np.asarray(np.square(problem.z - scale * y - bias).sum(axis=0))

    step = s / 4
    best = problem.z.mean(axis=0) - np.multiply.outer(np.array([1, -1]), step) * y.mean(axis=0) - s * y.mean(axis=0)
    ends = error(s + step, best[0]), error(s - step, best[1])
    rounding_error = 100 * len(y) * EPS * (ends[0] + ends[1] + np.square(problem.z).sum(axis=0)) / step
    slope = (ends[0] - ends[1]) / (2 * step)
    assert (np.abs(slope) <= 2.0**-22 * s * np.square(yc).sum(axis=0) + rounding_error)[better].all()
    sides = error(s, b + 1.0), error(s, b - 1.0)
    assert (np.abs(sides[0] - sides[1]) <= 100 * len(y) * EPS * (sides[0] + sides[1])).all()


@pytest.mark.parametrize("name", list(FITTED))
def test_fit_scale_and_bias_is_argmin(name: str) -> None:
    """E15 ends every peer."""
    for seed in range(8):
        law_fit_is_argmin(FITTED[name], seed, 3)


def test_fit_scale_and_bias_is_argmin_kills() -> None:
    """Scales as they came, and a bias as it came, are seen."""

    def uncorrected_bias(problem: LayerProblem, bits: Bits) -> LayerCodes:
        codes = nearest_layer(problem, bits)
        return LayerCodes(codes.w_q, codes.w, problem.b)

    for mutant in (partial(nearest_layer, correction="none"), uncorrected_bias):
        with pytest.raises(AssertionError):
            law_fit_is_argmin(mutant, 0, 3)


def test_fit_scale_and_bias_keeps_a_scale_that_has_no_better() -> None:
    """No codes, and codes of the wrong sign, keep the scale that they came with."""
    problem = drawn_layer(1)
    grid = choose_rounding_grid(problem.w, 3)
    for q in (np.zeros_like(problem.w), -np.sign(problem.w)):
        np.testing.assert_array_equal(fit_scale_and_bias(problem, q, grid).w.scale, grid.s)


@pytest.mark.parametrize("name", list(FITTED))
@pytest.mark.parametrize("bits", [3, 4, "ternary"])
def test_layers_on_grid_come_back(name: str, bits: Bits) -> None:
    """Weights that are codes times a scale keep both, exactly."""
    qmax = 1 if bits == "ternary" else 2 ** (int(bits) - 1) - 1
    for seed in range(5):
        problem, q, s = layer_on_grid(seed, -qmax, qmax)
        codes = FITTED[name](problem, bits)
        varies = np.ptp(problem.x @ q, axis=0) > 0
        np.testing.assert_array_equal(codes.w_q, q)
        np.testing.assert_array_equal(np.asarray(codes.w.scale)[varies], s[varies])


def law_orientation_is_the_better_of_two(choose: Callable[[Float64], RoundingGrid], seed: int) -> None:
    """At 2 bits each neuron has the side on which its weights round with less error, by trying both."""
    w = drawn_layer(seed).w
    grid = choose(w)
    for n in range(w.shape[1]):
        lost = {}
        for sign in (1, -1):
            params = choose_weight_params(sign * w[:, [n]], 2, granularity="per_channel", weight_scale="auto")
            q = quantize(sign * w[:, [n]], params) * np.asarray(params.scale, np.float64)
            lost[sign] = float(np.square(sign * w[:, [n]] - q).sum())
        found = float(np.square(w[:, n] - (grid.s * grid.nearest(w))[:, n]).sum())
        assert found <= min(lost.values()) * (1 + 1e-11)
        assert (grid.lo[n], grid.hi[n]) in ((-2, 1), (-1, 2))


@given(seed=SEEDS)
def test_choose_rounding_grid_orients(seed: int) -> None:
    """2 bits may lie on either side."""
    law_orientation_is_the_better_of_two(partial(choose_rounding_grid, bits=2, orient=True), seed)


def test_choose_rounding_grid_orients_kills() -> None:
    """A grid that always has its extra code below 0 is seen; so is one that always has it above."""

    def above(w: Float64) -> RoundingGrid:
        grid = choose_rounding_grid(-w, 2)
        return RoundingGrid(grid.s, -grid.hi, -grid.lo)

    for mutant in (partial(choose_rounding_grid, bits=2), above):
        with pytest.raises(AssertionError):
            for seed in range(5):
                law_orientation_is_the_better_of_two(mutant, seed)


def test_choose_rounding_grid_orients_at_two_bits_only() -> None:
    """Other widths, and 2 bits unless asked, stay where they are; a tie stays on [-2, 1]."""
    w = np.array([[1.0, -1.0], [0.0, 0.0]])
    for bits in (3, 8, "ternary"):
        one, other = choose_rounding_grid(w, bits, orient=True), choose_rounding_grid(w, bits)
        assert (one.lo == other.lo).all() and (one.hi == other.hi).all() and (one.s == other.s).all()
    assert (choose_rounding_grid(w, 2).lo == -2).all()
    assert (choose_rounding_grid(np.zeros((2, 1)), 2, orient=True).lo == -2).all()


@pytest.mark.parametrize("name", list(FITTED))
def test_layers_orient(name: str) -> None:
    """Oriented, every code lies on its neuron's own grid, and the negated layer has the negated codes.

    Odd activations only: a clipped ReLU is not the same upside down.
    """
    for seed in range(5):
        drawn = drawn_layer(seed)
        problem = LayerProblem(drawn.w, drawn.b, drawn.x, drawn.z, "identity", 0, True)
        mirrored = LayerProblem(-drawn.w, -drawn.b, drawn.x, -drawn.z, "identity", 0, True)
        rounding = partial(FITTED[name], orient=True)
        if name != "adaround":  # floor is not symmetric: h and 1 - h take other paths
            np.testing.assert_array_equal(rounding(problem, 2).w_q, -rounding(mirrored, 2).w_q)
        codes = rounding(problem, 2).w_q
        assert ((codes >= -2) & (codes <= 2)).all()
        assert not ((codes == -2).any(axis=0) & (codes == 2).any(axis=0)).any()
