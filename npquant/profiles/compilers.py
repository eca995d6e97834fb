"""TOSA and TVM: integer rescaling as a specification and as a compiler lower it.

Legend: acc accumulator, (m, e) fixed multiplier, zy zero point.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from npquant.kernels.multiplier import fixed_multiplier
from npquant.kernels.output_stages import integer_stage, stage_single_rounding
from npquant.kernels.quantize_engines import dequantize_float32, quantize_divide_half_even_nan_high
from npquant.kernels.requantize import requantize_double_rounding, requantize_half_away
from npquant.profiles.knowledge import Knowledge, Known
from npquant.profiles.known import compilers as known
from npquant.profiles.record import Profile
from npquant.profiles.tflite import per_tensor_float32_multiplier

TOSA_SINGLE = Profile(
    name="tosa_single",
    engine="TOSA RESCALE, SINGLE_ROUND",
    version="tosa-specification 2026-08; tosa-tools 2026.8.0",
    source="tosa-specification pseudocode/library/scale_helpers.tosac, apply_scale_32",
    equation="y_q = clamp(half_up(acc m 2^(e-31)) + zy)",
    knowledge=known.TOSA,
    make_multiplier=fixed_multiplier,
    output_stage=stage_single_rounding,
    rescale_types=("int16", "uint16", "int32"),
)

TOSA_DOUBLE = dataclasses.replace(
    TOSA_SINGLE,
    name="tosa_double",
    engine="TOSA RESCALE, DOUBLE_ROUND",
    equation="as tflite_ref's requantization, with M_B",
    output_stage=integer_stage(requantize_double_rounding),
)

TVM_UPWARD = Profile(
    name="tvm_upward",
    engine="TVM QNN requantize, rounding UPWARD (its default)",
    version="TVM before Relay was removed",
    source="apache/tvm src/relay/qnn/op/requantize.cc, RequantizeLower; relay/qnn/utils.cc, FixedPointMultiply",
    equation="y_q = clamp(half_up(acc m 2^(e-31)) + zy), with M_A",
    knowledge=known.TVM,
    make_multiplier=per_tensor_float32_multiplier,
    output_stage=stage_single_rounding,
    rescale_types=("int16", "int32"),
)

TVM_TONEAREST = dataclasses.replace(
    TVM_UPWARD,
    name="tvm_tonearest",
    engine="TVM QNN requantize, rounding TONEAREST",
    source="apache/tvm src/relay/qnn/utils.cc, FixedPointMultiplyToNearest",
    equation="y_q = clamp(half_away(acc m 2^(e-31)) + zy), with M_A",
    output_stage=integer_stage(requantize_half_away),
)

_TVM_TEST: Final = "tests/peers/test_tvm.py"
_UNQUANTIZED = Known("absent in the engine", "relax has quantize and dequantize, and no other operator on codes")

TVM_RELAX = Profile(
    name="tvm_relax",
    engine="Apache TVM, relax.quantize and relax.dequantize",
    version="apache-tvm 0.27.0",
    source="apache/tvm python/tvm/relax/transform/legalize_ops/qdq.py, _quantize, _dequantize, clip_cast",
    equation="q = clip(half_even(f32(x/s)) + z), NaN gives qmax",
    quantize_codes=quantize_divide_half_even_nan_high,
    dequantize_codes=dequantize_float32,
    knowledge=Knowledge(
        linear=_UNQUANTIZED,
        wide=_UNQUANTIZED,
        requantize=_UNQUANTIZED,
        quantize=Known("run", "apache-tvm 0.27.0.post1", 1_048_576, _TVM_TEST),
        dequantize=Known("run", "apache-tvm 0.27.0.post1", 1_048_576, _TVM_TEST),
        codes_to_codes=_UNQUANTIZED,
        bias=_UNQUANTIZED,
        activations=_UNQUANTIZED,
        softmax=_UNQUANTIZED,
        dynamic=_UNQUANTIZED,
    ),
    conversion="clipped in float before the conversion: saturates",
)

PROFILES = (TOSA_SINGLE, TOSA_DOUBLE, TVM_UPWARD, TVM_TONEAREST, TVM_RELAX)
