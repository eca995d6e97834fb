"""Engines' float output stages: the arrays equal exact rationals that round where the engine rounds."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import conversion, floating, output_stages
from npquant.kernels import multiplier as multipliers
from npquant.kernels.rounding import round_half_away
from npquant.spec import conversion as spec_conversion
from npquant.spec import multiplier as spec_multiplier
from npquant.spec import output_stages as spec_stages
from npquant.spec.floating import to_float32

INT32 = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([-(2**31), 2**31 - 1, 0, -1, 2**24 + 1])
SCALES = st.floats(2.0**-20, 2.0**10, width=32)
OUTPUT = st.sampled_from([(-128, 127), (0, 255), (-128, 17), (-3, 127)])
F32 = st.floats(-(2.0**40), 2.0**40, width=32)

STAGES = [
    (output_stages.stage_float64_half_away, spec_stages.stage_float64_half_away),
    (output_stages.stage_float64_half_away_saturating, spec_stages.stage_float64_half_away_saturating),
    (output_stages.stage_float32_half_even, spec_stages.stage_float32_half_even),
    (output_stages.stage_float32_half_even_low_wraps, spec_stages.stage_float32_half_even_low_wraps),
    (output_stages.stage_float64_zero_point_first, spec_stages.stage_float64_zero_point_first),
    (output_stages.stage_mantissa24_half_up, spec_stages.stage_mantissa24_half_up),
    (output_stages.stage_float32_fused_zero_point_first, spec_stages.stage_float32_fused_zero_point_first),
]
LABELS = ["R25", "R100", "R26", "R27", "R28", "R29", "R145"]


def stage_equals_spec(stage: Any, rule: Any, acc: int, m: float, zy: int, interval: tuple[int, int]) -> bool:
    """Say whether a stage gives the exact code for one accumulator and one float32 multiplier."""
    dtype = np.float64 if stage in (pair[0] for pair in STAGES[:2]) else np.float32
    got = stage(np.array([acc], np.int64), np.asarray(m, dtype), zy, *interval)
    return got.dtype == np.int64 and int(got[0]) == rule(acc, Fraction(float(np.float32(m))), zy, *interval)


@pytest.mark.parametrize(("stage", "rule"), STAGES, ids=LABELS)
@given(acc=INT32, m=st.floats(2.0**-40, 255.0, width=32), zy=st.integers(-128, 255), interval=OUTPUT)
def test_stage_equals_spec(stage: Any, rule: Any, acc: Any, m: Any, zy: Any, interval: Any) -> None:
    """R25 to R29, R100 and R145 for any accumulator, multiplier and zero point."""
    assert stage_equals_spec(stage, rule, acc, m, zy, interval)


def tie_cases() -> list[tuple[int, float, int, tuple[int, int]]]:
    """Return cases on and beside ties, on negatives, with odd zero points, and beyond float32 and int32."""
    ties = [
        (round((k + 0.5) / m) + d, m, zy, (-128, 127))
        for m in (0.5, 0.25, 0.1, 3e-3)
        for k in range(-40, 40)
        for d in (-1, 0, 1)
        for zy in (0, 1)
    ]
    # acc M is just below a half in exact arithmetic, and on it after float32 has rounded acc.
    wide = [(2**30 * 5 - 1 - 2**31 - 2**31, 2.0**-22, 0, (-128, 127)), (2**25 + 1, 2.0**-20 * 1.5, 0, (-128, 127))]
    wide += [(acc, 2.0**-21, 0, (-128, 127)) for acc in range(2**26 + 2**20 - 3, 2**26 + 2**20 + 4)]
    return ties + wide + [(-(2**31), 4.0, -1, (-128, 127)), (2**31 - 1, 4.0, 5, (-128, 127))]


def test_stage_law_kills_every_other_rule() -> None:
    """Each stage obeys its own rule on the tie cases and breaks each of the others: the law tells all of them apart."""
    cases = [c for c in tie_cases() if -(2**31) <= c[0] < 2**31]
    for i, (stage, _) in enumerate(STAGES):
        for j, (_, rule) in enumerate(STAGES):
            assert (i == j) == all(stage_equals_spec(stage, rule, *case) for case in cases), (LABELS[i], LABELS[j])


@given(a=F32, b=F32, c=F32)
def test_fma_float32_equals_spec(a: Any, b: Any, c: Any) -> None:
    """R0: one rounding of the exact a b + c."""
    exact = to_float32(Fraction(a) * Fraction(b) + Fraction(c))
    assert Fraction(float(floating.fma_float32(a, b, c))) == exact


def test_fma_float32_kills_two_roundings() -> None:
    """Rounding the float64 sum straight to float32 is wrong where that sum falls on a float32 tie by rounding."""
    a, b, c = np.float32(1 + 2.0**-23), np.float32(2.0**-24 * (1 - 2.0**-23)), np.float32(1)
    cases = [(a, b, c), (np.float32(2.0**-30), np.float32(2.0**-30), np.float32(1 + 2.0**-23))]
    cases += [(np.float32(2.0**-24 + 2.0**-47), np.float32(1), c), (np.float32(2.0**-54), np.float32(1), c)]
    # c + 2^-24 is the tie; 2^-60 beyond it is lost in float64.
    odd = np.float32(1 + 2.0**-23)
    cases.append((np.float32(2.0**-12 + 2.0**-30), np.float32(2.0**-12 - 2.0**-30), odd))
    for case in cases:
        exact = to_float32(Fraction(float(case[0])) * Fraction(float(case[1])) + Fraction(float(case[2])))
        assert Fraction(float(floating.fma_float32(*case))) == exact
    two = [np.float32(np.float64(x) * np.float64(y) + np.float64(z)) for x, y, z in cases]
    assert any(
        Fraction(float(t)) != to_float32(Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z)))
        for t, (x, y, z) in zip(two, cases, strict=True)
    )


@given(acc=INT32, b=F32, sx_sw=SCALES)
def test_bias_added_equals_spec(acc: Any, b: Any, sx_sw: Any) -> None:
    """R31, R32: a float bias, fused and divided."""
    arguments = np.array([acc]), np.float32(b), np.float32(sx_sw)
    exact = acc, Fraction(b), Fraction(float(np.float32(sx_sw)))
    fused, divided = output_stages.bias_added_fused(*arguments), output_stages.bias_added_divided(*arguments)
    assert Fraction(float(fused[0])) == spec_stages.bias_added_fused(*exact)
    assert Fraction(float(divided[0])) == spec_stages.bias_added_divided(*exact)


@given(v=F32, m=st.floats(2.0**-30, 255.0, width=32), sy=SCALES, zy=st.integers(0, 255))
def test_float_accumulator_stages_equal_spec(v: Any, m: Any, sy: Any, zy: Any) -> None:
    """R30, R33: packing through int16, and the zero point before the rounding."""
    value = np.array([v], np.float32)
    got = int(output_stages.stage_float32_through_int16(value, np.float32(m), zy, 0, 255)[0])
    assert got == spec_stages.stage_float32_through_int16(Fraction(v), Fraction(m), zy, 0, 255)
    got = int(output_stages.stage_float32_zero_point_first(value, np.float32(sy), zy, 0, 255)[0])
    assert got == spec_stages.stage_float32_zero_point_first(Fraction(v), Fraction(sy), zy, 0, 255)


BELOW_HALF = float(np.nextafter(np.float32(0.5), np.float32(0)))
ADD_HALF_CASES = [
    *(k / 2 for k in range(-520, 521)),
    *(sign * v for sign in (-1, 1) for v in (BELOW_HALF, 2.0**23 + 1, 2.0**24 - 1, 2.0**24 + 2, 2.0**31, 2.0**100)),
]


def add_half_equals_spec(rounding: Any, v: float) -> bool:
    """Say whether an implementation of R130 gives the exact integer for one float32."""
    got = rounding(np.array([v], np.float32))
    return got.dtype == np.float32 and int(got[0]) == spec_conversion.round_add_half_then_truncate(Fraction(v))


@given(v=F32 | st.floats(-300, 300, width=32))
def test_round_add_half_then_truncate_equals_spec(v: Any) -> None:
    """R130 on any float32."""
    assert add_half_equals_spec(conversion.round_add_half_then_truncate, v)


def test_round_add_half_then_truncate_kills_half_away_and_half_even() -> None:
    """R130 at ties, beside 1/2, and where half a step is lost; it is neither half away nor half even."""
    assert all(add_half_equals_spec(conversion.round_add_half_then_truncate, v) for v in ADD_HALF_CASES)
    killed = [[v for v in ADD_HALF_CASES if not add_half_equals_spec(other, v)] for other in (round_half_away, np.rint)]
    assert killed[0] == [-BELOW_HALF, -(2.0**23 + 1), -(2.0**24 - 1), BELOW_HALF, 2.0**23 + 1, 2.0**24 - 1]
    assert len(killed[1]) > 200


def test_round_add_half_then_truncate_defines_the_special_values() -> None:
    """R130: NaN and infinities pass through, -0.0 too; the sum is in the array's own type."""
    got = conversion.round_add_half_then_truncate(np.array([np.nan, np.inf, -np.inf, -0.0], np.float32))
    np.testing.assert_array_equal(got, np.array([np.nan, np.inf, -np.inf, -0.0], np.float32))
    assert conversion.round_add_half_then_truncate(np.array([BELOW_HALF, np.nextafter(0.5, 0)])).tolist() == [0, 1]


@given(v=st.integers(-(2**40), 2**40), zy=st.integers(-128, 255))
def test_conversion_equals_spec(v: Any, zy: Any) -> None:
    """R10, R22, R23, R24: beyond int32 each machine has its own answer."""
    value = np.array([float(v)])
    assert int(conversion.to_int32_x86(value)[0]) == spec_conversion.to_int32_x86(v)
    for array_form, rule in (
        (conversion.code_saturating, spec_conversion.code_saturating),
        (conversion.code_wrapping_x86, spec_conversion.code_wrapping_x86),
        (conversion.code_through_int16, spec_conversion.code_through_int16),
    ):
        assert int(array_form(value, zy, -128, 127)[0]) == rule(v, zy, -128, 127)


def test_conversion_law_kills_the_other_machines() -> None:
    """The three conversions differ beyond int32 and between int16 and int32."""
    v, zy = np.array([2.0**31, -(2.0**31) - 2.0**9, 7.0]), -1
    answers = [
        form(v, zy, -128, 127).tolist()
        for form in (conversion.code_saturating, conversion.code_wrapping_x86, conversion.code_through_int16)
    ]
    assert answers == [[127, -128, 6], [127, 127, 6], [-128, -128, 6]]


@given(scales=st.tuples(SCALES, SCALES, SCALES))
def test_multipliers_equal_spec(scales: Any) -> None:
    """R16, R17, R18, R146: the quotient, rounded where each engine rounds it."""
    exact = [Fraction(float(np.float32(s))) for s in scales]
    for array_form, rule in (
        (multipliers.multiplier_float32_product, spec_multiplier.multiplier_float32_product),
        (multipliers.multiplier_float32, spec_multiplier.multiplier_float32),
        (multipliers.multiplier_float32_reciprocal, spec_multiplier.multiplier_float32_reciprocal),
        (multipliers.multiplier_float64_to_float32, spec_multiplier.multiplier_float64_to_float32),
    ):
        assert Fraction(float(array_form(*scales))) == rule(*exact)


def test_multipliers_law_kills_every_other_rule() -> None:
    """Five ways to round sx sw / sy, told apart by ordinary scales."""
    rng = np.random.default_rng(5)
    triples = rng.uniform(1e-3, 1, (200, 3)).astype(np.float32)
    rules = [
        spec_multiplier.real_multiplier,
        spec_multiplier.multiplier_float32_product,
        spec_multiplier.multiplier_float32,
        spec_multiplier.multiplier_float32_reciprocal,
        spec_multiplier.multiplier_float64_to_float32,
    ]
    answers = [[rule(*(Fraction(float(s)) for s in t)) for t in triples] for rule in rules]
    assert all(answers[i] != answers[j] for i in range(5) for j in range(i))


def test_mantissa24_casts_to_int32_before_it_clamps() -> None:
    """R29: an accumulator of 2^31 - 1 times 1.5 is negative as int32, so the code is the low rail, not 255."""
    for interval, want in (((0, 255), 0), ((-128, 127), -128)):
        got = output_stages.stage_mantissa24_half_up(np.array([2**31 - 1]), np.float32(1.5), 0, *interval)
        assert got.tolist() == [want] == [spec_stages.stage_mantissa24_half_up(2**31 - 1, Fraction(3, 2), 0, *interval)]


def symmetric_equals_spec(form: Any, v: float) -> bool:
    """Say whether a code of steps v obeys R131 in a whole vector of 4 and R132 after it."""
    got = form(np.array([v] * 5, np.float32))
    body, tail = (
        spec_conversion.code_symmetric_add_half(Fraction(v)),
        spec_conversion.code_symmetric_half_away(Fraction(v)),
    )
    return got.dtype == np.int64 and got.tolist() == [body] * 4 + [tail]


@given(v=F32 | st.floats(-300, 300, width=32))
def test_code_symmetric_vectors_of_4_equals_spec(v: Any) -> None:
    """R131 and R132 on any float32."""
    assert symmetric_equals_spec(conversion.code_symmetric_vectors_of_4, v)


def test_code_symmetric_vectors_of_4_kills_one_rule_for_all_and_a_saturating_rail() -> None:
    """R131 alone, R132 alone, and a value of 2^31 that saturates, are each wrong somewhere."""

    def code_of(rounding: Any, high: Any) -> Any:
        return lambda v: np.clip(np.where(v >= 2.0**31, high, rounding(v)), -127, 127).astype(np.int64)

    assert all(symmetric_equals_spec(conversion.code_symmetric_vectors_of_4, v) for v in ADD_HALF_CASES)
    add_half = conversion.round_add_half_then_truncate
    for wrong in (code_of(add_half, -127), code_of(round_half_away, -127), code_of(round_half_away, 127)):
        assert not all(symmetric_equals_spec(wrong, v) for v in ADD_HALF_CASES)


def test_code_symmetric_vectors_of_4_knows_rows() -> None:
    """Of rows by fours every vector is whole; otherwise each row has its own rest; a scalar is all rest."""
    form, v = conversion.code_symmetric_vectors_of_4, np.float32(BELOW_HALF)
    assert form(np.full((3, 6), v)).tolist() == [[1, 1, 1, 1, 0, 0]] * 3
    assert form(np.full((4, 6), v)).tolist() == [[1] * 6] * 4
    assert form(np.full((2, 3, 2), v)).reshape(2, 6).tolist() == [[1, 1, 1, 1, 0, 0]] * 2
    assert form(np.asarray(v)).tolist() == 0
    assert [form(np.zeros(shape, np.float32)).shape for shape in ((0,), (0, 3), (3, 0))] == [(0,), (0, 3), (3, 0)]
    assert form(np.array([np.nan, np.inf, -np.inf, 1e10, np.nan], np.float32)).tolist() == [-127] * 5


@given(acc=INT32, k=st.tuples(SCALES, SCALES), b=F32)
def test_real_outputs_per_unit_equal_spec(acc: Any, k: Any, b: Any) -> None:
    """R135 and R136: a real bias added after the product is rounded, and fused with it."""
    kx, kw = (np.float32(v) for v in k)
    m = np.asarray(np.float32(1) / (kx * kw))
    exact = Fraction(float(kx)), Fraction(float(kw))
    got = output_stages.real_output_per_unit(np.array([acc]), m, np.float32(b))
    assert Fraction(float(got[0])) == spec_stages.real_output_per_unit(acc, *exact, Fraction(b))
    fused = output_stages.real_output_fused(np.array([acc]), m, np.float32(b))
    assert Fraction(float(fused[0])) == spec_stages.real_output_fused(acc, Fraction(float(m)), Fraction(b))


def test_real_outputs_per_unit_kill_each_other() -> None:
    """R135 and R136 differ where a bias cancels the product."""
    acc, m = np.arange(2**24 - 3, 2**24), np.asarray(np.float32(1) / np.float32(3))
    b = -np.float32(2**24 / 3)
    assert (output_stages.real_output_per_unit(acc, m, b) != output_stages.real_output_fused(acc, m, b)).any()


@given(v=F32, ky=SCALES, ends=st.sampled_from([(-127, 127), (0, 127), (-5, 60), (-(2**31), 2**31 - 1)]))
def test_stage_per_unit_equals_spec(v: Any, ky: Any, ends: Any) -> None:
    """R131 of steps that are clipped before they are rounded; a high end of 127 or more is none."""
    got = output_stages.stage_per_unit_vectors_of_4(np.full(4, v, np.float32), np.float32(ky), *ends)
    steps = max(to_float32(Fraction(v) * Fraction(ky)), Fraction(ends[0]))
    want = spec_conversion.code_symmetric_add_half(min(steps, Fraction(ends[1])) if ends[1] < 127 else steps)
    assert got.tolist() == [want] * 4


def shifted_equals_spec(
    shifts: Any, stages: Any, acc: int, scales: tuple[float, ...], rest: tuple[int, int, int, float]
) -> bool:
    """Say whether R138, and R139 of it, are exact for one output; rest is column sum, zx, zy and bias."""
    sx, sw, sy = (np.float32(v) for v in scales)
    colsum, zx, zy, b = rest
    shift = shifts(np.array([colsum]), np.float32(b), (sx, zx), sw, (sy, zy))
    exact = [Fraction(float(v)) for v in (sx, sw, sy)]
    want = spec_stages.shift_with_column_sum(
        colsum, Fraction(float(np.float32(b))), (exact[0], zx), exact[1], (exact[2], zy)
    )
    ratio = to_float32(exact[0] / exact[2])
    code = spec_stages.stage_two_products_clip_add_half(acc, exact[1], ratio, want, -128, 127)
    got = stages(np.array([[acc]]), sw, np.asarray(sx / sy), shift, -128, 127)
    return Fraction(float(shift[0])) == want and got.dtype == np.int64 and got.tolist() == [[code]]


SHIFTED = output_stages.shift_with_column_sum, output_stages.stage_two_products_clip_add_half
SHORT = st.floats(2.0**-12, 2.0**4, width=32)


@given(
    acc=INT32, scales=st.tuples(SHORT, SHORT, SHORT),
    rest=st.tuples(st.integers(-(2**26), 2**26), st.integers(-128, 127), st.integers(-128, 127), st.floats(-99, 99)),
)  # fmt: skip
def test_layer_with_column_sum_equals_spec(acc: Any, scales: Any, rest: Any) -> None:
    """R138 and R139 on any accumulator, sum of weights, zero points and bias."""
    assert shifted_equals_spec(*SHIFTED, acc, scales, rest)


def test_layer_with_column_sum_kills_one_product_and_half_even() -> None:
    """Multiplying the two factors first, rounding half even, and a bias added in another order are each seen."""
    cases = [
        (acc, (0.5, sw, 0.5), (0, 0, zy, 0.0)) for acc in range(-40, 41) for sw in (0.5, 0.25) for zy in (0, 3)
    ] + [(acc, (0.1, 0.3, 0.7), (acc // 3, 5, -7, acc / 9)) for acc in range(-3000, 3000, 7)]

    def one_product(acc: Any, sw: Any, ratio: Any, shift: Any, low: Any, high: Any) -> Any:
        return SHIFTED[1](acc, np.asarray(sw * ratio), np.float32(1), shift, low, high)

    def half_even(acc: Any, sw: Any, ratio: Any, shift: Any, low: Any, high: Any) -> Any:
        return np.rint(np.clip(acc.astype(np.float32) * sw * ratio + shift, low, high)).astype(np.int64)

    def bias_last(colsum: Any, b: Any, x: Any, sw: Any, y: Any) -> Any:
        return SHIFTED[0](colsum, np.float32(0), x, sw, y) + b / y[0]

    assert all(shifted_equals_spec(*SHIFTED, *case) for case in cases)
    for shifts, stages in ((SHIFTED[0], half_even), (bias_last, SHIFTED[1])):
        assert not all(shifted_equals_spec(shifts, stages, *case) for case in cases)
    acc, sw, ratio = np.arange(-2000, 2001)[:, None], np.float32(0.7), np.float32(5 / 3)
    shift = np.zeros(1, np.float32)
    assert (one_product(acc, sw, ratio, shift, -128, 127) != SHIFTED[1](acc, sw, ratio, shift, -128, 127)).any()


def test_clip_before_rounding_defines_the_special_values() -> None:
    """R139: infinities go to their rails, NaN to the high one."""
    acc = np.array([[1, -1, 0]])
    got = output_stages.stage_two_products_clip_add_half(acc, np.float32(1), np.float32(np.inf), 0.0, -128, 127)
    assert got.tolist() == [[127, -128, 127]]
