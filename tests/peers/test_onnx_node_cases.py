"""ONNX's own node tests of the quantized operators: every case that npquant can say, under `onnx_ref` and under `ort`.

The cases stand in the package onnx (`onnx.backend.test.case.node`), with the outputs that ONNX publishes. Each that is
left out is named here, with the reason.
"""

from __future__ import annotations

import importlib
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import npquant
from npquant import QuantParams
from npquant.profiles.dynamic import dynamic_quantize, matmul_integer
from tests.peers import engines_onnx_reference as ENGINE

pytestmark = pytest.mark.peer

MODULES = (
    "quantizelinear", "dequantizelinear", "qlinearmatmul", "matmulinteger", "dynamicquantizelinear", "qlinearconv",
    "convinteger",
)  # fmt: skip

FLOAT_CODES = "codes are floats of 8 or 4 bits: npquant has integers"
TWO_BITS = "no engine's operator of 2-bit codes was studied; npquant's own profile says it, and is asked below"
FOUR_BITS = "4-bit codes are no type of these profiles' operators; npquant's own profile says them, and is asked below"
BLOCKS = "a scale for each block of columns: npquant has one a tensor or one a channel"
HALF = "scales are float16: QuantParams holds float32, and the operator rounds in another type"
CONVOLUTION = "a convolution: npquant has linear layers"
SAME = "the same numbers as the case without _expanded, by a graph of float operators"
LEFT_OUT = MappingProxyType(
    {
        "test_quantizelinear_e4m3fn": FLOAT_CODES,
        "test_quantizelinear_e5m2": FLOAT_CODES,
        "test_quantizelinear_float4e2m1": FLOAT_CODES,
        "test_quantizelinear_uint4": FOUR_BITS,
        "test_quantizelinear_int4": FOUR_BITS,
        "test_quantizelinear_uint2": TWO_BITS,
        "test_quantizelinear_int2": TWO_BITS,
        "test_quantizelinear_blocked_asymmetric": BLOCKS,
        "test_quantizelinear_blocked_symmetric": BLOCKS,
        "test_dequantizelinear_e4m3fn": FLOAT_CODES,
        "test_dequantizelinear_e4m3fn_float16": FLOAT_CODES,
        "test_dequantizelinear_e4m3fn_zero_point": FLOAT_CODES,
        "test_dequantizelinear_e5m2": FLOAT_CODES,
        "test_dequantizelinear_float4e2m1": FLOAT_CODES,
        "test_dequantizelinear_uint4": FOUR_BITS,
        "test_dequantizelinear_int4": FOUR_BITS,
        "test_dequantizelinear_uint2": TWO_BITS,
        "test_dequantizelinear_int2": TWO_BITS,
        "test_dequantizelinear_blocked": BLOCKS,
        "test_qlinearmatmul_2D_uint8_float16": HALF,
        "test_qlinearmatmul_3D_uint8_float16": HALF,
        "test_qlinearmatmul_2D_int8_float16": HALF,
        "test_qlinearmatmul_3D_int8_float16": HALF,
        "test_dynamicquantizelinear_expanded": SAME,
        "test_dynamicquantizelinear_max_adjusted_expanded": SAME,
        "test_dynamicquantizelinear_min_adjusted_expanded": SAME,
        "test_qlinearconv": CONVOLUTION,
        "test_convinteger_without_padding": CONVOLUTION,
        "test_convinteger_with_padding": CONVOLUTION,
    }
)
SAID = (
    "test_quantizelinear",
    "test_quantizelinear_axis",
    "test_quantizelinear_uint16",
    "test_quantizelinear_int16",
    "test_dequantizelinear",
    "test_dequantizelinear_axis",
    "test_dequantizelinear_uint16",
    "test_dequantizelinear_int16",
    "test_qlinearmatmul_2D_uint8_float32",
    "test_qlinearmatmul_3D_uint8_float32",
    "test_qlinearmatmul_2D_int8_float32",
    "test_qlinearmatmul_3D_int8_float32",
    "test_matmulinteger",
    "test_dynamicquantizelinear",
    "test_dynamicquantizelinear_max_adjusted",
    "test_dynamicquantizelinear_min_adjusted",
)
NARROW = tuple(name for name, why in LEFT_OUT.items() if why in (TWO_BITS, FOUR_BITS))


@cache
def cases() -> dict[str, Any]:
    """Return the node tests of the quantized operators by name."""
    node: Any = importlib.import_module("onnx.backend.test.case.node")
    for module in MODULES:
        importlib.import_module(f"onnx.backend.test.case.node.{module}")
    wanted = ("quantizelinear", "qlinear", "integer")
    return {case.name: case for case in node._NodeTestCases if any(word in case.name for word in wanted)}


def arrays(values: Any) -> list[NDArray[Any]]:
    """Return a data set's inputs or outputs as arrays; integers of 4 and 2 bits as int8 or uint8."""
    from onnx import numpy_helper

    made = [np.asarray(v) if hasattr(v, "dtype") else numpy_helper.to_array(v) for v in values]
    narrow = {"int4": "int8", "uint4": "uint8", "int2": "int8", "uint2": "uint8"}
    return [v.astype(narrow.get(v.dtype.name, v.dtype)) for v in made]


def of(scale: NDArray[Any], zero_point: NDArray[Any], bits: int = 0) -> QuantParams:
    """Return the parameters of codes that fill the zero point's type, or some of its bits."""
    info = np.iinfo(zero_point.dtype)
    low, high = int(info.min), int(info.max)
    if bits:
        low, high = (0, 2**bits - 1) if low == 0 else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    one = scale.size == 1
    z: Any = int(zero_point.ravel()[0]) if zero_point.size == 1 else zero_point
    return QuantParams(float(scale.ravel()[0]) if one else scale, z, low, high)


def moved(name: str, values: NDArray[Any], back: bool = False) -> NDArray[Any]:
    """Put the channels last, as npquant has them, where a case has them on another axis (1 unless it says 0)."""
    if not name.endswith("_axis") and name not in NARROW:
        return values
    axis = 1 if name.endswith("_axis") else 0
    return np.moveaxis(values, -1, axis) if back else np.moveaxis(values, axis, -1)


def answer(name: str, profile: str, given: list[NDArray[Any]], bits: int = 0) -> list[NDArray[Any]]:
    """Return npquant's outputs for a case's inputs."""
    if name.startswith("test_quantize"):
        q = npquant.quantize(moved(name, given[0]), of(given[1], given[2], bits), profile)
        return [moved(name, q, back=True)]
    if name.startswith("test_dequantize"):
        channels = given[1].size > 1
        codes = moved(name, given[0]) if channels else given[0]
        x = npquant.dequantize(codes, of(given[1], given[2], bits), profile)
        return [moved(name, x, back=True) if channels else x]
    if name.startswith("test_dynamic"):
        made = dynamic_quantize(given[0], profile=profile)
        return [made.codes, made.scale, made.zero_point]
    if name.startswith("test_matmul"):
        zx, zw = (int(z[0]) for z in given[2:])
        return [matmul_integer(given[0], given[1], x_zero_point=zx, w_zero_point=zw, profile=profile)]
    x, w, y = (of(*given[i : i + 2]) for i in (1, 4, 6))  # type: ignore[assignment]
    batch = given[0].reshape(-1, *given[0].shape[-2:]), given[3].reshape(-1, *given[3].shape[-2:])
    layers = [npquant.linear(a, b, None, x=x, w=w, y=y, profile=profile) for a, b in zip(*batch, strict=True)]
    return [np.stack(layers).reshape(*given[0].shape[:-1], -1)]


def test_every_case_is_asked_or_left_out_with_a_reason() -> None:
    """The installed package has no node test of a quantized operator that is named neither above nor below."""
    assert set(cases()) == {*SAID, *LEFT_OUT}, ENGINE.installed_version()


@pytest.mark.parametrize("profile", ["onnx_ref", "ort"])
@pytest.mark.parametrize("name", SAID)
def test_node_case_equals_profile(name: str, profile: str) -> None:
    """ONNX's published outputs are the profile's, bit for bit: of the evaluator and of ONNX Runtime alike."""
    for inputs, outputs in cases()[name].data_sets:
        for got, want in zip(answer(name, profile, arrays(inputs)), arrays(outputs), strict=True):
            assert got.dtype == want.dtype and got.shape == want.shape and np.array_equal(got, want)


@pytest.mark.parametrize("name", NARROW)
def test_node_case_of_few_bits_equals_npquant(name: str) -> None:
    """Codes of 4 and 2 bits are npquant's own, whose intervals are any."""
    bits = int(name[-1])
    for inputs, outputs in cases()[name].data_sets:
        (got,), (want,) = answer(name, "npquant", arrays(inputs), bits), arrays(outputs)
        assert got.shape == want.shape and np.array_equal(got, want)


def test_node_cases_see_truncation_and_no_tie_rule() -> None:
    """What the cases can see: a quantizer that truncates fails them; no profile's quantizer of uint8 does.

    They hold no tie at an odd zero point and nothing near int32: they are an agreement on form, not on rounding.
    """
    (inputs, outputs) = cases()["test_quantizelinear"].data_sets[0]
    given = arrays(inputs)
    assert (np.clip(np.trunc(given[0] / given[1]) + given[2], 0, 255) != outputs[0]).any()
    for profile in npquant.profiles.names():
        record = npquant.profiles.get(profile)
        if record.quantize_codes is not None and "uint8" in record.quantize_types:
            assert np.array_equal(answer("test_quantizelinear", profile, given)[0], outputs[0]), profile
