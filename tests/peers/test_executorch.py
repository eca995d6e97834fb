"""ExecuTorch's portable quantize and dequantize are the profile `executorch_portable`, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import npquant
from tests.peers import engines_executorch as ENGINE
from tests.peers import machine, vectors
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
    """Every code and zero point."""
    compared = 0
    for q, x in vectors.to_dequantize(232, 2048, codes):
        q = np.resize(q, 272)
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
