"""Low bits end to end: every width of weights and outputs, with every activation, runs, holds and comes back.

The matrix is weights of 8, 6, 5, 4, 3 and 2 bits, ternary and mixed, by hidden outputs of 8 to 2 bits, by every
activation of the float network; in full through uniform quantization, on diagonals through the others.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.compression.chain.weight_codes import weight_grid
from npquant.compression.pruning.weights.one_shot import prune_weights
from npquant.compression.rounding.dynamic import quantize_dynamic
from npquant.compression.rounding.nearest import quantize_nearest
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.files.storage import save
from npquant.integer.layer import run_layer_plain
from npquant.integer.mlp import IntegerMLP
from npquant.interop.reading import load
from npquant.nn.activations import ACTIVATIONS
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.profiles.npquant import NPQUANT

Float64 = NDArray[np.float64]
WEIGHTS: list[Any] = [8, 6, 5, 4, 3, 2, "ternary", [8, 3, "ternary"], ["ternary", 2, 5]]
OUTPUTS: list[Any] = [8, 7, 6, 5, 4, 3, 2, [8, 2], [3, 6]]


def drawn_model(activation: str) -> tuple[FloatMLP, Float64]:
    """Draw a network of three layers, a tenth of its weights 0, with rows for it."""
    rng = np.random.default_rng([1, *activation.encode()])
    widths, layers = [9, 14, 6, 4], []
    for i, name in enumerate([activation, activation, "identity"]):
        w = rng.normal(0, 1.5, (widths[i], widths[i + 1])) / np.sqrt(widths[i])
        w[rng.random(w.shape) < 0.1] = 0.0
        layers.append(DenseLayer(w, rng.normal(0, 0.3, widths[i + 1]), name))
    return FloatMLP(tuple(layers)), rng.normal(0, 1, (60, 9))


def law_network_is_sound(net: IntegerMLP, model: FloatMLP, x: Float64, weights: Any, outputs: Any) -> None:
    """Codes are on their grids, the fast route is the plain layers, and accumulators stay within what was proven."""
    widths = weights if isinstance(weights, list) else [weights] * 3
    hidden = outputs if isinstance(outputs, list) else [outputs] * 2
    codes = net.encode(x)
    accumulators = net.accumulators(codes)
    plain = codes
    for i, layer in enumerate(net.layers):
        qmin, qmax = weight_grid(widths[i])
        # At 2 bits a neuron may lie on [-1, 2]: the same number of codes, the other way round.
        flipped = layer.w_q.max(axis=0) > qmax
        assert (layer.w_q.min(axis=0) >= np.where(flipped, -qmax, qmin)).all()
        assert (layer.w_q.max(axis=0) <= np.where(flipped, -qmin, qmax)).all()
        acc = accumulators[i].astype(np.int64)
        bits = net.accumulator_bits[i]
        assert bits <= 32 and acc.min() >= -(2 ** (bits - 1)) and acc.max() < 2 ** (bits - 1)
        plain = run_layer_plain(layer, plain, NPQUANT)
        if i < 2:
            assert len(np.unique(plain)) <= 2 ** hidden[i]
    np.testing.assert_array_equal(net.run(codes), plain)
    assert net.run(codes).dtype == np.int8 and net.neurons == model.neurons
    assert np.isfinite(net.logits(x)).all()


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_every_width_makes_a_sound_network(weights: Any, activation: str) -> None:
    """The full matrix, by uniform quantization; zeros of the float network stay zeros."""
    model, x = drawn_model(activation)
    for outputs in OUTPUTS:
        net = quantize_uniform(model, x, weights, outputs)
        law_network_is_sound(net, model, x, weights, outputs)
        for layer, dense in zip(net.layers, model.layers, strict=True):
            assert not layer.w_q[dense.w == 0].any()


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize(("weights", "outputs"), list(zip(WEIGHTS, OUTPUTS, strict=True)), ids=str)
@pytest.mark.parametrize("quantizer", [quantize_nearest, quantize_rectified])
def test_other_quantizers_make_a_sound_network(
    quantizer: Callable[..., IntegerMLP], weights: Any, outputs: Any, activation: str
) -> None:
    """A diagonal of the matrix, by fitted and by rectified quantization."""
    model, x = drawn_model(activation)
    law_network_is_sound(quantizer(model, x, weights, outputs), model, x, weights, outputs)


def test_law_network_is_sound_kills_a_wide_code() -> None:
    """A network of more bits than it says is seen, in its weights and in its outputs."""
    model, x = drawn_model("relu")
    net = quantize_uniform(model, x, 4, 4)
    with pytest.raises(AssertionError):
        law_network_is_sound(net, model, x, 3, 4)
    with pytest.raises(AssertionError):
        law_network_is_sound(net, model, x, 4, 3)


@pytest.mark.parametrize("suffix", [".npz", ".npq"])
@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_every_width_comes_back_from_its_file(weights: Any, suffix: str, tmp_path: Path) -> None:
    """load(save(net)) is net, layer by layer, for every activation, dense and sparse in turn."""
    for i, activation in enumerate(ACTIVATIONS):
        model, x = drawn_model(activation)
        sparse = i % 2 == (suffix == ".npz")
        net = quantize_uniform(prune_weights(model, x, 0.15 if sparse else 1.0), x, weights, OUTPUTS[i])
        path = tmp_path / f"{activation}{suffix}"
        save(net, path)
        back = load(path)
        assert isinstance(back, IntegerMLP) and back == net and back.kernels == net.kernels
        np.testing.assert_array_equal(back.logits(x), net.logits(x))


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_every_width_runs_dynamically(weights: Any, activation: str) -> None:
    """The same matrix with scales chosen at run time: finite, within what was proven, on the grid."""
    model, x = drawn_model(activation)
    for outputs in OUTPUTS:
        net = quantize_dynamic(model, x, weights, outputs)
        assert np.isfinite(net.logits(x)).all()
        for acc, bits in zip(net.accumulators(x), net.accumulator_bits, strict=True):
            assert bits <= 32 and int(np.abs(acc.astype(np.int64)).max()) < 2 ** (bits - 1)


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_error_falls_with_every_bit(activation: str) -> None:
    """Weights of 8, 4 and 2 bits, and outputs of 8, 4 and 2 bits, in this order, are ever farther from float."""
    model, x = drawn_model(activation)

    def error(net: IntegerMLP) -> float:
        return float(np.square(net.logits(x) - model.logits(x)).mean())

    by_weights = [error(quantize_nearest(model, x, bits)) for bits in (8, 4, 2)]
    by_outputs = [error(quantize_nearest(model, x, 8, bits)) for bits in (8, 4, 2)]
    assert by_weights == sorted(by_weights) and by_outputs == sorted(by_outputs)
