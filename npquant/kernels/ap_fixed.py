"""Fixed-point types of high-level synthesis on arrays, ``ap_fixed<W, I, Q, O>``.

Legend: x real values, taken as float64; params per-tensor, without a zero point, scale s a power of two and interval
[qmin, qmax] all codes of W bits; mode a rounding of arrays, as `npquant.kernels.rounding` names them, overflow one of
the rules here. q integers as float64, of any size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Float64, Int64, Real
from npquant.kernels.floating import to_float64
from npquant.kernels.qparams import QuantParams

Mode = Callable[[Real], Real]
Overflow = Callable[[Float64, int, int], Int64]


def wrap_to_interval(q: Float64, qmin: int, qmax: int) -> Int64:
    """R150. The codes congruent to q modulo qmax - qmin + 1: AP_WRAP.

    >>> wrap_to_interval(np.array([130.0, -129.0, 2.0**80]), -128, 127)
    array([-126,  127,    0])
    """
    span = qmax - qmin + 1
    # fmod of floats is exact, and leaves less than 2^17.
    return (np.fmod(q, span).astype(np.int64) - qmin) % span + qmin


def saturate(q: Float64, qmin: int, qmax: int) -> Int64:
    """Clamp to [qmin, qmax]: AP_SAT."""
    return np.asarray(np.clip(q, qmin, qmax).astype(np.int64))


def zero_outside(q: Float64, qmin: int, qmax: int) -> Int64:
    """R151. q inside [qmin, qmax], else 0: AP_SAT_ZERO."""
    return np.asarray(np.where((q < qmin) | (q > qmax), 0.0, q).astype(np.int64))


def saturate_symmetric(q: Float64, qmin: int, qmax: int) -> Int64:
    """R152. saturate(q, max(qmin, -qmax), qmax): AP_SAT_SYM.

    >>> saturate_symmetric(np.array([130.0, -128.0]), -128, 127)
    array([ 127, -127])
    """
    return saturate(q, max(qmin, -qmax), qmax)


def quantize_ap_fixed(x: ArrayLike, params: QuantParams, mode: Mode, overflow: Overflow) -> Codes:
    """R153. q = overflow(mode(x / s), qmin, qmax). ValueError of NaN and infinities, and of params that are no type.

    Source: Xilinx/HLS_arbitrary_Precision_Types ``include/ap_fixed_base.h``, the constructor from double.

    >>> from npquant.kernels.rounding import round_floor, round_half_even
    >>> eight = QuantParams(0.5, 0, -128, 127)
    >>> [quantize_ap_fixed([63.75], eight, mode, wrap_to_interval) for mode in (round_floor, round_half_even)]
    [array([127], dtype=int8), array([-128], dtype=int8)]
    """
    _refuse_no_type(params)
    # A division by a power of two is exact, but for what leaves float64.
    with np.errstate(over="ignore"):
        v = to_float64(x) / np.float64(params.scale)
    if not np.isfinite(v).all():
        raise ValueError("x contains NaN or infinity, or a value too large for float64 in steps of the scale")
    return np.asarray(overflow(np.asarray(mode(v)), params.qmin, params.qmax).astype(params.dtype))


def _refuse_no_type(params: QuantParams) -> None:
    """Raise ValueError where no ap_fixed or ap_ufixed has these codes."""
    span = params.qmax - params.qmin + 1
    if params.per_channel or params.zero_point:
        raise ValueError("ap_fixed has one scale, and no zero point")
    if np.frexp(params.scale)[0] != 0.5:
        raise ValueError(f"the scale is {params.scale:g}; the last bit of ap_fixed is a power of two")
    if span & (span - 1) or params.qmin not in (0, -span // 2):
        raise ValueError(f"ap_fixed has all codes of its bits; [{params.qmin}, {params.qmax}] are not")
