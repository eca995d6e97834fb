"""Laws of the grid and the fit that all peers share."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.adaround import adaround_layer
from npquant.compression.rounding.gpfq import gpfq_layer
from npquant.compression.rounding.gptq import gptq_layer
from npquant.compression.rounding.nearest import nearest_layer
from npquant.compression.rounding.rounding_grid import (
    SidedRounding,
    better_side,
    choose_rounding_grid,
    fit_scale_and_bias,
)
from tests.compression.rounding.drawn_layers import drawn_layer, layer_on_grid, real_weights

Float64 = NDArray[np.float64]
Rounding = Callable[[LayerProblem, Bits], LayerCodes]
EPS = float(np.finfo(np.float64).eps)
FITTED: dict[str, SidedRounding] = {
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


def squared_errors(problem: LayerProblem, codes: LayerCodes) -> Float64:
    return np.asarray(np.square(problem.z - problem.x @ real_weights(codes) - codes.bias).sum(axis=0))


def law_side_is_the_better_of_two(choose: Callable[[LayerProblem, SidedRounding], LayerCodes], name: str) -> None:
    """At 2 bits each neuron has the codes of the side on which its outputs err less, by doing both by hand.

    The upper side is what the negated layer, -w towards -z, has on the lower one, negated back.
    """
    for seed in range(5):
        drawn = drawn_layer(seed)
        problem = LayerProblem(drawn.w, drawn.b, drawn.x, drawn.z, "identity", 0, True)
        negated = LayerProblem(-drawn.w, -drawn.b, drawn.x, -drawn.z, "identity", 0, True)
        lower, upper = FITTED[name](problem, 2), FITTED[name](negated, 2)
        errors = squared_errors(problem, lower), squared_errors(negated, upper)
        wanted = np.where(errors[1] < errors[0], -upper.w_q, lower.w_q)
        np.testing.assert_array_equal(choose(problem, FITTED[name]).w_q, wanted)


def better(problem: LayerProblem, rounding: SidedRounding) -> LayerCodes:
    return better_side(problem, 2, rounding)


# AdaRound's floors and shares are not symmetric: a negated layer takes another path.
@pytest.mark.parametrize("name", ["nearest", "gptq", "gptq resolved", "gpfq"])
def test_better_side_is_the_better_of_two(name: str) -> None:
    """Both sides are tried."""
    law_side_is_the_better_of_two(better, name)


def test_better_side_is_the_better_of_two_kills() -> None:
    """Neurons that are all on the lower side are seen; so are neurons that are all on the upper one."""
    for upper in (False, True):
        with pytest.raises(AssertionError):
            law_side_is_the_better_of_two(
                lambda problem, rounding, upper=upper: rounding(problem, 2, upper=upper),  # type: ignore[misc]
                "gptq",
            )


@pytest.mark.parametrize("name", list(FITTED))
def test_better_side_errs_no_more_and_keeps_to_one_side(name: str) -> None:
    """No neuron errs more than on [-2, 1], and none has codes of both sides; other widths have one side."""
    for seed in range(5):
        problem = drawn_layer(seed)
        both, lower = better(problem, FITTED[name]), FITTED[name](problem, 2)
        assert (squared_errors(problem, both) <= squared_errors(problem, lower) * (1 + 1e-9)).all()
        codes = both.w_q
        assert ((codes >= -2) & (codes <= 2)).all()
        assert not ((codes == -2).any(axis=0) & (codes == 2).any(axis=0)).any()
        np.testing.assert_array_equal(better_side(problem, 3, FITTED[name]).w_q, FITTED[name](problem, 3).w_q)


def test_choose_rounding_grid_has_an_upper_side_at_two_bits_only() -> None:
    """Other widths, and 2 bits unless asked, stay where they are."""
    w = np.array([[1.0, -1.0], [0.0, 0.0]])
    for bits in (3, 8, "ternary"):
        one, other = choose_rounding_grid(w, bits, upper=True), choose_rounding_grid(w, bits)
        assert (one.lo == other.lo).all() and (one.hi == other.hi).all() and (one.s == other.s).all()
    assert (choose_rounding_grid(w, 2).lo == -2).all() and (choose_rounding_grid(w, 2).hi == 1).all()
    assert (choose_rounding_grid(w, 2, upper=True).lo == -1).all() and (
        choose_rounding_grid(w, 2, upper=True).hi == 2
    ).all()
