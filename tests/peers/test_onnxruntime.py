"""ONNX Runtime's linear layers and conversions are the profiles', bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import npquant
from npquant.kernels.activation_tables import sigmoid_float64, table_codes_divided
from npquant.kernels.linear import accumulate, accumulate_pair16
from npquant.kernels.rounding import wrap_int32
from npquant.profiles.codes_to_codes import activation
from tests.peers import engines_onnxruntime as ENGINE
from tests.peers import layers, machine, vectors
from tests.peers.comparison import differing, require_equal

pytestmark = pytest.mark.peer

# uint8 x int8 saturates pairs of products on an x86 without VNNI; the other types do not.
MIXED = "ort" if machine.sums_pairs_exactly() else "ort_pair16"
TYPES = [("uint8", "uint8", "ort"), ("uint8", "int8", MIXED), ("int8", "int8", "ort")]


def _qlinear_matmul(layer: layers.Layer) -> NDArray[Any]:
    return ENGINE.qlinear_matmul(
        layer.x_q,
        layer.w_q,
        x=layers.pair(layer.x),
        w=layers.pair(layer.w),
        y=layers.pair(layer.y),
        dtype=layer.y.dtype.name,
    )


@pytest.mark.parametrize("codes", ["int8", "uint8"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_qgemm_equals_profile(codes: str, per_channel: bool) -> None:
    """QGemm at chosen accumulators is the profile: ties, rails, all of int32, all zero points."""
    compared = 0
    for layer in layers.injected(31, 256, 2048, codes=codes, weights="int8", per_channel=per_channel):
        got = layer.on(ENGINE.qgemm, dtype=codes)
        compared += require_equal(ENGINE, got, layer.under("ort"), case=layer)
    assert compared >= 500_000


@pytest.mark.parametrize("codes", ["int8", "uint8"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_qlinear_matmul_equals_profile(codes: str, per_channel: bool) -> None:
    """QLinearMatMul, whose accumulators are products, is the profile; saturating pairs where this machine has them."""
    profile = "ort" if codes == "int8" or machine.sums_pairs_exactly() else "ort_pair16"
    for layer in layers.through_products(32, 128, 1024, codes=codes, per_channel=per_channel):
        require_equal(ENGINE, _qlinear_matmul(layer), layer.under(profile), case=layer)


@pytest.mark.parametrize(("codes", "weights", "profile"), TYPES)
@pytest.mark.parametrize("weight_zero_points", [False, True])
def test_qgemm_equals_profile_on_products(codes: str, weights: str, profile: str, weight_zero_points: bool) -> None:
    """QGemm on matrix products of every depth around a vector width is the profile."""
    for layer in layers.products(33, 120, codes=codes, weights=weights, weight_zero_points=weight_zero_points):
        got = layer.on(ENGINE.qgemm, dtype=codes)
        require_equal(ENGINE, got, layer.under(profile), case=layer)


@pytest.mark.parametrize(("codes", "weights", "profile"), TYPES)
def test_matmul_integer_equals_the_sum(codes: str, weights: str, profile: str) -> None:
    """MatMulInteger is the sum in wrapping int32, zero points included: exact, or of pairs that saturate here."""
    add_up = accumulate_pair16 if profile == "ort_pair16" else accumulate
    for layer in layers.products(34, 120, codes=codes, weights=weights, weight_zero_points=True):
        zx, zw = layer.x.zero_point, layer.w.zero_point
        got = ENGINE.matmul_integer(layer.x_q, layer.w_q, x_zero_point=zx, w_zero_point=zw)
        want = wrap_int32(add_up(layer.x_q, layer.w_q, 0, zx, zw)).astype(np.int32)
        require_equal(ENGINE, got, want, case=layer)


def test_qgemm_kills_other_profiles() -> None:
    """The operands tell ONNX Runtime from its reference, from torch's order and from integers."""
    wrong, killed = {"onnx_ref", "xnnpack_fp32_avx512", "ruy_x86", "npquant"}, set()
    for layer in layers.injected(31, 64, 2048, codes="int8", weights="int8", per_channel=True):
        got = layer.on(ENGINE.qgemm, dtype="int8")
        killed |= {n for n in wrong if differing(got, layer.under(n)).any()}
    assert killed == wrong


@pytest.mark.parametrize("codes", ["int8", "uint8"])
def test_quantize_equals_profile(codes: str) -> None:
    """QuantizeLinear is the profile at ties, NaN, infinities and overflow."""
    for x, y in vectors.to_quantize(35, 256, 1000, codes):
        got = ENGINE.quantize(x, y=layers.pair(y), dtype=codes)
        require_equal(ENGINE, got, npquant.quantize(x, y, profile="ort"), case=y)
    for x, y in vectors.per_channel_to_quantize(36, 16, 32, codes):
        got = ENGINE.quantize(x, y=layers.pair(y), dtype=codes, axis=1)
        require_equal(ENGINE, got, npquant.quantize(x, y, profile="ort"), case=y)


@pytest.mark.parametrize("codes", ["int8", "uint8"])
def test_dequantize_equals_profile(codes: str) -> None:
    """DequantizeLinear is the profile on every code and zero point."""
    for q, x in vectors.to_dequantize(37, 256, codes):
        want = npquant.dequantize(q, x, profile="ort")
        require_equal(ENGINE, ENGINE.dequantize(q, x=layers.pair(x)), want, case=x)


def test_matmul_integer_wraps() -> None:
    """An accumulator beyond int32 comes back with the other sign."""
    x_q = np.full((1, 140_000), -128, np.int8)
    want = wrap_int32(accumulate(x_q, x_q.T, 0, 0, 0)).astype(np.int32)
    assert want[0, 0] < 0
    require_equal(ENGINE, ENGINE.matmul_integer(x_q, x_q.T), want, case="140000 times 128 squared")


@pytest.mark.skipif(not machine.fuses_multiply_add(), reason="the recorded sigmoid is that of x86 with FMA")
@pytest.mark.parametrize("codes", ["int8", "uint8"])
def test_sigmoid_equals_profile(codes: str) -> None:
    """QLinearSigmoid is MLAS's rational function (R89) through R90; a correctly rounded one is wrong beside halves."""
    rng, info = np.random.default_rng(58), np.iinfo(codes)
    q = np.arange(info.min, info.max + 1).astype(codes)
    compared, killed = 0, 0
    for i in range(600):
        if i % 2:
            x = layers.params(np.exp(rng.uniform(-7, 1.5)), int(rng.integers(info.min, info.max + 1)), codes)
            y = layers.params(np.exp(rng.uniform(-6, -2)), int(rng.integers(info.min, info.max + 1)), codes)
        else:  # code k + 1/2 of 256 sigmoids at a distance of d codes
            k, d = int(rng.integers(129, 255)), int(rng.choice([53, 101, 127]))
            x = layers.params(np.log((k + 0.5) / (255.5 - k)) / d, info.min + 128, codes)
            y = layers.params(2.0**-8, info.min, codes)
        got = ENGINE.sigmoid(q, x=layers.pair(x), y=layers.pair(y))
        compared += require_equal(ENGINE, got, activation("sigmoid", q, x=x, y=y, profile="ort"), case=(x, y))
        killed += int(differing(got, table_codes_divided(sigmoid_float64, q, x, y)).sum())
    assert compared >= 150_000 and killed > 0
