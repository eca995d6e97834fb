"""TFLite, LiteRT and TFLite-Micro: seven integer and float arithmetics that share one file format.

All derive from `TFLITE_REF`: a record below says only what differs. Legend: acc accumulator, (m, e) fixed multiplier, M
real multiplier, zy zero point, sx, sw, sy float32 scales (sw one or N).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Int8, Int64
from npquant.kernels.activation_bounds import bounds_half_away
from npquant.kernels.activation_tables import activation_codes_half_away
from npquant.kernels.bias import bias_reciprocal_half_away
from npquant.kernels.dynamic import real_output
from npquant.kernels.hybrid import (
    hybrid_4_bit_codes,
    hybrid_4_bit_output,
    hybrid_4_bit_sums,
    hybrid_asymmetric,
    hybrid_sums,
    hybrid_symmetric,
)
from npquant.kernels.multiplier import (
    FixedMultiplier,
    decompose_multiplier,
    fixed_multiplier,
    multiplier_float32_product,
    real_multiplier,
)
from npquant.kernels.output_stages import stage_float64_half_away, stage_float64_half_away_saturating, wrapping_stage
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
from npquant.kernels.softmax_engines import softmax_codes_fixed_point_shift_x86, softmax_codes_table
from npquant.profiles.dynamic_rule import DynamicRule
from npquant.profiles.known import tflite as known
from npquant.profiles.record import Profile, WideStage
from npquant.profiles.tflite_operators import (
    activation_litert_opt,
    activation_litert_ref,
    activation_tflm,
    softmax_litert_opt,
    softmax_litert_ref,
    softmax_tflm,
)


def per_tensor_float32_multiplier(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> FixedMultiplier:
    """Make TFLite's fixed multiplier: R5 of R16 per tensor (the product of the scales is float32), of R4 per channel.

    >>> per_tensor_float32_multiplier(0.5, 0.5, 0.5).real
    0.5
    """
    return fixed_multiplier(sx, sw, sy) if np.ndim(sw) else decompose_multiplier(multiplier_float32_product(sx, sw, sy))


# R38 of R19 and of R91: each is a layer's rule in several places.
STAGE_DOUBLE_UP = wrapping_stage(requantize_double_rounding_up)
STAGE_MANTISSA16 = wrapping_stage(requantize_mantissa16)

# Beside int16 weights every resolver sums in int64 and takes R91, whatever the bias; it is LiteRT alone that has them.
WEIGHTS_OF_16_BITS = tuple(
    WideStage(
        bias,
        per_tensor_float32_multiplier,
        STAGE_MANTISSA16,
        weights=("int16",),
        int64_sums=True,
    )
    for bias in ("int64", "int32")
)
LITERT_WEIGHTS = ("int8", "int4")

# What QUANTIZE takes beside pairs of 8 bits: all of int16, and int32 in.
_INT32_AND_INT16 = (("int16", "int8"), ("int16", "int16"), ("int16", "int32"), ("int32", "int8"), ("int32", "int16"))
LITERT_PAIRS = (("int8", "int16"), ("uint8", "int16"), *_INT32_AND_INT16)
TFLM_PAIRS = (("int8", "uint8"), ("uint8", "int8"), ("int8", "int16"), ("int8", "int32"), *_INT32_AND_INT16)


def _four_bit_sums(x_q: Int8, w_q: Int8, zx: Int8) -> Int64:
    """R118, where there is no zero point."""
    return hybrid_4_bit_sums(x_q, w_q)


def _has_four_bit_kernel(k: int, n: int) -> bool:
    """Return whether LiteRT's kernel for 4-bit weights takes a layer of this shape: K inputs, N outputs."""
    return k % 2 == 0 and k >= 32 and n >= 4


# Row by row, by code that is chosen when LiteRT is compiled: its reference resolver runs the vectors too.
_SYMMETRIC = DynamicRule(
    granularity="row",
    range_in="float32",
    codes="[-127, 127]: R110",
    outputs="f32(f32(f32(acc) f32(sx sw)) + b)",
    fused=False,
    quantize=hybrid_symmetric,
    output=real_output,
    sums=hybrid_sums,
    activations=("none", "relu", "relu6", "relu_n1_to_1"),
)
_ASYMMETRIC = dataclasses.replace(_SYMMETRIC, range_in="float64", codes="[-128, 127]: R111", quantize=hybrid_asymmetric)
HYBRID = dataclasses.replace(_SYMMETRIC, variants=(("asymmetric_inputs", _ASYMMETRIC),))

_FOUR_BITS = dataclasses.replace(
    _SYMMETRIC,
    range_in="float64",
    codes="[-127, 127]: R113",
    outputs="f32(f32(f32(f32(o sx) sw) + b) + f32(f32(t sx) sw)), o + t = acc",
    quantize=hybrid_4_bit_codes,
    output=hybrid_4_bit_output,
    sums=_four_bit_sums,
)
_OPTIMIZED = dataclasses.replace(_SYMMETRIC, narrow=_FOUR_BITS, narrow_shapes=_has_four_bit_kernel)
HYBRID_OPTIMIZED = dataclasses.replace(
    _OPTIMIZED,
    # The kernel for 4 bits does not read the switch.
    variants=(
        (
            "asymmetric_inputs",
            dataclasses.replace(_OPTIMIZED, range_in="float64", codes=_ASYMMETRIC.codes, quantize=hybrid_asymmetric),
        ),
    ),
)

TFLITE_REF = Profile(
    name="tflite_ref",
    engine="TFLite reference kernels",
    version="TFLite before 2025-04",
    source="LiteRT tflite/kernels/internal/common.cc, MultiplyByQuantizedMultiplier",
    equation="y_q = clamp(wrap32(half_away(half_up(wrap32(acc 2^max(e,0)) m / 2^31) / 2^max(-e,0)) + zy)); "
    "M_A per tensor, M_B per channel",
    knowledge=known.TFLITE_REF,
    make_multiplier=per_tensor_float32_multiplier,
    quantize_bias=bias_reciprocal_half_away,
    output_stage=wrapping_stage(requantize_double_rounding),
    weight_qmin=-127,
    weight_zero_point="per_tensor",
    multipliers=(-(2**31), 2**31 - 1, 1),  # the engine asserts no sign here
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
    code_pairs=TFLM_PAIRS,
    activation_codes=activation_tflm,
    activation_types=("int16",),
    softmax_codes=softmax_tflm,
    wide_stages=(
        WideStage("int64", fixed_multiplier, STAGE_MANTISSA16),
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
    code_pairs=LITERT_PAIRS,
    wide_zero_points=False,
    activation_codes=activation_litert_ref,
    activation_types=("int16",),
    softmax_codes=softmax_litert_ref,
    wide_stages=(
        WideStage("int64", real_multiplier, stage_float64_half_away, weights=LITERT_WEIGHTS),
        WideStage("int32", real_multiplier, stage_float64_half_away, weights=LITERT_WEIGHTS),
        *WEIGHTS_OF_16_BITS,
        WideStage(
            "int32",
            real_multiplier,
            stage_float64_half_away_saturating,
            zero_points=True,
            inputs="uint8",
            weights=("uint8",),
            needs_bias=True,
        ),
    ),
    dynamic=HYBRID,
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
    output_stage=STAGE_DOUBLE_UP,
    quantize_types=("int8", "uint8", "int16"),
    code_pairs=LITERT_PAIRS,
    wide_zero_points=False,
    multipliers=(0, 2**31 - 1, 1),
    quantize_codes=quantize_vectors_of_8,
    dequantize_codes=dequantize_vectors_of_8,
    activation_codes=activation_litert_opt,
    activation_types=("int16",),
    softmax_codes=softmax_litert_opt,
    requantize_codes=requantize_codes_vectors_of_16,
    # With int64 biases the optimized kernel is the reference's; without a bias it sums in int32.
    wide_stages=(
        WideStage(
            "int32",
            per_tensor_float32_multiplier,
            STAGE_DOUBLE_UP,
            weights=LITERT_WEIGHTS,
        ),
        WideStage("int64", real_multiplier, stage_float64_half_away, weights=LITERT_WEIGHTS),
        *WEIGHTS_OF_16_BITS,
        # It ignores the zero point of these outputs.
        WideStage(
            "int32",
            per_tensor_float32_multiplier,
            STAGE_DOUBLE_UP,
            inputs="uint8",
            weights=("uint8",),
        ),
    ),
    dynamic=HYBRID_OPTIMIZED,
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
    code_pairs=(),
    activation_codes=activation_codes_half_away,
    activation_types=(),
    softmax_codes=softmax_codes_table,
    quantize_codes=quantize_divide_half_away_float64,
    dequantize_codes=dequantize_float32,
    requantize_codes=requantize_codes_double_rounding,
    wide_stages=(),
    dynamic=None,
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
    activation_types=(),
    softmax_codes=None,
    requantize_codes=None,
    code_pairs=(),
    wide_stages=(),
    dynamic=None,
)

PROFILES = (TFLITE_REF, TFLM, TFLITE_SINGLE, LITERT_REF_2025, RUY_X86, TFLITE_OPT_2_14, RUY_ARM64)
