"""CMSIS-NN on Cortex-M: TFLite-Micro's arithmetic of 8-bit codes, and a rule of its own for int16.

Legend: acc accumulator, (m, e) fixed multiplier, m16 its upper half, M_B real multiplier, zy zero point.
"""

from __future__ import annotations

import dataclasses

from npquant.kernels.multiplier import fixed_multiplier
from npquant.kernels.output_stages import wrapping_stage
from npquant.kernels.requantize import requantize_double_rounding, requantize_mantissa16_low_bits_first
from npquant.profiles.known import tflite as known
from npquant.profiles.record import WideStage
from npquant.profiles.tflite import TFLM

CMSIS_NN = dataclasses.replace(
    TFLM,
    name="cmsis_nn",
    engine="CMSIS-NN, with the multipliers that TFLite-Micro makes",
    version="CMSIS-NN 2026-07-15, 99f736a",
    source="ARM-software/CMSIS-NN Include/arm_nnsupportfunctions.h, arm_nn_requantize and arm_nn_requantize_s64",
    equation="as tflm; int16 beside an int64 bias takes the low 32 bits of 2 acc m16 2^(e-15) before it rounds them",
    knowledge=known.CMSIS_NN,
    # -2^31 times -2^31 does not saturate there, as it does in R7.
    multipliers=(-(2**31) + 1, 2**31 - 1, 1),
    quantize_codes=None,
    dequantize_codes=None,
    activation_codes=None,
    activation_types=(),
    softmax_codes=None,
    requantize_codes=None,
    code_pairs=(),
    wide_stages=(
        WideStage("int64", fixed_multiplier, wrapping_stage(requantize_mantissa16_low_bits_first)),
        WideStage("int32", fixed_multiplier, wrapping_stage(requantize_double_rounding)),
    ),
)
