"""What LiteRT misreads beside int16 codes, held to the installed version: the smallest cases of docs/findings.md."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import npquant
from npquant import QuantParams
from tests.peers import engines_litert as ENGINE
from tests.peers import engines_tflm, machine
from tests.peers.tflite_writer import Operator, write_model

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]

ONE = (1.0, 0)
CODES = np.array([100, 200, 300, 400, 500, 600])
each_resolver = pytest.mark.parametrize("resolver", ENGINE.RESOLVERS)


def biases_alone(bias: NDArray[Any], weights: str, resolver: str, declared: str | None) -> list[int]:
    """Run a layer of zeros, whose answer is its bias."""
    x_q, w_q = np.zeros((1, 1), np.int16), np.zeros((1, len(bias)), weights)
    got = ENGINE.fully_connected(x_q, w_q, bias, x=ONE, w=ONE, y=ONE, resolver=resolver, bias_type=declared)
    return [int(code) for code in got[0]]


@each_resolver
def test_reference_kernel_reads_int32_biases_as_int64(resolver: str) -> None:
    """Undeclared, two neighbours are one number to BUILTIN_REF (it reads on behind them); declared, all are right."""
    bias = CODES.astype(np.int32)
    got = biases_alone(bias, "int8", resolver, None)
    assert got[:3] == ([-32768] * 3 if resolver == "ref" else [100, 200, 300])
    assert biases_alone(bias, "int8", resolver, "int32") == CODES.tolist()


@each_resolver
def test_int64_biases_of_int16_weights_are_read_as_int32(resolver: str) -> None:
    """Undeclared, each number's halves are two biases in every resolver; declared, all are right."""
    bias = CODES.astype(np.int64)
    assert biases_alone(bias, "int16", resolver, None) == [100, 0, 200, 0, 300, 0]
    assert biases_alone(bias, "int16", resolver, "int64") == CODES.tolist()


def test_optimized_kernel_wraps_at_32_bits_without_a_bias() -> None:
    """1,024 products of the lower rails are 2^32: 0 there, 16384 in the reference kernel and TFLite-Micro."""
    x_q, w_q = np.full((1, 1024), -32768, np.int16), np.full((1024, 1), -128, np.int8)
    y = (2.0**18, 0)
    for resolver, profile, want in (
        ("ref", "litert_ref_2025", 16384),
        ("opt", "ruy_x86", 0),
        ("xnnpack", "ruy_x86", 0),
    ):
        got = ENGINE.fully_connected(x_q, w_q, None, x=ONE, w=ONE, y=y, resolver=resolver)
        wide = QuantParams(1.0, 0, -32768, 32767)
        params = {"x": wide, "w": QuantParams(1.0, 0, -128, 127), "y": QuantParams(2.0**18, 0, -32768, 32767)}
        assert got.tolist() == npquant.linear(x_q, w_q, None, **params, profile=profile).tolist() == [[want]]
    assert engines_tflm.fully_connected(x_q, w_q, None, x=ONE, w=ONE, y=y).tolist() == [[16384]]


@each_resolver
@pytest.mark.parametrize(
    ("taken", "given", "want"),
    [
        ("int8", "int16", [[565, 900], [762, 996]]),
        ("int8", "uint8", [[255, 255], [255, 255]]),
        ("int16", "int8", [[6, -16], [110, 127]]),
    ],
)
def test_mixed_types_are_misread(resolver: str, taken: str, given: str, want: list[list[int]]) -> None:
    """Exact are 309, 388, -6 and -28: int8 codes are taken for uint8, int16 codes for pairs of int8."""
    x_q = np.array([[-1, 100], [5, -7]]).astype(taken)
    w_q, bias = np.array([[1, 2], [3, 4]], np.int8), np.array([10, -10], np.int32)
    tensors = ENGINE.fully_connected_tensors(x_q, w_q, bias, x=ONE, w=ONE, y=ONE)
    model = write_model(Operator.FULLY_CONNECTED, (*tensors[:3], ENGINE.tensor((2, 2), given, ONE)))
    assert ENGINE.run(model, x_q, resolver=resolver).tolist() == want
    exact = x_q.astype(int) @ w_q.astype(int) + bias
    assert exact.tolist() == [[309, 388], [-6, -28]]
