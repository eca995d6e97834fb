"""Bugs of QUANTIZE: what a kernel makes of ties, NaN, infinities, huge values and tiny scales.

Legend: x real values as float32, any shape; p their quantization; each function returns codes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes, Float32, Float64
from npquant.kernels.qparams import QuantParams


def _ratio(x: Float32, p: QuantParams) -> Float64:
    with np.errstate(all="ignore"):
        return np.asarray(np.asarray(x, np.float32) / np.asarray(p.scale, np.float32), np.float64)


def _coded(steps: NDArray[Any], p: QuantParams) -> Codes:
    with np.errstate(all="ignore"):
        whole = np.nan_to_num(np.asarray(steps, np.float64), nan=0.0) + np.asarray(p.zero_point)
    return np.asarray(np.clip(whole, p.qmin, p.qmax), p.dtype)


def truncates(x: Float32, p: QuantParams) -> Codes:
    """A cast."""
    return _coded(np.trunc(_ratio(x, p)), p)


def floors(x: Float32, p: QuantParams) -> Codes:
    """floor()."""
    return _coded(np.floor(_ratio(x, p)), p)


def ties_up(x: Float32, p: QuantParams) -> Codes:
    """floor(v + 1/2)."""
    return _coded(np.floor(_ratio(x, p) + 0.5), p)


def ties_away(x: Float32, p: QuantParams) -> Codes:
    """round()."""
    v = _ratio(x, p)
    return _coded(np.copysign(np.floor(np.abs(v) + 0.5), v), p)


def ties_even(x: Float32, p: QuantParams) -> Codes:
    """rint()."""
    return _coded(np.rint(_ratio(x, p)), p)


def multiplies_by_the_reciprocal(x: Float32, p: QuantParams) -> Codes:
    """x (1 / s) in float32."""
    with np.errstate(all="ignore"):
        v = np.asarray(x, np.float32) * (np.float32(1) / np.asarray(p.scale, np.float32))
    return _coded(np.rint(v), p)


def rounds_after_the_zero_point(x: Float32, p: QuantParams) -> Codes:
    """rint(v + z)."""
    with np.errstate(all="ignore"):
        codes = np.rint(np.nan_to_num(_ratio(x, p) + np.asarray(p.zero_point), nan=float(np.max(p.zero_point))))
    return np.asarray(np.clip(codes, p.qmin, p.qmax), p.dtype)


def huge_values_wrap(x: Float32, p: QuantParams) -> Codes:
    """The cast to int32 comes before the clamp, and gives INT_MIN beyond it."""
    v = np.rint(_ratio(x, p))
    with np.errstate(all="ignore"):
        inside = np.where(np.abs(v) < 2.0**31, v, -(2.0**31))
    return _coded(inside, p)


def wraps_in_place_of_saturating(x: Float32, p: QuantParams) -> Codes:
    """The cast to 8 bits has no clamp."""
    with np.errstate(all="ignore"):
        v = np.clip(np.nan_to_num(np.rint(_ratio(x, p))), -(2.0**31), 2.0**31 - 1)
    return np.asarray((v + np.asarray(p.zero_point)).astype(np.int64), np.int64).astype(p.dtype)


def nan_becomes_the_highest_code(x: Float32, p: QuantParams) -> Codes:
    """NaN passes min and max on the wrong side."""
    v = _ratio(x, p)
    return np.where(np.isnan(v), p.qmax, _coded(np.rint(v), p)).astype(p.dtype)


def infinity_becomes_the_zero_point(x: Float32, p: QuantParams) -> Codes:
    """inf is treated as NaN."""
    v = _ratio(x, p)
    return _coded(np.rint(np.where(np.isinf(v), 0.0, v)), p)


def negative_values_are_mirrored(x: Float32, p: QuantParams) -> Codes:
    """|x|."""
    return _coded(np.rint(np.abs(_ratio(x, p))), p)


def zero_point_is_forgotten(x: Float32, p: QuantParams) -> Codes:
    """x / s."""
    with np.errstate(all="ignore"):
        v = np.nan_to_num(np.rint(_ratio(x, p)))
    return np.asarray(np.clip(v, p.qmin, p.qmax), p.dtype)


def subnormal_inputs_are_flushed(x: Float32, p: QuantParams) -> Codes:
    """Denormals are zero, and so is a quotient of a small scale."""
    small = np.abs(np.asarray(x, np.float32)) < np.float32(1.1754944e-38)
    return _coded(np.rint(_ratio(np.where(small, np.float32(0), x), p)), p)


def scale_of_channel_0_serves_all(x: Float32, p: QuantParams) -> Codes:
    """One scale for all channels."""
    first = QuantParams(np.ravel(p.scale)[0], np.ravel(p.zero_point)[0], p.qmin, p.qmax)
    return _coded(np.rint(_ratio(x, first)), first)
