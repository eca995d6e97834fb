"""Which rule of `npquant.spec` each profile has, said a second time: the table of the exact scalars.

Legend: s a `Step`, one output's numbers: acc int32 accumulator, b_q bias code, sx, sw, sy scales as exact ratios, zy
output zero point, [low, high] the output codes that are left open, zx input zero point, colsum sum of weight codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from types import MappingProxyType
from typing import Final, NamedTuple

from npquant.spec import activation_bounds as bounds
from npquant.spec import affine, conversion, openvino, output_stages, quantize_engines, quantize_modes, tract
from npquant.spec import multiplier as multipliers
from npquant.spec import requantize as requantizations
from npquant.spec.floating import to_float32, to_float64
from npquant.spec.rounding import INT32_MAX, round_half_even, wrap

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


class Step(NamedTuple):
    """One output on its way from the accumulator to the code.

    each: whether weight scales are per channel; channels: the scales of all outputs, for engines that look at them;
    column: this output's weights; kind: the type of the output codes."""

    acc: int
    b_q: int
    sx: Fraction
    sw: Fraction
    sy: Fraction
    each: bool
    zy: int
    low: int
    high: int
    zx: int = 0
    colsum: int = 0
    channels: tuple[Fraction, ...] = ()
    column: Sequence[int] = ()
    activation: str = "none"
    kind: str = "int8"


Code = Callable[[Step], int]
Quantize = Callable[[Fraction, Fraction, int, int, int, bool], int]


@dataclass(frozen=True, slots=True)
class Definition:
    """A profile's rules: code of a step, clamp of an activation's bounds, quantize of (x, s, z, low, high, each).

    nan is what QUANTIZE makes of NaN: "low", "high", "zero_point", "torch" (qmax, or 0 per channel), "range" (qmin, as
    of every value whose range is infinite), or "beyond", as of a value beyond int32; "" refuses it. tail is another
    rule for the last n mod `vector` elements: of the tensor, or of each row where `rows`, unless rows by fours are
    interleaved. row, where outputs depend on each other's constants, gives the codes of a row, before the clamp."""

    code: Code
    clamp: Callable[..., tuple[int, int]] = bounds.clamp_codes
    quantize: Quantize | None = None
    nan: str = ""
    tail: Quantize | None = None
    vector: int = 8
    rows: bool = False
    row: Callable[[Sequence[Step]], list[int]] | None = None

    def by_position(self, shape: tuple[int, ...]) -> list[Quantize | None]:
        """Return the rule of each element in C order."""
        count = prod(shape)
        if self.tail is None:
            return [self.quantize] * count
        length = count // shape[0] if self.rows and len(shape) > 1 and shape[0] else count
        if self.rows and len(shape) > 1 and shape[0] % 4 == 0:
            return [self.quantize] * count
        body = length // self.vector * self.vector
        row = [self.quantize] * body + [self.tail] * (length - body)
        return row * (count // length if length else 0)


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


def _ncnn(s: Step) -> int:
    kx, kw, ky = (to_float32(1 / scale) for scale in (s.sx, s.sw, s.sy))
    steps = max(to_float32(output_stages.real_output_per_unit(s.acc, kx, kw, _real_bias(s)) * ky), Fraction(s.low))
    return conversion.code_symmetric_add_half(min(steps, Fraction(s.high)) if s.high < 127 else steps)


def _mnn(s: Step) -> int:
    raised = wrap(s.acc + (s.zx + 128) * s.colsum, 32)
    shift = output_stages.shift_with_column_sum(s.colsum, _real_bias(s), (s.sx, s.zx), s.sw, (s.sy, s.zy))
    ratio = to_float32(s.sx / s.sy)
    code = output_stages.stage_two_products_clip_add_half(raised, s.sw, ratio, shift, s.low, s.high)
    return min(code, INT32_MAX)  # beside it half a step is lost


def _openvino(steps: Sequence[Step]) -> list[int]:
    first = steps[0]
    lo, hi = (-128, 127) if first.kind == "int8" else (0, 255)
    c = [openvino.column_offset(s.column, s.zx) for s in steps]
    d = [to_float32(s.sx * s.sw) for s in steps]
    raw = [wrap(s.acc + s.zx * s.colsum, 32) for s in steps]
    ends = openvino.range_ends(first.sy, first.zy, lo, hi)
    return openvino.layer_codes(raw, c, d, [_real_bias(s) for s in steps], ends, lo, hi, first.activation == "relu")


def _of_a_row(s: Step) -> int:
    raise NotImplementedError("this engine's outputs depend on each other's constants: evaluate a row")


def _tract(s: Step) -> int:
    m = tract.layer_multiplier(s.sx, s.channels if s.each else s.sw, s.sy)
    if isinstance(m, list):
        y = tract.rescale_magnitude(s.acc, multipliers.multiplier_float32_reciprocal(s.sx, s.sw, s.sy))
    else:
        y = tract.rescale_exact(s.acc, m)
    return conversion.code_wrapping(y, s.zy, s.low, s.high)


def _alike(rule: Callable[..., int]) -> Quantize:
    return lambda x, s, z, low, high, each: rule(x, s, z, low, high)


def _torch(x: Fraction, s: Fraction, z: int, low: int, high: int, each: bool) -> int:
    rule = quantize_engines.quantize_zero_point_first if each else quantize_engines.quantize_fused_zero_point_first
    return rule(x, s, z, low, high)


def _quantize_half_even(x: Fraction, s: Fraction, z: int, low: int, high: int, each: bool) -> int:
    return quantize_modes.quantize_divide_zero_point_first(x, s, z, low, high, round_half_even)


# Rules that several profiles share.
_PRODUCT, _EXACT, _SINGLE = (
    multipliers.multiplier_float32_product,
    multipliers.real_multiplier,
    multipliers.multiplier_float32,
)
_SATURATING, _WRAPPING = conversion.code_saturating, conversion.code_wrapping
_AWAY, _XNN = bounds.clamp_codes_half_away, bounds.clamp_codes_zero_point_first
_TFLITE = (_AWAY, _alike(quantize_engines.quantize_divide_half_away), "beyond")
_QUOTIENT_FLOAT64 = _alike(quantize_engines.quantize_divide_half_away_float64)
_XNNPACK = (_XNN, _alike(quantize_engines.quantize_reciprocal_half_even), "high")
_ONNX = (bounds.clamp_codes, _alike(quantize_engines.quantize_divide_half_even))
_TORCH = (bounds.clamp_codes, _torch, "torch")
_HALF_EVEN = _in_floats(_SINGLE, output_stages.stage_float32_half_even)
_RUY = _in_integers(_PRODUCT, requantizations.requantize_double_rounding_up, _WRAPPING)

DEFINITIONS: Final = MappingProxyType(
    {
        "npquant": Definition(
            _in_integers(_EXACT, requantizations.requantize_single_rounding, _SATURATING),
            bounds.clamp_codes,
            _alike(affine.quantize),
        ),
        "tflite_ref": Definition(
            _in_integers(_PRODUCT, requantizations.requantize_double_rounding, _WRAPPING), *_TFLITE
        ),
        "tflm": Definition(_in_integers(_EXACT, requantizations.requantize_double_rounding, _WRAPPING), *_TFLITE),
        "tflite_single": Definition(
            _in_integers(_PRODUCT, requantizations.requantize_single_rounding, _WRAPPING), *_TFLITE
        ),
        "litert_ref_2025": Definition(_in_floats(_EXACT, output_stages.stage_float64_half_away), *_TFLITE),
        "ruy_x86": Definition(
            _RUY, _AWAY, _alike(quantize_engines.quantize_reciprocal_half_even_wrapping), "beyond", _QUOTIENT_FLOAT64
        ),
        "tflite_opt_2_14": Definition(_RUY, _AWAY, _QUOTIENT_FLOAT64, "beyond"),
        "ruy_arm64": Definition(
            _in_integers(_PRODUCT, requantizations.requantize_floor_then_half_up, _WRAPPING), _AWAY
        ),
        "xnnpack_fp32": Definition(_HALF_EVEN, *_XNNPACK),
        "xnnpack_fp32_avx512": Definition(
            _in_floats(_SINGLE, output_stages.stage_float32_half_even_low_wraps), *_XNNPACK
        ),
        "executorch_xnnpack": Definition(_HALF_EVEN, *_XNNPACK),
        "executorch_xnnpack_avx512": Definition(
            _in_floats(_SINGLE, output_stages.stage_float32_half_even_low_wraps), *_XNNPACK
        ),
        "stablehlo_iree": Definition(
            _in_floats(multipliers.multiplier_float64_to_float32, output_stages.stage_float32_fused_zero_point_first),
            bounds.clamp_codes,
            _quantize_half_even,
        ),
        "xnnpack_rndnu": Definition(_in_floats(_SINGLE, output_stages.stage_mantissa24_half_up), *_XNNPACK),
        "ort": Definition(_HALF_EVEN, *_ONNX, "low"),
        "ort_pair16": Definition(_HALF_EVEN, *_ONNX, "low"),
        "onnx_ref": Definition(
            _in_floats(_SINGLE, output_stages.stage_float64_zero_point_first),
            bounds.clamp_codes,
            _alike(quantize_engines.quantize_divide_half_even_wrapping),
            "beyond",
        ),
        "fbgemm": Definition(_fbgemm, *_TORCH),
        "fbgemm_pair16": Definition(_fbgemm, *_TORCH),
        "qnnpack": Definition(_qnnpack, *_TORCH),
        "onednn_vnni": Definition(_onednn_vnni, *_TORCH),
        "onednn_avx2": Definition(_onednn_avx2, *_TORCH),
        "tosa_single": Definition(_in_integers(_EXACT, requantizations.requantize_single_rounding, _SATURATING)),
        "tosa_double": Definition(_in_integers(_EXACT, requantizations.requantize_double_rounding, _SATURATING)),
        "tvm_upward": Definition(_in_integers(_PRODUCT, requantizations.requantize_single_rounding, _SATURATING)),
        "tvm_tonearest": Definition(_in_integers(_PRODUCT, requantizations.requantize_half_away, _SATURATING)),
        "gemmini_f32": Definition(_HALF_EVEN),
        "nvdla": Definition(_nvdla),
        "ncnn": Definition(
            _ncnn,
            bounds.clamp_codes_per_unit,
            _alike(quantize_engines.quantize_per_unit_add_half),
            "beyond",
            _alike(quantize_engines.quantize_per_unit_half_away),
            4,
            True,
        ),
        "mnn": Definition(_mnn, bounds.clamp_codes, _alike(quantize_engines.quantize_clip_then_add_half), "high"),
        "openvino": Definition(_of_a_row, bounds.clamp_codes, _alike(openvino.quantize), "range", row=_openvino),
        "openvino_pair16": Definition(_of_a_row, bounds.clamp_codes, _alike(openvino.quantize), "range", row=_openvino),
        "tract": Definition(_tract, bounds.clamp_codes, _alike(tract.quantize), "zero_point"),
    }
)
