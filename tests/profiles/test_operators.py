"""The operators by profile: what an engine refuses is refused with its reason, what it takes equals the spec."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import npquant
from npquant import FixedMultiplier, QuantParams
from npquant.profiles import get, names
from npquant.profiles.operators import dequantize, linear, quantize, requantize
from npquant.spec import conversion as spec_conversion
from npquant.spec import linear as spec_linear
from npquant.spec import multiplier as spec_multiplier
from npquant.spec import output_stages as spec_stages
from npquant.spec import requantize as spec_requantize

SCALES = st.floats(2.0**-10, 1.0, width=32)
INT8 = st.integers(-128, 127)


def fixed(rule: Any, make: Any, per_tensor_make: Any = None, convert: Any = spec_conversion.code_wrapping) -> Any:
    """Build the scalar form of an integer profile from its requantization and its multiplier."""

    def code(acc: Any, scales: Any, zy: Any, per_channel: bool) -> Any:
        real = (per_tensor_make or make)(*scales) if not per_channel else make(*scales)
        return convert(rule(acc, *spec_multiplier.decompose_multiplier(real)), zy, -128, 127)

    return code


def floating(stage: Any, make: Any) -> Any:
    """Build the scalar form of a float profile from its output stage and its multiplier."""
    return lambda acc, scales, zy, per_channel: stage(acc, make(*scales), zy, -128, 127)


SATURATING = spec_conversion.code_saturating
M_A, M_B = spec_multiplier.multiplier_float32_product, spec_multiplier.real_multiplier
M_C = spec_multiplier.multiplier_float32
SCALAR = {
    "npquant": fixed(spec_requantize.requantize_single_rounding, M_B, convert=SATURATING),
    "tflite_ref": fixed(spec_requantize.requantize_double_rounding, M_B, M_A),
    "tflm": fixed(spec_requantize.requantize_double_rounding, M_B),
    "tflite_single": fixed(spec_requantize.requantize_single_rounding, M_B, M_A),
    "litert_ref_2025": floating(spec_stages.stage_float64_half_away, M_B),
    "ruy_x86": fixed(spec_requantize.requantize_double_rounding_up, M_B, M_A),
    "ruy_arm64": fixed(spec_requantize.requantize_floor_then_half_up, M_B, M_A),
    "xnnpack_fp32": floating(spec_stages.stage_float32_half_even, M_C),
    "xnnpack_fp32_avx512": floating(spec_stages.stage_float32_half_even_low_wraps, M_C),
    "ort": floating(spec_stages.stage_float32_half_even, M_C),
    "onnx_ref": floating(spec_stages.stage_float64_zero_point_first, M_C),
    "tosa_single": fixed(spec_requantize.requantize_single_rounding, M_B, convert=SATURATING),
    "tosa_double": fixed(spec_requantize.requantize_double_rounding, M_B, convert=SATURATING),
    "tvm_upward": fixed(spec_requantize.requantize_single_rounding, M_B, M_A, convert=SATURATING),
    "tvm_tonearest": fixed(spec_requantize.requantize_half_away, M_B, M_A, convert=SATURATING),
}


@pytest.mark.parametrize("name", SCALAR)
@given(
    k=st.integers(-140, 140), nudge=st.integers(-1, 1), scales=st.tuples(SCALES, SCALES, SCALES), zy=INT8,
    per_channel=st.booleans(), rows=st.lists(st.tuples(INT8, INT8), max_size=4), zx=INT8,
)  # fmt: skip
def test_linear_equals_spec_beside_ties(
    name: Any, k: Any, nudge: Any, scales: Any, zy: Any, per_channel: bool, rows: Any, zx: Any
) -> None:
    """A whole layer under a profile is its scalar definition, with the bias chosen so that acc M is beside k + 1/2."""
    exact = [Fraction(float(np.float32(s))) for s in scales]
    far = nudge == 0 and k % 20 == 0  # now and then an accumulator at the end of int32
    assume(exact[0] * exact[1] / exact[2] < 250)  # XNNPACK refuses 256
    dot = sum((a - zx) * b for a, b in rows)
    wanted = (
        (2**31 - 1 if k > 0 else -(2**31))
        if far
        else round((k + Fraction(1, 2)) * exact[2] / (exact[0] * exact[1])) + nudge
    )
    bias = max(-(2**31), min(2**31 - 1, wanted - dot))
    acc = spec_linear.accumulate([a for a, _ in rows], [b for _, b in rows], bias, zx, 0)
    w_scale = [scales[1]] if per_channel else scales[1]
    got = linear(
        np.array([a for a, _ in rows], np.int8).reshape(1, -1), np.array([b for _, b in rows], np.int8).reshape(-1, 1),
        [bias], x=QuantParams(scales[0], zx, -128, 127), w=QuantParams(w_scale, 0, -128, 127),
        y=QuantParams(scales[2], zy, -128, 127), profile=name,
    )  # fmt: skip
    assert got.dtype == np.int8 and got.tolist() == [[SCALAR[name](acc, exact, zy, per_channel)]]


P = QuantParams(0.5, 0, -128, 127)
ODD = QuantParams(0.5, 3, -128, 127)
ONE = np.ones((1, 1), np.int8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"profile": "fbgemm"}, "fbgemm takes input codes of type uint8"),
        ({"profile": "gemmini_f32", "x": ODD}, "gemmini_f32 has no zero points"),
        ({"profile": "xnnpack_fp32", "w": ODD}, "refuses a weight zero point"),
        ({"profile": "tflite_ref", "w": QuantParams([0.5], 3, -128, 127)}, "ignores per-channel weight zero points"),
        ({"profile": "xnnpack_fp32", "x": QuantParams(1024.0, 0, -128, 127)}, "takes less than 256"),
        ({"profile": "npquant", "x": QuantParams([0.5], 0, -128, 127)}, "must be per-tensor"),
        ({"profile": "npquant", "x_q": np.ones((1, 2), np.int8)}, "do not agree"),
        ({"profile": "npquant", "bias": [1, 2]}, r"bias has shape \(2,\)"),
        ({"profile": "npquant", "bias": [np.nan]}, "NaN or infinity"),
        ({"profile": "npquant", "bias": [2**40]}, "outside int32"),
        ({"profile": "npquant", "w_q": [[300]]}, r"w_q has codes in \[300, 300\]"),
        ({"profile": "npquant", "activation": "swish"}, "'swish' is not a clamp"),
        ({"profile": "onnxruntime"}, "there is no profile 'onnxruntime'; near it: .*ort"),
    ],
)
def test_linear_names_its_refusal(arguments: Any, message: str) -> None:
    """Each refusal says which rule was broken."""
    call = {"x_q": ONE, "w_q": ONE, "bias": [0], "x": P, "w": P, "y": P, **arguments}
    with pytest.raises(ValueError, match=message):
        linear(call.pop("x_q"), call.pop("w_q"), call.pop("bias"), **call)


def test_linear_refuses_real_operands() -> None:
    """Real values are not codes."""
    with pytest.raises(TypeError, match="quantize real values first"):
        linear([[0.5]], ONE, None, x=P, w=P, y=P, profile="npquant")


@pytest.mark.parametrize("name", names())
def test_linear_takes_empty_operands(name: Any) -> None:
    """B = 0 gives nothing, K = 0 the requantized bias, under every profile."""
    record = get(name)
    p = P if "int8" in record.code_types else QuantParams(0.5, 128, 0, 255)
    w = QuantParams(0.5, 0, -128, 127)
    none = linear(np.zeros((0, 3), p.dtype), np.zeros((3, 2), np.int8), None, x=p, w=w, y=p, profile=name)
    bias = linear(np.zeros((2, 0), p.dtype), np.zeros((0, 2), np.int8), [8, -8], x=p, w=w, y=p, profile=name)
    zero = int(p.zero_point)
    assert none.shape == (0, 2) and none.dtype == p.dtype
    assert bias.tolist() == [[zero + 4, zero - 4]] * 2


def test_linear_converts_its_bias_both_ways() -> None:
    """An integer bias is real for an engine whose bias is float, a real one becomes codes for the others."""
    u = QuantParams(0.5, 128, 0, 255)
    w = QuantParams(0.25, 0, -128, 127)
    x_q, w_q = np.array([[130]], np.uint8), np.array([[3]], np.int8)
    for name in ("fbgemm", "onednn_vnni", "qnnpack", "ort"):
        as_codes = linear(x_q, w_q, [40], x=u, w=w, y=u, profile=name)
        as_real = linear(x_q, w_q, [40 * 0.5 * 0.25], x=u, w=w, y=u, profile=name)
        assert as_codes.tolist() == as_real.tolist() == [[128 + round(46 * 0.25)]]


def test_profile_names_are_records() -> None:
    """Names, records and the near-name hint; a record is returned as it is."""
    assert get(get("ort")) is get("ort")
    assert len(set(names())) == len(names()) >= 21
    for name in names():
        record = get(name)
        assert record.engine and record.version and record.source and record.equation
    with pytest.raises(ValueError, match="tflite_ref"):
        get("tflite_reff")


def test_public_operators_default_to_npquant() -> None:
    """`npquant.quantize` and its siblings are these, under npquant's own profile unless told otherwise."""
    assert npquant.quantize([0.25], QuantParams(0.1, 1, -128, 127)).tolist() == [3]
    assert npquant.quantize([0.25], QuantParams(0.1, 1, -128, 127), profile="litert_ref_2025").tolist() == [4]
    assert npquant.dequantize(np.array([3], np.int8), P).tolist() == [1.5]
    assert npquant.requantize([-5], FixedMultiplier(2**30, 0), y=P).tolist() == [-2]
    assert npquant.requantize([-5], x=P, w=P, y=P, profile="litert_ref_2025").tolist() == [-3]


def test_operators_without_an_engine_are_refused() -> None:
    """A profile without a quantize operator, a fixed multiplier for a float engine, half an argument list."""
    with pytest.raises(ValueError, match="nvdla has no quantize operator"):
        quantize([1.0], P, profile="nvdla")
    with pytest.raises(ValueError, match="nvdla has no dequantize operator"):
        dequantize(ONE, P, profile="nvdla")
    with pytest.raises(TypeError, match="ort rescales in floating point"):
        requantize([1], FixedMultiplier(2**30, 0), y=P, profile="ort")
    with pytest.raises(ValueError, match="either a multiplier, or both"):
        requantize([1], x=P, y=P)
    with pytest.raises(ValueError, match="leaves int32"):
        requantize([2**31], FixedMultiplier(2**30, 0), y=P)
    with pytest.raises(TypeError, match="must be integers"):
        requantize([0.5], FixedMultiplier(2**30, 0), y=P)
