"""ExecuTorch: portable kernels are `executorch_portable`, the XNNPACK delegate is `executorch_xnnpack`, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import npquant
from npquant.kernels.qd8 import qd8_codes
from npquant.profiles.dynamic import dynamic_linear
from tests.peers import adversarial, dynamic_layers, layers, machine, vectors
from tests.peers import engines_executorch as ENGINE
from tests.peers.comparison import differing, require_equal

pytestmark = [
    pytest.mark.extra,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded conversions are those of x86"),
]

each_type = pytest.mark.parametrize("codes", ["int8", "uint8"])


@each_type
def test_portable_quantize_equals_profile(codes: str) -> None:
    """Ties, neighbours, rails, NaN, infinities and numbers beyond int64 under every zero point."""
    compared = 0
    for x, y in vectors.to_quantize(231, 256, 2048, codes):
        x = np.resize(x, 2080)
        got = ENGINE.quantize(x, y=y)
        compared += require_equal(ENGINE, got, npquant.quantize(x, y, profile="executorch_portable"), case=y)
    assert compared >= 524_288


@each_type
def test_portable_dequantize_equals_profile(codes: str) -> None:
    """Every code and every zero point, twice."""
    compared = 0
    for q, x in vectors.to_dequantize(232, 512, codes):
        q = np.resize(q, 1040)  # type: ignore[assignment]
        want = npquant.dequantize(q, x, profile="executorch_portable")
        compared += require_equal(ENGINE, ENGINE.dequantize(q, x=x), want, case=x)
    assert compared >= 524_288


def test_portable_quantize_kills_other_rules() -> None:
    """XNNPACK's rule but beyond int64; a division, an inner zero point and ties away from zero all show."""
    wrong = {"ort", "fbgemm", "qonnx", "litert_ref_2025"}
    killed, beyond = set(), 0
    for x, y in vectors.to_quantize(233, 32, 2048, "int8"):
        x = np.resize(x, 2080)
        got = ENGINE.quantize(x, y=y)
        inside = np.abs(x) < 2.0**30 * float(y.scale)
        for name in (*wrong, "xnnpack_fp32"):
            quantized = npquant.quantize(np.where(np.isnan(x), 0, x), y, profile=name)
            if differing(got[inside], quantized[inside]).any():
                killed.add(name)
        beyond += int(differing(got, npquant.quantize(x, y, profile="xnnpack_fp32")).sum())
    assert killed == wrong and beyond > 0


PROFILE = "executorch_xnnpack_avx512" if machine.has_avx512() else "executorch_xnnpack"


def _static(seed: int, each: bool) -> list[layers.Layer]:
    """Draw layers, 1,024 rows by 512, whose products, small by design, meet ties; real biases reach beyond."""
    rng, drawn = np.random.default_rng(seed), []
    for i, zero in enumerate(adversarial.zero_points("int8", 4)[each::2]):
        sx, sw, sy = layers.scales(rng, 512, per_channel=each)
        m = layers.real_multipliers(sx, sw, sy, 512)
        steps = adversarial.accumulators(rng, m, reach=2**24).astype(np.float64) + rng.choice([0, 0.25, 0.5], 512)
        w_q = (rng.integers(-3, 4, (8, 512)) if i % 2 else adversarial.codes(rng, (8, 512), "int8")).astype(np.int8)
        bias = (steps * np.float64(sx) * np.asarray(sw, np.float64)).astype(np.float32)
        x_q = adversarial.codes(rng, (1024, 8), "int8")
        zx = int(rng.integers(-128, 128))
        layer = layers.Layer(
            x_q,
            np.maximum(w_q, -127),
            bias,
            layers.params(sx, zx, "int8"),
            layers.params(sw, 0, "int8"),
            layers.params(sy, int(zero), "int8"),
            "relu" if i else "none",
        )
        drawn.append(layer)
    return drawn


@pytest.mark.parametrize("each", [False, True])
def test_xnnpack_delegate_equals_profile(each: bool) -> None:
    """Static layers with a real bias, per tensor and per channel: all of it runs in the delegate."""
    compared, biases = 0, 0
    for layer in _static(234, each):
        got, graph = ENGINE.linear(layer)
        assert "executorch_call_delegate" in graph and "linear" not in graph
        compared += require_equal(ENGINE, got, layer.under(PROFILE), case=layer)
        biases += int(differing(got, layer.under(PROFILE.replace("executorch_xnnpack", "xnnpack_fp32"))).sum())
    assert compared >= 1_048_576 and biases > 0


def _dynamic(seed: int, k: int, n: int, *, each_row: bool, relu: bool) -> tuple[ENGINE.Dynamic, dict[str, Any]]:
    """Draw a layer of 128 rows, with a bias unless k is odd; return it and what the profile is told."""
    rng = np.random.default_rng(seed)
    w_q = np.maximum(adversarial.codes(rng, (k, n), "int8"), -127).astype(np.int8)
    w = layers.params((10 ** rng.uniform(-4, 0, n)).astype(np.float32), 0, "int8")
    bias = None if k % 2 else (rng.normal(0, 1, n) * 10 ** rng.uniform(-3, 3)).astype(np.float32)
    told = {"w_q": w_q, "w": w, "bias": bias, "activation": "relu" if relu else "none"}
    return ENGINE.Dynamic(w_q, w, bias, rows=128, relu=relu, each_row=each_row), told


@pytest.mark.parametrize("each_row", [False, True])
def test_dynamic_layer_equals_profile(each_row: bool) -> None:
    """Per-channel weights: one range for the tensor, or one a row, is the same to the delegate: one a row."""
    rng, compared, killed = np.random.default_rng(236), 0, set[str]()
    wrong = {"ruy_x86", "litert_ref_2025", "fbgemm"}
    k, n = (65, 300) if each_row else (256, 333)
    layer, told = _dynamic(237 + k, k, n, each_row=each_row, relu=k == 256)
    assert "executorch_call_delegate" in layer.graph and "linear" not in layer.graph
    for _ in range(14):
        x = dynamic_layers.inputs(rng, 128, k)
        got = layer.delegated(x) + 0
        compared += require_equal(ENGINE, got, dynamic_linear(x, profile=PROFILE, **told) + 0, case=(k, n))
        killed |= {name for name in wrong - killed if (got != dynamic_linear(x, profile=name, **told)).any()}
    assert compared >= 524_288 and killed == wrong


def test_one_range_for_the_tensor_is_executed_as_one_a_row() -> None:
    """0.4 beside 255 is code 0 of the graph's one scale, so 0 in torch; the delegate answers 0.4."""
    x, w = np.float32([[0.4], [255]]), npquant.QuantParams([1.0], 0, -128, 127)
    layer = ENGINE.Dynamic(np.int8([[1]]), w, None, rows=2, relu=False, each_row=False)
    assert layer.eager(x).ravel().tolist() == [0.0, 255.0]
    alone = qd8_codes(x).scale.ravel()[0] * 255
    assert layer.delegated(x).ravel().tolist() == [float(alone), 255.0]
    got = dynamic_linear(x, np.int8([[1]]), w=w, profile=PROFILE)
    assert got.ravel().tolist() == [float(alone), 255.0]
