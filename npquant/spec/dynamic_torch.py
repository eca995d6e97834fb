"""torch's dynamically quantized linear layer on exact numbers: one scale for the whole input, an epilogue by engine.

Legend: lo, hi smallest and largest input, widened to hold 0; top the largest code, 255, or 127 with reduce_range; s
scale, sd the same in binary64, z zero point; x an input, acc accumulator, sw scale of the weights, b the bias. Real
numbers are binary32 ones, f32 and f64 as in R0.
"""

from fractions import Fraction

from npquant.spec.floating import fma_float32, to_float32, to_float64
from npquant.spec.quantize_engines import quantize_zero_point_first
from npquant.spec.rounding import round_half_even

SMALLEST_SCALE = to_float32(Fraction(61, 1_000_000))
LARGEST_FLOAT32 = (2 - Fraction(1, 2**23)) * 2**127


def torch_parameters(lo: Fraction, hi: Fraction, top: int) -> tuple[Fraction, int]:
    """R116. sd = f64(f64(hi - lo) / top); z = round_half_even of -f64(lo / sd), where -|f64(lo / sd)| < f64(top -
    |f64(hi / sd)|), else of f64(top - f64(hi / sd)), saturated to [0, top]. f32(sd) = 0, or f32(1 / f32(sd)) infinite,
    makes sd 1/10; below f32(0.000061) it becomes that, and the range is stretched: lo = 0, hi = f32(f32(0.000061) top);
    hi = 0, the mirror; else both become f32(. f32(f32(0.000061) / f32(sd))).
    Source: pytorch ``aten/src/ATen/native/quantized/cpu/QuantUtils.h``, ChooseQuantizationParams.

    >>> torch_parameters(Fraction(-1), Fraction(254), 255)
    (Fraction(1, 1), 1)
    """
    sd = to_float64(to_float64(hi - lo) / top)
    if to_float32(sd) == 0 or 1 / to_float32(sd) > LARGEST_FLOAT32:
        sd = to_float64(Fraction(1, 10))
    if sd < SMALLEST_SCALE:
        lo, hi = _stretched(lo, hi, to_float32(sd), top)
        sd = SMALLEST_SCALE
    low, high = to_float64(lo / sd), to_float64(hi / sd)
    z = -low if -abs(low) < to_float64(top - abs(high)) else to_float64(top - high)
    return sd, max(0, min(top, round_half_even(z)))


def _stretched(lo: Fraction, hi: Fraction, scale: Fraction, top: int) -> tuple[Fraction, Fraction]:
    if lo == 0:
        return lo, to_float32(SMALLEST_SCALE * top)
    if hi == 0:
        return -to_float32(SMALLEST_SCALE * top), hi
    amplifier = to_float32(SMALLEST_SCALE / scale)
    return to_float32(lo * amplifier), to_float32(hi * amplifier)


def onednn_scale(sd: Fraction) -> Fraction:
    """D6. s' = f32(1 / f32(1 / sd))."""
    return to_float32(1 / to_float32(1 / sd))


def onednn_code(x: Fraction, sd: Fraction, z: int) -> int:
    """D6. R57 with s': q = saturate(round_half_even(f32(f32(x f32(1 / s')) + z)), 0, 255)."""
    return quantize_zero_point_first(x, onednn_scale(sd), z, 0, 255)


def fbgemm_output(acc: int, s: Fraction, sw: Fraction, b: Fraction) -> Fraction:
    """R117. y = f32(f32(acc) f32(s sw) + b), product and sum rounded once, by a fused multiply-add.
    Source: pytorch/FBGEMM ``src/QuantUtilsAvx2.cc``, requantizeForFloatAvx2, as compiled.

    >>> fbgemm_output(3, Fraction(1), Fraction(1, 2), Fraction(1))
    Fraction(5, 2)
    """
    return fma_float32(to_float32(Fraction(acc)), to_float32(s * sw), b)


def onednn_output(acc: int, s: Fraction, sw: Fraction, b: Fraction) -> Fraction:
    """D7. y = f32(f32(f32(f32(acc) s') sw') + b), s and sw given as s' and sw'."""
    return to_float32(to_float32(to_float32(to_float32(Fraction(acc)) * s) * sw) + b)


def onednn_output_one_product(acc: int, s: Fraction, sw: Fraction, b: Fraction) -> Fraction:
    """D8. y = f32(f32(f32(acc) f32(s' sw')) + b), s and sw given as s' and sw'."""
    return to_float32(to_float32(to_float32(Fraction(acc)) * to_float32(s * sw)) + b)
