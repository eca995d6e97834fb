"""LiteRT under the judge, each resolver by its own profile."""

from __future__ import annotations

import pytest

from tests.peers import engines_litert as ENGINE
from tests.peers import machine
from tests.testing.peers import backends
from tests.testing.peers.laws import require_bias_without_inputs, require_conformance, require_rejection

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]
each_resolver = pytest.mark.parametrize("resolver", ENGINE.RESOLVERS)
# It promises no refusal: an input of another depth is read as more or fewer rows.
UNASKED = ("illegal",)


@each_resolver
def test_litert_is_conformant(resolver: str) -> None:
    """FULLY_CONNECTED and QUANTIZE pass the standard tier."""
    require_conformance(ENGINE, backends.litert(resolver), unasked=UNASKED)


@each_resolver
def test_litert_is_no_other(resolver: str) -> None:
    """The judge tells the three resolvers from each other and from the older reference."""
    others = {*backends.LITERT.values(), "tflite_ref", "tflite_single"} - {backends.LITERT[resolver]}
    require_rejection(backends.litert(resolver), *sorted(others))


@pytest.mark.xfail(strict=True, reason="LiteRT 2.3.0: FULLY_CONNECTED gives code 0 where K = 0, bias or not")
@each_resolver
def test_litert_gives_the_bias_without_inputs(resolver: str) -> None:
    """K = 0 should give the requantized bias."""
    require_bias_without_inputs(backends.litert(resolver))
