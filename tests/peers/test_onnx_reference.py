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


def test_zero_point_joins_before_the_rounding() -> None:
    """One product of half a step at zero point 1: 2, where the operator's text and ONNX Runtime say 1."""
    one, half = npquant.QuantParams(1.0, 0, -128, 127), npquant.QuantParams(0.5, 0, -128, 127)
    y = npquant.QuantParams(1.0, 1, -128, 127)
    layer = layers.Layer(np.int8([[1]]), np.int8([[1]]), None, one, half, y)
    answers = [_qlinear_matmul(layer), layer.under("onnx_ref"), layer.under("ort")]
    assert [int(codes[0, 0]) for codes in answers] == [2, 2, 1]


def test_batch_normalization_moves_its_mean_before_opset_14() -> None:
    """[1, 3] less the stored mean 0 is [1, 3]: opset 14 says so, and opsets 9 to 13 take a fifth off."""
    x = np.array([[1], [3]], np.float32)
    answers = {opset: ENGINE.batch_normalization(x, mean=0, opset=opset).ravel().tolist() for opset in (9, 13, 14, 15)}
    moved = (x - np.float32(0.2)).ravel().tolist()
    assert answers[14] == answers[15] == [1.0, 3.0]
    assert np.allclose([answers[9], answers[13]], [moved, moved], rtol=1e-6)
    with pytest.raises(TypeError, match="BatchNormalization_6"):
        ENGINE.batch_normalization(x, mean=0, opset=8)
