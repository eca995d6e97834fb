"""Where two integer rules are said to be equal: proven for every product of 64 bits, at every shift.

Each proof also has a rule that is not equal, for which the solver finds a counterexample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from npquant.kernels import requantize, rounding
from npquant.kernels.multiplier import FixedMultiplier
from tests.proofs import roundings as r
from tests.proofs.solver import choose, equal_for_all, product, valid, within, z3

# `peer`, so that a skipped proof is a failure on CI.
pytestmark = pytest.mark.peer

LEFT, RIGHT = range(31), range(-31, 0)
EVERY = range(-31, 31)


def within_62_bits(p: Any, s: int) -> Any:
    """Every product of two int32 numbers, and more."""
    return within(p, 62)


def unwrapped(p: Any, e: int, more: int = 0) -> Any:
    """acc 2^(max(e,0) + more) is an int32, so that p times that power is at most 2^62."""
    return within(p, 62 - max(e, 0) - more)


def below_the_corner(p: Any, e: int) -> Any:
    """The same, but for acc 2^e = m = -2^31: the largest product of two other int32 numbers is 2^62 - 2^31."""
    return z3().And(unwrapped(p, e), p << max(e, 0) <= (1 << 62) - (1 << 31))


# The formulas are the kernels'


KERNELS = {
    "R6": (r.single, requantize.requantize_single_rounding),
    "R8": (r.double, requantize.requantize_double_rounding),
    "R19": (r.double_up, requantize.requantize_double_rounding_up),
    "R20": (r.floor_then_half_up, requantize.requantize_floor_then_half_up),
    "R21": (r.away, requantize.requantize_half_away),
}


@pytest.mark.parametrize("label", KERNELS)
def test_formula_is_the_kernel(label: str) -> None:
    """What the solver is given is what the package computes, on drawn products and beside ties, where nothing wraps."""
    formula, kernel = KERNELS[label]
    rng = np.random.default_rng(0)
    for e in range(-31, 31):
        reach = 2 ** (31 - max(e, 0) - 1)
        m = rng.integers(-(2**31), 2**31, 60)
        acc = np.clip(np.rint((rng.integers(-9, 9, 60) + 0.5) * 2.0 ** (31 - e) / m), -reach, reach - 1).astype(
            np.int64
        )
        acc[::3] = rng.integers(-reach, reach, 20)
        want = kernel(acc, FixedMultiplier(m, np.full(60, e))).tolist()
        assert [formula(int(a) * int(b), e) for a, b in zip(acc, m, strict=True)] == want


def test_shift_formulas_are_the_kernels() -> None:
    """The same of the shifts that round."""
    x = np.arange(-70, 71)
    for s in range(7):
        for formula, kernel in (
            (r.half_up, rounding.shift_right_half_up),
            (r.half_away, rounding.shift_right_half_away),
        ):
            assert [formula(int(v), s) for v in x] == kernel(x, s).tolist()


# The proofs


def test_half_away_is_the_definition() -> None:
    """Half a step, less one for negatives, is ties away from zero, at every shift of 62 bits; half a step is not."""
    assert equal_for_all(r.half_away, r.half_away_by_sign, range(63), within_62_bits)
    assert not equal_for_all(r.half_up, r.half_away_by_sign, range(63), within_62_bits)


def test_r20_is_r6_unless_the_left_shift_wraps() -> None:
    """R20 rounds once, and its saturation never shows; with a first rounding half up, which is R19, it rounds twice."""
    given = lambda p, e: unwrapped(p, e, 1 if e >= 0 else 0)  # noqa: E731
    assert equal_for_all(r.floor_then_half_up, r.single, EVERY, given)
    assert not equal_for_all(r.double_up, r.single, EVERY, given)


@pytest.mark.parametrize("rule", [r.double, r.double_up], ids=["R8", "R19"])
def test_two_roundings_are_one_from_a_half_on(rule: Any) -> None:
    """e >= 0, M of 1/2 and more: R8 and R19 are R6, but for -2^31 times -2^31; for e < 0 they are not."""
    assert equal_for_all(rule, r.single, LEFT, below_the_corner)
    assert not equal_for_all(rule, r.single, LEFT, unwrapped)
    assert not equal_for_all(rule, r.single, RIGHT, below_the_corner)


def test_tosa_double_is_tflite_s() -> None:
    """TOSA's DOUBLE_ROUND is R8 for every legal input; TOSA's single rounding, and R19, are not."""
    negative = z3().Bool("negative")

    def legal(p: Any, e: int) -> Any:
        # 0 <= m < 2^31 gives the product the accumulator's sign, or 0; for e >= 0 the accumulator is within 2^(30-e).
        by_sign = z3().And(z3().Implies(negative, p <= 0), z3().Implies(z3().Not(negative), p >= 0))
        return z3().And(by_sign, within(p, 62 if e < 0 else 61 - e), p != 1 << 62)

    def tosa(p: Any, e: int) -> Any:
        return r.tosa_double(p, e, negative)

    # e of 29 is TOSA's shift of 2, its smallest.
    assert equal_for_all(tosa, r.double, range(-31, 30), legal)
    for wrong in (r.single, r.double_up):
        assert not equal_for_all(tosa, wrong, range(-31, 30), legal)


def test_ties_of_negatives_tell_half_up_from_half_away() -> None:
    """R6 and R21 differ at exact ties of negative products, and nowhere else; so do R19 and R8, second shift."""

    def differ(p: Any, s: int) -> Any:
        return r.half_up(p, s) != r.half_away(p, s)

    def at_negative_tie(p: Any, s: int) -> Any:
        return z3().And(p < 0, (p & ((1 << s) - 1)) == 1 << (s - 1))

    def at_tie(p: Any, s: int) -> Any:
        return (p & ((1 << s) - 1)) == 1 << (s - 1)

    assert equal_for_all(differ, at_negative_tie, range(1, 63), within_62_bits)
    assert not equal_for_all(differ, at_tie, range(1, 63), within_62_bits)


def test_zero_points_before_and_after_the_rounding() -> None:
    """Added before or after half even, an even zero point is the same, an odd one is not; half up takes any, half away
    none."""
    p, zy = product(), z3().BitVec("zy", 64)
    given = (within(p, 54), zy >= -128, zy <= 255)

    def same(rule: Any, s: int) -> Any:
        return rule(p + (zy << s), s) == rule(p, s) + zy

    assert all(valid(same(r.half_even, s), *given, zy & 1 == 0) for s in range(1, 51))
    assert all(valid(same(r.half_up, s), *given) for s in range(1, 51))
    assert not valid(same(r.half_even, 20), *given)
    assert not valid(same(r.half_away, 20), *given, zy & 1 == 0)


def test_clamping_before_the_zero_point_is_clamping_after_it() -> None:
    """R10: min(max(v, qmin - zy), qmax - zy) + zy = saturate(v + zy), for any ends; with the ends unmoved it is not."""
    v, zy, low, high = z3().BitVecs("v zy low high", 64)
    clip = lambda x, a, b: choose(choose(x < a, a, x) > b, b, choose(x < a, a, x))  # noqa: E731
    given = (*(within(x, 31) for x in (zy, low, high)), within(v, 62), low <= high)
    assert valid(clip(v, low - zy, high - zy) + zy == clip(v + zy, low, high), *given)
    assert not valid(clip(v, low, high) + zy == clip(v + zy, low, high), *given)


def test_a_code_begins_where_the_fast_form_looks() -> None:
    """R6: y >= c exactly from p = c 2^s - 2^(s-1) on, for the 511 differences of codes; from one later it is not."""
    p, c = product(), z3().BitVec("c", 64)
    given = (within(p, 62), c >= -255, c <= 255)
    for s in range(1, 55):
        assert valid((r.half_up(p, s) >= c) == (p >= (c << s) - (1 << (s - 1))), *given)
    assert not valid((r.half_up(p, 9) >= c) == (p > (c << 9) - (1 << 8)), *given)


def test_xnnpack_s_long_shifts_leave_nothing() -> None:
    """R29: of a product of at most 2^55 every shift of 57 and more leaves 0, so that one of 58 stands for them all."""
    none = lambda p, s: 0 * p  # noqa: E731
    given = lambda p, s: within(p, 55)  # noqa: E731
    assert equal_for_all(r.half_up, none, range(57, 63), given)
    assert not equal_for_all(r.half_up, none, (56,), given)


def test_tosa_s_16_bit_rescale_is_r91() -> None:
    """R91 of m 2^16 is TOSA's 16-bit RESCALE by m, shift 15 - e: its mantissa is m; that of a rounder m is not."""
    m = z3().BitVec("m", 64)
    mantissa = ((m << 16) + 2**15) >> 16
    given = (m >= 0, m < 2**15)
    assert valid(choose(mantissa > 2**15 - 1, 2**15 - 1, mantissa) == m, *given)
    assert not valid(((m << 16) + 2**16) >> 16 == m, *given)
    r91 = lambda p, shift: (p + (1 << (14 - (15 - shift)))) >> (15 - (15 - shift))  # noqa: E731
    assert equal_for_all(r91, r.half_up, range(2, 47), within_62_bits)


def test_clipping_a_float_to_integers_commutes_with_rounding() -> None:
    """R26: rint(min(v, k)) = min(rint(v), k), and of max, for all float32 v, integers |k| < 2^8; halves are no ends."""
    z = z3()
    v, k = z.FP("v", z.Float32()), z.BitVec("k", 9)
    end, number = z.fpSignedToFP(z.RNE(), k, z.Float32()), z.Not(z.fpIsNaN(v))
    half = z.fpMul(z.RNE(), end, z.FPVal(0.5, z.Float32()))

    def commutes(less: Any, bound: Any) -> Any:
        def rint(x: Any) -> Any:
            return z.fpRoundToIntegral(z.RNE(), x)

        def clip(x: Any) -> Any:
            return z.If(less(x, bound), x, bound)

        return z.fpEQ(rint(clip(v)), clip(rint(v)))

    assert valid(commutes(z.fpLT, end), number) and valid(commutes(z.fpGT, end), number)
    assert not valid(commutes(z.fpLT, half), number)
