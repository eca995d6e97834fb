"""The ONNX reference evaluator under the judge, its biases as products."""

from __future__ import annotations

import pytest

from tests.peers import engines_onnx_reference as ENGINE
from tests.testing.peers import backends
from tests.testing.peers.laws import require_bias_without_inputs, require_conformance, require_rejection

pytestmark = pytest.mark.peer


def test_onnx_reference_is_conformant() -> None:
    """QLinearMatMul and QuantizeLinear pass; of accumulators on the rails few have biases that products can be."""
    require_conformance(ENGINE, backends.onnx_reference())


def test_onnx_reference_is_no_other() -> None:
    """The judge tells it from ONNX Runtime, which adds the zero point after rounding, and from integers."""
    require_rejection(backends.onnx_reference(), "ort", "tflite_single")


def test_onnx_reference_gives_the_bias_without_inputs() -> None:
    """K = 0 gives the requantized bias (here: that of the products which stand for it)."""
    require_bias_without_inputs(backends.onnx_reference())
