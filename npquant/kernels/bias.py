"""Bias codes from real biases, by engine: the same quotient b / (sx sw), rounded in different places.

Legend: b (N,) real bias, sx and sw float32 scales of input and weights, each () or (N,); bias codes b_q are int32
values (R171: of 47 bits) in int64 arrays (N,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float32, Float64, Int64
from npquant.kernels.conversion import to_int32_x86
from npquant.kernels.floating import IGNORED, to_float32, to_float64
from npquant.kernels.multiplier import scale_product_float32
from npquant.kernels.rounding import round_half_away, round_half_even, saturate_to


def bias_half_even(b: ArrayLike, sx: ArrayLike, sw: ArrayLike) -> Int64:
    """R39. b_q = saturate(round_half_even(f64(b / (sx sw))), -2^31, 2^31 - 1): one division.

    >>> bias_half_even([0.625], 0.5, 0.5)
    array([2])
    """
    return _divided_half_even(b, sx, sw, -(2.0**31), 2.0**31 - 1)


def bias_half_even_wide(b: ArrayLike, sx: ArrayLike, sw: ArrayLike) -> Int64:
    """R171. b_q = saturate(round_half_even(f64(b / (sx sw))), -2^46, 2^46): R39 for int64 biases beside int16 inputs.

    >>> bias_half_even_wide([0.625, 2.0**40], 0.5, 0.5)
    array([            2, 4398046511104])
    """
    return _divided_half_even(b, sx, sw, -(2.0**46), 2.0**46)


def bias_reciprocal_half_even(b: ArrayLike, sx: ArrayLike, sw: ArrayLike) -> Int64:
    """R45. b_q = saturate(round_half_even(f32(b f32(1 / f32(sx sw)))), -2^31, 2^31 - 1), b taken as float32.

    Source: pytorch ``aten/src/ATen/native/quantized/cpu/qlinear.cpp``, QNNPACK path.
    """
    v = round_half_even(_times_reciprocal(b, sx, sw)).astype(np.float64)
    return np.clip(v, -(2.0**31), 2.0**31 - 1).astype(np.int64)  # float64 holds both rails


def bias_reciprocal_half_away(b: ArrayLike, sx: ArrayLike, sw: ArrayLike) -> Int64:
    """R46. b_q = saturate(round_half_away(f32(b f32(1 / f32(sx sw)))), -(2^31 - 1), 2^31 - 1): a symmetric range.

    b is taken as float32. Source: LiteRT ``tflite/tools/optimize/quantization_utils.cc``, SymmetricBiasQuantize.

    >>> bias_reciprocal_half_away([0.625], 0.5, 0.5)
    array([3])
    """
    v = round_half_away(_times_reciprocal(b, sx, sw)).astype(np.float64)
    return saturate_to(np.clip(v, -(2.0**31), 2.0**31).astype(np.int64), -(2**31 - 1), 2**31 - 1)


def bias_reciprocal_half_even_x86(b: ArrayLike, sx: ArrayLike, sw: ArrayLike) -> Int64:
    """R142. b_q = R22(round_half_even(f32(b f32(1 / f32(sx sw))))): 2^31 and more gives -2^31.

    Source: pytorch/executorch ``backends/xnnpack/operators/quant_params.py``, from_bias.

    >>> bias_reciprocal_half_even_x86([0.625, 1e30], 0.5, 0.5)
    array([          2, -2147483648])
    """
    return to_int32_x86(round_half_even(_times_reciprocal(b, sx, sw)))


def bias_reciprocal_float64_half_even_x86(b: ArrayLike, sx: ArrayLike, sw: ArrayLike) -> Int64:
    """R143. b_q = R22(round_half_even(f32(b f32(f64(1 / (sx sw)))))), the scales' product exact.

    Source: pytorch/executorch ``backends/xnnpack/operators/quant_params.py``, from_bias.
    """
    with np.errstate(divide="ignore", **IGNORED):
        return to_int32_x86(round_half_even(np.asarray(to_float32(b) * to_float32(1 / _exact_product(sx, sw)))))


def bias_quotient_half_even_x86(b: ArrayLike, sx: ArrayLike, sw: ArrayLike) -> Int64:
    """R144. b_q = R22(round_half_even(f32(b / f32(sx sw)))).

    Source: openxla/stablehlo ``stablehlo/transforms/StablehloLegalizeQuantToMath.cpp``; runs of IREE 3.13.0.
    """
    with np.errstate(divide="ignore", **IGNORED):
        return to_int32_x86(round_half_even(np.asarray(to_float32(b) / scale_product_float32(sx, sw))))


def _exact_product(sx: ArrayLike, sw: ArrayLike) -> Float64:
    """Return sx sw: of two float32 numbers the product has 48 bits."""
    return np.asarray(np.asarray(sx, np.float32).astype(np.float64) * np.asarray(sw, np.float32).astype(np.float64))


def _divided_half_even(b: ArrayLike, sx: ArrayLike, sw: ArrayLike, low: float, high: float) -> Int64:
    """Return saturate(round_half_even(f64(b / (sx sw))), low, high)."""
    with np.errstate(over="ignore"):
        v = round_half_even(np.asarray(to_float64(b) / _exact_product(sx, sw)))
    # Clipped in float64, which holds both rails and keeps infinities out of the integer cast.
    return np.clip(v, low, high).astype(np.int64)


def _times_reciprocal(b: ArrayLike, sx: ArrayLike, sw: ArrayLike) -> Float32:
    """Return f32(b f32(1 / f32(sx sw)))."""
    with np.errstate(divide="ignore", **IGNORED):
        return np.asarray(to_float32(b) * (np.float32(1) / scale_product_float32(sx, sw)))
