"""Engines' quantize operators: the arrays equal exact scalars; NaN, tails and huge values are each one's own."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import quantize_engines as kernels
from npquant.kernels.qparams import QuantParams
from npquant.spec import quantize_engines as spec
from npquant.spec.floating import to_float32

SCALES = st.floats(2.0**-20, 2.0**10, width=32)
F32 = st.floats(-(2.0**40), 2.0**40, width=32)
INT8 = st.integers(-128, 127)


def body(x: Any, params: Any) -> Any:
    """Quantize each element as part of a whole vector of 8."""
    return kernels.quantize_vectors_of_8(np.repeat(x, 8), params)[::8]


def per_channel(x: Any, params: Any) -> Any:
    """Quantize one channel with per-channel parameters."""
    return kernels.quantize_torch(x[:, None], QuantParams([params.scale], params.zero_point, -128, 127))[:, 0]


def whole_vector(x: Any, params: Any) -> Any:
    """Quantize each element as part of a whole vector of 4; the engine has no zero points, and codes from -127."""
    return kernels.quantize_per_unit_vectors_of_4(np.repeat(x, 4), params)[::4]


OPERATORS = [
    (kernels.quantize_divide_half_away, spec.quantize_divide_half_away),
    (kernels.quantize_divide_half_away_float64, spec.quantize_divide_half_away_float64),
    (body, spec.quantize_reciprocal_half_even_wrapping),
    (kernels.quantize_reciprocal_half_even, spec.quantize_reciprocal_half_even),
    (kernels.quantize_reciprocal_half_even_int64, spec.quantize_reciprocal_half_even_int64),
    (kernels.quantize_divide_half_even, spec.quantize_divide_half_even),
    (kernels.quantize_divide_half_even_wrapping, spec.quantize_divide_half_even_wrapping),
    (kernels.quantize_torch, spec.quantize_fused_zero_point_first),
    (per_channel, spec.quantize_zero_point_first),
    (whole_vector, spec.quantize_per_unit_add_half),
    (kernels.quantize_per_unit_vectors_of_4, spec.quantize_per_unit_half_away),
    (kernels.quantize_clip_then_add_half, spec.quantize_clip_then_add_half),
]
LABELS = ["R50", "R51", "R52", "R53", "R141", "R54", "R55", "R56", "R57", "R133", "R133, tail", "R137"]
BELOW_HALF = float(np.nextafter(np.float32(0.5), np.float32(0)))


def operator_equals_spec(operator: Any, rule: Any, x: float, scale: float, z: int) -> bool:
    """Say whether an operator gives the exact code of one float32 value."""
    params = QuantParams(scale, z, -128, 127)
    got = operator(np.array([x], np.float32), params)
    want = rule(Fraction(float(np.float32(x))), Fraction(float(params.scale)), z, -128, 127)
    return got.dtype == np.int8 and int(got[0]) == want


@pytest.mark.parametrize(("operator", "rule"), OPERATORS, ids=LABELS)
@given(x=F32, scale=SCALES, z=INT8)
def test_quantize_operator_equals_spec(operator: Any, rule: Any, x: Any, scale: Any, z: Any) -> None:
    """R50 to R57, R133, R137 and R141 on any finite float32."""
    assert operator_equals_spec(operator, rule, x, scale, z)


def ties() -> list[tuple[float, float, int]]:
    """Return values on and beside half steps for scales with awkward reciprocals, and values beyond int32."""
    near = [
        (float(np.nextafter(np.float32((k + 0.5) * s), np.float32(side * 1e9))) if side else (k + 0.5) * s, s, z)
        for s in (0.1, 0.3, 0.7, 1 / 3, 0.01)
        for k in range(-60, 60, 2)
        for side in (-1, 0, 1)
        for z in (0, 1, -7)
    ]
    far = [(side * v, 1.0, z) for v in (BELOW_HALF, 2.0**39) for side in (-1, 1) for z in (5, 0, -5)]
    beyond = [(sign * 2.0**70, 1.0, z) for sign in (1, -1) for z in (5, -5)]
    return far + near + beyond


def test_quantize_operator_law_kills_every_other_rule() -> None:
    """Each operator obeys its own rule on the ties and breaks every other: the law tells all of them apart."""
    cases = [(np.array([x], np.float32), QuantParams(s, z, -128, 127)) for x, s, z in ties()]
    given = [(Fraction(float(x[0])), Fraction(float(p.scale)), int(p.zero_point), -128, 127) for x, p in cases]
    got = [[int(operator(*case)[0]) for case in cases] for operator, _ in OPERATORS]
    want = [[rule(*case) for case in given] for _, rule in OPERATORS]
    for i, codes in enumerate(got):
        for j, others in enumerate(want):
            assert (codes == others) == (i == j), (LABELS[i], LABELS[j])


def test_quantize_operators_have_their_own_nan() -> None:
    """NaN becomes qmin, qmax, 0 or a wrapped rail, by engine."""
    params = QuantParams(0.5, 3, -128, 127)
    nan = np.array([np.nan], np.float32)
    answers = [int(operator(nan, params)[0]) for operator, _ in OPERATORS]
    assert answers == [-128, -128, -128, 127, -128, -128, -128, 127, 0, -127, -127, 127]
    assert kernels.quantize_divide_half_even_nan_high(nan, params).tolist() == [127]


def test_quantize_vectors_of_8_depends_on_the_position() -> None:
    """R52 and R51: the same value has two codes in one tensor of 13."""
    got = kernels.quantize_vectors_of_8([1.25] * 13, QuantParams(0.5, 0, -128, 127))
    assert got.tolist() == [2] * 8 + [3] * 5


@given(q=INT8, scale=SCALES, z=INT8)
def test_dequantize_vectors_of_8_rounds_twice(q: Any, scale: Any, z: Any) -> None:
    """R58: two float32 products and a sum, each rounded."""
    params = QuantParams(scale, z, -128, 127)
    s = Fraction(float(params.scale))
    got = kernels.dequantize_vectors_of_8(np.full(9, q, np.int8), params)
    assert Fraction(float(got[0])) == spec.dequantize_two_products(q, s, z)
    assert Fraction(float(got[8])) == to_float32(s * (q - z))
