"""Laws of the proof: a float formula that it passes is R10 for every accumulator, and one that it refuses is not."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.integer.accumulator import accumulator_interval
from npquant.integer.fast_npquant import prepare_layer
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.integer.proven_requantize import formula_is_exact
from npquant.kernels.qparams import QuantParams
from tests.integer.test_mlp import ACTIVATIONS, random_layer, random_params


def formula_agrees_everywhere(scale: NDArray[Any], offset: NDArray[Any], layer: IntegerLayer) -> bool:
    """Try every accumulator that each neuron can have."""
    prepared = prepare_layer(layer)
    low, high = accumulator_interval(layer)
    for n in range(layer.shape[1]):
        acc = np.arange(low[n], high[n] + 1)
        real = np.floor((acc - prepared.constant[n]).astype(scale.dtype) * scale[n] + offset[n])
        m, s = np.asarray(prepared.fixed.multiplier), 31 - np.asarray(prepared.fixed.shift)
        m, s = np.broadcast_to(m, low.shape)[n], np.broadcast_to(s, low.shape)[n]
        exact = ((acc * m + (1 << (int(s) - 1))) >> int(s)) + prepared.zero_point
        if not np.array_equal(np.clip(real, prepared.low, prepared.high), np.clip(exact, prepared.low, prepared.high)):
            return False
    return True


@given(
    seed=st.integers(0, 2**32 - 1), activation=st.sampled_from(ACTIVATIONS), nudge=st.sampled_from([0, 0, 1e-12, 1e-3])
)
def test_formula_is_exact_is_true_only_where_all_accumulators_agree(seed: int, activation: str, nudge: float) -> None:
    """R6, R10: the check at the steps is the check of every accumulator; nudged formulas included."""
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, random_params(rng, 1.0, narrow=True), (2, 2), activation)
    prepared = prepare_layer(layer)
    real = np.broadcast_to(np.asarray(prepared.fixed.real, np.float64), (2,))
    start = prepared.constant * real + 0.5 + prepared.zero_point - nudge
    for dtype in ("float64", "float32"):
        scale, offset = real.astype(dtype), start.astype(dtype)
        verdict = formula_is_exact(scale, offset, prepared.constant, layer)
        assert verdict == formula_agrees_everywhere(scale, offset, layer)


def test_formula_is_exact_refuses_a_float32_formula_that_is_wrong() -> None:
    """The law above is not vacuous: there is a layer where float32 fails and float64 holds."""
    p = QuantParams(0.7, -128, -128, 127)
    rng = np.random.default_rng(0)
    w_q = rng.integers(-128, 128, (300, 20)).astype(np.int8)
    layer = IntegerLayer(w_q, np.zeros(20, np.int32), p, QuantParams(0.0013, 0, -128, 127), p, "identity")
    prepared = prepare_layer(layer)
    assert prepared.scale is not None and prepared.scale.dtype == np.float64
    real = np.full(20, prepared.fixed.real)
    offset = prepared.constant * real + 0.5 + prepared.zero_point
    assert not formula_is_exact(real.astype(np.float32), offset.astype(np.float32), prepared.constant, layer)


def test_run_equals_run_plain_without_a_float_formula() -> None:
    """A multiplier of 0 has no steps to check: the int64 formula takes over."""
    x, y = QuantParams(2.0**-60, 0, -128, 127), QuantParams(1.0, 5, -128, 127)
    layer = IntegerLayer(np.full((3, 2), 100, np.int8), np.zeros(2, np.int32), x, x, y, "relu")
    net, x_q = IntegerMLP((layer,), x), np.full((2, 3), 127, np.int8)
    assert prepare_layer(layer).scale is None
    assert np.array_equal(net.run(x_q), net.run_plain(x_q)) and (net.run(x_q) == 5).all()
