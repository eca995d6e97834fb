"""Brevitas' IntQuant has the numbers of QONNX's Quant in the four modes that it has."""

from __future__ import annotations

import numpy as np
import pytest

from npquant import QuantParams
from npquant.profiles import get
from tests.peers import engines_brevitas as ENGINE
from tests.peers.comparison import differing, require_equal
from tests.peers.test_qonnx import finite, of_any_width, quantized

pytestmark = pytest.mark.extra


@pytest.mark.parametrize("profile", ENGINE.MODES)
def test_int_quant_equals_profile(profile: str) -> None:
    """Each mode on ties, neighbours, rails and infinities, at every width."""
    compared = 0
    for x, y in finite(211):
        got = ENGINE.quantize_dequantize(x, y=y, bits=8, narrow=False, mode=ENGINE.MODES[profile]) + np.float32(0)
        compared += require_equal(ENGINE, got, quantized(x, y, profile), case=y)
    for x, y, bits, narrow in of_any_width(212):
        got = ENGINE.quantize_dequantize(x, y=y, bits=bits, narrow=narrow, mode=ENGINE.MODES[profile]) + np.float32(0)
        compared += require_equal(ENGINE, got, quantized(x, y, profile), case=(y, bits))
    assert compared >= 1_048_576 and get("brevitas") is get("qonnx")


def test_int_quant_kills_the_zero_point_added_last() -> None:
    """The operands tell it from dividing, rounding, and then adding the zero point, and from a reciprocal."""
    killed = set()
    for x, y in list(finite(213))[::8]:
        x = x[np.abs(x) < 2.0**30 * float(y.scale)]
        got = ENGINE.quantize_dequantize(x, y=y, bits=8, narrow=False, mode="RoundSte") + np.float32(0)
        killed |= {name for name in ("ort", "fbgemm", "qonnx_half_up") if differing(got, quantized(x, y, name)).any()}
    assert killed == {"ort", "fbgemm", "qonnx_half_up"}


def test_int_quant_keeps_nan() -> None:
    """No code holds it."""
    x, y = np.float32([np.nan]), QuantParams(1.0, 0, -8, 7)
    assert np.isnan(ENGINE.quantize_dequantize(x, y=y, bits=4, narrow=False, mode="RoundSte")).all()
