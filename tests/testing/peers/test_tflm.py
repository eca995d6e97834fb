"""TFLite-Micro under the judge."""

from __future__ import annotations

import pytest

from tests.peers import engines_tflm as ENGINE
from tests.peers import machine
from tests.testing.peers import backends
from tests.testing.peers.laws import require_bias_without_inputs, require_conformance, require_rejection

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]


def test_tflite_micro_is_conformant() -> None:
    """FULLY_CONNECTED and QUANTIZE pass the standard tier; it promises no refusal, and has none."""
    require_conformance(ENGINE, backends.tflite_micro(), unasked=("illegal",))


def test_tflite_micro_is_no_other() -> None:
    """The judge tells it from a single rounding and from LiteRT's resolvers."""
    require_rejection(backends.tflite_micro(), "tflite_single", "litert_ref_2025", "ruy_x86")


def test_tflite_micro_gives_the_bias_without_inputs() -> None:
    """K = 0 gives the requantized bias."""
    require_bias_without_inputs(backends.tflite_micro())
