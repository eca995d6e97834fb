"""The float output stages of engines: from the accumulator to the code, every float operation rounded where it rounds.

Legend: acc int32 accumulator; v accumulator or real output; m the real multiplier M; sy output scale; b real bias;
sx_sw = f32(sx sw): binary32 numbers, but for the M of R25; zy output zero point, [qmin, qmax] output interval, y_q
output code; f32, f64 as in R0. A tie, -5/2 steps, at an odd zero point by four stages; the two sums with a bias:

>>> even = (stage_float32_half_even, stage_float64_zero_point_first)
>>> [stage(-5, Fraction(1, 2), 1, -128, 127) for stage in (stage_float64_half_away, *even, stage_mantissa24_half_up)]
[-2, -1, -2, -1]
>>> bias_added_fused(3, Fraction(1, 4), Fraction(1, 2)), bias_added_divided(3, Fraction(1, 4), Fraction(1, 2))
(Fraction(7, 2), Fraction(7, 2))
"""

from fractions import Fraction

from npquant.spec.conversion import (
    code_saturating,
    code_through_int16,
    code_wrapping_x86,
    round_add_half_then_truncate,
    to_int32_x86,
)
from npquant.spec.floating import to_float32, to_float64
from npquant.spec.quantize_engines import quantize_zero_point_first
from npquant.spec.rounding import round_half_away, round_half_even, round_half_up, saturate, wrap


def stage_float64_half_away(acc: int, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """R25. y_q = R23(round_half_away(f64(acc M))), M a binary64 number.
    Source: LiteRT ``reference/integer_ops/fully_connected.h`` since commit 9213607.
    """
    return code_wrapping_x86(round_half_away(to_float64(acc * m)), zy, qmin, qmax)


def stage_float64_half_away_saturating(acc: int, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """R100. y_q = saturate(R22(round_half_away(f64(acc M))), qmin - zy, qmax - zy) + zy, M a binary64 number: R25, but
    that no sum wraps. Beyond int32 both signs end at qmin.
    Source: LiteRT ``reference/fully_connected.h``, uint8 to int16, of ai-edge-litert 2.3.0.

    >>> stage_float64_half_away_saturating(2**31 - 1, Fraction(2), -1, -100, 100)
    -100
    """
    return saturate(to_int32_x86(round_half_away(to_float64(acc * m))), qmin - zy, qmax - zy) + zy


def stage_float32_half_even(acc: int, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """R26. y_q = saturate(round_half_even(f32(f32(acc) M)) + zy). Clipping the float to [qmin - zy, qmax - zy] first,
    as engines do, commutes with the rounding: both bounds are integers.
    Source: microsoft/onnxruntime ``core/mlas/lib/quantize.cpp``, MlasRequantizeOutput; XNNPACK ``src/qs8-qc8w-gemm``.
    """
    return code_saturating(round_half_even(to_float32(to_float32(Fraction(acc)) * m)), zy, qmin, qmax)


def stage_float32_half_even_low_wraps(acc: int, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """R27. y_q = R23(round_half_even(min(f32(f32(acc) M), qmax - zy))), saturated to [qmin, max(qmax, 127)]: below
    -2^31 it gives 127 where zy < 0, whatever the activation's upper bound.
    Source: XNNPACK ``src/qs8-qc8w-gemm`` AVX-512 kernels.

    >>> stage_float32_half_even_low_wraps(-(2**31), Fraction(4), -1, -128, 127)
    127
    """
    v = min(to_float32(to_float32(Fraction(acc)) * m), Fraction(qmax - zy))
    return code_wrapping_x86(round_half_even(v), zy, qmin, max(qmax, 127))


def stage_float64_zero_point_first(acc: int, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """R28. y_q = saturate(round_half_even(f64(f64(acc M) + zy))): with an odd zy every tie goes to the other side.
    Source: onnx/onnx ``onnx/reference/ops/op_qlinear_matmul.py``, by NumPy's promotion of int32 and the float32 M.
    """
    return saturate(round_half_even(to_float64(to_float64(acc * m) + zy)), qmin, qmax)


def stage_float32_fused_zero_point_first(acc: int, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """R145. y_q = round_half_even(clip(f32(f32(acc) M + zy), qmin, qmax)): product and sum in one fused step.
    Source: openxla/stablehlo ``stablehlo/transforms/StablehloLegalizeQuantToMath.cpp``, requantize, whose product and
    sum IREE's LLVM fuses.
    """
    v = to_float32(to_float32(Fraction(acc)) * m + zy)
    return round_half_even(min(max(v, Fraction(qmin)), Fraction(qmax)))


def stage_mantissa24_half_up(acc: int, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """R29. y_q = saturate(wrap32(round_half_up(acc M)) + zy): M is exactly its 24-bit mantissa times a power of two, so
    the product is exact; the rounded product is cast to int32 before it is clamped.
    Source: google/XNNPACK ``src/xnnpack/requantization.h``, xnn_qu8_requantize_rndnu and xnn_qs8_requantize_rndnu, and
    ``src/qu8-gemm/gen/qu8-gemm-1x4-minmax-rndnu-scalar.c``, revision 75db3c09.

    >>> stage_mantissa24_half_up(2**31 - 1, Fraction(3, 2), 0, 0, 255)
    0
    """
    return code_saturating(wrap(round_half_up(acc * m), 32), zy, qmin, qmax)


def stage_float32_through_int16(v: Fraction, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """R30. y_q = R24(round_half_even(f32(v M))): 2^31 or more gives the low rail. v is the accumulator with its bias.
    Source: pytorch/FBGEMM ``src/QuantUtilsAvx2.cc``, requantizeOutputProcessingAvx2; QNNPACK ``q8gemm`` SSE2 kernels.

    >>> stage_float32_through_int16(Fraction(5), Fraction(1, 2), 128, 0, 255)
    130
    """
    return code_through_int16(round_half_even(to_float32(v * m)), zy, qmin, qmax)


def bias_added_fused(acc: int, b: Fraction, sx_sw: Fraction) -> Fraction:
    """R31. v = f32(b f32(1 / sx_sw) + f32(acc)), rounded once: the bias in accumulator units by one fused multiply-add.
    Source: pytorch/FBGEMM ``src/QuantUtilsAvx2.cc`` per-tensor, contracted by the compiler.
    """
    return to_float32(b * to_float32(1 / sx_sw) + to_float32(Fraction(acc)))


def bias_added_divided(acc: int, b: Fraction, sx_sw: Fraction) -> Fraction:
    """R32. v = f32(f32(acc) + f32(b / sx_sw)). Source: pytorch/FBGEMM ``src/QuantUtilsAvx2.cc`` per-channel."""
    return to_float32(to_float32(Fraction(acc)) + to_float32(b / sx_sw))


def stage_float32_zero_point_first(v: Fraction, sy: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """R33. y_q = saturate(round_half_even(f32(f32(v f32(1 / sy)) + zy))): R57 of the real output v.
    Source: uxlfoundation/oneDNN ``src/cpu/matmul/ref_matmul_int8.cpp``.

    >>> stage_float32_zero_point_first(Fraction(5, 4), Fraction(1, 2), 1, 0, 255)
    4
    """
    return quantize_zero_point_first(v, sy, zy, qmin, qmax)


def real_output_per_unit(acc: int, kx: Fraction, kw: Fraction, b: Fraction) -> Fraction:
    """R135. y = f32(f32(f32(acc) f32(1 / f32(kx kw))) + b): a real output; kx, kw codes per unit, R133's k.
    Source: Tencent/ncnn ``src/layer/x86/innerproduct_x86.cpp``, forward_int8_x86, revision a4d2ea1.

    >>> real_output_per_unit(5, Fraction(2), Fraction(2), Fraction(1))
    Fraction(9, 4)
    """
    return to_float32(to_float32(to_float32(Fraction(acc)) * to_float32(1 / to_float32(kx * kw))) + b)


def real_output_fused(acc: int, m: Fraction, b: Fraction) -> Fraction:
    """R136. v = f32(f32(acc) M + b), rounded once; M = f32(1 / f32(kx kw)) as in R135.
    Source: Tencent/ncnn ``src/layer/x86/requantize_x86.cpp``, revision a4d2ea1.
    """
    return to_float32(to_float32(Fraction(acc)) * m + b)


def shift_with_column_sum(
    colsum: int, b: Fraction, x: tuple[Fraction, int], sw: Fraction, y: tuple[Fraction, int]
) -> Fraction:
    """R138. B = f32(f32(f32(b - f32(f32(ks (zx + 128)) sx)) / sy) + zy), ks = f32(f32(colsum) sw): bias, both zero
    points and the correction for inputs raised by 128, in one binary32 number. x, y scale and zero point; colsum the
    sum of an output's weight codes. Source: alibaba/MNN ``source/backend/cpu/CPUConvolution.cpp``,
    updateInputOutputScale, revision 4d40bdb.

    >>> one = Fraction(1), 0
    >>> shift_with_column_sum(3, Fraction(7), one, Fraction(1), one)
    Fraction(-377, 1)
    """
    kernel_sum = to_float32(to_float32(Fraction(colsum)) * sw)
    raised = to_float32(to_float32(kernel_sum * (x[1] + 128)) * x[0])
    return to_float32(to_float32(to_float32(b - raised) / y[0]) + y[1])


def stage_two_products_clip_add_half(
    acc: int, sw: Fraction, ratio: Fraction, shift: Fraction, qmin: int, qmax: int
) -> int:
    """R139. y_q = R130(saturate(f32(f32(f32(f32(acc) sw) ratio) + B))): acc = wrap32(sum_k (x_q + 128) w_q), ratio =
    f32(sx / sy), shift the B of R138, so that the zero point is inside the rounding.
    Source: alibaba/MNN ``source/backend/cpu/x86_x64/avx/GemmInt8.cpp``, revision 4d40bdb.

    >>> [stage_two_products_clip_add_half(-5, Fraction(1, 2), Fraction(1), Fraction(z), -128, 127) for z in (0, 10)]
    [-3, 8]
    """
    v = to_float32(to_float32(to_float32(to_float32(Fraction(acc)) * sw) * ratio) + shift)
    return round_add_half_then_truncate(max(Fraction(qmin), min(Fraction(qmax), v)))
