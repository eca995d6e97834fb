"""Dynamic quantization on exact numbers: the scale and zero point that a tensor's own range gives.

Legend: lo, hi ends of the range, x a value (binary32 numbers), s scale, z zero point of unsigned 8-bit codes; f32 as
in R0.
"""

from fractions import Fraction

from npquant.spec.floating import to_float32
from npquant.spec.rounding import round_half_even, saturate


def dynamic_parameters(lo: Fraction, hi: Fraction, empty_span: int) -> tuple[Fraction, int]:
    """Return scale and zero point of a range, as ONNX engines do.

    Parameters
    ----------
    lo, hi : Fraction
        Smallest and largest value, binary32 numbers; the range is widened to contain 0.
    empty_span : int
        What stands for hi - lo where both are 0: 255 gives scale 1, 1 gives scale 1 / 255.

    Returns
    -------
    tuple of (Fraction, int)
        Scale, a binary32 number, and zero point in [0, 255].

    Notes
    -----
    R60. s = f32(span / 255), span = f32(hi - lo) or empty_span; z = saturate(round_half_even(f32(-f32(lo / s))), 0,
    255). Source: microsoft/onnxruntime ``core/providers/cpu/quantization/dynamicquantizelinear.cc`` (255); onnx/onnx
    ``onnx/reference/ops/op_dynamic_quantize_linear.py`` (1).

    Examples
    --------
    >>> dynamic_parameters(Fraction(-1), Fraction(254), 255), dynamic_parameters(Fraction(0), Fraction(0), 255)
    ((Fraction(1, 1), 1), (Fraction(1, 1), 0))
    """
    low, high = min(lo, Fraction(0)), max(hi, Fraction(0))
    span = Fraction(empty_span) if low == high else to_float32(high - low)
    scale = to_float32(span / 255)
    return scale, saturate(round_half_even(-to_float32(low / scale)), 0, 255)


def rescale_float32(acc: int, sx: Fraction, sw: Fraction) -> Fraction:
    """Return the real value of an accumulator by two float32 products.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    sx, sw : Fraction
        Scales of input and weights, binary32 numbers.

    Returns
    -------
    Fraction
        A binary32 number.

    Notes
    -----
    R61. y = f32(f32(acc) f32(sx sw)). Source: microsoft/onnxruntime
    ``contrib_ops/cpu/quantization/matmul_integer_base.h`` and its Cast and Mul nodes, which compute the same.

    Examples
    --------
    >>> rescale_float32(2**24 + 1, Fraction(1, 2), Fraction(1))
    Fraction(8388608, 1)
    """
    return to_float32(to_float32(Fraction(acc)) * to_float32(sx * sw))
