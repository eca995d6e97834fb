"""The exact scalars of a case: every profile's layer and QUANTIZE by the definitions of npquant.spec alone.

The table below says a second time which rule each profile has, and the rules are those of `npquant.spec`: a vector is
written only where this and the array kernels agree. Legend: s a `Step`, one output's numbers; layer, x_q (B, K) input
codes and profile as in `Case`; sx, sw, sy scales as exact ratios, params a quantization; acc int32 accumulator, b_q
bias code, zy output zero point, [low, high] the output codes that are left open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isinf, isnan
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npquant.profiles.record import Profile
from npquant.spec import activation_bounds as bounds
from npquant.spec import affine, conversion, output_stages, quantize_engines
from npquant.spec import multiplier as multipliers
from npquant.spec import requantize as requantizations
from npquant.spec.floating import to_float32, to_float64
from npquant.spec.linear import dot, dot_pair16
from npquant.spec.rounding import INT32_MAX, INT32_MIN, wrap
from npquant.testing.case import Layer, checked

# The real bounds of the fused activations.
CLAMPS: Final = MappingProxyType(
    {
        "none": (None, None),
        "relu": (Fraction(0), None),
        "clipped_relu": (Fraction(0), Fraction(1)),
        "relu6": (Fraction(0), Fraction(6)),
        "relu_n1_to_1": (Fraction(-1), Fraction(1)),
    }
)
# Beyond int32 for every scale: an infinite product stands where any so large a one does.
HUGE: Final = Fraction(2) ** 100


class KitFailure(Exception):
    """Raised where two definitions of one answer differ: the kit itself fails, and nobody else is to blame."""


class Step(NamedTuple):
    """One output on its way from the accumulator to the code; each: whether weight scales are per channel."""

    acc: int
    b_q: int
    sx: Fraction
    sw: Fraction
    sy: Fraction
    each: bool
    zy: int
    low: int
    high: int


Code = Callable[[Step], int]
Quantize = Callable[[Fraction, Fraction, int, int, int, bool], int]


@dataclass(frozen=True, slots=True)
class Definition:
    """A profile's rules: code of a step, clamp of an activation's bounds, quantize of (x, s, z, low, high, each).

    nan is what QUANTIZE makes of NaN: "low", "high", "torch" (qmax, or 0 per channel), or "beyond", as of a value
    beyond int32; "" refuses it. tail is another rule for the last n mod 8 elements."""

    code: Code
    clamp: Callable[..., tuple[int, int]] = bounds.clamp_codes
    quantize: Quantize | None = None
    nan: str = ""
    tail: Quantize | None = None


def _in_integers(
    multiplier: Callable[..., Fraction], requantize: Callable[..., int], convert: Callable[..., int]
) -> Code:
    """Return the code of a profile that multiplies by m 2^(e-31); per channel M is R4, whatever the rule."""

    def code(s: Step) -> int:
        rule = multipliers.real_multiplier if s.each else multiplier
        m, e = multipliers.decompose_multiplier(rule(s.sx, s.sw, s.sy))
        return convert(requantize(s.acc, m, e), s.zy, s.low, s.high)

    return code


def _in_floats(multiplier: Callable[..., Fraction], stage: Callable[..., int]) -> Code:
    def code(s: Step) -> int:
        return stage(s.acc, multiplier(s.sx, s.sw, s.sy), s.zy, s.low, s.high)

    return code


def _nvdla(s: Step) -> int:
    m, e = multipliers.decompose_multiplier_15_bits(multipliers.real_multiplier(s.sx, s.sw, s.sy))
    return conversion.code_saturating(requantizations.requantize_half_away(s.acc, m, e), s.zy, s.low, s.high)


def _real_bias(s: Step) -> Fraction:
    # The product of two scales is exact in float64, that with the code is not always.
    return to_float32(to_float64(s.b_q * s.sx * s.sw))


def _fbgemm(s: Step) -> int:
    add = output_stages.bias_added_divided if s.each else output_stages.bias_added_fused
    v = add(s.acc, _real_bias(s), to_float32(s.sx * s.sw))
    m = multipliers.multiplier_float32(s.sx, s.sw, s.sy)
    return output_stages.stage_float32_through_int16(v, m, s.zy, s.low, s.high)


def _qnnpack(s: Step) -> int:
    m = multipliers.multiplier_float32_reciprocal(s.sx, s.sw, s.sy)
    return output_stages.stage_float32_through_int16(to_float32(Fraction(s.acc)), m, s.zy, s.low, s.high)


def _twice_reciprocal(s: Fraction, first: Callable[[Fraction], Fraction]) -> Fraction:
    return to_float32(1 / to_float32(first(1 / s)))


def _onednn(s: Step, product: Callable[[Fraction, Fraction, Fraction], Fraction]) -> int:
    sx = _twice_reciprocal(s.sx, to_float32)
    sw = _twice_reciprocal(s.sw, to_float32 if s.each else to_float64)
    v = to_float32(product(to_float32(Fraction(s.acc)), sx, sw) + _real_bias(s))
    return output_stages.stage_float32_zero_point_first(v, s.sy, s.zy, s.low, s.high)


def _onednn_vnni(s: Step) -> int:
    return _onednn(s, lambda acc, sx, sw: to_float32(to_float32(acc * sx) * sw))


def _onednn_avx2(s: Step) -> int:
    return _onednn(s, lambda acc, sx, sw: to_float32(acc * to_float32(sx * sw)))


def _alike(rule: Callable[..., int]) -> Quantize:
    return lambda x, s, z, low, high, each: rule(x, s, z, low, high)


def _torch(x: Fraction, s: Fraction, z: int, low: int, high: int, each: bool) -> int:
    rule = quantize_engines.quantize_zero_point_first if each else quantize_engines.quantize_fused_zero_point_first
    return rule(x, s, z, low, high)


def _definitions() -> dict[str, Definition]:
    r, m, q, st = requantizations, multipliers, quantize_engines, output_stages
    product, exact, single = m.multiplier_float32_product, m.real_multiplier, m.multiplier_float32
    saturating, wrapping = conversion.code_saturating, conversion.code_wrapping
    away, xnn = bounds.clamp_codes_half_away, bounds.clamp_codes_zero_point_first
    tflite = (away, _alike(q.quantize_divide_half_away), "beyond")
    quotient_float64 = _alike(q.quantize_divide_half_away_float64)
    xnnpack = (xnn, _alike(q.quantize_reciprocal_half_even), "high")
    onnx = (bounds.clamp_codes, _alike(q.quantize_divide_half_even))
    torch = (bounds.clamp_codes, _torch, "torch")
    half_even = _in_floats(single, st.stage_float32_half_even)
    ruy = _in_integers(product, r.requantize_double_rounding_up, wrapping)
    return {
        "npquant": Definition(
            _in_integers(exact, r.requantize_single_rounding, saturating), bounds.clamp_codes, _alike(affine.quantize)
        ),
        "tflite_ref": Definition(_in_integers(product, r.requantize_double_rounding, wrapping), *tflite),
        "tflm": Definition(_in_integers(exact, r.requantize_double_rounding, wrapping), *tflite),
        "tflite_single": Definition(_in_integers(product, r.requantize_single_rounding, wrapping), *tflite),
        "litert_ref_2025": Definition(_in_floats(exact, st.stage_float64_half_away), *tflite),
        "ruy_x86": Definition(ruy, away, _alike(q.quantize_reciprocal_half_even_wrapping), "beyond", quotient_float64),
        "tflite_opt_2_14": Definition(ruy, away, quotient_float64, "beyond"),
        "ruy_arm64": Definition(_in_integers(product, r.requantize_floor_then_half_up, wrapping), away),
        "xnnpack_fp32": Definition(half_even, *xnnpack),
        "xnnpack_fp32_avx512": Definition(_in_floats(single, st.stage_float32_half_even_low_wraps), *xnnpack),
        "xnnpack_rndnu": Definition(_in_floats(single, st.stage_mantissa24_half_up), *xnnpack),
        "ort": Definition(half_even, *onnx, "low"),
        "ort_pair16": Definition(half_even, *onnx, "low"),
        "onnx_ref": Definition(
            _in_floats(single, st.stage_float64_zero_point_first),
            bounds.clamp_codes,
            _alike(q.quantize_divide_half_even_wrapping),
            "beyond",
        ),
        "fbgemm": Definition(_fbgemm, *torch),
        "fbgemm_pair16": Definition(_fbgemm, *torch),
        "qnnpack": Definition(_qnnpack, *torch),
        "onednn_vnni": Definition(_onednn_vnni, *torch),
        "onednn_avx2": Definition(_onednn_avx2, *torch),
        "tosa_single": Definition(_in_integers(exact, r.requantize_single_rounding, saturating)),
        "tosa_double": Definition(_in_integers(exact, r.requantize_double_rounding, saturating)),
        "tvm_upward": Definition(_in_integers(product, r.requantize_single_rounding, saturating)),
        "tvm_tonearest": Definition(_in_integers(product, r.requantize_half_away, saturating)),
        "gemmini_f32": Definition(half_even),
        "nvdla": Definition(_nvdla),
    }


DEFINITIONS: Final = MappingProxyType(_definitions())


class Stages(NamedTuple):
    """A layer's values (B, N) by the definitions: accumulators, values before the clamp, output codes."""

    acc: NDArray[np.int64]
    before: NDArray[np.int64]
    y_q: NDArray[np.int64]


def defined_layer(layer: Layer, x_q: NDArray[Any], profile: Profile) -> Stages:
    """Evaluate one layer, output by output. acc holds the bias where the profile's bias is int32.

    OverflowError where an accumulator, or a float on the way, may not be what it would be."""
    x, w, y = checked(layer.x), checked(layer.w), checked(layer.y)
    definition, n = DEFINITIONS[profile.name], layer.w_q.shape[1]
    low, high = definition.clamp(*CLAMPS[layer.activation], _ratio(y.scale), int(y.zero_point), y.qmin, y.qmax)
    room = open_room(profile, low, high)
    scales = [_ratio(s) for s in np.broadcast_to(np.asarray(w.scale), (n,))]
    ignored = profile.weight_zero_point == "per_tensor" and w.per_channel
    zeros = np.broadcast_to(np.asarray(0 if ignored else w.zero_point), (n,)).tolist()
    codes = [0] * n if layer.bias is None else [int(b) for b in layer.bias]
    columns = [layer.w_q[:, j].tolist() for j in range(n)]
    pairs = profile.accumulator == "pair16" and x_q.dtype == np.uint8 and layer.w_q.dtype == np.int8
    grids = np.zeros((3, len(x_q), n), np.int64)
    for i, row in enumerate(x_q.tolist()):
        for j in range(n):
            acc = _sum(row, columns[j], int(x.zero_point), zeros[j], pairs)
            acc = _as_int32(acc + (codes[j] if profile.add_bias is None else 0), profile)
            step = Step(acc, codes[j], _ratio(x.scale), scales[j], _ratio(y.scale), bool(np.ndim(w.scale)),
                        int(y.zero_point), *room)  # fmt: skip
            grids[:, i, j] = acc, definition.code(step), definition.code(step._replace(low=low, high=high))
    return Stages(*grids)


def open_room(profile: Profile, low: int, high: int) -> tuple[int, int]:
    """Return the bounds under which a stage's code is its value before the clamp: those of int32.

    One engine clips its floats from above before it converts them: there the upper bound stays."""
    return INT32_MIN, high if profile.name == "xnnpack_fp32_avx512" else INT32_MAX


def _sum(row: Sequence[int], column: Sequence[int], zx: int, zw: int, pairs: bool) -> int:
    products = (dot_pair16 if pairs else dot)(row, column)
    return products - zx * sum(column) - zw * sum(row) + len(row) * zx * zw


def _as_int32(acc: int, profile: Profile) -> int:
    if profile.accumulator == "exact" and not INT32_MIN <= acc <= INT32_MAX:
        raise OverflowError(f"the accumulator is {acc}, outside int32")
    return wrap(acc, 32)


def _ratio(scale: Any) -> Fraction:
    return Fraction(float(scale))


def defined_codes(x: NDArray[np.float32], params: Any, profile: Profile) -> NDArray[np.int64]:
    """Evaluate QUANTIZE of x (..., N), element by element in C order; ValueError if the profile has none."""
    definition = DEFINITIONS[profile.name]
    if definition.quantize is None:
        raise ValueError(f"{profile.name} has no QUANTIZE")
    p = checked(params)
    body = x.size // 8 * 8 if definition.tail else x.size
    rules = [definition.quantize] * body + [definition.tail] * (x.size - body)
    scales, zeros = (np.broadcast_to(np.asarray(v), x.shape).ravel().tolist() for v in (p.scale, p.zero_point))
    flat = [
        _quantized(rule, definition.nan, float(v), Fraction(s), z, (p.qmin, p.qmax), p.per_channel)
        for rule, v, s, z in zip(rules, x.ravel().tolist(), scales, zeros, strict=True)
    ]
    return np.array(flat, np.int64).reshape(x.shape)


def _quantized(rule: Any, nan: str, v: float, s: Fraction, z: int, ends: tuple[int, int], each: bool) -> int:
    """Return the code of one float32 value; special values and infinite quotients by the rule for what is beyond
    int32."""
    if isnan(v):
        named = {"low": ends[0], "high": ends[1], "torch": 0 if each else ends[1]}
        return named[nan] if nan in named else int(rule(HUGE, Fraction(1), z, *ends, each))
    try:
        if not isinf(v):
            return int(rule(Fraction(v), s, z, *ends, each))
    except OverflowError:
        pass
    return int(rule(HUGE if v > 0 else -HUGE, Fraction(1), z, *ends, each))
