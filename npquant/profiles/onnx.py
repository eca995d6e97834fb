"""ONNX Runtime's CPU provider and the ONNX reference evaluator: not the same arithmetic.

Legend: acc accumulator, M float32 multiplier, zy zero point, lo and hi the output interval.
"""

from __future__ import annotations

import dataclasses

from npquant.kernels.activation_tables import activation_codes_divided
from npquant.kernels.dynamic import dynamic_quantize_small_empty, dynamic_quantize_unit_empty, real_output
from npquant.kernels.multiplier import multiplier_float32
from npquant.kernels.output_stages import stage_float32_half_even, stage_float64_zero_point_first
from npquant.kernels.quantize_engines import (
    dequantize_float32,
    quantize_divide_half_even,
    quantize_divide_half_even_wrapping,
)
from npquant.profiles.dynamic_rule import DynamicRule
from npquant.profiles.known import onnx as known
from npquant.profiles.record import Profile

# DynamicQuantizeLinear, MatMulInteger, Cast, Mul, Mul and Add, or the one node that they are fused into.
_ORT_DYNAMIC = DynamicRule(
    granularity="batch",
    range_in="float32",
    codes="[0, 255]: R60, R54",
    outputs="f32(f32(f32(acc) f32(sx sw)) + b)",
    fused=False,
    quantize=dynamic_quantize_unit_empty,
    output=real_output,
    weight_types=("int8", "uint8"),
    weight_zero_points=True,
    steps_apart=True,
)

ORT = Profile(
    name="ort",
    engine="ONNX Runtime, CPU provider (MLAS)",
    version="onnxruntime 1.32.0",
    source="microsoft/onnxruntime onnxruntime/core/mlas/lib/quantize.cpp, MlasRequantizeOutput; "
    "core/providers/cpu/quantization/quantize_linear_matmul.cc",
    equation="y_q = half_even(clip(f32(f32(acc) M_C), lo - zy, hi - zy)) + zy",
    knowledge=known.ORT,
    make_multiplier=multiplier_float32,
    output_stage=stage_float32_half_even,
    activation_codes=activation_codes_divided,
    quantize_types=("int8", "uint8", "int16", "uint16"),
    quantize_codes=quantize_divide_half_even,
    dequantize_codes=dequantize_float32,
    dynamic=_ORT_DYNAMIC,
    conversion="clipped in float before the conversion: saturates; NaN gives lo",
)

ORT_PAIR16 = dataclasses.replace(
    ORT,
    name="ort_pair16",
    engine="ONNX Runtime, CPU provider, uint8 x int8 on x86 without VNNI",
    equation="as ort, with pairs of products saturated to int16 before they are summed",
    knowledge=known.ORT_PAIR16,
    accumulator="pair16",
)

ONNX_REF = Profile(
    name="onnx_ref",
    engine="onnx.reference.ReferenceEvaluator",
    version="onnx 1.23.2",
    source="onnx/onnx onnx/reference/ops/op_qlinear_matmul.py, op_quantize_linear.py",
    equation="y_q = clamp(half_even(f64(f64(acc M_C) + zy)))",
    knowledge=known.ONNX_REF,
    make_multiplier=multiplier_float32,
    output_stage=stage_float64_zero_point_first,
    quantize_types=("int8", "uint8", "int16", "uint16"),
    quantize_codes=quantize_divide_half_even_wrapping,
    dequantize_codes=dequantize_float32,
    dynamic=dataclasses.replace(_ORT_DYNAMIC, quantize=dynamic_quantize_small_empty),
    conversion="clipped in float64 before the conversion: saturates",
)

PROFILES = (ORT, ORT_PAIR16, ONNX_REF)
