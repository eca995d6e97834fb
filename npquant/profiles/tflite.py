"""TFLite, LiteRT, TFLite-Micro and CMSIS-NN: six integer and float arithmetics that share one file format.

Legend: acc accumulator, (m, e) fixed multiplier, M real multiplier, zy zero point.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.kernels.activation_bounds import bounds_half_away
from npquant.kernels.activation_tables import activation_codes_half_away
from npquant.kernels.bias import bias_reciprocal_half_away
from npquant.kernels.multiplier import (
    FixedMultiplier,
    decompose_multiplier,
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
    requantize_single_rounding,
)
from npquant.kernels.requantize_codes import requantize_codes_double_rounding, requantize_codes_vectors_of_16
from npquant.kernels.softmax_engines import (
    activation_codes_fixed_point,
    softmax_codes_fixed_point,
    softmax_codes_table,
)
from npquant.profiles.npquant import fixed_multiplier
from npquant.profiles.record import Profile


def per_tensor_float32_multiplier(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> FixedMultiplier:
    """Make TFLite's fixed multiplier: the product of the scales is float32 where the weights are per-tensor.

    Parameters
    ----------
    sx, sw, sy : float32 or array of float32 of shape (N,)
        Scales.

    Returns
    -------
    FixedMultiplier
        R5 of R16 per tensor, of R4 per channel.

    Examples
    --------
    >>> per_tensor_float32_multiplier(0.5, 0.5, 0.5).real
    0.5
    """
    return fixed_multiplier(sx, sw, sy) if np.ndim(sw) else decompose_multiplier(multiplier_float32_product(sx, sw, sy))


stage_double_rounding = wrapping_stage(requantize_double_rounding)
stage_single_rounding_wrapping = wrapping_stage(requantize_single_rounding)

TFLITE_REF = Profile(
    name="tflite_ref",
    engine="TFLite reference kernels, CMSIS-NN",
    version="TFLite before 2025-04; CMSIS-NN 2026-07-15",
    source="LiteRT tflite/kernels/internal/common.cc, MultiplyByQuantizedMultiplier; "
    "CMSIS-NN Include/arm_nnsupportfunctions.h, arm_nn_requantize",
    equation="y_q = clamp(wrap32(half_away(half_up(wrap32(acc 2^max(e,0)) m / 2^31) / 2^max(-e,0)) + zy)); "
    "M_A per tensor, M_B per channel",
    make_multiplier=per_tensor_float32_multiplier,
    quantize_bias=bias_reciprocal_half_away,
    output_stage=stage_double_rounding,
    quantize_codes=quantize_divide_half_away_float64,
    dequantize_codes=dequantize_float32,
    weight_qmin=-127,
    weight_zero_point="per_tensor",
    activation_bounds=bounds_half_away,
)

TFLM = Profile(
    name="tflm",
    engine="TFLite-Micro",
    version="wheel 0.dev20261023182759",
    source="tflite-micro micro/kernels/fully_connected_common.cc, with both scales converted to double first",
    equation="as tflite_ref, with M_B = f64(sx sw / sy) per tensor too",
    make_multiplier=fixed_multiplier,
    quantize_bias=bias_reciprocal_half_away,
    output_stage=stage_double_rounding,
    weight_qmin=-127,
    weight_zero_point="per_tensor",
    code_types=("int8",),
    activation_codes=activation_codes_fixed_point,
    softmax_codes=softmax_codes_fixed_point,
    activation_bounds=bounds_half_away,
)

TFLITE_SINGLE = Profile(
    name="tflite_single",
    engine="TFLite and CMSIS-NN built with TFLITE_SINGLE_ROUNDING / CMSIS_NN_USE_SINGLE_ROUNDING",
    version="LiteRT 2026-08-21; CMSIS-NN 2026-07-15",
    source="LiteRT tflite/kernels/internal/common.cc, MultiplyByQuantizedMultiplier (TFLITE_SINGLE_ROUNDING)",
    equation="y_q = clamp(wrap32(half_up(acc m 2^(e-31)) + zy)); M_A per tensor, M_B per channel",
    make_multiplier=per_tensor_float32_multiplier,
    quantize_bias=bias_reciprocal_half_away,
    output_stage=stage_single_rounding_wrapping,
    quantize_codes=quantize_divide_half_away_float64,
    dequantize_codes=dequantize_float32,
    weight_qmin=-127,
    weight_zero_point="per_tensor",
    activation_bounds=bounds_half_away,
)

LITERT_REF_2025 = Profile(
    name="litert_ref_2025",
    engine="LiteRT, BUILTIN_REF resolver, FULLY_CONNECTED",
    version="ai-edge-litert 2.3.0",
    source="LiteRT reference/integer_ops/fully_connected.h, commit 9213607 (2025-04-14)",
    equation="y_q = clamp(wrap32(int32(half_away(f64(acc M_B))) + zy))",
    make_multiplier=real_multiplier,
    quantize_bias=bias_reciprocal_half_away,
    output_stage=stage_float64_half_away,
    quantize_codes=quantize_divide_half_away,
    dequantize_codes=dequantize_float32,
    activation_codes=activation_codes_half_away,
    requantize_codes=requantize_codes_double_rounding,
    softmax_codes=softmax_codes_fixed_point,
    weight_qmin=-127,
    weight_zero_point="per_tensor",
    activation_bounds=bounds_half_away,
    conversion="x86: beyond int32 and NaN give -2^31, and adding a negative zero point wraps it to the high rail",
)

RUY_X86 = Profile(
    name="ruy_x86",
    engine="LiteRT without default delegates on x86 (ruy)",
    version="ai-edge-litert 2.3.0; ruy 2026-02-16",
    source="google/ruy ruy/kernel_avx512.cc, apply_multiplier",
    equation="y_q = clamp(wrap32(half_up(half_up(wrap32(acc 2^max(e,0)) m / 2^31) / 2^max(-e,0)) + zy)); "
    "M_A per tensor, M_B per channel",
    make_multiplier=per_tensor_float32_multiplier,
    quantize_bias=bias_reciprocal_half_away,
    output_stage=wrapping_stage(requantize_double_rounding_up),
    quantize_codes=quantize_vectors_of_8,
    dequantize_codes=dequantize_vectors_of_8,
    activation_codes=activation_codes_half_away,
    requantize_codes=requantize_codes_vectors_of_16,
    softmax_codes=softmax_codes_table,
    weight_qmin=-127,
    weight_zero_point="per_tensor",
    activation_bounds=bounds_half_away,
)

RUY_ARM64 = Profile(
    name="ruy_arm64",
    engine="LiteRT without default delegates on ARM64 (ruy)",
    version="ai-edge-litert 2.3.0; ruy 2026-02-16",
    source="google/ruy ruy/kernel_arm64.cc (SQDMULH, SRSHL)",
    equation="y_q = clamp(wrap32(half_up(floor(wrap32(acc 2^l) m / 2^31) / 2^r) + zy)), r = max(1,-e), l = e + r",
    make_multiplier=per_tensor_float32_multiplier,
    quantize_bias=bias_reciprocal_half_away,
    output_stage=wrapping_stage(requantize_floor_then_half_up),
    weight_qmin=-127,
    weight_zero_point="per_tensor",
    activation_bounds=bounds_half_away,
)

PROFILES = (TFLITE_REF, TFLM, TFLITE_SINGLE, LITERT_REF_2025, RUY_X86, RUY_ARM64)
