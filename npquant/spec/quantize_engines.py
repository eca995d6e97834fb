"""The quantize operators of engines on one finite float32 value: divide or multiply, round, convert.

Legend: x real value (a float32 number), s scale, z zero point, [qmin, qmax] code interval; f32, f64 as in R0.
"""

from fractions import Fraction

from npquant.spec.conversion import code_saturating, code_through_int16, code_wrapping_x86
from npquant.spec.floating import to_float32, to_float64
from npquant.spec.rounding import round_half_away, round_half_even, saturate


def quantize_divide_half_away(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """Divide in float32, round half away, wrap as x86 does.

    Parameters
    ----------
    x, s : Fraction
        Value and scale, binary32 numbers.
    z, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Code.

    Notes
    -----
    R50. q = R23(round_half_away(f32(x / s))). Source: LiteRT ``reference/quantize.h``.

    Examples
    --------
    >>> quantize_divide_half_away(Fraction(-5, 4), Fraction(1, 2), 0, -128, 127)
    -3
    """
    return code_wrapping_x86(round_half_away(to_float32(x / s)), z, qmin, qmax)


def quantize_divide_half_away_float64(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """Divide in float64, round half away, wrap as x86 does.

    Parameters
    ----------
    x, s : Fraction
        Value and scale, binary32 numbers.
    z, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Code.

    Notes
    -----
    R51. q = R23(round_half_away(f64(x / s))). Source: LiteRT ``optimized/optimized_ops.h``, AffineQuantize, its last n
    mod 8 elements.

    Examples
    --------
    >>> quantize_divide_half_away_float64(Fraction(-5, 4), Fraction(1, 2), 0, -128, 127)
    -3
    """
    return code_wrapping_x86(round_half_away(to_float64(x / s)), z, qmin, qmax)


def quantize_reciprocal_half_even_wrapping(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """Multiply by the float32 reciprocal, round half even, wrap as x86 does.

    Parameters
    ----------
    x, s : Fraction
        Value and scale, binary32 numbers.
    z, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Code.

    Notes
    -----
    R52. q = R23(round_half_even(f32(x f32(1 / s)))). Source: LiteRT ``optimized/optimized_ops.h``, AffineQuantize,
    whole vectors of 8.

    Examples
    --------
    >>> quantize_reciprocal_half_even_wrapping(Fraction(-5, 4), Fraction(1, 2), 0, -128, 127)
    -2
    """
    return code_wrapping_x86(round_half_even(to_float32(x * to_float32(1 / s))), z, qmin, qmax)


def quantize_reciprocal_half_even(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """Multiply by the float32 reciprocal, round half even, saturate through int16.

    Parameters
    ----------
    x, s : Fraction
        Value and scale, binary32 numbers.
    z, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Code.

    Notes
    -----
    R53. q = saturate(sat16(sat16(round_half_even(f32(x f32(1 / s)))) + z)). Source: XNNPACK ``src/f32-qs8-vcvt``.

    Examples
    --------
    >>> quantize_reciprocal_half_even(Fraction(-5, 4), Fraction(1, 2), 0, -128, 127)
    -2
    """
    v = saturate(round_half_even(to_float32(x * to_float32(1 / s))), -(2**15), 2**15 - 1)
    return code_through_int16(v, z, qmin, qmax)


def quantize_divide_half_even(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """Divide in float32, round half even, saturate.

    Parameters
    ----------
    x, s : Fraction
        Value and scale, binary32 numbers.
    z, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Code.

    Notes
    -----
    R54. q = saturate(round_half_even(f32(x / s)) + z). Source: microsoft/onnxruntime ``core/mlas/lib/quantize.cpp``,
    MlasQuantizeLinear; onnx/onnx ``onnx/defs/quantization/defs.cc``.

    Examples
    --------
    >>> quantize_divide_half_even(Fraction(-5, 4), Fraction(1, 2), 0, -128, 127)
    -2
    """
    return code_saturating(round_half_even(to_float32(x / s)), z, qmin, qmax)


def quantize_divide_half_even_wrapping(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """Divide in float32, round half even, wrap as x86 does.

    Parameters
    ----------
    x, s : Fraction
        Value and scale, binary32 numbers.
    z, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Code.

    Notes
    -----
    R55. q = R23(round_half_even(f32(x / s))). Source: onnx/onnx ``onnx/reference/ops/op_quantize_linear.py``, whose
    cast to int32 is the processor's.

    Examples
    --------
    >>> quantize_divide_half_even_wrapping(Fraction(2**40), Fraction(1), 5, -128, 127)
    -128
    """
    return code_wrapping_x86(round_half_even(to_float32(x / s)), z, qmin, qmax)


def quantize_fused_zero_point_first(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """Multiply by the reciprocal and add the zero point in one fused step, then round half even.

    Parameters
    ----------
    x, s : Fraction
        Value and scale, binary32 numbers.
    z, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Code.

    Notes
    -----
    R56. q = saturate(R22(round_half_even(min(f32(x f32(1 / s) + z), 2147483520)))). Source: pytorch/FBGEMM
    ``include/fbgemm/QuantUtils.h``, Quantize (legacy order), as torch 2.13.0 ships it.

    Examples
    --------
    >>> quantize_fused_zero_point_first(Fraction(-5, 4), Fraction(1, 2), 1, -128, 127)
    -2
    """
    v = min(to_float32(x * to_float32(1 / s) + z), Fraction(2147483520))
    return code_wrapping_x86(round_half_even(v), 0, qmin, qmax)


def quantize_zero_point_first(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """Multiply by the reciprocal, add the zero point, then round half even: three roundings.

    Parameters
    ----------
    x, s : Fraction
        Value and scale, binary32 numbers.
    z, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Code.

    Notes
    -----
    R57. q = saturate(round_half_even(f32(f32(x f32(1 / s)) + z))). Source: pytorch
    ``aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp``, per channel.

    Examples
    --------
    >>> quantize_zero_point_first(Fraction(-5, 4), Fraction(1, 2), 1, -128, 127)
    -2
    """
    return saturate(round_half_even(to_float32(to_float32(x * to_float32(1 / s)) + z)), qmin, qmax)


def dequantize_two_products(q: int, s: Fraction, z: int) -> Fraction:
    """Return the real value of one code by two float32 products and a float32 sum.

    Parameters
    ----------
    q : int
        Code.
    s : Fraction
        Scale, a binary32 number.
    z : int
        Zero point.

    Returns
    -------
    Fraction
        A binary32 number.

    Notes
    -----
    R58. x = f32(f32(q s) + f32(-z s)). Source: LiteRT ``optimized/optimized_ops.h``, Dequantize, whole vectors of 8.

    Examples
    --------
    >>> dequantize_two_products(3, Fraction(1, 2), 1)
    Fraction(1, 1)
    """
    return to_float32(to_float32(q * s) + to_float32(-z * s))
