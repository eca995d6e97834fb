"""XNNPACK's dynamically quantized layer on arrays (qd8-f32-qc8w): codes row by row, all of it in float32.

Legend: B batch, K contracted depth, N outputs; x (B, K) float32 inputs, finite; made their codes, with a scale and a
zero point a row, (B, 1); acc (B, N) int64 accumulators; sw () or (N,) float32 scales of the weights, b (N,) float32
bias or None.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float32, Int64
from npquant.kernels.dynamic import DynamicCodes
from npquant.kernels.floating import IGNORED, fma_float32, to_float32
from npquant.kernels.qparams import FLOAT32_TINY
from npquant.kernels.rounding import round_half_even


def _flushed(v: ArrayLike) -> Float32:
    """Make 0 of subnormal numbers, as a thread does that XNNPACK has told to."""
    values = to_float32(v)
    return np.where(np.abs(values) < FLOAT32_TINY, np.float32(0), values)


def qd8_codes(x: ArrayLike) -> DynamicCodes:
    """R114. c = f32(255 / f32(hi - lo)), s = f32(1 / c), q = sat8(half_even(f32(x c)) + z).

    z = half_even of f32(-128 - f32(lo c)) or f32(127 - f32(hi c)), whichever end rounds less. A range of 0 gives c = 1.
    Subnormal numbers count as 0, among the inputs and in every step; where c is infinite, s is 0. ValueError if hi - lo
    is infinite. Source: XNNPACK ``src/xnnpack/quantization.h``, xnn_qd8_asymmetric_quantization_params.

    >>> made = qd8_codes([[-1.0, 0.5, 254.0]])
    >>> made.codes, made.zero_point
    (array([[-128, -127,  127]], dtype=int8), array([[-127]], dtype=int8))
    """
    values, one = _flushed(x), np.float32(1)
    lo, hi = (np.asarray(f(axis=1, keepdims=True, initial=0)) for f in (values.min, values.max))
    with np.errstate(divide="ignore", **IGNORED):
        span = _flushed(hi - lo)
        c = np.where(lo == hi, one, np.float32(255) / span)
        if not np.isfinite(span).all():
            raise ValueError("a row's range is beyond float32: scale the inputs")
        scale = _flushed(one / c)
        c = np.where(np.isinf(c), np.float32(0), c)  # s = 0: no code shows
        zero = _zero_point(lo * c, hi * c)
        steps = np.clip(round_half_even(np.asarray(values * c)), -(2**15), 2**15 - 1)
    return DynamicCodes(np.clip(steps + zero, -128, 127).astype(np.int8), scale, zero.astype(np.int8))


def _zero_point(low: Float32, high: Float32) -> Float32:
    """Return z of R114, of the range in steps: float32 integers."""
    low_code, high_code = np.float32(-128), np.float32(127)
    z = np.where((low_code + low) + (high_code + high) > 0, low_code - low, high_code - high)
    return np.asarray(round_half_even(np.clip(z, low_code, high_code)))


def qd8_output(acc: Int64, made: DynamicCodes, sw: ArrayLike, b: ArrayLike | None) -> Float32:
    """R115. y = fma(f32(f32(acc) s), sw, b); subnormal numbers count as 0.

    Source: XNNPACK ``src/qd8-f32-qc8w-gemm/gen``.

    >>> qd8_output(np.array([[3]]), qd8_codes([[255.0, 0.0]]), 0.5, [1.0])
    array([[2.5]], dtype=float32)
    """
    with np.errstate(**IGNORED):
        product = _flushed(acc.astype(np.float32) * made.scale)
    return _flushed(fma_float32(product, _flushed(sw), np.float32(0) if b is None else _flushed(b)))
