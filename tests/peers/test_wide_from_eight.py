"""FULLY_CONNECTED of uint8 inputs and weights to int16 outputs is LiteRT's profiles': the layer inside its LSTMs.

The reference kernel honours the zero point of the outputs and must have a bias; the optimized one ignores the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from npquant.profiles import get
from tests.peers import engines_litert as ENGINE
from tests.peers import engines_tflm, layers, machine
from tests.peers.comparison import differing, require_equal

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]

PROFILE = {"ref": "litert_ref_2025", "opt": "ruy_x86", "xnnpack": "xnnpack_fp32"}
WRONG = {"ref": "opt", "opt": "ref", "xnnpack": "ref"}
each_resolver = pytest.mark.parametrize("resolver", PROFILE)


def drawn(zero_points: bool) -> Iterator[layers.Layer]:
    """Draw layers at chosen accumulators and on products, and move their outputs to int16."""
    rng = np.random.default_rng(85)
    made = (
        layers.injected(86, 128, 8192, codes="uint8", weights="uint8", per_channel=False, output="int16"),
        layers.products(87, 120, codes="uint8", weights="uint8", weight_zero_points=True),
    )
    for layer in (one for some in made for one in some):
        zero = int(rng.integers(-(2**15), 2**15)) if zero_points else 0
        scale = np.float32(float(layer.y.scale) / 2 ** int(rng.integers(0, 9)))
        scale = max(scale, np.float32(float(layer.x.scale) * float(np.max(layer.w.scale)) / 200))
        yield replace(layer, y=layers.params(scale, zero, "int16"), activation=layers.ACTIVATIONS[zero % 3])


@each_resolver
def test_eight_bits_to_sixteen_equal_profile(resolver: str) -> None:
    """Ties, rails and products with every weight zero point; the other kernel's rule is wrong."""
    compared, killed = 0, 0
    for layer in drawn(resolver == "ref"):
        got = layer.on(ENGINE.fully_connected, resolver=resolver, activation=layer.activation, output="int16")
        compared += require_equal(ENGINE, got, layer.under(PROFILE[resolver]), case=layer)
        still = replace(layer, y=replace(layer.y, zero_point=0))
        killed += int(differing(got, still.under(PROFILE[WRONG[resolver]])).sum())
    assert compared >= 1_000_000 and killed > 0


@each_resolver
def test_sums_wrap_at_32_bits(resolver: str) -> None:
    """40,000 products of 255 by 255 are beyond int32."""
    x_q, w_q = np.full((1, 40_000), 255, np.uint8), np.full((40_000, 1), 255, np.uint8)
    one = layers.params(1.0, 0, "uint8")
    layer = layers.Layer(x_q, w_q, np.zeros(1, np.int32), one, one, layers.params(2.0**17, 0, "int16"))
    got = layer.on(ENGINE.fully_connected, resolver=resolver, output="int16")
    assert got.tolist() == layer.under(PROFILE[resolver]).tolist() == [[-12924]]


@pytest.mark.parametrize("resolver", ["opt", "xnnpack"])
def test_zero_point_of_the_outputs_is_ignored(resolver: str) -> None:
    """The sum 7 with the zero point 100 stays 7; the profiles refuse it, and the reference kernel gives 107."""
    one = layers.params(1.0, 0, "uint8")
    x_q, w_q, y = np.full((1, 1), 7, np.uint8), np.ones((1, 1), np.uint8), layers.params(1.0, 100, "int16")
    layer = layers.Layer(x_q, w_q, np.zeros(1, np.int32), one, one, y)
    assert layer.on(ENGINE.fully_connected, resolver=resolver, output="int16").tolist() == [[7]]
    assert layer.on(ENGINE.fully_connected, resolver="ref", output="int16").tolist() == [[107]]
    assert layer.under("litert_ref_2025").tolist() == [[107]]
    with pytest.raises(ValueError, match="takes int16 codes without zero points; the output's is 100, it must be 0"):
        layer.under(PROFILE[resolver])


def test_layers_without_a_bias_and_per_channel_weights_are_refused() -> None:
    """The optimized kernel has no need of a bias; the reference kernel reads through a null pointer without one."""
    one, y = layers.params(1.0, 0, "uint8"), layers.params(1.0, 0, "int16")
    x_q, w_q = np.full((1, 1), 7, np.uint8), np.ones((1, 2), np.uint8)
    bare = layers.Layer(x_q, w_q, None, one, one, y)
    for resolver in ("opt", "xnnpack"):
        assert bare.on(ENGINE.fully_connected, resolver=resolver, output="int16").tolist() == [[7, 7]]
        assert bare.under(PROFILE[resolver]).tolist() == [[7, 7]]
    with pytest.raises(ValueError, match="litert_ref_2025 ends the process on uint8 inputs and int16 outputs without"):
        bare.under("litert_ref_2025")
    many = layers.Layer(x_q, w_q, np.zeros(2, np.int32), one, layers.params([1.0, 2.0], 0, "uint8"), y)
    with pytest.raises(ValueError, match="refuses per-channel weights beside uint8 inputs"):
        many.under("ruy_x86")
    with pytest.raises(RuntimeError, match="failed to prepare"):
        many.on(ENGINE.fully_connected, resolver="opt", output="int16")


def test_tflite_micro_has_no_such_layer() -> None:
    """The engine fails to allocate; so does the convolution's record refuse uint8 inputs."""
    one, y = layers.params(1.0, 0, "uint8"), layers.params(1.0, 0, "int16")
    layer = layers.Layer(np.ones((1, 1), np.uint8), np.ones((1, 1), np.uint8), np.zeros(1, np.int32), one, one, y)
    with pytest.raises(RuntimeError, match="failed to allocate"):
        layer.on(engines_tflm.fully_connected, output="int16")
    for name in ("tflm", "litert_ref_conv"):
        with pytest.raises(ValueError, match=f"{get(name).name} takes input codes of type int16, not uint8"):
            layer.under(name)
