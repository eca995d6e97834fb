"""tract's requantization and quantization: one exact product, one rounding to even, and what its kernel does at rails.

Legend: acc int32 accumulator; m the real multiplier M, a binary32 number >= 0; sx, sw, sy scales of input, weights and
output; x real value, s scale, z and zy zero points, [qmin, qmax] output interval, y_q output code; f32 as in R0; wrap32
and sat32 are `wrap` and `saturate` to int32. Exact values of 5/2, -5/2 and 7/2 steps, and two rails:

>>> [rescale_exact(acc, Fraction(1, 2)) for acc in (5, -5, 7)], [rescale_magnitude(a, Fraction(1, 2)) for a in (5, -5)]
([2, -2, 4], [2, -2])
>>> rescale_exact(2**31 - 1, Fraction(1, 2)), rescale_exact(-7, Fraction(0))
(-1073741824, -7)
"""

from collections.abc import Sequence
from fractions import Fraction

from npquant.spec.conversion import code_wrapping
from npquant.spec.floating import to_float32
from npquant.spec.multiplier import multiplier_float32, multiplier_float32_reciprocal
from npquant.spec.qparams import SMALLEST_NORMAL
from npquant.spec.rounding import INT32_MAX, INT32_MIN, round_half_even, saturate, wrap


def layer_multiplier(sx: Fraction, sw: Fraction | Sequence[Fraction], sy: Fraction) -> Fraction | list[Fraction]:
    """R120. One scale of weights: M_C (R17). A list of them: M_D (R18) of each, and one number where all are equal.
    One number is multiplied exactly (R121), a list in binary32 (R122): a channel's rounding depends on the others.
    Source: sonos/tract ``core/src/ops/matmul/quant.rs`` (combine_scales), ``core/src/ops/quant.rs`` (Scale, declutter).

    >>> layer_multiplier(Fraction(1), [Fraction(1, 2), Fraction(1, 2)], Fraction(1))
    Fraction(1, 2)
    """
    if isinstance(sw, Fraction):
        return multiplier_float32(sx, sw, sy)
    each = [multiplier_float32_reciprocal(sx, s, sy) for s in sw]
    return each[0] if len(set(each)) == 1 else each


def rescale_exact(acc: int, m: Fraction) -> int:
    """R121. y = round_half_even(acc M), exactly; M = 1 and M = 0 give acc.
    Beyond the rails the kernel computes on magnitudes |acc|, of which that of -2^31 is -2^31 again; M = 2^-e shifts in
    32 bits, which wrap (e beyond 31 leaves the sign); M = 2^e shifts left; another M has 31 bits f = M 2^s, the product
    wraps in 64 bits and its low 32 bits are taken; an M of 2^31 or more, or below the normal numbers, gives 0.
    Source: sonos/tract ``linalg/src/generic/rounding.rs`` (Scaler), ``linalg/x86_64/fma/avx2_mmm_i32_8x8.S.j2``.
    """
    magnitude, e = wrap(abs(acc), 32), _exponent(m)
    if m in (0, 1):
        return acc
    if m < SMALLEST_NORMAL:  # the kernel reads it by its bits, and shifts everything out
        return 0
    if m == Fraction(2) ** e:
        return wrap(acc * 2**e, 32) if e > 0 else _signed(_shift_half_even_32(magnitude, -e), acc)
    return _signed(_high_half_even_64(magnitude * int(m * Fraction(2) ** (30 - e)), 30 - e), acc)


def rescale_magnitude(acc: int, m: Fraction) -> int:
    """R122. y = sat32(sign(acc) round_half_even(f32(f32(|acc|) M))).
    Source: sonos/tract ``core/src/ops/quant.rs``, scale_by.
    """
    steps = round_half_even(to_float32(to_float32(Fraction(abs(acc))) * m))
    return saturate(steps if acc >= 0 else -steps, INT32_MIN, INT32_MAX)


def quantize(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """R123. q = saturate(wrap32(sat32(round_half_even(f32(x f32(1 / s)))) + z), qmin, qmax): what saturates at 2^31 - 1
    wraps where z > 0, and gives the low rail. NaN gives 0 before the zero point.
    Source: sonos/tract ``core/src/ops/quant.rs``, quantize_linear_f32_i8; half to even by runs of tract 0.23.9.

    >>> quantize(Fraction(2**40), Fraction(1), 5, -128, 127)
    -128
    """
    steps = saturate(round_half_even(to_float32(x * to_float32(1 / s))), INT32_MIN, INT32_MAX)
    return code_wrapping(steps, z, qmin, qmax)


def dynamic_quantize(x: Sequence[Fraction]) -> tuple[list[int], Fraction, int]:
    """R124. s = f32(f32(hi - lo) / 255), z = saturate(round_half_even(f32(-lo / s)), 0, 255), q = saturate(
    round_half_even(f32(x / s)) + z, 0, 255); a range of nothing but 0 has s = 0, z = 0 and codes 0.
    The range is widened to contain 0. s must not underflow otherwise.
    Source: sonos/tract ``onnx/src/ops/quant.rs``, DynamicQuantizeLinearU8.

    >>> dynamic_quantize([Fraction(-1), Fraction(254)]), dynamic_quantize([Fraction(0)])
    (([0, 255], Fraction(1, 1), 1), ([0], Fraction(0, 1), 0))
    """
    lo, hi = min((Fraction(0), *x)), max((Fraction(0), *x))
    s = to_float32(to_float32(hi - lo) / 255)
    if s == 0:
        return [0 for _ in x], s, 0
    z = saturate(round_half_even(to_float32(-lo / s)), 0, 255)
    return [saturate(round_half_even(to_float32(v / s)) + z, 0, 255) for v in x], s, z


def _exponent(m: Fraction) -> int:
    """Return the e with 2^e <= m < 2^(e+1); 0 for 0."""
    e = m.numerator.bit_length() - m.denominator.bit_length()
    return e if m == 0 or m >= Fraction(2) ** e else e - 1


def _signed(magnitude: int, acc: int) -> int:
    """Return the magnitude with the sign of acc, in 32 bits; 0 for 0."""
    return wrap(magnitude * ((acc > 0) - (acc < 0)), 32)


def _shift_half_even_32(a: int, e: int) -> int:
    """Return a / 2^e, ties to even, as 32-bit instructions do: half a step has the bit (e - 1) mod 32."""
    odd = (a >> e) & 1
    half = wrap(2 ** ((e - 1) % 32), 32)
    return wrap(a + odd - 1 + half, 32) >> e


def _high_half_even_64(product: int, s: int) -> int:
    """Return the low 32 bits of product / 2^s, ties to even, as 64-bit instructions without sign do."""
    if not 0 <= s < 64:
        return 0
    odd = (product >> s) & 1
    half = 2 ** (s - 1) if s else 0
    return wrap((product + odd - 1 + half) % 2**64 >> s, 32)
