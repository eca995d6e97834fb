"""Laws of coarser biases (O3, O4): no output moves by more than the tolerance, and the step is the largest such."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.codec.integer_stream import encode_integers
from npquant.compression.bias_step import bias_exponent, coarsen_biases
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams


def network(rng: np.random.Generator, per_channel: bool = True, activation: str = "relu") -> Any:
    """A layer of random scales and biases of up to 20 bits."""
    x = QuantParams(rng.uniform(0.001, 0.1), 0, -128, 127)
    y = QuantParams(rng.uniform(0.01, 1), 0, -128, 127)
    w = QuantParams(rng.uniform(0.001, 0.1, 6) if per_channel else rng.uniform(0.001, 0.1), 0, -8, 7)
    w_q = rng.integers(-8, 8, (5, 6)).astype(np.int8)
    bias = rng.integers(-(2**20), 2**20, 6).astype(np.int32)
    pre = QuantParams(0.05, 0, -128, 127) if activation == "tanh" else None
    return IntegerMLP((IntegerLayer(w_q, bias, x, w, y, activation, pre),), x)


def law_moves_little(coarsen: Any, model: Any, tolerance: Any) -> None:
    """|b' - b| sx sw / sy <= t, up to the two roundings of this sum itself; all share O3's power of two."""
    before, after = model.layers[0], coarsen(model, tolerance).layers[0]
    multiplier = np.float64(before.x.scale) * np.asarray(before.w.scale, np.float64) / np.float64(before.target.scale)
    moved = np.abs(after.bias.astype(np.float64) - before.bias) * multiplier
    assert (moved <= tolerance * (1 + 2**-50)).all()
    exponent = bias_exponent(before, tolerance)
    assert not (after.bias % 2**exponent).any()
    # The next power of two would let a bias move by more.
    assert 2**exponent * multiplier.max() > tolerance * (1 - 2**-50)


@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from(["relu", "tanh"]), st.floats(0.01, 0.5))
def test_coarsen_biases_moves_no_output_by_more_than_the_tolerance(
    seed: int, per_channel: bool, activation: str, tolerance: Any
) -> None:
    """O3, O4, for one scale and for several, before clamps and before tables."""
    model = network(np.random.default_rng(seed), per_channel, activation)
    law_moves_little(coarsen_biases, model, tolerance)
    after = coarsen_biases(model, tolerance)
    assert coarsen_biases(after, tolerance) == after and coarsen_biases(model, 0) == model


def test_law_kills_wrong_ones() -> None:
    """The law fails on biases that are cut instead of rounded, and on a step that is twice as large or half."""

    def cut(model: Any, tolerance: Any) -> Any:
        layer = model.layers[0]
        step = 1 << bias_exponent(layer, tolerance)
        lower = (layer.bias // step * step).astype(np.int32)
        return IntegerMLP((IntegerLayer(layer.w_q, lower, layer.x, layer.w, layer.y, layer.activation),), layer.x)

    models = [network(np.random.default_rng(seed)) for seed in range(9)]
    for wrong in (cut, lambda m, t: coarsen_biases(m, min(4 * t, 0.5)), lambda m, t: coarsen_biases(m, t / 4)):
        with pytest.raises(AssertionError):
            for model in models:
                law_moves_little(wrong, model, 0.1)


def test_coarser_biases_take_fewer_bytes() -> None:
    """What was cut off is a common power of two, which the stream stores once."""
    model = network(np.random.default_rng(1))
    exponent = bias_exponent(model.layers[0], 0.5)
    sizes = [len(encode_integers(coarsen_biases(model, t).layers[0].bias)) for t in (0, 0.5)]
    assert exponent > 3 and sizes[1] <= sizes[0] - 6 * exponent // 8 + 1


def test_coarsen_biases_refuses_bad_tolerances_and_overflow() -> None:
    """Negative and large tolerances, NaN, and a bias at the very end of int32 are refused."""
    model = network(np.random.default_rng(0))
    for tolerance in (-0.1, 0.6, float("nan")):
        with pytest.raises(ValueError, match=r"in \[0, 0.5\]"):
            coarsen_biases(model, tolerance)
    p, w = QuantParams(0.125, 0, 0, 1), QuantParams(0.0625, 0, -8, 7)
    layer = IntegerLayer(np.zeros((1, 1), np.int8), np.array([2**31 - 1], np.int32), p, w, p, "relu")
    with pytest.raises(OverflowError, match="use a smaller tolerance"):
        coarsen_biases(IntegerMLP((layer,), p), 0.5)
