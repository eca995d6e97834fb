"""Laws of the peers as functions of networks: one signature, one chain, and a defined answer to bad input."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import npquant
from npquant.compression.chain.integer_chain import LayerProblem, quantize_by_layers
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.adaround import quantize_adaround
from npquant.compression.rounding.gpfq import gpfq_layer, quantize_gpfq
from npquant.compression.rounding.gptq import quantize_gptq, quantize_gptq_resolved
from npquant.compression.rounding.nearest import quantize_nearest
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.integer.mlp import IntegerMLP
from npquant.nn.model import DenseLayer, FloatMLP

Quantizer = Callable[..., IntegerMLP]
# Few steps: what is tried here does not depend on how well the directions are learned.
PEERS: dict[str, Quantizer] = {
    "nearest": quantize_nearest,
    "gptq": quantize_gptq,
    "gptq_resolved": quantize_gptq_resolved,
    "gpfq": quantize_gpfq,
    "adaround": partial(quantize_adaround, steps=20),
}
each_peer = pytest.mark.parametrize("name", list(PEERS))


def drawn_network(seed: int, activation: str = "clipped_relu", widths: tuple[int, ...] = (6, 8, 7, 4)) -> FloatMLP:
    """Draw weights for a network on inputs 0..15."""
    rng = np.random.default_rng(seed)
    layers = []
    for i, (k, n) in enumerate(pairwise(widths)):
        gain = (0.1 if i == 0 else 1.0) / np.sqrt(k)
        last = i == len(widths) - 2
        layers.append(
            DenseLayer(gain * rng.normal(0, 1, (k, n)), rng.normal(0, 0.2, n), "identity" if last else activation)
        )
    return FloatMLP(tuple(layers))


def drawn_rows(seed: int, rows: int = 80, k: int = 6) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(seed).integers(0, 16, (rows, k)).astype(np.float64)


def assert_same_network(one: IntegerMLP, other: IntegerMLP) -> None:
    for a, b in zip(one.layers, other.layers, strict=True):
        np.testing.assert_array_equal(a.w_q, b.w_q)
        np.testing.assert_array_equal(a.bias, b.bias)
        np.testing.assert_array_equal(a.w.scale, b.w.scale)
        assert a.y == b.y


def test_quantize_nearest_uncorrected_is_quantize_uniform() -> None:
    """Without the fit nothing is new."""
    model, x = drawn_network(0), drawn_rows(0)
    for bits in (8, 3, "ternary"):
        for rule in ("auto", "mse", "absmax"):
            ours = quantize_nearest(model, x, bits, correction="none", weight_scale=rule)
            assert_same_network(ours, quantize_uniform(model, x, bits, weight_scale=rule))


@each_peer
@pytest.mark.parametrize("activation", ["clipped_relu", "relu", "sigmoid", "tanh", "hard_sigmoid"])
def test_peers_follow_the_float_network(name: str, activation: str) -> None:
    """At 8 bits every peer gives the float network's logits, to a few codes of the 8-bit activations between."""
    model, x = drawn_network(1, activation), drawn_rows(1, 200)
    net = PEERS[name](model, x, 8, rng=0)
    logits = model.logits(x)
    assert np.sqrt(np.square(net.logits(x) - logits).mean()) < 0.02 * np.ptp(logits)


@each_peer
@pytest.mark.parametrize("bits", [2, 4, "ternary", [2, 8, "ternary"]])
def test_peers_keep_to_their_grids(name: str, bits: Bits | list[Bits]) -> None:
    """Each layer has its own width, and the hidden outputs theirs."""
    net = PEERS[name](drawn_network(2), drawn_rows(2), bits, 4, rng=0)
    each = bits if isinstance(bits, list) else [bits] * 3
    for layer, width in zip(net.layers, each, strict=True):
        low, high = (-1, 1) if width == "ternary" else (-(2 ** (int(width) - 1)), 2 ** (int(width) - 1) - 1)
        assert low <= layer.w_q.min() and layer.w_q.max() <= high
    assert [layer.y.qmax - layer.y.qmin for layer in net.layers] == [15, 15, 255]


@each_peer
def test_peers_orient(name: str) -> None:
    """Asked to, each neuron takes one of two sides at 2 bits, and some take the other; other widths do not change."""
    model, x = drawn_network(2), drawn_rows(2)
    net, other = PEERS[name](model, x, 2, rng=0, orient=True), PEERS[name](model, x, 2, rng=0)
    assert any(layer.w.qmax == 2 for layer in net.layers) and all(layer.w.qmax == 1 for layer in other.layers)
    for layer in net.layers:
        assert not ((layer.w_q == -2).any(axis=0) & (layer.w_q == 2).any(axis=0)).any()
    assert_same_network(PEERS[name](model, x, 3, rng=0, orient=True), PEERS[name](model, x, 3, rng=0))


@each_peer
def test_peers_repeat_with_their_seed(name: str) -> None:
    """The same seed, as a number or as a generator, gives the same network, and the global state stays as it was."""
    model, x = drawn_network(3), drawn_rows(3)
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    one = PEERS[name](model, x, 3, rng=7)
    assert_same_network(one, PEERS[name](model, x, 3, rng=np.random.default_rng(7)))
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # type: ignore[index]  # noqa: NPY002


@each_peer
def test_peers_take_targets(name: str) -> None:
    """Targets of another network, moved by a constant, move the biases and the offset of the outputs by it."""
    model, x = drawn_network(4), drawn_rows(4)
    z = [np.asarray(a, np.float64) for a in model.pre_activations(x)]
    plain = PEERS[name](model, x, 3, rng=0)
    assert_same_network(plain, PEERS[name](model, x, 3, rng=0, targets=z))
    moved = PEERS[name](model, x, 3, rng=0, targets=[*z[:-1], z[-1] + 5.0])
    shift = (moved.layers[-1].bias - plain.layers[-1].bias) * plain.layers[-1].x.scale
    if name != "adaround":  # what is learned depends on the targets too
        np.testing.assert_array_equal(moved.layers[-1].w_q, plain.layers[-1].w_q)
        before, after = (0.0 if net.output_offset is None else net.output_offset for net in (plain, moved))
        np.testing.assert_allclose(shift * plain.layers[-1].w.scale + (after - before), 5.0, rtol=1e-2)
    else:
        assert moved.logits(x).mean() > plain.logits(x).mean() + 4


def test_quantize_gpfq_follows_the_float_networks_inputs() -> None:
    """Layers after the first see what the float network would have given them: codes differ from those without."""

    def on_delivered(problem: LayerProblem, bits: Bits) -> LayerCodes:
        return gpfq_layer(replace(problem, x_float=None), bits)

    differs = 0
    for seed in range(4):
        model, x = drawn_network(seed), drawn_rows(seed)
        ours, without = quantize_gpfq(model, x, 2), quantize_by_layers(model, x, 2, 8, on_delivered).network
        np.testing.assert_array_equal(ours.layers[0].w_q, without.layers[0].w_q)
        differs += not np.array_equal(ours.layers[1].w_q, without.layers[1].w_q)
    assert differs


@each_peer
@pytest.mark.parametrize("rows", [np.full((1, 6), 3.0), np.tile([0.0, 1, 2, 3, 4, 15], (9, 1)), np.zeros((4, 6))])
def test_peers_reproduce_a_constant_input(name: str, rows: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    """One row, or rows that are all alike, have no spread to fit: the biases take it all, to 2 codes of the logits."""
    model = drawn_network(5)
    net = PEERS[name](model, rows, 3, rng=0)
    assert np.abs(net.logits(rows) - model.logits(rows)).max() <= 2 * float(net.layers[-1].y.scale)


@each_peer
def test_peers_take_layers_of_zeros(name: str) -> None:
    """All-zero weights have codes 0, and the network gives its biases."""
    drawn = drawn_network(6)
    zeros = [DenseLayer(np.zeros_like(layer.w), layer.b, layer.activation) for layer in drawn.layers]
    for model in (FloatMLP(tuple(zeros)), FloatMLP((drawn.layers[0], zeros[1], drawn.layers[2]))):
        x = drawn_rows(6)
        net = PEERS[name](model, x, 2, rng=0)
        assert not net.layers[1].w_q.any()
        assert np.abs(net.logits(x) - model.logits(x)).max() <= 2 * float(net.layers[-1].y.scale)


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"x_calibration": np.zeros((0, 6))}, ValueError, "shape"),
    ({"x_calibration": np.zeros(6)}, ValueError, "shape"),
    ({"x_calibration": np.zeros((3, 5))}, ValueError, "columns"),
    ({"x_calibration": np.full((3, 6), np.nan)}, ValueError, "NaN"),
    ({"bits": 1}, ValueError, "bits"),
    ({"bits": 9}, ValueError, "bits"),
    ({"bits": True}, ValueError, "bits"),
    ({"bits": "binary"}, ValueError, "bits"),
    ({"bits": [4, 4]}, ValueError, "bit widths"),
    ({"activation_bits": 0}, ValueError, "activation_bits"),
    ({"activation_bits": 9}, ValueError, "activation_bits"),
    ({"targets": [np.zeros((3, 4))]}, ValueError, "targets"),
]


@each_peer
@pytest.mark.parametrize(("bad", "error", "word"), BAD)
def test_peers_refuse(name: str, bad: dict[str, Any], error: type[Exception], word: str) -> None:
    """Bad input is named."""
    given: dict[str, Any] = {"model": drawn_network(0), "x_calibration": drawn_rows(0), "rng": 0} | bad
    with pytest.raises(error, match=word):
        PEERS[name](**given)


@each_peer
def test_peers_refuse_an_integer_network(name: str) -> None:
    """What has been quantized is not quantized again."""
    model, x = drawn_network(0), drawn_rows(0)
    with pytest.raises(TypeError, match="integer"):
        PEERS[name](quantize_uniform(model, x), x)


@pytest.mark.parametrize(
    ("quantizer", "bad", "word"),
    [
        (quantize_nearest, {"correction": "bias"}, "correction"),
        (quantize_nearest, {"weight_scale": "best"}, "weight_scale"),
        (quantize_gptq, {"damping": 0.0}, "damping"),
        (quantize_gptq, {"damping": np.nan}, "damping"),
        (quantize_gptq_resolved, {"damping": -1.0}, "damping"),
        (quantize_gptq, {"order": "random"}, "order"),
        (quantize_adaround, {"steps": 0}, "steps"),
        (quantize_adaround, {"steps": 2.5}, "steps"),
        (quantize_adaround, {"learning_rate": 0.0}, "learning_rate"),
        (quantize_adaround, {"regularization": -0.1}, "regularization"),
    ],
)
def test_peers_refuse_settings(quantizer: Quantizer, bad: dict[str, Any], word: str) -> None:
    """Each setting out of range is named."""
    with pytest.raises(ValueError, match=word):
        quantizer(drawn_network(0), drawn_rows(0), 3, **bad)


def test_peers_are_public() -> None:
    """They stand beside `quantize_rectified`, with the same first arguments."""
    for name in PEERS:
        function = getattr(npquant, f"quantize_{name}")
        code = function.__code__
        assert code.co_varnames[: code.co_argcount] == ("model", "x_calibration", "bits", "activation_bits", "rng")
        assert function.__defaults__ == (4, 8, None)
