"""The quantize operators of engines on one finite float32 value: divide or multiply, round, convert.

Legend: x real value and s scale (binary32 numbers), z zero point, q code, [qmin, qmax] code interval; f32, f64 as in
R0, sat16 is `saturate` to int16. A tie, -5/2 steps, at an odd zero point, and a value beyond int32, by each rule:

>>> quotient_away = (quantize_divide_half_away, quantize_divide_half_away_float64)
>>> reciprocal_even = (quantize_reciprocal_half_even_wrapping, quantize_reciprocal_half_even)
>>> quotient_even = (quantize_divide_half_even, quantize_divide_half_even_wrapping)
>>> zero_point_first = (quantize_fused_zero_point_first, quantize_zero_point_first)
>>> rules = (*quotient_away, *reciprocal_even, *quotient_even, *zero_point_first)
>>> [rule(Fraction(-5, 4), Fraction(1, 2), 1, -128, 127) for rule in rules]
[-2, -2, -1, -1, -1, -1, -2, -2]
>>> [rule(Fraction(2**40), Fraction(1), 5, -128, 127) for rule in rules]
[-128, -128, -128, 127, 127, -128, 127, 127]
"""

from fractions import Fraction

from npquant.spec.conversion import (
    code_saturating,
    code_symmetric_add_half,
    code_symmetric_half_away,
    code_through_int16,
    code_wrapping_x86,
    round_add_half_then_truncate,
)
from npquant.spec.floating import to_float32, to_float64
from npquant.spec.rounding import round_half_away, round_half_even, saturate


def quantize_divide_half_away(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """R50. q = R23(round_half_away(f32(x / s))). Source: LiteRT ``reference/quantize.h``."""
    return code_wrapping_x86(round_half_away(to_float32(x / s)), z, qmin, qmax)


def quantize_divide_half_away_float64(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """R51. q = R23(round_half_away(f64(x / s))).
    Source: LiteRT ``optimized/optimized_ops.h``, AffineQuantize, its last n mod 8 elements.
    """
    return code_wrapping_x86(round_half_away(to_float64(x / s)), z, qmin, qmax)


def quantize_reciprocal_half_even_wrapping(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """R52. q = R23(round_half_even(f32(x f32(1 / s)))).
    Source: LiteRT ``optimized/optimized_ops.h``, AffineQuantize, whole vectors of 8.
    """
    return code_wrapping_x86(round_half_even(to_float32(x * to_float32(1 / s))), z, qmin, qmax)


def quantize_reciprocal_half_even(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """R53. q = saturate(sat16(sat16(round_half_even(f32(x f32(1 / s)))) + z)). Source: XNNPACK ``src/f32-qs8-vcvt``."""
    v = saturate(round_half_even(to_float32(x * to_float32(1 / s))), -(2**15), 2**15 - 1)
    return code_through_int16(v, z, qmin, qmax)


def quantize_divide_half_even(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """R54. q = saturate(round_half_even(f32(x / s)) + z).
    Source: microsoft/onnxruntime ``core/mlas/lib/quantize.cpp``, MlasQuantizeLinear; onnx/onnx
    ``onnx/defs/quantization/defs.cc``.
    """
    return code_saturating(round_half_even(to_float32(x / s)), z, qmin, qmax)


def quantize_divide_half_even_wrapping(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """R55. q = R23(round_half_even(f32(x / s))).
    Source: onnx/onnx ``onnx/reference/ops/op_quantize_linear.py``, whose cast to int32 is the processor's.
    """
    return code_wrapping_x86(round_half_even(to_float32(x / s)), z, qmin, qmax)


def quantize_fused_zero_point_first(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """R56. q = saturate(R22(round_half_even(min(f32(x f32(1 / s) + z), 2147483520)))), product and sum in one fused
    step. Source: pytorch/FBGEMM ``include/fbgemm/QuantUtils.h``, Quantize (legacy order), as torch 2.13.0 ships it.
    """
    # 2147483520 is the largest binary32 number below 2^31.
    v = min(to_float32(x * to_float32(1 / s) + z), Fraction(2147483520))
    return code_wrapping_x86(round_half_even(v), 0, qmin, qmax)


def quantize_zero_point_first(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """R57. q = saturate(round_half_even(f32(f32(x f32(1 / s)) + z))): three roundings.
    Source: pytorch ``aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp``, per channel.
    """
    return saturate(round_half_even(to_float32(to_float32(x * to_float32(1 / s)) + z)), qmin, qmax)


def quantize_per_unit_add_half(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """R133. q = R131(f32(x k)), k = f32(1 / s) codes per unit: z is 0 and the interval [-127, 127].
    Source: Tencent/ncnn ``src/layer/x86/quantize_x86.cpp``, whole vectors of 4, revision a4d2ea1.
    """
    return code_symmetric_add_half(to_float32(x * to_float32(1 / s)))


def quantize_per_unit_half_away(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """R133 with R132 in place of R131.
    Source: Tencent/ncnn ``src/layer/x86/quantize_x86.cpp``, the last n mod 4 elements of a row, revision a4d2ea1.
    """
    return code_symmetric_half_away(to_float32(x * to_float32(1 / s)))


def quantize_clip_then_add_half(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """R137. q = R130(saturate(f32(f32(x f32(1 / s)) + z))): ties go away from code 0, wherever the zero point is.
    Source: alibaba/MNN ``source/backend/cpu/x86_x64/avx/GemmInt8.cpp``, _AVX_MNNFloat2Int8, revision 4d40bdb.

    >>> [quantize_clip_then_add_half(Fraction(-5, 2), Fraction(1), z, -128, 127) for z in (0, 10)]
    [-3, 8]
    """
    v = to_float32(to_float32(x * to_float32(1 / s)) + z)
    return round_add_half_then_truncate(max(Fraction(qmin), min(Fraction(qmax), v)))


def dequantize_two_products(q: int, s: Fraction, z: int) -> Fraction:
    """R58. x = f32(f32(q s) + f32(-z s)).
    Source: LiteRT ``optimized/optimized_ops.h``, Dequantize, whole vectors of 8.
    """
    return to_float32(to_float32(q * s) + to_float32(-z * s))
