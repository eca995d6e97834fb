"""FULLY_CONNECTED of int16 codes and int8 weights is the profiles', bit for bit: LiteRT's resolvers and TFLite-Micro.

An engine takes another rule with an int64 bias than with an int32 one, and the optimized kernel a third without.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
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
    return tuple(layers.wide(81, 48, 2048, bias=bias, per_channel=per_channel, activations=ACTIVATIONS))


@cache
def without_bias() -> tuple[layers.Layer, ...]:
    """Draw layers for which a file may name the type of a bias, the first of a sum beyond int32."""
    rails = layers.Layer(
        np.full((1, 1024), -(2**15), np.int16),
        np.full((1024, 1), -128, np.int8),
        None,
        layers.params(1.0, 0, "int16"),
        layers.params(1.0, 0, "int8"),
        layers.params(2.0**18, 0, "int16"),
    )
    draws = (layers.wide(88, 24, 2048, bias=None, per_channel=many, activations=ACTIVATIONS) for many in (False, True))
    return (rails, *(layer for each in draws for layer in each))


def answered(engine: str, layer: layers.Layer, declared: str | None = None) -> Any:
    """Run a layer; the type of the bias is declared, without which the reference kernel misreads int32 ones."""
    declared = declared if layer.bias is None else layer.bias.dtype.name
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
    assert compared >= 140_000 and killed > 0


@pytest.mark.parametrize("engine", PROFILE)
@pytest.mark.parametrize("declared", ["int64", "int32"])
def test_declared_type_without_a_bias_is_zeros_of_that_type(engine: str, declared: str) -> None:
    """A file may name the type of a bias that it does not have: the layer is that of zeros of the type."""
    module = engines_tflm if engine == "tflm" else engines_litert
    other, killed = "int32" if declared == "int64" else "int64", 0
    for layer in without_bias():
        got = answered(engine, layer, declared)
        zeros = np.zeros(layer.w_q.shape[1], declared)
        require_equal(module, got, replace(layer, bias=zeros).under(PROFILE[engine]), case=layer)
        wrong = replace(layer, bias=zeros.astype(other)).under(PROFILE[engine])
        killed += int(differing(got, wrong).sum())
    assert killed > 0
