"""LiteRT's aarch64 wheel is the profiles': ruy without delegates, XNNPACK with, the reference resolver.

The interpreter is one of aarch64, under QEMU or on such a machine.
"""

from __future__ import annotations

import numpy as np
import pytest

import npquant
from tests.peers import engines_litert as ENGINE
from tests.peers import layers, vectors
from tests.peers.comparison import differing, require_equal

COMMAND = "NPQUANT_ARM64"
pytestmark = pytest.mark.emulated

each_type = pytest.mark.parametrize("codes", ["int8", "uint8"])


@pytest.mark.parametrize(("codes", "per_channel"), [("int8", False), ("int8", True), ("uint8", False)])
def test_ruy_equals_profile(codes: str, per_channel: bool) -> None:
    """FULLY_CONNECTED at chosen accumulators: ties, rails, all of int32; ruy's rule on x86 is wrong."""
    compared, killed = 0, 0
    for layer in layers.injected(
        11, 96, 4096, codes=codes, weights=codes, per_channel=per_channel, activations=layers.ACTIVATIONS
    ):
        got = layer.on(ENGINE.fully_connected, resolver="opt", activation=layer.activation)
        compared += require_equal(ENGINE, got, layer.under("ruy_arm64"), case=layer)
        killed += int(differing(got, layer.under("ruy_x86")).sum())
    assert compared >= 390_000 and killed > 0


@pytest.mark.parametrize("codes", ["int8", "uint8"])
@pytest.mark.parametrize("weight_zero_points", [False, True])
def test_ruy_equals_profile_on_products(codes: str, weight_zero_points: bool) -> None:
    """FULLY_CONNECTED on products of every depth around a vector width."""
    for layer in layers.products(
        12, 80, codes=codes, weights=codes, weight_zero_points=weight_zero_points, activations=layers.ACTIVATIONS
    ):
        got = layer.on(ENGINE.fully_connected, resolver="opt", activation=layer.activation)
        require_equal(ENGINE, got, layer.under("ruy_arm64"), case=layer)


@pytest.mark.parametrize("per_channel", [False, True])
def test_delegate_equals_profile(per_channel: bool) -> None:
    """XNNPACK's int8 layer on a Cortex-A76 is the one of x86 without AVX-512."""
    for layer in layers.injected(
        11, 24, 4096, codes="int8", weights="int8", per_channel=per_channel, activations=layers.ACTIVATIONS
    ):
        got = layer.on(ENGINE.fully_connected, resolver="xnnpack", activation=layer.activation)
        require_equal(ENGINE, got, layer.under("xnnpack_fp32"), case=layer)


def test_delegate_of_uint8_is_rndnu_and_saturates() -> None:
    """uint8 layers of XNNPACK are rndnu wherever the product fits int32; beyond, NEON saturates where C casts."""
    compared, beyond, killed = 0, 0, 0
    for layer in layers.injected(11, 256, 4096, codes="uint8", weights="uint8", per_channel=False):
        got = layer.on(ENGINE.fully_connected, resolver="xnnpack")
        assert layer.bias is not None
        exact = layer.bias * layers.real_multipliers(layer.x.scale, layer.w.scale, layer.y.scale, got.shape[1])
        fits, leaves = np.abs(exact) < 2**31 - 1024, np.abs(exact) > 2**31 + 1024
        want = layer.under("xnnpack_rndnu")
        compared += require_equal(ENGINE, got[:, fits], want[:, fits], case=layer)
        rails = np.where(exact < 0, 0, 255).astype(np.uint8)[None]
        beyond += require_equal(ENGINE, got[:, leaves], rails[:, leaves], case=layer)
        killed += int(differing(got[:, fits], layer.under("xnnpack_fp32")[:, fits]).sum())
    assert compared >= 1_000_000 and beyond >= 10_000 and killed > 0


@each_type
def test_delegate_quantizes_as_on_x86_but_for_nan(codes: str) -> None:
    """QUANTIZE is the rule of x86; NaN becomes the zero point here, and the largest code there."""
    for x, y in vectors.to_quantize(21, 256, 1000, codes):
        got = ENGINE.quantize(x, y=layers.pair(y), dtype=codes, resolver="xnnpack")
        real = ~np.isnan(x)
        want = npquant.quantize(x, y, profile="xnnpack_rndnu")
        require_equal(ENGINE, got[real], want[real], case=y)
        assert (got[~real] == y.zero_point).all() and (want[~real] == y.qmax).all()


@each_type
def test_delegate_dequantizes_as_on_x86(codes: str) -> None:
    """DEQUANTIZE on every code and zero point."""
    for q, x in vectors.to_dequantize(22, 256, codes):
        got = ENGINE.dequantize(q, x=layers.pair(x), resolver="xnnpack")
        require_equal(ENGINE, got, npquant.dequantize(q, x, profile="xnnpack_rndnu"), case=x)
