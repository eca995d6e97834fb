"""LiteRT's CONV_2D, which rounds by another rule than FULLY_CONNECTED in the same resolver.

Legend: acc accumulator, M_B real multiplier of R4, per tensor and per channel alike.
"""

from __future__ import annotations

import dataclasses

from npquant.kernels.multiplier import fixed_multiplier
from npquant.profiles.known import tflite as known
from npquant.profiles.record import WideStage
from npquant.profiles.tflite import LITERT_REF_2025, LITERT_WEIGHTS, RUY_X86, STAGE_DOUBLE_UP, STAGE_MANTISSA16, TFLM

LITERT_REF_CONV = dataclasses.replace(
    LITERT_REF_2025,
    name="litert_ref_conv",
    engine="LiteRT, BUILTIN_REF resolver, CONV_2D",
    source="LiteRT reference/integer_ops/conv.h",
    equation="as tflm, with an int64 bias too: still in integers, where FULLY_CONNECTED is in float64",
    knowledge=known.LITERT_REF_CONV,
    make_multiplier=fixed_multiplier,
    output_stage=TFLM.output_stage,
    code_types=("int8",),
    wide_stages=tuple(dataclasses.replace(stage, weights=LITERT_WEIGHTS) for stage in TFLM.wide_stages),
    dynamic=None,
    conversion=TFLM.conversion,
)

RUY_X86_CONV = dataclasses.replace(
    RUY_X86,
    name="ruy_x86_conv",
    engine="LiteRT without default delegates on x86 (ruy), CONV_2D",
    source="LiteRT optimized/integer_ops/conv.h; google/ruy ruy/kernel_avx512.cc",
    equation="as ruy_x86 per channel, with M_B per tensor too; int16 beside an int64 bias as tflm",
    knowledge=known.RUY_X86_CONV,
    make_multiplier=fixed_multiplier,
    code_types=("int8",),
    dynamic=None,
    wide_stages=(
        WideStage("int64", fixed_multiplier, STAGE_MANTISSA16, weights=LITERT_WEIGHTS),
        WideStage("int32", fixed_multiplier, STAGE_DOUBLE_UP, weights=LITERT_WEIGHTS),
    ),
)
