"""Softmax of int16 codes on exact numbers: two tables of 513 entries, and integers between them.

Legend: q the codes of one row, s input scale at zero point 0, beta factor on the real input (binary32 numbers); f a
decreasing or increasing real function, T its table over int16; v int16 argument; E the table of e^x over [-10, 0], I
that of 1 / (1 + x) over [0, 1]; rd rounds half away. The output's scale is 1 / 2^15 at zero point 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from math import floor

from npquant.spec.fixed_point_int16 import INT16_MAX, INT16_MIN
from npquant.spec.floating import to_float32, to_float64
from npquant.spec.lookup import enclose_exp
from npquant.spec.multiplier import decompose_multiplier
from npquant.spec.requantize import requantize_double_rounding
from npquant.spec.rounding import round_half_away, saturate, wrap

# Where TFLite-Micro's I, made in float32, is one less and one more.
FLOAT32_LESS, FLOAT32_MORE = 160, 294


def exp_dense(x: Fraction) -> Fraction:
    """Return e^x for x in [-10, 0] to within 2^-50: no entry of the table lies as near to a half."""
    return sum(enclose_exp(x, 50), Fraction(0)) / 2


def table_513(f: Callable[[Fraction], Fraction], low: Fraction, high: Fraction) -> list[int]:
    """R98. h = (high - low) / 512, g(x) = 2^15 f(x); s = rd(g(low + i h)), mid = rd((g(low + (i+1) h) + s) / 2);
    T[i] = sat16(s - rd((mid - rd(g(low + i h + h / 2))) / 2)), T[512] = sat16(rd(g(high))): half of what the middle of
    a line misses is taken off its start.
    Source: LiteRT ``tflite/kernels/internal/common.h``, LUTPopulateInt16.

    >>> table_513(lambda x: 1 / (1 + x), Fraction(0), Fraction(1))[:3]
    [32767, 32704, 32640]
    """
    half = (high - low) / 1024
    g = [2**15 * f(low + i * half) for i in range(1025)]
    entries = []
    for i in range(0, 1024, 2):
        start = round_half_away(g[i])
        missed = Fraction(round_half_away((g[i + 2] + start) / 2) - round_half_away(g[i + 1]), 2)
        entries.append(saturate(start - round_half_away(missed), INT16_MIN, INT16_MAX))
    return [*entries, saturate(round_half_away(g[1024]), INT16_MIN, INT16_MAX)]


@cache
def softmax_tables(float32: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return E and I; float32 where the engine makes them in float32.

    >>> exponentials, inverses = softmax_tables(float32=False)
    >>> exponentials[510:], inverses[160]
    ((31512, 32133, 32767), 24967)
    """
    exponentials = table_513(exp_dense, Fraction(-10), Fraction(0))
    inverses = table_513(lambda x: 1 / (1 + x), Fraction(0), Fraction(1))
    inverses[FLOAT32_LESS] -= float32
    inverses[FLOAT32_MORE] += float32
    return tuple(exponentials), tuple(inverses)


def looked_up(v: int, table: Sequence[int]) -> int:
    """Return T[i] + floor(((T[i+1] - T[i]) (v mod 128) + 64) / 128), i = 256 + floor(v / 128)."""
    i = 256 + v // 128
    return table[i] + ((table[i + 1] - table[i]) * (v % 128) + 64) // 128


def softmax_int16(q: Sequence[int], s: Fraction, beta: Fraction, float32: bool) -> list[int]:
    """R99. (m, e) = R5(f32(s beta) 65535 / 10), or of s beta where the tables are float32; p = E(sat16(R8(q - max q) +
    2^15 - 1)); S = wrap32(sum p), h its leading zeros; r = I(sat16(floor((S 2^(h-1) + 2^13) / 2^14) - 98304)); y =
    saturate(floor((p r + 2^(30-h)) / 2^(31-h)), 0, 2^15 - 1).
    Source: LiteRT ``reference/softmax.h``, SoftmaxInt16; tflite-micro ``micro/kernels/softmax_common.cc``.

    >>> softmax_int16([100, 100, -30000], Fraction(1, 1000), Fraction(1), False)
    [16384, 16384, 1]
    """
    exponentials, inverses = softmax_tables(float32)
    product = s * beta if float32 else to_float32(s * beta)
    fixed = decompose_multiplier(to_float64(to_float64(product) / to_float64(Fraction(10) / 65535)))
    largest = max(q)
    steps = [requantize_double_rounding(code - largest, *fixed) + INT16_MAX for code in q]
    powers = [looked_up(saturate(step, INT16_MIN, INT16_MAX), exponentials) for step in steps]
    total = wrap(sum(powers), 32)
    zeros = 32 - (total % 2**32).bit_length()
    place = floor(Fraction(wrap(total * 2**zeros // 2, 32) + 2**13, 2**14)) - 98304
    inverse = looked_up(saturate(place, INT16_MIN, INT16_MAX), inverses)
    return [saturate(floor(Fraction(p * inverse + 2 ** (30 - zeros), 2 ** (31 - zeros))), 0, INT16_MAX) for p in powers]
