"""QONNX's Quant is the profiles `qonnx`, `qonnx_ceil`, ..., bit for bit and at every width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import npquant
from npquant import QuantParams
from npquant.profiles import names
from tests.peers import adversarial, vectors
from tests.peers import engines_qonnx as ENGINE
from tests.peers.comparison import differing, require_equal

pytestmark = pytest.mark.extra

BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))


def of_any_width(seed: int) -> Iterator[tuple[NDArray[np.float32], QuantParams, int, bool]]:
    """Draw ties and rails for each width of 1 to 8 bits that has an interval: signed or not, narrow or not."""
    rng = np.random.default_rng(seed)
    for bits in range(1, 9):
        for signed in (True, False):
            for narrow in (True, False):
                if bits == 1 and (signed or narrow):
                    continue  # -1 and +1, or one code alone
                low = -(2 ** (bits - 1)) + narrow if signed else 0
                high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
                zero = int(rng.integers(low, high + 1))
                scale = np.float32(rng.choice([0.25, 0.1, 0.7, 3.0]))
                x = adversarial.reals(rng, float(scale), zero, 4000)
                yield x, QuantParams(scale, zero, low, high), bits, narrow


def finite(seed: int) -> Iterator[tuple[NDArray[np.float32], QuantParams]]:
    """Draw the operands of QUANTIZE without NaN, and numbers just below half a step."""
    for codes in ("int8", "uint8"):
        for x, y in vectors.to_quantize(seed, 128, 4096, codes):
            beside = np.float32([s * BELOW_HALF * np.float32(y.scale) for s in (-1, 1)])
            yield np.concatenate([x[~np.isnan(x)], beside]), y


def quantized(x: NDArray[np.float32], y: QuantParams, profile: str) -> NDArray[np.float32]:
    """Return the real values of the codes of a profile, as a Quant node returns them; no zero is negative."""
    return npquant.dequantize(npquant.quantize(x, y, profile=profile), y, profile=profile) + np.float32(0)


@pytest.mark.parametrize("profile", ENGINE.MODES)
def test_quant_equals_profile(profile: str) -> None:
    """Each mode on ties, neighbours, rails and infinities, with all zero points."""
    compared = 0
    for x, y in finite(201):
        got = ENGINE.quantize_dequantize(x, y=y, bits=8, narrow=False, mode=ENGINE.MODES[profile]) + np.float32(0)
        compared += require_equal(ENGINE, got, quantized(x, y, profile), case=y)
    for x, y, bits, narrow in of_any_width(202):
        got = ENGINE.quantize_dequantize(x, y=y, bits=bits, narrow=narrow, mode=ENGINE.MODES[profile]) + np.float32(0)
        compared += require_equal(ENGINE, got, quantized(x, y, profile), case=(y, bits))
    assert compared >= 1_048_576


def test_half_even_is_another_name_of_round() -> None:
    """HALF_EVEN is ROUND."""
    x, y = next(finite(203))
    one, other = (ENGINE.quantize_dequantize(x, y=y, bits=8, narrow=False, mode=m) for m in ("ROUND", "HALF_EVEN"))
    assert not differing(one, other).any()


def test_quant_kills_every_other_rule() -> None:
    """The operands tell the modes apart, and each from the engines that add the zero point last or do not divide."""
    wrong = {*ENGINE.MODES, "ort", "onnx_ref", "fbgemm", "xnnpack_fp32", "litert_ref_2025"}
    assert wrong <= set(names(layers=False))
    cases = [case for case in finite(204) if np.isfinite(case[0]).any()][:160:8]
    for profile, mode in ENGINE.MODES.items():
        killed: set[Any] = set()
        for x, y in cases:
            x = x[np.abs(x) < 2.0**30 * float(y.scale)]
            got = ENGINE.quantize_dequantize(x, y=y, bits=8, narrow=False, mode=mode) + np.float32(0)
            killed |= {name for name in wrong - killed if differing(got, quantized(x, y, name)).any()}
        assert killed == wrong - {profile}


def test_half_up_goes_away_from_zero_and_sends_the_number_below_one_half_to_one() -> None:
    """What the mode's name does not say."""
    y, x = QuantParams(1.0, 0, -128, 127), np.float32([2.5, -2.5, BELOW_HALF, -BELOW_HALF])
    assert ENGINE.quantize_dequantize(x, y=y, bits=8, narrow=False, mode="HALF_UP").tolist() == [3, -3, 1, -1]


def test_quant_keeps_nan_and_makes_one_bit_bipolar() -> None:
    """What npquant refuses: NaN, which no code holds, and signed codes of one bit."""
    x = np.float32([np.nan, 0.4, -0.4])
    assert np.isnan(ENGINE.quantize_dequantize(x, y=QuantParams(1.0, 0, -8, 7), bits=4, narrow=False, mode="ROUND")[0])
    bipolar = ENGINE.quantize_dequantize(x, y=QuantParams(1.0, 0, -1, 0), bits=1, narrow=False, mode="ROUND")
    assert bipolar.tolist() == [-1, 1, -1]
