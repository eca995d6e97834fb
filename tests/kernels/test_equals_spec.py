"""The arrays equal the definitions: every kernel against its exact scalar, on drawn values, midpoints and limits.

Each law is a function of an implementation; a seeded wrong one must break it before the law counts.
"""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import affine, floating, lookup, multiplier, qparams, requantize, rounding
from npquant.kernels.activation_bounds import clamp_codes
from npquant.kernels.linear import accumulate
from npquant.profiles.npquant import NPQUANT
from npquant.profiles.operators import linear
from npquant.spec import activation_bounds as spec_bounds
from npquant.spec import affine as spec_affine
from npquant.spec import floating as spec_floating
from npquant.spec import linear as spec_linear
from npquant.spec import lookup as spec_lookup
from npquant.spec import multiplier as spec_multiplier
from npquant.spec import requantize as spec_requantize
from npquant.spec import rounding as spec_rounding

INT32 = st.integers(-(2**31), 2**31 - 1)
INT8 = st.integers(-128, 127)
SCALES = st.floats(2.0**-20, 2.0**10, width=32)
INT32_MULTIPLIERS = st.integers(2**30, 2**31 - 1) | INT32 | st.sampled_from([-(2**31), -1, 0, 1, 2**29])
MULTIPLIERS = st.tuples(INT32_MULTIPLIERS, st.integers(-31, 30))

SHIFTS = [
    (rounding.shift_right_floor, spec_rounding.round_floor),
    (rounding.shift_right_half_up, spec_rounding.round_half_up),
    (rounding.shift_right_half_away, spec_rounding.round_half_away),
    (rounding.shift_right_half_even, spec_rounding.round_half_even),
]


def shift_equals_spec(shift: Any, rule: Any) -> bool:
    """Say whether an array shift equals its rule for every x in [-70, 70] and every e in [0, 6]: all tie classes."""
    x = np.arange(-70, 71, dtype=np.int64)
    return all(
        int(got) == rule(Fraction(int(v), 2**e)) for e in range(7) for v, got in zip(x, shift(x, e), strict=True)
    )


@pytest.mark.parametrize(("shift", "rule"), SHIFTS, ids=lambda f: f.__name__)
def test_shift_right_equals_spec_exhaustively(shift: Any, rule: Any) -> None:
    """A rounding shift is its rule on x / 2^e, for every residue, sign and parity."""
    assert shift_equals_spec(shift, rule)


def test_shift_right_law_kills_every_other_rule() -> None:
    """No two tie rules agree on the exhaustive domain, so the law tells them apart."""
    for i, (shift, _) in enumerate(SHIFTS):
        for j, (_, rule) in enumerate(SHIFTS):
            assert (i == j) == shift_equals_spec(shift, rule)


@pytest.mark.parametrize(("shift", "rule"), SHIFTS, ids=lambda f: f.__name__)
@given(x=st.integers(-(2**62) + 1, 2**62 - 1), e=st.integers(0, 62))
def test_shift_right_equals_spec_at_any_size(shift: Any, rule: Any, x: Any, e: Any) -> None:
    """The same up to 62 bits, where a careless half step would overflow."""
    assert int(shift(np.array([x]), e)[0]) == rule(Fraction(x, 2**e))


@given(v=st.floats(-1e15, 1e15))
def test_float_rounding_equals_spec(v: Any) -> None:
    """rint is half-even and round_half_away is half-away, on any float64."""
    array = np.array([v])
    assert int(rounding.round_half_even(array)[0]) == spec_rounding.round_half_even(Fraction(v))
    assert int(rounding.round_half_away(array)[0]) == spec_rounding.round_half_away(Fraction(v))


def test_round_half_away_kills_adding_half() -> None:
    """floor(v + 1/2) fails at the float just below 1/2, where the law looks."""
    v = np.nextafter(0.5, 0)
    assert rounding.round_half_away(np.array([v]))[0] == 0
    assert np.floor(v + 0.5) == 1


@given(q=st.integers(-(2**63), 2**63 - 1))
def test_wrap_and_saturate_equal_spec(q: Any) -> None:
    """Wrapping and saturating int32 follow their definitions on all of int64."""
    assert int(rounding.wrap_int32(np.array([q]))[0]) == spec_rounding.wrap(q, 32)
    assert int(rounding.saturate_to(np.array([q]), -128, 127)[0]) == spec_rounding.saturate(q, -128, 127)


@given(v=st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_to_float32_equals_hardware(v: Any) -> None:
    """R0: the rational definition of float32 is the machine's (subnormals included); overflow raises there."""
    machine = floating.to_float32(v)
    if np.isinf(machine):
        with pytest.raises(OverflowError):
            spec_floating.to_float32(Fraction(v))
    else:
        assert spec_floating.to_float32(Fraction(v)) == Fraction(float(machine))


# R1, R2, R3: the affine map


def quantize_equals_spec(quantize: Any, x: float, params: qparams.QuantParams) -> bool:
    """Say whether an implementation of R1 gives the exact code of x."""
    want = spec_affine.quantize(
        Fraction(x), Fraction(float(params.scale)), int(params.zero_point), params.qmin, params.qmax
    )
    got = quantize(np.array([x]), params)
    return got.dtype == params.dtype and got.shape == (1,) and int(got[0]) == want


@given(x=st.floats(-1e6, 1e6), scale=SCALES, zero_point=INT8)
def test_quantize_equals_spec(x: Any, scale: Any, zero_point: Any) -> None:
    """R1 on any real value, scale (C1) and zero point (C2)."""
    assert quantize_equals_spec(affine.quantize, x, qparams.QuantParams(scale, zero_point, -128, 127))


@given(steps=st.integers(-140, 140), scale=SCALES, zero_point=INT8, nudge=st.sampled_from([-1, 0, 1]))
def test_quantize_equals_spec_on_and_beside_ties(steps: Any, scale: Any, zero_point: Any, nudge: Any) -> None:
    """R1 on an exact tie, and on the float64 on either side of it."""
    x = (steps + 0.5) * float(np.float32(scale))
    x = float(np.nextafter(x, nudge * np.inf)) if nudge else x
    assert quantize_equals_spec(affine.quantize, x, qparams.QuantParams(scale, zero_point, -128, 127))


def test_quantize_law_kills_reciprocal_truncation_and_late_rounding() -> None:
    """Multiplying by the reciprocal, truncating, and rounding after the zero point each break R1 somewhere."""

    def reciprocal(x: Any, p: Any) -> Any:
        return np.clip(np.rint(np.float32(x) * np.float32(1 / p.scale)) + p.zero_point, p.qmin, p.qmax).astype(np.int8)

    def truncating(x: Any, p: Any) -> Any:
        return np.clip(np.trunc(x / float(p.scale)) + p.zero_point, p.qmin, p.qmax).astype(np.int8)

    def late(x: Any, p: Any) -> Any:
        return np.clip(np.rint(x / float(p.scale) + p.zero_point), p.qmin, p.qmax).astype(np.int8)

    cases = [
        ((k + 0.5) * float(np.float32(s)), qparams.QuantParams(s, z, -128, 127))
        for k in range(-100, 27)
        for s in (0.1, 0.3, 0.7)
        for z in (0, 1)
    ]
    assert all(quantize_equals_spec(affine.quantize, x, p) for x, p in cases)
    for mutant in (reciprocal, truncating, late):
        assert not all(quantize_equals_spec(mutant, x, p) for x, p in cases)


@given(q=INT8, scale=SCALES, zero_point=INT8)
def test_dequantize_equals_spec(q: Any, scale: Any, zero_point: Any) -> None:
    """R2, rounded once to float32 (R0)."""
    params = qparams.QuantParams(scale, zero_point, -128, 127)
    exact = spec_affine.dequantize(q, Fraction(float(params.scale)), zero_point)
    assert Fraction(float(affine.dequantize(np.array([q]), params)[0])) == spec_floating.to_float32(exact)


@given(q=INT8, scale=SCALES, zero_point=INT8)
def test_quantize_undoes_dequantize(q: Any, scale: Any, zero_point: Any) -> None:
    """Every code is the code of its own real value."""
    params = qparams.QuantParams(scale, zero_point, -128, 127)
    assert int(affine.quantize(affine.dequantize(np.array([q]), params), params)[0]) == q


@given(v=st.floats(-2, 2), n=st.integers(1, 16))
def test_quantize_truncating_equals_spec(v: Any, n: Any) -> None:
    """R3: the recipe's own form."""
    assert int(affine.quantize_truncating(np.array([v]), 2**n)[0]) == spec_affine.quantize_truncating(Fraction(v), 2**n)


def test_quantize_defines_the_special_values() -> None:
    """Infinities saturate, -0.0 is the zero point, empty stays empty, NaN is refused."""
    params = qparams.QuantParams(0.1, 3, -128, 127)
    assert affine.quantize(np.array([np.inf, -np.inf, -0.0]), params).tolist() == [127, -128, 3]
    assert affine.quantize(np.zeros((0, 4)), params).shape == (0, 4)
    with pytest.raises(ValueError, match="NaN"):
        affine.quantize(np.array([np.nan]), params)


def test_quantize_per_channel_is_a_column_at_a_time() -> None:
    """Per-channel parameters act on the last axis."""
    params = qparams.QuantParams([0.5, 0.25], [0, 1], -128, 127)
    got = affine.quantize(np.array([[1.0, 1.0], [2.0, 2.0]]), params)
    assert got.tolist() == [[2, 5], [4, 9]]
    assert affine.dequantize(got, params).tolist() == [[1.0, 1.0], [2.0, 2.0]]


# R4 to R8: the multiplier and requantization


@given(scales=st.tuples(SCALES, SCALES, SCALES))
def test_real_multiplier_equals_spec(scales: Any) -> None:
    """R4: one rounding to float64."""
    exact = spec_multiplier.real_multiplier(*(Fraction(float(np.float32(s))) for s in scales))
    assert Fraction(float(multiplier.real_multiplier(*scales))) == exact


@given(real=st.floats(-(2.0**30), 2.0**30, exclude_min=True, exclude_max=True))
def test_decompose_multiplier_equals_spec(real: Any) -> None:
    """R5 on any float64 in (-2^30, 2^30), tiny ones flushed."""
    try:
        want = spec_multiplier.decompose_multiplier(Fraction(real))
    except ValueError:
        with pytest.raises(ValueError, match="2\\^30"):
            multiplier.decompose_multiplier(real)
        return
    got = multiplier.decompose_multiplier(real)
    assert (got.multiplier, got.shift) == want


NEAR_MINUS_ONE = (2.0**-33 - 1, 2.0**-32 - 1)


@pytest.mark.parametrize(
    "real",
    [
        1 - 2.0**-32,
        1 - 2.0**-33,
        2.0**-32,
        2.0**-33,
        0.5,
        1.0,
        0.0,
        5e-324,
        -1.0,
        -5e-324,
        -0.25,
        -4.0,
        *NEAR_MINUS_ONE,
    ],
)
def test_decompose_multiplier_at_its_corners(real: Any) -> None:
    """R5 where the 31-bit integer carries, and where the shift leaves its range."""
    got = multiplier.decompose_multiplier(real)
    assert (got.multiplier, got.shift) == spec_multiplier.decompose_multiplier(Fraction(real))


def test_decompose_multiplier_per_channel_is_one_at_a_time() -> None:
    """An array of multipliers gives the array of their parts (C4)."""
    reals = np.array([0.3, 1.7, 2.0**-40, 0.0])
    got = multiplier.decompose_multiplier(reals)
    one = [multiplier.decompose_multiplier(r) for r in reals]
    assert got == multiplier.FixedMultiplier(np.array([f.multiplier for f in one]), np.array([f.shift for f in one]))


REQUANTIZERS = [
    (requantize.requantize_single_rounding, spec_requantize.requantize_single_rounding),
    (requantize.requantize_double_rounding, spec_requantize.requantize_double_rounding),
    (requantize.requantize_double_rounding_up, spec_requantize.requantize_double_rounding_up),
    (requantize.requantize_floor_then_half_up, spec_requantize.requantize_floor_then_half_up),
    (requantize.requantize_half_away, spec_requantize.requantize_half_away),
    (requantize.requantize_half_even, spec_requantize.requantize_half_even),
]
LABELS = ["R6", "R8", "R19", "R20", "R21", "R148"]


def requantize_equals_spec(kernel: Any, rule: Any, acc: int, fixed: tuple[int, int]) -> bool:
    """Say whether a requantization of one accumulator equals its definition."""
    got = kernel(np.array([acc], np.int32), multiplier.FixedMultiplier(*fixed))
    return got.dtype == np.int64 and int(got[0]) == rule(acc, *fixed)


@pytest.mark.parametrize(("kernel", "rule"), REQUANTIZERS, ids=LABELS)
@given(acc=INT32 | st.sampled_from([-(2**31), 2**31 - 1, 0, -1]), fixed=MULTIPLIERS)
def test_requantize_equals_spec(kernel: Any, rule: Any, acc: Any, fixed: Any) -> None:
    """R6, R8, R19, R20, R21 and R148 for any int32 accumulator and any multiplier (C4)."""
    assert requantize_equals_spec(kernel, rule, acc, fixed)


INT64 = st.integers(-(2**63), 2**63 - 1)
SHORT_MULTIPLIERS = st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(-31, 14))


@given(acc=INT64 | INT32 | st.integers(-(2**47), 2**47), fixed=SHORT_MULTIPLIERS)
def test_requantize_mantissa16_equals_spec(acc: Any, fixed: Any) -> None:
    """R91 for any int64 accumulator, and any multiplier below 2^14."""
    got = requantize.requantize_mantissa16(np.array([acc], np.int64), multiplier.FixedMultiplier(*fixed))
    assert got.dtype == np.int64 and int(got[0]) == spec_requantize.requantize_mantissa16(acc, *fixed)


def test_requantize_mantissa16_at_its_corners() -> None:
    """R91 where the mantissa saturates, at ties, where 64 bits wrap, where 32 do; and it is coarser than R6."""
    cases = [(acc, (m, e)) for m in (2**31 - 1, 2**31 - 2**15 - 1, 2**30, -(2**31), 0) for e in (-31, -1, 0, 14)
             for acc in (5, -5, 2**47, -(2**47), 2**48, 2**63 - 1, -(2**63), 0)]  # fmt: skip
    for acc, fixed in cases:
        got = requantize.requantize_mantissa16(np.array([acc]), multiplier.FixedMultiplier(*fixed))
        assert int(got[0]) == spec_requantize.requantize_mantissa16(acc, *fixed)
    one, other = spec_requantize.requantize_mantissa16, spec_requantize.requantize_single_rounding
    assert one(2**31 - 1, 1431655766, 0) != other(2**31 - 1, 1431655766, 0)


def test_requantize_mantissa16_low_bits_first_equals_spec() -> None:
    """R92: drawn over int64, beside ties and beside the bits that are dropped; R91 parts from it from 2^30 steps on."""
    rng = np.random.default_rng(92)
    killed = 0
    for _ in range(300):
        m, e = int(rng.integers(-(2**31), 2**31)), int(rng.integers(-31, 15))
        acc = np.concatenate([rng.integers(-(2**63), 2**63, 4), (1 << rng.integers(0, 62, 8)) + rng.integers(-1, 2, 8)])
        fixed = multiplier.FixedMultiplier(m, e)
        got = requantize.requantize_mantissa16_low_bits_first(acc, fixed)
        want = [spec_requantize.requantize_mantissa16_low_bits_first(int(a), m, e) for a in acc]
        assert got.dtype == np.int64 and got.tolist() == want
        other = requantize.requantize_mantissa16(acc, fixed)
        killed += int((got != other).sum())
    assert killed > 0
    near = np.array([5, -5, 6, -6, 2**29, -(2**29)])
    for e in (0, -1):
        fixed = multiplier.FixedMultiplier(2**30, e)
        same = requantize.requantize_mantissa16(near, fixed)
        assert requantize.requantize_mantissa16_low_bits_first(near, fixed).tolist() == same.tolist()


def test_requantize_mantissa16_refuses_what_the_engines_do_not_promise() -> None:
    """A multiplier of 2^14 or more would shift left by a negative count."""
    with pytest.raises(ValueError, match="must be below 2"):
        requantize.requantize_mantissa16(np.array([1]), multiplier.FixedMultiplier(2**30, 15))


WIDE_ACCUMULATORS = st.integers(-(2**47), 2**47 - 1)


def wide_equals_spec(kernel: Any, acc: int, fixed: tuple[int, int]) -> bool:
    """Say whether a requantization of one accumulator of 48 bits is R170."""
    got = kernel(np.array([acc], np.int64), multiplier.FixedMultiplier(*fixed))
    return got.dtype == np.int64 and int(got[0]) == spec_requantize.requantize_single_rounding_wide(acc, *fixed)


def wide_ties(fixed: tuple[int, int]) -> list[int]:
    """Return accumulators of 48 bits on and beside acc M = k + 1/2, for small k and for those of 16-bit codes."""
    m, e = fixed
    steps = (-32768, -300, -2, -1, 0, 1, 299, 32767)
    centre = [round(Fraction(2 * k + 1, 2) * Fraction(2) ** (31 - e) / m) for k in steps]
    return [c + d for c in centre for d in (-1, 0, 1) if -(2**47) <= c + d < 2**47]


@given(acc=WIDE_ACCUMULATORS | INT32 | st.integers(-(2**17), 2**17), fixed=MULTIPLIERS)
def test_requantize_single_rounding_wide_equals_spec(acc: Any, fixed: Any) -> None:
    """R170 for any accumulator of 48 bits and any multiplier."""
    assert wide_equals_spec(requantize.requantize_single_rounding_wide, acc, fixed)


@given(m=st.integers(2**30, 2**31 - 1), e=st.integers(-31, 30))
def test_requantize_single_rounding_wide_equals_spec_at_ties(m: Any, e: Any) -> None:
    """R170 on and beside ties of codes at both ends of int16 and around 0."""
    assert all(wide_equals_spec(requantize.requantize_single_rounding_wide, acc, (m, e)) for acc in wide_ties((m, e)))


@given(acc=INT32, fixed=MULTIPLIERS)
def test_requantize_single_rounding_wide_is_r6_of_int32(acc: Any, fixed: Any) -> None:
    """R170 and R6 are one function where both are defined: an int64 bias in place of an int32 one changes no code."""
    made = multiplier.FixedMultiplier(*fixed)
    one, other = requantize.requantize_single_rounding_wide, requantize.requantize_single_rounding
    assert int(one(np.array([acc]), made)[0]) == int(other(np.array([acc]), made)[0])


def test_requantize_single_rounding_wide_kills_its_neighbours() -> None:
    """R170 at its corners; a 64-bit product that wraps, a 16-bit mantissa, float64 and a dropped low part all fail."""

    def wraps(acc: Any, fixed: Any) -> Any:
        with np.errstate(over="ignore"):
            return np.right_shift(acc * fixed.multiplier + (np.int64(1) << (30 - fixed.shift)), 31 - fixed.shift)

    def in_float64(acc: Any, fixed: Any) -> Any:
        return np.floor(acc * fixed.real + 0.5).astype(np.int64)

    def high_alone(acc: Any, fixed: Any) -> Any:
        h = np.right_shift(acc, 16) * fixed.multiplier
        return np.right_shift(h + (np.int64(1) << (14 - fixed.shift)), 15 - fixed.shift)

    multipliers = [
        (m, e) for m in (2**31 - 1, 2**30, 2**30 + 1, 3 * 2**29 + 1, -(2**31), 0) for e in (-31, -20, -1, 0, 14)
    ]
    cases = [(acc, fixed) for fixed in multipliers for acc in (5, -5, 0, 2**47 - 1, -(2**47), 2**46 + 2**15, 2**16 - 1)]
    cases += [(acc, fixed) for fixed in multipliers if fixed[0] > 0 for acc in wide_ties(fixed)]
    assert all(wide_equals_spec(requantize.requantize_single_rounding_wide, *case) for case in cases)
    for mutant in (wraps, in_float64, high_alone, requantize.requantize_mantissa16):
        assert not all(wide_equals_spec(mutant, *case) for case in cases)


def test_requantize_single_rounding_wide_saturates_a_channel_at_a_time() -> None:
    """R170 beside the ends of its 62 bits, channels below and above 2^14 side by side."""
    sums = (2**47 - 1, -(2**47), 2**46, -(2**46), 2**33 + 1, -(2**32) - 3, 7, -7, 0)
    factors = [(m, e) for m in (2**31 - 1, 2**30, 2**30 + 12345, -(2**31), 1, 65535) for e in (-31, 14, 15, 16, 29, 30)]
    cases = [(acc, fixed) for acc in sums for fixed in factors]
    assert all(wide_equals_spec(requantize.requantize_single_rounding_wide, *case) for case in cases)
    shifts = np.array([0, 15, 30, -31])
    fixed = multiplier.FixedMultiplier(np.full(4, 3 * 2**29), shifts)
    got = requantize.requantize_single_rounding_wide(np.full((1, 4), -(2**40) - 1), fixed)
    want = [spec_requantize.requantize_single_rounding_wide(-(2**40) - 1, 3 * 2**29, int(e)) for e in shifts]
    assert got[0].tolist() == want


@pytest.mark.parametrize("acc", [2**47, -(2**47) - 1])
def test_requantize_single_rounding_wide_refuses_49_bits(acc: Any) -> None:
    """R170: what it is not defined for is refused by the array and by the definition."""
    with pytest.raises(ValueError, match="48 bits"):
        requantize.requantize_single_rounding_wide(np.array([acc]), multiplier.FixedMultiplier(2**30, 0))
    with pytest.raises(ValueError, match="48 bits"):
        spec_requantize.requantize_single_rounding_wide(acc, 2**30, 0)


def near_ties(fixed: tuple[int, int], steps: range) -> list[int]:
    """Return the accumulators on, just below and just above acc M = k + 1/2, for each k in steps."""
    m, e = fixed
    centre = [round(Fraction(2 * k + 1, 2) * Fraction(2) ** (31 - e) / m) for k in steps]
    return [c + d for c in centre for d in (-1, 0, 1) if -(2**31) <= c + d < 2**31]


TIE_FIXED = [(2**30, -1), (2**30, 0), (2**30, -7), (1431655765, -3), (1288490189, -6), (2**31 - 1, -10), (2**30 + 1, 0)]


@pytest.mark.parametrize(("kernel", "rule"), REQUANTIZERS, ids=LABELS)
def test_requantize_equals_spec_at_midpoints(kernel: Any, rule: Any) -> None:
    """All five on and beside every tie of an 8-bit output."""
    for fixed in TIE_FIXED:
        assert all(requantize_equals_spec(kernel, rule, acc, fixed) for acc in near_ties(fixed, range(-130, 130)))


def test_requantize_midpoints_kill_every_other_rule() -> None:
    """The midpoints tell the rules apart; R20 and R6 part only where a left shift wraps."""
    wide = [(2**30, (2**30, 3)), (-(2**31), (2**30, 1))]
    cases = [(acc, fixed) for fixed in TIE_FIXED for acc in near_ties(fixed, range(-130, 130))] + wide
    for i, (kernel, _) in enumerate(REQUANTIZERS):
        for j, (_, rule) in enumerate(REQUANTIZERS):
            assert (i == j) == all(requantize_equals_spec(kernel, rule, acc, fixed) for acc, fixed in cases)


@given(a=INT32, b=INT32)
def test_multiply_high_half_up_equals_spec(a: Any, b: Any) -> None:
    """R7 on any pair of int32 numbers."""
    assert int(requantize.multiply_high_half_up(np.array([a]), b)[0]) == spec_requantize.multiply_high_half_up(a, b)


def test_multiply_high_half_up_saturates_its_one_overflow() -> None:
    """R7: -1 times -1 in Q31 is not +1 but the largest number."""
    assert requantize.multiply_high_half_up(np.array([-(2**31)]), -(2**31))[0] == 2**31 - 1


# R9, R10, R11: the linear layer


@given(
    rows=st.lists(st.tuples(INT8, INT8), min_size=0, max_size=6),
    bias=st.integers(-(2**20), 2**20),
    zeros=st.tuples(INT8, INT8, INT8),
    scales=st.tuples(SCALES, SCALES, SCALES),
    activation=st.sampled_from(["identity", "relu", "clipped_relu", "relu6"]),
)
def test_linear_equals_spec(rows: Any, bias: Any, zeros: Any, scales: Any, activation: str) -> None:
    """R9, R10 and R11 together: one output of a layer, any zero points."""
    x, w, y = (qparams.QuantParams(s, z, -128, 127) for s, z in zip(scales, zeros, strict=True))
    exact = [Fraction(float(p.scale)) for p in (x, w, y)]
    real = spec_multiplier.real_multiplier(*exact)
    if real >= 2**29:
        return
    low, high = {
        "identity": (None, None), "relu": (0, None), "clipped_relu": (0, 1), "relu6": (0, 6)
    }[activation]  # fmt: skip
    bounds = spec_bounds.clamp_codes(
        None if low is None else Fraction(low), None if high is None else Fraction(high), exact[2], zeros[2], -128, 127
    )
    assert clamp_codes(activation, y) == bounds
    acc = spec_linear.accumulate([r[0] for r in rows], [r[1] for r in rows], bias, zeros[0], zeros[1])
    want = spec_linear.output_code(acc, *spec_multiplier.decompose_multiplier(real), zeros[2], *bounds)
    x_q = np.array([r[0] for r in rows], np.int8).reshape(1, -1)
    w_q = np.array([r[1] for r in rows], np.int8).reshape(-1, 1)
    got = linear(x_q, w_q, bias, x=x, w=w, y=y, profile=NPQUANT, activation=activation)
    assert got.dtype == np.int8 and got.tolist() == [[want]]


@pytest.mark.parametrize("depth", [1, 7, 64, 3000])
def test_accumulate_of_words_is_exact(depth: Any) -> None:
    """R9, C6: 16-bit codes by 16-bit codes at the rails, where float32 holds not one product: sums beyond 2^53 too."""
    rng = np.random.default_rng(depth)
    x_q = rng.choice([-(2**15), 2**15 - 1, 12_345], (2, depth)).astype(np.int16)
    w_q = rng.choice([-(2**15), 2**15 - 1, -777], (depth, 3)).astype(np.int16)
    x_q[0], w_q[:, 0] = -(2**15), -(2**15)
    bias, zeros = [2**60, -1, 5], (-32_768, 77)
    for zx, zw in ((0, 0), zeros):
        got = accumulate(x_q, w_q, np.array(bias), zx, zw)
        want = [
            [sum((int(a) - zx) * (int(b) - zw) for a, b in zip(row, column, strict=True)) + b0
             for column, b0 in zip(w_q.T, bias, strict=True)]
            for row in x_q
        ]  # fmt: skip
        assert got.tolist() == want
    rounded = x_q.astype(np.float32) @ w_q.astype(np.float32)
    assert rounded.astype(np.int64).tolist() != accumulate(x_q, w_q, 0, 0, 0).tolist()


def test_linear_refuses_an_accumulator_beyond_int32() -> None:
    """R9, C5: npquant's own profile never wraps."""
    p = qparams.QuantParams(1.0, 0, -128, 127)
    one = np.ones((1, 1), np.int8)
    with pytest.raises(OverflowError, match="int32"):
        linear(one, one, 2**31 - 1, x=p, w=p, y=p, profile=NPQUANT)
    assert linear(one, one, 2**31 - 2, x=p, w=p, y=p, profile=NPQUANT).tolist() == [[127]]
    with pytest.raises(OverflowError):
        spec_linear.accumulate([1], [1], 2**31 - 1, 0, 0)


# R12: tables


@pytest.mark.parametrize(
    ("name", "enclose"),
    [
        ("sigmoid", spec_lookup.enclose_sigmoid),
        ("tanh", spec_lookup.enclose_tanh),
        ("softplus", spec_lookup.enclose_softplus),
    ],
)
@pytest.mark.parametrize(
    ("x", "y"), [((1 / 16, 0), (1 / 256, -128)), ((0.1, -128), (1 / 255, -128)), ((0.04, 12), (1 / 127, 0))]
)
def test_activation_table_equals_spec(name: Any, enclose: Any, x: Any, y: Any) -> None:
    """R12: all 256 entries are correctly rounded."""
    xp, yp = qparams.QuantParams(*x, -128, 127), qparams.QuantParams(*y, -128, 127)  # type: ignore[call-arg]
    table = lookup.activation_table(name, xp, yp)
    exact_x, exact_y = ((Fraction(float(p.scale)), int(p.zero_point)) for p in (xp, yp))
    want = [spec_lookup.table_entry(enclose, q, exact_x, exact_y, -128, 127) for q in range(-128, 128)]
    assert table.tolist() == want
    truncated = np.trunc(lookup.sigmoid((np.arange(-128, 128) - x[1]) * x[0]) / y[0])
    assert truncated.tolist() != want  # the law has teeth


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus"])
@pytest.mark.parametrize("x", [(1 / 4096, 0), (2.0**-13, 777)])
def test_activation_table_of_16_bits_equals_spec(name: Any, x: Any) -> None:
    """R12 of int16 codes: an entry for each of the 65,536, correctly rounded where asked; float32 would not be."""
    xp, yp = qparams.QuantParams(*x, -32768, 32767), qparams.QuantParams(1 / 32767, 0, -32768, 32767)  # type: ignore[call-arg]
    table = lookup.activation_table(name, xp, yp)
    assert table.dtype == np.int16 and table.shape == (2**16,)
    exact_x, exact_y = ((Fraction(float(p.scale)), int(p.zero_point)) for p in (xp, yp))
    asked = [-32768, *range(-32001, 32767, 1601), x[1], 32767]
    enclose = getattr(spec_lookup, f"enclose_{name}")
    want = [spec_lookup.table_entry(enclose, q, exact_x, exact_y, -32768, 32767) for q in asked]
    assert [int(table[q + 32768]) for q in asked] == want
    assert (np.diff(table.astype(int)) >= 0).all()
    real = ((np.arange(-32768, 32768) - x[1]) * np.float32(x[0])).astype(np.float32)
    single = lookup.FUNCTIONS[name][0](real).astype(np.float32) / np.float32(yp.scale)
    assert (np.clip(np.rint(single), -32768, 32767) != table).any()  # the law has teeth


@pytest.mark.parametrize(("x_type", "y_type"), [(np.int8, np.int16), (np.int16, np.int8)])
def test_activation_table_takes_codes_of_one_width_to_another(x_type: Any, y_type: Any) -> None:
    """R12 has an entry a code of the input's type, of the output's."""
    x, y = (qparams.QuantParams(1 / 64, 0, np.iinfo(t).min, np.iinfo(t).max) for t in (x_type, y_type))
    table = lookup.activation_table("tanh", x, y)
    assert table.dtype == y_type and len(table) == 2 ** (8 * np.dtype(x_type).itemsize)
    assert table[len(table) // 2] == 0 and np.array_equal(table[1:], -table[:0:-1])  # tanh is odd, and so are ties
