"""Bad models and rows have a defined answer from every quantizer: an error that names them, or right logits."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.rectified.layer import rectify_layer
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.integer.mlp import IntegerMLP
from npquant.nn.model import DenseLayer, FloatMLP

Float64 = NDArray[np.float64]
Quantize = Callable[..., IntegerMLP]
HIDDEN = ["relu", "clipped_relu", "hard_sigmoid", "sigmoid", "tanh", "softplus"]
QUANTIZERS = [quantize_uniform, quantize_rectified]


def network(activation: str, gain: float = 1.0) -> FloatMLP:
    """Draw a network of three layers; a gain of 0 leaves nothing but biases."""
    rng = np.random.default_rng(1)
    return FloatMLP(
        tuple(
            DenseLayer(gain * rng.normal(0, 1, (k, n)), rng.normal(0, 0.5, n), name)
            for k, n, name in ((5, 7, activation), (7, 6, activation), (6, 3, "identity"))
        )
    )


@pytest.mark.parametrize("quantize", QUANTIZERS)
def test_integer_model_is_refused(quantize: Quantize) -> None:
    """A network that is integer already says so, and what to give instead."""
    x = np.random.default_rng(0).normal(0, 1, (20, 5))
    done = quantize(network("relu"), x)
    with pytest.raises(TypeError, match="integer already: quantize the FloatMLP"):
        quantize(done, x)


@pytest.mark.parametrize("quantize", QUANTIZERS)
@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (np.zeros((0, 5)), "has shape .0, 5.; calibration needs"),
        (np.zeros(5), "calibration needs"),
        (np.full((3, 5), np.nan), "NaN or infinity, first in row 0: remove it"),
        (np.array([[0.0] * 5, [0, 0, np.inf, 0, 0]]), "NaN or infinity, first in row 1"),
        (np.zeros((3, 4)), "4 columns; the model reads 5"),
    ],
)
def test_bad_rows_are_refused(quantize: Quantize, rows: Float64, text: str) -> None:
    """No rows, no matrix, NaN, infinity and another width are errors that name what is wrong, and where."""
    with pytest.raises(ValueError, match=text):
        quantize(network("clipped_relu"), rows)


def law_one_row_is_exact(quantize: Quantize, activation: str, bits: Bits) -> None:
    """Where all rows are one row, its logits are the float network's, within the last bias's and the output's steps.

    The mean of every pre-activation's error goes into the bias, and here the mean is all there is: what remains is half
    an accumulator step for the last bias, half an output step, and float32 rounding of the logits.
    """
    model, row = network(activation), np.random.default_rng(3).normal(0, 1, (1, 5))
    for rows in (row, np.repeat(row, 9, axis=0)):
        net = quantize(model, rows, bits)
        last, want = net.layers[-1], np.asarray(model.logits(row), np.float64)
        steps = 0.5 * float(last.x.scale) * np.asarray(last.w.scale, np.float64) + 0.5 * float(last.y.scale)
        assert (np.abs(net.logits(row) - want) <= steps * (1 + 1e-6) + 1e-6 * np.abs(want)).all()


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("bits", [8, 4, 3, 2, "ternary"])
def test_one_row_and_constant_rows_are_exact(bits: Bits, activation: str) -> None:
    """Rectified quantization, at every width."""
    law_one_row_is_exact(quantize_rectified, activation, bits)


def test_one_row_law_kills() -> None:
    """Biases that keep what rounding did, as uniform quantization leaves them, are caught."""
    with pytest.raises(AssertionError):
        law_one_row_is_exact(quantize_uniform, "clipped_relu", 2)


@pytest.mark.parametrize("quantize", QUANTIZERS)
@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("bits", [8, 2, "ternary"])
def test_zero_layers_keep_their_biases(quantize: Quantize, activation: str, bits: Bits) -> None:
    """All-zero weights: the logits are the biases, within half an output step, whatever the rows."""
    model = network(activation, gain=0.0)
    for rows in (np.zeros((4, 5)), np.random.default_rng(0).normal(0, 1, (30, 5))):
        net = quantize(model, rows, bits)
        assert not any(layer.w_q.any() for layer in net.layers)
        # The bias has 2^15 steps or more where its scale is free.
        slack = 0.5 * float(net.output_params.scale) + 2.0**-15 * np.abs(model.layers[-1].b).max()
        assert np.abs(net.logits(rows) - model.layers[-1].b).max() <= slack


def test_layers_wider_than_16_bits_work() -> None:
    """There is no limit of width: more than 65,535 inputs or neurons work, as long as int32 holds the sums."""
    rng = np.random.default_rng(0)
    model = FloatMLP((DenseLayer(rng.normal(0, 1, (65_537, 1)), np.zeros(1), "identity"),))
    net = quantize_uniform(model, rng.random((3, 65_537)), 4)
    assert net.layers[0].shape == (65_537, 1) and max(net.accumulator_bits) <= 32
    x, w = rng.random((2, 1)), rng.normal(0, 1, (1, 65_537))
    layer = rectify_layer(x, x @ w, w, np.ones((2, 65_537)), 4)
    assert layer.q.shape == (1, 65_537) and (layer.phi <= layer.phi_rtn).all()


def test_a_sum_that_int32_cannot_hold_is_refused() -> None:
    """The error names layer, neuron and what to change: here the weights' codes are 127 and the inputs' range 255."""
    model = FloatMLP((DenseLayer(np.ones((70_000, 1)), np.zeros(1), "identity"),))
    rows = np.zeros((1, 70_000))
    rows[0, 0] = 1.0
    with pytest.raises(OverflowError, match=r"layer 0, neuron 0: .* outside int32 \(C7\); use fewer weight bits"):
        quantize_uniform(model, rows, 8)
    assert max(quantize_uniform(model, rows, 4).accumulator_bits) <= 32
