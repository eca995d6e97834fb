"""PyTorch's quantized engines: float biases, and a pack through int16.

Legend: acc accumulator, b float32 bias, M float32 multiplier, sx sw sy scales, zy zero point.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float32, Int64
from npquant.kernels.bias import bias_reciprocal_half_even
from npquant.kernels.dynamic import real_output
from npquant.kernels.dynamic_torch import (
    fbgemm_output,
    onednn_codes,
    onednn_output,
    onednn_output_one_product,
    onednn_weight_scale,
    torch_codes,
)
from npquant.kernels.multiplier import multiplier_float32, multiplier_float32_reciprocal, scale_product_float32
from npquant.kernels.output_stages import (
    bias_added_divided,
    bias_added_fused,
    stage_float32_through_int16,
    stage_float32_zero_point_first,
)
from npquant.kernels.quantize_engines import dequantize_float32, quantize_torch
from npquant.profiles.dynamic_rule import DynamicRule
from npquant.profiles.known import torch as known
from npquant.profiles.record import Profile

Scales = tuple[Float32, Float32, Float32]


def _fbgemm_multiplier(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> tuple[Float32, Float32]:
    """Return f32(sx sw), which the bias needs, and M_C."""
    return scale_product_float32(sx, sw), multiplier_float32(sx, sw, sy)


def _fbgemm_bias(acc: Int64, b: ArrayLike, constants: tuple[Float32, Float32]) -> Float32:
    """Fuse the bias per tensor, divide it per channel."""
    return bias_added_divided(acc, b, constants[0]) if constants[0].ndim else bias_added_fused(acc, b, constants[0])


def _fbgemm_stage(v: Float32, constants: tuple[Float32, Float32], zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    return stage_float32_through_int16(v, constants[1], zy, qmin, qmax)


def _qnnpack_stage(acc: Int64, m: Float32, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    return stage_float32_through_int16(acc.astype(np.float32), m, zy, qmin, qmax)


def _onednn_scales(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> Scales:
    """Send the scales through a reciprocal and back; a per-tensor weight scale starts in float64."""
    x, y, one = np.asarray(sx, np.float32), np.asarray(sy, np.float32), np.float32(1)
    return np.asarray(one / (one / x)), onednn_weight_scale(sw), y


def _onednn_bias_two_products(acc: Int64, b: ArrayLike, scales: Scales) -> Float32:
    return np.asarray(acc.astype(np.float32) * scales[0] * scales[1] + np.asarray(b, np.float32))


def _onednn_bias_one_product(acc: Int64, b: ArrayLike, scales: Scales) -> Float32:
    return np.asarray(acc.astype(np.float32) * (scales[0] * scales[1]) + np.asarray(b, np.float32))


def _onednn_halves(depth: int) -> int:
    """Return ceil(K/2) for 256 < K < 768, where the first half of the products is summed apart; else 0."""
    return (depth + 1) // 2 if 256 < depth < 768 else 0


def _onednn_stage(v: Float32, scales: Scales, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    return stage_float32_zero_point_first(v, scales[2], zy, qmin, qmax)


def _fbgemm_rule(top: int) -> DynamicRule:
    """Return quantized.linear_dynamic of fbgemm and x86, whose range is made for codes up to top."""
    return DynamicRule(
        granularity="batch",
        range_in="float64",
        codes=f"[0, 255], a range for [0, {top}]: R116, R56",
        outputs="fma(f32(acc), f32(sx sw), b)",
        fused=True,
        quantize=functools.partial(torch_codes, top=top),
        output=fbgemm_output,
        weight_zero_points=True,
    )


def _onednn_rule(top: int) -> DynamicRule:
    """Return quantized.linear_dynamic of onednn with VNNI."""
    return dataclasses.replace(
        _fbgemm_rule(top),
        codes=f"[0, 255], a range for [0, {top}]: R116, D6",
        outputs="f32(f32(f32(f32(acc) sx') sw') + b)",
        fused=False,
        quantize=functools.partial(onednn_codes, top=top),
        output=onednn_output,
        weight_zero_points=False,
    )


def _one_product(rule: DynamicRule) -> DynamicRule:
    """Return the rule with the epilogue of AVX2."""
    return dataclasses.replace(rule, outputs="f32(f32(f32(acc) f32(sx' sw')) + b)", output=onednn_output_one_product)


# nn.quantized.dynamic.Linear passes reduce_range; qnnpack ignores it, with a warning.
_REDUCED: Final = "reduce_range"
FBGEMM_DYNAMIC = dataclasses.replace(_fbgemm_rule(255), variants=((_REDUCED, _fbgemm_rule(127)),))
QNNPACK_DYNAMIC = dataclasses.replace(
    _fbgemm_rule(255), outputs="f32(f32(f32(acc) f32(sx sw)) + b)", fused=False, output=real_output
)
ONEDNN_DYNAMIC = dataclasses.replace(_onednn_rule(255), variants=((_REDUCED, _onednn_rule(127)),))
ONEDNN_DYNAMIC_AVX2 = dataclasses.replace(
    _one_product(_onednn_rule(255)), variants=((_REDUCED, _one_product(_onednn_rule(127))),)
)

FBGEMM = Profile(
    name="fbgemm",
    engine="PyTorch quantized.linear, engines fbgemm and x86",
    version="torch 2.13.0",
    source="pytorch/FBGEMM src/QuantUtilsAvx2.cc, requantizeOutputProcessingAvx2",
    equation="v = fma(b, f32(1/f32(sx sw)), f32(acc)) per tensor, f32(f32(acc) + f32(b/f32(sx sw))) per channel; "
    "y_q = clamp(sat16(sat16(int32(half_even(f32(v M_C)))) + zy))",
    knowledge=known.FBGEMM,
    make_multiplier=_fbgemm_multiplier,
    output_stage=_fbgemm_stage,
    quantize_codes=quantize_torch,
    dequantize_codes=dequantize_float32,
    add_bias=_fbgemm_bias,
    dynamic=FBGEMM_DYNAMIC,
    code_types=("uint8",),
    conversion="x86: 2^31 or more becomes -2^31, so the low rail",
)

FBGEMM_PAIR16 = dataclasses.replace(
    FBGEMM,
    name="fbgemm_pair16",
    engine="PyTorch quantized.linear, engines fbgemm and x86, on x86 without VNNI",
    equation="as fbgemm, with pairs of products saturated to int16 before they are summed",
    knowledge=known.FBGEMM_PAIR16,
    accumulator="pair16",
)

QNNPACK = Profile(
    name="qnnpack",
    engine="PyTorch quantized.linear, engine qnnpack",
    version="torch 2.13.0",
    source="pytorch aten/src/ATen/native/quantized/cpu/qnnpack/src/q8gemm; qlinear.cpp",
    equation="y_q = clamp(sat16(sat16(int32(half_even(f32(f32(acc) M_D)))) + zy))",
    knowledge=known.QNNPACK,
    make_multiplier=multiplier_float32_reciprocal,
    quantize_bias=bias_reciprocal_half_even,
    output_stage=_qnnpack_stage,
    dynamic=QNNPACK_DYNAMIC,
    quantize_codes=quantize_torch,
    dequantize_codes=dequantize_float32,
    code_types=("uint8",),
    conversion="x86: 2^31 or more becomes -2^31, so the low rail",
)

ONEDNN_VNNI = Profile(
    name="onednn_vnni",
    engine="PyTorch quantized.linear, engine onednn, AVX-512 or AVX2-VNNI",
    version="torch 2.13.0 (oneDNN 3.12)",
    source="uxlfoundation/oneDNN src/cpu/matmul/ref_matmul_int8.cpp; the order of the products from runs",
    equation="v = f32(f32(f32(f32(acc) sx') sw') + b), s' = f32(1/f32(1/s)); "
    "y_q = clamp(half_even(f32(f32(v f32(1/sy)) + zy)))",
    knowledge=known.ONEDNN_VNNI,
    make_multiplier=_onednn_scales,
    output_stage=_onednn_stage,
    quantize_codes=quantize_torch,
    dequantize_codes=dequantize_float32,
    add_bias=_onednn_bias_two_products,
    dynamic=ONEDNN_DYNAMIC,
    weight_zero_point="zero",
    code_types=("uint8",),
    conversion="saturates",
)

ONEDNN_AVX2 = dataclasses.replace(
    ONEDNN_VNNI,
    name="onednn_avx2",
    engine="PyTorch quantized.linear, engine onednn, AVX2 without VNNI",
    equation="as onednn_vnni, with v = f32(f32(f32(acc) f32(sx' sw')) + b) and pairs saturated to int16; for "
    "256 < K < 768 the first ceil(K/2) products are paired apart from the others",
    knowledge=known.ONEDNN_AVX2,
    add_bias=_onednn_bias_one_product,
    dynamic=ONEDNN_DYNAMIC_AVX2,
    accumulator="pair16",
    pairs_apart=_onednn_halves,
)

PROFILES = (FBGEMM, FBGEMM_PAIR16, QNNPACK, ONEDNN_VNNI, ONEDNN_AVX2)
