"""One check serves every door: what an engine refuses by one way of asking it refuses by every other."""

from typing import Any

import numpy as np
import pytest

from npquant import FixedMultiplier, QuantParams
from npquant.profiles import get, names
from npquant.profiles.codes_to_codes import activation, requantize_codes, softmax
from npquant.profiles.operators import dequantize, linear, quantize, requantize
from npquant.profiles.refusals import refuse_multiplier

RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535), "int32": None}
W = QuantParams(0.5, 0, -128, 127)
ONE = FixedMultiplier(2**30, 0)


def params(dtype: str, scale: Any = 0.5) -> QuantParams:
    """Return per-tensor parameters that fill a type, with a zero point of 0: every engine takes it."""
    low, high = RANGES[dtype] or (-(2**31), 2**31 - 1)
    return QuantParams(scale, 0, low, high)


def codes(p: QuantParams, shape: Any = (1, 2)) -> Any:
    """Return codes of p."""
    return np.zeros(shape, p.dtype)


# Each door: what it makes of a profile and a type of codes, and the types for which it must answer.
def through_linear(profile: Any, p: Any) -> Any:
    """Ask for a layer."""
    return linear(codes(p), np.zeros((2, 1), np.int8), None, x=p, w=W, y=p, profile=profile)


def through_scales(profile: Any, p: Any) -> Any:
    """Ask for a requantization by scales; the type of the bias chooses the rule to int16."""
    x = p if said(profile, p) else params(profile.code_types[0])
    return requantize([1], x=x, w=W, y=p, profile=profile, bias=said(profile, p))


def through_multiplier(profile: Any, p: Any) -> Any:
    """Ask for a requantization by a fixed multiplier."""
    return requantize([1], ONE, y=p, profile=profile, bias=said(profile, p))


def said(profile: Any, p: Any) -> Any:
    """Return the type of bias that stands beside int16 outputs; None where none chooses a rule."""
    return profile.wide_stages[0].bias if profile.wide_stages and p.dtype == np.int16 else None


def rescaled(profile: Any) -> Any:
    """Return the types that a profile takes accumulators to."""
    return (*profile.code_types, *profile.rescale_types, *(("int16",) if profile.wide_stages else ()))


def sigmoid_output(p: Any) -> Any:
    """Return the output that every sigmoid takes."""
    if p.dtype == np.int16:
        return QuantParams(2.0**-15, 0, p.qmin, p.qmax)
    return QuantParams(2.0**-8, p.qmin, p.qmin, p.qmax)


DOORS = {
    "linear": (
        through_linear, lambda r: (*r.code_types, *(("int16",) if r.wide_stages else ())), "output_stage"
    ),
    "requantize by x, w, y": (through_scales, rescaled, "output_stage"),
    "requantize by multiplier": (through_multiplier, rescaled, "output_stage"),
    "quantize": (lambda r, p: quantize([1.0], p, r), lambda r: r.quantize_types, "quantize_codes"),
    "dequantize": (lambda r, p: dequantize(codes(p), p, r), lambda r: r.quantize_types, "dequantize_codes"),
    "requantize_codes": (
        lambda r, p: requantize_codes(codes(p), x=p, y=p, profile=r),
        lambda r: (*r.code_types, *(a for a, b in r.code_pairs if a == b)), "requantize_codes",
    ),
    "activation": (
        lambda r, p: activation("sigmoid", codes(p), x=p, y=sigmoid_output(p), profile=r),
        lambda r: (*r.code_types, *r.activation_types), "activation_codes",
    ),
    "softmax": (
        lambda r, p: softmax(codes(p), x=p, y=sigmoid_output(p), profile=r),
        lambda r: (*r.code_types, *r.activation_types), "softmax_codes",
    ),
}  # fmt: skip
SERVED = "npquant"  # whose quantize and dequantize take any type, being R1 and R2 themselves


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("door", DOORS)
def test_door_refuses_the_types_that_its_record_does_not_name(door: Any, name: Any) -> None:
    """Every profile, operator and type: an answer of the type, or a refusal that names the profile and says why."""
    call, types, operator = DOORS[door]
    record = get(name)
    if door == "requantize by multiplier" and not isinstance(record.make_multiplier(1.0, 1.0, 1.0), FixedMultiplier):
        with pytest.raises(TypeError, match=f"{name} rescales in floating point"):
            call(record, params(record.code_types[0]))
        return
    for dtype in RANGES:
        p = params(dtype)
        if name == SERVED and operator in ("quantize_codes", "dequantize_codes"):
            assert call(record, p).dtype == (p.dtype if operator == "quantize_codes" else np.float32)
        elif getattr(record, operator) is None or dtype not in types(record):
            with pytest.raises(ValueError, match=rf"^{name} (has no|takes)"):
                call(record, p)
        else:
            assert call(record, p).dtype == (np.float32 if door == "dequantize" else p.dtype)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("door", ["linear", "requantize by x, w, y", "requantize by multiplier"])
def test_door_refuses_zero_points_where_an_engine_has_none(door: Any, name: Any) -> None:
    """A zero point of 1 in the output is refused by each way, or by none."""
    record = get(name)
    fixed = isinstance(record.make_multiplier(1.0, 1.0, 1.0), FixedMultiplier)
    if door == "requantize by multiplier" and not fixed:
        return
    low, high = RANGES[record.code_types[0]]  # type: ignore[misc]
    p = QuantParams(0.5, 1, low, high)
    if record.zero_points:
        DOORS[door][0](record, p)
        return
    with pytest.raises(ValueError, match=f"{name} has no zero points"):
        DOORS[door][0](record, p)


def test_requantize_by_multiplier_refuses_16_bits_where_the_rule_is_another() -> None:
    """acc -10138397, m 2143068030, e -10: CMSIS-NN with its int64 bias gives -9881 by a 16-bit multiplier, not -9880.

    TOSA and TVM rescale to int16 by the 32-bit rule, and so does an int32 bias, whose two roundings are TOSA's: an
    engine of both is to be told which.
    """
    acc, fixed, y = [-10138397], FixedMultiplier(2143068030, -10), params("int16")
    for name in ("cmsis_nn", "tflm"):
        with pytest.raises(ValueError, match='by the type of the bias: say bias="int64" or bias="int32"'):
            requantize(acc, fixed, y=y, profile=name)
        for bias, want in (("int64", -9881), ("int32", -9880)):
            assert requantize(acc, fixed, y=y, profile=name, bias=bias).tolist() == [want]
    assert requantize(acc, fixed, y=y, profile="ruy_x86", bias="int32").tolist() == [-9880]
    with pytest.raises(TypeError, match="ruy_x86 rescales in floating point"):
        requantize(acc, fixed, y=y, profile="ruy_x86", bias="int64")
    for name in ("tflite_ref", "tflite_single", "ruy_arm64", "nvdla"):
        with pytest.raises(ValueError, match="takes output codes of type int8"):
            requantize(acc, fixed, y=y, profile=name)
        with pytest.raises(ValueError, match="takes output codes of type int8"):
            requantize(acc, x=params("int8"), w=W, y=y, profile=name)
    for name in ("npquant", "tosa_single", "tosa_double", "tvm_upward", "tvm_tonearest"):
        assert requantize(acc, fixed, y=y, profile=name).tolist() == [-9880]
    assert (acc[0] * ((2143068030 + 2**15) >> 16) + 2**24) >> 25 == -9881


def test_requantize_to_int16_takes_accumulators_of_the_type_that_is_said() -> None:
    """2^40 is an int64 accumulator and no int32 one; by scales and by multiplier alike, as the layer has it."""
    x, w, y = QuantParams(2.0**-10, 0, -32768, 32767), QuantParams(2.0**-8, 0, -128, 127), params("int16", 2.0**10)
    acc = np.array([2**40, -(2**40) - 2**26, 5])
    for name in ("cmsis_nn", "tflm", "litert_ref_2025"):
        by_scales = requantize(acc, x=x, w=w, y=y, profile=name, bias="int64")
        layer = linear(np.zeros((1, 1), np.int16), np.zeros((1, 3), np.int8), acc, x=x, w=w, y=y, profile=name)
        assert by_scales.tolist() == layer[0].tolist() == [4096, -4096, 0]
        with pytest.raises(ValueError, match="acc leaves int32"):
            requantize(acc, x=x, w=w, y=y, profile=name, bias="int32")
        with pytest.raises(ValueError, match="without zero points"):
            requantize(acc, x=x, w=w, y=QuantParams(1.0, 1, -32768, 32767), profile=name, bias="int64")
        with pytest.raises(ValueError, match="input codes of type int16"):
            requantize(acc, x=params("int8"), w=w, y=y, profile=name, bias="int64")
        with pytest.raises(ValueError, match="beside int8 outputs: leave it"):
            requantize(acc, x=x, w=w, y=params("int8"), profile=name, bias="int64")
    assert requantize(acc, FixedMultiplier(2**30, -27), y=y, profile="tflm", bias="int64").tolist() == [4096, -4096, 0]


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [
        ("npquant", (-(2**31), -1, 2**29, 2**31 - 1), ()),
        ("tflite_ref", (-(2**31), -(2**30), 2**29), ()),
        ("tflm", (-(2**30), 1), ()),
        ("tflite_single", (0, 1, 2**29), (-1, -(2**30))),
        ("ruy_x86", (2**29,), (-1,)),
        ("tosa_single", (0, 1, 2**30 - 1), (-1,)),
        ("tosa_double", (0, 1, 2**30 - 1), (-(2**31),)),
        ("nvdla", (-(2**31), -(2**16), 2**29, 2**30), (1, 2**29 + 1, 2**31 - 1)),
    ],
)
def test_requantize_takes_the_multipliers_that_its_engine_defines(name: Any, taken: Any, refused: Any) -> None:
    """C4: small and negative multipliers where the engine has them, a refusal that names the interval elsewhere."""
    for m in taken:
        refuse_multiplier(get(name), FixedMultiplier(m, 0))
        assert requantize([8], FixedMultiplier(m, 0), y=params("int8"), profile=name).tolist() == [
            max(-128, min(127, round(8 * m / 2**31)))
        ]
    for m in refused:
        with pytest.raises(ValueError, match=f"{name} defines multipliers from"):
            requantize([8], FixedMultiplier(m, 0), y=params("int8"), profile=name)


def test_small_multiplier_is_the_large_one_with_a_smaller_shift() -> None:
    """C4: m and 2 m at one shift less are one real number; one rounding cannot tell them apart."""
    acc = np.random.default_rng(0).integers(-(2**31), 2**31, 4000)
    y = params("int8")
    for m, e in ((2**29, -3), (2**29 + 1, -20), (12345, 0)):
        small, large = FixedMultiplier(m, e), FixedMultiplier(2 * m, e - 1)
        for name in ("tosa_single", "tvm_upward", "tvm_tonearest", "npquant"):
            got = [requantize(acc, fixed, y=y, profile=name).tolist() for fixed in (small, large)]
            assert got[0] == got[1]


@pytest.mark.parametrize("name", names())
def test_clamp_need_not_hold_the_zero_point(name: Any) -> None:
    """C2 is about codes that must stand for 0; an interval to clamp to may lie anywhere inside the type's."""
    record = get(name)
    p = params(record.code_types[0])
    if record.zero_points:
        p = QuantParams(0.5, p.qmin, p.qmin, p.qmax)
    low, high = p.qmin + 20, p.qmin + 90
    acc = np.arange(-400, 400)
    free = requantize(acc, x=p, w=W, y=p, profile=name)
    clamped = requantize(acc, x=p, w=W, y=p, profile=name, clamp=(low, high))
    assert clamped.tolist() == np.clip(free, low, high).tolist() and clamped.min() == low and clamped.max() == high
    x_q, w_q, bias = np.full((1, 3), p.zero_point, p.dtype), np.ones((3, 800), np.int8), acc.astype(np.int32)
    by_layer = linear(x_q, w_q, bias, x=p, w=W, y=p, profile=name, clamp=(low, high))
    assert by_layer.tolist() == [np.clip(linear(x_q, w_q, bias, x=p, w=W, y=p, profile=name)[0], low, high).tolist()]


def test_clamp_refuses_what_is_no_interval_of_the_output() -> None:
    """It lies inside the output's interval, and it is given in place of an activation's name."""
    p = params("int8")
    for clamp in ((-129, 0), (0, 128), (5, 4)):
        with pytest.raises(ValueError, match="must lie inside"):
            requantize([1], ONE, y=p, clamp=clamp)
    with pytest.raises(ValueError, match="either an activation"):
        linear([[1]], [[1]], None, x=p, w=p, y=p, profile="tflite_ref", activation="relu", clamp=(0, 5))


def test_dequantize_refuses_what_is_no_code() -> None:
    """Reals are not codes under any profile, and an engine's tensor holds no code beyond its interval."""
    for name in ("npquant", "ort", "tflite_ref", "ruy_x86"):
        with pytest.raises(TypeError, match="float64"):
            dequantize([0.5], params("int8"), name)
    with pytest.raises(ValueError, match="outside its interval"):
        dequantize([200], params("int8"), "ort")


def test_quantize_of_tflite_divides_in_float32() -> None:
    """R50: f32(x / s) is 80.5, so 81, in the reference kernels; R51, in float64, is TFLite 2.14's optimized one."""
    x, y = np.float32([21.405818939208984]), QuantParams(np.float32(0.265910804271698), 0, -128, 127)
    for name in ("tflite_ref", "tflite_single", "tflm", "litert_ref_2025"):
        assert quantize(x, y, name).tolist() == [81]
    assert quantize(x, y, "tflite_opt_2_14").tolist() == [80]


def test_softmax_of_512_equal_codes_is_each_engine_s_own() -> None:
    """127 in TFLite 2.14's reference kernel, -127 in its optimized one and LiteRT's; others abort, and are refused."""
    x, y, q = QuantParams(0.1, 0, -128, 127), sigmoid_output(params("int8")), np.zeros((1, 512), np.int8)
    for name, want in (("tflite_ref", 127), ("tflite_opt_2_14", -127), ("ruy_x86", -127), ("xnnpack_fp32", -127)):
        assert set(softmax(q, x=x, y=y, profile=name).ravel().tolist()) == {want}
    for name in ("tflm", "litert_ref_2025"):
        with pytest.raises(ValueError, match="aborts the process"):
            softmax(q, x=x, y=y, profile=name)


def test_xnnpack_rndnu_casts_to_int32_before_it_clamps() -> None:
    """R29: 2^31 - 1 times 1.5 is negative as int32, so 0 and not 255; int8 rescales alike, its layers do not exist."""
    x, y = QuantParams(1.5, 0, 0, 255), QuantParams(1.0, 0, 0, 255)
    one = QuantParams(1.0, 0, -128, 127)
    assert requantize([2**31 - 1], x=x, w=one, y=y, profile="xnnpack_rndnu").tolist() == [0]
    assert requantize([5, -5], x=x, w=one, y=one, profile="xnnpack_rndnu").tolist() == [8, -7]
    with pytest.raises(ValueError, match="takes input codes of type uint8"):
        linear([[1]], [[1]], None, x=one, w=one, y=one, profile="xnnpack_rndnu")
