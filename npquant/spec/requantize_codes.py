"""From a code to a code of another scale, on exact numbers: three rounding rules of one operator.

Legend: q code, (s0, z0) and (s1, z1) scale and zero point before and after (scales are binary32 numbers),
[qmin, qmax] output interval; m, e as in R5.
"""

from fractions import Fraction
from math import floor

from npquant.spec.floating import to_float32, to_float64
from npquant.spec.multiplier import decompose_multiplier
from npquant.spec.requantize import requantize_double_rounding, requantize_double_rounding_up
from npquant.spec.rounding import round_half_even, saturate

Affine = tuple[Fraction, int]


def requantize_codes_double_rounding(q: int, before: Affine, after: Affine, qmin: int, qmax: int) -> int:
    """Rescale a code with two roundings, the second half away.

    Parameters
    ----------
    q : int
        Code.
    before, after : tuple of (Fraction, int)
        (s0, z0) and (s1, z1).
    qmin, qmax : int
        Output interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R62. saturate(R8(q - z0) + z1), (m, e) = R5(f64(s0 / s1)). Source: LiteRT ``reference/requantize.h``.

    Examples
    --------
    >>> requantize_codes_double_rounding(-5, (Fraction(1), 0), (Fraction(2), 0), -128, 127)
    -2
    >>> requantize_codes_double_rounding(-6, (Fraction(1), 0), (Fraction(4), 0), -128, 127)
    -2
    """
    fixed = decompose_multiplier(to_float64(before[0] / after[0]))
    return saturate(requantize_double_rounding(q - before[1], *fixed) + after[1], qmin, qmax)


def requantize_codes_double_rounding_up(q: int, before: Affine, after: Affine, qmin: int, qmax: int) -> int:
    """Rescale a code with two roundings, both half up.

    Parameters
    ----------
    q : int
        Code.
    before, after : tuple of (Fraction, int)
        (s0, z0) and (s1, z1).
    qmin, qmax : int
        Output interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R63. saturate(R19(q - z0) + z1), (m, e) = R5(f64(s0 / s1)). Source: LiteRT ``optimized/optimized_ops.h``,
    Requantize, whole vectors of 16.

    Examples
    --------
    >>> requantize_codes_double_rounding_up(-6, (Fraction(1), 0), (Fraction(4), 0), -128, 127)
    -1
    """
    fixed = decompose_multiplier(to_float64(before[0] / after[0]))
    return saturate(requantize_double_rounding_up(q - before[1], *fixed) + after[1], qmin, qmax)


def requantize_codes_8_bit_multiplier(q: int, before: Affine, after: Affine, qmin: int, qmax: int) -> int:
    """Rescale a code by a multiple of 1 / 256.

    Parameters
    ----------
    q : int
        Code.
    before, after : tuple of (Fraction, int)
        (s0, z0) and (s1, z1), with s0 / s1 in [2^-8, 2^7].
    qmin, qmax : int
        Output interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R64. saturate(floor(((q - z0) k + 256 z1 + 128) / 256)), k = round_half_even(f32(256 f32(s0 / s1))). Source: XNNPACK
    ``src/qs8-vcvt``.

    Examples
    --------
    >>> requantize_codes_8_bit_multiplier(-3, (Fraction(1), 0), (Fraction(2), 0), -128, 127)
    -1
    """
    k = round_half_even(to_float32(256 * to_float32(before[0] / after[0])))
    return saturate(floor(Fraction((q - before[1]) * k + 256 * after[1] + 128, 256)), qmin, qmax)


def clamp_activation_code(q: int, before: Affine, after: Affine, low: int, high: int) -> int:
    """Rescale and clamp a code, as a stand-alone activation that is a clamp does.

    Parameters
    ----------
    q : int
        Code.
    before, after : tuple of (Fraction, int)
        (sx, zx) and (sy, zy).
    low, high : int
        The activation's interval, R34.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R65. saturate(R8(q - zx) + zy, low, high), (m, e) = R5(f32(sx / sy)): the ratio is float32, unlike R62's. Source:
    LiteRT ``tflite/kernels/activations.cc``, QuantizedReluX.

    Examples
    --------
    >>> clamp_activation_code(5, (Fraction(1), 0), (Fraction(2), -3), -3, 127)
    0
    """
    fixed = decompose_multiplier(to_float32(before[0] / after[0]))
    return saturate(requantize_double_rounding(q - before[1], *fixed) + after[1], low, high)


def clamp_code_without_rescale(q: int, low: int, high: int) -> int:
    """Clamp a code between the input's own codes of 0 and 6.

    Parameters
    ----------
    q : int
        Code.
    low, high : int
        R34 of the input's scale and zero point.

    Returns
    -------
    int
        Output code; the output's scale and zero point do not enter.

    Notes
    -----
    R84. saturate(q, low, high). Source: tflite-micro ``micro/kernels/activations_common.cc``, Relu6Quantized.

    Examples
    --------
    >>> clamp_code_without_rescale(100, 0, 60)
    60
    """
    return saturate(q, low, high)
