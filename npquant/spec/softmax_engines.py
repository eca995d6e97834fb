"""Softmax and sigmoid on codes, on exact numbers: LiteRT's table, and gemmlowp's fixed point.

Legend: q code, or the codes of one row; s scale and z zero point of the input, beta factor, sy scale of the output
(scales and beta are binary32 numbers), y = (sy, zy); [qmin, qmax] output interval; away(a, k) is a / 2^k rounded half
away.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import floor

from npquant.spec.activation_tables import exp_rounded
from npquant.spec.affine import Affine
from npquant.spec.fixed_point import exp_on_negatives, reciprocal_of_one_plus, sigmoid_q4, tanh_q4
from npquant.spec.floating import to_float32
from npquant.spec.multiplier import decompose_multiplier
from npquant.spec.requantize import multiply_high_half_up, requantize_double_rounding
from npquant.spec.rounding import HALF, round_half_away, round_toward_zero, saturate, wrap


def _scaled_to_shift(real: Fraction) -> tuple[int, int]:
    """Return (m, e) of R5 for a multiplier of any size, which R5 itself would refuse or flush to 0."""
    e = real.numerator.bit_length() - real.denominator.bit_length()
    m, rest = decompose_multiplier(real / Fraction(2) ** e)
    return m, e + rest


def softmax_fixed_point(q: Sequence[int], s: Fraction, beta: Fraction, qmin: int, qmax: int) -> list[int]:
    """R79. (m, e) = R5(min(beta s 2^26, 2^31 - 1)); d = q - max q; codes with d < -floor(31 2^26 / 2^e) count as 0;
    p = R74(R7(wrap32(d 2^e), m)) in Q5; S = sum away(p, 12), h its leading zeros in 32 bits; y = saturate(away(R7(R75(S
    2^h - 2^31), p), 35 - h) + qmin). beta s > 2^-26; the output's scale is 1 / 256 at qmin.
    Source: LiteRT ``tflite/kernels/internal/reference/softmax.h``; CMSIS-NN ``arm_softmax_s8``.

    OverflowError if the last shift would exceed 31.

    >>> softmax_fixed_point([10, 10, -100], Fraction(1, 4), Fraction(1), -128, 127)
    [0, 0, -128]
    """
    return _softmax_fixed_point(q, s, beta, (qmin, qmax), _away_by_31_bits)


def softmax_fixed_point_shift_x86(q: Sequence[int], s: Fraction, beta: Fraction, qmin: int, qmax: int) -> list[int]:
    """R88. As R79; a last shift k > 31 makes a positive p floor(p / 2^(k - 32)) + 1, S below 2^32.
    gemmlowp's RoundingDivideByPOT without its assertion, as x86 shifts: the count is taken modulo 32, the mask of the
    remainder is all ones, and every remainder of a p >= 0 exceeds the threshold of -1. So 512 equal logits are 127.
    Source: google/gemmlowp ``fixedpoint/fixedpoint.h``, RoundingDivideByPOT, 16e8662c; runs of tflite-runtime 2.14,
    BUILTIN_REF.

    OverflowError if S is 2^32 or more, which takes 8,192 equal codes.

    >>> softmax_fixed_point_shift_x86([0] * 512, Fraction(1, 10), Fraction(1), -128, 127)[0]
    127
    """
    return _softmax_fixed_point(q, s, beta, (qmin, qmax), _away_or_modulo_32)


def _away_by_31_bits(p: int, shift: int) -> int:
    """Return away(p, shift), the shift being at most 31."""
    if shift > 31:
        raise OverflowError(f"the last shift is {shift}: the engine's is at most 31")
    return round_half_away(Fraction(p, 2**shift))


def _away_or_modulo_32(p: int, shift: int) -> int:
    """Return R88's last division of p >= 0."""
    return round_half_away(Fraction(p, 2**shift)) if shift <= 31 else floor(Fraction(p, 2 ** (shift - 32))) + 1


def _softmax_fixed_point(
    q: Sequence[int], s: Fraction, beta: Fraction, interval: tuple[int, int], divide: Callable[[int, int], int]
) -> list[int]:
    """Return R79 of a row with one rule or another for its last division."""
    m, e = _scaled_to_shift(min(beta * s * 2**26, Fraction(2**31 - 1)))
    # R7(d 2^e, m) is beta s d in Q5 for d >= smallest; below, e^-31 < 2^-31 is 0 in Q0 anyway.
    smallest = -floor(Fraction(31 * 2**26, 2**e))
    steps = [code - max(q) for code in q]
    powers = [exp_on_negatives(multiply_high_half_up(wrap(d * 2**e, 32), m), 5) if d >= smallest else 0 for d in steps]
    # Each term is at most 2^19, so S reaches 2^32 with 8,192 equal codes and no fewer.
    total = sum(round_half_away(Fraction(p, 2**12)) for p in powers)
    zeros = 32 - total.bit_length()
    if zeros < 0:
        raise OverflowError(f"the sum of exponentials is {total}: it must be below 2^32")
    # S 2^h is in [2^31, 2^32): as 1 + a in Q0, a in [0, 1).
    r = reciprocal_of_one_plus(total * 2**zeros - 2**31)
    codes = [divide(multiply_high_half_up(r, p), 35 - zeros) + interval[0] for p in powers]
    return [saturate(code, *interval) if d >= smallest else interval[0] for code, d in zip(codes, steps, strict=True)]


def _shares(q: Sequence[int], s: Fraction, beta: Fraction, sy: Fraction) -> list[Fraction]:
    """Return the v of R80, its exponentials by R66."""
    slope = to_float32(-s * beta)
    powers = [exp_rounded(to_float32(slope * (max(q) - code)), to_float32) for code in q]
    total = Fraction(0)
    for p in powers:
        total = to_float32(total + p)
    inverse = to_float32(1 / to_float32(total * sy))
    return [to_float32(p * inverse) for p in powers]


def softmax_table_half_away(
    q: Sequence[int], s: Fraction, beta: Fraction, y: Affine, qmin: int, qmax: int
) -> list[int]:
    """R80. y = saturate(round_half_away(v) + zy), v = f32(p f32(1 / f32(S sy))), p = f32(e^(f32(f32(-s beta) k))),
    k = max q - q; S the float32 sum in order. Source: LiteRT ``optimized/optimized_ops.h``, Softmax (int8).

    >>> softmax_table_half_away([10, 10, -100], Fraction(1, 4), Fraction(1), (Fraction(1, 256), -128), -128, 127)
    [0, 0, -128]
    """
    return [saturate(round_half_away(v) + y[1], qmin, qmax) for v in _shares(q, s, beta, y[0])]


def softmax_table_half_up(q: Sequence[int], s: Fraction, beta: Fraction, sy: Fraction) -> list[int]:
    """R81. y = saturate(toward_zero(f32(v + 1/2)), 0, 255), v as in R80: the float32 sum may round up to a half first.
    Unsigned codes; the output's zero point counts as 0. Source: LiteRT ``optimized/optimized_ops.h``, Softmax (uint8).

    >>> softmax_table_half_up([10, 10, 0], Fraction(1, 4), Fraction(1), Fraction(1, 256))
    [123, 123, 10]
    """
    return [saturate(round_toward_zero(to_float32(v + HALF)), 0, 255) for v in _shares(q, s, beta, sy)]


def _through_q4(steps: int, s: Fraction) -> int | None:
    """Return R8 of steps s in Q4, or None where |steps| reaches R82's radius and a rail answers."""
    # Inside the radius |steps| 2^e < 15 2^27: the left shift stays in int32, and |steps| s below 15.
    m, e = _scaled_to_shift(s * 2**27)
    radius = floor(Fraction(15 * 2**27) / Fraction(2) ** e)
    return requantize_double_rounding(steps, m, e) if -radius < steps < radius else None


def sigmoid_fixed_point(q: int, s: Fraction, z: int) -> int:
    """R82. (m, e) = R5(s 2^27); y = saturate(away(R77(R8(q - z)), 23) - 128); where |q - z| >= floor(15 2^27 / 2^e), a
    rail, the low one first. A signed code becomes one of scale 1 / 256 at -128.
    Source: tflite-micro ``micro/kernels/logistic_common.cc``; LiteRT ``reference/integer_ops/logistic.h``.

    >>> [sigmoid_fixed_point(q, Fraction(1, 16), 0) for q in (-128, 0, 127)]
    [-128, 0, 127]
    """
    inside = _through_q4(q - z, s)
    if inside is None:
        return -128 if q <= z else 127
    return saturate(round_half_away(Fraction(sigmoid_q4(inside), 2**23)) - 128, -128, 127)


def tanh_fixed_point(q: int, s: Fraction, z: int) -> int:
    """R83. As R82, with saturate(away(R78(R8(q - z)), 24)): a code of scale 1 / 128 at 0.
    Source: LiteRT ``reference/integer_ops/tanh.h``.

    >>> [tanh_fixed_point(q, Fraction(1, 16), 0) for q in (-128, 0, 8)]
    [-128, 0, 59]
    """
    inside = _through_q4(q - z, s)
    if inside is None:
        return -128 if q <= z else 127
    return saturate(round_half_away(Fraction(tanh_q4(inside), 2**24)), -128, 127)
