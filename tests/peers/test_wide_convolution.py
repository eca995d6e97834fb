"""CONV_2D of int16 codes and int8 weights is the relatives': another rule than FULLY_CONNECTED in the same resolver."""

from __future__ import annotations

from functools import cache

import pytest

from tests.peers import engines_litert as ENGINE
from tests.peers import layers, machine
from tests.peers.comparison import differing, require_equal

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]

PROFILE = {"ref": "litert_ref_conv", "opt": "ruy_x86_conv", "xnnpack": "ruy_x86_conv"}
FULLY_CONNECTED = {"ref": "litert_ref_2025", "opt": "ruy_x86", "xnnpack": "ruy_x86"}


@cache
def drawn(bias: str, weights: str) -> tuple[layers.Layer, ...]:
    """Draw the layers that all resolvers are asked for."""
    activations = ("none", "relu", "relu6")
    return tuple(layers.wide(141, 48, 3072, bias=bias, per_channel=True, activations=activations, weights=weights))


@pytest.mark.parametrize("resolver", PROFILE)
@pytest.mark.parametrize("bias", ["int64", "int32"])
@pytest.mark.parametrize("weights", ["int8", "int4"])
def test_wide_convolution_equals_relative(resolver: str, bias: str, weights: str) -> None:
    """Per channel, at chosen accumulators and on products; FULLY_CONNECTED's rule is wrong with an int64 bias."""
    compared, killed = 0, 0
    for layer in drawn(bias, weights):
        got = layer.on(
            ENGINE.convolution_1x1,
            resolver=resolver,
            activation=layer.activation,
            bias_type=bias,
            narrow=weights == "int4",
        )
        compared += require_equal(ENGINE, got, layer.under(PROFILE[resolver]), case=layer)
        killed += int(differing(got, layer.under(FULLY_CONNECTED[resolver])).sum())
    assert compared >= 250_000
    assert killed > 0 or (bias, resolver) in (("int32", "opt"), ("int32", "xnnpack"))
