"""From a code to a code of another scale, on exact numbers: the rounding rules of one operator.

Legend: q code; before = (s0, z0) and after = (s1, z1) scale (a binary32 number) and zero point, (sx, zx) and (sy, zy)
where an activation is between; [qmin, qmax] output interval, [low, high] that of an activation, R34; m, e as in R5.
-5/2 and -3/2 steps by the rules of whole operators:

>>> rules = (requantize_codes_double_rounding, requantize_codes_double_rounding_up, requantize_codes_8_bit_multiplier)
>>> one, two, four = ((Fraction(s), 0) for s in (1, 2, 4))
>>> [rule(-5, one, two, -128, 127) for rule in rules], [rule(-6, one, four, -128, 127) for rule in rules]
([-2, -2, -2], [-2, -1, -1])
"""

from fractions import Fraction
from math import floor

from npquant.spec.affine import Affine
from npquant.spec.floating import to_float32, to_float64
from npquant.spec.multiplier import decompose_multiplier
from npquant.spec.requantize import requantize_double_rounding, requantize_double_rounding_up
from npquant.spec.rounding import round_half_even, saturate, wrap


def requantize_codes_double_rounding(q: int, before: Affine, after: Affine, qmin: int, qmax: int) -> int:
    """R62. saturate(wrap32(R8(q - z0) + z1)), (m, e) = R5(f64(s0 / s1)); only int32 codes get so far that it wraps.
    Source: LiteRT ``reference/requantize.h``.
    """
    fixed = decompose_multiplier(to_float64(before[0] / after[0]))
    return saturate(wrap(requantize_double_rounding(q - before[1], *fixed) + after[1], 32), qmin, qmax)


def requantize_codes_double_rounding_up(q: int, before: Affine, after: Affine, qmin: int, qmax: int) -> int:
    """R63. saturate(R19(q - z0) + z1), (m, e) = R5(f64(s0 / s1)).
    Source: LiteRT ``optimized/optimized_ops.h``, Requantize, whole vectors of 16.
    """
    fixed = decompose_multiplier(to_float64(before[0] / after[0]))
    return saturate(requantize_double_rounding_up(q - before[1], *fixed) + after[1], qmin, qmax)


def requantize_codes_8_bit_multiplier(q: int, before: Affine, after: Affine, qmin: int, qmax: int) -> int:
    """R64. saturate(floor(((q - z0) k + 256 z1 + 128) / 256)), k = round_half_even(f32(256 f32(s0 / s1))).
    s0 / s1 in [2^-8, 2^7]. Source: XNNPACK ``src/qs8-vcvt``.
    """
    k = round_half_even(to_float32(256 * to_float32(before[0] / after[0])))
    return saturate(floor(Fraction((q - before[1]) * k + 256 * after[1] + 128, 256)), qmin, qmax)


def clamp_activation_code(q: int, before: Affine, after: Affine, low: int, high: int) -> int:
    """R65. saturate(R8(q - zx) + zy, low, high), (m, e) = R5(f32(sx / sy)): the ratio is float32, unlike R62's.
    A stand-alone activation that is a clamp. Source: LiteRT ``tflite/kernels/activations.cc``, QuantizedReluX.

    >>> clamp_activation_code(5, (Fraction(1), 0), (Fraction(2), -3), -3, 127)
    0
    """
    fixed = decompose_multiplier(to_float32(before[0] / after[0]))
    return saturate(requantize_double_rounding(q - before[1], *fixed) + after[1], low, high)


def clamp_code_without_rescale(q: int, low: int, high: int) -> int:
    """R84. saturate(q, low, high), between the input's own codes of 0 and 6: R34 of the input's scale and zero point.
    The output's do not enter. Source: tflite-micro ``micro/kernels/activations_common.cc``, Relu6Quantized.
    """
    return saturate(q, low, high)
