"""The code interval that an activation which is a clamp leaves open.

Legend: low, high real bounds, (0, None) for ReLU, (0, 1) for clipped ReLU, None unbounded; scale s and zero_point z of
the output; [qmin, qmax] its code interval. Each function returns the narrowed (qmin, qmax). f32 as in R0.
"""

from __future__ import annotations

from fractions import Fraction

from npquant.spec.affine import quantize
from npquant.spec.conversion import code_symmetric_add_half
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


def clamp_codes_per_unit(
    low: Fraction | None, high: Fraction | None, scale: Fraction, zero_point: int, qmin: int, qmax: int
) -> tuple[int, int]:
    """R134. saturate(R131(f32(v k)), qmin, qmax), k = f32(1 / s): the code of a bound v that clips the real value.
    Without a bound -127 and 127. Source: Tencent/ncnn ``src/layer/x86/x86_activation.h``, revision a4d2ea1.

    >>> clamp_codes_per_unit(Fraction(0), Fraction(6), Fraction(4), 0, -128, 127)
    (0, 2)
    """

    def code(v: Fraction) -> int:
        return code_symmetric_add_half(to_float32(v * to_float32(1 / scale)))

    bottom, top = -127 if low is None else code(low), 127 if high is None else code(high)
    return saturate(bottom, qmin, qmax), saturate(top, qmin, qmax)
