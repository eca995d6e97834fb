"""Laws of quantization that keeps zeros: no zero comes back, and a neuron is rounded as if it had no other inputs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.pruning.weights.one_shot import prune_weights
from npquant.compression.rounding.keeping_zeros import quantize_keeping_zeros, round_keeping_zeros
from npquant.compression.rounding.method_names import DRAWING_METHODS, METHOD_NAMES
from npquant.compression.rounding.methods import METHODS
from npquant.compression.rounding.nearest import quantize_nearest
from npquant.compression.rounding.rectified.network import error_weights, quantize_rectified, rectified_codes
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.integer.mlp import IntegerMLP
from npquant.nn.activations import ACTIVATIONS
from npquant.nn.model import FloatMLP
from tests.compression.pruning.weights.test_one_shot import drawn_inputs, drawn_model

Float64 = NDArray[np.float64]
Quantizer = Callable[..., IntegerMLP]
SEEDS = st.integers(0, 2**32 - 1)
BITS: list[Any] = [8, 4, 3, 2, "ternary"]
NAMES = [name for name in METHOD_NAMES if name not in DRAWING_METHODS]


def law_zeros_stay_zero(quantizer: Quantizer, model: FloatMLP, x: Float64, bits: Any) -> None:
    """U6: a weight that is 0 has the code that stands for 0."""
    for layer, dense in zip(quantizer(model, x, bits).layers, model.layers, strict=True):
        assert not layer.centred_weights[dense.w == 0].any()


@pytest.mark.parametrize("method", NAMES)
@pytest.mark.parametrize("bits", [*BITS, [8, 2, "ternary"]], ids=str)
def test_quantize_keeping_zeros_keeps_them(method: str, bits: Any) -> None:
    """Every method and width, with two of the activations each."""
    turn = NAMES.index(method)
    for i in (turn, turn + 3):
        model, x = drawn_model(i, list(ACTIVATIONS)[i % len(ACTIVATIONS)])

        def keeping(model: FloatMLP, x: Float64, bits: Any) -> IntegerMLP:
            return quantize_keeping_zeros(model, x, bits, method=method)

        law_zeros_stay_zero(keeping, prune_weights(model, x, 0.3), x, bits)


def test_law_zeros_stay_zero_kills_rounding_of_all_weights() -> None:
    """Rectified quantization of the whole layer puts errors into weights that were 0."""
    with pytest.raises(AssertionError):
        for seed in range(10):
            model, x = drawn_model(seed)
            law_zeros_stay_zero(quantize_rectified, prune_weights(model, x, 0.3), x, 3)


@pytest.mark.parametrize("bits", BITS, ids=str)
def test_quantize_keeping_zeros_is_the_method_where_there_are_none(bits: Any) -> None:
    """A dense network is quantized as ever, bit for bit."""
    model, x = drawn_model(4, "clipped_relu")
    assert quantize_keeping_zeros(model, x, bits) == quantize_rectified(model, x, bits)
    assert quantize_keeping_zeros(model, x, bits, method="nearest") == quantize_nearest(model, x, bits)
    assert quantize_keeping_zeros(model, x, bits, method="uniform") == quantize_uniform(model, x, bits)


@settings(max_examples=30)
@given(SEEDS, st.sampled_from(NAMES), st.sampled_from(BITS))
def test_round_keeping_zeros_rounds_each_neuron_alone(seed: int, method: str, bits: Any) -> None:
    """Columns are those of layers of one neuron that have only its inputs; an empty neuron has codes 0."""
    rng = np.random.default_rng(seed)
    x, w = drawn_inputs(rng, 40, 6), rng.normal(0, 1, (6, 4))
    w[rng.random(w.shape) < 0.5] = 0.0
    w[:, 0], w[0, 1] = 0.0, 0.0
    problem = LayerProblem(w, rng.normal(0, 1, 4), x, rng.normal(0, 1, (40, 4)), "relu", 0, False)
    codes = round_keeping_zeros(problem, bits, method)
    assert not codes.w_q[w == 0].any()
    d2 = error_weights(problem, bits)
    for n in range(1, 4):
        s = np.flatnonzero(w[:, n])
        if not len(s):
            continue
        alone = LayerProblem(w[s, n : n + 1], problem.b[n : n + 1], x[:, s], problem.z[:, n : n + 1], "relu", 0, False)
        if method == "rectified":
            wanted = rectified_codes(alone, bits, d2[:, n : n + 1])
        else:
            wanted = METHODS[method](alone, bits)
        np.testing.assert_array_equal(codes.w_q[s, n], wanted.w_q[:, 0])
        assert np.ravel(codes.w.scale)[n] == np.ravel(wanted.w.scale)[0] and codes.bias[n] == wanted.bias[0]


@pytest.mark.parametrize("bits", [3, 2, "ternary"])
def test_quantize_keeping_zeros_beats_nearest(bits: Any) -> None:
    """Over 10 sparse networks, the rectified nonzeros have less error than nearest ones, fitted or not."""
    ratios = []
    for seed in range(10):
        model, x = drawn_model(seed, "clipped_relu")
        pruned = prune_weights(model, x, 0.4)
        wanted = [quantize_keeping_zeros(pruned, x, bits, method=m) for m in ("rectified", "nearest", "uniform")]
        errors = [float(np.square(net.logits(x) - pruned.logits(x)).mean()) for net in wanted]
        ratios.append([errors[0] / other for other in errors[1:]])
    assert (np.exp(np.log(ratios).mean(axis=0)) < 1).all()


def test_quantize_keeping_zeros_takes_the_originals_targets() -> None:
    """A pruned network is quantized towards the network it was made from, if that is given."""
    model, x = drawn_model(2, "clipped_relu")
    pruned = prune_weights(model, x, 0.4, compensation="bare")
    towards = quantize_keeping_zeros(pruned, x, 4, targets=model.pre_activations(x))
    alone = quantize_keeping_zeros(pruned, x, 4)
    errors = [float(np.square(net.logits(x) - model.logits(x)).mean()) for net in (towards, alone)]
    assert errors[0] < errors[1]


def test_quantize_keeping_zeros_refuses() -> None:
    """An unknown method, and a network that is integer already."""
    model, x = drawn_model(0)
    with pytest.raises(ValueError, match="method"):
        quantize_keeping_zeros(model, x, method="guess")
    with pytest.raises(TypeError, match="integer already"):
        quantize_keeping_zeros(quantize_uniform(model, x), x)
