"""A real multiplier as engines compute it, and as an integer multiplier and a power of two.

Legend: sx, sw, sy scales of input, weights and output (binary32 numbers, > 0); real M, in (-2^30, 2^30), of scales
positive; m integer multiplier, 0 or 2^30 <= |m| in [-2^31, 2^31); e shift in [-31, 30] (positive = left), 0 where m is
0: M ~ m 2^(e-31). f32, f64 as in R0. One quotient, rounded in four ways:

>>> s = 1 + Fraction(1, 2**23)
>>> rules = (real_multiplier, multiplier_float32_product, multiplier_float32, multiplier_float32_reciprocal)
>>> [f"{float(rule(s, s, Fraction(3))):.16f}" for rule in rules]
['0.3333334128061978', '0.3333334128061931', '0.3333334028720856', '0.3333334326744080']
"""

from fractions import Fraction

from npquant.spec.floating import to_float32, to_float64
from npquant.spec.rounding import round_half_away


def real_multiplier(sx: Fraction, sw: Fraction, sy: Fraction) -> Fraction:
    """R4. M = f64(sx sw / sy). The product of two float32 numbers is exact in binary64, so this rounds once."""
    return to_float64(sx * sw / sy)


def multiplier_float32_product(sx: Fraction, sw: Fraction, sy: Fraction) -> Fraction:
    """R16. M_A = f64(f32(sx sw) / sy).
    Source: LiteRT ``tflite/kernels/kernel_util.cc``, GetQuantizedConvolutionMultipler (per-tensor FULLY_CONNECTED).
    """
    return to_float64(to_float32(sx * sw) / sy)


def multiplier_float32(sx: Fraction, sw: Fraction, sy: Fraction) -> Fraction:
    """R17. M_C = f32(f32(sx sw) / sy).
    Source: microsoft/onnxruntime ``quantize_linear_matmul.cc``; XNNPACK ``src/operators/fully-connected-nc.c``;
    onnx.reference ``op_qlinear_matmul.py``.
    """
    return to_float32(to_float32(sx * sw) / sy)


def multiplier_float32_reciprocal(sx: Fraction, sw: Fraction, sy: Fraction) -> Fraction:
    """R18. M_D = f32(f32(sx sw) f32(1 / sy)).
    Source: pytorch ``aten/src/ATen/native/quantized/cpu/qlinear.cpp`` with QNNPACK's requantization scale.
    """
    return to_float32(to_float32(sx * sw) * to_float32(1 / sy))


def multiplier_float64_to_float32(sx: Fraction, sw: Fraction, sy: Fraction) -> Fraction:
    """R146. M = f32(f64(sx sw / sy)): R4, rounded once more.
    Source: openxla/stablehlo ``stablehlo/transforms/StablehloLegalizeQuantToMath.cpp``, applyMergedScalesAndZps.
    """
    return to_float32(real_multiplier(sx, sw, sy))


def power_of_two_multiplier(sx: Fraction, sw: Fraction, sy: Fraction) -> tuple[int, int]:
    """R149. M = sx sw / sy = 2^k: (m, e) = (2^30, k + 1), a shift by k and nothing else. ValueError if M is no power of
    two, or k is outside [-31, 29].
    Source: espressif/esp-dl ``esp-dl/dl/base/dl_base.hpp``, mac_shift, revision 12c0616d.

    >>> power_of_two_multiplier(Fraction(1, 4), Fraction(1, 2), Fraction(2))
    (1073741824, -3)
    """
    ratio = sx * sw / sy
    k = ratio.numerator.bit_length() - ratio.denominator.bit_length()
    if ratio != Fraction(2) ** k or not -31 <= k <= 29:
        raise ValueError(f"sx sw / sy is {float(ratio):g}, no power of two from 2^-31 to 2^29")
    return 2**30, k + 1


def decompose_multiplier(real: Fraction) -> tuple[int, int]:
    """R5. M = f 2^e with |f| in [1/2, 1); m = round_half_away(f 2^31); m = 2^31 becomes (2^30, e + 1); e < -31 gives
    (0, 0). -2^31 is an int32 and stays. The last rule flushes every M below about 2^-32: no int32 accumulator could
    reach one output step with it.
    Source: LiteRT ``tflite/kernels/internal/quantization_util.cc``, QuantizeMultiplier.

    ValueError if |M| is 2^30 or more.

    >>> decompose_multiplier(Fraction(3, 8))
    (1610612736, -1)
    """
    return _decompose(real, 31)


def decompose_multiplier_15_bits(real: Fraction) -> tuple[int, int]:
    """R37. As R5, with m = round_half_away(f 2^15) 2^16: 15 bits, for a signed 16-bit register; the low 16 bits are 0.

    >>> decompose_multiplier_15_bits(Fraction(1, 3))
    (1431633920, -1)
    """
    return _decompose(real, 15)


def _decompose(real: Fraction, bits: int) -> tuple[int, int]:
    """Round the mantissa of M to some bits, and fill it up to 31 with zeros."""
    if real == 0:
        return 0, 0
    e = real.numerator.bit_length() - real.denominator.bit_length()
    # Now 2^(e-1) <= |M| < 2^e.
    e = e + 1 if abs(real) >= Fraction(2) ** e else e
    m = round_half_away(real / Fraction(2) ** e * 2**bits) * 2 ** (31 - bits)
    # Rounding up reaches 2^31, which is no int32 (C4): the same value by a shift more.
    if m == 2**31:
        m, e = 2**30, e + 1
    if e > 30:
        raise ValueError(f"the multiplier is {float(real):g}; its magnitude must be below 2^30: raise the output scale")
    return (m, e) if e >= -31 else (0, 0)
