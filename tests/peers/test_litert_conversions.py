"""LiteRT's QUANTIZE and DEQUANTIZE are the profiles', bit for bit, under each of its resolvers."""

from __future__ import annotations

import numpy as np
import pytest

import npquant
from npquant.kernels.multiplier import decompose_multiplier
from tests.peers import adversarial, layers, machine, vectors
from tests.peers import engines_litert as ENGINE
from tests.peers.comparison import differing, require_equal
from tests.peers.test_litert import PROFILE

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]

each_resolver = pytest.mark.parametrize("resolver", ENGINE.RESOLVERS)
each_type = pytest.mark.parametrize("codes", ["int8", "uint8"])


@each_resolver
@each_type
def test_quantize_equals_profile(resolver: str, codes: str) -> None:
    """QUANTIZE is the profile at ties, NaN, infinities and overflow, whatever the position."""
    compared = 0
    for x, y in vectors.to_quantize(21, 256, 1000, codes):
        got = ENGINE.quantize(x, y=layers.pair(y), dtype=codes, resolver=resolver)
        want = npquant.quantize(x, y, profile=PROFILE[resolver])
        compared += require_equal(ENGINE, got, want, case=y)
    assert compared >= 250_000


@each_resolver
def test_quantize_kills_other_resolvers(resolver: str) -> None:
    """The operands tell each resolver's QUANTIZE from the two others'."""
    wrong, killed = {*PROFILE.values()} - {PROFILE[resolver]}, set()
    for x, y in vectors.to_quantize(21, 64, 1000, "int8"):
        got = ENGINE.quantize(x, y=layers.pair(y), dtype="int8", resolver=resolver)
        killed |= {n for n in wrong if differing(got, npquant.quantize(x, y, profile=n)).any()}
    assert killed == wrong


@each_resolver
@each_type
def test_dequantize_equals_profile(resolver: str, codes: str) -> None:
    """DEQUANTIZE is the profile on every code and zero point, whatever the position."""
    for q, x in vectors.to_dequantize(22, 256, codes):
        got = ENGINE.dequantize(q, x=layers.pair(x), resolver=resolver)
        want = npquant.dequantize(q, x, profile=PROFILE[resolver])
        require_equal(ENGINE, got, want, case=x)


@pytest.mark.parametrize("resolver", ["ref", "opt"])
@each_type
def test_requantize_of_codes_equals_profile(resolver: str, codes: str) -> None:
    """QUANTIZE of codes requantizes q - z0; the optimized kernel treats whole vectors of 16 apart."""
    rng = np.random.default_rng(23)
    body = "ruy_x86" if resolver == "opt" else "tflite_ref"
    for i, (q, x) in enumerate(vectors.to_dequantize(23, 256, codes)):
        ratio = (1.0, 2.0**-3, np.exp(rng.uniform(-6, 6)), np.exp(rng.uniform(-1, 1)), 3 / 8)[i % 5]
        zero = int(rng.choice(adversarial.zero_points(codes, 256)))
        y = layers.params(float(x.scale) * ratio, zero, codes)
        got = ENGINE.requantize(q, x=layers.pair(x), y=layers.pair(y), dtype=codes, resolver=resolver)
        multiplier = decompose_multiplier(np.float64(x.scale) / np.float64(y.scale))
        centred = q.astype(np.int64) - int(x.zero_point)
        want = npquant.requantize(centred, multiplier, y=y, profile="tflite_ref")
        whole = q.size // 16 * 16
        want[:whole] = npquant.requantize(centred[:whole], multiplier, y=y, profile=body)
        require_equal(ENGINE, got, want, case=(x, y))
