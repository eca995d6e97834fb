"""Dynamic quantization: the arrays equal exact scalars, and the law tells the engines' empty ranges apart."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import dynamic as kernels
from npquant.spec import dynamic as spec
from npquant.spec.quantize_engines import quantize_divide_half_even

F32 = st.floats(-(2.0**40), 2.0**40, width=32).filter(lambda v: v == 0 or abs(v) > 2.0**-60)
SCALES = st.floats(2.0**-20, 2.0**10, width=32)
OPERATORS = {255: kernels.dynamic_quantize_unit_empty, 1: kernels.dynamic_quantize_small_empty}


def dynamic_equals_spec(operator: Any, empty_span: Any, values: Any) -> bool:
    """Say whether codes, scale and zero point are the exact ones of a list of float32 values."""
    got = operator(np.array(values, np.float32))
    exact = [Fraction(float(np.float32(v))) for v in values]
    scale, z = spec.dynamic_parameters(min(exact), max(exact), empty_span)
    codes = [quantize_divide_half_even(v, scale, z, 0, 255) for v in exact]
    types = (got.codes.dtype, got.scale.dtype, got.zero_point.dtype)
    assert types == (np.uint8, np.float32, np.uint8) and got.scale.shape == got.zero_point.shape == ()
    return (Fraction(float(got.scale)), int(got.zero_point), got.codes.tolist()) == (scale, z, codes)


@pytest.mark.parametrize("empty_span", OPERATORS)
@given(values=st.lists(F32, min_size=1, max_size=9))
def test_dynamic_quantize_equals_spec(empty_span: Any, values: Any) -> None:
    """R60 and R54 on any tensor whose scale is a normal number."""
    assert dynamic_equals_spec(OPERATORS[empty_span], empty_span, values)


def test_dynamic_quantize_law_kills_the_other_empty_range() -> None:
    """On zeros each operator obeys its own rule and breaks the other's."""
    for span, operator in OPERATORS.items():
        for other in OPERATORS:
            assert dynamic_equals_spec(operator, other, [0.0, 0.0]) == (span == other)


def test_dynamic_quantize_law_kills_a_zero_point_from_float64() -> None:
    """A zero point from the unrounded quotient lo / s moves for some range: the law sees it."""

    def in_float64(x: Any) -> Any:
        got = kernels.dynamic_quantize_unit_empty(x)
        lo, hi = float(min(x.min(), 0)), float(max(x.max(), 0))
        z = np.uint8(np.clip(np.rint(-lo / ((hi - lo) / 255)), 0, 255))
        return got._replace(zero_point=np.asarray(z))

    ranges = [[-(k + 0.5) / 255, 1 - (k + 0.5) / 255] for k in range(255)]
    assert all(dynamic_equals_spec(kernels.dynamic_quantize_unit_empty, 255, r) for r in ranges)
    assert not all(dynamic_equals_spec(in_float64, 255, r) for r in ranges)


def test_dynamic_quantize_answers_what_underflows_and_what_is_empty() -> None:
    """A subnormal range gives scale 0 and a zero point of 255 or 0; an empty tensor counts as 0."""
    tiny = np.float32(1e-45)
    assert [int(v) for v in kernels.dynamic_quantize_unit_empty([0.0, tiny])[1:]] == [0, 255]
    assert [int(v) for v in kernels.dynamic_quantize_unit_empty([-tiny])[1:]] == [0, 255]
    empty = kernels.dynamic_quantize_unit_empty(np.zeros((0, 3), np.float32))
    assert empty.codes.shape == (0, 3) and empty.scale == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_dynamic_quantize_refuses_what_has_no_range(bad: Any) -> None:
    """NaN and infinities are refused with the reason."""
    with pytest.raises(ValueError, match="NaN or infinity"):
        kernels.dynamic_quantize_unit_empty([1.0, bad])


def rescale_equals_spec(rescale: Any, acc: Any, sx: Any, sw: Any) -> bool:
    """Say whether one accumulator becomes the exact float32 number."""
    want = spec.rescale_float32(acc, *(Fraction(float(np.float32(s))) for s in (sx, sw)))
    return Fraction(float(rescale(np.array([acc]), sx, sw)[0])) == want


@given(acc=st.integers(-(2**31), 2**31 - 1), sx=SCALES, sw=SCALES)
def test_rescale_float32_equals_spec(acc: Any, sx: Any, sw: Any) -> None:
    """R61 for any int32."""
    assert rescale_equals_spec(kernels.rescale_float32, acc, sx, sw)


def test_rescale_law_kills_other_orders() -> None:
    """(acc sx) sw and float64 arithmetic round elsewhere."""
    orders = (
        lambda acc, sx, sw: acc.astype(np.float32) * np.float32(sx) * np.float32(sw),
        lambda acc, sx, sw: (acc * (np.float64(np.float32(sx)) * np.float32(sw))).astype(np.float32),
    )
    cases = [(acc, 0.1 + acc % 7, 0.3) for acc in range(2**24, 2**24 + 99)]
    assert all(rescale_equals_spec(kernels.rescale_float32, *case) for case in cases)
    for order in orders:
        assert not all(rescale_equals_spec(order, *case) for case in cases)
