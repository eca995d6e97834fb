"""MNN: bias, zero points and column sums in one float32, a clip before the rounding, and ties away from code 0.

Legend: x_q (B, K) and w_q (K, N) codes, acc = wrap32(sum_k (x_q + 128) w_q), x, w, y quantization of input, weights and
output, sx sw sy their scales, zy zero point; B the shift of R138.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Float32, Int64
from npquant.kernels.floating import IGNORED
from npquant.kernels.linear import accumulate
from npquant.kernels.output_stages import shift_with_column_sum, stage_two_products_clip_add_half
from npquant.kernels.qparams import QuantParams
from npquant.kernels.quantize_engines import dequantize_float32, quantize_clip_then_add_half
from npquant.kernels.rounding import wrap_int32
from npquant.profiles.known import mnn as known
from npquant.profiles.record import Profile


def _two_factors(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> tuple[Float32, Float32]:
    """Return sw and f32(sx / sy)."""
    with np.errstate(**IGNORED):
        ratio: Float32 = np.divide(np.asarray(sx, np.float32), np.asarray(sy, np.float32))
    return np.asarray(sw, np.float32), ratio


def _requantize(acc: Int64, factors: tuple[Float32, Float32], zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R139 with B = zy: a layer without a bias whose weights sum to 0 in each column."""
    return stage_two_products_clip_add_half(acc, *factors, zy, qmin, qmax)


def _layer(
    x_q: Codes, w_q: Codes, bias: ArrayLike | None, x: QuantParams, w: QuantParams, y: QuantParams, activation: str,
    interval: tuple[int, int],
) -> Int64:  # fmt: skip
    """R139 of the whole layer. The engine's relu is the interval's low end, other clamps the output tensor's own."""
    acc = wrap_int32(accumulate(x_q, w_q, 0, -128, 0))
    colsum = w_q.sum(axis=0, dtype=np.int64)
    b = np.float32(0) if bias is None else bias
    shift = shift_with_column_sum(colsum, b, (x.scale, x.zero_point), w.scale, (y.scale, y.zero_point))
    return stage_two_products_clip_add_half(acc, *_two_factors(x.scale, w.scale, y.scale), shift, *interval)


MNN = Profile(
    name="mnn",
    engine="MNN, quantized 1x1 convolution as its quantizer writes it, AVX2 kernels",
    version="MNN 3.6.1",
    source="alibaba/MNN source/backend/cpu/CPUConvolution.cpp, compute/ConvInt8TiledExecutor.cpp, "
    "x86_x64/avx/GemmInt8.cpp, revision 4d40bdb",
    equation="y_q = trunc(f32(v + copysign(1/2, v))), v = clip(f32(f32(f32(f32(acc) sw) f32(sx/sy)) + B), lo, hi), "
    "acc = wrap32(sum (x_q + 128) w_q), B = f32(f32(f32(b - f32(f32(ks (zx + 128)) sx)) / sy) + zy), "
    "ks = f32(colsum sw)",
    knowledge=known.MNN,
    make_multiplier=_two_factors,
    output_stage=_requantize,
    whole_layer=_layer,
    weight_zero_point="zero",
    code_types=("int8",),
    quantize_types=("int8",),
    quantize_codes=quantize_clip_then_add_half,
    dequantize_codes=dequantize_float32,
    conversion="clipped in float before the conversion: saturates; NaN gives hi",
)

PROFILES = (MNN,)
