"""Softmax of int16 codes on arrays: two tables of 513 entries, and integers between them.

Legend: q (..., C) int16 codes of x, at zero point 0, y output of scale 1 / 2^15 at zero point 0, beta > 0 factor on the
real input; rows lie along the last axis. v int16 arguments, table 513 entries. Results are int16, of the shape of q.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes, Float64, Int64
from npquant.kernels.fixed_point_int16 import INT16_MAX, INT16_MIN
from npquant.kernels.multiplier import decompose_multiplier
from npquant.kernels.qparams import QuantParams
from npquant.kernels.requantize import requantize_double_rounding
from npquant.kernels.rounding import round_half_away, saturate_to, wrap_int32

FLOAT32_LESS, FLOAT32_MORE = 160, 294


def table_513(f: Callable[[Float64], Float64], low: float, high: float) -> Int64:
    """R98. The start of each of 512 lines, moved by half of what its middle misses, and the end of the last.

    The lines are of the function f between low and high.

    >>> table_513(lambda x: 1 / (1 + x), 0.0, 1.0)[:3]
    array([32767, 32704, 32640])
    """
    x, half = np.asarray(low + (high - low) / 512 * np.arange(513), np.float64), (high - low) / 1024
    g = 2.0**15 * f(x)
    start = np.asarray(round_half_away(g), np.float64)
    middle = np.asarray(round_half_away((g[1:] + start[:-1]) / 2), np.float64)
    missed = round_half_away((middle - round_half_away(2.0**15 * f(x[:-1] + half))) / 2)
    start[:-1] -= missed
    return np.clip(start, INT16_MIN, INT16_MAX).astype(np.int64)


def softmax_tables(*, float32: bool) -> tuple[Int64, Int64]:
    """Return E and I; TFLite-Micro makes them in float32, where two entries of I differ by one."""
    exponentials = table_513(np.exp, -10.0, 0.0)
    inverses = table_513(lambda x: 1 / (1 + x), 0.0, 1.0)
    inverses[FLOAT32_LESS] -= float32
    inverses[FLOAT32_MORE] += float32
    return exponentials, inverses


def looked_up(v: Int64, table: Int64) -> Int64:
    """Return the table between two entries: T[i] + floor(((T[i+1] - T[i]) (v mod 128) + 64) / 128)."""
    i = 256 + (v >> 7)
    between: Int64 = table[i] + (((table[i + 1] - table[i]) * (v & 127) + 64) >> 7)
    return between


def softmax_codes_int16(q: Codes, x: QuantParams, y: QuantParams, beta: float) -> Codes:
    """R99 with LiteRT's tables and f32(sx beta).

    ValueError if a zero point is not 0, or the output's scale is not 1 / 2^15 to within a thousandth.

    >>> x, y = QuantParams(0.001, 0, -32768, 32767), QuantParams(2.0**-15, 0, -32768, 32767)
    >>> softmax_codes_int16(np.array([[100, 100, -30000]], np.int16), x, y, 1.0)
    array([[16384, 16384,     1]], dtype=int16)
    """
    return _softmax(q, x, y, beta, float32=False)


def softmax_codes_int16_tflm(q: Codes, x: QuantParams, y: QuantParams, beta: float) -> Codes:
    """R99 with TFLite-Micro's tables and f64(sx beta); errors as `softmax_codes_int16`."""
    return _softmax(q, x, y, beta, float32=True)


def _softmax(q: Codes, x: QuantParams, y: QuantParams, beta: float, *, float32: bool) -> NDArray[np.int16]:
    if x.zero_point or y.zero_point or abs(float(y.scale) * 2.0**15 - 1) > 1e-3:
        raise ValueError(f"a softmax of int16 wants zero points of 0 and an output of scale 1 / 32768, not {x}, {y}")
    if not q.size:
        return q.astype(np.int16)
    product = float(x.scale) * float(np.float32(beta)) if float32 else float(x.scale * np.float32(beta))
    fixed = decompose_multiplier(product / (10.0 / 65535.0))
    exponentials, inverses = softmax_tables(float32=float32)
    away = requantize_double_rounding(q.astype(np.int64) - q.max(axis=-1, keepdims=True), fixed) + INT16_MAX
    powers = looked_up(saturate_to(away, INT16_MIN, INT16_MAX), exponentials)
    total = wrap_int32(powers.sum(axis=-1, keepdims=True))
    zeros = 32 - np.frexp((total % 2**32).astype(np.float64))[1].astype(np.int64)
    # S 2^h is below 2^32.
    place = (wrap_int32((total << zeros) >> 1) + 2**13 >> 14) - 98304
    inverse = looked_up(saturate_to(place, INT16_MIN, INT16_MAX), inverses)
    # Two factors of 15 bits.
    shares = (powers * inverse + (1 << np.maximum(30 - zeros, 0))) >> (31 - zeros)
    return saturate_to(shares, 0, INT16_MAX).astype(np.int16)
