"""ncnn: scales are codes per unit, no zero points, a layer whose outputs are real and which the next one quantizes.

Legend: B batch, K contracted depth, N outputs; x_q (B, K) and w_q (K, N) codes, acc their sums, b float32 bias, x, w, y
quantization of input, weights, output, sx sw sy their scales; kx kw ky = f32(1 / s) codes per unit, M = f32(1 / f32(kx
kw)).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Float32, Int64
from npquant.kernels.activation_bounds import bounds_per_unit, clamp_bounds
from npquant.kernels.floating import IGNORED
from npquant.kernels.linear import accumulate
from npquant.kernels.output_stages import real_output_per_unit, stage_per_unit_vectors_of_4
from npquant.kernels.qparams import QuantParams
from npquant.kernels.quantize_engines import dequantize_float32, quantize_per_unit_vectors_of_4
from npquant.kernels.rounding import wrap_int32
from npquant.profiles.known import ncnn as known
from npquant.profiles.record import Profile


def multipliers_per_unit(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> tuple[Float32, Float32]:
    """M and ky: the engine holds codes per unit, so a scale is inverted once and its product with another again.

    >>> m, ky = multipliers_per_unit(0.5, 0.25, 0.5)
    >>> float(m), float(ky)
    (0.125, 2.0)
    """
    one = np.float32(1)
    kx, kw, ky = (np.asarray(one / np.asarray(s, np.float32)) for s in (sx, sw, sy))
    with np.errstate(divide="ignore", **IGNORED):
        return np.asarray(one / np.asarray(kx * kw)), ky


def inner_product(
    x_q: Codes, w_q: Codes, b: ArrayLike | None, *, x: QuantParams, w: QuantParams, activation: str = "none"
) -> Float32:
    """R135. Real outputs (B, N) of an InnerProduct on codes: the engine has none whose outputs are codes.

    activation is "none", "relu", "relu6", "clipped_relu" or "relu_n1_to_1", applied to the real value.

    >>> p = QuantParams(0.5, 0, -127, 127)
    >>> inner_product(np.int8([[3, -4]]), np.int8([[2], [1]]), [0.25], x=p, w=p)
    array([[0.75]], dtype=float32)
    """
    acc = wrap_int32(accumulate(x_q, w_q, 0, 0, 0))
    m, _ = multipliers_per_unit(x.scale, w.scale, 1.0)
    real = real_output_per_unit(acc, m, np.float32(0) if b is None else b)
    return np.asarray(np.clip(real, *clamp_bounds("identity" if activation == "none" else activation)))


def _layer(
    x_q: Codes, w_q: Codes, bias: ArrayLike | None, x: QuantParams, w: QuantParams, y: QuantParams, activation: str,
    interval: tuple[int, int],
) -> Int64:  # fmt: skip
    """R131 and R132 of f32(R135 ky): an InnerProduct, and the quantization with which the next one begins.

    A named activation bounds the real value, so that one of 2^31 steps or more is still code -127.
    """
    real = inner_product(x_q, w_q, bias, x=x, w=w, activation=activation)
    _, ky = multipliers_per_unit(x.scale, w.scale, y.scale)
    return stage_per_unit_vectors_of_4(real, ky, *(interval if activation in ("none", "identity") else (-127, 127)))


def _real(acc: Int64, b: ArrayLike, constants: tuple[Float32, Float32]) -> Float32:
    """R135."""
    return real_output_per_unit(acc, constants[0], b)


def _stage(v: Float32, constants: tuple[Float32, Float32], zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R131 and R132 of f32(v ky): with b = 0 in v, Requantize without a bias."""
    return stage_per_unit_vectors_of_4(v, constants[1], qmin, qmax)


NCNN = Profile(
    name="ncnn",
    engine="ncnn, InnerProduct of int8 and the quantization of the next one; Quantize, Requantize, Dequantize; x86",
    version="ncnn 1.0.20261020",
    source="Tencent/ncnn src/layer/x86/innerproduct_x86.cpp, quantize_x86.cpp, requantize_x86.cpp, x86_usability.h, "
    "revision a4d2ea1",
    equation="y_q = clip(int32(trunc(f32(v + copysign(1/2, v)))), -127, 127), v = f32(f32(f32(f32(acc) M) + b) ky), "
    "k = f32(1/s), M = f32(1/f32(kx kw)); half away in the last n mod 4 of a row",
    knowledge=known.NCNN,
    make_multiplier=multipliers_per_unit,
    add_bias=_real,
    output_stage=_stage,
    whole_layer=_layer,
    activation_bounds=bounds_per_unit,
    weight_zero_point="zero",
    zero_points=False,
    code_types=("int8",),
    quantize_types=("int8",),
    quantize_codes=quantize_per_unit_vectors_of_4,
    dequantize_codes=dequantize_float32,
    conversion="x86: 2^31 or more, infinities and NaN become -2^31, so -127",
)

PROFILES = (NCNN,)
