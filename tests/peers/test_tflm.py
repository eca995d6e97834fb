"""TFLite-Micro's operators are the profile's, code for code: each one of its wheel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import npquant
from npquant import QuantParams
from npquant.profiles.codes_to_codes import activation, requantize_codes, softmax
from tests.peers import engines_tflm as ENGINE
from tests.peers import layers, machine, vectors
from tests.peers.comparison import differing, require_equal

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]

EVERY_CODE = np.arange(-128, 128).astype(np.int8)


@pytest.mark.parametrize("per_channel", [False, True])
def test_fully_connected_equals_profile(per_channel: bool) -> None:
    """FULLY_CONNECTED at chosen accumulators and on products; tflite_ref's multiplier is wrong per tensor."""
    compared, killed = 0, 0
    made = [
        *layers.injected(
            71, 96, 2048, codes="int8", weights="int8", per_channel=per_channel, activations=layers.ACTIVATIONS
        ),
        *layers.products(72, 60, codes="int8", weights="int8", activations=layers.ACTIVATIONS),
    ]
    for layer in made:
        got = layer.on(ENGINE.fully_connected, activation=layer.activation)
        compared += require_equal(ENGINE, got, layer.under("tflm"), case=layer)
        killed += int(differing(got, layer.under("tflite_ref")).sum())
    assert compared >= 190_000 and killed > 0


@pytest.mark.parametrize("codes", ["int8", "int16"])
def test_quantize_equals_profile(codes: str) -> None:
    """R50 at ties, NaN, infinities and overflow; R51, a float64 division, is wrong here."""
    compared, killed = 0, 0
    for x, y in vectors.to_quantize(73, 128, 1000, codes):
        got = ENGINE.quantize(x, y=layers.pair(y), dtype=codes)
        compared += require_equal(ENGINE, got, npquant.quantize(x, y, profile="tflm"), case=y)
        if codes == "int8":
            killed += int(differing(got, npquant.quantize(x, y, profile="tflite_opt_2_14")).sum())
    assert compared >= 125_000 and (killed > 0) == (codes == "int8")


def test_dequantize_equals_profile() -> None:
    """R2 on every code and zero point."""
    for q, x in vectors.to_dequantize(74, 128, "int8"):
        got = ENGINE.dequantize(q, x=layers.pair(x))
        require_equal(ENGINE, got, npquant.dequantize(q, x, profile="tflm"), case=x)


def pairs(seed: int, count: int) -> Iterator[tuple[QuantParams, QuantParams]]:
    """Draw input and output parameters; every third ratio of scales puts a code of 90 or more beside a half."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        zx, zy = (int(z) for z in rng.integers(-128, 128, 2))
        sy = np.float32(np.exp(rng.uniform(-6, 1)))
        ratio = np.exp(rng.uniform(-3, 3)) if i % 3 else (rng.integers(46, 90) + 0.5) / rng.integers(90, 128)
        yield layers.params(np.float32(sy * ratio), zx, "int8"), layers.params(sy, zy, "int8")


def test_requantize_of_codes_equals_profile() -> None:
    """QUANTIZE of codes is R62, whatever the position."""
    compared = 0
    for x, y in pairs(75, 300):
        got = ENGINE.requantize(EVERY_CODE, x=layers.pair(x), y=layers.pair(y), dtype="int8")
        compared += require_equal(ENGINE, got, requantize_codes(EVERY_CODE, x=x, y=y, profile="tflm"), case=(x, y))
    assert compared >= 75_000


@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_relu_equals_profile(name: str) -> None:
    """RELU divides the scales in float64 (LiteRT's float32 ratio is wrong here), RELU6 looks at no output parameter."""
    compared, killed = 0, 0
    tie = layers.params(2.0055530071258545, 0, "int8"), layers.params(0.8631494045257568, -123, "int8")
    for x, y in [tie, *pairs(76, 1200)]:
        got = ENGINE.activate(name, EVERY_CODE, x=layers.pair(x), y=layers.pair(y))
        compared += require_equal(ENGINE, got, activation(name, EVERY_CODE, x=x, y=y, profile="tflm"), case=(x, y))
        killed += int(differing(got, activation(name, EVERY_CODE, x=x, y=y, profile="tflite_ref")).sum())
    assert compared >= 300_000 and killed > 0


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_sigmoid_and_tanh_equal_profile_at_any_output_scale(name: str) -> None:
    """It looks at no output scale (its own tests use 1 / 255 and 1.99999955 / 256), and tanh at no zero point."""
    rng, compared = np.random.default_rng(77), 0
    for i in range(300):
        x = layers.params(np.exp(rng.uniform(-8, 1)), int(rng.integers(-128, 128)), "int8")
        scale = (1 / 255, 1.99999955 / 256, 1 / 256, 0.5)[i % 4]
        y = layers.params(scale, -128 if name == "sigmoid" else int(rng.integers(-128, 128)), "int8")
        got = ENGINE.activate(name, EVERY_CODE, x=layers.pair(x), y=layers.pair(y))
        compared += require_equal(ENGINE, got, activation(name, EVERY_CODE, x=x, y=y, profile="tflm"), case=(x, y))
    assert compared >= 75_000


def test_softmax_equals_profile() -> None:
    """Rows of up to 511 codes; from a sum of exponentials of 512 on the engine aborts the process."""
    rng, y = np.random.default_rng(78), layers.params(2.0**-8, -128, "int8")
    for i in range(100):
        x = layers.params(np.exp(rng.uniform(-7, 0.7)), 0, "int8")
        q = rng.integers(-128, 128, (6, (1, 2, 9, 100, 511)[i % 5])).astype(np.int8)
        q[0] = q[0, 0]
        beta = (1.0, 0.5, 3.0)[i % 3]
        got = ENGINE.softmax(q, x=layers.pair(x), y=layers.pair(y), beta=beta)
        require_equal(ENGINE, got, softmax(q, x=x, y=y, profile="tflm", beta=beta), case=(x, beta))
