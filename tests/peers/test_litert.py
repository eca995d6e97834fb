"""LiteRT's linear layers are the profiles', bit for bit, under each of its resolvers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from npquant.profiles import get
from tests.peers import engines_litert as ENGINE
from tests.peers import layers, machine
from tests.peers.comparison import differing, require_equal

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]

XNNPACK = "xnnpack_fp32_avx512" if machine.has_avx512() else "xnnpack_fp32"
PROFILE = {"xnnpack": XNNPACK, "ref": "litert_ref_2025", "opt": "ruy_x86"}
CONVOLUTION = {"xnnpack": XNNPACK, "ref": "litert_ref_conv", "opt": "ruy_x86_conv"}

each_resolver = pytest.mark.parametrize("resolver", ENGINE.RESOLVERS)


@each_resolver
@pytest.mark.parametrize(("codes", "per_channel"), [("int8", False), ("int8", True), ("uint8", False)])
def test_fully_connected_equals_profile(resolver: str, codes: str, per_channel: bool) -> None:
    """FULLY_CONNECTED at chosen accumulators is the profile: ties, rails, all zero points."""
    compared = 0
    for layer in layers.injected(
        11,
        256,
        2048,
        codes=codes,
        weights=codes,
        per_channel=per_channel,
        activations=layers.ACTIVATIONS,
    ):
        got = layer.on(ENGINE.fully_connected, resolver=resolver, activation=layer.activation)
        compared += require_equal(ENGINE, got, layer.under(PROFILE[resolver]), case=layer)
    assert compared >= 500_000


@each_resolver
@pytest.mark.parametrize("codes", ["int8", "uint8"])
def test_fully_connected_equals_profile_on_products(resolver: str, codes: str) -> None:
    """FULLY_CONNECTED on matrix products of every depth around a vector width is the profile."""
    for layer in layers.products(12, 160, codes=codes, weights=codes, activations=layers.ACTIVATIONS):
        got = layer.on(ENGINE.fully_connected, resolver=resolver, activation=layer.activation)
        require_equal(ENGINE, got, layer.under(PROFILE[resolver]), case=layer)


@each_resolver
@pytest.mark.parametrize("codes", ["int8", "uint8"])
def test_fully_connected_honours_weight_zero_point(resolver: str, codes: str) -> None:
    """A weight zero point is honoured per tensor; the delegate leaves int8 ones to ruy."""
    profile = PROFILE[resolver]
    if resolver == "xnnpack" and codes == "int8":
        profile = PROFILE["opt"]
    for layer in layers.products(
        13,
        120,
        codes=codes,
        weights=codes,
        weight_zero_points=True,
        activations=layers.ACTIVATIONS,
    ):
        got = layer.on(ENGINE.fully_connected, resolver=resolver, activation=layer.activation)
        require_equal(ENGINE, got, layer.under(profile), case=layer)


@each_resolver
@pytest.mark.parametrize("per_channel", [False, True])
def test_convolution_equals_profile(resolver: str, per_channel: bool) -> None:
    """CONV_2D rounds as FULLY_CONNECTED does per channel, but for BUILTIN_REF, which is still integer there.

    Per tensor its multiplier is of float64 scales; FULLY_CONNECTED's is of their float32 product.
    """
    compared, killed = 0, 0
    for layer in layers.injected(
        14, 128, 4096, codes="int8", weights="int8", per_channel=per_channel, activations=layers.ACTIVATIONS
    ):
        got = layer.on(ENGINE.convolution_1x1, resolver=resolver, activation=layer.activation)
        compared += require_equal(ENGINE, got, layer.under(CONVOLUTION[resolver]), case=layer)
        killed += int(differing(got, layer.under(PROFILE["opt"])).sum())
    assert compared >= 524_288
    assert killed > 0 or (resolver == "opt" and per_channel)


@each_resolver
def test_convolution_of_uint8_takes_the_float32_product(resolver: str) -> None:
    """Per tensor, M_A: the records of CONV_2D are of int8, and refuse it; XNNPACK's and ruy's are FULLY_CONNECTED's."""
    ref = dataclasses.replace(
        get("tflm"),
        make_multiplier=get("ruy_x86").make_multiplier,
        code_types=("uint8",),
        multipliers=(0, 2**31 - 1, 1),
    )
    profile = ref if resolver == "ref" else PROFILE[resolver]
    compared, killed = 0, 0
    for layer in layers.injected(
        15, 128, 2048, codes="uint8", weights="uint8", per_channel=False, activations=layers.ACTIVATIONS
    ):
        got = layer.on(ENGINE.convolution_1x1, resolver=resolver, activation=layer.activation)
        compared += require_equal(ENGINE, got, layer.under(profile), case=layer)
        killed += int(differing(got, layer.under("litert_ref_2025")).sum())
    assert compared >= 250_000 and killed > 0
    if resolver != "xnnpack":
        with pytest.raises(ValueError, match="takes input codes of type int8, not uint8"):
            layer.under(CONVOLUTION[resolver])


@each_resolver
def test_fully_connected_wraps_its_accumulator(resolver: str) -> None:
    """An accumulator beyond int32 comes back with the other sign, under every resolver."""
    depth = 140_000
    p = layers.params(2.0**-20, 0, np.int8)
    layer = layers.Layer(
        np.full((1, depth), -128, np.int8),
        np.full((depth, 1), -128, np.int8),
        np.zeros(1, np.int32),
        p,
        layers.params(1.0, 0, np.int8),
        layers.params(64.0, 0, np.int8),
    )
    got = layer.on(ENGINE.fully_connected, resolver=resolver)
    assert got[0, 0] < 0
    require_equal(ENGINE, got, layer.under(PROFILE[resolver]), case=layer)


@each_resolver
@pytest.mark.parametrize("per_channel", [False, True])
def test_fully_connected_kills_other_profiles(resolver: str, per_channel: bool) -> None:
    """The operands tell the engine from every profile that is not its own."""
    wrong = {*PROFILE.values(), "tflite_ref", "tflite_single", "xnnpack_fp32"} - {PROFILE[resolver]}
    killed = set()
    for layer in layers.injected(11, 64, 2048, codes="int8", weights="int8", per_channel=per_channel):
        got = layer.on(ENGINE.fully_connected, resolver=resolver)
        killed |= {name for name in wrong if differing(got, layer.under(name)).any()}
    assert killed == wrong
