"""TFLite's hybrid layer on exact numbers: float inputs that get codes row by row, integer weights, float outputs.

Legend: x an input, r the largest |x| of its row, lo and hi the row's smallest and largest, widened to hold 0; s scale
and z zero point of a row's codes x_q, code_sum their sum; in_vector whether x is in a whole vector of 8 values, not in
what is left of the row; w_q integer weights of a column, sw their scale, b the bias or None; acc accumulator. Real
numbers are binary32 ones, f32 and f64 as in R0.
"""

from collections.abc import Sequence
from fractions import Fraction

from npquant.spec.conversion import round_add_half_then_truncate
from npquant.spec.floating import to_float32, to_float64
from npquant.spec.rounding import round_half_away, saturate


def _rounded(v: Fraction, in_vector: bool) -> int:
    return round_add_half_then_truncate(v) if in_vector else round_half_away(v)


def hybrid_symmetric(x: Fraction, r: Fraction, in_vector: bool) -> tuple[Fraction, int]:
    """R110. s = f32(r / 127), q = saturate(round(f32(x f32(127 / r))), -127, 127), round = R130 in vectors, half away
    after them; r = 0 gives s = 1, q = 0. Source: LiteRT ``optimized/neon_tensor_utils.cc``,
    NeonSymmetricQuantizeFloats, which x86 runs by NEON_2_SSE.

    >>> hybrid_symmetric(Fraction(5, 2), Fraction(127), True)
    (Fraction(1, 1), 3)
    """
    if r == 0:
        return Fraction(1), 0
    steps = to_float32(x * to_float32(127 / r))
    return to_float32(r / 127), saturate(_rounded(steps, in_vector), -127, 127)


def hybrid_asymmetric_parameters(lo: Fraction, hi: Fraction) -> tuple[Fraction, int]:
    """R111. sd = f64(f32(hi - lo) / 255), s = f32(sd); z = saturate(round_half_away(f64(-128 - f64(lo / sd))), -128,
    127) where f64(128 + |f64(lo / sd)|) < f64(127 + |f64(hi / sd)|), else of f64(127 - f64(hi / sd)); lo = hi gives s =
    1, z = 0. q = saturate(round(f32(x f32(1 / s))) + z, -128, 127), round as in R110.
    Source: LiteRT ``optimized/neon_tensor_utils.cc``, NeonAsymmetricQuantizeFloats.

    >>> hybrid_asymmetric_parameters(Fraction(-1), Fraction(254))
    (Fraction(1, 1), -127)
    """
    if lo == hi:
        return Fraction(1), 0
    sd = to_float64(to_float32(hi - lo) / 255)
    low, high = to_float64(lo / sd), to_float64(hi / sd)
    from_low = to_float64(128 + abs(low)) < to_float64(127 + abs(high))
    z = to_float64(-128 - low) if from_low else to_float64(127 - high)
    return to_float32(sd), saturate(round_half_away(z), -128, 127)


def hybrid_asymmetric_code(x: Fraction, s: Fraction, z: int, in_vector: bool) -> int:
    """The code of R111."""
    return saturate(_rounded(to_float32(x * to_float32(1 / s)), in_vector) + z, -128, 127)


def hybrid_sum(x_q: Sequence[int], w_q: Sequence[int], z: int) -> int:
    """R112. acc = sum_k p_k - z sum_k w_q, p = w_q x_q, but -128 |x_q| for w_q = -128 and k < 16 floor(K / 16): the
    sign moves to a weight that an int8 cannot negate. Source: LiteRT ``optimized/sse_tensor_utils.cc``
    (_mm_sign_epi8).

    >>> hybrid_sum([-1] * 16, [-128] * 16, 0), hybrid_sum([-1] * 15, [-128] * 15, 0)
    (-2048, 1920)
    """
    whole = len(x_q) // 16 * 16
    products = (
        -128 * abs(q) if w == -128 and k < whole else w * q for k, (q, w) in enumerate(zip(x_q, w_q, strict=True))
    )
    return sum(products) - z * sum(w_q)


def hybrid_4_bit(x: Fraction, r: Fraction) -> tuple[Fraction, int]:
    """R113. s = f32(f64(d / 127)), q = round_half_away(f32(x f32(f64(127 / d)))), d = r, or 127 where that is 0.
    Source: LiteRT ``optimized/4bit/sse_fully_connected.cc``, SseBatchQuantizeFloats4Bit.

    >>> hybrid_4_bit(Fraction(5, 2), Fraction(127)), hybrid_4_bit(Fraction(0), Fraction(0))
    ((Fraction(1, 1), 3), (Fraction(1, 1), 0))
    """
    d = r if r else Fraction(127)
    inverse = to_float32(to_float64(127 / d))
    return to_float32(to_float64(d / 127)), round_half_away(to_float32(x * inverse))


def hybrid_4_bit_sum(x_q: Sequence[int], w_q: Sequence[int]) -> int:
    """R118. acc = sum_k x_q w', w' = w_q but 8 where k or one of its partners has w_q = -8: partner k + 16 of the
    first 16 of each 32; partner k - 18 of the third and fourth of every four of the last 16, in whole blocks of 32.
    Source: LiteRT ``optimized/4bit/sse_fully_connected.cc``, SsePackInner: w_q + 7 = -1 is all ones, and is not masked.

    >>> hybrid_4_bit_sum([1] * 32, [-8] * 32), hybrid_4_bit_sum([1] * 32, [-8] + [1] * 31)
    (256, 46)
    """
    depth = len(w_q)

    def lowest(k: int) -> bool:
        return k < depth and w_q[k] == -8

    def stored_as_ones(k: int) -> bool:
        block, place = divmod(k, 32)
        partner = place < 16 and lowest(k + 16)
        shifted = place >= 16 and place % 4 >= 2 and 32 * (block + 1) <= depth and lowest(k - 18)
        return lowest(k) or partner or shifted

    return sum(q * (8 if stored_as_ones(k) else w_q[k]) for k, q in enumerate(x_q))


def hybrid_4_bit_output(acc: int, code_sum: int, s: Fraction, sw: Fraction, b: Fraction | None) -> Fraction:
    """R119. y = f32(f32(f32(f32(f32(o) s) sw) + b) + f32(f32(f32(t) s) sw)), o = -7 code_sum, code_sum = sum_k x_q, t =
    acc - o; without a bias no sum with b. Source: LiteRT ``optimized/4bit/sse_fully_connected.cc``, SseUnpack.

    >>> hybrid_4_bit_output(635, 127, Fraction(1), Fraction(1, 2), None)
    Fraction(635, 2)
    """
    o = -7 * code_sum
    first = to_float32(to_float32(to_float32(Fraction(o)) * s) * sw)
    first = first if b is None else to_float32(first + b)
    return to_float32(first + to_float32(to_float32(to_float32(Fraction(acc - o)) * s) * sw))
