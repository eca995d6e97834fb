"""XNNPACK's dynamically quantized layer (qd8-f32-qc8w) on exact numbers: codes row by row, all of it in binary32.

Legend: x an input, lo and hi its row's smallest and largest, widened to hold 0; c codes per unit, s scale and z zero
point of the row's codes; acc accumulator, sw scale of the weights, b the bias. Real numbers are normal binary32 ones or
0; subnormal results count as 0.
"""

from fractions import Fraction

from npquant.spec.floating import fma_float32, to_float32
from npquant.spec.rounding import round_half_even, saturate


def _flushed(v: Fraction) -> Fraction:
    """f32(v), subnormal numbers as 0."""
    rounded = to_float32(v)
    return rounded if abs(rounded) >= Fraction(1, 2**126) else Fraction(0)


def qd8_parameters(lo: Fraction, hi: Fraction) -> tuple[Fraction, Fraction, int]:
    """R114. c = f32(255 / f32(hi - lo)), 1 where lo = hi; s = f32(1 / c); z = round_half_even(saturate(v, -128, 127)),
    v = f32(-128 - l) where f32(f32(-128 + l) + f32(127 + h)) > 0, else f32(127 - h), l = f32(lo c), h = f32(hi c). q =
    saturate(sat16(round_half_even(f32(x c))) + z, -128, 127).
    Source: XNNPACK ``src/xnnpack/quantization.h``, xnn_qd8_asymmetric_quantization_params.

    >>> qd8_parameters(Fraction(-1), Fraction(254))
    (Fraction(1, 1), Fraction(1, 1), -127)
    """
    c = Fraction(1) if lo == hi else to_float32(255 / _flushed(hi - lo))
    low, high = _flushed(lo * c), _flushed(hi * c)
    from_low = to_float32(to_float32(-128 + low) + to_float32(127 + high)) > 0
    v = to_float32(-128 - low) if from_low else to_float32(127 - high)
    return c, _flushed(1 / c), round_half_even(max(Fraction(-128), min(Fraction(127), v)))


def qd8_code(x: Fraction, c: Fraction, z: int) -> int:
    """The code of R114."""
    return saturate(saturate(round_half_even(_flushed(x * c)), -(2**15), 2**15 - 1) + z, -128, 127)


def qd8_output(acc: int, s: Fraction, sw: Fraction, b: Fraction) -> Fraction:
    """R115. y = f32(f32(f32(acc) s) sw + b), the second product and the sum rounded once, by a fused multiply-add.
    Source: XNNPACK ``src/qd8-f32-qc8w-gemm/gen``.

    >>> qd8_output(3, Fraction(1), Fraction(1, 2), Fraction(1))
    Fraction(5, 2)
    """
    return _flushed(fma_float32(_flushed(to_float32(Fraction(acc)) * s), sw, b))
