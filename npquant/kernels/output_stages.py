"""The output stages of engines on arrays: from accumulators to codes, every operation in the type it rounds in.

Legend: acc (B, N) int64 array of int32 values; m multiplier M, float32 unless said otherwise, b float32 real bias,
sx_sw f32(sx sw), zy zero point, each () or (N,); v (B, N) float32 accumulators with their bias; [qmin, qmax] output
interval; fixed (m, e) of R5. Output codes y_q come as int64. NumPy would promote int32 with float32 to float64: every
cast here is on purpose. An infinite product saturates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float32, Float64, Int64
from npquant.kernels.conversion import (
    code_clipped_add_half,
    code_saturating,
    code_symmetric_vectors_of_4,
    code_through_int16,
    code_wrapping_x86,
    to_int32_x86,
)
from npquant.kernels.floating import IGNORED, fma_float32
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.requantize import requantize_single_rounding, requantize_single_rounding_wide
from npquant.kernels.rounding import round_half_away, round_half_even, saturate_to, wrap_int32

Requantize = Callable[[Int64, FixedMultiplier], Int64]
Stage = Callable[[Any, Any, Any, int, int], Int64]


def stage_float64_half_away(acc: Int64, m: Float64, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R25. y_q = R23(round_half_away(f64(acc M))), M in float64.

    Source: LiteRT ``reference/integer_ops/fully_connected.h`` since commit 9213607.

    >>> stage_float64_half_away(np.array([-5]), np.array(0.5), 0, -128, 127)
    array([-3])
    """
    return code_wrapping_x86(round_half_away(acc.astype(np.float64) * m), zy, qmin, qmax)


def stage_float64_half_away_saturating(acc: Int64, m: Float64, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R100. y_q = saturate(R22(round_half_away(f64(acc M))) + zy, qmin, qmax), M in float64.

    The kernel clamps to [qmin - zy, qmax - zy] before it adds, so that no sum wraps, as R25's does.
    Source: LiteRT ``reference/fully_connected.h``, uint8 to int16, of ai-edge-litert 2.3.0.

    >>> acc, m = np.array([2**31 - 1]), np.array(2.0)
    >>> [stage(acc, m, -1, -100, 100) for stage in (stage_float64_half_away_saturating, stage_float64_half_away)]
    [array([-100]), array([100])]
    """
    steps = to_int32_x86(round_half_away(acc.astype(np.float64) * m))
    return saturate_to(steps + np.asarray(zy, np.int64), qmin, qmax)  # 33 bits


def stage_float32_half_even(acc: Int64, m: Float32, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R26. y_q = saturate(round_half_even(f32(f32(acc) M)) + zy).

    Source: microsoft/onnxruntime ``core/mlas/lib/quantize.cpp``, MlasRequantizeOutput; XNNPACK ``src/qs8-qc8w-gemm``.

    >>> stage_float32_half_even(np.array([-5]), np.float32(0.5), 0, -128, 127)
    array([-2])
    """
    with np.errstate(over="ignore"):
        return code_saturating(round_half_even(np.asarray(acc.astype(np.float32) * m)), zy, qmin, qmax)


def stage_float32_half_even_low_wraps(acc: Int64, m: Float32, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R27. y_q = R23(round_half_even(min(f32(f32(acc) M), qmax - zy))), saturated to [qmin, max(qmax, 127)].

    Clipped from above only: below int32 it wraps, and a wrapped sum meets the type's rail, not the activation's bound
    (it wraps only for zy < 0, so only for int8).
    Source: XNNPACK ``src/qs8-qc8w-gemm`` AVX-512 kernels, and runs of ai-edge-litert 2.3.0.

    >>> stage_float32_half_even_low_wraps(np.array([-(2**31)]), np.float32(4), -1, -128, 127)
    array([127])
    """
    with np.errstate(over="ignore"):
        v = np.minimum(acc.astype(np.float32) * m, np.asarray(qmax - np.asarray(zy), np.float32))
    return code_wrapping_x86(round_half_even(v), zy, qmin, max(qmax, 127))


def stage_float64_zero_point_first(acc: Int64, m: Float32, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R28. y_q = saturate(round_half_even(f64(f64(acc M) + zy))), the float32 M promoted.

    Source: onnx/onnx ``onnx/reference/ops/op_qlinear_matmul.py``.

    >>> stage_float64_zero_point_first(np.array([-5]), np.float32(0.5), 1, -128, 127)
    array([-2])
    """
    # 31 bits times 24 is 55: the float64 product rounds, as NumPy's does in the reference.
    v = acc.astype(np.float64) * np.asarray(m, np.float64) + np.asarray(zy, np.float64)
    return np.clip(round_half_even(np.asarray(v)), qmin, qmax).astype(np.int64)


def stage_float32_fused_zero_point_first(acc: Int64, m: Float32, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R145. y_q = round_half_even(clip(f32(f32(acc) M + zy), qmin, qmax)): a fused multiply-add.

    Source: openxla/stablehlo ``stablehlo/transforms/StablehloLegalizeQuantToMath.cpp``; runs of IREE 3.13.0.

    >>> stage_float32_fused_zero_point_first(np.array([-5]), np.float32(0.5), 1, -128, 127)
    array([-2])
    """
    v = fma_float32(acc.astype(np.float32), m, np.asarray(zy, np.float32))
    return np.asarray(round_half_even(np.clip(v, qmin, qmax)).astype(np.int64))


def stage_mantissa24_half_up(acc: Int64, m: Float32, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R29. y_q = saturate(wrap32(round_half_up(acc M)) + zy), M below 256 (XNNPACK asserts it).

    Source: google/XNNPACK ``src/xnnpack/requantization.h``, xnn_qu8_requantize_rndnu and xnn_qs8_requantize_rndnu, and
    ``src/qu8-gemm/gen/qu8-gemm-1x4-minmax-rndnu-scalar.c``, revision 75db3c09.

    >>> stage_mantissa24_half_up(np.array([-5, 2**31 - 1]), np.float32(1.5), 0, -128, 127)
    array([  -7, -128])
    """
    fraction, e = np.frexp(np.asarray(m, np.float32))
    mantissa = np.ldexp(fraction.astype(np.float64), 24).astype(np.int64)  # M = mantissa 2^(e - 24)
    product = acc * mantissa  # |acc| <= 2^31, mantissa < 2^24: at most 2^55
    # M < 2^8 makes the shift at least 16. Of 55 bits a shift of 57 or more leaves 0, as any larger one does.
    shift = np.clip(24 - e.astype(np.int64), 1, 58)
    rounded = np.right_shift(product + (np.int64(1) << (shift - 1)), shift)
    return saturate_to(wrap_int32(rounded) + np.asarray(zy, np.int64), qmin, qmax)


def stage_float32_through_int16(v: Float32, m: Float32, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R30. y_q = R24(round_half_even(f32(v M))).

    Source: pytorch/FBGEMM ``src/QuantUtilsAvx2.cc``; QNNPACK ``q8gemm``.
    """
    with np.errstate(over="ignore"):
        return code_through_int16(round_half_even(np.asarray(v * m)), zy, qmin, qmax)


def bias_added_fused(acc: Int64, b: ArrayLike, sx_sw: Float32) -> Float32:
    """R31. v = f32(b f32(1 / sx_sw) + f32(acc)), rounded once.

    Source: pytorch/FBGEMM ``src/QuantUtilsAvx2.cc``.
    """
    return fma_float32(np.asarray(b, np.float32), np.float32(1) / sx_sw, acc.astype(np.float32))


def bias_added_divided(acc: Int64, b: ArrayLike, sx_sw: Float32) -> Float32:
    """R32. v = f32(f32(acc) + f32(b / sx_sw)).

    Source: pytorch/FBGEMM ``src/QuantUtilsAvx2.cc`` per-channel.
    """
    return np.asarray(acc.astype(np.float32) + np.asarray(b, np.float32) / sx_sw)


def stage_float32_zero_point_first(v: Float32, sy: ArrayLike, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R33. y_q = saturate(round_half_even(f32(f32(v f32(1 / sy)) + zy))); v real outputs, sy float32 output scale.

    Source: uxlfoundation/oneDNN ``src/cpu/matmul/ref_matmul_int8.cpp``.

    >>> stage_float32_zero_point_first(np.array([1.25], np.float32), np.float32(0.5), 1, 0, 255)
    array([4])
    """
    with np.errstate(over="ignore"):
        scaled = v * (np.float32(1) / np.asarray(sy, np.float32)) + np.asarray(zy, np.float32)
    return np.asarray(np.clip(round_half_even(np.asarray(scaled)), qmin, qmax).astype(np.int64))


def stage_single_rounding(acc: Int64, fixed: FixedMultiplier, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R10. y_q = saturate(R6(acc) + zy, qmin, qmax).

    >>> stage_single_rounding(np.array([-73]), FixedMultiplier(2**30, 0), 0, -128, 127)
    array([-36])
    """
    return saturate_to(requantize_single_rounding(acc, fixed) + np.asarray(zy, np.int64), qmin, qmax)


def stage_single_rounding_wide(acc: Int64, fixed: FixedMultiplier, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R10 with R170 in place of R6: y_q = saturate(R170(acc) + zy, qmin, qmax), acc of 48 bits.

    >>> stage_single_rounding_wide(np.array([2**40]), FixedMultiplier(2**30, -26), 0, -32768, 32767)
    array([8192])
    """
    # |R170| <= 2^62: a zero point has room.
    return saturate_to(requantize_single_rounding_wide(acc, fixed) + np.asarray(zy, np.int64), qmin, qmax)


def integer_stage(requantize: Requantize) -> Stage:
    """R10 of a requantize(acc, fixed) other than R6: the stage (acc, fixed, zy, qmin, qmax) -> codes."""

    def stage(acc: Int64, fixed: FixedMultiplier, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
        return saturate_to(requantize(acc, fixed) + np.asarray(zy, np.int64), qmin, qmax)

    return stage


def wrapping_stage(requantize: Requantize) -> Stage:
    """R38. y_q = saturate(wrap32(requantize(acc, fixed) + zy), qmin, qmax), as a stage like those of `integer_stage`.

    Steps within a zero point of +-2^31 come out at the other rail.

    >>> from npquant.kernels.requantize import requantize_double_rounding
    >>> stage = wrapping_stage(requantize_double_rounding)
    >>> stage(np.array([2**31 - 1]), FixedMultiplier(2**31 - 1, 0), 82, -128, 127)
    array([-128])
    """

    def stage(acc: Int64, fixed: FixedMultiplier, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
        return saturate_to(wrap_int32(requantize(acc, fixed) + np.asarray(zy, np.int64)), qmin, qmax)

    return stage


def real_output_per_unit(acc: Int64, m: Float32, b: ArrayLike) -> Float32:
    """R135. y = f32(f32(f32(acc) M) + b), M = f32(1 / f32(kx kw)) of `multiplier_per_unit`: real outputs.

    Source: Tencent/ncnn ``src/layer/x86/innerproduct_x86.cpp``, forward_int8_x86, revision a4d2ea1.
    """
    with np.errstate(**IGNORED):
        return np.asarray(acc.astype(np.float32) * m + np.asarray(b, np.float32))


def real_output_fused(acc: Int64, m: Float32, b: ArrayLike) -> Float32:
    """R136. v = f32(f32(acc) M + b), rounded once: what a Requantize with a bias scales to codes.

    Source: Tencent/ncnn ``src/layer/x86/requantize_x86.cpp``, revision a4d2ea1.
    """
    return fma_float32(acc.astype(np.float32), m, np.asarray(b, np.float32))


def stage_per_unit_vectors_of_4(v: Float32, ky: Float32, qmin: int, qmax: int) -> Int64:
    """R131, R132 of f32(v ky): real values v by codes per unit ky.

    [qmin, qmax] clips the steps, as the engine's activations do, so that 2^31 steps are -127 whatever qmin is. A qmax
    of 127 or more clips nothing.

    >>> stage_per_unit_vectors_of_4(np.array([1.25, 1e10], np.float32), np.float32(2), -127, 127)
    array([   3, -127])
    """
    with np.errstate(**IGNORED):
        steps = np.maximum(np.asarray(v * ky), np.float32(qmin))
    return code_symmetric_vectors_of_4(np.asarray(np.minimum(steps, np.float32(qmax)) if qmax < 127 else steps))


def shift_with_column_sum(
    colsum: Int64, b: ArrayLike, x: tuple[ArrayLike, ArrayLike], sw: ArrayLike, y: tuple[ArrayLike, ArrayLike]
) -> Float32:
    """R138. B = f32(f32(f32(b - f32(f32(ks (zx + 128)) sx)) / sy) + zy), ks = f32(f32(colsum) sw), (N,).

    x, y scale and zero point; colsum (N,) sums of weight codes, sw their scales. Source: alibaba/MNN
    ``source/backend/cpu/CPUConvolution.cpp``, updateInputOutputScale, revision 4d40bdb.
    """
    (sx, zx), (sy, zy) = (tuple(np.asarray(part, np.float32) for part in pair) for pair in (x, y))
    with np.errstate(**IGNORED):
        raised = colsum.astype(np.float32) * np.asarray(sw, np.float32) * (zx + np.float32(128)) * sx
        return np.asarray((np.asarray(b, np.float32) - raised) / sy + zy)


def stage_two_products_clip_add_half(
    acc: Int64, sw: ArrayLike, ratio: Float32, shift: ArrayLike, qmin: int, qmax: int
) -> Int64:
    """R139. y_q = R130(saturate(f32(f32(f32(f32(acc) sw) ratio) + B))), ratio = f32(sx / sy), shift B of R138.

    acc is the sum of weights times inputs raised by 128. Source: alibaba/MNN
    ``source/backend/cpu/x86_x64/avx/GemmInt8.cpp``, revision 4d40bdb.

    >>> stage_two_products_clip_add_half(np.array([-5]), 0.5, np.float32(1), 10.0, -128, 127)
    array([8])
    """
    with np.errstate(**IGNORED):
        v = acc.astype(np.float32) * np.asarray(sw, np.float32) * ratio + np.asarray(shift, np.float32)
    # A product that is infinite, and a NaN beside an infinite B, go to the high rail.
    return code_clipped_add_half(np.asarray(v), qmin, qmax)
