"""tflite-runtime 2.14, which needs an environment of NumPy 1, is the profiles' tflite_ref and tflite_opt_2_14."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import npquant
from npquant.profiles.codes_to_codes import activation, requantize_codes, softmax
from tests.peers import engines_litert as ENGINE
from tests.peers import layers, vectors
from tests.peers import test_activations as drawn
from tests.peers.comparison import differing

COMMAND = "NPQUANT_TFLITE_2_14"
pytestmark = pytest.mark.emulated

PROFILE = {"ref": "tflite_ref", "opt": "tflite_opt_2_14"}
each_resolver = pytest.mark.parametrize("resolver", PROFILE)
# uint8 layers of the optimized kernels are neither tflite_ref's nor ruy_x86's, and were not studied.
CODES = [("ref", "int8"), ("ref", "uint8"), ("opt", "int8")]
each_type = pytest.mark.parametrize(("resolver", "codes"), CODES)


def require_equal(got: Any, want: Any, case: Any) -> Any:
    """Fail unless all outputs are equal; return how many."""
    assert got.dtype == want.dtype and got.shape == want.shape, case
    assert not differing(got, want).any(), f"{int(differing(got, want).sum())} of {got.size} differ: {case}"
    return got.size


@each_resolver
@pytest.mark.parametrize("per_channel", [False, True])
def test_fully_connected_equals_profile(resolver: Any, per_channel: bool) -> None:
    """FULLY_CONNECTED at chosen accumulators; the other resolver's profile is wrong."""
    compared, killed = 0, 0
    other = PROFILE["opt" if resolver == "ref" else "ref"]
    for layer in layers.injected(
        11, 256, 2048, codes="int8", weights="int8", per_channel=per_channel, activations=layers.ACTIVATIONS
    ):
        got = layer.on(ENGINE.fully_connected, resolver=resolver, activation=layer.activation)
        compared += require_equal(got, layer.under(PROFILE[resolver]), layer)
        killed += int(differing(got, layer.under(other)).sum())
    assert compared >= 524_288 and killed > 0


@each_type
def test_fully_connected_equals_profile_on_products(resolver: Any, codes: Any) -> None:
    """FULLY_CONNECTED on products of every depth around a vector width, weight zero points included."""
    compared = 0
    for zeros in (False, True):
        for layer in layers.products(
            12, 160, codes=codes, weights=codes, weight_zero_points=zeros, activations=layers.ACTIVATIONS
        ):
            got = layer.on(ENGINE.fully_connected, resolver=resolver, activation=layer.activation)
            compared += require_equal(got, layer.under(PROFILE[resolver]), layer)
    assert compared >= 40_000


@each_type
def test_quantize_equals_profile(resolver: Any, codes: Any) -> None:
    """QUANTIZE at ties, NaN, infinities and overflow; the other resolver's is wrong."""
    compared, killed = 0, 0
    other = PROFILE["opt" if resolver == "ref" else "ref"]
    for x, y in vectors.to_quantize(21, 256, 1000, codes):
        got = ENGINE.quantize(x, y=layers.pair(y), dtype=codes, resolver=resolver)
        compared += require_equal(got, npquant.quantize(x, y, profile=PROFILE[resolver]), y)
        killed += int(differing(got, npquant.quantize(x, y, profile=other)).sum())
    assert compared >= 262_000 and killed > 0


@each_type
def test_dequantize_equals_profile(resolver: Any, codes: Any) -> None:
    """DEQUANTIZE on every code and zero point."""
    compared = 0
    for q, x in vectors.to_dequantize(22, 256, codes):
        got = ENGINE.dequantize(q, x=layers.pair(x), resolver=resolver)
        compared += require_equal(got, npquant.dequantize(q, x, profile=PROFILE[resolver]), x)
    assert compared >= 67_000


@each_type
def test_requantize_codes_equals_profile(resolver: Any, codes: Any) -> None:
    """QUANTIZE of codes, every length around a vector of 16."""
    rng, compared, info = np.random.default_rng(43), 0, np.iinfo(codes)
    for k in range(300):
        sx = drawn.scales(rng, 1e-3, 4)
        zeros = rng.integers(info.min, info.max + 1, 2).tolist()
        x = layers.params(sx, zeros[0], codes)
        y = layers.params(sx if k % 10 == 0 else sx / drawn.scales(rng, 2.0**-10, 2.0**9), zeros[1], codes)
        q = drawn.all_codes(codes, 256 + k % 19)
        got = ENGINE.requantize(q, x=layers.pair(x), y=layers.pair(y), dtype=codes, resolver=resolver)
        compared += require_equal(got, requantize_codes(q, x=x, y=y, profile=PROFILE[resolver]), (x, y))
    assert compared >= 79_000


@each_type
@pytest.mark.parametrize("name", drawn.ENGINE_NAMES)
def test_activation_equals_profile(resolver: Any, codes: Any, name: Any) -> None:
    """All codes under relu, relu6, sigmoid and tanh at many scales."""
    rng, compared, info = np.random.default_rng(41), 0, np.iinfo(codes)
    for k in range(300):
        x = layers.params(drawn.scales(rng, 1e-3, 8), int(rng.integers(info.min, info.max + 1)), codes)
        if name in ("sigmoid", "tanh"):
            scale, zero = (2.0**-8, info.min) if name == "sigmoid" else (2.0**-7, (info.min + info.max + 1) // 2)
            y = layers.params(scale, zero, codes)
        else:
            scale = 6 / (k % 50 + 0.5) if k % 3 == 1 else drawn.scales(rng, 1e-3, 20)
            y = layers.params(scale, int(rng.integers(info.min, info.max + 1)), codes)
        q = drawn.all_codes(codes)
        got = ENGINE.activate(drawn.ENGINE_NAMES[name], q, x=layers.pair(x), y=layers.pair(y), resolver=resolver)
        compared += require_equal(got, activation(name, q, x=x, y=y, profile=PROFILE[resolver]), (x, y))
    assert compared >= 76_800


@each_type
def test_softmax_equals_profile(resolver: Any, codes: Any) -> None:
    """Rows of 1 to 1,025 codes at many scales and factors, 512 equal codes among them."""
    rng, compared, info = np.random.default_rng(44), 0, np.iinfo(codes)
    for k in range(240):
        length = (1, 2, 3, 7, 8, 9, 16, 33, 100, 511, 512, 1025)[k % 12]
        x = layers.params(drawn.scales(rng, 1e-3, 2), int(rng.integers(info.min, info.max + 1)), codes)
        y, beta = layers.params(2.0**-8, info.min, codes), (1.0, 0.5, 0.1, 3.0)[k % 4]
        q = drawn.softmax_rows(rng, codes, length)
        # A model takes rows of any length: the engine would abort on none of these.
        tensors = ENGINE.tensor(q.shape, q.dtype, layers.pair(x)), ENGINE.tensor(q.shape, q.dtype, layers.pair(y))
        model = ENGINE.write_model(ENGINE.Operator.SOFTMAX, tensors, beta=beta)
        got = ENGINE.run(model, q, resolver=resolver)
        compared += require_equal(got, softmax(q, x=x, y=y, beta=beta, profile=PROFILE[resolver]), (x, beta, length))
    assert compared >= 500_000
