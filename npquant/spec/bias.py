"""Bias codes from a real bias, by engine.

Legend: b real bias, sx and sw scales of input and weights (binary32 numbers), b_q bias code; f32, f64 as in R0.
A tie, 5/2 steps, by each rule:

>>> rules = (bias_half_even, bias_half_even_wide, bias_reciprocal_half_even, bias_reciprocal_half_away)
>>> [rule(Fraction(5, 8), Fraction(1, 2), Fraction(1, 2)) for rule in rules]
[2, 2, 2, 3]
"""

from fractions import Fraction

from npquant.spec.floating import to_float32, to_float64
from npquant.spec.rounding import INT32_MAX, INT32_MIN, round_half_away, round_half_even, saturate


def bias_half_even(b: Fraction, sx: Fraction, sw: Fraction) -> int:
    """R39. b_q = saturate(round_half_even(f64(b / (sx sw))), -2^31, 2^31 - 1), b a binary64 number."""
    return saturate(round_half_even(to_float64(b / (sx * sw))), INT32_MIN, INT32_MAX)


def bias_half_even_wide(b: Fraction, sx: Fraction, sw: Fraction) -> int:
    """R171. b_q = saturate(round_half_even(f64(b / (sx sw))), -2^46, 2^46), b a binary64 number: R39 for the int64
    biases beside int16 inputs, which leave half of the accumulator's 48 bits (R170) to the products.
    """
    return saturate(round_half_even(to_float64(b / (sx * sw))), -(2**46), 2**46)


def bias_reciprocal_half_even(b: Fraction, sx: Fraction, sw: Fraction) -> int:
    """R45. b_q = saturate(round_half_even(f32(b f32(1 / f32(sx sw)))), -2^31, 2^31 - 1), b a binary32 number.
    Source: pytorch ``aten/src/ATen/native/quantized/cpu/qlinear.cpp``, QNNPACK path.
    """
    v = to_float32(b * to_float32(1 / to_float32(sx * sw)))
    return saturate(round_half_even(v), INT32_MIN, INT32_MAX)


def bias_reciprocal_half_away(b: Fraction, sx: Fraction, sw: Fraction) -> int:
    """R46. b_q = saturate(round_half_away(f32(b f32(1 / f32(sx sw)))), -(2^31 - 1), 2^31 - 1), b a binary32 number.
    The range is symmetric. Source: LiteRT ``tflite/tools/optimize/quantization_utils.cc``, SymmetricBiasQuantize
    (TFLite's converter).
    """
    v = to_float32(b * to_float32(1 / to_float32(sx * sw)))
    return saturate(round_half_away(v), -INT32_MAX, INT32_MAX)
