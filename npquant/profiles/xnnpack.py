"""XNNPACK, LiteRT's default delegate: float32 requantization, half even, and two answers beyond int32.

Legend: acc accumulator, M float32 multiplier, zy zero point, lo and hi the output interval.
"""

from __future__ import annotations

import dataclasses

from npquant.kernels.activation_bounds import bounds_half_even_zero_point_first
from npquant.kernels.bias import bias_reciprocal_half_away
from npquant.kernels.multiplier import multiplier_float32
from npquant.kernels.output_stages import (
    stage_float32_half_even,
    stage_float32_half_even_low_wraps,
    stage_mantissa24_half_up,
)
from npquant.kernels.qd8 import qd8_codes, qd8_output
from npquant.kernels.quantize_engines import dequantize_float32, quantize_reciprocal_half_even
from npquant.kernels.requantize_codes import requantize_codes_8_bit_multiplier
from npquant.profiles.dynamic_rule import DynamicRule
from npquant.profiles.known import xnnpack as known
from npquant.profiles.record import Profile
from npquant.profiles.tflite import RUY_X86
from npquant.profiles.tflite_operators import activation_delegated, quantize_delegated, softmax_litert_opt

# qd8-f32-qc8w and qd8-f32-qc4w: row by row, whatever switch for asymmetric inputs or scale of the tensor a file has.
QD8 = DynamicRule(
    granularity="row",
    range_in="float32, subnormal numbers as 0",
    codes="[-128, 127]: R114",
    outputs="fma(f32(f32(acc) sx), sw, b)",
    fused=True,
    quantize=qd8_codes,
    output=qd8_output,
    activations=("none", "relu", "relu6", "relu_n1_to_1"),
    even_narrow_depth=True,
)

XNNPACK_FP32 = Profile(
    name="xnnpack_fp32",
    engine="XNNPACK, float32 requantization (every kernel but the AVX-512 ones)",
    version="XNNPACK 2026-08-21",
    source="XNNPACK src/operators/fully-connected-nc.c, src/qs8-qc8w-gemm/gen",
    equation="y_q = half_even(clip(f32(f32(acc) M_C), lo - zy, hi - zy)) + zy",
    knowledge=known.XNNPACK_FP32,
    make_multiplier=multiplier_float32,
    quantize_bias=bias_reciprocal_half_away,
    output_stage=stage_float32_half_even,
    quantize_codes=quantize_delegated,
    quantize_types=RUY_X86.quantize_types,
    code_pairs=RUY_X86.code_pairs,
    wide_zero_points=False,
    dequantize_codes=dequantize_float32,
    activation_codes=activation_delegated,
    activation_types=("int16",),
    requantize_codes=requantize_codes_8_bit_multiplier,
    softmax_codes=softmax_litert_opt,
    wide_stages=RUY_X86.wide_stages,
    dynamic=QD8,
    weight_zero_point="uint8",
    max_multiplier=256.0,
    activation_bounds=bounds_half_even_zero_point_first,
    conversion="clipped in float before the conversion: saturates",
)

XNNPACK_FP32_AVX512 = dataclasses.replace(
    XNNPACK_FP32,
    name="xnnpack_fp32_avx512",
    engine="XNNPACK, float32 requantization, AVX-512 kernels: LiteRT's default on such a machine",
    version="XNNPACK in ai-edge-litert 2.3.0",
    equation="y_q = clamp(wrap32(int32(half_even(min(f32(f32(acc) M_C), hi - zy))) + zy))",
    knowledge=known.XNNPACK_FP32_AVX512,
    output_stage=stage_float32_half_even_low_wraps,
    conversion="x86: a product below -2^31 becomes -2^31, and adding a negative zero point wraps it to the high rail",
)

XNNPACK_RNDNU = dataclasses.replace(
    XNNPACK_FP32,
    name="xnnpack_rndnu",
    engine="XNNPACK, rndnu requantization (uint8 on ARM)",
    version="XNNPACK 75db3c09 (2026-08-21)",
    source="XNNPACK src/xnnpack/requantization.h, xnn_qu8_requantize_rndnu and xnn_qs8_requantize_rndnu",
    equation="y_q = clamp(wrap32(half_up(acc mantissa24(M_C) 2^x)) + zy): exact product, one rounding, cast to int32",
    knowledge=known.XNNPACK_RNDNU,
    output_stage=stage_mantissa24_half_up,
    activation_codes=None,
    activation_types=(),
    softmax_codes=None,
    requantize_codes=None,
    quantize_codes=quantize_reciprocal_half_even,
    quantize_types=("int8", "uint8"),
    code_pairs=(),
    wide_stages=(),
    dynamic=None,
    code_types=("uint8",),
    rescale_types=("int8",),
    conversion="the rounded product's low 32 bits",
)

PROFILES = (XNNPACK_FP32, XNNPACK_FP32_AVX512, XNNPACK_RNDNU)
