"""Training through the quantizer, and reading the codes off what comes out."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npquant.compression.chain.weight_codes import weight_grid
from npquant.compression.rounding.on_grid import quantize_on_grid, read_scale, round_biases
from npquant.compression.rounding.straight_through import StraightThrough
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.nn.finetuning import finetune
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.training import train

WIDTHS = [2, 3, 4, 8, "ternary"]


def blobs(rows: int = 90, seed: int = 0, real: bool = True) -> Any:
    """Draw three classes in five features, real or whole numbers."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    x = rng.normal(size=(rows, 5)) * [1, 5, 0.1, 30, 2] + 2 * np.eye(3, 5)[y]
    return (x, y) if real else (np.clip(np.rint(20 * x + 90), 0, 255).astype(np.uint8), y)


@pytest.mark.parametrize("granularity", ["per_tensor", "per_channel"])
@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("real", [True, False])
def test_quantize_on_grid_reproduces_the_trained_weights(bits: Any, granularity: Any, real: Any) -> None:
    """F16: scale times code is the fine-tuned weight, for input codes, up to the rounding of float32."""
    x, y = blobs(real=real)
    net = train(x, y, hidden=(8,), epochs=8, activation="relu", rng=0)
    quantizer = StraightThrough(bits, granularity)
    tuned = finetune(net, x, y, 2, quantizer=quantizer, rng=0)
    integer = quantize_on_grid(tuned, x, quantizer)
    steps = quantizer.input_steps(np.asarray(x), net.layers[0].w)
    for i, (layer, dense) in enumerate(zip(integer.layers, tuned.layers, strict=True)):
        w = dense.w.astype(np.float64) * (steps[:, None] if i == 0 else 1)
        on_grid = np.asarray(layer.w.scale, np.float64) * layer.w_q
        assert np.abs(w - on_grid).max() <= 32 * np.finfo(np.float32).eps * np.abs(w).max()
        assert layer.w.qmin >= weight_grid(bits)[0] and layer.w.qmax <= weight_grid(bits)[1]
        assert np.array_equal(layer.w_q == 0, dense.w == 0)


def test_quantize_on_grid_law_kills_another_grid() -> None:
    """Rounding the fine-tuned weights to a freshly chosen scale moves some of them."""
    x, y = blobs()
    net = train(x, y, hidden=(8,), epochs=8, rng=0)
    quantizer = StraightThrough(3, "per_tensor")
    tuned = finetune(net, x, y, 2, quantizer=quantizer, rng=0)
    other = quantize_uniform(tuned, x, 3, granularity="per_tensor", weight_scale="absmax")
    exact = quantize_on_grid(tuned, x, quantizer)
    assert any(not np.array_equal(a.w_q, b.w_q) for a, b in zip(other.layers, exact.layers, strict=True))


@given(
    seed=st.integers(0, 2**32 - 1),
    bits=st.sampled_from(WIDTHS),
    exponent=st.floats(-20, 20),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_read_scale_finds_the_codes(seed: int, bits: Any, exponent: Any, dtype: Any) -> None:
    """F16: codes of any grid come back, divided by what all of them share."""
    qmin, qmax = weight_grid(bits)
    codes = np.random.default_rng(seed).integers(qmin, qmax + 1, 9)
    codes[0] = qmax
    w = (codes * 2.0**exponent).astype(dtype).astype(np.float64)
    scale = read_scale(w, (qmin, qmax), float(np.finfo(dtype).eps), "w")
    assert np.array_equal(np.rint(w / scale), codes // np.gcd.reduce(np.abs(codes)))


def test_read_scale_of_zeros_is_one() -> None:
    """All codes 0: any scale serves."""
    assert read_scale(np.zeros(3), (-4, 3), 1e-7, "w") == 1.0


def test_straight_through_keeps_zeros_and_sparsity() -> None:
    """A pruned weight has the code 0 after training through any quantizer."""
    x, y = blobs()
    net = train(x, y, hidden=(8,), epochs=8, rng=0)
    rng = np.random.default_rng(0)
    holes = FloatMLP(
        tuple(DenseLayer(p.w * (rng.random(p.w.shape) < 0.5).astype(p.w.dtype), p.b, p.activation) for p in net.layers)
    )
    quantizer = StraightThrough([2, "ternary"])
    integer = quantize_on_grid(finetune(holes, x, y, 2, quantizer=quantizer, rng=0), x, quantizer)
    assert all(not layer.w_q[p.w == 0].any() for layer, p in zip(integer.layers, holes.layers, strict=True))


def test_finetune_through_the_quantizer_repairs_it() -> None:
    """Trained through two bits, the network loses less on its rows than rounded to two bits."""
    x, y = blobs(300)
    net = train(x, y, hidden=(16,), epochs=40, activation="relu", rng=0)
    quantizer = StraightThrough(2, "per_tensor")
    tuned = finetune(net, x, y, 20, teacher=net, quantizer=quantizer, rng=0)
    rounded = quantize_uniform(net, x, 2, granularity="per_tensor", weight_scale="mse")
    assert (quantize_on_grid(tuned, x, quantizer).predict(x) == y).mean() > (rounded.predict(x) == y).mean()


def test_straight_through_scale_is_least_squares() -> None:
    """F14: after a rounding no other scale is nearer to the weights, with the codes as they are."""
    w = np.random.default_rng(0).normal(size=(20, 3))
    for granularity in ("per_tensor", "per_channel"):
        forward = StraightThrough(3, granularity).start([(w, np.zeros(3))], ["identity"], np.ones(20))
        before = np.broadcast_to(forward.scales[0], 3).copy()
        used = forward.weights([(w, np.zeros(3))])[0][0]
        codes = np.clip(np.rint(w / before), -4, 3)
        error = ((w - used) ** 2).sum()
        for factor in (0.99, 1.01):
            assert error < ((w - codes * forward.scales[0] * factor) ** 2).sum()
        assert np.allclose(used, codes * forward.scales[0], rtol=1e-12)


def test_straight_through_rounds_outputs_where_asked() -> None:
    """With activation bits, hidden outputs take 2^a levels of [0, largest seen]; without, they are the same array."""
    a = np.random.default_rng(0).random((50, 4))
    plain, rough = (
        StraightThrough(4, activation_bits=bits).start(
            [(np.ones((4, 4)), np.zeros(4)), (np.ones((4, 2)), np.zeros(2))], ["relu", "identity"], np.ones(4)
        )
        for bits in (None, 2)
    )
    assert plain.output(0, a) is a
    assert len(np.unique(rough.output(0, a))) == 4 and np.abs(rough.output(0, a) - a).max() <= a.max() / 6 + 1e-12


def test_finetune_with_activation_bits_converts() -> None:
    """Weights and outputs of two bits, trained together, become an integer network of those widths."""
    x, y = blobs(200)
    net = train(x, y, hidden=(12,), epochs=20, rng=0)
    quantizer = StraightThrough(3, activation_bits=2)
    integer = quantize_on_grid(finetune(net, x, y, 5, quantizer=quantizer, rng=0), x, quantizer)
    y_params = integer.layers[0].y
    assert y_params.qmax - y_params.qmin == 3


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), bits=st.integers(2, 32))
def test_round_biases_moves_none_by_more_than_a_step(seed: int, bits: Any) -> None:
    """F17: few distinct multiples of one power of two, within half a step, or a whole one for the largest."""
    rng = np.random.default_rng(seed)
    model = FloatMLP(
        (
            DenseLayer(rng.normal(size=(3, 6)), 100 * rng.normal(size=6), "relu"),
            DenseLayer(rng.normal(size=(6, 2)), rng.normal(size=2), "identity"),
        )
    )
    net = quantize_uniform(model, rng.normal(size=(20, 3)))
    for old, new in zip(net.layers, round_biases(net, bits).layers, strict=True):
        step = np.gcd.reduce(np.abs(new.bias.astype(np.int64))) or 1
        multiples = new.bias // step
        assert -(2 ** (bits - 1)) <= multiples.min() and multiples.max() < 2 ** (bits - 1)
        moved = np.abs(old.bias.astype(np.int64) - new.bias)
        largest = np.abs(old.bias.astype(np.int64)).max()
        assert moved.max() <= largest / 2 ** (bits - 2)
        assert np.array_equal(old.w_q, new.w_q) and old.y == new.y
    assert round_biases(net, 32) == net


@pytest.mark.parametrize("bits", [1, 33, 4.0, True, "8"])
def test_round_biases_refuses_other_widths(bits: Any) -> None:
    """Whole numbers 2..32."""
    x, _ = blobs(10)
    net = quantize_uniform(FloatMLP((DenseLayer(np.ones((5, 2)), np.zeros(2), "identity"),)), x)
    with pytest.raises(ValueError, match=r"2\.\.32"):
        round_biases(net, bits)
    with pytest.raises(TypeError, match="IntegerMLP"):
        round_biases(x, 4)


@pytest.mark.parametrize(
    "settings",
    [{"bits": 1}, {"bits": 9}, {"bits": [4, "binary"]}, {"granularity": "per_row"}, {"bits": True}],
)
def test_straight_through_names_what_is_wrong(settings: Any) -> None:
    """Widths outside 2..8 and ternary, and unknown granularities, are refused when the record is made."""
    with pytest.raises(ValueError, match=r"2\.\.8|granularity"):
        StraightThrough(**settings)


def test_finetune_refuses_a_quantizer_of_another_depth() -> None:
    """Three widths for a network of two layers, or too many activation bits, are an error before any epoch."""
    x, y = blobs(20)
    net = train(x, y, hidden=(4,), epochs=1, rng=0)
    for quantizer in (StraightThrough([4, 4, 4]), StraightThrough(4, activation_bits=[8, 8])):
        with pytest.raises(ValueError, match="layers"):
            finetune(net, x, y, 1, quantizer=quantizer)


def test_quantize_on_grid_refuses_a_network_off_the_grid() -> None:
    """Weights that were not trained through the quantizer, other rows than those trained on, or an integer network."""
    x, y = blobs()
    net = train(x, y, hidden=(8,), epochs=2, rng=0)
    with pytest.raises(ValueError, match="layer 0: the weights lie on no grid"):
        quantize_on_grid(net, x, StraightThrough(4, "per_tensor"))
    with pytest.raises(ValueError, match="layer 0, neuron 0"):
        quantize_on_grid(net, x, StraightThrough(4, "per_channel"))
    quantizer = StraightThrough(4, "per_tensor")
    tuned = finetune(net, x, y, 1, quantizer=quantizer, rng=0)
    with pytest.raises(ValueError, match="calibrate on the rows of the fine-tuning"):
        quantize_on_grid(tuned, x * [1, 2, 3, 4, 5], quantizer)
    with pytest.raises(TypeError, match="integer already"):
        quantize_on_grid(quantize_on_grid(tuned, x, quantizer), x, quantizer)
    with pytest.raises(TypeError, match="the model is a IntegerMLP; fine-tune the FloatMLP"):
        finetune(quantize_on_grid(tuned, x, quantizer), x, y)
    with pytest.raises(ValueError, match="bit widths"):
        quantize_on_grid(tuned, x, replace(quantizer, bits=[4, 4, 4]))
