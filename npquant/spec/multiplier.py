"""A real multiplier as an integer multiplier and a power of two.

Legend: M real multiplier, m integer multiplier of 31 bits and a sign, e shift (positive = left): M ~ m 2^(e-31).
"""

from fractions import Fraction

from npquant.spec.floating import to_float32, to_float64
from npquant.spec.rounding import round_half_away


def real_multiplier(sx: Fraction, sw: Fraction, sy: Fraction) -> Fraction:
    """Return the factor that takes an accumulator step to an output step.

    Parameters
    ----------
    sx, sw, sy : Fraction
        Scales of input, weights and output; float32 numbers, > 0.

    Returns
    -------
    Fraction
        A binary64 number.

    Notes
    -----
    R4. M = f64(sx sw / sy). The product of two float32 numbers is exact in binary64, so this rounds once.

    Examples
    --------
    >>> real_multiplier(Fraction(1, 2), Fraction(1, 4), Fraction(1))
    Fraction(1, 8)
    """
    return to_float64(sx * sw / sy)


def decompose_multiplier(real: Fraction) -> tuple[int, int]:
    """Split M into a 31-bit integer and a power of two.

    Parameters
    ----------
    real : Fraction
        M, in (-2^30, 2^30); of scales it is positive.

    Returns
    -------
    multiplier : int
        m, 0 or 2^30 <= |m| in [-2^31, 2^31).
    shift : int
        e, in [-31, 30]; 0 where m is 0.

    Raises
    ------
    ValueError
        If M is 2^30 or more in magnitude.

    Notes
    -----
    R5. M = f 2^e with |f| in [1/2, 1); m = round_half_away(f 2^31); m = 2^31 becomes (2^30, e + 1); e < -31 gives
    (0, 0). -2^31 is an int32 and stays. The last rule flushes every M below about 2^-32: no int32 accumulator could reach one output step with it.
    Source: LiteRT ``tflite/kernels/internal/quantization_util.cc``, QuantizeMultiplier.

    Examples
    --------
    >>> decompose_multiplier(Fraction(3, 8))
    (1610612736, -1)
    """
    return _decompose(real, 31)


def _decompose(real: Fraction, bits: int) -> tuple[int, int]:
    """Round the mantissa of M to some bits, and fill it up to 31 with zeros."""
    if real == 0:
        return 0, 0
    e = real.numerator.bit_length() - real.denominator.bit_length()
    e = e + 1 if abs(real) >= Fraction(2) ** e else e
    m = round_half_away(real / Fraction(2) ** e * 2**bits) * 2 ** (31 - bits)
    if m == 2**31:
        m, e = 2**30, e + 1
    if e > 30:
        raise ValueError(f"the multiplier is {float(real):g}; its magnitude must be below 2^30: raise the output scale")
    return (m, e) if e >= -31 else (0, 0)


def multiplier_float32_product(sx: Fraction, sw: Fraction, sy: Fraction) -> Fraction:
    """Multiply the scales in float32, then divide in float64.

    Parameters
    ----------
    sx, sw, sy : Fraction
        Scales; float32 numbers, > 0.

    Returns
    -------
    Fraction
        A binary64 number.

    Notes
    -----
    R16. M_A = f64(f32(sx sw) / sy). Source: LiteRT ``tflite/kernels/kernel_util.cc``, GetQuantizedConvolutionMultipler
    (per-tensor FULLY_CONNECTED).

    Examples
    --------
    >>> multiplier_float32_product(Fraction(1, 2), Fraction(1, 4), Fraction(1))
    Fraction(1, 8)
    """
    return to_float64(to_float32(sx * sw) / sy)


def multiplier_float32(sx: Fraction, sw: Fraction, sy: Fraction) -> Fraction:
    """Multiply and divide the scales in float32.

    Parameters
    ----------
    sx, sw, sy : Fraction
        Scales; float32 numbers, > 0.

    Returns
    -------
    Fraction
        A binary32 number.

    Notes
    -----
    R17. M_C = f32(f32(sx sw) / sy). Source: microsoft/onnxruntime ``quantize_linear_matmul.cc``; XNNPACK
    ``src/operators/fully-connected-nc.c``; onnx.reference ``op_qlinear_matmul.py``.

    Examples
    --------
    >>> multiplier_float32(Fraction(1, 2), Fraction(1, 4), Fraction(1))
    Fraction(1, 8)
    """
    return to_float32(to_float32(sx * sw) / sy)


def multiplier_float32_reciprocal(sx: Fraction, sw: Fraction, sy: Fraction) -> Fraction:
    """Multiply the scales and the reciprocal of the output scale in float32.

    Parameters
    ----------
    sx, sw, sy : Fraction
        Scales; float32 numbers, > 0.

    Returns
    -------
    Fraction
        A binary32 number.

    Notes
    -----
    R18. M_D = f32(f32(sx sw) f32(1 / sy)). Source: pytorch ``aten/src/ATen/native/quantized/cpu/qlinear.cpp`` with
    QNNPACK's requantization scale.

    Examples
    --------
    >>> multiplier_float32_reciprocal(Fraction(1, 2), Fraction(1, 4), Fraction(1))
    Fraction(1, 8)
    """
    return to_float32(to_float32(sx * sw) * to_float32(1 / sy))


def decompose_multiplier_15_bits(real: Fraction) -> tuple[int, int]:
    """Split M into a 15-bit integer, for a signed 16-bit register, and a power of two.

    Parameters
    ----------
    real : Fraction
        M, in (-2^30, 2^30).

    Returns
    -------
    multiplier : int
        m, 0 or 2^30 <= |m| in [-2^31, 2^31) with its low 16 bits 0.
    shift : int
        e of M ~ m 2^(e-31); 0 where m is 0.

    Notes
    -----
    R37. As R5, with m = round_half_away(f 2^15) 2^16.

    Examples
    --------
    >>> decompose_multiplier_15_bits(Fraction(1, 3))
    (1431633920, -1)
    """
    return _decompose(real, 15)
