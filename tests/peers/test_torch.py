"""PyTorch's quantized linear layers and conversions are the profiles', bit for bit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import npquant
from tests.peers import adversarial, layers, machine, vectors
from tests.peers import engines_torch as ENGINE
from tests.peers.comparison import differing, require_equal

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded conversions are those of x86"),
]

EXACT = machine.sums_pairs_exactly()
PROFILE = {
    "fbgemm": "fbgemm" if EXACT else "fbgemm_pair16",
    "x86": "fbgemm" if EXACT else "fbgemm_pair16",
    "qnnpack": "qnnpack",
    "onednn": "onednn_vnni" if EXACT else "onednn_avx2",
}

each_engine = pytest.mark.parametrize("engine", ENGINE.ENGINES)
each_type = pytest.mark.parametrize("codes", ["int8", "uint8"])


@pytest.fixture(autouse=True)
def _runs_here(request: pytest.FixtureRequest, _engine_installed: None) -> None:
    """Skip an engine that this build of torch lacks."""
    engine = getattr(request.node, "callspec", None)
    name = engine.params.get("engine") if engine else None
    if name is not None and name not in ENGINE.available_engines():
        pytest.skip(f"this build of torch does not have the engine {name!r}")


def _with_float_bias(seed: int, source: Iterator[layers.Layer]) -> Iterator[layers.Layer]:
    """Give each layer real biases: at accumulator steps, between two of them, and alone but huge."""
    rng = np.random.default_rng(seed)
    for i, layer in enumerate(source):
        n = layer.w_q.shape[1]
        step = np.float64(layer.x.scale) * np.asarray(layer.w.scale, np.float64)
        steps = rng.integers(-300, 300, n) + rng.choice([0, 0.25, 0.5], n)
        if i % 2:
            m = layers.real_multipliers(layer.x.scale, layer.w.scale, layer.y.scale, n)
            steps = adversarial.accumulators(rng, m) * (1 + rng.choice([-1, 0, 1], n) * 2.0**-23)
            layer = dataclasses.replace(layer, w_q=np.zeros_like(layer.w_q))
        yield dataclasses.replace(layer, bias=(steps * step).astype(np.float32))


def _run(layer: layers.Layer, engine: str) -> NDArray[Any]:
    return layer.on(ENGINE.linear, engine=engine, relu=layer.activation == "relu")


@each_engine
@pytest.mark.parametrize("per_channel", [False, True])
def test_linear_equals_profile(engine: str, per_channel: bool) -> None:
    """quantized.linear at chosen accumulators is the profile: ties, rails, all zero points."""
    compared = 0
    for layer in layers.through_products(51, 128, 2047, codes="uint8", per_channel=per_channel):
        for activation in ("none", "relu"):
            case = dataclasses.replace(layer, activation=activation)
            compared += require_equal(ENGINE, _run(case, engine), case.under(PROFILE[engine]), case=case)
    assert compared >= 500_000


@pytest.mark.parametrize("engine", ENGINE.ENGINES)
@pytest.mark.parametrize("per_channel", [False, True])
def test_linear_with_bias_equals_profile(engine: str, per_channel: bool) -> None:
    """A real bias is rounded, fused or divided as the profile says."""
    source = layers.through_products(52, 128, 1023, codes="uint8", per_channel=per_channel)
    for layer in _with_float_bias(52, source):
        require_equal(ENGINE, _run(layer, engine), layer.under(PROFILE[engine]), case=layer)


@each_engine
def test_linear_equals_profile_on_products(engine: str) -> None:
    """quantized.linear on products of every depth around a vector width is the profile."""
    zero_points = engine != "onednn"  # which refuses them in weights
    for layer in layers.products(53, 120, codes="uint8", weights="int8", weight_zero_points=zero_points):
        case = dataclasses.replace(layer, bias=None)
        require_equal(ENGINE, _run(case, engine), case.under(PROFILE[engine]), case=case)


@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack", "onednn"])
def test_linear_kills_other_profiles(engine: str) -> None:
    """The operands tell torch's engines from one another."""
    wrong = {"fbgemm", "qnnpack", "onednn_vnni", "onednn_avx2"} - {PROFILE[engine]}
    killed = set()
    source = layers.through_products(52, 64, 1023, codes="uint8", per_channel=True)
    for layer in _with_float_bias(52, source):
        got = _run(layer, engine)
        killed |= {n for n in wrong if differing(got, layer.under(n)).any()}
    assert killed == wrong


@each_type
def test_quantize_per_tensor_equals_profile(codes: str) -> None:
    """quantize_per_tensor is the profile: one fused multiply-add, NaN to the top."""
    compared = 0
    for x, y in vectors.to_quantize(54, 256, 1000, codes):
        got = ENGINE.quantize_per_tensor(x, y=layers.pair(y), dtype=codes)
        compared += require_equal(ENGINE, got, npquant.quantize(x, y, profile="fbgemm"), case=y)
    assert compared >= 250_000


@each_type
def test_quantize_per_channel_equals_profile(codes: str) -> None:
    """quantize_per_channel is the profile: not fused, NaN to code 0."""
    for x, y in vectors.per_channel_to_quantize(55, 32, 32, codes):
        got = ENGINE.quantize_per_channel(x, y=layers.pair(y), dtype=codes, axis=1)
        require_equal(ENGINE, got, npquant.quantize(x, y, profile="fbgemm"), case=y)


@each_type
def test_dequantize_equals_profile(codes: str) -> None:
    """dequantize is the profile on every code and zero point."""
    for q, x in vectors.to_dequantize(56, 256, codes):
        want = npquant.dequantize(q, x, profile="fbgemm")
        require_equal(ENGINE, ENGINE.dequantize_per_tensor(q, x=layers.pair(x)), want, case=x)
