"""FULLY_CONNECTED of int16 codes and int8 weights is the profiles', bit for bit: LiteRT's resolvers and TFLite-Micro.

An engine takes another rule with an int64 bias than with an int32 one, and the optimized kernel a third without.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.peers import engines_litert, engines_tflm, layers, machine
from tests.peers.comparison import differing, require_equal

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]

# XNNPACK takes no int16 codes, so that the default resolver computes what LiteRT does without it.
PROFILE = {"ref": "litert_ref_2025", "opt": "ruy_x86", "xnnpack": "ruy_x86", "tflm": "tflm"}
ACTIVATIONS = ("none", "relu", "relu6")


@cache
def drawn(bias: str | None, per_channel: bool) -> tuple[layers.Layer, ...]:
    """Draw the layers that all engines are asked for."""
    return tuple(layers.wide(81, 48, 1024, bias=bias, per_channel=per_channel, activations=ACTIVATIONS))


def answered(engine: str, layer: layers.Layer) -> Any:
    """Run a layer; the type of the bias is declared, without which the reference kernel misreads int32 ones."""
    declared = None if layer.bias is None else layer.bias.dtype.name
    options = {"activation": layer.activation, "bias_type": declared}
    if engine == "tflm":
        return layer.on(engines_tflm.fully_connected, **options)
    return layer.on(engines_litert.fully_connected, resolver=engine, **options)


@pytest.mark.parametrize("engine", PROFILE)
@pytest.mark.parametrize("bias", ["int64", "int32", None])
@pytest.mark.parametrize("per_channel", [False, True])
def test_wide_fully_connected_equals_profile(engine: str, bias: str | None, per_channel: bool) -> None:
    """At chosen accumulators and on products, with each type of bias; the other engine's rule is wrong."""
    compared, killed = 0, 0
    module = engines_tflm if engine == "tflm" else engines_litert
    other = "litert_ref_2025" if engine == "tflm" else "tflm"
    for layer in drawn(bias, per_channel):
        got = answered(engine, layer)
        compared += require_equal(module, got, layer.under(PROFILE[engine]), case=layer)
        killed += int(differing(got, layer.under(other)).sum())
    assert compared >= 70_000 and killed > 0
