"""The float output stages of engines: from the accumulator to the code, every float operation rounded where it rounds.

Legend: acc int32 accumulator, M multiplier (float32 or float64 number), sx sw sy scales, b float32 bias, zy zero point,
[qmin, qmax] output interval; f32, f64 as in R0.
"""

from fractions import Fraction

from npquant.spec.conversion import code_saturating, code_through_int16, code_wrapping_x86
from npquant.spec.floating import to_float32, to_float64
from npquant.spec.rounding import round_half_away, round_half_even, round_half_up, saturate, wrap


def stage_float64_half_away(acc: int, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """Scale in float64, round half away, then wrap as x86 does.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    m : Fraction
        M, a binary64 number.
    zy, qmin, qmax : int
        Output zero point and interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R25. y_q = R23(round_half_away(f64(acc M))). Source: LiteRT ``reference/integer_ops/fully_connected.h`` since commit
    9213607.

    Examples
    --------
    >>> stage_float64_half_away(-5, Fraction(1, 2), 0, -128, 127)
    -3
    """
    return code_wrapping_x86(round_half_away(to_float64(acc * m)), zy, qmin, qmax)


def stage_float32_half_even(acc: int, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """Scale in float32, round half even, saturate.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    m : Fraction
        M, a binary32 number.
    zy, qmin, qmax : int
        Output zero point and interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R26. y_q = saturate(round_half_even(f32(f32(acc) M)) + zy). Clipping the float to [qmin - zy, qmax - zy] first, as
    engines do, commutes with the rounding: both bounds are integers. Source: microsoft/onnxruntime
    ``core/mlas/lib/quantize.cpp``, MlasRequantizeOutput; XNNPACK ``src/qs8-qc8w-gemm``.

    Examples
    --------
    >>> stage_float32_half_even(-5, Fraction(1, 2), 0, -128, 127)
    -2
    """
    return code_saturating(round_half_even(to_float32(to_float32(Fraction(acc)) * m)), zy, qmin, qmax)


def stage_float32_half_even_low_wraps(acc: int, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """Scale in float32, clip from above only, round half even, wrap below int32.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    m : Fraction
        M, a binary32 number.
    zy, qmin, qmax : int
        Output zero point and interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R27. y_q = R23(round_half_even(min(f32(f32(acc) M), qmax - zy))), saturated to [qmin, max(qmax, 127)]: below -2^31
    it gives 127 where zy < 0, whatever the activation's upper bound. Source: XNNPACK
    ``src/qs8-qc8w-gemm`` AVX-512 kernels.

    Examples
    --------
    >>> stage_float32_half_even_low_wraps(-(2**31), Fraction(4), -1, -128, 127)
    127
    """
    v = min(to_float32(to_float32(Fraction(acc)) * m), Fraction(qmax - zy))
    return code_wrapping_x86(round_half_even(v), zy, qmin, max(qmax, 127))


def stage_float64_zero_point_first(acc: int, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """Scale in float64, add the zero point, then round half even.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    m : Fraction
        M, a binary32 number, promoted.
    zy, qmin, qmax : int
        Output zero point and interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R28. y_q = saturate(round_half_even(f64(f64(acc M) + zy))): with an odd zy every tie goes to the other side. Source:
    onnx/onnx ``onnx/reference/ops/op_qlinear_matmul.py``, by NumPy's promotion of int32 and float32.

    Examples
    --------
    >>> stage_float64_zero_point_first(-5, Fraction(1, 2), 1, -128, 127)
    -2
    """
    return saturate(round_half_even(to_float64(to_float64(acc * m) + zy)), qmin, qmax)


def stage_mantissa24_half_up(acc: int, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """Scale by the 24-bit mantissa of a float32 multiplier with one rounding, ties up.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    m : Fraction
        M, a binary32 number.
    zy, qmin, qmax : int
        Output zero point and interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R29. y_q = saturate(wrap32(round_half_up(acc M)) + zy): M is exactly its mantissa times a power of two, so the
    product is exact; the rounded product is cast to int32 before it is clamped. Source: google/XNNPACK
    ``src/xnnpack/requantization.h``, xnn_qu8_requantize_rndnu and xnn_qs8_requantize_rndnu, and
    ``src/qu8-gemm/gen/qu8-gemm-1x4-minmax-rndnu-scalar.c``, revision 75db3c09.

    Examples
    --------
    >>> stage_mantissa24_half_up(-5, Fraction(1, 2), 0, -128, 127)
    -2
    >>> stage_mantissa24_half_up(2**31 - 1, Fraction(3, 2), 0, 0, 255)
    0
    """
    return code_saturating(wrap(round_half_up(acc * m), 32), zy, qmin, qmax)


def stage_float32_through_int16(v: Fraction, m: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """Scale a float32 accumulator in float32, round half even, pack through int16.

    Parameters
    ----------
    v : Fraction
        Accumulator with its bias, a binary32 number.
    m : Fraction
        M, a binary32 number.
    zy, qmin, qmax : int
        Output zero point and interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R30. y_q = R24(round_half_even(f32(v M))): 2^31 or more gives the low rail. Source: pytorch/FBGEMM
    ``src/QuantUtilsAvx2.cc``, requantizeOutputProcessingAvx2; QNNPACK ``q8gemm`` SSE2 kernels.

    Examples
    --------
    >>> stage_float32_through_int16(Fraction(5), Fraction(1, 2), 128, 0, 255)
    130
    """
    return code_through_int16(round_half_even(to_float32(v * m)), zy, qmin, qmax)


def bias_added_fused(acc: int, b: Fraction, sx_sw: Fraction) -> Fraction:
    """Add a float bias in accumulator units with one fused multiply-add.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    b : Fraction
        Bias, real, a binary32 number.
    sx_sw : Fraction
        f32(sx sw).

    Returns
    -------
    Fraction
        A binary32 number.

    Notes
    -----
    R31. v = f32(b f32(1 / sx_sw) + f32(acc)), rounded once. Source:
    pytorch/FBGEMM ``src/QuantUtilsAvx2.cc`` per-tensor,
    contracted by the compiler.

    Examples
    --------
    >>> bias_added_fused(3, Fraction(1, 4), Fraction(1, 2))
    Fraction(7, 2)
    """
    return to_float32(b * to_float32(1 / sx_sw) + to_float32(Fraction(acc)))


def bias_added_divided(acc: int, b: Fraction, sx_sw: Fraction) -> Fraction:
    """Add a float bias in accumulator units after a division.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    b : Fraction
        Bias, real, a binary32 number.
    sx_sw : Fraction
        f32(sx sw).

    Returns
    -------
    Fraction
        A binary32 number.

    Notes
    -----
    R32. v = f32(f32(acc) + f32(b / sx_sw)). Source: pytorch/FBGEMM ``src/QuantUtilsAvx2.cc`` per-channel.

    Examples
    --------
    >>> bias_added_divided(3, Fraction(1, 4), Fraction(1, 2))
    Fraction(7, 2)
    """
    return to_float32(to_float32(Fraction(acc)) + to_float32(b / sx_sw))


def stage_float32_zero_point_first(v: Fraction, sy: Fraction, zy: int, qmin: int, qmax: int) -> int:
    """Multiply a real float32 output by the reciprocal of its scale, add the zero point, round half even.

    Parameters
    ----------
    v : Fraction
        Real output before quantization, a binary32 number.
    sy : Fraction
        Output scale, a binary32 number.
    zy, qmin, qmax : int
        Output zero point and interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R33. y_q = saturate(round_half_even(f32(f32(v f32(1 / sy)) + zy))). Source: uxlfoundation/oneDNN
    ``src/cpu/matmul/ref_matmul_int8.cpp``.

    Examples
    --------
    >>> stage_float32_zero_point_first(Fraction(5, 4), Fraction(1, 2), 1, 0, 255)
    4
    """
    return saturate(round_half_even(to_float32(to_float32(v * to_float32(1 / sy)) + zy)), qmin, qmax)
