"""XNNPACK's dynamic layer: the arrays equal exact scalars, and the laws see each neighbouring rule."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import qd8 as kernels
from npquant.kernels.dynamic import real_output
from npquant.kernels.hybrid import hybrid_asymmetric
from npquant.spec import qd8 as spec

F32 = st.floats(-(2.0**40), 2.0**40, width=32).filter(lambda v: v == 0 or abs(v) > 2.0**-80)
SCALES = st.floats(2.0**-20, 2.0**10, width=32)
TINY = 2.0**-126


def codes_equal_spec(quantize: Any, row: Any) -> bool:
    """Say whether scale, zero point and codes of one row are R114's."""
    got, x = quantize([row]), [Fraction(float(np.float32(v))) for v in row]
    c, s, z = spec.qd8_parameters(min([*x, Fraction(0)]), max([*x, Fraction(0)]))
    codes = [spec.qd8_code(v, c, z) for v in x]
    return (Fraction(float(got.scale[0, 0])), int(got.zero_point[0, 0]), got.codes[0].tolist()) == (s, z, codes)


def near_ties() -> list[list[float]]:
    """Return rows at ties of their own codes, and ranges whose zero point is a tie."""
    steps = [[-100.0, 155.0, *(k + 0.5 for k in range(-20, 20))]]
    return steps + [[-(k + 0.5) / 255, 1 - (k + 0.5) / 255] for k in range(255)] + [[0.0, 0.0], [-3.0], [3.0]]


@given(row=st.lists(F32, min_size=1, max_size=9))
def test_qd8_codes_equal_spec(row: Any) -> None:
    """R114 on any row."""
    assert codes_equal_spec(kernels.qd8_codes, row)


def test_qd8_codes_equal_spec_at_ties() -> None:
    """Every zero point, and ties of the codes."""
    assert all(codes_equal_spec(kernels.qd8_codes, row) for row in near_ties())


def by_division(x: Any) -> Any:
    """Divide by the scale in place of a product with its reciprocal."""
    made = kernels.qd8_codes(x)
    codes = np.clip(np.rint(np.float32(x) / made.scale) + made.zero_point, -128, 127)
    return made._replace(codes=codes.astype(np.int8))


def test_law_of_codes_kills() -> None:
    """LiteRT's own asymmetric rule, and a division by the scale, are seen."""
    rng = np.random.default_rng(0)
    rows = near_ties() + [rng.normal(0, 1, 9).astype(np.float32).tolist() for _ in range(200)]
    assert not all(codes_equal_spec(hybrid_asymmetric, row) for row in rows)
    ties = [[-0.3, *((np.arange(-100, 100) + 0.5) * np.float32(2.4 / 255)).astype(np.float32)[:87].tolist(), 2.1]]
    assert not all(codes_equal_spec(by_division, row) for row in rows + ties)


def output_equals_spec(output: Any, acc: Any, s: Any, sw: Any, b: Any) -> bool:
    """Say whether one output is R115's."""
    made = kernels.qd8_codes([[1.0]])._replace(scale=np.float32([[s]]))
    want = spec.qd8_output(acc, *(Fraction(float(np.float32(v))) for v in (s, sw, b)))
    return Fraction(float(output(np.array([[acc]]), made, np.float32(sw), np.float32([b]))[0, 0])) == want


@given(acc=st.integers(-(2**31), 2**31 - 1), s=SCALES, sw=SCALES, b=F32)
def test_qd8_output_equals_spec(acc: Any, s: Any, sw: Any, b: Any) -> None:
    """R115 for any accumulator and bias."""
    assert output_equals_spec(kernels.qd8_output, acc, s, sw, b)


def test_law_of_outputs_kills_other_orders() -> None:
    """Scales multiplied first, and a bias that is added apart."""
    cases = [(acc, 0.1 + acc % 7, 0.3, -0.7 * acc) for acc in range(2**24, 2**24 + 99)]
    assert all(output_equals_spec(kernels.qd8_output, *case) for case in cases)
    assert not all(output_equals_spec(real_output, *case) for case in cases)

    def apart(acc: Any, made: Any, sw: Any, b: Any) -> Any:
        return acc.astype(np.float32) * made.scale * sw + b

    assert not all(output_equals_spec(apart, *case) for case in cases)


def test_qd8_counts_subnormal_numbers_as_nothing() -> None:
    """Inputs, scales, biases and outputs below 2^-126; the definition agrees where its numbers may be so small."""
    assert kernels.qd8_codes([[TINY / 2, 0.0]]).codes.tolist() == kernels.qd8_codes([[0.0, 0.0]]).codes.tolist()
    assert kernels.qd8_codes([[1.5e-36, 0.0]]).scale.item() == 0
    made = kernels.qd8_codes([[1.0, 0.0]])
    assert kernels.qd8_output(np.array([[1]]), made, np.float32(1), np.float32([TINY / 2])) == made.scale
    for sw, b in ((2.0**-118, -(2.0**-126)), (2.0**-119, 0.0), (2.0**-118, 0.0)):
        assert output_equals_spec(kernels.qd8_output, 1, 2.0**-7, sw, b)


@pytest.mark.parametrize("row", [[3e38, -3e38], [-3.4e38, 1e38]])
def test_qd8_codes_refuse_a_range_beyond_float32(row: Any) -> None:
    """hi - lo is infinite."""
    with pytest.raises(ValueError, match="beyond float32"):
        kernels.qd8_codes([row])
