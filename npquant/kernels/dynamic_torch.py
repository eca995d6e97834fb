"""torch's dynamically quantized linear layer on arrays: one scale for the whole input, and an epilogue by engine.

Legend: x float32 inputs of any shape, finite; lo and hi their range, widened to hold 0; top the largest code, 255, or
127 with reduce_range; scale in float64; made the codes of x, with a scale and a zero point, (); acc (B, N) int64
accumulators; sw () or (N,) float32 scales of the weights, b (N,) float32 bias or None.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float32, Int64
from npquant.kernels.dynamic import DynamicCodes, real_output
from npquant.kernels.floating import IGNORED, fma_float32, to_float32
from npquant.kernels.multiplier import scale_product_float32
from npquant.kernels.qparams import QuantParams
from npquant.kernels.quantize_engines import quantize_torch
from npquant.kernels.rounding import round_half_even

SMALLEST_SCALE: Final = np.float32(6.1e-5)


def torch_parameters(x: Float32, top: int) -> tuple[float, int]:
    """R116. sd = (hi - lo) / top in float64, z = half_even of -lo / sd or top - hi / sd, whichever end rounds less.

    A scale that is 0 in float32, or whose reciprocal is infinite, is 0.1; below 6.1e-5 it becomes that, and the range
    is stretched with it. Source: pytorch ``aten/src/ATen/native/quantized/cpu/QuantUtils.h``, ChooseQuantizationParams.

    >>> torch_parameters(np.float32([-1, 254]), 255)
    (1.0, 1)
    """
    lo, hi = np.float32(min(x.min(initial=0), 0)), np.float32(max(x.max(initial=0), 0))
    with np.errstate(divide="ignore", **IGNORED):
        scale = (float(hi) - float(lo)) / top
        if np.float32(scale) == 0 or np.isinf(np.float32(1) / np.float32(scale)):
            scale = 0.1
        if scale < SMALLEST_SCALE:
            lo, hi = _stretched(lo, hi, np.float32(scale), top)
            scale = float(SMALLEST_SCALE)
        low, high = float(lo) / scale, float(hi) / scale
    z = -low if -abs(low) < top - abs(high) else top - high
    return scale, int(round_half_even(np.asarray(np.clip(z, 0, top))))


def _stretched(lo: np.float32, hi: np.float32, scale: np.float32, top: int) -> tuple[np.float32, np.float32]:
    """Stretch a range, in float32, to what the smallest scale covers."""
    if lo == 0:
        return lo, SMALLEST_SCALE * np.float32(top)
    if hi == 0:
        return -(SMALLEST_SCALE * np.float32(top)), hi
    amplifier = SMALLEST_SCALE / scale
    return lo * amplifier, hi * amplifier


def torch_codes(x: ArrayLike, top: int) -> DynamicCodes:
    """R56 under R116: codes reach 255 even where the range was made for 127.

    >>> torch_codes([-1.0, 0.5, 254.0], 255).codes
    array([  0,   2, 255], dtype=uint8)
    """
    values = to_float32(x)
    scale, z = torch_parameters(values, top)
    codes = quantize_torch(values, QuantParams(scale, z, 0, 255))
    return DynamicCodes(codes.astype(np.uint8), np.asarray(scale, np.float32), np.asarray(z, np.uint8))


def onednn_codes(x: ArrayLike, top: int) -> DynamicCodes:
    """D6. R57 with s' = f32(1 / f32(1 / sd)) of R116, which scales the outputs too.

    Source: pytorch ``aten/src/ATen/native/quantized/cpu/qlinear_dynamic.cpp``; the order from runs.

    >>> onednn_codes([-1.0, 0.5, 254.0], 255).codes
    array([  0,   2, 255], dtype=uint8)
    """
    values, one = to_float32(x), np.float32(1)
    scale, z = torch_parameters(values, top)
    back = one / np.float32(1 / scale)
    with np.errstate(**IGNORED):
        v = round_half_even(np.asarray(values * (one / back) + np.float32(z)))
    return DynamicCodes(np.clip(v, 0, 255).astype(np.uint8), np.asarray(back), np.asarray(z, np.uint8))


def fbgemm_output(acc: Int64, made: DynamicCodes, sw: ArrayLike, b: ArrayLike | None) -> Float32:
    """R117. y = fma(f32(acc), f32(s sw), b). Source: FBGEMM ``src/QuantUtilsAvx2.cc``, requantizeForFloatAvx2.

    >>> fbgemm_output(np.array([[3]]), torch_codes([255.0], 255), 0.5, [1.0])
    array([[2.5]], dtype=float32)
    """
    scale = scale_product_float32(made.scale, sw)
    return fma_float32(acc.astype(np.float32), scale, np.float32(0) if b is None else np.asarray(b, np.float32))


def onednn_weight_scale(sw: ArrayLike) -> Float32:
    """Send a weight scale through a reciprocal and back; a per-tensor one starts in float64."""
    w, one = np.asarray(sw, np.float32), np.float32(1)
    once = one / w if w.ndim else (1 / w.astype(np.float64)).astype(np.float32)
    return np.asarray(one / once)


def onednn_output(acc: Int64, made: DynamicCodes, sw: ArrayLike, b: ArrayLike | None) -> Float32:
    """D7. y = f32(f32(f32(f32(acc) s') sw') + b), sw' = `onednn_weight_scale`: with VNNI.

    >>> onednn_output(np.array([[3]]), onednn_codes([255.0], 255), 0.5, [1.0])
    array([[2.5]], dtype=float32)
    """
    with np.errstate(**IGNORED):
        y = acc.astype(np.float32) * made.scale * onednn_weight_scale(sw)
        return np.asarray(y if b is None else y + np.asarray(b, np.float32))


def onednn_output_one_product(acc: Int64, made: DynamicCodes, sw: ArrayLike, b: ArrayLike | None) -> Float32:
    """D8. y = f32(f32(f32(acc) f32(s' sw')) + b): AVX2 without VNNI."""
    return real_output(acc, made, onednn_weight_scale(sw), b)
