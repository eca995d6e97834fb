"""TFLite, LiteRT, TFLite-Micro and CMSIS-NN: seven integer and float arithmetics that share one file format.

All derive from `TFLITE_REF`: a record below says only what differs. Legend: acc accumulator, (m, e) fixed multiplier, M
real multiplier, zy zero point, sx, sw, sy float32 scales (sw one or N).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from npquant.kernels.activation_bounds import bounds_half_away
from npquant.kernels.activation_tables import activation_codes_half_away
from npquant.kernels.bias import bias_reciprocal_half_away
from npquant.kernels.multiplier import (
    FixedMultiplier,
    decompose_multiplier,
    fixed_multiplier,
    multiplier_float32_product,
    real_multiplier,
)
from npquant.kernels.output_stages import stage_float64_half_away, wrapping_stage
from npquant.kernels.quantize_engines import (
    dequantize_float32,
    dequantize_vectors_of_8,
    quantize_divide_half_away,
    quantize_divide_half_away_float64,
    quantize_vectors_of_8,
)
from npquant.kernels.requantize import (
    requantize_double_rounding,
    requantize_double_rounding_up,
    requantize_floor_then_half_up,
    requantize_mantissa16,
    requantize_single_rounding,
)
from npquant.kernels.requantize_codes import requantize_codes_double_rounding, requantize_codes_vectors_of_16
from npquant.kernels.softmax_engines import (
    activation_codes_fixed_point,
    softmax_codes_fixed_point,
    softmax_codes_fixed_point_shift_x86,
    softmax_codes_table,
)
from npquant.profiles.known import tflite as known
from npquant.profiles.record import Profile, WideStage


def per_tensor_float32_multiplier(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> FixedMultiplier:
    """Make TFLite's fixed multiplier: R5 of R16 per tensor (the product of the scales is float32), of R4 per channel.

    >>> per_tensor_float32_multiplier(0.5, 0.5, 0.5).real
    0.5
    """
    return fixed_multiplier(sx, sw, sy) if np.ndim(sw) else decompose_multiplier(multiplier_float32_product(sx, sw, sy))


TFLITE_REF = Profile(
    name="tflite_ref",
    engine="TFLite reference kernels, CMSIS-NN",
    version="TFLite before 2025-04; CMSIS-NN 2026-07-15",
    source="LiteRT tflite/kernels/internal/common.cc, MultiplyByQuantizedMultiplier; "
    "CMSIS-NN Include/arm_nnsupportfunctions.h, arm_nn_requantize",
    equation="y_q = clamp(wrap32(half_away(half_up(wrap32(acc 2^max(e,0)) m / 2^31) / 2^max(-e,0)) + zy)); "
    "M_A per tensor, M_B per channel",
    knowledge=known.TFLITE_REF,
    make_multiplier=per_tensor_float32_multiplier,
    quantize_bias=bias_reciprocal_half_away,
    output_stage=wrapping_stage(requantize_double_rounding),
    weight_qmin=-127,
    weight_zero_point="per_tensor",
    multipliers=(-(2**31), 2**31 - 1, 1),  # neither engine asserts a sign here
    activation_bounds=bounds_half_away,
    quantize_codes=quantize_divide_half_away,
    dequantize_codes=dequantize_float32,
    activation_codes=activation_codes_half_away,
    softmax_codes=softmax_codes_fixed_point_shift_x86,
    requantize_codes=requantize_codes_double_rounding,
)

TFLM = dataclasses.replace(
    TFLITE_REF,
    name="tflm",
    engine="TFLite-Micro",
    version="wheel 0.dev20261023182759",
    source="tflite-micro micro/kernels/fully_connected_common.cc, with both scales converted to double first",
    equation="as tflite_ref, with M_B = f64(sx sw / sy) per tensor too",
    knowledge=known.TFLM,
    make_multiplier=fixed_multiplier,
    code_types=("int8",),
    quantize_types=("int8", "int16"),
    activation_codes=activation_codes_fixed_point,
    softmax_codes=softmax_codes_fixed_point,
    wide_stages=(
        WideStage("int64", fixed_multiplier, wrapping_stage(requantize_mantissa16)),
        WideStage("int32", fixed_multiplier, wrapping_stage(requantize_double_rounding)),
    ),
)

TFLITE_SINGLE = dataclasses.replace(
    TFLITE_REF,
    name="tflite_single",
    engine="TFLite and CMSIS-NN built with TFLITE_SINGLE_ROUNDING / CMSIS_NN_USE_SINGLE_ROUNDING",
    version="LiteRT 2026-08-21; CMSIS-NN 2026-07-15",
    source="LiteRT tflite/kernels/internal/common.cc, MultiplyByQuantizedMultiplier (TFLITE_SINGLE_ROUNDING)",
    equation="y_q = clamp(wrap32(half_up(acc m 2^(e-31)) + zy)); M_A per tensor, M_B per channel",
    knowledge=known.TFLITE_SINGLE,
    output_stage=wrapping_stage(requantize_single_rounding),
    multipliers=(0, 2**31 - 1, 1),  # TFLITE_DCHECK(quantized_multiplier >= 0)
    activation_codes=None,
    softmax_codes=None,
    requantize_codes=None,
)

LITERT_REF_2025 = dataclasses.replace(
    TFLITE_REF,
    name="litert_ref_2025",
    engine="LiteRT, BUILTIN_REF resolver, FULLY_CONNECTED",
    version="ai-edge-litert 2.3.0",
    source="LiteRT reference/integer_ops/fully_connected.h, commit 9213607 (2025-04-14)",
    equation="y_q = clamp(wrap32(int32(half_away(f64(acc M_B))) + zy))",
    knowledge=known.LITERT_REF_2025,
    make_multiplier=real_multiplier,
    output_stage=stage_float64_half_away,
    quantize_types=("int8", "uint8", "int16"),
    softmax_codes=softmax_codes_fixed_point,
    wide_stages=(
        WideStage("int64", real_multiplier, stage_float64_half_away),
        WideStage("int32", real_multiplier, stage_float64_half_away),
    ),
    conversion="x86: beyond int32 and NaN give -2^31, and adding a negative zero point wraps it to the high rail",
)

RUY_X86 = dataclasses.replace(
    TFLITE_REF,
    name="ruy_x86",
    engine="LiteRT without default delegates on x86 (ruy)",
    version="ai-edge-litert 2.3.0; ruy 2026-02-16",
    source="google/ruy ruy/kernel_avx512.cc, apply_multiplier",
    equation="y_q = clamp(wrap32(half_up(half_up(wrap32(acc 2^max(e,0)) m / 2^31) / 2^max(-e,0)) + zy)); "
    "M_A per tensor, M_B per channel",
    knowledge=known.RUY_X86,
    output_stage=wrapping_stage(requantize_double_rounding_up),
    quantize_types=("int8", "uint8", "int16"),
    multipliers=(0, 2**31 - 1, 1),
    quantize_codes=quantize_vectors_of_8,
    dequantize_codes=dequantize_vectors_of_8,
    softmax_codes=softmax_codes_table,
    requantize_codes=requantize_codes_vectors_of_16,
    # With int64 biases the optimized kernel is the reference's; without a bias it sums in int32.
    wide_stages=(
        WideStage("int32", per_tensor_float32_multiplier, wrapping_stage(requantize_double_rounding_up)),
        WideStage("int64", real_multiplier, stage_float64_half_away),
    ),
)

TFLITE_OPT_2_14 = dataclasses.replace(
    RUY_X86,
    name="tflite_opt_2_14",
    engine="TFLite 2.14 without default delegates on x86 (ruy)",
    version="tflite-runtime 2.14.0",
    equation="as ruy_x86, for int8; its QUANTIZE divides in float64 and has no vector of its own",
    knowledge=known.TFLITE_OPT_2_14,
    code_types=("int8",),
    quantize_types=("int8", "uint8"),
    quantize_codes=quantize_divide_half_away_float64,
    dequantize_codes=dequantize_float32,
    requantize_codes=requantize_codes_double_rounding,
    wide_stages=(),
)

RUY_ARM64 = dataclasses.replace(
    RUY_X86,
    name="ruy_arm64",
    engine="LiteRT without default delegates on ARM64 (ruy)",
    source="google/ruy ruy/kernel_arm64.cc (SQDMULH, SRSHL)",
    equation="y_q = clamp(wrap32(half_up(floor(wrap32(acc 2^l) m / 2^31) / 2^r) + zy)), r = max(1,-e), l = e + r",
    knowledge=known.RUY_ARM64,
    output_stage=wrapping_stage(requantize_floor_then_half_up),
    quantize_codes=None,
    dequantize_codes=None,
    activation_codes=None,
    softmax_codes=None,
    requantize_codes=None,
    wide_stages=(),
)

PROFILES = (TFLITE_REF, TFLM, TFLITE_SINGLE, LITERT_REF_2025, RUY_X86, TFLITE_OPT_2_14, RUY_ARM64)
