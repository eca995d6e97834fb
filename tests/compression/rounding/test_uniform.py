"""Laws of uniform quantization: near the float model by a derived bound, equal to it on the grid."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from npquant.compression.chain.calibration import choose_input_code, mse_range, percentile_range
from npquant.compression.chain.integer_chain import LayerProblem, quantize_chain
from npquant.compression.chain.layer_codes import LayerCodes, rescale_for_bias
from npquant.compression.chain.output_codes import output_params
from npquant.compression.rounding.uniform import quantize_recipe, quantize_uniform
from npquant.integer.layer import IntegerLayer, run_layer_plain
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.qparams import QuantParams
from npquant.nn.activations import activate
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.profiles.npquant import NPQUANT
from npquant.profiles.record import Profile

Float64 = NDArray[np.float64]
Quantize = Callable[[FloatMLP, ArrayLike], IntegerMLP]
RunLayer = Callable[[IntegerLayer, NDArray[np.int8], Profile], NDArray[np.int8]]
HIDDEN = ["relu", "clipped_relu", "hard_sigmoid", "sigmoid", "tanh", "softplus"]
# Largest slope of each activation: how far an error of z can move a.
SLOPE = {"identity": 1.0, "relu": 1.0, "clipped_relu": 1.0, "sigmoid": 0.25, "tanh": 1.0, "softplus": 1.0}


def random_model(rng: np.random.Generator, widths: list[int], activation: str) -> FloatMLP:
    """Draw a float64 network with pre-activations of about unit size."""
    layers = []
    for i, (k, n) in enumerate(pairwise(widths)):
        name = activation if i < len(widths) - 2 else "identity"
        layers.append(DenseLayer(rng.normal(0, 1 / np.sqrt(k), (k, n)), rng.normal(0, 0.3, n), name))
    return FloatMLP(tuple(layers))


def real_codes(q: NDArray[np.integer], p: QuantParams) -> Float64:
    return np.asarray((q.astype(np.float64) - int(np.max(p.zero_point))) * float(np.max(p.scale)))


def layer_error(dense: tuple[Float64, Float64], layer: IntegerLayer, x: Float64, x_hat: Float64, e: Float64) -> Float64:
    """Bound |float output - integer output| of one layer, from the bound e on its inputs.

    z = x w + b and z' = x' w' + b' differ by at most e |w| + |x'| |w - w'| + |b - b'| (triangle inequality).
    R5 moves the multiplier by 2^-31 of itself and R4 by 2^-53: another 2^-30 |z'|. Rounding to a step adds s / 2.
    Clamping moves no two points apart (R11), except that the float value may lie beyond the last code: `beyond` of
    it. A table adds the same three things again, the first one shrunk by the slope of the function. float64 itself
    rounds each of the K + 2 terms of z: 2^-50 of their magnitudes.
    """
    (w, b), steps = dense, np.asarray(layer.w.scale, np.float64)
    w_hat, b_hat = layer.centred_weights * steps, layer.bias * (steps * float(layer.x.scale))
    size = (np.abs(x) + np.abs(x_hat)) @ (np.abs(w) + np.abs(w_hat)) + np.abs(b)
    error = e @ np.abs(w) + np.abs(x_hat) @ np.abs(w - w_hat) + np.abs(b - b_hat) + 2.0**-50 * (len(w) + 2) * size
    z, z_hat = x @ w + b, x_hat @ w_hat + b_hat
    error += 2.0**-30 * np.abs(z_hat)
    if layer.pre is not None:
        error = SLOPE[layer.activation] * (error + float(layer.pre.scale) / 2 + beyond(z, layer.pre))
    a = np.asarray(activate(layer.activation, z), np.float64)
    return np.asarray(error + float(layer.y.scale) / 2 + beyond(a, layer.y))


def beyond(a: Float64, p: QuantParams) -> Float64:
    """Return how far values lie outside what the codes can stand for."""
    low, high = real_codes(np.array([p.qmin, p.qmax]), p)
    return np.asarray(np.maximum(0.0, np.maximum(low - a, a - high)))


def law_near_the_float_model(
    quantize_model: Quantize, model: FloatMLP, x: Float64, run_layer: RunLayer = run_layer_plain
) -> None:
    """Every output of every layer is within its derived bound of the float model's."""
    net = quantize_model(model, x)
    code = choose_input_code(x)
    x_q = net.encode(x)
    exact = (x if code.offset is None else x - code.offset) / np.asarray(code.params.scale, np.float64)
    x_hat = real_codes(x_q, net.layers[0].x)
    e = np.abs(exact - x_hat)
    for i, (dense, layer) in enumerate(zip(model.layers, net.layers, strict=True)):
        w, b = np.asarray(dense.w, np.float64), np.asarray(dense.b, np.float64)
        if dense.activation == "hard_sigmoid":
            w, b = w / 6, b / 6 + 0.5
        w, b = code.fold(w, b) if i == 0 else (w, b)
        e = layer_error((w, b), layer, exact, x_hat, e)
        x_q = run_layer(layer, x_q, NPQUANT)
        x_hat, exact = real_codes(x_q, layer.y), np.asarray(activate(layer.activation, exact @ w + b))
        assert (np.abs(x_hat - exact) <= e).all(), f"layer {i}"
    assert np.allclose(exact, model.logits(x), rtol=0, atol=1e-9)  # the walk above is the float model's own


@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.lists(st.integers(1, 8), min_size=2, max_size=4),
    activation=st.sampled_from(HIDDEN),
    bits=st.sampled_from([8, 4, 2, "ternary"]),
    granularity=st.sampled_from(["per_channel", "per_tensor"]),
    integers=st.booleans(),
)
def test_quantize_uniform_is_near_the_float_model(
    seed: int, widths: list[int], activation: str, bits: int | str, granularity: str, integers: bool
) -> None:
    """Layer by layer, whatever the bits, the activation and the inputs."""
    rng = np.random.default_rng(seed)
    model = random_model(rng, widths, activation)
    x = rng.integers(0, 17, (5, widths[0])).astype(np.float64) if integers else rng.normal(0, 1, (5, widths[0]))
    law_near_the_float_model(partial(quantize_uniform, bits=bits, granularity=granularity), model, x)


def run_rounding_down(layer: IntegerLayer, x_q: NDArray[np.int8], profile: Profile) -> NDArray[np.int8]:
    """Requantize by a plain shift, which rounds down."""

    def stage(acc: NDArray[np.int64], fixed: FixedMultiplier, zy: int, qmin: int, qmax: int) -> NDArray[np.int64]:
        steps = np.right_shift(acc * fixed.multiplier, 31 - np.asarray(fixed.shift))
        return np.asarray(np.clip(steps + zy, qmin, qmax))

    return run_layer_plain(layer, x_q, replace(profile, output_stage=stage))


def run_with_one_bias_scale(layer: IntegerLayer, x_q: NDArray[np.int8], profile: Profile) -> NDArray[np.int8]:
    """Take all biases for codes of the last channel's scale: the recipe's own mistake."""
    steps = np.asarray(layer.w.scale, np.float64)
    return run_layer_plain(
        replace(layer, bias=np.rint(layer.bias * (steps / steps[-1])).astype(np.int32)), x_q, profile
    )


@pytest.mark.parametrize("wrong", [run_rounding_down, run_with_one_bias_scale])
def test_near_the_float_model_kills_wrong_layers(wrong: RunLayer) -> None:
    """Rounding down costs half a step more than the bound allows; one scale for all biases costs far more."""
    model, x = grid_model(np.random.default_rng(0), "relu")
    first = model.layers[0]
    wide = FloatMLP((DenseLayer(first.w * 2.0 ** np.arange(5), first.b + 3, "relu"), model.layers[1]))
    law_near_the_float_model(quantize_uniform, wide, x.astype(np.float64))
    with pytest.raises(AssertionError, match="layer"):
        law_near_the_float_model(quantize_uniform, wide, x.astype(np.float64), wrong)


def grid_model(rng: np.random.Generator, activation: str) -> tuple[FloatMLP, NDArray[np.int64]]:
    """Draw a network whose weights, inputs and outputs are all integers, and so on grids of step 1.

    The last input and the last hidden unit are always 0; their weights of 127 make each weight scale 127 / 127 = 1.
    """
    w1, w2 = rng.integers(-3, 4, (6, 5)).astype(np.float64), rng.integers(-1, 2, (5, 3)).astype(np.float64)
    w1[:, 4] = 0.0
    w1[5], w2[4] = 127.0, 127.0
    b1, b2 = rng.integers(-9, 10, 5).astype(np.float64), rng.integers(-9, 10, 3).astype(np.float64)
    b1[4] = 0.0
    x = rng.integers(0, 3, (8, 6))
    x[:, 5] = 0
    return FloatMLP((DenseLayer(w1, b1, activation), DenseLayer(w2, b2, "identity"))), x


def law_equal_on_the_grid(quantize_model: Quantize, model: FloatMLP, x: ArrayLike) -> None:
    """Where everything lies on its grid, the logits are the float model's, exactly."""
    net = quantize_model(model, x)
    assert np.array_equal(net.logits(x), model.logits(x))
    assert all((layer.w.scale == 1).all() for layer in net.layers)
    for dense, layer in zip(model.layers, net.layers, strict=True):
        assert np.array_equal(layer.w_q, dense.w) and np.array_equal(layer.bias, dense.b)


def unit_steps(values: Float64) -> tuple[float, float]:
    """Calibrate to steps of 1."""
    return (0.0, 255.0) if values.min() >= 0 else (-128.0, 127.0)


def logits_in_unit_steps(values: Float64) -> tuple[float, float]:
    """Calibrate ReLU outputs and logits to steps of 1, whatever their signs."""
    return (-128.0, 127.0) if values.shape[1] == 3 else (0.0, 255.0)


@given(seed=st.integers(0, 2**32 - 1), weight_scale=st.sampled_from(["absmax", "mse"]))
def test_quantize_uniform_is_equal_on_the_grid(seed: int, weight_scale: str) -> None:
    """Integer weights, inputs, ReLU outputs and logits: no rounding anywhere, so no difference anywhere."""
    model, x = grid_model(np.random.default_rng(seed), "relu")
    law_equal_on_the_grid(
        partial(quantize_uniform, weight_scale=weight_scale, calibrate=logits_in_unit_steps, inputs="exact"), model, x
    )


def test_equal_on_the_grid_kills_truncation() -> None:
    """Truncating weights to codes after a step that is slightly too large loses one code."""

    def truncating(model: FloatMLP, x: ArrayLike) -> IntegerMLP:
        def layer(problem: LayerProblem) -> LayerCodes:
            w = QuantParams(np.full(problem.w.shape[1], np.nextafter(np.float32(1), np.float32(2))), 0, -128, 127)
            return LayerCodes(np.trunc(problem.w / np.asarray(w.scale, np.float64)).astype(np.int8), w, problem.b)

        return quantize_chain(model, x, layer, calibrate=logits_in_unit_steps, inputs="exact")

    model, x = grid_model(np.random.default_rng(0), "relu")
    law_equal_on_the_grid(partial(quantize_uniform, calibrate=logits_in_unit_steps, inputs="exact"), model, x)
    with pytest.raises(AssertionError):
        law_equal_on_the_grid(truncating, model, x)


def test_quantize_uniform_takes_dead_and_constant_parts() -> None:
    """An all-zero layer, a constant feature and a bias far beyond its weights are defined, and near the float model."""
    rng = np.random.default_rng(0)
    model = random_model(rng, [4, 3, 2], "relu")
    w, b = np.array(model.layers[0].w), np.array([0.4, -0.3, 1e-9])
    w[:, 0], w[:, 1] = 0.0, 1e-14
    x = rng.normal(0, 1, (20, 4))
    x[:, 2] = 7.25
    for weights in (w, np.zeros_like(w)):
        dead = FloatMLP((DenseLayer(weights, b, "relu"), model.layers[1]))
        law_near_the_float_model(quantize_uniform, dead, x)
        hidden = quantize_uniform(dead, x).layers[0]
        assert abs(hidden.bias[0] * float(hidden.x.scale) * float(np.asarray(hidden.w.scale)[0]) - 0.4) < 0.4 * 2.0**-15


def test_rescale_for_bias_refuses_one_scale_for_all() -> None:
    """Per tensor there is no neuron's own step to raise: the bias that does not fit is named."""
    x = QuantParams(1.0, 0, -128, 127)
    w = QuantParams(1e-20, 0, -128, 127)
    with pytest.raises(OverflowError, match="layer 3, neuron 1"):
        rescale_for_bias(LayerCodes(np.ones((2, 2), np.int8), w, np.array([0.0, 1.0])), x, 3)


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_output_params_has_as_many_codes_as_bits_say(activation: str, bits: int) -> None:
    """2^a codes, 0 among them; 1 is reached where the activation is bounded by it."""
    if activation == "tanh" and bits == 1:
        with pytest.raises(ValueError, match="at least 2 for tanh"):
            output_params(activation, np.ones((2, 1)), bits, unit_steps)
        return
    p = output_params(activation, np.ones((2, 1)), bits, unit_steps)
    assert p.qmax - p.qmin + 1 == 2**bits and p.dtype == np.int8
    top = real_codes(np.array([p.qmax]), p).item()
    assert abs(top - (255.0 if activation in ("relu", "softplus") else 1.0)) <= 2.0**-23 * top


def test_quantize_recipe_is_the_recipe() -> None:
    """Weights truncated on (w - min) / (max - min); activations trunc(k a): low by half a step on average."""
    rng = np.random.default_rng(3)
    model, x = random_model(rng, [8, 16, 4], "clipped_relu"), np.abs(rng.normal(0, 1, (200, 8)))
    net = quantize_recipe(model, x, 6)
    first = net.layers[0]
    assert (first.w.qmin, first.w.qmax, first.y.qmax - first.y.qmin + 1) == (-32, 31, 64)
    assert float(first.y.scale) == 1 / 64
    acc = net.accumulators(net.encode(x))[0] * (float(first.x.scale) * float(first.w.scale))
    truncated = np.clip(np.floor((acc + 0.5 / 64) * 64), 0, 63)
    codes = run_layer_plain(first, net.encode(x), NPQUANT) + 128.0
    # The bias is rounded to a step of sx sw and the multiplier to 2^-31: codes differ only that close to a step's edge.
    assert (np.abs(truncated - codes) <= 1).all() and (truncated == codes).mean() > 0.99
    uniform = np.abs(quantize_uniform(model, x, 6).logits(x) - model.logits(x)).mean()
    assert np.abs(net.logits(x) - model.logits(x)).mean() > uniform


def test_quantizers_refuse_bad_input() -> None:
    """Each bad value is named, and what to do about it."""
    rng = np.random.default_rng(0)
    model, x = random_model(rng, [3, 4, 2], "relu"), rng.normal(size=(5, 3))
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: quantize_uniform(model, np.full((2, 3), np.nan)), "NaN or infinity"),
        (lambda: quantize_uniform(model, np.zeros((0, 3))), "training rows"),
        (lambda: quantize_uniform(model, np.zeros((2, 4))), "4 columns; the model reads 3"),
        (lambda: quantize_uniform(model, x, 9), "bits is 9"),
        (lambda: quantize_uniform(model, x, [8]), "1 bit widths for 2 layers"),
        (lambda: quantize_uniform(model, x, "binary"), "'ternary'"),
        (lambda: quantize_uniform(model, x, granularity="per_row"), "granularity"),
        (lambda: quantize_uniform(model, x, activation_bits=9), "activation_bits is 9"),
        (lambda: quantize_uniform(model, x, targets=[x]), "a layer is needed"),
        (lambda: quantize_recipe(model, x), "in \\[0, 1\\]"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


def test_quantize_uniform_leaves_the_model_alone_and_repeats() -> None:
    """The same rows give the same integers; other range rules give other ones."""
    rng = np.random.default_rng(5)
    model, x = random_model(rng, [6, 8, 3], "relu"), rng.normal(size=(60, 6))
    before = [layer.w.copy() for layer in model.layers]
    net = quantize_uniform(model, x, [4, "ternary"])
    assert net == quantize_uniform(model, x, [4, "ternary"]) and net.weight_bits == (4, 2)
    assert all(np.array_equal(w, layer.w) for w, layer in zip(before, model.layers, strict=True))
    for rule in (partial(percentile_range, percent=90), partial(mse_range, bits=8)):
        other = quantize_uniform(model, x, [4, "ternary"], calibrate=rule)
        assert float(other.layers[0].y.scale) <= float(net.layers[0].y.scale)
