"""Apache TVM's relax.quantize and relax.dequantize are the profile `tvm_relax`, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import npquant
from tests.peers import engines_tvm as ENGINE
from tests.peers import vectors
from tests.peers.comparison import differing, require_equal

pytestmark = pytest.mark.extra

each_type = pytest.mark.parametrize("codes", ["int8", "uint8"])


@each_type
def test_quantize_equals_profile(codes: str) -> None:
    """Ties, neighbours, rails, NaN and infinities under every zero point."""
    compared = 0
    for x, y in vectors.to_quantize(221, 256, 2048, codes):
        x = np.resize(x, 2080)
        got = ENGINE.quantize(x, y=y)
        compared += require_equal(ENGINE, got, npquant.quantize(x, y, profile="tvm_relax"), case=y)
    assert compared >= 524_288


@each_type
def test_quantize_per_channel_equals_profile(codes: str) -> None:
    """A scale and a zero point for each column."""
    for x, y in vectors.per_channel_to_quantize(222, 8, 32, codes):
        got = ENGINE.quantize(x, y=y)
        require_equal(ENGINE, got, npquant.quantize(x, y, profile="tvm_relax"), case=y)


@each_type
def test_dequantize_equals_profile(codes: str) -> None:
    """Every code and zero point."""
    compared = 0
    for q, x in vectors.to_dequantize(223, 2048, codes):
        q = np.resize(q, 272)  # type: ignore[assignment]
        want = npquant.dequantize(q, x, profile="tvm_relax")
        compared += require_equal(ENGINE, ENGINE.dequantize(q, x=x), want, case=x)
    assert compared >= 524_288


def test_quantize_kills_other_rules() -> None:
    """ONNX Runtime's rule but for NaN; a reciprocal, an inner zero point and ties away from zero all show."""
    wrong = {"fbgemm", "qonnx", "xnnpack_fp32", "litert_ref_2025", "ruy_x86"}
    killed = set()
    for x, y in vectors.to_quantize(224, 32, 2048, "int8"):
        x = np.resize(x[np.abs(x) < 2.0**30 * float(y.scale)], 2080)
        got = ENGINE.quantize(x, y=y)
        killed |= {name for name in wrong if differing(got, npquant.quantize(x, y, profile=name)).any()}
        assert not differing(got, npquant.quantize(x, y, profile="ort")).any()
    nan = np.full(2080, np.nan, np.float32)
    assert killed == wrong and (ENGINE.quantize(nan, y=y) == 127).all()
    assert (npquant.quantize(nan, y, profile="ort") == -128).all()
