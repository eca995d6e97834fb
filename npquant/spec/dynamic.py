"""Dynamic quantization on exact numbers: the scale and zero point that a tensor's own range gives.

Legend: lo, hi smallest and largest value, s scale, z zero point of unsigned 8-bit codes, in [0, 255]; acc int32
accumulator; sx, sw scales of input and weights, b bias; values and scales are binary32 numbers; f32 as in R0.
"""

from fractions import Fraction

from npquant.spec.floating import to_float32
from npquant.spec.rounding import round_half_even, saturate


def dynamic_parameters(lo: Fraction, hi: Fraction, empty_span: int) -> tuple[Fraction, int]:
    """R60. s = f32(span / 255), span = f32(hi - lo) or empty_span; z = saturate(round_half_even(f32(-f32(lo / s))), 0,
    255).
    The range is widened to contain 0. empty_span stands for hi - lo where both are 0: 255 gives scale 1, 1 gives scale
    1 / 255. Source: microsoft/onnxruntime ``core/providers/cpu/quantization/dynamicquantizelinear.cc`` (255); onnx/onnx
    ``onnx/reference/ops/op_dynamic_quantize_linear.py`` (1).

    >>> dynamic_parameters(Fraction(-1), Fraction(254), 255), dynamic_parameters(Fraction(0), Fraction(0), 255)
    ((Fraction(1, 1), 1), (Fraction(1, 1), 0))
    """
    low, high = min(lo, Fraction(0)), max(hi, Fraction(0))
    span = Fraction(empty_span) if low == high else to_float32(high - low)
    scale = to_float32(span / 255)
    # low <= 0 <= high, so the zero point is in [0, 255] but for the roundings of span and quotient.
    return scale, saturate(round_half_even(-to_float32(low / scale)), 0, 255)


def rescale_float32(acc: int, sx: Fraction, sw: Fraction) -> Fraction:
    """R61. y = f32(f32(acc) f32(sx sw)): the real value of an accumulator, by two float32 products.
    Source: microsoft/onnxruntime ``contrib_ops/cpu/quantization/matmul_integer_base.h`` and its Cast and Mul nodes,
    which compute the same.

    >>> rescale_float32(2**24 + 1, Fraction(1, 2), Fraction(1))
    Fraction(8388608, 1)
    """
    return to_float32(to_float32(Fraction(acc)) * to_float32(sx * sw))


def real_output(acc: int, sx: Fraction, sw: Fraction, b: Fraction) -> Fraction:
    """y = f32(R61 + b): product and sum rounded apart, as LiteRT, QNNPACK and ONNX Runtime have them.

    >>> real_output(3, Fraction(1), Fraction(1, 2), Fraction(1))
    Fraction(5, 2)
    """
    return to_float32(rescale_float32(acc, sx, sw) + b)
