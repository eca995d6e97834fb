"""PyTorch's quantized engines: float biases, and a pack through int16.

Legend: acc accumulator, b float32 bias, M float32 multiplier, sx sw sy scales, zy zero point.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float32, Int64
from npquant.kernels.bias import bias_reciprocal_half_even
from npquant.kernels.multiplier import multiplier_float32, multiplier_float32_reciprocal, scale_product_float32
from npquant.kernels.output_stages import (
    bias_added_divided,
    bias_added_fused,
    stage_float32_through_int16,
    stage_float32_zero_point_first,
)
from npquant.kernels.quantize_engines import dequantize_float32, quantize_torch
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
    x, w, y = (np.asarray(s, np.float32) for s in (sx, sw, sy))
    one = np.float32(1)
    once = one / w if w.ndim else (1 / w.astype(np.float64)).astype(np.float32)
    return np.asarray(one / (one / x)), np.asarray(one / once), y


def _onednn_bias_two_products(acc: Int64, b: ArrayLike, scales: Scales) -> Float32:
    return np.asarray(acc.astype(np.float32) * scales[0] * scales[1] + np.asarray(b, np.float32))


def _onednn_bias_one_product(acc: Int64, b: ArrayLike, scales: Scales) -> Float32:
    return np.asarray(acc.astype(np.float32) * (scales[0] * scales[1]) + np.asarray(b, np.float32))


def _onednn_halves(depth: int) -> int:
    """Return ceil(K/2) for 256 < K < 768, where the first half of the products is summed apart; else 0."""
    return (depth + 1) // 2 if 256 < depth < 768 else 0


def _onednn_stage(v: Float32, scales: Scales, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    return stage_float32_zero_point_first(v, scales[2], zy, qmin, qmax)


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
    accumulator="pair16",
    pairs_apart=_onednn_halves,
)

PROFILES = (FBGEMM, FBGEMM_PAIR16, QNNPACK, ONEDNN_VNNI, ONEDNN_AVX2)
