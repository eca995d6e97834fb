"""Sigmoid and tanh of int16 codes on arrays: one table of 256 entries, and gemmlowp's fixed point.

Legend: q int16 codes of x, per-tensor, at zero point 0; y output of scale 1 / 2^15 at zero point 0, name "relu",
"relu6", "sigmoid" or "tanh"; s scale of x; shifts the k for which a scale of 2^(k-12) is exact. Output codes are int16.
ValueError where the engine refuses the parameters, or has no such activation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from npquant.arrays import Codes, Int64
from npquant.kernels.activation_bounds import bounds_half_away
from npquant.kernels.fixed_point_int16 import sigmoid_q3_int16, tanh_q3_int16
from npquant.kernels.qparams import QuantParams
from npquant.kernels.requantize_codes import clamp_activation_codes, requantize_codes_double_rounding
from npquant.kernels.rounding import saturate_to, wrap_int32

# Where the engines' table is one more than the rounded value.
ONE_MORE = (
    4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40, 41, 43, 44, 45, 46, 49,
    50, 54, 62, 63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255,
)  # fmt: skip


def table_uint16() -> Int64:
    """R93. The 256 entries round_half_up(2^16 sigmoid(i / 24)), and one more for the 44 of `ONE_MORE`.

    >>> table_uint16()[[0, 1, 4, 255]]
    array([32768, 33451, 35493, 65535])
    """
    # No entry lies within 2^-30 of a half, far beyond float64's error.
    table: Int64 = np.floor(2.0**16 / (1 + np.exp(-np.arange(256) / 24)) + 0.5).astype(np.int64)
    table[list(ONE_MORE)] += 1
    return table


def power_of_two(s: float) -> int | None:
    """Return the r of a scale that counts as 2^r: |log2 s - r| < 1 / 1000, the logarithm in float32.

    >>> power_of_two(2.0**-12 * 1.0006), power_of_two(2.0**-12 * 1.0007)
    (-12, None)
    """
    log2 = np.log(np.float32(s)) * (np.float32(1) / np.log(np.float32(2)))
    r = np.trunc(log2 + np.copysign(np.float32(0.5), log2))
    return int(r) if abs(np.float32(log2 - r)) < np.float32(1e-3) else None


def scaled_input(q: Codes, s: float, shifts: tuple[int, ...]) -> Int64:
    """R94. v = wrap32(q m + 2^(ls-1)) >> ls, in steps of 1 / (3 2^12). ValueError if 3 2^12 s leaves int32."""
    r = power_of_two(s)
    if r is not None and r + 12 in shifts:
        return q.astype(np.int64) * 3 << (r + 12)
    m, ls = float(s) * 12288.0, 0
    if m >= 2.0**31:
        raise ValueError(f"the input scale is {s:g}; the engine's multiplier, 12288 times that, must be an int32")
    while m <= (2**15 - 1) / 2 and ls <= 30:
        m, ls = 2 * m, ls + 1
    # |q m| <= 2^46 before it wraps.
    return wrap_int32(q.astype(np.int64) * int(m) + ((1 << ls) >> 1)) >> ls


def _interpolated(a: Int64, bits: int, last: int) -> Int64:
    """Return R of R95 for a = |v|."""
    table = table_uint16()
    u, t = np.minimum(a >> bits, 254), a & ((1 << bits) - 1)
    between = (table[u] << bits) + t * (table[u + 1] - table[u])
    return np.where(a >> bits >= 255, last, between)


def sigmoid_table_int16(q: Codes, s: float) -> Int64:
    """R95. Between two entries of R93, by v of R94.

    >>> sigmoid_table_int16(np.array([-32768, 0, 4096]), 2.0**-12)
    array([   11, 16384, 23956])
    """
    v = scaled_input(q, s, (0,))
    result = _interpolated(np.abs(v), 9, (2**15 - 1) << 10)
    return np.where(v >= 0, result + 512, 2**25 - result + 511) >> 10


def tanh_table_int16(q: Codes, s: float) -> Int64:
    """R95 for tanh.

    >>> tanh_table_int16(np.array([-32768, 0, 4096]), 2.0**-12)
    array([-32767,      0,  24956])
    """
    v = scaled_input(q, s, (0, 1))
    result = _interpolated(np.abs(v), 8, (2**16 - 1) << 8)
    return np.where(v >= 0, result - 2**23 + 128, 2**23 - result + 127) >> 8


def sigmoid_fixed_point_int16(q: Codes, s: float) -> Int64:
    """R96 where s counts as 2^-12, R95 elsewhere."""
    return sigmoid_q3_int16(q.astype(np.int64)) if power_of_two(s) == -12 else sigmoid_table_int16(q, s)


def tanh_fixed_point_int16(q: Codes, s: float) -> Int64:
    """R97 where s counts as 2^-12 or, doubled and saturated, as 2^-11; R95 elsewhere."""
    r = power_of_two(s)
    if r not in (-12, -11):
        return tanh_table_int16(q, s)
    return tanh_q3_int16(saturate_to(q.astype(np.int64) << (r + 12), -(2**15), 2**15 - 1))


Curve = Callable[[Codes, float], Int64]
TABLE: Mapping[str, Curve] = MappingProxyType({"sigmoid": sigmoid_table_int16, "tanh": tanh_table_int16})
FIXED_POINT: Mapping[str, Curve] = MappingProxyType(
    {"sigmoid": sigmoid_fixed_point_int16, "tanh": tanh_fixed_point_int16}
)


def _curve(name: str, q: Codes, x: QuantParams, y: QuantParams, curves: Mapping[str, Curve], engine: str) -> Codes:
    """Return sigmoid or tanh by one of the two families."""
    if name not in curves:
        raise ValueError(f"{engine} has no {name!r} on int16 codes; known: relu, relu6, sigmoid, tanh")
    r = power_of_two(float(y.scale))
    if r != -15 or (name == "sigmoid" and y.scale != 2.0**-15):
        raise ValueError(f"{engine}'s {name} wants an int16 output of scale 1 / 32768, not {float(y.scale):g}")
    return curves[name](q, float(x.scale)).astype(np.int16)


def _without_zero_points(x: QuantParams, y: QuantParams, engine: str) -> None:
    for role, params in (("input", x), ("output", y)):
        if params.zero_point:
            raise ValueError(f"{engine} wants int16 codes without zero points; the {role}'s is {params.zero_point}")


def activation_codes_int16_table(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R65 for the clamps, R95 for sigmoid and tanh: LiteRT's reference kernels on int16 codes.

    >>> p, y = QuantParams(2.0**-12, 0, -32768, 32767), QuantParams(2.0**-15, 0, -32768, 32767)
    >>> for rule in (activation_codes_int16_table, activation_codes_int16_fixed_point):
    ...     print(rule("sigmoid", np.int16([-20000, 4096]), p, y))
    [  247 23956]
    [  243 23952]
    """
    return _litert(name, q, x, y, TABLE)


def activation_codes_int16_fixed_point(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R65 for the clamps, R96 and R97 where the input's scale is a power of two, R95 elsewhere: LiteRT's optimized."""
    return _litert(name, q, x, y, FIXED_POINT)


def _litert(name: str, q: Codes, x: QuantParams, y: QuantParams, curves: Mapping[str, Curve]) -> Codes:
    _without_zero_points(x, y, "LiteRT")
    if name in ("relu", "relu6"):
        return clamp_activation_codes(name, q, x, y)
    return _curve(name, q, x, y, curves, "LiteRT")


def activation_codes_int16_tflm(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R62 for relu, clamped to R34; R84 for relu6, R95 for sigmoid and tanh: TFLite-Micro on int16 codes.

    relu6 may have zero points.

    >>> p = QuantParams(2.0**-8, 0, -32768, 32767)
    >>> activation_codes_int16_tflm("relu6", np.int16([-5, 5, 9999]), p, p)
    array([   0,    5, 1536], dtype=int16)
    """
    if name == "relu6":
        return saturate_to(q, *bounds_half_away(name, x)).astype(y.dtype)
    _without_zero_points(x, y, "TFLite-Micro")
    if name == "relu":
        return np.clip(requantize_codes_double_rounding(q, x, y), *bounds_half_away(name, y)).astype(y.dtype)
    return _curve(name, q, x, y, TABLE, "TFLite-Micro")
