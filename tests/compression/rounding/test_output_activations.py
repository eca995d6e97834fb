"""Laws of networks as they are: an output activation, linear hidden layers, softplus, through every way to quantize."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.compression.bias_step import coarsen_biases
from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.neuron_order import reorder_neurons
from npquant.compression.rounding.dynamic import quantize_dynamic
from npquant.compression.rounding.keeping_zeros import quantize_keeping_zeros
from npquant.compression.rounding.method_names import DRAWING_METHODS, METHOD_NAMES
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.compression.rounding.rectified.activation_weights import activation_weights
from npquant.compression.rounding.rectified.network import error_weights
from npquant.compression.rounding.uniform import quantize_recipe, quantize_uniform
from npquant.files.storage import save
from npquant.integer.mlp import IntegerMLP
from npquant.interop.reading import load
from npquant.nn.activations import ACTIVATIONS
from npquant.nn.model import DenseLayer, FloatMLP
from tests.compression.rounding.test_uniform import law_near_the_float_model

Float64 = NDArray[np.float64]
NETWORKS = {
    "final relu": ("relu", "relu", "relu"),
    "final clipped relu": ("relu", "relu", "clipped_relu"),
    "final hard sigmoid": ("relu", "relu", "hard_sigmoid"),
    "final sigmoid": ("relu", "relu", "sigmoid"),
    "final tanh": ("tanh", "tanh", "tanh"),
    "final softplus": ("relu", "relu", "softplus"),
    "linear hidden layers": ("identity", "relu", "identity"),
    "linear throughout": ("identity", "identity", "identity"),
    "hidden softplus": ("softplus", "softplus", "identity"),
}


def drawn(names: tuple[str, ...]) -> tuple[FloatMLP, Float64]:
    """Draw a network of three layers with these activations, and 64 rows."""
    rng = np.random.default_rng([7, *"".join(names).encode()])
    widths = (8, 12, 10, 4)
    layers = [
        DenseLayer(rng.normal(0, 1 / np.sqrt(k), (k, n)), rng.normal(0, 0.3, n), name)
        for k, n, name in zip(widths, widths[1:], names, strict=False)
    ]
    return FloatMLP(tuple(layers)), rng.normal(0, 1, (64, 8))


@pytest.mark.parametrize("names", NETWORKS.values(), ids=list(NETWORKS))
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_every_method_stays_near_the_network_as_it_is(method: str, names: tuple[str, ...], tmp_path: Path) -> None:
    """R11, R12 at the last layer too: within the derived bound, and the fast route, the file and the order keep it."""
    model, x = drawn(names)
    for bits in (8, 3):
        quantize = partial(quantize_model, bits=bits, rng=0, method=method)
        law_near_the_float_model(lambda m, rows, quantize=quantize: quantize(m, rows).network, model, x)  # type: ignore[misc]
    net = quantize(model, x).network
    np.testing.assert_array_equal(net.run(net.encode(x)), net.run_plain(net.encode(x)))
    save(net, tmp_path / "net.npq")
    assert load(tmp_path / "net.npq") == net
    np.testing.assert_array_equal(reorder_neurons(net).logits(x), net.logits(x))
    assert isinstance(coarsen_biases(net), IntegerMLP)


@pytest.mark.parametrize("names", NETWORKS.values(), ids=list(NETWORKS))
def test_the_output_s_codes_are_those_of_its_activation(names: tuple[str, ...]) -> None:
    """A bounded output has its known scale, one that is never negative starts at the lowest code; all have 8 bits."""
    model, x = drawn(names)
    y = quantize_uniform(model, x, 8, 2).output_params
    if names[-1] in ("clipped_relu", "hard_sigmoid", "sigmoid"):
        assert (float(y.scale), y.zero_point, y.qmin, y.qmax) == (np.float32(1 / 255), -128, -128, 127)  # type: ignore[comparison-overlap]
    elif names[-1] == "tanh":
        assert (float(y.scale), y.zero_point, y.qmin, y.qmax) == (np.float32(1 / 127), 0, -128, 127)  # type: ignore[comparison-overlap]
    elif names[-1] != "identity":
        assert (y.zero_point, y.qmin, y.qmax) == (-128, -128, 127)
    assert y.qmax - y.qmin == 255


@pytest.mark.parametrize("names", NETWORKS.values(), ids=list(NETWORKS))
@pytest.mark.parametrize("method", [m for m in METHOD_NAMES if m not in DRAWING_METHODS])
def test_zeros_are_kept_and_scales_may_be_dynamic(method: str, names: tuple[str, ...]) -> None:
    """U6 and D1 to D4 on the same networks: zeros stay, and 8 dynamic bits are nearer than 4."""
    model, x = drawn(names)
    holes = FloatMLP(tuple(DenseLayer(np.where(y.w > 0.3, 0.0, y.w), y.b, y.activation) for y in model.layers))
    net = quantize_keeping_zeros(holes, x, 4, method=method)
    assert all(not layer.w_q[dense.w == 0].any() for layer, dense in zip(net.layers, holes.layers, strict=True))
    wanted = model.logits(x)
    errors = [float(np.abs(quantize_dynamic(model, x, b, b, method=method).logits(x) - wanted).max()) for b in (8, 4)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("last", list(ACTIVATIONS))
@pytest.mark.parametrize("output", ["softmax", "identity"])
def test_weights_of_the_last_layer_are_a_product(last: str, output: str) -> None:
    """E2: behind the last layer, at a = f(z), times what its own activation lets through; the floor comes last."""
    z = np.random.default_rng(0).normal(0, 1, (9, 4))
    problem, f = LayerProblem(np.zeros((1, 4)), np.zeros(4), z[:, :1], z, last, 2, True), ACTIVATIONS[last][0]
    reach = np.sqrt(3) * z.std(axis=0)  # of weights that are all 0
    own = without_share(activation_weights(last, z, reach))
    behind = without_share(activation_weights(output, f(z), 0.0))
    both = without_share(error_weights(problem, 4, output))
    # Where neither factor is at its floor of 1/10, e of E1 is the product of the squares. The share is taken out again,
    # which loses a few roundings of the mean, at most 1.
    clear = (own > 0.01 + 1e-14) & (behind > 0.01 + 1e-14)
    np.testing.assert_allclose(both[clear], np.maximum(own * behind, 0.01)[clear], rtol=0, atol=1e-14)
    assert clear.any() and (error_weights(problem, 4, output) >= 0.01 * (1 - 2.0**-52)).all()


def without_share(d2: Float64) -> Float64:
    """E1 the other way round: e of d2 = 9/10 e + 1/10 mean e, which have the same mean."""
    return (d2 - 0.1 * d2.mean(axis=0)) / 0.9


def test_the_recipe_s_form_ends_in_logits() -> None:
    """R3 has no form for an output activation: it is named, and so is the way out."""
    model, x = drawn(("clipped_relu", "clipped_relu", "relu"))
    with pytest.raises(ValueError, match="ends in logits, not 'relu': use quantize_uniform"):
        quantize_recipe(model, x)
