"""Dynamic quantization on arrays: codes whose scale comes from the tensor itself, and the float32 way back.

Legend: x float32 real values of any shape, finite, lo and hi their range, s scale and z zero point, each (); acc (B, N)
int32 accumulators, sx () and sw () or (N,) float32 scales of inputs and weights; made the codes, b (N,) float32 bias or
None.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float32
from npquant.kernels.floating import IGNORED, to_float32
from npquant.kernels.multiplier import scale_product_float32
from npquant.kernels.rounding import round_half_even


class DynamicCodes(NamedTuple):
    """Hold 8-bit codes with the scales and zero points that were chosen for them: (), or (B, 1) for rows (B, K)."""

    codes: NDArray[Any]  # int8 or uint8
    scale: Float32
    zero_point: NDArray[Any]  # of the codes' type


def _dynamic_codes(x: ArrayLike, empty_span: float) -> DynamicCodes:
    """Quantize by R60 and R54; a scale that underflows to 0 makes quotients infinite or NaN, as in the engines."""
    values = to_float32(x)
    if not np.isfinite(values).all():
        raise ValueError("x contains NaN or infinity, whose range an engine answers by lane; remove them first")
    lo = np.minimum(np.float32(0), values.min(initial=0))
    hi = np.maximum(np.float32(0), values.max(initial=0))
    with np.errstate(divide="ignore", **IGNORED):
        span = np.float32(empty_span) if lo == hi else np.float32(hi - lo)
        scale = np.float32(span / np.float32(255))
        offset = np.float32(0) - lo / scale
        quotient = round_half_even(np.asarray(values / scale)).astype(np.float64)
    # lo / s is 0 / 0 where s has underflowed to 0 and lo is 0.
    z = 255 if np.isnan(offset) else int(round_half_even(np.clip(offset, 0, 255)))
    known = np.where(np.isnan(quotient), -np.inf, quotient)
    return DynamicCodes(np.clip(known + z, 0, 255).astype(np.uint8), np.asarray(scale), np.asarray(z, np.uint8))


def dynamic_quantize_unit_empty(x: ArrayLike) -> DynamicCodes:
    """R60 with 255 for an empty range, then R54: uint8 codes; a range of nothing but 0 gets scale 1.

    An empty x counts as 0. Where span / 255 underflows to 0, the zero point is 255 or 0 as lo is 0 or negative, and the
    codes are at a rail. ValueError if x contains NaN or infinity.
    Source: microsoft/onnxruntime ``core/providers/cpu/quantization/dynamicquantizelinear.cc``.

    >>> dynamic_quantize_unit_empty([-1.0, 0.5, 254.0]).codes
    array([  0,   1, 255], dtype=uint8)
    >>> float(dynamic_quantize_unit_empty([0.0]).scale)
    1.0
    """
    return _dynamic_codes(x, 255.0)


def dynamic_quantize_small_empty(x: ArrayLike) -> DynamicCodes:
    """R60 with 1 for an empty range, then R54: uint8 codes; a range of nothing but 0 gets scale 1 / 255.

    ValueError if x contains NaN or infinity. Source: onnx/onnx ``onnx/reference/ops/op_dynamic_quantize_linear.py``.

    >>> float(dynamic_quantize_small_empty([0.0]).scale)
    0.003921568859368563
    """
    return _dynamic_codes(x, 1.0)


def rescale_float32(acc: NDArray[np.integer], sx: ArrayLike, sw: ArrayLike) -> Float32:
    """R61. y = f32(f32(acc) f32(sx sw)), real outputs (B, N); overflow is infinite.

    >>> rescale_float32(np.array([[2**24 + 1]]), 2.0**-24, 1.0)
    array([[1.]], dtype=float32)
    """
    with np.errstate(**IGNORED):
        return np.asarray(acc.astype(np.float32) * scale_product_float32(sx, sw))


def real_output(acc: NDArray[np.integer], made: DynamicCodes, sw: ArrayLike, b: ArrayLike | None) -> Float32:
    """R61, then y = f32(. + b): product and sum rounded apart, as LiteRT, QNNPACK and ONNX Runtime have them.

    >>> real_output(np.array([[3]]), dynamic_quantize_unit_empty([255.0]), 0.5, [1.0])
    array([[2.5]], dtype=float32)
    """
    y = rescale_float32(acc, made.scale, sw)
    with np.errstate(**IGNORED):
        return y if b is None else np.asarray(y + np.asarray(b, np.float32))
