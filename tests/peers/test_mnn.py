"""MNN's int8 layer and conversions are the profile's, code for code."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import npquant
from npquant import QuantParams
from npquant.kernels.conversion import round_add_half_then_truncate
from npquant.kernels.output_stages import shift_with_column_sum
from tests.peers import engines_mnn as ENGINE
from tests.peers import layers, machine, vectors
from tests.peers.comparison import differing, require_equal

pytestmark = [
    pytest.mark.extra,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded rules are those of x86"),
]

BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))


def on_engine(layer: layers.Layer, low: int = -128) -> NDArray[np.int8]:
    """Run a layer, its integer bias as the real one that it stands for."""
    bias = layer.bias
    if bias is not None and bias.dtype.kind == "i":
        scale = np.asarray(layer.x.scale, np.float64) * np.asarray(layer.w.scale, np.float64)
        layer = dataclasses.replace(layer, bias=(bias * scale).astype(np.float32))
    codes: NDArray[np.int8] = layer.on(ENGINE.linear, relu=layer.activation == "relu", low=low)
    return codes


def beside_ties(seed: int, count: int, n: int) -> Iterator[layers.Layer]:
    """Draw layers whose products are beside ties, with biases on every other one, and relu on every third."""
    rng = np.random.default_rng(seed)
    for per_channel in (False, True):
        for i, layer in enumerate(layers.through_products(seed, count, n, codes="int8", per_channel=per_channel)):
            bias = rng.integers(-300, 300, n).astype(np.int32) if i % 2 else None
            rows = np.repeat(layer.x_q, int(rng.integers(1, 4)), axis=0)
            yield dataclasses.replace(layer, x_q=rows, bias=bias, activation="relu" if i % 3 == 2 else "none")


def by_another_rule(layer: layers.Layer, *, folded: bool, rounding: Any) -> NDArray[np.int8]:
    """Compute a layer with sw and sx / sy multiplied beforehand, or with another rounding."""
    acc = ((layer.x_q.astype(np.int64) + 128) @ layer.w_q.astype(np.int64)).astype(np.float32)
    bias = np.zeros(layer.w_q.shape[1], np.int32) if layer.bias is None else layer.bias
    sw = np.asarray(layer.w.scale, np.float32)
    real = (bias * (np.asarray(layer.x.scale, np.float64) * np.asarray(layer.w.scale, np.float64))).astype(np.float32)
    x, y = (layer.x.scale, layer.x.zero_point), (layer.y.scale, layer.y.zero_point)
    shift = shift_with_column_sum(layer.w_q.sum(axis=0, dtype=np.int64), real, x, sw, y)
    ratio = np.float32(layer.x.scale) / np.float32(layer.y.scale)
    v = acc * (sw * ratio) + shift if folded else acc * sw * ratio + shift
    low = layer.y.zero_point if layer.activation == "relu" else -128
    codes: NDArray[np.int8] = rounding(np.clip(v, low, 127).astype(np.float32)).astype(np.int8)
    return codes


def test_layer_equals_profile_beside_ties() -> None:
    """R138 and R139 at zero points all over; one folded multiplier, and half even, are wrong here."""
    compared, killed, even = 0, 0, 0
    for layer in beside_ties(21, 100, 2_048):
        got = on_engine(layer)
        compared += require_equal(ENGINE, got, layer.under("mnn"), case=layer)
        folded = by_another_rule(layer, folded=True, rounding=round_add_half_then_truncate)
        killed += int(differing(got, folded).sum())
        even += int(differing(got, by_another_rule(layer, folded=False, rounding=np.rint)).sum())
    assert compared >= 750_000 and killed > 0 and even > 0


def test_layer_equals_profile_on_products() -> None:
    """Matrix products of every depth around the vector widths, with codes at their ends; relu, and a low rail."""
    compared = 0
    for i, layer in enumerate(layers.products(22, 100, codes="int8", weights="int8", activations=("none", "relu"))):
        got = on_engine(layer, low=-127 if i % 3 == 0 else -128)
        if i % 3 == 0 and layer.activation == "none":
            x, w, y = layer.x, layer.w, layer.y
            args = layer.x_q, layer.w_q, layer.bias
            want = npquant.linear(*args, x=x, w=w, y=y, profile="mnn", clamp=(-127, 127))
        else:
            want = layer.under("mnn")
        compared += require_equal(ENGINE, got, want, case=layer)
    assert compared >= 10_000


def test_requantize_equals_profile() -> None:
    """A layer whose weights sum to 0 in each column has no shift but the zero point."""
    compared = 0
    for layer in layers.through_products(23, 24, 2_048, codes="int8", per_channel=False):
        half = (layer.x_q.astype(np.int64) - layer.x.zero_point).clip(0, 127).astype(np.int8)
        x_q, w_q = np.concatenate([half, np.zeros_like(half)], axis=1), np.concatenate([layer.w_q, -layer.w_q])
        x = layers.params(layer.x.scale, 0, "int8")
        acc = x_q.astype(np.int64) @ w_q.astype(np.int64)
        got = ENGINE.linear(x_q, w_q, None, x=layers.pair(x), w=layers.pair(layer.w), y=layers.pair(layer.y))
        want = npquant.requantize(acc, x=x, w=layer.w, y=layer.y, profile="mnn")
        compared += require_equal(ENGINE, got, want, case=layer)
    assert compared >= 40_000


def test_sums_wrap() -> None:
    """A sum of 70,000 products of inputs raised by 128 leaves int32, and comes back on the other side."""
    one = QuantParams(1.0, 0, -128, 127), QuantParams(2.0**-24, 0, -128, 127), QuantParams(1.0, 0, -128, 127)
    layer = layers.Layer(np.full((1, 70_000), 127, np.int8), np.full((70_000, 2), 127, np.int8), None, *one)
    assert layer.under("mnn").tolist() != layer.under("ort").tolist()
    require_equal(ENGINE, on_engine(layer), layer.under("mnn"), case="70,000 products")


def test_ties_go_away_from_code_0_and_not_from_0() -> None:
    """-2.5 steps are code -3 at the zero point 0, and 8, not 7, at 10."""
    for zero_point, code in ((0, -3), (10, 8)):
        y = QuantParams(1.0, zero_point, -128, 127)
        x, w = QuantParams(0.5, 0, -128, 127), QuantParams(1.0, 0, -128, 127)
        layer = layers.Layer(np.array([[5]], np.int8), np.array([[-1]], np.int8), None, x, w, y)
        assert on_engine(layer).tolist() == layer.under("mnn").tolist() == [[code]]
        assert ENGINE.quantize(np.float32([-2.5]), y=layers.pair(y)).tolist() == [code]


def test_inputs_of_0_do_not_give_0() -> None:
    """The surplus of inputs raised by 128 is taken off in float32: 1,100 inputs of 0 give code 2."""
    x, w, y = (QuantParams(s, 0, -128, 127) for s in (0.1, 0.01, 0.001))
    layer = layers.Layer(np.zeros((1, 1100), np.int8), np.full((1100, 1), 127, np.int8), None, x, w, y)
    assert on_engine(layer).tolist() == layer.under("mnn").tolist() == [[2]]
    assert layer.under("ort").tolist() == [[0]]


@pytest.mark.parametrize("operator", [ENGINE.quantize, ENGINE.quantize_input])
def test_quantize_equals_profile(operator: Any) -> None:
    """R137 with NaN, infinities and 1/2's neighbour, as an operator and at a layer's input; half away is wrong here."""
    compared, killed = 0, 0
    for x, y in vectors.to_quantize(24, 100, 1000, "int8"):
        x = np.concatenate([x, np.float32([BELOW_HALF, -BELOW_HALF]) * y.scale])
        got = operator(x, y=layers.pair(y))
        compared += require_equal(ENGINE, got, npquant.quantize(x, y, profile="mnn"), case=y)
        killed += int(differing(got, npquant.quantize(x, y, profile="tflite_ref")).sum())
    assert compared >= 100_000 and killed > 0
    assert operator(np.float32([BELOW_HALF, np.nan, np.inf, 1e10]), y=(1.0, 0)).tolist() == [1, 127, 127, 127]


def test_dequantize_equals_profile() -> None:
    """R2 on every code and zero point."""
    compared = 0
    for q, x in vectors.to_dequantize(25, 256, "int8"):
        got = ENGINE.dequantize(q, x=layers.pair(x))
        compared += require_equal(ENGINE, got, npquant.dequantize(q, x, profile="mnn"), case=x)
    assert compared >= 60_000
