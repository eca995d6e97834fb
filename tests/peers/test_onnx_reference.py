"""The ONNX reference evaluator's layers and conversions are the profile's, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import npquant
from npquant.kernels.linear import accumulate
from npquant.kernels.rounding import wrap_int32
from tests.peers import engines_onnx_reference as ENGINE
from tests.peers import layers, machine, vectors
from tests.peers.comparison import differing, require_equal

pytestmark = pytest.mark.peer

each_type = pytest.mark.parametrize("codes", ["int8", "uint8"])
# Its casts of NaN and huge floats are NumPy's, so the machine's.
x86_casts = pytest.mark.skipif(not machine.is_x86(), reason="the recorded casts are those of x86")


def _qlinear_matmul(layer: layers.Layer) -> NDArray[Any]:
    return ENGINE.qlinear_matmul(
        layer.x_q,
        layer.w_q,
        x=layers.pair(layer.x),
        w=layers.pair(layer.w),
        y=layers.pair(layer.y),
        dtype=layer.y.dtype.name,
    )


@each_type
@pytest.mark.parametrize("per_channel", [False, True])
def test_qlinear_matmul_equals_profile(codes: str, per_channel: bool) -> None:
    """QLinearMatMul at chosen accumulators is the profile: ties, rails, all zero points."""
    compared = 0
    for layer in layers.through_products(41, 256, 1024, codes=codes, per_channel=per_channel):
        compared += require_equal(ENGINE, _qlinear_matmul(layer), layer.under("onnx_ref"), case=layer)
    assert compared >= 250_000


@pytest.mark.parametrize("weights", ["int8", "uint8"])
@each_type
def test_matmul_integer_equals_exact_sum(codes: str, weights: str) -> None:
    """MatMulInteger is the exact sum, zero points included."""
    for layer in layers.products(42, 120, codes=codes, weights=weights, weight_zero_points=True):
        zx, zw = layer.x.zero_point, layer.w.zero_point
        got = ENGINE.matmul_integer(layer.x_q, layer.w_q, x_zero_point=zx, w_zero_point=zw)
        want = wrap_int32(accumulate(layer.x_q, layer.w_q, 0, zx, zw)).astype(np.int32)
        require_equal(ENGINE, got, want, case=layer)


def test_qlinear_matmul_kills_onnxruntime() -> None:
    """The operands tell the reference from ONNX Runtime, which adds the zero point last."""
    assert any(
        differing(_qlinear_matmul(layer), layer.under("ort")).any()
        for layer in layers.through_products(41, 64, 1024, codes="int8", per_channel=False)
    )


@x86_casts
@each_type
def test_quantize_equals_profile(codes: str) -> None:
    """QuantizeLinear is the profile, its wrong rails included."""
    compared = 0
    for x, y in vectors.to_quantize(43, 256, 1000, codes):
        got = ENGINE.quantize(x, y=layers.pair(y), dtype=codes)
        compared += require_equal(ENGINE, got, npquant.quantize(x, y, profile="onnx_ref"), case=y)
    for x, y in vectors.per_channel_to_quantize(44, 16, 32, codes):
        got = ENGINE.quantize(x, y=layers.pair(y), dtype=codes, axis=1)
        require_equal(ENGINE, got, npquant.quantize(x, y, profile="onnx_ref"), case=y)
    assert compared >= 250_000


@each_type
def test_dequantize_equals_profile(codes: str) -> None:
    """DequantizeLinear is the profile on every code and zero point."""
    for q, x in vectors.to_dequantize(45, 256, codes):
        want = npquant.dequantize(q, x, profile="onnx_ref")
        require_equal(ENGINE, ENGINE.dequantize(q, x=layers.pair(x)), want, case=x)
