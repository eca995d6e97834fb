"""The code interval that an activation which is a clamp leaves open.

Legend: low, high real bounds, (0, None) for ReLU, (0, 1) for clipped ReLU, None unbounded; scale s and zero_point z of
the output; [qmin, qmax] its code interval. Each function returns the narrowed (qmin, qmax). f32 as in R0.
"""

from __future__ import annotations

from fractions import Fraction

from npquant.spec.affine import quantize
from npquant.spec.floating import to_float32
from npquant.spec.rounding import round_half_away, round_half_even, saturate


def clamp_codes(
    low: Fraction | None, high: Fraction | None, scale: Fraction, zero_point: int, qmin: int, qmax: int
) -> tuple[int, int]:
    """R11. [R1(low), R1(high)]: quantization is monotone, so clamping codes is quantizing the clamped value.

    >>> clamp_codes(Fraction(0), Fraction(1), Fraction(1, 100), -28, -128, 127)
    (-28, 72)
    """
    bottom = qmin if low is None else quantize(low, scale, zero_point, qmin, qmax)
    top = qmax if high is None else quantize(high, scale, zero_point, qmin, qmax)
    return bottom, top


def clamp_codes_half_away(
    low: Fraction | None, high: Fraction | None, scale: Fraction, zero_point: int, qmin: int, qmax: int
) -> tuple[int, int]:
    """R34. saturate(z + round_half_away(f32(v / s)), qmin, qmax): a bound v as TFLite rounds it.
    Source: LiteRT ``tflite/kernels/kernel_util.cc``.

    >>> clamp_codes_half_away(Fraction(0), Fraction(6), Fraction(4), 0, -128, 127)
    (0, 2)
    """

    def code(v: Fraction) -> int:
        return saturate(zero_point + round_half_away(to_float32(v / scale)), qmin, qmax)

    return qmin if low is None else code(low), qmax if high is None else code(high)


def clamp_codes_zero_point_first(
    low: Fraction | None, high: Fraction | None, scale: Fraction, zero_point: int, qmin: int, qmax: int
) -> tuple[int, int]:
    """R35. round_half_even(clip(f32(f32(v / s) + z), qmin, qmax)): a bound v as XNNPACK rounds it.
    Source: XNNPACK ``src/operators/fully-connected-nc.c``.

    >>> clamp_codes_zero_point_first(Fraction(0), Fraction(6), Fraction(4), 1, -128, 127)
    (1, 2)
    """

    def code(v: Fraction) -> int:
        return saturate(round_half_even(to_float32(to_float32(v / scale) + zero_point)), qmin, qmax)

    return qmin if low is None else code(low), qmax if high is None else code(high)
