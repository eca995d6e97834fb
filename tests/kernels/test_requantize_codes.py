"""Codes to codes: the arrays equal exact scalars, and one law tells the five rules apart."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import requantize_codes as kernels
from npquant.kernels.activation_bounds import bounds_half_away
from npquant.kernels.qparams import QuantParams
from npquant.spec import requantize_codes as spec

SCALES = st.floats(2.0**-3, 2.0**3, width=32)
INT8 = st.integers(-128, 127)


def body(q: Any, x: Any, y: Any) -> Any:
    """Rescale each code as part of a whole vector of 16."""
    return kernels.requantize_codes_vectors_of_16(np.repeat(q, 16), x, y)[::16]


def relu(q: Any, x: Any, y: Any) -> Any:
    """Rescale as ReLU does."""
    return kernels.clamp_activation_codes("relu_n1_to_1", q, x, y)


def exact_relu(q: Any, before: Any, after: Any, qmin: Any, qmax: Any) -> Any:
    """Clamp to R34's bounds."""
    y = QuantParams(float(after[0]), after[1], qmin, qmax)
    return spec.clamp_activation_code(q, before, after, *bounds_half_away("relu_n1_to_1", y))


OPERATORS = [
    (kernels.requantize_codes_double_rounding, spec.requantize_codes_double_rounding),
    (body, spec.requantize_codes_double_rounding_up),
    (kernels.requantize_codes_8_bit_multiplier, spec.requantize_codes_8_bit_multiplier),
    (relu, exact_relu),
    (kernels.requantize_codes_fused, spec.requantize_codes_fused),
]
LABELS = ["R62", "R63", "R64", "R65", "R147"]


def operator_equals_spec(operator: Any, rule: Any, q: Any, sx: Any, zx: Any, sy: Any, zy: Any) -> bool:
    """Say whether one code becomes the exact one."""
    x, y = QuantParams(sx, zx, -128, 127), QuantParams(sy, zy, -128, 127)
    got = operator(np.array([q], np.int8), x, y)
    want = rule(q, (Fraction(float(x.scale)), zx), (Fraction(float(y.scale)), zy), -128, 127)
    return got.dtype == np.int8 and int(got[0]) == want


@pytest.mark.parametrize(("operator", "rule"), OPERATORS, ids=LABELS)
@given(q=INT8, sx=SCALES, zx=INT8, sy=SCALES, zy=INT8)
def test_requantize_codes_equals_spec(operator: Any, rule: Any, q: Any, sx: Any, zx: Any, sy: Any, zy: Any) -> None:
    """R62 to R65 and R147 for any code and scales within XNNPACK's ratios."""
    assert operator_equals_spec(operator, rule, q, sx, zx, sy, zy)


def test_requantize_codes_law_kills_every_other_rule() -> None:
    """Each operator obeys its own rule and breaks every other."""
    scales = [(1.0, 4.0), (0.3, 0.299), (1.0, 100.0), (0.1, 3.7), (1.0, 2.0)]
    cases = [(q, sx, 3, sy, -1) for sx, sy in scales for q in range(-128, 128)]
    for i, (operator, _) in enumerate(OPERATORS):
        for j, (_, rule) in enumerate(OPERATORS):
            same = all(operator_equals_spec(operator, rule, *case) for case in cases)
            assert same == (i == j), (LABELS[i], LABELS[j])


def test_clamp_activation_law_kills_a_float64_ratio() -> None:
    """A ratio whose float32 rounding crosses a tie shows that ReLU divides in float32."""

    def in_float64(q: Any, x: Any, y: Any) -> Any:
        low, high = bounds_half_away("relu_n1_to_1", y)
        return np.clip(kernels.requantize_codes_double_rounding(q, x, y), low, high)

    rng = np.random.default_rng(0)
    quotients = [
        (int(q), (int(n) + 0.5) / q) for q, n in zip(rng.integers(90, 128, 300), rng.integers(46, 90, 300), strict=True)
    ]
    cases = [
        (q, r * sy, 0, sy, 0) for (q, r), sy in zip(quotients, rng.uniform(0.004, 0.01, 300).tolist(), strict=True)
    ]
    assert all(operator_equals_spec(relu, exact_relu, *case) for case in cases)
    assert not all(operator_equals_spec(in_float64, exact_relu, *case) for case in cases)


def test_requantize_codes_depends_on_the_position() -> None:
    """R63 and R62: one code has two answers in a tensor of 21."""
    x, y = QuantParams(1.0, 0, -128, 127), QuantParams(4.0, 0, -128, 127)
    got = kernels.requantize_codes_vectors_of_16(np.full((3, 7), -6, np.int8), x, y)
    assert got.ravel().tolist() == [-1] * 16 + [-2] * 5


def test_requantize_codes_leaves_xnnpack_outside_its_ratios() -> None:
    """Ratios above 2^7 and other types are not delegated."""
    q = np.arange(-128, 128, dtype=np.int8)
    x, y = QuantParams(1.0, 0, -128, 127), QuantParams(1 / 200, 0, -128, 127)
    unsigned = QuantParams(1.5, 3, 0, 255)
    for after in (y, unsigned):
        got = kernels.requantize_codes_8_bit_multiplier(q, x, after)
        assert got.tolist() == kernels.requantize_codes_vectors_of_16(q, x, after).tolist()
        assert got.dtype == after.dtype


@given(
    q=st.integers(-(2**31), 2**31 - 1), sx=SCALES, zx=st.integers(-(2**31), 2**31 - 1), sy=SCALES, zy=st.integers(-9, 9)
)
def test_requantize_codes_of_int32_equals_spec(q: Any, sx: Any, zx: Any, sy: Any, zy: Any) -> None:
    """R62 for int32 codes, whose steps and sums wrap."""
    x, y = QuantParams(sx, zx, -(2**31), 2**31 - 1), QuantParams(sy, zy, -32768, 32767)
    got = kernels.requantize_codes_double_rounding(np.array([q], np.int32), x, y)
    before, after = (Fraction(float(x.scale)), zx), (Fraction(float(y.scale)), zy)
    assert int(got[0]) == spec.requantize_codes_double_rounding(q, before, after, -32768, 32767)


def test_requantize_codes_law_kills_a_saturating_sum() -> None:
    """R62: 2^31 - 128 steps and a zero point of 500 come out at the low rail."""
    x, y = QuantParams(1 - 2.0**-24, 0, -(2**31), 2**31 - 1), QuantParams(1.0, 500, -32768, 32767)
    got = kernels.requantize_codes_double_rounding(np.array([2**31 - 1], np.int32), x, y)
    assert got.tolist() == [-32768]
