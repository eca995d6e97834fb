"""Laws of dynamic quantization: the weights of the static quantizers, rows where a method needs them, and no others."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.chain.weight_codes import Bits, choose_weight_params
from npquant.compression.rounding.dynamic import quantize_dynamic
from npquant.compression.rounding.method_names import DRAWING_METHODS, METHOD_NAMES
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.kernels.affine import quantize
from npquant.nn.activations import ACTIVATIONS
from npquant.nn.model import DenseLayer, FloatMLP

Float64 = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
BITS: list[Bits] = [8, 6, 4, 3, 2, "ternary"]
METHODS = [name for name in METHOD_NAMES if name not in DRAWING_METHODS]


def drawn_model(seed: int, activation: str, dtype: type = np.float64) -> tuple[FloatMLP, Float64]:
    """Draw a network of three layers and rows for it."""
    rng = np.random.default_rng(seed)
    widths = [5, 12, 8, 3]
    layers = []
    for i, name in enumerate([activation, activation, "identity"]):
        w = rng.normal(0, 1, (widths[i], widths[i + 1])) / np.sqrt(widths[i])
        layers.append(DenseLayer(w.astype(dtype), rng.normal(0, 0.3, widths[i + 1]).astype(dtype), name))
    return FloatMLP(tuple(layers)), rng.normal(0, 1, (64, 5))


@given(SEEDS, st.sampled_from(list(ACTIVATIONS)), st.sampled_from(BITS))
def test_quantize_dynamic_rounds_weights_to_nearest(seed: int, activation: str, bits: Bits) -> None:
    """Without rows, the codes are R1 of the float weights at the static quantizer's scale; bias and activation stay."""
    model, _ = drawn_model(seed, activation)
    net = quantize_dynamic(model, bits=bits)
    for layer, dense in zip(net.layers, model.layers, strict=True):
        params = choose_weight_params(dense.w, bits, granularity="per_channel", weight_scale="auto")
        assert layer.w == params and layer.activation == dense.activation
        np.testing.assert_array_equal(layer.w_q, quantize(dense.w, params))
        np.testing.assert_array_equal(layer.b, dense.b.astype(np.float32))


def squared_error(net: DynamicMLP, model: FloatMLP, x: Float64) -> float:
    return float(np.square(net.logits(x) - model.logits(x)).mean())


@pytest.mark.parametrize("activation", ["clipped_relu", "hard_sigmoid", "tanh"])
@pytest.mark.parametrize("method", [name for name in METHODS if name != "uniform"])
def test_quantize_dynamic_methods_beat_uniform_at_two_bits(method: str, activation: str) -> None:
    """Each method that sees rows has, over 5 networks, less error at 2 bits than rounding to nearest alone."""
    ratios = []
    for seed in range(5):
        model, x = drawn_model(seed, activation)
        better, uniform = (quantize_dynamic(model, x, 2, method=name) for name in (method, "uniform"))
        ratios.append(squared_error(better, model, x) / squared_error(uniform, model, x))
    assert np.exp(np.mean(np.log(ratios))) < 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bits", [8, 3, 2, "ternary", [8, 2, "ternary"]])
def test_quantize_dynamic_takes_every_width(method: str, bits: Any) -> None:
    """Every method gives codes on the grid that was asked for, by layer, and the same ones again."""
    model, x = drawn_model(0, "relu", np.float32)
    net = quantize_dynamic(model, x, bits, [4, 2], rng=1, method=method, granularity="batch")
    assert [layer.x_bits for layer in net.layers] == [8, 4, 2]
    for layer, width in zip(net.layers, bits if isinstance(bits, list) else [bits] * 3, strict=True):
        levels = 3 if width == "ternary" else 2**width
        assert max(len(np.unique(column)) for column in layer.w_q.T) <= levels
    assert net == quantize_dynamic(model, x, bits, [4, 2], rng=2, method=method, granularity="batch")


def test_quantize_dynamic_follows_rows_that_static_saturates() -> None:
    """Rows three times as large as any in calibration saturate a static network, and not a dynamic one."""
    model, x = drawn_model(0, "relu")
    larger = 3 * x
    static = np.square(quantize_uniform(model, x).logits(larger) - model.logits(larger)).mean()
    assert squared_error(quantize_dynamic(model), model, larger) < static / 100


def test_quantize_dynamic_keeps_an_all_zero_layer() -> None:
    """All-zero weights have scale 1 and code 0; the logits are the bias."""
    layer = DenseLayer(np.zeros((3, 2)), np.array([1.0, -2.0]), "identity")
    net = quantize_dynamic(FloatMLP((layer,)), bits=2)
    assert net.accumulator_bits == (1,)
    np.testing.assert_array_equal(net.logits(np.ones((1, 3))), [[1.0, -2.0]])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rows", [np.ones((1, 5)), np.zeros((4, 5)), np.full((3, 5), 7.0)])
def test_quantize_dynamic_answers_degenerate_rows(method: str, rows: Float64) -> None:
    """One row, all zeros, or the same row again and again give a finite network."""
    model, x = drawn_model(1, "sigmoid")
    assert np.isfinite(quantize_dynamic(model, rows, 3, method=method).logits(x)).all()


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"bits": 9}, ValueError, "bits"),
        ({"bits": [8, 8]}, ValueError, "2 bit widths for 3 layers"),
        ({"activation_bits": 1}, ValueError, "2..8"),
        ({"activation_bits": [8, 8, 8]}, ValueError, "hidden"),
        ({"granularity": "column"}, ValueError, "granularity"),
        ({"method": "guess"}, ValueError, "method"),
        ({"method": "gptq"}, ValueError, "needs x_calibration"),
        ({"method": "nearest"}, ValueError, "needs x_calibration"),
        ({"method": "adaround"}, ValueError, "here it is one of"),
        ({"x_calibration": np.zeros((0, 5))}, ValueError, "x_calibration"),
        ({"x_calibration": np.zeros((2, 4))}, ValueError, "takes"),
        ({"x_calibration": np.full((2, 5), np.nan)}, ValueError, "NaN"),
    ],
)
def test_quantize_dynamic_refuses(options: dict[str, Any], error: type[Exception], word: str) -> None:
    """Each bad argument is named."""
    model, _ = drawn_model(0, "relu")
    with pytest.raises(error, match=word):
        quantize_dynamic(model, **options)


def test_quantize_dynamic_refuses_an_integer_network() -> None:
    """A network that is integer already has no float weights to start from."""
    model, x = drawn_model(0, "relu")
    for net in (quantize_uniform(model, x), quantize_dynamic(model)):
        with pytest.raises(TypeError, match="FloatMLP"):
            quantize_dynamic(net)
