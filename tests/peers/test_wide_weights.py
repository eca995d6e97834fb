"""FULLY_CONNECTED of int16 codes and weights of 4 or 16 bits is LiteRT's profiles', bit for bit; TFLite-Micro has none.

4-bit weights take the rule of int8 ones. Beside int16 weights the sums are int64 and the multiplier has 16 bits (R91),
whatever the bias.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import npquant
from npquant.profiles import get
from npquant.profiles.record import Profile
from tests.peers import engines_litert as ENGINE
from tests.peers import engines_tflm, layers, machine
from tests.peers.comparison import differing, require_equal

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]

PROFILE = {"ref": "litert_ref_2025", "opt": "ruy_x86", "xnnpack": "xnnpack_fp32"}
ACTIVATIONS = ("none", "relu", "relu6")
each_layer = pytest.mark.parametrize(
    ("bias", "per_channel"), [(bias, many) for bias in ("int64", "int32", None) for many in (False, True)]
)


def wrong_rules(name: str, weights: str) -> tuple[Profile, ...]:
    """Return a profile with the nearest wrong rules: of the other weights, and with sums that wrap at 32 bits."""
    record = get(name)
    narrow = [stage for stage in record.wide_stages if "int4" in stage.weights]
    broad = [stage for stage in record.wide_stages if "int16" in stage.weights]
    others = narrow if weights == "int16" else broad
    swapped = tuple(replace(stage, weights=(weights,), int64_sums=weights == "int16") for stage in others)
    wrapping = tuple(replace(stage, int64_sums=False) for stage in broad)
    tables = (swapped, wrapping) if weights == "int16" else (swapped,)
    return tuple(replace(record, wide_stages=table) for table in tables)


@pytest.mark.parametrize("resolver", PROFILE)
@pytest.mark.parametrize("weights", ["int4", "int16"])
@each_layer
def test_fully_connected_of_other_weights_equals_profile(
    resolver: str, weights: str, bias: str | None, per_channel: bool
) -> None:
    """At chosen accumulators and on products, with each type of bias; the rule of the other weights is wrong."""
    compared, killed = 0, np.zeros(1 + (weights == "int16"), int)
    for layer in layers.wide(
        82, 24, 4096, bias=bias, per_channel=per_channel, activations=ACTIVATIONS, weights=weights
    ):
        got = layer.on(
            ENGINE.fully_connected,
            resolver=resolver,
            activation=layer.activation,
            bias_type=bias,
            narrow=weights == "int4",
        )
        compared += require_equal(ENGINE, got, layer.under(PROFILE[resolver]), case=layer)
        killed += [differing(got, layer.under(wrong)).sum() for wrong in wrong_rules(PROFILE[resolver], weights)]
    assert compared >= 120_000
    assert killed[0] > 0 and (bias != "int32" or killed.all())


@pytest.mark.parametrize("resolver", PROFILE)
def test_weight_zero_points_are_honoured_per_tensor(resolver: str) -> None:
    """int16 weights may have one, though the profile of XNNPACK, which leaves them to these kernels, has none."""
    for layer in layers.wide(83, 12, 256, bias="int64", per_channel=False, weights="int16"):
        moved = replace(layer, w=replace(layer.w, zero_point=77))
        got = moved.on(ENGINE.fully_connected, resolver=resolver, bias_type="int64")
        require_equal(ENGINE, got, moved.under("litert_ref_2025"), case=moved)


def test_tflite_micro_refuses_what_its_profile_does() -> None:
    """The engine fails to allocate int16 weights; the profile names the types."""
    layer = next(layers.wide(84, 1, 8, bias="int64", per_channel=False, weights="int16"))
    with pytest.raises(ValueError, match="tflm takes weights of type int8 beside int16 inputs, not int16"):
        layer.under("tflm")
    with pytest.raises(RuntimeError, match="failed to allocate"):
        layer.on(engines_tflm.fully_connected, bias_type="int64")


def test_tflite_micro_takes_weights_of_4_bits_as_int8() -> None:
    """Beside int16 inputs it fails to allocate tensors of type int4; the same codes in an int8 tensor it takes."""
    layer = next(layers.wide(84, 1, 8, bias="int64", per_channel=False, weights="int4"))
    got = layer.on(engines_tflm.fully_connected, bias_type="int64")
    require_equal(engines_tflm, got, layer.under("tflm"), case=layer)
    with pytest.raises(RuntimeError, match="failed to allocate"):
        layer.on(engines_tflm.fully_connected, bias_type="int64", narrow=True)


@pytest.mark.parametrize("resolver", PROFILE)
def test_products_beyond_int32_are_summed_in_int64(resolver: str) -> None:
    """4,000,000,000,000 without a wrap: 4,096 products of the lower rails, beside an int32 bias and beside none."""
    x_q, w_q = np.full((1, 4096), -(2**15), np.int16), np.full((4096, 1), -(2**15), np.int16)
    x, y = layers.params(1.0, 0, "int16"), layers.params(2.0**28, 0, "int16")
    for bias in (np.zeros(1, np.int32), None):
        layer = layers.Layer(x_q, w_q, bias, x, x, y)
        got = layer.on(ENGINE.fully_connected, resolver=resolver, bias_type="int32")
        assert got.tolist() == [[2**14]]
        want = npquant.linear(x_q, w_q, bias, x=x, w=x, y=y, profile=PROFILE[resolver])
        assert got.tolist() == want.tolist()
