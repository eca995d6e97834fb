"""Laws of AdaRound: it rounds down or up, and nothing else, and learns which."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.adaround import adaround_layer
from npquant.compression.rounding.nearest import nearest_layer
from npquant.compression.rounding.rounding_grid import choose_rounding_grid
from npquant.compression.rounding.soft_rounding import SoftRounding
from tests.compression.rounding.drawn_layers import drawn_layer, real_weights

Float64 = NDArray[np.float64]
ACTIVATIONS = {
    "identity": lambda z: z,
    "clipped_relu": lambda z: np.clip(z, 0, 1),
}


def law_goes_down_or_up(rounding: Callable[[LayerProblem, Bits], LayerCodes], seed: int, bits: Bits) -> None:
    """E19: a code is the floor or the ceiling of w / s, on the grid."""
    problem = drawn_layer(seed)
    grid = choose_rounding_grid(problem.w, bits)
    a = problem.w / grid.s
    floor, ceil = (np.clip(part, grid.lo, grid.hi) for part in (np.floor(a), np.floor(a) + 1))
    q = rounding(problem, bits).w_q
    assert ((q == floor) | (q == ceil)).all()


@pytest.mark.parametrize("bits", [2, 4, "ternary"])
def test_adaround_layer_goes_down_or_up(bits: Bits) -> None:
    """Directions, and nothing else, however high the rate."""
    for seed in range(4):
        law_goes_down_or_up(partial(adaround_layer, steps=50, learning_rate=1.0, rng=seed), seed, bits)


def test_adaround_layer_goes_down_or_up_kills() -> None:
    """Codes two steps lower are seen."""

    def beyond(problem: LayerProblem, bits: Bits) -> LayerCodes:
        codes = nearest_layer(problem, bits)
        return replace(codes, w_q=np.maximum(codes.w_q - 2, codes.w.qmin).astype(np.int8))

    with pytest.raises(AssertionError):
        law_goes_down_or_up(beyond, 0, 4)


def test_adaround_layer_learns() -> None:
    """Through the activation the error is below nearest rounding's, on all but a few layers; linear ones too."""

    def activated_error(problem: LayerProblem, codes: LayerCodes) -> float:
        f = ACTIVATIONS[problem.activation]
        return float(np.square(f(problem.x @ real_weights(codes) + codes.bias) - f(problem.z)).sum())

    better = 0
    for seed in range(8):
        drawn = drawn_layer(seed)
        for activation in ("clipped_relu", "identity"):
            problem = replace(drawn, activation=activation)
            learned, nearest = adaround_layer(problem, 3, steps=300, rng=0), nearest_layer(problem, 3)
            better += activated_error(problem, learned) <= activated_error(problem, nearest)
    assert better >= 12


def test_adaround_layer_is_driven_to_the_ends() -> None:
    """The regularizer leaves few weights undecided, where the error alone leaves many: both are seen in h."""
    problem = drawn_layer(3)
    undecided = {}
    for regularization in (0.0, 0.1):
        seen: list[Float64] = []

        def codes(self: SoftRounding, g: Float64, seen: list[Float64] = seen) -> Float64:
            h = self.share_up(g)[0]
            seen.append(h)
            return np.asarray(np.clip(self.low + (h >= 0.5), self.grid.lo, self.grid.hi))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SoftRounding, "codes", codes)
            adaround_layer(problem, 3, steps=1000, learning_rate=0.03, regularization=regularization, rng=0)
        undecided[regularization] = float(((seen[0] > 0.05) & (seen[0] < 0.95)).mean())
    assert undecided[0.1] < 0.1 < undecided[0.0]


def test_adaround_layer_repeats_with_its_seed() -> None:
    """The same seed gives the same codes, scales and biases; another seed draws other rows."""
    moved = 0
    for drawn in range(8):
        problem = drawn_layer(drawn)
        one, two, other = (adaround_layer(problem, 3, steps=50, learning_rate=0.1, rng=seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one.w_q, two.w_q)
        np.testing.assert_array_equal(one.bias, two.bias)
        moved += not np.array_equal(one.w_q, other.w_q)
    assert moved
