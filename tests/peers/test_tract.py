"""tract's linear layers and conversions are the profile's, bit for bit; run apart, with the extra `engines`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import npquant
from npquant.kernels import tract as kernels
from npquant.kernels.linear import accumulate
from npquant.kernels.quantize_engines import quantize_divide_half_even_wrapping
from npquant.kernels.rounding import round_half_even, wrap_int32
from tests.peers import adversarial, layers, vectors
from tests.peers import engines_tract as ENGINE
from tests.peers.comparison import differing, require_equal

pytestmark = pytest.mark.extra

RAILS = np.array([0, 1, -1, 2**31 - 1, -(2**31), -(2**31) + 1, 2**31 - 2, 2**30, 2**31 - 2**23, 2**31 - 2**22])


def _conv(layer: layers.Layer) -> NDArray[Any]:
    return layer.on(ENGINE.qlinear_conv, dtype=layer.y.dtype.name)


@pytest.mark.parametrize("codes", ["int8", "uint8"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_qlinear_conv_equals_profile(codes: str, per_channel: bool) -> None:
    """QLinearConv at chosen accumulators is the profile: ties, rails, all of int32, all zero points."""
    compared = 0
    for layer in layers.injected(120, 128, 2048, codes=codes, weights="int8", per_channel=per_channel):
        compared += require_equal(ENGINE, _conv(layer), layer.under("tract"), case=layer)
    assert compared >= 250_000


def test_every_exponent_equals_profile() -> None:
    """Every power of two from 2^-149 to 2^39 with four mantissas, at the ends of int32: the kernel's rails (R121)."""
    rng, wrong = np.random.default_rng(121), 0
    for e in range(-149, 40, 3):
        for mantissa in (1.0, 1.5, 1 + 2.0**-23, 2 - 2.0**-23):
            sx = np.ldexp(1.0, e // 2)
            w, x = layers.params(np.ldexp(mantissa, e - e // 2), 0, "int8"), layers.params(sx, 0, "int8")
            m = np.ldexp(mantissa, e)
            near = (rng.integers(-300, 300, 100) + 0.5) / m
            acc = np.concatenate([RAILS, np.clip(np.rint(near), -(2**31), 2**31 - 1)]).astype(np.int32)
            y = layers.params(1.0, int(rng.integers(-128, 128)), "int8")
            layer = layers.Layer(np.zeros((1, 1), np.int8), np.zeros((1, len(acc)), np.int8), acc, x, w, y)
            got = _conv(layer)
            require_equal(ENGINE, got, layer.under("tract"), case=layer)
            exact = round_half_even(np.clip(acc * m, -1000, 1000)) + y.zero_point
            wrong += int((np.clip(exact, -128, 127) != got).sum())
    assert wrong > 1000  # what saturation in exact arithmetic would have given


@pytest.mark.parametrize("codes", ["int8", "uint8"])
@pytest.mark.parametrize("weights", ["int8", "uint8"])
def test_products_equal_profile(codes: str, weights: str) -> None:
    """QLinearConv and QLinearMatMul, weights constant or not, on every depth around a vector width, all zero points."""
    for layer in layers.products(122, 40, codes=codes, weights=weights, weight_zero_points=True):
        require_equal(ENGINE, _conv(layer), layer.under("tract"), case=layer)
        bare = replace(layer, bias=None)
        for constant in (True, False):
            options = {"x": layers.pair(bare.x), "w": layers.pair(bare.w), "y": layers.pair(bare.y)}
            got = ENGINE.qlinear_matmul(bare.x_q, bare.w_q, dtype=codes, constant=constant, **options)
            require_equal(ENGINE, got, bare.under("tract"), case=bare)


def test_zero_points_of_columns_are_honoured() -> None:
    """Weights with a scale and a zero point for each column."""
    rng = np.random.default_rng(123)
    for layer in layers.products(123, 20, codes="uint8", weights="int8"):
        n = layer.w_q.shape[1]
        w = npquant.QuantParams(np.exp(rng.uniform(-6, -3, n)), rng.integers(-128, 128, n), -128, 127)
        require_equal(ENGINE, _conv(replace(layer, w=w)), replace(layer, w=w).under("tract"), case=w)


def test_other_rules_fail() -> None:
    """The operands tell tract from float32, half up and the nearest profiles."""
    wrong, killed = {"ort", "onnx_ref", "npquant", "tflite_single"}, set()
    for layer in layers.injected(120, 32, 2048, codes="int8", weights="int8", per_channel=False):
        got = _conv(layer)
        killed |= {n for n in wrong if differing(got, layer.under(n)).any()}
    assert killed == wrong


def test_accumulators_wrap() -> None:
    """70,000 products of 255 and 127 leave int32, and pairs of products do not saturate."""
    x_q, w_q = np.full((2, 70_000), 255, np.uint8), np.full((70_000, 3), 127, np.int8)
    got = ENGINE.matmul_integer(x_q, w_q, x_zero_point=0, w_zero_point=0)
    want = wrap_int32(accumulate(x_q, w_q, 0, 0, 0)).astype(np.int32)
    assert want[0, 0] < 0
    require_equal(ENGINE, got, want, case="70,000 times 255 times 127")


@pytest.mark.parametrize("codes", ["int8", "uint8"])
def test_matmul_integer_equals_profile(codes: str) -> None:
    """MatMulInteger is the sum, zero points included."""
    for layer in layers.products(124, 40, codes=codes, weights="int8", weight_zero_points=True):
        got = ENGINE.matmul_integer(
            layer.x_q, layer.w_q, x_zero_point=layer.x.zero_point, w_zero_point=layer.w.zero_point
        )
        want = wrap_int32(accumulate(layer.x_q, layer.w_q, 0, layer.x.zero_point, layer.w.zero_point))
        require_equal(ENGINE, got, want.astype(np.int32), case=layer)


@pytest.mark.parametrize("codes", ["int8", "uint8"])
def test_quantize_equals_profile(codes: str) -> None:
    """QuantizeLinear is the profile at ties, NaN, infinities and overflow; dividing is not."""
    compared, killed = 0, 0
    for x, y in vectors.to_quantize(125, 128, 1000, codes):
        got = ENGINE.quantize(x, y=layers.pair(y), dtype=codes)
        compared += require_equal(ENGINE, got, npquant.quantize(x, y, profile="tract"), case=y)
        killed += int(differing(got, quantize_divide_half_even_wrapping(x, y)).sum())
    assert compared >= 128_000 and killed > 0


@pytest.mark.parametrize("codes", ["int8", "uint8"])
def test_dequantize_equals_profile(codes: str) -> None:
    """DequantizeLinear is the profile on every code."""
    rng, info = np.random.default_rng(126), np.iinfo(codes)
    q = np.arange(info.min, info.max + 1).astype(codes)
    for zero in adversarial.zero_points(codes, 128):
        x = layers.params(np.exp(rng.uniform(-9, 3)), int(zero), codes)
        require_equal(ENGINE, ENGINE.dequantize(q, x=layers.pair(x)), npquant.dequantize(q, x, "tract"), case=x)


def test_dynamic_quantize_equals_profile() -> None:
    """DynamicQuantizeLinear is the profile, on a range of nothing but 0 too; QuantizeLinear's reciprocal is not."""
    rng, killed = np.random.default_rng(127), 0
    tensors = [np.float32(x) for x in ([0, 0], [1e-44, 0], [-1e-44, 0], [3], [-3])]
    for _ in range(100):
        lo, hi = np.float32(-abs(rng.normal())), np.float32(abs(rng.normal()))
        ties = (rng.integers(-255, 255, 1000) + 0.5) * ((hi - lo) / np.float32(255))
        beside = np.nextafter(ties, rng.choice([-9, 9], 1000).astype(np.float32)).astype(np.float32)
        tensors.append(np.clip(np.concatenate([[lo, hi], ties, beside]), lo, hi).astype(np.float32))
    for x in tensors:
        want, got = kernels.dynamic_quantize(x), ENGINE.dynamic_quantize_linear(x)
        for part, other in zip(got, want, strict=True):
            require_equal(ENGINE, part, np.asarray(other), case=x)
        if want.scale > 1e-30:
            y = layers.params(want.scale, int(want.zero_point), "uint8")
            killed += int(differing(want.codes, kernels.quantize(x, y)).sum())
    assert killed > 0


def test_one_channel_changes_the_rounding_of_the_others() -> None:
    """Eight equal channels give 3; with another scale in the eighth, the other seven give 2."""
    acc = np.full(8, 5 * 2**24 + 1, np.int32)
    zeros, one = np.zeros((1, 1), np.int8), layers.params(1.0, 0, "int8")
    answers = []
    for last in (2.0**-25, 2.0**-24):
        w = layers.params([2.0**-25] * 7 + [last], 0, "int8")
        layer = layers.Layer(zeros, np.zeros((1, 8), np.int8), acc, one, w, one)
        require_equal(ENGINE, _conv(layer), layer.under("tract"), case=w)
        answers.append(int(_conv(layer)[0, 0]))
    assert answers == [3, 2]


def test_a_scale_that_underflows_multiplies_by_one() -> None:
    """Both scales 1e-30: their product is 0 in float32, and the code is the accumulator."""
    tiny, one = layers.params(1e-30, 0, "int8"), layers.params(1.0, 0, "int8")
    layer = layers.Layer(np.int8([[5]]), np.int8([[1]]), None, tiny, tiny, one)
    pairs = {"x": layers.pair(tiny), "w": layers.pair(tiny), "y": layers.pair(one)}
    got = ENGINE.qlinear_matmul(layer.x_q, layer.w_q, dtype="int8", **pairs)
    require_equal(ENGINE, got, layer.under("tract"), case=layer)
    assert got.tolist() == [[5]] and layer.under("ort").tolist() == [[0]]


def test_dequantized_layers_stay_float() -> None:
    """DequantizeLinear, MatMul, QuantizeLinear is computed in float32: sums that QLinearMatMul has exactly are not."""
    depth = 3000
    x_q, w_q = np.full((1, depth), 127, np.int8), np.full((depth, 1), 127, np.int8)
    w_q[0] = 126
    acc = int(wrap_int32(accumulate(x_q, w_q, 0, 0, 0))[0, 0])
    one, y = (1.0, 0), (1.0, 0)
    x_q = np.hstack([x_q, np.full((1, depth), 127, np.int8)])
    w_q = np.vstack([w_q, np.full((depth, 1), -127, np.int8)])  # what is left is -127
    exact = ENGINE.qlinear_matmul(x_q, w_q, x=one, w=one, y=y, dtype="int8")
    floating = ENGINE.dequantized_matmul(x_q, w_q, x=one, w=one, y=y, dtype="int8")
    assert acc > 2**24 and exact.tolist() == [[-127]] and floating.tolist() != exact.tolist()
